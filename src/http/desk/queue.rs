//! The queue: campaigns and single cases that wait for a decision.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::Desk;
use super::campaign::{Listed, listed};
use super::forms::{Signed, encoded};
use super::pages::{Notice, PageResult, Problem, is_for, respond};
use super::rows::{Choice, Row, all, choices};
use super::visit::{Visitor, see_other};
use super::words::{Named, named, text};
use crate::access::Account;
use crate::review::projection::{Age, Counts, QueueFilter, Scope, Sort, Tab, Viewer};
use crate::review::reasons;
use crate::time::{DAY_MS, Instant};
use crate::wire::{Channel, Suspicion};

/// Rows on a page.
const ROWS: usize = 50;
/// Campaigns above them.
const CAMPAIGNS: usize = 8;

/// The query of the page; what is not set is empty.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Filters {
    tab: String,
    suspicion: String,
    rule: String,
    department: String,
    district: String,
    channel: String,
    stars: String,
    age: String,
    sort: String,
    q: String,
    #[serde(skip_serializing)]
    after: String,
}

#[derive(Serialize)]
struct Content {
    counts: Counts,
    clock: Clock,
    filters: Filters,
    options: Options,
    views: Vec<View>,
    campaigns: Vec<Listed>,
    campaigns_more: u64,
    rows: Vec<Row>,
    total: u64,
    next: Option<String>,
    outcomes: Vec<Choice>,
}

/// The clock of holds, in view of those who decide.
#[derive(Serialize)]
struct Clock {
    pending_bad: u64,
    pending_good: u64,
    next_lapse: Option<String>,
    lapsing_24h: usize,
    budget_used: u32,
    budget_limit: u32,
}

#[derive(Serialize)]
struct Options {
    suspicions: Vec<Named>,
    rules: Vec<RuleOption>,
    departments: Vec<String>,
    districts: Vec<String>,
    channels: Vec<Named>,
    ages: Vec<Named>,
    sorts: Vec<Named>,
}

#[derive(Serialize)]
struct RuleOption {
    #[serde(flatten)]
    name: Named,
    n: u64,
}

#[derive(Serialize)]
struct View {
    id: i64,
    name: String,
    href: String,
    current: bool,
}

/// What an account may see.
pub fn scope_of(account: &Account) -> Scope {
    Scope {
        departments: account.scope_departments.clone(),
        districts: account.scope_districts.clone(),
        own_department: account.department.clone(),
    }
}

impl Filters {
    fn filter(&self, account: &Account, now: Instant) -> QueueFilter {
        let set = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        QueueFilter {
            tab: Tab::from_name(&self.tab).unwrap_or_default(),
            suspicion: Suspicion::from_name(&self.suspicion),
            rule: set(&self.rule),
            department: set(&self.department),
            district: set(&self.district),
            channel: Channel::from_name(&self.channel),
            stars: self.stars.parse().ok().filter(|stars| (1..=5).contains(stars)),
            age: Age::from_name(&self.age),
            sort: Sort::from_name(&self.sort).unwrap_or_default(),
            q: self.q.trim().to_owned(),
            scope: scope_of(account),
            name: account.name.clone(),
            now,
        }
    }

