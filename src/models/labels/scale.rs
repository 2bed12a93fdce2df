//! What becomes of a feature's value before it is weighed.

use serde::{Deserialize, Serialize};

/// Scaled values lie between this and its negative.
pub const CLIP: f32 = 4.0;

/// The least spread: a column that hardly varies must not be blown up.
const LEAST_SPREAD: f32 = 0.05;

/// Makes a value's size comparable with other columns'. Fixed for a version, and part of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Mean of the values that it was made from, each as sign·ln(1 + |value|).
    pub mean: f32,
    /// Their standard deviation, at least 0.05.
    pub spread: f32,
}

impl Scale {
    /// The scale of these values; those that are missing are left out.
    pub fn of(values: impl Iterator<Item = f32> + Clone) -> Self {
        let squashed = values.filter_map(squash).map(f64::from);
        let count = squashed.clone().count();
        if count == 0 {
            return Self { mean: 0.0, spread: 1.0 };
        }
        let mean = squashed.clone().sum::<f64>() / count as f64;
        let variance = squashed.map(|value| (value - mean).powi(2)).sum::<f64>() / count as f64;
        Self { mean: mean as f32, spread: (variance.sqrt() as f32).max(LEAST_SPREAD) }
    }

    /// The scaled value, from −[`CLIP`] to [`CLIP`]; `None` where it is missing.
    pub fn apply(&self, value: f32) -> Option<f32> {
        squash(value).map(|squashed| ((squashed - self.mean) / self.spread).clamp(-CLIP, CLIP))
    }

    /// Whether its numbers are such that [`Scale::apply`] gives one.
    pub(super) fn is_sound(&self) -> bool {
        self.mean.is_finite() && self.spread.is_finite() && self.spread > 0.0
    }
}

/// sign·ln(1 + |value|); `None` for what is no number.
fn squash(value: f32) -> Option<f32> {
    match value {
        _ if !value.is_finite() => None,
        // Most values are flags: the logarithm is spared.
        0.0 => Some(0.0),
        1.0 => Some(std::f32::consts::LN_2),
        _ => Some(libm::log1pf(value.abs()).copysign(value)),
    }
}
