//! How well it is decided, and what of it goes into files.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use serde::Serialize;
use serde_json::json;

use super::Desk;
use super::operations::Chart;
use super::pages::{PageResult, Problem, respond};
use super::visit::Visitor;
use super::words::{Text, both, text};
use crate::policy;
use crate::review::projection::{Agreement, Appeals, Control, Deadlines, Quality, Reviewer, RuleQuality};

/// Days that the page looks back.
const DAYS: i32 = 30;

#[derive(Serialize)]
struct Content {
    period: Period,
    agreement: Agreement,
    reviewers: Vec<Reviewer>,
    control: Control,
    appeals: Appeals,
    backlog: Chart,
    deadlines: Deadlines,
    rules: Vec<Rule>,
    exports: Vec<Export>,
}

#[derive(Serialize)]
struct Period {
    from: String,
    to: String,
}

#[derive(Serialize)]
struct Rule {
    why: Text,
    #[serde(flatten)]
    quality: RuleQuality,
}

#[derive(Serialize)]
struct Export {
    href: String,
    #[serde(flatten)]
    name: Text,
}

/// The files that can be had, with their names.
const EXPORTS: [(&str, &str, &str); 4] = [
    ("reviewers.csv", "复核员", "reviewers"),
    ("rules.csv", "规则", "rules"),
    ("backlog.csv", "积压", "backlog"),
    ("labels.ndjson", "标签（供 train --labels）", "labels (for train --labels)"),
];

/// `GET /desk/quality`.
pub async fn page(State(desk): State<Arc<Desk>>, visitor: Visitor) -> Response<Body> {
    let result = show(&desk, &visitor).await;
    respond(&desk, &visitor.caller, result)
}

async fn show(desk: &Arc<Desk>, visitor: &Visitor) -> PageResult {
    let content = desk.read(content).await??;
    desk.page(visitor, "quality", &content)
}

fn measured(desk: &Desk) -> Result<(Quality, Period), Problem> {
    let now = desk.now();
    let until = desk.service.offset().day_of(now);
    let from = until.plus(1 - DAYS);
    let quality = desk
        .review
        .projection()
        .quality(from, until, desk.service.offset(), now)
        .map_err(|failure| Problem::failed("the quality of reviews", &failure))?;
    Ok((quality, Period { from: from.to_string(), to: until.to_string() }))
}

fn content(desk: &Desk) -> Result<Content, Problem> {
    let (quality, period) = measured(desk)?;
    let open: Vec<u64> = quality.backlog.iter().map(|day| day.open).collect();
    let labels: Vec<(usize, String)> = quality
        .backlog
        .iter()
        .enumerate()
        .filter(|(place, _)| place % 7 == 3)
        .map(|(place, day)| (place, day.day.to_string().get(5..).unwrap_or_default().to_owned()))
        .collect();
    let words = words(desk);
    Ok(Content {
        period,
        agreement: quality.agreement,
        reviewers: quality
            .reviewers
            .into_iter()
            .map(|reviewer| Reviewer { name: desk.display(&reviewer.name), ..reviewer })
            .collect(),
        control: quality.control,
        appeals: quality.appeals,
        backlog: Chart::of(&open, &labels),
        deadlines: quality.deadlines,
        rules: quality
            .rules
            .into_iter()
            .map(|quality| Rule {
                why: words.get(&quality.id).cloned().unwrap_or_else(|| text(&quality.id, &quality.id)),
                quality,
            })
            .collect(),
        exports: EXPORTS
            .iter()
            .map(|&(file, zh, en)| Export { href: format!("/desk/quality/{file}"), name: text(zh, en) })
            .collect(),
    })
}

/// What the codes of reasons say, where that does not depend on a rating.
fn words(desk: &Desk) -> HashMap<String, Text> {
    let policies = policy::CODES.iter().map(|&(code, zh, en)| (code.to_owned(), text(zh, en)));
    let ruling = desk.service.ruling();
    let rules = ruling.iter().flat_map(|ruling| {
        ruling.rules().iter().map(|(_, rule)| (rule.id.clone(), both(&rule.why))).collect::<Vec<_>>()
    });
    policies.chain(rules).collect()
}

/// `GET /desk/quality/{file}`.
pub async fn export(
    State(desk): State<Arc<Desk>>,
    Path(file): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    let name = file.clone();
    match desk.read(move |desk| written(desk, &name)).await.and_then(|written| written) {
        Ok(content) => {
            let mut response = Response::new(Body::from(content));
            let media_type = match file.ends_with(".csv") {
                true => "text/csv; charset=utf-8",
                false => "application/x-ndjson",
            };
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
            if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{file}\"")) {
                response.headers_mut().insert(CONTENT_DISPOSITION, name);
            }
            response
        }
        Err(refused) => respond(&desk, &visitor.caller, Err(refused)),
    }
}

fn written(desk: &Desk, file: &str) -> Result<String, Problem> {
    let optional = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.4}"));
    let mut out = String::new();
    let mut line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    };
    let head = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    match file {
        "reviewers.csv" => {
            line(&head(&["name", "decided", "cleared", "confirmed", "mistaken", "overturned", "median_s"]));
            for r in measured(desk)?.0.reviewers {
                let numbers =
                    [r.decided, r.cleared, r.confirmed, r.mistaken, r.overturned].map(|n| n.to_string());
                let median = r.median_s.map_or_else(String::new, |median| median.to_string());
                line(&[&[r.name][..], &numbers[..], &[median][..]].concat());
            }
        }
        "rules.csv" => {
            line(&head(&["rule", "decided", "cleared", "confirmed", "mistaken", "precision"]));
            for r in measured(desk)?.0.rules {
                let numbers = [r.decided, r.cleared, r.confirmed, r.mistaken].map(|n| n.to_string());
                line(&[&[r.id][..], &numbers[..], &[optional(r.precision)][..]].concat());
            }
        }
        "backlog.csv" => {
            line(&head(&["day", "opened", "decided", "open"]));
            for day in measured(desk)?.0.backlog {
                line(&[
                    day.day.to_string(),
                    day.opened.to_string(),
                    day.decided.to_string(),
                    day.open.to_string(),
                ]);
            }
        }
        "labels.ndjson" => {
            desk.review
                .projection()
                .labels(0, |row| {
                    let label = json!({ "rating_id": row.rating_id, "label": row.label.name() });
                    out.push_str(&label.to_string());
                    out.push('\n');
                })
                .map_err(|failure| Problem::failed("labels", &failure))?;
        }
        _ => return Err(Problem::not_found()),
    }
    Ok(out)
}

/// A cell of a CSV file (RFC 4180). What a spreadsheet would take for a formula is no formula.
fn quoted(cell: &str) -> String {
    let guarded = match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    };
    match guarded.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", guarded.replace('"', "\"\"")),
        false => guarded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_keeps_its_commas_and_quotes() {
        for (cell, written) in [
            ("李娜", "李娜"),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("-1+2", "'-1+2"),
        ] {
            assert_eq!(quoted(cell), written);
        }
    }
}
