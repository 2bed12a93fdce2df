//! The laboratory: traffic to develop, test and demonstrate against, and models learnt from it.

pub mod simulate;
pub mod train;
