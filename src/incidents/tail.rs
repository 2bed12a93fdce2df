//! How improbable a count is.
//!
//! Functions of the special kind come from `libm`, whose results are the same on every machine.

use libm::{exp, lgamma, log};

/// Terms of a tail that are summed at most. Terms shrink geometrically, so that far fewer matter.
const MOST_TERMS: u32 = 100_000;
/// A term this small beside the sum changes it no more.
const NEGLIGIBLE: f64 = 1e-17;

/// P(X ≥ `count`) where X is Poisson with a rate that is itself Gamma with this `mean` and `shape`: negative
/// binomial. The smaller the shape, the less is known of the rate. 1 where `count` does not exceed the mean.
///
/// Source: Greenwood and Yule, "An inquiry into the nature of frequency distributions", 1920.
pub fn surge_tail(count: u32, mean: f64, shape: f64) -> f64 {
    let n = f64::from(count);
    // `NaN` is no evidence either.
    let known = mean > 0.0 && shape > 0.0 && shape.is_finite();
    if !known || n <= mean {
        return 1.0;
    }
    // The odds that one more comes before the rate's own evidence does.
    let more = mean / (mean + shape);
    let first = exp(lgamma(shape + n) - lgamma(shape) - lgamma(n + 1.0)
        + shape * log(shape / (mean + shape))
        + n * log(more));
    let ratio = |k: f64| more * (shape + k) / (k + 1.0);
    sum(first, n, ratio)
}

/// P(X ≥ `hits`) where X is how many hits are among `drawn` taken blindly from both samples together:
/// Fisher's exact test, one-sided. `hits_before` of `before` is the other sample.
///
/// Source: Fisher, "The design of experiments", 1935, section 11.
pub fn share_tail(hits: u32, drawn: u32, hits_before: u32, before: u32) -> f64 {
    let [hits, drawn, hits_before, before] = [hits, drawn, hits_before, before].map(f64::from);
    let all_hits = hits + hits_before;
    let most = all_hits.min(drawn);
    if hits * before <= hits_before * drawn || hits > most {
        return 1.0;
    }
    let choose = |n: f64, k: f64| lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0);
    let all = drawn + before;
    let first = exp(choose(all_hits, hits) + choose(all - all_hits, drawn - hits) - choose(all, drawn));
    let ratio = |k: f64| {
        let misses = all - all_hits - drawn + k + 1.0;
        if k >= most || misses <= 0.0 { 0.0 } else { (all_hits - k) * (drawn - k) / ((k + 1.0) * misses) }
    };
    sum(first, hits, ratio)
}

/// Sums the terms from `from` on, each of which is the one before times `ratio`.
fn sum(first: f64, from: f64, ratio: impl Fn(f64) -> f64) -> f64 {
    let (mut term, mut total, mut k) = (first, first, from);
    for _ in 0..MOST_TERMS {
        let step = ratio(k);
        term *= step;
        total += term;
        k += 1.0;
        // Where terms still grow, small ones say nothing of those that follow.
        if step < 1.0 && term <= total * NEGLIGIBLE {
            break;
        }
    }
    total.min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One minus the sum of all smaller counts, each computed from the one before, from nothing on.
    fn naive_surge(count: u32, mean: f64, shape: f64) -> f64 {
        let mut term = (shape / (mean + shape)).powf(shape);
        let mut below = 0.0;
        for k in 0..count {
            below += term;
            term *= mean / (mean + shape) * (shape + f64::from(k)) / (f64::from(k) + 1.0);
        }
        1.0 - below
    }

    /// Counts draws one by one: the distribution after each further draw, from what is left.
    fn naive_share(hits: u32, drawn: u32, hits_before: u32, before: u32) -> f64 {
        let (all, all_hits) = (f64::from(drawn + before), hits + hits_before);
        let mut chances = vec![1.0];
        for draw in 0..drawn {
            let mut next = vec![0.0; chances.len() + 1];
            for (had, chance) in chances.iter().enumerate() {
                let left = all - f64::from(draw);
                let hit = (f64::from(all_hits) - had as f64).max(0.0) / left;
                next[had + 1] += chance * hit;
                next[had] += chance * (1.0 - hit);
            }
            chances = next;
        }
        chances[hits as usize..].iter().sum()
    }

    proptest! {
        #[test]
        fn a_surges_tail_is_what_summing_from_nothing_gives(
            count in 1_u32..200, mean in 0.001_f64..60.0, shape in 0.1_f64..50.0,
        ) {
            let (tail, naive) = (surge_tail(count, mean, shape), naive_surge(count, mean, shape));
            match f64::from(count) > mean {
                true => prop_assert!((tail - naive).abs() < 1e-9 + 1e-6 * naive, "{tail} {naive}"),
                false => prop_assert_eq!(tail, 1.0),
            }
        }

        #[test]
        fn more_ratings_are_never_less_of_a_surge(count in 1_u32..5_000, mean in 0.001_f64..900.0, shape in 0.1_f64..50.0) {
            prop_assert!(surge_tail(count + 1, mean, shape) <= surge_tail(count, mean, shape) * (1.0 + 1e-9));
        }

        #[test]
        fn a_shares_tail_is_what_drawing_one_by_one_gives(
            drawn in 1_u32..60, before in 1_u32..120, hit in 0.0_f64..=1.0, hit_before in 0.0_f64..=1.0,
        ) {
            let of = |share: f64, n: u32| (share * f64::from(n)).round() as u32;
            let (hits, hits_before) = (of(hit, drawn), of(hit_before, before));
            let (tail, naive) = (share_tail(hits, drawn, hits_before, before), naive_share(hits, drawn, hits_before, before));
            match hits * before > hits_before * drawn {
                true => prop_assert!((tail - naive).abs() < 1e-9, "{tail} {naive}"),
                false => prop_assert_eq!(tail, 1.0),
            }
        }
    }

    #[test]
    fn with_a_rate_well_known_the_tail_is_poissons() {
        // Exact: P(Poisson(2) >= 10) = 4.65e-5.
        let tail = surge_tail(10, 2.0, 1e7);
        assert!((4.6e-5..4.7e-5).contains(&tail), "{tail}");
    }

    #[test]
    fn what_is_not_known_is_no_surge() {
        for (mean, shape) in [(0.0, 1.0), (f64::NAN, 1.0), (1.0, 0.0), (1.0, f64::NAN), (1.0, f64::INFINITY)]
        {
            assert_eq!(surge_tail(50, mean, shape), 1.0);
        }
        assert!(surge_tail(u32::MAX, 1.0, 1.0) < 1e-9);
    }
}
