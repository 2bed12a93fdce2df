//! Sessions of the people at the reviewers' desk.
//!
//! The cookie is 32 random bytes and a tag over them: `base64url(id).base64url(tag)`, where the tag is the
//! first 16 bytes of BLAKE3 keyed with a secret that is made once and kept in `access.db`. So a forged
//! cookie is refused before anything is looked up. The database holds `BLAKE3(id)` alone: whoever reads it
//! cannot act in anybody's name.
//!
//! A request is answered from memory. The database has every session from its start to its end, so that
//! they survive a restart; when a session was last used is written at most once a minute, by
//! [`Access::keep_sessions`], and a restart forgets at most that minute.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use dashmap::DashMap;
use rusqlite::{Connection, params};

use super::{Access, AccessError, Account, AccountError, after, now, random};
use crate::time::{Instant, MINUTE_MS};

/// Name of the cookie.
pub const COOKIE_NAME: &str = "zp_session";
/// Length of the cookie's value: 43 characters of the id, a dot, 22 of the tag.
pub const COOKIE_BYTES: usize = ID_CHARS + 1 + TAG_CHARS;
/// Most sessions of one account; a further sign-in ends the one that was used longest ago.
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 16;

const ID_CHARS: usize = 43;
const TAG_CHARS: usize = 22;
const TAG_BYTES: usize = 16;
/// How often the time of last use is written.
const WRITE_EVERY_MS: i64 = MINUTE_MS;

pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS session (
    hash       BLOB PRIMARY KEY CHECK (length(hash) = 32),
    account    TEXT NOT NULL,
    generation INTEGER NOT NULL,
    csrf       BLOB NOT NULL CHECK (length(csrf) = 32),
    created    INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    expires    INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS session_account ON session (account);";

/// When sessions end by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// So long after the last request.
    pub idle: Duration,
    /// So long after the sign-in, whatever is done; fixed for a session when it starts.
    pub absolute: Duration,
}

impl Default for SessionLimits {
    /// Half an hour, and ten hours: a break, and a working day.
    fn default() -> Self {
        Self { idle: Duration::from_secs(30 * 60), absolute: Duration::from_secs(10 * 3_600) }
    }
}

/// A session in force.
#[derive(Clone)]
pub struct Session {
    /// Whose it is, as the account stands now.
    pub account: Arc<Account>,
    /// When it started.
    pub created: Instant,
    /// When it was last used: now.
    pub last_seen: Instant,
    /// When it ends even if it is used.
    pub expires: Instant,
    csrf: [u8; 32],
}

impl Session {
    /// What every form of this session carries: 43 characters of base64url.
    pub fn csrf(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.csrf)
    }

    /// Whether a form carries it, compared in constant time.
    pub fn csrf_matches(&self, sent: &str) -> bool {
        decoded::<32>(sent).is_some_and(|sent| equal(&sent, &self.csrf))
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let account = &self.account.name;
        f.debug_struct("Session").field("account", account).field("expires", &self.expires).finish()
    }
}

/// A session as it is kept in memory: about 250 bytes.
struct Kept {
    account: Box<str>,
    generation: i64,
    csrf: [u8; 32],
    created: Instant,
    expires: Instant,
    /// Milliseconds, as the next two.
    last_seen: AtomicI64,
    /// What the database has of it.
    written: AtomicI64,
}

/// The sessions by the hash of their id. Bounded by the accounts and what each may have.
pub(super) struct Sessions {
    key: [u8; 32],
    limits: SessionLimits,
    by_hash: DashMap<[u8; 32], Kept>,
    /// When the times of last use were written.
    kept_at: AtomicI64,
}

impl Sessions {
    pub(super) fn new(key: [u8; 32]) -> Self {
        let (limits, by_hash) = (SessionLimits::default(), DashMap::new());
        Self { key, limits, by_hash, kept_at: AtomicI64::new(0) }
    }

    /// Takes in what another process started or ended. The times of last use in memory are the newer ones.
    pub(super) fn reread(&self, connection: &Connection) -> Result<(), AccessError> {
        let mut statement = connection.prepare_cached(
            "SELECT hash, account, generation, csrf, created, last_seen, expires FROM session",
        )?;
        let mut rows = statement.query([])?;
        let mut standing = HashSet::new();
        while let Some(row) = rows.next()? {
            let hash: [u8; 32] = row.get(0)?;
            standing.insert(hash);
            let last_seen: i64 = row.get(5)?;
            let read = Kept {
                account: row.get::<_, String>(1)?.into(),
                generation: row.get(2)?,
                csrf: row.get(3)?,
                created: Instant(row.get(4)?),
                expires: Instant(row.get(6)?),
                last_seen: AtomicI64::new(last_seen),
                written: AtomicI64::new(last_seen),
            };
            self.by_hash.entry(hash).or_insert(read);
        }
        self.by_hash.retain(|hash, _| standing.contains(hash));
        Ok(())
    }

