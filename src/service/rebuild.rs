//! Rebuilds everything that is folded: from the latest sound snapshot, and the log from there on.
//!
//! ```text
//! log ─▶ read, decode ─▶ figures, holds, rules; features of the rating alone ─▶ state
//!        a thread        a thread                                              a thread
//! ```

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::folds::no_incidents;
use super::learning::{self, Decisions};
use super::lot::Drawn;
use super::past::LogPast;
use super::references::Collector;
use super::rules::Archive;
use super::snapshot::{Restored, Snapshots, statistics_settings};
use super::{Folds, Options, ServiceError, warm};
use crate::date::UtcOffset;
use crate::features::reference::References;
use crate::log::entry::Subject;
use crate::log::{EmbeddedLog, Entry, Log, LogError};
use crate::lookback::Lookback;
use crate::policy::{Budget, Governor, Pending};
use crate::scoring::{self, Engine, Prepared, Ruling};
use crate::statistics::{Counted, Statistics};
use crate::version::Version;

/// How the rebuild at the start goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebuild {
    /// It begins.
    From {
        /// Entries that a snapshot saved it from replaying; 0 where there is none.
        position: u64,
        /// Entries in the log.
        entries: u64,
    },
    /// So many entries are folded.
    At(u64),
    /// Everything is as it was.
    Done(Duration),
}

/// Entries that go from thread to thread together, and how many such pieces may wait.
const PIECE: usize = 512;
const WAITING: usize = 8;

/// What state has to see.
enum Step {
    /// With its sequence.
    Rating(u64, Box<Prepared>),
    /// A rating of which state can learn nothing any more.
    Erased,
    Activate(Arc<Ruling>),
    References(Arc<References>),
    /// The counters of the set with this version were warm from here on.
    Warmed(Version),
}

/// Everything that is folded, as it stands after the log's last entry.
///
/// # Errors
/// The log or the snapshots cannot be read.
pub(super) fn rebuild(
    log: &EmbeddedLog,
    ruling: &Arc<Ruling>,
    options: &mut Options,
    snapshots: Option<&Snapshots>,
) -> Result<Restored, ServiceError> {
    let began = Instant::now();
    let restored = match snapshots {
        Some(snapshots) => snapshots.restore(options, log)?,
        None => None,
    };
    let mut restored = restored.unwrap_or_else(|| from_nothing(ruling, options));
    let entries = log.head().next_sequence;
    let (mut silent, on_rebuild) = (|_| {}, options.on_rebuild.as_mut());
    let tell: &mut dyn FnMut(Rebuild) = match on_rebuild {
        Some(tell) => tell,
        None => &mut silent,
    };
    tell(Rebuild::From { position: restored.next_sequence, entries });
    let warmed = replay(log, &mut restored, (options.offset, options.control.share()), tell)?;
    let ruling = warmed.and_then(|version| restored.archive.exactly(version));
    if let Some(ruling) = ruling {
        // What counters hold since they were warmed follows from the whole log, and from it alone.
        let warmup = warm::from_log(log, ruling, &options.state, &restored.engine)?;
        if restored.engine.warm(Box::new(warmup)).is_err() {
            tracing::warn!(
                "the log and the state disagree about the ratings before them; counters are missing"
            );
        }
    }
    restored.folds.bad_ratings = 0;
    restored.next_sequence = entries;
    tell(Rebuild::Done(began.elapsed()));
    Ok(restored)
}

fn from_nothing(ruling: &Arc<Ruling>, options: &Options) -> Restored {
    Restored {
        engine: Engine::new(Arc::clone(ruling), options.state.clone(), options.offset),
        folds: Folds {
            pending: Pending::new(options.calendar.clone(), options.lapse),
            budget: Budget::new(options.bad_holds_per_day, options.offset),
            bad_ratings: 0,
            lookback: Lookback::new(options.lookback_ratings),
            governor: Governor::default(),
            incidents: no_incidents(options.offset),
            drawn: Drawn::default(),
            decisions: Decisions::default(),
            offset: options.offset,
            tables: Collector::default(),
            tables_at: Vec::new(),
        },
        statistics: Statistics::new(statistics_settings(options)),
        tables: None,
        archive: Archive::default(),
        next_sequence: 0,
    }
}

