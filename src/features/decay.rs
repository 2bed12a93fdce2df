//! Exponentially decayed sums, and how far a count exceeds what chance would give.

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// A sum whose past loses half its weight every half-life.
///
/// Event times may go backwards a little; an older event is added at its decayed weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decayed {
    value: f32,
    /// Minutes since the epoch at which `value` holds.
    minute: u32,
}

impl Decayed {
    /// Adds `amount` at `at`.
    #[inline]
    pub fn add(&mut self, at: Instant, half_life_days: f32, amount: f32) {
        let minute = minute_of(at);
        if minute > self.minute {
            self.value = self.value * decay(minute - self.minute, half_life_days) + amount;
            self.minute = minute;
        } else {
            self.value += amount * decay(self.minute - minute, half_life_days);
        }
    }

    /// What [`Decayed::at`] gives, and then [`Decayed::add`]: the decay is reckoned once.
    #[inline]
    pub fn at_then_add(&mut self, at: Instant, half_life_days: f32, amount: f32) -> f64 {
        let minute = minute_of(at);
        if minute > self.minute {
            let before = self.value * decay(minute - self.minute, half_life_days);
            *self = Self { value: before + amount, minute };
            return f64::from(before);
        }
        let before = self.value;
        self.value += amount * decay(self.minute - minute, half_life_days);
        f64::from(before)
    }

    /// The sum as it stands at `at` (not before the newest event).
    #[inline]
    pub fn at(&self, at: Instant, half_life_days: f32) -> f64 {
        f64::from(self.value * decay(minute_of(at).saturating_sub(self.minute), half_life_days))
    }
}

/// Minutes since the epoch.
#[inline]
pub(super) fn minute_of(at: Instant) -> u32 {
    u32::try_from(at.ms() / 60_000).unwrap_or(0)
}

#[inline]
fn decay(minutes: u32, half_life_days: f32) -> f32 {
    if minutes == 0 { 1.0 } else { (-(minutes as f32) / (half_life_days * 1440.0)).exp2() }
}

/// −log10 of the Chernoff bound on P(X ≥ `count`) for X ~ Poisson(`mean`); 0 where `count` ≤ `mean`.
///
/// Source: Mitzenmacher and Upfal, "Probability and Computing", theorem 5.4.
pub fn poisson_excess(count: f64, mean: f64) -> f64 {
    if count <= mean || mean <= 0.0 {
        return 0.0;
    }
    (count * (count / mean).ln() - (count - mean)) / std::f64::consts::LN_10
}

/// −log10 of the Chernoff–Hoeffding bound on P(X ≥ `count`) for X ~ Binomial(`trials`, `share`);
/// 0 where `count` does not exceed its mean.
///
/// Source: Hoeffding, "Probability inequalities for sums of bounded random variables", 1963, (2.1).
pub fn binomial_excess(count: f64, trials: f64, share: f64) -> f64 {
    if trials <= 0.0 || count <= 0.0 {
        return 0.0;
    }
    let seen = (count / trials).min(1.0);
    let share = share.clamp(1e-9, 1.0 - 1e-9);
    if seen <= share {
        return 0.0;
    }
    let rest = if seen < 1.0 { (1.0 - seen) * ((1.0 - seen) / (1.0 - share)).ln() } else { 0.0 };
    trials * (seen * (seen / share).ln() + rest) / std::f64::consts::LN_10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::DAY_MS;

    #[test]
    fn a_sum_halves_with_every_half_life_whatever_the_order_of_events() {
        let day = |n: i64| Instant((20_000 + n) * DAY_MS);
        let (mut in_order, mut reversed) = (Decayed::default(), Decayed::default());
        for n in 0..10 {
            in_order.add(day(n), 2.0, 1.0);
            reversed.add(day(9 - n), 2.0, 1.0);
        }
        let naive: f64 = (0..10).map(|n| 0.5_f64.powf(f64::from(10 - n) / 2.0)).sum();
        for sum in [in_order, reversed] {
            assert!((sum.at(day(10), 2.0) - naive).abs() < 1e-4, "{sum:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reading_and_adding_at_once_is_reading_and_then_adding(
            steps in proptest::collection::vec((0_i64..90, 0.0_f32..9.0), 1..40),
        ) {
            let (mut once, mut twice) = (Decayed::default(), Decayed::default());
            for (hours, amount) in steps {
                let at = Instant(20_000 * DAY_MS + hours * 3_600_000);
                let before = twice.at(at, 2.0);
                twice.add(at, 2.0, amount);
                proptest::prop_assert_eq!(once.at_then_add(at, 2.0, amount).to_bits(), before.to_bits());
                proptest::prop_assert_eq!(once, twice);
            }
        }
    }

    #[test]
    fn excess_is_zero_at_the_mean_and_bounds_the_exact_tail() {
        assert_eq!(poisson_excess(3.0, 3.0), 0.0);
        assert_eq!(binomial_excess(1.0, 10.0, 0.2), 0.0);
        // Exact: P(Binomial(10, 0.1) >= 5) = 1.635e-3, and the bound is never smaller than the tail.
        let bound = 10_f64.powf(-binomial_excess(5.0, 10.0, 0.1));
        assert!((1.635e-3..1e-2).contains(&bound), "{bound}");
        // Exact: P(Poisson(2) >= 10) = 4.65e-5.
        let bound = 10_f64.powf(-poisson_excess(10.0, 2.0));
        assert!((4.65e-5..1e-3).contains(&bound), "{bound}");
    }
}
