//! Notices that rule files changed, and has them read again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::reload_rules;
use crate::http::App;
use crate::http::backend::Backend;

/// Most files that are watched. Rule sets have a far lower bound of their own.
const FILES_MAX: usize = 10_000;

/// What shows that a directory's rule files changed: their names, lengths and times, in order.
type Stamp = Vec<(std::ffi::OsString, u64, SystemTime)>;

/// Looks every so often, for as long as the service runs; not at all if `every` is zero.
///
/// An editor, or a copy of several files, takes time: a change is acted upon at the look after it, if
/// nothing has moved since. A set that fails its checks is reported once, not at every look.
pub(super) async fn follow<B: Backend>(app: Arc<App<B>>, every: Duration) {
    let Some(directory) = app.backend.rules_directory().filter(|_| !every.is_zero()) else { return };
    let mut ticks = tokio::time::interval(every);
    let (mut read, mut seen) = (None, None);
    loop {
        ticks.tick().await;
        let directory = directory.clone();
        let looked = tokio::task::spawn_blocking(move || stamp(&directory)).await;
        // A directory that cannot be read is one that is being replaced, or a disk that has its own alarm.
        let Ok(Ok(now)) = looked else { continue };
        match &read {
            None => read = Some(now.clone()),
            Some(read_before) if *read_before != now && seen.as_ref() == Some(&now) => {
                reload_rules(&app).await;
                read = Some(now.clone());
            }
            Some(_) => {}
        }
        seen = Some(now);
    }
}

fn stamp(directory: &Path) -> std::io::Result<Stamp> {
    let mut stamp = Stamp::new();
    for entry in directory.read_dir()?.take(FILES_MAX) {
        let entry = entry?;
        if Path::new(&entry.file_name()).extension().is_some_and(|extension| extension == "toml") {
            let known = entry.metadata()?;
            stamp.push((entry.file_name(), known.len(), known.modified()?));
        }
    }
    stamp.sort_unstable();
    Ok(stamp)
}
