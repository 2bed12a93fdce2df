//! What was learnt from ratings: pure functions of a rating's features.
//!
//! ```text
//! features ─▶ density ─▶ columns ─▶ trees ─┐
//! rules' log-odds ──────────────────────────┴▶ log-odds of one rating ─▶ lookback: the ratings around it
//! reviewers' decisions ─▶ labels: a bounded term on top of either
//! ```

mod artefact;
mod calibration;
pub mod columns;
pub mod density;
pub mod labels;
mod model;
pub mod trees;

use std::fmt;

pub use artefact::{FILE, MANIFEST, Manifest, Metrics, TrainedOn, load_directory, write_directory};
pub use calibration::Platt;
pub use model::{Bars, GroupModel, InForce, Model, Reading, Weights};

/// Why a model is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelError {
    /// A file cannot be read.
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        why: String,
    },
    /// A file does not hold what it should.
    Malformed {
        /// Which.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// The manifest is of another file.
    Mismatch {
        /// What the manifest says.
        said: String,
        /// What the file's BLAKE3 is.
        found: String,
    },
    /// It reads a feature that the rule files in force do not declare.
    NoFeature(String),
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, why } => write!(f, "{file}: cannot be read: {why}"),
            Self::Malformed { file, why } => write!(f, "{file}: {why}; train the model again"),
            Self::Mismatch { said, found } => write!(
                f,
                "{MANIFEST} is not of this {FILE}: it says blake3 = \"{said}\", and the file's is \"{found}\"; \
                 copy both files together, or train the model again"
            ),
            Self::NoFeature(name) => write!(
                f,
                "the model reads the feature `{name}`, which the rule files in force do not declare; declare \
                 its counter again, or train a model with these rule files"
            ),
        }
    }
}

impl std::error::Error for ModelError {}

/// The logistic function: log-odds to probability.
pub fn sigmoid(logit: f64) -> f64 {
    // Both branches keep the exponent negative, so that it cannot overflow.
    if logit >= 0.0 {
        1.0 / (1.0 + (-logit).exp())
    } else {
        let odds = logit.exp();
        odds / (1.0 + odds)
    }
}
