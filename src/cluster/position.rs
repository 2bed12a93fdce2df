//! How far a node's own log follows the topic, kept beside it so that a start reads on from there.
//!
//! It only shortens a start. Without it, or where it does not go with the log beside it, the topic is read
//! from its first message, and what the log has already is compared instead of appended.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::replica::Replica;
use crate::log::{Digest, Head, Log, LogError};

const FILE: &str = "cluster.position";
/// The layout of the file.
const VERSION: u32 = 1;

/// A place in the topic and all that was settled before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    version: u32,
    /// The topic that it is a place in.
    pub topic: String,
    /// Offset of the next message.
    pub offset: u64,
    /// The chain over all entries that stand before it.
    chain: [u8; 32],
    /// What decides which entries stand.
    pub replica: Replica,
}

impl Position {
    /// The beginning of a topic.
    pub fn start(topic: &str) -> Self {
        let (version, chain) = (VERSION, Digest::GENESIS.0);
        Self { version, topic: topic.to_owned(), offset: 0, chain, replica: Replica::default() }
    }

    /// Where a node stands that has read the topic up to `offset`, and whose log has this head.
    pub fn at(topic: &str, offset: u64, replica: &Replica, head: Head) -> Self {
        debug_assert_eq!(replica.next_sequence(), head.next_sequence, "the log holds all that stands");
        let (version, chain) = (VERSION, head.chain.0);
        Self { version, topic: topic.to_owned(), offset, chain, replica: replica.clone() }
    }

    /// The head that the log had here.
    pub fn head(&self) -> Head {
        Head { next_sequence: self.replica.next_sequence(), chain: Digest(self.chain) }
    }

    /// The place that was kept in a data directory; the beginning where there is none that goes with the log.
    ///
    /// # Errors
    /// The file is there and cannot be read, or the log cannot.
    pub fn load(data: &Path, topic: &str, log: &dyn Log) -> Result<Self, PositionError> {
        let path = data.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::start(topic)),
            Err(error) => return Err(PositionError::Io(error)),
        };
        let sound = bytes.split_last_chunk::<32>().filter(|(body, hash)| blake3::hash(body) == **hash);
        let position: Option<Self> = sound.and_then(|(body, _)| postcard::from_bytes(body).ok());
        let Some(position) = position.filter(|position| position.version == VERSION) else {
            tracing::warn!(path = %path.display(), "the place in the topic cannot be read; it is read from its start");
            return Ok(Self::start(topic));
        };
        if position.topic != topic {
            return Err(PositionError::OtherTopic { kept: position.topic, stated: topic.to_owned() });
        }
        if !log.leads_to(position.head())? {
            tracing::warn!("the place in the topic is not of this log; the topic is read from its start");
            return Ok(Self::start(topic));
        }
        Ok(position)
    }

    /// Keeps the place.
    ///
    /// # Errors
    /// The file cannot be written; the one before it stays.
    pub fn save(&self, data: &Path) -> std::io::Result<()> {
        let mut bytes = postcard::to_allocvec(self).map_err(std::io::Error::other)?;
        let hash = *blake3::hash(&bytes).as_bytes();
        bytes.extend_from_slice(&hash);
        let unfinished = data.join(format!("{FILE}.new"));
        let mut file = File::create(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, data.join(FILE))?;
        File::open(data)?.sync_all()
    }
}

/// Why a place in the topic cannot be told.
#[derive(Debug)]
pub enum PositionError {
    /// The file cannot be read.
    Io(std::io::Error),
    /// The log cannot be read.
    Log(LogError),
    /// The directory follows another topic.
    OtherTopic {
        /// Its topic.
        kept: String,
        /// What the settings state.
        stated: String,
    },
}

impl From<LogError> for PositionError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl std::fmt::Display for PositionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read {FILE} in the data directory: {error}"),
            Self::Log(error) => error.fmt(f),
            Self::OtherTopic { kept, stated } => write!(
                f,
                "this data directory follows topic {kept}, and cluster.name states {stated}; name another directory"
            ),
        }
    }
}

impl std::error::Error for PositionError {}
