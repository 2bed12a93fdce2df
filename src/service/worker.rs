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
use super::commit::{ReviewReply, ReviewRequest};
use super::intake::{Batch, lock};
use super::known::{Acquaintance, KnownRatings};
use super::past::LogPast;
use super::render;
use super::spares::Kept;
use super::warm::{self, Handoff, Tail};
use crate::features::reference::References;
use crate::log::EncodedRecord;
use crate::log::entry::{LearningEntry, RatingEntry, RatingFlags};
use crate::metrics::Stage;
use crate::models::labels::Labels;
use crate::observation::FormerNames;
use crate::rating::{ErrorCode, RatingError};
use crate::scoring::{Desk, Engine, Observed, Prepared, Ruling, judge};
use crate::time::{Instant, MINUTE_MS};
use crate::verdict::VerdictBody;
use crate::version::Version;

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
    /// Reference tables to bring into force between two ratings.
    References(Arc<References>),
    /// The clock went on: holds may have lapsed.
    Tick(Instant),
    /// A person did something about cases.
    Review(Box<ReviewRequest>, ReviewReply),
    /// A step of learning from reviewers' decisions, and what comes into force with it.
    Learning(Box<LearningEntry>, Option<Arc<Labels>>),
    /// Counters that were fed from the log take their place.
    Handoff(Handoff),
}

/// What the committer gets, in input order. Nearly all are new ratings, so a box would save nothing.
#[allow(clippy::large_enum_variant)]
pub enum Judged {
    /// A new rating.
    New(NewRating),
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
    /// Reference tables came into force before the next rating.
    Referenced(Arc<References>, Instant),
    /// The clock went on.
    Tick(Instant),
    /// A person did something about cases.
    Review(Box<ReviewRequest>, ReviewReply),
    /// A step of learning from reviewers' decisions.
    Learning(Box<LearningEntry>),
    /// The counters of these rules are warm from the next rating on.
    Warmed(Version, Instant),
    /// Nothing.
    Nothing,
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
    /// What its identifiers were called before the last rotation of the keys.
    pub former: Option<Box<FormerNames>>,
    /// What state found besides the features.
    pub observed: Observed,
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
    /// How many entries of other nodes the state has seen, since the start.
    pub others: u64,
    /// The latest ratings, while counters that are being warmed have to catch up with them.
    pub tail: Option<Tail>,
}

/// What goes to the committer at once: a worker's batch, or calls that arrived together.
pub struct JudgedBatch {
    /// What became of each submission, in order.
    pub judged: Vec<Judged>,
    /// When the last of them was judged.
    pub judged_at: std::time::Instant,
    /// How many entries of other nodes the state had seen when it saw this batch.
    pub others_seen: u64,
    /// When each call of it arrived.
    pub arrived: Vec<std::time::Instant>,
    /// How many of it passed the gate; none of a worker's batch did.
    pub passed_gate: usize,
    /// A copy of the state after this batch, for a snapshot.
    pub copied: Option<Box<Engine>>,
}

/// A place in the order of commits. If it is dropped unfilled, because something panicked, state may
/// have seen half of a rating: then the service ends, and what it has in the log is rebuilt.
struct Place<'a> {
    shared: &'a Shared,
    number: u64,
    others_seen: u64,
    filled: bool,
}

