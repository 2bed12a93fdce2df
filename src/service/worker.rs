//! Steps (a) to (c) of the path, up to the committer. Preparing and judging run in parallel; observing
//! happens alone, in the order in which the committer takes what comes of it.
//!
//! What was queued is taken through them by workers, in batches ([`run`]). Calls are prepared by the
//! thread that received them ([`arrive`]), and the first of those that arrive together takes them all
//! through the rest ([`Turn`]).

use std::cell::RefCell;
use std::sync::{Arc, Mutex, TryLockError};

use bytes::Bytes;

use super::Shared;
use super::answer::{Answer, Reply};
use super::intake::{Batch, lock};
use super::known::{Acquaintance, KnownRatings};
use super::render;
use crate::features::case::EarlierRating;
use crate::log::EncodedRecord;
use crate::log::entry::{RatingEntry, RatingFlags};
use crate::metrics::Stage;
use crate::rating::{ErrorCode, RatingError};
use crate::rules::Assessment;
use crate::scoring::{Engine, Observed, Prepared, Ruling, judge};
use crate::time::{Instant, MINUTE_MS};
use crate::verdict::VerdictBody;

/// What the service is given. Ratings wait for their turn in a queue; the rest goes ahead of them.
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
    /// The entry as it would go into the log. Boxed here, where ratings are made in parallel, and
    /// moved no more.
    pub entry: Box<RatingEntry>,
    /// Its bytes.
    pub record: EncodedRecord,
    /// The verdict's JSON up to its sequence.
    pub body: VerdictBody,
    /// The comment, for the vault.
    pub comment: Option<crate::pseudonym::Comment>,
    /// The rating that stood for its occasion before.
    pub earlier: Option<EarlierRating>,
    /// Code of the revision that holds that one.
    pub hold_earlier: Option<&'static str>,
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
    /// Place of the next batch or call in the order of commits.
    pub next_place: u64,
}

/// What goes to the committer at once: a worker's batch, or calls that arrived together.
pub struct JudgedBatch {
    /// What became of each submission, in order.
    pub judged: Vec<Judged>,
    /// When the last of them was judged.
    pub judged_at: std::time::Instant,
    /// When each call of it arrived.
    pub arrived: Vec<std::time::Instant>,
    /// How many of it passed the gate; none of a worker's batch did.
    pub passed_gate: usize,
}

/// A place in the order of commits. If it is dropped unfilled, because something panicked, state may
/// have seen half of a rating: then the service ends, and what it has in the log is rebuilt.
struct Place<'a> {
    shared: &'a Shared,
    number: u64,
    filled: bool,
}

impl<'a> Place<'a> {
    fn new(shared: &'a Shared, sequencer: &mut Sequencer) -> Self {
        let number = sequencer.next_place;
        sequencer.next_place += 1;
        Self { shared, number, filled: false }
    }

    fn fill(mut self, batch: JudgedBatch) {
        self.filled = true;
        self.shared.ready.put(self.number, batch);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.filled {
            self.shared.fail(&"scoring a rating panicked; the message is above");
        }
    }
}

enum Step {
    /// A rating; `seen` is set once it was observed.
    Rating { prepared: Box<Prepared>, reply: Reply, seen: Option<Seen> },
    /// Rules, and when they came into force.
    Activate(Arc<Ruling>, Instant),
    /// Nothing is left to do but to commit.
    Ready(Judged),
}

struct Seen {
    observed: Observed,
    ruling: Arc<Ruling>,
    at: Instant,
}

/// Runs until the queue is closed and empty.
pub fn run(shared: &Shared) {
    let mut assessment = Assessment::default();
    while let Some(Batch { number, submissions, waited }) = shared.intake.next_batch() {
        let began = std::time::Instant::now();
        shared.metrics.latency(Stage::Queue, waited);
        let now = shared.clock.now();
        let features = shared.feature_count();
        let mut steps: Vec<Step> =
            submissions.into_iter().map(|submission| prepare(shared, submission, features, now)).collect();
        let place = shared.turnstile.pass(number, |sequencer| {
            let place = Place::new(shared, sequencer);
            observe(shared, sequencer, &mut steps, now);
            place
        });
        let judged = steps.into_iter().map(|step| finish(shared, step, &mut assessment)).collect();
        hand_over(shared, place, judged, began, Vec::new());
    }
}

/// Calls that were prepared, each by the thread that received it, and wait to be observed.
#[derive(Default)]
pub struct Arrivals {
    arrived: Mutex<Vec<(std::time::Instant, Step)>>,
    /// Held by the thread that scores them. Nobody waits for it: who finds it taken leaves what arrived
    /// to that thread.
    scoring: Mutex<()>,
}

