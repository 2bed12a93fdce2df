//! Where the keys are kept: one small file, or the environment.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Epoch, Keyring, MasterKey};
use crate::time::{DAY_MS, Instant};

/// How long an epoch lasts at least: the log's retention, which is the longest that anything is
/// looked up. Two epochs are kept, so every look-up finds its pseudonyms under one of them.
pub const MIN_EPOCH_DAYS: i64 = 180;

/// Names a key file outside the data directory.
const FILE_VARIABLE: &str = "ZHENPING_MASTER_KEY_FILE";
/// Holds a master key itself.
const KEY_VARIABLE: &str = "ZHENPING_MASTER_KEY";

const HEADER: &str = "\
# The keys of Zhenping. Whoever has this file can test whose a pseudonym is, and open the vault.
# Keep it at mode 0600, and keep its backup apart from the data's. Without it no repeat is
# recognised and no comment can be read. Change it with `zhenping key rotate` alone.
";

/// The keys as they are kept: a root, the current epoch, and the one before.
///
/// The file is TOML: `format`, `root`, and one `[[epoch]]` with `id`, `created` and `secret` for each
/// epoch, oldest first; the keys are 64 hexadecimal digits each.
#[derive(Debug)]
pub struct KeyFile {
    root: MasterKey,
    epochs: Vec<(Epoch, Instant)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    #[serde(with = "hex")]
    root: MasterKey,
    epoch: Vec<StoredEpoch>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEpoch {
    id: u32,
    created: String,
    #[serde(with = "hex")]
    secret: MasterKey,
}

/// A key as 64 hexadecimal digits.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use zeroize::Zeroizing;

    use super::MasterKey;

    pub(super) fn serialize<S: Serializer>(key: &MasterKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&key.to_hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MasterKey, D::Error> {
        let digits = Zeroizing::new(String::deserialize(deserializer)?);
        MasterKey::from_hex(&digits).ok_or_else(|| D::Error::custom("not 64 hexadecimal digits"))
    }
}

impl KeyFile {
    /// Where the key file stands in a data directory.
    pub fn path_in(data: &Path) -> PathBuf {
        data.join("keys.toml")
    }

    /// The key file that a deployment uses: the one that `ZHENPING_MASTER_KEY_FILE` names, or the one in
    /// the data directory.
    ///
    /// # Errors
    ///
    /// If the environment holds a bare key instead.
    pub fn in_use(data: &Path) -> Result<PathBuf, KeyError> {
        match Source::from(data, env) {
            Source::Named(path) | Source::Data(path) => Ok(path),
            Source::Variable(_) => Err(KeyError::InEnvironment),
        }
    }

    /// Reads the file; if there is none, creates one with fresh keys (mode 0600, whole or not at all).
    ///
    /// # Errors
    ///
    /// As [`KeyFile::load`], and if it cannot be created.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let fresh =
            Self { root: random(path)?, epochs: vec![(Epoch { id: 1, secret: random(path)? }, now())] };
        match fresh.store(path, |file| file.persist_noclobber(path).map_err(|e| e.error)) {
            // Another process was quicker: its keys are the ones.
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                Self::load(path)
            }
            other => other.map(|()| fresh),
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, if others than its owner may read it, or if it is not a key file.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        refuse_exposed(path)?;
        let text = Zeroizing::new(fs::read_to_string(path).map_err(io_error(path, "read"))?);
        Self::from_toml(&text).map_err(|reason| KeyError::Malformed { path: path.to_owned(), reason })
    }

    /// Begins a new epoch with a fresh secret, and destroys the secrets of all but the last one before.
    ///
    /// # Errors
    ///
    /// If the current epoch is younger than [`MIN_EPOCH_DAYS`], unless `early` is set: look-ups would
    /// then miss what the destroyed epoch named. If the file cannot be read or replaced.
    pub fn rotate(path: &Path, early: bool) -> Result<Self, KeyError> {
        let mut keys = Self::load(path)?;
        let now = now();
        let (current, created) = keys.last();
        let next = current.id.saturating_add(1);
        let age_days = (now.ms() - created.ms()) / DAY_MS;
        if keys.epochs.len() > 1 && age_days < MIN_EPOCH_DAYS && !early {
            return Err(KeyError::TooEarly { age_days });
        }
        keys.epochs.push((Epoch { id: next, secret: random(path)? }, now));
        keys.epochs.drain(..keys.epochs.len() - 2);
        keys.store(path, |file| file.persist(path).map_err(|e| e.error))?;
        Ok(keys)
    }

