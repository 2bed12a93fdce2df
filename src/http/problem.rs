//! Errors as problem details (RFC 9457, `application/problem+json`).

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;

use super::backend::{Answer, BackendError, Refusal};

/// Media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// What problem types begin with. They are names; nothing is served there.
const TYPE_PREFIX: &str = "urn:zhenping:problem:";

/// One problem. Boxed, because it travels in the error arm of every call's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem(Box<Details>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Details {
    /// Stable name of the kind, a URI.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status, also in a batch, where it has no line of its own.
    status: u16,
    /// What happened here, and what to do about it.
    detail: String,
    /// For a field: why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// For a field: its JSON path; for a parameter: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// For a field: the type or length that was found. Never the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    /// For a field or parameter: what is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<String>,
    /// For a conflict: the rating.
    #[serde(skip_serializing_if = "Option::is_none")]
    rating_id: Option<String>,
    /// When to come again.
    #[serde(skip)]
    retry_after_s: Option<u32>,
}

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind: format!("{TYPE_PREFIX}{kind}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            code: None,
            path: None,
            found: None,
            allowed: None,
            rating_id: None,
            retry_after_s: None,
        }))
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// 400: a parameter of the path or query.
    pub fn parameter(name: &str, allowed: impl Into<String>) -> Self {
        let allowed = allowed.into();
        let detail = format!("The parameter `{name}` is not what is allowed: {allowed}.");
        let mut problem =
            Self::new(StatusCode::BAD_REQUEST, "invalid-parameter", "Invalid parameter", detail);
        problem.0.path = Some(name.to_owned());
        problem.0.allowed = Some(allowed);
        problem
    }

    /// 400: the body broke off.
    pub fn broken_body() -> Self {
        let detail = "The body could not be read to its end.";
        Self::new(StatusCode::BAD_REQUEST, "broken-body", "Broken body", detail)
    }

    /// 401: no token, or none that is in force.
    pub fn no_token(sent: bool) -> Self {
        let detail = if sent {
            "The token is not in force: it is unknown, revoked or expired."
        } else {
            "Send a token: `Authorization: Bearer zp_…`. `zhenping token create` makes one."
        };
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "No valid token", detail)
    }

    /// 403: a token of another role.
    pub fn wrong_role(role: &str, needed: &str) -> Self {
        let detail = format!("The token's role is {role}; this call needs {needed}.");
        Self::new(StatusCode::FORBIDDEN, "wrong-role", "Not allowed for this token", detail)
    }

    /// 404: no such call.
    pub fn no_such_path() -> Self {
        let detail = "There is nothing at this path; /openapi.json lists what there is.";
        Self::new(StatusCode::NOT_FOUND, "no-such-path", "No such path", detail)
    }

    /// 404: no such rating.
    pub fn no_such_rating() -> Self {
        let detail = "No rating with this id has a verdict here.";
        Self::new(StatusCode::NOT_FOUND, "no-such-rating", "No such rating", detail)
    }

    /// 409: an appeal or a finding that is not in order now.
    pub fn review_refused(code: &'static str, message: String) -> Self {
        let mut problem = Self::new(StatusCode::CONFLICT, "review-refused", "Not in order now", message);
        problem.0.code = Some(code.to_owned());
        problem
    }

    /// 405: the path has no such method.
    pub fn method() -> Self {
        let detail = "This path does not take this method; the Allow header says which it takes.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
    }

    /// 408: the body came too slowly.
    pub fn slow_body(limit_s: u64) -> Self {
        let detail = format!("The whole body must come within {limit_s} s.");
        Self::new(StatusCode::REQUEST_TIMEOUT, "slow-body", "Body too slow", detail)
    }

    /// 413: a body, or a line of a batch, beyond the limit.
    pub fn too_large(limit_bytes: usize) -> Self {
        let detail = format!("One rating may take up to {limit_bytes} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", detail)
    }

    /// 413: a batch beyond the limit.
    pub fn too_many_lines(limit: u64) -> Self {
        let detail = format!(
            "A batch may have up to {limit} lines. This and later lines were not read; send them in another."
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-many-lines", "Too many lines", detail)
    }

    /// 415: another media type.
    pub fn media_type(allowed: &str) -> Self {
        let detail = format!("Send Content-Type: {allowed}.");
        let mut problem =
            Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "Unsupported media type", detail);
        problem.0.allowed = Some(allowed.to_owned());
        problem
    }

    /// 422: rules that fail their checks.
    pub fn rules(diagnostics: String) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unsound-rules",
            "The rules fail their checks; the set in force stays",
            diagnostics,
        )
    }

    /// 422: reference tables that fail their checks.
    pub fn tables(errors: String) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unsound-reference",
            "The reference tables fail their checks; those in force stay",
            errors,
        )
    }

    /// 422: a required field.
    fn refused(refusal: Refusal) -> Self {
        let Refusal { code, path, found, allowed, message } = refusal;
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-rating", "Invalid rating", message);
        problem.0.code = Some(code);
        problem.0.path = Some(path);
        problem.0.found = Some(found);
        problem.0.allowed = Some(allowed);
        problem
    }

    /// 409: other content under the same id.
    fn conflict(rating_id: String) -> Self {
        let detail = "This rating_id was answered before for other content. A repeat has the same content; \
                      another rating has another id.";
        let mut problem =
            Self::new(StatusCode::CONFLICT, "conflict", "Conflict with an earlier rating", detail);
        problem.0.rating_id = Some(rating_id);
        problem
    }

    /// 500: something failed behind the door; the operator's log says what.
    pub fn failed(what: &str, error: &BackendError) -> Self {
        tracing::error!(%error, "{what} failed");
        let detail = format!("{what} failed; the operator's log says why.");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "Failed", detail)
    }

    /// 503: too much at once.
    pub fn busy(retry_after_s: u32) -> Self {
        let detail = "The service has as much as it can take. Nothing was kept of this; come again after Retry-After. \
                      A complaint goes to its handling meanwhile.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too much at once", detail).retry(retry_after_s)
    }

    /// 503: as many of this kind of call as are allowed.
    pub fn too_many_calls(what: &str, limit: usize) -> Self {
        let detail = format!("There are {limit} {what} already, which is the limit.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too much at once", detail).retry(1)
    }

    /// 503: no verdict in time.
    pub fn no_answer_in_time(limit_ms: u64) -> Self {
        let detail = format!(
            "There was no verdict within {limit_ms} ms. The rating may still be kept: repeat it with the same \
             rating_id and content. A complaint goes to its handling meanwhile."
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no-answer-in-time", "No verdict in time", detail).retry(1)
    }

    /// 503: stopping, or not ready yet.
    pub fn unavailable(why: &str) -> Self {
        let detail = format!("The service is not taking requests: {why}.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available", detail).retry(5)
    }

    fn retry(mut self, after_s: u32) -> Self {
        self.0.retry_after_s = Some(after_s);
        self
    }

    /// What a batch has in place of a verdict: `{"line": N, "error": {…}}` and a line feed.
    pub fn as_line(&self, line: u64) -> Vec<u8> {
        #[derive(Serialize)]
        struct Line<'a> {
            line: u64,
            error: &'a Problem,
        }
        let mut bytes = json(&Line { line, error: self });
        bytes.push(b'\n');
        bytes
    }
}

