//! How rare a rating is among the ordinary ratings of its kind of channel: a Gaussian mixture.
//!
//! A mixture of normal distributions with full covariance is fitted to ratings of the past, without
//! labels ([`Density::train`]). What it says of a rating is a tail measure: the share of the training ratings
//! that were at least as improbable, as −log10. 3 means rarer than 99.9 % of them. So the measure has the
//! same meaning in every channel and after every training, and rules and trees can use one threshold.
//!
//! Rare is not abusive: most rare ratings are honest, and a careful campaign lies where ratings are
//! many. The measure is one feature among others and holds nothing by itself.
//!
//! Source: Bishop, "Pattern Recognition and Machine Learning", 2006, sections 2.3 and 9.2.

mod channels;
mod train;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use channels::{ChannelClass, ClassDensity, Densities};
pub use train::{FEWEST_ROWS, MOST_ROWS};

/// Most columns of a mixture.
pub const MOST_COLUMNS: usize = 12;
const _: () = assert!(MOST_COLUMNS.is_multiple_of(4), "lanes are summed by fours");
/// Most normal distributions of a mixture.
pub const MOST_COMPONENTS: usize = 16;
/// A standardised value beyond this counts as this: one wild value says no more than a large one, and
/// cannot bend what is learnt.
const MOST_DEVIATION: f32 = 5.0;
/// What is less than e^−20 of a sum is below an f32's precision.
const FAR_BELOW: f32 = 20.0;
/// Steps of [`Parts::tail`]: ten to a decimal digit.
const STEPS_PER_DIGIT: f32 = 10.0;

/// How a column's values are spread before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// As they are.
    Linear,
    /// `sign(x) · ln(1 + |x|)`: for counts, durations and whatever else spans decades.
    Log,
}

impl Transform {
    #[inline]
    fn apply(self, value: f32) -> f32 {
        match self {
            Self::Linear => value,
            Self::Log => (1.0 + value.abs()).ln().copysign(value),
        }
    }
}

/// What one column is standardised by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Before anything else.
    pub transform: Transform,
    /// Mean of the transformed values.
    pub mean: f32,
    /// Standard deviation of the transformed values, more than 0.
    pub deviation: f32,
}

/// One normal distribution of a mixture, over standardised columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// Its share of the mixture, more than 0.
    pub weight: f32,
    /// A value for each column.
    pub mean: Vec<f32>,
    /// The inverse `W` of the covariance's Cholesky factor (covariance⁻¹ = Wᵀ·W), a lower triangle with a
    /// positive diagonal, row after row: `n (n + 1) / 2` values.
    pub whitening: Vec<f32>,
}

/// What a density is made of, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    /// 1 to [`MOST_COLUMNS`].
    pub columns: Vec<Column>,
    /// 1 to [`MOST_COMPONENTS`].
    pub components: Vec<Component>,
    /// −ln density that 10^(−i/10) of the training rows reached, for `i` from 0; ascending.
    pub tail: Vec<f32>,
}

/// Why there is no density.
#[derive(Clone, Debug, PartialEq)]
pub enum DensityError {
    /// There are too few rows to learn from.
    TooFewRows(usize),
    /// No columns, or more than [`MOST_COLUMNS`].
    Columns(usize),
    /// The values are not whole rows: so many values, so many columns.
    Ragged(usize, usize),
    /// A value is infinite or not a number: its row and column, from 0.
    NotFinite(usize, usize),
    /// No mixture could be fitted; what the last attempt ended with.
    NotFitted(String),
    /// Stored parts contradict each other.
    Damaged(String),
}

impl fmt::Display for DensityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewRows(found) => {
                write!(f, "density: {found} rows to train on; at least {FEWEST_ROWS} are needed")
            }
            Self::Columns(found) => write!(f, "density: {found} columns; allowed are 1 to {MOST_COLUMNS}"),
            Self::Ragged(values, columns) => {
                write!(f, "density: {values} values are no whole rows of {columns}")
            }
            Self::NotFinite(row, column) => {
                write!(
                    f,
                    "density: row {row}, column {column} is not a finite number; leave rows with missing values out"
                )
            }
            Self::NotFitted(why) => {
                write!(f, "density: no mixture could be fitted ({why}); train on more or other rows")
            }
            Self::Damaged(what) => write!(f, "density: {what}; train it again"),
        }
    }
}

