//! How many bad ratings a target usually gets, by day and by hour of the week.
//!
//! All counts are whole numbers, so that the same ratings give the same level on every machine.

use serde::{Deserialize, Serialize};

use crate::date::{Day, UtcOffset};
use crate::time::{DAY_MS, HOUR_MS, Instant};

/// Days that make the usual level, today not among them.
pub const DAYS: usize = 28;
/// Hours of a working day and of a day at the weekend.
const CLASSES: usize = 48;
/// The same in blocks of three hours: a target has too few bad ratings for more.
const BLOCKS: usize = 16;
/// Ratings of the whole city's rhythm that weigh as much as the target's own in each target's rhythm.
const RHYTHM_PRIOR: f64 = 30.0;
/// An hour in which hardly anything ever came is taken for a tenth of an even one.
const QUIETEST: f64 = 0.1;
/// Beyond this many, the counts of the rhythm are halved: so it follows what changes.
const RHYTHM_MOST: u32 = 50_000;
/// Days after which a target's own rhythm is halved.
const RHYTHM_HALVED_DAYS: i32 = 14;
/// Days of the level's mean that weigh as much as the target's own.
const PRIOR_DAYS: f64 = 7.0;
/// A target's usual level is never taken for lower, in bad ratings a day.
const LEAST_PER_DAY: f64 = 0.02;
/// The rate is never taken for better known than this many ratings would make it: days differ by more than
/// chance.
const MOST_SHAPE: f64 = 50.0;

/// The hour of the week that an instant lies in, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(usize);

impl Class {
    /// Of an instant.
    pub fn of(at: Instant, offset: UtcOffset) -> Self {
        let day = offset.day_of(at);
        let hour = (at.ms() - offset.start_of(day).ms()).div_euclid(HOUR_MS).clamp(0, 23) as usize;
        Self(if day.weekday() >= 5 { 24 + hour } else { hour })
    }

    fn block(self) -> usize {
        self.0 / 3
    }

    /// Hours of a week that are in it.
    fn hours(self) -> f64 {
        if self.0 < 24 { 5.0 } else { 2.0 }
    }
}

/// Counts of the last [`DAYS`] days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Days<T> {
    counts: [T; DAYS],
    newest: i32,
}

/// A count that does not run over.
pub trait Count: Copy + Default + Into<u32> {
    /// One more.
    fn plus(self) -> Self;
    /// So many less, but not less than none.
    fn less(self, by: u32) -> Self;
}

macro_rules! counts {
    ($($kind:ty),+) => {
        $(impl Count for $kind {
            fn plus(self) -> Self {
                self.saturating_add(1)
            }
            fn less(self, by: u32) -> Self {
                self.saturating_sub(Self::try_from(by).unwrap_or(Self::MAX))
            }
        })+
    };
}

counts!(u16, u32);

fn place(day: i32) -> usize {
    day.rem_euclid(DAYS as i32) as usize
}

impl<T: Count> Days<T> {
    fn forward(&mut self, day: i32) {
        if self.newest == 0 || day - self.newest >= DAYS as i32 {
            self.counts = [T::default(); DAYS];
            self.newest = self.newest.max(day);
        }
        while self.newest < day {
            self.newest += 1;
            self.counts[place(self.newest)] = T::default();
        }
    }

    /// Counts one; days that are over are left out.
    pub fn add(&mut self, day: Day) {
        self.forward(day.number());
        if self.newest - day.number() < DAYS as i32 {
            let count = &mut self.counts[place(day.number())];
            *count = count.plus();
        }
    }

    /// Takes some back.
    pub fn take_back(&mut self, day: Day, by: u32) {
        if (0..DAYS as i32).contains(&(self.newest - day.number())) {
            let count = &mut self.counts[place(day.number())];
            *count = count.less(by);
        }
    }

    /// The sum over the days before one.
    pub fn before(&self, day: Day) -> u32 {
        let first = day.number() - DAYS as i32 + 1;
        (first.max(self.newest - DAYS as i32 + 1)..day.number())
            .filter(|&past| past <= self.newest)
            .map(|past| self.counts[place(past)].into())
            .fold(0, u32::saturating_add)
    }
}

/// When in the week bad ratings come, over the whole city.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rhythm {
    // More than the 32 places that serde knows arrays of.
    counts: Vec<u32>,
    all: u32,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { counts: vec![0; CLASSES], all: 0 }
    }
}

impl Rhythm {
    fn add(&mut self, class: Class) {
        self.counts[class.0] += 1;
        self.all += 1;
        if self.all > RHYTHM_MOST {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.all = self.counts.iter().sum();
        }
    }

    /// Share of all that comes in a class; an even week counts as two days' worth of ratings.
    fn share(&self, class: Class) -> f64 {
        let even = class.hours() / 168.0;
        (f64::from(self.counts[class.0]) + CLASSES as f64 * even) / (f64::from(self.all) + CLASSES as f64)
    }

    fn block_share(&self, block: usize) -> f64 {
        (3 * block..3 * block + 3).map(|class| self.share(Class(class))).sum()
    }
}

/// What is usual over all targets of a kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Everybody {
    days: Days<u32>,
}

/// What is usual for one target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    days: Days<u16>,
    blocks: [u16; BLOCKS],
    halved: i32,
    /// The first day of which anything would be known.
    since: i32,
}

