//! The one door that every transport uses.
//!
//! ```text
//! calls ───▶ gate (bounded) ──────────┬▶ prepare ─▶ turnstile: observe ─▶ judge ─▶ sealer ─▶ committer ─▶ answers
//! batches ─▶ intake (bounded) ─▶ workers┘ parallel    one at a time       parallel   in that order
//! ```
//!
//! Calls are taken through on the threads that received them, so that no other has to be woken for them
//! but the sealer's and the committer's; batches, whose callers do not wait for single answers, by workers.
//!
//! A transport hands in lines and gets answers; it knows nothing of what lies between. A failed
//! sync ends the service: what it has answered is durable, and nothing else was answered.

mod answer;
mod cluster;
mod commit;
mod desk;
mod figures;
mod folds;
mod gate;
mod intake;
mod known;
mod latency;
mod learning;
mod lot;
mod open;
mod past;
mod queries;
mod ready;
mod rebuild;
mod references;
mod render;
mod review;
mod rules;
mod seal;
mod snapshot;
mod spares;
mod ticker;
mod warm;
mod worker;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::watch;

use crate::cluster::ClusterOptions;
use crate::date::{Day, UtcOffset};
use crate::features::state::StateLimits;
use crate::incidents::Opened;
use crate::log::entry::RatingEntry;
use crate::log::{Entry, Log};
use crate::metrics::Metrics;
use crate::policy::{Calendar, LapsePolicy};
use crate::review::evidence::EvidenceKey;
use crate::scoring::{Preparer, Ruling};
use crate::statistics::{Query, QueryError, Ranking, Report};
use crate::time::Instant;
use crate::version::Version;

pub use answer::{Answer, Reply};
pub use cluster::{ClusterView, ClusterWatch};
pub use commit::{CASES_MAX, Output, Permit, ReviewReply, ReviewRequest, Reviewed};
pub use desk::{DeskOptions, MINUTES_KEPT, ReviewDesk};
pub use folds::Folds;
pub use intake::{IntakeLimits, Refused};
pub use learning::{DECISIONS, EXAMPLES_MAX, WEIGHT_MAX};
pub use lot::Lot;
pub use open::ServiceError;
pub use queries::Page;
pub use rebuild::Rebuild;
pub use references::ReferenceOrigin;
pub use render::{features as feature_values, grouped};
pub use review::{CaseFile, SeenValue};
pub use rules::{ModelOrigin, RulesOrigin};
pub use snapshot::SnapshotPolicy;
pub use warm::Handoff;
pub use worker::{Submission, Turn};

use figures::Figures;
use gate::Gate;
use intake::{Intake, Turnstile, lock};
use ready::Ready;
use render::AppealKey;
use rules::Archive;
use ticker::Ticker;
use worker::{Arrivals, JudgedBatch, Sequencer};

/// How often a batch looks whether a node is still behind the log that it shares.
const BEHIND_LOOK: std::time::Duration = std::time::Duration::from_millis(100);

/// What `now` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock: a service.
    Wall,
    /// The event-time watermark: a file of ratings, scored the same at any time.
    EventTime,
}

impl Clock {
    /// The time; `None` where the watermark stands for it.
    pub fn now(self) -> Option<Instant> {
        match self {
            Self::EventTime => None,
            Self::Wall => {
                let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Some(Instant(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)))
            }
        }
    }
}

/// How a service is opened.
pub struct Options {
    /// Log, vault, keys and snapshots.
    pub data: PathBuf,
    /// Where the rules come from.
    pub rules: RulesOrigin,
    /// Where the model comes from.
    pub model: ModelOrigin,
    /// Most ratings that the look-back remembers, at about 300 bytes each.
    pub lookback_ratings: usize,
    /// Where the reference tables come from.
    pub references: ReferenceOrigin,
    /// What `now` is.
    pub clock: Clock,
    /// Uses the fixed, public key instead of the directory's own. For `score` without a directory.
    pub public_key: bool,
    /// Threads that parse and judge.
    pub threads: usize,
    /// Bounds of the queue.
    pub intake: IntakeLimits,
    /// Bounds of feature state.
    pub state: StateLimits,
    /// Reporting time zone.
    pub offset: UtcOffset,
    /// Holidays and make-up working days.
    pub calendar: Calendar,
    /// When undecided holds lapse.
    pub lapse: LapsePolicy,
    /// Holds of bad ratings per day.
    pub bad_holds_per_day: u32,
    /// Which admitted ratings go to review as a control sample.
    pub control: Lot,
    /// Whether versions of what was learnt from reviewers' decisions are published and come into force.
    pub labels: bool,
    /// Days that a comment stays in the vault; those of ratings on hold stay longer.
    pub vault_days: u32,
    /// Days that the erasable part of a record stays; those of ratings on hold stay longer.
    pub erasable_days: u32,
    /// Size of a log segment, in bytes.
    pub segment_bytes: u32,
    /// A rating further than this ahead of the machine's clock is refused, in minutes.
    pub ahead_minutes: u32,
    /// Retry-After of a shed call, in seconds.
    pub retry_after_s: u32,
    /// When snapshots of state are written; `None` for a directory that nobody will open again.
    pub snapshots: Option<SnapshotPolicy>,
    /// How the reviewers' desk is kept; `None` where there is none, as for a file of ratings.
    pub desk: Option<DeskOptions>,
    /// The cluster that the service is a node of; `None` where it has its log alone.
    pub cluster: Option<ClusterOptions>,
    /// Told how the rebuild at the start goes.
    pub on_rebuild: Option<Box<dyn FnMut(Rebuild) + Send>>,
    /// Where an ordered stream's answers go.
    pub output: Option<Box<dyn Output>>,
    /// Metrics to update.
    pub metrics: Arc<Metrics>,
}

