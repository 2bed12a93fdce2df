//! The log: one total order of entries, of which everything else is a fold.
//!
//! ```text
//! entry ─▶ record (public ‖ erasable) ─▶ leaf ─▶ frame ─▶ group ─▶ one write, one sync ─▶ acknowledged
//!          parallel, pure                        in order: a sequence, a link of the chain
//! ```
//!
//! [`Log`] is all that the floors above know. [`EmbeddedLog`] keeps it in segment files; the byte
//! layout is in `docs/log-format.md`.

pub mod chain;
pub(crate) mod codec;
mod embedded;
pub mod entry;
mod erase;
pub(crate) mod error;
pub(crate) mod frame;
pub(crate) mod index;
mod reader;
pub mod record;
mod recover;
pub(crate) mod scan;
pub(crate) mod segment;
mod snapshot;
pub(crate) mod tail;
mod verify;

use std::ops::Range;
use std::path::{Path, PathBuf};

pub use chain::{Digest, Head};
pub use codec::DecodeError;
pub use embedded::{EmbeddedLog, LogOptions};
pub use entry::Entry;
pub use erase::{Erased, Erasure, undecided};
pub use error::{Damage, LogError};
pub use reader::{Entries, LogReader, Records};
pub use record::{EncodedRecord, Record};
pub use snapshot::{Snapshot, SnapshotWriter, Unusable};
pub use verify::{Progress, Report, head_of, verify};

use crate::pseudonym::Pseudonym;

/// Entries in log order with their sequences.
pub type EntryStream = Box<dyn Iterator<Item = Result<(u64, Entry), LogError>> + Send>;

/// One total order of entries. Nothing above the log knows where it is kept.
pub trait Log: Send + Sync {
    /// Appends records together and gives their sequences. They are durable when it returns.
    ///
    /// # Errors
    /// A record is too long, and then nothing was appended; or writing failed, and then this log
    /// takes no more records: what was appended shows after a restart.
    fn append(&self, group: &[EncodedRecord]) -> Result<Range<u64>, LogError>;

    /// The entry with a sequence; `None` if there is none yet.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self, sequence: u64) -> Result<Option<Entry>, LogError>;

    /// Entries from a sequence on to what is durable now, in bounded memory.
    ///
    /// # Errors
    /// They cannot be read; the stream gives such errors as well.
    fn read_from(&self, sequence: u64) -> Result<EntryStream, LogError>;

    /// Sequences of a rating's entries, ascending: first the scored rating, then its revisions. Exact,
    /// and empty for a new rating at the cost of a look-up in memory.
    ///
    /// # Errors
    /// An entry with the same fingerprint cannot be read.
    fn find_rating(&self, rating_id: &str) -> Result<Vec<u64>, LogError>;

    /// Sequences of the scored ratings of a case, ascending. Exact until they are erased.
    ///
    /// # Errors
    /// An entry with the same fingerprint cannot be read.
    fn find_case(&self, case: &Pseudonym) -> Result<Vec<u64>, LogError>;

    /// Sequences of the scored ratings of the case with this fingerprint ([`record::case_fingerprint`]),
    /// ascending, erased ones among them. Cheap where there is none.
    fn find_case_fingerprint(&self, fingerprint: u64) -> Vec<u64>;

    /// Sequences of the entries about ratings with this [fingerprint](record::rating_fingerprint),
    /// ascending. Reads nothing, so that entries of another rating may be among them.
    fn find_fingerprint(&self, rating: u64) -> Vec<u64>;

    /// The next sequence, and the chain hash over all before it.
    fn head(&self) -> Head;

    /// Whether the log had this head once: a snapshot with another one is not of this log.
    ///
    /// # Errors
    /// The records near it cannot be read.
    fn leads_to(&self, head: Head) -> Result<bool, LogError>;
}

/// The log's directory within a data directory.
pub fn directory(data: &Path) -> PathBuf {
    data.join("log")
}
