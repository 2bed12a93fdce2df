//! Mends text that is almost JSON, so that one broken optional field does not refuse a rating.
//!
//! Real clients cut strings in the middle of a surrogate pair, send bytes of another encoding,
//! write raw control characters, numbers beyond any float, and `NaN`. Each is replaced where it
//! stands by something harmless: U+FFFD within strings, a number that no field allows elsewhere.
//! Structure (brackets, commas, quotes) is never guessed at.

/// Mended text and how many places were mended.
pub(super) struct Repaired {
    pub(super) json: Vec<u8>,
    pub(super) places: usize,
}

/// Stands for a number that cannot be read: valid JSON, and outside the range of every field.
const NO_NUMBER: &[u8] = b"1e308";
/// Stands for damage within a string.
const NO_CHARACTER: &[u8] = b"\\ufffd";

/// Mends a line; `None` if there is nothing here that mending could help.
pub(super) fn repair(line: &[u8]) -> Option<Repaired> {
    let text = String::from_utf8_lossy(line);
    let mut pass = Pass { rest: text.as_bytes(), json: Vec::with_capacity(text.len() + 32), places: 0 };
    if let std::borrow::Cow::Owned(_) = text {
        pass.places += 1;
    }
    pass.run();
    (pass.places > 0).then_some(Repaired { json: pass.json, places: pass.places })
}

struct Pass<'t> {
    rest: &'t [u8],
    json: Vec<u8>,
    places: usize,
}

impl Pass<'_> {
    fn run(&mut self) {
        while let Some(&byte) = self.rest.first() {
            match byte {
                b'"' => {
                    self.keep(1);
                    self.string();
                }
                b'-' | b'0'..=b'9' | b'N' | b'I' => self.number(),
                _ => self.keep(1),
            }
        }
    }

    /// The rest of a string, whose opening quote has been read.
    fn string(&mut self) {
        while let Some(&byte) = self.rest.first() {
            match byte {
                b'"' => return self.keep(1),
                b'\\' => self.escape(),
                // A raw control character is no damage: it only lacks its escape.
                0..0x20 => {
                    self.replace(1, format!("\\u{byte:04x}").as_bytes());
                }
                _ => self.keep(1),
            }
        }
    }

    fn escape(&mut self) {
        match self.rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.keep(2),
            Some(b'u') => match (code_unit(self.rest), code_unit(self.rest.get(6..).unwrap_or(&[]))) {
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => self.keep(12),
                (Some(0xD800..=0xDFFF), _) => self.replace(6, NO_CHARACTER),
                (Some(_), _) => self.keep(6),
                (None, _) => self.replace(2, NO_CHARACTER),
            },
            // The character after it is not swallowed: it may be the closing quote's neighbour, or
            // the first byte of a longer character.
            _ => self.replace(1, NO_CHARACTER),
        }
    }

    fn number(&mut self) {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let length = self.rest.iter().position(|byte| !is_part(byte)).unwrap_or(self.rest.len());
        let token = &self.rest[..length];
        let unreadable = match token {
            b"NaN" | b"-NaN" | b"Infinity" | b"-Infinity" => true,
            _ if token[0].is_ascii_alphabetic() => false,
            _ => std::str::from_utf8(token)
                .ok()
                .and_then(|token| token.parse::<f64>().ok())
                .is_some_and(f64::is_infinite),
        };
        if unreadable {
            self.replace(length, NO_NUMBER);
        } else {
            self.keep(length);
        }
    }

    fn keep(&mut self, length: usize) {
        let (kept, rest) = self.rest.split_at(length);
        self.json.extend_from_slice(kept);
        self.rest = rest;
    }

    fn replace(&mut self, length: usize, with: &[u8]) {
        self.json.extend_from_slice(with);
        self.rest = &self.rest[length..];
        self.places += 1;
    }
}

/// The code unit of a `\uXXXX` at the start of `text`.
fn code_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(line: &[u8]) -> Option<String> {
        repair(line).map(|r| String::from_utf8(r.json).unwrap())
    }

    #[test]
    fn only_what_is_damaged_is_replaced() {
        assert_eq!(repaired(br#"{"a":"\ud83d\ude00 \n \u0041","b":-1.5e3}"#), None);
        assert_eq!(repaired(br#""\ud83d""#).unwrap(), r#""\ufffd""#);
        assert_eq!(repaired(br#""\ude00\ud83d\ude00""#).unwrap(), r#""\ufffd\ud83d\ude00""#);
        assert_eq!(repaired(br#""\u12""#).unwrap(), r#""\ufffd12""#);
        assert_eq!(repaired(br#""\x""#).unwrap(), r#""\ufffdx""#);
        assert_eq!(repaired(b"\"a\tb\"").unwrap(), r#""a\u0009b""#);
        assert_eq!(repaired(b"\"\xE4\xBD\"").unwrap(), "\"\u{FFFD}\"");
        assert_eq!(repaired(b"[1e999,-1E400,NaN,-Infinity]").unwrap(), "[1e308,1e308,1e308,1e308]");
    }

    #[test]
    fn numbers_and_names_within_strings_are_left_alone() {
        assert_eq!(repaired(br#"{"NaN":"1e999 NaN Infinity"}"#), None);
    }

    #[test]
    fn a_line_that_ends_anywhere_does_not_panic() {
        let line = br#"{"a":"\ud83d\ude00\u00e9\n","b":[-1.5e3,NaN]}"#;
        for end in 0..line.len() {
            repair(&line[..end]);
        }
    }
}
