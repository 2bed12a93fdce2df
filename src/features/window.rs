//! Exact values from the events that an entity keeps.
//!
//! Counts, shares and distinct counts of all windows come from one pass, newest event first: each
//! event's 16 bits are spread over 16 byte lanes and summed (at most 64 events, so no lane
//! overflows), and counters are read off where their window ends.

use super::entity::{Events, join, time_of, word_of};
use super::plan::{ALL, has};

/// How often each bit is set among some events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    lanes: [u64; 2],
    /// Number of events.
    pub events: u32,
}

/// One byte per bit.
#[inline]
fn spread(bits: u8) -> u64 {
    let own_bit = (u64::from(bits) * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
    ((own_bit + 0x0040_6070_787c_7e7f) >> 7) & 0x0101_0101_0101_0101
}

impl Sums {
    /// Adds an event.
    #[inline]
    pub fn add(&mut self, mask: u16) {
        self.lanes[0] += spread(mask as u8);
        self.lanes[1] += spread((mask >> 8) as u8);
        self.events += 1;
    }

    /// Removes an event that was added with the same bits.
    #[inline]
    pub fn remove(&mut self, mask: u16) {
        self.lanes[0] -= spread(mask as u8);
        self.lanes[1] -= spread((mask >> 8) as u8);
        self.events -= 1;
    }

    /// How many events have the bit.
    #[inline]
    pub fn get(&self, bit: u8) -> u32 {
        if bit == ALL {
            return self.events;
        }
        (self.lanes[usize::from(bit >> 3)] >> (8 * (bit & 7)) & 0xff) as u32
    }

    /// For a snapshot.
    pub fn to_parts(self) -> [u64; 3] {
        [self.lanes[0], self.lanes[1], u64::from(self.events)]
    }

    /// From a snapshot.
    pub fn from_parts([low, high, events]: [u64; 3]) -> Self {
        Self { lanes: [low, high], events: events as u32 }
    }
}

/// One pass over events, newest first, for windows from the shortest to the longest.
pub(super) struct Pass<'b> {
    /// Events not summed yet.
    words: &'b [[u32; 2]],
    at: i64,
    window: i64,
    /// Whether bits from the ninth on are summed.
    wide: bool,
    sums: Sums,
}

impl<'b> Pass<'b> {
    /// Begins at a time; `words` ends with the last event at or before it.
    #[inline]
    pub fn new(words: &'b [[u32; 2]], at: i64, wide: bool) -> Self {
        Self { words, at, window: 0, wide, sums: Sums::default() }
    }

    /// The sums over a window that is no shorter than the one before.
    #[inline]
    pub fn sums(&mut self, window: i64) -> &Sums {
        if window != self.window {
            self.window = window;
            match self.wide {
                true => self.extend::<true>(),
                false => self.extend::<false>(),
            }
        }
        &self.sums
    }

    #[inline]
    fn extend<const WIDE: bool>(&mut self) {
        let first_inside = word_of((self.at - self.window + 1).max(0), 0);
        while let [older @ .., word] = self.words
            && join(*word) >= first_inside
        {
            self.sums.lanes[0] += spread(word[0] as u8);
            if WIDE {
                self.sums.lanes[1] += spread((word[0] >> 8) as u8);
            }
            self.sums.events += 1;
            self.words = older;
        }
    }
}

/// Number, sum and sum of squares of a feature.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    pub n: u32,
    pub sum: f64,
    pub squares: f64,
}

