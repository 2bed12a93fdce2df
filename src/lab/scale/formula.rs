//! What can be said without a simulation: what each resource bears, and how long one waits at one node.

use serde::Serialize;

use super::parameters::Parameters;
use super::{Log, Scenario};

/// What can be full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// The cores of one machine, for all nodes, the broker and whoever sends the ratings.
    SharedCores,
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
    /// The way through the log and back: a node has one group of its own on it at a time, and holds no more
    /// calls meanwhile than fit into its queue.
    RoundTrip,
}

impl Resource {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::SharedCores => "shared cores",
            Self::NodeCores => "node cores",
            Self::StateThread => "state thread",
            Self::Partition => "partition",
            Self::BrokerCores => "broker cores",
            Self::BrokerNetwork => "broker network",
            Self::RoundTrip => "round trip",
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

/// What each resource bears with groups as large as they get; no cell whose nodes all keep up answers more than
/// the least of them. (Nodes that fall behind leave the others more: [`ceiling`].) Costs per message are those of
/// full groups: with smaller ones, the partition and the broker's cores bear less.
pub fn capacities(scenario: &Scenario) -> Vec<Capacity> {
    let p = &scenario.parameters;
    let nodes = f64::from(scenario.nodes);
    // Of all ratings, a node scores its share and folds the rest.
    let (own, others) = (1.0 / nodes, 1.0 - 1.0 / nodes);
    let group = largest_group(p);
    let message_us = if scenario.log.is_broker() { p.message_us / group } else { 0.0 };
    let node = own * p.own_us() + others * p.fold_us + message_us;
    let state = own * p.observe_us + others * p.fold_observe_us;
    let mut all =
        vec![(Resource::NodeCores, f64::from(p.cores) * 1e6 / node), (Resource::StateThread, 1e6 / state)];
    let mut together = node * nodes + p.client_us;
    if scenario.log.is_broker() {
        let partition = p.append_lane_us / group + p.record_bytes * p.append_byte_ns / 1e3;
        let push = nodes * (p.push_us / group + p.record_bytes * p.push_byte_ns / 1e3);
        let copies = f64::from(p.replication - 1);
        let bytes = p.record_bytes * (nodes + copies);
        together += partition + push + copies * (p.copy_us / group + p.record_bytes * p.copy_byte_ns / 1e3);
        all.push((Resource::Partition, 1e6 / partition));
        all.push((Resource::BrokerCores, readers_cores(scenario) * 1e6 / push));
        all.push((Resource::BrokerNetwork, p.broker_gbit * 1e9 / 8.0 / bytes));
    }
    if p.shared_cores > 0 {
        all.push((Resource::SharedCores, f64::from(p.shared_cores) * 1e6 / together));
    }
    all.into_iter().map(|(resource, ratings_per_s)| Capacity { resource, ratings_per_s }).collect()
}

/// Cores of the leader that can be busy with readers: each reader is handed one lot at a time.
pub(super) fn readers_cores(scenario: &Scenario) -> f64 {
    f64::from((scenario.parameters.broker_cores - 1).min(scenario.nodes))
}

/// The least of [`capacities`].
pub fn bound(scenario: &Scenario) -> Capacity {
    let least = capacities(scenario).into_iter().min_by(|a, b| a.ratings_per_s.total_cmp(&b.ratings_per_s));
    least.unwrap_or(Capacity { resource: Resource::NodeCores, ratings_per_s: f64::INFINITY })
}

/// What a cell answers at most, also when some of its nodes fall behind without end: the most that any number of
/// its nodes would bear by themselves. It is above [`bound`] only where nodes are the narrowest and a fold costs
/// them more than a rating of their own: then fewer nodes bear more.
pub fn ceiling(scenario: &Scenario) -> f64 {
    let all = bound(scenario);
    if !matches!(all.resource, Resource::NodeCores | Resource::StateThread | Resource::SharedCores) {
        return all.ratings_per_s;
    }
    let few = |nodes| bound(&Scenario { nodes, ..scenario.clone() }).ratings_per_s;
    (1..=scenario.nodes).map(few).fold(0.0, f64::max)
}

/// What a cell whose nodes stay together answers at least when it is full: what it would if nothing were done while anything else is,
/// every group waiting for every other. One group of a node is on its way at a time, so that with few nodes the
/// resources rest in turns, and a cell is nearer to this than to [`bound`].
///
/// The two are the asymptotic bounds of a closed network (Muntz and Wong 1974; Denning and Buzen 1978), the
/// nodes' groups being its customers: N customers with demands D at the stations and Z elsewhere get through at
/// most at 1 / max D and at least at N / (N ΣD + Z).
pub fn floor(scenario: &Scenario) -> f64 {
    let p = &scenario.parameters;
    let resources: f64 = capacities(scenario).iter().map(|capacity| 1.0 / capacity.ratings_per_s).sum();
    let fixed_us = match scenario.log {
        Log::Embedded => p.sync_us,
        // There, back with the acknowledgement, and a request and a handing over before the group's own.
        Log::Broker => p.append_us + 2.0 * p.read_us + 2.0 * p.push_us + 5.0 * p.delay_ms * 1e3,
    };
    let written_us = if scenario.log == Log::Embedded { p.record_bytes * p.sync_byte_ns / 1e3 } else { 0.0 };
    // Half of a full queue is on its way, and half waits for its turn.
    let group = largest_group(p).min(f64::from(p.queue) / 2.0);
    1.0 / (resources + written_us / 1e6 + fixed_us / 1e6 / (group * f64::from(scenario.nodes)))
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
