//! Fitting a mixture, by expectation–maximisation in linfa-clustering.
//!
//! linfa gives responsibilities but no densities, and sums exponentials without taking the largest out
//! first: a row that lies more than about 38 standard deviations from every component makes all of it
//! NaN. So rows are standardised and clipped before, every covariance gets a little of the unit matrix,
//! and where that was not enough for some rows it gets more; with all of it no clipped row can underflow.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::GaussianMixtureModel;
use ndarray::{Array2, ArrayView2};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use super::{Column, Component, Density, DensityError, MOST_COLUMNS, Parts, STEPS_PER_DIGIT, Transform};

/// Fewest rows that a mixture is trained on.
pub const FEWEST_ROWS: usize = 500;
/// Most rows that a mixture is trained on.
pub const MOST_ROWS: usize = 100_000;
/// A quantile counts where at least so many rows lie beyond it.
const FEWEST_BEYOND: f32 = 3.0;
/// Values that all but agree are no scale to measure others by.
const LEAST_DEVIATION: f64 = 1e-3;
/// Components, and what is added to each covariance's diagonal (in standard deviations, squared): what is
/// tried, in order. The last of them always fits.
const ATTEMPTS: [(usize, f64); 6] = [(8, 0.01), (8, 0.1), (8, 1.0), (3, 0.1), (3, 1.0), (1, 1.0)];

pub(super) fn train(rows: &[f32], transforms: &[Transform], seed: u64) -> Result<Density, DensityError> {
    let width = transforms.len();
    if !(1..=MOST_COLUMNS).contains(&width) {
        return Err(DensityError::Columns(width));
    }
    if !rows.len().is_multiple_of(width) {
        return Err(DensityError::Ragged(rows.len(), width));
    }
    if let Some(at) = rows.iter().position(|value| !value.is_finite()) {
        return Err(DensityError::NotFinite(at / width, at % width));
    }
    let count = rows.len() / width;
    if count < FEWEST_ROWS {
        return Err(DensityError::TooFewRows(count));
    }
    let kept = count.min(MOST_ROWS);
    let kept: Vec<&[f32]> = (0..kept).map(|i| &rows[i * count / kept * width..][..width]).collect();

    let columns: Vec<Column> = transforms.iter().enumerate().map(|(i, &t)| column(&kept, i, t)).collect();
    let standardised: Option<Vec<f64>> = kept
        .iter()
        .flat_map(|row| row.iter().zip(&columns))
        .map(|(&value, column)| column.standardise(value).map(f64::from))
        .collect();
    // Finite values were asked for above.
    let standardised = standardised.ok_or(DensityError::NotFinite(0, 0))?;
    let observations = Array2::from_shape_vec((kept.len(), width), standardised)
        .map_err(|error| DensityError::NotFitted(error.to_string()))?;
    let components = fit(&observations, seed)?;
    // With a tail that nothing reads, to see what the rows' own densities are.
    let density = Density::try_from(Parts { columns, components, tail: vec![0.0, 0.0] })?;
    let surprise = |row: &&[f32]| {
        let mut values = [None; MOST_COLUMNS];
        values.iter_mut().zip(*row).for_each(|(place, &value)| *place = Some(value));
        density.log_density(&values[..width]).map(|log| -log)
    };
    let mut surprises: Vec<f32> = kept.iter().filter_map(surprise).collect();
    surprises.sort_unstable_by(f32::total_cmp);
    let tail = quantiles(&surprises);
    Density::try_from(Parts { tail, ..density.parts })
}

fn column(rows: &[&[f32]], i: usize, transform: Transform) -> Column {
    let values = || rows.iter().map(|row| f64::from(transform.apply(row[i])));
    let count = rows.len() as f64;
    let mean = values().sum::<f64>() / count;
    let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    Column { transform, mean: mean as f32, deviation: variance.sqrt().max(LEAST_DEVIATION) as f32 }
}

/// −ln density that 10^(−i/10) of the rows reached; `ascending` is never empty.
fn quantiles(ascending: &[f32]) -> Vec<f32> {
    let rows = ascending.len() as f32;
    let steps = ((rows / FEWEST_BEYOND).log10() * STEPS_PER_DIGIT) as usize;
    let beyond = |step: usize| rows * 10_f32.powf(-(step as f32) / STEPS_PER_DIGIT);
    (0..=steps)
        .map(|step| ascending[ascending.len() - (beyond(step) as usize).clamp(1, ascending.len())])
        .collect()
}

fn fit(observations: &Array2<f64>, seed: u64) -> Result<Vec<Component>, DensityError> {
    let dataset = DatasetBase::from(observations.view());
    let mut why = String::new();
    for (components, regularisation) in ATTEMPTS {
        let fitted = GaussianMixtureModel::params_with_rng(components, Xoshiro256Plus::seed_from_u64(seed))
            .tolerance(1e-3)
            .reg_covariance(regularisation)
            .max_n_iterations(200)
            .fit(&dataset);
        let found = match fitted {
            Ok(mixture) => {
                let weights = mixture.weights().iter();
                let shapes = mixture.means().outer_iter().zip(mixture.covariances().outer_iter());
                weights
                    .zip(shapes)
                    .map(|(&weight, (mean, covariance))| component(weight, mean.iter(), covariance))
                    .collect::<Option<Vec<_>>>()
            }
            Err(error) => {
                why = error.to_string();
                None
            }
        };
        match found {
            Some(found) if found.iter().all(|component| component.weight > 0.0) => return Ok(found),
            Some(_) => "a component without weight".clone_into(&mut why),
            None => {}
        }
    }
    Err(DensityError::NotFitted(why))
}

/// A component from its covariance; `None` where that is no covariance.
pub(super) fn component<'m>(
    weight: f64,
    mean: impl Iterator<Item = &'m f64>,
    covariance: ArrayView2<f64>,
) -> Option<Component> {
    let n = covariance.nrows();
    // Cholesky–Banachiewicz: covariance = L·Lᵀ.
    let mut lower = Array2::<f64>::zeros((n, n));
    for row in 0..n {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| lower[[row, k]] * lower[[column, k]]).sum();
            let rest = covariance[[row, column]] - known;
            if row != column {
                lower[[row, column]] = rest / lower[[column, column]];
            } else if rest > 0.0 {
                lower[[row, row]] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    // W = L⁻¹, by forward substitution, column after column.
    let mut inverse = Array2::<f64>::zeros((n, n));
    for column in 0..n {
        for row in column..n {
            let known: f64 = (column..row).map(|k| lower[[row, k]] * inverse[[k, column]]).sum();
            let unit = if row == column { 1.0 } else { 0.0 };
            inverse[[row, column]] = (unit - known) / lower[[row, row]];
        }
    }
    let whitening = (0..n).flat_map(|row| (0..=row).map(move |column| (row, column)));
    Some(Component {
        weight: weight as f32,
        mean: mean.map(|&value| value as f32).collect(),
        whitening: whitening.map(|at| inverse[at] as f32).collect(),
    })
}
