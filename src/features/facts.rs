//! What counters ask of one rating, whatever their number: each condition is evaluated once, and each
//! field hashed once.

use super::counter::{CounterSet, Numeric};
use super::entity::{self, Event};
use super::keys::{KeyField, Keys};
use super::mix;
use super::plan::{Column, Group, MAX_COLUMNS, MAX_CONDITIONS, Needs, Plan, Test};
use crate::catalogue::FeatureVector;

/// The answers for one rating.
pub(super) struct Facts {
    /// Answers to the plan's tests.
    tests: [u64; TEST_WORDS],
    /// Hashes of the fields of which some counter counts distinct values.
    hashes: [u32; KeyField::COUNT],
}

/// Each counter has at most two tests of its own.
const TEST_WORDS: usize = crate::catalogue::MAX_FEATURES * 2 / 64;

impl Facts {
    /// Of a rating's keys and its rating-scope features.
    pub fn of(set: &CounterSet, plan: &Plan, keys: &Keys, vector: &FeatureVector) -> Self {
        let mut held = [None; MAX_CONDITIONS];
        for (truth, condition) in held.iter_mut().zip(set.conditions.iter()) {
            *truth = condition.truth(vector);
        }
        let mut tests = [0; TEST_WORDS];
        for (i, &Test { filter, share }) in plan.tests.iter().enumerate() {
            let passes = filter.is_none_or(|filter| held[usize::from(filter)] == Some(true))
                && share.is_none_or(|(condition, needs)| match needs {
                    Needs::True => held[usize::from(condition)] == Some(true),
                    Needs::Known => held[usize::from(condition)].is_some(),
                });
            tests[i / 64] |= u64::from(passes) << (i % 64);
        }
        let mut hashes = [0; KeyField::COUNT];
        for &field in &plan.hashed {
            let key = keys.get(field);
            if key != 0 {
                hashes[field as usize] = ((mix(key ^ field.salt()) >> 32) as u32).max(1);
            }
        }
        Self { tests, hashes }
    }

    /// The event that a group keeps of the rating.
    #[inline]
    pub fn event(&self, group: &Group, at: i64, vector: &FeatureVector) -> Event {
        let mut mask = 0;
        for (bit, &test) in group.bits.iter().enumerate() {
            let test = usize::from(test);
            mask |= ((self.tests[test / 64] >> (test % 64) & 1) as u16) << bit;
        }
        let mut columns = [0; MAX_COLUMNS];
        for (value, &column) in columns.iter_mut().zip(&group.columns) {
            *value = match column {
                Column::Hash(field) => self.hashes[field as usize],
                Column::Value(feature) => value_bits(vector, feature),
            };
        }
        Event { word: entity::word_of(at, mask), columns }
    }
}

/// A numeric feature in the bits of an `f32`; NaN where missing.
fn value_bits(vector: &FeatureVector, feature: Numeric) -> u32 {
    let value = if feature.is_int {
        vector.int(feature.id).map(|value| value as f32)
    } else {
        vector.float(feature.id).map(|value| value as f32)
    };
    value.unwrap_or(f32::NAN).to_bits()
}
