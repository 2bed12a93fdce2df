//! A reader of plain JSON: what nearly every line is, at a third of the general reader's cost.
//!
//! It knows the grammar of JSON and nothing more, and gives up without a reason on whatever is not
//! plain: a syntax error, a fraction, an escaped key, deep nesting. The caller then reads the line
//! again with `serde_json`, which says what is wrong and where. What this reader accepts, both read
//! alike; a property test holds them together.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::object::{Key, Object, Section};
use super::scalar::{Any, Scalar};
use super::source::{Source, field_at};

/// The line is not plain; nothing is said about why.
#[derive(Debug)]
pub(super) struct NotPlain;

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not plain JSON")
    }
}

impl std::error::Error for NotPlain {}

impl serde::de::Error for NotPlain {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Read<T> = Result<T, NotPlain>;

/// Containers within each other that are skipped; deeper ones are not plain.
const MOST_DEPTH: u32 = 63;
/// Digits of a number that surely fits 64 bits.
const MOST_DIGITS: usize = 18;

/// A place in a line.
pub(super) struct Plain<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Plain<'a> {
    /// The start of a line.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Says that nothing but white space follows.
    pub(super) fn end(mut self) -> Read<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(NotPlain),
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space; stands at it.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Read<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(NotPlain)
        }
    }

    fn word(&mut self, word: &[u8]) -> Read<()> {
        match self.text.as_bytes()[self.at..].starts_with(word) {
            true => {
                self.at += word.len();
                Ok(())
            }
            false => Err(NotPlain),
        }
    }

    /// The rest of a string up to the first quote or backslash, and which of them it is. The opening
    /// quote has been read; stands behind what ended it.
    #[inline]
    fn run(&mut self) -> Read<(&'a str, u8)> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start;
        while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            match first_end(chunk) {
                Some(end) => {
                    at += end;
                    break;
                }
                None => at += CHUNK,
            }
        }
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' | b'\\' => {
                    self.at = at + 1;
                    return Ok((&self.text[start..at], byte));
                }
                0..0x20 => return Err(NotPlain),
                _ => at += 1,
            }
        }
        Err(NotPlain)
    }

    /// A string whose first backslash has been read; `text` is what stood before it.
    #[cold]
    fn escaped(&mut self, text: &str) -> Read<String> {
        let mut out = String::with_capacity(text.len() + 64);
        out.push_str(text);
        loop {
            let escape = self.byte().ok_or(NotPlain)?;
            self.at += 1;
            out.push(match escape {
                b'"' | b'\\' | b'/' => char::from(escape),
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => self.unicode()?,
                _ => return Err(NotPlain),
            });
            let (run, end) = self.run()?;
            out.push_str(run);
            if end == b'"' {
                return Ok(out);
            }
        }
    }

    /// The character of a `\u` that has been read, and of a second one where the two are a pair.
    fn unicode(&mut self) -> Read<char> {
        let first = self.code_unit()?;
        let code = match first {
            0xD800..=0xDBFF => {
                self.word(b"\\u")?;
                let second = self.code_unit()?;
                let low = second.checked_sub(0xDC00).filter(|&low| low < 0x400).ok_or(NotPlain)?;
                0x1_0000 + ((first - 0xD800) << 10 | low)
            }
            _ => first,
        };
        char::from_u32(code).ok_or(NotPlain)
    }

    fn code_unit(&mut self) -> Read<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(NotPlain)?;
        self.at += 4;
        let digit = |unit: u32, &digit: &u8| Some(unit << 4 | char::from(digit).to_digit(16)?);
        digits.iter().try_fold(0, digit).ok_or(NotPlain)
    }

    /// The digits of a whole number, and nothing that would make it another.
    fn whole(&mut self) -> Read<u64> {
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - start;
        let leads_with_zero = digits > 1 && self.text.as_bytes()[start] == b'0';
        let goes_on = matches!(self.byte(), Some(b'.' | b'e' | b'E'));
        if digits == 0 || digits > MOST_DIGITS || leads_with_zero || goes_on {
            return Err(NotPlain);
        }
        Ok(number)
    }

    fn skip_string(&mut self) -> Read<()> {
        let (run, end) = self.run()?;
        if end == b'\\' {
            self.escaped(run)?;
        }
        Ok(())
    }

    /// Skips a whole value, without recursion.
    fn skip(&mut self) -> Read<()> {
        // One bit for each open container: whether it is an object.
        let (mut kinds, mut depth) = (0_u64, 0);
        loop {
            let opened = match self.peek().ok_or(NotPlain)? {
                b'"' => {
                    self.at += 1;
                    self.skip_string()?;
                    false
                }
                open @ (b'{' | b'[') => {
                    if depth == MOST_DEPTH {
                        return Err(NotPlain);
                    }
                    self.at += 1;
                    kinds = kinds << 1 | u64::from(open == b'{');
                    depth += 1;
                    true
                }
                b't' => self.word(b"true").map(|()| false)?,
                b'f' => self.word(b"false").map(|()| false)?,
                b'n' => self.word(b"null").map(|()| false)?,
                b'-' => {
                    self.at += 1;
                    self.whole().map(|_| false)?
                }
                _ => self.whole().map(|_| false)?,
            };
            let mut opened = opened;
            // What ends here, and where the next value begins.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = kinds & 1 == 1;
                match self.peek().ok_or(NotPlain)? {
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    next => {
                        if !opened {
                            if next != b',' {
                                return Err(NotPlain);
                            }
                            self.at += 1;
                        }
                        if is_object {
                            self.expect(b'"')?;
                            self.skip_string()?;
                            self.expect(b':')?;
                        }
                        break;
                    }
                }
                self.at += 1;
                kinds >>= 1;
                depth -= 1;
                opened = false;
            }
        }
    }
}

