//! What the reviewers' desk reads: a projection of the log, kept by a thread of its own that follows it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Moment};

use super::{Shared, lock};
use crate::log::{Entry, Log, LogError};
use crate::review::projection::{CaseFile, CaseReader, Projection, ProjectionError};
use crate::review::traces::Traces;
use crate::time::{Instant, MINUTE_MS};

/// How the desk's projection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeskOptions {
    /// Working days within which a case is to be decided.
    pub decide_working_days: u16,
    /// Latest ratings whose links are remembered.
    pub traced_ratings: usize,
}

/// Minutes of which it is remembered how many ratings they had.
pub const MINUTES_KEPT: usize = 60;

/// Entries that are folded in one transaction.
const BATCH: usize = 2_000;
/// How long the thread sleeps where nothing wakes it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long a page waits for the projection to have what was just done.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// The projection, and how far it is.
pub struct ReviewDesk {
    projection: Projection,
    traces: Mutex<Traces>,
    /// Ratings scored in each of the last minutes, by the minute modulo [`MINUTES_KEPT`].
    minutes: Mutex<[(i64, u64); MINUTES_KEPT]>,
    position: Mutex<u64>,
    moved: Condvar,
    stop: AtomicBool,
    wake: SyncSender<()>,
    options: DeskOptions,
}

impl ReviewDesk {
    /// Opens the projection of a data directory. The receiver is for [`follow`].
    pub(super) fn open(
        directory: &Path,
        options: DeskOptions,
    ) -> Result<(Arc<Self>, Receiver<()>), ProjectionError> {
        let projection = Projection::open(directory)?;
        let position = Mutex::new(projection.position());
        let traces = Mutex::new(Traces::new(options.traced_ratings));
        let (wake, woken) = sync_channel(1);
        let desk = Self {
            projection,
            traces,
            minutes: Mutex::new([(0, 0); MINUTES_KEPT]),
            position,
            moved: Condvar::new(),
            stop: AtomicBool::new(false),
            wake,
            options,
        };
        Ok((Arc::new(desk), woken))
    }

    /// The rows behind the pages.
    pub fn projection(&self) -> &Projection {
        &self.projection
    }