/// Folds the rest of the log. Gives the rules whose counters were warmed last, if any were.
fn replay(
    log: &EmbeddedLog,
    restored: &mut Restored,
    (offset, share): (UtcOffset, f64),
    tell: &mut dyn FnMut(Rebuild),
) -> Result<Option<Version>, ServiceError> {
    let Restored { engine, folds, statistics, archive, tables, next_sequence } = restored;
    let from = *next_sequence;
    thread::scope(|scope| {
        let (entries, read) = sync_channel(WAITING);
        let (steps, folded) = sync_channel(WAITING);
        let reading = scope.spawn(move || read_all(log, from, &entries));
        scope.spawn(move || fold_all(log, &read, folds, statistics, archive, (offset, share), &steps));
        let (mut ratings, mut warmed) = (Ratings { log, ready: Vec::new(), places: Vec::new() }, None);
        for (position, piece) in folded {
            for step in piece {
                match step {
                    Step::Rating(sequence, prepared) => {
                        ratings.places.push(sequence);
                        ratings.ready.push(*prepared);
                    }
                    Step::Erased => {
                        ratings.show(engine)?;
                        engine.forget();
                    }
                    Step::Activate(ruling) => {
                        ratings.show(engine)?;
                        engine.activate(ruling);
                    }
                    Step::References(new) => {
                        ratings.show(engine)?;
                        *tables = Some(new.version());
                        engine.set_references(new);
                    }
                    Step::Warmed(version) => warmed = Some(version),
                }
            }
            ratings.show(engine)?;
            tell(Rebuild::At(position));
        }
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(warmed)
    })
}

/// Ratings that state is to see next, and their places in the log.
struct Ratings<'a> {
    log: &'a EmbeddedLog,
    ready: Vec<Prepared>,
    places: Vec<u64>,
}

impl Ratings<'_> {
    fn show(&mut self, engine: &mut Engine) -> Result<(), LogError> {
        if self.ready.is_empty() {
            return Ok(());
        }
        let past = LogPast::of_logged(self.log, &self.places);
        let mut batch: Vec<&mut Prepared> = self.ready.iter_mut().collect();
        engine.observe_with(&past, &mut batch, |_, _| {});
        past.finish()?;
        self.ready.clear();
        self.places.clear();
        Ok(())
    }
}

type Piece<T> = (u64, Vec<T>);

/// Hands on all entries with the sequence that follows each piece.
fn read_all(log: &EmbeddedLog, from: u64, out: &SyncSender<Piece<(u64, Entry)>>) -> Result<(), LogError> {
    let mut piece = Vec::with_capacity(PIECE);
    let mut next = from;
    for entry in log.read_from(from)? {
        let entry = entry?;
        next = entry.0 + 1;
        piece.push(entry);
        if piece.len() == PIECE && out.send((next, std::mem::take(&mut piece))).is_err() {
            return Ok(());
        }
    }
    // If nobody listens any more, another thread has failed and says so.
    let _ = out.send((next, piece));
    Ok(())
}

/// Folds what needs no state, and makes the rest ready for it.
fn fold_all(
    log: &EmbeddedLog,
    read: &Receiver<Piece<(u64, Entry)>>,
    folds: &mut Folds,
    statistics: &mut Statistics,
    archive: &mut Archive,
    (offset, share): (UtcOffset, f64),
    out: &SyncSender<Piece<Step>>,
) {
    let mut tables = Collector::default();
    let mut features = archive.current().map_or(0, |ruling| ruling.catalogue().len());
    for (position, piece) in read {
        let mut steps = Vec::with_capacity(piece.len());
        for (sequence, entry) in piece {
            let group = archive.current().and_then(|ruling| ruling.group());
            folds.replay(sequence, &entry, group);
            let rating = |sequence| learning::rating_of(log, archive, sequence);
            folds.decisions.fold(sequence, &entry, share, rating);
            statistics.apply(&Counted::of(sequence, &entry));
            match entry {
                Entry::Rating(rating) => {
                    let prepared = scoring::again(rating.observation, offset, features);
                    steps.push(Step::Rating(sequence, Box::new(prepared)));
                }
                Entry::Erased(_) => steps.push(Step::Erased),
                Entry::Activation(entry) if entry.subject == Subject::Counters => {
                    steps.push(Step::Warmed(entry.version));
                }
                Entry::Activation(entry) => {
                    if let Some(ruling) = archive.replay(sequence, &entry) {
                        features = ruling.catalogue().len();
                        steps.push(Step::Activate(ruling));
                    }
                    if let Some(files) = tables.take(sequence, &entry) {
                        match References::from_log(&files, offset) {
                            Ok(tables) => steps.push(Step::References(Arc::new(tables))),
                            // As with rules: what this version of the program no longer accepts is passed over.
                            Err(errors) => {
                                tracing::warn!(sequence, "logged tables are passed over: {errors}");
                            }
                        }
                    }
                }
                Entry::Revision(_) | Entry::Review(_) | Entry::Learning(_) | Entry::Unknown { .. } => {}
            }
        }
        if out.send((position, steps)).is_err() {
            return;
        }
    }
}
