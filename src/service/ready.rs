//! What is judged and waits for the committer, in the order in which state saw it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::intake::lock;

struct Inner<T> {
    /// From the place that the committer takes next; `None` where that is still being judged.
    waiting: VecDeque<Option<(usize, T)>>,
    /// Place of the first of them.
    first: u64,
    /// How many ratings all that waits stands for.
    ratings: usize,
    /// What the sleeping committer waits for, if it sleeps.
    wanted: Option<Wanted>,
    closed: bool,
    abandoned: bool,
}

/// For how much, and how long, the committer waits when it could go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Enough ratings.
    pub ratings: usize,
    /// The longest wait.
    pub time: Duration,
}

/// What wakes the committer.
#[derive(Clone, Copy)]
enum Wanted {
    /// That it can go on.
    First,
    /// That it could go on, and so many ratings are there.
    Ratings(usize),
}

/// Puts what comes from many threads back in order, for the one thread that commits. It has no bound
/// of its own: whoever puts something here was let in by a bound before.
pub struct Ready<T> {
    inner: Mutex<Inner<T>>,
    came: Condvar,
}

impl<T> Ready<T> {
    /// Nothing waits; place 0 is taken first.
    pub fn new() -> Self {
        let inner = Inner {
            waiting: VecDeque::new(),
            first: 0,
            ratings: 0,
            wanted: None,
            closed: false,
            abandoned: false,
        };
        Self { inner: Mutex::new(inner), came: Condvar::new() }
    }

    /// Puts something that stands for so many ratings in its place. Wakes the committer only if it
    /// sleeps and can go on: while it writes, what comes here costs no system call.
    pub fn put(&self, place: u64, ratings: usize, item: T) {
        let mut inner = lock(&self.inner);
        if inner.abandoned {
            drop(inner);
            // Whoever waits for an answer is told outside the lock.
            drop(item);
            return;
        }
        let at = usize::try_from(place - inner.first).unwrap_or(usize::MAX);
        if at >= inner.waiting.len() {
            inner.waiting.resize_with(at + 1, || None);
        }
        inner.waiting[at] = Some((ratings, item));
        inner.ratings += ratings;
        let wakes = match inner.wanted {
            None => false,
            Some(Wanted::First) => at == 0,
            Some(Wanted::Ratings(enough)) => inner.ratings >= enough,
        };
        if wakes {
            inner.wanted = None;
        }
        drop(inner);
        if wakes {
            self.came.notify_one();
        }
    }

    /// Appends all that is there in unbroken order to `taken`, and waits for the first of it, and then
    /// for more as long as `patience` says, which is given the number of ratings that are there.
    /// `false` once nothing is there, [`Ready::close`] was called, and `is_over` says that nothing will
    /// come.
    pub fn take(
        &self,
        taken: &mut Vec<T>,
        patience: impl FnOnce(usize) -> Option<Patience>,
        is_over: impl Fn() -> bool,
    ) -> bool {
        let mut inner = lock(&self.inner);
        while !matches!(inner.waiting.front(), Some(Some(_))) {
            if inner.abandoned || (inner.closed && is_over()) {
                return false;
            }
            inner.wanted = Some(Wanted::First);
            inner = self.came.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(Patience { ratings, time }) = patience(inner.ratings)
            && inner.ratings < ratings
            && !inner.closed
        {
            inner.wanted = Some(Wanted::Ratings(ratings));
            inner = self.came.wait_timeout(inner, time).unwrap_or_else(PoisonError::into_inner).0;
            inner.wanted = None;
        }
        while let Some(Some(_)) = inner.waiting.front() {
            if let Some((ratings, item)) = inner.waiting.pop_front().flatten() {
                inner.ratings -= ratings;
                taken.push(item);
            }
            inner.first += 1;
        }
        !taken.is_empty()
    }

    /// Says that nothing will come but from those who were let in already.
    pub fn close(&self) {
        lock(&self.inner).closed = true;
        self.came.notify_one();
    }

    /// Has the committer look again whether it is over.
    pub fn look_again(&self) {
        // Under the lock, or it could come between the committer's look and its sleep.
        let _inner = lock(&self.inner);
        self.came.notify_one();
    }

    /// Drops all that waits and all that will come: the committer is gone, or had better go.
    pub fn abandon(&self) {
        let mut inner = lock(&self.inner);
        inner.abandoned = true;
        let dropped = std::mem::take(&mut inner.waiting);
        drop(inner);
        self.came.notify_one();
        drop(dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn what_many_threads_put_comes_out_in_order_and_whole() {
        const EACH: u64 = 2_000;
        let (ready, places, taken) = (Ready::new(), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let producers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..EACH {
                            let place = places.fetch_add(1, Ordering::Relaxed);
                            if place % 7 == 0 {
                                std::thread::yield_now();
                            }
                            ready.put(place, 1, place);
                        }
                    })
                })
                .collect();
            let consumer = scope.spawn(|| {
                let (mut all, mut group) = (Vec::new(), Vec::new());
                while ready.take(&mut group, |_| None, || taken.load(Ordering::Relaxed) == 4 * EACH) {
                    taken.fetch_add(group.len() as u64, Ordering::Relaxed);
                    all.append(&mut group);
                }
                all
            });
            producers.into_iter().for_each(|producer| producer.join().unwrap());
            ready.close();
            assert!(consumer.join().unwrap().into_iter().eq(0..4 * EACH));
        });
    }

    #[test]
    fn a_gap_holds_up_what_comes_after_it() {
        let (ready, mut taken) = (Ready::new(), Vec::new());
        ready.put(2, 1, 'c');
        ready.put(0, 1, 'a');
        assert!(ready.take(&mut taken, |_| None, || true));
        assert_eq!(taken, ['a']);
        ready.put(1, 1, 'b');
        assert!(ready.take(&mut taken, |_| None, || true));
        assert_eq!(taken, ['a', 'b', 'c']);
    }

    #[test]
    fn a_patient_committer_takes_what_comes_together() {
        let (ready, mut taken) = (Ready::new(), Vec::new());
        ready.put(0, 3, 'a');
        std::thread::scope(|scope| {
            scope.spawn(|| ready.put(1, 5, 'b'));
            let patience = |there: usize| {
                assert!(there == 3 || there == 8);
                Some(Patience { ratings: 8, time: Duration::from_secs(600) })
            };
            assert!(ready.take(&mut taken, patience, || true));
        });
        assert_eq!(taken, ['a', 'b']);
        ready.put(2, 1, 'c');
        let impatient = |_| Some(Patience { ratings: 8, time: Duration::from_millis(1) });
        assert!(ready.take(&mut taken, impatient, || true));
        assert_eq!(taken, ['a', 'b', 'c']);
    }

    #[test]
    fn what_comes_after_the_committer_is_gone_is_dropped() {
        let ready = Ready::new();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        ready.put(1, 1, sender.clone());
        ready.abandon();
        ready.put(0, 1, sender);
        assert!(receiver.recv().is_err(), "every sender is gone");
    }
}
