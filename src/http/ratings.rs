//! `POST /v1/ratings`: one rating in, one verdict out.
//!
//! This is the call that stands in a citizen's request, so nothing is done here twice: the body goes to
//! the service as the bytes that came, and the answer goes out as the bytes that the service made.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, Response};
use axum::response::IntoResponse;

use super::auth::Call;
use super::backend::Backend;
use super::problem::Problem;
use super::{App, CallResult, json_response, response_of};
use crate::metrics::Stage;

/// The route, as metrics name it.
pub(super) const ROUTE: &str = "/v1/ratings";

/// The call as the server makes it, past the router; counts its own answers.
pub(super) async fn direct<B, Q>(app: &Arc<App<B>>, request: Request<Q>) -> Response<Body>
where
    B: Backend,
    Q: HttpBody<Data = Bytes> + Unpin,
{
    let began = Instant::now();
    match verdict(app, request).await {
        Ok(json) => {
            app.metrics.ratings_ok.inc();
            app.metrics.latency(Stage::Total, began.elapsed());
            json_response(json)
        }
        Err(problem) => {
            app.metrics.http(ROUTE, problem.status());
            problem.into_response()
        }
    }
}

/// The call as the router makes it.
pub(super) async fn routed<B: Backend>(
    State(app): State<Arc<App<B>>>,
    request: Request<Body>,
) -> Response<Body> {
    response_of(respond(&app, request).await)
}

async fn respond<B: Backend>(app: &Arc<App<B>>, request: Request<Body>) -> CallResult {
    verdict(app, request).await.map(json_response)
}

async fn verdict<B, Q>(app: &Arc<App<B>>, request: Request<Q>) -> Result<Vec<u8>, Problem>
where
    B: Backend,
    Q: HttpBody<Data = Bytes> + Unpin,
{
    app.admit(request.headers(), Call::Submit).await?;
    require_media_type(request.headers(), &["application/json"])?;
    let limit = app.limits.body_bytes_max;
    if declared_length(request.headers()).is_some_and(|length| length > limit as u64) {
        return Err(Problem::too_large(limit));
    }
    let body_limit = Duration::from_secs(app.limits.body_timeout_s);
    let body = tokio::time::timeout(body_limit, whole_body(request.into_body(), limit))
        .await
        .map_err(|_| Problem::slow_body(app.limits.body_timeout_s))??;

    let answer_limit = Duration::from_millis(app.limits.answer_timeout_ms);
    let answer = tokio::time::timeout(answer_limit, app.backend.submit(body))
        .await
        .map_err(|_| Problem::no_answer_in_time(app.limits.answer_timeout_ms))?;
    answer.try_into()
}

/// 415 for a declared media type that is none of these. One that is absent passes: a complaint is not
/// turned away over a missing header.
pub(super) fn require_media_type(headers: &HeaderMap, allowed: &[&str]) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    if allowed.iter().any(|allowed| essence.eq_ignore_ascii_case(allowed.as_bytes())) {
        return Ok(());
    }
    Err(Problem::media_type(allowed[0]))
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body up to a limit. A body that came with its head, as one rating does, is not copied.
async fn whole_body<Q>(mut body: Q, limit: usize) -> Result<Bytes, Problem>
where
    Q: HttpBody<Data = Bytes> + Unpin,
{
    let Some(first) = next_data(&mut body).await? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(Problem::too_large(limit));
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = Vec::from(first);
    while let Some(data) = next_data(&mut body).await? {
        if data.len() > limit - whole.len() {
            return Err(Problem::too_large(limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(Bytes::from(whole))
}

/// The next piece of a body's data; `None` at its end. Trailers are passed over.
pub(super) async fn next_data<Q>(body: &mut Q) -> Result<Option<Bytes>, Problem>
where
    Q: HttpBody<Data = Bytes> + Unpin,
{
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            None => return Ok(None),
            Some(Err(_)) => return Err(Problem::broken_body()),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_media_type_may_be_absent_or_have_parameters_but_not_be_another() {
        let with = |value| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
        let allowed = ["application/json"];
        assert!(require_media_type(&HeaderMap::new(), &allowed).is_ok());
        assert!(require_media_type(&with("application/json"), &allowed).is_ok());
        assert!(require_media_type(&with("Application/JSON; charset=utf-8"), &allowed).is_ok());
        assert!(require_media_type(&with("application/x-www-form-urlencoded"), &allowed).is_err());
        assert!(require_media_type(&with("application/jsonx"), &allowed).is_err());
        assert!(require_media_type(&with(""), &allowed).is_err());
    }
}
