//! What a hot key keeps of events that left its block: sums over buckets of 1/64 of the window.
//!
//! The oldest bucket that the window touches counts whole, so a count lies between the exact counts
//! over `w` and over `w + w/64`.

use super::snapshot::{Reader, SnapshotError, Writer};
use super::window::{Gaps, Moments, square};

/// Buckets to a window.
const PARTS: i64 = 64;
/// Buckets kept. A window touches at most 66: 64, one cut at each end, and a 1/64 that is rounded
/// down to whole milliseconds (a window has at least 60 000) does not add another.
const SLOTS: usize = 67;
/// Words of a tally in a snapshot.
const WORDS: usize = 6;

/// What a bucket adds up.
pub(super) trait Tally: Clone + Default {
    /// What is added.
    type Item: Copy;
    /// Whether [`Self::remove`] restores exactly what was before; if not, sums are added anew.
    const EXACT: bool;
    fn is_empty(&self) -> bool;
    fn add(&mut self, item: Self::Item);
    fn merge(&mut self, other: &Self);
    fn remove(&mut self, other: &Self);
    fn to_words(&self) -> [u64; WORDS];
    fn from_words(words: [u64; WORDS]) -> Self;
}

impl Tally for u32 {
    type Item = ();
    const EXACT: bool = true;

    fn is_empty(&self) -> bool {
        *self == 0
    }

    fn add(&mut self, (): ()) {
        *self += 1;
    }

    fn merge(&mut self, other: &Self) {
        *self += other;
    }

    fn remove(&mut self, other: &Self) {
        *self -= other;
    }

    fn to_words(&self) -> [u64; WORDS] {
        [u64::from(*self), 0, 0, 0, 0, 0]
    }

    fn from_words(words: [u64; WORDS]) -> Self {
        words[0] as u32
    }
}

/// Events for which it is known whether a condition holds, and those for which it does. Counted together, so
/// that both are of the same buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub held: u32,
    pub known: u32,
}

impl Tally for Held {
    /// Whether the condition holds.
    type Item = bool;
    const EXACT: bool = true;

    fn is_empty(&self) -> bool {
        self.known == 0
    }

    fn add(&mut self, holds: bool) {
        self.held += u32::from(holds);
        self.known += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.held += other.held;
        self.known += other.known;
    }

    fn remove(&mut self, other: &Self) {
        self.held -= other.held;
        self.known -= other.known;
    }

    fn to_words(&self) -> [u64; WORDS] {
        [u64::from(self.held), u64::from(self.known), 0, 0, 0, 0]
    }

    fn from_words(words: [u64; WORDS]) -> Self {
        Self { held: words[0] as u32, known: words[1] as u32 }
    }
}

impl Tally for Moments {
    type Item = u32;
    // Subtracting floating-point numbers leaves what rounding made of them.
    const EXACT: bool = false;

    fn is_empty(&self) -> bool {
        self.n == 0
    }

    fn add(&mut self, bits: u32) {
        Moments::add(self, bits);
    }

    fn merge(&mut self, other: &Self) {
        Moments::merge(self, other);
    }

    fn remove(&mut self, _: &Self) {}

    fn to_words(&self) -> [u64; WORDS] {
        [u64::from(self.n), self.sum.to_bits(), self.squares.to_bits(), 0, 0, 0]
    }

    fn from_words(words: [u64; WORDS]) -> Self {
        Self { n: words[0] as u32, sum: f64::from_bits(words[1]), squares: f64::from_bits(words[2]) }
    }
}

/// The gaps that end at a bucket's events.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GapTally {
    events: u64,
    squares: u128,
    /// Time of the first event.
    first: i64,
    /// The gap that ends at the first event: it counts only while its other end is in the window.
    lead: i64,
}

impl Tally for GapTally {
    /// Time of an event, and the gap before it.
    type Item = (i64, i64);
    const EXACT: bool = true;

    fn is_empty(&self) -> bool {
        self.events == 0
    }

    fn add(&mut self, (time, gap): (i64, i64)) {
        if self.events == 0 {
            (self.first, self.lead) = (time, gap);
        }
        self.events += 1;
        self.squares += square(gap);
    }

    fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.squares += other.squares;
    }

    fn remove(&mut self, other: &Self) {
        self.events -= other.events;
        self.squares -= other.squares;
    }

    fn to_words(&self) -> [u64; WORDS] {
        let (low, high) = (self.squares as u64, (self.squares >> 64) as u64);
        [self.events, low, high, self.first as u64, self.lead as u64, 0]
    }

    fn from_words([events, low, high, first, lead, _]: [u64; WORDS]) -> Self {
        let squares = u128::from(low) | u128::from(high) << 64;
        Self { events, squares, first: first as i64, lead: lead as i64 }
    }
}

