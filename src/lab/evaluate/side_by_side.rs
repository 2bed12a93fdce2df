//! Two files of verdicts beside each other: A is the one in question, B the one it is held against.

use std::fmt::Write;

use super::campaign::Campaigns;
use super::comparison::{Changed, Comparison, Of};
use super::grid::{Grid, NOTHING, four_digits, percent};
use super::rate::Rate;
use super::report::{Evaluation, Overall};
use super::table::{scenario_name, section, until};
use crate::service::grouped;

/// The rates over all scenarios by their names.
pub(super) fn rates(overall: &Overall) -> [(&'static str, Rate); 8] {
    [
        ("recall, inline", overall.recall_inline),
        ("recall, final", overall.recall_final),
        ("precision, inline", overall.precision_inline),
        ("precision, final", overall.precision_final),
        ("honest held, inline", overall.honest_held_inline),
        ("honest held, final", overall.honest_held_final),
        ("honest bad held, inline", overall.honest_bad_held_inline),
        ("honest bad held, final", overall.honest_bad_held_final),
    ]
}

/// Campaigns by scenario, and all together.
pub(super) fn campaigns(evaluation: &Evaluation) -> Vec<(String, Campaigns)> {
    let own = evaluation.abusive_scenarios.iter();
    let mut rows: Vec<(String, Campaigns)> = own
        .filter(|scenario| scenario.campaigns.campaigns > 0)
        .map(|scenario| (scenario_name(&scenario.scenario), scenario.campaigns))
        .collect();
    rows.push(("all".to_owned(), evaluation.campaigns));
    rows
}

pub(super) fn print(out: &mut String, files: [&Evaluation; 2], comparison: &Comparison) {
    let _ = writeln!(out, "\nA: {}\nB: {}", files[0].verdicts, files[1].verdicts);
    overall(out, files, comparison);
    changes(out, comparison);
    abusive(out, files);
    campaigns_of_both(out, files);
    honest(out, files);
}

/// Writing to a string cannot fail; here and below its result is of no interest.
fn overall(out: &mut String, files: [&Evaluation; 2], comparison: &Comparison) {
    section(out, "OVERALL");
    let mut grid = Grid::new(&["", "A", "B", "B − A"]);
    let mut row = |name: &str, cells: [String; 2], difference: String| {
        let [a, b] = cells;
        grid.row(vec![name.to_owned(), a, b, difference]);
    };
    let removed = files.map(|file| file.distortion.removed);
    row("distortion removed", removed.map(percent), points(removed));
    let differences = files.map(|file| file.distortion.published_difference);
    row("published figures off by", differences.map(grouped), signed(differences));
    let [a, b] = files.map(|file| rates(&file.overall));
    for ((name, a), (_, b)) in a.into_iter().zip(b) {
        let shares = [a, b].map(Rate::share);
        let cells = [a, b].map(|rate| {
            format!("{} ({} of {})", percent(rate.share()), grouped(rate.count), grouped(rate.of))
        });
        row(name, cells, points(shares));
    }
    let [a, b] = files.map(|file| &file.at_budget);
    for (a, b) in a.iter().zip(b) {
        let shares = [a, b].map(|at| at.recall.share());
        row(&format!("recall at {:.1} % of honest", 100.0 * a.budget), shares.map(percent), points(shares));
    }
    let values = files.map(|file| file.average_precision.value);
    let interval = comparison.average_precision_difference_95;
    let difference = comparison.average_precision_difference.zip(interval).map_or_else(
        || NOTHING.to_owned(),
        |(difference, [low, high])| format!("{difference:+.4} ({low:+.4} to {high:+.4})"),
    );
    row("average precision (PR-AUC)", values.map(four_digits), difference);
    let errors = files.map(|file| file.calibration.expected_error);
    let difference = match errors {
        [Some(a), Some(b)] => format!("{:+.4}", b - a),
        _ => NOTHING.to_owned(),
    };
    row("calibration error", errors.map(four_digits), difference);
    grid.print(out);
    if let Some([low, high]) = interval {
        let says = if low > 0.0 || high < 0.0 { "is more than chance" } else { "may be chance" };
        let _ = writeln!(out, "The difference in average precision {says} (95 %).");
    }
}

fn changes(out: &mut String, comparison: &Comparison) {
    section(out, "DECISIONS THAT DIFFER");
    let mut grid = Grid::new(&["", "abusive", "genuine", "genuine bad"]);
    let rows = |name: &str, changed: &Changed| {
        [
            (format!("held by A alone, {name}"), changed.held_by_first_only),
            (format!("held by B alone, {name}"), changed.held_by_second_only),
        ]
    };
    for (name, of) in rows("inline", &comparison.inline).into_iter().chain(rows("final", &comparison.last)) {
        let Of { abusive, genuine, genuine_bad } = of;
        grid.row(vec![name, grouped(abusive), grouped(genuine), grouped(genuine_bad)]);
    }
    grid.print(out);
}

fn abusive(out: &mut String, [first, second]: [&Evaluation; 2]) {
    section(out, "RECALL BY SCENARIO");
    let mut grid = Grid::new(&["scenario", "abusive", "inline A", "B", "B − A", "final A", "B", "B − A"]);
    // Both files are evaluated on the same ratings, so that the scenarios are the same too.
    for (a, b) in first.abusive_scenarios.iter().zip(&second.abusive_scenarios) {
        let mut cells = vec![scenario_name(&a.scenario), grouped(a.recall_final.of)];
        for pair in [[a.recall_inline, b.recall_inline], [a.recall_final, b.recall_final]] {
            let shares = pair.map(Rate::share);
            cells.extend(shares.map(percent));
            cells.push(points(shares));
        }
        grid.row(cells);
    }
    grid.print(out);
}

fn campaigns_of_both(out: &mut String, files: [&Evaluation; 2]) {
    if files[0].campaigns.campaigns == 0 {
        return;
    }
    section(out, "CAMPAIGNS: UNTIL ANYTHING OF THEM WAS HELD");
    let mut grid = Grid::new(&[
        "scenario",
        "campaigns",
        "never held A",
        "B",
        "ratings: half A",
        "B",
        "minutes: half A",
        "B",
    ]);
    let [first, second] = files.map(campaigns);
    for ((name, a), (_, b)) in first.into_iter().zip(second) {
        let both = [a, b];
        let half = |value: fn(&Campaigns) -> Option<f64>| {
            both.map(|of| until(value(&of), of.campaigns, of.held_at_unknown))
        };
        let mut cells = vec![name, grouped(a.campaigns)];
        cells.extend(both.map(|campaigns| grouped(campaigns.never_held)));
        cells.extend(half(|campaigns| campaigns.ratings_until_held.median));
        cells.extend(half(|campaigns| campaigns.minutes_until_held.median));
        grid.row(cells);
    }
    grid.print(out);
}

fn honest(out: &mut String, [first, second]: [&Evaluation; 2]) {
    section(out, "HONEST RATINGS HELD IN THE END, BY SCENARIO");
    let mut grid = Grid::new(&["scenario", "genuine", "A", "B", "B − A", "bad ones", "A", "B", "B − A"]);
    for (a, b) in first.honest_scenarios.iter().zip(&second.honest_scenarios) {
        let mut cells = vec![scenario_name(&a.scenario)];
        for pair in [[a.held_final, b.held_final], [a.bad_held_final, b.bad_held_final]] {
            cells.push(grouped(pair[0].of));
            cells.extend(pair.map(|rate| percent(rate.share())));
            cells.push(points(pair.map(Rate::share)));
        }
        grid.row(cells);
    }
    grid.print(out);
}

/// The second share less the first, in percentage points.
fn points(shares: [Option<f64>; 2]) -> String {
    match shares {
        [Some(a), Some(b)] => format!("{:+.2}", 100.0 * (b - a)),
        _ => NOTHING.to_owned(),
    }
}

/// The second count less the first.
fn signed([a, b]: [u64; 2]) -> String {
    let sign = if b < a { "-" } else { "+" };
    format!("{sign}{}", grouped(a.abs_diff(b)))
}
