//! Which case is looked at first: risk × effect on the figures × age.
//!
//! ```text
//! urgency(now) = risk × effect × 2^(days waited)
//! effect       = √(100 ÷ n), n = ratings of the office (department within its district) a month, from 100 to 10,000
//! ```
//!
//! `n` is what the office had last month or has this month so far, whichever is more, when the rating became a case:
//! one rating moves the figures of a small office most, and 1 ÷ √n is how far. An office of less than 100 a month is
//! not ranked by itself, and gains nothing by being smaller still.
//!
//! Every case gains at the same pace while it waits, so the order of two cases never changes with time. That makes
//! the order a stored number, the *rank*: the instant since which a case of urgency 1 would have to wait to be as
//! urgent, in milliseconds since 1970. Lower is more urgent, and an index on it answers at any time.
//!
//! Second looks and control samples all have one risk, whatever theirs is, so that none of them stands out. An appeal
//! has risk 1: somebody waits for the answer, and what was decided before is what is in doubt.

use crate::time::{DAY_MS, Instant};

/// What an order of cases is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Weight {
    /// Risk that counts, 0 to 1.
    pub risk: f64,
    /// Ratings of the office a month.
    pub volume: u64,
}

/// Risk of every second look, and where a rating's own is erased.
pub(super) const PLAIN_RISK: f64 = 0.25;
/// A risk of 0 would never be looked at.
const LEAST_RISK: f64 = 0.01;
const LEAST_VOLUME: u64 = 100;
const MOST_VOLUME: u64 = 10_000;

impl Weight {
    /// Risk × effect, above 0 and at most 1.
    fn base(self) -> f64 {
        let effect = (LEAST_VOLUME as f64 / self.volume.clamp(LEAST_VOLUME, MOST_VOLUME) as f64).sqrt();
        let risk = if self.risk.is_nan() { PLAIN_RISK } else { self.risk.clamp(LEAST_RISK, 1.0) };
        risk * effect
    }

    /// The rank of a case that waits since then.
    pub fn rank(self, since: Instant) -> i64 {
        since.ms() - (self.base().log2() * DAY_MS as f64).round() as i64
    }
}

/// The rank of a campaign: as if the most urgent of its open members stood for all of them.
pub(super) fn campaign_rank(most_urgent: i64, open: u64) -> i64 {
    most_urgent - ((open.max(1) as f64).log2() * DAY_MS as f64).round() as i64
}

/// A rank as a figure for people: 0 to 100, 50 for urgency 1.
pub(super) fn shown(rank: i64, now: Instant) -> u8 {
    let urgency = ((now.ms().saturating_sub(rank)) as f64 / DAY_MS as f64).exp2();
    let share = if urgency.is_finite() { urgency / (1.0 + urgency) } else { 1.0 };
    (share * 100.0).round() as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_day_of_waiting_is_worth_twice_the_risk() {
        let rank = |risk, volume, days: i64| Weight { risk, volume }.rank(Instant(days * DAY_MS));
        assert_eq!(rank(0.4, 500, 3), rank(0.8, 500, 4));
        assert!(rank(0.8, 500, 3) < rank(0.4, 500, 3), "more risk first");
        assert!(rank(0.4, 500, 3) < rank(0.4, 5_000, 3), "small offices first");
        assert_eq!(rank(0.4, 1, 3), rank(0.4, 100, 3), "but not the smallest");
        assert_eq!(rank(f64::NAN, 1, 3), rank(PLAIN_RISK, 1, 3));
    }

    #[test]
    fn the_figure_grows_while_a_case_waits() {
        let rank = Weight { risk: 0.5, volume: 100 }.rank(Instant(0));
        let shown: Vec<u8> = (0..6).map(|day| shown(rank, Instant(day * DAY_MS))).collect();
        assert_eq!(shown, [33, 50, 67, 80, 89, 94]);
    }

    proptest! {
        #[test]
        fn the_figure_agrees_with_the_order(
            a in (0.0..1.0_f64, 0..20_000_u64, 0..30_i64),
            b in (0.0..1.0_f64, 0..20_000_u64, 0..30_i64),
            now in 30..40_i64,
        ) {
            let rank = |(risk, volume, day): (f64, u64, i64)| Weight { risk, volume }.rank(Instant(day * DAY_MS));
            let (a, b) = (rank(a), rank(b));
            let now = Instant(now * DAY_MS);
            prop_assert!(a > b || shown(a, now) >= shown(b, now));
        }
    }
}
