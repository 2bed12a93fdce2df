//! The published figures, as anybody may have them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query as Parameters, State};
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::Desk;
use super::pages::{PageResult, Problem, respond};
use super::visit::Visitor;
use super::words::{Named, Text, named, percent, text};
use crate::service::grouped;
use crate::statistics::{Dimension, Figures, Period, Query, QueryError, Ranking, Report, ReportRow};

/// Rows on the page.
const ROWS_MAX: usize = 500;

/// What is asked for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Asked {
    #[serde(default)]
    by: String,
    #[serde(default)]
    per: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    department: String,
}

#[derive(Serialize)]
struct Content {
    query: Asked,
    options: Options,
    report: Table,
    ranking: Vec<Place>,
    pending: Pending,
}

#[derive(Serialize)]
struct Options {
    by: Vec<Named>,
    per: Vec<Named>,
}

#[derive(Serialize)]
struct Table {
    position: u64,
    head: String,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    more: bool,
}

#[derive(Serialize)]
struct Column {
    key: &'static str,
    #[serde(flatten)]
    name: Text,
    numeric: bool,
}

#[derive(Serialize)]
struct Place {
    rank: u64,
    department: String,
    good: f64,
    low: f64,
    high: f64,
    n: u64,
    /// Whether chance leaves it a place of its own: its range of places is not all of them.
    ranked: bool,
}

#[derive(Serialize)]
struct Pending {
    bad: u64,
    good: u64,
}

/// `GET /desk/statistics`.
pub async fn page(
    State(desk): State<Arc<Desk>>,
    Parameters(asked): Parameters<Asked>,
    visitor: Visitor,
) -> Response<Body> {
    let result = show(&desk, &visitor, asked).await;
    respond(&desk, &visitor.caller, result)
}

async fn show(desk: &Arc<Desk>, visitor: &Visitor, mut asked: Asked) -> PageResult {
    let query = query_of(&mut asked).map_err(refused)?;
    let ranks = matches!(query.by, Dimension::Department | Dimension::District);
    let (report, ranking) = desk
        .read(move |desk| {
            let report = desk.service.statistics_report(&query)?;
            let ranking = match ranks {
                true => {
                    Some(desk.service.ranking(&Query { per: Period::Whole, department: None, ..query })?)
                }
                false => None,
            };
            Ok::<_, QueryError>((report, ranking))
        })
        .await?
        .map_err(refused)?;
    let by = Dimension::ALL.iter().map(|&(_, name, zh, en)| named(name, zh, en)).collect();
    let per = vec![named("whole", "合计", "whole"), named("month", "月", "month"), named("day", "日", "day")];
    let pending = Pending { bad: report.pending.bad, good: report.pending.ratings - report.pending.bad };
    let content = Content {
        query: asked,
        options: Options { by, per },
        report: table(&report),
        ranking: ranking.map_or_else(Vec::new, |ranking| places(&ranking)),
        pending,
    };
    desk.page(visitor, "statistics", &content)
}

fn query_of(asked: &mut Asked) -> Result<Query, QueryError> {
    for (value, default) in [(&mut asked.by, "department"), (&mut asked.per, "whole")] {
        if value.is_empty() {
            *value = default.to_owned();
        }
    }
    let mut query = Query { limit: ROWS_MAX, ..Query::default().by(&asked.by)?.per(&asked.per)? };
    if !asked.from.is_empty() {
        query = query.from(&asked.from)?;
    }
    if !asked.to.is_empty() {
        query = query.to(&asked.to)?;
    }
    query.department = (!asked.department.is_empty()).then(|| asked.department.as_str().into());
    Ok(query)
}

fn refused(error: QueryError) -> Problem {
    let what = text(format!("查询条件有误：{error}"), format!("The question cannot be answered: {error}"));
    Problem::new(StatusCode::BAD_REQUEST, what)
}

fn table(report: &Report) -> Table {
    let (zh, en) = report.by.heading();
    let column = |key, name: Text, numeric| Column { key, name, numeric };
    let mut columns = vec![column("code", text(zh, en), false)];
    if report.per != Period::Whole {
        columns.push(column("period", text("周期", "Period"), false));
    }
    columns.extend(FIGURES.iter().map(|&(key, zh, en, _)| column(key, text(zh, en), true)));
    Table {
        position: report.log_position,
        head: report.head.clone(),
        columns,
        rows: report.rows.iter().map(|row| cells(report, row)).collect(),
        more: report.omitted_rows > 0,
    }
}

type Shown = fn(&Figures) -> String;

/// The columns of figures.
const FIGURES: &[(&str, &str, &str, Shown)] = &[
    ("counted", "计入", "Counted", |f| grouped(f.counted)),
    ("good_rate", "好评率", "Good rate", |f| rate(f.good_rate)),
    ("bad_rate", "差评率", "Bad rate", |f| rate(f.bad_rate)),
    ("pending", "待复核", "Pending", |f| grouped(f.pending)),
    ("pending_bad", "其中差评", "of them bad", |f| grouped(f.pending_bad)),
    ("confirmed", "确认异常", "Confirmed", |f| grouped(f.confirmed)),
    ("cleared", "复核计入", "Cleared", |f| grouped(f.cleared)),
    ("lapsed", "期满计入", "Lapsed", |f| grouped(f.lapsed)),
    ("corrections", "更正", "Corrections", |f| grouped(f.corrections)),
    ("default", "到期默认", "By default", |f| grouped(f.default.counted)),
];

fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), percent)
}

fn cells(report: &Report, row: &ReportRow) -> Vec<String> {
    let code = row.code.clone().unwrap_or_else(|| "–".to_owned());
    let place = match &row.department {
        Some(department) if report.by.is_within_department() => format!("{department} {code}"),
        _ => code,
    };
    let mut cells = vec![place];
    if report.per != Period::Whole {
        cells.push(row.period.clone().unwrap_or_default());
    }
    match &row.figures {
        Some(figures) => cells.extend(FIGURES.iter().map(|(.., shown)| shown(figures))),
        // Too few ratings to say something about one person.
        None => cells.extend(FIGURES.iter().map(|_| "·".to_owned())),
    }
    cells
}

fn places(ranking: &Ranking) -> Vec<Place> {
    let all = ranking.rows.len() as u64;
    ranking
        .rows
        .iter()
        .map(|row| Place {
            rank: row.rank,
            department: row.code.clone(),
            good: row.good_rate,
            low: row.interval_95[0],
            high: row.interval_95[1],
            n: row.counted,
            ranked: all > 1 && (row.rank_best > 1 || row.rank_worst < all),
        })
        .collect()
}