impl std::error::Error for DensityError {}

/// One component, ready to be evaluated: all over [`MOST_COLUMNS`] lanes, unused ones 0.
#[derive(Clone, Debug, PartialEq)]
struct Ready {
    /// `ln weight + ln |W| − n/2 · ln 2π`.
    log_scale: f32,
    mean: [f32; MOST_COLUMNS],
    /// Column after column of `W`, so that lanes are summed up side by side.
    whitening: [[f32; MOST_COLUMNS]; MOST_COLUMNS],
}

/// A mixture of normal distributions, and how its log density is distributed among ordinary ratings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Parts", try_from = "Parts")]
pub struct Density {
    parts: Parts,
    ready: Vec<Ready>,
}

impl From<Density> for Parts {
    fn from(density: Density) -> Self {
        density.parts
    }
}

impl TryFrom<Parts> for Density {
    type Error = DensityError;

    fn try_from(parts: Parts) -> Result<Self, DensityError> {
        parts.check()?;
        let ready =
            parts.components.iter().map(|component| Ready::new(component, parts.columns.len())).collect();
        Ok(Self { parts, ready })
    }
}

impl Parts {
    fn check(&self) -> Result<(), DensityError> {
        let columns = self.columns.len();
        if !(1..=MOST_COLUMNS).contains(&columns) {
            return Err(DensityError::Columns(columns));
        }
        let damaged = |what: String| Err(DensityError::Damaged(what));
        for (i, column) in self.columns.iter().enumerate() {
            if !(column.mean.is_finite() && column.deviation.is_finite() && column.deviation > 0.0) {
                return damaged(format!("column {i} has no finite mean and positive deviation"));
            }
        }
        if !(1..=MOST_COMPONENTS).contains(&self.components.len()) {
            return damaged(format!(
                "{} components; allowed are 1 to {MOST_COMPONENTS}",
                self.components.len()
            ));
        }
        for (i, component) in self.components.iter().enumerate() {
            let lengths = (component.mean.len(), component.whitening.len());
            if lengths != (columns, columns * (columns + 1) / 2) {
                return damaged(format!(
                    "component {i} has {lengths:?} values, which do not fit {columns} columns"
                ));
            }
            let finite = component.mean.iter().chain(&component.whitening).all(|value| value.is_finite());
            let diagonal = (0..columns).all(|row| component.whitening[row * (row + 1) / 2 + row] > 0.0);
            let share = component.weight > 0.0 && component.weight <= 1.0;
            if !(finite && diagonal && share) {
                return damaged(format!("component {i} is no normal distribution"));
            }
        }
        let total: f32 = self.components.iter().map(|component| component.weight).sum();
        if (total - 1.0).abs() > 1e-3 {
            return damaged(format!("the weights add up to {total}, not to 1"));
        }
        let ascending = self.tail.windows(2).all(|pair| pair[0] <= pair[1]);
        if self.tail.len() < 2 || !ascending || self.tail.iter().any(|value| !value.is_finite()) {
            return damaged("the tail is no ascending list".to_owned());
        }
        Ok(())
    }
}

impl Ready {
    fn new(component: &Component, columns: usize) -> Self {
        let mut mean = [0.0; MOST_COLUMNS];
        mean[..columns].copy_from_slice(&component.mean);
        let mut whitening = [[0.0; MOST_COLUMNS]; MOST_COLUMNS];
        for row in 0..columns {
            let stored = &component.whitening[row * (row + 1) / 2..][..=row];
            whitening.iter_mut().zip(stored).for_each(|(column, &value)| column[row] = value);
        }
        let diagonal = (0..columns).map(|i| f64::from(whitening[i][i]));
        let log_determinant: f64 = diagonal.map(f64::ln).sum();
        let log_scale = f64::from(component.weight).ln() + log_determinant
            - columns as f64 / 2.0 * (2.0 * std::f64::consts::PI).ln();
        Self { log_scale: log_scale as f32, mean, whitening }
    }

