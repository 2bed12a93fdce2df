//! The tokens with which callers show their role.
//!
//! A token is 32 random bytes, so a plain hash cannot be searched and needs neither salt nor stretching.
//! The database holds only the hash.

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Access, AccessError, after, now, random};
use crate::time::Instant;

/// Most tokens that are not revoked; `create` refuses beyond.
pub const TOKENS_MAX: i64 = 10_000;
/// Longest label, in characters.
pub const LABEL_CHARS_MAX: usize = 100;
/// Length of a token in bytes: `zp_`, the role's letter, 43 characters of base64url.
pub const TOKEN_BYTES: usize = 3 + 1 + 43;

pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS token (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    hash    BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    role    TEXT NOT NULL,
    label   TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER
) STRICT;";

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

/// A token that is in force.
#[derive(Clone, Copy)]
struct Grant {
    /// Compared in constant time, as `blake3::Hash` does.
    hash: blake3::Hash,
    role: Role,
    expires: Option<Instant>,
}

/// The tokens in force, by the first eight bytes of the hash.
#[derive(Default)]
pub(super) struct Tokens(RwLock<HashMap<u64, Grant>>);

impl Tokens {
    /// Reads them again.
    pub(super) fn reread(&self, connection: &Connection) -> Result<(), AccessError> {
        let mut statement =
            connection.prepare_cached("SELECT hash, role, expires FROM token WHERE revoked IS NULL")?;
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
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = granted;
        Ok(())
    }
}

impl Access {
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
        let secret: [u8; 32] = random()?;
        let token = format!("zp_{}{}", role.letter(), Base64UrlUnpadded::encode_string(&secret));
        let created = now();
        let expires = lifetime.map(|lifetime| after(created, lifetime));

        let database = self.database();
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
        self.tokens.reread(&database.connection)?;
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
        let database = self.database();
        let role: Option<String> = database
            .connection
            .query_row("SELECT role FROM token WHERE id = ?1", [id], |row| row.get(0))
            .optional()?;
        let Some(role) = role.as_deref().and_then(Role::from_name) else { return Ok(None) };
        database.connection.execute(
            "UPDATE token SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL",
            params![id, now().0],
        )?;
        self.tokens.reread(&database.connection)?;
        Ok(Some(role))
    }

    /// The role of a token that is in force, from memory: one hash and one look-up.
    pub fn role_of(&self, token: &[u8]) -> Option<Role> {
        if token.len() != TOKEN_BYTES {
            return None;
        }
        let hash = blake3::hash(token);
        let grant = *self.tokens.0.read().unwrap_or_else(PoisonError::into_inner).get(&prefix(&hash))?;
        let in_time = grant.expires.is_none_or(|expires| now() < expires);
        (grant.hash == hash && in_time).then_some(grant.role)
    }
}

fn prefix(hash: &blake3::Hash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::empty;
    use super::*;

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
}