    fn fields(&self) -> [(&'static str, &str); 10] {
        [
            ("tab", &self.tab),
            ("suspicion", &self.suspicion),
            ("rule", &self.rule),
            ("department", &self.department),
            ("district", &self.district),
            ("channel", &self.channel),
            ("stars", &self.stars),
            ("age", &self.age),
            ("sort", &self.sort),
            ("q", &self.q),
        ]
    }

    fn href(&self, after: Option<&str>) -> String {
        let set = self.fields().into_iter().chain([("after", after.unwrap_or_default())]);
        let pairs: Vec<String> = set
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        format!("/desk/queue?{}", pairs.join("&"))
    }
}

/// `GET /desk/queue`.
pub async fn page(
    State(desk): State<Arc<Desk>>,
    Query(filters): Query<Filters>,
    visitor: Visitor,
) -> Response<Body> {
    let visitor = Arc::new(visitor);
    let result = show(&desk, &visitor, filters).await;
    respond(&desk, &visitor.caller, result)
}

async fn show(desk: &Arc<Desk>, visitor: &Arc<Visitor>, filters: Filters) -> PageResult {
    if !is_for("queue", visitor.account().role) {
        return Err(Problem::forbidden());
    }
    let looks = Arc::clone(visitor);
    let content = desk.read(move |desk| content(desk, &looks, filters)).await??;
    desk.page(visitor, "queue", &content)
}

fn content(desk: &Desk, visitor: &Visitor, mut filters: Filters) -> Result<Content, Problem> {
    let failed = |failure| Problem::failed("the queue", &failure);
    let (account, now) = (visitor.account(), desk.now());
    if Tab::from_name(&filters.tab).is_none() {
        filters.tab = "open".to_owned();
    }
    if Sort::from_name(&filters.sort).is_none() {
        filters.sort = "priority".to_owned();
    }
    let filter = filters.filter(account, now);
    let projection = desk.review.projection();
    let after = (!filters.after.is_empty()).then_some(filters.after.as_str());
    let page = projection.queue(&filter, after, ROWS).map_err(|failure| match after {
        Some(_) => Problem::new(
            StatusCode::BAD_REQUEST,
            text("页码无效，请回到队列首页。", "That is no page of the queue; go back to its first one."),
        ),
        None => failed(failure),
    })?;
    let options = projection.queue_options(&filter.scope).map_err(failed)?;
    let viewer = Viewer { name: &account.name, now };
    let counts = projection.counts(&filter.scope, viewer).map_err(failed)?;
    let (campaigns, campaigns_more) = match after {
        None if filter.tab != Tab::Decided => listed(desk, &filter, CAMPAIGNS)?,
        _ => (Vec::new(), 0),
    };
    let names =
        |list: &[(&str, &str, &str)]| list.iter().map(|&(value, zh, en)| named(value, zh, en)).collect();
    let here = filters.href(None);
    let saved =
        desk.access.saved_views(&account.name).map_err(|failure| Problem::failed("saved views", &failure))?;
    Ok(Content {
        counts,
        clock: clock(desk, now),
        options: Options {
            suspicions: all(Suspicion::ALL),
            rules: options
                .rules
                .into_iter()
                .map(|(code, n)| RuleOption { name: rule_name(&code), n })
                .collect(),
            departments: options.departments,
            districts: options.districts,
            channels: all(Channel::ALL),
            ages: names(&Age::ALL.map(|(_, value, zh, en)| (value, zh, en))),
            sorts: names(&Sort::ALL.map(|(_, value, zh, en)| (value, zh, en))),
        },
        views: saved
            .into_iter()
            .map(|view| {
                let href = format!("/desk/queue?{}", view.query);
                View { id: view.id, current: href == here, name: view.name, href }
            })
            .collect(),
        campaigns,
        campaigns_more,
        rows: page.rows.into_iter().map(|row| desk.row(visitor, row)).collect(),
        total: page.total,
        next: page.next.map(|mark| filters.href(Some(&mark))),
        filters,
        outcomes: choices(true),
    })
}

/// A reason's code for the filter: its words, where they do not depend on a rating.
fn rule_name(code: &str) -> Named {
    let words = crate::policy::text(code)
        .or_else(|| reasons::find(code).map(|reason| (reason.zh, reason.en)))
        .map(|(zh, en)| (short(zh), short(en)));
    match words {
        Some((zh, en)) => Named { value: code.to_owned(), name: text(zh, en) },
        None => named(code, code, code),
    }
}

/// What fits into a list.
fn short(text: &str) -> String {
    const CHARS: usize = 24;
    match text.chars().nth(CHARS) {
        Some(_) => text.chars().take(CHARS).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

fn clock(desk: &Desk, now: Instant) -> Clock {
    desk.service.folds(|folds| {
        let pending = &folds.pending;
        Clock {
            pending_bad: pending.bad_len(),
            pending_good: pending.len() as u64 - pending.bad_len(),
            next_lapse: pending.next_deadline().map(|at| desk.moment(at)),
            lapsing_24h: pending.due(Instant(now.ms() + DAY_MS)).count(),
            budget_used: folds.budget.used(),
            budget_limit: folds.budget.limit(),
        }
    })
}

/// `POST /desk/views`.
pub async fn save_view(State(desk): State<Arc<Desk>>, signed: Signed) -> Response<Body> {
    let Signed { visitor, fields } = signed;
    // Only what the page itself could have asked is kept.
    let query = fields.get("query").to_owned();
    let filters: Filters = Query::try_from_uri(&format!("/desk/queue?{query}").parse().unwrap_or_default())
        .map(|Query(filters)| filters)
        .unwrap_or_default();
    let href = filters.href(None);
    let query = href.split_once('?').map_or("", |(_, query)| query);
    match desk.access.save_view(&visitor.account().name, fields.get("name").trim(), query) {
        Ok(()) => see_other(&href),
        Err(failure) => {
            let says = text(format!("视图未保存：{failure}"), format!("The view was not saved: {failure}"));
            desk.say(&visitor, Notice::error(says));
            see_other(&href)
        }
    }
}

/// `POST /desk/views/{id}/delete`.
pub async fn delete_view(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<i64>,
    signed: Signed,
) -> Response<Body> {
    if let Err(failure) = desk.access.delete_view(&signed.visitor.account().name, id) {
        let says = text(format!("视图未删除：{failure}"), format!("The view was not deleted: {failure}"));
        desk.say(&signed.visitor, Notice::error(says));
    }
    see_other("/desk/queue")
}
