//! What operators and their machines call: health, metrics, and new rules.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderMap, HeaderValue, Response, Uri};

use super::auth::{Call, from_this_machine};
use super::backend::{Backend, BackendError};
use super::problem::{Problem, json};
use super::{App, CallResult, Peer, json_response, response_of};
use crate::metrics::set;

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it takes ratings; not before the log is replayed, nor while it stops.
pub(super) async fn readyz<B: Backend>(State(app): State<Arc<App<B>>>) -> Response<Body> {
    let ready = match *app.stopping.borrow() {
        true => Err("it is stopping".to_owned()),
        false => app.backend.ready(),
    };
    response_of(match ready {
        Ok(()) => Ok(Response::new(Body::from("ready\n"))),
        Err(why) => Err(Problem::unavailable(&why)),
    })
}

/// `GET /metrics`.
pub(super) async fn metrics<B: Backend>(
    State(app): State<Arc<App<B>>>,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response<Body> {
    let peer = extensions.get::<Peer>().copied();
    response_of(text_of_metrics(app, peer, &uri, &headers).await)
}

async fn text_of_metrics<B: Backend>(
    app: Arc<App<B>>,
    peer: Option<Peer>,
    uri: &Uri,
    headers: &HeaderMap,
) -> CallResult {
    if !(app.limits.metrics_open && from_this_machine(peer, uri, headers)) {
        app.admit(headers, Call::Operate).await?;
    }
    take_figures(&app);
    let text = app.metrics.text();
    let text =
        text.map_err(|error| Problem::failed("Writing the metrics", &BackendError(error.to_string())))?;
    let mut response = Response::new(Body::from(text));
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    Ok(response)
}

/// Sets the gauges to what stands now: they are read once a scrape, so nobody has to keep them meanwhile.
fn take_figures<B: Backend>(app: &App<B>) {
    let (live, metrics) = (app.backend.live(), &app.metrics);
    set(&metrics.queue_depth, live.queue_depth);
    set(&metrics.queue_limit, live.queue_limit);
    set(&metrics.log_head, live.log_head);
    set(&metrics.hold_budget_used, live.budget_used);
    set(&metrics.hold_budget_limit, live.budget_limit);
    set(&metrics.oldest_pending_seconds, live.oldest_pending_s);
    metrics.pending(true, live.pending_bad);
    metrics.pending(false, live.pending_good);
    metrics.rules(&live.rules);
}

/// `POST /v1/rules/reload`: what is in force after it, or why the new set was not taken.
pub(super) async fn reload<B: Backend>(State(app): State<Arc<App<B>>>, headers: HeaderMap) -> Response<Body> {
    response_of(reloaded(app, &headers).await)
}

/// `POST /v1/reference/reload`: the tables in force after it, or why the new ones were not taken.
pub(super) async fn reload_references<B: Backend>(
    State(app): State<Arc<App<B>>>,
    headers: HeaderMap,
) -> Response<Body> {
    let reloaded = async {
        app.admit(&headers, Call::Operate).await?;
        let in_force = app.read(|backend| backend.reload_references()).await?.map_err(Problem::tables)?;
        Ok(json_response(json(&in_force)))
    };
    response_of(reloaded.await)
}

async fn reloaded<B: Backend>(app: Arc<App<B>>, headers: &HeaderMap) -> CallResult {
    app.admit(headers, Call::Operate).await?;
    let in_force = app.read(|backend| backend.reload_rules()).await?.map_err(Problem::rules)?;
    Ok(json_response(json(&in_force)))
}