    /// Destroys the secret of the epoch before the current one, once nothing is looked up under its names.
    ///
    /// # Errors
    ///
    /// If there is no epoch before; if the current one is younger than [`MIN_EPOCH_DAYS`], unless `early` is
    /// set; if the file cannot be read or replaced.
    pub fn retire(path: &Path, early: bool) -> Result<Self, KeyError> {
        let mut keys = Self::load(path)?;
        if keys.epochs.len() < 2 {
            return Err(KeyError::NothingToRetire);
        }
        let age_days = (now().ms() - keys.last().1.ms()) / DAY_MS;
        if age_days < MIN_EPOCH_DAYS && !early {
            return Err(KeyError::TooEarly { age_days });
        }
        keys.epochs.drain(..keys.epochs.len() - 1);
        keys.store(path, |file| file.persist(path).map_err(|e| e.error))?;
        Ok(keys)
    }

    /// Numbers of the epochs and when they began, oldest first.
    pub fn epochs(&self) -> impl Iterator<Item = (u32, Instant)> + '_ {
        self.epochs.iter().map(|(epoch, created)| (epoch.id, *created))
    }

    /// The ring of these keys.
    pub fn into_keyring(mut self) -> Keyring {
        let current = self.epochs.pop();
        let previous = self.epochs.pop().map(|(epoch, _)| epoch);
        match current {
            Some((current, began)) => Keyring::new(self.root, &current, previous.as_ref()).begun(began),
            // Both constructors give at least one epoch.
            None => Keyring::from_master(self.root),
        }
    }

    fn last(&self) -> (&Epoch, Instant) {
        let (epoch, created) = &self.epochs[self.epochs.len() - 1];
        (epoch, *created)
    }

    /// Errors quote nothing of the text.
    fn from_toml(text: &str) -> Result<Self, String> {
        let stored: Stored = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            format!("line {line} is not as a key file has it")
        })?;
        if stored.format != 1 {
            return Err(format!("its format is {}, and this version reads format 1", stored.format));
        }
        let mut epochs: Vec<(Epoch, Instant)> = Vec::new();
        for StoredEpoch { id, created, secret } in stored.epoch {
            let created = Instant::parse_rfc3339(&created)
                .ok_or_else(|| format!("`created` of epoch {id} is no date-time"))?;
            if epochs.last().is_some_and(|(before, _)| before.id.checked_add(1) != Some(id)) {
                return Err(format!("epoch {id} does not follow the one before it"));
            }
            epochs.push((Epoch { id, secret }, created));
        }
        if !(1..=2).contains(&epochs.len()) {
            return Err(format!("it has {} epochs, and must have one or two", epochs.len()));
        }
        Ok(Self { root: stored.root, epochs })
    }

    fn to_toml(&self) -> Result<Zeroizing<String>, toml::ser::Error> {
        let epoch = |(epoch, created): &(Epoch, Instant)| StoredEpoch {
            id: epoch.id,
            created: created.to_string(),
            secret: epoch.secret.duplicate(),
        };
        let stored =
            Stored { format: 1, root: self.root.duplicate(), epoch: self.epochs.iter().map(epoch).collect() };
        let body = Zeroizing::new(toml::to_string(&stored)?);
        Ok(Zeroizing::new(format!("{HEADER}{}", body.as_str())))
    }

    /// Writes a file beside `path`, synced and of mode 0600, and lets `persist` put it in its place.
    fn store(
        &self,
        path: &Path,
        persist: impl FnOnce(tempfile::NamedTempFile) -> io::Result<File>,
    ) -> Result<(), KeyError> {
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let write = || {
            let text = self.to_toml().map_err(io::Error::other)?;
            fs::create_dir_all(directory)?;
            // Temporary files are made with mode 0600.
            let mut file = tempfile::Builder::new().prefix(".keys").tempfile_in(directory)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            persist(file)?;
            File::open(directory)?.sync_all()
        };
        write().map_err(io_error(path, "write"))
    }
}

impl Keyring {
    /// The keys of a deployment: the file that `ZHENPING_MASTER_KEY_FILE` names (a key file, or 64
    /// hexadecimal digits alone), or else the 64 digits in `ZHENPING_MASTER_KEY`, or else `keys.toml`
    /// in the data directory, which is created if it is missing.
    ///
    /// # Errors
    ///
    /// If the one that applies cannot be read, is exposed or malformed. There is no falling back: that
    /// would make new pseudonyms under another key.
    pub fn open(data: &Path) -> Result<Self, KeyError> {
        open(&Source::from(data, env), KeyFile::load_or_create)
    }

    /// As [`Keyring::open`], but creates nothing: for a data directory that holds ratings already, whose
    /// keys must be found, not replaced.
    ///
    /// # Errors
    ///
    /// As [`Keyring::open`], and if there is no key file.
    pub fn open_existing(data: &Path) -> Result<Self, KeyError> {
        open(&Source::from(data, env), KeyFile::load)
    }
}

