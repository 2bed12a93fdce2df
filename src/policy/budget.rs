//! The daily budget of holds of bad ratings.

use std::collections::BTreeSet;

use crate::date::{Day, UtcOffset};
use crate::time::Instant;

/// Limits how many bad ratings a day may be withheld. Beyond it the least risky are admitted.
///
/// Every hold by a machine is offered: that of a first verdict, and that of a later revision (a contest of the
/// same case, look-back). A person's is not.
///
/// Offers come in log order. At every moment the holds kept are the riskiest of the day's offers, as
/// many as the budget has room for; among equals the earlier stays. A day is a civil day of the
/// instant passed in, so a replay of the log gives the same answers. An instant before the current
/// day counts to the current day: the budget never opens twice.
///
/// Memory is bounded by the limit: 24 bytes for each hold that can still be exchanged.
#[derive(Clone, Debug)]
pub struct Budget {
    limit: u32,
    offset: UtcOffset,
    day: Day,
    /// Holds of the day that a person has decided, or that were revised: their place is used, and
    /// they can no longer be exchanged.
    spent: u32,
    /// Holds of the day that still stand, least risky first, and among equals the latest first.
    open: BTreeSet<Slot>,
    offered: u64,
}

/// What a [`Budget`] holds, for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BudgetState {
    day: i32,
    spent: u32,
    offered: u64,
    /// Risk's bits, order and rating of the holds that can still be exchanged.
    open: Vec<(u32, u64, u64)>,
}

/// One hold in the order in which holds are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    /// The risk's bits: for numbers from 0 up they order as the numbers do.
    risk: u32,
    /// Counts down, so that among equal risks the latest comes first.
    order: std::cmp::Reverse<u64>,
    rating: u64,
}

/// What the budget says to one more hold of a bad rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetDecision {
    /// There is room: hold it.
    Keep,
    /// It is the least risky of the day: admit it, and flag it (`hold-budget`).
    AdmitThis,
    /// Hold it, and admit this earlier one instead, flagged.
    AdmitOther(u64),
}

impl Budget {
    /// A budget of at most `limit` holds of bad ratings per civil day. 0 means that none is held.
    pub fn new(limit: u32, offset: UtcOffset) -> Self {
        Self { limit, offset, day: Day::MIN, spent: 0, open: BTreeSet::new(), offered: 0 }
    }

    /// All that is not a setting.
    pub fn state(&self) -> BudgetState {
        let open = self.open.iter().map(|slot| (slot.risk, slot.order.0, slot.rating)).collect();
        BudgetState { day: self.day.number(), spent: self.spent, offered: self.offered, open }
    }

    /// The budget that had this state under the same settings; `None` if none had.
    pub fn restore(limit: u32, offset: UtcOffset, state: BudgetState) -> Option<Self> {
        let slot = |(risk, order, rating)| Slot { risk, order: std::cmp::Reverse(order), rating };
        let open: BTreeSet<Slot> = state.open.into_iter().map(slot).collect();
        let day = Day::from_number(state.day)?;
        let restored = Self { limit, offset, day, spent: state.spent, open, offered: state.offered };
        (restored.used() <= limit).then_some(restored)
    }

    /// Offers one hold. `rating` is the log sequence of the rating; `risk` is clamped to 0 to 1, and
    /// NaN counts as 0 (what is unknown does not silence anyone).
    pub fn offer(&mut self, now: Instant, rating: u64, risk: f32) -> BudgetDecision {
        self.turn_to(self.offset.day_of(now));
        self.offered += 1;
        // `max` also turns NaN and −0.0 into a number whose bits order correctly.
        let risk = if risk > 0.0 { risk.min(1.0).to_bits() } else { 0 };
        let slot = Slot { risk, order: std::cmp::Reverse(self.offered), rating };
        if self.used() < self.limit {
            self.open.insert(slot);
            return BudgetDecision::Keep;
        }
        match self.open.first().copied() {
            Some(least) if least < slot => {
                self.open.remove(&least);
                self.open.insert(slot);
                BudgetDecision::AdmitOther(least.rating)
            }
            _ => BudgetDecision::AdmitThis,
        }
    }

    /// A hold was decided, or the rating revised. It stays counted to its day and is not exchanged
    /// any more. Ratings that are not held today are ignored.
    pub fn release(&mut self, rating: u64) {
        let found = self.open.iter().find(|slot| slot.rating == rating).copied();
        if let Some(slot) = found {
            self.open.remove(&slot);
            self.spent += 1;
        }
    }

