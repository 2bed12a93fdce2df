//! Learning from the ratings around one: the history goes through the look-back again and again, each time
//! with what the time before taught.

use super::history::{History, Row};
use super::labels::Label;
use crate::lookback::{self, Entrant, GroupScore, Lookback};
use crate::models::trees::{Boosting, Sample, TrainError, Trees, train};
use crate::models::{Platt, sigmoid};

/// What judges in one run through the history: for each fold a model that has not seen it.
pub struct Judge<'a> {
    pub folds: &'a [(Trees, Platt)],
    /// What is collected.
    pub seen: Seen,
}

/// How each rating was judged when it came, and last.
pub struct Seen {
    /// The columns when it came, a row per rating.
    pub came: Vec<f32>,
    /// Log-odds when it came.
    pub came_logit: Vec<f64>,
    /// Independent strong links when it came.
    pub came_strong: Vec<u8>,
    /// Place in `again` of the last time that it was judged again; `u32::MAX` where it never was.
    pub last: Vec<u32>,
    /// The columns when it was judged again.
    pub again: Vec<f32>,
    /// The largest log-odds when it was judged again, where it has strong links enough to be held if it is
    /// bad.
    pub again_best: Vec<f64>,
}

impl Seen {
    fn new(rows: usize) -> Self {
        Self {
            came: Vec::with_capacity(rows * lookback::COLUMNS),
            came_logit: vec![f64::NEG_INFINITY; rows],
            came_strong: vec![0; rows],
            last: vec![u32::MAX; rows],
            again: Vec::new(),
            again_best: vec![f64::NEG_INFINITY; rows],
        }
    }

    /// The columns of a rating when it came.
    pub fn came_of(&self, row: usize) -> &[f32] {
        &self.came[row * lookback::COLUMNS..(row + 1) * lookback::COLUMNS]
    }

    /// The columns of a rating when it was judged again last.
    pub fn again_of(&self, row: usize) -> Option<&[f32]> {
        let at = self.last[row];
        (at != u32::MAX).then(|| {
            let at = at as usize * lookback::COLUMNS;
            &self.again[at..at + lookback::COLUMNS]
        })
    }
}

impl GroupScore for Judge<'_> {
    fn logit(&self, fold: u8, own: f32, columns: &[f32]) -> f64 {
        match self.folds.get(usize::from(fold)) {
            Some((trees, scale)) => scale.apply(f64::from(own) + trees.sum(columns)),
            None => f64::from(own),
        }
    }

    fn hold(&self, _bad: bool) -> f32 {
        // Where the line is to be drawn is not known yet, and what is believed does not depend on it.
        f32::INFINITY
    }

    fn judged(&mut self, sequence: u64, again: bool, logit: f64, strong: u32, columns: &[f32]) {
        let row = sequence as usize;
        let seen = &mut self.seen;
        if !again {
            seen.came.extend_from_slice(columns);
            seen.came_logit[row] = logit;
            seen.came_strong[row] = strong as u8;
            return;
        }
        if seen.last[row] == u32::MAX {
            seen.last[row] = (seen.again.len() / lookback::COLUMNS) as u32;
            seen.again.extend_from_slice(columns);
        } else {
            let at = seen.last[row] as usize * lookback::COLUMNS;
            seen.again[at..at + lookback::COLUMNS].copy_from_slice(columns);
        }
        // The caller knows whether it is bad; both are kept apart by `strong`.
        let best = &mut seen.again_best[row];
        if strong >= lookback::STRONG_LINKS || columns[lookback::BAD_COLUMN] == 0.0 {
            *best = best.max(logit);
        }
    }
}

/// Takes the history through the look-back with a model per fold.
pub fn run(history: &History, own: &[f64], folds: &[(Trees, Platt)]) -> Seen {
    let mut judge = Judge { folds, seen: Seen::new(history.rows.len()) };
    let mut lookback = Lookback::new(2_000_000);
    let mut findings = Vec::new();
    for (i, row) in history.rows.iter().enumerate() {
        let mut entrant: Entrant = row.entrant.clone().numbered(i as u64, own[i]);
        let look = lookback.look(&mut entrant, &mut judge);
        lookback.join(entrant, &look, false, true, &mut judge, &mut findings);
    }
    judge.seen
}

/// Which ratings a group model is trained on: all that were judged again, all abusive ones, and one in
/// `thin` of the rest, which stands for all of them.
pub fn chosen(history: &History, seen: &Seen, thin: usize) -> Vec<(usize, f32)> {
    let labelled = history.rows.iter().enumerate().filter(|(_, row)| row.label.is_some());
    let weight = |(i, row): (usize, &Row)| match () {
        () if row.label == Some(Label::Abusive) || seen.last[i] != u32::MAX => Some((i, 1.0)),
        // A multiple of a large odd number is as good as a draw, and the same each time.
        () if i.wrapping_mul(0x9e37_79b9) >> 7 & 0xffff < 0x1_0000 / thin => Some((i, thin as f32)),
        () => None,
    };
    labelled.filter_map(weight).collect()
}

/// Trains a group model on ratings of all folds but `without`.
///
/// # Errors
/// There is nothing to tell apart.
pub fn fit(
    history: &History,
    own: &[f64],
    seen: &Seen,
    chosen: &[(usize, f32)],
    without: Option<u8>,
    boosting: &Boosting,
) -> Result<(Trees, Platt), TrainError> {
    let mut columns = vec![Vec::new(); lookback::COLUMNS];
    let mut samples = Vec::new();
    let mut take = |values: &[f32], row: usize, weight: f32| {
        columns.iter_mut().zip(values).for_each(|(column, &value)| column.push(value));
        let positive = history.rows[row].label == Some(Label::Abusive);
        samples.push(Sample { positive, weight, prior: own[row] as f32 });
    };
    for &(row, weight) in chosen {
        if Some(history.rows[row].fold) == without {
            continue;
        }
        let again = seen.again_of(row);
        let share = if again.is_some() { 0.5 } else { 1.0 };
        take(seen.came_of(row), row, weight * share);
        if let Some(again) = again {
            take(again, row, weight * share);
        }
    }
    let trees = train(&columns, &samples, boosting, |_| {})?;
    Ok((trees, Platt::default()))
}

/// The risk at which each rating would be held at the latest.
pub fn risks(history: &History, own: &[f64], seen: &Seen, scale: Platt) -> Vec<f32> {
    let rows = history.rows.iter().enumerate();
    rows.map(|(i, row)| {
        let came = match row.bad && u32::from(seen.came_strong[i]) < lookback::STRONG_LINKS {
            true => seen.came_logit[i].min(own[i]),
            false => seen.came_logit[i],
        };
        let best = if row.protected { f64::NEG_INFINITY } else { came.max(seen.again_best[i]) };
        sigmoid(scale.apply(best)) as f32
    })
    .collect()
}
