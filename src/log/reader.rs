//! Reads a log in order, beside its writer or from a copy.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Entry;
use super::error::{LogError, damage, io_error};
use super::index::MappedIndex;
use super::record::Record;
use super::scan::Frames;
use super::segment::{self, HEADER_BYTES};
use super::tail::{self, Tail};

/// Reads a log's directory. It takes no lock and writes nothing. What it sees may end in records that
/// the writer has written but not yet synced; a service reads through its own log instead, which stops
/// at what is durable.
#[derive(Clone, Debug)]
pub struct LogReader {
    dir: PathBuf,
}

impl LogReader {
    /// Opens the log in a directory.
    ///
    /// # Errors
    /// There is no log.
    pub fn open(dir: &Path) -> Result<Self, LogError> {
        if segment::list(dir)?.is_empty() {
            return Err(no_log(dir));
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// Records from a sequence on, or from the first that is there.
    ///
    /// # Errors
    /// A file cannot be read, or a header is damaged.
    pub fn records_from(&self, sequence: u64) -> Result<Records, LogError> {
        let segments = segment::list(&self.dir)?;
        let after = segments.partition_point(|&first| first <= sequence).max(1);
        let Some(&first) = segments.get(after - 1) else { return Err(no_log(&self.dir)) };
        // A sealed segment's index knows where the record is. Elsewhere the frames before it are read.
        if let Some(&next) = segments.get(after).filter(|_| first < sequence) {
            let (_, head) = open_segment(&self.dir, next)?;
            // This file, whatever erasure puts in its place meanwhile: its length tells whether the index
            // is its own.
            let (file, before) = open_segment(&self.dir, first)?;
            let path = segment::path_of(&self.dir, first);
            let bytes = file.metadata().map_err(io_error("measure", &path))?.len();
            let index = MappedIndex::open(&self.dir, first, head, bytes);
            if let Some(offset) = index.and_then(|index| index.offset((sequence - first) as usize)) {
                return Ok(Records::of(&self.dir, file, before, offset, None).at(sequence));
            }
        }
        let mut records = Records::start(&self.dir, first, HEADER_BYTES as u64, None)?;
        while records.sequence < sequence && records.next()?.is_some() {}
        Ok(records)
    }

    /// Entries from a sequence on, or from the first that is there.
    ///
    /// # Errors
    /// As for [`Self::records_from`].
    pub fn read_from(&self, sequence: u64) -> Result<Entries, LogError> {
        self.records_from(sequence).map(Entries)
    }
}

/// The error for a directory without segments.
pub(super) fn no_log(dir: &Path) -> LogError {
    let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no segment in it");
    io_error("open the log in", dir)(missing)
}

/// Opens the segment that begins with a sequence, and reads its header.
pub(super) fn open_segment(dir: &Path, first: u64) -> Result<(File, super::Head), LogError> {
    let path = segment::path_of(dir, first);
    let file = File::open(&path).map_err(io_error("open", &path))?;
    let head = segment::read_header(&file, &path, first)?;
    Ok((file, head))
}

/// Records in log order, in bounded memory.
#[derive(Debug)]
pub struct Records {
    dir: PathBuf,
    frames: Frames,
    /// Of the next record.
    sequence: u64,
    /// Sequence to stop before.
    limit: Option<u64>,
}

impl Records {
    /// Records from the frame at `offset` of the segment that begins with `first`, where the frame's
    /// sequence is set by the caller ([`Self::at`]).
    pub(super) fn start(dir: &Path, first: u64, offset: u64, limit: Option<u64>) -> Result<Self, LogError> {
        let (file, head) = open_segment(dir, first)?;
        Ok(Self::of(dir, file, head, offset, limit))
    }

    /// As [`Self::start`], of a segment that is open.
    fn of(dir: &Path, file: File, head: super::Head, offset: u64, limit: Option<u64>) -> Self {
        let frames = Frames::new(Arc::new(file), segment::path_of(dir, head.next_sequence), offset);
        Self { dir: dir.to_owned(), frames, sequence: head.next_sequence, limit }
    }

    /// Says that the next record has this sequence.
    pub(super) fn at(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }

    /// The next record and its sequence; `None` at the end of the log. Asking again finds what has
    /// been appended since.
    ///
    /// # Errors
    /// A file cannot be read or is damaged.
    #[allow(clippy::should_implement_trait, reason = "it lends from its buffer")]
    pub fn next(&mut self) -> Result<Option<(u64, &[u8])>, LogError> {
        if self.limit.is_some_and(|limit| self.sequence >= limit) || !self.advance()? {
            return Ok(None);
        }
        self.sequence += 1;
        Ok(Some((self.sequence - 1, self.frames.record())))
    }

    /// Goes to the next frame, over the end of a segment where there is another.
    fn advance(&mut self) -> Result<bool, LogError> {
        while !self.frames.advance()? {
            let segments = segment::list(&self.dir)?;
            if segments.binary_search(&self.sequence).is_ok()
                && self.frames.path() != segment::path_of(&self.dir, self.sequence)
            {
                *self = Self::start(&self.dir, self.sequence, HEADER_BYTES as u64, self.limit)?;
                continue;
            }
            let is_last = segments.last().is_none_or(|&last| last <= self.sequence);
            let problem = match is_last {
                true if self.frames.at_nothing() => return Ok(false),
                true => match tail::judge(&self.frames.rest()?, self.frames.offset()) {
                    Tail::Clean | Tail::Torn => return Ok(false),
                    Tail::Damaged(problem) => problem,
                },
                false => "no frame reads here, though another segment follows",
            };
            // The writer may have gone on between one look and the other; what is durable by now
            // reads at the second.
            if !self.frames.advance()? {
                return Err(damage(self.frames.path(), self.frames.offset(), self.sequence, problem));
            }
            return Ok(true);
        }
        Ok(true)
    }
}

/// Entries in log order with their sequences, in bounded memory.
#[derive(Debug)]
pub struct Entries(pub(super) Records);

impl Iterator for Entries {
    type Item = Result<(u64, Entry), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.next() {
            Ok(None) => None,
            Ok(Some((sequence, record))) => Some(decode(sequence, record).map(|entry| (sequence, entry))),
            Err(error) => Some(Err(error)),
        }
    }
}

/// The entry in a record's bytes.
pub(super) fn decode(sequence: u64, record: &[u8]) -> Result<Entry, LogError> {
    Record::parse(record)
        .and_then(|record| record.entry())
        .map_err(|source| LogError::Undecodable { sequence, source })
}
