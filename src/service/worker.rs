//! The workers: each takes a batch through steps (a) to (c) of the path and hands it to the
//! committer. Preparing and judging run in parallel; observing happens in the order of the batches.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use bytes::Bytes;

use super::Shared;
use super::answer::{Answer, Reply};
use super::intake::Batch;
use super::known::{Acquaintance, KnownRatings};
use super::past::LogPast;
use super::render;
use super::spares::Kept;
use crate::features::case::EarlierRating;
use crate::features::reference::References;
use crate::log::EncodedRecord;
use crate::log::entry::{RatingEntry, RatingFlags};
use crate::metrics::Stage;
use crate::observation::FormerNames;
use crate::rating::{ErrorCode, RatingError};
use crate::rules::Assessment;
use crate::scoring::{Engine, Observed, Prepared, Ruling, judge};
use crate::time::{Instant, MINUTE_MS};
use crate::verdict::VerdictBody;

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
    /// Reference tables to bring into force between two ratings.
    References(Arc<References>),
    /// The clock went on: holds may have lapsed.
    Tick(Instant),
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
}

/// A batch on its way to the committer.
pub struct JudgedBatch {
    /// Its place in the order of batches.
    pub number: u64,
    /// What became of each submission, in order.
    pub judged: Vec<Judged>,
    /// When the last of them was judged.
    pub judged_at: std::time::Instant,
}

#[allow(clippy::large_enum_variant)]
enum Step {
    /// A rating; `seen` is set once it was observed.
    Rating { prepared: Prepared, reply: Reply, seen: Option<Seen> },
    /// Rules, and when they came into force.
    Activate(Arc<Ruling>, Instant),
    /// Reference tables, and when they came into force.
    References(Arc<References>, Instant),
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
        let mut spares = shared.spares.take(submissions.len());
        let mut steps: Vec<Step> = submissions
            .into_iter()
            .map(|submission| prepare(shared, submission, &mut spares, features, now))
            .collect();
        shared.turnstile.pass(number, |sequencer| observe(shared, sequencer, &mut steps, now));
        let judged =
            steps.into_iter().map(|step| finish(shared, step, &mut spares, &mut assessment)).collect();
        shared.metrics.latency(Stage::Score, began.elapsed());
        let judged = JudgedBatch { number, judged, judged_at: std::time::Instant::now() };
        if committer.send(judged).is_err() {
            // The committer ended because the log is lost: waiting replies are dropped unanswered.
            return;
        }
    }
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
        let run = rest.iter().position(|step| matches!(step, Step::Activate(..) | Step::References(..)));
        let run = run.unwrap_or(rest.len());
        let (ratings, activation) = rest.split_at_mut(run);
        observe_run(shared, sequencer, ratings, now);
        rest = match activation.split_first_mut() {
            Some((Step::Activate(ruling, at), after)) => {
                shared.set_feature_count(ruling.catalogue().len());
                sequencer.engine.activate(Arc::clone(ruling));
                *at = now.unwrap_or(sequencer.engine.state().watermark());
                after
            }
            Some((Step::References(tables, at), after)) => {
                sequencer.engine.set_references(Arc::clone(tables));
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

fn observe_run(shared: &Shared, sequencer: &mut Sequencer, steps: &mut [Step], now: Option<Instant>) {
    let (mut batch, mut sightings) = (Vec::with_capacity(steps.len()), Vec::with_capacity(steps.len()));
    for step in steps {
        if let Step::Rating { prepared, seen, .. } = step {
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

fn finish(shared: &Shared, step: Step, spares: &mut Kept, assessment: &mut Assessment) -> Judged {
    match step {
        Step::Ready(judged) => judged,
        Step::Activate(ruling, at) => Judged::Activated(ruling, at),
        Step::References(tables, at) => Judged::Referenced(tables, at),
        Step::Rating { reply, seen: None, .. } => Judged::Done { answer: Answer::Stopping, reply },
        Step::Rating { prepared, reply, seen: Some(Seen { observed, ruling, at }) } => {
            let Prepared { observation, comment, features, former, .. } = prepared;
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
            let body = render::rating_in(spares.buffer(), &entry, &ruling, &shared.appeals);
            let record = entry.encode_in(spares.buffer(), ruling.catalogue());
            let (earlier, hold_earlier) = (observed.earlier, judgement.hold_earlier);
            Judged::New(NewRating {
                entry,
                record,
                body,
                comment,
                former,
                earlier,
                hold_earlier,
                ruling,
                reply,
            })
        }
    }
}
