//! From a data directory to a running service: recover the log, rebuild the folds, start the threads.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, RwLock};
use std::thread::{self, JoinHandle};

use super::cluster::{self, Companions, Joined, Topics};
use super::commit::{Committer, Work};
use super::desk::{self, ReviewDesk};
use super::figures::Figures;
use super::known::KnownRatings;
use super::latency::Latencies;
use super::learning::{self, Learner};
use super::queries::Recent;
use super::rebuild::{Rebuild, rebuild};
use super::render::AppealKey;
use super::snapshot::{Restored, Snapshots};
use super::spares::Spares;
use super::ticker::Ticker;
use super::warm::{self, Handoff, Warmer};
use super::worker::{Arrivals, Sequencer};
use super::{
    Clock, ClusterWatch, Gate, Intake, Options, Ready, Service, Shared, Submission, Threads, Turnstile, seal,
    worker,
};
use crate::cluster::ClusterError;
use crate::features::reference::ReferenceErrors;
use crate::log::entry::Subject;
use crate::log::{self, EmbeddedLog, Log, LogError, LogOptions};
use crate::models::ModelError;
use crate::pseudonym::{KeyError, Keyring};
use crate::review::evidence::EvidenceKey;
use crate::review::projection::ProjectionError;
use crate::rules::SourceError;
use crate::scoring::{Preparer, Ruling, RulingError};
use crate::time::MINUTE_MS;
use crate::vault::{Vault, VaultError, WordsKey};

/// Why a service cannot start, or ended.
#[derive(Debug)]
pub enum ServiceError {
    /// The keys.
    Key(KeyError),
    /// The rule files cannot be read.
    Source(SourceError),
    /// The rule files are wrong.
    Rules(RulingError),
    /// The model cannot be read, or does not go with the rule files.
    Model(ModelError),
    /// The reference tables are wrong.
    Reference(ReferenceErrors),
    /// The log.
    Log(LogError),
    /// The cluster that the node belongs to.
    Cluster(ClusterError),
    /// What the desk reads.
    Desk(ProjectionError),
    /// The vault.
    Vault(VaultError),
    /// Where the verdicts go.
    Output(std::io::Error),
    /// The log names a rating that is not there.
    NotARating(u64),
    /// A thread of the service panicked.
    Panicked,
    /// It takes no more.
    Stopping,
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(e) => e.fmt(f),
            Self::Source(e) => e.fmt(f),
            Self::Rules(e) => e.fmt(f),
            Self::Model(e) => e.fmt(f),
            Self::Reference(e) => e.fmt(f),
            Self::Log(e) => e.fmt(f),
            Self::Cluster(e) => e.fmt(f),
            Self::Desk(e) => e.fmt(f),
            Self::Vault(e) => e.fmt(f),
            Self::Output(e) => write!(f, "cannot write the verdicts: {e}"),
            Self::NotARating(sequence) => write!(
                f,
                "the log's entry {sequence} is no whole rating; run `zhenping ledger verify` on the data directory"
            ),
            Self::Panicked => f.write_str("a thread of the service panicked; its message is above"),
            Self::Stopping => f.write_str("the service is stopping"),
        }
    }
}

impl std::error::Error for ServiceError {}

macro_rules! from {
    ($($error:ty => $variant:ident),+ $(,)?) => {
        $(impl From<$error> for ServiceError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })+
    };
}

from!(
    KeyError => Key, ModelError => Model, SourceError => Source, RulingError => Rules, ReferenceErrors => Reference,
    LogError => Log, ClusterError => Cluster, VaultError => Vault, ProjectionError => Desk,
    std::io::Error => Output,
);

