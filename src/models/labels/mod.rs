//! What is learnt from reviewers' decisions: a linear model on top of what the machine thought.
//!
//! ```text
//! log-odds of a rating ─────────────────────────────────────┐
//! features ─▶ columns ─▶ scaled ─▶ × weights ─▶ bounded term ┴▶ log-odds with what reviewers found
//! ```
//!
//! It is fitted by FTRL-proximal (McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013) as
//! a correction: the machine's own log-odds are an offset, so that with few decisions it says next to nothing.

mod fit;
mod scale;

use serde::{Deserialize, Serialize};

use super::columns::{Column, Columns};
use super::{ModelError, sigmoid};
use crate::catalogue::{Catalogue, FeatureId, FeatureVector};
use crate::version::Version;

pub use fit::{Example, fit};
pub use scale::{CLIP, Scale};

/// The most that a version adds to a rating's log-odds, or takes away.
pub const TERM_MAX: f64 = 2.0;

/// Code of the reason that says what it adds.
pub const CODE: &str = "labels.reviewers";

/// Most columns that a version has: it bounds what a rating costs.
pub const COLUMNS_MAX: usize = 64;

/// One column with what was learnt of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    /// What it reads.
    pub column: Column,
    /// What a value becomes before it is weighed.
    pub scale: Scale,
    /// Log-odds that a scaled value of 1 adds.
    pub weight: f32,
    /// Log-odds that a missing value adds.
    pub missing: f32,
}

/// What a version was learnt from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearntFrom {
    /// Sequence of the last decision that it has seen.
    pub until: u64,
    /// Ratings with a decision, each with its latest.
    pub ratings: u32,
    /// How many of them were found abusive.
    pub abusive: u32,
    /// How many were drawn by lot.
    pub control: u32,
}

/// A version of what was learnt. Immutable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// What it was learnt from.
    pub learnt_from: LearntFrom,
    /// Log-odds that every rating gets.
    pub intercept: f32,
    /// At most [`COLUMNS_MAX`], those with the largest weights; all others have none.
    pub columns: Vec<Learnt>,
}

impl Labels {
    /// Its bytes, as `docs/log-format.md` has them.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("a Vec takes all bytes, and no type in it is without a length")
    }

    /// Reads them back.
    ///
    /// # Errors
    /// They are no such bytes, or hold what no version may.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let malformed = |why: &str| ModelError::Malformed { file: CODE.to_owned(), why: why.to_owned() };
        let labels: Self = postcard::from_bytes(bytes).map_err(|error| malformed(&error.to_string()))?;
        if labels.columns.len() > COLUMNS_MAX {
            return Err(malformed("too many columns"));
        }
        let finite = labels
            .columns
            .iter()
            .all(|learnt| learnt.weight.is_finite() && learnt.missing.is_finite() && learnt.scale.is_sound());
        if !finite || !labels.intercept.is_finite() {
            return Err(malformed("a weight or a scale is not a number"));
        }
        Ok(labels)
    }

    /// The first 8 bytes of the BLAKE3 of its bytes.
    pub fn version(&self) -> Version {
        Self::version_of(&self.to_bytes())
    }

    /// As [`Self::version`], of bytes.
    pub fn version_of(bytes: &[u8]) -> Version {
        Version::of_hash(&blake3::hash(bytes))
    }

    /// What it adds to the log-odds of a rating whose column `of` has this number; NaN where a value is missing.
    pub fn term(&self, of: impl Fn(&Column) -> f32) -> f64 {
        bounded(self.columns.iter().map(|learnt| learnt.adds(of(&learnt.column))).sum::<f64>() + self.base())
    }

    fn base(&self) -> f64 {
        f64::from(self.intercept)
    }
}

impl Learnt {
    fn adds(&self, value: f32) -> f64 {
        match self.scale.apply(value) {
            Some(scaled) => f64::from(scaled) * f64::from(self.weight),
            None => f64::from(self.missing),
        }
    }
}

fn bounded(term: f64) -> f64 {
    // A sum that is no number is no evidence.
    if term.is_nan() { 0.0 } else { term.clamp(-TERM_MAX, TERM_MAX) }
}

/// A version over the features of one catalogue.
#[derive(Clone, Debug)]
pub struct LabelsInForce {
    labels: std::sync::Arc<Labels>,
    version: Version,
    /// Those of its columns that the catalogue has, and what was learnt of each.
    columns: Columns,
    learnt: Vec<Learnt>,
    /// What the columns add that the catalogue lacks: their values are missing.
    lacking: f64,
}

impl LabelsInForce {
    /// Finds what the version reads in a catalogue. A counter that is no longer declared is missing.
    pub fn new(labels: std::sync::Arc<Labels>, catalogue: &Catalogue) -> Self {
        let known = |column: &Column| Columns::find(std::slice::from_ref(column), catalogue).is_ok();
        let (learnt, lacking): (Vec<Learnt>, Vec<Learnt>) =
            labels.columns.iter().cloned().partition(|learnt| known(&learnt.column));
        let names: Vec<Column> = learnt.iter().map(|learnt| learnt.column.clone()).collect();
        let columns = Columns::find(&names, catalogue).unwrap_or_default();
        let lacking = lacking.iter().map(|learnt| learnt.adds(f32::NAN)).sum();
        Self { version: labels.version(), labels, columns, learnt, lacking }
    }

    /// The version.
    pub fn labels(&self) -> &std::sync::Arc<Labels> {
        &self.labels
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// What it adds to a rating's log-odds, at most [`TERM_MAX`]; `values` is scratch space.
    pub fn term(&self, vector: &FeatureVector, values: &mut Vec<f32>) -> f64 {
        self.columns.read(vector, values);
        let adds: f64 = self.learnt.iter().zip(&*values).map(|(learnt, &value)| learnt.adds(value)).sum();
        bounded(self.labels.base() + self.lacking + adds)
    }

    /// The features that moved the term most in its own direction, at most `most`, largest first.
    pub fn movers(
        &self,
        vector: &FeatureVector,
        term: f64,
        most: usize,
        values: &mut Vec<f32>,
    ) -> Vec<FeatureId> {
        self.columns.read(vector, values);
        let mut by_feature: Vec<(FeatureId, f64)> = Vec::new();
        for (column, (learnt, &value)) in self.learnt.iter().zip(&*values).enumerate() {
            let (feature, add) = (self.columns.feature(column), learnt.adds(value) * term.signum());
            match by_feature.iter_mut().find(|(known, _)| *known == feature) {
                Some((_, sum)) => *sum += add,
                None => by_feature.push((feature, add)),
            }
        }
        by_feature.retain(|&(_, add)| add > 0.0);
        by_feature.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.0.cmp(&b.0.0)));
        by_feature.into_iter().take(most).map(|(feature, _)| feature).collect()
    }
}

/// Logarithmic loss of log-odds for what was found, in nats.
pub fn log_loss(logit: f64, abusive: bool) -> f64 {
    let found = sigmoid(if abusive { logit } else { -logit });
    -found.max(1e-12).ln()
}

#[cfg(test)]
mod tests;
