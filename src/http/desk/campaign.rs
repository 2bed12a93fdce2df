//! A campaign: ratings that belong together, decided together.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Desk;
use super::case::whole;
use super::pages::{PageResult, Problem, is_for, respond};
use super::pictures;
use super::queue::scope_of;
use super::rows::{Choice, Row, choices};
use super::visit::Visitor;
use super::words::{Named, Text, both, text};
use crate::access::Viewed;
use crate::date::Month;
use crate::review::drawing::{Links, Map};
use crate::review::projection::{
    Campaign, CampaignRow, CaseRow, GROUP_MAX, MemberFilter, QueueFilter, Share, Viewer,
};
use crate::statistics::{Figures, Query as Figured};

/// Members that are listed.
const MEMBERS: usize = 300;
/// Members that are drawn.
const DRAWN: usize = 400;

/// A campaign in the queue.
#[derive(Serialize)]
pub struct Listed {
    id: String,
    href: String,
    size: u64,
    open: u64,
    bad: u64,
    first: String,
    last: String,
    summary: Text,
    priority: u8,
    departments: Vec<String>,
    overdue: bool,
}

impl Listed {
    fn of(desk: &Desk, row: CampaignRow) -> Self {
        Self {
            href: format!("/desk/campaigns/{}", row.id),
            size: row.size,
            open: row.open,
            bad: row.bad,
            first: desk.moment(row.first),
            last: desk.moment(row.last),
            summary: both(&row.summary),
            priority: row.priority,
            departments: row.departments,
            overdue: row.overdue,
            id: row.id,
        }
    }
}

/// The most urgent campaigns that a filter finds, and how many more there are.
pub fn listed(desk: &Desk, filter: &QueueFilter, most: usize) -> Result<(Vec<Listed>, u64), Problem> {
    let found = desk.review.projection().campaigns(filter, most);
    let (rows, more) = found.map_err(|failure| Problem::failed("campaigns", &failure))?;
    Ok((rows.into_iter().map(|row| Listed::of(desk, row)).collect(), more))
}

/// What is asked of the page; what is not set is empty.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Filters {
    state: String,
    stars: String,
    rule: String,
}

#[derive(Serialize)]
struct Content {
    campaign: Details,
    shares: Vec<Share>,
    picture: Map,
    links: Option<Links>,
    preview: Vec<Preview>,
    members: Vec<Row>,
    filters: Filters,
    can: Can,
    cannot: Option<Text>,
    outcomes: Vec<Choice>,
    export: Option<String>,
}

#[derive(Serialize)]
struct Can {
    decide: bool,
}

#[derive(Serialize)]
struct Details {
    #[serde(flatten)]
    listed: Listed,
    reading: Named,
    reading_why: Text,
    raters: u64,
    devices: u64,
    texts: u64,
    networks: u64,
    cases_matched: u64,
    targets: u64,
    rater_dispersion: Option<f64>,
    decided: Value,
}

/// What deciding all open members would do to the figures of one department in one month.
#[derive(Serialize)]
struct Preview {
    department: String,
    period: String,
    now: Rates,
    cleared: Rates,
    confirmed: Rates,
}

#[derive(Clone, Copy, Serialize)]
struct Rates {
    n: u64,
    good: f64,
    bad: f64,
}

impl Rates {
    fn of(good: u64, bad: u64) -> Self {
        let n = good + bad;
        let share = |part: u64| if n == 0 { 0.0 } else { part as f64 / n as f64 };
        Self { n, good: share(good), bad: share(bad) }
    }
}

/// `GET /desk/campaigns/{id}`.
pub async fn page(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    Query(filters): Query<Filters>,
    visitor: Visitor,
) -> Response<Body> {
    let visitor = Arc::new(visitor);
    let result = show(&desk, &visitor, id, filters).await;
    respond(&desk, &visitor.caller, result)
}

async fn show(desk: &Arc<Desk>, visitor: &Arc<Visitor>, id: String, filters: Filters) -> PageResult {
    if !is_for("campaign", visitor.account().role) {
        return Err(Problem::forbidden());
    }
    let looks = Arc::clone(visitor);
    let content = desk.read(move |desk| content(desk, &looks, &id, filters)).await??;
    desk.page(visitor, "campaign", &content)
}

