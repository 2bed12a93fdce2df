//! What the HTTP floor needs of the service behind it.
//!
//! The floor is generic over this trait, so that its tests run against a backend in memory and the
//! service knows nothing of HTTP.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Bytes;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::cluster::Nodes;
use super::incidents::Surges;
use crate::log::entry::CallbackResult;
use crate::service::Service;

/// What became of one rating.
#[derive(Debug)]
pub enum Answer {
    /// The verdict as JSON. It is durable.
    Verdict(Vec<u8>),
    /// A rating with this id and other content has been answered before.
    Conflict {
        /// The id in question.
        rating_id: String,
    },
    /// A required field is missing or wrong.
    Invalid(Box<Refusal>),
    /// The queue is full.
    Shed {
        /// When to come again.
        retry_after_s: u32,
    },
    /// The service is stopping, or has lost its log.
    Stopping,
}

/// Why a rating was refused. It quotes nothing of the rating: what was found is a type or a length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Stable code, such as `missing` or `out_of_range`.
    pub code: String,
    /// JSON path of the field, such as `$.service.matter`.
    pub path: String,
    /// What was found there.
    pub found: String,
    /// What is allowed there.
    pub allowed: String,
    /// All of it in a sentence.
    pub message: String,
}

/// Part of a feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// In the order of the log.
    pub items: Vec<T>,
    /// The sequence to go on from: the `from` of the next call. At least the `from` of this one, and
    /// greater unless the log ends there.
    pub next: u64,
}

/// Which figures are asked for: the parameters of the query as they came. The backend knows what is
/// allowed in each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatisticsQuery {
    /// What to group by.
    pub by: Option<String>,
    /// Into which periods to cut.
    pub per: Option<String>,
    /// First day or month.
    pub from: Option<String>,
    /// Last day or month.
    pub to: Option<String>,
    /// The department within which to look.
    pub department: Option<String>,
    /// Most rows.
    pub limit: Option<String>,
}

/// Why figures could not be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatisticsQueryError {
    /// A parameter is wrong.
    Invalid {
        /// Its name.
        parameter: &'static str,
        /// What is allowed.
        allowed: String,
    },
    /// The figures cannot be read now.
    Unavailable(BackendError),
}

/// Something failed behind the door. The text goes to the operator's log, never to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendError(pub String);

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BackendError {}

/// Why something that was sent to the desk was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReviewFailure {
    /// There is no such rating or reference, or it is erased.
    NotFound,
    /// It is not in order now.
    Refused {
        /// Stable code.
        code: &'static str,
        /// Why, for whoever sent it.
        message: String,
    },
    /// It cannot be taken now.
    Unavailable(BackendError),
}

/// Figures of the running service, for the live page and the demonstration.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Live {
    /// Milliseconds since the service started; rates are differences over this.
    pub uptime_ms: u64,
    /// Ratings admitted since the start (inline decisions).
    pub admitted: u64,
    /// Ratings held since the start.
    pub held: u64,
    /// Ratings rejected since the start.
    pub rejected: u64,
    /// Bad ratings among them all.
    pub bad: u64,
    /// Ratings shed since the start.
    pub shed: u64,
    /// Ratings that wait or are being scored.
    pub queue_depth: u64,
    /// Bound of the queue.
    pub queue_limit: u64,
    /// Median time of an answer of late, in microseconds.
    pub p50_us: u64,
    /// 99th percentile of the same.
    pub p99_us: u64,
    /// Holds of bad ratings that nobody has decided.
    pub pending_bad: u64,
    /// Holds of other ratings that nobody has decided.
    pub pending_good: u64,
    /// Age of the oldest of them, in seconds.
    pub oldest_pending_s: u64,
    /// Holds of bad ratings made today.
    pub budget_used: u64,
    /// Holds of bad ratings allowed a day.
    pub budget_limit: u64,
    /// Version of the rule set in force.
    pub rules: String,
    /// Next sequence of the log.
    pub log_head: u64,
    /// The latest verdicts that were not plain admissions, newest first; at most [`LIVE_LATEST_MAX`].
    pub latest: Vec<LiveVerdict>,
}

/// Most verdicts in [`Live::latest`].
pub const LIVE_LATEST_MAX: usize = 20;

/// One verdict on the live page.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LiveVerdict {
    /// The rating.
    pub rating_id: String,
    /// Its revision: above 0 it corrects an earlier one.
    pub revision: u32,
    /// `admit`, `hold` or `reject`.
    pub decision: &'static str,
    /// What it is suspected of.
    pub suspicion: Option<&'static str>,
    /// Probability that the rating is not genuine.
    pub risk: f64,
    /// Stars given.
    pub stars: u8,
    /// Place in the log.
    pub sequence: u64,
    /// When it was scored, RFC 3339.
    pub scored_at: String,
    /// Strongest first.
    pub reasons: Vec<LiveReason>,
}

