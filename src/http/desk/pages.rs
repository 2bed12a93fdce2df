//! What every page has: its frame, its headers, notices and errors.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use minijinja::value::{Serde, Value};
use serde::Serialize;
use tracing::error;

use super::visit::{Caller, Visitor};
use super::words::{Named, Text, moment, named, text};
use super::{Desk, NOTICES_MAX};
use crate::access::{Account, AccountRole};
use crate::review::Refusal;
use crate::service::Clock;
use crate::time::Instant;

/// Nothing inline, nothing from elsewhere, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What is said at the head of the next page.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// `ok`, `error` or `info`.
    pub kind: &'static str,
    /// The sentence.
    #[serde(flatten)]
    pub says: Text,
    /// How to take back what it speaks of.
    pub undo: Option<Undo>,
}

/// How to take a decision back.
#[derive(Clone, Debug, Serialize)]
pub struct Undo {
    /// Where the form goes.
    pub action: String,
    /// What its button says.
    pub label: Text,
    /// Until when.
    pub until: String,
}

impl Notice {
    /// Something was not done.
    pub fn error(says: Text) -> Self {
        Self { kind: "error", says, undo: None }
    }
}

/// Why there is no page.
pub struct Problem {
    status: StatusCode,
    what: Text,
}

impl Problem {
    /// A problem with its status.
    pub fn new(status: StatusCode, what: Text) -> Self {
        Self { status, what }
    }

    /// There is nothing there, or nothing that this account may see.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            text(
                "没有这个页面，或其内容不在您的权限内。",
                "There is no such page, or it is not for your account.",
            ),
        )
    }

    /// A role that the page is not for.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, text("您的角色不能使用此页面。", "This page is not for your role."))
    }

    /// A form that does not come from our own page, or from one of an earlier session.
    pub fn forged() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            text(
                "该表单不是由本页面发出，或来自较早的会话，未作任何更改。请回到页面重新操作。",
                "This form was not sent by this session's own page; nothing was changed. Go back and try again.",
            ),
        )
    }

    /// Something failed. The operator's log has it; the page says no more.
    pub fn failed(what: &str, failure: &dyn std::fmt::Display) -> Self {
        error!(%failure, what, "a page of the desk could not be made");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            text(
                "系统出错，未作任何更改；详情见运行日志。",
                "Something failed; nothing was changed. The operator's log says more.",
            ),
        )
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::NoSuchCase => StatusCode::NOT_FOUND,
            Refusal::Recused { .. } => StatusCode::FORBIDDEN,
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, refusal.sentences().into())
    }
}

/// A page's answer.
pub type PageResult = Result<Response<Body>, Problem>;

/// What a link in the navigation is.
#[derive(Serialize)]
struct Link {
    href: &'static str,
    #[serde(flatten)]
    name: Text,
    key: &'static str,
    current: bool,
}

#[derive(Serialize)]
struct User<'a> {
    name: &'a str,
    display: &'a str,
    role: Named,
    can_decide: bool,
    affiliation: Option<String>,
}

/// A page of a role may be seen by these.
pub fn is_for(page: &str, role: AccountRole) -> bool {
    use AccountRole as R;
    match page {
        "queue" | "case" | "campaign" => role.sees_cases(),
        "audit" => matches!(role, R::Auditor | R::Admin),
        _ => true,
    }
}

fn links(page: &str, role: AccountRole) -> Vec<Link> {
    let current = match page {
        "case" | "campaign" => "queue",
        other => other,
    };
    [
        ("queue", "/desk/queue", "队列", "Queue", "q"),
        ("operations", "/desk/operations", "运行", "Operations", "o"),
        ("statistics", "/desk/statistics", "统计", "Statistics", "s"),
        ("quality", "/desk/quality", "质量", "Quality", "y"),
        ("rules", "/desk/rules", "规则", "Rules", "r"),
        ("audit", "/desk/audit", "留痕", "Audit trail", "a"),
    ]
    .into_iter()
    .filter(|(name, ..)| is_for(name, role))
    .map(|(name, href, zh, en, key)| Link { href, name: text(zh, en), key, current: name == current })
    .collect()
}

/// An account's role with its name.
pub fn role(role: AccountRole) -> Named {
    named(role.value(), role.zh(), role.en())
}

fn user(account: &Account) -> User<'_> {
    let places = [account.department.as_deref(), account.district.as_deref()];
    let affiliation = places.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    User {
        name: &account.name,
        display: &account.display,
        role: role(account.role),
        can_decide: account.role.decides(),
        affiliation: (!affiliation.is_empty()).then_some(affiliation),
    }
}

