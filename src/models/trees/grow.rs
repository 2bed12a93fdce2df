//! Growing one tree: level by level, the question that all leaves of the level gain most from.

use std::thread;

use super::bins::{Binned, MISSING};
use super::{MAX_DEPTH, Split, Tree};

/// Gradient and hessian of a row's loss, by its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slope {
    pub gradient: f32,
    pub hessian: f32,
}

/// Sums of slopes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    gradient: f64,
    hessian: f64,
}

impl Sum {
    fn add(&mut self, slope: Slope) {
        self.gradient += f64::from(slope.gradient);
        self.hessian += f64::from(slope.hessian);
    }

    fn plus(self, other: Self) -> Self {
        Self { gradient: self.gradient + other.gradient, hessian: self.hessian + other.hessian }
    }

    fn minus(self, other: Self) -> Self {
        Self { gradient: self.gradient - other.gradient, hessian: self.hessian - other.hessian }
    }

    /// Twice what the loss falls by if a leaf with these slopes has its best value.
    fn gain(self, ridge: f64) -> f64 {
        self.gradient * self.gradient / (self.hessian + ridge)
    }
}

/// What a tree is grown from.
pub struct Soil<'a> {
    pub columns: &'a [Binned],
    pub slopes: &'a [Slope],
    /// The rows that the questions are chosen by, ascending.
    pub rows: &'a [u32],
    /// The columns that may be asked for, ascending.
    pub candidates: &'a [u16],
    pub depth: usize,
    /// L2 penalty on the leaves' values.
    pub ridge: f64,
    /// Least gain of a question.
    pub least_gain: f64,
    /// What the leaves' values are multiplied by.
    pub rate: f64,
    pub threads: usize,
}

#[derive(Clone, Copy)]
struct Best {
    gain: f64,
    column: u16,
    bin: u8,
    missing_above: bool,
}

/// Grows a tree. `leaf_of` is scratch space: afterwards it has the leaf of every row, chosen by or not.
pub fn grow(soil: &Soil<'_>, leaf_of: &mut Vec<u8>) -> Tree {
    leaf_of.clear();
    leaf_of.resize(soil.slopes.len(), 0);
    let mut splits = Vec::new();
    for level in 0..soil.depth.min(MAX_DEPTH) {
        let Some(best) = best_question(soil, leaf_of, 1 << level) else { break };
        let column = &soil.columns[usize::from(best.column)];
        for (leaf, &bin) in leaf_of.iter_mut().zip(&column.rows) {
            let above = if bin == MISSING { best.missing_above } else { bin > best.bin };
            *leaf |= u8::from(above) << level;
        }
        splits.push(Split {
            column: best.column,
            missing_above: best.missing_above,
            threshold: column.cuts[usize::from(best.bin)],
        });
    }
    let leaves = 1 << splits.len();
    let mut sums = vec![Sum::default(); leaves];
    for &row in soil.rows {
        sums[usize::from(leaf_of[row as usize])].add(soil.slopes[row as usize]);
    }
    let value = |sum: &Sum| (-soil.rate * sum.gradient / (sum.hessian + soil.ridge)) as f32;
    Tree {
        splits,
        leaves: sums.iter().map(value).collect(),
        covers: sums.iter().map(|sum| sum.hessian as f32).collect(),
    }
}

/// The best question of all candidates, and of equals the first; independent of the number of threads.
fn best_question(soil: &Soil<'_>, leaf_of: &[u8], leaves: usize) -> Option<Best> {
    // Rows of a leaf together would be read in no order; as they are, each column is read once, from front
    // to back.
    let slopes: Vec<(u8, Slope)> =
        soil.rows.iter().map(|&row| (leaf_of[row as usize], soil.slopes[row as usize])).collect();
    let share = soil.candidates.len().div_ceil(soil.threads.max(1)).max(1);
    let found = thread::scope(|scope| {
        let slopes = &slopes;
        let shares: Vec<_> = soil
            .candidates
            .chunks(share)
            .map(|columns| {
                scope.spawn(move || {
                    let mut sums = Vec::new();
                    let best = columns
                        .iter()
                        .filter_map(|&column| question_of(soil, slopes, column, leaves, &mut sums));
                    best.reduce(better)
                })
            })
            .collect();
        let joined = shares.into_iter().map(|share| match share.join() {
            Ok(best) => best,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().reduce(better)
    });
    found.filter(|best| best.gain > soil.least_gain)
}

fn better(a: Best, b: Best) -> Best {
    if b.gain > a.gain { b } else { a }
}

/// The best question about one column.
fn question_of(
    soil: &Soil<'_>,
    slopes: &[(u8, Slope)],
    column: u16,
    leaves: usize,
    sums: &mut Vec<Sum>,
) -> Option<Best> {
    let binned = &soil.columns[usize::from(column)];
    // By leaf, then by bin; missing values come last.
    let bins = binned.cuts.len() + 1;
    let width = bins + 1;
    sums.clear();
    sums.resize(leaves * width, Sum::default());
    for (&row, &(leaf, slope)) in soil.rows.iter().zip(slopes) {
        let bin = binned.rows[row as usize];
        let bin = if bin == MISSING { bins } else { usize::from(bin) };
        sums[usize::from(leaf) * width + bin].add(slope);
    }
    let mut below: Vec<Sum> = vec![Sum::default(); leaves];
    let totals: Vec<Sum> =
        sums.chunks(width).map(|leaf| leaf.iter().fold(Sum::default(), |a, &b| a.plus(b))).collect();
    let before: f64 = totals.iter().map(|total| total.gain(soil.ridge)).sum();
    let mut best: Option<Best> = None;
    // The last bin has no cut above it.
    for bin in 0..binned.cuts.len() {
        let mut gain = [-before; 2];
        for leaf in 0..leaves {
            below[leaf] = below[leaf].plus(sums[leaf * width + bin]);
            let missing = sums[leaf * width + bins];
            for (gain, below) in gain.iter_mut().zip([below[leaf].plus(missing), below[leaf]]) {
                *gain += below.gain(soil.ridge) + totals[leaf].minus(below).gain(soil.ridge);
            }
        }
        for (missing_above, gain) in [false, true].into_iter().zip(gain) {
            let question = Best { gain, column, bin: bin as u8, missing_above };
            best = Some(best.map_or(question, |best| better(best, question)));
        }
    }
    best
}
