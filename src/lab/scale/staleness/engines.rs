//! Engines that share a stream. What one of them decides depends on the stream and on who gets what, never
//! on what another decided; so each is run by itself, and only as many are in memory as there are cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::stream::Stream;
use super::{Delay, Progress, Route, Wanted};
use crate::date::UtcOffset;
use crate::features::state::StateLimits;
use crate::lab::scale::histogram::Histogram;
use crate::lab::simulate::random::{Dice, Purpose, Source};
use crate::scoring::{Desk, Engine, Observed, Prepared, Ruling, again, judge};
use crate::wire::Decision;

/// Ratings that are shown to an engine together.
const BATCH: usize = 2_048;

/// What was decided about each rating of the stream, by the node that it went to.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) decisions: Vec<Decision>,
    /// Ratings before it, and of other nodes, that a decision did not know of.
    pub(super) unseen: Histogram,
}

/// One engine's part.
struct Part {
    /// Places in the stream, with what was decided.
    decisions: Vec<(u32, Decision)>,
    /// For each of them, how many ratings were unseen.
    unseen: Vec<u64>,
}

/// The decisions of one engine that sees everything at once, and then those for each delay.
pub(super) fn decide(
    stream: &Stream,
    ruling: &Arc<Ruling>,
    wanted: &Wanted,
    progress: &(impl Fn(Progress) + Sync),
) -> Vec<Decided> {
    let alone = vec![0; stream.ratings.len()];
    let shared = homes(stream, wanted);
    let rows: Vec<(&[u16], u16, Delay)> = [(alone.as_slice(), 1, Delay::Ratings(0))]
        .into_iter()
        .chain(wanted.delays.iter().map(|&delay| (shared.as_slice(), wanted.nodes, delay)))
        .collect();
    let tasks: Vec<(usize, u16)> = rows
        .iter()
        .enumerate()
        .flat_map(|(row, &(_, nodes, _))| (0..nodes).map(move |node| (row, node)))
        .collect();
    progress(Progress::Shown((tasks.len() * stream.ratings.len()) as u64));
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(&(row, node)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (homes, _, delay) = rows[row];
            let part = run(stream, ruling, homes, node, delay, progress);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((row, part));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(tasks.len());
    thread::scope(|scope| {
        (0..threads).for_each(|_| {
            scope.spawn(work);
        });
    });
    let mut decided: Vec<Decided> = rows
        .iter()
        .map(|_| Decided {
            decisions: vec![Decision::Admit; stream.ratings.len()],
            unseen: Histogram::default(),
        })
        .collect();
    for (row, part) in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        part.decisions.iter().for_each(|&(at, decision)| decided[row].decisions[at as usize] = decision);
        part.unseen.iter().for_each(|&unseen| decided[row].unseen.add(unseen, 1));
    }
    decided
}

/// Which node each rating goes to.
fn homes(stream: &Stream, wanted: &Wanted) -> Vec<u16> {
    let nodes = u64::from(wanted.nodes);
    let mut dice = Dice::new(wanted.seed, Purpose::Route, 0);
    let of = |arrived: &super::stream::Arrived| match wanted.route {
        Route::Random => dice.below(nodes) as u16,
        Route::Office => {
            let service = &arrived.observation.service;
            let office = format!("{}/{}", service.district.as_deref().unwrap_or(""), service.department);
            (xxhash_rust::xxh3::xxh3_64(office.as_bytes()) % nodes) as u16
        }
    };
    stream.ratings.iter().map(of).collect()
}

/// How many ratings of the stream a node may know of when it decides about the one at `at`, if it is not
/// before `from`; its own it knows all.
fn known(stream: &Stream, at: usize, from: usize, delay: Delay) -> usize {
    match delay {
        Delay::Ratings(late) => at.saturating_sub(usize::try_from(late).unwrap_or(usize::MAX)),
        Delay::Ms(late) => {
            let until = stream.ratings[at].at_ms.saturating_sub_unsigned(late);
            let known = stream.ratings[from..at].iter().take_while(|arrived| arrived.at_ms <= until);
            from + known.count()
        }
    }
}

/// Runs the engine of one node over the stream.
fn run(
    stream: &Stream,
    ruling: &Arc<Ruling>,
    homes: &[u16],
    node: u16,
    delay: Delay,
    progress: &impl Fn(Progress),
) -> Part {
    let mut seat = Seat::new(stream, ruling);
    let (mut folded, mut own, mut told) = (0, 0, 0);
    // Own ratings among those before `folded`.
    let mut own_folded = 0;
    for at in (0..stream.ratings.len()).filter(|&at| homes[at] == node) {
        let until = known(stream, at, folded, delay);
        while folded < until {
            match homes[folded] == node {
                true => own_folded += 1,
                false => seat.show(folded, false),
            }
            folded += 1;
        }
        seat.part.unseen.push(((at - folded) - (own - own_folded)) as u64);
        own += 1;
        seat.show(at, true);
        if at - told >= BATCH {
            progress(Progress::Observed((at - told) as u64));
            told = at;
        }
    }
    seat.flush();
    progress(Progress::Observed((stream.ratings.len() - told) as u64));
    seat.part
}

/// An engine with what it will be shown next.
struct Seat<'a> {
    stream: &'a Stream,
    ruling: &'a Arc<Ruling>,
    engine: Engine,
    desk: Desk,
    /// Places in the stream, and whether the rating is the node's own.
    next: Vec<(usize, bool)>,
    part: Part,
}

impl<'a> Seat<'a> {
    fn new(stream: &'a Stream, ruling: &'a Arc<Ruling>) -> Self {
        Self {
            stream,
            ruling,
            engine: Engine::new(Arc::clone(ruling), StateLimits::default(), UtcOffset::CHINA),
            desk: Desk::default(),
            next: Vec::with_capacity(BATCH),
            part: Part { decisions: Vec::new(), unseen: Vec::new() },
        }
    }

    fn show(&mut self, at: usize, is_own: bool) {
        self.next.push((at, is_own));
        if self.next.len() == BATCH {
            self.flush();
        }
    }

    /// Shows all of them to the state, and decides about the node's own.
    fn flush(&mut self) {
        let features = self.ruling.catalogue().len();
        // As a fold shows them: from the observation that is in the log.
        let mut prepared: Vec<Prepared> = self
            .next
            .iter()
            .map(|&(at, _)| {
                again(Box::new(self.stream.ratings[at].observation.clone()), UtcOffset::CHINA, features)
            })
            .collect();
        let mut seen: Vec<Option<Observed>> = vec![None; prepared.len()];
        let mut batch: Vec<&mut Prepared> = prepared.iter_mut().collect();
        self.engine.observe(&mut batch, |i, observed| seen[i] = Some(observed));
        for ((prepared, seen), &(at, is_own)) in prepared.iter_mut().zip(&seen).zip(&self.next) {
            let Some(observed) = seen.as_ref().filter(|_| is_own) else { continue };
            let Prepared { observation, features, .. } = prepared;
            let judged =
                judge(self.ruling, observation, features, observed, observed.watermark, &mut self.desk);
            self.part.decisions.push((at as u32, judged.outcome.decision));
        }
        self.next.clear();
    }
}