/// One reason on the live page.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LiveReason {
    /// A sentence in Chinese.
    pub text: String,
    /// The same in English.
    pub text_en: String,
}

/// Most incidents, and most alerts, that one call tells of.
pub const SURGES_MAX: usize = 200;

/// The service behind the door.
pub trait Backend: Send + Sync + 'static {
    /// Takes one rating and waits for its answer. It may be scored on the thread that polls, which takes
    /// tens of microseconds for each rating but waits for no disk. If too many are on their way, the
    /// answer is [`Answer::Shed`] at once.
    fn submit(&self, body: Bytes) -> impl Future<Output = Answer> + Send;

    /// Hands over some lines of a batch and waits, for room and then for their answers: one for each
    /// line, in their order.
    fn submit_batch(&self, lines: Vec<Bytes>) -> impl Future<Output = Vec<Answer>> + Send;

    /// All revisions of a rating's verdict, newest first, with the feature values; `None` if there is no
    /// such rating. Blocks on the disk.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn verdicts_of(&self, rating_id: &str) -> Result<Option<Value>, BackendError>;

    /// Verdicts and revisions from a sequence on, at most `limit`. Blocks on the disk.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn verdicts_from(&self, from: u64, limit: usize) -> Result<Page<(u64, Value)>, BackendError>;

    /// Ids of the bad ratings from a sequence on, at most `limit`. Blocks on the disk.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn handling_from(&self, from: u64, limit: usize) -> Result<Page<(u64, String)>, BackendError>;

    /// Ids of the ratings whose raters are to be called back, from a sequence on, at most `limit`. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn callbacks_from(&self, from: u64, limit: usize) -> Result<Page<(u64, String)>, BackendError>;

    /// Takes an appeal under its reference; its place in the log. Blocks until it is durable.
    ///
    /// # Errors
    /// There is no such reference, or the appeal is not in order now.
    fn appeal(&self, reference: &str, words: &str) -> Result<u64, ReviewFailure>;

    /// Takes what a call back found; its place in the log. Blocks until it is durable.
    ///
    /// # Errors
    /// There is no such rating.
    fn evidence(&self, rating_id: &str, result: CallbackResult, words: &str) -> Result<u64, ReviewFailure>;

    /// The service that the reviewers' desk works on; `None` where there is no desk.
    fn desk(self: &Arc<Self>) -> Option<Arc<Service>> {
        None
    }

    /// Incidents and alerts, those that go on first, at most [`SURGES_MAX`] of each.
    fn incidents(&self) -> Surges;

    /// The nodes of the cluster; without any where the service has its log alone.
    fn nodes(&self) -> Nodes {
        Nodes::default()
    }

    /// The authoritative figures and the log position they follow from. Blocks.
    ///
    /// # Errors
    /// If the query is wrong or the figures cannot be read.
    fn statistics(&self, query: &StatisticsQuery) -> Result<Value, StatisticsQueryError>;

    /// The next sequence of the durable log, as it moves.
    fn head(&self) -> watch::Receiver<u64>;

    /// Whether it takes ratings; if not, why: it is replaying, or has lost its log.
    ///
    /// # Errors
    /// The reason, for the operator.
    fn ready(&self) -> Result<(), String>;

    /// Whether it can never take a rating again, so that the process had better end.
    fn is_lost(&self) -> bool {
        false
    }

    /// Loads the rule files again and swaps the set if it is sound; what is now in force. Blocks.
    ///
    /// # Errors
    /// The rendered diagnostics. The set in force stays.
    fn reload_rules(&self) -> Result<Value, String>;

    /// Where the rule files are, if they are files: the directory whose changes are followed.
    fn rules_directory(&self) -> Option<PathBuf>;

    /// Reads the reference tables again and takes them if they are sound; what is now in force. Blocks.
    ///
    /// # Errors
    /// Everything that is wrong with them. Those in force stay.
    fn reload_references(&self) -> Result<Value, String> {
        Ok(serde_json::json!({ "reference": null }))
    }

    /// Where the reference tables are: the directory whose changes are followed. It need not exist.
    fn reference_directory(&self) -> Option<PathBuf> {
        None
    }

    /// Figures of now. Does not block.
    fn live(&self) -> Live;

    /// Stops: takes no more, and returns once everything taken is durable and answered. Blocks.
    fn stop(&self);
}
