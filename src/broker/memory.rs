//! A broker within the process, with the faults of a real one on demand.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Broker, BrokerError, Follow, MESSAGE_BYTES_MAX, Message, Partition, TopicSpec};

/// What goes wrong with an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is lost, and its sender is told nothing of that but an error.
    Lost,
    /// It is appended, but its sender gets an error.
    Unanswered,
    /// It is appended twice.
    Twice,
}

type Faults = Box<dyn FnMut(&str, &[Bytes]) -> Fault + Send>;

/// Topics in memory. Clones share them.
#[derive(Clone, Default)]
pub struct Memory {
    topics: Arc<Mutex<HashMap<String, Topic>>>,
    faults: Arc<Mutex<Option<Faults>>>,
}

struct Topic {
    spec: TopicSpec,
    partitions: Vec<Arc<Lane>>,
}

/// One partition's messages.
#[derive(Default)]
struct Lane {
    messages: Mutex<Vec<Bytes>>,
    /// Offset of the first that it still gives.
    start: AtomicUsize,
    came: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// A broker without topics.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has `faults` say what happens to each append, by topic and messages.
    pub fn set_faults(&self, faults: impl FnMut(&str, &[Bytes]) -> Fault + Send + 'static) {
        *lock(&self.faults) = Some(Box::new(faults));
    }

    /// Forgets what a topic has before an offset, as one does whose messages have been kept for their time.
    ///
    /// # Errors
    /// There is no such topic.
    pub fn forget(&self, topic: &str, before: usize) -> Result<(), BrokerError> {
        let lane = self.lane(topic, 0)?;
        lane.start.fetch_max(before, Ordering::Relaxed);
        Ok(())
    }

    fn lane(&self, topic: &str, partition: u32) -> Result<Arc<Lane>, BrokerError> {
        let topics = lock(&self.topics);
        let lane = topics.get(topic).and_then(|topic| topic.partitions.get(partition as usize));
        lane.cloned().ok_or_else(|| BrokerError::Topic {
            topic: topic.to_owned(),
            why: format!("there is no partition {partition} of it"),
        })
    }
}

impl Broker for Memory {
    fn ensure(&self, topic: &TopicSpec) -> Result<(), BrokerError> {
        let mut topics = lock(&self.topics);
        match topics.get(&topic.name) {
            Some(there) if there.spec == *topic => Ok(()),
            Some(there) => Err(BrokerError::Topic {
                topic: topic.name.clone(),
                why: format!("it is {:?}, and the settings state {topic:?}", there.spec),
            }),
            None => {
                let partitions = (0..topic.partitions).map(|_| Arc::default()).collect();
                topics.insert(topic.name.clone(), Topic { spec: topic.clone(), partitions });
                Ok(())
            }
        }
    }

    fn partition(&self, topic: &str, partition: u32) -> Result<Arc<dyn Partition>, BrokerError> {
        let lane = self.lane(topic, partition)?;
        Ok(Arc::new(MemoryPartition { topic: topic.to_owned(), lane, faults: Arc::clone(&self.faults) }))
    }
}

struct MemoryPartition {
    topic: String,
    lane: Arc<Lane>,
    faults: Arc<Mutex<Option<Faults>>>,
}

impl Partition for MemoryPartition {
    fn append(&self, messages: &[Bytes]) -> Result<(), BrokerError> {
        if let Some(long) = messages.iter().find(|message| message.len() > MESSAGE_BYTES_MAX) {
            return Err(BrokerError::TooLong { bytes: long.len(), limit: MESSAGE_BYTES_MAX });
        }
        let fault = lock(&self.faults).as_mut().map_or(Fault::None, |faults| faults(&self.topic, messages));
        let times = match fault {
            Fault::Lost => 0,
            Fault::Twice => 2,
            Fault::None | Fault::Unanswered => 1,
        };
        let mut lane = lock(&self.lane.messages);
        (0..times).for_each(|_| lane.extend_from_slice(messages));
        drop(lane);
        self.lane.came.notify_all();
        match fault {
            Fault::None | Fault::Twice => Ok(()),
            Fault::Lost | Fault::Unanswered => Err(BrokerError::Unreachable {
                what: format!("appending to topic {}", self.topic),
                why: "no answer".to_owned(),
            }),
        }
    }

    fn follow(&self, from: u64) -> Result<Box<dyn Follow>, BrokerError> {
        let next = (from as usize).max(self.lane.start.load(Ordering::Relaxed));
        Ok(Box::new(MemoryFollow { lane: Arc::clone(&self.lane), next }))
    }

    fn bounds(&self) -> Result<Range<u64>, BrokerError> {
        Ok(self.lane.start.load(Ordering::Relaxed) as u64..lock(&self.lane.messages).len() as u64)
    }
}

struct MemoryFollow {
    lane: Arc<Lane>,
    next: usize,
}

impl Follow for MemoryFollow {
    fn next(&mut self, wait: Duration) -> Result<Vec<Message>, BrokerError> {
        let until = Instant::now() + wait;
        let mut messages = lock(&self.lane.messages);
        while messages.len() <= self.next {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Vec::new());
            }
            messages = self.lane.came.wait_timeout(messages, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let there = (self.next..).zip(&messages[self.next..]);
        let came =
            there.map(|(at, payload)| Message { offset: at as u64, payload: payload.clone() }).collect();
        self.next = messages.len();
        Ok(came)
    }
}