    /// The latest ratings by what they share.
    pub fn traces(&self) -> MutexGuard<'_, Traces> {
        lock(&self.traces)
    }

    /// Ratings scored in each of the last minutes, the one given last.
    pub fn per_minute(&self, now: i64) -> Vec<u64> {
        let minutes = lock(&self.minutes);
        (0..MINUTES_KEPT as i64)
            .rev()
            .map(|back| now - back)
            .map(|minute| match minutes[minute.rem_euclid(MINUTES_KEPT as i64) as usize] {
                (of, count) if of == minute => count,
                _ => 0,
            })
            .collect()
    }

    fn count(&self, at: Instant) {
        let minute = at.ms().div_euclid(MINUTE_MS);
        let place = &mut lock(&self.minutes)[minute.rem_euclid(MINUTES_KEPT as i64) as usize];
        *place = if place.0 == minute { (minute, place.1 + 1) } else { (minute, 1) };
    }

    /// Sequence up to which the projection has the log.
    pub fn position(&self) -> u64 {
        *lock(&self.position)
    }

    /// Waits, not for long, until the projection has the log up to a sequence. Blocks.
    pub fn wait_for(&self, sequence: u64) {
        let deadline = Moment::now() + WAIT_MAX;
        let mut position = lock(&self.position);
        while *position < sequence {
            let Some(left) = deadline.checked_duration_since(Moment::now()) else { return };
            position = self.moved.wait_timeout(position, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Tells the thread that the log has grown.
    pub(super) fn wake(&self) {
        // A wake-up that waits already is enough.
        let _ = self.wake.try_send(());
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    fn moved_to(&self, position: u64) {
        *lock(&self.position) = position;
        self.moved.notify_all();
    }
}

/// Reads cases from the log for the projection.
struct Reader<'a> {
    shared: &'a Shared,
    options: DeskOptions,
}

impl CaseReader for Reader<'_> {
    fn case(&self, rating_id: &str) -> Result<Option<CaseFile>, LogError> {
        Ok(CaseFile::of(self.shared.entries_of(rating_id, u64::MAX)?))
    }

    fn reference(&self, rating_id: &str) -> String {
        self.shared.appeals.reference(rating_id)
    }

    fn due(&self, since: Instant) -> Instant {
        lock(&self.shared.folds).pending.calendar().deadline(since, self.options.decide_working_days)
    }
}

/// Starts the thread that follows the log.
pub(super) fn follow(
    shared: Arc<Shared>,
    desk: Arc<ReviewDesk>,
    woken: Receiver<()>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("desk".into()).spawn(move || {
        let reader = Reader { shared: &shared, options: desk.options };
        if desk.position() > shared.log.head().next_sequence {
            // It was filled from another log, or from one that lost its end.
            tracing::warn!("review.db is ahead of the log: it is filled anew");
            if let Err(error) = desk.projection.start_over() {
                tracing::error!(%error, "review.db cannot be begun anew; the desk stays as it is");
            }
            desk.moved_to(desk.projection.position());
        }
        remember(&shared, &desk);
        loop {
            match step(&shared, &desk, &reader) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    // The log has everything; the desk is behind until it can be written again, or from the
                    // beginning where its file was damaged.
                    tracing::error!(%error, "the desk's projection cannot follow; tried again");
                    desk.moved_to(desk.projection.position());
                }
            }
            let stopping = desk.stop.load(Ordering::Acquire);
            if stopping && desk.position() >= shared.log.head().next_sequence {
                return;
            }
            match woken.recv_timeout(LOOK_AGAIN) {
                Ok(()) | Err(RecvTimeoutError::Timeout) if stopping => return,
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    })
}

/// Takes what the log has erased out of the projection too: whatever is of before an instant is read again.
pub(super) fn forget(shared: &Shared, before: Instant) {
    let Some(desk) = &shared.desk else { return };
    let reader = Reader { shared, options: desk.options };
    match desk.projection.forget(before, &reader) {
        Ok(0) => {}
        Ok(cases) => tracing::info!(cases, "what was erased from the log is gone from the desk too"),
        Err(error) => {
            tracing::warn!(%error, "the desk still has what was erased from the log; tried again tomorrow")
        }
    }
}

/// Folds the next entries; whether there may be more.
fn step(shared: &Shared, desk: &ReviewDesk, reader: &Reader<'_>) -> Result<bool, ProjectionError> {
    let from = desk.position();
    if from >= shared.log.head().next_sequence {
        return Ok(false);
    }
    let entries: Vec<(u64, Entry)> =
        shared.log.read_from(from)?.take(BATCH).collect::<Result<_, LogError>>()?;
    let Some(&(last, _)) = entries.last() else { return Ok(false) };
    let batch: Vec<(u64, &Entry)> = entries.iter().map(|(sequence, entry)| (*sequence, entry)).collect();
    desk.projection.apply(&batch, last + 1, reader)?;
    {
        let mut traces = desk.traces();
        for (sequence, entry) in &entries {
            match entry {
                Entry::Rating(rating) => {
                    traces.push(*sequence, rating);
                    desk.count(rating.outcome.scored_at);
                }
                Entry::Revision(revision) => traces.decide(revision.rating_sequence, revision.decision),
                _ => {}
            }
        }
    }
    crate::metrics::set(&shared.metrics.desk_position, last + 1);
    desk.moved_to(last + 1);
    Ok(true)
}

/// Reads the ratings before the projection's position again, for the time lines.
fn remember(shared: &Shared, desk: &ReviewDesk) {
    let until = desk.position();
    let from = until.saturating_sub(desk.options.traced_ratings as u64);
    let entries = match shared.log.read_from(from) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(%error, "the time lines of cases begin empty");
            return;
        }
    };
    for entry in entries {
        match entry {
            Ok((sequence, _)) if sequence >= until || desk.stop.load(Ordering::Acquire) => return,
            Ok((sequence, Entry::Rating(rating))) => desk.traces().push(sequence, &rating),
            Ok((_, Entry::Revision(revision))) => {
                desk.traces().decide(revision.rating_sequence, revision.decision);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the time lines of cases are not whole");
                return;
            }
        }
    }
}
