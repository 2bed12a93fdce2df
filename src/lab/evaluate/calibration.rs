//! Whether a risk of 0.3 means that three in ten are abusive.

use serde::Serialize;

use super::ranking::Ranking;
use super::rate::{Rate, as_six_digits, some_six_digits};

/// Below this risk nearly everything is honest, and no error shows.
pub const LEAST_RISK: f32 = 0.05;
/// Bins of the reliability table, at most.
pub const BINS: u64 = 10;

/// Calibration of the inline risk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// The lowest risk that is looked at.
    #[serde(serialize_with = "as_six_digits")]
    pub least_risk: f64,
    /// Ratings of that risk or a higher one.
    pub ratings: u64,
    /// Expected calibration error: the bins' |mean risk − share abusive|, weighted by their ratings.
    #[serde(serialize_with = "some_six_digits")]
    pub expected_error: Option<f64>,
    /// The reliability table, by rising risk.
    pub bins: Vec<Bin>,
}

/// Ratings of neighbouring risks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// The lowest risk in it.
    #[serde(serialize_with = "as_six_digits")]
    pub from: f64,
    /// The highest risk in it.
    #[serde(serialize_with = "as_six_digits")]
    pub to: f64,
    /// Mean risk.
    #[serde(serialize_with = "as_six_digits")]
    pub mean_risk: f64,
    /// The abusive ones among them.
    pub abusive: Rate,
}

impl Bin {
    /// How far the mean risk is from the share that is abusive.
    fn error(&self) -> f64 {
        (self.mean_risk - self.abusive.share().unwrap_or(self.mean_risk)).abs()
    }
}

/// Cuts the ratings of at least [`LEAST_RISK`] into [`BINS`] bins of equal mass.
///
/// Ratings of equal risk are never parted, since nothing orders them: from the lowest risk up, a bin
/// takes whole risks until it has its share of what the bins before it left over. Where one risk
/// holds more than that, the other bins share the rest, and there may be fewer than [`BINS`].
pub(super) fn calibration(ranking: &Ranking) -> Calibration {
    let steps = || ranking.0.iter().rev().filter(|step| step.risk >= LEAST_RISK);
    let ratings: u64 = steps().map(|step| step.abusive + step.honest).sum();
    let mut bins: Vec<Bin> = Vec::new();
    let mut left = ratings;
    let (mut bin, mut risks): (Option<Bin>, f64) = (None, 0.0);
    for step in steps() {
        let risk = f64::from(step.risk);
        let open = bin.get_or_insert(Bin { from: risk, to: risk, mean_risk: 0.0, abusive: Rate::default() });
        open.to = risk;
        open.abusive.count += step.abusive;
        open.abusive.of += step.abusive + step.honest;
        risks += risk * (step.abusive + step.honest) as f64;
        let bins_left = BINS.saturating_sub(bins.len() as u64).max(1);
        if open.abusive.of >= left.div_ceil(bins_left) {
            open.mean_risk = risks / open.abusive.of as f64;
            left -= open.abusive.of;
            risks = 0.0;
            bins.extend(bin.take());
        }
    }
    let weighted: f64 = bins.iter().map(|bin| bin.error() * bin.abusive.of as f64).sum();
    Calibration {
        least_risk: f64::from(LEAST_RISK),
        ratings,
        expected_error: (ratings > 0).then(|| weighted / ratings as f64),
        bins,
    }
}