impl Service {
    /// Opens the data directory (creating what is missing), rebuilds state and folds from the log, and
    /// starts to take ratings.
    ///
    /// # Errors
    /// Keys, rules, log or vault cannot be used; each error says what to do.
    pub fn open(mut options: Options) -> Result<Self, ServiceError> {
        std::fs::create_dir_all(&options.data)?;
        let model = options.model.read()?;
        let ruling = Arc::new(Ruling::load(options.rules.sources()?)?.with_model(model)?);
        let log = EmbeddedLog::open(
            &log::directory(&options.data),
            LogOptions { segment_bytes: options.segment_bytes },
        )?;
        let keyring = Arc::new(match (options.public_key, log.head().next_sequence) {
            (true, _) => Keyring::public(),
            (false, 0) => Keyring::open(&options.data)?,
            // Fresh keys would make strangers of everybody whom the log knows.
            (false, _) => Keyring::open_existing(&options.data)?,
        });
        let vault = Vault::open(&options.data.join("vault"), &keyring.derive("zhenping vault v1"))?;
        let appeals = AppealKey::new(keyring.derive("zhenping appeal v1"));
        let words = WordsKey::new(&keyring.derive("zhenping review words v1"));
        let evidence = EvidenceKey::new(keyring.derive("zhenping evidence v1"));

        let topics = match &options.cluster {
            Some(cluster) => Some(Topics::open(cluster, &keyring, options.vault_days)?),
            None => None,
        };
        let snapshots = Snapshots::new(&options);
        let rebuilt = rebuild(&log, &ruling, &mut options, snapshots.as_ref())?;
        let Restored { mut engine, folds, statistics, mut archive, tables: logged_tables, .. } = rebuilt;
        let logged = [archive.current().map(|ruling| ruling.version()), archive.model_version()];
        // Among many nodes what the shared log has in force stands: it is read first.
        let alone = options.cluster.is_none();
        let differs =
            logged[0] != Some(ruling.version()) || logged[1].unwrap_or_default() != ruling.model_version();
        let activate = differs && alone;
        if activate {
            engine.activate(Arc::clone(&ruling));
        }
        if alone || archive.current().is_none() {
            archive.activate(Arc::clone(&ruling));
        }
        let mut first = Vec::new();
        if activate {
            // The first entry under these rules says so.
            first.push(Submission::Activate(Arc::clone(&ruling)));
        }
        if engine.cold() > 0 && options.clock == Clock::EventTime {
            // A file is scored the same at any time: its first rating waits until all counters are warm.
            let warmup = warm::from_log(&log, Arc::clone(&ruling), &options.state, &engine)?;
            if engine.warm(Box::new(warmup)).is_ok() {
                first.push(Submission::Handoff(Handoff::Warmed(ruling.version())));
            }
        }
        let asked = Mutex::new([ruling.version(), ruling.model_version()]);
        let tables = match (options.references.read(&keyring, options.offset), logged_tables, options.clock) {
            // A service that was restarted at night goes on with the tables that it had.
            (Err(errors), Some(_), Clock::Wall) => {
                options.metrics.reference_reload_failures.inc();
                tracing::error!("the reference tables that the log has stay in force: {errors}");
                None
            }
            (tables, ..) => tables?.filter(|tables| Some(tables.version()) != logged_tables).map(Arc::new),
        };
        let asked_references = Mutex::new(tables.as_ref().map(|tables| tables.version()).or(logged_tables));
        if let Some(tables) = tables.as_ref().filter(|_| alone) {
            engine.set_references(Arc::clone(tables));
        }

        let (desk, woken) =
            match options.desk.map(|desk| ReviewDesk::open(&options.data, desk)).transpose()? {
                Some((desk, woken)) => (Some(desk), Some(woken)),
                None => (None, None),
            };
        let limits = options.intake;
        let head = log.head().next_sequence;
        let shared = Arc::new(Shared {
            intake: Intake::new(limits),
            gate: Gate::new(limits.queue),
            arrivals: Arrivals::default(),
            ready: Ready::new(),
            turnstile: Turnstile::new(Sequencer {
                engine,
                known: KnownRatings::new(limits.batch * limits.in_flight + limits.queue),
                next_place: 0,
                others: 0,
                tail: None,
            }),
            preparer: Preparer::new(keyring, options.offset),
            clock: options.clock,
            offset: options.offset,
            ahead_ms: i64::from(options.ahead_minutes) * MINUTE_MS,
            retry_after_s: options.retry_after_s,
            feature_count: ruling.catalogue().len().into(),
            figures: Figures::new(statistics, log.head()),
            log,
            vault,
            archive: RwLock::new(archive),
            folds: Mutex::new(folds),
            appeals,
            evidence,
            words,
            lot: options.control,
            labels: options.labels,
            head: tokio::sync::watch::Sender::new(head),
            recent: Mutex::new(Recent::default()),
            spares: Spares::new(limits.batch * limits.in_flight),
            metrics: options.metrics,
            latencies: Latencies::default(),
            started: std::time::Instant::now(),
            failed: false.into(),
            stopping: false.into(),
            snapshots,
            desk,
            warm: Mutex::default(),
            cluster: options
                .cluster
                .as_ref()
                .map(|cluster| Arc::new(ClusterWatch::new(&cluster.node, cluster.behind))),
            presence: topics.as_ref().map(|topics| Arc::clone(&topics.presence)),
            comments: topics.as_ref().map(|topics| topics.comments.clone()),
        });
        let (work, to_commit) = channel();
        let (shared_log, end) = match &topics {
            Some(topics) => {
                let Joined { log, end } = cluster::join(&shared, topics, &options.data, &work)?;
                (Some(log), end)
            }
            None => (None, 0),
        };
        let mut committer = Committer::new(Arc::clone(&shared), options.output, shared_log, logged);
        if !alone {
            let mut silent = |_| {};
            let told: &mut dyn FnMut(Rebuild) = match options.on_rebuild.as_mut() {
                Some(told) => told,
                None => &mut silent,
            };
            committer.catch_up(end, &mut |at| told(Rebuild::At(at)))?;
            match committer.in_force(Subject::Rules) {
                None => first.push(Submission::Activate(Arc::clone(&ruling))),
                Some(version) if version != ruling.version() => tracing::warn!(
                    in_force = %version, here = %ruling.version(),
                    "the cluster's rules are in force, not those of this node's directory; SIGHUP or a change of the files \
                     brings those into force on every node"
                ),
                Some(_) => {}
            }
        }
        learning::follow(&shared);
        let warmer = match options.clock {
            Clock::Wall => {
                let warmer = Warmer::start(Arc::clone(&shared), options.state.clone())?;
                shared.turnstile.look(|sequencer| warm::ask(&shared, &sequencer.engine));
                Some(warmer)
            }
            Clock::EventTime => None,
        };
        let known = committer.in_force(Subject::Reference);
        first.extend(tables.filter(|_| known.is_none()).map(Submission::References));
        for submission in first {
            let taken = worker::go_ahead(&shared, submission);
            debug_assert!(taken.is_ok(), "a new gate is open");
        }
        let companions = match topics {
            Some(topics) => Some(Companions::start(&shared, topics, &options.data, &work)?),
            None => None,
        };
        let sealer = thread_of("sealer", &shared, move |shared| {
            let ended = seal::run(shared, &work);
            // Without a committer there is nobody to tell.
            let _ = work.send(Work::Over);
            ended
        })?;
        let committer = thread_of("committer", &shared, move |_| committer.run(&to_commit))?;
        let mut workers = Vec::new();
        for i in 0..options.threads.max(1) {
            let shared = Arc::clone(&shared);
            let worker = thread::Builder::new().name(format!("worker-{i}"));
            workers.push(worker.spawn(move || worker::run(&shared))?);
        }
        let ticker = match options.clock {
            Clock::Wall => {
                Some(Ticker::start(Arc::clone(&shared), options.vault_days, options.erasable_days)?)
            }
            Clock::EventTime => None,
        };
        let learner = match options.clock {
            Clock::Wall if options.labels => Some(Learner::start(Arc::clone(&shared))?),
            _ => None,
        };
        let desk = match (&shared.desk, woken) {
            (Some(desk), Some(woken)) => Some(desk::follow(Arc::clone(&shared), Arc::clone(desk), woken)?),
            _ => None,
        };
        let threads = Mutex::new(Some(Threads {
            ticker,
            learner,
            warmer,
            workers,
            sealer,
            committer,
            desk,
            companions,
        }));
        let (rules, model, references) = (options.rules, options.model, options.references);
        Ok(Self { shared, threads, rules, asked, model, references, asked_references })
    }