    /// A hold's rating has another sequence than the one that it was offered with.
    pub fn renumber(&mut self, from: u64, to: u64) {
        let found = self.open.iter().find(|slot| slot.rating == from).copied();
        if let Some(slot) = found {
            self.open.remove(&slot);
            self.open.insert(Slot { rating: to, ..slot });
        }
    }

    /// A hold that was offered never came to be.
    pub fn withdraw(&mut self, rating: u64) {
        self.open.retain(|slot| slot.rating != rating);
    }

    /// Holds of the current day that count against the limit.
    pub fn used(&self) -> u32 {
        // At most `limit` slots are ever open, which is a u32.
        self.spent.saturating_add(self.open.len() as u32)
    }

    /// The limit per day.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    fn turn_to(&mut self, day: Day) {
        if day > self.day {
            self.day = day;
            self.spent = 0;
            self.open.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{DAY_MS, HOUR_MS};

    const NOON: Instant = Instant(1_772_330_400_000); // 2026-03-01T10:00+08:00

    #[test]
    fn beyond_the_budget_the_least_risky_are_admitted() {
        let mut budget = Budget::new(2, UtcOffset::CHINA);
        assert_eq!(budget.offer(NOON, 1, 0.7), BudgetDecision::Keep);
        assert_eq!(budget.offer(NOON, 2, 0.6), BudgetDecision::Keep);
        assert_eq!(budget.offer(NOON, 3, 0.5), BudgetDecision::AdmitThis);
        assert_eq!(budget.offer(NOON, 4, 0.9), BudgetDecision::AdmitOther(2));
        assert_eq!(budget.offer(NOON, 5, 0.7), BudgetDecision::AdmitThis, "among equals the earlier stays");
        budget.release(1);
        assert_eq!(
            budget.offer(NOON, 6, 0.95),
            BudgetDecision::AdmitOther(4),
            "a decided hold is not exchanged"
        );
        assert_eq!(budget.used(), 2);
    }

    #[test]
    fn a_new_day_opens_the_budget_and_a_late_clock_does_not_open_it_twice() {
        let mut budget = Budget::new(1, UtcOffset::CHINA);
        assert_eq!(budget.offer(NOON, 1, 0.7), BudgetDecision::Keep);
        assert_eq!(budget.offer(Instant(NOON.ms() + 13 * HOUR_MS), 2, 0.6), BudgetDecision::AdmitThis);
        let tomorrow = Instant(NOON.ms() + 14 * HOUR_MS);
        assert_eq!(budget.offer(tomorrow, 3, 0.6), BudgetDecision::Keep, "midnight in China");
        assert_eq!(budget.offer(NOON, 4, 0.5), BudgetDecision::AdmitThis);
    }

    #[test]
    fn no_budget_means_no_hold_and_unknown_risk_silences_nobody() {
        assert_eq!(Budget::new(0, UtcOffset::CHINA).offer(NOON, 1, 1.0), BudgetDecision::AdmitThis);
        let mut budget = Budget::new(1, UtcOffset::CHINA);
        budget.offer(NOON, 1, f32::NAN);
        assert_eq!(budget.offer(NOON, 2, 0.1), BudgetDecision::AdmitOther(1));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_sorting_the_day_would_keep(
            limit in 0u32..6,
            offers in proptest::collection::vec((0u8..2, 0u8..8), 0..60),
        ) {
            let mut budget = Budget::new(limit, UtcOffset::CHINA);
            let mut now = NOON;
            let mut today: Vec<(u64, f32)> = Vec::new();
            let mut kept: BTreeSet<u64> = BTreeSet::new();
            for (rating, &(new_day, risk)) in offers.iter().enumerate() {
                let rating = rating as u64;
                if new_day == 1 && rating.is_multiple_of(7) {
                    now = Instant(now.ms() + DAY_MS);
                    today.clear();
                    kept.clear();
                }
                let risk = f32::from(risk) / 8.0;
                today.push((rating, risk));
                match budget.offer(now, rating, risk) {
                    BudgetDecision::Keep => prop_assert!(kept.insert(rating)),
                    BudgetDecision::AdmitThis => {}
                    BudgetDecision::AdmitOther(other) => {
                        prop_assert!(kept.remove(&other));
                        kept.insert(rating);
                    }
                }
                let mut sorted = today.clone();
                sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                let naive: BTreeSet<u64> = sorted.iter().take(limit as usize).map(|o| o.0).collect();
                prop_assert_eq!(&kept, &naive);
            }
        }
    }
}