impl Moments {
    /// Adds a value in the bits of an `f32`; NaN is none.
    pub fn add(&mut self, bits: u32) {
        let value = f64::from(f32::from_bits(bits));
        if !value.is_nan() {
            self.n += 1;
            self.sum += value;
            self.squares += value * value;
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

/// The moments of a feature over the events later than `low`, up to `until`.
pub(super) fn moments(events: Events<'_>, until: usize, low: i64, bit: u8, column: u8) -> Moments {
    let mut out = Moments::default();
    let values = &events.column(column)[..until];
    for (&word, &value) in events.words()[..until].iter().zip(values).rev() {
        let word = join(word);
        if time_of(word) <= low {
            break;
        }
        if has(word as u16, bit) {
            out.add(value);
        }
    }
    out
}

/// Successive events and the gaps between them. Whole milliseconds, so sums are exact in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gaps {
    pub events: u64,
    pub first: i64,
    pub last: i64,
    /// Sum of the squared gaps, in ms².
    pub squares: u128,
}

impl Gaps {
    /// Appends an event that is no earlier than the last.
    pub fn push(&mut self, time: i64) {
        if self.events == 0 {
            self.first = time;
        } else {
            self.squares += square(time - self.last);
        }
        self.last = time;
        self.events += 1;
    }

    /// Appends the events of a later span.
    pub fn append(&mut self, later: &Self) {
        if later.events == 0 {
            return;
        }
        self.push(later.first);
        self.squares += later.squares;
        self.events += later.events - 1;
        self.last = later.last;
    }

    /// Sample standard deviation of the gaps over their mean; `None` below three gaps, or where all
    /// are 0.
    pub fn variation(&self) -> Option<f64> {
        if self.events < 4 || self.last <= self.first {
            return None;
        }
        let gaps = (self.events - 1) as f64;
        let total = (self.last - self.first) as u128;
        // n·Σg² − (Σg)² is exact and never negative.
        let spread = (u128::from(self.events - 1) * self.squares - total * total) as f64;
        let deviation = (spread / gaps / (gaps - 1.0)).sqrt();
        Some(deviation / (total as f64 / gaps))
    }
}

/// A squared gap.
pub(super) fn square(gap: i64) -> u128 {
    let gap = gap.unsigned_abs() as u128;
    gap * gap
}

/// The gaps between events with a bit, later than `low`, up to `until`.
pub(super) fn gaps(events: Events<'_>, until: usize, low: i64, bit: u8) -> Gaps {
    let mut out = Gaps::default();
    let words = &events.words()[..until];
    let before = words.iter().rev().take_while(|&&word| time_of(join(word)) > low).count();
    for &word in &words[until - before..] {
        let word = join(word);
        if has(word as u16, bit) {
            out.push(time_of(word));
        }
    }
    out
}

/// The distinct values in a column of events with a bit, later than `low`, up to `until`: for the
/// rare rating that is late, where the newest bits do not tell.
pub(super) fn distinct(events: Events<'_>, until: usize, low: i64, bit: u8, column: u8) -> u32 {
    let values = events.column(column);
    let counts = |i: &usize| values[*i] != 0 && has(events.word(*i) as u16, bit);
    let from = (0..until).rev().take_while(|&i| time_of(events.word(i)) > low).count();
    let span = until - from..until;
    span.clone()
        .filter(counts)
        .filter(|&i| !(i + 1..span.end).any(|j| values[j] == values[i] && counts(&j)))
        .count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_has_a_lane_of_its_own() {
        let mut sums = Sums::default();
        for _ in 0..64 {
            sums.add(0xffff);
        }
        for bit in 0..16 {
            assert_eq!(sums.get(bit), 64);
            sums.remove(1 << bit);
            sums.add(0);
            assert_eq!(sums.get(bit), 63);
        }
        assert_eq!(sums.get(ALL), 64);
    }

    #[test]
    fn even_gaps_have_no_variation_and_too_few_have_none_to_tell() {
        let mut gaps = Gaps::default();
        for i in 0..3 {
            gaps.push(i * 60_000);
            assert_eq!(gaps.variation(), None);
        }
        gaps.push(180_000);
        assert_eq!(gaps.variation(), Some(0.0));
        gaps.push(180_000);
        // Gaps 60, 60, 60, 0: mean 45, sample deviation 30.
        assert!((gaps.variation().unwrap() - 30.0 / 45.0).abs() < 1e-12);
        let mut same = Gaps::default();
        (0..9).for_each(|_| same.push(7));
        assert_eq!(same.variation(), None);
    }
}
