//! Outcomes for people.

use std::fmt::Write;

use super::outcome::{Outcome, Quantiles};
use super::{Log, bound, floor};
use crate::lab::evaluate::grid::{Grid, NOTHING, percent};
use crate::service::grouped;

/// One run in full.
pub fn report(outcome: &Outcome) -> String {
    let mut out = String::new();
    let Outcome { scenario, utilisation, .. } = outcome;
    let _ = writeln!(
        out,
        "{} on {}, {} ratings/s offered, {} s\n",
        nodes(scenario.nodes),
        match scenario.log {
            Log::Embedded => "a log of its own",
            Log::Broker => "one log at a broker",
        },
        figure(scenario.rate),
        scenario.seconds
    );
    let mut grid = Grid::new(&["ratings", "", "a second"]);
    let mut row = |name: &str, count: u64| {
        let per_second = figure(count as f64 / scenario.seconds);
        grid.row(vec![name.to_owned(), grouped(count), per_second]);
    };
    row("offered", outcome.offered);
    row("answered", outcome.answered);
    if scenario.nodes > 1 {
        let [fewest, most] = outcome.answered_by_node;
        row("  fewest by a node", fewest);
        row("  most by a node", most);
    }
    row("shed (503)", outcome.shed);
    row("broken off by a lost node", outcome.broken_off);
    row("in flight at the end", outcome.in_flight);
    grid.print(&mut out);
    out.push('\n');
    let mut grid = Grid::new(&["", "mean", "p50", "p99"]);
    let mut row = |name: &str, found: Option<Quantiles>| {
        let cells = found.map_or([NOTHING; 3].map(str::to_owned), |q| [q.mean, q.p50, q.p99].map(figure));
        grid.row([name.to_owned()].into_iter().chain(cells).collect());
    };
    row("answer, ms", outcome.latency_ms);
    row("staleness: scored here, seen there, ms", outcome.staleness_ms);
    row("ratings of others that a decision did not know", outcome.unseen_ratings);
    grid.print(&mut out);
    let _ = writeln!(out, "\n{} ratings in a group on the average\n", figure(outcome.group_ratings));
    let capacity = |name: &str| {
        let found = outcome.capacities.iter().find(|capacity| capacity.resource.name() == name);
        found.map_or_else(String::new, |capacity| figure(capacity.ratings_per_s))
    };
    let mut grid = Grid::new(&["resource", "taken", "full at, ratings/s"]);
    let cores = utilisation.node_scoring + utilisation.node_folding;
    for (name, share) in [
        ("shared cores", utilisation.shared_cores),
        ("node cores", cores),
        ("  scoring", utilisation.node_scoring),
        ("  folding", utilisation.node_folding),
        ("state thread", utilisation.state_thread),
        ("partition", utilisation.partition),
        ("broker cores", utilisation.broker_cores),
        ("broker network", utilisation.broker_network),
    ] {
        let is_there = match name {
            "shared cores" => scenario.parameters.shared_cores > 0,
            "partition" | "broker cores" | "broker network" => scenario.log == Log::Broker,
            _ => true,
        };
        if is_there {
            grid.row(vec![name.to_owned(), percent(Some(share)), capacity(name)]);
        }
    }
    grid.print(&mut out);
    let least = bound(scenario);
    let _ = match outcome.binds {
        true => writeln!(out, "\nWhat binds: {}", outcome.fullest.name()),
        false => writeln!(
            out,
            "\nNothing binds; the fullest is {} at {}",
            outcome.fullest.name(),
            percent(Some(outcome.fullest_share))
        ),
    };
    let _ = writeln!(
        out,
        "Full, it answers {} to {} ratings/s by the formulas; the narrowest is the {}",
        figure(floor(scenario)),
        figure(least.ratings_per_s),
        least.resource.name()
    );
    for seconds in &outcome.caught_up_s {
        let _ =
            writeln!(out, "A node came back and had read what it had missed after {} s", figure(*seconds));
    }
    out
}

/// A line for each run.
pub fn grid(outcomes: &[Outcome]) -> String {
    let mut grid = Grid::new(&[
        "nodes",
        "ratings/s",
        "answered/s",
        "shed",
        "answer p50",
        "p99 ms",
        "stale p50",
        "p99 ms",
        "unseen p50",
        "p99",
        "fullest",
        "taken",
    ]);
    for outcome in outcomes {
        let pair = |found: Option<Quantiles>| {
            found.map_or([NOTHING; 2].map(str::to_owned), |q| [q.p50, q.p99].map(figure))
        };
        let embedded = if outcome.scenario.log == Log::Embedded { " (own log)" } else { "" };
        let mut cells = vec![
            format!("{}{embedded}", outcome.scenario.nodes),
            figure(outcome.scenario.rate),
            figure(outcome.answered_per_s),
            percent(Some(outcome.shed_share)),
        ];
        cells.extend(pair(outcome.latency_ms));
        cells.extend(pair(outcome.staleness_ms));
        cells.extend(pair(outcome.unseen_ratings));
        cells.push(outcome.fullest.name().to_owned());
        cells.push(format!("{:.0} %", 100.0 * outcome.fullest_share));
        grid.row(cells);
    }
    let mut out = String::new();
    grid.print(&mut out);
    out
}

fn nodes(count: u32) -> String {
    match count {
        1 => "1 node".to_owned(),
        count => format!("{count} nodes"),
    }
}

/// Three digits that count; whole numbers in groups.
pub(super) fn figure(value: f64) -> String {
    match value {
        _ if !value.is_finite() => "unbounded".to_owned(),
        1000.0.. => {
            let unit = 10_f64.powi((value.log10().floor() as i32 - 2).max(0));
            grouped(((value / unit).round() * unit) as u64)
        }
        100.0.. => format!("{value:.0}"),
        10.0.. => trimmed(format!("{value:.1}")),
        _ => trimmed(format!("{value:.2}")),
    }
}

fn trimmed(text: String) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_that_count() {
        let shown = [0.0, 0.004, 1.5, 12.34, 456.7, 999.9, 12_345.0, 999_900.0, f64::INFINITY].map(figure);
        assert_eq!(shown, ["0", "0", "1.5", "12.3", "457", "1000", "12,300", "1,000,000", "unbounded"]);
    }
}
