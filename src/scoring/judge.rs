//! Step 3: rules and policy, on complete features.

use compact_str::CompactString;

use super::{Observed, Ruling};
use crate::catalogue::{Catalogue, FeatureId, FeatureVector};
use crate::catalogue::{builtin as f, code_of};
use crate::features::case::Contest;
use crate::features::keys::KeyField;
use crate::lookback::{Link, Look, STRONG_LINKS};
use crate::models::{InForce, Platt, Reading, labels, sigmoid};
use crate::observation::Observation;
use crate::policy::{self, Correction, Evidence, Facts, FamilyWeight, Hard, Learned};
use crate::rules::{Assessment, ListKeys};
use crate::time::Instant;
use crate::verdict::{Contribution, Outcome};
use crate::wire::{Origin, ReasonSource};

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

/// What step 3 works in; reuse it.
#[derive(Debug, Default)]
pub struct Desk {
    assessment: Assessment,
    values: Vec<f32>,
}

/// A risk from which a model's reasons are worked out; below it nobody asks.
const EXPLAINED: f64 = 0.02;
/// A risk from which a rating is judged again with what is known of the ratings around it.
const RETHOUGHT: f64 = 0.02;
/// How many of a model's reasons a verdict gives, and how much each must add or take away.
const MOST_REASONS: usize = 6;
const LEAST_REASON: f64 = 0.2;
/// How many features are named that moved what was learnt from reviewers.
const MOST_MOVERS: usize = 3;

/// Judges one rating by itself. Pure; where a model is in force, its log-odds become the feature
/// `model.logit`.
pub fn judge(
    ruling: &Ruling,
    observation: &Observation,
    features: &mut FeatureVector,
    observed: &Observed,
    scored_at: Instant,
    desk: &mut Desk,
) -> Judgement {
    let (mut evidence, facts) = weigh(ruling, observation, features, observed, scored_at, desk);
    evidence.correction = correction(ruling, observation, features, desk);
    if let Some(model) = model_for(ruling, observation) {
        let lead = policy::lead(&evidence, &facts, ruling.thresholds());
        if let Some(tail) = model.density(observation.channel, features) {
            features.set_float(f::MODEL_DENSITY, f64::from(tail));
        }
        let reading = model.read(features, lead.logit, &mut desk.values);
        features.set_float(f::MODEL_LOGIT, reading.logit);
        evidence.learned = Some(learned(ruling, model, &reading, features, facts.bad, None, desk));
    }
    judgement(ruling, &evidence, &facts, scored_at)
}

/// Judges a rating by rules alone, as if no model were in force.
pub fn by_rules(
    ruling: &Ruling,
    observation: &Observation,
    features: &FeatureVector,
    observed: &Observed,
    scored_at: Instant,
    desk: &mut Desk,
) -> Judgement {
    let (evidence, facts) = weigh(ruling, observation, features, observed, scored_at, desk);
    judgement(ruling, &evidence, &facts, scored_at)
}

/// Judges a rating again, now that what is known of the ratings around it is, too. `None` where that makes
/// no odds: what [`judge`] said stands. What the ratings around it are becomes features.
pub fn rethink(
    ruling: &Ruling,
    observation: &Observation,
    features: &mut FeatureVector,
    observed: &Observed,
    scored_at: Instant,
    look: &Look,
    desk: &mut Desk,
) -> Option<Judgement> {
    let model = model_for(ruling, observation)?;
    let own = features.float(f::MODEL_LOGIT)?;
    if sigmoid(own).max(sigmoid(look.logit)) < RETHOUGHT {
        return None;
    }
    let (mut evidence, facts) = weigh(ruling, observation, features, observed, scored_at, desk);
    evidence.correction = correction(ruling, observation, features, desk);
    let lead = policy::lead(&evidence, &facts, ruling.thresholds());
    let reading = model.read(features, lead.logit, &mut desk.values);
    for (feature, suspects) in group_features(look) {
        features.set_int(feature, i64::from(suspects));
    }
    if look.campaign != 0 {
        features.set_int(f::GROUP_CAMPAIGN, look.campaign as i64);
    }
    evidence.learned = Some(learned(ruling, model, &reading, features, facts.bad, Some(look), desk));
    Some(judgement(ruling, &evidence, &facts, scored_at))
}

/// The features that say how many suspect ratings one is linked to, with their values.
pub fn group_features(look: &Look) -> [(FeatureId, u32); 8] {
    let most = |links: &[Link]| links.iter().map(|&link| look.suspects[link as usize]).max().unwrap_or(0);
    [
        (f::GROUP_DEVICE, most(&[Link::Device])),
        (f::GROUP_RATER, most(&[Link::Rater, Link::Phone])),
        (f::GROUP_CASE, most(&[Link::Case])),
        (f::GROUP_TEXT, most(&[Link::Text])),
        (f::GROUP_NETWORK, most(&[Link::Ip, Link::Subnet, Link::TargetSubnet])),
        (f::GROUP_PROFILE, most(&[Link::TargetProfile, Link::OfficeProfile])),
        (f::GROUP_TARGET, most(&[Link::Target])),
        (f::GROUP_OFFICE, most(&[Link::Office])),
    ]
}

/// The model in force, for ratings that it is for: the platform's own defaults are nobody's doing.
pub fn model_for<'a>(ruling: &'a Ruling, observation: &Observation) -> Option<&'a InForce> {
    ruling.model().filter(|_| observation.origin == Origin::Active)
}

