//! What lies behind the memory of state: the log, asked where an entry was forgotten for want of room.

use crate::observation::Observation;

/// Most earlier ratings of one case that are read back; older ones of a case with more only count.
pub const MOST_RATINGS: usize = 256;

/// The earlier ratings of a case.
#[derive(Clone, Debug, Default)]
pub struct PastCase {
    /// In the order of the log; the latest [`MOST_RATINGS`].
    pub ratings: Vec<Observation>,
    /// How many came before those.
    pub before_them: u32,
}

/// Looks up what was forgotten.
pub trait Past {
    /// The ratings of a case that came before the rating at `position` of the run being observed, under any of
    /// the case's names (0: none); `None` where nobody can say.
    fn case(&self, position: usize, names: [u64; 3]) -> Option<PastCase>;
}

/// No log: what was forgotten is missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPast;

impl Past for NoPast {
    fn case(&self, _position: usize, _names: [u64; 3]) -> Option<PastCase> {
        None
    }
}
