//! Tells the pipeline that the clock went on: undecided holds lapse though no rating comes. Erases
//! comments whose time in the vault is over, and what is personal in records whose time is over.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::desk;
use super::intake::lock;
use super::{Shared, Submission, worker};
use crate::log::{Erased, Erasure};
use crate::time::{DAY_MS, Instant};
use crate::wire::Decision;

/// Holds lapse after days; a minute more does not matter to anybody.
const EVERY: Duration = Duration::from_secs(60);

/// A thread that submits [`Submission::Tick`] at once and then every minute.
pub(super) struct Ticker {
    /// Dropped to end it, which wakes it.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Ticker {
    /// Starts it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(shared: Arc<Shared>, vault_days: u32, erasable_days: u32) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let mut erased_on = None;
        let thread = std::thread::Builder::new().name("ticker".into()).spawn(move || {
            while let Some(now) = shared.clock.now() {
                if worker::go_ahead(&shared, Submission::Tick(now)).is_err() {
                    return;
                }
                let horizon = Instant(now.ms() - i64::from(vault_days) * DAY_MS);
                let day = horizon.ms() / DAY_MS;
                if erased_on != Some(day) {
                    erase(&shared, horizon);
                    let old = Instant(now.ms() - i64::from(erasable_days) * DAY_MS);
                    erase_records(&shared, old);
                    desk::forget(&shared, old);
                    erased_on = Some(day);
                }
                if stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends it and waits for that.
    pub fn stop(self) -> std::thread::Result<()> {
        drop(self.stop);
        self.thread.join()
    }
}

/// Erases the comments from before the horizon, but for those that somebody still has to decide about, and
/// those of ratings that were excluded since: an appeal against that must find them.
fn erase(shared: &Shared, horizon: Instant) {
    let on_hold = |rating_id: &str| match shared.case_of(rating_id, u64::MAX) {
        // What cannot be looked up now is kept for another day.
        Err(_) => true,
        Ok(None) => false,
        Ok(Some(case)) => {
            let state = case.state();
            let decided = case.revisions().last().map(|(_, revision)| revision.at);
            state.is_open() || (state.decision == Decision::Reject && decided.is_some_and(|at| at >= horizon))
        }
    };
    match shared.vault.erase_before(horizon, &on_hold) {
        Ok(done) if done.erased > 0 => {
            tracing::info!(erased = done.erased, kept = done.kept, "comments whose time was over are erased");
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "comments whose time is over could not be erased; tried again tomorrow")
        }
    }
}

/// Erases the erasable part of records from before the horizon's day, but for those that somebody still has to
/// decide about.
fn erase_records(shared: &Shared, horizon: Instant) {
    let keep =
        |sequence| lock(&shared.folds).pending.get(sequence).is_some() || shared.is_open_case(sequence);
    let erasure = Erasure { before: shared.offset.day_of(horizon), offset: shared.offset, keep: &keep };
    match shared.log.erase(&erasure) {
        Ok(Erased { records: 0, .. }) => {}
        Ok(Erased { records, segments, bytes }) => {
            shared.metrics.erased.inc_by(records);
            tracing::info!(records, segments, bytes, before = %erasure.before, "what was personal in old records is erased");
        }
        Err(error) => {
            tracing::warn!(%error, "old records could not be erased; tried again tomorrow")
        }
    }
}
