//! What stands of one case: a fold over the entries about its rating, in log order.
//!
//! ```text
//!            claim ──▶ decide ──▶ decided ──▶ (undo) ──▶ open again
//! open case ─┤            │ a bad rating would be excluded
//!            │            └──▶ first of two ──▶ somebody else decides ──▶ decided ──▶ (appeal) ──▶ open for others
//!            └─ release, return, escalate, extend, call back
//! ```
//!
//! Whether an act is in order is asked before it goes into the log ([`CaseState::check`]), and again by every fold
//! that meets it ([`CaseState::apply`]): one that came too late changes nothing anywhere.

use compact_str::CompactString;

use super::refusal::Refusal;
use crate::log::Entry;
use crate::log::entry::{Act, CallbackResult, RatingFlags, ReviewEntry, RevisionSource};
use crate::time::{Instant, MINUTE_MS};
use crate::wire::{Decision, ReviewOutcome};

/// Appeals that one rating may have: against the first decision, and against that on the first appeal.
pub const APPEALS_MAX: u8 = 2;

/// Times that the desk gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReviewTimes {
    /// How long a claim lasts, in minutes.
    pub claim_minutes: u32,
    /// How long a decision can be taken back, in minutes.
    pub undo_minutes: u32,
}

impl Default for ReviewTimes {
    fn default() -> Self {
        Self { claim_minutes: 30, undo_minutes: 30 }
    }
}

/// Somebody has the case for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub by: CompactString,
    /// Until when.
    pub until: Instant,
}

/// The first of the two decisions that excluding a bad rating takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstVote {
    /// Who decided.
    pub by: CompactString,
    /// What.
    pub outcome: ReviewOutcome,
    /// Code of the reason.
    pub reason: CompactString,
    /// When.
    pub at: Instant,
}

/// Whether the rater is being called back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Callback {
    /// Nobody asked for it.
    #[default]
    None,
    /// Asked, and no answer yet.
    Asked,
    /// What the last call found.
    Answered(CallbackResult),
}

/// What an act about a case leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It stands in the log; what was decided about the rating stays.
    Noted,
    /// It stands in the log, and this is decided from now on.
    Decides(Decision),
}

/// One case as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseState {
    /// Whether it is a bad rating.
    pub bad: bool,
    /// What is decided about the rating.
    pub decision: Decision,
    /// Number of the revision that stands.
    pub revision: u32,
    /// Whether it is to be looked at although it is admitted.
    pub flagged: bool,
    /// Who has it; look at [`Self::claim_at`] for whether it has ended.
    pub claim: Option<Claim>,
    /// The first of two decisions.
    pub first: Option<FirstVote>,
    /// What people decided; `None` while it is open.
    pub outcome: Option<ReviewOutcome>,
    /// Whoever decided, first or second, in this order; also before an appeal.
    pub deciders: Vec<CompactString>,
    /// Who handed it to somebody else.
    pub escalated_by: Option<CompactString>,
    /// An appeal waits for an answer.
    pub appealed: bool,
    /// Appeals so far.
    pub appeals: u8,
    /// Call back.
    pub callback: Callback,
    /// When the last decision was made, by whom, and what stood before it.
    last: Option<Last>,
}

#[derive(Clone, Debug, PartialEq)]
struct Last {
    by: CompactString,
    at: Instant,
    before: Box<CaseState>,
}

impl CaseState {
    /// The case of a rating that has just been scored.
    pub fn new(bad: bool, decision: Decision, flags: RatingFlags) -> Self {
        Self {
            bad,
            decision,
            revision: 0,
            flagged: flags.want_review(),
            claim: None,
            first: None,
            outcome: None,
            deciders: Vec::new(),
            escalated_by: None,
            appealed: false,
            appeals: 0,
            callback: Callback::None,
            last: None,
        }
    }