impl<'a> Place<'a> {
    fn new(shared: &'a Shared, sequencer: &mut Sequencer) -> Self {
        let number = sequencer.next_place;
        sequencer.next_place += 1;
        Self { shared, number, others_seen: sequencer.others, filled: false }
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

#[allow(clippy::large_enum_variant)]
enum Step {
    /// A rating; `seen` is set once it was observed.
    Rating { prepared: Prepared, reply: Reply, seen: Option<Seen> },
    /// Rules, and when they came into force.
    Activate(Arc<Ruling>, Instant),
    /// Reference tables, and when they came into force.
    References(Arc<References>, Instant),
    /// A step of learning, and what comes into force with it.
    Learning(Box<LearningEntry>, Option<Arc<Labels>>),
    /// A step of a warm-up.
    Handoff(Handoff),
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
    let mut desk = Desk::default();
    while let Some(Batch { number, submissions, waited }) = shared.intake.next_batch() {
        let began = std::time::Instant::now();
        shared.metrics.latency(Stage::Queue, waited);
        let now = shared.clock.now();
        let features = shared.feature_count();
        let mut spares = shared.spares.take(submissions.len());
        let mut steps: Vec<Step> = submissions
            .into_iter()
            .map(|submission| prepare(shared, submission, &mut spares, features, now))
            .collect();
        let place = shared.turnstile.pass(number, |sequencer| {
            let place = Place::new(shared, sequencer);
            observe(shared, sequencer, &mut steps, now);
            (place, copy_if_due(shared, &sequencer.engine))
        });
        let judged = steps.into_iter().map(|step| finish(shared, step, &mut spares, &mut desk)).collect();
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
    let mut spares = shared.spares.take(1);
    let step = prepare(shared, Submission::Rating { line, reply }, &mut spares, shared.feature_count(), now);
    shared.spares.give(spares);
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
    static DESK: RefCell<Desk> = RefCell::default();
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
            (place, copy_if_due(shared, &sequencer.engine))
        });
        drop(scoring);
        let mut spares = shared.spares.take(steps.len());
        let judged = DESK.with_borrow_mut(|room| {
            steps.into_iter().map(|step| finish(shared, step, &mut spares, room)).collect()
        });
        shared.spares.give(spares);
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
    // It is no rating, so it needs no memory of one.
    let (mut spares, mut desk) = (Kept::default(), Desk::default());
    let mut step = [prepare(shared, submission, &mut spares, shared.feature_count(), now)];
    let (place, copied) = shared.turnstile.join(|sequencer| {
        let place = Place::new(shared, sequencer);
        observe(shared, sequencer, &mut step, now);
        (place, copy_if_due(shared, &sequencer.engine))
    });
    let judged = step.map(|step| finish(shared, step, &mut spares, &mut desk)).into();
    let (judged_at, arrived) = (std::time::Instant::now(), Vec::new());
    let others_seen = place.others_seen;
    place.fill(JudgedBatch { judged, judged_at, others_seen, arrived, passed_gate: 1, copied });
    Ok(())
}

fn hand_over(
    shared: &Shared,
    (place, copied): (Place<'_>, Option<Box<Engine>>),
    judged: Vec<Judged>,
    began: std::time::Instant,
    arrived: Vec<std::time::Instant>,
) {
    let judged_at = std::time::Instant::now();
    shared.metrics.latency(Stage::Score, judged_at - began);
    let (passed_gate, others_seen) = (arrived.len(), place.others_seen);
    place.fill(JudgedBatch { judged, judged_at, others_seen, arrived, passed_gate, copied });
}

/// Copies the state between two batches; intake stands still meanwhile.
fn copy_if_due(shared: &Shared, engine: &Engine) -> Option<Box<Engine>> {
    // Among many nodes state is ahead of the log with its own ratings and behind it with others': there is a
    // snapshot only when nothing is on its way, at the stop.
    if shared.cluster.is_some() || !shared.snapshots.as_ref()?.claim() {
        return None;
    }
    let began = std::time::Instant::now();
    let copy = Box::new(engine.copy());
    super::snapshot::copied(shared, began.elapsed());
    Some(copy)
}

fn prepare(
    shared: &Shared,
    submission: Submission,
    spares: &mut Kept,
    features: usize,
    now: Option<Instant>,
) -> Step {
    let (line, reply) = match submission {
        Submission::Rating { line, reply } => (line, reply),
        Submission::Activate(ruling) => return Step::Activate(ruling, Instant::default()),
        Submission::References(tables) => return Step::References(tables, Instant::default()),
        Submission::Tick(now) => return Step::Ready(Judged::Tick(now)),
        Submission::Review(request, reply) => return Step::Ready(Judged::Review(request, reply)),
        Submission::Learning(entry, labels) => return Step::Learning(entry, labels),
        Submission::Handoff(handoff) => return Step::Handoff(handoff),
    };
    let prepared =
        shared.preparer.prepare_in(spares.prepared(), &line, features).and_then(|prepared| match now {
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
        Ok(prepared) => Step::Rating { prepared, reply, seen: None },
        Err(error) => Step::Ready(Judged::Done { answer: Answer::Invalid(error), reply }),
    }
}

/// Runs alone and in input order: sorts out repeats, brings rules into force, and shows the rest to
/// state in runs as long as possible.
fn observe(shared: &Shared, sequencer: &mut Sequencer, steps: &mut [Step], now: Option<Instant>) {
    steps.iter_mut().for_each(|step| meet(shared, sequencer, step));
    let mut rest = steps;
    while !rest.is_empty() {
        let between = |step: &Step| !matches!(step, Step::Rating { .. } | Step::Ready(_));
        let run = rest.iter().position(between).unwrap_or(rest.len());
        let (ratings, change) = rest.split_at_mut(run);
        observe_run(shared, sequencer, ratings, now);
        let Some((step, after)) = change.split_first_mut() else { break };
        let now = now.unwrap_or(sequencer.engine.state().watermark());
        match step {
            Step::Activate(ruling, at) => {
                shared.set_feature_count(ruling.catalogue().len());
                sequencer.engine.activate(Arc::clone(ruling));
                *at = now;
                warm::ask(shared, &sequencer.engine);
            }
            Step::References(tables, at) => {
                sequencer.engine.set_references(Arc::clone(tables));
                *at = now;
            }
            Step::Learning(_, labels) => {
                if let Some(labels) = labels.take() {
                    sequencer.engine.set_labels(Some(labels));
                }
            }
            Step::Handoff(handoff) => {
                let handoff = std::mem::replace(handoff, Handoff::Done);
                *step = Step::Ready(warm::hand_over(sequencer, handoff, now));
            }
            Step::Rating { .. } | Step::Ready(_) => {}
        }
        rest = after;
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

fn observe_run(shared: &Shared, sequencer: &mut Sequencer, steps: &mut [Step], now: Option<Instant>) {
    let (mut batch, mut sightings) = (Vec::with_capacity(steps.len()), Vec::with_capacity(steps.len()));
    for step in steps {
        if let Step::Rating { prepared, seen, .. } = step {
            if let Some(tail) = &mut sequencer.tail {
                tail.push(&prepared.observation);
            }
            batch.push(prepared);
            sightings.push(seen);
        }
    }
    let ruling = Arc::clone(sequencer.engine.ruling());
    let past = LogPast::of_new(&shared.log);
    sequencer.engine.observe_with(&past, &mut batch, |i, observed| {
        let at = now.unwrap_or(observed.watermark);
        *sightings[i] = Some(Seen { observed, ruling: Arc::clone(&ruling), at });
    });
    if let Err(error) = past.finish() {
        shared.fail(&error);
        // A rating that was not seen is answered as by a service that stops.
        sightings.into_iter().for_each(|seen| *seen = None);
    }
}

fn finish(shared: &Shared, step: Step, spares: &mut Kept, desk: &mut Desk) -> Judged {
    match step {
        Step::Ready(judged) => judged,
        Step::Activate(ruling, at) => Judged::Activated(ruling, at),
        Step::References(tables, at) => Judged::Referenced(tables, at),
        Step::Learning(entry, _) => Judged::Learning(entry),
        Step::Handoff(_) => Judged::Nothing,
        Step::Rating { reply, seen: None, .. } => Judged::Done { answer: Answer::Stopping, reply },
        Step::Rating { prepared, reply, seen: Some(Seen { observed, ruling, at }) } => {
            let Prepared { observation, comment, mut features, former, .. } = prepared;
            let judgement = judge(&ruling, &observation, &mut features, &observed, at, desk);
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
            let body = render::rating_in(spares.buffer(), &entry, &ruling, &shared.appeals);
            let record = entry.encode_in(spares.buffer(), ruling.catalogue());
            let hold_earlier = judgement.hold_earlier;
            Judged::New(NewRating {
                entry,
                record,
                body,
                comment,
                former,
                observed,
                hold_earlier,
                ruling,
                reply,
            })
        }
    }
}
