//! What is counted while a cell goes on.

use super::histogram::Histogram;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) answered: u64,
    pub(super) shed: u64,
    pub(super) broken_off: u64,
    pub(super) groups: u64,
    /// Nanoseconds from arrival to answer.
    pub(super) latency: Histogram,
    /// Nanoseconds from the state of one node to that of another.
    pub(super) lag: Histogram,
    /// Ratings of others that were scored and that a decision did not know of.
    pub(super) unseen: Histogram,
    /// Nanoseconds that state threads took, by purpose.
    pub(super) state_thread: [f64; 2],
    /// Seconds that nodes took to read what they had missed.
    pub(super) caught_up_s: Vec<f64>,
}
