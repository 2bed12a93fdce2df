//! Feeds counters that were declared later from the log, beside what goes on.
//!
//! ```text
//! rules with new counters ─▶ activation in the log; the new ones are missing, the others go on
//!   warm-up reads the log from its start ──────────────▶ caught up: the turnstile keeps a tail
//!   warm-up reads what was on its way into the log ────▶ takes the rest from the tail, takes its place
//!                                                        and an entry of the log says where that was
//! ```
//!
//! From that entry on the counters have the values of a set that was declared when the log began; so a
//! rebuild gives the same whatever the time that the warm-up took.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Timer};

use super::worker::{Judged, Sequencer, Submission};
use super::{ServiceError, Shared};
use crate::features::state::StateLimits;
use crate::log::{EmbeddedLog, Entry, Log};
use crate::observation::Observation;
use crate::scoring::{Engine, Ruling, Warmup};
use crate::time::Instant;
use crate::version::Version;

/// Ratings kept while a warm-up catches up; at more it tries again. They come and go in milliseconds.
const TAIL_MAX: usize = 65_536;
/// Ratings between two looks at what else goes on.
const STRIDE: u64 = 1_024;
/// How soon a thread that waits notices that the service stops.
const PATIENCE: Duration = Duration::from_millis(200);

/// The latest ratings.
#[derive(Debug)]
pub struct Tail {
    /// Ratings before the first of them.
    before: u64,
    kept: Option<VecDeque<Observation>>,
}

impl Tail {
    /// Adds a rating that was just observed.
    pub fn push(&mut self, observation: &Observation) {
        if let Some(kept) = &mut self.kept {
            kept.push_back(observation.clone());
            if kept.len() > TAIL_MAX {
                self.kept = None;
            }
        }
    }
}

/// What comes back from [`Handoff::Warm`]: what is no longer needed, or the counters, which have to
/// catch up once more.
pub type Handed = Result<Box<dyn Send>, Box<Warmup>>;

/// A step of a warm-up that happens between two ratings.
pub enum Handoff {
    /// Keep a tail from here on, and say how many ratings came before.
    KeepTail(Sender<u64>),
    /// Here are the counters, which lack at most the tail.
    Warm(Box<Warmup>, Sender<Handed>),
    /// They took their place before the first rating was taken.
    Warmed(Version),
    /// It is done.
    Done,
}

/// Carries out a step; what goes into the log for it.
pub(super) fn hand_over(sequencer: &mut Sequencer, handoff: Handoff, now: Instant) -> Judged {
    match handoff {
        Handoff::KeepTail(reply) => {
            let before = sequencer.engine.ratings();
            sequencer.tail = Some(Tail { before, kept: Some(VecDeque::new()) });
            // Whoever asked may have gone; then the next one asks anew.
            let _ = reply.send(before);
            Judged::Nothing
        }
        Handoff::Warm(mut warmup, reply) => {
            let version = warmup.ruling().version();
            let tail = sequencer.tail.take();
            if let Some(Tail { before, kept: Some(kept) }) = tail
                && let Some(known) = warmup.ratings().checked_sub(before)
                && version == sequencer.engine.ruling().version()
            {
                kept.iter().skip(known as usize).for_each(|observation| warmup.observe(observation));
                let handed = sequencer.engine.warm(warmup);
                let warmed = handed.is_ok();
                let _ = reply.send(handed);
                return if warmed { Judged::Warmed(version, now) } else { Judged::Nothing };
            }
            let _ = reply.send(Err(warmup));
            Judged::Nothing
        }
        Handoff::Warmed(version) => Judged::Warmed(version, now),
        Handoff::Done => Judged::Nothing,
    }
}

/// Asks for a warm-up if some counters in force need one.
pub(super) fn ask(shared: &Shared, engine: &Engine) {
    if engine.cold() > 0
        && let Some(asked) = super::intake::lock(&shared.warm).as_ref()
    {
        let _ = asked.send(Arc::clone(engine.ruling()));
    }
}

/// Feeds counters with the whole log, which nobody appends to.
///
/// # Errors
/// The log cannot be read.
pub(super) fn from_log(
    log: &EmbeddedLog,
    ruling: Arc<Ruling>,
    limits: &StateLimits,
    engine: &Engine,
) -> Result<Warmup, ServiceError> {
    let mut warmup = Warmup::new(ruling, limits, engine.offset());
    for entry in log.read_from(0)? {
        add(&mut warmup, &entry?.1);
    }
    Ok(warmup)
}

fn add(warmup: &mut Warmup, entry: &Entry) {
    match entry {
        Entry::Rating(rating) => warmup.observe(&rating.observation),
        Entry::Erased(_) => warmup.forget(),
        _ => {}
    }
}

