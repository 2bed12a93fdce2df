//! Forms: reading them, and the token that shows that a form is our own.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{Response, StatusCode};
use axum::{Form, RequestExt};

use super::Desk;
use super::pages::{Problem, problem};
use super::visit::{Caller, Visitor};
use super::words::text;

/// The fields of a form, in their order.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// A field's value; empty if it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// All values of a field.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The page to go back to: one of the desk's own.
    pub fn back(&self) -> &str {
        local(self.get("back"))
    }
}

/// A path of the desk, or the queue where it is none: nobody is led elsewhere by a form.
pub fn local(path: &str) -> &str {
    let is_ours = path.starts_with("/desk/") && !path.contains(['\\', '\r', '\n']);
    if is_ours { path } else { "/desk/queue" }
}

/// A path as a value in a query.
pub fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A form of somebody who is signed in, with its token.
pub struct Signed {
    /// Who sent it.
    pub visitor: Visitor,
    /// Its fields.
    pub fields: Fields,
}

/// A form of anybody that comes from a page of this site: sign-in, language.
pub struct Own {
    /// Who sent it.
    pub caller: Caller,
    /// Its fields.
    pub fields: Fields,
}

impl FromRequest<Arc<Desk>> for Signed {
    type Rejection = Response<Body>;

    async fn from_request(mut request: Request, desk: &Arc<Desk>) -> Result<Self, Self::Rejection> {
        let visitor = request.extract_parts_with_state::<Visitor, _>(desk).await?;
        let fields = read(request, desk, &visitor.caller).await?;
        if visitor.caller.is_foreign || !visitor.session.csrf_matches(fields.get("csrf")) {
            return Err(problem(desk, &visitor.caller, Problem::forged()));
        }
        Ok(Self { visitor, fields })
    }
}

impl FromRequest<Arc<Desk>> for Own {
    type Rejection = Response<Body>;

    async fn from_request(request: Request, desk: &Arc<Desk>) -> Result<Self, Self::Rejection> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, desk).await?;
        let fields = read(Request::from_parts(parts, body), desk, &caller).await?;
        let is_forged = match &caller.session {
            Some((session, _)) => !session.csrf_matches(fields.get("csrf")),
            None => false,
        };
        if caller.is_foreign || is_forged {
            return Err(problem(desk, &caller, Problem::forged()));
        }
        Ok(Self { caller, fields })
    }
}

async fn read(request: Request, desk: &Arc<Desk>, caller: &Caller) -> Result<Fields, Response<Body>> {
    match Form::<Vec<(String, String)>>::from_request(request, desk).await {
        Ok(Form(fields)) => Ok(Fields(fields)),
        Err(rejection) => {
            let status = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            };
            let what = text("表单无法读取或过大", "The form cannot be read, or is too large");
            Err(problem(desk, caller, Problem::new(status, what)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_nowhere_but_to_the_desk() {
        assert_eq!(local("/desk/cases/r-1?x=1"), "/desk/cases/r-1?x=1");
        for path in [
            "",
            "//evil.example/",
            "https://evil.example/",
            "/v1/ratings",
            "/desk/\r\nSet-Cookie: a=b",
            "/desk/\\evil",
        ] {
            assert_eq!(local(path), "/desk/queue", "{path:?}");
        }
    }

    #[test]
    fn a_path_goes_into_a_query_whole() {
        assert_eq!(encoded("/desk/queue?tab=bad&q=社保"), "/desk/queue%3Ftab%3Dbad%26q%3D%E7%A4%BE%E4%BF%9D");
    }
}