#[derive(Serialize)]
struct Frame<'a, C> {
    lang: &'static str,
    page: &'a str,
    version: &'static str,
    now: String,
    csrf: String,
    path: &'a str,
    user: Option<User<'a>>,
    nav: Vec<Link>,
    notice: Option<Notice>,
    #[serde(flatten)]
    content: &'a C,
}

impl Desk {
    /// The time on the pages.
    pub(super) fn now(&self) -> Instant {
        Clock::Wall.now().unwrap_or_default()
    }

    /// A moment as pages have it.
    pub(super) fn moment(&self, at: Instant) -> String {
        moment(at, self.service.offset())
    }

    /// A page for somebody who is signed in.
    pub(super) fn page<C: Serialize>(&self, visitor: &Visitor, page: &str, content: &C) -> PageResult {
        let notice = self.notices.remove(&visitor.key).map(|(_, notice)| notice);
        self.framed(&visitor.caller, Some((visitor.account(), visitor.session.csrf())), page, notice, content)
    }

    /// A page for anybody.
    pub(super) fn framed<C: Serialize>(
        &self,
        caller: &Caller,
        account: Option<(&Account, String)>,
        page: &str,
        notice: Option<Notice>,
        content: &C,
    ) -> PageResult {
        let (account, csrf) = account.map_or((None, String::new()), |(account, csrf)| (Some(account), csrf));
        let frame = Frame {
            lang: caller.lang.name(),
            page,
            version: env!("CARGO_PKG_VERSION"),
            now: self.moment(self.now()),
            csrf,
            path: &caller.path,
            user: account.map(user),
            nav: account
                .filter(|account| !account.must_change)
                .map_or_else(Vec::new, |account| links(page, account.role)),
            notice,
            content,
        };
        self.templates
            .render(&format!("{page}.html"), Value::from(Serde(&frame)))
            .map(html)
            .map_err(|error| Problem::failed("rendering", &format!("{error:#}")))
    }

    /// Keeps what the next page of a session says.
    pub(super) fn say(&self, visitor: &Visitor, notice: Notice) {
        // Whoever never looks at a page again must not fill the memory.
        if self.notices.len() >= NOTICES_MAX {
            self.notices.clear();
        }
        self.notices.insert(visitor.key, notice);
    }

    /// Runs what reads the disk beside the event loop; only so much at once.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let desk = Arc::clone(self);
        let _place = self.reads.acquire().await.map_err(|error| Problem::failed("waiting", &error))?;
        tokio::task::spawn_blocking(move || look(&desk))
            .await
            .map_err(|error| Problem::failed("reading", &error))
    }
}

/// A page, or the page that says why there is none.
pub fn respond(desk: &Arc<Desk>, caller: &Caller, result: PageResult) -> Response<Body> {
    result.unwrap_or_else(|refused| problem(desk, caller, refused))
}

/// The page that says why there is none.
pub fn problem(desk: &Arc<Desk>, caller: &Caller, problem: Problem) -> Response<Body> {
    #[derive(Serialize)]
    struct Content {
        status: u16,
        title: Text,
        text: Text,
        back: Option<&'static str>,
    }
    let title = match problem.status {
        StatusCode::NOT_FOUND => text("没有找到", "Not found"),
        StatusCode::FORBIDDEN => text("不可用", "Not allowed"),
        StatusCode::CONFLICT => text("情况已变化", "Something has changed"),
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => text("无法处理", "Not understood"),
        _ => text("出错了", "Something failed"),
    };
    let content = Content {
        status: problem.status.as_u16(),
        title,
        text: problem.what,
        back: caller.session.is_some().then_some("/desk/queue"),
    };
    let account = caller.session.as_ref().map(|(session, _)| (&*session.account, session.csrf()));
    let mut response = desk
        .framed(caller, account, "error", None, &content)
        .unwrap_or_else(|_| html(String::from("<!doctype html><title>500</title>")));
    *response.status_mut() = problem.status;
    response
}

/// HTML with the headers that every page has.
fn html(page: String) -> Response<Body> {
    let mut response = Response::new(Body::from(page));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    );
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    response
}

fn asset(text: &'static str, media_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    // Its address has the version in it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    response
}

/// `GET /desk/assets/desk.css`.
pub async fn css() -> Response<Body> {
    asset(include_str!("../../../assets/desk/desk.css"), "text/css; charset=utf-8")
}

/// `GET /desk/assets/desk.js`.
pub async fn js() -> Response<Body> {
    asset(include_str!("../../../assets/desk/desk.js"), "text/javascript; charset=utf-8")
}

/// Any other path of the desk.
pub async fn not_found(State(desk): State<Arc<Desk>>, caller: Caller) -> Response<Body> {
    problem(&desk, &caller, Problem::not_found())
}
