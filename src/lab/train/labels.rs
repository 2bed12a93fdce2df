//! What is known of ratings: labels by id.

use std::io::BufRead;

use super::TrainFailure;
use crate::features::case::rating_fingerprint;
use crate::hashed::HashedMap;
use crate::lab::evaluate::LabelLine;

/// What a label makes of a rating for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A person's own rating, a mistaken one too.
    Genuine,
    /// Anything else.
    Abusive,
}

/// Wrong lines that are told one by one.
const MOST_TOLD: usize = 20;

/// Labels by the ratings' ids.
#[derive(Debug, Default)]
pub struct Labels {
    by_id: HashedMap<Label>,
    /// Lines that are no label.
    pub wrong: u64,
    /// The first twenty of them: line, field, what was found and what is allowed.
    pub told: Vec<String>,
}

impl Labels {
    /// Reads labels, one JSON object per line. The last label of a rating stands; a line that is none is
    /// told and left out.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn read(mut input: impl BufRead) -> Result<Self, TrainFailure> {
        let mut labels = Self::default();
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line).map_err(TrainFailure::Labels)? == 0 {
                return Ok(labels);
            }
            number += 1;
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            match LabelLine::parse(text) {
                Ok(read) => labels.take(&read),
                Err(wrong) => {
                    labels.wrong += 1;
                    if labels.told.len() < MOST_TOLD {
                        labels.told.push(format!("line {number}: {wrong}"));
                    }
                }
            }
        }
    }

    fn take(&mut self, line: &LabelLine<'_>) {
        let id = rating_fingerprint(&line.rating_id);
        match line.label.is_abusive() {
            Some(true) => self.by_id.insert(id, Label::Abusive),
            Some(false) => self.by_id.insert(id, Label::Genuine),
            None => self.by_id.remove(&id),
        };
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
    }

    #[test]
    fn a_wrong_label_is_told_with_its_line_and_the_rest_goes_on() {
        let text = "\n{\"rating_id\":\"a\",\"label\":\"good\"}\n{\"rating_id\":\"b\",\"label\":\"mistaken\"}";
        let labels = Labels::read(text.as_bytes()).unwrap();
        assert_eq!((labels.wrong, labels.of("b")), (1, Some(Label::Genuine)));
        assert!(labels.told[0].starts_with("line 2: $.label: found \"good\""), "{:?}", labels.told);
    }
}
