//! Who belongs to the cluster: each node says every second how it is, on a topic of its own, and listens to
//! the others. There is no coordinator: nobody is a member who says nothing, and everybody is who does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How often a node says how it is.
pub const SAID_EVERY: Duration = Duration::from_secs(1);
/// A node that has said nothing for so long is taken for lost: others do its work.
pub const LOST_AFTER: Duration = Duration::from_secs(10);
/// A node that has not heard itself for so long does nothing of which there may be one only. It is shorter than
/// [`LOST_AFTER`] by more than anything takes that it has begun.
pub const HEARD_WITHIN: Duration = Duration::from_secs(4);
/// Nodes that are remembered; those that have been lost the longest go first.
const MEMBERS_MAX: usize = 1_000;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It takes ratings.
    Ready,
    /// It takes none, since it cannot reach the broker.
    CutOff,
    /// It takes no more and finishes what it has.
    Draining,
    /// It has stopped in good order.
    Left,
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Its name.
    pub node: String,
    /// Drawn at each of its starts, in hexadecimal.
    pub incarnation: String,
    /// When it said so, in ms since the Unix epoch by its clock.
    pub at_ms: i64,
    /// What it does.
    pub standing: Standing,
    /// Where its HTTP service listens; empty where it has none.
    pub address: String,
    /// The program's version.
    pub version: String,
    /// The next sequence of its log.
    pub sequence: u64,
    /// The chain over all before it, in hexadecimal.
    pub chain: String,
    /// The rules in force.
    pub rules: String,
    /// The model in force.
    pub model: String,
    /// Messages of the log's topic that it has not folded.
    pub lag: u64,
    /// Age of the last group of another node when it folded it, in ms.
    pub staleness_ms: u64,
    /// Entries of others that its groups were decided without, on average.
    pub unseen_mean: f64,
    /// Entries that it decided since it was started.
    pub decided: u64,
    /// Partitions of the intake topic that it scores.
    pub intake: Vec<u32>,
}

/// A node as this one sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// What it said last.
    pub said: Heartbeat,
    /// How long ago that was heard here.
    pub silent: Duration,
}

impl Member {
    /// Whether it is taken for lost.
    pub fn is_lost(&self) -> bool {
        self.silent >= LOST_AFTER && self.said.standing != Standing::Left
    }

    /// Whether work can be left to it.
    pub fn works(&self) -> bool {
        self.silent < LOST_AFTER && self.said.standing == Standing::Ready
    }
}

/// All that was heard.
#[derive(Debug, Default)]
pub struct Members {
    heard: BTreeMap<String, (Heartbeat, Instant)>,
}

impl Members {
    /// Takes what was said; `now` is when it was heard. Of two starts of one node the one that speaks last counts.
    pub fn hear(&mut self, said: Heartbeat, now: Instant) {
        if self.heard.len() >= MEMBERS_MAX && !self.heard.contains_key(&said.node) {
            let oldest = self.heard.iter().min_by_key(|(_, (_, at))| *at).map(|(node, _)| node.clone());
            oldest.and_then(|oldest| self.heard.remove(&oldest));
        }
        self.heard.insert(said.node.clone(), (said, now));
    }

    /// All nodes by name, as they are seen at `now`.
    pub fn all(&self, now: Instant) -> Vec<Member> {
        let member = |(said, at): &(Heartbeat, Instant)| Member {
            said: said.clone(),
            silent: now.saturating_duration_since(*at),
        };
        self.heard.values().map(member).collect()
    }

    /// Whether another start of the node has been heard within the time after which it would be lost: two
    /// processes with one name.
    pub fn twin(&self, node: &str, incarnation: &str, now: Instant) -> bool {
        self.heard.get(node).is_some_and(|(said, at)| {
            said.incarnation != incarnation
                && said.standing != Standing::Left
                && now.saturating_duration_since(*at) < LOST_AFTER
        })
    }

    /// The node that does what only one may, at `now`: the first by name of those that work.
    pub fn leader(&self, now: Instant) -> Option<&str> {
        let works = |(said, at): &&(Heartbeat, Instant)| {
            said.standing == Standing::Ready && now.saturating_duration_since(*at) < LOST_AFTER
        };
        self.heard.values().find(works).map(|(said, _)| said.node.as_str())
    }

    /// Whether `node` is the leader and has heard itself of late: nobody else takes the lead before it would
    /// notice that it lost it.
    pub fn leads(&self, node: &str, now: Instant) -> bool {
        let heard =
            self.heard.get(node).is_some_and(|(_, at)| now.saturating_duration_since(*at) < HEARD_WITHIN);
        heard && self.leader(now) == Some(node)
    }

    /// The node that scores a partition of the intake topic at `now`, so that partitions are spread, and few
    /// change hands when a node comes or goes (highest random weight; Thaler and Ravishankar, "Using
    /// name-based mappings to increase hit rates", 1998).
    pub fn scores(&self, partition: u32, now: Instant) -> Option<&str> {
        let works = self.heard.values().filter(|(said, at)| {
            said.standing == Standing::Ready && now.saturating_duration_since(*at) < LOST_AFTER
        });
        let weight = |node: &str| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&partition.to_le_bytes()).update(node.as_bytes());
            *hasher.finalize().as_bytes()
        };
        works.map(|(said, _)| said.node.as_str()).max_by_key(|node| weight(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(node: &str, standing: Standing) -> Heartbeat {
        Heartbeat {
            node: node.into(),
            incarnation: "00".into(),
            at_ms: 0,
            standing,
            address: String::new(),
            version: String::new(),
            sequence: 0,
            chain: String::new(),
            rules: String::new(),
            model: String::new(),
            lag: 0,
            staleness_ms: 0,
            unseen_mean: 0.0,
            decided: 0,
            intake: Vec::new(),
        }
    }

    #[test]
    fn a_lost_node_s_partitions_go_to_the_rest_and_the_others_stay_where_they_are() {
        let (mut members, start) = (Members::default(), Instant::now());
        for node in ["a", "b", "c"] {
            members.hear(said(node, Standing::Ready), start);
        }
        let before: Vec<_> = (0..64).map(|p| members.scores(p, start).unwrap().to_owned()).collect();
        assert!(["a", "b", "c"].iter().all(|node| before.iter().filter(|by| by == node).count() > 8));
        let later = start + LOST_AFTER;
        for node in ["a", "c"] {
            members.hear(said(node, Standing::Ready), later);
        }
        for (p, by) in (0..64).zip(&before) {
            let now = members.scores(p, later).unwrap();
            assert!(now == by || by == "b", "partition {p} moved from {by} to {now}");
            assert_ne!(now, "b");
        }
    }

    #[test]
    fn the_lead_is_left_before_another_can_take_it() {
        let (mut members, start) = (Members::default(), Instant::now());
        members.hear(said("a", Standing::Ready), start);
        members.hear(said("b", Standing::Ready), start);
        assert!(members.leads("a", start) && !members.leads("b", start));
        let cut_off = start + HEARD_WITHIN;
        members.hear(said("b", Standing::Ready), cut_off);
        assert!(!members.leads("a", cut_off), "it has not heard itself");
        assert!(!members.leads("b", cut_off), "and the other still waits");
        let later = start + LOST_AFTER;
        members.hear(said("b", Standing::Ready), later);
        assert!(members.leads("b", later));
        members.hear(said("a", Standing::Draining), later);
        assert!(members.leads("b", later), "who drains leads nothing");
    }
}
