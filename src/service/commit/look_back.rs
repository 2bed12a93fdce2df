//! The ratings around one, on its way into the log: what they say of it, and what it says of them.

use super::{Committer, ServiceError, Why, lock, policy_reason};
use crate::catalogue::builtin as f;
use crate::log::entry::{RatingEntry, RatingFlags, RevisionSource};
use crate::lookback::{Entrant, Finding, Look};
use crate::models::{GroupModel, sigmoid};
use crate::policy::Governor;
use crate::scoring::{Judgement, Observed, Ruling, by_rules, group_features, group_reasons, rethink};
use crate::time::Instant;
use crate::wire::Decision;

/// What is known of the ratings around one that is on its way.
pub(super) struct Surroundings {
    entrant: Entrant,
    look: Look,
    /// What it was judged to be again, if that made odds.
    pub(super) again: Option<Judgement>,
}

impl Committer {
    /// What the ratings around a new one say of it; where that makes odds, it is judged again.
    pub(super) fn look_around(
        &mut self,
        sequence: u64,
        entry: &mut RatingEntry,
        observed: &Observed,
        ruling: &Ruling,
    ) -> Option<Surroundings> {
        let group = ruling.group()?;
        let own = entry.features.float(f::MODEL_LOGIT)?;
        let mut entrant = Entrant::new(sequence, &entry.observation, &entry.features, own);
        let (look, suspended) = {
            let folds = &mut *lock(&self.shared.folds);
            (folds.lookback.look(&mut entrant, &mut &*group), folds.governor.suspended())
        };
        let at = entry.outcome.scored_at;
        let RatingEntry { observation, features, .. } = entry;
        let again = match suspended {
            true => Some(by_rules(ruling, observation, features, observed, at, &mut self.desk)),
            false => rethink(ruling, observation, features, observed, at, &look, &mut self.desk),
        };
        if let Some(again) = &again {
            entry.outcome = again.outcome.clone();
            entry.flags = match again.second_look {
                true => RatingFlags::SECOND_LOOK,
                false => RatingFlags::default(),
            };
        }
        Some(Surroundings { entrant, look, again })
    }

    /// Takes note of a rating that now has its entry, and holds the earlier ones that it tells of.
    pub(super) fn tell_around(
        &mut self,
        surroundings: Option<Surroundings>,
        held: bool,
        ruling: &Ruling,
        at: Instant,
    ) -> Result<(), ServiceError> {
        let mut findings = std::mem::take(&mut self.findings);
        {
            let folds = &mut *lock(&self.shared.folds);
            if folds.governor.note(held) {
                say(&folds.governor, ruling);
            }
            if let (Some(Surroundings { entrant, look, .. }), Some(group)) = (surroundings, ruling.group()) {
                let believed = !folds.governor.suspended();
                folds.lookback.join(entrant, &look, held, believed, &mut &*group, &mut findings);
            }
        }
        for finding in findings.drain(..) {
            self.hold_found(&finding, ruling, at)?;
        }
        self.findings = findings;
        Ok(())
    }

    /// Holds an earlier rating on what a later one told of it.
    fn hold_found(&mut self, finding: &Finding, ruling: &Ruling, at: Instant) -> Result<(), ServiceError> {
        let Finding { sequence, own, look } = finding;
        let scale = |group: &GroupModel| group.scale.apply(f64::from(*own));
        let around = look.logit - ruling.group().map_or(0.0, scale);
        let mut reasons = vec![policy_reason("look-back")];
        reasons.extend(group_reasons(look, around, ruling.catalogue()));
        let figures = group_features(look)
            .into_iter()
            .map(|(feature, suspects)| (feature, u64::from(suspects)))
            .chain([(f::GROUP_CAMPAIGN, look.campaign)])
            .filter(|&(_, figure)| figure > 0)
            .collect();
        let why = Why { reasons, figures, risk: Some(sigmoid(look.logit) as f32), suspicion: None };
        if self.revise(*sequence, Decision::Hold, RevisionSource::LookBack, why, at)?
            == Some(RevisionSource::LookBack)
        {
            let governor = &mut lock(&self.shared.folds).governor;
            if governor.note_found() {
                say(governor, ruling);
            }
        }
        Ok(())
    }
}

fn say(governor: &Governor, ruling: &Ruling) {
    let (share, suspended) = (governor.share(), governor.suspended());
    if ruling.model().is_some() {
        tracing::warn!(
            share,
            suspended,
            "the share of ratings on hold decides whether the model is believed"
        );
    }
}
