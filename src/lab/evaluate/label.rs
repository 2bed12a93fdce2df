//! One line of a file of labels.

use std::borrow::Cow;

use serde::Deserialize;

use super::lines::Wrong;
use crate::wire::Label;

/// The longest scenario, target or campaign.
const MAX_NAME_BYTES: usize = 256;

/// What somebody knows about one rating.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::lab) struct LabelLine<'a> {
    pub(in crate::lab) rating_id: Cow<'a, str>,
    pub(in crate::lab) label: Label,
    /// The kind of abuse, or of an honest occasion that looks like it.
    pub(in crate::lab) scenario: Option<Cow<'a, str>>,
    /// Whom the rating is about.
    pub(in crate::lab) target: Option<Cow<'a, str>>,
    /// The campaign that it belongs to.
    pub(in crate::lab) campaign: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    rating_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    label: Option<Cow<'a, str>>,
    #[serde(borrow)]
    scenario: Option<Cow<'a, str>>,
    #[serde(borrow)]
    target: Option<Cow<'a, str>>,
    #[serde(borrow)]
    campaign: Option<Cow<'a, str>>,
}

impl<'a> LabelLine<'a> {
    pub(in crate::lab) fn parse(line: &'a [u8]) -> Result<Self, Wrong> {
        const ALLOWED: &str = "a JSON object with `rating_id` and `label`, and perhaps `scenario`, `target` and `campaign`, all texts";
        let Line { rating_id, label, scenario, target, campaign } =
            serde_json::from_slice(line).map_err(|error| Wrong::json(&error, ALLOWED))?;
        let rating_id = rating_id.ok_or_else(|| Wrong::missing("$.rating_id", "the id of a rating"))?;
        let allowed = || format!("one of {}", Label::NAMES.join(", "));
        let name = label.ok_or_else(|| Wrong::missing("$.label", &allowed()))?;
        let label = Label::from_name(&name)
            .ok_or_else(|| Wrong::field("$.label", format!("{name:?}"), &allowed()))?;
        for (path, name) in [("$.scenario", &scenario), ("$.target", &target), ("$.campaign", &campaign)] {
            if let Some(length) =
                name.as_ref().map(|name| name.len()).filter(|&length| length > MAX_NAME_BYTES)
            {
                let found = format!("{length} bytes");
                return Err(Wrong::field(path, found, &format!("at most {MAX_NAME_BYTES} bytes")));
            }
        }
        // An empty name says no more than none.
        let some = |name: Option<Cow<'a, str>>| name.filter(|name| !name.is_empty());
        Ok(Self {
            rating_id,
            label,
            scenario: some(scenario),
            target: some(target),
            campaign: some(campaign),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> String {
        LabelLine::parse(line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_label_is_read_and_unknown_fields_are_ignored() {
        for &name in Label::NAMES {
            let line = format!(r#"{{"rating_id":"r","label":"{name}","who":1,"scenario":null,"target":""}}"#);
            let read = LabelLine::parse(line.as_bytes()).unwrap();
            assert_eq!((read.label.name(), read.scenario, read.target), (name, None, None));
        }
    }

    #[test]
    fn errors_name_the_field_what_was_found_and_what_is_allowed() {
        assert_eq!(
            error(r#"{"label":"genuine"}"#),
            "$.rating_id: found nothing; allowed is the id of a rating"
        );
        assert!(
            error(r#"{"rating_id":"r","label":"genuin"}"#)
                .starts_with("$.label: found \"genuin\"; allowed is one of genuine, mistaken,")
        );
        assert!(
            error(r#"{"rating_id":7,"label":"genuine"}"#)
                .contains("invalid type: integer `7`, expected a string at column 14")
        );
        assert!(error("{").contains("EOF while parsing an object at column 1"));
        let long = "x".repeat(257);
        let line = format!(r#"{{"rating_id":"r","label":"genuine","target":"{long}"}}"#);
        assert_eq!(error(&line), "$.target: found 257 bytes; allowed is at most 256 bytes");
    }
}
