//! How many ratings, and how suspect, around a time: for links that are too many to look at one by one.

use std::collections::BTreeMap;

use super::SUSPECT;
use crate::hashed::HashedMap;
use crate::time::HOUR_MS;

/// Length of a slot.
const SLOT_MS: i64 = HOUR_MS;
/// Slots on either side of a time that belong to the short window, and to the long one.
const SHORT: i64 = 6;
const LONG: i64 = 72;
/// Slots per block; blocks are forgotten whole.
const SLOTS: usize = 24;
/// No more blocks are kept for a day: at about 400 bytes each, 100 MiB.
const MOST_BLOCKS: usize = 1 << 18;

/// A sum over ratings. Beliefs are in parts of 65535, so that what is taken away leaves nothing behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// Ratings.
    pub ratings: u32,
    /// Of them, suspect.
    pub suspect: u32,
    /// Sum of the beliefs.
    pub belief: u64,
}

impl Tally {
    /// One rating of this belief.
    pub fn of(belief: u16) -> Self {
        Self { ratings: 1, suspect: u32::from(belief >= SUSPECT), belief: u64::from(belief) }
    }

    /// With what `other` counts.
    pub fn add(&mut self, other: Self) {
        self.ratings += other.ratings;
        self.suspect += other.suspect;
        self.belief += other.belief;
    }

    /// Without what `other` counts; never below nothing.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self {
            ratings: self.ratings.saturating_sub(other.ratings),
            suspect: self.suspect.saturating_sub(other.suspect),
            belief: self.belief.saturating_sub(other.belief),
        }
    }
}

type Block = [Tally; SLOTS];

/// Sums per key and hour, in blocks of a day.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Cells {
    days: BTreeMap<i64, HashedMap<Box<Block>>>,
}

fn place(slot: i64) -> (i64, usize) {
    (slot.div_euclid(SLOTS as i64), slot.rem_euclid(SLOTS as i64) as usize)
}

impl Cells {
    /// Counts a rating.
    pub fn add(&mut self, key: u64, at_ms: i64, tally: Tally) {
        let (day, slot) = place(at_ms.div_euclid(SLOT_MS));
        let blocks = self.days.entry(day).or_default();
        if blocks.len() < MOST_BLOCKS || blocks.contains_key(&key) {
            blocks.entry(key).or_default()[slot].add(tally);
        }
    }

    /// Takes a rating for more or less suspect than before.
    pub fn change(&mut self, key: u64, at_ms: i64, from: u16, to: u16) {
        let (day, slot) = place(at_ms.div_euclid(SLOT_MS));
        if let Some(block) = self.days.get_mut(&day).and_then(|blocks| blocks.get_mut(&key)) {
            let mut tally = block[slot].without(Tally::of(from));
            tally.add(Tally::of(to));
            block[slot] = tally;
        }
    }

    /// The sums within 6 hours of a time and within 72, on both sides, to the hour.
    pub fn around(&self, key: u64, at_ms: i64) -> [Tally; 2] {
        let slot = at_ms.div_euclid(SLOT_MS);
        let mut sums = [Tally::default(); 2];
        let (first, last) = (place(slot - LONG).0, place(slot + LONG).0);
        for (day, blocks) in self.days.range(first..=last) {
            let Some(block) = blocks.get(&key) else { continue };
            for (i, tally) in block.iter().enumerate().filter(|(_, tally)| tally.ratings > 0) {
                let away = (day * SLOTS as i64 + i as i64 - slot).abs();
                if away <= LONG {
                    sums[1].add(*tally);
                }
                if away <= SHORT {
                    sums[0].add(*tally);
                }
            }
        }
        sums
    }

    /// Forgets the days that end before a time.
    pub fn forget_before(&mut self, at_ms: i64) {
        let (day, _) = place(at_ms.div_euclid(SLOT_MS));
        if self.days.first_key_value().is_some_and(|(&first, _)| first < day) {
            self.days = self.days.split_off(&day);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_around_a_time_are_those_of_counting_one_by_one(
            ratings in proptest::collection::vec((0_u64..3, 0_i64..400, 0_u16..=u16::MAX), 1..80),
            at in 0_i64..400,
        ) {
            let mut cells = Cells::default();
            for &(key, hour, belief) in &ratings {
                cells.add(key, hour * HOUR_MS + 5, Tally::of(belief));
            }
            for key in 0..3 {
                let naive = |within: i64| {
                    let mut sum = Tally::default();
                    ratings.iter().filter(|r| r.0 == key && (r.1 - at).abs() <= within).for_each(|r| sum.add(Tally::of(r.2)));
                    sum
                };
                prop_assert_eq!(cells.around(key, at * HOUR_MS), [naive(6), naive(72)]);
            }
        }
    }

    #[test]
    fn a_changed_belief_leaves_nothing_of_the_one_before() {
        let mut cells = Cells::default();
        cells.add(7, 0, Tally::of(100));
        cells.change(7, 0, 100, 60_000);
        assert_eq!(cells.around(7, 0)[0], Tally::of(60_000));
        cells.forget_before(48 * HOUR_MS);
        assert_eq!(cells.around(7, 0)[1], Tally::default());
    }
}