/// Where the keys of a deployment are.
#[derive(Debug)]
enum Source {
    /// In a file that the environment names.
    Named(PathBuf),
    /// In the environment.
    Variable(OsString),
    /// In the data directory.
    Data(PathBuf),
}

impl Source {
    fn from(data: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let named = variable(FILE_VARIABLE).map(|path| Self::Named(path.into()));
        named
            .or_else(|| variable(KEY_VARIABLE).map(Self::Variable))
            .unwrap_or_else(|| Self::Data(KeyFile::path_in(data)))
    }
}

fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn open(source: &Source, load: fn(&Path) -> Result<KeyFile, KeyError>) -> Result<Keyring, KeyError> {
    match source {
        Source::Named(path) => {
            refuse_exposed(path)?;
            let text = Zeroizing::new(fs::read_to_string(path).map_err(io_error(path, "read"))?);
            match MasterKey::from_hex(text.trim()) {
                Some(key) => Ok(Keyring::from_master(key)),
                None => KeyFile::load(path).map(KeyFile::into_keyring),
            }
        }
        Source::Variable(text) => {
            let key = text.to_str().and_then(|text| MasterKey::from_hex(text.trim()));
            key.map(Keyring::from_master).ok_or(KeyError::BadVariable)
        }
        Source::Data(path) => load(path).map(KeyFile::into_keyring),
    }
}

/// Why there are no keys.
#[derive(Debug)]
pub enum KeyError {
    /// The file cannot be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
    /// Others than its owner may read it.
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is not a key file.
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why, without a word of its content.
        reason: String,
    },
    /// `ZHENPING_MASTER_KEY` is not a key.
    BadVariable,
    /// The keys are in the environment, where they have no epochs.
    InEnvironment,
    /// There is one epoch alone.
    NothingToRetire,
    /// It would destroy an epoch that look-ups still need.
    TooEarly {
        /// Age of the current epoch.
        age_days: i64,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source, .. } if source.kind() == io::ErrorKind::NotFound => {
                let path = path.display();
                write!(
                    f,
                    "there is no key file {path}: the first start on an empty data directory makes it; "
                )?;
                write!(f, "where there are ratings already, restore it from its backup")
            }
            Self::Io { path, action, source } => {
                write!(f, "cannot {action} the key file {}: {source}", path.display())
            }
            Self::Exposed { path, mode } => {
                let path = path.display();
                write!(f, "the key file {path} has mode {mode:04o}, so that others may read it: ")?;
                write!(f, "run `chmod 600 {path}`, and if others may have read it, rotate the keys")
            }
            Self::Malformed { path, reason } => {
                write!(f, "{} is not a key file: {reason}; restore it from its backup", path.display())
            }
            Self::BadVariable => {
                write!(
                    f,
                    "{KEY_VARIABLE} is not 64 hexadecimal digits; `openssl rand -hex 32` makes such a key"
                )
            }
            Self::InEnvironment => {
                write!(f, "the key is in {KEY_VARIABLE} and has no epochs; to rotate keys, use a key file")
            }
            Self::NothingToRetire => {
                f.write_str("there is one epoch alone, and it is in use: nothing to retire")
            }
            Self::TooEarly { age_days } => write!(
                f,
                "the current epoch is {age_days} days old: before {MIN_EPOCH_DAYS} days this destroys the epoch \
                 before it while it is still needed to recognise cases and people; if the keys have leaked, use \
                 --early"
            ),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn io_error(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { path, action, source }
}

fn random(path: &Path) -> Result<MasterKey, KeyError> {
    MasterKey::random().map_err(io_error(path, "write"))
}

