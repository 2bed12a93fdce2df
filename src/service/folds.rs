//! What the committer folds from the entries that it appends: pending holds, the budget.

use crate::log::Entry;
use crate::log::entry::RevisionEntry;
use crate::policy::{Budget, Pending};
use crate::wire::Decision;

/// Projections that the service keeps at hand. Each can be rebuilt from the log alone.
#[derive(Debug)]
pub struct Folds {
    /// Holds that nobody decided.
    pub pending: Pending,
    /// The day's budget of held bad ratings.
    pub budget: Budget,
    /// Bad ratings since the service started.
    pub bad_ratings: u64,
}

impl Folds {
    /// Folds an entry that was just appended. The budget was asked before, when it was decided.
    pub fn apply(&mut self, sequence: u64, entry: &Entry) {
        if let Entry::Rating(rating) = entry {
            self.bad_ratings += u64::from(rating.observation.is_bad());
        }
        match entry {
            Entry::Rating(rating) if rating.outcome.decision == Decision::Hold => {
                self.pending.hold(sequence, rating.observation.is_bad(), rating.outcome.scored_at);
            }
            Entry::Revision(revision) => self.revise(revision),
            _ => {}
        }
    }

    /// Folds an entry that an earlier process appended.
    pub fn replay(&mut self, sequence: u64, entry: &Entry) {
        if let Entry::Rating(rating) = entry
            && rating.outcome.decision == Decision::Hold
            && rating.observation.is_bad()
        {
            self.budget.offer(rating.outcome.scored_at, sequence, rating.outcome.risk);
        }
        self.apply(sequence, entry);
    }

    fn revise(&mut self, revision: &RevisionEntry) {
        let sequence = revision.rating_sequence;
        if revision.decision == Decision::Hold {
            self.pending.hold(sequence, revision.rating.is_bad(), revision.at);
        } else {
            self.pending.decide(sequence);
            self.budget.release(sequence);
        }
    }

    /// Holds that nobody decided.
    pub fn pending_holds(&self) -> u64 {
        self.pending.len() as u64
    }
}