impl Options {
    /// Defaults for a data directory: the shipped rules, the machine's clock.
    pub fn new(data: PathBuf, metrics: Arc<Metrics>) -> Self {
        Self {
            references: ReferenceOrigin::find(None, &data),
            model: ModelOrigin::None,
            lookback_ratings: 500_000,
            data,
            rules: RulesOrigin::Shipped,
            clock: Clock::Wall,
            public_key: false,
            threads: std::thread::available_parallelism().map_or(2, usize::from) + 1,
            intake: IntakeLimits::default(),
            state: StateLimits::default(),
            offset: UtcOffset::CHINA,
            calendar: Calendar::default(),
            lapse: LapsePolicy::default(),
            bad_holds_per_day: 1_000,
            control: Lot::NONE,
            labels: true,
            vault_days: 30,
            erasable_days: 180,
            segment_bytes: 64 << 20,
            ahead_minutes: 10,
            retry_after_s: 1,
            snapshots: Some(SnapshotPolicy::default()),
            desk: None,
            cluster: None,
            on_rebuild: None,
            output: None,
            metrics,
        }
    }
}

/// Which node decided what is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// This one: what a decision changes it has changed already.
    Own,
    /// Another.
    Others,
}

/// What all threads of a service share.
struct Shared {
    intake: Intake<Submission>,
    gate: Gate,
    arrivals: Arrivals,
    ready: Ready<JudgedBatch>,
    turnstile: Turnstile<Sequencer>,
    preparer: Preparer,
    clock: Clock,
    offset: UtcOffset,
    ahead_ms: i64,
    retry_after_s: u32,
    feature_count: AtomicUsize,
    log: crate::log::EmbeddedLog,
    vault: crate::vault::Vault,
    archive: RwLock<Archive>,
    folds: Mutex<Folds>,
    figures: Figures,
    appeals: AppealKey,
    evidence: EvidenceKey,
    words: crate::vault::WordsKey,
    lot: Lot,
    labels: bool,
    head: watch::Sender<u64>,
    recent: Mutex<queries::Recent>,
    spares: spares::Spares,
    metrics: Arc<Metrics>,
    latencies: latency::Latencies,
    started: std::time::Instant,
    failed: AtomicBool,
    /// No more is taken.
    stopping: AtomicBool,
    snapshots: Option<snapshot::Snapshots>,
    desk: Option<Arc<ReviewDesk>>,
    /// What is seen of the cluster, if there is one.
    cluster: Option<Arc<ClusterWatch>>,
    /// Its nodes.
    presence: Option<Arc<cluster::Presence>>,
    /// Where comments go for the other nodes.
    comments: Option<crate::cluster::Comments>,
    /// Where rules go whose counters are to be warmed from the log.
    warm: Mutex<Option<std::sync::mpsc::Sender<Arc<Ruling>>>>,
}

/// A running service. Dropping it stops it; [`Service::stop`] also says how that went.
pub struct Service {
    shared: Arc<Shared>,
    threads: Mutex<Option<Threads>>,
    rules: RulesOrigin,
    /// The rules that were last brought into force, or are about to be.
    asked: Mutex<[Version; 2]>,
    model: ModelOrigin,
    references: ReferenceOrigin,
    /// Likewise the reference tables.
    asked_references: Mutex<Option<Version>>,
}

struct Threads {
    ticker: Option<Ticker>,
    learner: Option<learning::Learner>,
    warmer: Option<warm::Warmer>,
    workers: Vec<JoinHandle<()>>,
    sealer: JoinHandle<Result<(), ServiceError>>,
    committer: JoinHandle<Result<(), ServiceError>>,
    desk: Option<JoinHandle<()>>,
    companions: Option<cluster::Companions>,
}

