//! Counts: one rating's share in them, and their sums.

use super::counted::By;
use super::row::Row;
use crate::wire::{Decision, Origin};

/// Position of a count in a [`Tally`]. Part of the snapshot: append only.
pub(super) type Slot = u8;

/// Active ratings in the figures: admitted, and standing for their occasion.
pub(super) const COUNTED: Slot = 0;
/// Five levels of stars, from level 1.
pub(super) const STARS: Slot = 1;
/// Five levels of hall stars.
pub(super) const HALL: Slot = 6;
/// Five levels for each of the six aspects.
pub(super) const ASPECTS: Slot = 11;
/// Counted, with stars, hall stars or an aspect of 1 or 2.
pub(super) const BAD_ITEM: Slot = 41;
/// Admitted, and another rating of the same occasion stands.
pub(super) const REPLACED: Slot = 42;
/// Ever on hold.
pub(super) const HELD: Slot = 43;
/// On hold now.
pub(super) const PENDING: Slot = 44;
/// On hold now, and bad.
pub(super) const PENDING_BAD: Slot = 45;
/// Once on hold, admitted by a person (or by a machine's own correction).
pub(super) const CLEARED: Slot = 46;
/// Once on hold, admitted because nobody decided in time.
pub(super) const LAPSED: Slot = 47;
/// Rejected by a person.
pub(super) const CONFIRMED: Slot = 48;
/// Rejected by a machine: the same rater's repeat, or a hard rule.
pub(super) const REFUSED: Slot = 49;
/// Later entries that moved ratings into or out of the figures.
pub(super) const CORRECTIONS: Slot = 50;
/// Default ratings, admitted and standing for their occasion.
pub(super) const DEFAULT: Slot = 51;
/// Default ratings that another rating of the same occasion replaced.
pub(super) const DEFAULT_REPLACED: Slot = 52;
/// Default ratings on hold now.
pub(super) const DEFAULT_PENDING: Slot = 53;
/// Default ratings rejected.
pub(super) const DEFAULT_REJECTED: Slot = 54;
/// Number of counts.
pub(super) const SLOTS: usize = 55;

/// Names each count that a rating adds to, with how much. The one place where a rating becomes
/// figures: sums, corrections and single days all come from here.
pub(super) fn contributions(row: &Row, mut add: impl FnMut(Slot, u64)) {
    if row.corrections > 0 {
        add(CORRECTIONS, u64::from(row.corrections));
    }
    if row.origin() == Origin::Default {
        add(
            match (row.decision(), row.stands()) {
                (Decision::Admit, true) => DEFAULT,
                (Decision::Admit, false) => DEFAULT_REPLACED,
                (Decision::Hold, _) => DEFAULT_PENDING,
                (Decision::Reject, _) => DEFAULT_REJECTED,
            },
            1,
        );
        return;
    }
    if row.ever_held() {
        add(HELD, 1);
    }
    match (row.decision(), row.by()) {
        (Decision::Hold, _) => {
            add(PENDING, 1);
            if row.is_bad() {
                add(PENDING_BAD, 1);
            }
        }
        (Decision::Reject, By::Person) => add(CONFIRMED, 1),
        (Decision::Reject, _) => add(REFUSED, 1),
        (Decision::Admit, by) => {
            if row.ever_held() {
                add(if by == By::Lapse { LAPSED } else { CLEARED }, 1);
            }
            if row.stands() {
                counted(row, add);
            } else {
                add(REPLACED, 1);
            }
        }
    }
}

fn counted(row: &Row, mut add: impl FnMut(Slot, u64)) {
    add(COUNTED, 1);
    if row.is_bad() {
        add(BAD_ITEM, 1);
    }
    // Item 0 is the stars, 1 the hall's, then the aspects: in the order of the slots.
    for item in 0..Row::ITEMS {
        if let Some(level) = row.level(item) {
            add(STARS + item * 5 + level - 1, 1);
        }
    }
}

/// A sum of ratings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally([u64; SLOTS]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; SLOTS])
    }
}

impl Tally {
    pub(super) fn add_row(&mut self, row: &Row) {
        contributions(row, |slot, amount| self.add(slot, amount));
    }

    pub(super) fn add(&mut self, slot: Slot, amount: u64) {
        // Reaching 2⁶⁴ takes a million ratings a second for 500 000 years; stay at the limit if it comes.
        let count = &mut self.0[usize::from(slot)];
        *count = count.saturating_add(amount);
    }

    pub(super) fn add_sparse(&mut self, sparse: &Sparse) {
        for &(slot, amount) in &sparse.0 {
            self.add(slot, amount);
        }
    }

    pub(super) fn add_tally(&mut self, other: &Self) {
        for (slot, &amount) in (0..).zip(&other.0) {
            self.add(slot, amount);
        }
    }

    pub(super) fn get(&self, slot: Slot) -> u64 {
        self.0[usize::from(slot)]
    }

    /// The five levels that begin at a slot.
    pub(super) fn levels(&self, first: Slot) -> [u64; 5] {
        let first = usize::from(first);
        std::array::from_fn(|level| self.0[first + level])
    }
}

/// A sum that holds only the counts that are not zero, by slot: a clerk's month has about ten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sparse(pub(super) Vec<(Slot, u64)>);

impl Sparse {
    pub(super) fn add(&mut self, slot: Slot, amount: u64) {
        match self.0.binary_search_by_key(&slot, |&(s, _)| s) {
            Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(amount),
            Err(at) => self.0.insert(at, (slot, amount)),
        }
    }

    /// Takes away; `false` if there was less than that, which leaves zero.
    pub(super) fn subtract(&mut self, slot: Slot, amount: u64) -> bool {
        let Ok(at) = self.0.binary_search_by_key(&slot, |&(s, _)| s) else { return amount == 0 };
        let enough = self.0[at].1 >= amount;
        self.0[at].1 = self.0[at].1.saturating_sub(amount);
        if self.0[at].1 == 0 {
            self.0.remove(at);
        }
        enough
    }
}
