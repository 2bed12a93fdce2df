//! Reads the topic and takes its messages apart, beside the thread that settles them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::ClusterError;
use super::group::{self, Header};
use crate::broker::{Message, Partition};
use crate::log::EncodedRecord;

/// Groups that wait to be settled. What comes beyond them waits in the broker.
const WAITING: usize = 64;
/// How soon the thread notices that it is to end.
const PATIENCE: Duration = Duration::from_millis(200);
/// First and longest time between two tries to reach a broker.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];

/// A group of the topic.
#[derive(Debug)]
pub struct Incoming {
    /// Its offset.
    pub offset: u64,
    /// Who sent it.
    pub header: Header,
    /// Its records; none of a group of this node's own incarnation, which has them already.
    pub records: Vec<EncodedRecord>,
}

/// The topic's groups in order. Dropping it ends the thread that reads them.
pub struct Reader {
    groups: Receiver<Result<Incoming, ClusterError>>,
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

/// What others see of the reading.
#[derive(Default)]
struct Watch {
    ended: AtomicBool,
    /// The broker cannot be reached.
    cut_off: AtomicBool,
    /// How often it could not be reached.
    failures: AtomicU64,
}

/// How a reader tells groups of other keys and its own.
#[derive(Clone)]
pub struct Identity {
    /// This start of this node.
    pub incarnation: [u8; 16],
    /// Derived from its keys.
    pub key_check: [u8; 8],
}

impl Reader {
    /// Reads from an offset on. `came` is called after each group that waits to be taken.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        topic: String,
        partition: Arc<dyn Partition>,
        from: u64,
        identity: Identity,
        came: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (out, groups) = sync_channel(WAITING);
        let watch = Arc::new(Watch::default());
        let work = Work { topic, partition, identity, out, watch: Arc::clone(&watch), next: from };
        let thread =
            std::thread::Builder::new().name("cluster-reader".into()).spawn(move || work.run(came))?;
        Ok(Self { groups, watch, thread: Some(thread) })
    }

    /// The next group; `None` if none came within `wait`.
    ///
    /// # Errors
    /// A message cannot be taken; nothing comes after that.
    pub fn next(&self, wait: Duration) -> Result<Option<Incoming>, ClusterError> {
        match self.groups.recv_timeout(wait) {
            Ok(group) => group.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            // It has said why, or nobody asked it to go on.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(wait);
                Ok(None)
            }
        }
    }

    /// The next group, if one waits.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn try_next(&self) -> Result<Option<Incoming>, ClusterError> {
        match self.groups.try_recv() {
            Ok(group) => group.map(Some),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
        }
    }

    /// Whether the broker cannot be reached.
    pub fn is_cut_off(&self) -> bool {
        self.watch.cut_off.load(Ordering::Relaxed)
    }

    /// How often the broker could not be reached.
    pub fn failures(&self) -> u64 {
        self.watch.failures.load(Ordering::Relaxed)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.watch.ended.store(true, Ordering::Relaxed);
        // Makes room, in case it waits for that.
        while self.groups.try_recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            // What it had to say was sent.
            let _ = thread.join();
        }
    }
}

struct Work {
    topic: String,
    partition: Arc<dyn Partition>,
    identity: Identity,
    out: SyncSender<Result<Incoming, ClusterError>>,
    watch: Arc<Watch>,
    next: u64,
}

impl Work {
    fn run(mut self, came: impl Fn()) {
        let mut backoff = BACKOFF[0];
        while !self.watch.ended.load(Ordering::Relaxed) {
            match self.read_on(&came) {
                Ok(()) => return,
                Err(ClusterError::Broker(error)) if error.is_passing() => {
                    if !self.watch.cut_off.swap(true, Ordering::Relaxed) {
                        tracing::warn!(%error, "the cluster's log cannot be reached; it is tried again and again");
                    }
                    self.watch.failures.fetch_add(1, Ordering::Relaxed);
                    let until = std::time::Instant::now() + backoff;
                    while std::time::Instant::now() < until && !self.watch.ended.load(Ordering::Relaxed) {
                        std::thread::sleep(PATIENCE.min(backoff));
                    }
                    backoff = (backoff * 2).min(BACKOFF[1]);
                }
                Err(error) => {
                    // If nobody listens any more, nobody needs to know.
                    let _ = self.out.send(Err(error));
                    came();
                    return;
                }
            }
            if !self.watch.cut_off.load(Ordering::Relaxed) {
                backoff = BACKOFF[0];
            }
        }
    }

    /// Reads until it is to end or something fails.
    fn read_on(&mut self, came: &impl Fn()) -> Result<(), ClusterError> {
        let mut follow = self.partition.follow(self.next)?;
        while !self.watch.ended.load(Ordering::Relaxed) {
            let messages = follow.next(PATIENCE)?;
            if self.watch.cut_off.swap(false, Ordering::Relaxed) {
                tracing::info!("the cluster's log is reached again");
            }
            for message in messages {
                let next = message.offset + 1;
                let incoming = self.take_apart(&message)?;
                if self.out.send(Ok(incoming)).is_err() {
                    return Ok(());
                }
                self.next = next;
                came();
            }
        }
        Ok(())
    }

    fn take_apart(&self, message: &Message) -> Result<Incoming, ClusterError> {
        let offset = message.offset;
        let unreadable = |why| ClusterError::Unreadable { topic: self.topic.clone(), offset, why };
        let (header, records) = group::decode(&message.payload).map_err(unreadable)?;
        if header.key_check != self.identity.key_check {
            return Err(ClusterError::OtherKeys { node: header.node.into() });
        }
        let own = header.incarnation == self.identity.incarnation;
        let records = match own {
            true => Vec::new(),
            false => records
                .into_iter()
                .map(|record| EncodedRecord::from_bytes(record.to_vec()))
                .collect::<Result<_, _>>()
                .map_err(|error| unreadable(error.into()))?,
        };
        Ok(Incoming { offset, header, records })
    }
}