fn now() -> Instant {
    Instant(jiff::Timestamp::now().as_millisecond())
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_err(io_error(path, "read"))?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path) -> Result<(), KeyError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pseudonym::Kind;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn name_of(keyring: &Keyring) -> crate::pseudonym::Pseudonym {
        keyring.pseudonym(Kind::Account, "a1").unwrap()
    }

    #[test]
    fn a_key_file_is_made_once_and_reads_back() {
        let data = directory();
        let path = KeyFile::path_in(&data.path().join("deeper"));
        let first = KeyFile::load_or_create(&path).unwrap().into_keyring();
        let again = KeyFile::load_or_create(&path).unwrap().into_keyring();
        assert_eq!(name_of(&first), name_of(&again));
        let other = KeyFile::load_or_create(&data.path().join("other.toml")).unwrap().into_keyring();
        assert_ne!(name_of(&first), name_of(&other));
        assert_eq!(fs::read_dir(data.path().join("deeper")).unwrap().count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_may_read_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt;
        let data = directory();
        let path = KeyFile::path_in(data.path());
        KeyFile::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = KeyFile::load_or_create(&path).unwrap_err().to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_rotation_keeps_the_epoch_before_and_destroys_older_ones() {
        let data = directory();
        let path = KeyFile::path_in(data.path());
        let first = KeyFile::load_or_create(&path).unwrap().into_keyring();
        let second = KeyFile::rotate(&path, false).unwrap().into_keyring();
        assert_ne!(name_of(&first), name_of(&second));
        assert_eq!(second.previous().unwrap().pseudonym(Kind::Account, b"a1"), name_of(&first));
        assert_eq!(first.derive("vault"), second.derive("vault"));

        let early = KeyFile::rotate(&path, false).unwrap_err();
        assert!(matches!(early, KeyError::TooEarly { age_days: 0 }), "{early}");
        let third = KeyFile::rotate(&path, true).unwrap();
        assert_eq!(third.epochs().map(|(id, _)| id).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(KeyFile::load(&path).unwrap().into_keyring().current().id(), 3);
    }

    #[test]
    fn the_epoch_before_is_linked_for_the_retention_and_can_be_retired_then() {
        let data = directory();
        let path = KeyFile::path_in(data.path());
        KeyFile::load_or_create(&path).unwrap();
        assert!(matches!(KeyFile::retire(&path, true), Err(KeyError::NothingToRetire)));
        let rotated = KeyFile::rotate(&path, false).unwrap();
        let began = rotated.last().1;
        let keyring = rotated.into_keyring();
        let after = |days: i64| Instant(began.ms() + days * DAY_MS);
        assert!(keyring.linking_at(after(MIN_EPOCH_DAYS - 1)).is_some());
        assert!(keyring.linking_at(after(MIN_EPOCH_DAYS)).is_none(), "nothing is kept under its names");

        assert!(matches!(KeyFile::retire(&path, false), Err(KeyError::TooEarly { age_days: 0 })));
        let text = fs::read_to_string(&path).unwrap();
        let long_ago = text.replace(&began.to_string(), "2020-01-01T00:00:00Z");
        assert_ne!(text, long_ago);
        fs::write(&path, long_ago).unwrap();
        let retired = KeyFile::retire(&path, false).unwrap();
        assert_eq!(retired.epochs().map(|(id, _)| id).collect::<Vec<_>>(), [2]);
        let reloaded = KeyFile::load(&path).unwrap().into_keyring();
        assert!(reloaded.previous().is_none());
        assert_eq!(name_of(&reloaded), name_of(&keyring));
        // The numbers go on.
        assert_eq!(KeyFile::rotate(&path, false).unwrap().last().0.id, 3);
    }

    #[test]
    fn a_broken_key_file_is_named_and_never_quoted_or_replaced() {
        let data = directory();
        let path = KeyFile::path_in(data.path());
        KeyFile::load_or_create(&path).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        let key = whole.lines().find_map(|line| line.strip_prefix("root = ")).unwrap().trim_matches('"');
        for broken in [
            whole.replace("format = 1", "format = 2"),
            whole.replace("id = 1", "id = \"one\""),
            whole.replace(key, &key[1..]),
            whole.replace("[[epoch]]", "[[era]]"),
            whole[..whole.len() / 2].to_owned(),
            String::new(),
        ] {
            fs::write(&path, &broken).unwrap();
            let error = KeyFile::load_or_create(&path).unwrap_err().to_string();
            assert!(error.contains("is not a key file") && !error.contains(&key[1..]), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), broken);
        }
    }

    #[test]
    fn the_environment_comes_first_and_nothing_falls_back() {
        let data = directory();
        let hex = "0123456789abcdef".repeat(4);
        let with = |name: &'static str, value: OsString| {
            let source = Source::from(data.path(), move |asked| (asked == name).then(|| value.clone()));
            open(&source, KeyFile::load)
        };
        let by_variable = with(KEY_VARIABLE, format!("{hex}\n").into()).unwrap();
        assert!(matches!(with(KEY_VARIABLE, "short".into()), Err(KeyError::BadVariable)));

        let named = data.path().join("named");
        KeyFile::load_or_create(&named).unwrap();
        let by_key_file = with(FILE_VARIABLE, named.clone().into()).unwrap();
        assert_ne!(name_of(&by_key_file), name_of(&by_variable));
        // Written into the file that exists, so that its mode stays.
        fs::write(&named, &hex).unwrap();
        let by_bare_file = with(FILE_VARIABLE, named.into()).unwrap();
        assert_eq!(name_of(&by_bare_file), name_of(&by_variable));

        let missing = with(FILE_VARIABLE, data.path().join("missing").into()).unwrap_err();
        assert!(matches!(missing, KeyError::Io { .. }), "{missing}");
        assert!(!KeyFile::path_in(data.path()).exists());
    }
}
