//! Revisions by machines, on their way into the log: what one finds of another, what the budget admits, what
//! nobody decided in time.

use super::{Committer, Pending, ServiceError, lock};
use crate::catalogue::FeatureId;
use crate::features::case::rating_fingerprint;
use crate::log::entry::{Evidence, RatingEntry, RevisionEntry, RevisionSource};
use crate::log::{Entry, Log};
use crate::policy::BudgetDecision;
use crate::service::folds::is_budgeted;
use crate::time::Instant;
use crate::verdict::Contribution;
use crate::wire::{Decision, ReasonSource, Suspicion};

/// What stands of a rating that this group revises.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    revision: u32,
    decision: Decision,
    /// A person decided it: no machine revises that.
    by_person: bool,
}

/// Why a decision is revised.
#[derive(Default)]
pub(super) struct Why {
    pub(super) reasons: Vec<Contribution>,
    /// What the reasons' sentences say beside the rating's own features.
    pub(super) figures: Vec<(FeatureId, u64)>,
    /// The risk as it is seen now; `None` leaves it.
    pub(super) risk: Option<f32>,
    /// What it is suspected of, if it was of nothing before.
    pub(super) suspicion: Option<Suspicion>,
}

impl Why {
    pub(super) fn of(code: &'static str) -> Self {
        Self { reasons: vec![policy_reason(code)], ..Self::default() }
    }
}

impl Committer {
    /// Revises a rating's decision, unless it stands so already or a person decided it.
    ///
    /// Whatever machine holds a bad rating, its hold counts against the day's budget. Beyond it the rating
    /// stays admitted, by a revision that says so. Gives the source of the revision, if there is one.
    pub(super) fn revise(
        &mut self,
        sequence: u64,
        mut decision: Decision,
        mut source: RevisionSource,
        why: Why,
        at: Instant,
    ) -> Result<Option<RevisionSource>, ServiceError> {
        // What somebody still has to decide about is not erased; the rest stands as it is.
        let Some(rating) = self.entry_at(sequence)? else { return Ok(None) };
        let standing = match self.group.revised.get(&sequence) {
            Some(&standing) => standing,
            None => self.standing_in_log(&rating)?,
        };
        if standing.decision == decision || standing.by_person {
            return Ok(None);
        }
        let (number, previous) = (standing.revision + 1, standing.decision);
        let Why { mut reasons, figures, risk, suspicion: named } = why;
        let risk = risk.unwrap_or(rating.outcome.risk);
        let mut admit_instead = None;
        if is_budgeted(decision, source) && rating.observation.is_bad() {
            match lock(&self.shared.folds).budget.offer(at, sequence, risk) {
                BudgetDecision::Keep => {}
                BudgetDecision::AdmitOther(other) => admit_instead = Some(other),
                BudgetDecision::AdmitThis => {
                    (decision, source) = (Decision::Admit, RevisionSource::Lapse);
                    reasons.insert(0, policy_reason("hold-budget"));
                }
            }
        }
        if decision != Decision::Hold {
            lock(&self.shared.folds).budget.release(sequence);
        }
        reasons.extend(rating.outcome.reasons.iter().cloned());
        let suspicion = (decision == Decision::Hold).then(|| named.unwrap_or(by_stars(&rating)));
        let revision = RevisionEntry {
            rating: rating.public(),
            rating_sequence: sequence,
            revision: number,
            previous,
            decision,
            source,
            at,
            evidence: Some(Evidence {
                suspicion: rating.outcome.suspicion.or(suspicion),
                risk,
                reasons,
                figures,
                nonce: Evidence::nonce(&rating.observation.digest, number),
            }),
        };
        // Only an ordered stream is told of it here; others follow the feed.
        let body = match self.output {
            Some(_) => Some(self.shared.render_revision(&revision, &rating)?),
            None => None,
        };
        let record = revision.encode();
        let place = self.push(record, Entry::Revision(Box::new(revision)));
        self.group.revised.insert(sequence, Standing { revision: number, decision, by_person: false });
        self.group.pending.extend(body.map(|body| Pending::Revision { body, sequence: place }));
        if let Some(other) = admit_instead {
            self.revise(other, Decision::Admit, RevisionSource::Lapse, Why::of("hold-budget"), at)?;
        }
        Ok(Some(source))
    }

    fn standing_in_log(&self, rating: &RatingEntry) -> Result<Standing, ServiceError> {
        let first = Standing { revision: 0, decision: rating.outcome.decision, by_person: false };
        let id = &rating.observation.rating_id;
        if self.shared.log.find_fingerprint(rating_fingerprint(id)).len() < 2 {
            return Ok(first);
        }
        Ok(self.shared.case_of(id, u64::MAX)?.map_or(first, |case| {
            let state = case.state();
            Standing {
                revision: state.revision,
                decision: state.decision,
                by_person: state.is_decided_by_person(),
            }
        }))
    }

    /// Admits what nobody decided in time.
    pub(super) fn lapse(&mut self, now: Instant) -> Result<(), ServiceError> {
        let due: Vec<u64> = lock(&self.shared.folds).pending.due(now).collect();
        for sequence in due {
            self.revise(sequence, Decision::Admit, RevisionSource::Lapse, Why::of("hold-lapsed"), now)?;
        }
        Ok(())
    }
}

pub(super) fn by_stars(rating: &RatingEntry) -> Suspicion {
    match rating.observation.is_bad() {
        true => Suspicion::MaliciousReview,
        false => Suspicion::PaddedPraise,
    }
}

pub(super) fn policy_reason(code: &'static str) -> Contribution {
    Contribution { code: code.into(), source: ReasonSource::Policy, weight: 0.0 }
}
