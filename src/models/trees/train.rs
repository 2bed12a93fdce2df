//! Boosting: each tree is grown on what those before it leave unexplained.

use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bins::Binned;
use super::grow::{Slope, Soil, grow};
use super::{MAX_COLUMNS, MAX_DEPTH, MAX_TREES, Malformed, Trees};

/// How an ensemble is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Boosting {
    /// Number of trees.
    pub trees: usize,
    /// Questions per tree.
    pub depth: usize,
    /// Share of each tree's step that is taken.
    pub rate: f64,
    /// L2 penalty on the leaves' values, in rows of hessian.
    pub ridge: f64,
    /// Least gain of a question.
    pub least_gain: f64,
    /// Share of the rows that a tree's questions are chosen by.
    pub rows: f64,
    /// Share of the columns that a tree may ask for.
    pub columns: f64,
    /// Of the generator that draws both.
    pub seed: u64,
    /// Threads that share the columns; the result does not depend on it.
    pub threads: usize,
}

impl Default for Boosting {
    fn default() -> Self {
        Self {
            trees: 150,
            depth: MAX_DEPTH,
            rate: 0.1,
            ridge: 3.0,
            least_gain: 0.5,
            rows: 0.8,
            columns: 0.4,
            seed: 1,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// A training row's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// What the trees shall say yes to.
    pub positive: bool,
    /// How many rows it stands for.
    pub weight: f32,
    /// Log-odds before any tree.
    pub prior: f32,
}

/// Why nothing could be trained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrainError {
    /// Columns, rows or trees are none, too many, or of different lengths.
    Shape(String),
    /// All rows have the same answer.
    OneSided,
    /// A prior or a weight is not finite, or the trees came out so.
    Malformed(Malformed),
}

impl std::fmt::Display for TrainError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shape(what) => f.write_str(what),
            Self::OneSided => f.write_str("all training rows have the same label; it takes both kinds"),
            Self::Malformed(what) => what.fmt(f),
        }
    }
}

impl std::error::Error for TrainError {}

/// Trains an ensemble on columns of equal length, NaN where a value is missing. `progress` is told how many
/// trees stand. The same input gives the same ensemble, bit for bit, on any number of threads.
///
/// # Errors
/// There is nothing to tell apart, or the input has no proper shape.
pub fn train(
    columns: &[Vec<f32>],
    samples: &[Sample],
    boosting: &Boosting,
    mut progress: impl FnMut(usize),
) -> Result<Trees, TrainError> {
    check(columns, samples, boosting)?;
    let binned: Vec<Binned> = columns.iter().map(|column| Binned::new(column)).collect();
    let mut logits: Vec<f64> = samples.iter().map(|sample| f64::from(sample.prior)).collect();
    let mut slopes = vec![Slope::default(); samples.len()];
    let mut random = ChaCha8Rng::seed_from_u64(boosting.seed);
    let askable: Vec<u16> = (0..binned.len())
        .filter(|&column| !binned[column].cuts.is_empty())
        .map(|column| column as u16)
        .collect();
    let mut leaf_of = Vec::new();
    let mut trees = Vec::with_capacity(boosting.trees);
    for number in 0..boosting.trees {
        for ((slope, &logit), sample) in slopes.iter_mut().zip(&logits).zip(samples) {
            let p = 1.0 / (1.0 + (-logit).exp());
            let weight = f64::from(sample.weight);
            slope.gradient = (weight * (p - f64::from(u8::from(sample.positive)))) as f32;
            slope.hessian = (weight * (p * (1.0 - p)).max(1e-6)) as f32;
        }
        let rows: Vec<u32> =
            (0..samples.len() as u32).filter(|_| random.random::<f64>() < boosting.rows).collect();
        let wanted = ((askable.len() as f64 * boosting.columns).ceil() as usize).min(askable.len());
        let mut candidates: Vec<u16> =
            index::sample(&mut random, askable.len(), wanted).into_iter().map(|i| askable[i]).collect();
        candidates.sort_unstable();
        let soil = Soil {
            columns: &binned,
            slopes: &slopes,
            rows: &rows,
            candidates: &candidates,
            depth: boosting.depth,
            ridge: boosting.ridge,
            least_gain: boosting.least_gain,
            rate: boosting.rate,
            threads: boosting.threads,
        };
        let tree = grow(&soil, &mut leaf_of);
        for (logit, &leaf) in logits.iter_mut().zip(&leaf_of) {
            *logit += f64::from(tree.leaves[usize::from(leaf)]);
        }
        trees.push(tree);
        progress(number + 1);
    }
    Trees::new(columns.len(), trees).map_err(TrainError::Malformed)
}

