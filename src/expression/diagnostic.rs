//! What is wrong with an expression or a file, and where.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One thing that is wrong, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, without a capital and a full stop.
    pub message: String,
    /// What is allowed, or what to do.
    pub note: Option<String>,
    /// Where: bytes of the text that was read.
    pub span: Range<usize>,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without a note or a suggestion.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), note: None, span, suggestion: None }
    }

    /// Says what is allowed, or what to do.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Proposes what was probably meant.
    #[must_use]
    pub fn suggest(mut self, suggestion: Option<impl Into<String>>) -> Self {
        self.suggestion = suggestion.map(Into::into);
        self
    }

    /// Renders it over the file: file, line, column, the line itself and a caret under the span.
    ///
    /// `offset` is where in `file_text` the text stands that [`Self::span`] counts from. Columns
    /// count characters, from 1.
    pub fn render(&self, file: &str, file_text: &str, offset: usize) -> String {
        let place = Place::find(file_text, self.span.start + offset..self.span.end + offset);
        let number = place.line.to_string();
        let gutter = " ".repeat(number.len());
        let mut out = format!("error: {}\n{gutter}--> {file}:{number}:{}\n", self.message, place.column);
        out += &format!("{gutter} |\n{number} | {}\n", place.text);
        out += &format!("{gutter} | {}{}\n", " ".repeat(place.indent), "^".repeat(place.width));
        if let Some(suggestion) = &self.suggestion {
            out += &format!("{gutter} = did you mean `{suggestion}`?\n");
        }
        if let Some(note) = &self.note {
            out += &format!("{gutter} = note: {note}\n");
        }
        out
    }
}

/// A [`Diagnostic`] in a file: its span counts from the start of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Name of the file.
    pub file: String,
    /// The whole file.
    pub text: Arc<str>,
    /// What is wrong.
    pub diagnostic: Diagnostic,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.render(&self.file, &self.text, 0))
    }
}

/// Everything that is wrong with a set of files, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Located>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, located) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{located}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Longest part of a line that is shown, in columns.
const SHOWN_COLUMNS: usize = 100;

/// The line of a span, cut to what fits, and where the caret goes.
struct Place {
    line: usize,
    column: usize,
    text: String,
    indent: usize,
    width: usize,
}

impl Place {
    fn find(text: &str, span: Range<usize>) -> Self {
        let start = floor_char_boundary(text, span.start);
        let end = floor_char_boundary(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
        let line = text[..line_start].matches('\n').count() + 1;
        let before = &text[line_start..start];
        let marked = &text[start..end.min(line_end)];
        let after = &text[start + marked.len()..line_end];

        // A long line is shown around its span.
        let mut shown_before = before;
        let mut cut = "";
        while columns(shown_before) > SHOWN_COLUMNS / 2
            && columns(shown_before) + columns(marked) + columns(after) > SHOWN_COLUMNS
        {
            let first = shown_before.chars().next().map_or(1, char::len_utf8);
            shown_before = &shown_before[first..];
            cut = "…";
        }
        let mut shown = format!("{cut}{shown_before}{marked}{after}");
        if columns(&shown) > SHOWN_COLUMNS + 1 {
            let mut used = 0;
            let keep: String = shown
                .chars()
                .take_while(|&c| {
                    used += width(c);
                    used <= SHOWN_COLUMNS
                })
                .collect();
            shown = keep + "…";
        }
        let indent = columns(cut) + columns(shown_before);
        let room = (columns(&shown) + 1).saturating_sub(indent).max(1);
        Self {
            line,
            column: before.chars().count() + 1,
            text: shown.replace('\t', " ").trim_end().to_owned(),
            indent,
            width: columns(marked).clamp(1, room),
        }
    }
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Columns that a character takes on a terminal: Chinese, Japanese and Korean text, full-width
/// forms and their punctuation take two.
fn width(c: char) -> usize {
    match c as u32 {
        0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF => 2,
        0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// The candidate nearest to what was written, if it is near enough to be a slip.
///
/// Distance is optimal string alignment (insert, delete, replace, swap neighbours); one slip for
/// every three characters is allowed. Of equals the first candidate wins. A name without its first
/// part (`accounts_24h`) finds the candidate that ends in it, if only one does.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer texts are no slip of the pen, and the distance costs their product.
    const LONGEST: usize = 64;
    if written.is_empty() || written.len() > LONGEST {
        return None;
    }
    let allowed = (written.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    let mut endings = Vec::new();
    for candidate in candidates.into_iter().filter(|c| c.len() <= LONGEST) {
        let found = distance(written, candidate);
        if found <= allowed && best.is_none_or(|(least, _)| found < least) {
            best = Some((found, candidate));
        }
        if candidate.strip_suffix(written).is_some_and(|head| head.ends_with('.')) {
            endings.push(candidate);
        }
    }
    match (best, endings.as_slice()) {
        (_, [only]) => Some(only),
        (best, _) => best.map(|(_, candidate)| candidate),
    }
}

/// Optimal string alignment distance over lower-cased characters.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut two_ago = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(two_ago[j - 2] + 1);
            }
        }
        two_ago = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        let names = ["device.accounts_24h", "device.class", "stars", "stars.worst", "rater.ratings"];
        assert_eq!(nearest("device.account_24h", names), Some("device.accounts_24h"));
        assert_eq!(nearest("device.calss", names), Some("device.class"));
        assert_eq!(nearest("Stars", names), Some("stars"));
        assert_eq!(nearest("accounts_24h", names), Some("device.accounts_24h"));
        assert_eq!(nearest("entirely_different", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(distance("abcd", "acbd"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn the_caret_stands_under_the_span_after_wide_characters() {
        let text = "a = 1\nwhen = \"评价 >= x\"\n";
        let at = text.find('x').unwrap();
        let shown = Diagnostic::new(at..at + 1, "wrong").render("f.toml", text, 0);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1], " --> f.toml:2:15");
        assert_eq!(columns(lines[3].split('x').next().unwrap()), lines[4].find('^').unwrap());
    }

    #[test]
    fn a_span_outside_the_text_still_renders() {
        for span in [0..0, 5..900, 1..2, 3..3] {
            let shown = Diagnostic::new(span, "wrong").note("n").suggest(Some("s")).render("f", "评", 7);
            assert!(shown.contains('^'), "{shown}");
        }
        let long = "字".repeat(2_000);
        let shown = Diagnostic::new(3_000..3_003, "wrong").render("f", &long, 0);
        assert!(shown.lines().all(|line| columns(line) < SHOWN_COLUMNS + 20), "{shown}");
    }
}
