//! What an operator alarms on, in the Prometheus text format.
//!
//! Labels are closed vocabularies: no identifier, code or free text ever becomes one, so the number of
//! series is bounded and nothing personal can leave through here.

mod cluster;

use std::time::{Duration, SystemTime};

use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

use crate::log::entry::Act;
use crate::wire::Decision;

pub use cluster::ClusterMetrics;

/// Distinct paths that `zhenping_warnings_total` names; further ones are counted under `other`.
/// The contract has fewer optional fields, so this is met only if paths stop being a closed set.
const WARNING_PATHS_MAX: usize = 64;

/// Upper bounds of the latency buckets, in seconds: from a pipeline step to a time-out.
const LATENCY_BUCKETS_S: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0,
    5.0,
];

/// A part of a rating's way through the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the door to the scoring thread; of each batch, the rating that waited longest.
    Queue,
    /// Features, rules and decision; of a whole batch.
    Score,
    /// From the decision to its durable place in the log; of a whole batch.
    Commit,
    /// From the whole request to its answer, at the door.
    Total,
}

impl Stage {
    const ALL: [(Stage, &'static str); 4] = [
        (Stage::Queue, "queue"),
        (Stage::Score, "score"),
        (Stage::Commit, "commit"),
        (Stage::Total, "total"),
    ];
}

/// The service's metrics. Cheap to update from any thread: each is an atomic.
pub struct Metrics {
    registry: Registry,
    /// By decision, then good or bad.
    ratings: [[IntCounter; 2]; Decision::ALL.len()],
    latency: [Histogram; Stage::ALL.len()],
    /// Answers of `POST /v1/ratings` with 200, which are counted on the fast path.
    pub(crate) ratings_ok: IntCounter,
    http: IntCounterVec,
    warnings: IntCounterVec,
    warning_paths: std::sync::Mutex<std::collections::BTreeSet<String>>,
    rules_info: IntGaugeVec,
    pending_holds: IntGaugeVec,
    /// Age of the oldest hold that nobody has decided.
    pub oldest_pending_seconds: IntGauge,
    /// Ratings that wait or are being scored.
    pub queue_depth: IntGauge,
    /// The bound of the queue.
    pub queue_limit: IntGauge,
    /// Ratings refused because the queue was full.
    pub shed: IntCounter,
    /// Next sequence of the log.
    pub log_head: IntGauge,
    last_sync: Gauge,
    fsync: Histogram,
    /// Holds of bad ratings made today.
    pub hold_budget_used: IntGauge,
    /// Holds of bad ratings allowed a day.
    pub hold_budget_limit: IntGauge,
    /// Rule sets that failed their checks and were not taken.
    pub rule_reload_failures: IntCounter,
    /// Reference tables that failed their checks and were not taken.
    pub reference_reload_failures: IntCounter,
    /// Entities in feature state.
    pub state_entities: IntGauge,
    /// Bytes of the counters' state.
    pub state_bytes: IntGauge,
    /// Entities evicted from feature state.
    pub state_evictions: IntCounter,
    /// Next sequence of the log when the last snapshot of state was made.
    pub snapshot_head: IntGauge,
    /// Snapshots of state that could not be written.
    pub snapshot_failures: IntCounter,
    snapshot_pause: Histogram,
    /// Records of the log whose erasable part was erased.
    pub erased: IntCounter,
    reviews: IntCounterVec,
    /// Number of the version that was learnt from reviewers' decisions last.
    labels_published: IntGauge,
    labels_ratings: IntGauge,
    labels_shadow: IntGauge,
    /// Admitted ratings that were drawn for the control sample.
    pub control_drawn: IntCounter,
    /// Sequence up to which the desk's projection has the log.
    pub desk_position: IntGauge,
    /// Incidents that go on.
    pub incidents_open: IntGauge,
    /// Incidents announced.
    pub incidents: IntCounter,
    /// Alerts for supervisors.
    pub alerts: IntCounter,
    /// HTTP connections being served.
    pub connections: IntGauge,
}

impl Metrics {
    /// Registers every metric in a registry of its own.
    ///
    /// # Errors
    /// Only if two metrics here had one name or a name were not allowed, which a test excludes.
    pub fn new() -> Result<Self, prometheus::Error> {
        let make = Maker { registry: Registry::new() };
        let ratings = make.counters("zhenping_ratings_total", "Ratings scored.", &["decision", "bad"])?;
        let latency = make.histograms(
            "zhenping_latency_seconds",
            "Time of a rating in each part of its way.",
            &["stage"],
        )?;
        let http = make.counters(
            "zhenping_http_requests_total",
            "HTTP answers by route and status.",
            &["route", "status"],
        )?;
        Ok(Self {
            ratings: std::array::from_fn(|index| {
                let decision = Decision::ALL[index].name();
                [
                    ratings.with_label_values(&[decision, "false"]),
                    ratings.with_label_values(&[decision, "true"]),
                ]
            }),
            latency: Stage::ALL.map(|(_, name)| latency.with_label_values(&[name])),
            ratings_ok: http.with_label_values(&["/v1/ratings", "200"]),
            http,
            warnings: make.counters(
                "zhenping_warnings_total",
                "Optional fields that were ignored or cut, by path in the contract.",
                &["path"],
            )?,
            warning_paths: std::sync::Mutex::default(),
            rules_info: make.int_gauges(
                "zhenping_rules_info",
                "The rule set in force; its value is 1.",
                &["version"],
            )?,
            pending_holds: make.int_gauges(
                "zhenping_pending_holds",
                "Holds that nobody has decided.",
                &["kind"],
            )?,
            oldest_pending_seconds: make.int_gauge(
                "zhenping_oldest_pending_hold_seconds",
                "Age of the oldest hold that nobody has decided.",
            )?,
            queue_depth: make.int_gauge("zhenping_queue_depth", "Ratings that wait or are being scored.")?,
            queue_limit: make.int_gauge("zhenping_queue_limit", "Bound of the queue.")?,
            shed: make.counter("zhenping_shed_total", "Ratings refused because the queue was full.")?,
            log_head: make.int_gauge("zhenping_log_head", "Next sequence of the log.")?,
            last_sync: make.gauge(
                "zhenping_log_last_sync_timestamp_seconds",
                "When the log was last made durable, in seconds since the Unix epoch.",
            )?,
            fsync: make.histogram("zhenping_log_fsync_seconds", "Duration of a sync of the log.")?,
            hold_budget_used: make
                .int_gauge("zhenping_hold_budget_used", "Holds of bad ratings made today.")?,
            hold_budget_limit: make
                .int_gauge("zhenping_hold_budget_limit", "Holds of bad ratings allowed a day.")?,
            rule_reload_failures: make
                .counter("zhenping_rule_reload_failures_total", "Rule sets that failed their checks.")?,
            reference_reload_failures: make.counter(
                "zhenping_reference_reload_failures_total",
                "Reference tables that failed their checks.",
            )?,
            state_entities: make.int_gauge("zhenping_state_entities", "Entities in feature state.")?,
            state_bytes: make.int_gauge("zhenping_state_bytes", "Bytes of the counters' state.")?,
            state_evictions: make
                .counter("zhenping_state_evictions_total", "Entities evicted from feature state.")?,
            snapshot_head: make.int_gauge(
                "zhenping_snapshot_head",
                "Next sequence of the log when the last snapshot of state was made.",
            )?,
            snapshot_failures: make.counter(
                "zhenping_snapshot_failures_total",
                "Snapshots of state that could not be written.",
            )?,
            snapshot_pause: make.histogram(
                "zhenping_snapshot_pause_seconds",
                "How long intake stood still while state was copied for a snapshot.",
            )?,
            erased: make.counter(
                "zhenping_erased_records_total",
                "Records of the log whose erasable part was erased.",
            )?,
            reviews: make.counters(
                "zhenping_review_acts_total",
                "What people did about cases: claims, decisions, appeals.",
                &["act"],
            )?,
            desk_position: make.int_gauge(
                "zhenping_desk_position",
                "Sequence up to which the desk's projection has the log.",
            )?,
            labels_published: make.int_gauge(
                "zhenping_labels_published",
                "Number of the version that was learnt from reviewers' decisions last.",
            )?,
            labels_ratings: make.int_gauge(
                "zhenping_labels_ratings",
                "Ratings with a reviewer's decision that the next version would be learnt from.",
            )?,
            labels_shadow: make.int_gauge(
                "zhenping_labels_shadow",
                "1 while a version that was learnt from reviewers' decisions runs in shadow.",
            )?,
            control_drawn: make.counter(
                "zhenping_control_drawn_total",
                "Admitted ratings that were drawn for review as a control sample.",
            )?,
            incidents_open: make.int_gauge(
                "zhenping_incidents_open",
                "Surges of bad ratings by unrelated raters that go on.",
            )?,
            incidents: make.counter(
                "zhenping_incidents_total",
                "Surges of bad ratings by unrelated raters that were announced.",
            )?,
            alerts: make.counter("zhenping_alerts_total", "Jumps in what a window's ratings are made of.")?,
            connections: make.int_gauge("zhenping_http_connections", "HTTP connections being served.")?,
            registry: make.registry,
        })
    }

