//! What a run comes to.

use serde::Serialize;

use super::broker::{CORES, NETWORK, PARTITION};
use super::cell::Cell;
use super::formula::{Capacity, Resource, capacities, readers_cores};
use super::histogram::Histogram;
use super::pool::Purpose;
use super::{Log, Scenario};

/// From this share of the time on, a resource counts as full.
const FULL: f64 = 0.9;
/// From this share of ratings shed on, something binds, even if no resource is full: the round trip.
const SHED: f64 = 0.001;

/// Mean, median and 99th percentile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// The mean.
    pub mean: f64,
    /// Half are at most so much.
    pub p50: f64,
    /// 99 in 100 are at most so much.
    pub p99: f64,
}

impl Quantiles {
    fn of(histogram: &Histogram, unit: f64) -> Option<Self> {
        let quantile = |share| Some(histogram.quantile(share)? / unit);
        Some(Self { mean: histogram.mean()? / unit, p50: quantile(0.5)?, p99: quantile(0.99)? })
    }
}

/// Shares of the time for which resources were taken, 0 to 1; of nodes, the mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Utilisation {
    /// The cores of the machine that all share; 0 where each has its own.
    pub shared_cores: f64,
    /// A node's cores, by its own ratings.
    pub node_scoring: f64,
    /// A node's cores, by others' ratings.
    pub node_folding: f64,
    /// The thread of the feature state; it has one of the cores.
    pub state_thread: f64,
    /// The partition.
    pub partition: f64,
    /// The leader's cores for readers, as many as there are readers.
    pub broker_cores: f64,
    /// The leader's network, outwards.
    pub broker_network: f64,
}

impl Utilisation {
    fn by_resource(&self, log: Log) -> Vec<(Resource, f64)> {
        let mut all = vec![
            (Resource::NodeCores, self.node_scoring + self.node_folding),
            (Resource::StateThread, self.state_thread),
            (Resource::SharedCores, self.shared_cores),
        ];
        if log.is_broker() {
            all.push((Resource::Partition, self.partition));
            all.push((Resource::BrokerCores, self.broker_cores));
            all.push((Resource::BrokerNetwork, self.broker_network));
        }
        all
    }
}

/// What a run came to. All ratings that were offered were answered, shed, broken off or are in flight.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// What was run.
    pub scenario: Scenario,
    /// Ratings that arrived.
    pub offered: u64,
    /// Ratings that were answered: durable, and read back.
    pub answered: u64,
    /// Ratings that the node answered which answered the fewest, and the one which answered the most. They
    /// drift apart where a full cell leaves some nodes behind.
    pub answered_by_node: [u64; 2],
    /// Ratings that were refused: 503, or no connection to a node that is lost.
    pub shed: u64,
    /// Ratings whose node was lost before it answered.
    pub broken_off: u64,
    /// Ratings that were taken and not answered at the end.
    pub in_flight: u64,
    /// Answered ratings a second.
    pub answered_per_s: f64,
    /// Shed of offered, 0 to 1.
    pub shed_share: f64,
    /// From arrival to answer, in milliseconds, without the caller's network.
    pub latency_ms: Option<Quantiles>,
    /// From the state of the node that scored a rating to that of another node, in milliseconds.
    pub staleness_ms: Option<Quantiles>,
    /// Ratings of others that were scored and that a decision did not know of.
    pub unseen_ratings: Option<Quantiles>,
    /// Ratings in a group, on the average.
    pub group_ratings: f64,
    /// What was taken for which share of the time.
    pub utilisation: Utilisation,
    /// The resource that was taken for the longest time; where none is full and ratings are shed, the round trip.
    pub fullest: Resource,
    /// For which share of the time; of the round trip: 1.
    pub fullest_share: f64,
    /// Whether that binds: it is full, or ratings are shed for want of it.
    pub binds: bool,
    /// What each resource bears by the formula.
    pub capacities: Vec<Capacity>,
    /// Seconds that nodes which came back took to read what they had missed.
    pub caught_up_s: Vec<f64>,
}

pub(super) fn outcome(scenario: &Scenario, cell: &Cell<'_>) -> Outcome {
    let seen = &cell.seen;
    let time = scenario.seconds * 1e9;
    let nodes = f64::from(scenario.nodes);
    let cores = f64::from(scenario.parameters.cores);
    let node = |purpose: Purpose| {
        let pools: f64 = cell.nodes.iter().map(|node| node.pool.spent[purpose as usize]).sum();
        (pools + seen.state_thread[purpose as usize]) / (nodes * cores * time)
    };
    let shared = cell.machine.as_ref().map_or(0.0, |machine| machine.spent);
    let utilisation = Utilisation {
        shared_cores: shared / (f64::from(scenario.parameters.shared_cores.max(1)) * time),
        node_scoring: node(Purpose::Scoring),
        node_folding: node(Purpose::Folding),
        state_thread: seen.state_thread.iter().sum::<f64>() / (nodes * time),
        partition: cell.broker.taken[PARTITION] / time,
        broker_cores: cell.broker.taken[CORES] / (time * readers_cores(scenario)),
        broker_network: cell.broker.taken[NETWORK] / time,
    };
    let offered = cell.nodes.iter().map(|node| node.arrivals.offered).sum();
    let shed_share = if offered > 0 { seen.shed as f64 / offered as f64 } else { 0.0 };
    let loads = utilisation.by_resource(scenario.log);
    let fullest = loads.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let (mut fullest, mut fullest_share) = fullest.unwrap_or((Resource::NodeCores, 0.0));
    if shed_share >= SHED && fullest_share < FULL {
        (fullest, fullest_share) = (Resource::RoundTrip, 1.0);
    }
    let answers = cell.nodes.iter().map(|node| node.answered);
    Outcome {
        scenario: scenario.clone(),
        offered,
        answered: seen.answered,
        answered_by_node: [answers.clone().min(), answers.max()].map(Option::unwrap_or_default),
        shed: seen.shed,
        broken_off: seen.broken_off,
        in_flight: cell.nodes.iter().map(|node| node.inside).sum(),
        answered_per_s: seen.answered as f64 / scenario.seconds,
        shed_share,
        latency_ms: Quantiles::of(&seen.latency, 1e6),
        staleness_ms: Quantiles::of(&seen.lag, 1e6),
        unseen_ratings: Quantiles::of(&seen.unseen, 1.0),
        group_ratings: if seen.groups > 0 { seen.answered as f64 / seen.groups as f64 } else { 0.0 },
        utilisation,
        fullest,
        fullest_share,
        binds: fullest_share >= FULL,
        capacities: capacities(scenario),
        caught_up_s: seen.caught_up_s.clone(),
    }
}
