//! The HTTP interface. `/openapi.json` describes it; errors are problem details (RFC 9457).
//!
//! ```text
//! socket ─▶ server ─┬─▶ ratings   POST /v1/ratings, past the router: no layer, no parse
//!                   └─▶ router ─▶ batch · feeds · figures · operator · page
//! ```
//!
//! Who may call what stands in [`auth`]; what the service must offer in [`backend`].

pub mod auth;
pub mod backend;
mod batch;
pub mod cluster;
mod desk;
mod feeds;
mod figures;
pub mod incidents;
pub mod lines;
mod openapi;
mod operator;
mod page;
pub mod problem;
mod ratings;
mod review;
pub mod server;
mod service;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::access::Access;
use crate::config;
use crate::metrics::Metrics;
use backend::Backend;
use desk::Desk;
use problem::Problem;

/// The address that a request came from, as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Everything that the calls share.
pub struct App<B> {
    /// The service.
    pub backend: Arc<B>,
    /// The tokens.
    pub access: Arc<Access>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Bounds and openings.
    pub limits: config::Http,
    /// Settings of the reviewers' desk.
    pub desk: config::Desk,
    /// Turns true when the service begins to stop: streams end, batches take no further lines.
    pub stopping: watch::Receiver<bool>,
    batches: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    reads: Arc<Semaphore>,
}

impl<B: Backend> App<B> {
    /// Puts the parts together.
    pub fn new(
        backend: Arc<B>,
        access: Arc<Access>,
        metrics: Arc<Metrics>,
        limits: config::Http,
        desk: config::Desk,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            batches: Arc::new(Semaphore::new(limits.batches_max)),
            streams: Arc::new(Semaphore::new(limits.streams_max)),
            reads: Arc::new(Semaphore::new(limits.reads_max)),
            backend,
            access,
            metrics,
            limits,
            desk,
            stopping,
        }
    }

    /// A place among the batches at work, held until the permit is dropped.
    fn batch_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let full = |_| Problem::too_many_calls("batches", self.limits.batches_max);
        Arc::clone(&self.batches).try_acquire_owned().map_err(full)
    }

    /// A place among the event streams, held until the permit is dropped.
    fn stream_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let full = |_| Problem::too_many_calls("event streams", self.limits.streams_max);
        Arc::clone(&self.streams).try_acquire_owned().map_err(full)
    }

    /// Runs a call that blocks on the disk beside the event loop; only so many run at once.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        call: impl FnOnce(&B) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let full = |_| Problem::too_many_calls("reading calls", self.limits.reads_max);
        let place = Arc::clone(&self.reads).try_acquire_owned().map_err(full)?;
        let backend = Arc::clone(&self.backend);
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            call(&backend)
        });
        task.await.map_err(|error| Problem::failed("The call", &backend::BackendError(error.to_string())))
    }
}

/// All calls. [`server`] takes `POST /v1/ratings` past it.
pub fn router<B: Backend>(app: Arc<App<B>>) -> Router {
    Router::new()
        .route("/v1/ratings", post(ratings::routed::<B>))
        .route("/v1/ratings/batch", post(batch::submit::<B>))
        .route("/v1/ratings/{rating_id}/verdict", get(feeds::verdict::<B>))
        .route("/v1/verdicts", get(feeds::verdicts::<B>))
        .route("/v1/verdicts/stream", get(feeds::stream::<B>))
        .route("/v1/handling", get(feeds::handling::<B>))
        .route("/v1/callbacks", get(review::callbacks::<B>))
        .route("/v1/ratings/{rating_id}/evidence", post(review::evidence::<B>))
        .route("/v1/appeals", post(review::appeal::<B>))
        .route("/v1/statistics", get(figures::statistics::<B>))
        .route("/v1/incidents", get(incidents::surges::<B>))
        .route("/v1/cluster", get(cluster::nodes::<B>))
        .route("/v1/rules/reload", post(operator::reload::<B>))
        .route("/v1/reference/reload", post(operator::reload_references::<B>))
        .route("/metrics", get(operator::metrics::<B>))
        .route("/healthz", get(operator::healthz))
        .route("/readyz", get(operator::readyz::<B>))
        .route("/openapi.json", get(openapi::serve))
        .route("/", get(async || Redirect::to("/desk/queue")))
        .route("/live", get(page::html))
        .route("/assets/page.css", get(page::css))
        .route("/assets/page.js", get(page::js))
        .route("/live.json", get(page::live::<B>))
        .fallback(async || Problem::no_such_path())
        .method_not_allowed_fallback(async || Problem::method())
        .with_state(Arc::clone(&app))
        .merge(desk_of(&app))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), around::<B>))
}

/// The pages of the reviewers' desk, where the service keeps one.
fn desk_of<B: Backend>(app: &Arc<App<B>>) -> Router {
    let Some(service) = app.backend.desk() else { return Router::new() };
    match Desk::new(service, Arc::clone(&app.access), &app.limits, app.desk.clone(), app.stopping.clone()) {
        Ok(desk) => desk::router(Arc::new(desk)),
        Err(error) => {
            tracing::error!(%error, "there is no desk");
            Router::new()
        }
    }
}

/// Counts each answer by its route, and sets the headers that all answers have.
async fn around<B: Backend>(State(app): State<Arc<App<B>>>, request: Request, next: Next) -> Response<Body> {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    app.metrics.http(route, response.status().as_u16());
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A JSON answer.
fn json_response(bytes: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(bytes.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What a call gives: an answer, or a problem.
type CallResult = Result<Response<Body>, Problem>;

/// Either as a response.
fn response_of(result: CallResult) -> Response<Body> {
    result.unwrap_or_else(IntoResponse::into_response)
}
