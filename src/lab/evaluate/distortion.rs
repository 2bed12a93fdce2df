//! How far the published figures are from the truth, and how much of the distortion was removed.

use std::cmp::Ordering;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::names::Names;
use super::population::Judged;
use super::rate::some_six_digits;

/// Targets that are listed one by one.
const LISTED: usize = 20;

/// Ratings of a target: bad ones, with stars, hall stars or an aspect of 1 or 2, and the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Not bad.
    pub good: u64,
    /// Bad.
    pub bad: u64,
}

impl Tally {
    fn add(&mut self, is_bad: bool) {
        *(if is_bad { &mut self.bad } else { &mut self.good }) += 1;
    }

    /// |good − good| + |bad − bad|.
    fn difference(self, other: Self) -> u64 {
        self.good.abs_diff(other.good) + self.bad.abs_diff(other.bad)
    }
}

/// One target's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) truth: Tally,
    pub(super) raw: Tally,
    pub(super) published: Tally,
}

/// A target and its figures, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRow {
    /// The label's `target`, or else clerk, window or department of the rating.
    pub target: String,
    /// Over genuine ratings alone.
    pub truth: Tally,
    /// Over all ratings.
    pub raw: Tally,
    /// Over those that are finally admitted.
    pub published: Tally,
}

impl TargetRow {
    /// How far the raw figures are from the truth.
    pub fn raw_difference(&self) -> u64 {
        self.raw.difference(self.truth)
    }

    /// How far the published figures are from the truth.
    pub fn published_difference(&self) -> u64 {
        self.published.difference(self.truth)
    }
}

impl Serialize for TargetRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("TargetRow", 6)?;
        object.serialize_field("target", &self.target)?;
        object.serialize_field("truth", &self.truth)?;
        object.serialize_field("raw", &self.raw)?;
        object.serialize_field("published", &self.published)?;
        object.serialize_field("raw_difference", &self.raw_difference())?;
        object.serialize_field("published_difference", &self.published_difference())?;
        object.end()
    }
}

/// How far figures are from the truth, over all targets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Distortion {
    /// Targets with an evaluated rating that somebody chose.
    pub targets: u64,
    /// Ratings that the platform filled in: as in the statistics they are in no target's figures.
    pub defaults_left_out: u64,
    /// Sum over targets of |good − true good| + |bad − true bad|, of all ratings.
    pub raw_difference: u64,
    /// The same, of finally admitted ratings.
    pub published_difference: u64,
    /// 1 − published ÷ raw; `null` if the raw figures are the truth already. Below 0, the figures are
    /// further from the truth than without any detection.
    #[serde(serialize_with = "some_six_digits")]
    pub removed: Option<f64>,
    /// The twenty targets whose raw figures are furthest from the truth.
    pub most_distorted: Vec<TargetRow>,
}

/// Counts evaluated ratings, for each target by number, as one file of verdicts decides.
pub(super) fn distortion<'a>(
    evaluated: impl Iterator<Item = Judged<'a>>,
    file: usize,
    names: &Names,
) -> Distortion {
    let mut targets = vec![Target::default(); names.len()];
    let mut defaults_left_out = 0;
    for judged in evaluated {
        if judged.row.is_default {
            defaults_left_out += 1;
            continue;
        }
        let target = &mut targets[judged.row.target() as usize];
        target.raw.add(judged.row.is_bad);
        if !judged.is_abusive {
            target.truth.add(judged.row.is_bad);
        }
        if !judged.given(file).is_held_finally() {
            target.published.add(judged.row.is_bad);
        }
    }
    let mut rows: Vec<TargetRow> = (0..)
        .zip(&targets)
        .filter(|(_, target)| **target != Target::default())
        .map(|(number, target)| TargetRow {
            target: names.get(number).to_owned(),
            truth: target.truth,
            raw: target.raw,
            published: target.published,
        })
        .collect();
    let raw_difference = rows.iter().map(TargetRow::raw_difference).sum();
    let published_difference = rows.iter().map(TargetRow::published_difference).sum();
    let count = rows.len() as u64;
    rows.retain(|row| row.raw_difference() + row.published_difference() > 0);
    // Two files of verdicts have the same raw figures, and so list the same targets.
    rows.sort_by(|a, b| {
        let by_published = || b.published_difference().cmp(&a.published_difference());
        let by_raw = b.raw_difference().cmp(&a.raw_difference());
        let rest = if a.raw_difference() == 0 { by_published() } else { Ordering::Equal };
        by_raw.then(rest).then_with(|| a.target.cmp(&b.target))
    });
    rows.truncate(LISTED);
    Distortion {
        targets: count,
        defaults_left_out,
        raw_difference,
        published_difference,
        removed: (raw_difference > 0).then(|| 1.0 - published_difference as f64 / raw_difference as f64),
        most_distorted: rows,
    }
}
