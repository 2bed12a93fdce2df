//! Which revision of a rating's verdict stands.

use std::collections::HashMap;

use crate::log::Entry;
use crate::log::entry::RevisionSource;
use crate::wire::Decision;

/// The revision of one rating's verdict that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its number.
    pub revision: u32,
    /// Its decision.
    pub decision: Decision,
    /// A person decided it: no machine revises that.
    pub by_person: bool,
    /// Its place in the log.
    pub sequence: u64,
}

/// The standing revision of every rating that was revised, by the rating's sequence. Ratings that
/// were never revised are not in it, so it grows with corrections, not with traffic.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    revised: HashMap<u64, Vec<Standing>>,
}

impl Standings {
    /// The revision that stands; `None` where revision 0 does.
    pub fn latest(&self, rating_sequence: u64) -> Option<Standing> {
        self.revised.get(&rating_sequence).and_then(|all| all.last()).copied()
    }

    /// All revisions from 1, oldest first.
    pub fn all(&self, rating_sequence: u64) -> &[Standing] {
        self.revised.get(&rating_sequence).map_or(&[], Vec::as_slice)
    }

    /// Notes a later revision.
    pub fn add(&mut self, rating_sequence: u64, standing: Standing) {
        self.revised.entry(rating_sequence).or_default().push(standing);
    }

    /// Folds one entry of the log.
    pub fn apply(&mut self, sequence: u64, entry: &Entry) {
        if let Entry::Revision(revision) = entry {
            let by_person = revision.source == RevisionSource::Reviewer;
            self.add(revision.rating_sequence, Standing {
                revision: revision.revision,
                decision: revision.decision,
                by_person,
                sequence,
            });
        }
    }
}
