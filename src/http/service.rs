//! The service as the HTTP floor sees it.

use std::fmt::Display;
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;

use axum::body::Bytes;
use compact_str::CompactString;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use super::backend::{
    Answer, Backend, BackendError, Live, LiveReason, LiveVerdict, Page, Refusal as RefusedRating,
    ReviewFailure, SURGES_MAX, StatisticsQuery, StatisticsQueryError,
};
use super::cluster::Nodes;
use super::incidents::{Copied, Surges};
use crate::log::Entry;
use crate::log::entry::{Act, CallbackResult};
use crate::review::{Refusal, ReviewTimes};
use crate::service::{self, Reply, ReviewRequest, RulesOrigin, Service, ServiceError, Submission};
use crate::statistics::{Query, QueryError};
use crate::time::Instant;
use crate::wire::{Decision, Suspicion};

impl From<service::Answer> for Answer {
    fn from(answer: service::Answer) -> Self {
        match answer {
            service::Answer::Verdict(json) => Self::Verdict(json),
            service::Answer::Conflict { rating_id } => Self::Conflict { rating_id },
            service::Answer::Invalid(error) => Self::Invalid(Box::new(RefusedRating {
                code: error.code.name().to_owned(),
                path: error.path.to_owned(),
                message: error.to_string(),
                found: error.found.into_owned(),
                allowed: error.allowed.into_owned(),
            })),
            service::Answer::Shed { retry_after_s } => Self::Shed { retry_after_s },
            service::Answer::Stopping => Self::Stopping,
        }
    }
}

fn waiting() -> (Box<dyn FnOnce(service::Answer) + Send>, oneshot::Receiver<Answer>) {
    let (sender, receiver) = oneshot::channel();
    // Whoever hung up can ask again: the verdict is durable.
    (Box::new(move |answer| drop(sender.send(Answer::from(answer)))), receiver)
}