/// Bytes of a string that are looked at together.
const CHUNK: usize = 16;

/// The first byte that is a quote, a backslash or a control character.
#[cfg(target_arch = "x86_64")]
#[inline]
fn first_end(chunk: &[u8; CHUNK]) -> Option<usize> {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    };
    // SAFETY: every x86-64 has these instructions, and the load reads the chunk's 16 bytes, at any
    // alignment.
    let found = unsafe {
        let bytes = _mm_loadu_si128(chunk.as_ptr().cast());
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control))
    };
    (found != 0).then(|| found.trailing_zeros() as usize)
}

/// The first byte that is a quote, a backslash or a control character.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn first_end(chunk: &[u8; CHUNK]) -> Option<usize> {
    chunk.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
}

impl<'de> Plain<'de> {
    /// Reads an object into its place.
    #[inline]
    pub(super) fn object<T: Section<'de>>(&mut self, object: Object<'_, T>) -> Read<()> {
        self.expect(b'{')?;
        object.read(&mut Members { plain: self, first: true })
    }

    /// A string whose quote has been read.
    #[inline(always)]
    fn string<V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        let (run, end) = self.run()?;
        if end == b'"' {
            return visitor.visit_borrowed_str(run);
        }
        visitor.visit_string(self.escaped(run)?)
    }

    /// A value that is no string, and begins with this byte.
    #[inline(never)]
    fn other<V: Visitor<'de>>(&mut self, first: u8, visitor: V) -> Read<V::Value> {
        match first {
            b'{' => {
                self.at += 1;
                visitor.visit_map(Members { plain: self, first: true })
            }
            b'[' => {
                self.at += 1;
                visitor.visit_seq(Items { plain: self, first: true })
            }
            b't' => self.word(b"true").and_then(|()| visitor.visit_bool(true)),
            b'f' => self.word(b"false").and_then(|()| visitor.visit_bool(false)),
            b'n' => self.word(b"null").and_then(|()| visitor.visit_unit()),
            b'-' => {
                self.at += 1;
                match self.whole()? {
                    // Minus zero is a fraction to `serde_json`.
                    0 => Err(NotPlain),
                    number => visitor.visit_i64(-(number as i64)),
                }
            }
            _ => self.whole().and_then(|number| visitor.visit_u64(number)),
        }
    }
}

impl<'de> Deserializer<'de> for &mut Plain<'de> {
    type Error = NotPlain;

    // Always inlined, so that each field's reader meets its string without a detour; nearly all
    // values are strings.
    #[inline(always)]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.string(visitor)
            }
            Some(byte) => self.other(byte, visitor),
            None => Err(NotPlain),
        }
    }

    #[inline(always)]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.expect(b'"')?;
        self.string(visitor)
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

/// The members of an object, whose brace has been read.
struct Members<'p, 'de> {
    plain: &'p mut Plain<'de>,
    first: bool,
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = NotPlain;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        if !self.goes_on()? {
            return Ok(None);
        }
        let key = seed.deserialize(&mut *self.plain)?;
        self.plain.expect(b':')?;
        Ok(Some(key))
    }

    #[inline(always)]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        seed.deserialize(&mut *self.plain)
    }
}

impl Members<'_, '_> {
    /// Whether another member follows; stands before it.
    #[inline(always)]
    fn goes_on(&mut self) -> Read<bool> {
        match self.plain.peek() {
            Some(b'}') => {
                self.plain.at += 1;
                return Ok(false);
            }
            Some(b',') if !self.first => self.plain.at += 1,
            Some(_) if self.first => {}
            _ => return Err(NotPlain),
        }
        self.first = false;
        Ok(true)
    }
}

