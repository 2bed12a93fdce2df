//! A bounded map that forgets what was not touched for longest.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeSeq, Serializer};

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

    /// Bytes that its table takes at most, but for the moment in which it is copied, and for what the values
    /// themselves point to.
    pub fn most_bytes(capacity: usize) -> usize {
        let (mut slots, entries) = (FEWEST_SLOTS, 2 * (capacity / 2).max(1));
        while entries * 4 > slots * 3 {
            slots *= 2;
        }
        slots * size_of::<Slot<V>>()
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

    /// Entries in the order of the table, from a place where no run of neighbours is cut in two: put
    /// into an empty table in this order, each finds the slot that it has here.
    fn in_order(&self) -> impl Iterator<Item = &Slot<V>> {
        let start = self.slots.iter().position(|slot| slot.age == Age::Empty).unwrap_or(0);
        let (before, after) = self.slots.split_at(start);
        after.iter().chain(before).filter(|slot| slot.age != Age::Empty)
    }
}

/// Size of the table, half of the capacity, entries forgotten; then the entries. A map that was read
/// goes on as the one that was written would have, slot for slot.
impl<V: Clone + Default + Serialize> Serialize for AgedMap<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Entries<'m, V>(&'m AgedMap<V>);

        impl<V: Clone + Default + Serialize> Serialize for Entries<'_, V> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut entries = serializer.serialize_seq(Some(self.0.len()))?;
                for slot in self.0.in_order() {
                    entries.serialize_element(&(slot.key, slot.age == Age::Young, &slot.value))?;
                }
                entries.end()
            }
        }

        (self.slots.len() as u64, self.half as u64, self.forgotten, Entries(self)).serialize(serializer)
    }
}

impl<'de, V: Clone + Default + DeserializeOwned> Deserialize<'de> for AgedMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Parts<V> = (u64, u64, u64, Vec<(u64, bool, V)>);
        let (slots, half, forgotten, entries) = Parts::<V>::deserialize(deserializer)?;
        let size = usize::try_from(slots).unwrap_or(0);
        let half = usize::try_from(half).unwrap_or(0);
        // A table is at most twice as large as its entries ever needed.
        let fits = size.is_power_of_two()
            && half > 0
            && size >= FEWEST_SLOTS
            && size <= FEWEST_SLOTS.max(8 * half)
            && entries.len() * 4 <= size * 3;
        if !fits {
            return Err(D::Error::custom("a table of another size than its entries need"));
        }
        let mut map = Self { slots: empty(size), young: 0, old: 0, half, forgotten };
        for (key, young, value) in entries {
            let Err(free) = map.find(key) else { return Err(D::Error::custom("a key twice")) };
            let age = if young { Age::Young } else { Age::Old };
            map.slots[free] = Slot { key, age, value };
            *(if young { &mut map.young } else { &mut map.old }) += 1;
        }
        if map.young > half || map.old > half {
            return Err(D::Error::custom("more entries than there is room for"));
        }
        Ok(map)
    }
}

fn empty<V: Clone + Default>(slots: usize) -> Vec<Slot<V>> {
    vec![Slot::default(); slots]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All entries of the young generation, then of the old one, each in the order of the keys.
    fn generations<V: Clone>(map: &AgedMap<V>) -> [Vec<(u64, V)>; 2] {
        [Age::Young, Age::Old].map(|age| {
            let of_age = map.slots.iter().filter(|slot| slot.age == age);
            let mut rows: Vec<_> = of_age.map(|slot| (slot.key, slot.value.clone())).collect();
            rows.sort_unstable_by_key(|row| row.0);
            rows
        })
    }

    #[test]
    fn its_table_takes_no_more_than_is_said() {
        for capacity in [2, 12, 13, 1_000, 3_072, 3_073] {
            let mut map = AgedMap::<u64>::new(capacity);
            (1..20_000).for_each(|key| map.insert(key, key));
            assert_eq!(map.slots.len() * size_of::<Slot<u64>>(), AgedMap::<u64>::most_bytes(capacity));
        }
    }

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
        for stop in 1..100 {
            step(&mut first, stop);
            let bytes = postcard::to_stdvec(&first).unwrap();
            let mut second: AgedMap<u64> = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(postcard::to_stdvec(&second).unwrap(), bytes, "equal maps give equal bytes");
            let mut whole = first.clone();
            for i in stop..stop + 60 {
                step(&mut whole, i);
                step(&mut second, i);
            }
            assert_eq!(generations(&whole), generations(&second));
            let [whole, second] = [whole, second].map(|map| postcard::to_stdvec(&map).unwrap());
            assert_eq!(whole, second);
        }
    }

    #[test]
    fn a_table_that_no_map_would_have_is_refused() {
        let refused = |slots: u64, half: u64, entries: Vec<(u64, bool, u64)>| {
            let bytes = postcard::to_stdvec(&(slots, half, 0_u64, entries)).unwrap();
            assert!(postcard::from_bytes::<AgedMap<u64>>(&bytes).is_err());
        };
        refused(17, 8, vec![]);
        refused(1 << 40, 8, vec![]);
        refused(16, 0, vec![]);
        refused(16, 8, vec![(1, true, 1), (1, false, 2)]);
        refused(16, 8, (0..13).map(|key| (key, true, 0)).collect());
        refused(16, 2, (0..3).map(|key| (key, true, 0)).collect());
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
            proptest::prop_assert_eq!(generations(&map), rows);
        }
    }
}