/// Reads a lock whose guarded value is valid between any two statements.
fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Shared {
    fn feature_count(&self) -> usize {
        self.feature_count.load(Ordering::Relaxed)
    }

    fn set_feature_count(&self, count: usize) {
        self.feature_count.store(count, Ordering::Relaxed);
    }

    /// Whether this node would decide without what the log that it shares has had for long.
    fn is_behind(&self) -> bool {
        self.cluster.as_ref().is_some_and(|watch| watch.is_behind())
    }

    /// The rules that a rating was judged by.
    fn ruling_of(&self, rating: &RatingEntry) -> Result<Arc<Ruling>, ServiceError> {
        read(&self.archive).find(rating.outcome.rules).ok_or(ServiceError::Stopping)
    }

    fn day_of(&self, at: Instant) -> Day {
        self.offset.day_of(at)
    }

    /// Whether an admitted rating is drawn for the control sample; then it counts as drawn.
    fn draws(&self, digest: &[u8; 16], at: Instant) -> bool {
        if !self.lot.draws(digest) {
            return false;
        }
        let (drawn, day) = (&mut lock(&self.folds).drawn, self.day_of(at));
        let has_room = drawn.has_room(self.lot, day);
        if has_room {
            drawn.note(day);
            self.metrics.control_drawn.inc();
        }
        has_room
    }

    /// Folds what has just become durable and tells everybody.
    fn publish(&self, range: Range<u64>, entries: Vec<Entry>, whose: Whose) -> Vec<Entry> {
        let mut opened = Vec::new();
        let mut folds = lock(&self.folds);
        let mut recent = lock(&self.recent);
        for (sequence, entry) in range.clone().zip(&entries) {
            let rating = |sequence| learning::rating_in(&self.log, &self.archive, sequence);
            folds.decisions.fold(sequence, entry, self.lot.share(), rating);
            recent.note(sequence, entry);
            if whose == Whose::Others {
                let ruling = read(&self.archive).current().cloned();
                folds.replay(sequence, entry, ruling.as_ref().and_then(|ruling| ruling.group()));
                continue;
            }
            opened.extend(folds.apply(sequence, entry));
            if let Entry::Rating(rating) = entry {
                self.metrics.rating(rating.outcome.decision, rating.observation.is_bad());
                rating.observation.warnings.iter().for_each(|warning| self.metrics.warning(&warning.path));
            }
        }
        self.metrics.learning(
            folds.decisions.published(),
            folds.decisions.ratings(),
            folds.decisions.has_shadow(),
        );
        crate::metrics::set(&self.metrics.incidents_open, folds.incidents.going_on() as u64);
        drop((folds, recent));
        opened.iter().for_each(|opened| self.announce(opened));
        let folded = self.figures.fold(range.start, entries, self.log.head());
        self.head.send_replace(range.end);
        if let Some(desk) = &self.desk {
            desk.wake();
        }
        folded
    }

    /// Says what incidents and alerts begin.
    fn announce(&self, opened: &Opened) {
        if let Some(incident) = &opened.incident {
            self.metrics.incidents.inc();
            let (id, department, window) = (incident.id(), &incident.department, incident.window.as_deref());
            tracing::info!(id, %department, window, "incident: {}", incident.text().en);
        }
        for alert in &opened.alerts {
            self.metrics.alerts.inc();
            let (id, department, window) = (alert.id(), &alert.department, &alert.window);
            tracing::info!(id, %department, %window, "alert: {}", alert.text().en);
        }
    }

    /// Says that the service cannot go on: readiness tells, and nothing more is taken.
    fn fail(&self, error: &dyn std::fmt::Display) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the service cannot go on");
        }
        self.gate.close();
        self.intake.abandon();
        self.ready.abandon();
    }
}

impl Service {
    /// Takes one rating through scoring, on the thread that calls, and has its answer sent once that is
    /// durable. Takes tens of microseconds and waits for no disk; refuses at once if too many are on
    /// their way, or the service is stopping.
    pub fn submit(&self, line: Bytes, reply: Box<dyn FnOnce(Answer) + Send>) {
        drop(self.arrive(line, reply));
    }

