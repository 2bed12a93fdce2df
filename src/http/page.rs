//! `/live`: a plain live page for whoever runs the service, and the figures that it polls.
//!
//! The page itself holds no data and needs no token. Everything that it shows comes from `/live.json`,
//! which does, except in a browser on this machine where `page_open` is set.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::{Extensions, HeaderMap, HeaderValue, Response, Uri};

use super::auth::{Call, from_this_machine};
use super::backend::Backend;
use super::problem::json;
use super::{App, CallResult, Peer, json_response, response_of};

/// Nothing inline, nothing from elsewhere, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /live`.
pub(super) async fn html() -> Response<Body> {
    asset(include_str!("../../assets/page.html"), "text/html; charset=utf-8")
}

/// `GET /assets/page.css`.
pub(super) async fn css() -> Response<Body> {
    asset(include_str!("../../assets/page.css"), "text/css; charset=utf-8")
}

/// `GET /assets/page.js`.
pub(super) async fn js() -> Response<Body> {
    asset(include_str!("../../assets/page.js"), "text/javascript; charset=utf-8")
}

fn asset(text: &'static str, media_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `GET /live.json`.
pub(super) async fn live<B: Backend>(
    State(app): State<Arc<App<B>>>,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response<Body> {
    response_of(figures(app, extensions.get().copied(), &uri, &headers).await)
}

async fn figures<B: Backend>(
    app: Arc<App<B>>,
    peer: Option<Peer>,
    uri: &Uri,
    headers: &HeaderMap,
) -> CallResult {
    if !(app.limits.page_open && from_this_machine(peer, uri, headers)) {
        app.admit(headers, Call::Operate).await?;
    }
    Ok(json_response(json(&app.backend.live())))
}
