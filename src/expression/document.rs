//! TOML files read with positions, so that every error about one has a line, a column and a caret.
//!
//! A [`Reader`] is asked for each key by name and type. What it was asked for is what is known: at
//! the end every other key is an error with the nearest known key as the suggestion.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::{Diagnostic, nearest};
use crate::catalogue::Bilingual;

/// A text in a file, with the place of each of its bytes.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text without quotes and escapes.
    pub value: String,
    /// Where it stands in the file, quotes included.
    pub span: Range<usize>,
    /// Position in the file of each byte of `value`, and of its end.
    places: Vec<usize>,
}

impl Text {
    fn new(file: &str, value: &str, span: Range<usize>) -> Self {
        let places = places(file.get(span.clone()).unwrap_or_default(), value, span.start);
        Self { value: value.to_owned(), span, places }
    }

    /// Where a part of the value stands in the file.
    pub fn place(&self, part: Range<usize>) -> Range<usize> {
        let at = |index: usize| self.places[index.min(self.places.len() - 1)];
        at(part.start)..at(part.end).max(at(part.start))
    }

    /// Moves a diagnostic about the value to its place in the file.
    pub fn locate(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        diagnostic.span = self.place(diagnostic.span);
        diagnostic
    }
}

/// Walks a quoted TOML string beside its value. `raw` includes the quotes.
fn places(raw: &str, value: &str, start: usize) -> Vec<usize> {
    let delimiter = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|d| raw.starts_with(d)).unwrap_or("");
    let mut at = delimiter.len();
    if delimiter.len() == 3 {
        // A line break right after the delimiter is not part of the value.
        at += raw[at..].find('\n').filter(|&i| raw[at..at + i].trim().is_empty()).map_or(0, |i| i + 1);
    }
    let escapes = delimiter.starts_with('"');
    let mut places = Vec::with_capacity(value.len() + 1);
    for c in value.chars() {
        let mut from = at.min(raw.len());
        let mut taken = raw[from..].chars().next().map_or(0, char::len_utf8);
        while escapes && raw[from..].starts_with('\\') {
            let after = &raw[from + 1..];
            if after.starts_with([' ', '\t', '\r', '\n']) {
                // A backslash at the end of a line swallows the break and the indentation.
                from = raw.len() - after.trim_start().len();
                taken = raw[from..].chars().next().map_or(0, char::len_utf8);
                continue;
            }
            taken = match after.as_bytes().first() {
                Some(b'u') => 6,
                Some(b'U') => 10,
                Some(b'x') => 4,
                _ => 2,
            };
            break;
        }
        if raw[from..].starts_with("\r\n") && c == '\n' {
            taken = 2;
        }
        places.extend(std::iter::repeat_n(start + from, c.len_utf8()));
        at = from + taken;
    }
    places.push(start + at.min(raw.len()));
    places
}

/// Parses a file.
///
/// # Errors
/// Every place where it is not TOML.
pub fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, Vec<Diagnostic>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table);
    }
    let complain = |error: &toml::de::Error| {
        Diagnostic::new(error.span().unwrap_or(0..0), format!("not TOML: {}", error.message()))
    };
    Err(errors.iter().map(complain).collect())
}

