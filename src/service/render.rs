//! From what the log keeps to what goes over the wire.

use std::fmt::Write;

use crate::catalogue::{Catalogue, FeatureVector, builtin as f};
use crate::log::entry::{Evidence, RatingEntry, RevisionEntry};
use crate::models::labels;
use crate::observation::Observation;
use crate::policy;
use crate::review;
use crate::rules::{self, RuleSet};
use crate::scoring::Ruling;
use crate::verdict::{Contribution, Reason, Verdict, VerdictBody, rounded};
use crate::wire::{Decision, ReasonSource};

/// Makes references to appeal with: nobody can guess another rating's.
#[derive(Clone)]
pub struct AppealKey([u8; 32]);

impl AppealKey {
    /// Derives references from this key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The reference for a rating: `ZP-` and 16 characters of Crockford's base 32 in groups of four.
    pub fn reference(&self, rating_id: &str) -> String {
        const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let hash = blake3::keyed_hash(&self.0, rating_id.as_bytes());
        let mut reference = String::from("ZP");
        for (i, byte) in hash.as_bytes()[..16].iter().enumerate() {
            if i % 4 == 0 {
                reference.push('-');
            }
            reference.push(char::from(DIGITS[usize::from(byte & 31)]));
        }
        reference
    }
}

/// Revision 0 of a rating's verdict.
pub fn rating(entry: &RatingEntry, ruling: &Ruling, appeals: &AppealKey) -> VerdictBody {
    rating_in(Vec::new(), entry, ruling, appeals)
}

/// As [`rating`], in an empty buffer.
pub fn rating_in(buffer: Vec<u8>, entry: &RatingEntry, ruling: &Ruling, appeals: &AppealKey) -> VerdictBody {
    let outcome = &entry.outcome;
    let o = &entry.observation;
    let campaign = campaign(&entry.features);
    let verdict = Verdict {
        rating_id: &o.rating_id,
        revision: 0,
        decision: outcome.decision,
        handling: handling(o),
        suspicion: outcome.suspicion,
        risk: rounded(outcome.risk),
        reasons: reasons(&outcome.reasons, &entry.features, ruling.rules(), ruling.catalogue()),
        campaign: campaign.as_deref(),
        rules: outcome.rules,
        model: outcome.model,
        scored_at: outcome.scored_at,
        warnings: &o.warnings,
        appeal: appeal(outcome.decision, o, appeals),
    };
    VerdictBody::render_in(buffer, &verdict)
}

/// A later revision of a rating's verdict.
pub fn revision(
    revision: &RevisionEntry,
    rating: &RatingEntry,
    ruling: &Ruling,
    appeals: &AppealKey,
) -> VerdictBody {
    let o = &rating.observation;
    let evidence = revision.evidence.as_ref();
    let features = match evidence {
        Some(evidence) => with_figures(&rating.features, evidence),
        None => rating.features.clone(),
    };
    let campaign = campaign(&features);
    VerdictBody::render(&Verdict {
        rating_id: &o.rating_id,
        revision: revision.revision,
        decision: revision.decision,
        handling: handling(o),
        suspicion: evidence.and_then(|e| e.suspicion),
        risk: evidence.map_or(0.0, |e| rounded(e.risk)),
        reasons: evidence
            .map_or_else(Vec::new, |e| reasons(&e.reasons, &features, ruling.rules(), ruling.catalogue())),
        campaign: campaign.as_deref(),
        rules: rating.outcome.rules,
        model: rating.outcome.model,
        scored_at: revision.at,
        warnings: &[],
        appeal: appeal(revision.decision, o, appeals),
    })
}

/// A rating's features with what a later revision knew of it beside them.
pub fn with_figures(features: &FeatureVector, evidence: &Evidence) -> FeatureVector {
    let mut features = features.clone();
    for &(id, figure) in &evidence.figures {
        if id.index() < features.len() {
            features.set_int(id, figure as i64);
        }
    }
    features
}

/// The id of the campaign that a rating belongs to, if it does.
pub fn campaign(features: &FeatureVector) -> Option<String> {
    features.int(f::GROUP_CAMPAIGN).map(|number| format!("C{number:012X}"))
}

fn handling(o: &Observation) -> Option<&'static str> {
    o.is_bad().then_some("proceed")
}

fn appeal(decision: Decision, o: &Observation, appeals: &AppealKey) -> Option<String> {
    (decision != Decision::Admit).then(|| appeals.reference(&o.rating_id))
}

/// Reasons with their sentences.
pub fn reasons<'a>(
    contributions: &'a [Contribution],
    features: &FeatureVector,
    rule_set: &RuleSet,
    catalogue: &Catalogue,
) -> Vec<Reason<'a>> {
    contributions
        .iter()
        .map(|contribution| {
            let (text, text_en) = sentence(contribution, features, rule_set, catalogue);
            Reason {
                code: &contribution.code,
                source: contribution.source,
                weight: rounded(contribution.weight),
                text,
                text_en,
            }
        })
        .collect()
}

fn sentence(
    contribution: &Contribution,
    features: &FeatureVector,
    rule_set: &RuleSet,
    catalogue: &Catalogue,
) -> (String, String) {
    let code = contribution.code.as_str();
    let known = match contribution.source {
        ReasonSource::Policy => policy::text(code).map(|(zh, en)| (zh.to_owned(), en.to_owned())),
        ReasonSource::Model if code == labels::CODE => Some(learnt_sentence(contribution.weight)),
        ReasonSource::Model => catalogue.find(code).map(|id| rules::value_sentence(id, features, catalogue)),
        ReasonSource::Reviewer => {
            review::reasons::find(code).map(|reason| (reason.zh.to_owned(), reason.en.to_owned()))
        }
        ReasonSource::Rule => rule_set.find(code).map(|rule| rule_set.why(rule, features, catalogue)),
    };
    // A reason whose text is gone still says what it was.
    known.unwrap_or_else(|| (format!("依据 {code}"), format!("by {code}")))
}

/// What a version says that was learnt from reviewers' decisions; the features that moved it are reasons of their own.
fn learnt_sentence(weight: f32) -> (String, String) {
    let (zh, en) = match weight > 0.0 {
        true => ("审核员对类似评价多认定为异常", "reviewers have mostly found ratings like this abusive"),
        false => ("审核员对类似评价多认定为真实", "reviewers have mostly found ratings like this genuine"),
    };
    (zh.to_owned(), en.to_owned())
}

/// The feature values that a verdict saw, as JSON: names to values, missing ones left out, organisation
/// codes left out (the rating has them in the clear).
pub fn features(vector: &FeatureVector, catalogue: &Catalogue) -> serde_json::Map<String, serde_json::Value> {
    use crate::catalogue::FeatureType as T;
    let mut values = serde_json::Map::new();
    for (id, feature) in catalogue.iter().take_while(|(id, _)| id.index() < vector.len()) {
        let value = match feature.kind {
            T::Bool => vector.int(id).map(|v| (v != 0).into()),
            T::Int => vector.int(id).map(Into::into),
            T::Float => vector.float(id).map(Into::into),
            T::Enum(names) => vector.int(id).and_then(|v| names.get(v as usize)).map(|&name| name.into()),
            T::Code => None,
        };
        if let Some(value) = value {
            values.insert(feature.name.clone(), value);
        }
    }
    values
}

/// `12345` as `12,345`, for figures that people read.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            let _ = text.write_char(',');
        }
        text.push(digit);
    }
    text
}
