//! Platt scaling: log-odds that mean what they say.

use serde::{Deserialize, Serialize};

/// Log-odds after scaling: `scale` × log-odds + `offset`.
///
/// Source: Platt, "Probabilistic outputs for support vector machines" (1999), with the prior-corrected
/// targets given there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Platt {
    /// What log-odds are multiplied by.
    pub scale: f64,
    /// What is added then.
    pub offset: f64,
}

impl Default for Platt {
    /// As they are.
    fn default() -> Self {
        Self { scale: 1.0, offset: 0.0 }
    }
}

impl Platt {
    /// The scaled log-odds.
    pub fn apply(self, logit: f64) -> f64 {
        self.scale * logit + self.offset
    }

    /// Fits the scale by Newton's method. Rows are log-odds, answer and weight. Where the rows tell nothing
    /// apart, or the other way round, log-odds stay as they are but for the base rate.
    pub fn fit(rows: impl Iterator<Item = (f64, bool, f64)> + Clone) -> Self {
        let (mut yes, mut no) = (0.0, 0.0);
        for (_, positive, weight) in rows.clone() {
            *(if positive { &mut yes } else { &mut no }) += weight;
        }
        if yes == 0.0 || no == 0.0 {
            return Self::default();
        }
        let (high, low) = ((yes + 1.0) / (yes + 2.0), 1.0 / (no + 2.0));
        let mut fit = Self { scale: 0.0, offset: (yes / no).ln() };
        for _ in 0..50 {
            // Slopes and curvatures of the loss; a little curvature more keeps the step finite.
            let (mut g1, mut g0, mut h11, mut h10, mut h00) = (0.0, 0.0, 1e-6, 0.0, 1e-6);
            for (logit, positive, weight) in rows.clone() {
                let p = 1.0 / (1.0 + (-fit.apply(logit)).exp());
                let target = if positive { high } else { low };
                let (slope, curve) = (weight * (p - target), weight * p * (1.0 - p));
                g1 += slope * logit;
                g0 += slope;
                h11 += curve * logit * logit;
                h10 += curve * logit;
                h00 += curve;
            }
            let determinant = h11 * h00 - h10 * h10;
            if determinant.abs() < 1e-12 {
                break;
            }
            let (step1, step0) = ((h00 * g1 - h10 * g0) / determinant, (h11 * g0 - h10 * g1) / determinant);
            // Far from the minimum a full step can overshoot.
            let limit = (step1.abs().max(step0.abs() / 5.0) / 0.5).max(1.0);
            fit.scale -= step1 / limit;
            fit.offset -= step0 / limit;
            if step1.abs() < 1e-7 && step0.abs() < 1e-7 {
                break;
            }
        }
        match fit.scale.is_finite() && fit.offset.is_finite() && fit.scale > 0.0 {
            true => fit,
            false => Self { scale: 0.0, offset: (yes / no).ln() },
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn fitting_finds_the_scale_that_the_answers_were_drawn_with() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let rows: Vec<(f64, bool, f64)> = (0..40_000)
            .map(|_| {
                let logit: f64 = random.random_range(-6.0..6.0);
                let p = 1.0 / (1.0 + (-(0.6 * logit - 1.5)).exp());
                (logit, random.random::<f64>() < p, 1.0)
            })
            .collect();
        let fit = Platt::fit(rows.iter().copied());
        assert!((fit.scale - 0.6).abs() < 0.03 && (fit.offset + 1.5).abs() < 0.08, "{fit:?}");
    }

    #[test]
    fn answers_that_contradict_the_log_odds_leave_the_base_rate_alone() {
        let rows = [(5.0, false, 3.0), (-5.0, true, 1.0)];
        let fit = Platt::fit(rows.iter().copied());
        assert_eq!(fit.scale, 0.0);
        assert!((fit.offset - (1.0_f64 / 3.0).ln()).abs() < 1e-9);
    }

    #[test]
    fn one_sided_answers_change_nothing() {
        assert_eq!(Platt::fit([(1.0, true, 1.0)].into_iter()), Platt::default());
    }
}
