//! The embedded log: segment files in one directory, one writing process.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle};

use super::chain::Head;
use super::error::{LogError, damage, io_error};
use super::frame::{FRAME_BYTES, put_frame};
use super::index::{KeyFilter, KeyKind, MappedIndex, MemoryIndex, write_index};
use super::reader::{Entries, Records, decode, open_segment};
use super::record::{EncodedRecord, MAX_RECORD_BYTES, Record, case_fingerprint, rating_fingerprint};
use super::recover::{self, Recovered};
use super::scan::read_record_at;
use super::segment::{self, HEADER_BYTES};
use super::{Entry, EntryStream, Log};
use crate::pseudonym::Pseudonym;

/// How an embedded log is laid out.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Size of a segment file in bytes. It holds at least one record, however long.
    pub segment_bytes: u32,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20 }
    }
}

/// A small group that leaves the part of the segment that was written before takes this many zeros
/// along. The groups after it overwrite blocks that the file system has allocated already, and their
/// syncs need no journal: half the latency. For larger groups the zeros would cost more than they save.
const ZERO_AHEAD_BYTES: usize = 1 << 20;

/// A log in segment files. Dropping it ends the wait for the index of the last sealed segment.
#[derive(Debug)]
pub struct EmbeddedLog {
    dir: PathBuf,
    options: LogOptions,
    writer: Mutex<Writer>,
    pub(super) shared: Arc<RwLock<Shared>>,
    /// Held while segments are written anew.
    pub(super) erasing: Mutex<()>,
    /// Sealed segments of which nothing is left to erase.
    pub(super) bare: Mutex<BTreeSet<u64>>,
    /// Locked as long as the log is open.
    _lock: File,
}

/// What only the appending thread needs.
#[derive(Debug)]
struct Writer {
    file: Arc<File>,
    path: PathBuf,
    /// Size of the segment.
    capacity: u64,
    /// Where the next frame goes.
    end: u64,
    /// How far the segment's blocks have been written.
    written: u64,
    head: Head,
    buffer: Vec<u8>,
    failed: Option<Arc<LogError>>,
    sealing: Option<JoinHandle<()>>,
}

/// What readers need: everything durable.
#[derive(Debug)]
pub(super) struct Shared {
    /// Ascending; the last is being written.
    pub(super) segments: Vec<Segment>,
    /// Keys of the segments with a mapped index.
    filter: KeyFilter,
    head: Head,
}

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) index: SegmentIndex,
    /// Open for reading, if it is one of the latest: most look-ups are for what came of late.
    pub(super) file: Option<Arc<File>>,
}

/// Segments that stay open for reading; older ones are opened when they are read.
const OPEN_SEGMENTS: usize = 8;

/// A record's segment, open, and where the record is in it.
struct Found {
    first: u64,
    file: Arc<File>,
    offset: u64,
}

#[derive(Debug)]
pub(super) enum SegmentIndex {
    /// Of the active segment.
    Active(MemoryIndex),
    /// Of a sealed segment whose file is not there yet.
    Sealing(Arc<MemoryIndex>),
    Sealed(MappedIndex),
}

impl SegmentIndex {
    fn offset(&self, number: usize) -> Option<u64> {
        match self {
            Self::Active(index) => index.offsets().get(number).copied().map(u64::from),
            Self::Sealing(index) => index.offsets().get(number).copied().map(u64::from),
            Self::Sealed(index) => index.offset(number),
        }
    }
}

impl EmbeddedLog {
    /// Opens the log in a directory, which is created if need be, and recovers it: what a crash left
    /// of a write that was never acknowledged is dropped.
    ///
    /// # Errors
    /// Another process writes to it; a file cannot be read or written; something that was durable is
    /// damaged, and then nothing is changed.
    pub fn open(dir: &Path, options: LogOptions) -> Result<Self, LogError> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let lock = lock_dir(dir)?;
        remove_unfinished(dir)?;
        let firsts = segment::list(dir)?;

