//! Step 3: rules and policy, on complete features.

use compact_str::CompactString;

use super::{Observed, Ruling};
use crate::catalogue::FeatureVector;
use crate::catalogue::{builtin as f, code_of};
use crate::features::case::Contest;
use crate::features::keys::KeyField;
use crate::observation::Observation;
use crate::policy::{self, Evidence, Facts, FamilyWeight, Hard};
use crate::rules::{Assessment, ListKeys};
use crate::time::Instant;
use crate::verdict::{Contribution, Outcome};
use crate::version::Version;
use crate::wire::ReasonSource;

/// What was decided about one rating.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What the log stores of it.
    pub outcome: Outcome,
    /// Admitted, with an entry in the review queue.
    pub second_look: bool,
    /// Code of the revision that holds the earlier rating of the same occasion.
    pub hold_earlier: Option<&'static str>,
}

/// Judges one rating. Pure; `assessment` is scratch space that the caller keeps.
pub fn judge(
    ruling: &Ruling,
    observation: &Observation,
    features: &FeatureVector,
    observed: &Observed,
    scored_at: Instant,
    assessment: &mut Assessment,
) -> Judgement {
    let lists = ruling.rules().lists().at(scored_at, list_keys(observation, observed));
    ruling.rules().evaluate(features, &lists, assessment);
    let facts = Facts {
        bad: observation.is_bad(),
        origin: observation.origin,
        matched_applicant: observation.is_matched_applicant(),
        applicant: observation.rater.is_applicant,
        contest: features.int(f::CASE_CONTEST).and_then(Contest::from_index).unwrap_or_default(),
        same_stars: observed.earlier.is_some_and(|earlier| earlier.same_stars),
    };
    let decided = policy::decide(&evidence(ruling, assessment), &facts, ruling.thresholds());
    Judgement {
        outcome: Outcome {
            decision: decided.decision,
            suspicion: decided.suspicion,
            risk: decided.risk,
            reasons: decided.reasons,
            rules: ruling.version(),
            model: Version::default(),
            scored_at,
        },
        second_look: decided.second_look,
        hold_earlier: decided.hold_earlier,
    }
}

fn list_keys(observation: &Observation, observed: &Observed) -> ListKeys {
    ListKeys {
        device: observed.keys.get(KeyField::Device),
        rater: observed.keys.get(KeyField::Rater),
        ip: observed.keys.get(KeyField::Ip),
        subnet: observed.keys.get(KeyField::Subnet),
        terminal: observation.device.terminal.as_deref().map_or(0, code_of),
        renamed: observed.renamed,
    }
}

/// The rules' assessment in the policy's terms.
fn evidence(ruling: &Ruling, assessment: &Assessment) -> Evidence {
    let rules = ruling.rules();
    let mut evidence = Evidence::default();
    for (axis, intercept) in evidence.axes.iter_mut().zip(rules.policy().intercept) {
        axis.intercept = intercept as f32;
    }
    let code = |rule| CompactString::from(rules.rule(rule).id.as_str());
    for fired in &assessment.fired {
        let axis = &mut evidence.axes[fired.suspicion as usize];
        let family = fired.family.name();
        match axis.families.iter_mut().find(|known| known.family == family) {
            Some(known) => known.weight += fired.weight,
            None => axis.families.push(FamilyWeight { family: family.into(), weight: fired.weight }),
        }
        axis.reasons.push(Contribution {
            code: code(fired.rule),
            source: ReasonSource::Rule,
            weight: fired.weight,
        });
    }
    let hard = assessment.hard.iter().map(|hard| Hard {
        decision: hard.decision,
        code: code(hard.rule),
        suspicion: Some(hard.suspicion),
        family: hard.family.name().into(),
    });
    evidence.hard.extend(hard);
    evidence
}