/// Lets the tasks run that are ready to now, and goes on behind them. `tokio::task::yield_now` would let
/// those pass too that become ready meanwhile, without end on a busy machine.
async fn step_back() {
    let mut behind = false;
    poll_fn(|context| match std::mem::replace(&mut behind, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

fn failed(error: ServiceError) -> BackendError {
    BackendError(error.to_string())
}

impl<T> From<service::Page<T>> for Page<(u64, T)> {
    fn from(page: service::Page<T>) -> Self {
        Self { items: page.items, next: page.next }
    }
}

impl Backend for Service {
    async fn submit(&self, body: Bytes) -> Answer {
        let (reply, receiver) = waiting();
        if let Some(turn) = self.arrive(body, reply) {
            // Calls whose connections are ready too arrive first, and all go on together. If this call
            // is dropped meanwhile, so is the turn, which is all that the others wait for.
            step_back().await;
            drop(turn);
        }
        receiver.await.unwrap_or(Answer::Stopping)
    }

    async fn submit_batch(&self, lines: Vec<Bytes>) -> Vec<Answer> {
        let (mut submissions, mut receivers) =
            (Vec::with_capacity(lines.len()), Vec::with_capacity(lines.len()));
        for line in lines {
            let (reply, receiver) = waiting();
            submissions.push(Submission::Rating { line, reply: Reply::Call(reply) });
            receivers.push(receiver);
        }
        // What is not taken is dropped unanswered, which reads as stopping.
        drop(self.push_in_turn(submissions).await);
        let mut answers = Vec::with_capacity(receivers.len());
        for receiver in receivers {
            answers.push(receiver.await.unwrap_or(Answer::Stopping));
        }
        answers
    }

    fn verdicts_of(&self, rating_id: &str) -> Result<Option<Value>, BackendError> {
        Service::verdicts_of(self, rating_id).map_err(failed)
    }

    fn verdicts_from(&self, from: u64, limit: usize) -> Result<Page<(u64, Value)>, BackendError> {
        Service::verdicts_from(self, from, limit).map(Page::from).map_err(failed)
    }

    fn handling_from(&self, from: u64, limit: usize) -> Result<Page<(u64, String)>, BackendError> {
        Service::handling_from(self, from, limit).map(Page::from).map_err(failed)
    }

    fn callbacks_from(&self, from: u64, limit: usize) -> Result<Page<(u64, String)>, BackendError> {
        Service::callbacks_from(self, from, limit).map(Page::from).map_err(failed)
    }

    fn appeal(&self, reference: &str, words: &str) -> Result<u64, ReviewFailure> {
        let Some(desk) = Service::desk(self) else { return Err(ReviewFailure::NotFound) };
        let unavailable = |error: &dyn Display| ReviewFailure::Unavailable(BackendError(error.to_string()));
        // An appeal may come right after the verdict that it is against.
        desk.wait_for(*Service::head(self).borrow());
        let found = desk.projection().by_reference(reference).map_err(|error| unavailable(&error))?;
        let (_, rating_id) = found.ok_or(ReviewFailure::NotFound)?;
        self.act_from_outside(&rating_id, Act::Appeal, words)
    }

    fn evidence(&self, rating_id: &str, result: CallbackResult, words: &str) -> Result<u64, ReviewFailure> {
        self.act_from_outside(rating_id, Act::Callback(result), words)
    }

    fn desk(self: &Arc<Self>) -> Option<Arc<Service>> {
        Service::desk(self).map(|_| Arc::clone(self))
    }

    fn nodes(&self) -> Nodes {
        Nodes::of(self)
    }

    fn incidents(&self) -> Surges {
        let copied = self.folds(|folds| Copied::of(&folds.incidents, SURGES_MAX));
        copied.told(|at| at.to_string())
    }

    fn statistics(&self, query: &StatisticsQuery) -> Result<Value, StatisticsQueryError> {
        let invalid = |error: QueryError| StatisticsQueryError::Invalid {
            parameter: error.field,
            allowed: error.message,
        };
        let mut asked = Query::default();
        if let Some(by) = &query.by {
            asked = asked.by(by).map_err(invalid)?;
        }
        if let Some(from) = &query.from {
            asked = asked.from(from).map_err(invalid)?;
        }
        if let Some(to) = &query.to {
            asked = asked.to(to).map_err(invalid)?;
        }
        if let Some(per) = &query.per {
            asked = asked.per(per).map_err(invalid)?;
        }
        if let Some(limit) = &query.limit {
            asked = asked.limit(limit).map_err(invalid)?;
        }
        asked.department = query.department.as_deref().map(Into::into);
        let report = self.statistics_report(&asked).map_err(invalid)?;
        serde_json::to_value(report)
            .map_err(|error| StatisticsQueryError::Unavailable(BackendError(error.to_string())))
    }

    fn head(&self) -> watch::Receiver<u64> {
        Service::head(self)
    }

    fn ready(&self) -> Result<(), String> {
        if !self.is_ready() {
            return Err("the log is lost; the error is in the service's log".to_owned());
        }
        match self.cluster() {
            Some(cluster) if cluster.diverged => {
                Err("another node has another log; the error is in the service's log".to_owned())
            }
            Some(cluster) if cluster.cut_off => {
                Err("the cluster's log cannot be reached; it is tried again and again".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn is_lost(&self) -> bool {
        !self.is_ready()
    }

    fn reload_rules(&self) -> Result<Value, String> {
        match Service::reload_rules(self) {
            Ok(version) => Ok(serde_json::json!({ "rules": version.to_string() })),
            Err(error) => {
                self.metrics().rule_reload_failures.inc();
                Err(error.to_string())
            }
        }
    }

    fn rules_directory(&self) -> Option<PathBuf> {
        match self.rules_origin() {
            RulesOrigin::Directory(path) => Some(path.clone()),
            RulesOrigin::Shipped => None,
        }
    }

    fn reload_references(&self) -> Result<Value, String> {
        match Service::reload_references(self) {
            Ok(version) => Ok(serde_json::json!({ "reference": version.map(|version| version.to_string()) })),
            Err(error) => {
                self.metrics().reference_reload_failures.inc();
                Err(error.to_string())
            }
        }
    }

    fn reference_directory(&self) -> Option<PathBuf> {
        Some(self.reference_origin().directory().to_owned())
    }

    fn live(&self) -> Live {
        let metrics = self.metrics();
        self.measure_state();
        let (queue_depth, queue_limit) = self.queue();
        let (p50_us, p99_us) = self.latency_percentiles();
        let now = service::Clock::Wall.now().unwrap_or_default();
        let mut live = Live {
            uptime_ms: self.uptime().as_millis() as u64,
            admitted: metrics.ratings_with(Decision::Admit),
            held: metrics.ratings_with(Decision::Hold),
            rejected: metrics.ratings_with(Decision::Reject),
            shed: metrics.shed.get(),
            queue_depth: queue_depth as u64,
            queue_limit: queue_limit as u64,
            p50_us,
            p99_us,
            rules: self.rules_version().map(|version| version.to_string()).unwrap_or_default(),
            log_head: *Service::head(self).borrow(),
            latest: self.recent().iter().map(|(entry, verdict)| shown(entry, verdict)).collect(),
            ..Live::default()
        };
        self.folds(|folds| {
            live.bad = folds.bad_ratings;
            live.pending_bad = folds.pending.bad_len();
            live.pending_good = folds.pending_holds() - live.pending_bad;
            live.oldest_pending_s = folds.pending.oldest().map_or(0, |since| age_s(since, now));
            live.budget_used = u64::from(folds.budget.used());
            live.budget_limit = u64::from(folds.budget.limit());
        });
        live
    }

    fn stop(&self) {
        if let Err(error) = Service::stop(self) {
            tracing::error!(%error, "the service ended with an error");
        }
    }
}

impl Service {
    /// An act of somebody from outside.
    fn act_from_outside(&self, rating_id: &str, act: Act, words: &str) -> Result<u64, ReviewFailure> {
        let request = ReviewRequest {
            rating_ids: vec![rating_id.into()],
            act,
            reason: CompactString::default(),
            words: words.trim().to_owned(),
            by: CompactString::default(),
            at: service::Clock::Wall.now().unwrap_or_default(),
            times: ReviewTimes::default(),
            permit: Arc::new(|_| Ok(())),
        };
        let reviewed = self.review(request).map_err(|error| ReviewFailure::Unavailable(failed(error)))?;
        match reviewed.into_iter().next().map(|one| one.result) {
            Some(Ok((_, sequence))) => Ok(sequence),
            Some(Err(Refusal::NoSuchCase)) | None => Err(ReviewFailure::NotFound),
            Some(Err(refusal)) => {
                Err(ReviewFailure::Refused { code: refusal.code(), message: refusal.sentences().1 })
            }
        }
    }
}

fn age_s(since: Instant, now: Instant) -> u64 {
    u64::try_from((now.ms() - since.ms()) / 1_000).unwrap_or(0)
}

/// One verdict for the live page. It is read from the verdict's own JSON, so that the page can show
/// nothing that the answer did not say.
fn shown(entry: &Entry, verdict: &Value) -> LiveVerdict {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = |value: &Value, names: &'static [&'static str]| {
        names.iter().find(|name| value.as_str() == Some(name)).copied()
    };
    LiveVerdict {
        rating_id: text(&verdict["rating_id"]),
        revision: verdict["revision"].as_u64().unwrap_or(0) as u32,
        decision: name(&verdict["decision"], Decision::NAMES).unwrap_or_default(),
        suspicion: name(&verdict["suspicion"], Suspicion::NAMES),
        risk: verdict["risk"].as_f64().unwrap_or(0.0),
        stars: match entry {
            Entry::Revision(revision) => revision.rating.stars,
            other => other.rating().map_or(0, |rating| rating.stars),
        },
        sequence: verdict["sequence"].as_u64().unwrap_or(0),
        scored_at: text(&verdict["scored_at"]),
        reasons: verdict["reasons"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|reason| LiveReason { text: text(&reason["text"]), text_en: text(&reason["text_en"]) })
            .collect(),
    }
}
