//! The workers: each takes a batch through steps (a) to (c) of the path and hands it to the
//! committer. Preparing and judging run in parallel; observing happens in the order of the batches.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use bytes::Bytes;

use super::answer::{Answer, Reply};
use super::known::{Known, KnownRatings};
use super::render;
use super::{Clock, Shared};
use crate::log::EncodedRecord;
use crate::log::entry::{Day, RatingEntry, RatingFlags};
use crate::rating::{ErrorCode, RatingError};
use crate::rules::Assessment;
use crate::scoring::{Engine, Observed, Prepared, Ruling, judge};
use crate::time::{Instant, MINUTE_MS};

/// In a service, a rating whose `submitted_at` is further than this ahead of the clock is refused.
pub const MOST_AHEAD_OF_CLOCK_MS: i64 = 10 * MINUTE_MS;

/// What the queue holds.
pub enum Submission {
    /// One line of JSON.
    Rating {
        /// The line.
        line: Bytes,
        /// Who waits for the answer.
        reply: Reply,
    },
    /// Rules to bring into force between two ratings.
    Activate(Arc<Ruling>),
    /// The clock went on: holds may have lapsed.
    Tick(Instant),
}

/// What the committer gets, in input order.
pub enum Judged {
    /// A new rating.
    New(Box<NewRating>),
    /// The rating was answered before.
    Repeat {
        /// Its id.
        rating_id: String,
        /// Who waits.
        reply: Reply,
    },
    /// An answer that needs no log.
    Done {
        /// It.
        answer: Answer,
        /// Who waits.
        reply: Reply,
    },
    /// Rules came into force before the next rating.
    Activated(Arc<Ruling>, Instant),
    /// The clock went on.
    Tick(Instant),
}

/// A rating that was judged and waits for its place in the log.
pub struct NewRating {
    /// The entry as it would go into the log.
    pub entry: RatingEntry,
    /// Its bytes.
    pub record: EncodedRecord,
    /// The verdict's JSON up to its sequence.
    pub body: Vec<u8>,
    /// The comment, for the vault.
    pub comment: Option<crate::pseudonym::Comment>,
    /// What it makes of an earlier rating.
    pub observed: Observed,
    /// The rules it was judged by.
    pub ruling: Arc<Ruling>,
    /// Who waits.
    pub reply: Reply,
}

/// State behind the turnstile: what must see ratings one after the other.
pub struct Sequencer {
    /// Features and rules in force.
    pub engine: Engine,
    /// Ratings that were taken.
    pub known: KnownRatings,
}

/// A batch with its number, on its way to the committer.
pub type JudgedBatch = (u64, Vec<Judged>);

enum Step {
    Prepared(Box<Prepared>, Reply),
    Ready(Judged),
    Activate(Arc<Ruling>),
}

/// Runs until the queue is closed and empty.
pub fn run(shared: &Shared, committer: &SyncSender<JudgedBatch>) {
    let mut assessment = Assessment::default();
    while let Some((number, submissions)) = shared.intake.next_batch() {
        let now = shared.clock.now();
        let mut steps: Vec<Step> = submissions.into_iter().map(|s| prepare(shared, s, now)).collect();
        let (observed, ruling) = shared.turnstile.pass(number, |sequencer| {
            observe(shared, sequencer, &mut steps, now)
        });
        let judged = steps
            .into_iter()
            .zip(observed)
            .map(|(step, seen)| match (step, seen) {
                (Step::Prepared(prepared, reply), Some((seen, ruling))) => {
                    judge_one(shared, *prepared, seen, ruling, now, reply, &mut assessment)
                }
                (Step::Prepared(_, reply), None) => Judged::Done { answer: Answer::Stopping, reply },
                (Step::Ready(judged), _) => judged,
                (Step::Activate(ruling), _) => Judged::Activated(ruling, now),
            })
            .collect();
        drop(ruling);
        if committer.send((number, judged)).is_err() {
            // The committer ended: the log is lost, and every waiting reply is dropped unanswered.
            return;
        }
    }
}