impl TryFrom<Answer> for Vec<u8> {
    type Error = Problem;

    /// The verdict, or the problem that stands in its place.
    fn try_from(answer: Answer) -> Result<Self, Problem> {
        match answer {
            Answer::Verdict(json) => Ok(json),
            Answer::Conflict { rating_id } => Err(Problem::conflict(rating_id)),
            Answer::Invalid(refusal) => Err(Problem::refused(*refusal)),
            Answer::Shed { retry_after_s } => Err(Problem::busy(retry_after_s)),
            Answer::Stopping => Err(Problem::unavailable("it is stopping")),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(json(&self)));
        *response.status_mut() =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.0.status == StatusCode::UNAUTHORIZED.as_u16() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"zhenping\""));
        }
        if let Some(seconds) = self.0.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// JSON of something whose serialisation cannot fail: structs and maps of text and numbers.
pub(super) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_field_is_named_with_what_was_found_and_what_is_allowed() {
        let refusal = Refusal {
            code: "out_of_range".into(),
            path: "$.stars".into(),
            found: "an integer".into(),
            allowed: "an integer from 1 to 5".into(),
            message: "stars is an integer; allowed: an integer from 1 to 5.".into(),
        };
        let problem = Vec::<u8>::try_from(Answer::Invalid(Box::new(refusal))).unwrap_err();
        insta::assert_snapshot!(String::from_utf8(problem.as_line(7)).unwrap());
    }

    #[test]
    fn shedding_says_when_to_come_again() {
        let problem = Vec::<u8>::try_from(Answer::Shed { retry_after_s: 3 }).unwrap_err();
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "3");
        assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE);
    }
}
