//! The laboratory: traffic to develop, test and demonstrate against.

pub mod simulate;