/// What the rules say of a rating, and what the policy needs to know of it.
pub fn weigh(
    ruling: &Ruling,
    observation: &Observation,
    features: &FeatureVector,
    observed: &Observed,
    scored_at: Instant,
    desk: &mut Desk,
) -> (Evidence, Facts) {
    let lists = ruling.rules().lists().at(scored_at, list_keys(observation, observed));
    ruling.rules().evaluate(features, &lists, &mut desk.assessment);
    let facts = Facts {
        bad: observation.is_bad(),
        origin: observation.origin,
        matched_applicant: observation.is_matched_applicant(),
        applicant: observation.rater.is_applicant,
        contest: features.int(f::CASE_CONTEST).and_then(Contest::from_index).unwrap_or_default(),
        same_stars: observed.earlier.is_some_and(|earlier| earlier.same_stars),
    };
    (evidence(ruling, &desk.assessment), facts)
}

fn judgement(ruling: &Ruling, evidence: &Evidence, facts: &Facts, scored_at: Instant) -> Judgement {
    let decided = policy::decide(evidence, facts, ruling.thresholds());
    Judgement {
        outcome: Outcome {
            decision: decided.decision,
            suspicion: decided.suspicion,
            risk: decided.risk,
            reasons: decided.reasons,
            rules: ruling.version(),
            model: ruling.model_version(),
            scored_at,
        },
        second_look: decided.second_look,
        hold_earlier: decided.hold_earlier,
    }
}

/// A model's reading in the policy's terms.
///
/// A bad rating is judged by the ratings around it only as far as they speak for it, unless two independent
/// strong links tie it to suspect ones: an outage has many bad ratings of one office within an hour, too.
fn learned(
    ruling: &Ruling,
    model: &InForce,
    reading: &Reading,
    features: &FeatureVector,
    bad: bool,
    look: Option<&Look>,
    desk: &mut Desk,
) -> Learned {
    let weights = model.model().weights();
    let group = weights.group.as_ref();
    let outer = group.filter(|_| look.is_some()).map_or(Platt::default(), |group| group.scale);
    let scale = outer.scale * weights.scale.scale;
    let own = outer.apply(reading.logit);
    let around = look.map_or(0.0, |look| look.logit - own);
    let around =
        if bad && look.is_some_and(|look| look.strong < STRONG_LINKS) { around.min(0.0) } else { around };
    let bars = group.map_or(&weights.bars, |group| &group.bars);
    let trees = scale * reading.trees;
    let mut learned = Learned {
        scale: scale * weights.prior.scale,
        base: own - scale * (reading.prior - weights.prior.offset) - trees,
        strong: 0.0,
        weak: trees,
        group: around,
        reasons: Vec::new(),
        hold: bars.hold(bad),
        second_look: bars.second_look(bad),
    };
    if sigmoid(own + around) < EXPLAINED {
        return learned;
    }
    let catalogue = ruling.catalogue();
    let adds = model.explain(features, &mut desk.values);
    // What no feature adds is the training rows' mean.
    let mean = trees - adds.iter().map(|(_, add)| add * outer.scale).sum::<f64>();
    learned.base += mean;
    learned.weak -= mean;
    for (id, add) in adds {
        let (name, add) = (catalogue.get(id).name.as_str(), add * outer.scale);
        if add < 0.0 || policy::is_strong_feature(name) {
            learned.strong += add;
            learned.weak -= add;
        }
        if add.abs() >= LEAST_REASON && learned.reasons.len() < MOST_REASONS {
            learned.reasons.push(model_reason(name, add));
        }
    }
    if let Some(look) = look {
        learned.reasons.extend(group_reasons(look, around, catalogue));
    }
    learned
}

/// Reasons from the ratings around one: the kinds of link to suspect ratings share what these add.
pub fn group_reasons(look: &Look, around: f64, catalogue: &Catalogue) -> Vec<Contribution> {
    let features = group_features(look);
    let linked: u32 = features.iter().map(|(_, suspects)| suspects).sum();
    if around.abs() < LEAST_REASON || linked == 0 {
        return Vec::new();
    }
    let reason = |(feature, suspects): (FeatureId, u32)| {
        let share = f64::from(suspects) / f64::from(linked);
        (suspects > 0).then(|| model_reason(&catalogue.get(feature).name, around * share))
    };
    features.into_iter().filter_map(reason).collect()
}

/// What was learnt from reviewers' decisions says of a rating that a person gave.
fn correction(
    ruling: &Ruling,
    observation: &Observation,
    features: &FeatureVector,
    desk: &mut Desk,
) -> Option<Correction> {
    let labels = ruling.labels().filter(|_| observation.origin == Origin::Active)?;
    let term = labels.term(features, &mut desk.values);
    let mut reasons = Vec::new();
    if term.abs() >= LEAST_REASON {
        reasons.push(model_reason(labels::CODE, term));
        // They share in the term and add nothing beside it.
        let movers = labels.movers(features, term, MOST_MOVERS, &mut desk.values);
        reasons.extend(movers.into_iter().map(|id| model_reason(&ruling.catalogue().get(id).name, 0.0)));
    }
    Some(Correction { term, reasons })
}

fn model_reason(feature: &str, weight: f64) -> Contribution {
    Contribution { code: CompactString::from(feature), source: ReasonSource::Model, weight: weight as f32 }
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
