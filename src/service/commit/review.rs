//! What people do about cases, on its way into the log. An act is checked against what stands in the log
//! at that moment, on the one thread that appends: two people who decide at once cannot both.

use std::sync::Arc;

use compact_str::CompactString;

use super::{Committer, Pending, ServiceError, by_stars, lock, policy_reason};
use crate::catalogue::FeatureId;
use crate::log::entry::{
    Act, Evidence, PublicRating, ReviewEntry, RevisionEntry, RevisionSource, WORDS_CHARS_MAX, Words,
};
use crate::log::{Entry, Log};
use crate::policy::Extension;
use crate::review::{Effect, Refusal, ReviewTimes, reasons};
use crate::time::Instant;
use crate::vault::VaultError;
use crate::verdict::Contribution;
use crate::wire::{Decision, ReasonSource};

/// Most cases that one form may be about.
pub const CASES_MAX: usize = 5_000;

/// Whether an account may do something to a rating.
pub type Permit = Arc<dyn Fn(&PublicRating) -> Result<(), Refusal> + Send + Sync>;

/// An act about some cases; each of them is taken, or refused, by itself.
#[derive(Clone)]
pub struct ReviewRequest {
    /// The ratings, each once.
    pub rating_ids: Vec<CompactString>,
    /// What is done about each.
    pub act: Act,
    /// Code of the reason; empty where none is asked for.
    pub reason: CompactString,
    /// Words that go with it; may be empty.
    pub words: String,
    /// The account; empty where somebody from outside does it.
    pub by: CompactString,
    /// When.
    pub at: Instant,
    /// How long claims and undoing last.
    pub times: ReviewTimes,
    /// Whether the account may do this to a rating: recusal and scope.
    pub permit: Permit,
}

/// What became of an act about one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// The rating.
    pub rating_id: CompactString,
    /// What it led to, with the sequence of its entry; or why not.
    pub result: Result<(Effect, u64), Refusal>,
}

/// Told once what an act led to is durable.
pub type ReviewReply = Box<dyn FnOnce(Vec<Reviewed>) + Send>;

impl Committer {
    /// Takes an act about some cases.
    pub(super) fn review(&mut self, request: &ReviewRequest, reply: ReviewReply) -> Result<(), ServiceError> {
        // What stands of a case is read from the log: all before must be there.
        self.commit()?;
        let mut reviewed = Vec::with_capacity(request.rating_ids.len());
        for rating_id in &request.rating_ids {
            let result = self.review_one(request, rating_id)?;
            reviewed.push(Reviewed { rating_id: rating_id.clone(), result });
        }
        self.group.pending.push(Pending::Reviewed { reviewed, reply });
        // The next act must see these.
        self.commit()
    }

    fn review_one(
        &mut self,
        request: &ReviewRequest,
        rating_id: &str,
    ) -> Result<Result<(Effect, u64), Refusal>, ServiceError> {
        let ReviewRequest { act, reason, by, at, .. } = request;
        let Some(case) = self.shared.case_of(rating_id, u64::MAX)? else {
            return Ok(Err(Refusal::NoSuchCase));
        };
        let state = case.state();
        let checked = (request.permit)(&case.rating.public())
            .and_then(|()| is_explained(*act, reason, &request.words))
            .and_then(|()| state.check(*act, by, *at, request.times))
            .and_then(|effect| match act {
                Act::Extend => self.may_extend(case.sequence, by, *at).map(|()| effect),
                _ => Ok(effect),
            });
        let effect = match checked {
            Ok(effect) => effect,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let digest = &case.rating.observation.digest;
        let words = match request.words.as_str() {
            "" => None,
            words => {
                let sealed = self.shared.words.seal(words, rating_id).map_err(VaultError::Randomness)?;
                Some(Words::new(sealed, digest, self.next_sequence))
            }
        };
        let entry = ReviewEntry {
            rating_id: rating_id.into(),
            rating_sequence: case.sequence,
            act: *act,
            reason: reason.clone(),
            by: by.clone(),
            at: *at,
            words,
        };
        // Where nodes append beside each other, the act stands only if nobody else's came in between.
        let before = self.shared.log.find_rating(rating_id)?.len() as u32;
        self.expect(before);
        let place = self.push(entry.encode(), Entry::Review(Box::new(entry)));
        self.shared.metrics.reviewed(*act);
        if let Effect::Decides(decision) = effect {
            if decision != Decision::Hold {
                lock(&self.shared.folds).budget.release(case.sequence);
            }
            let number = state.revision + 1;
            let outcome = &case.rating.outcome;
            let latest = case.revisions().last().and_then(|(_, revision)| revision.evidence.as_ref());
            let (suspicion, risk) = latest
                .map_or((outcome.suspicion, outcome.risk), |evidence| (evidence.suspicion, evidence.risk));
            let mut reasons = vec![match act {
                Act::Undo => policy_reason("review-undone"),
                _ => Contribution { code: reason.clone(), source: ReasonSource::Reviewer, weight: 0.0 },
            }];
            // What machines found stays with it; what people said before is in their own entries.
            let found = latest.map_or(&outcome.reasons, |evidence| &evidence.reasons);
            reasons.extend(
                found
                    .iter()
                    .filter(|reason| {
                        reason.source != ReasonSource::Reviewer && reason.code != "review-undone"
                    })
                    .cloned(),
            );
            let figures: Vec<(FeatureId, u64)> =
                latest.map_or_else(Vec::new, |evidence| evidence.figures.clone());
            let excluded = decision != Decision::Admit;
            let revision = RevisionEntry {
                rating: case.rating.public(),
                rating_sequence: case.sequence,
                revision: number,
                previous: state.decision,
                decision,
                source: RevisionSource::Reviewer,
                at: *at,
                evidence: Some(Evidence {
                    suspicion: suspicion.or(excluded.then(|| by_stars(&case.rating))),
                    risk,
                    reasons,
                    figures,
                    nonce: Evidence::nonce(digest, number),
                }),
            };
            self.expect(before + 1);
            self.push(revision.encode(), Entry::Revision(Box::new(revision)));
        }
        Ok(Ok((effect, place)))
    }

    /// The next record stands only if the log has so many entries about its rating.
    fn expect(&mut self, entries: u32) {
        if self.shared_log.is_some() {
            self.group.expectations.push((self.group.records.len() as u32, entries));
        }
    }

    fn may_extend(&self, rating: u64, by: &str, at: Instant) -> Result<(), Refusal> {
        match lock(&self.shared.folds).pending.would_extend(rating, by, at) {
            Extension::NeedsSecond | Extension::Extended(_) => Ok(()),
            Extension::SamePerson => Err(Refusal::NeedsAnother),
            Extension::AlreadyExtended | Extension::TooLate | Extension::NotHeld => {
                Err(Refusal::NothingToExtend)
            }
        }
    }
}

/// Whether the reason is one of those for the act, with words where it needs them.
fn is_explained(act: Act, reason: &str, words: &str) -> Result<(), Refusal> {
    if words.chars().count() > WORDS_CHARS_MAX {
        return Err(Refusal::Words { limit: WORDS_CHARS_MAX });
    }
    let reasons = reasons::of_act(act);
    if reasons.is_empty() {
        return Ok(());
    }
    let chosen = reasons.iter().find(|known| known.code == reason).ok_or(Refusal::NoSuchReason)?;
    match chosen.needs_words && words.trim().is_empty() {
        true => Err(Refusal::Words { limit: 0 }),
        false => Ok(()),
    }
}