/// Reads one table, key by key, and notes what is wrong.
#[derive(Debug)]
pub struct Reader<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    file: &'a str,
    /// What the table is, for messages: "a rule".
    what: &'static str,
    known: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// Reads the root of a file.
    pub fn root(table: &'a Spanned<DeTable<'a>>, file: &'a str, what: &'static str) -> Self {
        Self { table: table.get_ref(), span: table.span(), file, what, known: Vec::new() }
    }

    /// Where the table stands; of `[[rule]]` its header.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Every key with its place and value, for a table whose keys are free.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, Range<usize>, &'a Spanned<DeValue<'a>>)> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
    }

    /// Where a key stands, if it is there.
    pub fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(name, _)| name.span())
    }

    /// The value of a key that has a type of its own; `None` if absent.
    pub fn value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.get(key)
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.table.get(key)
    }

    fn mismatch(&self, key: &str, wanted: &str, value: &Spanned<DeValue<'_>>) -> Diagnostic {
        let found = value.get_ref().type_str();
        Diagnostic::new(value.span(), format!("`{key}` must be {wanted}, not {found}"))
    }

    /// Says that a key is missing.
    pub fn missing(&self, key: &str) -> Diagnostic {
        Diagnostic::new(self.span(), format!("{} needs `{key}`", self.what))
    }

    /// A text; `None` if absent.
    pub fn text(&mut self, key: &'static str, problems: &mut Vec<Diagnostic>) -> Option<Text> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Text::new(self.file, text, value.span())),
            _ => {
                problems.push(self.mismatch(key, "a text in quotes", value));
                None
            }
        }
    }

    /// A text that must be there.
    pub fn required_text(&mut self, key: &'static str, problems: &mut Vec<Diagnostic>) -> Option<Text> {
        if self.get(key).is_none() {
            problems.push(self.missing(key));
        }
        self.text(key, problems)
    }

    /// A number, whole or not; `None` if absent.
    pub fn number(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<(f64, Range<usize>)> {
        let value = self.get(key)?;
        match as_number(value.get_ref()) {
            Some(number) if number.is_finite() => Some((number, value.span())),
            _ => {
                problems.push(self.mismatch(key, "a number", value));
                None
            }
        }
    }

    /// `true` or `false`; `None` if absent.
    pub fn flag(&mut self, key: &'static str, problems: &mut Vec<Diagnostic>) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            problems.push(self.mismatch(key, "true or false", value));
        }
        flag
    }

    /// A list of texts; empty if absent.
    pub fn texts(&mut self, key: &'static str, problems: &mut Vec<Diagnostic>) -> Vec<Text> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            problems.push(self.mismatch(key, "a list of texts", value));
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(array.len());
        for item in array.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.push(Text::new(self.file, text, item.span())),
                _ => problems.push(self.mismatch(key, "a list of texts", item)),
            }
        }
        texts
    }

    /// A table; `None` if absent.
    pub fn table(
        &mut self,
        key: &'static str,
        what: &'static str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Reader<'a>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(self.child(table, value.span(), what)),
            _ => {
                problems.push(self.mismatch(key, "a table", value));
                None
            }
        }
    }

    /// The tables of an array (`[[key]]`); empty if absent.
    pub fn tables(
        &mut self,
        key: &'static str,
        what: &'static str,
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<Reader<'a>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            problems.push(
                self.mismatch(key, "a list of tables", value)
                    .note(format!("write `[[{key}]]` in two brackets")),
            );
            return Vec::new();
        };
        self.children(key, array, what, problems)
    }

    fn children(
        &self,
        key: &str,
        array: &'a DeArray<'a>,
        what: &'static str,
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<Reader<'a>> {
        let mut tables = Vec::with_capacity(array.len());
        for item in array.iter() {
            match item.get_ref() {
                DeValue::Table(table) => tables.push(self.child(table, item.span(), what)),
                _ => problems.push(self.mismatch(key, "a list of tables", item)),
            }
        }
        tables
    }

    fn child(&self, table: &'a DeTable<'a>, span: Range<usize>, what: &'static str) -> Reader<'a> {
        Reader { table, span, file: self.file, what, known: Vec::new() }
    }

    /// Both languages, which must be there; `None` if the key is absent or something is wrong.
    pub fn bilingual(&mut self, key: &'static str, problems: &mut Vec<Diagnostic>) -> Option<(Text, Text)> {
        let mut both = self.table(key, "a text in two languages", problems)?;
        let zh = both.required_text("zh", problems);
        let en = both.required_text("en", problems);
        both.finish(problems);
        Some((zh?, en?))
    }

    /// Notes every key that was not asked for.
    pub fn finish(self, problems: &mut Vec<Diagnostic>) {
        for (key, span, _) in self.entries() {
            if !self.known.contains(&key) {
                problems.push(
                    Diagnostic::new(span, format!("{} has no key `{key}`", self.what))
                        .suggest(nearest(key, self.known.iter().copied()))
                        .note(format!("known keys: {}", self.known.join(", "))),
                );
            }
        }
    }

    /// Notes that a key is known without reading it.
    pub fn skip(&mut self, key: &'static str) {
        let _ = self.get(key);
    }
}

/// Both texts without their places.
pub fn plain((zh, en): &(Text, Text)) -> Bilingual {
    Bilingual::new(&zh.value, &en.value)
}

/// A TOML integer or float.
pub fn as_number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => as_whole(value).map(|whole| whole as f64),
    }
}

/// A TOML integer.
pub fn as_whole(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A TOML string.
pub fn as_text<'a>(value: &'a DeValue<'a>) -> Option<&'a DeString<'a>> {
    match value {
        DeValue::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(file: &str) -> Text {
        let table = parse(file).unwrap();
        let mut problems = Vec::new();
        let text = Reader::root(&table, file, "a file").text("a", &mut problems).unwrap();
        assert!(problems.is_empty());
        text
    }

    #[test]
    fn a_place_in_a_quoted_text_is_found_in_the_file() {
        for file in [
            "a = \"评价 target\"",
            "a = 'x target'",
            "a = \"\"\"\n\\\"x\\\" \\\n   target\"\"\"",
            "a = \"\\u8bc4\\t\\\"target\\\"\"",
            "a = '''\r\nx\r\ntarget'''",
            "# c\n\na   =   \"target\"",
        ] {
            let text = text_of(file);
            let at = text.value.find("target").unwrap();
            let place = text.place(at..at + 6);
            assert_eq!(&file[place.clone()], "target", "{file:?} {place:?}");
            assert!(text.place(0..9_999).end <= file.len());
        }
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_named() {
        let file = "naem = 'x'\nweight = 'heavy'\nlist = [1]\n";
        let table = parse(file).unwrap();
        let mut problems = Vec::new();
        let mut reader = Reader::root(&table, file, "a rule");
        assert!(reader.required_text("name", &mut problems).is_none());
        assert!(reader.number("weight", &mut problems).is_none());
        assert!(reader.texts("list", &mut problems).is_empty());
        reader.finish(&mut problems);
        let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "a rule needs `name`",
                "`weight` must be a number, not string",
                "`list` must be a list of texts, not integer",
                "a rule has no key `naem`"
            ]
        );
        assert_eq!(problems[3].suggestion.as_deref(), Some("name"));
    }
}