impl<'de> Source<'de> for Members<'_, 'de> {
    #[inline]
    fn next_field<T: Section<'de>>(&mut self, next: u8) -> Read<Option<u8>> {
        if !self.goes_on()? {
            return Ok(None);
        }
        let plain = &mut *self.plain;
        plain.expect(b'"')?;
        let field = match field_at::<T>(&plain.text.as_bytes()[plain.at..], next) {
            Some((field, bytes)) => {
                plain.at += bytes;
                field
            }
            None => plain.string(Key::<T>::new(next))?,
        };
        plain.expect(b':')?;
        Ok(Some(field))
    }

    #[inline(always)]
    fn text(&mut self) -> Option<&'de str> {
        if self.plain.peek() != Some(b'"') {
            return None;
        }
        let start = self.plain.at;
        self.plain.at += 1;
        match self.plain.run() {
            Ok((text, b'"')) => Some(text),
            _ => {
                self.plain.at = start;
                None
            }
        }
    }

    #[inline]
    fn section<T: Section<'de>>(&mut self, object: Object<'_, T>) -> Read<Result<(), Scalar<'de>>> {
        match self.plain.peek() {
            Some(b'{') => self.plain.object(object).map(Ok),
            _ => self.next_value_seed(Any).map(Err),
        }
    }
}

/// The items of an array, whose bracket has been read.
struct Items<'p, 'de> {
    plain: &'p mut Plain<'de>,
    first: bool,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = NotPlain;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        match self.plain.peek() {
            Some(b']') => {
                self.plain.at += 1;
                return Ok(None);
            }
            Some(b',') if !self.first => self.plain.at += 1,
            Some(_) if self.first => {}
            _ => return Err(NotPlain),
        }
        self.first = false;
        seed.deserialize(&mut *self.plain).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::de::StrRead;

    /// What the plain reader makes of a text; `None` where it gives up.
    fn plain(text: &str) -> Option<Value> {
        let mut plain = Plain::new(text);
        let value = serde::Deserialize::deserialize(&mut plain).ok()?;
        plain.end().ok().map(|()| value)
    }

    /// Skips instead of reading.
    fn skips(text: &str) -> bool {
        let mut plain = Plain::new(text);
        plain.skip().is_ok() && plain.end().is_ok()
    }

    fn read_whole(text: &str) -> Option<Value> {
        let mut deserializer = serde_json::Deserializer::new(StrRead::new(text));
        let value = serde::Deserialize::deserialize(&mut deserializer).ok()?;
        deserializer.end().ok().map(|()| value)
    }

    fn agree(text: &str) -> Result<(), TestCaseError> {
        let whole = read_whole(text);
        if let Some(value) = plain(text) {
            prop_assert_eq!(Some(value), whole.clone(), "{}", text);
        }
        prop_assert!(!skips(text) || whole.is_some(), "skipped {}", text);
        Ok(())
    }

    #[test]
    fn plain_lines_are_read_and_others_left() {
        let line =
            r#" {"a": "x\u00e9\ud83d\ude00\n", "b" : [1, -2, true, false, null, {}, []],"c":{"d":""} } "#;
        assert_eq!(plain(line), read_whole(line));
        assert!(plain(line).is_some() && skips(line));
        for other in [
            "",
            "{",
            "{\"a\":1,}",
            "{\"a\":1.5}",
            "-0",
            "01",
            "[1 2]",
            "[,1]",
            "{\"a\" 1}",
            "\"\u{1}\"",
            "tru",
            "\"\\ud800\"",
            "\"\\x\"",
            "{} {}",
            "[1}",
            "{1:2}",
            "1e5",
            "9999999999999999999",
        ] {
            assert_eq!(plain(other), None, "{other}");
            assert!(!skips(other) || other == "-0", "{other}");
        }
        let deep = "[".repeat(64) + &"]".repeat(64);
        assert!(!skips(&deep));
        assert!(skips(&deep[1..127]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn what_the_plain_reader_takes_serde_json_reads_alike(
            tokens in prop::collection::vec(prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"long enough for eight\"", "\"\\n\"", "\\", "\\u00e9",
                "\\ud83d", "\\ude00", "1", "0", "-", "-7", "12", "1.5", "e3", "true", "false", "null", " ", "\t",
                "\u{1}", "好评", "\"很好\"", "\"k\":", ",\"k\":", "tru",
            ]), 0..14),
        ) {
            agree(&tokens.concat())?;
        }

        #[test]
        fn a_changed_byte_makes_no_difference_between_the_readers(at in 0..200_usize, byte in 0..128_u8) {
            let line = r#"{"a": "some text", "b": [1, -2, true, null, {"x": []}], "c": {"d": "好\u00e9\ud83d\ude00", "e": 12345}}"#;
            let mut bytes = line.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                agree(text)?;
            }
        }

        #[test]
        fn the_first_end_of_a_run_is_found(
            chunk in prop::array::uniform16(prop_oneof![any::<u8>(), 0x1E..0x24_u8, 0x5B..0x5E_u8]),
        ) {
            let ends = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
            prop_assert_eq!(first_end(&chunk), chunk.iter().position(ends));
        }
    }
}
