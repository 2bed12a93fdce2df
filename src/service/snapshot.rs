//! Snapshots of everything that is folded from the log: feature state, figures, holds and their budget,
//! and which rules were in force. A snapshot only shortens the next start. One that is damaged, of
//! another log, of another program or of other settings is named and passed over.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::intake::lock;
use super::lot::Drawn;
use super::references::{Collector, calendar_of};
use super::rules::Archive;
use super::{Folds, Options, Shared};
use crate::features::reference::References;
use crate::log::{Entry, Head, Log, LogError, Snapshot, SnapshotWriter};
use crate::lookback::Lookback;
use crate::policy::{Budget, BudgetState, Ended, Governor, Held, Pending};
use crate::scoring::Engine;
use crate::statistics::{Settings, Statistics};
use crate::version::Version;

/// When snapshots are written, and how many stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotPolicy {
    /// Entries of the log from one to the next; 0: only when the service stops.
    pub every: u64,
    /// How many are kept: the last, and those before in case that one does not load.
    pub kept: usize,
}

impl Default for SnapshotPolicy {
    fn default() -> Self {
        Self { every: 0, kept: 2 }
    }
}

/// What tells whose a snapshot is, and what must be read from the log to use it.
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    /// The sources that decide what state means.
    program: String,
    /// The settings that state depends on.
    settings: [u8; 32],
    /// The rules in force, and those that laid the counters out.
    rules: [[u8; 8]; 2],
    /// Sequences of the activations that the archive of rules was made from, ascending.
    activations: Vec<u64>,
    /// Sequences of the entries that the reference tables in force are made of.
    tables: Vec<u64>,
}

/// Where snapshots are written, and when.
pub(super) struct Snapshots {
    dir: PathBuf,
    policy: SnapshotPolicy,
    settings: [u8; 32],
    /// The next batch that passes the turnstile is to copy the state.
    due: AtomicBool,
    /// One is being copied or written.
    busy: Arc<AtomicBool>,
    /// Where the log stood at the last one.
    last: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Everything that is folded, at one place in the log.
pub(super) struct Restored {
    pub engine: Engine,
    pub folds: Folds,
    pub statistics: Statistics,
    pub archive: Archive,
    /// The reference tables in force.
    pub tables: Option<Version>,
    /// Where the replay goes on.
    pub next_sequence: u64,
}

/// What a snapshot holds besides state.
struct Copied {
    head: Head,
    folds: Folds,
    statistics: Vec<u8>,
    activations: Vec<u64>,
}

impl Snapshots {
    /// Snapshots in the directory of `options`, if it wants any.
    pub fn new(options: &Options) -> Option<Self> {
        let policy = options.snapshots?;
        Some(Self {
            dir: options.data.join("snapshots"),
            policy,
            settings: settings_of(options),
            due: AtomicBool::new(false),
            busy: Arc::default(),
            last: AtomicU64::new(0),
            thread: Mutex::default(),
        })
    }

    /// Says that the log has grown.
    pub fn progressed(&self, next_sequence: u64) {
        let since = next_sequence.saturating_sub(self.last.load(Ordering::Relaxed));
        if self.policy.every > 0 && since >= self.policy.every && !self.busy.load(Ordering::Acquire) {
            self.due.store(true, Ordering::Relaxed);
        }
    }

