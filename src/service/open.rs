//! From a data directory to a running service: recover the log, rebuild the folds, start the threads.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, RwLock};
use std::thread::{self, JoinHandle};

use super::commit::Committer;
use super::figures::Figures;
use super::known::KnownRatings;
use super::latency::Latencies;
use super::queries::Recent;
use super::render::AppealKey;
use super::rules::Archive;
use super::ticker::Ticker;
use super::worker::{Arrivals, Sequencer};
use super::{
    Clock, Folds, Gate, Intake, Options, Ready, Service, Shared, Submission, Threads, Turnstile, seal, worker,
};
use crate::log::{self, EmbeddedLog, Entry, Log, LogError, LogOptions};
use crate::policy::{Budget, Pending};
use crate::pseudonym::{KeyError, Keyring};
use crate::rules::SourceError;
use crate::scoring::{self, Engine, Prepared, Preparer, Ruling, RulingError};
use crate::statistics::{Counted, Settings, Statistics};
use crate::time::MINUTE_MS;
use crate::vault::{Vault, VaultError};

/// Why a service cannot start, or ended.
#[derive(Debug)]
pub enum ServiceError {
    /// The keys.
    Key(KeyError),
    /// The rule files cannot be read.
    Source(SourceError),
    /// The rule files are wrong.
    Rules(RulingError),
    /// The log.
    Log(LogError),
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
            Self::Log(e) => e.fmt(f),
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
    KeyError => Key, SourceError => Source, RulingError => Rules, LogError => Log, VaultError => Vault,
    std::io::Error => Output,
);

impl Service {
    /// Opens the data directory (creating what is missing), rebuilds state and folds from the log, and
    /// starts to take ratings.
    ///
    /// # Errors
    /// Keys, rules, log or vault cannot be used; each error says what to do.
    pub fn open(options: Options) -> Result<Self, ServiceError> {
        std::fs::create_dir_all(&options.data)?;
        let ruling = Arc::new(Ruling::load(options.rules.sources()?)?);
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

        let mut folds = Folds {
            pending: Pending::new(options.calendar, options.lapse),
            budget: Budget::new(options.bad_holds_per_day, options.offset),
            bad_ratings: 0,
        };
        let mut statistics = Statistics::new(Settings { offset: options.offset, ..Settings::default() });
        let mut archive = Archive::default();
        let engine = Engine::new(Arc::clone(&ruling), options.state, options.offset);
        let mut engine = rebuild(&log, engine, &mut folds, &mut statistics, &mut archive)?;
        folds.bad_ratings = 0;
        let activate = archive.current().map(|r| r.version()) != Some(ruling.version());
        if activate {
            engine.activate(Arc::clone(&ruling));
        }
        archive.activate(Arc::clone(&ruling));
        let asked = Mutex::new(ruling.version());

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
            head: tokio::sync::watch::Sender::new(head),
            recent: Mutex::new(Recent::default()),
            metrics: options.metrics,
            latencies: Latencies::default(),
            started: std::time::Instant::now(),
            failed: false.into(),
        });
        if activate {
            // The first entry under these rules says so.
            let taken = worker::go_ahead(&shared, Submission::Activate(ruling));
            debug_assert!(taken.is_ok(), "a new gate is open");
        }
        let (sealed, to_commit) = channel();
        let sealer = thread_of("sealer", &shared, move |shared| seal::run(shared, &sealed))?;
        let committer = Committer::new(Arc::clone(&shared), options.output);
        let committer = thread_of("committer", &shared, move |_| committer.run(&to_commit))?;
        let mut workers = Vec::new();
        for i in 0..options.threads.max(1) {
            let shared = Arc::clone(&shared);
            let worker = thread::Builder::new().name(format!("worker-{i}"));
            workers.push(worker.spawn(move || worker::run(&shared))?);
        }
        let ticker = match options.clock {
            Clock::Wall => Some(Ticker::start(Arc::clone(&shared), options.vault_days)?),
            Clock::EventTime => None,
        };
        let threads = Mutex::new(Some(Threads { ticker, workers, sealer, committer }));
        Ok(Self { shared, threads, rules: options.rules, asked })
    }

    /// Takes no more ratings, answers those it took, and waits until all is durable.
    ///
    /// # Errors
    /// What ended the service before, if something did.
    pub fn stop(&self) -> Result<(), ServiceError> {
        self.shared.gate.close();
        self.shared.intake.close();
        let Some(threads) = super::lock(&self.threads).take() else { return Ok(()) };
        let ticker = threads.ticker.map_or(Ok(()), Ticker::stop);
        let workers: Vec<_> = threads.workers.into_iter().map(JoinHandle::join).collect();
        // From here on only calls that passed the gate bring anything.
        self.shared.ready.close();
        let ends = [threads.sealer, threads.committer].map(JoinHandle::join);
        if ticker.is_err() || workers.iter().any(Result::is_err) {
            return Err(ServiceError::Panicked);
        }
        ends.into_iter().try_for_each(|end| end.unwrap_or(Err(ServiceError::Panicked)))
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

/// Folds the whole log again: state, statistics, pending holds, the budget and the archive of rules.
fn rebuild(
    log: &EmbeddedLog,
    mut engine: Engine,
    folds: &mut Folds,
    statistics: &mut Statistics,
    archive: &mut Archive,
) -> Result<Engine, ServiceError> {
    let mut ratings: Vec<Prepared> = Vec::new();
    let flush = |engine: &mut Engine, ratings: &mut Vec<Prepared>| {
        engine.observe(&mut ratings.iter_mut().collect::<Vec<_>>(), |_, _| {});
        ratings.clear();
    };
    for entry in log.read_from(0)? {
        let (sequence, entry) = entry?;
        folds.replay(sequence, &entry);
        statistics.apply(&Counted::of(sequence, &entry));
        match entry {
            Entry::Rating(rating) => {
                let features = engine.ruling().catalogue().len();
                ratings.push(scoring::again(rating.observation, engine.offset(), features));
                if ratings.len() >= 1_024 {
                    flush(&mut engine, &mut ratings);
                }
            }
            Entry::Activation(activation) => {
                flush(&mut engine, &mut ratings);
                if let Some(ruling) = archive.replay(&activation) {
                    engine.activate(ruling);
                }
            }
            _ => {}
        }
    }
    flush(&mut engine, &mut ratings);
    Ok(engine)
}
