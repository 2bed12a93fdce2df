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
    let text = app.metrics.text();
    let text =
        text.map_err(|error| Problem::failed("Writing the metrics", &BackendError(error.to_string())))?;
    let mut response = Response::new(Body::from(text));
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    Ok(response)
}

/// `POST /v1/rules/reload`: what is in force after it, or why the new set was not taken.
pub(super) async fn reload<B: Backend>(State(app): State<Arc<App<B>>>, headers: HeaderMap) -> Response<Body> {
    response_of(reloaded(app, &headers).await)
}

async fn reloaded<B: Backend>(app: Arc<App<B>>, headers: &HeaderMap) -> CallResult {
    app.admit(headers, Call::Operate).await?;
    let in_force = app.read(|backend| backend.reload_rules()).await?.map_err(Problem::rules)?;
    Ok(json_response(json(&in_force)))
}