/// As many arrivals are scored at once without waiting for more. Enough to have memory asked for ahead
/// of time and to wake the committer rarely; and at some ten microseconds each, few enough for the
/// thread, which serves connections.
const ARRIVALS_MAX: usize = 32;

/// The duty to have scored what has arrived. Whoever holds it may let others arrive before, who then
/// share the way; dropping it scores them all.
#[must_use = "dropped at once, a call shares its way with no other"]
pub struct Turn<'a>(&'a Shared);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        score_arrivals(self.0);
    }
}

/// A call that was let through the gate, until it is on its way to the committer.
struct Inside<'a>(&'a Shared);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if self.0.gate.leave(1) {
            self.0.ready.look_again();
        }
    }
}

/// Prepares one call that was let through the gate. `None` if it was answered already, or if another
/// call has the turn that it will be scored in.
pub fn arrive(shared: &Shared, line: Bytes, reply: Reply) -> Option<Turn<'_>> {
    let inside = Inside(shared);
    let came = std::time::Instant::now();
    let now = shared.clock.now();
    let step = prepare(shared, Submission::Rating { line, reply }, shared.feature_count(), now);
    if let Step::Ready(Judged::Done { answer, reply: Reply::Call(answered) }) = step {
        answered(answer);
        return None;
    }
    std::mem::forget(inside);
    let mut arrived = lock(&shared.arrivals.arrived);
    arrived.push((came, step));
    let waiting = arrived.len();
    drop(arrived);
    match waiting {
        1 => Some(Turn(shared)),
        ARRIVALS_MAX.. => {
            score_arrivals(shared);
            None
        }
        _ => None,
    }
}

thread_local! {
    /// Room to judge in, for threads that serve calls.
    static ASSESSMENT: RefCell<Assessment> = RefCell::default();
}

