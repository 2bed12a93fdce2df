//! A real cluster: `fluvio-run` from PATH, its processes ended and started again.
//!
//! Needs the Cargo feature `fluvio`. Without `fluvio-run` on PATH the tests say so and pass.

mod broker;
#[path = "../broker_support/mod.rs"]
mod broker_support;
mod certificates;
mod decisions;
mod harness;
mod measure;
mod network;
mod nodes;
#[path = "../promises/support.rs"]
#[allow(dead_code)]
mod support;
mod throughput;
