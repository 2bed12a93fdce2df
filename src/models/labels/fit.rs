//! From decisions to a version.
//!
//! The crate has no offset, no weights of rows and starts at random numbers. The machine's log-odds are a
//! column whose weight starts where it must stay and is scaled so that no gradient moves it; rows are repeated
//! as often as they weigh; and all other columns start at nothing.

use linfa::traits::FitWith;
use linfa::{Dataset, ParamGuard};
use linfa_ftrl::Ftrl;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::ModelError;
use super::super::columns::Column;
use super::{CODE, COLUMNS_MAX, Labels, Learnt, LearntFrom, Scale};

/// A rating that a reviewer decided about, with what the verdict saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Sequence of the rating's entry.
    pub rating: u64,
    /// Sequence of the latest decision about it.
    pub decided: u64,
    /// Its columns' numbers; those beyond its end, and NaN, are missing.
    pub values: Vec<f32>,
    /// The machine's log-odds, without what was learnt from reviewers.
    pub machine: f32,
    /// Whether the reviewer found abuse.
    pub abusive: bool,
    /// How many ratings it stands for: 1 / (the probability that it was put before reviewers), capped.
    pub weight: f32,
    /// Drawn by lot.
    pub control: bool,
}

impl Example {
    /// The number of a column; NaN where it is missing.
    pub fn value(&self, column: usize) -> f32 {
        self.values.get(column).copied().unwrap_or(f32::NAN)
    }
}

/// How fast a weight moves, in log-odds; and what keeps it small.
const ALPHA: f64 = 0.05;
const BETA: f64 = 1.0;
const L1: f64 = 0.5;
const L2: f64 = 1.0;
/// How often all decisions are gone through, in their order.
const PASSES: usize = 3;
/// The machine's log-odds are taken for at most this.
const MACHINE_MAX: f32 = 8.0;
/// The offset's column is so much smaller than what it stands for, and its weight so much larger: then its
/// gradient is next to nothing.
const OFFSET: f64 = 1e6;

/// Fits a version to decisions, in the order in which they were made. Deterministic.
///
/// # Errors
/// The crate refuses its parameters or its state; neither depends on the decisions.
pub fn fit(columns: &[Column], examples: &[Example], until: u64) -> Result<Labels, ModelError> {
    let refused =
        |why: &dyn std::fmt::Display| ModelError::Malformed { file: CODE.to_owned(), why: why.to_string() };
    let of_column = |column: usize| examples.iter().map(move |example| example.value(column));
    // What is missing everywhere, or the same everywhere, says nothing.
    let told: Vec<(usize, Scale)> = (0..columns.len())
        .filter(|&column| {
            let first = examples.first().map_or(f32::NAN, |example| example.value(column));
            of_column(column).any(|value| value.to_bits() != first.to_bits())
        })
        .map(|column| (column, Scale::of(of_column(column))))
        .collect();
    let width = 2 * told.len() + 2;
    let (offset, intercept) = (width - 2, width - 1);

    let params = Ftrl::<f64>::params().alpha(ALPHA).beta(BETA).l1_ratio(L1).l2_ratio(L2);
    let params = params.check().map_err(|error| refused(&error))?;
    let mut model = started(Ftrl::new(params.clone(), width), offset).map_err(|error| refused(&error))?;
    let mut order: Vec<&Example> = examples.iter().collect();
    order.sort_by_key(|example| example.decided);
    for _ in 0..PASSES {
        for example in &order {
            let mut row = Array2::zeros((1, width));
            for (at, &(column, scale)) in told.iter().enumerate() {
                match scale.apply(example.value(column)) {
                    Some(scaled) => row[[0, 2 * at]] = f64::from(scaled),
                    None => row[[0, 2 * at + 1]] = 1.0,
                }
            }
            row[[0, offset]] = f64::from(example.machine.clamp(-MACHINE_MAX, MACHINE_MAX)) / OFFSET;
            row[[0, intercept]] = 1.0;
            let dataset = Dataset::new(row, Array1::from_elem(1, example.abusive));
            for _ in 0..example.weight.round().max(1.0) as u32 {
                model = params.fit_with(Some(model), &dataset).map_err(|error| refused(&error))?;
            }
        }
    }

    let weights = model.get_weights();
    let learnt = told.iter().enumerate().map(|(at, &(column, scale))| Learnt {
        column: columns[column].clone(),
        scale,
        weight: weights[2 * at] as f32,
        missing: weights[2 * at + 1] as f32,
    });
    let size = |learnt: &Learnt| learnt.weight.abs().max(learnt.missing.abs());
    let mut learnt: Vec<Learnt> = learnt.filter(|learnt| size(learnt) > 0.0).collect();
    learnt.sort_by(|a, b| size(b).total_cmp(&size(a)));
    learnt.truncate(COLUMNS_MAX);
    let count = |of: fn(&Example) -> bool| examples.iter().filter(|example| of(example)).count() as u32;
    Ok(Labels {
        learnt_from: LearntFrom {
            until,
            ratings: examples.len() as u32,
            abusive: count(|example| example.abusive),
            control: count(|example| example.control),
        },
        intercept: weights[intercept] as f32,
        columns: learnt,
    })
}

/// The model with nothing learnt yet, and the offset's weight in its place.
fn started(model: Ftrl<f64>, offset: usize) -> Result<Ftrl<f64>, serde_json::Error> {
    let mut state = vec![0.0; model.z().len()];
    // The weight that FTRL-proximal makes of this is `OFFSET`.
    state[offset] = -(L1 + (BETA / ALPHA + L2) * OFFSET);
    let mut fields = serde_json::to_value(&model)?;
    fields["z"]["data"] = json!(state);
    serde_json::from_value(fields)
}
