//! The verdict: what the service answers for one rating, in the form of
//! `docs/contract/verdict.schema.json`.

use compact_str::CompactString;
use serde::Serialize;

use crate::observation::Warning;
use crate::time::Instant;
use crate::wire::{Decision, ReasonSource, Suspicion};

pub use crate::version::Version;

/// What was decided, before it has a place in the log. This is what the log stores.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The decision.
    pub decision: Decision,
    /// What it is suspected of.
    pub suspicion: Option<Suspicion>,
    /// Probability that the rating is not genuine, 0 to 1.
    pub risk: f32,
    /// Strongest first.
    pub reasons: Vec<Contribution>,
    /// The rule set it was made with.
    pub rules: Version,
    /// The model it was made with.
    pub model: Version,
    /// When it was scored: the clock in a service, the event-time watermark in `score`.
    pub scored_at: Instant,
}

/// One reason's share in the risk. Its sentence is made from the rule set and the feature values.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// Stable id of the rule, feature or policy.
    pub code: CompactString,
    /// Where it comes from.
    pub source: ReasonSource,
    /// Share in the risk, in log-odds.
    pub weight: f32,
}

/// One verdict as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict<'a> {
    /// The rating.
    pub rating_id: &'a str,
    /// 0 is the inline answer.
    pub revision: u32,
    /// `admit`, `hold` or `reject`.
    #[serde(serialize_with = "name_of_decision")]
    pub decision: Decision,
    /// `proceed` for every bad rating, absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handling: Option<&'static str>,
    /// What it is suspected of.
    #[serde(serialize_with = "name_of_suspicion")]
    pub suspicion: Option<Suspicion>,
    /// Probability that the rating is not genuine, rounded to 4 digits.
    pub risk: f64,
    /// Strongest first.
    pub reasons: Vec<Reason<'a>>,
    /// The campaign it belongs to.
    pub campaign: Option<&'a str>,
    /// Version of the rule set.
    #[serde(serialize_with = "display")]
    pub rules: Version,
    /// Version of the model.
    #[serde(serialize_with = "display")]
    pub model: Version,
    /// When it was scored.
    #[serde(serialize_with = "display")]
    pub scored_at: Instant,
    /// Optional fields that were ignored or cut.
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "warnings")]
    pub warnings: &'a [Warning],
    /// Reference to appeal with, for a hold or a rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appeal: Option<String>,
}

/// A verdict's JSON that waits for its sequence: rendering runs in parallel, before the log gives it
/// a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictBody(Vec<u8>);

impl VerdictBody {
    /// Renders all but what the place in the log decides.
    pub fn render(verdict: &Verdict<'_>) -> Self {
        let mut json = Vec::with_capacity(512);
        // Writing to memory does not fail, and a verdict has string keys only; an empty body would
        // be no JSON, which `finish` makes visible rather than hide.
        if serde_json::to_writer(&mut json, verdict).is_err() {
            json.clear();
        }
        Self(json)
    }

    /// The whole verdict: with its place in the log and, for a repeat, what stands now.
    pub fn finish(self, sequence: u64, current: Option<Current>) -> Vec<u8> {
        let mut json = self.0;
        json.pop();
        let mut append = |text: &str| json.extend_from_slice(text.as_bytes());
        append(",\"sequence\":");
        append(&sequence.to_string());
        if let Some(Current { revision, decision }) = current {
            append(&format!(",\"current\":{{\"revision\":{revision},\"decision\":\"{}\"}}", decision.name()));
        }
        append("}");
        json
    }
}

/// One reason as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason<'a> {
    /// Stable id.
    pub code: &'a str,
    /// Where it comes from.
    #[serde(serialize_with = "name_of_source")]
    pub source: ReasonSource,
    /// Share in the risk, in log-odds, rounded to 4 digits.
    pub weight: f64,
    /// A sentence in Chinese.
    pub text: String,
    /// The same in English.
    pub text_en: String,
}

/// The revision and decision that stand now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Current {
    /// Number of the revision.
    pub revision: u32,
    /// Its decision.
    pub decision: Decision,
}

/// Rounds to 4 decimal digits, so that a figure reads well and prints the same everywhere.
pub fn rounded(value: f32) -> f64 {
    (f64::from(value) * 1e4).round() / 1e4
}

fn display<T: std::fmt::Display, S: serde::Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(value)
}

fn name_of_decision<S: serde::Serializer>(value: &Decision, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(value.name())
}

fn name_of_source<S: serde::Serializer>(value: &ReasonSource, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(value.name())
}

fn name_of_suspicion<S: serde::Serializer>(value: &Option<Suspicion>, s: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(suspicion) => s.serialize_some(suspicion.name()),
        None => s.serialize_none(),
    }
}

fn warnings<S: serde::Serializer>(value: &&[Warning], s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Row<'a> {
        path: &'a str,
        text: &'a str,
    }
    s.collect_seq(value.iter().map(|w| Row { path: &w.path, text: &w.text }))
}