        let mut shared = Shared { segments: Vec::new(), filter: KeyFilter::default(), head: Head::GENESIS };
        for pair in firsts.windows(2) {
            let (_, after) = open_segment(dir, pair[1])?;
            let path = segment::path_of(dir, pair[0]);
            let bytes = path.metadata().map_err(io_error("measure", &path))?.len();
            let index = match MappedIndex::open(dir, pair[0], after, bytes) {
                Some(index) => index,
                None => recover::rebuild_index(dir, pair[0], after)?,
            };
            fill_filter(&index, |keys| shared.filter.reserve(keys));
            shared.segments.push(Segment { first: pair[0], index: SegmentIndex::Sealed(index), file: None });
        }
        let first = firsts.last().copied().unwrap_or(0);
        let Recovered { file, index, head, end, capacity } = match firsts.is_empty() {
            true => recover::begin(dir, options.segment_bytes)?,
            false => recover::active(dir, first, options.segment_bytes)?,
        };
        let file = Arc::new(file);
        let reader = Some(Arc::clone(&file));
        shared.segments.push(Segment { first, index: SegmentIndex::Active(index), file: reader });
        shared.head = head;

        let writer = Writer {
            file,
            path: segment::path_of(dir, first),
            capacity,
            end,
            written: end,
            head,
            buffer: Vec::new(),
            failed: None,
            sealing: None,
        };
        let shared = Arc::new(RwLock::new(shared));
        Ok(Self {
            dir: dir.to_owned(),
            options,
            writer: Mutex::new(writer),
            shared,
            erasing: Mutex::default(),
            bare: Mutex::default(),
            _lock: lock,
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Seals the active segment, which begins with `first`, if it is still the active one and holds
    /// anything.
    pub(super) fn seal(&self, first: u64) -> Result<(), LogError> {
        let mut writer = lock(&self.writer);
        if writer.failed.is_none()
            && writer.path == segment::path_of(&self.dir, first)
            && writer.head.next_sequence > first
        {
            writer.roll(0, self)?;
            // Its index is written before anything else happens to the segment.
            if let Some(sealing) = writer.sealing.take() {
                let _ = sealing.join();
            }
        }
        Ok(())
    }

    /// A record's bytes; `None` if it is not durable yet or no longer there.
    ///
    /// # Errors
    /// The segment cannot be read or is damaged.
    pub fn record(&self, sequence: u64) -> Result<Option<Vec<u8>>, LogError> {
        // Opened under the lock, so that the file is the one that the offset is of.
        let Some(Found { first, file, offset }) = read(&self.shared).open_at(&self.dir, sequence)? else {
            return Ok(None);
        };
        let path = || segment::path_of(&self.dir, first);
        match read_record_at(&file, path, offset)? {
            Some(record) => Ok(Some(record)),
            None => Err(damage(&path(), offset, sequence, "the frame's checksum is wrong")),
        }
    }

    /// Records from a sequence on to what is durable now.
    ///
    /// # Errors
    /// The segment cannot be read or its header is damaged.
    pub fn records_from(&self, sequence: u64) -> Result<Records, LogError> {
        let shared = read(&self.shared);
        let oldest = shared.segments.first().map_or(0, |segment| segment.first);
        let active = shared.segments.last().map_or(0, |segment| segment.first);
        let sequence = sequence.max(oldest);
        // A record that is not there yet lies beyond the limit and is never looked for.
        let (first, offset) = match shared.locate(sequence) {
            Some((segment, offset)) => (segment.first, offset),
            None => (active, HEADER_BYTES as u64),
        };
        Ok(Records::start(&self.dir, first, offset, Some(shared.head.next_sequence))?.at(sequence))
    }

    /// Sequences of the records with a key that `is_meant` says yes to, ascending.
    fn find(
        &self,
        kind: KeyKind,
        key: u64,
        is_meant: impl Fn(&Record<'_>) -> Result<bool, super::DecodeError>,
    ) -> Result<Vec<u64>, LogError> {
        let mut found = read(&self.shared).find(kind, key);
        let mut wrong = Vec::new();
        for &sequence in &found {
            let Some(bytes) = self.record(sequence)? else { continue };
            let meant = Record::parse(&bytes).and_then(|record| is_meant(&record));
            if !meant.map_err(|source| LogError::Undecodable { sequence, source })? {
                wrong.push(sequence);
            }
        }
        found.retain(|sequence| !wrong.contains(sequence));
        Ok(found)
    }
}

impl Log for EmbeddedLog {
    fn append(&self, group: &[EncodedRecord]) -> Result<Range<u64>, LogError> {
        if let Some(long) = group.iter().find(|record| record.bytes().len() > MAX_RECORD_BYTES) {
            return Err(LogError::TooLong { bytes: long.bytes().len() });
        }
        let mut writer = lock(&self.writer);
        if let Some(first) = &writer.failed {
            return Err(LogError::Poisoned { first: Arc::clone(first) });
        }
        let start = writer.head.next_sequence;
        if let Err(error) = writer.append(group, self) {
            // What reached the disk is unknown, and a second sync would report success for pages that
            // the first one lost. Only a restart, which reads the disk again, can tell.
            writer.failed = Some(Arc::new(error.clone()));
            return Err(error);
        }
        Ok(start..writer.head.next_sequence)
    }

    fn read(&self, sequence: u64) -> Result<Option<Entry>, LogError> {
        self.record(sequence)?.map(|record| decode(sequence, &record)).transpose()
    }

    fn read_from(&self, sequence: u64) -> Result<EntryStream, LogError> {
        Ok(Box::new(Entries(self.records_from(sequence)?)))
    }

    fn find_rating(&self, rating_id: &str) -> Result<Vec<u64>, LogError> {
        self.find(KeyKind::Rating, rating_fingerprint(rating_id), |record| {
            Ok(record.rating_id()? == Some(rating_id))
        })
    }

    fn find_case(&self, case: &Pseudonym) -> Result<Vec<u64>, LogError> {
        self.find(KeyKind::Case, case_fingerprint(case), |record| Ok(record.case()?.as_ref() == Some(case)))
    }

    fn find_case_fingerprint(&self, fingerprint: u64) -> Vec<u64> {
        read(&self.shared).find(KeyKind::Case, fingerprint)
    }

    fn find_fingerprint(&self, rating: u64) -> Vec<u64> {
        read(&self.shared).find(KeyKind::Rating, rating)
    }

    fn head(&self) -> Head {
        read(&self.shared).head
    }

    fn leads_to(&self, head: Head) -> Result<bool, LogError> {
        let segment = {
            let shared = read(&self.shared);
            let after = shared.segments.partition_point(|segment| segment.first <= head.next_sequence);
            match after.checked_sub(1) {
                Some(at) if head.next_sequence <= shared.head.next_sequence => shared.segments[at].first,
                _ => return Ok(false),
            }
        };
        let (_, mut reached) = open_segment(&self.dir, segment)?;
        let mut records = Records::start(&self.dir, segment, HEADER_BYTES as u64, Some(head.next_sequence))?;
        while let Some((sequence, record)) = records.next()? {
            let record =
                Record::parse(record).map_err(|source| LogError::Undecodable { sequence, source })?;
            reached = reached.after(record.leaf());
        }
        Ok(reached == head)
    }
}

impl Writer {
    fn append(&mut self, mut group: &[EncodedRecord], log: &EmbeddedLog) -> Result<(), LogError> {
        while !group.is_empty() {
            let mut room = self.capacity.saturating_sub(self.end);
            let fits = group.iter().take_while(|record| {
                let bytes = (record.bytes().len() + FRAME_BYTES) as u64;
                let fits = bytes <= room;
                room = room.saturating_sub(bytes);
                fits
            });
            let (now, later) = group.split_at(fits.count());
            if now.is_empty() {
                self.roll(later[0].bytes().len() + FRAME_BYTES, log)?;
            } else {
                self.write(now, log)?;
            }
            group = later;
        }
        Ok(())
    }

    /// Writes and syncs records that fit the segment, then lets readers see them.
    fn write(&mut self, records: &[EncodedRecord], log: &EmbeddedLog) -> Result<(), LogError> {
        self.buffer.clear();
        let mut head = self.head;
        for (nth, record) in records.iter().enumerate() {
            put_frame(&mut self.buffer, record.bytes(), nth == 0);
            head = head.after(record.leaf());
        }
        let end = self.end + self.buffer.len() as u64;
        if end > self.written && self.buffer.len() <= ZERO_AHEAD_BYTES / 16 {
            let ahead = self.capacity.saturating_sub(end).min(ZERO_AHEAD_BYTES as u64);
            self.buffer.resize(self.buffer.len() + ahead as usize, 0);
        }
        self.file.write_all_at(&self.buffer, self.end).map_err(io_error("write", &self.path))?;
        self.file.sync_data().map_err(io_error("sync", &self.path))?;
        self.written = self.written.max(self.end + self.buffer.len() as u64);

        let mut shared = write(&log.shared);
        if let Some(Segment { index: SegmentIndex::Active(index), .. }) = shared.segments.last_mut() {
            let mut offset = self.end as u32;
            for record in records {
                index.push(offset, record.keys());
                offset += (record.bytes().len() + FRAME_BYTES) as u32;
            }
        }
        shared.head = head;
        drop(shared);
        self.head = head;
        self.end = end;
        Ok(())
    }

    /// Seals the segment and begins the next, with room for a frame of `frame_bytes`.
    fn roll(&mut self, frame_bytes: usize, log: &EmbeddedLog) -> Result<(), LogError> {
        // One segment at a time is indexed, which bounds what is kept in memory.
        if let Some(sealing) = self.sealing.take() {
            let _ = sealing.join();
        }
        // The rest of the segment was never used; it need not be there, nor be durably gone.
        let sealed_bytes = self.end;
        self.file.set_len(sealed_bytes).map_err(io_error("cut", &self.path))?;
        let capacity = u64::from(log.options.segment_bytes).max((HEADER_BYTES + frame_bytes) as u64);
        self.file = Arc::new(segment::create(&log.dir, self.head, capacity)?);
        self.path = segment::path_of(&log.dir, self.head.next_sequence);
        self.capacity = capacity;
        self.end = HEADER_BYTES as u64;
        self.written = self.end;

        let mut shared = write(&log.shared);
        let sealed = shared.segments.last_mut().and_then(|segment| {
            let SegmentIndex::Active(index) = &mut segment.index else { return None };
            let index = Arc::new(std::mem::take(index));
            segment.index = SegmentIndex::Sealing(Arc::clone(&index));
            Some((segment.first, index))
        });
        let index = SegmentIndex::Active(MemoryIndex::default());
        let file = Some(Arc::clone(&self.file));
        shared.segments.push(Segment { first: self.head.next_sequence, index, file });
        if let Some(closed) = shared.segments.iter_mut().rev().nth(OPEN_SEGMENTS) {
            closed.file = None;
        }
        drop(shared);
        if let Some((first, index)) = sealed {
            let (dir, after, shared) = (log.dir.clone(), self.head, Arc::clone(&log.shared));
            let thread = thread::Builder::new().name("log-index".to_owned());
            let sealing = thread.spawn(move || seal_index(&dir, first, after, sealed_bytes, &index, &shared));
            self.sealing = sealing.ok();
        }
        Ok(())
    }
}

/// Writes the index of a sealed segment and puts it in the place of the one in memory. Where that
/// fails, the one in memory goes on serving, and the next start tries again.
fn seal_index(dir: &Path, first: u64, after: Head, bytes: u64, index: &MemoryIndex, shared: &RwLock<Shared>) {
    if let Err(error) = write_index(dir, first, after, bytes, index) {
        tracing::warn!(%error, "the index of a log segment could not be written; it stays in memory");
        return;
    }
    let Some(mapped) = MappedIndex::open(dir, first, after, bytes) else {
        tracing::warn!(first, "the index of a log segment does not read back; it stays in memory");
        return;
    };
    fill_filter(&mapped, |keys| write(shared).filter.reserve(keys));
    let mut shared = write(shared);
    if let Some(segment) = shared.segments.iter_mut().find(|segment| segment.first == first) {
        segment.index = SegmentIndex::Sealed(mapped);
    }
}

/// Adds an index's keys to the filter, which must hold them before look-ups rely on it.
fn fill_filter(index: &MappedIndex, reserve: impl FnOnce(usize) -> Arc<super::index::Generation>) {
    let kinds = [KeyKind::Rating, KeyKind::Case];
    let generation = reserve(kinds.iter().map(|&kind| index.keys(kind).len()).sum());
    for kind in kinds {
        index.keys(kind).for_each(|key| generation.insert(kind, key));
    }
}

impl Shared {
    /// The segment of a durable record and the offset of its frame.
    fn locate(&self, sequence: u64) -> Option<(&Segment, u64)> {
        let after = self.segments.partition_point(|segment| segment.first <= sequence);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        Some((segment, segment.index.offset((sequence - segment.first) as usize)?))
    }

    /// The same, opened, to be read without the lock.
    fn open_at(&self, dir: &Path, sequence: u64) -> Result<Option<Found>, LogError> {
        let Some((segment, offset)) = self.locate(sequence) else { return Ok(None) };
        let file = match &segment.file {
            Some(file) => Arc::clone(file),
            None => {
                let path = segment::path_of(dir, segment.first);
                Arc::new(File::open(&path).map_err(io_error("open", &path))?)
            }
        };
        Ok(Some(Found { first: segment.first, file, offset }))
    }

    /// Sequences of the records with a key, ascending.
    fn find(&self, kind: KeyKind, key: u64) -> Vec<u64> {
        let mut found = Vec::new();
        let in_sealed = self.filter.may_contain(kind, key);
        for Segment { first, index, .. } in &self.segments {
            let sequence = |number: u32| first + u64::from(number);
            match index {
                SegmentIndex::Active(index) => found.extend(index.find(kind, key).map(sequence)),
                SegmentIndex::Sealing(index) => found.extend(index.find(kind, key).map(sequence)),
                SegmentIndex::Sealed(index) if in_sealed => found.extend(index.find(kind, key).map(sequence)),
                SegmentIndex::Sealed(_) => {}
            }
        }
        found.sort_unstable();
        found
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        if let Some(sealing) = lock(&self.writer).sealing.take() {
            let _ = sealing.join();
        }
    }
}

/// Removes what a kill left of files that were not whole yet. Only the writer makes such files.
fn remove_unfinished(dir: &Path) -> Result<(), LogError> {
    for item in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let path = item.map_err(io_error("list", dir))?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(())
}

/// Takes the directory's lock, which ends with the process that holds it, however it ends.
fn lock_dir(dir: &Path) -> Result<File, LogError> {
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(io_error("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(LogError::InUse { dir: dir.to_owned() }),
        Err(fs::TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
    }
}

// A thread that panicked while it held a lock left nothing half done that others could see: the head
// is set last.

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn read(shared: &RwLock<Shared>) -> RwLockReadGuard<'_, Shared> {
    shared.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write(shared: &RwLock<Shared>) -> RwLockWriteGuard<'_, Shared> {
    shared.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
