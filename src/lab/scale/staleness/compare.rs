//! What was decided late, held against what is decided at once, and against labels.

use serde::Serialize;

use super::engines::Decided;
use super::stream::Stream;
use super::{Delay, Route, Wanted};
use crate::lab::evaluate::{Rate, WrongLines};
use crate::wire::Decision;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Nodes that shared the stream.
    pub nodes: u16,
    /// How they shared it.
    pub route: Route,
    /// Ratings of the stream.
    pub ratings: u64,
    /// Ratings that were left out, since they repeat an id.
    pub repeats: u64,
    /// Ratings whose label says what they are.
    pub labelled: u64,
    /// Ratings a second of event time, on the average.
    pub ratings_per_s: f64,
    /// One node that sees everything at once.
    pub alone: Row,
    /// The nodes, for each delay.
    pub rows: Vec<Row>,
    /// Lines that could not be read.
    pub wrong_lines: WrongLines,
}

/// One delay. Held is `hold` or `reject`, and bad has two stars or less, as in `evaluate`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// How late nodes saw each other's ratings.
    pub delay: Delay,
    /// Ratings of others before it that a decision did not know of: the mean.
    pub unseen_mean: f64,
    /// And the 99th percentile.
    pub unseen_p99: f64,
    /// Decisions that differ from those of one node alone.
    pub differ: Rate,
    /// Of the ratings that one node alone holds, those that were admitted.
    pub missed: Rate,
    /// Of the ratings that one node alone admits, those that were held.
    pub added: Rate,
    /// Abusive ratings held, of all.
    pub recall: Rate,
    /// Genuine ratings held, of all.
    pub honest_held: Rate,
    /// Genuine bad ratings held, of all.
    pub honest_bad_held: Rate,
    /// Recall by scenario.
    pub scenarios: Vec<ScenarioRow>,
}

/// Abusive ratings of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScenarioRow {
    /// Its name; empty where labels have none.
    pub scenario: String,
    /// Ratings held, of all.
    pub recall: Rate,
}

pub(super) fn report(
    stream: &Stream,
    wanted: &Wanted,
    decided: &[Decided],
    wrong_lines: WrongLines,
) -> Report {
    let mut delays = [Delay::Ratings(0)].into_iter().chain(wanted.delays.iter().copied());
    let alone = &decided[0].decisions;
    let mut rows = decided.iter().zip(&mut delays).map(|(decided, delay)| row(stream, alone, decided, delay));
    let ends = stream.ratings.first().zip(stream.ratings.last());
    let ms = ends.map_or(0, |(first, last)| last.at_ms - first.at_ms);
    Report {
        nodes: wanted.nodes,
        route: wanted.route,
        ratings: stream.ratings.len() as u64,
        repeats: stream.repeats,
        labelled: stream.ratings.iter().filter(|arrived| arrived.truth.is_some()).count() as u64,
        ratings_per_s: stream.ratings.len() as f64 * 1e3 / (ms.max(1)) as f64,
        alone: rows.next().unwrap_or_else(|| row(stream, alone, &decided[0], Delay::Ratings(0))),
        rows: rows.collect(),
        wrong_lines,
    }
}

fn row(stream: &Stream, alone: &[Decision], decided: &Decided, delay: Delay) -> Row {
    let is_held = |decision: Decision| decision != Decision::Admit;
    let mut row = Row {
        delay,
        unseen_mean: decided.unseen.mean().unwrap_or(0.0),
        unseen_p99: decided.unseen.quantile(0.99).unwrap_or(0.0),
        differ: Rate::default(),
        missed: Rate::default(),
        added: Rate::default(),
        recall: Rate::default(),
        honest_held: Rate::default(),
        honest_bad_held: Rate::default(),
        scenarios: Vec::new(),
    };
    let mut scenarios = vec![Rate::default(); stream.scenarios.len()];
    for ((arrived, &alone), &here) in stream.ratings.iter().zip(alone).zip(&decided.decisions) {
        row.differ.add(here != alone);
        match is_held(alone) {
            true => row.missed.add(!is_held(here)),
            false => row.added.add(is_held(here)),
        }
        match arrived.truth {
            Some(truth) if truth.is_abusive => {
                row.recall.add(is_held(here));
                scenarios[truth.scenario].add(is_held(here));
            }
            Some(_) => {
                row.honest_held.add(is_held(here));
                if arrived.observation.is_bad() {
                    row.honest_bad_held.add(is_held(here));
                }
            }
            None => {}
        }
    }
    let named = stream.scenarios.iter().zip(scenarios).filter(|(_, recall)| recall.of > 0);
    row.scenarios =
        named.map(|(scenario, recall)| ScenarioRow { scenario: scenario.clone(), recall }).collect();
    row.scenarios.sort_by(|a, b| a.scenario.cmp(&b.scenario));
    row
}
