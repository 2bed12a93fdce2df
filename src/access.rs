//! Access: the tokens with which callers show their role.
//!
//! `access.db` (SQLite, WAL) in the data directory is no projection of the log: it is the one place
//! where tokens stand, and it holds only their BLAKE3 hashes. A token is 32 random bytes, so a plain
//! hash cannot be searched and needs neither salt nor stretching.
//!
//! The service looks tokens up in memory. [`Access::refresh`] asks SQLite whether another process has
//! committed since (`PRAGMA data_version`, no disk access) and rereads only then, so that `token create`
//! and `token revoke` take effect beside a running server.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OptionalExtension, params};

use crate::time::Instant;

/// Name of the database in the data directory.
pub const FILE_NAME: &str = "access.db";
/// Most tokens that are not revoked; `create` refuses beyond.
pub const TOKENS_MAX: i64 = 10_000;
/// Longest label, in characters.
pub const LABEL_CHARS_MAX: usize = 100;
/// Length of a token in bytes: `zp_`, the role's letter, 43 characters of base64url.
pub const TOKEN_BYTES: usize = 3 + 1 + 43;
/// How long a command waits for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a token lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub enum Role {
    /// The rating platform's back end: submits ratings and reads verdicts.
    Intake,
    /// The handling system (整改): reads which bad ratings proceed, and nothing else.
    Handling,
    /// Readers of the figures.
    Statistics,
    /// Runs the service: may call everything.
    Operator,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 4] = [Role::Intake, Role::Handling, Role::Statistics, Role::Operator];

    /// Its name on the command line, in the database and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Role::Intake => "intake",
            Role::Handling => "handling",
            Role::Statistics => "statistics",
            Role::Operator => "operator",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The letter that begins a token's random part: it tells people apart which token they hold, and
    /// grants nothing.
    fn letter(self) -> char {
        match self {
            Role::Intake => 'i',
            Role::Handling => 'h',
            Role::Statistics => 's',
            Role::Operator => 'o',
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known of a token; the token itself is known to its holder alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// Number under which it is revoked.
    pub id: i64,
    /// Its role.
    pub role: Role,
    /// What its maker called it.
    pub label: String,
    /// When it was made.
    pub created: Instant,
    /// When it ends by itself.
    pub expires: Option<Instant>,
    /// When it was revoked.
    pub revoked: Option<Instant>,
}

impl TokenRecord {
    /// `valid`, `expired` or `revoked`, now.
    pub fn standing(&self) -> &'static str {
        match (self.revoked, self.expires) {
            (Some(_), _) => "revoked",
            (None, Some(expires)) if expires <= now() => "expired",
            (None, _) => "valid",
        }
    }
}

/// Why access could not be read or changed.
#[derive(Debug)]
pub enum AccessError {
    /// The directory cannot be made or written.
    Directory(std::io::Error),
    /// SQLite refused.
    Database(rusqlite::Error),
    /// The operating system gave no random bytes.
    Random(getrandom::Error),
    /// A bound would be broken; the text says which.
    Bound(String),
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => write!(f, "the data directory cannot be used: {error}"),
            Self::Database(error) => write!(f, "{FILE_NAME}: {error}"),
            Self::Random(error) => write!(f, "no random bytes for a token: {error}"),
            Self::Bound(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for AccessError {}

impl From<rusqlite::Error> for AccessError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// A token that is in force.
#[derive(Clone, Copy)]
struct Grant {
    /// Compared in constant time, as `blake3::Hash` does.
    hash: blake3::Hash,
    role: Role,
    expires: Option<Instant>,
}

/// The tokens of one data directory.
pub struct Access {
    database: Mutex<Database>,
    /// By the first eight bytes of the hash.
    granted: RwLock<HashMap<u64, Grant>>,
}

struct Database {
    connection: Connection,
    /// `PRAGMA data_version` when the tokens were last read.
    version_read: i64,
}

impl Access {
    /// Opens the tokens of a data directory, which is made if it is not there, readable by its owner alone.
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
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS token (
                id      INTEGER PRIMARY KEY AUTOINCREMENT,
                hash    BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
                role    TEXT NOT NULL,
                label   TEXT NOT NULL,
                created INTEGER NOT NULL,
                expires INTEGER,
                revoked INTEGER
            ) STRICT;",
        )?;
        let database = Mutex::new(Database { connection, version_read: -1 });
        let access = Self { database, granted: RwLock::default() };
        access.refresh()?;
        Ok(access)
    }

