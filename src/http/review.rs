//! What comes to the desk from outside: appeals, and what a call back to a rater found.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use serde::{Deserialize, Serialize};

use super::auth::Call;
use super::backend::{Backend, ReviewFailure};
use super::feeds::{Range, is_rating_id};
use super::problem::{Problem, json};
use super::{App, CallResult, json_response, response_of};
use crate::log::entry::{CallbackResult, WORDS_CHARS_MAX};

/// The body of `POST /v1/appeals`.
#[derive(Deserialize)]
struct Appeal {
    reference: String,
    #[serde(default)]
    words: String,
}

/// The body of `POST /v1/ratings/{rating_id}/evidence`.
#[derive(Deserialize)]
struct Evidence {
    reached: bool,
    #[serde(default)]
    says: Option<String>,
    #[serde(default)]
    words: String,
}

#[derive(Serialize)]
struct Received<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rating_id: Option<&'a str>,
    received: bool,
    sequence: u64,
}

/// `POST /v1/appeals`: whoever was excluded wants it looked at by somebody else. Durable when answered.
pub(super) async fn appeal<B: Backend>(
    State(app): State<Arc<App<B>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    response_of(take_appeal(app, &headers, &body).await)
}

async fn take_appeal<B: Backend>(app: Arc<App<B>>, headers: &HeaderMap, body: &[u8]) -> CallResult {
    app.admit(headers, Call::Submit).await?;
    let Appeal { reference, words } = read(body, "an object with `reference`, and `words` if there are any")?;
    let words = checked(words)?;
    let reference = reference.trim().to_ascii_uppercase();
    let asked = reference.clone();
    let sequence = app.read(move |backend| backend.appeal(&asked, &words)).await?.map_err(refused)?;
    let received = Received { reference: Some(&reference), rating_id: None, received: true, sequence };
    Ok(accepted(json(&received)))
}

/// `POST /v1/ratings/{rating_id}/evidence`: what a call back found. Durable when answered.
pub(super) async fn evidence<B: Backend>(
    State(app): State<Arc<App<B>>>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    response_of(take_evidence(app, path, &headers, &body).await)
}

async fn take_evidence<B: Backend>(
    app: Arc<App<B>>,
    path: Result<Path<String>, PathRejection>,
    headers: &HeaderMap,
    body: &[u8],
) -> CallResult {
    const SAYS: &str = "confirms, denies, unclear, or absent";
    app.admit(headers, Call::Handling).await?;
    let Some(rating_id) = path.ok().map(|Path(id)| id).filter(|id| is_rating_id(id)) else {
        return Err(Problem::parameter("rating_id", "1 to 128 of A-Z a-z 0-9 . _ : -"));
    };
    let Evidence { reached, says, words } =
        read(body, "an object with `reached`, and with `says` and `words` if the rater was reached")?;
    let result = match (reached, says.as_deref()) {
        (false, _) => CallbackResult::NotReached,
        (true, Some("confirms")) => CallbackResult::Confirms,
        (true, Some("denies")) => CallbackResult::Denies,
        (true, Some("unclear") | None) => CallbackResult::Unclear,
        (true, Some(_)) => return Err(Problem::parameter("says", SAYS)),
    };
    let words = checked(words)?;
    let asked = rating_id.clone();
    let sequence =
        app.read(move |backend| backend.evidence(&asked, result, &words)).await?.map_err(refused)?;
    let received = Received { reference: None, rating_id: Some(&rating_id), received: true, sequence };
    Ok(accepted(json(&received)))
}

/// `GET /v1/callbacks?from=&limit=`: ratings whose raters are to be called back. The id alone.
pub(super) async fn callbacks<B: Backend>(
    State(app): State<Arc<App<B>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    response_of(page_of_callbacks(app, &uri, &headers).await)
}

async fn page_of_callbacks<B: Backend>(app: Arc<App<B>>, uri: &Uri, headers: &HeaderMap) -> CallResult {
    #[derive(Serialize)]
    struct Item {
        rating_id: String,
    }
    #[derive(Serialize)]
    struct Answer {
        callbacks: Vec<Item>,
        next: u64,
    }
    app.admit(headers, Call::Handling).await?;
    let Range { from, limit } = Range::of(uri, &["from", "limit"])?;
    let page = app.read(move |backend| backend.callbacks_from(from, limit)).await?;
    let page = page.map_err(|error| Problem::failed("Reading the call backs", &error))?;
    let callbacks = page.items.into_iter().map(|(_, rating_id)| Item { rating_id }).collect();
    Ok(json_response(json(&Answer { callbacks, next: page.next })))
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8], allowed: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("{allowed}; line {}, column {} is not", error.line(), error.column());
        Problem::parameter("body", place)
    })
}

fn checked(words: String) -> Result<String, Problem> {
    match words.chars().count() > WORDS_CHARS_MAX {
        true => Err(Problem::parameter("words", format!("at most {WORDS_CHARS_MAX} characters"))),
        false => Ok(words),
    }
}

fn accepted(body: Vec<u8>) -> Response<Body> {
    let mut response = json_response(body);
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn refused(failure: ReviewFailure) -> Problem {
    match failure {
        ReviewFailure::NotFound => Problem::no_such_rating(),
        ReviewFailure::Refused { code, message } => Problem::review_refused(code, message),
        ReviewFailure::Unavailable(error) => Problem::failed("The call", &error),
    }
}
