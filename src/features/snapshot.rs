//! The state as bytes and back.
//!
//! Everything is little-endian: a head (magic, version, the counters' fingerprint, the limits, CRC-32C
//! of the head), the state, and the CRC-32C of all of it. Blocks are written as they lie, so that an
//! engine that was restored evicts what the other would have evicted, and gives the same values.

use std::fmt;
use std::io::{self, Read, Write};

use super::arena::{Arena, Block};
use super::counter::CounterSet;
use super::engine::{CounterEngine, GroupStats, Limits};
use super::entity;
use super::evict::Sweep;
use super::evicted::Evicted;
use super::hot::HotKeys;
use super::table::Table;

const MAGIC: [u8; 8] = *b"ZPCOUNT\n";
/// Version of the format.
const VERSION: u32 = 1;
/// Bytes that lists are converted in.
const CHUNK: usize = 1 << 16;

/// Why a snapshot was not written or read.
#[derive(Debug)]
pub enum SnapshotError {
    /// Reading or writing failed.
    Io(io::Error),
    /// It does not begin like a snapshot of counters.
    NotASnapshot,
    /// Its format has another version.
    Version(u32),
    /// It belongs to other counters than the ones declared now; rebuild from the log.
    OtherCounters,
    /// Its checksum is wrong, or it ends early; rebuild from the log.
    Damaged,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "counter snapshot: {error}"),
            Self::NotASnapshot => f.write_str("not a snapshot of counters"),
            Self::Version(found) => {
                write!(f, "counter snapshot of version {found}; this program reads {VERSION}")
            }
            Self::OtherCounters => f.write_str("counter snapshot of other counters than are declared now"),
            Self::Damaged => f.write_str("counter snapshot is damaged"),
        }
    }
}

impl std::error::Error for SnapshotError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for SnapshotError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Io(error),
        }
    }
}

/// A whole number that lists may hold.
pub(super) trait Word: Copy + Default {
    const BYTES: usize;
    fn put(self, to: &mut [u8]);
    fn take(from: &[u8]) -> Self;
}

macro_rules! word {
    ($($type:ty)+) => {$(
        impl Word for $type {
            const BYTES: usize = size_of::<$type>();
            fn put(self, to: &mut [u8]) {
                to.copy_from_slice(&self.to_le_bytes());
            }
            fn take(from: &[u8]) -> Self {
                let mut bytes = [0; size_of::<$type>()];
                bytes.copy_from_slice(from);
                Self::from_le_bytes(bytes)
            }
        }
    )+};
}
word!(u32 u64);

/// Writes and sums up.
pub(super) struct Writer<'w> {
    out: &'w mut dyn Write,
    crc: u32,
    buffer: Vec<u8>,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        Ok(self.out.write_all(bytes)?)
    }

    pub fn number(&mut self, number: u64) -> Result<(), SnapshotError> {
        self.bytes(&number.to_le_bytes())
    }

    /// A list, after its length.
    pub fn list<T: Word>(&mut self, list: &[T]) -> Result<(), SnapshotError> {
        self.number(list.len() as u64)?;
        for part in list.chunks(CHUNK / T::BYTES) {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.resize(part.len() * T::BYTES, 0);
            for (word, bytes) in part.iter().zip(buffer.chunks_exact_mut(T::BYTES)) {
                word.put(bytes);
            }
            self.bytes(&buffer)?;
            self.buffer = buffer;
        }
        Ok(())
    }

    fn checksum(&mut self) -> Result<(), SnapshotError> {
        let crc = self.crc;
        self.bytes(&crc.to_le_bytes())
    }
}

/// Reads and sums up.
pub(super) struct Reader<'r> {
    input: &'r mut dyn Read,
    crc: u32,
    buffer: Vec<u8>,
}

impl Reader<'_> {
    fn bytes(&mut self, bytes: &mut [u8]) -> Result<(), SnapshotError> {
        self.input.read_exact(bytes)?;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        Ok(())
    }

    pub fn number(&mut self) -> Result<u64, SnapshotError> {
        let mut bytes = [0; 8];
        self.bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// A length that is at most `most`.
    pub fn count(&mut self, most: usize) -> Result<usize, SnapshotError> {
        usize::try_from(self.number()?).ok().filter(|&count| count <= most).ok_or(SnapshotError::Damaged)
    }

    /// Appends a list of at most `most` items.
    pub fn list_into<T: Word>(&mut self, list: &mut Vec<T>, most: usize) -> Result<(), SnapshotError> {
        let mut left = self.count(most)?;
        while left > 0 {
            let part = left.min(CHUNK / T::BYTES);
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.resize(part * T::BYTES, 0);
            self.bytes(&mut buffer)?;
            list.extend(buffer.chunks_exact(T::BYTES).map(T::take));
            self.buffer = buffer;
            left -= part;
        }
        Ok(())
    }

    fn checksum(&mut self) -> Result<(), SnapshotError> {
        let crc = self.crc;
        let mut found = [0; 4];
        self.bytes(&mut found)?;
        if u32::from_le_bytes(found) == crc { Ok(()) } else { Err(SnapshotError::Damaged) }
    }
}

