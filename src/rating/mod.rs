//! The contract in: one rating, read leniently.
//!
//! Only the required fields can refuse a rating, because behind each one stands a citizen who
//! knows nothing of JSON. Every other field that is invalid becomes missing and is named in the
//! warnings; a long comment is cut; an unknown channel or entry point reads as `other`; unknown
//! fields are ignored. Where a broken field makes the whole line invalid JSON (a string cut within
//! a surrogate pair, bytes of another encoding, `1e999`), the text is mended and read once more.
//!
//! [`Rating`] holds raw identifiers and shows none of them in `Debug`; it lives until
//! [`crate::observe`] turns it into an observation.

mod contract;
mod error;
mod object;
mod plain;
mod repair;
mod scalar;
mod shape;
mod source;
mod spec;

use compact_str::format_compact;
use serde::de::DeserializeSeed;
use serde_json::de::{Deserializer, IoRead, Read, StrRead};

pub use contract::{Aspects, Device, Network, Rater, Rating, Service, fields};
pub use error::{ErrorCode, RatingError, Warning};
pub use object::Field;
pub use shape::Shape;
pub use spec::Cut;

use error::Problem;
use object::{Object, Section};
use plain::{NotPlain, Plain};
use spec::Reader;

/// The most bytes that one rating may have. A full comment in Chinese takes 6 KiB, or 12 KiB with
/// every character escaped.
pub const MAX_RATING_BYTES: usize = 64 * 1024;

/// Reads one rating from a line of JSON; a byte-order mark before it and white space around it
/// are allowed.
///
/// # Errors
///
/// If a required field (`rating_id`, `submitted_at`, `channel`, `stars`, `service` with `matter`
/// and `department`) is missing, invalid, damaged or given twice; if the line is not one JSON
/// object, even after mending; if it is longer than [`MAX_RATING_BYTES`].
pub fn parse(line: &[u8]) -> Result<Rating<'_>, RatingError> {
    if line.len() > MAX_RATING_BYTES {
        return Err(RatingError {
            code: ErrorCode::TooLarge,
            path: "$",
            found: format!("{} bytes", line.len()).into(),
            allowed: format!("at most {MAX_RATING_BYTES} bytes").into(),
        });
    }
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    if line.trim_ascii().is_empty() {
        return Err(not_json("an empty line".to_owned()));
    }
    let mut rating = Rating::empty();
    let mut reader = Reader::default();
    let read = match std::str::from_utf8(line) {
        Ok(text) => read_plain(text, &mut rating, &mut reader).or_else(|NotPlain| {
            rating = Rating::empty();
            reader = Reader::default();
            read(StrRead::new(text), &mut rating, &mut reader).map_err(|e| e.to_string())
        }),
        Err(error) => Err(format!("no UTF-8 after byte {}", error.valid_up_to())),
    };
    if let Err(syntax) = read {
        rating = Rating::empty();
        reader = Reader { mended: true, ..Reader::default() };
        mend_and_read(line, syntax, &mut rating, &mut reader);
    }
    match reader.refusal {
        Some(refusal) => Err(refusal),
        None => {
            rating.warnings = reader.warnings;
            Ok(rating)
        }
    }
}

/// Second try. The mended text does not outlive this call, so it is read in a way that copies.
#[cold]
fn mend_and_read<'a>(line: &[u8], syntax: String, rating: &mut Rating<'a>, reader: &mut Reader) {
    let read = repair::repair(line).is_some_and(|mended| {
        let places = mended.places;
        reader.warn("$", format_compact!("the line was not valid JSON: mended in {places} place(s)"));
        read(IoRead::new(mended.json.as_slice()), rating, reader).is_ok()
    });
    if !read {
        // Our visitors raise no errors of their own, so the message is serde_json's: it names what
        // was expected and where, and quotes nothing.
        reader.refusal = Some(not_json(format!("a syntax error ({syntax})")));
    }
}

/// Reads one plain object and nothing after it. Where that fails, what it left is of no use.
fn read_plain<'a>(text: &'a str, rating: &mut Rating<'a>, reader: &mut Reader) -> Result<(), NotPlain> {
    let mut plain = Plain::new(text);
    plain.object(Object { section: rating, reader })?;
    plain.end()
}

/// Reads one object and nothing after it. An error is about JSON; what is wrong by the contract,
/// the reader collects.
fn read<'a, R: Read<'a>>(
    source: R,
    rating: &mut Rating<'a>,
    reader: &mut Reader,
) -> Result<(), serde_json::Error> {
    let mut deserializer = Deserializer::new(source);
    let object = Object { section: rating, reader }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    if let Err(other) = object {
        let Problem { code, found } = other.wrong_type();
        reader.refusal = Some(RatingError { code, path: "$", found, allowed: "one JSON object".into() });
    }
    Ok(())
}

fn not_json(found: String) -> RatingError {
    RatingError {
        code: ErrorCode::NotJson,
        path: "$",
        found: found.into(),
        allowed: "one JSON object in UTF-8".into(),
    }
}

#[cfg(test)]
mod tests;