    /// Takes no more ratings, answers those it took, and waits until all is durable.
    ///
    /// # Errors
    /// What ended the service before, if something did.
    pub fn stop(&self) -> Result<(), ServiceError> {
        self.shared.stopping.store(true, Ordering::Relaxed);
        if let Some(presence) = &self.shared.presence {
            presence.drain();
        }
        self.shared.gate.close();
        self.shared.intake.close();
        let Some(threads) = super::lock(&self.threads).take() else { return Ok(()) };
        let ticker = threads.ticker.map_or(Ok(()), Ticker::stop);
        let learner = threads.learner.map_or(Ok(()), Learner::stop);
        let warmer = threads.warmer.map_or(Ok(()), Warmer::join);
        let workers: Vec<_> = threads.workers.into_iter().map(JoinHandle::join).collect();
        // From here on only calls that passed the gate bring anything.
        self.shared.ready.close();
        let ends = [threads.sealer, threads.committer].map(JoinHandle::join);
        if ticker.is_err() || learner.is_err() || warmer.is_err() || workers.iter().any(Result::is_err) {
            return Err(ServiceError::Panicked);
        }
        if let Some(desk) = &self.shared.desk {
            desk.stop();
        }
        let desk = threads.desk.map_or(Ok(()), JoinHandle::join);
        if desk.is_err() {
            return Err(ServiceError::Panicked);
        }
        ends.into_iter().try_for_each(|end| end.unwrap_or(Err(ServiceError::Panicked)))?;
        if let Some(snapshots) = &self.shared.snapshots {
            snapshots.finish(&self.shared);
        }
        drop(threads.companions);
        Ok(())
    }
}

/// A thread without which the service cannot go on: where it fails or panics, the service says so and
/// takes no more.
fn thread_of(
    name: &str,
    shared: &Arc<Shared>,
    run: impl FnOnce(&Shared) -> Result<(), ServiceError> + Send + 'static,
) -> std::io::Result<JoinHandle<Result<(), ServiceError>>> {
    let shared = Arc::clone(shared);
    thread::Builder::new().name(name.into()).spawn(move || {
        let ended = catch_unwind(AssertUnwindSafe(|| run(&shared))).unwrap_or(Err(ServiceError::Panicked));
        if let Err(error) = &ended {
            shared.fail(error);
        }
        ended
    })
}

impl Drop for Service {
    fn drop(&mut self) {
        // Whoever cares how it ended calls `stop` first.
        let _ = self.stop();
    }
}
