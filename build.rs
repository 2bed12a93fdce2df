//! Tells builds apart by the sources that decide what folded state means. A snapshot of state that was
//! written by other sources is passed over: what it holds may mean something else by now.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Files and folders below `src/`.
const STATE: [&str; 18] = [
    "catalogue",
    "date.rs",
    "expression",
    "features",
    "incidents",
    "lookback",
    "models",
    "observation.rs",
    "policy",
    "rules",
    "scoring",
    "scoring.rs",
    "service/folds.rs",
    "service/learning",
    "service/snapshot.rs",
    "statistics",
    "time.rs",
    "wire.rs",
];

fn main() -> io::Result<()> {
    let source = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("src");
    let mut hasher = DefaultHasher::new();
    for part in STATE {
        println!("cargo::rerun-if-changed=src/{part}");
        hash(&source.join(part), &mut hasher)?;
    }
    println!("cargo::rustc-env=ZHENPING_STATE_SOURCES={:016x}", hasher.finish());
    Ok(())
}

fn hash(path: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    if !path.is_dir() {
        fs::read(path)?.hash(hasher);
        return Ok(());
    }
    let mut inner: Vec<PathBuf> =
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    inner.sort();
    for path in inner {
        path.file_name().hash(hasher);
        hash(&path, hasher)?;
    }
    Ok(())
}
