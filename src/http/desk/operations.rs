//! What operators look at: rates, times, holds, versions, the ledger.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use serde::Serialize;

use super::Desk;
use super::pages::{PageResult, Problem, respond};
use super::visit::Visitor;
use super::words::{Named, name_of};
use crate::http::backend::Backend;
use crate::http::cluster::Nodes;
use crate::http::incidents::{Copied, Surge};
use crate::service::MINUTES_KEPT;
use crate::time::{Instant, MINUTE_MS};
use crate::wire::Suspicion;

/// Most incidents, and most alerts, on the page.
const MOST_SURGES: usize = 20;

#[derive(Serialize)]
struct Content {
    live: Live,
    holds: Vec<Holds>,
    rates: Chart,
    incidents: Vec<Surge>,
    alerts: Vec<Surge>,
    /// `None` where the service has its log alone.
    cluster: Option<Nodes>,
    ledger: Ledger,
    rules: String,
    model: Option<String>,
    desk: Projection,
    sessions: usize,
}

#[derive(Serialize)]
struct Live {
    uptime_s: u64,
    admitted: u64,
    held: u64,
    rejected: u64,
    bad: u64,
    shed: u64,
    queue_depth: u64,
    queue_limit: u64,
    p50_us: u64,
    p99_us: u64,
    pending_bad: u64,
    pending_good: u64,
    oldest_pending_s: Option<u64>,
    budget_used: u64,
    budget_limit: u64,
}

#[derive(Serialize)]
struct Holds {
    kind: Named,
    n: u64,
}

/// A line over time, in the pixels of its picture.
#[derive(Serialize)]
pub struct Chart {
    points: Vec<Point>,
    width: u32,
    height: u32,
    max: u64,
    ticks: Vec<Tick>,
}

#[derive(Serialize)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Serialize)]
struct Tick {
    x: f64,
    label: String,
}

#[derive(Serialize)]
struct Ledger {
    position: u64,
    head: String,
}

#[derive(Serialize)]
struct Projection {
    position: u64,
    lag: u64,
}

/// `GET /desk/operations`.
pub async fn page(State(desk): State<Arc<Desk>>, visitor: Visitor) -> Response<Body> {
    let result = show(&desk, &visitor).await;
    respond(&desk, &visitor.caller, result)
}

async fn show(desk: &Arc<Desk>, visitor: &Visitor) -> PageResult {
    let content = desk.read(content).await??;
    desk.page(visitor, "operations", &content)
}

/// `GET /desk/operations.json`.
pub async fn live(State(desk): State<Arc<Desk>>, visitor: Visitor) -> Response<Body> {
    match desk.read(content).await.and_then(|content| content) {
        Ok(content) => Json(content).into_response(),
        Err(refused) => respond(&desk, &visitor.caller, Err(refused)),
    }
}

fn content(desk: &Desk) -> Result<Content, Problem> {
    let live = Backend::live(&*desk.service);
    let head = desk.service.log_head();
    let holds = desk
        .review
        .projection()
        .pending_by_suspicion()
        .map_err(|failure| Problem::failed("holds", &failure))?;
    let position = desk.review.position();
    let count = |kind: Suspicion| holds.get(kind.name()).copied().unwrap_or(0);
    let surges = desk.service.folds(|folds| Copied::of(&folds.incidents, MOST_SURGES));
    let surges = surges.told(|at| desk.moment(at));
    let waits = live.pending_bad + live.pending_good > 0;
    Ok(Content {
        holds: Suspicion::ALL.iter().map(|&kind| Holds { kind: name_of(kind), n: count(kind) }).collect(),
        rates: rates(desk),
        incidents: surges.incidents,
        alerts: surges.alerts,
        cluster: Some(Nodes::of(&desk.service)).filter(|nodes| !nodes.node.is_empty()),
        ledger: Ledger { position: head.next_sequence, head: head.chain.to_string() },
        rules: live.rules.clone(),
        model: desk
            .service
            .ruling()
            .filter(|ruling| ruling.model().is_some())
            .map(|ruling| ruling.model_version().to_string()),
        desk: Projection { position, lag: head.next_sequence.saturating_sub(position) },
        sessions: desk.access.session_count(),
        live: Live {
            uptime_s: live.uptime_ms / 1_000,
            admitted: live.admitted,
            held: live.held,
            rejected: live.rejected,
            bad: live.bad,
            shed: live.shed,
            queue_depth: live.queue_depth,
            queue_limit: live.queue_limit,
            p50_us: live.p50_us,
            p99_us: live.p99_us,
            pending_bad: live.pending_bad,
            pending_good: live.pending_good,
            oldest_pending_s: waits.then_some(live.oldest_pending_s),
            budget_used: live.budget_used,
            budget_limit: live.budget_limit,
        },
    })
}

/// Ratings in each of the last sixty minutes.
fn rates(desk: &Desk) -> Chart {
    let now = desk.now().ms().div_euclid(MINUTE_MS);
    let counts = desk.review.per_minute(now);
    let label = |minute: i64| {
        let at = desk.moment(Instant(minute * MINUTE_MS));
        at.get(11..16).unwrap_or_default().to_owned()
    };
    let first = now - MINUTES_KEPT as i64 + 1;
    let labels: Vec<(usize, String)> =
        [15, 30, 45].into_iter().map(|place| (place, label(first + place as i64))).collect();
    Chart::of(&counts, &labels)
}

impl Chart {
    /// A line through counts that stand at even distances, with labels at some of them.
    pub fn of(counts: &[u64], labels: &[(usize, String)]) -> Self {
        const WIDTH: u32 = 960;
        const HEIGHT: u32 = 150;
        /// Room for the labels below.
        const FOOT: f64 = 20.0;
        const HEAD: f64 = 10.0;
        let max = counts.iter().copied().max().unwrap_or(0);
        let step = f64::from(WIDTH) / (counts.len().max(2) - 1) as f64;
        let x = |place: usize| ((place as f64 * step) * 10.0).round() / 10.0;
        let room = f64::from(HEIGHT) - FOOT - HEAD;
        let y = |count: u64| {
            let share = count as f64 / max.max(1) as f64;
            ((HEAD + room * (1.0 - share)) * 10.0).round() / 10.0
        };
        Self {
            points: counts
                .iter()
                .enumerate()
                .map(|(place, &count)| Point { x: x(place), y: y(count) })
                .collect(),
            width: WIDTH,
            height: HEIGHT,
            max,
            ticks: labels.iter().map(|(place, label)| Tick { x: x(*place), label: label.clone() }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_stays_within_its_picture() {
        for counts in [&[][..], &[0], &[5], &[0, 0, 0], &[1, 9, 3, u64::MAX]] {
            let chart = Chart::of(counts, &[(0, "a".into())]);
            for Point { x, y } in &chart.points {
                assert!((0.0..=960.0).contains(x) && (0.0..=150.0).contains(y), "{counts:?}: {x} {y}");
            }
        }
    }
}