/// The thread that warms counters up, one set at a time; the latest that was asked for.
pub(super) struct Warmer(JoinHandle<()>);

impl Warmer {
    /// Starts it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(shared: Arc<Shared>, limits: StateLimits) -> std::io::Result<Self> {
        let (sender, asked) = channel();
        *super::intake::lock(&shared.warm) = Some(sender);
        let thread = std::thread::Builder::new().name("warm-up".into());
        let run = move || {
            let mut next = None;
            while let Some(ruling) = next.take().or_else(|| wait(&shared, &asked)) {
                let version = ruling.version();
                let mut work = Work { shared: &shared, asked: &asked, version, newer: None, next: 0 };
                match work.warm(ruling, &limits) {
                    Ok(()) => {}
                    Err(error) => tracing::warn!(%error, "new counters stay missing until the next start"),
                }
                next = work.newer;
            }
        };
        Ok(Self(thread.spawn(run)?))
    }

    /// Waits for its end; the intake is closed.
    pub fn join(self) -> std::thread::Result<()> {
        self.0.join()
    }
}

/// Waits for rules whose counters are to be warmed; `None` once the service stops.
fn wait(shared: &Shared, asked: &Receiver<Arc<Ruling>>) -> Option<Arc<Ruling>> {
    loop {
        match asked.recv_timeout(PATIENCE) {
            Ok(ruling) => return Some(asked.try_iter().last().unwrap_or(ruling)),
            Err(RecvTimeoutError::Timeout) if !shared.stopping.load(Ordering::Relaxed) => {}
            Err(_) => return None,
        }
    }
}

struct Work<'s> {
    shared: &'s Shared,
    asked: &'s Receiver<Arc<Ruling>>,
    /// The rules whose counters it feeds.
    version: Version,
    /// Other rules that came meanwhile.
    newer: Option<Arc<Ruling>>,
    /// Sequence to read on from.
    next: u64,
}

impl Work<'_> {
    fn is_over(&mut self) -> bool {
        if let Some(last) = self.asked.try_iter().last() {
            self.newer = Some(last).filter(|last| last.version() != self.version);
        }
        self.newer.is_some() || self.shared.stopping.load(Ordering::Relaxed)
    }

    fn warm(&mut self, ruling: Arc<Ruling>, limits: &StateLimits) -> Result<(), ServiceError> {
        let began = Timer::now();
        let version = ruling.version();
        tracing::info!(%version, "new counters are fed from the log; they are missing meanwhile");
        let mut warmup = Box::new(Warmup::new(ruling, limits, self.shared.offset));
        loop {
            self.read_on(&mut warmup)?;
            let (reply, before) = channel();
            let Some(before) = self.hand(Handoff::KeepTail(reply), &before) else { return Ok(()) };
            while warmup.ratings() < before {
                // What is on its way into the log is there within a sync.
                std::thread::sleep(Duration::from_millis(1));
                self.read_on(&mut warmup)?;
                if self.is_over() {
                    return Ok(());
                }
            }
            let (reply, handed) = channel();
            match self.hand(Handoff::Warm(warmup, reply), &handed) {
                Some(Ok(before)) => {
                    drop(before);
                    let seconds = format!("{:.1}", began.elapsed().as_secs_f64());
                    tracing::info!(%version, seconds, "new counters are warm");
                    return Ok(());
                }
                Some(Err(back)) => warmup = back,
                None => return Ok(()),
            }
            if self.is_over() {
                return Ok(());
            }
        }
    }

    /// Hands a step to the pipeline and waits for what comes back; `None` if it is over.
    fn hand<T>(&mut self, handoff: Handoff, back: &Receiver<T>) -> Option<T> {
        if self.is_over() {
            return None;
        }
        self.shared.intake.push_all(vec![Submission::Handoff(handoff)]).ok()?;
        back.recv().ok()
    }

    /// Reads to what is durable now.
    fn read_on(&mut self, warmup: &mut Warmup) -> Result<(), ServiceError> {
        let mut began = Timer::now();
        for entry in self.shared.log.read_from(self.next)? {
            let (sequence, entry) = entry?;
            add(warmup, &entry);
            self.next = sequence + 1;
            if self.next.is_multiple_of(STRIDE) {
                if self.is_over() {
                    break;
                }
                // Ratings that wait go first: it takes at most half of a core from them.
                if self.shared.intake.depth() > 0 {
                    std::thread::sleep(began.elapsed());
                }
                began = Timer::now();
            }
        }
        Ok(())
    }
}
