//! The laboratory: traffic to develop, test and demonstrate against; models learnt from ratings; verdicts
//! held against the truth; and how far many nodes on one log go.

pub mod evaluate;
pub mod scale;
pub mod simulate;
pub mod train;
