//! Where the members of an object come from: `serde_json`, or the reader of plain JSON, which knows
//! shorter ways to nearly all of them.

use serde::de::{DeserializeSeed, MapAccess};

use super::object::{Key, Object, Section};
use super::scalar::Scalar;

/// The members of one object.
pub(super) trait Source<'de>: MapAccess<'de> {
    /// The number of the next member's field; that of the one expected is `next`.
    #[inline]
    fn next_field<T: Section<'de>>(&mut self, next: u8) -> Result<Option<u8>, Self::Error> {
        self.next_key_seed(Key::<T>::new(next))
    }

    /// The value, if it is a string that stands in the line as it is; otherwise nothing was read.
    #[inline]
    fn text(&mut self) -> Option<&'de str> {
        None
    }

    /// Reads the value, an object, into its place; if it is none, gives what it is.
    #[inline]
    fn section<T: Section<'de>>(
        &mut self,
        object: Object<'_, T>,
    ) -> Result<Result<(), Scalar<'de>>, Self::Error> {
        self.next_value_seed(object)
    }
}

/// Members that `serde` hands over.
pub(super) struct Foreign<A>(pub(super) A);

impl<'de, A: MapAccess<'de>> Source<'de> for Foreign<A> {}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Foreign<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

/// The first bytes of a key and the quote behind it, and which of them count.
#[derive(Clone, Copy)]
pub(super) struct Head {
    bits: u128,
    mask: u128,
}

impl Head {
    const BYTES: usize = 16;

    /// That of a name, which has no character to escape.
    pub(super) const fn of(name: &str) -> Self {
        let (name, mut head, mut at) = (name.as_bytes(), Self { bits: 0, mask: 0 }, 0);
        while at <= name.len() && at < Self::BYTES {
            let byte = if at < name.len() { name[at] } else { b'"' };
            head.bits |= (byte as u128) << (8 * at);
            head.mask |= 0xFF << (8 * at);
            at += 1;
        }
        head
    }

    #[inline(always)]
    fn is_at(&self, word: u128) -> bool {
        (word ^ self.bits) & self.mask == 0
    }
}

/// The number of the field whose name stands at the start of these bytes with a quote behind it, and
/// how many bytes that are. Fields come in the contract's order nearly always.
#[inline]
pub(super) fn field_at<'a, T: Section<'a>>(bytes: &[u8], next: u8) -> Option<(u8, usize)> {
    let word = u128::from_le_bytes(*bytes.first_chunk::<{ Head::BYTES }>()?);
    let next = T::HEADS.len().min(usize::from(next));
    let (before, after) = T::HEADS.split_at(next);
    let found = match after.iter().position(|head| head.is_at(word)) {
        Some(found) => next + found,
        None => before.iter().position(|head| head.is_at(word))?,
    };
    let name = T::NAMES[found].as_bytes();
    if name.len() >= Head::BYTES {
        // No two of these names begin alike.
        let rest = bytes[Head::BYTES..].strip_prefix(&name[Head::BYTES..])?;
        rest.starts_with(b"\"").then_some(())?;
    }
    Some((found as u8, name.len() + 1))
}
