//! What is known of ratings: labels by id.

use std::io::BufRead;

use serde::Deserialize;

use super::TrainFailure;
use crate::features::case::rating_fingerprint;
use crate::hashed::HashedMap;

/// What a label makes of a rating for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A person's own rating, a mistaken one too.
    Genuine,
    /// Anything else.
    Abusive,
}

/// Labels by the ratings' ids.
#[derive(Debug, Default)]
pub struct Labels {
    by_id: HashedMap<Label>,
    /// Genuine ratings.
    pub genuine: u64,
    /// Abusive ratings.
    pub abusive: u64,
    /// Lines that say nothing that can be used: unsure, or no label at all.
    pub passed_over: u64,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    rating_id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    label: std::borrow::Cow<'a, str>,
}

impl Labels {
    /// Reads labels, one JSON object per line.
    ///
    /// # Errors
    /// The input cannot be read, or a line is no label: which, and why.
    pub fn read(mut input: impl BufRead) -> Result<Self, TrainFailure> {
        let mut labels = Self::default();
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line).map_err(TrainFailure::Labels)? == 0 {
                break;
            }
            number += 1;
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let wrong = |why: String| TrainFailure::Label { line: number, why };
            let read: Line<'_> = serde_json::from_slice(text).map_err(|e| wrong(e.to_string()))?;
            let label = match read.label.as_ref() {
                "genuine" | "mistaken" => Label::Genuine,
                "padded_praise" | "malicious_review" | "automation" | "duplicate" => Label::Abusive,
                "unsure" => {
                    labels.passed_over += 1;
                    continue;
                }
                other => {
                    return Err(wrong(format!(
                        "label: found \"{other}\"; allowed are genuine, mistaken, padded_praise, \
                         malicious_review, automation, duplicate, unsure"
                    )));
                }
            };
            let replaced = labels.by_id.insert(rating_fingerprint(&read.rating_id), label);
            for (label, count) in [(replaced, -1_i64), (Some(label), 1)] {
                let counter = match label {
                    Some(Label::Genuine) => &mut labels.genuine,
                    Some(Label::Abusive) => &mut labels.abusive,
                    None => continue,
                };
                *counter = counter.saturating_add_signed(count);
            }
        }
        Ok(labels)
    }

    /// What is known of a rating.
    pub fn of(&self, rating_id: &str) -> Option<Label> {
        self.by_id.get(&rating_fingerprint(rating_id)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_label_stands_and_unsure_says_nothing() {
        let text = "{\"rating_id\":\"a\",\"label\":\"genuine\"}\n\n{\"rating_id\":\"a\",\"label\":\"automation\"}\n{\"rating_id\":\"b\",\"label\":\"unsure\"}";
        let labels = Labels::read(text.as_bytes()).unwrap();
        assert_eq!((labels.of("a"), labels.of("b")), (Some(Label::Abusive), None));
        assert_eq!((labels.genuine, labels.abusive, labels.passed_over), (0, 1, 1));
    }

    #[test]
    fn a_wrong_label_is_named_with_its_line_and_what_is_allowed() {
        let error = Labels::read("\n{\"rating_id\":\"a\",\"label\":\"good\"}".as_bytes()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("\"good\"") && error.contains("mistaken"), "{error}");
    }
}
