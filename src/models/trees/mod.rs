//! Boosted oblivious trees: every split of a level asks the same question, so that a tree of depth 6 is
//! six comparisons and one look-up, independent of each other, and none of them a branch.
//!
//! Source: Friedman, "Greedy function approximation: a gradient boosting machine" (2001); the second-order
//! gain of Chen and Guestrin, "XGBoost" (2016); oblivious trees as in Prokhorenkova et al., "CatBoost"
//! (2018). Missing values have a side of their own in each split, as in XGBoost.

mod bins;
mod grow;
mod train;

use serde::{Deserialize, Serialize};

pub use train::{Boosting, Sample, TrainError, train};

/// Most splits of a tree.
pub const MAX_DEPTH: usize = 6;

/// Most trees of an ensemble, and most columns that it may ask for.
const MAX_TREES: usize = 1000;
const MAX_COLUMNS: usize = 1024;

/// One question: is the column's value above the threshold?
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Which column.
    pub column: u16,
    /// Whether a missing value counts as above.
    pub missing_above: bool,
    /// What it must exceed.
    pub threshold: f32,
}

impl Split {
    #[inline]
    fn asks(self, values: &[f32]) -> usize {
        let value = values[usize::from(self.column)];
        // A missing value is NaN, which no comparison holds for.
        usize::from((value > self.threshold) | (self.missing_above & value.is_nan()))
    }
}

/// A tree: its questions, and a value for each way to answer them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// The questions; the answer to the first is the lowest bit of the leaf's number.
    pub splits: Vec<Split>,
    /// Log-odds that each leaf adds: one for each way to answer.
    pub leaves: Vec<f32>,
    /// Weight of the training rows that came to each leaf, from which what a question adds is told.
    pub covers: Vec<f32>,
}

impl Tree {
    #[inline]
    fn leaf(&self, values: &[f32]) -> usize {
        self.splits.iter().enumerate().fold(0, |leaf, (level, split)| leaf | split.asks(values) << level)
    }

    /// Mean of the leaves whose first `known` answers are those of `leaf`, by cover.
    fn mean(&self, leaf: usize, known: usize) -> f64 {
        let mask = (1_usize << known) - 1;
        let (mut sum, mut weight) = (0.0, 0.0);
        for (at, (&value, &cover)) in self.leaves.iter().zip(&self.covers).enumerate() {
            if at & mask == leaf & mask {
                sum += f64::from(value) * f64::from(cover);
                weight += f64::from(cover);
            }
        }
        if weight > 0.0 { sum / weight } else { 0.0 }
    }
}

/// Log-odds as a sum of trees over columns of numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trees {
    columns: u16,
    trees: Vec<Tree>,
}

/// Why an ensemble is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

impl Trees {
    /// An ensemble over `columns` columns.
    ///
    /// # Errors
    /// A tree asks for a column that is not there, has not one value per leaf, or holds a number that is
    /// not finite; or there are too many of anything.
    pub fn new(columns: usize, trees: Vec<Tree>) -> Result<Self, Malformed> {
        let these = Self { columns: u16::try_from(columns).unwrap_or(u16::MAX), trees };
        these.check()?;
        Ok(these)
    }

    /// Checks what was read from a file: as [`Trees::new`].
    ///
    /// # Errors
    /// As [`Trees::new`].
    pub fn check(&self) -> Result<(), Malformed> {
        let refuse = |what: String| Err(Malformed(what));
        if usize::from(self.columns) > MAX_COLUMNS {
            return refuse(format!("{} columns; at most {MAX_COLUMNS} are allowed", self.columns));
        }
        if self.trees.len() > MAX_TREES {
            return refuse(format!("{} trees; at most {MAX_TREES} are allowed", self.trees.len()));
        }
        for (number, tree) in self.trees.iter().enumerate() {
            let depth = tree.splits.len();
            if depth > MAX_DEPTH {
                return refuse(format!("tree {number} has {depth} splits; at most {MAX_DEPTH} are allowed"));
            }
            let leaves = 1 << depth;
            if tree.leaves.len() != leaves || tree.covers.len() != leaves {
                return refuse(format!("tree {number} has not {leaves} leaves with a cover each"));
            }
            if let Some(split) = tree.splits.iter().find(|split| split.column >= self.columns) {
                return refuse(format!("tree {number} asks for column {} of {}", split.column, self.columns));
            }
            let thresholds = tree.splits.iter().map(|split| split.threshold);
            let mut numbers =
                thresholds.chain(tree.leaves.iter().copied()).chain(tree.covers.iter().copied());
            if numbers.any(|number| !number.is_finite()) || tree.covers.iter().any(|&cover| cover < 0.0) {
                return refuse(format!("tree {number} has a number that is not finite, or a negative cover"));
            }
        }
        Ok(())
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        usize::from(self.columns)
    }

