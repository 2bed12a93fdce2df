//! Fluvio as the broker that many nodes share.
//!
//! ```text
//! ensure ─▶ controller (SC): topics, partitions, servers        one connection for each question
//! append ─▶ leader (SPU): one request for each batch            one connection, made anew after an error
//! follow ◀─ leader (SPU): a stream of batches, acknowledged     one connection for each follower
//! ```
//!
//! Metadata goes through the client library's administration interface. Data goes through its protocol
//! crates, without its producer and its consumer: the first repeats a request that was lost, on which a
//! message shows twice, and looks for a lost leader without end, and the second may wait without end on a
//! partition that was just made. Here every step has a time limit, and what is not sure is told.
//!
//! Messages count as written when every server that keeps a copy has them (`ReadCommitted`), in its memory
//! at least. While one of them is away, appends end in [`BrokerError::Unreachable`], and followers get what
//! the others know to be everywhere.

mod backoff;
mod cluster;
mod follow;
mod link;
mod partition;
mod topic;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Broker, BrokerError, Partition, TopicSpec};
use cluster::Cluster;
use partition::FluvioPartition;

/// Where a Fluvio cluster is, and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FluvioOptions {
    /// Host and port of its controller (SC), as `sc.example:9003`.
    pub endpoint: String,
    /// Certificates; `None` speaks in the clear.
    pub tls: Option<FluvioTls>,
    /// Longest time for a connection, the greeting of its protocol included.
    pub connect_limit: Duration,
    /// Longest time for an answer: until every copy of an append is confirmed, or an offset is told.
    pub answer_limit: Duration,
    /// Longest time until a new topic is ready on all its servers.
    pub topic_limit: Duration,
}

impl FluvioOptions {
    /// Options for a cluster with its controller at `endpoint`, in the clear, with the usual limits:
    /// 5 s for a connection, 10 s for an answer, 60 s for a new topic.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            tls: None,
            connect_limit: Duration::from_secs(5),
            answer_limit: Duration::from_secs(10),
            topic_limit: Duration::from_secs(60),
        }
    }
}

/// Certificates for a Fluvio cluster; the files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FluvioTls {
    /// The domain in the servers' certificates; those of SPUs have their names before it.
    pub domain: String,
    /// The certificate of the authority that signed the servers' certificates.
    pub ca_file: PathBuf,
    /// This program's certificate.
    pub cert_file: PathBuf,
    /// The private key of this program's certificate.
    pub key_file: PathBuf,
}

/// A Fluvio cluster.
pub struct Fluvio {
    cluster: Arc<Cluster>,
}

impl Fluvio {
    /// A cluster that is connected to when it is needed.
    ///
    /// # Errors
    /// The options make no sense, or a file of theirs cannot be read.
    pub fn new(options: FluvioOptions) -> Result<Self, BrokerError> {
        Ok(Self { cluster: Arc::new(Cluster::new(options)?) })
    }
}

impl Broker for Fluvio {
    fn ensure(&self, topic: &TopicSpec) -> Result<(), BrokerError> {
        link::block_on(topic::ensure(&self.cluster, topic))
    }

    fn partition(&self, topic: &str, partition: u32) -> Result<Arc<dyn Partition>, BrokerError> {
        link::block_on(self.cluster.check_partition(topic, partition))?;
        Ok(Arc::new(FluvioPartition::new(Arc::clone(&self.cluster), topic, partition)))
    }
}