/// Takes what has arrived through steps (b) and (c) on this thread, unless another is at it.
fn score_arrivals(shared: &Shared) {
    loop {
        let scoring = match shared.arrivals.scoring.try_lock() {
            Ok(scoring) => scoring,
            Err(TryLockError::Poisoned(scoring)) => scoring.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let arrivals = std::mem::take(&mut *lock(&shared.arrivals.arrived));
        let Some(&(first, _)) = arrivals.first() else { return };
        let began = std::time::Instant::now();
        shared.metrics.latency(Stage::Queue, began - first);
        let (arrived, mut steps): (Vec<_>, Vec<_>) = arrivals.into_iter().unzip();
        let now = shared.clock.now();
        let place = shared.turnstile.join(|sequencer| {
            let place = Place::new(shared, sequencer);
            observe(shared, sequencer, &mut steps, now);
            place
        });
        drop(scoring);
        let judged = ASSESSMENT
            .with_borrow_mut(|room| steps.into_iter().map(|step| finish(shared, step, room)).collect());
        hand_over(shared, place, judged, began, arrived);
        // Whoever arrived while `scoring` was held left that to this thread.
        if lock(&shared.arrivals.arrived).is_empty() {
            return;
        }
    }
}

/// Brings rules into force or tells the time, on the thread that calls: what arrives after it returns
/// comes after it, and what is still queued does too.
///
/// # Errors
/// The service is stopping; it gives the submission back.
pub fn go_ahead(shared: &Shared, submission: Submission) -> Result<(), Submission> {
    if shared.gate.enter_ahead().is_err() {
        return Err(submission);
    }
    let now = shared.clock.now();
    let mut step = [prepare(shared, submission, shared.feature_count(), now)];
    let place = shared.turnstile.join(|sequencer| {
        let place = Place::new(shared, sequencer);
        observe(shared, sequencer, &mut step, now);
        place
    });
    let judged = step.map(|step| finish(shared, step, &mut Assessment::default())).into();
    let (judged_at, arrived) = (std::time::Instant::now(), Vec::new());
    place.fill(JudgedBatch { judged, judged_at, arrived, passed_gate: 1 });
    Ok(())
}

fn hand_over(
    shared: &Shared,
    place: Place<'_>,
    judged: Vec<Judged>,
    began: std::time::Instant,
    arrived: Vec<std::time::Instant>,
) {
    let judged_at = std::time::Instant::now();
    shared.metrics.latency(Stage::Score, judged_at - began);
    let passed_gate = arrived.len();
    place.fill(JudgedBatch { judged, judged_at, arrived, passed_gate });
}

fn prepare(shared: &Shared, submission: Submission, features: usize, now: Option<Instant>) -> Step {
    let (line, reply) = match submission {
        Submission::Rating { line, reply } => (line, reply),
        Submission::Activate(ruling) => return Step::Activate(ruling, Instant::default()),
        Submission::Tick(now) => return Step::Ready(Judged::Tick(now)),
    };
    let prepared = shared.preparer.prepare(&line, features).and_then(|prepared| match now {
        Some(now) if prepared.observation.submitted_at.ms() - now.ms() > shared.ahead_ms => {
            Err(RatingError {
                code: ErrorCode::OutOfRange,
                path: "$.submitted_at",
                found: "a time ahead of the service's clock".into(),
                allowed: format!(
                    "at most {} minutes ahead of the service's clock",
                    shared.ahead_ms / MINUTE_MS
                )
                .into(),
            })
        }
        _ => Ok(prepared),
    });
    match prepared {
        Ok(prepared) => Step::Rating { prepared: Box::new(prepared), reply, seen: None },
        Err(error) => Step::Ready(Judged::Done { answer: Answer::Invalid(error), reply }),
    }
}

/// Runs alone and in input order: sorts out repeats, brings rules into force, and shows the rest to
/// state in runs as long as possible.
fn observe(shared: &Shared, sequencer: &mut Sequencer, steps: &mut [Step], now: Option<Instant>) {
    steps.iter_mut().for_each(|step| meet(shared, sequencer, step));
    let mut rest = steps;
    while !rest.is_empty() {
        let run = rest.iter().position(|step| matches!(step, Step::Activate(..))).unwrap_or(rest.len());
        let (ratings, activation) = rest.split_at_mut(run);
        observe_run(sequencer, ratings, now);
        rest = match activation.split_first_mut() {
            Some((Step::Activate(ruling, at), after)) => {
                shared.set_feature_count(ruling.catalogue().len());
                sequencer.engine.activate(Arc::clone(ruling));
                *at = now.unwrap_or(sequencer.engine.state().watermark());
                after
            }
            _ => break,
        };
    }
}

/// Lets a new rating pass and turns a repeat into what it is answered with.
fn meet(shared: &Shared, sequencer: &mut Sequencer, step: &mut Step) {
    let Step::Rating { prepared, reply, .. } = step else { return };
    let met = sequencer.known.meet(&prepared.observation, &shared.log);
    if let Ok(Acquaintance::New) = met {
        return;
    }
    let rating_id = prepared.observation.rating_id.to_string();
    // The step is replaced on the next line; until then no reply belongs to nobody.
    let reply = std::mem::replace(reply, Reply::Line(0));
    *step = Step::Ready(match met {
        Ok(Acquaintance::New | Acquaintance::Repeat) => Judged::Repeat { rating_id, reply },
        Ok(Acquaintance::Conflict) => Judged::Done { answer: Answer::Conflict { rating_id }, reply },
        Err(error) => {
            shared.fail(&error);
            Judged::Done { answer: Answer::Stopping, reply }
        }
    });
}

fn observe_run(sequencer: &mut Sequencer, steps: &mut [Step], now: Option<Instant>) {
    let (mut batch, mut sightings) = (Vec::with_capacity(steps.len()), Vec::with_capacity(steps.len()));
    for step in steps {
        if let Step::Rating { prepared, seen, .. } = step {
            batch.push(&mut **prepared);
            sightings.push(seen);
        }
    }
    let ruling = Arc::clone(sequencer.engine.ruling());
    sequencer.engine.observe(&mut batch, |i, observed| {
        let at = now.unwrap_or(observed.watermark);
        *sightings[i] = Some(Seen { observed, ruling: Arc::clone(&ruling), at });
    });
}

fn finish(shared: &Shared, step: Step, assessment: &mut Assessment) -> Judged {
    match step {
        Step::Ready(judged) => judged,
        Step::Activate(ruling, at) => Judged::Activated(ruling, at),
        Step::Rating { reply, seen: None, .. } => Judged::Done { answer: Answer::Stopping, reply },
        Step::Rating { prepared, reply, seen: Some(Seen { observed, ruling, at }) } => {
            let Prepared { observation, comment, features, .. } = *prepared;
            let judgement = judge(&ruling, &observation, &features, &observed, at, assessment);
            let flags = match judgement.second_look {
                true => RatingFlags::SECOND_LOOK,
                false => RatingFlags::default(),
            };
            let entry = Box::new(RatingEntry {
                day: shared.day_of(observation.submitted_at),
                catalogue: ruling.catalogue().version(),
                supersedes_sequence: None,
                flags,
                outcome: judgement.outcome,
                observation,
                features,
            });
            let body = render::rating(&entry, &ruling, &shared.appeals);
            let record = entry.encode(ruling.catalogue());
            let (earlier, hold_earlier) = (observed.earlier, judgement.hold_earlier);
            Judged::New(Box::new(NewRating {
                entry,
                record,
                body,
                comment,
                earlier,
                hold_earlier,
                ruling,
                reply,
            }))
        }
    }
}
