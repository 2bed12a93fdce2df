//! Who is looking: the session and the language of a request.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HOST, LOCATION, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::Desk;
use super::forms::encoded;
use crate::access::{Account, Session, Target, may_decide, may_see, session::COOKIE_NAME};
use crate::log::entry::PublicRating;
use crate::review::Refusal;

/// Name of the cookie that keeps the language.
pub const LANGUAGE_COOKIE: &str = "zp_lang";

/// The language of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// As templates know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }

    fn of(headers: &HeaderMap) -> Self {
        match cookie(headers, LANGUAGE_COOKIE) {
            Some("en") => Self::En,
            _ => Self::Zh,
        }
    }
}

/// Anybody, signed in or not.
pub struct Caller {
    /// The language.
    pub lang: Lang,
    /// Path and query of the request.
    pub path: String,
    /// The session, if there is one.
    pub session: Option<(Session, [u8; 32])>,
    /// The session's cookie.
    pub cookie: Option<String>,
    /// Whether the request says that it comes from a page of another site.
    pub is_foreign: bool,
}

/// Somebody who is signed in and need not change the password first.
pub struct Visitor {
    /// As for anybody.
    pub caller: Caller,
    /// The session.
    pub session: Session,
    /// The hash under which notices wait.
    pub key: [u8; 32],
}

impl Visitor {
    /// The account.
    pub fn account(&self) -> &Arc<Account> {
        &self.session.account
    }

    /// Whether the account may see a rating's case.
    pub fn may_see(&self, rating: &PublicRating) -> Result<(), Refusal> {
        may_see(self.account(), &target(rating)).map_err(refusal)
    }

    /// Whether the account may decide about a rating.
    pub fn may_decide(&self, rating: &PublicRating) -> Result<(), Refusal> {
        may_decide(self.account(), &target(rating)).map_err(refusal)
    }
}

/// What recusal looks at.
pub fn target(rating: &PublicRating) -> Target<'_> {
    Target { department: &rating.department, district: rating.district.as_deref(), bad: rating.is_bad() }
}

/// A recusal as a refusal.
pub fn refusal(recusal: crate::access::Recusal) -> Refusal {
    Refusal::Recused { zh: recusal.zh(), en: recusal.en() }
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

/// Whether a browser says that a request comes from another site. The session's cookie is not sent with
/// those (`SameSite=Strict`) and forms have a token; this is the third bar.
fn is_foreign(headers: &HeaderMap) -> bool {
    const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(site) = text(FETCH_SITE) {
        return !matches!(site, "same-origin" | "none");
    }
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").map(|(_, rest)| rest) != Some(host),
        _ => false,
    }
}

impl FromRequestParts<Arc<Desk>> for Caller {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Self::Rejection> {
        let path = parts.uri.path_and_query().map_or("/desk/queue", |path| path.as_str()).to_owned();
        let cookie = cookie(&parts.headers, COOKIE_NAME).map(str::to_owned);
        let session = cookie.as_deref().and_then(|cookie| {
            Some((desk.access.find_session(cookie)?, *blake3::hash(cookie.as_bytes()).as_bytes()))
        });
        let (lang, is_foreign) = (Lang::of(&parts.headers), is_foreign(&parts.headers));
        Ok(Self { lang, path, session, cookie, is_foreign })
    }
}

impl FromRequestParts<Arc<Desk>> for Visitor {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, desk).await?;
        let is_read = parts.method == Method::GET || parts.method == Method::HEAD;
        match caller.session.clone() {
            None => {
                // A form that was sent after the session ended goes on at the page it stood on, if at all.
                let next = if is_read { caller.path.as_str() } else { "/desk/queue" };
                Err(see_other(&format!("/desk/sign-in?next={}", encoded(next))))
            }
            Some((session, _)) if session.account.must_change => Err(see_other("/desk/password")),
            Some((session, key)) => Ok(Self { caller, session, key }),
        }
    }
}

/// Leads to another page.
pub fn see_other(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let location = HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("/desk/queue"));
    response.headers_mut().insert(LOCATION, location);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let headers = headers(&[("cookie", "xzp_lang=a; zp_lang=en; b=c")]);
        assert_eq!(cookie(&headers, "zp_lang"), Some("en"));
        assert_eq!(cookie(&headers, "lang"), None);
    }

    #[test]
    fn a_request_from_a_page_of_another_site_is_known_as_such() {
        assert!(is_foreign(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(is_foreign(&headers(&[("sec-fetch-site", "same-site")])));
        assert!(!is_foreign(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(is_foreign(&headers(&[("origin", "http://evil.example"), ("host", "127.0.0.1:8686")])));
        assert!(is_foreign(&headers(&[("origin", "null"), ("host", "127.0.0.1:8686")])));
        assert!(!is_foreign(&headers(&[("origin", "http://127.0.0.1:8686"), ("host", "127.0.0.1:8686")])));
        assert!(!is_foreign(&headers(&[])));
    }
}
