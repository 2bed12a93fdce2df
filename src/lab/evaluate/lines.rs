//! Lines of a file, one at a time, with what was wrong with some of them.

use std::fmt;
use std::io::{self, BufRead, Read};

use serde::Serialize;

/// The longest line that is read. A verdict with every reason has a few KiB, a rating at most 64.
pub const MAX_LINE_BYTES: usize = 1 << 20;
/// Wrong lines that are told one by one, for each file.
const TOLD_PER_FILE: u64 = 20;

/// A file of lines, or anything that reads like one.
pub struct Source<R> {
    /// What it is called in messages.
    pub name: String,
    /// Where its bytes come from.
    pub input: R,
}

/// Lines that could not be read and were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WrongLines {
    /// How many, over all files.
    pub count: u64,
    /// The first twenty of each file: file, line, field, what was found and what is allowed.
    pub told: Vec<String>,
}

/// What is wrong with one field of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lab) struct Wrong(String);

impl Wrong {
    pub(super) fn field(path: &str, found: impl fmt::Display, allowed: &str) -> Self {
        Self(format!("{path}: found {found}; allowed is {allowed}"))
    }

    pub(super) fn missing(path: &str, allowed: &str) -> Self {
        Self::field(path, "nothing", allowed)
    }

    /// What the contract says of a rating.
    pub(in crate::lab) fn rating(error: &crate::rating::RatingError) -> Self {
        Self(error.to_string())
    }

    /// A syntax error, or a field of another type: `serde_json` says where.
    pub(super) fn json(error: &serde_json::Error, allowed: &str) -> Self {
        // Every line is a text of its own, so that "at line 1" says nothing.
        let text = error.to_string().replace(" at line 1 column ", " at column ");
        Self(format!("$: cannot be read ({text}); allowed is {allowed}"))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<R: BufRead> Source<R> {
    /// Hands over line by line; lines that `read` refuses are kept in `wrong`, and the rest goes on.
    /// Empty lines are none, but keep their number.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub(in crate::lab) fn read_lines(
        &mut self,
        wrong: &mut WrongLines,
        mut read: impl FnMut(&[u8]) -> Result<(), Wrong>,
    ) -> io::Result<()> {
        let mut line = Vec::new();
        let (mut number, mut told) = (0_u64, 0);
        loop {
            line.clear();
            // One byte more than allowed, so that a line of exactly the limit is known from a longer one.
            let limit = MAX_LINE_BYTES as u64 + 1;
            if (&mut self.input).take(limit).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            number += 1;
            let is_too_long = line.len() > MAX_LINE_BYTES && !line.ends_with(b"\n");
            if is_too_long {
                self.input.skip_until(b'\n')?;
            }
            let text = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&line).trim_ascii();
            let result = match text {
                _ if is_too_long => Err(Wrong::field(
                    "$",
                    "a longer line",
                    &format!("a line of at most {MAX_LINE_BYTES} bytes"),
                )),
                [] => Ok(()),
                text => read(text),
            };
            if let Err(error) = result {
                wrong.count += 1;
                if told < TOLD_PER_FILE {
                    told += 1;
                    wrong.told.push(format!("{}:{number}: {error}", self.name));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> (Vec<String>, WrongLines) {
        let mut wrong = WrongLines::default();
        let mut lines = Vec::new();
        let mut source = Source { name: "f".to_owned(), input: text };
        let result = source.read_lines(&mut wrong, |line| {
            if line == b"bad" {
                return Err(Wrong::missing("$.x", "a number"));
            }
            lines.push(String::from_utf8_lossy(line).into_owned());
            Ok(())
        });
        result.unwrap();
        (lines, wrong)
    }

    #[test]
    fn a_wrong_line_is_named_and_the_rest_goes_on() {
        let (lines, wrong) = read(b"\xEF\xBB\xBFone\r\n\nbad\nlast");
        assert_eq!(lines, ["one", "last"]);
        assert_eq!(
            wrong,
            WrongLines { count: 1, told: vec!["f:3: $.x: found nothing; allowed is a number".to_owned()] }
        );
    }

    #[test]
    fn a_line_of_the_limit_is_read_and_a_longer_one_is_refused_without_keeping_it() {
        for (length, is_read) in [
            (MAX_LINE_BYTES - 1, true),
            (MAX_LINE_BYTES, true),
            (MAX_LINE_BYTES + 1, false),
            (3 * MAX_LINE_BYTES, false),
        ] {
            let text = [&vec![b'x'; length][..], b"\nnext\n"].concat();
            let (lines, wrong) = read(&text);
            assert_eq!((lines.len(), wrong.count), if is_read { (2, 0) } else { (1, 1) }, "{length}");
            assert_eq!(lines.last().map(String::as_str), Some("next"));
        }
    }

    #[test]
    fn of_many_wrong_lines_all_are_counted_and_twenty_told() {
        let (_, wrong) = read("bad\n".repeat(1_000).as_bytes());
        assert_eq!((wrong.count, wrong.told.len()), (1_000, 20));
        assert!(wrong.told[19].starts_with("f:20: "));
    }
}
