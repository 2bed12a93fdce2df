//! What an operator of many nodes alarms on.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge};

use super::{Maker, Metrics};

/// Upper bounds of ages, in seconds: from a healthy network to a node that was cut off for minutes.
const AGE_BUCKETS_S: [f64; 14] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];
/// Upper bounds of numbers of entries.
const ENTRY_BUCKETS: [f64; 11] =
    [0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 100_000.0];

/// Metrics of a node, registered when it joins its cluster.
pub struct ClusterMetrics {
    /// From sending a group to having it back.
    pub append: Histogram,
    /// From the decision of others to its fold here.
    pub staleness: Histogram,
    /// Entries of others that own groups were decided without.
    pub unseen: Histogram,
    /// Entries of the log that this node decided, and that others did.
    pub entries: [IntCounter; 2],
    /// Own entries that do not stand, since another node was first.
    pub skipped: IntCounter,
    /// 1 while the broker cannot be reached.
    pub cut_off: IntGauge,
    /// How often the broker could not be reached.
    pub reconnects: IntGauge,
    /// How often a group was sent again.
    pub retries: IntGauge,
    /// Messages of the topic that are not folded here yet.
    pub lag: IntGauge,
    /// 1 while calls are refused since too much of that is too old.
    pub behind: IntGauge,
    /// Nodes that work, and such as are taken for lost.
    pub nodes: [IntGauge; 2],
    /// 1 once another node had another chain at the same place.
    pub diverged: IntGauge,
    /// Lines of the intake topic that got no verdict.
    pub dead_letters: IntCounter,
}

impl ClusterMetrics {
    /// Registers them beside a service's other metrics.
    ///
    /// # Errors
    /// They are registered there already.
    pub fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let make = Maker { registry: metrics.registry.clone() };
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            make.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
        };
        let entries = make.counters(
            "zhenping_cluster_entries_total",
            "Entries of the shared log that stand, by who decided them.",
            &["by"],
        )?;
        let nodes = make.int_gauges(
            "zhenping_cluster_nodes",
            "Nodes of the cluster, by whether they work or are taken for lost.",
            &["state"],
        )?;
        Ok(Self {
            append: histogram(
                "zhenping_cluster_append_seconds",
                "From sending a group to the shared log to having read it back.",
                &AGE_BUCKETS_S,
            )?,
            staleness: histogram(
                "zhenping_cluster_staleness_seconds",
                "From the decision of another node to its fold here, by the two nodes' clocks; of each group the oldest.",
                &AGE_BUCKETS_S,
            )?,
            unseen: histogram(
                "zhenping_cluster_unseen_entries",
                "Entries of other nodes that stand before a group of this node and that the first of it was decided without.",
                &ENTRY_BUCKETS,
            )?,
            entries: ["this", "others"].map(|by| entries.with_label_values(&[by])),
            skipped: make.counter(
                "zhenping_cluster_skipped_entries_total",
                "Entries of this node that do not stand, since another node was first.",
            )?,
            cut_off: make.int_gauge("zhenping_cluster_cut_off", "1 while the broker cannot be reached.")?,
            reconnects: make.int_gauge(
                "zhenping_cluster_read_failures",
                "How often reading the shared log failed and was tried again.",
            )?,
            retries: make.int_gauge("zhenping_cluster_send_retries", "How often a group was sent again.")?,
            lag: make.int_gauge(
                "zhenping_cluster_lag_messages",
                "Messages of the shared log that are not folded here yet.",
            )?,
            behind: make.int_gauge(
                "zhenping_cluster_behind",
                "1 while calls are refused since what was in the shared log long ago is not folded here.",
            )?,
            nodes: ["works", "lost"].map(|state| nodes.with_label_values(&[state])),
            diverged: make.int_gauge(
                "zhenping_cluster_diverged",
                "1 once another node had another chain at the same place of the log.",
            )?,
            dead_letters: make.counter(
                "zhenping_cluster_dead_letters_total",
                "Lines of the intake topic that got no verdict from this node.",
            )?,
        })
    }
}
