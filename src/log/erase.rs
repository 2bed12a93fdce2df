//! Erases what is erasable of old records: sealed segments are written anew without it.
//!
//! ```text
//! NNN.seg ─▶ NNN.seg.new (records without their erasable part; chain checked; synced) ─▶ renamed to NNN.seg
//! ```
//!
//! The hash of an erased part takes its place, so every leaf and every head stays what it was. A kill at
//! any moment leaves the old segment or the new one under the name, never a part of either. The index
//! names the length of its segment, so that one that is left of the old segment is not used for the new.
//! Readers beside it go on in the file that they opened.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::Entry;
use super::chain::Head;
use super::embedded::{EmbeddedLog, Segment, SegmentIndex, lock, read, write};
use super::error::{LogError, damage, io_error};
use super::frame::put_frame;
use super::index::{MappedIndex, MemoryIndex, write_index};
use super::reader::open_segment;
use super::record::Record;
use super::scan::Frames;
use super::segment::{self, HEADER_BYTES, sync_dir};
use crate::date::{Day, UtcOffset};
use crate::log::Log;
use crate::wire::Decision;

/// Which records are to be erased.
pub struct Erasure<'k> {
    /// Ratings that were scored before this day, and revisions that were made before it.
    pub before: Day,
    /// Where days begin.
    pub offset: UtcOffset,
    /// Ratings that stay whole, and their revisions with them, by sequence: those that somebody still
    /// has to decide about.
    pub keep: &'k dyn Fn(u64) -> bool,
}

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Records that lost their erasable part.
    pub records: u64,
    /// Segments that were written anew.
    pub segments: u64,
    /// Bytes that they are smaller by.
    pub bytes: u64,
}

/// What a record is to an [`Erasure`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    /// It has nothing to erase.
    Bare,
    /// It stays whole for now.
    Whole,
    /// It is to be erased.
    Due,
}

impl Erasure<'_> {
    fn age(&self, sequence: u64, record: &Record<'_>) -> Result<Age, LogError> {
        let undecodable = |source| LogError::Undecodable { sequence, source };
        if !record.is_erasable() {
            return Ok(Age::Bare);
        }
        let (at, rating) = match record.entry().map_err(undecodable)? {
            Entry::Rating(rating) => (rating.outcome.scored_at, sequence),
            Entry::Revision(revision) => (revision.at, revision.rating_sequence),
            Entry::Review(review) => (review.at, review.rating_sequence),
            // Of a kind that this version does not know: nobody can say how old it is.
            _ => return Ok(Age::Whole),
        };
        let is_due = self.offset.day_of(at) < self.before && !(self.keep)(rating);
        Ok(if is_due { Age::Due } else { Age::Whole })
    }
}

impl EmbeddedLog {
    /// Erases what is due. It goes through the sealed segments from the oldest on and stops at the first
    /// in which nothing is due; the active segment is sealed first if its records are old. Appending and
    /// reading go on meanwhile.
    ///
    /// # Errors
    /// A segment cannot be read or written, or is damaged; it is left as it is.
    pub fn erase(&self, erasure: &Erasure<'_>) -> Result<Erased, LogError> {
        let _one_at_a_time = lock(&self.erasing);
        self.seal_if_due(erasure)?;
        let firsts: Vec<u64> = read(&self.shared).segments.iter().map(|segment| segment.first).collect();
        let mut erased = Erased::default();
        for pair in firsts.windows(2) {
            if lock(&self.bare).contains(&pair[0]) {
                continue;
            }
            let (_, after) = open_segment(self.dir(), pair[1])?;
            let (due, whole) = self.count(pair[0], erasure)?;
            if due > 0 {
                erased.bytes += self.rewrite(pair[0], after, erasure)?;
                erased.records += due;
                erased.segments += 1;
            }
            if whole == 0 {
                lock(&self.bare).insert(pair[0]);
            }
            if due == 0 && whole > 0 {
                break;
            }
        }
        Ok(erased)
    }

    /// Seals the active segment if the first of its records that can be erased is due.
    fn seal_if_due(&self, erasure: &Erasure<'_>) -> Result<(), LogError> {
        let first = read(&self.shared).segments.last().map_or(0, |segment| segment.first);
        let mut records = self.records_from(first)?;
        while let Some((sequence, record)) = records.next()? {
            let record =
                Record::parse(record).map_err(|source| LogError::Undecodable { sequence, source })?;
            match erasure.age(sequence, &record)? {
                Age::Bare => {}
                Age::Whole => return Ok(()),
                Age::Due => return self.seal(first),
            }
        }
        Ok(())
    }