    #[inline]
    fn log_density(&self, standardised: &[f32; MOST_COLUMNS], columns: usize) -> f32 {
        let mut whitened = [0.0; MOST_COLUMNS];
        let columns = standardised.iter().zip(&self.mean).zip(&self.whitening).take(columns);
        for ((&value, &mean), weights) in columns {
            let apart = value - mean;
            for (sum, &weight) in whitened.iter_mut().zip(weights) {
                *sum += apart * weight;
            }
        }
        // Four sums side by side: one after the other, each would wait for the one before.
        let (fours, _) = whitened.as_chunks::<4>();
        let mut sums = [0.0; 4];
        for four in fours {
            for (sum, &value) in sums.iter_mut().zip(four) {
                *sum += value * value;
            }
        }
        self.log_scale - 0.5 * ((sums[0] + sums[1]) + (sums[2] + sums[3]))
    }
}

impl Density {
    /// Fits a mixture to rows of values and takes the tail of its density from them. `rows` has the rows one after
    /// another, a value for each of `transforms`; of more than [`MOST_ROWS`] rows, evenly chosen ones
    /// count. The same input gives the same bytes.
    ///
    /// # Errors
    /// Too few rows, too many columns, a value that is not finite, or rows that no mixture fits.
    pub fn train(rows: &[f32], transforms: &[Transform], seed: u64) -> Result<Self, DensityError> {
        train::train(rows, transforms, seed)
    }

    /// What it is made of.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Number of values that it takes.
    pub fn columns(&self) -> usize {
        self.parts.columns.len()
    }

    /// ln of the density at these values, over standardised columns. `None` if one is missing, infinite or
    /// not a number, or if there are not as many as columns.
    #[inline]
    pub fn log_density(&self, values: &[Option<f32>]) -> Option<f32> {
        let columns = &self.parts.columns;
        if values.len() != columns.len() {
            return None;
        }
        let mut standardised = [0.0; MOST_COLUMNS];
        for ((place, column), value) in standardised.iter_mut().zip(columns).zip(values) {
            *place = column.standardise((*value)?)?;
        }
        Some(self.log_density_of(&standardised))
    }

    #[inline]
    fn log_density_of(&self, standardised: &[f32; MOST_COLUMNS]) -> f32 {
        let mut logs = [f32::NEG_INFINITY; MOST_COMPONENTS];
        let mut most = f32::NEG_INFINITY;
        for (log, component) in logs.iter_mut().zip(&self.ready) {
            *log = component.log_density(standardised, self.parts.columns.len());
            most = most.max(*log);
        }
        // Relative to the largest, so that nothing underflows that matters.
        let far_below = most - FAR_BELOW;
        let near = logs[..self.ready.len()].iter().filter(|&&log| log > far_below);
        let sum: f32 = near.map(|log| (log - most).exp()).sum();
        most + sum.ln()
    }

    /// How rare such a rating is: −log10 of the share of training rows that were at least as improbable.
    /// From 0 to as many digits as the number of training rows allows; `None` as for
    /// [`Density::log_density`].
    #[inline]
    pub fn tail(&self, values: &[Option<f32>]) -> Option<f32> {
        let surprise = -self.log_density(values)?;
        let tail = &self.parts.tail;
        let above = tail.partition_point(|&reached| reached <= surprise);
        if above == 0 {
            return Some(0.0);
        }
        let mut steps = (above - 1) as f32;
        if let Some(next) = tail.get(above) {
            // The partition point says that the next is larger.
            steps += (surprise - tail[above - 1]) / (next - tail[above - 1]);
        }
        Some(steps / STEPS_PER_DIGIT)
    }
}

impl Column {
    #[inline]
    fn standardise(&self, value: f32) -> Option<f32> {
        let standardised = (self.transform.apply(value) - self.mean) / self.deviation;
        value.is_finite().then(|| standardised.clamp(-MOST_DEVIATION, MOST_DEVIATION))
    }
}

#[cfg(test)]
mod tests;
