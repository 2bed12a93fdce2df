//! A Bloom filter that grows: is a key in any sealed segment?

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::KeyKind;

/// Keys that the first generation is made for.
const FIRST_KEYS: usize = 1 << 18;
/// At 16 bits a key, about one absent key in a thousand is thought to be there.
const BITS_PER_KEY: usize = 16;

/// Generations of doubling size, so that memory follows the number of keys (2 to 4 bytes a key) and a
/// look-up touches a cache line in each of a few generations.
#[derive(Debug, Default)]
pub struct KeyFilter {
    generations: Vec<Arc<Generation>>,
    /// Keys that the last generation has room for.
    room: usize,
}

impl KeyFilter {
    /// Makes room for `keys` more keys, and gives the generation to insert them into. Inserting needs
    /// no exclusive access, so that look-ups go on while a segment is added.
    pub fn reserve(&mut self, keys: usize) -> Arc<Generation> {
        match self.generations.last() {
            Some(last) if self.room >= keys => {
                self.room -= keys;
                Arc::clone(last)
            }
            last => {
                let capacity = last.map_or(FIRST_KEYS, |last| 2 * last.capacity).max(keys);
                let generation = Arc::new(Generation::new(capacity));
                self.generations.push(Arc::clone(&generation));
                self.room = capacity - keys;
                generation
            }
        }
    }

    /// Whether the key may be there; `false` is certain.
    pub fn may_contain(&self, kind: KeyKind, key: u64) -> bool {
        self.generations.iter().any(|generation| generation.may_contain(kind, key))
    }
}

/// One bit in each word of a block, so that a key costs one half of a cache line.
type Block = [AtomicU32; 8];

/// A filter of fixed size.
#[derive(Debug)]
pub struct Generation {
    blocks: Box<[Block]>,
    capacity: usize,
}

impl Generation {
    fn new(capacity: usize) -> Self {
        let blocks = (capacity * BITS_PER_KEY).div_ceil(256);
        Self { blocks: (0..blocks).map(|_| Block::default()).collect(), capacity }
    }

    /// Adds a key.
    pub fn insert(&self, kind: KeyKind, key: u64) {
        let (block, bits) = self.place(kind, key);
        for (word, bit) in block.iter().zip(bits) {
            word.fetch_or(bit, Relaxed);
        }
    }

    fn may_contain(&self, kind: KeyKind, key: u64) -> bool {
        let (block, bits) = self.place(kind, key);
        block.iter().zip(bits).all(|(word, bit)| word.load(Relaxed) & bit != 0)
    }

    fn place(&self, kind: KeyKind, key: u64) -> (&Block, [u32; 8]) {
        let key = key ^ kind as u64;
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let block = (u128::from(mixed) * self.blocks.len() as u128) >> 64;
        let low = (mixed as u32) ^ (key >> 32) as u32;
        // Odd multipliers, one to a word: any will do that are unrelated.
        const ODD: [u32; 8] = [
            0x9e37_79b1,
            0x85eb_ca77,
            0xc2b2_ae3d,
            0x27d4_eb2f,
            0x1656_67b1,
            0xd3a2_646d,
            0xfd70_46c5,
            0xb55a_4f09,
        ];
        (&self.blocks[block as usize], ODD.map(|odd| 1 << (low.wrapping_mul(odd) >> 27)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATING: KeyKind = KeyKind::Rating;

    #[test]
    fn what_was_inserted_is_found_and_little_else() {
        let mut filter = KeyFilter::default();
        let key = |number: u64| xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes());
        assert!(!filter.may_contain(RATING, key(1)));
        for batch in 0..5 {
            let generation = filter.reserve(100_000);
            (batch * 100_000..(batch + 1) * 100_000)
                .for_each(|number| generation.insert(RATING, key(number)));
        }
        assert!((0..500_000).all(|number| filter.may_contain(RATING, key(number))));
        let wrong = (500_000..700_000).filter(|&number| filter.may_contain(RATING, key(number))).count();
        assert!(wrong < 1000, "{wrong} of 200000 absent keys");
        assert!(filter.generations.len() <= 3);
    }
}
