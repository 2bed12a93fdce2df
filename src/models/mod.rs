//! Models that learn what is ordinary, or what reviewers decided.

pub mod density;
