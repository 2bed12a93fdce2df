//! What Zhenping needs of a message broker: partitions that put messages in one order, keep them, and give
//! them back to everybody alike.
//!
//! [`Memory`] is one within the process, for tests of what stands on it. `Fluvio` (Cargo feature `fluvio`)
//! is the one that many nodes share.

mod error;
#[cfg(feature = "fluvio")]
mod fluvio;
mod memory;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use error::BrokerError;
#[cfg(feature = "fluvio")]
pub use fluvio::{Fluvio, FluvioOptions, FluvioTls};
pub use memory::{Fault, Memory};

/// Longest message in bytes. Whoever has more to say says it in several.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// What a topic has to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name: lower-case letters, digits and hyphens.
    pub name: String,
    /// How many partitions it has. Messages are in one order within each.
    pub partitions: u32,
    /// How many servers keep each message before it counts as written.
    pub replication: u32,
    /// How long messages are kept; `None` is for ever.
    pub retention: Option<Duration>,
}

/// A message with its place in its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Counts up from 0; no two messages share one.
    pub offset: u64,
    /// What was appended.
    pub payload: Bytes,
}

/// A message broker. All calls block; none is made on a thread that serves connections.
pub trait Broker: Send + Sync {
    /// Creates a topic, or checks that the one that is there is as stated.
    ///
    /// # Errors
    /// The broker cannot be reached; the topic is there and differs, which the error names; the broker
    /// has too few servers for the replication.
    fn ensure(&self, topic: &TopicSpec) -> Result<(), BrokerError>;

    /// One partition of a topic that is there.
    ///
    /// # Errors
    /// The broker cannot be reached, or has no such partition.
    fn partition(&self, topic: &str, partition: u32) -> Result<Arc<dyn Partition>, BrokerError>;
}

/// Messages in one order.
pub trait Partition: Send + Sync {
    /// Appends messages one after the other, in this order; others' may come between. They are kept by as
    /// many servers as the topic states when it returns.
    ///
    /// # Errors
    /// After [`BrokerError::is_passing`] nobody knows which of them were appended: some may be there
    /// already, or even come later. Whoever appends them again must be able to tell.
    fn append(&self, messages: &[Bytes]) -> Result<(), BrokerError>;

    /// Messages from an offset on, also those that are yet to come. Only such as will never be taken back.
    ///
    /// # Errors
    /// The broker cannot be reached, or keeps the offset no more ([`BrokerError::Gone`]).
    fn follow(&self, from: u64) -> Result<Box<dyn Follow>, BrokerError>;

    /// The offsets of the messages that are there: the earliest that is kept to the one after the latest.
    ///
    /// # Errors
    /// The broker cannot be reached.
    fn bounds(&self) -> Result<Range<u64>, BrokerError>;
}

/// Gives a partition's messages one after the other, each once and none left out.
pub trait Follow: Send {
    /// The next messages, as many as are there; none if none came within `wait`. It reconnects by itself
    /// where it can, and goes on after the last message that it gave.
    ///
    /// # Errors
    /// The broker has been out of reach for longer than `wait`; it may be asked again. Or it keeps the
    /// next message no more.
    fn next(&mut self, wait: Duration) -> Result<Vec<Message>, BrokerError>;
}
