//! The index of a segment that is still being written.

use super::KeyKind;
use crate::hashed::HashedMap;
use crate::log::record::RecordKeys;

/// Offsets and keys of a segment's records. Records are numbered from the segment's first.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    offsets: Vec<u32>,
    ratings: Multimap,
    cases: Multimap,
}

impl MemoryIndex {
    /// Adds the next record.
    pub fn push(&mut self, offset: u32, keys: RecordKeys) {
        let number = self.offsets.len() as u32;
        self.offsets.push(offset);
        self.ratings.push(number, keys.rating);
        self.cases.push(number, keys.case);
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Offset of each record's frame in the segment.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// Numbers of the records with this key, the latest first.
    pub fn find(&self, kind: KeyKind, key: u64) -> impl Iterator<Item = u32> {
        self.map(kind).find(key)
    }

    /// All keys with the numbers of their records, sorted.
    pub fn sorted(&self, kind: KeyKind) -> Vec<(u64, u32)> {
        let map = self.map(kind);
        let mut pairs: Vec<_> =
            map.last.keys().flat_map(|&key| map.find(key).map(move |number| (key, number))).collect();
        pairs.sort_unstable();
        pairs
    }

    fn map(&self, kind: KeyKind) -> &Multimap {
        match kind {
            KeyKind::Rating => &self.ratings,
            KeyKind::Case => &self.cases,
        }
    }
}

/// The last record with each key, and from each record the one before it with the same key.
#[derive(Debug, Default)]
struct Multimap {
    last: HashedMap<u32>,
    previous: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Multimap {
    fn push(&mut self, number: u32, key: Option<u64>) {
        self.previous.push(key.and_then(|key| self.last.insert(key, number)).unwrap_or(NONE));
    }

    fn find(&self, key: u64) -> impl Iterator<Item = u32> {
        let first = self.last.get(&key).copied();
        std::iter::successors(first, |&number| {
            Some(self.previous[number as usize]).filter(|&number| number != NONE)
        })
    }
}
