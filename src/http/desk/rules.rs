//! The rules in force, and what became of what they held.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::Response;
use serde::{Deserialize, Serialize};

use super::Desk;
use super::pages::{PageResult, Problem, respond};
use super::visit::Visitor;
use super::words::{Named, Text, both, name_of, named, text};
use crate::review::projection::RuleOutcomes;
use crate::rules::{Action, State as RuleState};
use crate::wire::Decision;

/// How the rules are sorted.
#[derive(Deserialize)]
pub struct Order {
    #[serde(default)]
    sort: String,
}

#[derive(Serialize)]
struct Content {
    rules: InForce,
    model: Option<Model>,
    lists: Vec<List>,
    rows: Vec<Row>,
    sort: String,
}

#[derive(Serialize)]
struct InForce {
    version: String,
    since: Option<String>,
    source: String,
}

#[derive(Serialize)]
struct Model {
    version: String,
}

#[derive(Serialize)]
struct List {
    name: String,
    #[serde(flatten)]
    of: Text,
    entries: usize,
    expires: Option<String>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    state: Named,
    family: String,
    weight: Option<f32>,
    then: Option<Named>,
    suspect: Option<Named>,
    why: Text,
    when: String,
    owner: String,
    #[serde(flatten)]
    outcomes: RuleOutcomes,
}

/// `GET /desk/rules`.
pub async fn page(
    State(desk): State<Arc<Desk>>,
    Query(Order { sort }): Query<Order>,
    visitor: Visitor,
) -> Response<Body> {
    let result = show(&desk, &visitor, sort).await;
    respond(&desk, &visitor.caller, result)
}

async fn show(desk: &Arc<Desk>, visitor: &Visitor, sort: String) -> PageResult {
    let content = desk.read(move |desk| content(desk, sort)).await?;
    desk.page(visitor, "rules", &content?)
}

fn content(desk: &Desk, sort: String) -> Result<Content, Problem> {
    let ruling = desk.service.ruling().ok_or_else(Problem::not_found)?;
    let outcomes = desk
        .review
        .projection()
        .rule_outcomes()
        .map_err(|failure| Problem::failed("rule outcomes", &failure))?;
    let mut rows: Vec<Row> = ruling
        .rules()
        .iter()
        .map(|(_, rule)| Row {
            id: rule.id.clone(),
            state: match rule.state {
                RuleState::Draft => named("draft", "草稿", "draft"),
                RuleState::Shadow => named("shadow", "试运行", "shadow"),
                RuleState::Active => named("active", "生效", "active"),
            },
            family: rule.family.map_or_else(String::new, |family| family.name().to_owned()),
            weight: (rule.action == Action::Weigh).then_some(rule.weight),
            then: match rule.action {
                Action::Reject => Some(name_of(Decision::Reject)),
                Action::Hold => Some(name_of(Decision::Hold)),
                Action::Allow => Some(named("allow", "豁免其他规则", "mutes others")),
                Action::Weigh => None,
            },
            suspect: rule.suspect.map(name_of),
            why: both(&rule.why),
            when: rule.when.clone(),
            owner: rule.owner.clone(),
            outcomes: outcomes.get(&rule.id).cloned().unwrap_or_default(),
        })
        .collect();
    let sort = match sort.as_str() {
        "precision" | "held" | "id" => sort,
        _ => "held".to_owned(),
    };
    match sort.as_str() {
        "precision" => rows.sort_by(|a, b| {
            let of = |row: &Row| row.outcomes.precision.unwrap_or(2.0);
            of(a).total_cmp(&of(b)).then_with(|| a.id.cmp(&b.id))
        }),
        "held" => rows.sort_by(|a, b| b.outcomes.held.cmp(&a.outcomes.held).then_with(|| a.id.cmp(&b.id))),
        _ => rows.sort_by(|a, b| a.id.cmp(&b.id)),
    }
    let lists = ruling
        .rules()
        .lists()
        .iter()
        .map(|list| List {
            name: list.name.clone(),
            of: text(format!("按 {}", list.of), format!("of {}", list.of)),
            entries: list.entries().len(),
            expires: list.entries().iter().map(|entry| entry.expires).min().map(|at| desk.moment(at)),
        })
        .collect();
    Ok(Content {
        rules: InForce {
            version: ruling.version().to_string(),
            since: None,
            source: desk.service.rules_origin().describe(),
        },
        model: ruling.model().map(|_| Model { version: ruling.model_version().to_string() }),
        lists,
        rows,
        sort,
    })
}
