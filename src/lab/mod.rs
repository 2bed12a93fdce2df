//! The laboratory: traffic to develop, test and demonstrate against, and measures of what was found.

pub mod evaluate;
pub mod simulate;
