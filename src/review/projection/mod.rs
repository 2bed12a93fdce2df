//! The desk's projection of the log: what is listed, counted and drawn comes from `review.db`.
//!
//! ```text
//! log ─▶ batch ─▶ which ratings is it about ─▶ each whole case read anew ─▶ its rows ─┐
//!            └──▶ links of new cases, in the order of the log ─▶ groups ──────────────┴▶ one transaction, with the position
//! ```
//!
//! A fold of the log: the file can be deleted at any time and is filled again, row for row the same however the
//! entries are batched. It is never asked whether an act is in order; [`CaseState`](super::CaseState) is.

mod audit;
mod campaign_page;
mod campaigns;
mod case_file;
mod counters;
mod error;
mod filter;
mod fold;
mod named;
mod priority;
mod quality;
mod queue;
mod read;
mod reading;
mod rows;
mod schema;
mod similar;
mod write;

#[cfg(test)]
pub(in crate::review) mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::log::Entry;
use crate::time::Instant;

pub use audit::{AuditFilter, AuditPage, HistoryRow};
pub use campaign_page::{Campaign, CampaignRow, DecidedMembers, MemberFilter, MemberLinks, Share, short_key};
pub use campaigns::{CAMPAIGN_SIZE, GROUP_MAX};
pub use case_file::{CaseFile, CaseRating, CaseReader};
pub use error::ProjectionError;
pub use filter::{Age, QueueFilter, Scope, Sort, Tab};
pub use fold::{CaseKind, ClosedBy};
pub use named::{Named, WHAT, what_text};
pub use quality::{
    Agreement, Appeals, BACKLOG_DAYS_MAX, BacklogDay, Control, Deadlines, LabelRow, Quality, Reviewer,
    RuleOutcomes, RuleQuality,
};
pub use queue::{Counts, PAGE_MAX, QueueOptions, QueuePage, TOTAL_MAX};
pub use rows::{CampaignRef, CaseRow, ClaimRow, FirstRow, TopReason, Viewer};
pub use similar::Similar;
pub use write::Applied;

/// Name of the database in the data directory.
pub const FILE_NAME: &str = "review.db";

/// Connections that are kept open for readers; further ones are opened and closed again.
const READERS_KEPT: usize = 4;
/// How long a reader or writer waits for the other.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements that a connection keeps.
const STATEMENTS_KEPT: usize = 128;

/// The projection in a data directory. One thread applies batches; any number read meanwhile.
pub struct Projection {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Readers>,
    damaged: AtomicBool,
    position: AtomicU64,
}

/// Connections of the file that is there now; an older generation is of a file that was deleted.
struct Readers {
    generation: u64,
    idle: Vec<Connection>,
}

impl Projection {
    /// Opens `review.db` in a directory, which is made if it is not there. A file of another version, or a damaged
    /// one, is deleted and begun anew; [`Self::position`] says from where to fill it.
    ///
    /// # Errors
    /// The file cannot be made, deleted or opened.
    pub fn open(directory: &Path) -> Result<Self, ProjectionError> {
        fs::create_dir_all(directory).map_err(ProjectionError::File)?;
        let path = directory.join(FILE_NAME);
        let writer = match existing(&path) {
            Ok(Some(connection)) => connection,
            Ok(None) => begin(&path)?,
            Err(error) if error.is_damage() => {
                tracing::warn!(%error, "{FILE_NAME} is damaged: it is deleted and filled anew from the log");
                begin(&path)?
            }
            Err(error) => return Err(error),
        };
        let position = AtomicU64::new(write::position(&writer)?);
        Ok(Self {
            path,
            position,
            writer: Mutex::new(writer),
            readers: Mutex::new(Readers { generation: 0, idle: Vec::new() }),
            damaged: AtomicBool::new(false),
        })
    }

    /// The next sequence to apply.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    /// Applies entries in log order, and moves the position to `next`, which lies behind the last of them; entries
    /// before the position were applied already and count for nothing. All of it or nothing.
    ///
    /// # Errors
    /// The log or the database cannot be read or written, and nothing changed; or the file was damaged and a new one
    /// was begun ([`ProjectionError::StartedOver`]): go on from [`Self::position`].
    pub fn apply(
        &self,
        batch: &[(u64, &Entry)],
        next: u64,
        read: &dyn CaseReader,
    ) -> Result<Applied, ProjectionError> {
        let applied = self.write(|connection| write::apply(connection, batch, next, read))?;
        self.position.fetch_max(next, Ordering::AcqRel);
        Ok(applied)
    }