    /// Makes a token and returns it with its record. It is shown this once.
    ///
    /// # Errors
    /// If a bound would be broken, the database cannot be written, or there is no randomness.
    pub fn create(
        &self,
        role: Role,
        label: &str,
        lifetime: Option<Duration>,
    ) -> Result<(String, TokenRecord), AccessError> {
        if label.chars().count() > LABEL_CHARS_MAX || label.chars().any(char::is_control) {
            let bound =
                format!("a label is up to {LABEL_CHARS_MAX} characters, none of them control characters");
            return Err(AccessError::Bound(bound));
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(AccessError::Random)?;
        let token = format!("zp_{}{}", role.letter(), base64url(&secret));
        let created = now();
        let expires = lifetime.map(|lifetime| {
            Instant(created.0.saturating_add(i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX)))
        });

        let mut database = self.database();
        let standing: i64 = database.connection.query_row(
            "SELECT count(*) FROM token WHERE revoked IS NULL AND coalesce(expires > ?1, 1)",
            [created.0],
            |row| row.get(0),
        )?;
        if standing >= TOKENS_MAX {
            let bound = format!("there are {standing} tokens, which is the limit: revoke those not in use");
            return Err(AccessError::Bound(bound));
        }
        database.connection.execute(
            "INSERT INTO token (hash, role, label, created, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                blake3::hash(token.as_bytes()).as_bytes(),
                role.name(),
                label,
                created.0,
                expires.map(Instant::ms)
            ],
        )?;
        let id = database.connection.last_insert_rowid();
        self.reread(&mut database)?;
        let label = label.to_owned();
        Ok((token, TokenRecord { id, role, label, created, expires, revoked: None }))
    }

    /// Every token ever made, oldest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn list(&self) -> Result<Vec<TokenRecord>, AccessError> {
        let database = self.database();
        let mut statement = database
            .connection
            .prepare("SELECT id, role, label, created, expires, revoked FROM token ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get::<_, String>(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get::<_, Option<i64>>(4)?,
                row.get::<_, Option<i64>>(5)?,
            ))
        })?;
        let mut records = Vec::new();
        for row in rows {
            let (id, role, label, created, expires, revoked) = row?;
            // A role that this version does not know is one that it must not grant, nor list wrongly.
            let Some(role) = Role::from_name(&role) else { continue };
            records.push(TokenRecord {
                id,
                role,
                label,
                created: Instant(created),
                expires: expires.map(Instant),
                revoked: revoked.map(Instant),
            });
        }
        Ok(records)
    }

    /// Revokes a token. `None` if there is none of that number; revoking twice keeps the first instant.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn revoke(&self, id: i64) -> Result<Option<Role>, AccessError> {
        let mut database = self.database();
        let role: Option<String> = database
            .connection
            .query_row("SELECT role FROM token WHERE id = ?1", [id], |row| row.get(0))
            .optional()?;
        let Some(role) = role.as_deref().and_then(Role::from_name) else { return Ok(None) };
        database.connection.execute(
            "UPDATE token SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL",
            params![id, now().0],
        )?;
        self.reread(&mut database)?;
        Ok(Some(role))
    }

    /// The role of a token that is in force, from memory: one hash and one look-up.
    pub fn role_of(&self, token: &[u8]) -> Option<Role> {
        if token.len() != TOKEN_BYTES {
            return None;
        }
        let hash = blake3::hash(token);
        let grant = *self.granted.read().unwrap_or_else(PoisonError::into_inner).get(&prefix(&hash))?;
        let in_time = grant.expires.is_none_or(|expires| now() < expires);
        (grant.hash == hash && in_time).then_some(grant.role)
    }

    /// Rereads the tokens if another process changed them; says whether it did. Blocks for microseconds,
    /// or for as long as the disk takes after a change.
    ///
    /// # Errors
    /// If the database cannot be read; the tokens read before stay in force.
    pub fn refresh(&self) -> Result<bool, AccessError> {
        let mut database = self.database();
        let version: i64 = database.connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        if version == database.version_read {
            return Ok(false);
        }
        self.reread(&mut database)?;
        database.version_read = version;
        Ok(true)
    }

    fn reread(&self, database: &mut Database) -> Result<(), AccessError> {
        let mut statement = database
            .connection
            .prepare_cached("SELECT hash, role, expires FROM token WHERE revoked IS NULL")?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<i64>>(2)?))
        })?;
        let mut granted = HashMap::new();
        for row in rows {
            let (hash, role, expires) = row?;
            let (hash, expires) = (blake3::Hash::from_bytes(hash), expires.map(Instant));
            if let Some(role) = Role::from_name(&role) {
                granted.insert(prefix(&hash), Grant { hash, role, expires });
            }
        }
        *self.granted.write().unwrap_or_else(PoisonError::into_inner) = granted;
        Ok(())
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