    /// Counts a scored rating.
    pub fn rating(&self, decision: Decision, bad: bool) {
        self.ratings[decision as usize][usize::from(bad)].inc();
    }

    /// Says how far learning from reviewers' decisions is.
    pub fn learning(&self, published: u64, ratings: usize, has_shadow: bool) {
        set(&self.labels_published, published);
        set(&self.labels_ratings, ratings as u64);
        self.labels_shadow.set(i64::from(has_shadow));
    }

    /// Counts an act of review.
    pub fn reviewed(&self, act: Act) {
        self.reviews.with_label_values(&[act.name()]).inc();
    }

    /// Ratings scored with this decision so far.
    pub fn ratings_with(&self, decision: Decision) -> u64 {
        self.ratings[decision as usize].iter().map(IntCounter::get).sum()
    }

    /// Records the time of one rating in one part of its way.
    pub fn latency(&self, stage: Stage, elapsed: Duration) {
        self.latency[stage as usize].observe(elapsed.as_secs_f64());
    }

    /// Records that the log was made durable just now, and how long that took.
    pub fn synced(&self, elapsed: Duration) {
        self.fsync.observe(elapsed.as_secs_f64());
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.last_sync.set(since_epoch.as_secs_f64());
    }

    /// Records how long intake stood still for a snapshot.
    pub fn snapshot_pause(&self, elapsed: Duration) {
        self.snapshot_pause.observe(elapsed.as_secs_f64());
    }