/// What is expected of a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Bad ratings in the two hours up to now.
    pub in_window: f64,
    /// Bad ratings an hour, now.
    pub per_hour: f64,
    /// How well the rate is known: the shape of its Gamma distribution.
    pub shape: f64,
}

impl Usual {
    /// Of a target that nothing is known of before a day.
    pub fn since(day: Day) -> Self {
        Self { since: day.number(), ..Self::default() }
    }

    /// Learns a bad rating.
    pub fn learn(&mut self, at: Instant, offset: UtcOffset, everybody: &mut Everybody) {
        let (day, class) = (offset.day_of(at), Class::of(at, offset));
        self.days.add(day);
        everybody.days.add(day);
        let epoch = day.number() / RHYTHM_HALVED_DAYS;
        if epoch > self.halved {
            let by = (epoch - self.halved).min(15);
            self.blocks.iter_mut().for_each(|count| *count >>= by);
            self.halved = epoch;
        }
        let count = &mut self.blocks[class.block()];
        *count = count.saturating_add(1);
    }

    /// Unlearns ratings of one day.
    pub fn unlearn(&mut self, at: Instant, offset: UtcOffset, by: u32, everybody: &mut Everybody) {
        let day = offset.day_of(at);
        self.days.take_back(day, by);
        everybody.days.take_back(day, by);
    }

    /// What is expected now, of a target that is one of `targets`.
    pub fn expect(
        &self,
        now: Instant,
        offset: UtcOffset,
        rhythm: &Rhythm,
        everybody: &Everybody,
        targets: usize,
        began: Day,
    ) -> Expected {
        let today = offset.day_of(now);
        let days_since = |day: i32| f64::from((today.number() - day).clamp(0, DAYS as i32 - 1));
        let own = f64::from(self.days.before(today));
        let level = f64::from(everybody.days.before(today))
            / (targets.max(1) as f64 * days_since(began.number()).max(1.0));
        let prior = PRIOR_DAYS * level.max(LEAST_PER_DAY);
        let per_day = (own + prior) / (days_since(self.since) + PRIOR_DAYS);
        let all: f64 = self.blocks.iter().map(|&count| f64::from(count)).sum();
        let per_hour_at = |at: Instant| {
            let class = Class::of(at, offset);
            let block_share = rhythm.block_share(class.block());
            let own = f64::from(self.blocks[class.block()]) + RHYTHM_PRIOR * block_share;
            // How much more of its ratings come in these hours than of the city's.
            let lean = own / (all + RHYTHM_PRIOR) / block_share;
            let intensity = rhythm.share(class) * lean / (class.hours() / 168.0);
            per_day / 24.0 * intensity.max(QUIETEST)
        };
        let per_hour = per_hour_at(now);
        let in_window = per_hour + per_hour_at(Instant(now.ms() - HOUR_MS));
        Expected { in_window, per_hour, shape: (own + prior).min(MOST_SHAPE) }
    }
}

/// Learns when in the week a bad rating came.
pub fn learn_rhythm(rhythm: &mut Rhythm, at: Instant, offset: UtcOffset) {
    rhythm.add(Class::of(at, offset));
}

/// Whether an instant is too old for the usual level.
pub fn is_past(at_ms: i64, now_ms: i64) -> bool {
    at_ms < now_ms - (DAYS as i64 - 1) * DAY_MS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn days_count_as_a_list_would(steps in proptest::collection::vec(-6_i32..9, 1..120), asked in 0_i32..40) {
            let mut days = Days::<u16>::default();
            let (mut list, mut day, mut newest) = (Vec::new(), 20_000, 0);
            for step in steps {
                day = (day + step).max(19_990);
                let past = newest - day >= DAYS as i32;
                newest = newest.max(day);
                days.add(Day::from_number(day).unwrap());
                if !past {
                    list.push(day);
                }
            }
            let on = newest + asked - 5;
            let from = (on - DAYS as i32 + 1).max(newest - DAYS as i32 + 1);
            let naive = list.iter().filter(|&&d| (from..on).contains(&d)).count() as u32;
            prop_assert_eq!(days.before(Day::from_number(on).unwrap()), naive);
        }
    }

    #[test]
    fn a_target_expects_what_it_used_to_get_at_this_hour() {
        let offset = UtcOffset::CHINA;
        let monday = Day::new(2026, 3, 2).unwrap();
        let (mut usual, mut all, mut rhythm) =
            (Usual::since(monday), Everybody::default(), Rhythm::default());
        // Twelve a day, one at each half hour from 9 to 20.
        for day in 0..27 {
            for hour in 9..21 {
                let at = Instant(offset.start_of(monday.plus(day)).ms() + hour * HOUR_MS + HOUR_MS / 2);
                usual.learn(at, offset, &mut all);
                learn_rhythm(&mut rhythm, at, offset);
            }
        }
        let at = |hour: i64| Instant(offset.start_of(monday.plus(27)).ms() + hour * HOUR_MS);
        let expect = |hour| usual.expect(at(hour), offset, &rhythm, &all, 1, monday);
        let noon = expect(15);
        assert!((0.8..1.2).contains(&noon.per_hour) && (1.6..2.4).contains(&noon.in_window), "{noon:?}");
        let night = expect(3);
        assert!(night.per_hour < 0.15, "{night:?}");
    }
}
