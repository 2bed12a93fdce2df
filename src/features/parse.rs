//! Reads `[[counter]]` tables. Every error names file, line and field, what is allowed, and what was
//! probably meant.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::counter::{ConditionId, Counter, CounterSet, MAX_WINDOW_MS, Measure, Numeric};
use super::keys::KeyField;
use super::plan::{MAX_CONDITIONS, MAX_KEY_LISTS};
use crate::catalogue::{
    Bilingual, Catalogue, CatalogueError, Feature, FeatureId, FeatureType, MAX_FEATURES, Scope,
};
use crate::expression::{Allowed, Diagnostic, Diagnostics, Located, Program, nearest};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// Keys of a `[[counter]]` table.
const COUNTER_KEYS: [&str; 6] = ["name", "of", "by", "where", "window", "text"];
/// Measures, as `of` writes them.
const MEASURES: [&str; 7] = ["count", "distinct", "sum", "mean", "stddev", "gap_cv", "share"];
const MEASURES_NOTE: &str = "allowed are `count`, `distinct KEY`, `sum FEATURE`, `mean FEATURE`, \
     `stddev FEATURE`, `gap_cv` and `share(CONDITION)`";
/// Longest name, in bytes.
const MAX_NAME: usize = 64;
/// Longest sentence, in characters.
const MAX_SENTENCE: usize = 200;

type Value<'i> = Spanned<DeValue<'i>>;

pub(super) fn parse(
    sources: &[(String, String)],
    catalogue: &mut Catalogue,
) -> Result<CounterSet, Diagnostics> {
    let mut reader = Reader {
        catalogue,
        conditions: Vec::new(),
        by_source: HashMap::new(),
        counters: Vec::new(),
        canonical: Vec::new(),
        errors: Vec::new(),
        keys: Vec::new(),
    };
    let mut located = Vec::new();
    for (file, text) in sources {
        reader.file(text);
        if reader.errors.is_empty() {
            continue;
        }
        reader.errors.sort_by_key(|diagnostic| diagnostic.span.start);
        let text: Arc<str> = text.as_str().into();
        let errors = reader.errors.drain(..);
        located.extend(errors.map(|diagnostic| Located {
            file: file.clone(),
            text: text.clone(),
            diagnostic,
        }));
    }
    if !located.is_empty() {
        return Err(Diagnostics(located));
    }
    Ok(CounterSet::new(reader.counters, reader.conditions, reader.canonical))
}

/// Where a part of a string stands in the file; `None` where the file spells it with escapes.
fn part_of(text: &str, value: &Value<'_>, part: &str) -> Option<Range<usize>> {
    let start = value.span().start + text[value.span()].rfind(part)?;
    Some(start..start + part.len())
}

/// A value was wrong; the error is among [`Reader::errors`] already.
struct Wrong;

struct Reader<'c> {
    catalogue: &'c mut Catalogue,
    conditions: Vec<Program>,
    by_source: HashMap<String, ConditionId>,
    counters: Vec<Counter>,
    canonical: Vec<String>,
    errors: Vec<Diagnostic>,
    /// Distinct `by` lists so far, which [`MAX_KEY_LISTS`] bounds.
    keys: Vec<Vec<KeyField>>,
}

