//! Sends a node's groups, one at a time, until the topic has given each of them back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;

use crate::broker::{BrokerError, Partition};

/// First and longest time between two tries.
const BACKOFF: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];

/// The thread that appends. It tries again until it is told that the group came back, which says more than
/// the broker's answer: an answer can be lost, and what was sent again is told apart by its number.
pub struct Sender {
    groups: Option<mpsc::Sender<(u64, Bytes)>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Groups before this number need not be sent any more.
    settled: AtomicU64,
    ended: AtomicBool,
    retries: AtomicU64,
    failed: std::sync::Mutex<Option<BrokerError>>,
}

impl Sender {
    /// Starts it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(partition: Arc<dyn Partition>) -> std::io::Result<Self> {
        let (groups, sent) = channel();
        let shared = Arc::new(Shared {
            settled: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            retries: AtomicU64::new(0),
            failed: std::sync::Mutex::default(),
        });
        let work = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("cluster-sender".into())
            .spawn(move || run(&work, &*partition, &sent))?;
        Ok(Self { groups: Some(groups), shared, thread: Some(thread) })
    }

    /// Has a group sent.
    pub fn send(&self, number: u64, message: Bytes) {
        if let Some(groups) = &self.groups {
            // The thread ends with this alone.
            let _ = groups.send((number, message));
        }
    }

    /// The group with this number came back.
    pub fn settled(&self, number: u64) {
        self.shared.settled.store(number + 1, Ordering::Release);
    }

    /// How often a group was sent again.
    pub fn retries(&self) -> u64 {
        self.shared.retries.load(Ordering::Relaxed)
    }

    /// What a broker said that no further try will change; the group is not sent again.
    pub fn failure(&self) -> Option<BrokerError> {
        self.shared.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.groups = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, partition: &dyn Partition, sent: &Receiver<(u64, Bytes)>) {
    while let Ok((number, message)) = sent.recv() {
        let mut backoff = BACKOFF[0];
        let is_over =
            || shared.settled.load(Ordering::Acquire) > number || shared.ended.load(Ordering::Acquire);
        while !is_over() {
            match partition.append(std::slice::from_ref(&message)) {
                Ok(()) => break,
                Err(error) if error.is_passing() => {
                    tracing::debug!(%error, number, "a group is sent again");
                    shared.retries.fetch_add(1, Ordering::Relaxed);
                    wait(backoff, is_over);
                    backoff = (backoff * 2).min(BACKOFF[1]);
                }
                Err(error) => {
                    tracing::error!(%error, number, "the broker takes a group not at all");
                    *shared.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                    return;
                }
            }
        }
    }
}

/// Sleeps, but not longer than needed.
fn wait(time: Duration, is_over: impl Fn() -> bool) {
    let until = std::time::Instant::now() + time;
    while std::time::Instant::now() < until && !is_over() {
        std::thread::sleep(Duration::from_millis(5).min(time));
    }
}
