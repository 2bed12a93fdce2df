//! Who did what, and who looked at what.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::Response;
use serde::{Deserialize, Serialize};

use super::Desk;
use super::forms::encoded;
use super::pages::{PageResult, Problem, is_for, respond};
use super::visit::Visitor;
use super::words::{Named, Text, both, named, text};
use crate::access::ViewFilter;
use crate::review::projection::{AuditFilter, WHAT};

/// Events on a page.
const EVENTS: usize = 100;
/// The kind that lists who looked at what.
const VIEWS: &str = "view";

/// What is listed; what is not set is empty.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Filters {
    who: String,
    kind: String,
    id: String,
    #[serde(skip_serializing)]
    before: String,
}

#[derive(Serialize)]
struct Content {
    events: Vec<Event>,
    kinds: Vec<Named>,
    filters: Filters,
    next: Option<String>,
}

#[derive(Serialize)]
struct Event {
    at: String,
    who: String,
    what: Text,
    id: String,
    href: Option<String>,
    sequence: Option<u64>,
}

/// `GET /desk/audit`.
pub async fn page(
    State(desk): State<Arc<Desk>>,
    Query(filters): Query<Filters>,
    visitor: Visitor,
) -> Response<Body> {
    let result = show(&desk, &visitor, filters).await;
    respond(&desk, &visitor.caller, result)
}

async fn show(desk: &Arc<Desk>, visitor: &Visitor, filters: Filters) -> PageResult {
    let role = visitor.account().role;
    if !is_for("audit", role) {
        return Err(Problem::forbidden());
    }
    let linked = role.sees_cases();
    let content = desk.read(move |desk| content(desk, filters, linked)).await??;
    desk.page(visitor, "audit", &content)
}

fn content(desk: &Desk, filters: Filters, linked: bool) -> Result<Content, Problem> {
    let failed = |failure: &dyn std::fmt::Display| Problem::failed("the audit trail", failure);
    let set = |value: &str| Some(value.trim()).filter(|value| !value.is_empty()).map(str::to_owned);
    let (who, id) = (set(&filters.who), set(&filters.id));
    let href = |id: &str| linked.then(|| format!("/desk/cases/{id}"));
    let (events, next) = if filters.kind == VIEWS {
        let filter = ViewFilter { who: who.as_deref(), rating_id: id.as_deref(), what: None };
        let page = desk
            .access
            .views(&filter, filters.before.parse().ok(), EVENTS)
            .map_err(|failure| failed(&failure))?;
        let events = page.views.into_iter().map(|view| Event {
            at: desk.moment(view.at),
            who: desk.display(&view.who),
            what: view.what.map_or_else(
                || text("查看", "looked"),
                |what| text(format!("查看{}", what.zh()), format!("looked at: {}", what.en())),
            ),
            href: href(&view.rating_id),
            id: view.rating_id,
            sequence: None,
        });
        (events.collect(), page.next.map(|next| next.to_string()))
    } else {
        let filter = AuditFilter { who, code: set(&filters.kind), id };
        let page = desk
            .review
            .projection()
            .audit(&filter, filters.before.parse().ok(), EVENTS)
            .map_err(|failure| failed(&failure))?;
        let events = page.events.into_iter().map(|event| Event {
            at: desk.moment(event.at),
            who: if event.who.is_empty() { "—".to_owned() } else { desk.display(&event.who) },
            what: match &event.reason {
                Some(reason) => text(
                    format!("{}（{}）", event.what.zh, reason.zh),
                    format!("{} ({})", event.what.en, reason.en),
                ),
                None => both(&event.what),
            },
            href: href(&event.id),
            id: event.id,
            sequence: Some(event.sequence),
        });
        (events.collect(), page.next.map(|next| next.to_string()))
    };
    let next = next.map(|before| {
        let Filters { who, kind, id, .. } = &filters;
        format!("/desk/audit?who={}&kind={}&id={}&before={before}", encoded(who), encoded(kind), encoded(id))
    });
    let views = named(VIEWS, "查看评语和证据", "looking at comments and evidence");
    let kinds = std::iter::once(views).chain(WHAT.iter().map(|&what| Named::from(what))).collect();
    Ok(Content { events, kinds, filters, next })
}
