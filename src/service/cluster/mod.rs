//! A service as one node of many.

mod presence;
mod stream;
mod verdicts;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::commit::{Membership, SharedLog, Work};
use super::intake::lock;
use super::{ServiceError, Shared, Whose};
use crate::broker::{Broker, Partition};
use crate::cluster::{
    ClusterError, ClusterOptions, Comments, CommentsFollower, Fate, Identity, Position, Reader, Sender,
};
use crate::log::Head;
use crate::metrics::ClusterMetrics;
use crate::pseudonym::Keyring;

pub use presence::Presence;
use presence::Speaker;
use stream::{Progress, Stream, Streaming};
use verdicts::VerdictWriter;

/// Heads of the own log that are remembered: what others say is a second old at most.
const HEADS_KEPT: usize = 16_384;

/// What is seen of the cluster from one of its nodes.
pub struct ClusterWatch {
    node: String,
    /// The log cannot be read.
    cut_off: AtomicBool,
    /// What this node says of itself does not reach the broker.
    unheard: AtomicBool,
    /// Groups of this node that came back.
    groups: AtomicU64,
    /// Entries that this node decided and that stand.
    own: AtomicU64,
    /// Entries that others decided.
    others: AtomicU64,
    /// Own entries that do not stand, since another node was first.
    skipped: AtomicU64,
    /// Sum over own groups of others' entries that had not been seen when they were decided.
    unseen: AtomicU64,
    /// Age of the last group of another node when it was folded here, in ms.
    staleness_ms: AtomicU64,
    /// Offset of the log's topic up to which everything is folded.
    offset: AtomicU64,
    /// Offset up to which everything should be folded by now.
    due: AtomicU64,
    /// Where the log's topic ended when, as far back as `behind`.
    ends: Mutex<VecDeque<(Instant, u64)>>,
    /// How long a node may take to fold what is in the log.
    behind: Option<Duration>,
    /// How far the partitions of the intake topic are scored, as the log says.
    scored: Mutex<BTreeMap<u32, u64>>,
    /// The latest heads of this node's log, to be compared with what others say of theirs.
    heads: Mutex<VecDeque<Head>>,
    /// Another node had another chain at the same place.
    diverged: AtomicBool,
    /// How far they are scored beyond that by this node.
    pub(super) progress: Progress,
    metrics: OnceLock<ClusterMetrics>,
}