    /// The case that these entries about one rating, in log order, lead to; `None` if no rating is among them.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Option<Self> {
        let mut state: Option<Self> = None;
        for entry in entries {
            match (&mut state, entry) {
                (None, Entry::Rating(rating)) => {
                    state =
                        Some(Self::new(rating.observation.is_bad(), rating.outcome.decision, rating.flags));
                }
                (None, Entry::Erased(rating)) => {
                    state = Some(Self::new(rating.is_bad(), rating.decision, rating.flags));
                }
                (Some(state), entry) => drop(state.fold(entry)),
                (None, _) => {}
            }
        }
        state
    }

    /// Takes one more entry about the rating; what it led to, or `None` if it changed nothing.
    pub fn fold(&mut self, entry: &Entry) -> Option<Effect> {
        match entry {
            Entry::Revision(revision) if revision.revision > self.revision => {
                self.decision = revision.decision;
                self.revision = revision.revision;
                if revision.source != RevisionSource::Reviewer {
                    // What a machine decided since then, nobody takes back by undoing.
                    self.last = None;
                    self.first = None;
                }
                Some(Effect::Decides(revision.decision))
            }
            Entry::Review(review) => self.apply(review).ok(),
            _ => None,
        }
    }

    /// Whether somebody has to decide about it.
    pub fn is_open(&self) -> bool {
        self.appealed || (self.outcome.is_none() && (self.decision == Decision::Hold || self.flagged))
    }

    /// Whether a person decided what stands: no machine changes that.
    pub fn is_decided_by_person(&self) -> bool {
        self.outcome.is_some()
    }

    /// Who has the case at this time.
    pub fn claim_at(&self, now: Instant) -> Option<&Claim> {
        self.claim.as_ref().filter(|claim| now < claim.until)
    }

    /// Whether a decision like this needs a second person after the one who makes it now.
    pub fn needs_second(&self, outcome: ReviewOutcome) -> bool {
        // An appeal is against what two people decided already.
        let excludes = outcome != ReviewOutcome::Clear && self.decision != Decision::Reject;
        self.bad && excludes && self.first.is_none()
    }

    /// Until when the decision made last can be taken back, and by whom.
    pub fn undoable(&self, times: ReviewTimes) -> Option<(&str, Instant)> {
        let last = self.last.as_ref()?;
        Some((&last.by, Instant(last.at.ms() + i64::from(times.undo_minutes) * MINUTE_MS)))
    }

    /// What an act would lead to.
    ///
    /// # Errors
    /// It is not in order, and why.
    pub fn check(&self, act: Act, by: &str, at: Instant, times: ReviewTimes) -> Result<Effect, Refusal> {
        if act == Act::Undo
            && let Some((_, until)) = self.undoable(times)
            && at >= until
        {
            return Err(Refusal::TooLateToUndo);
        }
        self.clone().act(act, by, "", at)
    }

    /// Takes an act that stands in the log.
    ///
    /// # Errors
    /// It was not in order when it came, and changes nothing.
    pub fn apply(&mut self, entry: &ReviewEntry) -> Result<Effect, Refusal> {
        self.act(entry.act, &entry.by, &entry.reason, entry.at)
    }

    fn act(&mut self, act: Act, by: &str, reason: &str, at: Instant) -> Result<Effect, Refusal> {
        match act {
            Act::Appeal => return self.appeal(),
            Act::Callback(result) => {
                self.callback = Callback::Answered(result);
                return Ok(Effect::Noted);
            }
            Act::Undo => return self.undo(by),
            _ => {}
        }
        if !self.is_open() {
            return Err(Refusal::NotOpen);
        }
        if let Some(claim) = self.claim_at(at).filter(|claim| claim.by != by) {
            return Err(Refusal::Claimed { by: claim.by.clone(), until: claim.until });
        }
        match act {
            Act::Claim { until } => self.claim = Some(Claim { by: by.into(), until }),
            Act::Release if self.claim_at(at).is_none() => return Err(Refusal::NotClaimed),
            Act::Release | Act::Return => self.claim = None,
            Act::Escalate => {
                self.claim = None;
                self.escalated_by = Some(by.into());
            }
            Act::AskCallback if self.callback == Callback::Asked => return Err(Refusal::AlreadyAsked),
            Act::AskCallback => self.callback = Callback::Asked,
            Act::Extend if !(self.bad && self.decision == Decision::Hold) => {
                return Err(Refusal::NothingToExtend);
            }
            // The clock of holds counts who asked for it.
            Act::Extend => {}
            Act::Decide(outcome) => return self.decide(outcome, by, reason, at),
            Act::Undo | Act::Appeal | Act::Callback(_) => {}
        }
        Ok(Effect::Noted)
    }

    fn decide(
        &mut self,
        mut outcome: ReviewOutcome,
        by: &str,
        reason: &str,
        at: Instant,
    ) -> Result<Effect, Refusal> {
        if self.first.as_ref().is_some_and(|first| first.by == by) {
            return Err(Refusal::NeedsAnother);
        }
        if self.appealed && self.deciders.iter().any(|decider| decider == by) {
            return Err(Refusal::DecidedBefore);
        }
        if self.escalated_by.as_deref() == Some(by) {
            return Err(Refusal::Escalated);
        }
        let needs_second = self.needs_second(outcome);
        let before = Box::new(Self { claim: None, last: None, ..self.clone() });
        self.last = Some(Last { by: by.into(), at, before });
        self.claim = None;
        self.deciders.push(by.into());
        if needs_second {
            self.first = Some(FirstVote { by: by.into(), outcome, reason: reason.into(), at });
            return Ok(Effect::Noted);
        }
        if let Some(first) = self.first.take()
            && outcome != ReviewOutcome::Clear
            && first.outcome == ReviewOutcome::Mistaken
        {
            // Two people would exclude it, and one of them sees no bad faith.
            outcome = ReviewOutcome::Mistaken;
        }
        self.outcome = Some(outcome);
        self.appealed = false;
        self.escalated_by = None;
        let decision = match outcome {
            ReviewOutcome::Clear => Decision::Admit,
            ReviewOutcome::Confirm | ReviewOutcome::Mistaken => Decision::Reject,
        };
        Ok(if decision == self.decision { Effect::Noted } else { Effect::Decides(decision) })
    }

    fn undo(&mut self, by: &str) -> Result<Effect, Refusal> {
        let last = self.last.take().ok_or(Refusal::NothingToUndo)?;
        if last.by != by {
            let of = last.by.clone();
            self.last = Some(last);
            return Err(Refusal::NotYours { of });
        }
        let standing = (self.decision, self.revision, self.callback);
        *self = *last.before;
        let before = self.decision;
        // What stands is changed by the revision that follows, which has its own number.
        (self.decision, self.revision, self.callback) = standing;
        Ok(if before == self.decision { Effect::Noted } else { Effect::Decides(before) })
    }

    fn appeal(&mut self) -> Result<Effect, Refusal> {
        if self.decision == Decision::Admit {
            return Err(Refusal::NothingToAppeal);
        }
        if self.appealed {
            return Err(Refusal::AppealPending);
        }
        if self.appeals >= APPEALS_MAX {
            return Err(Refusal::AppealsUsedUp);
        }
        self.appealed = true;
        self.appeals += 1;
        self.outcome = None;
        self.last = None;
        Ok(Effect::Noted)
    }
}

#[cfg(test)]
mod tests;
