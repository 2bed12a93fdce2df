//! The index file beside a sealed segment.
//!
//! ```text
//!  0  "ZHENPIDX"       8  version u16     10  0 u16      12  records n u32     16  rating keys r u32
//! 20  case keys c u32  24  first sequence u64            32  chain after the segment, 32 bytes
//! 64  bytes of the segment file u64
//! 72  offsets of frames u32 × n
//!     rating keys u64 × r, ascending ‖ numbers of their records u32 × r
//!     case keys u64 × c, ascending ‖ numbers of their records u32 × c
//!     CRC-32C u32 of all before it
//! ```

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use memmap2::Mmap;

use super::{KeyKind, MemoryIndex};
use crate::log::chain::Head;
use crate::log::error::{LogError, io_error};
use crate::log::segment;

const MAGIC: &[u8; 8] = b"ZHENPIDX";
const VERSION: u16 = 2;
const HEADER_BYTES: usize = 72;

/// The index of a sealed segment, in its file.
#[derive(Debug)]
pub struct MappedIndex {
    map: Mmap,
    records: usize,
    ratings: usize,
    cases: usize,
}

/// Writes the index of the segment from `first_sequence` to `after`, whose file has `segment_bytes`, so
/// that it appears whole or not at all. It need not be durable: it can be rebuilt.
pub fn write(
    dir: &Path,
    first_sequence: u64,
    after: Head,
    segment_bytes: u64,
    index: &MemoryIndex,
) -> Result<(), LogError> {
    let (ratings, cases) = (index.sorted(KeyKind::Rating), index.sorted(KeyKind::Case));
    let mut bytes =
        Vec::with_capacity(HEADER_BYTES + index.len() * 4 + (ratings.len() + cases.len()) * 12 + 4);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    for count in [index.len(), ratings.len(), cases.len()] {
        bytes.extend_from_slice(&(count as u32).to_le_bytes());
    }
    bytes.extend_from_slice(&first_sequence.to_le_bytes());
    bytes.extend_from_slice(&after.chain.0);
    bytes.extend_from_slice(&segment_bytes.to_le_bytes());
    bytes.extend(index.offsets().iter().flat_map(|offset| offset.to_le_bytes()));
    for pairs in [&ratings, &cases] {
        bytes.extend(pairs.iter().flat_map(|(key, _)| key.to_le_bytes()));
        bytes.extend(pairs.iter().flat_map(|(_, number)| number.to_le_bytes()));
    }
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());

    let path = segment::path_of(dir, first_sequence).with_extension("idx");
    let temporary = path.with_extension("idx.new");
    let mut file = File::create(&temporary).map_err(io_error("create", &temporary))?;
    file.write_all(&bytes).map_err(io_error("write", &temporary))?;
    fs::rename(&temporary, &path).map_err(io_error("rename", &temporary))
}

impl MappedIndex {
    /// Opens the index of the segment from `first_sequence` to `after`, whose file has `segment_bytes`;
    /// `None` if it is missing, or is not the index of just this file. Erasure makes a file shorter each
    /// time, so the index of what it was before has another length.
    pub fn open(dir: &Path, first_sequence: u64, after: Head, segment_bytes: u64) -> Option<Self> {
        let file = File::open(segment::path_of(dir, first_sequence).with_extension("idx")).ok()?;
        // SAFETY: the file got its name by a rename when it was whole. Nobody writes to it again: a
        // rebuilt index is another file that takes over the name.
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let header = map.get(..HEADER_BYTES)?;
        let count = |at: usize| Some(u32::from_le_bytes(*header[at..].first_chunk()?) as usize);
        let (records, ratings, cases) = (count(12)?, count(16)?, count(20)?);
        let body = map.len().checked_sub(4)?;
        let sound = header[..8] == *MAGIC
            && header[8..10] == VERSION.to_le_bytes()
            && header[24..32] == first_sequence.to_le_bytes()
            && header[32..64] == after.chain.0
            && header[64..72] == segment_bytes.to_le_bytes()
            && after.next_sequence.checked_sub(first_sequence) == Some(records as u64)
            && body == HEADER_BYTES + records * 4 + (ratings + cases) * 12
            && map[body..] == crc32c::crc32c(&map[..body]).to_le_bytes();
        sound.then_some(Self { map, records, ratings, cases })
    }

