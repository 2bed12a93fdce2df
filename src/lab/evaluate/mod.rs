//! `zhenping evaluate`: verdicts held against labels.
//!
//! ```text
//! labels ──▶ rows ◀── ratings (bad? whose target? default?)
//!              ▲
//! verdicts ────┘  (inline and last decision, inline risk, when a campaign was first held)
//!
//! rows ─▶ rates, ranking, calibration, campaigns, distortion ─▶ report ─▶ table, JSON, picture
//! ```
//!
//! Files are read line by line, labels first; memory follows the number of labels. Neither the order
//! of a file's lines nor the number of threads changes a figure. Each figure is defined in
//! `docs/evaluate.md`.

mod bootstrap;
mod calibration;
mod campaign;
mod comparison;
mod distortion;
pub(in crate::lab) mod grid;
mod label;
mod lines;
mod names;
mod picture;
mod population;
mod ranking;
mod rate;
mod report;
mod side_by_side;
mod table;
mod verdict;

use std::fmt;
use std::io::{self, BufRead};

pub use bootstrap::RESAMPLES;
pub use calibration::{Bin, Calibration};
pub use campaign::{Campaigns, Quantiles};
pub use comparison::{Changed, Comparison, Of};
pub use distortion::{Distortion, Tally, TargetRow};
pub use lines::{MAX_LINE_BYTES, Source, WrongLines};
pub use picture::picture;
pub use population::{Counts, MAX_LABELS, MAX_SCENARIOS, VerdictLines};
pub use ranking::AtBudget;
pub use rate::Rate;
pub use report::{
    AbusiveScenario, AveragePrecision, DEFINITIONS, Evaluation, HonestScenario, Overall, Report,
};
pub use table::table;

use bootstrap::{Intervals, Sample};
pub(in crate::lab) use label::LabelLine;
pub(in crate::lab) use lines::Wrong;
use population::{Population, Verdicts};
use verdict::VerdictLine;

/// Why nothing can be evaluated.
#[derive(Debug)]
pub enum EvaluateError {
    /// A file cannot be read.
    Read {
        /// The file.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// No rating has a known truth, a rating line and a verdict in every file.
    NothingToEvaluate {
        /// The files, as their messages name them.
        files: String,
        /// What there was.
        counts: Box<Counts>,
        /// What could not be read.
        wrong_lines: WrongLines,
    },
}

impl fmt::Display for EvaluateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { file, error } => write!(f, "reading {file}: {error}"),
            Self::NothingToEvaluate { files, counts, wrong_lines } => {
                write!(
                    f,
                    "{files}: no labelled rating has a verdict; of {} labelled ratings {} are `unsure`, {} contradict \
                     each other, {} are not among the ratings and {} have no inline verdict; {} lines could not be \
                     read. Are these files of one run?",
                    counts.labelled,
                    counts.unsure,
                    counts.contradicted,
                    counts.without_rating,
                    counts.without_verdict,
                    wrong_lines.count,
                )?;
                wrong_lines.told.iter().try_for_each(|line| write!(f, "\n  {line}"))
            }
        }
    }
}

impl std::error::Error for EvaluateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { error, .. } => Some(error),
            Self::NothingToEvaluate { .. } => None,
        }
    }
}

/// Evaluates a file of verdicts, and with `against` a second one on the same ratings.
///
/// # Errors
///
/// If a file cannot be read, or no labelled rating has a verdict. Single lines that are wrong are
/// left out and named in the report.
pub fn evaluate<R: BufRead>(
    mut labels: Source<R>,
    mut ratings: Source<R>,
    verdicts: Source<R>,
    against: Option<Source<R>>,
) -> Result<Report, EvaluateError> {
    let mut wrong_lines = WrongLines::default();
    let mut population = Population::default();
    let failed = |file: &str| {
        let file = file.to_owned();
        move |error| EvaluateError::Read { file, error }
    };
    labels
        .read_lines(&mut wrong_lines, |line| population.label(&LabelLine::parse(line)?))
        .map_err(failed(&labels.name))?;
    ratings
        .read_lines(&mut wrong_lines, |line| {
            let rating = crate::rating::parse(line).map_err(|error| Wrong::rating(&error))?;
            population.rating(&rating);
            Ok(())
        })
        .map_err(failed(&ratings.name))?;
    let mut read_verdicts = |source: &mut Source<R>| {
        let mut verdicts = Verdicts::default();
        let read = source.read_lines(&mut wrong_lines, |line| {
            match VerdictLine::parse(line)? {
                VerdictLine::Verdict(verdict) => population.verdict(&verdict, &mut verdicts),
                VerdictLine::Error => verdicts.lines.errors += 1,
            }
            Ok(())
        });
        read.map_err(failed(&source.name)).map(|()| verdicts)
    };
    let mut files = vec![verdicts];
    files.extend(against);
    let verdicts = files.iter_mut().map(&mut read_verdicts).collect::<Result<Vec<_>, _>>()?;
    let mut names: Vec<String> = files.into_iter().map(|source| source.name).collect();
    let counts = population.counts(&verdicts);
    if counts.evaluated == 0 {
        names.extend([labels.name, ratings.name]);
        let (files, counts) = (names.join(", "), Box::new(counts));
        return Err(EvaluateError::NothingToEvaluate { files, counts, wrong_lines });
    }
    Ok(report(counts, wrong_lines, names, &population, verdicts))
}

fn report(
    counts: Counts,
    wrong_lines: WrongLines,
    names: Vec<String>,
    population: &Population,
    verdicts: Vec<Verdicts>,
) -> Report {
    let (evaluations, comparison) = match <[Verdicts; 2]>::try_from(verdicts) {
        Ok(two) => {
            let intervals = intervals::<2>(population, &two);
            let figures = |name, file| report::evaluation(name, file, population, &two, &intervals);
            let mut names = names.into_iter();
            let [first, second] = [0, 1].map(|file| figures(names.next().unwrap_or_default(), file));
            let comparison =
                comparison::comparison(population, &two, [&first, &second], intervals.difference);
            (vec![first, second], Some(comparison))
        }
        Err(one) => {
            let intervals = intervals::<1>(population, &one);
            let name = names.into_iter().next().unwrap_or_default();
            (vec![report::evaluation(name, 0, population, &one, &intervals)], None)
        }
    };
    Report { definitions: DEFINITIONS, ratings: counts, wrong_lines, evaluations, comparison }
}

fn intervals<const FILES: usize>(population: &Population, verdicts: &[Verdicts]) -> Intervals<FILES> {
    let sample = |judged: population::Judged<'_>| Sample {
        is_abusive: judged.is_abusive,
        risks: std::array::from_fn(|file| judged.given(file).risk),
    };
    bootstrap::intervals(population.evaluated(verdicts).map(sample).collect())
}

#[cfg(test)]
mod tests;
