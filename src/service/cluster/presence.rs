//! Says every second how this node is, and listens to the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Timer};

use bytes::Bytes;

use super::super::intake::lock;
use super::super::{Service, Shared, read};
use crate::broker::{BrokerError, Partition};
use crate::cluster::members::{Heartbeat, Member, Members, SAID_EVERY, Standing};
use crate::log::Log;

const PATIENCE: Duration = Duration::from_millis(100);
/// Latest messages of the topic that a node reads at its start: more than all nodes say in a minute.
const LATEST: u64 = 5_000;

/// What is known of the nodes, and what this one says of itself besides its log.
pub struct Presence {
    node: String,
    incarnation: String,
    members: Mutex<Members>,
    address: Mutex<String>,
    draining: AtomicBool,
    /// Partitions of the intake topic that this node scores.
    pub(super) intake: Mutex<Vec<u32>>,
}

impl Presence {
    /// Nobody is known yet.
    pub fn new(node: &str, incarnation: &[u8; 16]) -> Self {
        Self {
            node: node.to_owned(),
            incarnation: incarnation.iter().map(|byte| format!("{byte:02x}")).collect(),
            members: Mutex::default(),
            address: Mutex::default(),
            draining: AtomicBool::new(false),
            intake: Mutex::default(),
        }
    }

    /// All nodes that were heard.
    pub fn members(&self) -> Vec<Member> {
        lock(&self.members).all(Timer::now())
    }

    /// Whether this node does what only one may.
    pub(in crate::service) fn leads(&self) -> bool {
        lock(&self.members).leads(&self.node, Timer::now())
    }

    /// Whether this node scores a partition of the intake topic.
    pub(super) fn scores(&self, partition: u32) -> bool {
        let now = Timer::now();
        lock(&self.members).scores(partition, now) == Some(self.node.as_str())
    }

    /// Says from now on that it finishes what it has and takes no more.
    pub(in crate::service) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn heartbeat(&self, shared: &Shared, standing: Standing, lag: u64) -> Heartbeat {
        let head = shared.log.head();
        let view = shared.cluster.as_ref().map(|watch| watch.view());
        let (rules, model) = {
            let archive = read(&shared.archive);
            let rules = archive.current().map(|ruling| ruling.version().to_string());
            (rules.unwrap_or_default(), archive.model_version().map(|v| v.to_string()).unwrap_or_default())
        };
        Heartbeat {
            node: self.node.clone(),
            incarnation: self.incarnation.clone(),
            at_ms: shared.clock.now().map_or(0, |now| now.ms()),
            standing,
            address: lock(&self.address).clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sequence: head.next_sequence,
            chain: head.chain.to_string(),
            rules,
            model,
            lag,
            staleness_ms: view.as_ref().map_or(0, |view| view.staleness_ms),
            unseen_mean: view.as_ref().map_or(0.0, |view| view.unseen_mean),
            decided: view.as_ref().map_or(0, |view| view.own),
            intake: lock(&self.intake).clone(),
        }
    }
}

/// The thread. Dropping it has the node say that it left, and ends it.
pub(in crate::service) struct Speaker {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Speaker {
    /// Starts it. `log` is the log's partition, for how far behind this node is.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        shared: Arc<Shared>,
        presence: Arc<Presence>,
        nodes: Arc<dyn Partition>,
        log: Arc<dyn Partition>,
    ) -> std::io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let work = Work { shared, presence, nodes, log, ended: Arc::clone(&ended), lag: 0, twin: false };
        let thread = std::thread::Builder::new().name("presence".into()).spawn(move || work.run())?;
        Ok(Self { ended, thread: Some(thread) })
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

struct Work {
    shared: Arc<Shared>,
    presence: Arc<Presence>,
    nodes: Arc<dyn Partition>,
    log: Arc<dyn Partition>,
    ended: Arc<AtomicBool>,
    lag: u64,
    /// Whether another process with this node's name was heard.
    twin: bool,
}

impl Work {
    fn run(mut self) {
        while !self.ended.load(Ordering::Relaxed) {
            if let Err(error) = self.speak_and_listen() {
                tracing::debug!(%error, "the other nodes cannot be heard now");
                self.tell(false);
                std::thread::sleep(PATIENCE);
            }
        }
        // Who cannot be reached is found to be silent.
        let _ = self.say(Standing::Left);
    }