    /// Reads anew the cases that may have lost their erasable part: those scored, or with words, before an instant.
    /// To be called when the log has erased what is older. Gives how many cases were written anew.
    ///
    /// Cases that are erased leave their campaigns. A campaign that loses only some of its members stays one group,
    /// also where the links between those that are left went through the others; filled anew it may come apart.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn forget(&self, before: Instant, read: &dyn CaseReader) -> Result<u64, ProjectionError> {
        const CHUNK: usize = 1_000;
        let due = self.read(|connection| write::to_forget(connection, before))?;
        let mut written = 0;
        for ids in due.chunks(CHUNK) {
            written += self.write(|connection| write::forget(connection, ids, read))?;
        }
        Ok(written)
    }

    /// Deletes the file and begins a new one, as when it turns out to be of another log.
    ///
    /// # Errors
    /// The file cannot be deleted or made.
    pub fn start_over(&self) -> Result<(), ProjectionError> {
        let mut writer = lock(&self.writer);
        self.begin_again(&mut writer)
    }

    fn begin_again(&self, writer: &mut Connection) -> Result<(), ProjectionError> {
        let mut readers = lock(&self.readers);
        readers.generation += 1;
        readers.idle.clear();
        // The old connection must let go of its files before they are deleted.
        *writer = Connection::open_in_memory()?;
        *writer = begin(&self.path)?;
        self.damaged.store(false, Ordering::Relaxed);
        self.position.store(0, Ordering::Release);
        Ok(())
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, ProjectionError>,
    ) -> Result<T, ProjectionError> {
        let mut writer = lock(&self.writer);
        let done = match self.damaged.load(Ordering::Relaxed) {
            true => Err(ProjectionError::StartedOver),
            false => transact(&mut writer, change),
        };
        match done {
            Err(error) if error.is_damage() || matches!(error, ProjectionError::StartedOver) => {
                tracing::warn!(%error, "{FILE_NAME} is damaged: it is deleted and filled anew from the log");
                self.begin_again(&mut writer)?;
                Err(ProjectionError::StartedOver)
            }
            done => done,
        }
    }

    /// Reads within one snapshot.
    fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, ProjectionError>,
    ) -> Result<T, ProjectionError> {
        let (generation, idle) = {
            let mut readers = lock(&self.readers);
            (readers.generation, readers.idle.pop())
        };
        let connection = match idle {
            Some(connection) => connection,
            None => reader(&self.path)?,
        };
        let found = (|| {
            let snapshot = connection.unchecked_transaction()?;
            let found = query(&snapshot)?;
            snapshot.finish()?;
            Ok(found)
        })();
        match &found {
            Err(error) if ProjectionError::is_damage(error) => self.damaged.store(true, Ordering::Relaxed),
            _ => {
                let mut readers = lock(&self.readers);
                if readers.generation == generation && readers.idle.len() < READERS_KEPT {
                    readers.idle.push(connection);
                }
            }
        }
        found
    }
}

fn transact<T>(
    writer: &mut Connection,
    change: impl FnOnce(&Connection) -> Result<T, ProjectionError>,
) -> Result<T, ProjectionError> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = change(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// The database that is there, if it is one of this version.
fn existing(path: &Path) -> Result<Option<Connection>, ProjectionError> {
    if !path.exists() {
        return Ok(None);
    }
    let connection = Connection::open(path)?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version != schema::VERSION {
        tracing::info!(
            version,
            "{FILE_NAME} is of another version: it is deleted and filled anew from the log"
        );
        return Ok(None);
    }
    set_up(&connection)?;
    write::position(&connection)?;
    Ok(Some(connection))
}

/// A new, empty database in place of what is there.
fn begin(path: &Path) -> Result<Connection, ProjectionError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ProjectionError::File(error));
            }
            _ => {}
        }
    }
    let mut connection = Connection::open(path)?;
    make_private(path).map_err(ProjectionError::File)?;
    set_up(&connection)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(schema::TABLES)?;
    transaction.pragma_update(None, "user_version", schema::VERSION)?;
    transaction.commit()?;
    Ok(connection)
}

/// Pseudonyms remain personal information: the file is its owner's alone. SQLite gives its companions the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

fn set_up(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What a power cut takes is filled again from the log.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -32_768)?;
    Ok(())
}

fn reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    Ok(connection)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
