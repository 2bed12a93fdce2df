//! The vault: comments, sealed.
//!
//! A comment never enters the log. It is sealed here and synced before its rating's entry is appended,
//! so that no verdict names a comment that is lost. Each day has a file with a key of its own; after the
//! look-back horizon that key is erased, and with it the day's comments, except for ratings whose appeals
//! go on: those are sealed again under a younger key.

mod file;
mod seal;
mod words;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::file::{FileId, VaultFile};
use self::seal::Sealer;
pub use self::words::WordsKey;
use crate::log::error::{Damage, LogError, io_error};
use crate::time::{DAY_MS, Instant};

/// Longest comment in bytes: 2000 characters of up to four bytes.
pub const MAX_COMMENT_BYTES: usize = 8_000;
/// Longest `rating_id` in bytes.
pub const MAX_RATING_ID_BYTES: usize = 128;
/// Comments that are sealed again at once, between which others may append.
const KEPT_GROUP: usize = 64;

/// Why the vault could not do what it was asked.
#[derive(Debug)]
pub enum VaultError {
    /// A file could not be read or written.
    Storage(LogError),
    /// The operating system gave no random bytes.
    Randomness(getrandom::Error),
    /// A file was sealed with another key.
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// A file is not what it was. The damage's `sequence` is the comment's number in the file.
    Damaged(Box<Damage>),
    /// A comment or a `rating_id` is longer than its limit.
    TooLong {
        /// Which of both.
        what: &'static str,
        /// Its length in bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// An earlier write failed. What reached the disk is unknown, so nothing more is written.
    Poisoned,
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::Randomness(error) => write!(f, "no random bytes to seal a comment with: {error}"),
            Self::OtherKey { path } => write!(
                f,
                "{} was sealed with another key; start with the key that this data directory was created with",
                path.display()
            ),
            Self::Damaged(damage) => write!(
                f,
                "{} is damaged at byte {} (comment {}): {}. Nothing was changed. Put this file back from a backup; \
                 or move it away, and its comments are lost",
                damage.segment.display(),
                damage.offset,
                damage.sequence,
                damage.problem
            ),
            Self::TooLong { what, bytes, limit } => {
                write!(f, "a {what} of {bytes} bytes exceeds the limit of {limit}")
            }
            Self::Poisoned => f.write_str(
                "the vault takes no more comments, because an earlier write failed; restart to recover",
            ),
        }
    }
}

impl std::error::Error for VaultError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Randomness(error) => Some(error),
            _ => None,
        }
    }
}

impl From<LogError> for VaultError {
    fn from(error: LogError) -> Self {
        Self::Storage(error)
    }
}

/// What [`Vault::erase_before`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Comments that are gone.
    pub erased: u64,
    /// Comments that were sealed again.
    pub kept: u64,
}

/// The comments of a data directory. The log's lock on that directory covers it: one process.
#[derive(Debug)]
pub struct Vault {
    dir: PathBuf,
    sealer: Sealer,
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    /// Ascending; comments go to the last.
    files: Vec<VaultFile>,
    poisoned: bool,
}

