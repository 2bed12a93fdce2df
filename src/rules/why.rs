//! Sentences for the reviewer, with the values that the rule saw.

use std::fmt::Write;

use crate::catalogue::{Catalogue, FeatureId, FeatureType, FeatureVector};
use crate::expression::document::Text;
use crate::expression::{Diagnostic, nearest};

/// A sentence with `{feature}` placeholders, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Value(FeatureId),
}

/// The language of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Chinese,
    English,
}

impl Template {
    /// Parses a sentence; `{{` and `}}` stand for braces.
    ///
    /// A placeholder for a code is refused: the vector holds only its hash.
    pub(super) fn parse(text: &Text, catalogue: &Catalogue, problems: &mut Vec<Diagnostic>) -> Self {
        let source = text.value.as_str();
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(found) = source[at..].find(['{', '}']) {
            let brace = at + found;
            plain += &source[at..brace];
            let rest = &source[brace..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                plain += &rest[..1];
                at = brace + 2;
                continue;
            }
            let end = rest.find('}').filter(|_| rest.starts_with('{'));
            let Some(end) = end.map(|end| brace + end) else {
                let note = "a brace itself is written twice: {{ or }}";
                let lone = Diagnostic::new(brace..brace + 1, "this brace has no counterpart").note(note);
                problems.push(text.locate(lone));
                return Self::default();
            };
            let name = source[brace + 1..end].trim();
            match find(name, catalogue) {
                Ok(id) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Plain(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Value(id));
                }
                Err(mut diagnostic) => {
                    diagnostic.span = brace + 1..end;
                    problems.push(text.locate(diagnostic));
                }
            }
            at = end + 1;
        }
        plain += &source[at..];
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain));
        }
        Self(pieces)
    }

    /// The sentence with the values filled in; a missing one reads `—`.
    pub(super) fn fill(&self, vector: &FeatureVector, catalogue: &Catalogue, language: Language) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Plain(text) => out += text,
                Piece::Value(id) => show(&mut out, *id, vector, catalogue, language),
            }
        }
        out
    }
}

/// A feature's own sentence, Chinese and English, with its value.
pub fn value_sentence(id: FeatureId, vector: &FeatureVector, catalogue: &Catalogue) -> (String, String) {
    let text = &catalogue.get(id).text;
    let fill = |text: &str, language| {
        let mut value = String::new();
        show(&mut value, id, vector, catalogue, language);
        text.replace("{value}", &value)
    };
    (fill(&text.zh, Language::Chinese), fill(&text.en, Language::English))
}

fn find(name: &str, catalogue: &Catalogue) -> Result<FeatureId, Diagnostic> {
    let Some(id) = catalogue.find(name) else {
        let names = catalogue.iter().map(|(_, feature)| feature.name.as_str());
        return Err(
            Diagnostic::new(0..0, format!("no feature is called `{name}`")).suggest(nearest(name, names))
        );
    };
    match catalogue.get(id).kind {
        FeatureType::Code => Err(Diagnostic::new(0..0, format!("`{name}` is a code and cannot be shown"))
            .note("only a hash of a code is kept with a rating; name the office another way")),
        _ => Ok(id),
    }
}

fn show(out: &mut String, id: FeatureId, vector: &FeatureVector, catalogue: &Catalogue, language: Language) {
    let whole = vector.int(id);
    let written = match (catalogue.get(id).kind, whole) {
        (_, None) | (FeatureType::Code, _) => out.write_str("—"),
        (FeatureType::Bool, Some(value)) => out.write_str(match (value != 0, language) {
            (true, Language::Chinese) => "是",
            (false, Language::Chinese) => "否",
            (true, Language::English) => "yes",
            (false, Language::English) => "no",
        }),
        (FeatureType::Int, Some(value)) => write!(out, "{value}"),
        (FeatureType::Float, Some(bits)) => out.write_str(&decimal(f64::from_bits(bits as u64))),
        (FeatureType::Enum(names), Some(position)) => {
            out.write_str(usize::try_from(position).ok().and_then(|i| names.get(i)).copied().unwrap_or("—"))
        }
    };
    debug_assert!(written.is_ok(), "writing to a String never fails");
}

/// A number for people: two decimals, or two significant digits where it is small; no trailing
/// zeros.
pub(super) fn decimal(value: f64) -> String {
    const MOST: usize = 6;
    let mut decimals = 2;
    let mut scaled = value.abs() * 100.0;
    while scaled < 10.0 && scaled > 0.0 && decimals < MOST {
        scaled *= 10.0;
        decimals += 1;
    }
    let text = format!("{value:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (0.0, "0"),
            (2.0, "2"),
            (2.5, "2.5"),
            (-0.004, "-0.004"),
            (1.0 / 3.0, "0.33"),
            (0.005_678, "0.0057"),
            (0.05, "0.05"),
            (123_456.789, "123456.79"),
            (100.0, "100"),
            (1e-9, "0"),
            (-1e-9, "0"),
        ] {
            assert_eq!(decimal(value), text);
        }
    }
}
