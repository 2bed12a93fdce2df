//! Many nodes on one log: a topic with one partition, of which each node keeps a copy.
//!
//! ```text
//! node ─▶ group ─▶ TOPIC ─▶ every node, the sender too: settle ─▶ its own log ─▶ its folds
//!         group.rs  broker                              replica.rs   log
//! ```
//!
//! A node decides with the state it has, appends its group, and answers once the topic has given the group
//! back and it has settled which of its records stand. The node's own log, an embedded one, holds what
//! stands: everything above the log reads that, and nothing above it knows of the topic.
//!
//! `docs/cluster.md` says how to run it.

mod comments;
pub mod group;
pub mod members;
mod position;
mod reader;
mod replica;
mod sender;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use comments::{Comments, Follower as CommentsFollower};
pub use position::{Position, PositionError};
pub use reader::{Identity, Incoming, Reader};
pub use replica::{Fate, Replica, Settled, Standing};
pub use sender::Sender;

use crate::broker::{Broker, BrokerError, TopicSpec};

/// How a node belongs to a cluster.
#[derive(Clone)]
pub struct ClusterOptions {
    /// The broker that keeps the topics.
    pub broker: Arc<dyn Broker>,
    /// Name of the cluster, which its topics' names begin with.
    pub name: String,
    /// This node's name, for people: in messages and on the desk.
    pub node: String,
    /// Servers that keep each message before it counts as written.
    pub replication: u32,
    /// How long the log's topic keeps entries; `None` is for ever. A node that was away for longer, or is new,
    /// begins with a copy of another's directory.
    pub log_retention: Option<Duration>,
    /// A node that has not folded what was in the log so long ago refuses calls; `None`: it never does.
    pub behind: Option<Duration>,
    /// Whether ratings come from a topic too, and go as verdicts to another.
    pub intake: Option<IntakeOptions>,
}

/// How the topic that ratings come from is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeOptions {
    /// Its partitions: at most so many nodes share the work.
    pub partitions: u32,
    /// How long it keeps ratings.
    pub retention: Duration,
}

const DAY: Duration = Duration::from_secs(86_400);
/// How long the topic of heartbeats keeps them.
const NODES_RETENTION: Duration = Duration::from_secs(3_600);
/// How long the topic of lines without a verdict keeps word of them.
const DEAD_LETTERS_RETENTION: Duration = Duration::from_secs(90 * 86_400);

impl ClusterOptions {
    /// The topic that is the log.
    pub fn log_topic(&self) -> TopicSpec {
        self.topic("log", 1, self.log_retention)
    }

    /// The topic of comments, which forgets them a day after the vaults do.
    pub fn comments_topic(&self, vault_days: u32) -> TopicSpec {
        self.topic("comments", 1, Some(DAY * (vault_days + 1)))
    }

    /// The topic on which nodes say how they are.
    pub fn nodes_topic(&self) -> TopicSpec {
        self.topic("nodes", 1, Some(NODES_RETENTION))
    }

    /// The topic that ratings come from.
    pub fn ratings_topic(&self, intake: IntakeOptions) -> TopicSpec {
        self.topic("ratings", intake.partitions, Some(intake.retention))
    }

    /// The topic of verdicts and revisions.
    pub fn verdicts_topic(&self) -> TopicSpec {
        self.topic("verdicts", 1, None)
    }

    /// The topic of lines that got no verdict.
    pub fn dead_letters_topic(&self) -> TopicSpec {
        self.topic("dead-letters", 1, Some(DEAD_LETTERS_RETENTION))
    }

    fn topic(&self, what: &str, partitions: u32, retention: Option<Duration>) -> TopicSpec {
        let name = format!("{}-{what}", self.name);
        TopicSpec { name, partitions, replication: self.replication, retention }
    }
}

/// Why a node cannot follow its cluster.
#[derive(Debug)]
pub enum ClusterError {
    /// The broker.
    Broker(BrokerError),
    /// The place in the topic.
    Position(PositionError),
    /// A message of the topic cannot be read.
    Unreadable {
        /// The topic.
        topic: String,
        /// The message's offset.
        offset: u64,
        /// Why.
        why: group::Unreadable,
    },
    /// Other keys made the names in the log.
    OtherKeys {
        /// The node that has them.
        node: String,
    },
    /// The node's own log is not that of the topic.
    Diverged {
        /// The first entry that differs.
        sequence: u64,
    },
    /// The topic has forgotten entries that the directory lacks.
    Forgotten {
        /// Its name.
        topic: String,
        /// The offset that the directory goes on from, and the first that the topic has.
        from: u64,
        /// See `from`.
        start: u64,
    },
    /// The topic is not the one that the directory has followed.
    AnotherTopic {
        /// Its name.
        topic: String,
    },
    /// The node's own log has more than the topic.
    Ahead {
        /// Entries of the log.
        log: u64,
        /// Entries that stand in the topic.
        topic: u64,
    },
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(error) => error.fmt(f),
            Self::Position(error) => error.fmt(f),
            Self::Unreadable { topic, offset, why } => {
                write!(f, "the message at offset {offset} of topic {topic} cannot be taken: {why}")
            }
            Self::OtherKeys { node } => write!(
                f,
                "node {node} makes pseudonyms with other keys: to this node everybody in the log would be a stranger. Copy \
                 keys.toml from that node's data directory before the first start"
            ),
            Self::Diverged { sequence } => write!(
                f,
                "entry {sequence} of this directory's log is not that of the topic. The directory belongs to another \
                 cluster or to a node without one; name another directory, or move its log/, snapshots/ and review.db away and \
                 start again: the topic has everything"
            ),
            Self::Forgotten { topic, from, start } => write!(
                f,
                "topic {topic} begins at message {start} and this directory goes on from {from}: what is between them was \
                 erased after its time (cluster.log_days). Stop another node, copy its data directory here, and start \
                 both; each with its own cluster.node"
            ),
            Self::AnotherTopic { topic } => write!(
                f,
                "topic {topic} is not the one of that name that this directory has followed: it was made anew. Nothing was \
                 changed. Name another cluster (cluster.name) or another directory"
            ),
            Self::Ahead { log, topic } => write!(
                f,
                "this directory's log has {log} entries and the topic only {topic}: messages are lost there, or the topic was \
                 made anew. Nothing was changed. Name the topic that the directory follows (cluster.name), or another directory"
            ),
        }
    }
}

impl std::error::Error for ClusterError {}

impl From<BrokerError> for ClusterError {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

impl From<PositionError> for ClusterError {
    fn from(error: PositionError) -> Self {
        Self::Position(error)
    }
}
