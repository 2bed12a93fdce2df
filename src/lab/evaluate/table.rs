//! The report as text for people.

use std::fmt::Write;

use super::campaign::Quantiles;
use super::distortion::Tally;
use super::grid::{Grid, NOTHING, four_digits, percent, percents, rate_cells, share_cells};
use super::report::{AbusiveScenario, Evaluation, HonestScenario, Report};
use super::side_by_side;
use crate::service::grouped;

/// The report as text. Two files of verdicts stand side by side.
pub fn table(report: &Report) -> String {
    let mut out = String::new();
    head(&mut out, report);
    match (report.evaluations.as_slice(), &report.comparison) {
        ([first, second], Some(comparison)) => side_by_side::print(&mut out, [first, second], comparison),
        (evaluations, _) => evaluations.iter().for_each(|evaluation| single(&mut out, evaluation)),
    }
    out
}

/// Writing to a string cannot fail; here and below its result is of no interest.
fn head(out: &mut String, report: &Report) {
    let ratings = &report.ratings;
    let _ = writeln!(
        out,
        "{} ratings evaluated: {} abusive, {} genuine ({} of them bad).",
        grouped(ratings.evaluated),
        grouped(ratings.abusive),
        grouped(ratings.genuine),
        grouped(ratings.genuine_bad)
    );
    let left_out = [
        (ratings.unlabelled, "without a label"),
        (ratings.unsure, "labelled unsure"),
        (ratings.contradicted, "with labels that contradict each other"),
        (ratings.without_rating, "labelled but not among the ratings"),
        (ratings.without_verdict, "labelled but without an inline verdict"),
        (ratings.repeated_ratings, "sent again"),
    ];
    list(out, "Left out", &left_out);
    list(out, "Lines that could not be read", &[(report.wrong_lines.count, "named on standard error")]);
    for evaluation in &report.evaluations {
        let lines = &evaluation.lines;
        let _ = write!(
            out,
            "{}: {} inline verdicts and {} revisions of labelled ratings",
            evaluation.verdicts,
            grouped(lines.inline),
            grouped(lines.revisions)
        );
        for (count, what) in
            [(lines.unlabelled, "of others"), (lines.repeats, "repeats"), (lines.errors, "error lines")]
        {
            if count > 0 {
                let _ = write!(out, ", {} {what}", grouped(count));
            }
        }
        out.push_str(".\n");
    }
    out.push_str("Held is on hold or rejected; inline is the first answer, final the last revision.\n");
}

fn list(out: &mut String, title: &str, items: &[(u64, &str)]) {
    let items: Vec<String> = items
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", grouped(*count)))
        .collect();
    if !items.is_empty() {
        let _ = writeln!(out, "{title}: {}.", items.join(", "));
    }
}

fn single(out: &mut String, evaluation: &Evaluation) {
    distortion(out, evaluation);
    overall(out, evaluation);
    ranking(out, evaluation);
    calibration(out, evaluation);
    abusive(out, &evaluation.abusive_scenarios);
    campaigns(out, evaluation);
    honest(out, &evaluation.honest_scenarios);
}

pub(super) fn section(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{title}\n");
}

fn distortion(out: &mut String, evaluation: &Evaluation) {
    let distortion = &evaluation.distortion;
    section(out, "HOW FAR THE PUBLISHED FIGURES ARE FROM THE TRUTH");
    let _ = writeln!(
        out,
        "Over {} targets, the counts of good and bad ratings differ from those of genuine ratings alone",
        grouped(distortion.targets)
    );
    let _ = writeln!(out, "  by {} if every rating counts (raw),", grouped(distortion.raw_difference));
    let _ = writeln!(out, "  by {} as published.", grouped(distortion.published_difference));
    match distortion.removed {
        Some(removed) => {
            let _ = writeln!(out, "Share of the distortion removed: {}", percent(Some(removed)));
        }
        None => out.push_str(
            "The raw figures are the truth already: there is no distortion to remove, and no share of it.\n",
        ),
    }
    if distortion.defaults_left_out > 0 {
        let _ = writeln!(
            out,
            "{} ratings that the platform filled in are a column of their own in the statistics, and not in these.",
            grouped(distortion.defaults_left_out)
        );
    }
    if distortion.most_distorted.is_empty() {
        return;
    }
    out.push('\n');
    let mut grid = Grid::new(&[
        "most distorted (good/bad)",
        "truth",
        "raw",
        "published",
        "raw off by",
        "published off by",
    ]);
    let tally = |tally: Tally| format!("{}/{}", grouped(tally.good), grouped(tally.bad));
    for row in distortion.most_distorted.iter().take(10) {
        grid.row(vec![
            row.target.clone(),
            tally(row.truth),
            tally(row.raw),
            tally(row.published),
            grouped(row.raw_difference()),
            grouped(row.published_difference()),
        ]);
    }
    grid.print(out);
}

fn overall(out: &mut String, evaluation: &Evaluation) {
    section(out, "OVERALL");
    let mut grid = Grid::new(&["", "count", "of", "rate", "95 % interval"]);
    for (name, rate) in side_by_side::rates(&evaluation.overall) {
        grid.row([name.to_owned()].into_iter().chain(rate_cells(rate)).collect());
    }
    grid.print(out);
}