    fn speak_and_listen(&mut self) -> Result<(), BrokerError> {
        let end = self.nodes.bounds()?;
        let mut follow = self.nodes.follow(end.end.saturating_sub(LATEST).max(end.start))?;
        let mut said: Option<Timer> = None;
        while !self.ended.load(Ordering::Relaxed) {
            if said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
                said = Some(Timer::now());
                self.measure();
                self.say(self.standing())?;
                self.tell(true);
            }
            for message in follow.next(PATIENCE)? {
                match serde_json::from_slice::<Heartbeat>(&message.payload) {
                    Ok(heartbeat) => self.hear(heartbeat),
                    Err(error) => tracing::debug!(%error, "a node says what this one does not understand"),
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, heartbeat: Heartbeat) {
        let (presence, now) = (&self.presence, Timer::now());
        let own = heartbeat.node == presence.node && heartbeat.incarnation == presence.incarnation;
        let other_start = heartbeat.node == presence.node && !own;
        if other_start
            && heartbeat.standing != Standing::Left
            && heartbeat.at_ms > self.started_ms()
            && !self.twin
        {
            self.twin = true;
            tracing::error!(
                node = presence.node,
                address = heartbeat.address,
                "another process has this node's name; give each its own (cluster.node)"
            );
        }
        let agrees = self
            .shared
            .cluster
            .as_ref()
            .is_none_or(|watch| own || watch.agrees(heartbeat.sequence, &heartbeat.chain));
        if !agrees {
            tracing::error!(
                node = heartbeat.node,
                sequence = heartbeat.sequence,
                "two nodes have two chains at one place of the log: stop both, and compare with `ledger verify` and `ledger head`"
            );
        }
        lock(&presence.members).hear(heartbeat, now);
    }

    /// When the service was started, by the clock that heartbeats have.
    fn started_ms(&self) -> i64 {
        let since = i64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.shared.clock.now().map_or(i64::MAX, |now| now.ms().saturating_sub(since).saturating_add(2_000))
    }

    fn tell(&self, heard: bool) {
        if let Some(watch) = &self.shared.cluster {
            watch.heard(heard);
        }
    }

    fn standing(&self) -> Standing {
        let cut_off = self.shared.cluster.as_ref().is_some_and(|watch| watch.view().cut_off);
        match (self.presence.draining.load(Ordering::Relaxed), cut_off) {
            (true, _) => Standing::Draining,
            (false, true) => Standing::CutOff,
            (false, false) => Standing::Ready,
        }
    }

    fn measure(&mut self) {
        let Some(watch) = &self.shared.cluster else { return };
        if let Ok(bounds) = self.log.bounds() {
            self.lag = watch.lag(Timer::now(), bounds.end);
        }
        let members = self.presence.members();
        let lost = members.iter().filter(|member| member.is_lost()).count();
        let works = members.iter().filter(|member| member.works()).count();
        watch.nodes(works, lost);
    }

    fn say(&self, standing: Standing) -> Result<(), BrokerError> {
        let heartbeat = self.presence.heartbeat(&self.shared, standing, self.lag);
        let message =
            serde_json::to_vec(&heartbeat).map_err(|error| BrokerError::Settings(error.to_string()))?;
        self.nodes.append(&[Bytes::from(message)])
    }
}

impl Service {
    /// The nodes of the cluster, by name; none where the service has its log alone.
    pub fn members(&self) -> Vec<Member> {
        self.shared.presence.as_ref().map_or_else(Vec::new, |presence| presence.members())
    }

    /// Says where the HTTP service listens, for the others to see.
    pub fn listens_at(&self, address: &str) {
        if let Some(presence) = &self.shared.presence {
            *lock(&presence.address) = address.to_owned();
        }
    }
}
