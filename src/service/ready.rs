//! What is judged and waits to be sealed and committed, in the order in which state saw it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use super::intake::lock;

struct Inner<T> {
    /// From the place that the committer takes next; `None` where that is still being judged.
    waiting: VecDeque<Option<T>>,
    /// Place of the first of them.
    first: u64,
    /// Whoever takes sleeps until the first is there.
    sleeping: bool,
    closed: bool,
    abandoned: bool,
}

/// Puts what comes from many threads back in order, for the one that goes on with it. It has no bound
/// of its own: whoever puts something here was let in by a bound before.
pub struct Ready<T> {
    inner: Mutex<Inner<T>>,
    came: Condvar,
}

impl<T> Ready<T> {
    /// Nothing waits; place 0 is taken first.
    pub fn new() -> Self {
        let inner =
            Inner { waiting: VecDeque::new(), first: 0, sleeping: false, closed: false, abandoned: false };
        Self { inner: Mutex::new(inner), came: Condvar::new() }
    }

    /// Puts something in its place. Wakes who takes only if it sleeps and can go on: while it is at
    /// work, what comes here costs no system call.
    pub fn put(&self, place: u64, item: T) {
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
        inner.waiting[at] = Some(item);
        let wakes = at == 0 && inner.sleeping;
        inner.sleeping &= !wakes;
        drop(inner);
        if wakes {
            self.came.notify_one();
        }
    }

    /// Waits for the first, and gives all that is there in unbroken order. Nothing once nothing is
    /// there, [`Ready::close`] was called, and `is_over` says that nothing will come.
    pub fn take(&self, is_over: impl Fn() -> bool) -> Vec<T> {
        let mut inner = lock(&self.inner);
        while !matches!(inner.waiting.front(), Some(Some(_))) {
            if inner.abandoned || (inner.closed && is_over()) {
                return Vec::new();
            }
            inner.sleeping = true;
            inner = self.came.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let whole = inner.waiting.iter().position(Option::is_none).unwrap_or(inner.waiting.len());
        inner.first += whole as u64;
        inner.waiting.drain(..whole).flatten().collect()
    }

    /// Says that nothing will come but from those who were let in already.
    pub fn close(&self) {
        lock(&self.inner).closed = true;
        self.came.notify_one();
    }

    /// Has who takes look again whether it is over.
    pub fn look_again(&self) {
        // Under the lock, or it could come between that look and the sleep after it.
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
                            ready.put(place, place);
                        }
                    })
                })
                .collect();
            let consumer = scope.spawn(|| {
                let mut all = Vec::new();
                loop {
                    let group = ready.take(|| taken.load(Ordering::Relaxed) == 4 * EACH);
                    if group.is_empty() {
                        return all;
                    }
                    taken.fetch_add(group.len() as u64, Ordering::Relaxed);
                    all.extend(group);
                }
            });
            producers.into_iter().for_each(|producer| producer.join().unwrap());
            ready.close();
            assert!(consumer.join().unwrap().into_iter().eq(0..4 * EACH));
        });
    }

    #[test]
    fn a_gap_holds_up_what_comes_after_it() {
        let ready = Ready::new();
        ready.put(2, 'c');
        ready.put(0, 'a');
        assert_eq!(ready.take(|| true), ['a']);
        ready.put(1, 'b');
        assert_eq!(ready.take(|| true), ['b', 'c']);
    }

    #[test]
    fn what_comes_after_the_committer_is_gone_is_dropped() {
        let ready = Ready::new();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        ready.put(1, sender.clone());
        ready.abandon();
        ready.put(0, sender);
        assert!(receiver.recv().is_err(), "every sender is gone");
    }
}