/// The buckets of one window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Buckets<T> {
    window: i64,
    width: i64,
    /// First bucket in [`Self::total`].
    first: i64,
    /// Last bucket that something was added to; the slots hold it and those before it.
    last: i64,
    /// Sum of `first ..= last`.
    total: T,
    slots: [T; SLOTS],
}

impl<T: Tally> Buckets<T> {
    /// Empty buckets for a window, to which nothing earlier than `from` will matter.
    pub fn new(window: i64, from: i64) -> Self {
        let width = window / PARTS;
        let bucket = from.div_euclid(width);
        let slots = std::array::from_fn(|_| T::default());
        Self { window, width, first: bucket, last: bucket, total: T::default(), slots }
    }

    /// Bytes of one.
    pub fn bytes() -> usize {
        size_of::<Self>()
    }

    fn slot(&self, bucket: i64) -> usize {
        bucket.rem_euclid(SLOTS as i64) as usize
    }

    /// The bucket of a time; without a division if it is the one that is expected.
    #[inline]
    fn bucket(&self, time: i64, expected: i64) -> i64 {
        let into = time - expected * self.width;
        if (0..self.width).contains(&into) { expected } else { time.div_euclid(self.width) }
    }

    /// The first bucket that the window at a time touches.
    #[inline]
    fn first_at(&self, at: i64) -> i64 {
        self.bucket(at - self.window + 1, self.first)
    }

    /// Adds to the bucket of a time. What is too old for any bucket is left out.
    pub fn add(&mut self, time: i64, item: T::Item) {
        let bucket = self.bucket(time, self.last);
        if bucket > self.last {
            self.open(bucket);
        }
        if bucket <= self.last - SLOTS as i64 {
            return;
        }
        let slot = self.slot(bucket);
        self.slots[slot].add(item);
        if bucket >= self.first {
            self.total.add(item);
        }
    }

    /// Makes `bucket` the last one. Slots that it takes over belong to no window any more.
    fn open(&mut self, bucket: i64) {
        self.advance(bucket - SLOTS as i64 + 1);
        let from = (self.last + 1).max(bucket - SLOTS as i64 + 1);
        for fresh in from..=bucket {
            let slot = self.slot(fresh);
            self.slots[slot] = T::default();
        }
        self.last = bucket;
    }

    /// Drops buckets before `first` from the total.
    fn advance(&mut self, first: i64) {
        let mut dropped = false;
        for gone in self.first..first.min(self.last + 1) {
            let slot = self.slot(gone);
            if !self.slots[slot].is_empty() {
                self.total.remove(&self.slots[slot]);
                dropped = true;
            }
        }
        self.first = self.first.max(first);
        if dropped && !T::EXACT {
            self.total = self.sum(self.first, self.last + 1);
        }
    }

    /// Sum of buckets that are kept.
    fn sum(&self, from: i64, to: i64) -> T {
        let mut sum = T::default();
        for bucket in from.max(self.last - SLOTS as i64 + 1)..to.min(self.last + 1) {
            sum.merge(&self.slots[self.slot(bucket)]);
        }
        sum
    }

    /// The sum over the window at a time that is no earlier than anything added.
    pub fn total_at(&mut self, at: i64) -> T {
        let first = self.first_at(at);
        if first >= self.first {
            self.advance(first);
            return self.total.clone();
        }
        // A late rating: the total begins later than its window.
        let mut total = self.sum(first, self.first);
        total.merge(&self.total);
        total
    }

    pub fn write(&self, to: &mut Writer<'_>) -> Result<(), SnapshotError> {
        for number in [self.window, self.first, self.last] {
            to.number(number as u64)?;
        }
        for tally in [&self.total].into_iter().chain(&self.slots) {
            tally.to_words().into_iter().try_for_each(|word| to.number(word))?;
        }
        Ok(())
    }

    pub fn read(from: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        let window = from.number()? as i64;
        if window < PARTS {
            return Err(SnapshotError::Damaged);
        }
        let mut buckets = Self::new(window, 0);
        buckets.first = from.number()? as i64;
        buckets.last = from.number()? as i64;
        let tally = |from: &mut Reader<'_>| {
            let mut words = [0; WORDS];
            for word in &mut words {
                *word = from.number()?;
            }
            Ok::<T, SnapshotError>(T::from_words(words))
        };
        buckets.total = tally(from)?;
        for slot in &mut buckets.slots {
            *slot = tally(from)?;
        }
        Ok(buckets)
    }
}

