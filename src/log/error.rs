//! What can go wrong with a log, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codec::DecodeError;
use super::record::MAX_RECORD_BYTES;

/// Why the log could not do what it was asked.
#[derive(Clone, Debug)]
pub enum LogError {
    /// The operating system refused.
    Io {
        /// What was being done: "create", "write".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Its answer.
        source: Arc<io::Error>,
    },
    /// Another process writes to this directory.
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// Bytes that were once synced are not what they were.
    Damaged(Box<Damage>),
    /// A segment was written by a version with another format.
    Format {
        /// The segment.
        path: PathBuf,
        /// What is not known here.
        problem: String,
    },
    /// A record is longer than [`MAX_RECORD_BYTES`].
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A whole record cannot be read: a version with other fields wrote it.
    Undecodable {
        /// Its sequence.
        sequence: u64,
        /// The field.
        source: DecodeError,
    },
    /// An earlier append failed. What reached the disk is unknown, so nothing more is written.
    Poisoned {
        /// How it failed.
        first: Arc<LogError>,
    },
}

/// The first damaged place of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment file.
    pub segment: PathBuf,
    /// Byte in the file at which the damaged header or frame begins.
    pub offset: u64,
    /// Sequence of the record that is or should be there.
    pub sequence: u64,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segment, offset, sequence, problem } = self;
        write!(f, "{} is damaged at byte {offset} (sequence {sequence}): {problem}", segment.display())
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { action, path, source } => write!(f, "cannot {action} {}: {source}", path.display()),
            Self::InUse { dir } => write!(
                f,
                "another process writes to the log in {}; stop it first, or name another data directory",
                dir.display()
            ),
            Self::Damaged(damage) => write!(
                f,
                "{damage}. Nothing was changed. Put this file back from a replica or a backup; `zhenping ledger \
                 verify` then checks the whole log"
            ),
            Self::Format { path, problem } => {
                write!(
                    f,
                    "{} cannot be read by this version: {problem}; use the version that wrote it",
                    path.display()
                )
            }
            Self::TooLong { bytes } => write!(
                f,
                "a record of {bytes} bytes exceeds the limit of {MAX_RECORD_BYTES}; split what is activated into \
                 smaller files and activate them one after another"
            ),
            Self::Undecodable { sequence, source } => {
                write!(f, "the record with sequence {sequence} was written by another version: {source}")
            }
            Self::Poisoned { first } => {
                write!(
                    f,
                    "the log takes no more records, because an earlier write failed: {first}; restart to recover"
                )
            }
        }
    }
}

impl std::error::Error for LogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source.as_ref()),
            Self::Undecodable { source, .. } => Some(source),
            Self::Poisoned { first } => Some(first.as_ref()),
            _ => None,
        }
    }
}

/// Names what was being done, and to which file, when the operating system refused.
pub(crate) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    move |source| LogError::Io { action, path: path.to_owned(), source: Arc::new(source) }
}

/// Says that something that was durable is damaged.
pub(crate) fn damage(segment: &Path, offset: u64, sequence: u64, problem: &str) -> LogError {
    let (segment, problem) = (segment.to_owned(), problem.to_owned());
    LogError::Damaged(Box::new(Damage { segment, offset, sequence, problem }))
}
