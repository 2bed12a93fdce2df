//! What can be said without a simulation: what each resource bears, and how long one waits at one node.

use serde::Serialize;

use super::Scenario;
use super::parameters::Parameters;

/// What can be full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// All cores of a node, for scoring and folding together.
    NodeCores,
    /// The one thread of a node that shows ratings to the feature state.
    StateThread,
    /// The partition, which takes one message after the other.
    Partition,
    /// The leader's cores that hand messages to readers.
    BrokerCores,
    /// What the leader's network can send.
    BrokerNetwork,
    /// The calls that nodes may hold unanswered: they wait for something that is not full, such as the network
    /// or a server that is away.
    Queue,
}

impl Resource {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::NodeCores => "node cores",
            Self::StateThread => "state thread",
            Self::Partition => "partition",
            Self::BrokerCores => "broker cores",
            Self::BrokerNetwork => "broker network",
            Self::Queue => "queue",
        }
    }
}

/// What a resource bears.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Capacity {
    /// The resource.
    pub resource: Resource,
    /// Ratings a second in the whole cell at which it is full.
    pub ratings_per_s: f64,
}

/// What each resource bears with groups as large as they get; the least of them bounds the cell. Costs per
/// message are those of full groups: with smaller ones, the partition and the broker's cores bear less.
pub fn capacities(scenario: &Scenario) -> Vec<Capacity> {
    let p = &scenario.parameters;
    let nodes = f64::from(scenario.nodes);
    // Of all ratings, a node scores its share and folds the rest.
    let (own, others) = (1.0 / nodes, 1.0 - 1.0 / nodes);
    let group = largest_group(p);
    let message_us = if scenario.log.is_broker() { p.message_us / group } else { 0.0 };
    let node = own * p.own_us() + others * p.fold_us + message_us;
    let state = own * p.observe_us + others * p.fold_observe_us;
    let mut all = vec![
        (Resource::NodeCores, f64::from(p.cores) * 1e6 / node),
        (Resource::StateThread, 1e6 / state),
    ];
    if scenario.log.is_broker() {
        let partition = p.append_lane_us / group + p.record_bytes * p.append_byte_ns / 1e3;
        let push = nodes * (p.push_us / group + p.record_bytes * p.push_byte_ns / 1e3);
        let bytes = p.record_bytes * (nodes + f64::from(p.replication - 1));
        all.push((Resource::Partition, 1e6 / partition));
        all.push((Resource::BrokerCores, f64::from(p.broker_cores - 1) * 1e6 / push));
        all.push((Resource::BrokerNetwork, p.broker_gbit * 1e9 / 8.0 / bytes));
    }
    all.into_iter().map(|(resource, ratings_per_s)| Capacity { resource, ratings_per_s }).collect()
}

/// The least of [`capacities`].
pub fn bound(scenario: &Scenario) -> Capacity {
    let least = capacities(scenario).into_iter().min_by(|a, b| a.ratings_per_s.total_cmp(&b.ratings_per_s));
    least.unwrap_or(Capacity { resource: Resource::NodeCores, ratings_per_s: f64::INFINITY })
}

fn largest_group(p: &Parameters) -> f64 {
    p.group_ratings().min(u64::from(p.queue)) as f64
}

/// Mean wait, in the unit of `service`, before a server that takes `service` for each of a Poisson stream and
/// is busy for the share `load` of the time: M/D/1 (Pollaczek 1930, Khinchine 1932).
pub fn wait_md1(load: f64, service: f64) -> f64 {
    load * service / (2.0 * (1.0 - load))
}

/// Mean time from arrival to answer where everything that came during one group makes the next, and a group
/// of n takes `fixed + n × each`: gated service without rest, so at loads at which hardly a group is empty.
///
/// A group lasts `C = fixed + each × n`, and n is Poisson with mean `rate × C′` for the group `C′` before it.
/// So `E[C] = fixed / (1 − ρ)` with `ρ = rate × each`, and `Var[C] = each² rate E[C] / (1 − ρ²)`. A rating
/// waits for the rest of the group during which it came and then for its own; weighted by ratings, that is
/// `E[C²] (1 + 2ρ) / (2 E[C]) + fixed + each`.
pub fn gated(rate: f64, fixed: f64, each: f64) -> f64 {
    let load = rate * each;
    let mean = fixed / (1.0 - load);
    let variance = each * each * rate * mean / (1.0 - load * load);
    (variance + mean * mean) / (2.0 * mean) * (1.0 + 2.0 * load) + fixed + each
}