impl Vault {
    /// Opens the vault in a directory, which is created if need be, and reads through it to find what
    /// it holds. What a crash left of a write is dropped.
    ///
    /// # Errors
    /// A file cannot be read, is damaged, or was sealed with another key.
    pub fn open(dir: &Path, key: &[u8; 32]) -> Result<Self, VaultError> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let sealer = Sealer::new(key);
        let mut files = Files::default();
        for id in FileId::list(dir)? {
            files.files.extend(VaultFile::open(dir, id, &sealer)?);
        }
        Ok(Self { dir: dir.to_owned(), sealer, files: Mutex::new(files) })
    }

    /// Seals comments, each with its `rating_id`, with one write and one sync. They are durable when it
    /// returns; a rating's earlier comment is replaced.
    ///
    /// # Errors
    /// One is too long, and then none was appended; or writing failed, and then the vault takes no more.
    pub fn append_group(&self, comments: &[(&str, &str)], now: Instant) -> Result<(), VaultError> {
        for (rating_id, comment) in comments {
            for (what, bytes, limit) in [
                ("rating_id", rating_id.len(), MAX_RATING_ID_BYTES),
                ("comment", comment.len(), MAX_COMMENT_BYTES),
            ] {
                if bytes > limit {
                    return Err(VaultError::TooLong { what, bytes, limit });
                }
            }
        }
        if comments.is_empty() {
            return Ok(());
        }
        self.lock().append(self, comments, day_of(now))
    }

    /// The comment of a rating; `None` if it had none or it is erased.
    ///
    /// # Errors
    /// It cannot be read or opened.
    pub fn comment(&self, rating_id: &str) -> Result<Option<String>, VaultError> {
        // The youngest first: most questions are about recent ratings.
        for file in self.lock().files.iter().rev() {
            if let Some(comment) = file.comment(rating_id)? {
                return Ok(Some(comment));
            }
        }
        Ok(None)
    }

    /// Erases all comments of the days before that of `horizon`, by erasing the keys that they were
    /// sealed with. Those that `keep` says yes to, by `rating_id`, are sealed again first, under a key
    /// of the horizon's day or a later one. `keep` must not call the vault.
    ///
    /// # Errors
    /// Reading or writing fails; what was not erased yet is still whole.
    pub fn erase_before(&self, horizon: Instant, keep: &dyn Fn(&str) -> bool) -> Result<Erased, VaultError> {
        let day = day_of(horizon);
        let mut done = Erased::default();
        loop {
            let (oldest, comments) = match self.lock().files.first() {
                Some(file) if file.id.day < day => (file.id, file.len()),
                _ => return Ok(done),
            };
            for start in (0..comments).step_by(KEPT_GROUP) {
                let mut files = self.lock();
                let Some(file) = files.files.first().filter(|file| file.id == oldest) else { break };
                let mut kept = Vec::new();
                for number in start..comments.min(start + KEPT_GROUP) {
                    if keep(&file.rating_id(number)?) {
                        kept.push(file.read(number)?);
                    }
                }
                done.erased += (comments.min(start + KEPT_GROUP) - start - kept.len()) as u64;
                done.kept += kept.len() as u64;
                let kept: Vec<_> = kept.iter().map(|(id, comment)| (id.as_str(), comment.as_str())).collect();
                if !kept.is_empty() {
                    files.append(self, &kept, day)?;
                }
            }
            let mut files = self.lock();
            if files.files.first().is_some_and(|file| file.id == oldest) {
                files.files.remove(0).erase(&self.dir)?;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        // A thread that panicked here left the files as they were: what is not in an index is not found.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    /// Appends to the last file, or to a new one where that is of an earlier day or full.
    fn append(&mut self, vault: &Vault, comments: &[(&str, &str)], day: i32) -> Result<(), VaultError> {
        if self.poisoned {
            return Err(VaultError::Poisoned);
        }
        let id = match self.files.last() {
            // The clock may have been set back; days only go forward here.
            Some(last) if last.id.day >= day && last.is_full() => {
                Some(FileId { part: last.id.part + 1, ..last.id })
            }
            Some(last) if last.id.day >= day => None,
            _ => Some(FileId { day, part: 0 }),
        };
        if let Some(id) = id {
            self.files.push(VaultFile::create(&vault.dir, id, &vault.sealer)?);
        }
        let Some(file) = self.files.last_mut() else { return Err(VaultError::Poisoned) };
        file.append(comments).inspect_err(|_| self.poisoned = true)
    }
}

/// Days since 1970-01-01 UTC.
fn day_of(at: Instant) -> i32 {
    let day = at.ms().div_euclid(DAY_MS);
    day.clamp(0, i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests;
