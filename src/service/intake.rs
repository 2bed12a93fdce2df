//! The bounded queue in front of the pipeline, and the order of its batches.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Locks, whether or not another thread panicked while it held the lock: what the locks here guard
/// is valid between any two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bounds of the queue and of the batches made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeLimits {
    /// Submissions that may wait, and calls that may be on their way; one more call is shed, one more
    /// submission waits outside.
    pub queue: usize,
    /// Most submissions of one batch.
    pub batch: usize,
    /// Most batches between the queue and the answer. Few, so that under load batches grow and
    /// share one sync instead of queueing for it one by one.
    pub in_flight: usize,
}

impl Default for IntakeLimits {
    fn default() -> Self {
        Self { queue: 16_384, batch: 512, in_flight: 8 }
    }
}

struct Inner<T> {
    /// With the time at which each came.
    waiting: VecDeque<(Instant, T)>,
    next_batch: u64,
    in_flight: usize,
    closed: bool,
}

/// What one worker takes at once.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch<T> {
    /// Its place in the order of batches, from 0.
    pub number: u64,
    /// In the order in which they came.
    pub submissions: Vec<T>,
    /// How long the first of them waited, which is the longest of all.
    pub waited: Duration,
}

/// A bounded queue that hands out numbered batches.
pub struct Intake<T> {
    inner: Mutex<Inner<T>>,
    limits: IntakeLimits,
    work: Condvar,
    room: Condvar,
    /// The same for those who wait without a thread.
    room_for_tasks: Notify,
}

/// Why a submission was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The queue is full.
    Full,
    /// The service is stopping.
    Closed,
}

impl<T> Intake<T> {
    /// An empty queue.
    pub fn new(limits: IntakeLimits) -> Self {
        let inner = Inner { waiting: VecDeque::new(), next_batch: 0, in_flight: 0, closed: false };
        Self {
            inner: Mutex::new(inner),
            limits,
            work: Condvar::new(),
            room: Condvar::new(),
            room_for_tasks: Notify::new(),
        }
    }

    /// Adds submissions in order as far as there is room, and leaves the rest.
    pub fn offer(&self, submissions: &mut impl ExactSizeIterator<Item = T>) -> Result<(), Refused> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Err(Refused::Closed);
        }
        self.fill(&mut inner, submissions);
        match submissions.len() {
            0 => Ok(()),
            _ => Err(Refused::Full),
        }
    }

    fn fill(&self, inner: &mut Inner<T>, submissions: &mut impl ExactSizeIterator<Item = T>) {
        let room = self.limits.queue.saturating_sub(inner.waiting.len());
        let now = Instant::now();
        inner.waiting.extend(submissions.by_ref().take(room).map(|submission| (now, submission)));
        self.work.notify_all();
    }

    /// Adds all submissions in order, waiting for room; gives back what was left when it closed.
    pub fn push_all(&self, submissions: Vec<T>) -> Result<(), Vec<T>> {
        let mut submissions = submissions.into_iter();
        let mut inner = lock(&self.inner);
        loop {
            while !inner.closed && inner.waiting.len() >= self.limits.queue {
                inner = self.room.wait(inner).unwrap_or_else(PoisonError::into_inner);
            }
            if inner.closed {
                return Err(submissions.collect());
            }
            self.fill(&mut inner, &mut submissions);
            if submissions.len() == 0 {
                return Ok(());
            }
        }
    }

    /// The next batch; waits for one. `None` once the queue is closed and empty.
    pub fn next_batch(&self) -> Option<Batch<T>> {
        let mut inner = lock(&self.inner);
        loop {
            if !inner.waiting.is_empty() && inner.in_flight < self.limits.in_flight {
                let size = inner.waiting.len().min(self.limits.batch);
                let waited = inner.waiting.front().map_or(Duration::ZERO, |(came, _)| came.elapsed());
                let submissions = inner.waiting.drain(..size).map(|(_, submission)| submission).collect();
                let number = inner.next_batch;
                inner.next_batch += 1;
                inner.in_flight += 1;
                let more = !inner.waiting.is_empty() && inner.in_flight < self.limits.in_flight;
                drop(inner);
                if more {
                    self.work.notify_one();
                }
                self.room_came();
                return Some(Batch { number, submissions, waited });
            }
            if inner.closed && inner.waiting.is_empty() {
                return None;
            }
            inner = self.work.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Says that this many batches were answered.
    pub fn finished(&self, batches: usize) {
        if batches == 0 {
            return;
        }
        lock(&self.inner).in_flight -= batches;
        self.work.notify_all();
    }

    /// Takes no more submissions; those that wait are still handed out.
    pub fn close(&self) {
        lock(&self.inner).closed = true;
        self.work.notify_all();
        self.room_came();
    }

    fn room_came(&self) {
        self.room.notify_all();
        self.room_for_tasks.notify_waiters();
    }

    /// Resolves once there may be room, or the queue is closed. It hears of all that happens from the
    /// moment on in which it is enabled.
    pub fn room(&self) -> Notified<'_> {
        self.room_for_tasks.notified()
    }

    /// Takes no more submissions, and drops those that wait: there is nobody left to answer them.
    pub fn abandon(&self) {
        self.close();
        let dropped = std::mem::take(&mut lock(&self.inner).waiting);
        // Who waits for these is told outside the lock.
        drop(dropped);
        self.work.notify_all();
    }

    /// Submissions that wait.
    pub fn depth(&self) -> usize {
        lock(&self.inner).waiting.len()
    }

    /// The bounds.
    pub fn limits(&self) -> IntakeLimits {
        self.limits
    }
}

