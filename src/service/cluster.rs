//! A service as one node of many.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::commit::{SharedLog, Work};
use super::{ServiceError, Shared, Whose};
use crate::cluster::{ClusterError, ClusterOptions, Fate, Identity, Position, Reader, Sender};
use crate::metrics::ClusterMetrics;

/// What is seen of the cluster from one of its nodes.
pub struct ClusterWatch {
    node: String,
    /// The broker cannot be reached.
    cut_off: AtomicBool,
    /// Groups of this node that came back.
    groups: AtomicU64,
    /// Entries that this node decided and that stand.
    own: AtomicU64,
    /// Entries that others decided.
    others: AtomicU64,
    /// Own entries that do not stand, since another node was first.
    skipped: AtomicU64,
    /// Sum over own groups of what had not been seen when they were decided, in entries.
    unseen: AtomicU64,
    /// Age of the last group of another node when it was folded here, in ms.
    staleness_ms: AtomicU64,
    metrics: OnceLock<ClusterMetrics>,
}

/// The same, to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterView {
    /// This node's name.
    pub node: String,
    /// Whether the broker cannot be reached.
    pub cut_off: bool,
    /// Groups of this node that came back.
    pub groups: u64,
    /// Entries that this node decided and that stand.
    pub own: u64,
    /// Entries that others decided.
    pub others: u64,
    /// Own entries that do not stand, since another node was first.
    pub skipped: u64,
    /// Entries of others that a group of this node was decided without, on average.
    pub unseen_mean: f64,
    /// Age of the last group of another node when it was folded here, in ms.
    pub staleness_ms: u64,
}

impl ClusterWatch {
    /// Nothing is seen yet.
    pub fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            cut_off: AtomicBool::new(false),
            groups: AtomicU64::new(0),
            own: AtomicU64::new(0),
            others: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            unseen: AtomicU64::new(0),
            staleness_ms: AtomicU64::new(0),
            metrics: OnceLock::new(),
        }
    }

    /// As things stand.
    pub fn view(&self) -> ClusterView {
        let groups = self.groups.load(Ordering::Relaxed);
        ClusterView {
            node: self.node.clone(),
            cut_off: self.cut_off.load(Ordering::Relaxed),
            groups,
            own: self.own.load(Ordering::Relaxed),
            others: self.others.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
            unseen_mean: self.unseen.load(Ordering::Relaxed) as f64 / groups.max(1) as f64,
            staleness_ms: self.staleness_ms.load(Ordering::Relaxed),
        }
    }

    /// An own group came back.
    pub(super) fn appended(&self, after: Duration) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        if let Some(metrics) = self.metrics.get() {
            metrics.append.observe(after.as_secs_f64());
        }
    }

    /// A group was settled; `unseen` entries came between what its node knew and its first.
    pub(super) fn settled(&self, unseen: u64, fates: &[Fate], whose: Whose) {
        let stand = fates.iter().filter(|fate| matches!(fate, Fate::Stands(_))).count() as u64;
        let skipped = fates.len() as u64 - stand;
        if whose == Whose::Others {
            self.others.fetch_add(stand, Ordering::Relaxed);
        } else {
            self.own.fetch_add(stand, Ordering::Relaxed);
            self.skipped.fetch_add(skipped, Ordering::Relaxed);
            self.unseen.fetch_add(unseen, Ordering::Relaxed);
        }
        if let Some(metrics) = self.metrics.get() {
            let by = usize::from(whose == Whose::Others);
            metrics.entries[by].inc_by(stand);
            if whose == Whose::Own {
                metrics.skipped.inc_by(skipped);
                metrics.unseen.observe(unseen as f64);
            }
        }
    }

    /// Another node's group was folded so many ms after it was sent; clocks of two machines may differ.
    pub(super) fn saw(&self, age_ms: i64) {
        let age_ms = age_ms.max(0) as u64;
        self.staleness_ms.store(age_ms, Ordering::Relaxed);
        if let Some(metrics) = self.metrics.get() {
            metrics.staleness.observe(age_ms as f64 / 1e3);
        }
    }

    /// How reading and sending go.
    pub(super) fn reading(&self, reader: &Reader, sender: &Sender) {
        self.cut_off.store(reader.is_cut_off(), Ordering::Relaxed);
        if let Some(metrics) = self.metrics.get() {
            crate::metrics::set(&metrics.cut_off, u64::from(reader.is_cut_off()));
            crate::metrics::set(&metrics.reconnects, reader.failures());
            crate::metrics::set(&metrics.retries, sender.retries());
        }
    }
}

/// A node's way into its cluster.
pub(super) struct Joined {
    /// The topic.
    pub log: SharedLog,
    /// Where it ended then.
    pub end: u64,
}

/// Creates or checks the topics, and begins to read the log.
///
/// # Errors
/// The broker cannot be reached, or a topic is not as stated; the data directory follows another topic.
pub(super) fn join(
    shared: &Arc<Shared>,
    options: &ClusterOptions,
    data: &Path,
    work: &mpsc::Sender<Work>,
) -> Result<Joined, ServiceError> {
    let topic = options.log_topic();
    options.broker.ensure(&topic).map_err(ClusterError::from)?;
    let partition = options.broker.partition(&topic.name, 0).map_err(ClusterError::from)?;
    let end = partition.bounds().map_err(ClusterError::from)?.end;
    let position = Position::load(data, &topic.name, &shared.log).map_err(ClusterError::from)?;
    let mut incarnation = [0; 16];
    getrandom::fill(&mut incarnation).map_err(|error| std::io::Error::other(error.to_string()))?;
    let key = shared.preparer.keyring().derive("zhenping cluster key check v1");
    let mut key_check = [0; 8];
    key_check.copy_from_slice(&blake3::hash(&key).as_bytes()[..8]);
    let identity = Identity { incarnation, key_check };
    let came = {
        let work = work.clone();
        move || {
            // Without a committer nobody needs to be woken.
            let _ = work.send(Work::Came);
        }
    };
    let reader = Reader::start(topic.name, Arc::clone(&partition), position.offset, identity, came)?;
    let sender = Sender::start(partition)?;
    let watch = shared.cluster.clone().ok_or(ServiceError::Stopping)?;
    if let Ok(metrics) = ClusterMetrics::new(&shared.metrics) {
        // There is one join to a service.
        let _ = watch.metrics.set(metrics);
    }
    let (node, data) = (options.node.clone(), data.to_owned());
    let log = SharedLog::new(data, node, incarnation, key_check, position, reader, sender, watch);
    Ok(Joined { log, end })
}

impl super::Service {
    /// What is seen of the cluster; `None` where the service has its log alone.
    pub fn cluster(&self) -> Option<ClusterView> {
        self.shared.cluster.as_ref().map(|watch| watch.view())
    }
}
