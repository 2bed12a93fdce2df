//! Learning from reviewers' decisions, beside the path of ratings.
//!
//! A fold ([`Decisions`]) says when a version is due and when the one in shadow was compared long enough. A thread
//! does what it says, and what comes of it goes through the log: so it is the same on every node and after every
//! start, and of a step that was half done nothing is left.

mod fold;

use std::sync::Arc;
use std::sync::RwLock;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::intake::lock;
use super::rules::Archive;
use super::{Shared, Submission, read, worker};
use crate::catalogue::Catalogue;
use crate::log::entry::{LearningEntry, LearningStep, RatingEntry};
use crate::log::{Entry, Log};
use crate::models::labels::{self, Labels};
use crate::time::Instant;

pub use fold::{DECISIONS, Decisions, EXAMPLES_MAX, WEIGHT_MAX};

use fold::Next;

/// How often it looks whether something is due; a hundred decisions take people hours.
const EVERY: Duration = Duration::from_millis(250);

/// A rating with the catalogue that its features are indexed by; `None` once it is erased, or if its rules are no
/// longer accepted.
pub(super) fn rating_of(
    log: &dyn Log,
    archive: &Archive,
    sequence: u64,
) -> Option<(RatingEntry, Arc<Catalogue>)> {
    let Ok(Some(Entry::Rating(rating))) = log.read(sequence) else { return None };
    let ruling = archive.exactly(rating.outcome.rules)?;
    (ruling.catalogue().version() == rating.catalogue).then(|| (*rating, ruling.shared_catalogue()))
}

/// As [`rating_of`], in an archive that others use too.
pub(super) fn rating_in(
    log: &dyn Log,
    archive: &RwLock<Archive>,
    sequence: u64,
) -> Option<(RatingEntry, Arc<Catalogue>)> {
    rating_of(log, &read(archive), sequence)
}

/// The thread that learns.
pub(super) struct Learner {
    /// Dropped to end it, which wakes it.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Learner {
    /// Starts it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let run = move || {
            // What was proposed already, until the fold has it.
            let mut proposed = None;
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                if shared.presence.as_ref().is_some_and(|presence| !presence.leads()) {
                    // Another node does it. If that one is lost, whoever leads next does.
                    proposed = None;
                    continue;
                }
                // The copy is large: it is made once for each step, and not at every look.
                let (due, next) = {
                    let decisions = &lock(&shared.folds).decisions;
                    let due = decisions.due().filter(|&due| proposed != Some(due));
                    (due, due.and_then(|_| decisions.next()))
                };
                let Some(next) = next else { continue };
                let Some(now) = shared.clock.now() else { return };
                let Some((entry, labels)) = work(next, now) else { return };
                if worker::go_ahead(&shared, Submission::Learning(Box::new(entry), labels)).is_err() {
                    return;
                }
                proposed = due;
            }
        };
        let thread = std::thread::Builder::new().name("learner".into()).spawn(run)?;
        Ok(Self { stop, thread })
    }

    /// Ends it and waits for that.
    pub fn stop(self) -> std::thread::Result<()> {
        drop(self.stop);
        self.thread.join()
    }
}

/// Does what is due; gives the entry of it, and what comes into force with it.
fn work(next: Next, at: Instant) -> Option<(LearningEntry, Option<Arc<Labels>>)> {
    match next {
        Next::Publish(number, due) => match labels::fit(&due.columns, &due.examples, due.until) {
            Ok(labels) => {
                let contents = labels.to_bytes();
                let version = Labels::version_of(&contents);
                let from = labels.learnt_from;
                tracing::info!(%version, number, ratings = from.ratings, abusive = from.abusive, "learnt from reviewers' decisions; the version runs in shadow");
                Some((
                    LearningEntry { number, version, step: LearningStep::Published { contents }, at },
                    None,
                ))
            }
            Err(error) => {
                tracing::error!(%error, "nothing can be learnt from reviewers' decisions; this program is at fault");
                None
            }
        },
        Next::Settle(number, version, comparison, labels) => {
            let is_better = comparison.with < comparison.without;
            let (with, without) = (comparison.with, comparison.without);
            tracing::info!(%version, number, with, without, is_better, "a version was compared with reviewers' decisions");
            let (step, labels) = match is_better {
                true => (LearningStep::InForce(comparison), Some(labels)),
                false => (LearningStep::Dropped(comparison), None),
            };
            Some((LearningEntry { number, version, step, at }, labels))
        }
    }
}

/// Brings into force what the log says is: where another node learnt it, and at a start.
pub(super) fn follow(shared: &Shared) {
    if !shared.labels {
        return;
    }
    let folded = lock(&shared.folds).decisions.in_force().cloned().map(Arc::new);
    shared.turnstile.join(|sequencer| {
        let now = sequencer.engine.labels();
        if now.map(|labels| labels.version()) != folded.as_ref().map(|labels| labels.version()) {
            sequencer.engine.set_labels(folded);
        }
    });
}

#[cfg(test)]
mod tests;