    /// Says that a rebuild would have to read the whole log again from here on.
    pub fn want(&self) {
        if self.policy.every > 0 {
            self.due.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the state is to be copied now; asked with the state in hand.
    pub fn claim(&self) -> bool {
        self.due.load(Ordering::Relaxed)
            && !self.busy.swap(true, Ordering::AcqRel)
            && self.due.swap(false, Ordering::Relaxed)
    }

    /// Writes a copy of the state, beside what goes on. `folds` and `shared` stand where it was copied.
    pub fn begin(&self, engine: Box<Engine>, shared: &Arc<Shared>) {
        let began = Instant::now();
        let folds = self.copy(shared);
        copied(shared, began.elapsed());
        self.last.store(folds.head.next_sequence, Ordering::Relaxed);
        let shared = Arc::clone(shared);
        let thread = std::thread::Builder::new().name("snapshot".into()).spawn(move || {
            if let Some(snapshots) = &shared.snapshots {
                snapshots.write(&engine, &folds, &shared);
                snapshots.busy.store(false, Ordering::Release);
            }
        });
        match thread {
            Ok(thread) => *lock(&self.thread) = Some(thread),
            Err(error) => {
                self.busy.store(false, Ordering::Release);
                tracing::warn!(%error, "no thread to write a snapshot; the next one is tried later");
            }
        }
    }

    /// Waits for one that is being written, and writes the last one; everything has stopped.
    pub fn finish(&self, shared: &Shared) {
        if let Some(thread) = lock(&self.thread).take() {
            // It has said what went wrong.
            let _ = thread.join();
        }
        let folds = self.copy(shared);
        if folds.head.next_sequence > self.last.load(Ordering::Relaxed) {
            shared.turnstile.look(|sequencer| self.write(&sequencer.engine, &folds, shared));
            self.last.store(folds.head.next_sequence, Ordering::Relaxed);
        }
    }

    /// All folds but state, at the log's head; nobody appends meanwhile.
    fn copy(&self, shared: &Shared) -> Copied {
        Copied {
            head: shared.log.head(),
            folds: lock(&shared.folds).clone(),
            statistics: shared.figures.snapshot(),
            activations: super::read(&shared.archive).places(),
        }
    }

    fn write(&self, engine: &Engine, folds: &Copied, shared: &Shared) {
        let (began, position) = (Instant::now(), folds.head.next_sequence);
        match self.try_write(engine, folds) {
            Ok(bytes) => {
                crate::metrics::set(&shared.metrics.snapshot_head, position);
                let seconds = format!("{:.1}", began.elapsed().as_secs_f64());
                tracing::info!(position, mib = bytes >> 20, seconds, "wrote a snapshot of all state");
            }
            Err(error) => {
                shared.metrics.snapshot_failures.inc();
                tracing::warn!(%error, "a snapshot of state could not be written; the log has everything, and a start takes longer");
            }
        }
    }

    fn try_write(&self, engine: &Engine, copied: &Copied) -> Result<u64, LogError> {
        let Copied { head, folds, statistics, activations } = copied;
        let meta = Meta {
            program: PROGRAM.to_owned(),
            settings: self.settings,
            rules: [engine.ruling(), engine.layout()].map(|ruling| ruling.version().0),
            activations: activations.clone(),
            tables: folds.tables_at.clone(),
        };
        let mut writer = SnapshotWriter::create(&self.dir, *head)?;
        writer.section("meta", |out| postcard::to_io(&meta, out).map(drop).map_err(std::io::Error::other))?;
        writer.section("state", |out| engine.write(out).map_err(std::io::Error::other))?;
        writer.section("statistics", |out| out.write_all(statistics))?;
        let holds = (folds.pending.all(), folds.pending.decided(), folds.budget.state(), folds.drawn);
        writer
            .section("holds", |out| postcard::to_io(&holds, out).map(drop).map_err(std::io::Error::other))?;
        let lookback = (&folds.lookback, folds.governor);
        writer.section("lookback", |out| {
            postcard::to_io(&lookback, out).map(drop).map_err(std::io::Error::other)
        })?;
        writer.section("incidents", |out| {
            postcard::to_io(&folds.incidents, out).map(drop).map_err(std::io::Error::other)
        })?;
        writer.section("decisions", |out| {
            postcard::to_io(&folds.decisions, out).map(drop).map_err(std::io::Error::other)
        })?;
        let path = writer.finish(self.policy.kept)?;
        Ok(path.metadata().map_or(0, |metadata| metadata.len()))
    }

    /// Everything as the latest sound snapshot has it. Those that are passed over are named.
    pub fn restore(&self, options: &Options, log: &dyn Log) -> Result<Option<Restored>, LogError> {
        for path in Snapshot::latest_first(&self.dir)? {
            let began = Instant::now();
            match self.load(&path, options, log) {
                Ok(restored) => {
                    self.last.store(restored.next_sequence, Ordering::Relaxed);
                    let seconds = format!("{:.1}", began.elapsed().as_secs_f64());
                    tracing::info!(path = %path.display(), seconds, "state comes from a snapshot");
                    return Ok(Some(restored));
                }
                Err(reason) => {
                    tracing::warn!(path = %path.display(), reason, "passed over a snapshot; more of the log is replayed instead");
                }
            }
        }
        Ok(None)
    }

    fn load(&self, path: &Path, options: &Options, log: &dyn Log) -> Result<Restored, String> {
        const DAMAGED: &str = "a part of it cannot be read";
        let snapshot = Snapshot::open(path, log).map_err(|reason| reason.to_string())?;
        let section = |name| snapshot.section(name).ok_or(DAMAGED);
        let meta: Meta = postcard::from_bytes(section("meta")?).map_err(|_| DAMAGED)?;
        if meta.program != PROGRAM {
            return Err("it was written by a version of the program whose state means something else".into());
        }
        if meta.settings != self.settings {
            return Err("it was made with other settings of [state], [statistics] or [holds]".into());
        }
        let mut archive = Archive::default();
        for &sequence in &meta.activations {
            match log.read(sequence) {
                Ok(Some(Entry::Activation(activation))) => drop(archive.replay(sequence, &activation)),
                _ => return Err(format!("the log's entry {sequence} is not the activation that it names")),
            }
        }
        let ruling = |version| archive.exactly(Version(version)).ok_or("its rules are no longer accepted");
        let [rules, layout] = meta.rules;
        let mut collector = Collector::default();
        let mut files = None;
        for &sequence in &meta.tables {
            match log.read(sequence) {
                Ok(Some(Entry::Activation(activation))) => files = collector.take(sequence, &activation),
                _ => return Err(format!("the log's entry {sequence} is not the activation that it names")),
            }
        }
        let calendar = files.as_deref().and_then(|files| calendar_of(files, options.offset));
        let references = files.and_then(|files| References::from_log(&files, options.offset).ok());
        if references.is_none() && !meta.tables.is_empty() {
            return Err("its reference tables are no longer accepted".into());
        }
        let engine = Engine::read(
            ruling(rules)?,
            ruling(layout)?,
            options.state.clone(),
            options.offset,
            section("state")?,
        );
        let settings = statistics_settings(options);
        let statistics =
            Statistics::restore(section("statistics")?, settings).map_err(|error| error.to_string())?;
        let (held, decided, budget, drawn): (Vec<(u64, Held)>, VecDeque<Ended>, BudgetState, Drawn) =
            postcard::from_bytes(section("holds")?).map_err(|_| DAMAGED)?;
        let (lookback, governor): (Lookback, Governor) =
            postcard::from_bytes(section("lookback")?).map_err(|_| DAMAGED)?;
        let incidents = postcard::from_bytes(section("incidents")?).map_err(|_| DAMAGED)?;
        let decisions = postcard::from_bytes(section("decisions")?).map_err(|_| DAMAGED)?;
        let calendar = calendar.unwrap_or_else(|| options.calendar.clone());
        let folds = Folds {
            pending: Pending::restore(calendar, options.lapse, held, decided),
            budget: Budget::restore(options.bad_holds_per_day, options.offset, budget).ok_or(DAMAGED)?,
            bad_ratings: 0,
            lookback,
            governor,
            incidents,
            drawn,
            decisions,
            offset: options.offset,
            tables: collector,
            tables_at: meta.tables,
        };
        let mut engine = engine.map_err(|error| error.to_string())?;
        let tables = references.as_ref().map(References::version);
        if let Some(references) = references {
            engine.set_references(Arc::new(references));
        }
        let next_sequence = snapshot.head().next_sequence;
        Ok(Restored { engine, folds, statistics, archive, tables, next_sequence })
    }
}

/// Says how long intake stood still for a copy of the state.
pub(super) fn copied(shared: &Shared, elapsed: Duration) {
    shared.metrics.snapshot_pause(elapsed);
    tracing::debug!(milliseconds = elapsed.as_millis() as u64, "copied the state for a snapshot");
}

/// The sources that this program was built from, as far as state depends on them.
const PROGRAM: &str = env!("ZHENPING_STATE_SOURCES");

/// How the figures are folded.
pub(super) fn statistics_settings(options: &Options) -> Settings {
    Settings { offset: options.offset, ..Settings::default() }
}

/// Digest of all settings that folded state depends on.
fn settings_of(options: &Options) -> [u8; 32] {
    let settings = (
        &options.state,
        options.offset,
        &options.calendar,
        options.lapse,
        options.bad_holds_per_day,
        options.lookback_ratings,
        statistics_settings(options),
    );
    *blake3::hash(format!("{settings:?}").as_bytes()).as_bytes()
}
