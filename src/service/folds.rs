//! What the committer folds from the entries that it appends: pending holds, the budget.

use super::learning::Decisions;
use super::lot::Drawn;
use super::references::{Collector, calendar_of};
use crate::catalogue::builtin as f;
use crate::date::UtcOffset;
use crate::incidents::{Incidents, Limits, Opened};
use crate::log::Entry;
use crate::log::entry::{Act, RatingFlags, RevisionEntry, RevisionSource};
use crate::lookback::{Entrant, Lookback};
use crate::models::GroupModel;
use crate::policy::{Budget, Governor, Pending};
use crate::wire::Decision;

/// Projections that the service keeps at hand. Each can be rebuilt from the log alone.
#[derive(Clone, Debug)]
pub struct Folds {
    /// Holds that nobody decided.
    pub pending: Pending,
    /// The day's budget of held bad ratings.
    pub budget: Budget,
    /// Bad ratings since the service started.
    pub bad_ratings: u64,
    /// What is known of the ratings around each of the last days.
    pub lookback: Lookback,
    /// Whether the model in force is believed.
    pub governor: Governor,
    /// What people should know of; no decision reads it.
    pub incidents: Incidents,
    /// What is learnt from reviewers' decisions. It is folded beside the rest: it looks ratings up in the log.
    pub decisions: Decisions,
    /// How many were drawn for the control sample today.
    pub drawn: Drawn,
    /// Where days begin.
    pub offset: UtcOffset,
    /// Reference tables on their way: their holidays make the calendar of the holds from there on.
    pub(super) tables: Collector,
    /// Sequences of the entries that the tables in force are made of.
    pub(super) tables_at: Vec<u64>,
}

impl Folds {
    /// Folds an entry that was just appended. The budget knows it already: it was asked when it was decided.
    /// Gives what incidents and alerts begin with it.
    pub fn apply(&mut self, sequence: u64, entry: &Entry) -> Option<Opened> {
        let mut opened = None;
        if let Entry::Rating(rating) = entry {
            self.bad_ratings += u64::from(rating.observation.is_bad());
            let decision = rating.outcome.decision;
            opened = self.incidents.note(sequence, &rating.observation, &rating.features, decision);
        }
        match entry {
            Entry::Rating(rating) if rating.outcome.decision == Decision::Hold => {
                self.pending.hold(sequence, rating.observation.is_bad(), rating.outcome.scored_at);
            }
            Entry::Revision(revision) => self.revise(revision),
            Entry::Review(review) if review.act == Act::Extend => {
                self.pending.extend(review.rating_sequence, &review.by, review.at);
            }
            Entry::Activation(activation) => {
                if let Some(files) = self.tables.take(sequence, activation) {
                    self.tables_at = self.tables.at().to_vec();
                    if let Some(calendar) = calendar_of(&files, self.offset) {
                        self.pending.set_calendar(calendar);
                    }
                }
            }
            _ => {}
        }
        opened
    }

    /// Folds an entry that an earlier process appended, with the group model that was in force then.
    pub fn replay(&mut self, sequence: u64, entry: &Entry, group: Option<&GroupModel>) {
        match entry {
            Entry::Rating(rating) => {
                self.governor.note(rating.outcome.decision != Decision::Admit);
                if rating.flags.has(RatingFlags::CONTROL) {
                    self.drawn.note(self.offset.day_of(rating.outcome.scored_at));
                }
            }
            Entry::Revision(revision) if revision.source == RevisionSource::LookBack => {
                self.governor.note_found();
            }
            _ => {}
        }
        if let (Entry::Rating(rating), Some(mut group)) = (entry, group)
            && let Some(own) = rating.features.float(f::MODEL_LOGIT)
        {
            let mut entrant = Entrant::new(sequence, &rating.observation, &rating.features, own);
            let look = self.lookback.look(&mut entrant, &mut group);
            let held = rating.outcome.decision != Decision::Admit;
            // What it found stands in the log already.
            let believed = !self.governor.suspended();
            self.lookback.join(entrant, &look, held, believed, &mut group, &mut Vec::new());
        }
        match entry {
            Entry::Rating(rating)
                if rating.outcome.decision == Decision::Hold && rating.observation.is_bad() =>
            {
                self.budget.offer(rating.outcome.scored_at, sequence, rating.outcome.risk);
            }
            Entry::Revision(revision)
                if is_budgeted(revision.decision, revision.source) && revision.rating.is_bad() =>
            {
                // Of erased evidence no risk is left, and its day is long over.
                let risk = revision.evidence.as_ref().map_or(0.0, |evidence| evidence.risk);
                self.budget.offer(revision.at, revision.rating_sequence, risk);
            }
            Entry::Revision(revision) if revision.decision != Decision::Hold => {
                self.budget.release(revision.rating_sequence);
            }
            _ => {}
        }
        // What began then was said then.
        let _ = self.apply(sequence, entry);
    }

    fn revise(&mut self, revision: &RevisionEntry) {
        let sequence = revision.rating_sequence;
        if revision.decision == Decision::Hold {
            self.pending.hold(sequence, revision.rating.is_bad(), revision.at);
        } else {
            self.pending.decide(sequence, revision.at);
        }
    }

    /// Holds that nobody decided.
    pub fn pending_holds(&self) -> u64 {
        self.pending.len() as u64
    }
}

/// No incidents yet, with days that begin where the service's do.
pub(super) fn no_incidents(offset: UtcOffset) -> Incidents {
    Incidents::new(Limits { offset, ..Limits::default() })
}

/// Whether a revision is a machine's hold, which counts against the budget if the rating is bad.
pub(super) fn is_budgeted(decision: Decision, source: RevisionSource) -> bool {
    decision == Decision::Hold && source != RevisionSource::Reviewer
}