    /// Number of trees.
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// Whether there is no tree.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// Columns that a tree asks for, ascending.
    pub fn asked(&self) -> Vec<u16> {
        let mut asked: Vec<u16> =
            self.trees.iter().flat_map(|tree| &tree.splits).map(|split| split.column).collect();
        asked.sort_unstable();
        asked.dedup();
        asked
    }

    /// The sum of the trees, in log-odds. `values` has a number per column, NaN where it is missing.
    pub fn sum(&self, values: &[f32]) -> f64 {
        debug_assert_eq!(values.len(), self.columns());
        self.trees.iter().map(|tree| f64::from(tree.leaves[tree.leaf(values)])).sum()
    }

    /// What each column adds to [`Trees::sum`] against the training rows' mean, which is given back.
    /// `adds` has a number per column and is added to. The mean and all that was added make the sum.
    ///
    /// Source: Saabas, "Interpreting random forests" (2014): a question adds by how much its answer moves
    /// the mean of the leaves that are left.
    pub fn explain(&self, values: &[f32], adds: &mut [f64]) -> f64 {
        let mut base = 0.0;
        for tree in &self.trees {
            let leaf = tree.leaf(values);
            let mut mean = tree.mean(leaf, 0);
            base += mean;
            for (level, split) in tree.splits.iter().enumerate() {
                let next = match level + 1 == tree.splits.len() {
                    true => f64::from(tree.leaves[leaf]),
                    false => tree.mean(leaf, level + 1),
                };
                adds[usize::from(split.column)] += next - mean;
                mean = next;
            }
        }
        base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(column: u16, threshold: f32, missing_above: bool) -> Split {
        Split { column, missing_above, threshold }
    }

    fn sample() -> Trees {
        let tree = Tree {
            splits: vec![split(0, 1.0, false), split(1, 0.5, true)],
            leaves: vec![-1.0, 0.5, 0.25, 2.0],
            covers: vec![10.0, 4.0, 2.0, 0.0],
        };
        let stump =
            Tree { splits: vec![split(1, 3.0, false)], leaves: vec![0.0, 1.0], covers: vec![9.0, 1.0] };
        Trees::new(2, vec![tree, stump]).unwrap()
    }

    #[test]
    fn a_missing_value_goes_where_the_split_says() {
        let trees = sample();
        assert_eq!(trees.sum(&[f32::NAN, f32::NAN]), 0.25);
        assert_eq!(trees.sum(&[2.0, f32::NAN]), 2.0);
        assert_eq!(trees.sum(&[1.0, 0.5]), -1.0);
        assert_eq!(trees.sum(&[1.5, 4.0]), 3.0);
    }

    #[test]
    fn what_the_columns_add_makes_up_the_sum() {
        let trees = sample();
        for values in [[f32::NAN, 4.0], [0.0, 0.0], [7.0, 9.0], [3.0, f32::NAN]] {
            let mut adds = [0.0; 2];
            let base = trees.explain(&values, &mut adds);
            assert!((base + adds[0] + adds[1] - trees.sum(&values)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_malformed_ensemble_is_refused_by_name() {
        let good = sample();
        let broken = |change: fn(&mut Trees)| {
            let mut trees = good.clone();
            change(&mut trees);
            trees.check().unwrap_err().0
        };
        assert_eq!(broken(|t| t.trees[1].splits[0].column = 2), "tree 1 asks for column 2 of 2");
        assert_eq!(broken(|t| t.trees[0].leaves.truncate(3)), "tree 0 has not 4 leaves with a cover each");
        assert!(broken(|t| t.trees[0].leaves[0] = f32::NAN).contains("not finite"));
        assert!(broken(|t| t.trees[0].splits = vec![split(0, 0.0, false); 7]).contains("at most 6"));
    }
}
