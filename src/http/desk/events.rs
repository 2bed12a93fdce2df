//! Live updates of the queue, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Desk;
use super::pages::{Problem, problem};
use super::queue::scope_of;
use super::visit::Visitor;
use super::words::text;
use crate::review::projection::{Counts, Viewer};

/// How often a page may be told something. People do not read faster.
const EVERY: Duration = Duration::from_secs(2);
/// Most ids of changed rows in one event.
const CHANGED_MAX: usize = 200;

#[derive(Serialize)]
struct News {
    #[serde(flatten)]
    counts: Counts,
    head: u64,
    changed: Vec<String>,
}

/// `GET /desk/events`.
pub async fn stream(State(desk): State<Arc<Desk>>, visitor: Visitor) -> Response<Body> {
    let Ok(place) = Arc::clone(&desk.streams).try_acquire_owned() else {
        let what = text("实时更新的连接已满", "No more live connections");
        return problem(&desk, &visitor.caller, Problem::new(StatusCode::SERVICE_UNAVAILABLE, what));
    };
    let (sender, receiver) = mpsc::channel::<Result<Event, Infallible>>(4);
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    tokio::spawn(async move {
        let _place = place;
        let mut stopping = desk.stopping.clone();
        let mut seen = desk.review.position();
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = sender.closed() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            // A session that has ended is told nothing more.
            let is_in_force =
                visitor.caller.cookie.as_deref().is_some_and(|cookie| desk.access.is_in_force(cookie));
            if !is_in_force {
                return;
            }
            let head = desk.review.position();
            if head == seen {
                continue;
            }
            let (from, account, now) = (seen, Arc::clone(visitor.account()), desk.now());
            let news = desk
                .read(move |desk| {
                    let projection = desk.review.projection();
                    let changed = projection.changed_since(from, CHANGED_MAX)?;
                    let counts =
                        projection.counts(&scope_of(&account), Viewer { name: &account.name, now })?;
                    Ok::<_, crate::review::projection::ProjectionError>(News { counts, head, changed })
                })
                .await;
            seen = head;
            let Ok(Ok(news)) = news else { continue };
            let Ok(event) = Event::default().event("queue").json_data(&news) else { continue };
            if sender.send(Ok(event)).await.is_err() {
                return;
            }
        }
    });
    Sse::new(ReceiverStream::new(receiver)).keep_alive(keep_alive).into_response()
}