    /// The hash of a cookie's id, if its tag is ours.
    fn hash_of(&self, cookie: &str) -> Option<[u8; 32]> {
        if cookie.len() != COOKIE_BYTES {
            return None;
        }
        let (id, tag) = cookie.split_once('.')?;
        let (id, tag) = (decoded::<32>(id)?, decoded::<TAG_BYTES>(tag)?);
        let ours = self.tag(&id);
        equal(&padded(&ours), &padded(&tag)).then(|| *blake3::hash(&id).as_bytes())
    }

    fn tag(&self, id: &[u8; 32]) -> [u8; TAG_BYTES] {
        let whole = blake3::keyed_hash(&self.key, id);
        std::array::from_fn(|i| whole.as_bytes()[i])
    }

    fn is_in_time(&self, kept: &Kept, now: Instant) -> bool {
        let last_seen = Instant(kept.last_seen.load(Ordering::Relaxed));
        now < kept.expires && now < after(last_seen, self.limits.idle)
    }
}

/// The key that tags cookies: made by whichever process opens the database first.
pub(super) fn signing_key(connection: &Connection) -> Result<[u8; 32], AccessError> {
    let read = || {
        let mut statement = connection.prepare("SELECT value FROM secret WHERE name = 'session'")?;
        let mut rows = statement.query([])?;
        rows.next()?.map(|row| row.get::<_, [u8; 32]>(0)).transpose()
    };
    if let Some(key) = read()? {
        return Ok(key);
    }
    let made: [u8; 32] = random()?;
    connection.execute("INSERT OR IGNORE INTO secret (name, value) VALUES ('session', ?1)", [made])?;
    Ok(read()?.unwrap_or(made))
}

impl Access {
    /// With other limits of sessions.
    #[must_use]
    pub fn with_session_limits(mut self, limits: SessionLimits) -> Self {
        self.sessions.limits = limits;
        self
    }

    /// Starts a session and returns the cookie's value with it. Written to disk before it is returned.
    ///
    /// # Errors
    /// If there is no such account or it is disabled, the database cannot be written, or there is no
    /// randomness.
    pub fn start_session(&self, account: &str) -> Result<(String, Session), AccessError> {
        self.start_session_at(account, now())
    }

    fn start_session_at(&self, name: &str, now: Instant) -> Result<(String, Session), AccessError> {
        let id: [u8; 32] = random()?;
        let csrf: [u8; 32] = random()?;
        let tag = Base64UrlUnpadded::encode_string(&self.sessions.tag(&id));
        let cookie = format!("{}.{tag}", Base64UrlUnpadded::encode_string(&id));
        let hash = *blake3::hash(&id).as_bytes();

        let mut database = self.database();
        // Looked up under the lock, so that a generation that is just being raised is not missed.
        let account = self.known(name)?;
        if account.disabled.is_some() {
            return Err(AccountError::Disabled(name.to_owned()).into());
        }
        let expires = after(now, self.sessions.limits.absolute);
        let surplus = self.sessions.surplus_of(name);
        let change = database.connection.transaction()?;
        for hash in &surplus {
            change.execute("DELETE FROM session WHERE hash = ?1", [hash])?;
        }
        change.execute(
            "INSERT INTO session (hash, account, generation, csrf, created, last_seen, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
            params![hash, name, account.generation, csrf, now.0, expires.0],
        )?;
        change.commit()?;
        surplus.iter().for_each(|hash| drop(self.sessions.by_hash.remove(hash)));
        let kept = Kept {
            account: name.into(),
            generation: account.generation,
            csrf,
            created: now,
            expires,
            last_seen: AtomicI64::new(now.0),
            written: AtomicI64::new(now.0),
        };
        self.sessions.by_hash.insert(hash, kept);
        Ok((cookie, Session { account, created: now, last_seen: now, expires, csrf }))
    }

    /// The session of a cookie's value, from memory; none if it is not ours, was ended, or ended by itself,
    /// or its account was disabled or given a new password. Counts as a use of it.
    pub fn find_session(&self, cookie: &str) -> Option<Session> {
        self.find_session_at(cookie, now())
    }

    /// Whether a cookie's session is in force. Does not count as a use of it: what a page asks by itself must
    /// not keep a session open that nobody uses.
    pub fn is_in_force(&self, cookie: &str) -> bool {
        let Some(hash) = self.sessions.hash_of(cookie) else { return false };
        let Some(kept) = self.sessions.by_hash.get(&hash) else { return false };
        self.holder(&kept, now()).is_some()
    }

    fn find_session_at(&self, cookie: &str, now: Instant) -> Option<Session> {
        let hash = self.sessions.hash_of(cookie)?;
        let kept = self.sessions.by_hash.get(&hash)?;
        let account = self.holder(&kept, now)?;
        kept.last_seen.fetch_max(now.0, Ordering::Relaxed);
        let (created, expires, csrf) = (kept.created, kept.expires, kept.csrf);
        Some(Session { account, created, last_seen: now, expires, csrf })
    }

