//! What is promised, kept by the program as it ships: the real binary, real sockets, real signals.

mod support;

mod bad_lines;
mod case_memory;
mod control;
mod erasure;
mod holds;
mod identical_bytes;
mod incidents;
mod key_rotation;
mod keys;
mod kill;
mod labels;
mod learning;
mod nodes;
mod nothing_raw;
mod processes;
mod reference_tables;
mod review;
mod rule_swap;
mod snapshots;