/// Lets batches through one at a time, in the order of their numbers.
pub struct Turnstile<S> {
    inner: Mutex<(u64, S)>,
    turn: Condvar,
}

impl<S> Turnstile<S> {
    /// Batch 0 is the first to pass.
    pub fn new(state: S) -> Self {
        Self { inner: Mutex::new((0, state)), turn: Condvar::new() }
    }

    /// Waits until all earlier batches passed, and runs `work` on the state alone.
    pub fn pass<R>(&self, batch: u64, work: impl FnOnce(&mut S) -> R) -> R {
        let mut inner = lock(&self.inner);
        while inner.0 != batch {
            inner = self.turn.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let result = work(&mut inner.1);
        inner.0 += 1;
        drop(inner);
        self.turn.notify_all();
        result
    }

    /// Runs `work` on the state alone, between two batches, whichever they are.
    pub fn join<R>(&self, work: impl FnOnce(&mut S) -> R) -> R {
        work(&mut lock(&self.inner).1)
    }

    /// Runs `look` on the state between two batches.
    pub fn look<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        look(&lock(&self.inner).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn batches_pass_in_order_whatever_thread_took_them() {
        let intake = Arc::new(Intake::new(IntakeLimits { queue: 64, batch: 7, in_flight: 4 }));
        let turnstile = Arc::new(Turnstile::new(Vec::new()));
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (intake, turnstile) = (Arc::clone(&intake), Arc::clone(&turnstile));
                std::thread::spawn(move || {
                    while let Some(batch) = intake.next_batch() {
                        turnstile.pass(batch.number, |seen: &mut Vec<u32>| seen.extend(&batch.submissions));
                        intake.finished(1);
                    }
                })
            })
            .collect();
        for chunk in (0..10_000_u32).collect::<Vec<_>>().chunks(33) {
            intake.push_all(chunk.to_vec()).unwrap();
        }
        intake.close();
        workers.into_iter().for_each(|w| w.join().unwrap());
        turnstile.look(|seen| assert!(seen.iter().copied().eq(0..10_000)));
    }

    #[test]
    fn a_full_queue_leaves_the_rest_at_once() {
        let intake = Intake::new(IntakeLimits { queue: 2, batch: 1, in_flight: 1 });
        let mut submissions = vec![1, 2, 3].into_iter();
        assert_eq!(intake.offer(&mut submissions), Err(Refused::Full));
        assert_eq!(submissions.as_slice(), [3]);
        intake.close();
        assert_eq!(intake.offer(&mut submissions), Err(Refused::Closed));
        assert_eq!(submissions.as_slice(), [3]);
        let batch = intake.next_batch().unwrap();
        assert_eq!((batch.number, batch.submissions), (0, vec![1]));
    }

    #[tokio::test]
    async fn a_task_that_waits_for_room_hears_of_it() {
        let intake = Arc::new(Intake::new(IntakeLimits { queue: 1, batch: 1, in_flight: 8 }));
        let mut submissions = (0..100).collect::<Vec<u32>>().into_iter();
        let taker = {
            let intake = Arc::clone(&intake);
            std::thread::spawn(move || {
                (0..100).map(|_| intake.next_batch().unwrap()).inspect(|_| intake.finished(1)).count()
            })
        };
        loop {
            let mut room = std::pin::pin!(intake.room());
            room.as_mut().enable();
            match intake.offer(&mut submissions) {
                Ok(()) => break,
                Err(refused) => assert_eq!(refused, Refused::Full),
            }
            room.await;
        }
        assert_eq!(taker.join().unwrap(), 100);
    }
}