/// The same, to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterView {
    /// This node's name.
    pub node: String,
    /// Whether the broker cannot be reached.
    pub cut_off: bool,
    /// Whether another node had another chain at the same place, which must never be.
    pub diverged: bool,
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
    pub fn new(node: &str, behind: Option<Duration>) -> Self {
        Self {
            node: node.to_owned(),
            due: AtomicU64::new(0),
            ends: Mutex::default(),
            behind,
            cut_off: AtomicBool::new(false),
            unheard: AtomicBool::new(false),
            groups: AtomicU64::new(0),
            own: AtomicU64::new(0),
            others: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            unseen: AtomicU64::new(0),
            staleness_ms: AtomicU64::new(0),
            offset: AtomicU64::new(0),
            scored: Mutex::default(),
            heads: Mutex::default(),
            diverged: AtomicBool::new(false),
            progress: Progress::default(),
            metrics: OnceLock::new(),
        }
    }

    /// As things stand.
    pub fn view(&self) -> ClusterView {
        let groups = self.groups.load(Ordering::Relaxed);
        ClusterView {
            node: self.node.clone(),
            cut_off: self.cut_off.load(Ordering::Relaxed) || self.unheard.load(Ordering::Relaxed),
            diverged: self.diverged.load(Ordering::Relaxed),
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

    /// A group was settled. An own one was decided without `unseen` entries of others that stand before it.
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

    /// Another node's group was folded so many ms after it was decided; clocks of two machines may differ.
    pub(super) fn saw(&self, age_ms: i64) {
        let age_ms = age_ms.max(0) as u64;
        self.staleness_ms.store(age_ms, Ordering::Relaxed);
        if let Some(metrics) = self.metrics.get() {
            metrics.staleness.observe(age_ms as f64 / 1e3);
        }
    }

    /// Everything before this offset of the log's topic is folded, which says how far intake is scored.
    pub(super) fn folded(&self, offset: u64, intake: &BTreeMap<u32, u64>) {
        self.offset.store(offset, Ordering::Relaxed);
        let mut scored = lock(&self.scored);
        if *scored != *intake {
            scored.clone_from(intake);
        }
    }

    /// The offset from which a partition of the intake topic is to be scored.
    fn scored(&self, partition: u32) -> Option<u64> {
        lock(&self.scored).get(&partition).copied()
    }

    /// Whether it has not folded yet what was in the log so long ago that it may not decide without it.
    pub(super) fn is_behind(&self) -> bool {
        self.offset.load(Ordering::Relaxed) < self.due.load(Ordering::Relaxed)
    }

    /// Messages of the log's topic up to `end`, which it has now, that are not folded.
    fn lag(&self, now: Instant, end: u64) -> u64 {
        if let Some(behind) = self.behind {
            let mut ends = lock(&self.ends);
            ends.push_back((now, end));
            while let Some((_, end)) = ends.pop_front_if(|(at, _)| now.duration_since(*at) >= behind) {
                self.due.store(end, Ordering::Relaxed);
            }
        }
        if let Some(metrics) = self.metrics.get() {
            crate::metrics::set(&metrics.behind, u64::from(self.is_behind()));
        }
        let lag = end.saturating_sub(self.offset.load(Ordering::Relaxed));
        if let Some(metrics) = self.metrics.get() {
            crate::metrics::set(&metrics.lag, lag);
        }
        lag
    }

    /// Whether what this node says of itself reaches the broker.
    fn heard(&self, heard: bool) {
        self.unheard.store(!heard, Ordering::Relaxed);
        if let Some(metrics) = self.metrics.get() {
            crate::metrics::set(&metrics.cut_off, u64::from(self.view().cut_off));
        }
    }

    /// Nodes that work, and such as are taken for lost.
    fn nodes(&self, works: usize, lost: usize) {
        if let Some(metrics) = self.metrics.get() {
            crate::metrics::set(&metrics.nodes[0], works as u64);
            crate::metrics::set(&metrics.nodes[1], lost as u64);
        }
    }

    /// The log has this head now.
    pub(super) fn reached(&self, head: Head) {
        let mut heads = lock(&self.heads);
        if heads.len() == HEADS_KEPT {
            heads.pop_front();
        }
        heads.push_back(head);
    }

    /// Compares what another node says of its log. Gives `false` where this one had another chain there.
    fn agrees(&self, sequence: u64, chain: &str) -> bool {
        let heads = lock(&self.heads);
        let at = heads.binary_search_by_key(&sequence, |head| head.next_sequence);
        let agrees = at.map_or(true, |at| heads[at].chain.to_string() == chain);
        if !agrees {
            self.diverged.store(true, Ordering::Relaxed);
            if let Some(metrics) = self.metrics.get() {
                crate::metrics::set(&metrics.diverged, 1);
            }
        }
        agrees
    }

    /// Lines of the intake topic that got no verdict.
    fn buried(&self, lines: u64) {
        if let Some(metrics) = self.metrics.get() {
            metrics.dead_letters.inc_by(lines);
        }
    }

    /// How reading and sending go.
    pub(super) fn reading(&self, reader: &Reader, sender: &Sender) {
        self.cut_off.store(reader.is_cut_off(), Ordering::Relaxed);
        if let Some(metrics) = self.metrics.get() {
            crate::metrics::set(&metrics.cut_off, u64::from(self.view().cut_off));
            crate::metrics::set(&metrics.reconnects, reader.failures());
            crate::metrics::set(&metrics.retries, sender.retries());
        }
    }
}

/// The topics of a cluster, there and as they should be.
pub(super) struct Topics {
    name: String,
    node: String,
    incarnation: [u8; 16],
    broker: Arc<dyn Broker>,
    log: Arc<dyn Partition>,
    nodes: Arc<dyn Partition>,
    /// Where comments go.
    pub comments: Comments,
    /// Who else is there.
    pub presence: Arc<Presence>,
    streams: Option<Streams>,
}

struct Streams {
    topic: String,
    partitions: u32,
    verdicts: Arc<dyn Partition>,
    dead_letters: Arc<dyn Partition>,
}

impl Topics {
    /// Creates or checks them.
    ///
    /// # Errors
    /// The broker cannot be reached, or a topic is not as stated.
    pub fn open(options: &ClusterOptions, keyring: &Keyring, vault_days: u32) -> Result<Self, ServiceError> {
        let broker = &options.broker;
        let open = |topic: crate::broker::TopicSpec| -> Result<Arc<dyn Partition>, ClusterError> {
            broker.ensure(&topic)?;
            Ok(broker.partition(&topic.name, 0)?)
        };
        let mut incarnation = [0; 16];
        getrandom::fill(&mut incarnation).map_err(|error| std::io::Error::other(error.to_string()))?;
        let comments = open(options.comments_topic(vault_days))?;
        let comments = Comments::new(comments, &keyring.derive("zhenping cluster comments v1"), incarnation);
        let streams = match options.intake {
            None => None,
            Some(intake) => {
                let ratings = options.ratings_topic(intake);
                broker.ensure(&ratings).map_err(ClusterError::from)?;
                Some(Streams {
                    topic: ratings.name,
                    partitions: ratings.partitions,
                    verdicts: open(options.verdicts_topic())?,
                    dead_letters: open(options.dead_letters_topic())?,
                })
            }
        };
        Ok(Self {
            name: options.log_topic().name,
            node: options.node.clone(),
            incarnation,
            broker: Arc::clone(broker),
            log: open(options.log_topic())?,
            nodes: open(options.nodes_topic())?,
            comments,
            presence: Arc::new(Presence::new(&options.node, &incarnation)),
            streams,
        })
    }
}

/// A node's way into its cluster.
pub(super) struct Joined {
    /// The topic that is the log.
    pub log: SharedLog,
    /// Where it ended then.
    pub end: u64,
}

/// Begins to read the log.
///
/// # Errors
/// The broker cannot be reached, or the data directory follows another topic.
pub(super) fn join(
    shared: &Arc<Shared>,
    topics: &Topics,
    data: &Path,
    work: &mpsc::Sender<Work>,
) -> Result<Joined, ServiceError> {
    let Range { start, end } = topics.log.bounds().map_err(ClusterError::from)?;
    let position = Position::load(data, &topics.name, &shared.log).map_err(ClusterError::from)?;
    let key = shared.preparer.keyring().derive("zhenping cluster key check v1");
    let mut key_check = [0; 8];
    key_check.copy_from_slice(&blake3::hash(&key).as_bytes()[..8]);
    let identity = Identity { incarnation: topics.incarnation, key_check };
    if position.offset > end {
        return Err(ClusterError::AnotherTopic { topic: topics.name.clone() }.into());
    }
    // The last message that was settled is read again, to see that it is the same.
    let from = position.offset.saturating_sub(1);
    if from < start {
        return Err(ClusterError::Forgotten { topic: topics.name.clone(), from, start }.into());
    }
    let log = Arc::clone(&topics.log);
    let reader = Reader::start(topics.name.clone(), log, from, identity.clone(), nudge(work))?;
    let sender = Sender::start(Arc::clone(&topics.log))?;
    let watch = shared.cluster.clone().ok_or(ServiceError::Stopping)?;
    if let Ok(metrics) = ClusterMetrics::new(&shared.metrics) {
        // There is one join to a service.
        let _ = watch.metrics.set(metrics);
    }
    watch.folded(position.offset, position.replica.intake());
    let (node, data) = (topics.node.clone(), data.to_owned());
    let log = SharedLog::new(Membership { data, node, identity, position, reader, sender, watch });
    Ok(Joined { log, end })
}

/// Wakes the committer. Without one nobody needs to be woken.
fn nudge(work: &mpsc::Sender<Work>) -> impl Fn() + Send + 'static {
    let work = work.clone();
    move || drop(work.send(Work::Came))
}

