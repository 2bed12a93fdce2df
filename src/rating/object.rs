//! Reads the objects and the one array of a rating.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use compact_str::format_compact;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{ErrorCode, Problem};
use super::scalar::{Any, Scalar};
use super::shape::Shape;
use super::source::{Foreign, Head, Source};
use super::spec::{Nested, Reader, Spec, is_longer};

/// One field of the contract as the parser knows it; `tests/contract.rs` holds the list of them
/// to the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// JSON path, such as `$.rater.phone`.
    pub path: &'static str,
    /// Whether its absence refuses the rating.
    pub required: bool,
    /// What it allows.
    pub shape: Shape,
}

/// An object of the contract; implemented by the table in `contract.rs`.
pub(super) trait Section<'a>: Sized {
    /// All fields absent.
    fn empty() -> Self;

    /// The names of the fields, by their numbers.
    const NAMES: &'static [&'static str];

    /// How they begin in a line.
    const HEADS: &'static [Head];

    /// The number of a field; [`UNKNOWN`] if the contract has none of that name. Looks from `next` on
    /// first: fields come in the contract's order nearly always.
    #[inline]
    fn index(name: &str, next: u8) -> u8 {
        let (before, after) = Self::NAMES.split_at(Self::NAMES.len().min(usize::from(next)));
        let found = |names: &[&str]| names.iter().position(|&known| known == name);
        match found(after) {
            Some(place) => next + place as u8,
            None => found(before).map_or(UNKNOWN, |place| place as u8),
        }
    }

    /// Reads the value of one field, or skips it where it is a repeat.
    fn read_field<A: Source<'a>>(
        &mut self,
        index: u8,
        repeat: bool,
        map: &mut A,
        reader: &mut Reader,
    ) -> Result<(), A::Error>;

    /// Sets aside the required fields that are not among `seen`.
    fn require(seen: u64, reader: &mut Reader);

    /// The table of the fields.
    fn fields() -> Vec<Field>;
}

/// Number of a key that the contract does not have.
pub(super) const UNKNOWN: u8 = u8::MAX;

/// Reads an object into its place; if the value is none, gives what it is.
pub(super) struct Object<'r, T> {
    pub(super) section: &'r mut T,
    pub(super) reader: &'r mut Reader,
}

impl<'de, T: Section<'de>> DeserializeSeed<'de> for Object<'_, T> {
    type Value = Result<(), Scalar<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// The visits that end in "not what is allowed here".
macro_rules! other_visits {
    ($($other:ident),+) => {$(other_visits!(@ $other);)+};
    (@ seq) => {
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            Any.visit_seq(seq).map(Err)
        }
    };
    (@ map) => {
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Any.visit_map(map).map(Err)
        }
    };
    (@ scalar) => {
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Err(Scalar::Null))
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
            Ok(Err(Scalar::Bool(value)))
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
            Ok(Err(Scalar::Unsigned(value)))
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Err(Scalar::Negative))
        }

        fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
            Ok(Err(Scalar::Float(value)))
        }

        fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
            Ok(Err(Scalar::Text(Cow::Owned(value.to_owned()))))
        }
    };
}

impl<'de, T: Section<'de>> Visitor<'de> for Object<'_, T> {
    type Value = Result<(), Scalar<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.read(&mut Foreign(map)).map(Ok)
    }

    other_visits!(scalar, seq);
}

impl<'de, T: Section<'de>> Object<'_, T> {
    /// Reads the members.
    pub(super) fn read<A: Source<'de>>(self, map: &mut A) -> Result<(), A::Error> {
        let (mut seen, mut repeated) = (0_u64, 0_u64);
        let mut next = 0;
        while let Some(index) = map.next_field::<T>(next)? {
            if index != UNKNOWN {
                next = index + 1;
            }
            let bit = 1_u64.checked_shl(index.into()).unwrap_or(0);
            if bit == 0 || repeated & bit != 0 {
                map.next_value::<IgnoredAny>()?;
            } else {
                self.section.read_field(index, seen & bit != 0, map, self.reader)?;
            }
            repeated |= seen & bit;
            seen |= bit;
        }
        T::require(seen, self.reader);
        Ok(())
    }
}

