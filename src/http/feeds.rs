//! What downstream follows: a rating's verdicts, the feed of verdicts, and the feed for handling.
//!
//! Feeds are read from a sequence on. `from` is the first sequence wanted, and `next` in an answer is the
//! `from` of the call after it; so a reader that stores `next` after it has done its work sees everything
//! at least once.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Response, Uri};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::auth::Call;
use super::backend::Backend;
use super::problem::{Problem, json};
use super::{App, CallResult, json_response, response_of};

/// Items in a page when `limit` is absent.
const LIMIT_DEFAULT: usize = 100;
/// Most items in a page.
const LIMIT_MAX: usize = 1_000;
/// Events of a stream that wait for its reader.
const EVENTS_QUEUED: usize = 256;
/// How long a stream waits for a reader that takes nothing; it resumes by `Last-Event-ID`.
const READER_STALL_MAX: Duration = Duration::from_secs(60);
/// How long a stream waits before it reads again where the log could not be read.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// `GET /v1/ratings/{rating_id}/verdict`.
pub(super) async fn verdict<B: Backend>(
    State(app): State<Arc<App<B>>>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response<Body> {
    response_of(revisions(app, path, &headers).await)
}

async fn revisions<B: Backend>(
    app: Arc<App<B>>,
    path: Result<Path<String>, PathRejection>,
    headers: &HeaderMap,
) -> CallResult {
    app.admit(headers, Call::Verdicts).await?;
    let rating_id = path.ok().map(|Path(rating_id)| rating_id).filter(|rating_id| is_rating_id(rating_id));
    let Some(rating_id) = rating_id else {
        return Err(Problem::parameter("rating_id", "1 to 128 of A-Z a-z 0-9 . _ : -"));
    };
    let found = app.read(move |backend| backend.verdicts_of(&rating_id)).await?;
    let found = found.map_err(|error| Problem::failed("Reading the verdicts", &error))?;
    found.map(|verdicts| json_response(json(&verdicts))).ok_or_else(Problem::no_such_rating)
}

/// As the contract has it.
pub(super) fn is_rating_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

/// `GET /v1/verdicts?from=&limit=`.
pub(super) async fn verdicts<B: Backend>(
    State(app): State<Arc<App<B>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    response_of(page_of_verdicts(app, &uri, &headers).await)
}

async fn page_of_verdicts<B: Backend>(app: Arc<App<B>>, uri: &Uri, headers: &HeaderMap) -> CallResult {
    #[derive(Serialize)]
    struct Answer {
        verdicts: Vec<Value>,
        next: u64,
    }
    app.admit(headers, Call::Verdicts).await?;
    let Range { from, limit } = Range::of(uri, &["from", "limit"])?;
    let page = app.read(move |backend| backend.verdicts_from(from, limit)).await?;
    let page = page.map_err(|error| Problem::failed("Reading the verdicts", &error))?;
    let verdicts = page.items.into_iter().map(|(_, verdict)| verdict).collect();
    Ok(json_response(json(&Answer { verdicts, next: page.next })))
}

/// `GET /v1/handling?from=&limit=`: the id and `proceed`, and nothing that tells a held rating from another.
pub(super) async fn handling<B: Backend>(
    State(app): State<Arc<App<B>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    response_of(page_of_handling(app, &uri, &headers).await)
}

async fn page_of_handling<B: Backend>(app: Arc<App<B>>, uri: &Uri, headers: &HeaderMap) -> CallResult {
    #[derive(Serialize)]
    struct Item {
        rating_id: String,
        handling: &'static str,
    }
    #[derive(Serialize)]
    struct Answer {
        ratings: Vec<Item>,
        next: u64,
    }
    app.admit(headers, Call::Handling).await?;
    let Range { from, limit } = Range::of(uri, &["from", "limit"])?;
    let page = app.read(move |backend| backend.handling_from(from, limit)).await?;
    let page = page.map_err(|error| Problem::failed("Reading the feed for handling", &error))?;
    let item = |(_, rating_id)| Item { rating_id, handling: "proceed" };
    Ok(json_response(json(&Answer { ratings: page.items.into_iter().map(item).collect(), next: page.next })))
}

/// `GET /v1/verdicts/stream?from=`: server-sent events, each with its sequence as its id.
pub(super) async fn stream<B: Backend>(
    State(app): State<Arc<App<B>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    response_of(open_stream(app, &uri, &headers).await)
}

async fn open_stream<B: Backend>(app: Arc<App<B>>, uri: &Uri, headers: &HeaderMap) -> CallResult {
    app.admit(headers, Call::Verdicts).await?;
    let Range { from, .. } = Range::of(uri, &["from"])?;
    // A reader that reconnects says what it saw last; its URL still says where it began.
    let from = match headers.get("last-event-id") {
        None => from,
        Some(id) => {
            let seen = id.to_str().ok().and_then(|id| id.trim().parse::<u64>().ok());
            let allowed = "the id of an event of this stream, a whole number";
            seen.and_then(|seen| seen.checked_add(1))
                .ok_or_else(|| Problem::parameter("Last-Event-ID", allowed))?
        }
    };
    let place = app.stream_place()?;
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(app.limits.stream_keep_alive_s));
    let (events, receiver) = mpsc::channel(EVENTS_QUEUED);
    tokio::spawn(follow(app, from, events, place));
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(keep_alive).into_response())
}

