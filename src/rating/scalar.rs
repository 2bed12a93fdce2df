//! One JSON value of any type, as the deserialiser hands it over.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{ErrorCode, Problem};

/// A JSON value. Arrays and objects are drained: where a scalar is allowed, all that matters of
/// them is that they are none. (Draining does not recurse, so depth costs nothing.)
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative,
    Float(f64),
    Text(Cow<'a, str>),
    Array,
    Object,
}

impl Scalar<'_> {
    /// The type, with the length of a string; never the value.
    pub(super) fn found(&self) -> Cow<'static, str> {
        match self {
            Self::Null => "null".into(),
            Self::Bool(_) => "a boolean".into(),
            Self::Unsigned(_) | Self::Negative | Self::Float(_) => "a number".into(),
            Self::Text(text) => a_string(text.chars().count()).into(),
            Self::Array => "an array".into(),
            Self::Object => "an object".into(),
        }
    }

    pub(super) fn wrong_type(&self) -> Problem {
        Problem::new(ErrorCode::WrongType, self.found())
    }

    /// A whole number within the range. JSON Schema counts `5.0` as an integer, and so do we.
    pub(super) fn whole(&self, min: u64, max: u64) -> Result<u64, Problem> {
        let number = match *self {
            Self::Unsigned(number) => Some(number),
            Self::Negative => None,
            // The cast saturates, and no range here reaches where f64 skips whole numbers.
            Self::Float(number) if number.fract() == 0.0 && number >= 0.0 => Some(number as u64),
            Self::Float(number) if number.fract() == 0.0 => None,
            Self::Float(_) => {
                return Err(Problem::new(ErrorCode::WrongType, "a number that is not whole"));
            }
            _ => return Err(self.wrong_type()),
        };
        number
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| Problem::new(ErrorCode::OutOfRange, "a number out of range"))
    }
}

/// Describes a string by its length.
pub(super) fn a_string(chars: usize) -> String {
    format!("a string of {chars} character{}", if chars == 1 { "" } else { "s" })
}

/// Reads one value of any type.
pub(super) struct Any;

impl<'de> DeserializeSeed<'de> for Any {
    type Value = Scalar<'de>;

    #[inline(always)]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(u64::try_from(value).map_or(Scalar::Negative, Scalar::Unsigned))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(value))
    }

    #[inline(always)]
    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Object)
    }
}