fn prefix(hash: &blake3::Hash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// RFC 4648 §5 without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for digit in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * digit)) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
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

    fn empty() -> (tempfile::TempDir, Access) {
        let directory = tempfile::tempdir().unwrap();
        let access = Access::open(&directory.path().join("data")).unwrap();
        (directory, access)
    }

    #[test]
    fn base64url_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("\u{ff}\u{3f}", "w78_"),
        ] {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_token_has_the_role_it_was_made_with_and_no_other_text_has_one() {
        let (_directory, access) = empty();
        for role in Role::ALL {
            let (token, record) = access.create(role, "a label", None).unwrap();
            assert_eq!(token.len(), TOKEN_BYTES);
            assert!(token.starts_with("zp_"));
            assert_eq!(record.role, role);
            assert_eq!(access.role_of(token.as_bytes()), Some(role));
            let mut altered = token.into_bytes();
            altered[TOKEN_BYTES - 1] ^= 1;
            assert_eq!(access.role_of(&altered), None);
        }
        assert_eq!(access.role_of(b""), None);
        assert_eq!(access.role_of(&[b'a'; TOKEN_BYTES]), None);
    }

    #[test]
    fn the_token_itself_is_not_in_the_data_directory() {
        let (directory, access) = empty();
        let (token, _) = access.create(Role::Intake, "", None).unwrap();
        let secret = &token.as_bytes()[4..];
        for entry in fs::read_dir(directory.path().join("data")).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }

    #[test]
    fn a_token_made_or_revoked_by_another_process_is_noticed() {
        let (directory, server) = empty();
        let command = Access::open(&directory.path().join("data")).unwrap();
        assert!(!server.refresh().unwrap(), "nothing changed yet");
        let (token, record) = command.create(Role::Handling, "beside", None).unwrap();
        assert_eq!(server.role_of(token.as_bytes()), None);
        assert!(server.refresh().unwrap());
        assert_eq!(server.role_of(token.as_bytes()), Some(Role::Handling));
        assert_eq!(command.revoke(record.id).unwrap(), Some(Role::Handling));
        assert!(server.refresh().unwrap());
        assert_eq!(server.role_of(token.as_bytes()), None);
        assert!(!server.refresh().unwrap());
    }

    #[test]
    fn an_expired_token_has_no_role() {
        let (_directory, access) = empty();
        let (token, record) = access.create(Role::Intake, "", Some(Duration::ZERO)).unwrap();
        assert_eq!(access.role_of(token.as_bytes()), None);
        assert_eq!(record.standing(), "expired");
    }

    #[test]
    fn the_list_keeps_what_was_revoked_and_unknown_numbers_revoke_nothing() {
        let (_directory, access) = empty();
        let (_, first) = access.create(Role::Intake, "first", None).unwrap();
        let (_, second) = access.create(Role::Operator, "second", None).unwrap();
        access.revoke(first.id).unwrap();
        let listed = access.list().unwrap();
        assert_eq!(listed.iter().map(|record| record.standing()).collect::<Vec<_>>(), ["revoked", "valid"]);
        assert_eq!(listed[1], second);
        let revoked = listed[0].revoked;
        access.revoke(first.id).unwrap();
        assert_eq!(access.list().unwrap()[0].revoked, revoked);
        assert_eq!(access.revoke(99).unwrap(), None);
    }

    #[test]
    fn a_label_has_a_bound() {
        let (_directory, access) = empty();
        assert!(access.create(Role::Intake, &"长".repeat(LABEL_CHARS_MAX), None).is_ok());
        assert!(access.create(Role::Intake, &"长".repeat(LABEL_CHARS_MAX + 1), None).is_err());
        assert!(access.create(Role::Intake, "two\nlines", None).is_err());
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
