//! The report for people.

use std::fmt::Write;

use super::{Delay, Report, Route, Row};
use crate::lab::evaluate::grid::{Grid, percent};
use crate::lab::scale::table::figure;
use crate::service::grouped;

/// Scenarios that are told: those that lose the most.
const SCENARIOS_TOLD: usize = 6;
/// And at least so much of their recall, anywhere.
const LEAST_LOSS: f64 = 0.005;

/// The report as a table.
pub fn table(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} ratings, {} a second of event time, shared by {} nodes {}; {} of them labelled\n",
        grouped(report.ratings),
        figure(report.ratings_per_s),
        report.nodes,
        match report.route {
            Route::Random => "at random",
            Route::Office => "by office",
        },
        grouped(report.labelled)
    );
    let mut headings = vec![
        "others seen",
        "unseen: mean",
        "p99",
        "decided otherwise",
        "held alone, not here",
        "held here alone",
    ];
    if report.labelled > 0 {
        headings.extend(["recall", "honest held", "honest bad held"]);
    }
    let mut grid = Grid::new(&headings);
    for row in std::iter::once(&report.alone).chain(&report.rows) {
        let name = if std::ptr::eq(row, &report.alone) { "one node".to_owned() } else { delay(row.delay) };
        let mut cells =
            vec![name, figure(row.unseen_mean), figure(row.unseen_p99), exactly(row.differ.share())];
        cells.extend([row.missed, row.added].map(|rate| grouped(rate.count)));
        if report.labelled > 0 {
            cells
                .extend([row.recall, row.honest_held, row.honest_bad_held].map(|rate| percent(rate.share())));
        }
        grid.row(cells);
    }
    grid.print(&mut out);
    scenarios(&mut out, report);
    out
}

fn delay(delay: Delay) -> String {
    match delay {
        Delay::Ratings(late) => format!("{} ratings late", grouped(late)),
        Delay::Ms(late) if late >= 1_000 => format!("{} s late", figure(late as f64 / 1e3)),
        Delay::Ms(late) => format!("{late} ms late"),
    }
}

/// A share in percent with three digits: few decisions differ.
fn exactly(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{:.3} %", 100.0 * share))
}

/// The scenarios whose recall loses the most.
fn scenarios(out: &mut String, report: &Report) {
    let share = |row: &Row, at: usize| row.scenarios[at].recall.share().unwrap_or(0.0);
    let loss = |at: usize| {
        report.rows.iter().map(|row| share(&report.alone, at) - share(row, at)).fold(0.0, f64::max)
    };
    let mut losing: Vec<(usize, f64)> = (0..report.alone.scenarios.len())
        .map(|at| (at, loss(at)))
        .filter(|&(_, loss)| loss >= LEAST_LOSS)
        .collect();
    losing.sort_by(|a, b| b.1.total_cmp(&a.1));
    losing.truncate(SCENARIOS_TOLD);
    if losing.is_empty() {
        return;
    }
    out.push_str("\nRecall of the scenarios that lose the most\n\n");
    let name = |&(at, _): &(usize, f64)| match report.alone.scenarios[at].scenario.as_str() {
        "" => "(no scenario)".to_owned(),
        name => name.to_owned(),
    };
    let names: Vec<String> = losing.iter().map(name).collect();
    let mut headings = vec!["others seen"];
    headings.extend(names.iter().map(String::as_str));
    let mut grid = Grid::new(&headings);
    for row in std::iter::once(&report.alone).chain(&report.rows) {
        let mut cells =
            vec![if std::ptr::eq(row, &report.alone) { "one node".to_owned() } else { delay(row.delay) }];
        cells.extend(losing.iter().map(|&(at, _)| percent(Some(share(row, at)))));
        grid.row(cells);
    }
    grid.print(out);
}
