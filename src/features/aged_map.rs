//! A bounded map that forgets what was not touched for longest.

use super::table::prefetch;

/// How long ago an entry was touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
enum Age {
    /// There is no entry.
    #[default]
    Empty,
    /// Before the last turn.
    Old,
    /// Since then.
    Young,
    /// Just now: it stays young over the turn that follows.
    Kept,
}

#[derive(Clone, Debug, Default)]
struct Slot<V> {
    key: u64,
    age: Age,
    value: V,
}

/// A map of at most `capacity` entries in two generations.
///
/// An entry that is touched moves to the young generation. When the young one holds half of the
/// capacity it becomes the old one, and what the old one still held is forgotten: so the entries
/// that go are those not touched since at least `capacity / 2` other entries were. Each operation
/// is O(1) amortised, and what is kept depends on the order of the operations alone.
///
/// Both generations share one flat table with linear probing, of which at most three quarters are
/// taken: a look-up is one place in memory, and [`AgedMap::prefetch`] can ask for it ahead of time.
/// Nothing is ever removed but at a turn, which goes through the table once.
#[derive(Clone, Debug)]
pub struct AgedMap<V> {
    /// A power of two.
    slots: Vec<Slot<V>>,
    young: usize,
    old: usize,
    half: usize,
    forgotten: u64,
}

const FEWEST_SLOTS: usize = 16;

impl<V: Clone + Default> AgedMap<V> {
    /// An empty map for at most `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        let slots = empty(FEWEST_SLOTS);
        Self { slots, young: 0, old: 0, half: (capacity / 2).max(1), forgotten: 0 }
    }

    /// Asks the memory for an entry that is needed some steps later.
    #[inline]
    pub fn prefetch(&self, key: u64) {
        prefetch(&self.slots, self.home(key));
    }

    /// The value, without touching it.
    #[inline]
    pub fn peek(&self, key: u64) -> Option<&V> {
        self.find(key).ok().map(|at| &self.slots[at].value)
    }

    /// The value, touched; `None` if the key is new or was forgotten.
    #[inline]
    pub fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        let at = self.find(key).ok()?;
        let at = self.touch(at, key);
        Some(&mut self.slots[at].value)
    }

    /// The value, touched; a new key starts with `fresh`.
    #[inline]
    pub fn entry(&mut self, key: u64, fresh: impl FnOnce() -> V) -> &mut V {
        let at = match self.find(key) {
            Ok(at) => self.touch(at, key),
            Err(free) => self.add(free, key, fresh()),
        };
        &mut self.slots[at].value
    }

    /// Sets the value.
    pub fn insert(&mut self, key: u64, value: V) {
        match self.find(key) {
            Ok(at) => {
                let at = self.touch(at, key);
                self.slots[at].value = value;
            }
            Err(free) => {
                self.add(free, key, value);
            }
        }
    }

    /// Where a key would stand if the table were empty.
    #[inline]
    fn home(&self, key: u64) -> usize {
        // Most keys are hashes already. One multiplication spreads the others, and the first bits of
        // the product depend on all of the key (Knuth, "The Art of Computer Programming", 6.4).
        let spread = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (spread >> (u64::BITS - self.slots.len().trailing_zeros())) as usize
    }

    /// Where the key is, or else the free slot where it would go.
    #[inline]
    fn find(&self, key: u64) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let mut at = self.home(key);
        loop {
            let slot = &self.slots[at];
            if slot.age == Age::Empty {
                return Err(at);
            }
            if slot.key == key {
                return Ok(at);
            }
            at = (at + 1) & mask;
        }
    }

    /// Makes an entry young; gives where it is then.
    #[inline]
    fn touch(&mut self, at: usize, key: u64) -> usize {
        if self.slots[at].age == Age::Young {
            return at;
        }
        self.old -= 1;
        if self.young < self.half {
            self.young += 1;
            self.slots[at].age = Age::Young;
            return at;
        }
        self.slots[at].age = Age::Kept;
        self.turn();
        self.young = 1;
        self.find(key).unwrap_or_else(|at| at)
    }

    /// Adds an entry at a free slot; gives where it is then.
    fn add(&mut self, free: usize, key: u64, value: V) -> usize {
        let mut at = free;
        let turns = self.young >= self.half;
        if turns {
            self.turn();
        }
        let grows = (self.len() + 1) * 4 > self.slots.len() * 3;
        if grows {
            self.rebuild(2 * self.slots.len(), |age| age);
        }
        if turns || grows {
            at = self.find(key).unwrap_or_else(|at| at);
        }
        self.young += 1;
        self.slots[at] = Slot { key, age: Age::Young, value };
        at
    }

    /// Forgets the old generation and makes the young one the old one.
    #[cold]
    fn turn(&mut self) {
        self.forgotten += self.old as u64;
        (self.young, self.old) = (0, self.young);
        self.rebuild(self.slots.len(), |age| match age {
            Age::Empty | Age::Old => Age::Empty,
            Age::Young => Age::Old,
            Age::Kept => Age::Young,
        });
    }

    /// Moves all entries to a table of `slots`, each with its age changed.
    #[cold]
    fn rebuild(&mut self, slots: usize, age: impl Fn(Age) -> Age) {
        for mut slot in std::mem::replace(&mut self.slots, empty(slots)) {
            slot.age = age(slot.age);
            if slot.age != Age::Empty {
                let at = self.find(slot.key).unwrap_or_else(|at| at);
                self.slots[at] = slot;
            }
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.young + self.old
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
        [Age::Young, Age::Old].map(|age| {
            let of_age = self.slots.iter().filter(|slot| slot.age == age);
            let mut rows: Vec<_> = of_age.map(|slot| (slot.key, slot.value.clone())).collect();
            rows.sort_unstable_by_key(|row| row.0);
            rows
        })
    }

    /// The map that had these generations.
    pub fn restore(capacity: usize, [young, old]: [Vec<(u64, V)>; 2]) -> Self {
        let mut map = Self::new(capacity);
        old.into_iter().for_each(|(key, value)| map.insert(key, value));
        map.turn();
        young.into_iter().for_each(|(key, value)| map.insert(key, value));
        map
    }
}

fn empty<V: Clone + Default>(slots: usize) -> Vec<Slot<V>> {
    vec![Slot::default(); slots]
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

    proptest::proptest! {
        #[test]
        fn it_keeps_what_two_plain_maps_would_keep(
            capacity in 1_usize..40, steps in proptest::collection::vec((0..3_u8, 0..60_u64), 0..400),
        ) {
            use std::collections::BTreeMap;
            let half = (capacity / 2).max(1);
            let mut map = AgedMap::new(capacity);
            let (mut young, mut old) = (BTreeMap::new(), BTreeMap::new());
            for (i, (step, key)) in (0_u64..).zip(steps) {
                let known = young.contains_key(&key) || old.contains_key(&key);
                match step {
                    0 => *map.entry(key, || 7) += i,
                    1 => map.insert(key, i),
                    _ => proptest::prop_assert_eq!(map.get_mut(key).map(|v| *v += i).is_some(), known),
                }
                if step == 2 && !known {
                    continue;
                }
                let was = old.remove(&key);
                if !young.contains_key(&key) && young.len() >= half {
                    old = std::mem::take(&mut young);
                }
                let value = young.entry(key).or_insert(was.unwrap_or(7));
                *value = if step == 1 { i } else { *value + i };
            }
            let rows = [young, old].map(|rows| rows.into_iter().collect::<Vec<_>>());
            proptest::prop_assert_eq!(map.generations(), rows);
        }
    }
}
