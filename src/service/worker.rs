//! The workers: each takes a batch through steps (a) to (c) of the path and hands it to the
//! committer. Preparing and judging run in parallel; observing happens in the order of the batches.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use bytes::Bytes;

use super::Shared;
use super::answer::{Answer, Reply};
use super::intake::Batch;
use super::known::{Acquaintance, KnownRatings};
use super::render;
use super::warm::{self, Handoff, Tail};
use crate::features::case::EarlierRating;
use crate::log::EncodedRecord;
use crate::log::entry::{RatingEntry, RatingFlags};
use crate::metrics::Stage;
use crate::rating::{ErrorCode, RatingError};
use crate::rules::Assessment;
use crate::scoring::{Engine, Observed, Prepared, Ruling, judge};
use crate::time::{Instant, MINUTE_MS};
use crate::verdict::VerdictBody;
use crate::version::Version;

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
    /// Counters that were fed from the log take their place.
    Handoff(Handoff),
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
    /// The latest ratings, while counters that are being warmed have to catch up with them.
    pub tail: Option<Tail>,
}

/// A batch on its way to the committer.
pub struct JudgedBatch {
    /// Its place in the order of batches.
    pub number: u64,
    /// What became of each submission, in order.
    pub judged: Vec<Judged>,
    /// When the last of them was judged.
    pub judged_at: std::time::Instant,
    /// A copy of the state after this batch, for a snapshot.
    pub copied: Option<Box<Engine>>,
}

enum Step {
    /// A rating; `seen` is set once it was observed.
    Rating { prepared: Box<Prepared>, reply: Reply, seen: Option<Seen> },
    /// Rules, and when they came into force.
    Activate(Arc<Ruling>, Instant),
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
pub fn run(shared: &Shared, committer: &SyncSender<JudgedBatch>) {
    let mut assessment = Assessment::default();
    while let Some(Batch { number, submissions, waited }) = shared.intake.next_batch() {
        let began = std::time::Instant::now();
        shared.metrics.latency(Stage::Queue, waited);
        let now = shared.clock.now();
        let features = shared.feature_count();
        let mut steps: Vec<Step> =
            submissions.into_iter().map(|submission| prepare(shared, submission, features, now)).collect();
        let copied = shared.turnstile.pass(number, |sequencer| {
            observe(shared, sequencer, &mut steps, now);
            copy_if_due(shared, &sequencer.engine)
        });
        let judged = steps.into_iter().map(|step| finish(shared, step, &mut assessment)).collect();
        shared.metrics.latency(Stage::Score, began.elapsed());
        let judged = JudgedBatch { number, judged, judged_at: std::time::Instant::now(), copied };
        if committer.send(judged).is_err() {
            // The committer ended because the log is lost: waiting replies are dropped unanswered.
            return;
        }
    }
}

/// Copies the state between two batches; intake stands still meanwhile.
fn copy_if_due(shared: &Shared, engine: &Engine) -> Option<Box<Engine>> {
    if !shared.snapshots.as_ref()?.claim() {
        return None;
    }
    let began = std::time::Instant::now();
    let copy = Box::new(engine.copy());
    super::snapshot::copied(shared, began.elapsed());
    Some(copy)
}

fn prepare(shared: &Shared, submission: Submission, features: usize, now: Option<Instant>) -> Step {
    let (line, reply) = match submission {
        Submission::Rating { line, reply } => (line, reply),
        Submission::Activate(ruling) => return Step::Activate(ruling, Instant::default()),
        Submission::Tick(now) => return Step::Ready(Judged::Tick(now)),
        Submission::Handoff(handoff) => return Step::Handoff(handoff),
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
        let between = |step: &Step| matches!(step, Step::Activate(..) | Step::Handoff(_));
        let run = rest.iter().position(between).unwrap_or(rest.len());
        let (ratings, change) = rest.split_at_mut(run);
        observe_run(sequencer, ratings, now);
        let Some((step, after)) = change.split_first_mut() else { break };
        let now = now.unwrap_or(sequencer.engine.state().watermark());
        match step {
            Step::Activate(ruling, at) => {
                shared.set_feature_count(ruling.catalogue().len());
                sequencer.engine.activate(Arc::clone(ruling));
                *at = now;
                warm::ask(shared, &sequencer.engine);
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

fn observe_run(sequencer: &mut Sequencer, steps: &mut [Step], now: Option<Instant>) {
    let (mut batch, mut sightings) = (Vec::with_capacity(steps.len()), Vec::with_capacity(steps.len()));
    for step in steps {
        if let Step::Rating { prepared, seen, .. } = step {
            if let Some(tail) = &mut sequencer.tail {
                tail.push(&prepared.observation);
            }
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
        Step::Handoff(_) => Judged::Nothing,
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
