//! What is said of a field that is wrong: never its value.

use std::borrow::Cow;
use std::fmt;

use compact_str::CompactString;
use serde::{Serialize, Serializer};

/// Why a rating was refused. Only a required field, or JSON that is none, can refuse one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatingError {
    /// What is wrong, as a stable identifier for programs.
    pub code: ErrorCode,
    /// JSON path of the field, such as `$.stars`; `$` for the whole rating.
    pub path: &'static str,
    /// What was found: a type, a length or a place, never the value.
    pub found: Cow<'static, str>,
    /// What is allowed there.
    pub allowed: Cow<'static, str>,
}

/// The kinds of refusal, and of an optional field's being set aside. Append only: clients test them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A required field is absent or null.
    Missing,
    /// The field has another JSON type.
    WrongType,
    /// A number outside its range.
    OutOfRange,
    /// A string longer than its limit, or empty where it must not be.
    BadLength,
    /// A string that is not of the form that the field has.
    BadFormat,
    /// The field was given twice, so that nobody knows which one is meant.
    DuplicateKey,
    /// The field held bytes that are no UTF-8, or half a character.
    Damaged,
    /// The line is not JSON.
    NotJson,
    /// The line is longer than [`super::MAX_RATING_BYTES`].
    TooLarge,
}

impl ErrorCode {
    /// The identifier on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::WrongType => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::BadLength => "bad_length",
            Self::BadFormat => "bad_format",
            Self::DuplicateKey => "duplicate_key",
            Self::Damaged => "damaged",
            Self::NotJson => "not_json",
            Self::TooLarge => "too_large",
        }
    }
}

impl fmt::Display for RatingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, found, allowed, .. } = self;
        write!(f, "{path}: found {found}; allowed is {allowed}")
    }
}

impl std::error::Error for RatingError {}

impl Serialize for RatingError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            code: &'static str,
            path: &'static str,
            found: &'a str,
            allowed: &'a str,
            message: String,
        }
        Wire {
            code: self.code.name(),
            path: self.path,
            found: &self.found,
            allowed: &self.allowed,
            message: self.to_string(),
        }
        .serialize(serializer)
    }
}

/// An optional field that was invalid and became missing, or was cut. Never quotes the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// JSON path, such as `$.rater.phone`.
    pub path: CompactString,
    /// Why, in English, without the value.
    pub text: CompactString,
}

/// What is wrong with one value, before it is known whether that refuses the rating.
pub(super) struct Problem {
    pub(super) code: ErrorCode,
    pub(super) found: Cow<'static, str>,
}

impl Problem {
    pub(super) fn new(code: ErrorCode, found: impl Into<Cow<'static, str>>) -> Self {
        Self { code, found: found.into() }
    }
}