impl Reader<'_> {
    fn wrong<T>(&mut self, diagnostic: Diagnostic) -> Result<T, Wrong> {
        self.errors.push(diagnostic);
        Err(Wrong)
    }

    fn file(&mut self, text: &str) {
        let document = match DeTable::parse(text) {
            Ok(document) => document,
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                self.errors.push(Diagnostic::new(span, format!("not TOML: {}", error.message())));
                return;
            }
        };
        let Some(declared) = document.get_ref().get("counter") else { return };
        let DeValue::Array(tables) = declared.get_ref() else {
            self.errors.push(
                Diagnostic::new(declared.span(), "`counter` is not an array of tables")
                    .note("begin each counter with `[[counter]]`"),
            );
            return;
        };
        for table in tables.iter() {
            match table.get_ref() {
                // One counter's errors do not hide the next one's.
                DeValue::Table(fields) => drop(self.counter(text, fields, table.span())),
                _ => self.errors.push(Diagnostic::new(table.span(), "a counter is a table")),
            }
        }
    }

    fn counter(&mut self, text: &str, fields: &DeTable<'_>, at: Range<usize>) -> Result<(), Wrong> {
        for key in fields.keys().filter(|key| !COUNTER_KEYS.contains(&key.get_ref().as_ref())) {
            self.errors.push(
                Diagnostic::new(key.span(), "a counter has no such key")
                    .note(format!("allowed are {}", COUNTER_KEYS.join(", ")))
                    .suggest(nearest(key.get_ref(), COUNTER_KEYS)),
            );
        }
        // All fields are read before any error ends the counter, so that one look shows them all.
        let name = self.required(fields, "name", &at).and_then(|v| self.name(v));
        let by = self.required(fields, "by", &at).and_then(|v| self.by(v));
        let measure = self.required(fields, "of", &at).and_then(|v| self.measure(text, v));
        let window = self.required(fields, "window", &at).and_then(|v| self.window(v));
        let condition = fields.get("where").map(|v| self.whole_condition(text, v)).transpose();
        let sentence = self.required(fields, "text", &at).and_then(|v| self.sentence(v));
        let ((name, name_at), by, (measure, measure_at, of), (window_ms, window), condition, text) =
            (name?, by?, measure?, window?, condition?, sentence?);

        if let (Measure::Distinct(field), [only]) = (measure, by.as_slice())
            && field == *only
        {
            return self.wrong(
                Diagnostic::new(measure_at, format!("distinct {field} by {field} is always 1"))
                    .note("count another field, or keep it by another key"),
            );
        }
        let filter = condition.as_ref().map(|(_, source)| source.as_str());
        let id = self.add_feature(&name, name_at, measure, &of, &by, filter, &window, &text)?;
        self.canonical.push(format!("{name}\n{of}\n{by:?}\n{}\n{window_ms}", filter.unwrap_or_default()));
        let condition = condition.map(|(id, _)| id);
        self.counters.push(Counter { name, id, measure, by, condition, window_ms, text });
        Ok(())
    }

    /// A field that every counter has.
    fn required<'t, 'i>(
        &mut self,
        fields: &'t DeTable<'i>,
        key: &str,
        at: &Range<usize>,
    ) -> Result<&'t Value<'i>, Wrong> {
        match fields.get(key) {
            Some(value) => Ok(value),
            None => self.wrong(Diagnostic::new(at.clone(), format!("this counter has no `{key}`"))),
        }
    }

    fn string<'t>(&mut self, value: &'t Value<'_>, key: &str) -> Result<&'t str, Wrong> {
        match value.get_ref().as_str() {
            Some(text) => Ok(text),
            None => self.wrong(Diagnostic::new(value.span(), format!("`{key}` is not a string"))),
        }
    }

    fn name(&mut self, value: &Value<'_>) -> Result<(String, Range<usize>), Wrong> {
        let name = self.string(value, "name")?;
        let part = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase())
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        let parts = name.split('.').count();
        if name.len() > MAX_NAME || !(2..=3).contains(&parts) || !name.split('.').all(part) {
            return self.wrong(Diagnostic::new(value.span(), "not a name for a counter").note(format!(
                "two or three parts joined by dots, each of small letters, digits and `_`, such as \
                 `device.accounts_24h`; at most {MAX_NAME} bytes"
            )));
        }
        Ok((name.to_owned(), value.span()))
    }

    fn by(&mut self, value: &Value<'_>) -> Result<Vec<KeyField>, Wrong> {
        let DeValue::Array(items) = value.get_ref() else {
            return self.wrong(
                Diagnostic::new(value.span(), "`by` is not a list").note("such as by = [\"device\"]"),
            );
        };
        let mut by = Vec::new();
        for item in items.iter() {
            let field = self.string(item, "by").and_then(|name| self.key_field(name, item.span()))?;
            if by.contains(&field) {
                return self.wrong(Diagnostic::new(item.span(), format!("`{field}` stands here twice")));
            }
            by.push(field);
        }
        if !(1..=3).contains(&by.len()) {
            return self.wrong(Diagnostic::new(value.span(), "`by` has one to three keys"));
        }
        if !self.keys.contains(&by) {
            if self.keys.len() >= MAX_KEY_LISTS {
                let message = format!("more than {MAX_KEY_LISTS} different lists of keys");
                return self.wrong(
                    Diagnostic::new(value.span(), message)
                        .note("each list costs every rating a look-up; keep counters by the same keys"),
                );
            }
            self.keys.push(by.clone());
        }
        Ok(by)
    }

    fn key_field(&mut self, name: &str, span: Range<usize>) -> Result<KeyField, Wrong> {
        match name.parse::<KeyField>() {
            Ok(field) => Ok(field),
            Err(unknown) => self.wrong(
                Diagnostic::new(span, "no such key")
                    .note(format!("allowed are {}", KeyField::NAMES.join(", ")))
                    .suggest(unknown.suggestion),
            ),
        }
    }

    /// The measure, where it stands, and its canonical text.
    fn measure(&mut self, text: &str, value: &Value<'_>) -> Result<(Measure, Range<usize>, String), Wrong> {
        let span = value.span();
        let of = self.string(value, "of")?.trim();
        if let Some(source) = of.strip_prefix("share(").and_then(|rest| rest.strip_suffix(')')) {
            let (condition, source) = self.condition(text, value, source)?;
            return Ok((Measure::Share(condition), span, format!("share({source})")));
        }
        let words: Vec<&str> = of.split_whitespace().collect();
        let of_what = words.get(1).and_then(|word| part_of(text, value, word)).unwrap_or(span.clone());
        let measure = match words.as_slice() {
            ["count"] => Measure::Count,
            ["gap_cv"] => Measure::GapCv,
            ["distinct", field] => Measure::Distinct(self.key_field(field, of_what)?),
            ["sum", feature] => Measure::Sum(self.number(feature, &of_what)?),
            ["mean", feature] => Measure::Mean(self.number(feature, &of_what)?),
            ["stddev", feature] => Measure::Stddev(self.number(feature, &of_what)?),
            other => {
                let first = other.first().map_or("", |word| word.split('(').next().unwrap_or(word));
                return self.wrong(
                    Diagnostic::new(span, "not a measure")
                        .note(MEASURES_NOTE)
                        .suggest(nearest(first, MEASURES).filter(|&meant| meant != first)),
                );
            }
        };
        Ok((measure, span, words.join(" ")))
    }

    /// A numeric feature that is known from the rating alone.
    fn number(&mut self, name: &str, span: &Range<usize>) -> Result<Numeric, Wrong> {
        let usable = |feature: &Feature| {
            feature.scope == Scope::Rating && matches!(feature.kind, FeatureType::Int | FeatureType::Float)
        };
        match self.catalogue.find(name) {
            Some(id) if usable(self.catalogue.get(id)) => {
                Ok(Numeric { id, is_int: self.catalogue.get(id).kind == FeatureType::Int })
            }
            found => {
                let names: Vec<&str> =
                    self.catalogue.iter().filter(|(_, f)| usable(f)).map(|(_, f)| f.name.as_str()).collect();
                let message = match found.map(|id| self.catalogue.get(id)) {
                    Some(feature) if feature.scope != Scope::Rating => {
                        format!("`{}` is not known from the rating alone", feature.name)
                    }
                    Some(feature) => format!("`{}` is {}, not a number", feature.name, feature.kind.name()),
                    None => "no such feature".to_owned(),
                };
                let diagnostic = Diagnostic::new(span.clone(), message)
                    .note(format!("allowed are {}", names.join(", ")))
                    .suggest(nearest(name, names.iter().copied()));
                self.wrong(diagnostic)
            }
        }
    }

    fn whole_condition(&mut self, text: &str, value: &Value<'_>) -> Result<(ConditionId, String), Wrong> {
        let source = self.string(value, "where")?;
        self.condition(text, value, source)
    }

    /// Compiles a condition that is `value`, or a part of it; equal ones are compiled once.
    fn condition(
        &mut self,
        text: &str,
        value: &Value<'_>,
        source: &str,
    ) -> Result<(ConditionId, String), Wrong> {
        let source = source.trim();
        if let Some(&id) = self.by_source.get(source) {
            return Ok((id, source.to_owned()));
        }
        if self.conditions.len() >= MAX_CONDITIONS {
            let message = format!("more than {MAX_CONDITIONS} different conditions");
            return self.wrong(
                Diagnostic::new(value.span(), message).note("every rating evaluates all of them; reuse one"),
            );
        }
        match Program::compile(source, self.catalogue, Allowed::RatingOnly) {
            Ok(program) => {
                let id = ConditionId(self.conditions.len() as u16);
                self.conditions.push(program);
                self.by_source.insert(source.to_owned(), id);
                Ok((id, source.to_owned()))
            }
            Err(mut diagnostic) => {
                diagnostic.span = match part_of(text, value, source) {
                    Some(whole) => whole.start + diagnostic.span.start..whole.start + diagnostic.span.end,
                    None => value.span(),
                };
                self.wrong(diagnostic)
            }
        }
    }

    /// The window in milliseconds and as written.
    fn window(&mut self, value: &Value<'_>) -> Result<(i64, String), Wrong> {
        let text = self.string(value, "window")?;
        let unit_ms = match text.as_bytes().last() {
            Some(b'm') => MINUTE_MS,
            Some(b'h') => HOUR_MS,
            Some(b'd') => DAY_MS,
            _ => 0,
        };
        let digits = &text[..text.len() - usize::from(unit_ms > 0)];
        let plain = digits.bytes().all(|b| b.is_ascii_digit()) && digits.len() <= 6;
        let window_ms = if plain { digits.parse::<i64>().unwrap_or(0) * unit_ms } else { 0 };
        if !(MINUTE_MS..=MAX_WINDOW_MS).contains(&window_ms) {
            return self.wrong(
                Diagnostic::new(value.span(), "not a window")
                    .note("a whole number of minutes, hours or days from `1m` to `90d`, such as `24h`"),
            );
        }
        Ok((window_ms, text.to_owned()))
    }

    fn sentence(&mut self, value: &Value<'_>) -> Result<Bilingual, Wrong> {
        let DeValue::Table(languages) = value.get_ref() else {
            return self.wrong(
                Diagnostic::new(value.span(), "`text` is not a table")
                    .note("such as text = { zh = \"…{value}…\", en = \"…{value}…\" }"),
            );
        };
        if let Some(key) = languages.keys().find(|key| !["zh", "en"].contains(&key.get_ref().as_ref())) {
            return self.wrong(Diagnostic::new(key.span(), "no such language").note("allowed are zh and en"));
        }
        let zh = self.required(languages, "zh", &value.span()).and_then(|v| self.language(v));
        let en = self.required(languages, "en", &value.span()).and_then(|v| self.language(v));
        Ok(Bilingual { zh: zh?, en: en? })
    }

    fn language(&mut self, value: &Value<'_>) -> Result<String, Wrong> {
        let text = self.string(value, "text")?;
        if !text.contains("{value}") || text.chars().count() > MAX_SENTENCE {
            return self.wrong(
                Diagnostic::new(value.span(), "not a sentence for a counter")
                    .note(format!("it contains `{{value}}` and has at most {MAX_SENTENCE} characters")),
            );
        }
        Ok(text.to_owned())
    }

    #[allow(clippy::too_many_arguments)]
    fn add_feature(
        &mut self,
        name: &str,
        name_at: Range<usize>,
        measure: Measure,
        of: &str,
        by: &[KeyField],
        filter: Option<&str>,
        window: &str,
        text: &Bilingual,
    ) -> Result<FeatureId, Wrong> {
        let (kind, unit) = match measure {
            Measure::Count => (FeatureType::Int, "ratings".to_owned()),
            Measure::Distinct(field) => (FeatureType::Int, format!("{field}s")),
            Measure::Sum(of) | Measure::Mean(of) | Measure::Stddev(of) => {
                (FeatureType::Float, self.catalogue.get(of.id).unit.clone())
            }
            Measure::GapCv => (FeatureType::Float, "ratio".to_owned()),
            Measure::Share(_) => (FeatureType::Float, "share".to_owned()),
        };
        let keys = by.iter().map(|field| field.name()).collect::<Vec<_>>().join(" + ");
        let (filter_zh, filter_en) = match filter {
            Some(filter) => (format!("，仅计 {filter}"), format!(", only where {filter}")),
            None => Default::default(),
        };
        let meaning = Bilingual {
            zh: format!("按 {keys} 统计最近 {window} 的 {of}{filter_zh}"),
            en: format!("{of} by {keys} within {window}{filter_en}"),
        };
        let feature =
            Feature { name: name.to_owned(), kind, scope: Scope::Counter, unit, meaning, text: text.clone() };
        match self.catalogue.add(feature) {
            Ok(id) => Ok(id),
            Err(error @ CatalogueError::Taken(_)) => self.wrong(
                Diagnostic::new(name_at, error.to_string()).note("each feature has a name of its own"),
            ),
            Err(error @ CatalogueError::Full) => self.wrong(
                Diagnostic::new(name_at, error.to_string())
                    .note(format!("built-in features and counters together are at most {MAX_FEATURES}")),
            ),
        }
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
