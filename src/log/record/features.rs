//! Feature values in a record.
//!
//! ```text
//! number of slots (varint) ‖ presence, a bit per slot ‖ tags, 2 bits per value ‖ values
//! ```
//!
//! A tag says what the value is: the slot holds 0, holds 1, is a zigzag varint, or is an `f32`. So
//! flags and small counts take two bits, and the bytes can be read without the catalogue, which may
//! have other counters by then. Organisation codes have no value: they are hashed again from the
//! public part.

use super::super::codec::{DecodeError, Fields, put_varint, put_zigzag};
use super::super::entry::PublicRating;
use crate::catalogue::{Catalogue, FeatureId, FeatureVector, MAX_FEATURES, builtin, code_of};

const ZERO: u8 = 0;
const ONE: u8 = 1;
const WHOLE: u8 = 2;
const FLOAT: u8 = 3;

/// The text behind an organisation code's feature; `None` for every other feature.
fn code_text(rating: &PublicRating, id: FeatureId) -> Option<Option<&str>> {
    Some(match id {
        builtin::MATTER => Some(&rating.matter),
        builtin::DEPARTMENT => Some(&rating.department),
        builtin::DISTRICT => rating.district.as_deref(),
        builtin::HALL => rating.hall.as_deref(),
        builtin::WINDOW => rating.window.as_deref(),
        builtin::CLERK => rating.clerk.as_deref(),
        _ => return None,
    })
}

/// Whether the feature is an organisation code, which is not stored.
fn is_code(id: FeatureId) -> bool {
    const FIRST: u16 = builtin::MATTER.0;
    const LAST: u16 = builtin::CLERK.0;
    (FIRST..=LAST).contains(&id.0)
}

/// The bits of the organisation codes, 64 to a word.
const CODES: [u64; MAX_FEATURES / 64] = {
    let mut codes = [0; MAX_FEATURES / 64];
    let mut id = builtin::MATTER.0 as usize;
    while id <= builtin::CLERK.0 as usize {
        codes[id / 64] |= 1 << (id % 64);
        id += 1;
    }
    codes
};

pub fn put(out: &mut Vec<u8>, vector: &FeatureVector, catalogue: &Catalogue) {
    let len = vector.len();
    put_varint(out, len as u64);
    let presence = vector.presence().iter().flat_map(|word| word.to_le_bytes());
    out.extend(presence.take(len.div_ceil(8)));

    let valued = || vector.presence().iter().zip(CODES).map(|(present, codes)| present & !codes);
    let values = valued().map(u64::count_ones).sum::<u32>() as usize;
    let tags_at = out.len();
    let mut tags = [0_u8; MAX_FEATURES / 4];
    let tags_len = values.div_ceil(4);
    out.extend_from_slice(&tags[..tags_len]);
    let mut nth = 0;
    for (word, (mut valued, floats)) in valued().zip(catalogue.floats()).enumerate() {
        while valued != 0 {
            let bit = valued.trailing_zeros();
            valued &= valued - 1;
            let bits = vector.raw(FeatureId((word * 64) as u16 + bit as u16));
            let tag = match bits {
                0 => ZERO,
                1 => ONE,
                _ if floats >> bit & 1 == 1 => {
                    out.extend_from_slice(&(f64::from_bits(bits) as f32).to_le_bytes());
                    FLOAT
                }
                _ => {
                    put_zigzag(out, bits as i64);
                    WHOLE
                }
            };
            tags[nth / 4 % tags.len()] |= tag << (nth % 4 * 2);
            nth += 1;
        }
    }
    out[tags_at..tags_at + tags_len].copy_from_slice(&tags[..tags_len]);
}

pub fn take(fields: &mut Fields<'_>, rating: &PublicRating) -> Result<FeatureVector, DecodeError> {
    const FIELD: &str = "features";
    let len = usize::try_from(fields.varint(FIELD)?).unwrap_or(usize::MAX);
    if len > MAX_FEATURES {
        return Err(DecodeError { field: FIELD, problem: "has too many slots" });
    }
    let presence = fields.take(len.div_ceil(8), FIELD)?;
    let ids = || set_bits(presence).take_while(|&at| at < len).map(|at| FeatureId(at as u16));
    if set_bits(presence).any(|at| at >= len) {
        return Err(DecodeError { field: FIELD, problem: "has a value beyond its slots" });
    }
    let tags = fields.take(ids().filter(|&id| !is_code(id)).count().div_ceil(4), FIELD)?;
    let mut vector = FeatureVector::new(len);
    let mut nth = 0;
    for id in ids() {
        if let Some(text) = code_text(rating, id) {
            if let Some(text) = text {
                vector.set_raw(id, code_of(text));
            }
            continue;
        }
        match tags[nth / 4] >> (nth % 4 * 2) & 3 {
            FLOAT => vector.set_raw(id, f64::from(fields.f32(FIELD)?).to_bits()),
            WHOLE => vector.set_raw(id, fields.zigzag(FIELD)? as u64),
            bit => vector.set_raw(id, u64::from(bit)),
        }
        nth += 1;
    }
    Ok(vector)
}

fn set_bits(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes
        .iter()
        .enumerate()
        .flat_map(|(at, &byte)| (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| at * 8 + bit))
}