    /// As [`Service::submit`], but who gets a turn may let other calls arrive before dropping it. They
    /// then share one way through the rest; without that turn they wait, so it must not be kept long.
    pub fn arrive(&self, line: Bytes, reply: Box<dyn FnOnce(Answer) + Send>) -> Option<Turn<'_>> {
        let shared = &self.shared;
        let entered = if shared.is_behind() { Err(Refused::Full) } else { shared.gate.enter() };
        match entered {
            Ok(()) => return worker::arrive(shared, line, Reply::Call(reply)),
            Err(Refused::Full) => {
                shared.metrics.shed.inc();
                reply(Answer::Shed { retry_after_s: shared.retry_after_s });
            }
            Err(Refused::Closed) => reply(Answer::Stopping),
        }
        None
    }

    /// Hands over ratings in order, waiting for room without a thread.
    ///
    /// # Errors
    /// The service is stopping; it gives back what it did not take.
    pub async fn push_in_turn(&self, submissions: Vec<Submission>) -> Result<(), Vec<Submission>> {
        while self.shared.is_behind() && !self.shared.stopping.load(Ordering::Relaxed) {
            tokio::time::sleep(BEHIND_LOOK).await;
        }
        let mut submissions = submissions.into_iter();
        loop {
            // Enabled before the look, so that room that comes right after it is not missed.
            let mut room = std::pin::pin!(self.shared.intake.room());
            room.as_mut().enable();
            match self.shared.intake.offer(&mut submissions) {
                Ok(()) => return Ok(()),
                Err(Refused::Closed) => return Err(submissions.collect()),
                Err(Refused::Full) => room.await,
            }
        }
    }

    /// Hands over submissions in order, waiting for room. What is no rating goes ahead of the ratings.
    ///
    /// # Errors
    /// The service is stopping; it gives back what it did not take.
    pub fn push(&self, mut submissions: Vec<Submission>) -> Result<(), Vec<Submission>> {
        let is_other = |submission: &mut Submission| !matches!(submission, Submission::Rating { .. });
        for other in submissions.extract_if(.., is_other).collect::<Vec<_>>() {
            worker::go_ahead(&self.shared, other).map_err(|other| vec![other])?;
        }
        self.shared.intake.push_all(submissions)
    }

    /// The next sequence of the durable log, as it moves.
    pub fn head(&self) -> watch::Receiver<u64> {
        self.shared.head.subscribe()
    }

    /// What the reviewers' desk reads, if there is one.
    pub fn desk(&self) -> Option<&Arc<ReviewDesk>> {
        self.shared.desk.as_ref()
    }

    /// The reporting time zone.
    pub fn offset(&self) -> UtcOffset {
        self.shared.offset
    }

    /// Where the rules come from.
    pub fn rules_origin(&self) -> &RulesOrigin {
        &self.rules
    }

    /// Whether it takes ratings.
    pub fn is_ready(&self) -> bool {
        !self.shared.failed.load(Ordering::Relaxed)
    }

    /// Looks at the folds as they stand.
    pub fn folds<R>(&self, look: impl FnOnce(&Folds) -> R) -> R {
        look(&lock(&self.shared.folds))
    }

    /// The figures that a query asks for, and the log position that they follow from. No answer to a
    /// rating waits for it.
    ///
    /// # Errors
    /// The query is wrong.
    pub fn statistics_report(&self, query: &Query) -> Result<Report, QueryError> {
        self.shared.figures.report(query)
    }

    /// The ranking that a query asks for.
    ///
    /// # Errors
    /// The query is wrong.
    pub fn ranking(&self, query: &Query) -> Result<Ranking, QueryError> {
        self.shared.figures.ranking(query)
    }

    /// The rules and the model in force.
    pub fn ruling(&self) -> Option<Arc<Ruling>> {
        read(&self.shared.archive).current().cloned()
    }

    /// Median and 99th percentile of the latest answers' times, in microseconds.
    pub fn latency_percentiles(&self) -> (u64, u64) {
        self.shared.latencies.percentiles()
    }

    /// Time since the start.
    pub fn uptime(&self) -> std::time::Duration {
        self.shared.started.elapsed()
    }

    /// The metrics it updates.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// Ratings that wait or are on their way, and how many may of either.
    pub fn queue(&self) -> (usize, usize) {
        let shared = &self.shared;
        (shared.intake.depth() + shared.gate.inside(), shared.intake.limits().queue)
    }

    /// Sets the gauges of feature state to what stands now.
    pub fn measure_state(&self) {
        let (sizes, counters) = self.shared.turnstile.look(|sequencer| {
            let state = sequencer.engine.state();
            (state.sizes(), state.counter_stats())
        });
        let groups = || counters.groups.iter().map(|(_, group)| group);
        let entities = sizes.iter().map(|&(_, size)| size as u64).sum::<u64>()
            + groups().map(|group| group.entities).sum::<u64>();
        let evictions = groups().map(|group| group.evicted).sum::<u64>() + counters.hot_evicted;
        let metrics = &self.shared.metrics;
        crate::metrics::set(&metrics.state_entities, entities);
        crate::metrics::set(&metrics.state_bytes, (counters.memory_bytes + counters.hot_bytes) as u64);
        metrics.state_evictions.inc_by(evictions.saturating_sub(metrics.state_evictions.get()));
    }

    /// The chain's head.
    pub fn log_head(&self) -> crate::log::Head {
        self.shared.log.head()
    }
}