fn ranking(out: &mut String, evaluation: &Evaluation) {
    section(out, "RANKING BY THE INLINE RISK, WHATEVER THE THRESHOLDS");
    let precision = &evaluation.average_precision;
    let interval = precision.interval_95.map_or_else(String::new, |[low, high]| {
        format!(" ({low:.4}–{high:.4} in 95 % of {} resamples)", precision.resamples)
    });
    let _ = writeln!(out, "Average precision (PR-AUC): {}{interval}\n", four_digits(precision.value));
    let mut grid = Grid::new(&[
        "honest budget",
        "risk from",
        "honest held",
        "abusive found",
        "of",
        "recall",
        "95 % interval",
    ]);
    for at in &evaluation.at_budget {
        let mut cells = vec![
            format!("{:.1} %", 100.0 * at.budget),
            at.threshold.map_or_else(|| "none".to_owned(), |risk| format!("{risk:.4}")),
            grouped(at.honest_held.count),
        ];
        cells.extend(rate_cells(at.recall));
        grid.row(cells);
    }
    grid.print(out);
}

fn calibration(out: &mut String, evaluation: &Evaluation) {
    let calibration = &evaluation.calibration;
    section(out, &format!("CALIBRATION OF THE INLINE RISK, FROM {} UP", calibration.least_risk as f32));
    let _ = writeln!(
        out,
        "Expected calibration error: {} over {} ratings\n",
        four_digits(calibration.expected_error),
        grouped(calibration.ratings)
    );
    let mut grid = Grid::new(&["risk", "mean risk", "abusive", "of", "share", "95 % interval"]);
    for bin in &calibration.bins {
        let mut cells = vec![format!("{:.4}–{:.4}", bin.from, bin.to), percent(Some(bin.mean_risk))];
        cells.extend(rate_cells(bin.abusive));
        grid.row(cells);
    }
    grid.print(out);
}

pub(super) fn scenario_name(scenario: &Option<String>) -> String {
    scenario.clone().unwrap_or_else(|| "(no scenario)".to_owned())
}

fn abusive(out: &mut String, scenarios: &[AbusiveScenario]) {
    section(out, "RECALL BY SCENARIO");
    let mut grid = Grid::new(&[
        "scenario", "abusive", "inline", "recall", "95 %", "final", "recall", "95 %", "at 0.1 %", "at 0.3 %",
    ]);
    for scenario in scenarios {
        let mut cells = vec![scenario_name(&scenario.scenario), grouped(scenario.recall_final.of)];
        cells.extend(share_cells(scenario.recall_inline));
        cells.extend(share_cells(scenario.recall_final));
        cells.extend(scenario.recall_at_budget.map(|rate| percent(rate.share())));
        grid.row(cells);
    }
    grid.print(out);
}

fn campaigns(out: &mut String, evaluation: &Evaluation) {
    section(out, "CAMPAIGNS: UNTIL ANYTHING OF THEM WAS HELD");
    let rows = side_by_side::campaigns(evaluation);
    if evaluation.campaigns.campaigns == 0 {
        out.push_str("No label names the campaign of an abusive rating.\n");
        return;
    }
    let mut grid = Grid::new(&[
        "scenario",
        "campaigns",
        "never held",
        "ratings: half",
        "nine in ten",
        "minutes: half",
        "nine in ten",
    ]);
    for (name, campaigns) in rows {
        let quantile = |quantiles: &Quantiles| {
            [quantiles.median, quantiles.p90]
                .map(|value| until(value, campaigns.campaigns, campaigns.held_at_unknown))
        };
        let mut cells = vec![name, grouped(campaigns.campaigns), grouped(campaigns.never_held)];
        cells.extend(quantile(&campaigns.ratings_until_held));
        cells.extend(quantile(&campaigns.minutes_until_held));
        grid.row(cells);
    }
    grid.print(out);
    if evaluation.campaigns.held_at_unknown > 0 {
        let _ = writeln!(
            out,
            "Of {} campaigns the file does not say since when they are held: they are in no figure above.",
            grouped(evaluation.campaigns.held_at_unknown)
        );
    }
}

/// A quantile over campaigns; without one, they were never held, or nothing is known of any.
pub(super) fn until(value: Option<f64>, campaigns: u64, unknown: u64) -> String {
    match value {
        Some(value) => grouped(value.round() as u64),
        None if campaigns > unknown => "never".to_owned(),
        None => NOTHING.to_owned(),
    }
}

fn honest(out: &mut String, scenarios: &[HonestScenario]) {
    section(out, "HONEST RATINGS HELD, BY SCENARIO");
    let mut grid = Grid::new(&[
        "scenario", "genuine", "inline", "final", "rate", "95 %", "bad ones", "inline", "final", "rate",
        "95 %",
    ]);
    for scenario in scenarios {
        let mut cells = vec![scenario_name(&scenario.scenario)];
        for (inline, last) in
            [(scenario.held_inline, scenario.held_final), (scenario.bad_held_inline, scenario.bad_held_final)]
        {
            cells.extend([grouped(last.of), grouped(inline.count), grouped(last.count)]);
            cells.extend([percent(last.share()), percents(last.interval_95())]);
        }
        grid.row(cells);
    }
    grid.print(out);
}