/// Reads a key as the number of its field, without keeping its text.
pub(super) struct Key<T> {
    /// The number of the field that comes next in the contract.
    next: u8,
    section: PhantomData<T>,
}

impl<T> Key<T> {
    pub(super) fn new(next: u8) -> Self {
        Self { next, section: PhantomData }
    }
}

impl<'de, T: Section<'de>> DeserializeSeed<'de> for Key<T> {
    type Value = u8;

    #[inline(always)]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u8, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, T: Section<'de>> Visitor<'de> for Key<T> {
    type Value = u8;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    #[inline]
    fn visit_str<E: Error>(self, name: &str) -> Result<u8, E> {
        Ok(T::index(name, self.next))
    }
}

impl<'a, T: Section<'a>, const REQUIRED: bool> Spec<'a> for Nested<T, REQUIRED> {
    type Value = T;
    const REQUIRED: bool = REQUIRED;

    fn absent(self) -> T {
        T::empty()
    }

    fn shape(self) -> Shape {
        Shape::Object
    }

    fn fields(self) -> Vec<Field> {
        T::fields()
    }

    fn read<A: Source<'a>>(
        self,
        section: &mut T,
        path: &'static str,
        map: &mut A,
        reader: &mut Reader,
    ) -> Result<(), A::Error> {
        let problem = match map.section(Object { section, reader })? {
            Ok(()) => return Ok(()),
            Err(Scalar::Null) if REQUIRED => Problem::new(ErrorCode::Missing, "null"),
            Err(Scalar::Null) => return Ok(()),
            Err(other) => other.wrong_type(),
        };
        reader.set_aside(REQUIRED, path, problem, Shape::Object);
        Ok(())
    }
}

/// An optional array of strings: what is invalid or too much in it is left out, the rest is read.
#[derive(Clone, Copy)]
pub(super) struct Texts {
    pub(super) max_items: usize,
    pub(super) max_chars: usize,
}

impl<'a> Spec<'a> for Texts {
    type Value = Option<Vec<Cow<'a, str>>>;

    fn absent(self) -> Self::Value {
        None
    }

    fn shape(self) -> Shape {
        Shape::Texts(self.max_items, self.max_chars)
    }

    fn read<A: Source<'a>>(
        self,
        place: &mut Self::Value,
        path: &'static str,
        map: &mut A,
        reader: &mut Reader,
    ) -> Result<(), A::Error> {
        match map.next_value_seed(Array(self))? {
            Ok(Items { kept, left_out }) => {
                if left_out > 0 {
                    let shape = self.shape();
                    reader.warn(path, format_compact!("left out {left_out} of them; allowed is {shape}"));
                }
                if kept.iter().any(|item| reader.damaged(item)) {
                    reader.warn(path, "found damaged characters; each is read as U+FFFD");
                }
                *place = Some(kept);
            }
            Err(Scalar::Null) => {}
            Err(other) => reader.set_aside(false, path, other.wrong_type(), self.shape()),
        }
        Ok(())
    }
}

/// The strings of an array, and how many items had to be left out.
struct Items<'a> {
    kept: Vec<Cow<'a, str>>,
    left_out: usize,
}

struct Array(Texts);

impl<'de> DeserializeSeed<'de> for Array {
    type Value = Result<Items<'de>, Scalar<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Array {
    type Value = Result<Items<'de>, Scalar<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Items { kept: Vec::new(), left_out: 0 };
        while let Some(item) = seq.next_element_seed(Any)? {
            match item {
                Scalar::Text(text)
                    if items.kept.len() < self.0.max_items && !is_longer(&text, self.0.max_chars) =>
                {
                    items.kept.push(text);
                }
                _ => items.left_out += 1,
            }
        }
        Ok(Ok(items))
    }

    other_visits!(scalar, map);
}
