//! Which admitted ratings are drawn for review. Reviewers otherwise see only what the machine picked, and
//! labels from that alone would teach it to believe itself.

use serde::{Deserialize, Serialize};

use crate::date::Day;

/// A share of ratings, drawn by their keyed digests: nobody outside can tell which, and a replay draws the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    per_100_000: u32,
    per_day: u32,
}

impl Lot {
    /// Draws none.
    pub const NONE: Self = Self { per_100_000: 0, per_day: 0 };

    /// Draws so many of 100,000 on average.
    pub fn new(per_100_000: u32) -> Self {
        Self { per_100_000: per_100_000.min(100_000), per_day: u32::MAX }
    }

    /// Draws no more than so many a day: people's time is bounded.
    #[must_use]
    pub fn at_most(self, per_day: u32) -> Self {
        Self { per_day, ..self }
    }

    /// The probability with which an admitted rating is drawn, as long as the day has room.
    pub fn share(self) -> f64 {
        f64::from(self.per_100_000) / 100_000.0
    }

    /// Whether the rating with this digest is drawn.
    pub fn draws(self, digest: &[u8; 16]) -> bool {
        let mut drawn = [0; 8];
        drawn.copy_from_slice(&digest[8..]);
        let place = (u128::from(u64::from_le_bytes(drawn)) * 100_000) >> 64;
        place < u128::from(self.per_100_000)
    }
}

/// How many were drawn on the day that is counted, in the order of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// Number of the day.
    day: i32,
    count: u32,
}

impl Drawn {
    /// Whether the lot draws another one that day.
    pub fn has_room(&self, lot: Lot, day: Day) -> bool {
        let before = if self.day == day.number() { self.count } else { 0 };
        before < lot.per_day
    }

    /// Takes note of one that was drawn.
    pub fn note(&mut self, day: Day) {
        if self.day != day.number() {
            *self = Self { day: day.number(), count: 0 };
        }
        self.count = self.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_drawn_in_a_day_than_people_have_time_for() {
        let (lot, mut drawn) = (Lot::new(100_000).at_most(2), Drawn::default());
        let [today, tomorrow] = [20_000, 20_001].map(|day| Day::from_number(day).unwrap());
        for _ in 0..2 {
            assert!(drawn.has_room(lot, today));
            drawn.note(today);
        }
        assert!(!drawn.has_room(lot, today));
        assert!(drawn.has_room(lot, tomorrow));
    }

    #[test]
    fn the_share_drawn_is_the_share_asked_for() {
        let digest = |i: u32| {
            let mut digest = [0; 16];
            digest.copy_from_slice(&blake3::hash(&i.to_le_bytes()).as_bytes()[..16]);
            digest
        };
        let drawn = |lot: Lot| (0..50_000).filter(|&i| lot.draws(&digest(i))).count();
        assert_eq!((drawn(Lot::NONE), drawn(Lot::new(100_000))), (0, 50_000));
        let share = drawn(Lot::new(2_000));
        assert!((900..1_100).contains(&share), "{share} of 1,000 expected");
    }
}