fn failed(failure: &dyn std::fmt::Display) -> Problem {
    Problem::failed("a campaign", failure)
}

fn content(desk: &Desk, visitor: &Visitor, id: &str, filters: Filters) -> Result<Content, Problem> {
    let (account, now) = (visitor.account(), desk.now());
    let projection = desk.review.projection();
    let campaign = projection.campaign(id, now).map_err(|failure| failed(&failure))?;
    let campaign = campaign.ok_or_else(Problem::not_found)?;
    let (scope, viewer) = (scope_of(account), Viewer { name: &account.name, now });
    let all = projection
        .members(&campaign.row.id, &MemberFilter::default(), &scope, viewer, GROUP_MAX as usize)
        .map_err(|failure| failed(&failure))?;
    if all.is_empty() {
        // It is there, and none of it is for this account.
        return Err(Problem::not_found());
    }
    let filter = MemberFilter {
        open: match filters.state.as_str() {
            "open" => Some(true),
            "decided" => Some(false),
            _ => None,
        },
        stars: filters.stars.parse().ok(),
        rule: (!filters.rule.trim().is_empty()).then(|| filters.rule.trim().to_owned()),
    };
    let members = projection
        .members(&campaign.row.id, &filter, &scope, viewer, MEMBERS)
        .map_err(|failure| failed(&failure))?;
    let links = projection.member_links(&campaign.row.id, DRAWN).map_err(|failure| failed(&failure))?;
    let decides = account.role.decides();
    Ok(Content {
        shares: campaign.shares.clone(),
        picture: pictures::map(desk, &all, &links),
        links: pictures::links_of_campaign(&all, &links),
        preview: preview(desk, &all),
        members: members.into_iter().map(|row| desk.row(visitor, row)).collect(),
        filters,
        can: Can { decide: decides && campaign.row.open > 0 },
        cannot: (!decides)
            .then(|| text("您的角色只能查看，不能作出决定。", "Your role may look, but not decide.")),
        outcomes: choices(campaign.row.bad > 0),
        export: (decides && campaign.decided.confirmed > 0)
            .then(|| format!("/desk/campaigns/{}/evidence.json", campaign.row.id)),
        campaign: details(desk, campaign),
    })
}

fn details(desk: &Desk, campaign: Campaign) -> Details {
    Details {
        reading: Named::from(campaign.reading),
        reading_why: both(&campaign.reading_why),
        raters: campaign.raters,
        devices: campaign.devices,
        texts: campaign.texts,
        networks: campaign.networks,
        cases_matched: campaign.cases_matched,
        targets: campaign.targets,
        rater_dispersion: campaign.rater_dispersion,
        decided: json!(campaign.decided),
        listed: Listed::of(desk, campaign.row),
    }
}

/// The figures of each department and month that open members belong to: as they are, with all of them
/// counted, and with none.
fn preview(desk: &Desk, members: &[CaseRow]) -> Vec<Preview> {
    const SHOWN: usize = 10;
    let mut open: BTreeMap<(String, Month), [u64; 4]> = BTreeMap::new();
    for row in members.iter().filter(|row| row.state == "open") {
        let counts = open.entry((row.department.clone(), row.day.month())).or_default();
        let is_good = row.stars >= 3;
        // A second look counts already; what is on hold does not.
        let counted = row.decision.value == "admit";
        counts[usize::from(counted) * 2 + usize::from(!is_good)] += 1;
    }
    let mut rows: Vec<((String, Month), [u64; 4])> = open.into_iter().collect();
    rows.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.iter().sum::<u64>()));
    rows.into_iter()
        .take(SHOWN)
        .map(|((department, month), [held_good, held_bad, counted_good, counted_bad])| {
            let figures = figures(desk, &department, month);
            let (good, bad) = figures.map_or((0, 0), |figures| {
                let good = figures.stars.at_least(3);
                (good, figures.counted - good)
            });
            Preview {
                department,
                period: month.to_string(),
                now: Rates::of(good, bad),
                cleared: Rates::of(good + held_good, bad + held_bad),
                confirmed: Rates::of(good.saturating_sub(counted_good), bad.saturating_sub(counted_bad)),
            }
        })
        .collect()
}

