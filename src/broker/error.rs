//! What can go wrong with a broker, and what to do about it.

use std::fmt;
use std::ops::Range;

/// Why a broker did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerError {
    /// It cannot be reached, or did not answer in time. It may be tried again.
    Unreachable {
        /// What was tried, with the address.
        what: String,
        /// What came of it.
        why: String,
    },
    /// It speaks no protocol that this program does.
    Version {
        /// Where it is.
        address: String,
        /// What it is, and what is needed.
        why: String,
    },
    /// A topic is not what the configuration states.
    Topic {
        /// Its name.
        topic: String,
        /// What differs: what was found, what is needed, what to do.
        why: String,
    },
    /// A message that was asked for is not kept any more.
    Gone {
        /// The topic.
        topic: String,
        /// What was asked for.
        offset: u64,
        /// What is there.
        kept: Range<u64>,
    },
    /// A message is too long.
    TooLong {
        /// Its length in bytes.
        bytes: usize,
        /// The longest that is taken.
        limit: usize,
    },
    /// The settings make no sense to it.
    Settings(String),
}

impl BrokerError {
    /// Whether the same may succeed later without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { what, why } => write!(f, "{what}: {why}"),
            Self::Version { address, why } => write!(f, "the broker at {address} does not fit: {why}"),
            Self::Topic { topic, why } => write!(f, "topic {topic}: {why}"),
            Self::Gone { topic, offset, kept } => write!(
                f,
                "topic {topic} keeps offset {offset} no more, only {} to {}; start from a copy of another node's data \
                 directory that reaches further",
                kept.start, kept.end
            ),
            Self::TooLong { bytes, limit } => {
                write!(f, "a message of {bytes} bytes is longer than the {limit} that are taken")
            }
            Self::Settings(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for BrokerError {}