fn check(columns: &[Vec<f32>], samples: &[Sample], boosting: &Boosting) -> Result<(), TrainError> {
    let refuse = |what: String| Err(TrainError::Shape(what));
    if columns.len() > MAX_COLUMNS || boosting.trees > MAX_TREES || u32::try_from(samples.len()).is_err() {
        return refuse(format!(
            "{} columns, {} trees, {} rows; at most {MAX_COLUMNS}, {MAX_TREES} and {} are allowed",
            columns.len(),
            boosting.trees,
            samples.len(),
            u32::MAX
        ));
    }
    if let Some(column) = columns.iter().position(|column| column.len() != samples.len()) {
        return refuse(format!("column {column} has {} rows of {}", columns[column].len(), samples.len()));
    }
    if samples.iter().any(|sample| !(sample.weight.is_finite() && sample.prior.is_finite())) {
        return refuse("a weight or a prior is not finite".to_owned());
    }
    let positive = samples.iter().filter(|sample| sample.positive).count();
    if positive == 0 || positive == samples.len() {
        return Err(TrainError::OneSided);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows that are positive where one column is large, another small and a third not missing.
    fn rows(count: usize, seed: u64) -> (Vec<Vec<f32>>, Vec<Sample>) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut columns = vec![Vec::new(), Vec::new(), Vec::new()];
        let mut samples = Vec::new();
        for _ in 0..count {
            let (a, b) = (random.random_range(-1.0..1.0), random.random_range(-1.0..1.0));
            let c: f32 = if random.random::<f64>() < 0.5 { f32::NAN } else { 7.0 };
            let positive = a > 0.0 && b < 0.0 && !c.is_nan();
            // A row in twenty is labelled wrongly.
            let positive = positive != (random.random::<f64>() < 0.05);
            for (column, value) in columns.iter_mut().zip([a, b, c]) {
                column.push(value);
            }
            samples.push(Sample { positive, weight: 1.0, prior: 0.0 });
        }
        (columns, samples)
    }

    #[test]
    fn an_interaction_with_a_missing_value_is_learnt() {
        let (columns, samples) = rows(4000, 1);
        let boosting = Boosting { columns: 1.0, trees: 150, ..Boosting::default() };
        let trees = train(&columns, &samples, &boosting, |_| {}).unwrap();
        let said = |values: &[f32]| trees.sum(values);
        let yes = [[0.5, -0.5, 7.0], [0.3, -0.8, 7.0]];
        let no = [[0.5, 0.5, 7.0], [-0.5, -0.5, 7.0], [0.5, -0.5, f32::NAN]];
        assert!(yes.iter().all(|row| said(row) > 0.5), "{:?}", yes.map(|row| said(&row)));
        assert!(no.iter().all(|row| said(row) < -0.5), "{:?}", no.map(|row| said(&row)));
    }

    #[test]
    fn training_does_not_depend_on_the_number_of_threads() {
        let (columns, samples) = rows(500, 2);
        let with = |threads| {
            train(&columns, &samples, &Boosting { threads, trees: 10, ..Boosting::default() }, |_| {})
        };
        assert_eq!(with(1), with(3));
    }

    #[test]
    fn a_prior_that_says_it_all_leaves_nothing_to_learn() {
        let (columns, mut samples) = rows(500, 3);
        for sample in &mut samples {
            sample.prior = if sample.positive { 20.0 } else { -20.0 };
        }
        let trees = train(&columns, &samples, &Boosting { trees: 5, ..Boosting::default() }, |_| {}).unwrap();
        assert!((0..500).all(|row| {
            let values: Vec<f32> = columns.iter().map(|column| column[row]).collect();
            trees.sum(&values).abs() < 0.1
        }));
    }

    #[test]
    fn what_cannot_be_learnt_from_is_refused() {
        let (columns, mut samples) = rows(10, 4);
        let boosting = Boosting::default();
        samples[3].weight = f32::NAN;
        assert!(matches!(train(&columns, &samples, &boosting, |_| {}), Err(TrainError::Shape(_))));
        samples.pop();
        assert!(matches!(train(&columns, &samples, &boosting, |_| {}), Err(TrainError::Shape(_))));
        let (columns, mut samples) = rows(10, 4);
        samples.iter_mut().for_each(|sample| sample.positive = true);
        assert_eq!(train(&columns, &samples, &boosting, |_| {}), Err(TrainError::OneSided));
    }
}