fn figures(desk: &Desk, department: &str, month: Month) -> Option<Figures> {
    let query = Figured {
        from: Some(month.first_day()),
        to: Some(month.last_day()),
        department: None,
        ..Figured::default().by("department").ok()?
    };
    let report = desk.service.statistics_report(&query).ok()?;
    report.rows.into_iter().find(|row| row.code.as_deref() == Some(department))?.figures
}

/// `GET /desk/campaigns/{id}/evidence.json`: what is known of a confirmed campaign, signed.
pub async fn evidence(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    let visitor = Arc::new(visitor);
    let looks = Arc::clone(&visitor);
    let made = desk.read(move |desk| bundle(desk, &looks, &id)).await.and_then(|made| made);
    match made {
        Ok((id, file)) => {
            let mut response = Response::new(Body::from(file));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let name = format!("attachment; filename=\"evidence-{id}.json\"");
            if let Ok(name) = HeaderValue::try_from(name) {
                headers.insert(CONTENT_DISPOSITION, name);
            }
            response
        }
        Err(refused) => respond(&desk, &visitor.caller, Err(refused)),
    }
}

fn bundle(desk: &Desk, visitor: &Visitor, id: &str) -> Result<(String, Vec<u8>), Problem> {
    let (account, now) = (visitor.account(), desk.now());
    if !account.role.decides() {
        return Err(Problem::forbidden());
    }
    let projection = desk.review.projection();
    let campaign = projection.campaign(id, now).map_err(|failure| failed(&failure))?;
    let campaign =
        campaign.filter(|campaign| campaign.decided.confirmed > 0).ok_or_else(Problem::not_found)?;
    let viewer = Viewer { name: &account.name, now };
    let rows = projection
        .members(&campaign.row.id, &MemberFilter::default(), &scope_of(account), viewer, GROUP_MAX as usize)
        .map_err(|failure| failed(&failure))?;
    let mut members = Vec::with_capacity(rows.len());
    for row in rows.iter().filter(|row| row.outcome.is_some_and(|outcome| outcome.value == "confirm")) {
        let Some(file) = desk.service.case_file(&row.id).map_err(|failure| failed(&failure))? else {
            continue;
        };
        let leaf = desk.service.leaf(file.sequence).map_err(|failure| failed(&failure))?;
        let reasons = desk.service.reasons_of(&file).map_err(|failure| failed(&failure))?;
        let o = &file.rating.observation;
        let history = projection.history(&row.id).map_err(|failure| failed(&failure))?;
        members.push(json!({
            "rating_id": row.id,
            "sequence": file.sequence,
            "leaf": leaf.map(|leaf| leaf.to_string()),
            "submitted_at": desk.moment(o.submitted_at),
            "stars": o.stars,
            "department": row.department,
            "district": row.district,
            "window": row.window,
            "matter": row.matter,
            "channel": row.channel.value,
            "pseudonyms": {
                "rater": o.rater.id.as_ref().map(whole),
                "device": o.device.fingerprint.as_ref().map(whole),
                "case": o.service.case.as_ref().map(whole),
                "network": o.network.subnet.as_ref().map(whole),
                "comment": o.text.as_ref().map(|text| whole(&text.exact)),
            },
            "reasons": reasons.iter().map(|reason| json!({
                "code": reason.code, "weight": reason.weight, "text": reason.text, "text_en": reason.text_en,
            })).collect::<Vec<_>>(),
            "decisions": history.iter().map(|act| json!({
                "sequence": act.sequence, "at": desk.moment(act.at), "by": act.who, "what": act.code,
                "reason": act.reason_code,
                "words": act.words.as_ref().map(|sealed| desk.service.open_words(sealed, &row.id)),
            })).collect::<Vec<_>>(),
        }));
        desk.access
            .record_view(&account.name, &row.id, Viewed::Evidence)
            .map_err(|failure| failed(&failure))?;
    }
    let head = desk.service.log_head();
    let content = json!({
        "format": "zhenping evidence 1",
        "campaign": campaign.row.id,
        "summary": campaign.row.summary.zh,
        "summary_en": campaign.row.summary.en,
        "exported_at": desk.moment(now),
        "exported_by": account.name,
        "ledger": { "position": head.next_sequence, "head": head.chain.to_string() },
        "shares": campaign.shares,
        "members": members,
    });
    let file = desk.service.sign_evidence(&content).map_err(|failure| failed(&failure))?;
    Ok((campaign.row.id, file))
}
