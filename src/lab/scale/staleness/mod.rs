//! What it costs in detection that nodes see each other's ratings late, measured on the real scoring path.
//!
//! Each rating of a stream goes to one of several engines, which observes it at once and decides; the other
//! engines observe it only later. What they decide is held against what one engine decides that sees
//! everything at once, and against labels.
//!
//! Only the decision within the request is looked at: rules and policy on the state's features, without a
//! model, look-back or the daily budget of holds.

mod compare;
mod engines;
mod stream;
mod table;

use std::fmt;
use std::io::{self, BufRead};
use std::sync::Arc;

use serde::Serialize;

pub use compare::{Report, Row, ScenarioRow};
pub use table::table;

use crate::lab::evaluate::Source;
use crate::lab::evaluate::WrongLines;
use crate::scoring::Ruling;
use stream::Stream;

/// How much later than its own node the others see a rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// So many ratings of the stream later, however long these take.
    Ratings(u64),
    /// So many milliseconds of event time later.
    Ms(u64),
}

/// Which node a rating goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Any.
    Random,
    /// The one for its department in its district: what happens at one office meets on one node.
    Office,
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Nodes that share the stream.
    pub nodes: u16,
    /// How they share it.
    pub route: Route,
    /// How late they see each other, a row each.
    pub delays: Vec<Delay>,
    /// The draw of nodes follows from it.
    pub seed: u64,
    /// Ratings that are read at most; they stay in memory.
    pub ratings: usize,
}

/// Most nodes that share a stream.
pub const NODES_MAX: u16 = 100;

/// Why nothing could be measured.
#[derive(Debug)]
pub enum StalenessError {
    /// A file cannot be read.
    Read {
        /// The file.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// There is no rating in the file.
    Empty {
        /// The file.
        file: String,
        /// What was there instead.
        wrong_lines: WrongLines,
    },
}

impl fmt::Display for StalenessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { file, error } => write!(f, "reading {file}: {error}"),
            Self::Empty { file, wrong_lines } => {
                write!(f, "{file}: no line is a rating; give ratings as `zhenping simulate` writes them")?;
                wrong_lines.told.iter().try_for_each(|line| write!(f, "\n  {line}"))
            }
        }
    }
}

impl std::error::Error for StalenessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { error, .. } => Some(error),
            Self::Empty { .. } => None,
        }
    }
}

/// How far the measurement is.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// Ratings were read.
    Read(u64),
    /// So many ratings will be shown to engines in all.
    Shown(u64),
    /// So many more were.
    Observed(u64),
}

/// Measures; `labels` may cover only some ratings, or be absent.
///
/// # Errors
/// A file cannot be read, or no line of it is a rating. Single lines that are wrong are left out and named
/// in the report.
pub fn measure<R: BufRead>(
    mut ratings: Source<R>,
    labels: Option<Source<R>>,
    ruling: &Arc<Ruling>,
    wanted: &Wanted,
    progress: impl Fn(Progress) + Sync,
) -> Result<Report, StalenessError> {
    let mut wrong_lines = WrongLines::default();
    let stream = Stream::read(&mut ratings, labels, wanted.ratings, &mut wrong_lines, &progress)?;
    if stream.ratings.is_empty() {
        return Err(StalenessError::Empty { file: ratings.name, wrong_lines });
    }
    let decided = engines::decide(&stream, ruling, wanted, &progress);
    Ok(compare::report(&stream, wanted, &decided, wrong_lines))
}

#[cfg(test)]
mod tests;
