//! Fingerprints of keys that were evicted while they still mattered.
//!
//! A key that is not in the table is new, unless it hits here; then what it did before is unknown,
//! and its counters are missing. Two generations of a blocked Bloom filter (Putze, Sanders and
//! Singler 2007): a fingerprint goes into the current one; when that has stood for as long as events
//! can matter, it becomes the previous one, and the one before is dropped. So a fingerprint stays for
//! once to twice that time. An overfull filter errs towards missing, never towards new.

use super::snapshot::{Reader, SnapshotError, Writer};

/// Bits of a key, within one cache line.
const PROBES: u32 = 6;
const LINE_WORDS: usize = 8;

/// The fingerprints of one group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Evicted {
    current: Vec<u64>,
    previous: Vec<u64>,
    /// Lines of a generation, which exists from the first eviction on.
    lines: usize,
    /// Watermark when the current generation began.
    since: i64,
    horizon: i64,
}

impl Evicted {
    /// No fingerprints yet. Both generations together will take at most `bytes`.
    pub fn new(bytes: usize, horizon: i64) -> Self {
        let lines = (bytes / 2 / (8 * LINE_WORDS)).max(1);
        Self { current: Vec::new(), previous: Vec::new(), lines, since: i64::MIN, horizon }
    }

    fn line(&self, key: u64) -> usize {
        // The high half of the product spreads keys evenly over any number of lines.
        let line = (u128::from(key) * self.lines as u128) >> 64;
        line as usize * LINE_WORDS
    }

    /// The bits of a key: (word, bit) of its line. The line came from the high bits.
    fn probes(key: u64) -> impl Iterator<Item = (usize, u64)> {
        let bits = super::mix(key);
        (0..PROBES).map(move |i| {
            let bit = bits >> (9 * i) & 511;
            ((bit >> 6) as usize, 1 << (bit & 63))
        })
    }

    /// Moves on to the next generation when its time has come.
    fn turn(&mut self, watermark: i64) {
        if self.since == i64::MIN || watermark - self.since < self.horizon {
            return;
        }
        if watermark - self.since >= 2 * self.horizon {
            self.previous.fill(0);
        } else {
            std::mem::swap(&mut self.current, &mut self.previous);
        }
        self.current.fill(0);
        self.since = watermark;
    }

    /// Adds a key.
    pub fn insert(&mut self, key: u64, watermark: i64) {
        if self.current.is_empty() {
            self.current = vec![0; self.lines * LINE_WORDS];
            self.previous = vec![0; self.lines * LINE_WORDS];
            self.since = watermark;
        }
        self.turn(watermark);
        let line = self.line(key);
        Self::probes(key).for_each(|(word, bit)| self.current[line + word] |= bit);
    }

    /// Whether a key may have been evicted.
    pub fn contains(&mut self, key: u64, watermark: i64) -> bool {
        if self.current.is_empty() {
            return false;
        }
        self.turn(watermark);
        let line = self.line(key);
        let all =
            |generation: &[u64]| Self::probes(key).all(|(word, bit)| generation[line + word] & bit != 0);
        all(&self.current) || all(&self.previous)
    }

    pub fn write(&self, to: &mut Writer<'_>) -> Result<(), SnapshotError> {
        to.number(self.since as u64)?;
        to.list(&self.current)?;
        to.list(&self.previous)
    }

    pub fn read(from: &mut Reader<'_>, bytes: usize, horizon: i64) -> Result<Self, SnapshotError> {
        let mut read = Self::new(bytes, horizon);
        read.since = from.number()? as i64;
        let words = read.lines * LINE_WORDS;
        from.list_into(&mut read.current, words)?;
        from.list_into(&mut read.previous, words)?;
        let lengths = [read.current.len(), read.previous.len()];
        if lengths != [0; 2] && lengths != [words; 2] {
            return Err(SnapshotError::Damaged);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::mix;

    #[test]
    fn an_evicted_key_is_known_for_its_horizon_and_forgotten_after_twice_that() {
        let mut evicted = Evicted::new(1 << 16, 1_000);
        for time in 0..3_000 {
            evicted.insert(mix(time as u64), time);
            for age in [0, 1, 500, 999] {
                assert!(time < age || evicted.contains(mix((time - age) as u64), time));
            }
        }
        let still = (0..900).filter(|&i| evicted.contains(mix(i), 3_000)).count();
        assert!(still < 20, "{still}");
        assert!(!evicted.contains(mix(2_999), 9_000));
    }

    #[test]
    fn few_new_keys_are_taken_for_evicted_ones() {
        let mut evicted = Evicted::new(2 * 15_000, 1_000);
        (0..10_000).for_each(|i| evicted.insert(mix(i), 0));
        let wrong = (10_000..110_000).filter(|&i| evicted.contains(mix(i), 0)).count();
        assert!(wrong < 2_000, "{wrong} of 100 000 at 12 bits a key");
    }
}
