//! What is learnt from reviewers' decisions: versions, and what became of them.

use crate::time::Instant;
use crate::version::Version;

/// A step in the life of one version. A fold takes those that are in order and skips the rest: of two nodes
/// that publish the same number, the first in log order stands.
#[derive(Clone, Debug, PartialEq)]
pub struct LearningEntry {
    /// Number of the version, from 1.
    pub number: u64,
    /// The first 8 bytes of the BLAKE3 of what was learnt.
    pub version: Version,
    /// What became of it.
    pub step: LearningStep,
    /// When.
    pub at: Instant,
}

/// What became of a version.
#[derive(Clone, Debug, PartialEq)]
pub enum LearningStep {
    /// It was published, and runs in shadow from here on.
    Published {
        /// What was learnt, whole: [`crate::models::labels::Labels::to_bytes`].
        contents: Vec<u8>,
    },
    /// Its predictions were better than those without it: it comes into force.
    InForce(Comparison),
    /// They were not: it is dropped.
    Dropped(Comparison),
}

/// A version's predictions beside those without it, on decisions that came after it was learnt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Decisions that both were compared on.
    pub decisions: u32,
    /// Their weights' sum.
    pub weight: f32,
    /// Mean logarithmic loss with it, weighted, in nats.
    pub with: f32,
    /// Likewise without it.
    pub without: f32,
}
