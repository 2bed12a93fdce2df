//! A bounded map that forgets what was not touched for longest.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Keys are pseudonyms or hashes already; hashing them again would only cost time.
#[derive(Clone, Copy, Default)]
pub struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = self.0.rotate_left(29) ^ u64::from_le_bytes(word);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

type Generation<V> = HashMap<u64, V, BuildHasherDefault<IdentityHasher>>;

/// A map of at most `capacity` entries in two generations.
///
/// An entry that is touched moves to the young generation. When the young one holds half of the
/// capacity it becomes the old one, and what the old one still held is forgotten: so the entries
/// that go are those not touched since at least `capacity / 2` other entries were. Each operation
/// is O(1) amortised, and what is kept depends on the order of the operations alone.
#[derive(Clone, Debug)]
pub struct AgedMap<V> {
    young: Generation<V>,
    old: Generation<V>,
    half: usize,
    forgotten: u64,
}

impl<V: Clone> AgedMap<V> {
    /// An empty map for at most `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            half: (capacity / 2).max(1),
            forgotten: 0,
        }
    }

    /// The value, without touching it.
    #[inline]
    pub fn peek(&self, key: u64) -> Option<&V> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    /// The value, touched; `None` if the key is new or was forgotten.
    #[inline]
    pub fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        if !self.young.contains_key(&key) {
            let value = self.old.remove(&key)?;
            self.make_room();
            return Some(self.young.entry(key).or_insert(value));
        }
        self.young.get_mut(&key)
    }

    /// The value, touched; a new key starts with `fresh`.
    #[inline]
    pub fn entry(&mut self, key: u64, fresh: impl FnOnce() -> V) -> &mut V {
        if !self.young.contains_key(&key) {
            let value = self.old.remove(&key);
            self.make_room();
            return self.young.entry(key).or_insert_with(|| value.unwrap_or_else(fresh));
        }
        self.young.entry(key).or_insert_with(fresh)
    }

    /// Sets the value.
    pub fn insert(&mut self, key: u64, value: V) {
        self.old.remove(&key);
        if !self.young.contains_key(&key) {
            self.make_room();
        }
        self.young.insert(key, value);
    }

    fn make_room(&mut self) {
        if self.young.len() >= self.half {
            self.forgotten += self.old.len() as u64;
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries forgotten so far for want of room.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// All entries of the young generation, then of the old one, each in the order of the keys.
    pub fn generations(&self) -> [Vec<(u64, V)>; 2] {
        [&self.young, &self.old].map(|generation| {
            let mut rows: Vec<_> = generation.iter().map(|(&k, v)| (k, v.clone())).collect();
            rows.sort_unstable_by_key(|row| row.0);
            rows
        })
    }

    /// The map that had these generations.
    pub fn restore(capacity: usize, [young, old]: [Vec<(u64, V)>; 2]) -> Self {
        Self { young: young.into_iter().collect(), old: old.into_iter().collect(), ..Self::new(capacity) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_its_capacity_and_keeps_what_is_touched() {
        let mut map = AgedMap::new(1_000);
        for key in 1..50_000_u64 {
            *map.entry(key.wrapping_mul(0x9E37_79B9_7F4A_7C15), || 0_u32) += 1;
            *map.entry(7, || 0) += 1;
            assert!(map.len() <= 1_000);
        }
        assert_eq!(map.peek(7), Some(&49_999));
        assert!(map.forgotten() > 48_000);
    }

    #[test]
    fn a_restored_map_goes_on_as_the_first_would_have() {
        let mut first = AgedMap::new(16);
        let step = |map: &mut AgedMap<u64>, i: u64| *map.entry(i * i % 37 + 1, || 0) += i;
        (0..100).for_each(|i| step(&mut first, i));
        let mut second = AgedMap::restore(16, first.generations());
        for i in 100..300 {
            step(&mut first, i);
            step(&mut second, i);
        }
        assert_eq!(first.generations(), second.generations());
    }
}
