//! Rule files: from a directory or from the program itself, and their version.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::version::Version;

/// Most files in one rule set.
pub const MAX_FILES: usize = 64;
/// Most bytes in one rule file.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// One rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Name without a directory: `device.toml`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Why a directory of rules could not be read.
#[derive(Debug)]
pub enum SourceError {
    /// A file or the directory cannot be read.
    Unreadable(PathBuf, std::io::Error),
    /// A file is not UTF-8.
    NotUtf8(PathBuf),
    /// A file has more than [`MAX_FILE_BYTES`].
    TooLarge(PathBuf, u64),
    /// There are more than [`MAX_FILES`].
    TooMany(PathBuf),
    /// There is no `*.toml` file.
    Empty(PathBuf),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::NotUtf8(path) => write!(f, "{} is not UTF-8; save it as UTF-8", path.display()),
            Self::TooLarge(path, bytes) => write!(
                f,
                "{} has {bytes} bytes; at most {MAX_FILE_BYTES} are allowed in one rule file, so split it",
                path.display()
            ),
            Self::TooMany(path) => {
                write!(f, "{} holds more than {MAX_FILES} *.toml files; merge some of them", path.display())
            }
            Self::Empty(path) => {
                write!(f, "{} holds no *.toml file; name the directory with the rules", path.display())
            }
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, error) => Some(error),
            _ => None,
        }
    }
}

/// Reads every `*.toml` of a directory (not of directories in it), sorted by name.
///
/// # Errors
/// The directory or a file cannot be read, is not UTF-8 or exceeds a bound, or there is none.
pub fn load_directory(path: &Path) -> Result<Vec<Source>, SourceError> {
    let unreadable = |error| SourceError::Unreadable(path.to_owned(), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "toml") && file.is_file() {
            files.push(file);
            if files.len() > MAX_FILES {
                return Err(SourceError::TooMany(path.to_owned()));
            }
        }
    }
    if files.is_empty() {
        return Err(SourceError::Empty(path.to_owned()));
    }
    let mut sources =
        files.iter().map(|file| load_file(file)).collect::<Result<Vec<Source>, SourceError>>()?;
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

fn load_file(file: &Path) -> Result<Source, SourceError> {
    let unreadable = |error| SourceError::Unreadable(file.to_owned(), error);
    let bytes = std::fs::metadata(file).map_err(unreadable)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(SourceError::TooLarge(file.to_owned(), bytes));
    }
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| SourceError::NotUtf8(file.to_owned()))?.to_owned();
    let text = String::from_utf8(std::fs::read(file).map_err(unreadable)?)
        .map_err(|_| SourceError::NotUtf8(file.to_owned()))?;
    Ok(Source { name, text })
}

/// Embeds files of `rules/`.
macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../rules/", $name)))),*]
    };
}

/// The rules that ship with the program: every `*.toml` in `rules/`.
const SHIPPED: &[(&str, &str)] =
    embedded!["automation.toml", "counters.toml", "malicious.toml", "policy.toml", "praise.toml"];

/// The rules that ship with the program, sorted by name.
pub fn shipped() -> Vec<Source> {
    let mut sources: Vec<Source> =
        SHIPPED.iter().map(|&(name, text)| Source { name: name.to_owned(), text: text.to_owned() }).collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    sources
}

/// The version of a set of files: the first 8 bytes of BLAKE3 over, for each file in order of name,
/// the lengths (64 bits, little-endian) and bytes of its name and of its text.
///
/// Counters and lists are part of the files and so of the version.
pub fn version_of(sources: &[Source]) -> Version {
    let mut sorted: Vec<&Source> = sources.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    Version::of(sorted.into_iter().flat_map(|source| [source.name.as_bytes(), source.text.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> Source {
        Source { name: name.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn the_version_follows_from_names_and_contents_and_from_nothing_else() {
        let version = version_of(&[source("a.toml", "x"), source("b.toml", "y")]);
        assert_eq!(version, version_of(&[source("b.toml", "y"), source("a.toml", "x")]));
        for other in [
            vec![source("a.toml", "x"), source("b.toml", "z")],
            vec![source("a.toml", "x"), source("c.toml", "y")],
            vec![source("a.toml", "xb.toml"), source("", "y")],
            vec![source("a.toml", "x")],
        ] {
            assert_ne!(version, version_of(&other));
        }
    }

    #[test]
    fn every_file_in_the_rules_directory_ships() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        match load_directory(&directory) {
            Ok(files) => assert_eq!(shipped(), files),
            Err(SourceError::Empty(_)) => assert!(shipped().is_empty()),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_directory_is_read_in_order_and_within_bounds() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(load_directory(directory.path()), Err(SourceError::Empty(_))));
        assert!(matches!(load_directory(&directory.path().join("none")), Err(SourceError::Unreadable(..))));
        for name in ["b.toml", "a.toml", "README.md"] {
            std::fs::write(directory.path().join(name), name).unwrap();
        }
        std::fs::create_dir(directory.path().join("old.toml")).unwrap();
        let names: Vec<String> =
            load_directory(directory.path()).unwrap().into_iter().map(|s| s.name).collect();
        assert_eq!(names, ["a.toml", "b.toml"]);
        std::fs::write(directory.path().join("c.toml"), [0xFF]).unwrap();
        assert!(matches!(load_directory(directory.path()), Err(SourceError::NotUtf8(_))));
        let large = std::fs::File::create(directory.path().join("c.toml")).unwrap();
        large.set_len(MAX_FILE_BYTES + 1).unwrap();
        assert!(matches!(load_directory(directory.path()), Err(SourceError::TooLarge(..))));
        std::fs::remove_file(directory.path().join("c.toml")).unwrap();
        for i in 0..MAX_FILES {
            std::fs::write(directory.path().join(format!("{i}.toml")), "").unwrap();
        }
        assert!(matches!(load_directory(directory.path()), Err(SourceError::TooMany(_))));
    }
}