/// What a node does besides scoring; dropped in this order, so that it says last that it left.
pub(super) struct Companions {
    _streaming: Option<Streaming>,
    _verdicts: Option<VerdictWriter>,
    _comments: CommentsFollower,
    _speaker: Speaker,
}

impl Companions {
    /// Starts them; the node is ready.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        shared: &Arc<Shared>,
        topics: Topics,
        data: &Path,
        work: &mpsc::Sender<Work>,
    ) -> std::io::Result<Self> {
        let Topics { broker, log, nodes, comments, presence, streams, .. } = topics;
        let vault = Arc::clone(shared);
        let keep = move |comments: &[(&str, &str)], at| match vault.vault.append_group(comments, at) {
            Ok(()) => true,
            Err(error) => {
                vault.fail(&error);
                false
            }
        };
        let (streaming, verdicts) = match streams {
            None => (None, None),
            Some(Streams { topic, partitions, verdicts, dead_letters }) => {
                let writer = VerdictWriter::start(Arc::clone(shared), Arc::clone(&presence), verdicts)?;
                let stream = Stream {
                    shared: Arc::clone(shared),
                    presence: Arc::clone(&presence),
                    broker,
                    topic,
                    partitions,
                    dead_letters,
                    nudge: Box::new(nudge(work)),
                };
                (Some(stream.start()?), Some(writer))
            }
        };
        Ok(Self {
            _streaming: streaming,
            _verdicts: verdicts,
            _comments: comments.follow(data, keep)?,
            _speaker: Speaker::start(Arc::clone(shared), presence, nodes, log)?,
        })
    }
}

impl super::Service {
    /// What is seen of the cluster; `None` where the service has its log alone.
    pub fn cluster(&self) -> Option<ClusterView> {
        self.shared.cluster.as_ref().map(|watch| watch.view())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_behind_until_it_has_folded_what_was_there_so_long_ago() {
        let watch = ClusterWatch::new("a", Some(Duration::from_secs(2)));
        let (began, none) = (Instant::now(), BTreeMap::new());
        let at = |second: u64, end: u64| {
            watch.lag(began + Duration::from_secs(second), end);
            watch.is_behind()
        };
        assert!(!at(0, 10) && !at(1, 20));
        assert!(at(2, 30), "ten messages are two seconds old");
        watch.folded(10, &none);
        assert!(!watch.is_behind());
        assert!(at(3, 30), "and ten more");
        watch.folded(30, &none);
        assert!(!at(9, 30), "it has all there is");
        assert!(!at(10, 40), "what has just come may still be on its way");
        let patient = ClusterWatch::new("b", None);
        patient.lag(began, 10);
        patient.lag(began + Duration::from_secs(60), 20);
        assert!(!patient.is_behind());
    }
}
