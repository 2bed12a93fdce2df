//! Key to entity: open addressing in flat shards of 8-byte slots.
//!
//! A slot holds 32 bits of the hash and the entity's block; the block holds the whole key. Shards
//! (by the hash's first bits) grow one by one, so that growing never pauses for long. Linear probing
//! with deletion by backward shift: no tombstones, and no look-up longer than its cluster.

use super::arena::Block;
use super::snapshot::{Reader, SnapshotError, Writer};

const SHARD_BITS: u32 = 8;
const SHARDS: usize = 1 << SHARD_BITS;
const FIRST_BITS: u32 = 3;
const EMPTY: u64 = u64::MAX;

/// Bytes of an empty table.
pub(super) const EMPTY_BYTES: usize = (SHARDS * 8) << FIRST_BITS;
/// Bytes that a table may take for each entity: a grown shard is 3/8 full, and may
/// have grown when it held half as many again as it holds now.
pub(super) const BYTES_PER_ENTITY: usize = 32;

/// Asks the processor for the cache line of a word.
#[inline]
pub(super) fn prefetch<T>(words: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(word) = words.get(at) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, and the address is that of an element.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(word).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (words, at);
}

#[derive(Clone, Debug, PartialEq)]
struct Shard {
    slots: Box<[u64]>,
    used: u32,
    /// The home of a tag is its first bits: `tag >> shift`.
    shift: u32,
}

impl Shard {
    fn new(bits: u32) -> Self {
        Self { slots: vec![EMPTY; 1 << bits].into(), used: 0, shift: 32 - bits }
    }

    fn mask(&self) -> usize {
        self.slots.len() - 1
    }

    fn home(&self, slot: u64) -> usize {
        ((slot >> 32) as u32 >> self.shift) as usize
    }

    fn put(&mut self, slot: u64) -> usize {
        let mut at = self.home(slot);
        while self.slots[at] != EMPTY {
            at = (at + 1) & self.mask();
        }
        self.slots[at] = slot;
        self.used += 1;
        at
    }

    fn grow(&mut self) {
        let grown = Self::new(32 - self.shift + 1);
        let old = std::mem::replace(self, grown);
        for &slot in old.slots.iter().filter(|&&slot| slot != EMPTY) {
            self.put(slot);
        }
    }

    fn remove(&mut self, mut hole: usize) {
        self.used -= 1;
        let mut at = hole;
        loop {
            at = (at + 1) & self.mask();
            let slot = self.slots[at];
            if slot == EMPTY {
                break;
            }
            // A slot may move into the hole unless its home lies behind the hole.
            let from_home = at.wrapping_sub(self.home(slot)) & self.mask();
            let from_hole = at.wrapping_sub(hole) & self.mask();
            if from_home >= from_hole {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole] = EMPTY;
    }
}

/// Where an entity's slot is, until the next change of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    shard: usize,
    at: usize,
}

/// The table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    shards: Box<[Shard]>,
    len: usize,
    slots: usize,
}

fn shard_of(hash: u64) -> usize {
    (hash >> (64 - SHARD_BITS)) as usize
}

fn tag_of(hash: u64) -> u32 {
    (hash >> (32 - SHARD_BITS)) as u32
}

impl Table {
    pub fn new() -> Self {
        let shards: Box<[Shard]> = (0..SHARDS).map(|_| Shard::new(FIRST_BITS)).collect();
        Self { shards, len: 0, slots: SHARDS << FIRST_BITS }
    }

    /// Number of entities.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes of all slots.
    pub fn bytes(&self) -> usize {
        self.slots * 8
    }

    /// Asks the processor for the slot of a hash.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        let shard = &self.shards[shard_of(hash)];
        prefetch(&shard.slots, (tag_of(hash) >> shard.shift) as usize);
    }

    /// The entity of a hash, where `is_it` confirms it.
    #[inline]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(Block) -> bool) -> Option<(Position, Block)> {
        let number = shard_of(hash);
        let shard = &self.shards[number];
        let tag = tag_of(hash);
        let mut at = (tag >> shard.shift) as usize;
        loop {
            let slot = shard.slots[at];
            if slot == EMPTY {
                return None;
            }
            if (slot >> 32) as u32 == tag && is_it(Block(slot as u32)) {
                return Some((Position { shard: number, at }, Block(slot as u32)));
            }
            at = (at + 1) & shard.mask();
        }
    }

    /// The first entity that may be this hash's, for prefetching.
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<Block> {
        self.find(hash, |_| true).map(|(_, block)| block)
    }

    /// Adds an entity that is not in the table.
    pub fn insert(&mut self, hash: u64, block: Block) {
        let shard = &mut self.shards[shard_of(hash)];
        if (shard.used as usize + 1) * 4 > shard.slots.len() * 3 {
            self.slots += shard.slots.len();
            shard.grow();
        }
        shard.put(u64::from(tag_of(hash)) << 32 | u64::from(block.0));
        self.len += 1;
    }

    /// An entity moved to another block.
    pub fn moved(&mut self, position: Position, block: Block) {
        let slot = &mut self.shards[position.shard].slots[position.at];
        *slot = *slot & !u64::from(u32::MAX) | u64::from(block.0);
    }

    /// Removes an entity.
    pub fn remove(&mut self, position: Position) {
        self.shards[position.shard].remove(position.at);
        self.len -= 1;
    }

    pub fn write(&self, to: &mut Writer<'_>) -> Result<(), SnapshotError> {
        self.shards.iter().try_for_each(|shard| to.list(&shard.slots))
    }

    pub fn read(from: &mut Reader<'_>, limit_bytes: usize) -> Result<Self, SnapshotError> {
        let mut table = Self::new();
        table.slots = 0;
        for shard in &mut table.shards {
            let mut slots = Vec::new();
            from.list_into(&mut slots, limit_bytes / 8)?;
            if !slots.len().is_power_of_two() || slots.len() < 1 << FIRST_BITS {
                return Err(SnapshotError::Damaged);
            }
            let used = slots.iter().filter(|&&slot| slot != EMPTY).count();
            let shift = 32 - slots.len().trailing_zeros();
            *shard = Shard { slots: slots.into(), used: used as u32, shift };
            table.len += used;
            table.slots += shard.slots.len();
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::mix;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_table_is_a_map(steps in prop::collection::vec((0u64..400, any::<bool>()), 1..2_000), clustered: bool) {
            // Clustered hashes fall into one shard and share homes.
            let hash = |key: u64| if clustered { (key % 7) << 40 | key << 24 } else { mix(key + 1) };
            let mut table = Table::new();
            let mut map = BTreeMap::new();
            for (i, (key, add)) in steps.into_iter().enumerate() {
                let mine = |map: &BTreeMap<u64, u32>, block: Block| map.get(&key) == Some(&block.0);
                let found = table.find(hash(key), |block| mine(&map, block));
                prop_assert_eq!(found.map(|(_, block)| block.0), map.get(&key).copied());
                match (found, add) {
                    (None, true) => {
                        table.insert(hash(key), Block(i as u32));
                        map.insert(key, i as u32);
                    }
                    (Some((position, _)), true) => {
                        table.moved(position, Block(i as u32));
                        map.insert(key, i as u32);
                    }
                    (Some((position, _)), false) => {
                        table.remove(position);
                        map.remove(&key);
                    }
                    (None, false) => {}
                }
                prop_assert_eq!(table.len(), map.len());
            }
            prop_assert!(table.bytes() <= EMPTY_BYTES + 400 * BYTES_PER_ENTITY);
        }
    }
}