    /// Counts a warning under its path in the contract, without indices: `tags[3]` counts as `tags`.
    pub fn warning(&self, path: &str) {
        let path = path.split('[').next().unwrap_or(path);
        let mut known = self.warning_paths.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let label = if known.contains(path) {
            path
        } else if known.len() < WARNING_PATHS_MAX {
            known.insert(path.to_owned());
            path
        } else {
            "other"
        };
        self.warnings.with_label_values(&[label]).inc();
    }

    /// States the version of the rule set in force.
    pub fn rules(&self, version: &str) {
        self.rules_info.reset();
        self.rules_info.with_label_values(&[version]).set(1);
    }

    /// States how many holds of bad, or of other, ratings nobody has decided.
    pub fn pending(&self, bad: bool, holds: u64) {
        let kind = if bad { "bad" } else { "good" };
        set(&self.pending_holds.with_label_values(&[kind]), holds);
    }

    /// Counts an HTTP answer. `route` is the route's pattern, never the path that was called.
    pub fn http(&self, route: &str, status: u16) {
        let mut digits = [0; 3];
        self.http.with_label_values(&[route, three_digits(status, &mut digits)]).inc();
    }

    /// All metrics as text.
    ///
    /// # Errors
    /// If the encoder fails, which it does only for a metric without a value.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut bytes = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Sets a gauge to a count.
pub fn set(gauge: &IntGauge, count: u64) {
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
}

fn three_digits(status: u16, digits: &mut [u8; 3]) -> &str {
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b'0' + (status / 10_u16.pow(place as u32) % 10) as u8;
    }
    std::str::from_utf8(digits).unwrap_or("000")
}

/// Makes metrics and registers them.
struct Maker {
    registry: Registry,
}

impl Maker {
    fn register<C: prometheus::core::Collector + Clone + 'static>(
        &self,
        metric: C,
    ) -> Result<C, prometheus::Error> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(name, help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn int_gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(name, help)?)
    }

    fn int_gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        self.register(Gauge::new(name, help)?)
    }

    fn histogram(&self, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
        let options = HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS_S.to_vec());
        self.register(Histogram::with_opts(options)?)
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, prometheus::Error> {
        let options = HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS_S.to_vec());
        self.register(HistogramVec::new(options, labels)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_registers_and_prints() {
        let metrics = Metrics::new().unwrap();
        metrics.rating(Decision::Hold, true);
        metrics.latency(Stage::Commit, Duration::from_micros(150));
        metrics.synced(Duration::from_micros(150));
        metrics.warning("device.screen");
        metrics.rules("0102030405060708");
        metrics.rules("0808080808080808");
        metrics.pending(true, 3);
        metrics.http("/v1/ratings", 422);
        let text = metrics.text().unwrap();
        for line in [
            r#"zhenping_ratings_total{bad="true",decision="hold"} 1"#,
            r#"zhenping_ratings_total{bad="false",decision="reject"} 0"#,
            r#"zhenping_latency_seconds_count{stage="commit"} 1"#,
            r#"zhenping_warnings_total{path="device.screen"} 1"#,
            r#"zhenping_rules_info{version="0808080808080808"} 1"#,
            r#"zhenping_pending_holds{kind="bad"} 3"#,
            r#"zhenping_http_requests_total{route="/v1/ratings",status="422"} 1"#,
            "zhenping_log_fsync_seconds_count 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("0102030405060708"), "an old rule set is no longer named");
        assert_eq!(metrics.ratings_with(Decision::Hold), 1);
    }

    #[test]
    fn paths_of_warnings_are_a_bounded_set() {
        let metrics = Metrics::new().unwrap();
        for index in 0..1_000 {
            metrics.warning(&format!("field{index}"));
            metrics.warning(&format!("tags[{index}]"));
        }
        let text = metrics.text().unwrap();
        let series = text.lines().filter(|line| line.starts_with("zhenping_warnings_total{")).count();
        assert_eq!(series, WARNING_PATHS_MAX + 1);
        assert!(text.contains(r#"zhenping_warnings_total{path="tags"} 1000"#));
    }
}
