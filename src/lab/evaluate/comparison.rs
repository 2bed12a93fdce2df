//! Where two files of verdicts differ: a shadow model beside the active one.

use serde::Serialize;

use super::population::{Judged, Population, Verdicts};
use super::rate::{interval_six_digits, some_six_digits};
use super::report::Evaluation;

/// Differences of the second file from the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Inline decisions that differ.
    pub inline: Changed,
    /// Last decisions that differ.
    #[serde(rename = "final")]
    pub last: Changed,
    /// The second file's average precision less the first's.
    #[serde(serialize_with = "some_six_digits")]
    pub average_precision_difference: Option<f64>,
    /// By a bootstrap whose resamples both files share. If it contains 0, chance may have made the
    /// difference.
    #[serde(serialize_with = "interval_six_digits")]
    pub average_precision_difference_95: Option<[f64; 2]>,
}

/// Ratings that one file holds and the other admits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Held by the first file alone.
    pub held_by_first_only: Of,
    /// Held by the second file alone.
    pub held_by_second_only: Of,
}

/// What those ratings are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Of {
    /// Abusive ones.
    pub abusive: u64,
    /// Genuine ones.
    pub genuine: u64,
    /// Genuine and bad ones.
    pub genuine_bad: u64,
}

impl Changed {
    fn add(&mut self, judged: Judged<'_>, first: bool, second: bool) {
        let of = match (first, second) {
            (true, false) => &mut self.held_by_first_only,
            (false, true) => &mut self.held_by_second_only,
            _ => return,
        };
        of.abusive += u64::from(judged.is_abusive);
        of.genuine += u64::from(!judged.is_abusive);
        of.genuine_bad += u64::from(!judged.is_abusive && judged.row.is_bad);
    }
}

/// Compares two files.
pub(super) fn comparison(
    population: &Population,
    verdicts: &[Verdicts; 2],
    [first, second]: [&Evaluation; 2],
    difference_95: Option<[f64; 2]>,
) -> Comparison {
    let (mut inline, mut last) = (Changed::default(), Changed::default());
    for judged in population.evaluated(verdicts) {
        let [a, b] = [judged.given(0), judged.given(1)];
        inline.add(judged, a.is_held_inline(), b.is_held_inline());
        last.add(judged, a.is_held_finally(), b.is_held_finally());
    }
    let [a, b] = [first, second].map(|evaluation| evaluation.average_precision.value);
    Comparison {
        inline,
        last,
        average_precision_difference: a.zip(b).map(|(a, b)| b - a),
        average_precision_difference_95: difference_95,
    }
}
