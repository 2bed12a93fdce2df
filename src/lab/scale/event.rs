//! What happens in a cell, and in which order.

use std::cmp::Ordering;

use super::Nanos;
use super::broker::{Message, Push};

/// What happens in a cell at one moment. An epoch is the node's life at the time when it was announced.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A task of the machine that all share is done.
    MachineDone {
        version: u32,
    },
    /// Work of a node that others may do in parallel is done, on the machine that all share.
    Worked {
        node: usize,
        epoch: u32,
        purpose: WorkOf,
    },
    /// Every copy of a message is written, on the machine that all share.
    Copied(Message),
    /// Whoever sends the ratings has read so many answers.
    Read {
        node: usize,
        epoch: u32,
        count: u64,
    },
    /// Somebody arrives at a node that has nothing to score.
    Arrival {
        node: usize,
        announced: u32,
    },
    /// A node's pool is done with a job.
    PoolDone {
        node: usize,
        version: u32,
    },
    /// A node's state thread is done with a turn.
    TurnDone {
        node: usize,
        epoch: u32,
    },
    /// The embedded log is synced.
    Synced {
        node: usize,
        epoch: u32,
    },
    /// A message arrives at the broker.
    AtBroker(Message),
    /// The partition is done with a message.
    LaneDone,
    /// Enough servers keep a message.
    Kept(Message),
    /// A node hears that its message is kept.
    Acknowledged {
        node: usize,
        epoch: u32,
    },
    /// A reader asks for what comes after an offset.
    Asked {
        node: usize,
        epoch: u32,
        from: u64,
    },
    /// The broker has got it ready.
    Prepared {
        node: usize,
        epoch: u32,
        from: u64,
        push: Push,
    },
    /// The reader has it.
    Received {
        node: usize,
        epoch: u32,
        push: Push,
    },
    /// A node is lost, intake notices, and it is back.
    Lost {
        node: usize,
    },
    Noticed {
        node: usize,
        epoch: u32,
    },
    Back {
        node: usize,
    },
    /// A node is cut off from the broker.
    CutOff {
        node: usize,
        until: Nanos,
    },
    /// A server of the log is away.
    SpuLost {
        until: Nanos,
    },
}

/// Which work of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkOf {
    /// Its own ratings are scored.
    Scoring,
    /// What came from the log is taken apart, or its own group answered.
    Log,
}

/// An event with its time; the least is the next.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) at: Nanos,
    /// Events of one moment happen in the order in which they were announced.
    pub(super) number: u64,
    pub(super) event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