    /// Records of a sealed segment that are due, and that stay whole.
    fn count(&self, first: u64, erasure: &Erasure<'_>) -> Result<(u64, u64), LogError> {
        let (file, head) = open_segment(self.dir(), first)?;
        let path = segment::path_of(self.dir(), first);
        let mut frames = Frames::new(Arc::new(file), path, HEADER_BYTES as u64);
        let (mut due, mut whole, mut sequence) = (0, 0, head.next_sequence);
        while frames.advance()? {
            let record = Record::parse(frames.record())
                .map_err(|source| LogError::Undecodable { sequence, source })?;
            match erasure.age(sequence, &record)? {
                Age::Bare => {}
                Age::Whole => whole += 1,
                Age::Due => due += 1,
            }
            sequence += 1;
        }
        Ok((due, whole))
    }

    /// Writes a segment anew; gives the bytes that it is smaller by.
    fn rewrite(&self, first: u64, after: Head, erasure: &Erasure<'_>) -> Result<u64, LogError> {
        let path = segment::path_of(self.dir(), first);
        let temporary = path.with_extension("seg.new");
        let written = write_anew(self.dir(), first, after, erasure, &temporary);
        let (index, bytes_before, bytes) = match written {
            Ok(written) => written,
            Err(error) => {
                let _ = fs::remove_file(&temporary);
                return Err(error);
            }
        };
        let index = Arc::new(index);
        {
            // Whoever looks a record up opens its segment under this lock: place and file belong together.
            let mut shared = write(&self.shared);
            fs::rename(&temporary, &path).map_err(io_error("rename", &temporary))?;
            if let Some(segment) = shared.segments.iter_mut().find(|segment| segment.first == first) {
                segment.index = SegmentIndex::Sealing(Arc::clone(&index));
                // The file that was open is the one before.
                segment.file = None;
            }
        }
        sync_dir(self.dir())?;
        write_index(self.dir(), first, after, bytes, &index)?;
        if let Some(mapped) = MappedIndex::open(self.dir(), first, after, bytes) {
            let mut shared = write(&self.shared);
            let found = shared.segments.iter_mut().find(|segment| segment.first == first);
            if let Some(Segment { index, .. }) = found {
                *index = SegmentIndex::Sealed(mapped);
            }
        }
        Ok(bytes_before.saturating_sub(bytes))
    }
}

/// Writes the segment without what is due to a new file, and makes that durable. Gives its index, the
/// bytes of the old file, and those of the new one.
fn write_anew(
    dir: &Path,
    first: u64,
    after: Head,
    erasure: &Erasure<'_>,
    to: &Path,
) -> Result<(MemoryIndex, u64, u64), LogError> {
    let path = segment::path_of(dir, first);
    let (file, mut head) = open_segment(dir, first)?;
    let bytes_before = file.metadata().map_err(io_error("measure", &path))?.len();
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0).map_err(io_error("read", &path))?;
    let new = File::create(to).map_err(io_error("create", to))?;
    let mut out = BufWriter::with_capacity(1 << 20, new);
    out.write_all(&header).map_err(io_error("write", to))?;

    let mut frames = Frames::new(Arc::new(file), path.clone(), HEADER_BYTES as u64);
    let (mut index, mut offset) = (MemoryIndex::default(), HEADER_BYTES);
    let mut frame = Vec::new();
    while frames.advance()? {
        let sequence = head.next_sequence;
        let undecodable = |source| LogError::Undecodable { sequence, source };
        let whole = Record::parse(frames.record()).map_err(undecodable)?;
        let bytes = match erasure.age(sequence, &whole)? {
            Age::Due => whole.erase(),
            Age::Bare | Age::Whole => frames.record().to_vec(),
        };
        // What is written is what is checked: the leaf is that of the new bytes.
        let record = Record::parse(&bytes).map_err(undecodable)?;
        head = head.after(record.leaf());
        index.push(offset as u32, record.keys().map_err(undecodable)?);
        frame.clear();
        put_frame(&mut frame, &bytes, frames.begins_group());
        out.write_all(&frame).map_err(io_error("write", to))?;
        offset += frame.len();
    }
    if head != after {
        let problem = "its records do not lead to the next segment; nothing of it is erased";
        return Err(damage(&path, frames.offset(), head.next_sequence, problem));
    }
    let new = out.into_inner().map_err(|error| io_error("write", to)(error.into_error()))?;
    new.sync_all().map_err(io_error("sync", to))?;
    Ok((index, bytes_before, offset as u64))
}

/// Ratings whose hold nobody has decided yet, by sequence: from public parts alone.
///
/// # Errors
/// The log cannot be read.
pub fn undecided(log: &EmbeddedLog) -> Result<HashSet<u64>, LogError> {
    let mut held = HashSet::new();
    for entry in log.read_from(0)? {
        let (sequence, entry) = entry?;
        let (rating, decision) = match entry {
            Entry::Rating(rating) => (sequence, rating.outcome.decision),
            Entry::Revision(revision) => (revision.rating_sequence, revision.decision),
            _ => continue,
        };
        match decision {
            Decision::Hold => held.insert(rating),
            Decision::Admit | Decision::Reject => held.remove(&rating),
        };
    }
    Ok(held)
}
