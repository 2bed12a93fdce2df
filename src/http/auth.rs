//! Who may call what.
//!
//! | Call | intake | handling | statistics | operator | nobody |
//! |---|---|---|---|---|---|
//! | `POST /v1/ratings`, `…/batch`, `/v1/appeals` | yes | | | yes | |
//! | `GET /v1/ratings/{id}/verdict`, `/v1/verdicts`, `…/stream` | yes | | | yes | |
//! | `GET /v1/handling`, `/v1/callbacks`, `POST /v1/ratings/{id}/evidence` | | yes | | yes | |
//! | `GET /v1/statistics` | | | yes | yes | if `statistics_open` |
//! | `GET /v1/incidents`, `/v1/cluster`, `POST /v1/rules/reload`, `/v1/reference/reload` | | | | yes | |
//! | `GET /metrics` | | | | yes | on this machine, if `metrics_open` |
//! | `GET /live.json` | | | | yes | on this machine, if `page_open` |
//! | `/live`, `/assets/…`, `/openapi.json`, `/healthz`, `/readyz` | yes | yes | yes | yes | yes |
//!
//! `/desk/…` has people's accounts of its own (`desk`).
//!
//! Suspicion and reasons go to intake and operators alone: whoever acts on a complaint, and whoever reads
//! figures, never learns of them here.

use std::sync::Arc;

use axum::http::header::{AUTHORIZATION, FORWARDED, HOST, HeaderName, VIA};
use axum::http::{HeaderMap, Uri};

use super::backend::Backend;
use super::problem::Problem;
use super::{App, Peer};
use crate::access::Role;

/// A group of calls that the same roles may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Submits ratings.
    Submit,
    /// Reads verdicts with suspicion and reasons.
    Verdicts,
    /// Reads which complaints proceed.
    Handling,
    /// Reads figures.
    Statistics,
    /// Runs the service.
    Operate,
}

impl Call {
    /// The role that the call is for. Operators may make every call.
    pub const fn role(self) -> Role {
        match self {
            Call::Submit | Call::Verdicts => Role::Intake,
            Call::Handling => Role::Handling,
            Call::Statistics => Role::Statistics,
            Call::Operate => Role::Operator,
        }
    }

    fn open_to(self, role: Role) -> bool {
        role == self.role() || role == Role::Operator
    }
}

impl<B: Backend> App<B> {
    /// Lets a call pass if its token is of a role that may make it.
    ///
    /// # Errors
    /// 401 without a token in force; 403 with one of another role.
    #[inline]
    pub(super) async fn admit(self: &Arc<Self>, headers: &HeaderMap, call: Call) -> Result<(), Problem> {
        let Some(token) = bearer(headers) else { return Err(Problem::no_token(false)) };
        let role = match self.access.role_of(token) {
            Some(role) => role,
            None => self.role_after_refresh(token).await.ok_or_else(|| Problem::no_token(true))?,
        };
        if call.open_to(role) {
            return Ok(());
        }
        Err(Problem::wrong_role(role.name(), call.role().name()))
    }

    /// A token that is not in memory may have been made a moment ago by `token create`.
    async fn role_after_refresh(self: &Arc<Self>, token: &[u8]) -> Option<Role> {
        let access = Arc::clone(&self.access);
        let refreshed = tokio::task::spawn_blocking(move || access.refresh()).await.ok()?;
        match refreshed {
            // Also where this call found nothing to reread: another may have read the token just before.
            Ok(_) => self.access.role_of(token),
            Err(error) => {
                tracing::error!(%error, "the tokens could not be read again");
                None
            }
        }
    }
}

/// The token of an `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Whether a request comes from this machine itself, and not through a gateway on it or from a page of
/// another site whose name was made to lead here (DNS rebinding).
pub(super) fn from_this_machine(peer: Option<Peer>, uri: &Uri, headers: &HeaderMap) -> bool {
    const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
    let near = peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
    let forwarded = [FORWARDED, VIA, FORWARDED_FOR, REAL_IP].iter().any(|name| headers.contains_key(name));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.host());
    near && !forwarded && host.is_some_and(is_loopback_name)
}

/// Whether a `Host` header names this machine: `localhost`, or a loopback address, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]);
            assert_eq!(bearer(&headers), token.map(str::as_bytes), "{value}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn only_a_direct_request_to_a_loopback_name_is_from_this_machine() {
        let near = Some(Peer(([127, 0, 0, 1], 5).into()));
        let uri = Uri::from_static("/metrics");
        let with = |name: HeaderName, value| HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        for host in ["localhost", "LOCALHOST:8686", "127.0.0.1:8686", "127.9.9.9", "[::1]:8686", "[::1]"] {
            assert!(from_this_machine(near, &uri, &with(HOST, host)), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1", "", "[::2]:80"] {
            assert!(!from_this_machine(near, &uri, &with(HOST, host)), "{host}");
        }
        assert!(!from_this_machine(near, &uri, &HeaderMap::new()));
        assert!(!from_this_machine(None, &uri, &with(HOST, "localhost")));
        assert!(!from_this_machine(Some(Peer(([10, 0, 0, 7], 5).into())), &uri, &with(HOST, "localhost")));
        let mut forwarded = with(HOST, "localhost");
        forwarded.insert("x-forwarded-for", HeaderValue::from_static("10.0.0.7"));
        assert!(!from_this_machine(near, &uri, &forwarded));
    }
}
