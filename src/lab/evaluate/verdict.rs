//! One line of a file of verdicts.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::lines::Wrong;
use crate::time::Instant;
use crate::wire::Decision;

/// What a line of verdicts says.
#[derive(Debug, PartialEq)]
pub(super) enum VerdictLine<'a> {
    Verdict(VerdictRead<'a>),
    /// A rating that `score` could not read.
    Error,
}

/// The part of a verdict that the evaluation needs.
#[derive(Debug, PartialEq)]
pub(super) struct VerdictRead<'a> {
    pub(super) rating_id: Cow<'a, str>,
    pub(super) revision: u32,
    pub(super) decision: Decision,
    pub(super) risk: f32,
    pub(super) sequence: u64,
    pub(super) scored_at: Option<Instant>,
    /// In the answer to a repeat: the later revision that stands, and its decision.
    pub(super) current: Option<(u32, Decision)>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    rating_id: Option<Cow<'a, str>>,
    revision: Option<u32>,
    #[serde(borrow)]
    decision: Option<Cow<'a, str>>,
    risk: Option<f64>,
    sequence: Option<u64>,
    #[serde(borrow)]
    scored_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    current: Option<Current<'a>>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Current<'a> {
    revision: u32,
    #[serde(borrow)]
    decision: Cow<'a, str>,
}

impl<'a> VerdictLine<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, Wrong> {
        const ALLOWED: &str = "a verdict as `score` writes it (docs/contract/verdict.schema.json)";
        let line: Line<'a> = serde_json::from_slice(line).map_err(|error| Wrong::json(&error, ALLOWED))?;
        if line.error.is_some() {
            return Ok(Self::Error);
        }
        let missing = |path| move || Wrong::missing(path, ALLOWED);
        let decision = |path: &str, name: &str| {
            let allowed = "one of admit, hold, reject";
            Decision::from_name(name).ok_or_else(|| Wrong::field(path, format!("{name:?}"), allowed))
        };
        let risk = line.risk.ok_or_else(missing("$.risk"))?;
        if !(0.0..=1.0).contains(&risk) {
            return Err(Wrong::field("$.risk", risk, "a probability, 0 to 1"));
        }
        let current = match &line.current {
            Some(current) => Some((current.revision, decision("$.current.decision", &current.decision)?)),
            None => None,
        };
        let scored_at = match &line.scored_at {
            Some(text) => Some(Instant::parse_rfc3339(text).ok_or_else(|| {
                Wrong::field("$.scored_at", format!("{text:?}"), "a time such as 2026-03-02T10:15:00+08:00")
            })?),
            None => None,
        };
        Ok(Self::Verdict(VerdictRead {
            rating_id: line.rating_id.ok_or_else(missing("$.rating_id"))?,
            revision: line.revision.ok_or_else(missing("$.revision"))?,
            decision: decision("$.decision", &line.decision.ok_or_else(missing("$.decision"))?)?,
            risk: risk as f32,
            sequence: line.sequence.ok_or_else(missing("$.sequence"))?,
            scored_at,
            current,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<VerdictLine<'_>, String> {
        VerdictLine::parse(line.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_verdict_its_revision_a_repeat_and_an_error_are_told_apart() {
        let line = r#"{"rating_id":"r","revision":0,"decision":"hold","risk":0.25,"reasons":[{"code":"x"}],"sequence":7,"scored_at":"1970-01-01T00:00:01Z","current":{"revision":2,"decision":"admit"}}"#;
        let expected = VerdictRead {
            rating_id: "r".into(),
            revision: 0,
            decision: Decision::Hold,
            risk: 0.25,
            sequence: 7,
            scored_at: Some(Instant(1_000)),
            current: Some((2, Decision::Admit)),
        };
        assert_eq!(parse(line), Ok(VerdictLine::Verdict(expected)));
        assert_eq!(parse(r#"{"line":3,"error":{"code":"missing"}}"#), Ok(VerdictLine::Error));
    }

    #[test]
    fn errors_name_the_field() {
        let error = |line| parse(line).unwrap_err();
        assert!(
            error(r#"{"rating_id":"r","revision":0,"decision":"admit","risk":0.5}"#)
                .starts_with("$.sequence: found nothing")
        );
        assert_eq!(
            error(r#"{"rating_id":"r","revision":0,"decision":"hod","risk":0.5,"sequence":1}"#),
            "$.decision: found \"hod\"; allowed is one of admit, hold, reject"
        );
        assert_eq!(
            error(r#"{"rating_id":"r","revision":0,"decision":"hold","risk":1.5,"sequence":1}"#),
            "$.risk: found 1.5; allowed is a probability, 0 to 1"
        );
        assert!(error(r#"{"rating_id":"r","revision":-1}"#).contains("expected u32"));
        assert!(error(r#"[1]"#).starts_with("$: cannot be read ("));
    }
}