    /// Whose session this is, if it is in force.
    fn holder(&self, kept: &Kept, now: Instant) -> Option<Arc<Account>> {
        let account = self.account(&kept.account)?;
        let is_of_now = account.disabled.is_none() && account.generation == kept.generation;
        (is_of_now && self.sessions.is_in_time(kept, now)).then_some(account)
    }

    /// Ends the session of a cookie's value; says whether there was one. Written to disk before it returns.
    ///
    /// # Errors
    /// If the database cannot be written; in this process the session has ended all the same.
    pub fn end_session(&self, cookie: &str) -> Result<bool, AccessError> {
        let Some(hash) = self.sessions.hash_of(cookie) else { return Ok(false) };
        let database = self.database();
        let was_there = self.sessions.by_hash.remove(&hash).is_some();
        database.connection.execute("DELETE FROM session WHERE hash = ?1", [hash])?;
        Ok(was_there)
    }

    /// Ends all sessions of an account and returns how many there were in this process's memory.
    ///
    /// # Errors
    /// If the database cannot be written; in this process they have ended all the same.
    pub fn end_sessions_of(&self, account: &str) -> Result<usize, AccessError> {
        let database = self.database();
        let before = self.sessions.by_hash.len();
        self.sessions.by_hash.retain(|_, kept| *kept.account != *account);
        // Others may have started under the lock only, so that none can have come between.
        let ended = before - self.sessions.by_hash.len();
        database.connection.execute("DELETE FROM session WHERE account = ?1", [account])?;
        Ok(ended)
    }

    /// How many sessions are in force.
    pub fn session_count(&self) -> usize {
        self.session_count_at(now())
    }

    fn session_count_at(&self, now: Instant) -> usize {
        self.sessions.by_hash.iter().filter(|kept| self.holder(kept, now).is_some()).count()
    }

    /// Writes when sessions were last used, and forgets those that have ended; at most once a minute,
    /// whatever it is called. For the service alone: a command does not know its limits.
    ///
    /// # Errors
    /// If the database cannot be written; the next call tries again.
    pub fn keep_sessions(&self) -> Result<(), AccessError> {
        self.keep_sessions_at(now())
    }

    fn keep_sessions_at(&self, now: Instant) -> Result<(), AccessError> {
        let kept_at = self.sessions.kept_at.load(Ordering::Relaxed);
        // A clock that was put back must not stop this until it has caught up.
        if (kept_at..kept_at.saturating_add(WRITE_EVERY_MS)).contains(&now.0) {
            return Ok(());
        }
        let mut database = self.database();
        let (mut used, mut ended) = (Vec::new(), Vec::new());
        for entry in &self.sessions.by_hash {
            let last_seen = entry.last_seen.load(Ordering::Relaxed);
            if self.holder(&entry, now).is_none() {
                ended.push(*entry.key());
            } else if last_seen != entry.written.load(Ordering::Relaxed) {
                used.push((*entry.key(), last_seen));
            }
        }
        if !(used.is_empty() && ended.is_empty()) {
            let change = database.connection.transaction()?;
            for (hash, last_seen) in &used {
                change
                    .prepare_cached("UPDATE session SET last_seen = ?2 WHERE hash = ?1")?
                    .execute(params![hash, last_seen])?;
            }
            for hash in &ended {
                change.prepare_cached("DELETE FROM session WHERE hash = ?1")?.execute([hash])?;
            }
            change.commit()?;
        }
        for (hash, last_seen) in used {
            if let Some(kept) = self.sessions.by_hash.get(&hash) {
                kept.written.store(last_seen, Ordering::Relaxed);
            }
        }
        ended.iter().for_each(|hash| drop(self.sessions.by_hash.remove(hash)));
        self.sessions.kept_at.store(now.0, Ordering::Relaxed);
        Ok(())
    }
}

impl Sessions {
    /// Those of an account that must end before it may have another: the longest unused first.
    fn surplus_of(&self, account: &str) -> Vec<[u8; 32]> {
        let mut own: Vec<_> = self
            .by_hash
            .iter()
            .filter(|kept| *kept.account == *account)
            .map(|kept| (kept.last_seen.load(Ordering::Relaxed), *kept.key()))
            .collect();
        own.sort_unstable();
        let surplus = (own.len() + 1).saturating_sub(SESSIONS_PER_ACCOUNT_MAX);
        own.into_iter().take(surplus).map(|(_, hash)| hash).collect()
    }
}

/// Exactly so many bytes, in the one way in which base64url writes them.
fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let length = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len();
    (length == N).then_some(bytes)
}

fn padded(tag: &[u8; TAG_BYTES]) -> [u8; 32] {
    std::array::from_fn(|i| tag.get(i).copied().unwrap_or_default())
}

/// Equality in constant time, as `blake3::Hash` compares.
fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    blake3::Hash::from_bytes(*a) == blake3::Hash::from_bytes(*b)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
