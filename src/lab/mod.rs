//! The laboratory: traffic to develop, test and demonstrate against; models learnt from ratings; verdicts
//! held against the truth.

pub mod evaluate;
pub mod simulate;
pub mod train;