/// The gaps of one window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct GapBuckets {
    buckets: Buckets<GapTally>,
    /// The last event that was added.
    last: i64,
    /// An event came too late to split the gap that it falls into: gaps before it are not known.
    torn: i64,
}

impl GapBuckets {
    pub fn new(window: i64, from: i64) -> Self {
        Self { buckets: Buckets::new(window, from), last: i64::MIN, torn: i64::MIN }
    }

    /// Bytes of one.
    pub fn bytes() -> usize {
        size_of::<Self>()
    }

    pub fn add(&mut self, time: i64) {
        if self.last == i64::MIN {
            self.buckets.add(time, (time, 0));
        } else if time < self.last {
            self.torn = self.torn.max(time);
            return;
        } else {
            self.buckets.add(time, (time, time - self.last));
        }
        self.last = time;
    }

    /// The gaps in the window at a time that is no earlier than anything added; `None` where they
    /// are not known.
    pub fn gaps_at(&mut self, at: i64) -> Option<Gaps> {
        let from = self.buckets.first_at(at);
        if self.torn != i64::MIN && from * self.buckets.width <= self.torn {
            return None;
        }
        let total = self.buckets.total_at(at);
        let first = (from..=self.buckets.last)
            .map(|bucket| &self.buckets.slots[self.buckets.slot(bucket)])
            .find(|tally| !tally.is_empty());
        Some(match first {
            Some(first) if total.events > 0 => Gaps {
                events: total.events,
                first: first.first,
                last: self.last,
                squares: total.squares - square(first.lead),
            },
            _ => Gaps::default(),
        })
    }

    pub fn write(&self, to: &mut Writer<'_>) -> Result<(), SnapshotError> {
        to.number(self.last as u64)?;
        to.number(self.torn as u64)?;
        self.buckets.write(to)
    }

    pub fn read(from: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        let (last, torn) = (from.number()? as i64, from.number()? as i64);
        Ok(Self { last, torn, buckets: Buckets::read(from)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: i64 = 3_600_000;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_count_lies_between_the_window_and_a_64th_more(
            window in 60_000i64..10_000_000,
            steps in prop::collection::vec((0i64..400_000, 0i64..30_000), 1..400),
        ) {
            let mut buckets = Buckets::<u32>::new(window, 0);
            let mut times = Vec::new();
            let mut now = 0;
            for (step, back) in steps {
                now += step;
                // Late arrivals go to their own bucket.
                let time = (now - back).max(0);
                buckets.add(time, ());
                times.push(time);
                let exact = |w: i64| times.iter().filter(|&&t| t > now - w).count() as u32;
                let counted = buckets.total_at(now);
                prop_assert!(exact(window) <= counted && counted <= exact(window + window / 64));
            }
        }

        #[test]
        fn sums_do_not_drift(values in prop::collection::vec((0i64..200_000, -1e6f32..1e6), 1..600)) {
            let mut buckets = Buckets::<Moments>::new(WINDOW, 0);
            let mut seen = Vec::new();
            let mut now = 0;
            for (step, value) in values {
                now += step;
                buckets.add(now, value.to_bits());
                seen.push((now, f64::from(value)));
                let total = buckets.total_at(now);
                let from = (now - WINDOW + 1).div_euclid(WINDOW / 64) * (WINDOW / 64);
                let exact: f64 = seen.iter().filter(|(t, _)| *t >= from).map(|(_, v)| v).sum();
                prop_assert!((total.sum - exact).abs() <= 1e-6 * total.squares.sqrt().max(1.0));
            }
        }

        #[test]
        fn gaps_are_those_between_the_events_of_the_buckets(
            steps in prop::collection::vec(0i64..300_000, 1..300),
        ) {
            let mut buckets = GapBuckets::new(WINDOW, 0);
            let mut times = Vec::new();
            let mut now = 0;
            for step in steps {
                now += step;
                buckets.add(now);
                times.push(now);
                let from = (now - WINDOW + 1).div_euclid(WINDOW / 64) * (WINDOW / 64);
                let mut exact = Gaps::default();
                times.iter().filter(|&&t| t >= from).for_each(|&t| exact.push(t));
                prop_assert_eq!(buckets.gaps_at(now), Some(exact));
            }
        }
    }

    #[test]
    fn an_event_too_late_to_split_its_gap_makes_the_gaps_unknown_while_it_is_in_the_window() {
        let mut buckets = GapBuckets::new(WINDOW, 0);
        (0..10).for_each(|i| buckets.add(i * 60_000));
        buckets.add(30_000);
        assert_eq!(buckets.gaps_at(600_000), None);
        buckets.add(2 * WINDOW);
        assert!(buckets.gaps_at(2 * WINDOW).is_some());
    }
}