impl CounterEngine {
    /// Writes the whole state.
    ///
    /// # Errors
    /// Writing failed.
    pub fn write_snapshot(&self, out: &mut impl Write) -> Result<(), SnapshotError> {
        let mut to = Writer { out, crc: 0, buffer: Vec::new() };
        to.bytes(&MAGIC)?;
        to.bytes(&VERSION.to_le_bytes())?;
        to.bytes(&self.set.fingerprint())?;
        to.number(self.limits.memory_bytes as u64)?;
        to.number(self.limits.hot_bytes as u64)?;
        to.checksum()?;

        to.number(self.watermark as u64)?;
        for &number in &[self.sweep.page as u64, self.sweep.position as u64, self.sweep.rounds] {
            to.number(number)?;
        }
        to.number(self.sweep.cutoff as u64)?;
        to.number(self.hot_evicted)?;
        to.number(self.too_late)?;
        to.list(&self.warm_at.iter().map(|&at| at as u64).collect::<Vec<_>>())?;
        for stats in &self.groups {
            to.list(&[stats.entities, stats.evicted, stats.expired, stats.filter_hits])?;
        }
        self.evicted.iter().try_for_each(|evicted| evicted.write(&mut to))?;
        self.table.write(&mut to)?;
        self.arena.write(&mut to)?;
        self.hot.write(&mut to)?;
        to.checksum()?;
        Ok(out.flush()?)
    }

    /// Reads a state that [`Self::write_snapshot`] wrote for the same counters. It goes on exactly as
    /// the engine that was written would have.
    ///
    /// # Errors
    /// It is no snapshot, of another version, of other counters, or damaged.
    pub fn read_snapshot(set: &CounterSet, input: &mut impl Read) -> Result<Self, SnapshotError> {
        let mut from = Reader { input, crc: 0, buffer: Vec::new() };
        let mut magic = [0; MAGIC.len()];
        from.bytes(&mut magic)?;
        if magic != MAGIC {
            return Err(SnapshotError::NotASnapshot);
        }
        let mut version = [0; 4];
        from.bytes(&mut version)?;
        let version = u32::from_le_bytes(version);
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let mut fingerprint = [0; 32];
        from.bytes(&mut fingerprint)?;
        let limits = Limits { memory_bytes: from.number()? as usize, hot_bytes: from.number()? as usize };
        from.checksum()?;
        if fingerprint != set.fingerprint() {
            return Err(SnapshotError::OtherCounters);
        }

        let mut engine = Self::new(set, limits);
        engine.watermark = from.number()? as i64;
        engine.sweep = Sweep {
            page: from.number()? as usize,
            position: from.number()? as usize,
            rounds: from.number()?,
            cutoff: from.number()? as i64,
        };
        engine.hot_evicted = from.number()?;
        engine.too_late = from.number()?;
        let mut warm_at: Vec<u64> = Vec::new();
        from.list_into(&mut warm_at, engine.warm_at.len())?;
        engine.warm_at = warm_at.into_iter().map(|at| at as i64).collect();
        engine.warm_until = engine.warm_at.iter().copied().max().unwrap_or(i64::MIN);
        for stats in &mut engine.groups {
            let mut read = Vec::new();
            from.list_into(&mut read, 4)?;
            let [entities, evicted, expired, filter_hits] =
                read.try_into().map_err(|_| SnapshotError::Damaged)?;
            *stats = GroupStats { entities, evicted, expired, filter_hits };
        }
        let filter_bytes = Self::filter_bytes(limits, set);
        for (evicted, group) in engine.evicted.iter_mut().zip(&set.plan.groups) {
            *evicted = Evicted::read(&mut from, filter_bytes, group.horizon_ms)?;
        }
        engine.table = Table::read(&mut from, limits.memory_bytes)?;
        engine.arena = Arena::read(&mut from, limits.memory_bytes)?;
        let arena = &engine.arena;
        engine.hot = HotKeys::read(&mut from, |owner: Block| {
            let group = entity::group(arena.try_get(owner)?);
            set.plan.groups.get(group)
        })?;
        from.checksum()?;
        Ok(engine)
    }
}
