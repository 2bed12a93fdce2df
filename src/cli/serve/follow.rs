//! Notices that rule files or reference tables changed, and has them read again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{reload_rules, reload_tables};
use crate::http::App;
use crate::http::backend::Backend;

/// Most files that are watched. Rule sets have a far lower bound of their own.
const FILES_MAX: usize = 10_000;

/// What shows that a directory's files changed: their names, lengths and times, in order.
type Stamp = Vec<(std::ffi::OsString, u64, SystemTime)>;

/// Follows the rule files for as long as the service runs; not at all if `every` is zero.
pub(super) async fn rules<B: Backend>(app: Arc<App<B>>, every: Duration) {
    if let Some(directory) = app.backend.rules_directory() {
        let look = |directory: &Path| stamp(directory, "toml");
        follow(directory, every, look, || reload_rules(&app)).await;
    }
}

/// Follows the reference tables. Their directory may come later, or never.
pub(super) async fn tables<B: Backend>(app: Arc<App<B>>, every: Duration) {
    if let Some(directory) = app.backend.reference_directory() {
        let look = |directory: &Path| match stamp(directory, "csv") {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Stamp::new()),
            found => found,
        };
        follow(directory, every, look, || reload_tables(&app)).await;
    }
}

/// An editor, or a copy of several files, takes time: a change is acted upon at the look after it, if
/// nothing has moved since. What fails its checks is reported once, not at every look.
async fn follow<R: Future<Output = ()>>(
    directory: PathBuf,
    every: Duration,
    look: impl Fn(&Path) -> std::io::Result<Stamp> + Clone + Send + 'static,
    reload: impl Fn() -> R,
) {
    if every.is_zero() {
        return;
    }
    let mut ticks = tokio::time::interval(every);
    let (mut read, mut seen) = (None, None);
    loop {
        ticks.tick().await;
        let (directory, look) = (directory.clone(), look.clone());
        let looked = tokio::task::spawn_blocking(move || look(&directory)).await;
        // A directory that cannot be read is one that is being replaced, or a disk that has its own alarm.
        let Ok(Ok(now)) = looked else { continue };
        match &read {
            None => read = Some(now.clone()),
            Some(read_before) if *read_before != now && seen.as_ref() == Some(&now) => {
                reload().await;
                read = Some(now.clone());
            }
            Some(_) => {}
        }
        seen = Some(now);
    }
}

fn stamp(directory: &Path, extension: &str) -> std::io::Result<Stamp> {
    let mut stamp = Stamp::new();
    for entry in directory.read_dir()?.take(FILES_MAX) {
        let entry = entry?;
        if Path::new(&entry.file_name()).extension().is_some_and(|found| found == extension) {
            let known = entry.metadata()?;
            stamp.push((entry.file_name(), known.len(), known.modified()?));
        }
    }
    stamp.sort_unstable();
    Ok(stamp)
}
