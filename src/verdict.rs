//! The verdict: what the service answers for one rating, in the form of
//! `docs/contract/verdict.schema.json`.

use compact_str::CompactString;

use crate::json::{put_name, put_rounded, put_text, put_whole};
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
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict<'a> {
    /// The rating.
    pub rating_id: &'a str,
    /// 0 is the inline answer.
    pub revision: u32,
    /// `admit`, `hold` or `reject`.
    pub decision: Decision,
    /// `proceed` for every bad rating, absent otherwise.
    pub handling: Option<&'static str>,
    /// What it is suspected of.
    pub suspicion: Option<Suspicion>,
    /// Probability that the rating is not genuine, rounded to 4 digits.
    pub risk: f64,
    /// Strongest first.
    pub reasons: Vec<Reason<'a>>,
    /// The campaign it belongs to.
    pub campaign: Option<&'a str>,
    /// Version of the rule set.
    pub rules: Version,
    /// Version of the model.
    pub model: Version,
    /// When it was scored.
    pub scored_at: Instant,
    /// Optional fields that were ignored or cut.
    pub warnings: &'a [Warning],
    /// Reference to appeal with, for a hold or a rejection.
    pub appeal: Option<String>,
}

impl Verdict<'_> {
    /// Appends it as JSON, its fields in the contract's order.
    fn write(&self, out: &mut Vec<u8>) {
        let Self {
            rating_id,
            revision,
            decision,
            handling,
            suspicion,
            risk,
            reasons,
            campaign,
            rules,
            model,
            scored_at,
            warnings,
            appeal,
        } = self;
        out.extend_from_slice(b"{\"rating_id\":");
        put_text(out, rating_id);
        out.extend_from_slice(b",\"revision\":");
        put_whole(out, (*revision).into());
        out.extend_from_slice(b",\"decision\":");
        put_name(out, decision.name().as_bytes());
        if let Some(handling) = handling {
            out.extend_from_slice(b",\"handling\":");
            put_name(out, handling.as_bytes());
        }
        out.extend_from_slice(b",\"suspicion\":");
        match suspicion {
            Some(suspicion) => put_name(out, suspicion.name().as_bytes()),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"risk\":");
        put_rounded(out, *risk);
        out.extend_from_slice(b",\"reasons\":[");
        put_all(out, reasons, |out, reason| reason.write(out));
        out.extend_from_slice(b"],\"campaign\":");
        match campaign {
            Some(campaign) => put_text(out, campaign),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"rules\":");
        put_name(out, &rules.digits());
        out.extend_from_slice(b",\"model\":");
        put_name(out, &model.digits());
        out.extend_from_slice(b",\"scored_at\":");
        scored_at.put_json(out);
        if !warnings.is_empty() {
            out.extend_from_slice(b",\"warnings\":[");
            put_all(out, warnings, |out, warning| {
                out.extend_from_slice(b"{\"path\":");
                put_text(out, &warning.path);
                out.extend_from_slice(b",\"text\":");
                put_text(out, &warning.text);
                out.push(b'}');
            });
            out.push(b']');
        }
        if let Some(appeal) = appeal {
            out.extend_from_slice(b",\"appeal\":");
            put_text(out, appeal);
        }
        out.push(b'}');
    }
}

/// Appends items with commas between them.
fn put_all<T>(out: &mut Vec<u8>, items: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        put(out, item);
    }
}

/// A verdict's JSON that waits for its sequence: rendering runs in parallel, before the log gives it
/// a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictBody(Vec<u8>);

impl VerdictBody {
    /// Renders all but what the place in the log decides.
    pub fn render(verdict: &Verdict<'_>) -> Self {
        Self::render_in(Vec::new(), verdict)
    }

    /// As [`Self::render`], in an empty buffer.
    pub fn render_in(mut json: Vec<u8>, verdict: &Verdict<'_>) -> Self {
        json.reserve(512);
        verdict.write(&mut json);
        Self(json)
    }

    /// The whole verdict: with its place in the log and, for a repeat, what stands now.
    pub fn finish(self, sequence: u64, current: Option<Current>) -> Vec<u8> {
        let mut json = self.0;
        json.pop();
        json.extend_from_slice(b",\"sequence\":");
        put_whole(&mut json, sequence);
        if let Some(Current { revision, decision }) = current {
            json.extend_from_slice(b",\"current\":{\"revision\":");
            put_whole(&mut json, revision.into());
            json.extend_from_slice(b",\"decision\":");
            put_name(&mut json, decision.name().as_bytes());
            json.push(b'}');
        }
        json.push(b'}');
        json
    }
}

/// One reason as it goes over the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason<'a> {
    /// Stable id.
    pub code: &'a str,
    /// Where it comes from.
    pub source: ReasonSource,
    /// Share in the risk, in log-odds, rounded to 4 digits.
    pub weight: f64,
    /// A sentence in Chinese.
    pub text: String,
    /// The same in English.
    pub text_en: String,
}

impl Reason<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let Self { code, source, weight, text, text_en } = self;
        out.extend_from_slice(b"{\"code\":");
        put_text(out, code);
        out.extend_from_slice(b",\"source\":");
        put_name(out, source.name().as_bytes());
        out.extend_from_slice(b",\"weight\":");
        put_rounded(out, *weight);
        out.extend_from_slice(b",\"text\":");
        put_text(out, text);
        out.extend_from_slice(b",\"text_en\":");
        put_text(out, text_en);
        out.push(b'}');
    }
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
