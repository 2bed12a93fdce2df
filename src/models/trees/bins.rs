//! Columns in bins: what growing a tree looks at instead of the numbers.

/// The bin of missing values; the bins of numbers are below it.
pub const MISSING: u8 = u8::MAX;

/// Most bins of numbers in a column.
const BINS: usize = 128;

/// A column's numbers, cut into bins that hold about as many training rows each.
pub struct Binned {
    /// A bin per row.
    pub rows: Vec<u8>,
    /// Between the bins: a number above `cuts[b]` is in a bin above `b`.
    pub cuts: Vec<f32>,
}

impl Binned {
    /// Bins a column; NaN is missing.
    pub fn new(column: &[f32]) -> Self {
        let mut sorted: Vec<f32> = column.iter().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_unstable_by(f32::total_cmp);
        let mut cuts = cuts(&sorted);
        // That a value is there at all is a question, too: all numbers are above this cut.
        if let Some(&least) = sorted.first().filter(|_| sorted.len() < column.len()) {
            cuts.insert(0, least.next_down());
        }
        let bin = |value: &f32| match value.is_nan() {
            true => MISSING,
            false => cuts.partition_point(|cut| value > cut) as u8,
        };
        Self { rows: column.iter().map(bin).collect(), cuts }
    }
}

/// Cuts between the quantiles of sorted numbers. Each lies half-way between two numbers that occur, so that
/// rounding does not decide.
fn cuts(sorted: &[f32]) -> Vec<f32> {
    let mut distinct = sorted.to_vec();
    distinct.dedup();
    let between = |a: f32, b: f32| {
        let middle = ((f64::from(a) + f64::from(b)) / 2.0) as f32;
        if middle < b { middle.max(a) } else { a }
    };
    if distinct.len() <= BINS {
        return distinct.windows(2).map(|pair| between(pair[0], pair[1])).collect();
    }
    let mut cuts = Vec::with_capacity(BINS - 1);
    // Half of the bins by rank; half within the upper tail, which is where what is rare gathers.
    let ranks = (1..BINS / 2).map(|i| sorted.len() * i * 2 / BINS);
    let tail = (1..BINS / 2)
        .map(|i| sorted.len() - 1 - (sorted.len() as f64 * 0.9_f64.powi(i as i32 + 6)) as usize / 2);
    let mut at: Vec<usize> = ranks.chain(tail).filter(|&at| at > 0 && at < sorted.len()).collect();
    at.sort_unstable();
    for at in at {
        let value = sorted[at];
        // Up to the next larger number.
        let next = sorted.partition_point(|&other| other <= value);
        if let Some(&next) = sorted.get(next) {
            cuts.push(between(value, next));
        }
    }
    cuts.dedup();
    cuts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_above_a_cut_just_if_its_bin_is(
            mut column in proptest::collection::vec(prop_oneof![
                (-50_i32..50).prop_map(|v| v as f32),
                -1e6_f32..1e6,
                Just(f32::NAN),
            ], 1..600),
        ) {
            column.push(0.0);
            let binned = Binned::new(&column);
            prop_assert!(binned.cuts.is_sorted() && binned.cuts.len() <= BINS);
            for (value, &bin) in column.iter().zip(&binned.rows) {
                if value.is_nan() {
                    prop_assert_eq!(bin, MISSING);
                    continue;
                }
                for (b, cut) in binned.cuts.iter().enumerate() {
                    prop_assert_eq!(value > cut, usize::from(bin) > b);
                }
            }
        }
    }

    #[test]
    fn few_distinct_numbers_have_a_bin_each() {
        let binned = Binned::new(&[3.0, 1.0, 2.0, 1.0, f32::NAN]);
        assert_eq!(binned.cuts, [1.0_f32.next_down(), 1.5, 2.5]);
        assert_eq!(binned.rows, [3, 1, 2, 1, MISSING]);
    }
}