/// Sends verdicts from a sequence on as they become durable, until the reader goes or the service stops.
async fn follow<B: Backend>(
    app: Arc<App<B>>,
    from: u64,
    events: mpsc::Sender<Result<Event, Infallible>>,
    _place: OwnedSemaphorePermit,
) {
    let (mut next, mut head, mut stopping) = (from, app.backend.head(), app.stopping.clone());
    loop {
        let log_has_more = async {
            // The sender lives in the service; if it is gone, so is the log.
            head.wait_for(|&head| head > next).await.is_ok()
        };
        let goes_on = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => false,
            () = events.closed() => false,
            goes_on = log_has_more => goes_on,
        };
        if !goes_on {
            return;
        }
        let page = app.read(move |backend| backend.verdicts_from(next, LIMIT_DEFAULT)).await;
        let Ok(Ok(page)) = page else {
            tokio::time::sleep(RETRY_AFTER).await;
            continue;
        };
        for (sequence, verdict) in page.items {
            let event = Event::default().id(sequence.to_string()).event("verdict").data(verdict.to_string());
            let sent = tokio::time::timeout(READER_STALL_MAX, events.send(Ok(event))).await;
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
        next = next.max(page.next);
    }
}

/// The part of a feed that is asked for.
pub(super) struct Range {
    pub from: u64,
    pub limit: usize,
}

impl Range {
    pub fn of(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let parameters = parameters(uri, known)?;
        let from = match parameters.get("from") {
            None => 0,
            Some(text) => {
                text.parse().map_err(|_| Problem::parameter("from", "a sequence, a whole number from 0"))?
            }
        };
        let limit = match parameters.get("limit") {
            None => LIMIT_DEFAULT,
            Some(text) => {
                text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or_else(|| {
                    Problem::parameter("limit", format!("a whole number from 1 to {LIMIT_MAX}"))
                })?
            }
        };
        Ok(Self { from, limit })
    }
}

/// The parameters of a query, none of them unknown: a misspelt one would give other figures than were
/// asked for.
pub(super) fn parameters(uri: &Uri, known: &[&str]) -> Result<BTreeMap<String, String>, Problem> {
    let list = known.join(", ");
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| Problem::parameter("query", format!("the parameters {list}")))?;
    let mut parameters = BTreeMap::new();
    for (name, value) in pairs {
        if !known.contains(&name.as_str()) {
            return Err(Problem::parameter("query", format!("the parameters {list}, and no other")));
        }
        if !value.is_empty() && parameters.insert(name, value).is_some() {
            return Err(Problem::parameter("query", format!("the parameters {list}, each once")));
        }
    }
    Ok(parameters)
}
