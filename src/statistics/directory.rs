//! The figures recomputed from a log's directory.

use std::path::Path;

use super::from_log::rated_public;
use super::{Counted, Settings, Statistics};
use crate::log::{self, DecodeError, Head, LogError, LogReader, Record};

/// Why the figures could not be recomputed from a log's directory.
#[derive(Debug)]
pub enum FoldError {
    /// The log cannot be read, or is damaged.
    Log(LogError),
    /// Its first segments were removed, and with them what figures follow from.
    Incomplete {
        /// The first sequence that is there.
        first: u64,
    },
}

impl std::fmt::Display for FoldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::Incomplete { first } => {
                write!(
                    f,
                    "the log begins with sequence {first}; figures need all of it: add the archived segments"
                )
            }
        }
    }
}

impl std::error::Error for FoldError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Log(error) => Some(error),
            Self::Incomplete { .. } => None,
        }
    }
}

impl From<LogError> for FoldError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// Recomputes the figures from the log in a data directory, beside a running server or from a copy,
/// and the head that they follow from. `on_progress` gets the number of entries read, now and then.
///
/// # Errors
/// The log cannot be read, is damaged, or does not begin at its beginning.
pub fn fold_directory(
    data: &Path,
    settings: Settings,
    on_progress: &mut dyn FnMut(u64),
) -> Result<(Statistics, Head), FoldError> {
    const PROGRESS_ENTRIES: u64 = 1 << 16;
    let mut records = LogReader::open(&log::directory(data))?.records_from(0)?;
    let mut statistics = Statistics::new(settings);
    let mut head = Head::GENESIS;
    while let Some((sequence, bytes)) = records.next()? {
        if sequence != head.next_sequence {
            return Err(FoldError::Incomplete { first: sequence });
        }
        let undecodable = |source| LogError::Undecodable { sequence, source };
        let record = Record::parse(bytes).map_err(undecodable)?;
        statistics.apply_record(sequence, &record).map_err(undecodable)?;
        head = head.after(record.leaf());
        if head.next_sequence.is_multiple_of(PROGRESS_ENTRIES) {
            on_progress(head.next_sequence);
        }
    }
    Ok((statistics, head))
}

impl Statistics {
    /// Takes the next record of the log, without looking at the erasable part of a rating.
    ///
    /// # Errors
    /// A field cannot be read: the record was written by something else.
    pub fn apply_record(&mut self, sequence: u64, record: &Record<'_>) -> Result<(), DecodeError> {
        match record.rating()? {
            Some(rating) => self.apply(&Counted::Rated(rated_public(sequence, &rating))),
            None => self.apply(&Counted::of(sequence, &record.entry()?)),
        }
        Ok(())
    }
}