    /// Offset of a record's frame in the segment.
    pub fn offset(&self, number: usize) -> Option<u64> {
        (number < self.records).then(|| u64::from(self.u32_at(HEADER_BYTES + number * 4)))
    }

    /// Numbers of the records with this key, ascending.
    pub fn find(&self, kind: KeyKind, key: u64) -> impl Iterator<Item = u32> {
        let (at, count) = self.keys_at(kind);
        let first = lower_bound(count, key, |nth| self.u64_at(at + nth * 8));
        (first..count)
            .take_while(move |&nth| self.u64_at(at + nth * 8) == key)
            .map(move |nth| self.u32_at(at + count * 8 + nth * 4))
    }

    /// All keys of a kind.
    pub fn keys(&self, kind: KeyKind) -> impl ExactSizeIterator<Item = u64> {
        let (at, count) = self.keys_at(kind);
        (0..count).map(move |nth| self.u64_at(at + nth * 8))
    }

    /// Where the keys of a kind begin, and how many there are.
    fn keys_at(&self, kind: KeyKind) -> (usize, usize) {
        let ratings = HEADER_BYTES + self.records * 4;
        match kind {
            KeyKind::Rating => (ratings, self.ratings),
            KeyKind::Case => (ratings + self.ratings * 12, self.cases),
        }
    }

    fn u32_at(&self, at: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.map[at..at + 4]);
        u32::from_le_bytes(bytes)
    }

    fn u64_at(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.map[at..at + 8]);
        u64::from_le_bytes(bytes)
    }
}

/// The first of `count` ascending keys that is not below `key`. Keys are hashes, so one is near the
/// place that its value suggests: a bracket grown from there takes a few probes, not log2 n.
fn lower_bound(count: usize, key: u64, key_at: impl Fn(usize) -> u64) -> usize {
    let guess = ((u128::from(key) * count as u128) >> 64) as usize;
    let (mut low, mut high) = (guess, guess);
    let mut step = 64;
    while low > 0 && key_at(low - 1) >= key {
        low = low.saturating_sub(step);
        step *= 2;
    }
    let mut step = 64;
    while high < count && key_at(high) < key {
        high = (high + step).min(count);
        step *= 2;
    }
    while low < high {
        let middle = low.midpoint(high);
        if key_at(middle) < key {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::chain::Digest;
    use crate::log::record::RecordKeys;

    proptest! {
        #[test]
        fn the_bound_is_the_one_that_a_scan_finds(mut keys in prop::collection::vec(prop_oneof![any::<u64>(), 0..50_u64], 0..300), key in prop_oneof![any::<u64>(), 0..50_u64]) {
            keys.sort_unstable();
            let found = lower_bound(keys.len(), key, |nth| keys[nth]);
            prop_assert_eq!(found, keys.partition_point(|&other| other < key));
        }
    }

    #[test]
    fn the_file_finds_what_memory_found_and_no_changed_byte_goes_unseen() {
        let dir = tempfile::tempdir().unwrap();
        let mut memory = MemoryIndex::default();
        for number in 0..40_u32 {
            let case = (number % 3 != 0).then_some(u64::from(number % 7) << 60);
            memory.push(
                64 + number * 400,
                RecordKeys { rating: Some(u64::from(number / 2).wrapping_mul(0x9e37_79b9_7f4a_7c15)), case },
            );
        }
        let after = Head { next_sequence: 140, chain: Digest::of(b"after") };
        write(dir.path(), 100, after, 16_064, &memory).unwrap();
        let mapped = MappedIndex::open(dir.path(), 100, after, 16_064).unwrap();
        for kind in [KeyKind::Rating, KeyKind::Case] {
            for key in mapped.keys(kind) {
                let mut found: Vec<_> = memory.find(kind, key).collect();
                found.reverse();
                assert_eq!(mapped.find(kind, key).collect::<Vec<_>>(), found);
            }
            assert_eq!(mapped.find(kind, 12345).count(), 0);
        }
        assert_eq!(mapped.offset(39), Some(64 + 39 * 400));
        assert_eq!(mapped.offset(40), None);
        assert!(MappedIndex::open(dir.path(), 100, after, 16_063).is_none(), "of another file");

        let path = dir.path().join("00000000000000000100.idx");
        let bytes = fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            // Another file, as the open map must not change.
            fs::remove_file(&path).unwrap();
            fs::write(&path, &changed).unwrap();
            assert!(MappedIndex::open(dir.path(), 100, after, 16_064).is_none(), "byte {at}");
        }
    }
}
