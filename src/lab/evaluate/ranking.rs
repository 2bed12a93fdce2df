//! Ratings ranked by their inline risk: average precision, and recall at a fixed price.

use serde::Serialize;

use super::rate::{Rate, some_six_digits};

/// Ratings of one risk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) risk: f32,
    pub(super) abusive: u64,
    pub(super) honest: u64,
}

/// All ratings by falling risk. Ratings of equal risk are one step, since nothing orders them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ranking(pub(super) Vec<Step>);

/// Shares of the honest ratings that may be held, in thousandths.
pub(super) const BUDGETS_PER_MILLE: [u64; 2] = [1, 3];

/// What a threshold on the risk would find if it might hold a given share of the honest ratings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtBudget {
    /// Share of the honest ratings that may be held.
    pub budget: f64,
    /// The lowest risk that is held; `null` if even the highest costs more than the budget.
    #[serde(serialize_with = "some_six_digits")]
    pub threshold: Option<f64>,
    /// Honest ratings at or above it.
    pub honest_held: Rate,
    /// Abusive ratings at or above it.
    pub recall: Rate,
}

impl Ranking {
    /// Ranks ratings, each with its risk and whether it is abusive.
    pub(super) fn new(ratings: impl Iterator<Item = (f32, bool)>) -> Self {
        let mut ratings: Vec<(f32, bool)> = ratings.collect();
        ratings.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let mut steps: Vec<Step> = Vec::new();
        for (risk, is_abusive) in ratings {
            if steps.last().is_none_or(|step| step.risk != risk) {
                steps.push(Step { risk, abusive: 0, honest: 0 });
            }
            if let Some(step) = steps.last_mut() {
                step.abusive += u64::from(is_abusive);
                step.honest += u64::from(!is_abusive);
            }
        }
        Self(steps)
    }

    pub(super) fn average_precision(&self) -> Option<f64> {
        average_precision(self.0.iter().map(|step| (step.abusive, step.honest)))
    }

    /// What is found at a price of so many thousandths of the honest ratings.
    pub(super) fn at_budget(&self, per_mille: u64) -> AtBudget {
        let honest: u64 = self.0.iter().map(|step| step.honest).sum();
        let abusive: u64 = self.0.iter().map(|step| step.abusive).sum();
        let allowed = honest * per_mille / 1_000;
        let (mut found, mut price, mut threshold) = (0, 0, None);
        for step in &self.0 {
            if price + step.honest > allowed {
                break;
            }
            price += step.honest;
            found += step.abusive;
            threshold = Some(f64::from(step.risk));
        }
        AtBudget {
            budget: per_mille as f64 / 1_000.0,
            threshold,
            honest_held: Rate { count: price, of: honest },
            recall: Rate { count: found, of: abusive },
        }
    }

    /// Recall and precision at each risk, from the highest down; empty without abusive ratings.
    pub(super) fn curve(&self) -> Vec<(f64, f64)> {
        let all: u64 = self.0.iter().map(|step| step.abusive).sum();
        if all == 0 {
            return Vec::new();
        }
        let (mut abusive, mut honest) = (0, 0);
        let points = self.0.iter().map(|step| {
            abusive += step.abusive;
            honest += step.honest;
            (abusive as f64 / all as f64, abusive as f64 / (abusive + honest) as f64)
        });
        points.collect()
    }
}

/// The area under the precision-recall curve as a sum of steps: Σ (Rₖ − Rₖ₋₁)·Pₖ over the distinct
/// risks from the highest down (average precision; no interpolation, which would flatter). `None`
/// without abusive ratings.
pub(super) fn average_precision(steps: impl Iterator<Item = (u64, u64)>) -> Option<f64> {
    let (mut abusive, mut all, mut sum) = (0_u64, 0_u64, 0.0);
    for (more_abusive, more_honest) in steps {
        abusive += more_abusive;
        all += more_abusive + more_honest;
        if more_abusive > 0 {
            sum += more_abusive as f64 * abusive as f64 / all as f64;
        }
    }
    (abusive > 0).then(|| sum / abusive as f64)
}
