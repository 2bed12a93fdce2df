//! Access: who may come in. Callers show tokens; people at the reviewers' desk have accounts and sessions.
//!
//! `access.db` (SQLite, WAL) in the data directory is no projection of the log: it is the one place where
//! tokens, accounts, sessions and the record of who looked at what stand. Of a token and of a session it
//! holds only the BLAKE3 hash, of a password only the argon2id hash.
//!
//! The service looks all of them up in memory. [`Access::refresh`] asks SQLite whether another process has
//! committed since (`PRAGMA data_version`, no disk access) and rereads only then, so that `token create`,
//! `token revoke` and `user disable` take effect beside a running server.

pub mod account;
pub mod password;
pub mod recusal;
mod saved;
pub mod session;
pub mod throttle;
mod token;
pub mod view;

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;

pub use account::{Account, AccountError, AccountRole, NewAccount, SetBy};
pub use password::PasswordRefusal;
pub use recusal::{Recusal, Target, may_decide, may_see};
pub use saved::{SAVED_MAX, SAVED_NAME_CHARS_MAX, SavedView};
pub use session::{Session, SessionLimits};
pub use throttle::{Throttle, ThrottleLimits};
pub use token::{LABEL_CHARS_MAX, Role, TOKEN_BYTES, TOKENS_MAX, TokenRecord};
pub use view::{View, ViewFilter, ViewPage, Viewed};

use crate::time::Instant;

/// Name of the database in the data directory.
pub const FILE_NAME: &str = "access.db";
/// How long a command waits for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why access could not be read or changed.
#[derive(Debug)]
pub enum AccessError {
    /// The directory cannot be made or written.
    Directory(std::io::Error),
    /// SQLite refused.
    Database(rusqlite::Error),
    /// The operating system gave no random bytes.
    Random(getrandom::Error),
    /// A password could not be hashed; there was no memory for it.
    Hashing(String),
    /// A bound would be broken; the text says which.
    Bound(String),
    /// An account cannot be made or changed so.
    Account(AccountError),
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => write!(f, "the data directory cannot be used: {error}"),
            Self::Database(error) => write!(f, "{FILE_NAME}: {error}"),
            Self::Random(error) => write!(f, "the system gave no random bytes: {error}"),
            Self::Hashing(error) => write!(f, "the password could not be hashed: {error}"),
            Self::Bound(text) => f.write_str(text),
            Self::Account(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AccessError {}

impl From<rusqlite::Error> for AccessError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<AccountError> for AccessError {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

/// Tokens, accounts, sessions and views of one data directory.
pub struct Access {
    database: Mutex<Database>,
    tokens: token::Tokens,
    accounts: account::Accounts,
    sessions: session::Sessions,
}

struct Database {
    connection: Connection,
    /// `PRAGMA data_version` when it was last read into memory.
    version_read: i64,
}

impl Access {
    /// Opens a data directory, which is made if it is not there, readable by its owner alone.
    ///
    /// # Errors
    /// If the directory or the database cannot be used.
    pub fn open(directory: &Path) -> Result<Self, AccessError> {
        make_private_directory(directory).map_err(AccessError::Directory)?;
        let connection = Connection::open(directory.join(FILE_NAME))?;
        make_private_file(&directory.join(FILE_NAME)).map_err(AccessError::Directory)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        for schema in [token::SCHEMA, account::SCHEMA, session::SCHEMA, view::SCHEMA, saved::SCHEMA] {
            connection.execute_batch(schema)?;
        }
        let sessions = session::Sessions::new(session::signing_key(&connection)?);
        let access = Self {
            database: Mutex::new(Database { connection, version_read: -1 }),
            tokens: token::Tokens::default(),
            accounts: account::Accounts::default(),
            sessions,
        };
        access.refresh()?;
        Ok(access)
    }

    /// Rereads tokens, accounts and sessions if another process changed the database; says whether it did.
    /// Blocks for microseconds, or for as long as the disk takes after a change.
    ///
    /// # Errors
    /// If the database cannot be read; what was read before stays in force.
    pub fn refresh(&self) -> Result<bool, AccessError> {
        let mut database = self.database();
        let version: i64 = database.connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        if version == database.version_read {
            return Ok(false);
        }
        self.tokens.reread(&database.connection)?;
        self.accounts.reread(&database.connection)?;
        self.sessions.reread(&database.connection)?;
        database.version_read = version;
        Ok(true)
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        // A panic while the lock was held leaves SQLite's own state whole: it rolls back.
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock. Only the door reads it; scoring never does.
fn now() -> Instant {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Instant(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// An instant so long after another.
fn after(start: Instant, span: Duration) -> Instant {
    Instant(start.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
}

/// Bytes that nobody can guess.
fn random<const N: usize>() -> Result<[u8; N], AccessError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(AccessError::Random)?;
    Ok(bytes)
}

#[cfg(unix)]
fn make_private_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(unix)]
fn make_private_file(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private_directory(directory: &Path) -> std::io::Result<()> {
    fs::create_dir_all(directory)
}

#[cfg(not(unix))]
fn make_private_file(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data directory with nobody in it.
    pub(super) fn empty() -> (tempfile::TempDir, Access) {
        let directory = tempfile::tempdir().unwrap();
        let access = beside(&directory);
        (directory, access)
    }

    /// The same directory, opened again as another process would.
    pub(super) fn beside(directory: &tempfile::TempDir) -> Access {
        Access::open(&directory.path().join("data")).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn the_directory_and_the_database_are_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (directory, _access) = empty();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory.path().join("data")), 0o700);
        assert_eq!(mode(&directory.path().join("data").join(FILE_NAME)), 0o600);
    }
}
