//! Ratings that are no longer kept one by one: sums per month, dimension and name.

use std::collections::BTreeMap;

use super::row::{NAMED, Row};
use super::tally::{Sparse, contributions};
use crate::date::{Day, Month};

/// Which sum: a named dimension (by [`super::names::Named`]), the channel, or everything.
pub(super) type Dimension = u8;
/// The sum over everything.
pub(super) const TOTAL: Dimension = NAMED as u8;
/// The sums per channel.
pub(super) const CHANNEL: Dimension = NAMED as u8 + 1;
/// Number of dimensions.
const DIMENSIONS: usize = NAMED + 2;

/// The key that a rating has in a dimension.
pub(super) fn key_in(row: &Row, dimension: Dimension) -> u32 {
    match dimension {
        TOTAL => 0,
        CHANNEL => row.channel as u32,
        named => row.keys[usize::from(named)],
    }
}

/// The sealed part of one month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SealedMonth {
    /// First and last day that a sealed rating counts for.
    pub(super) days: Option<(Day, Day)>,
    /// By dimension and key.
    pub(super) sums: [BTreeMap<u32, Sparse>; DIMENSIONS],
}

/// All sealed months. At most `limit` of them: the oldest goes first.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    limit: usize,
    pub(super) months: BTreeMap<Month, SealedMonth>,
    /// Months before this one have been dropped.
    pub(super) from: Month,
}

impl Sealed {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), months: BTreeMap::new(), from: Month::default() }
    }

    pub(super) fn add(&mut self, row: &Row) {
        let month = row.day.month();
        if month < self.from {
            return;
        }
        let sealed = self.months.entry(month).or_default();
        let (first, last) = sealed.days.unwrap_or((row.day, row.day));
        sealed.days = Some((first.min(row.day), last.max(row.day)));
        for (dimension, sums) in (0..).zip(&mut sealed.sums) {
            let sum = sums.entry(key_in(row, dimension)).or_default();
            contributions(row, |slot, amount| sum.add(slot, amount));
        }
        while self.months.len() > self.limit {
            if let Some((dropped, _)) = self.months.pop_first() {
                self.from = dropped.next();
            }
        }
    }

    /// Takes a rating out again; `false` if it was not in it.
    pub(super) fn remove(&mut self, row: &Row) -> bool {
        let Some(sealed) = self.months.get_mut(&row.day.month()) else { return false };
        let mut whole = true;
        for (dimension, sums) in (0..).zip(&mut sealed.sums) {
            let key = key_in(row, dimension);
            let Some(sum) = sums.get_mut(&key) else { return false };
            contributions(row, |slot, amount| whole &= sum.subtract(slot, amount));
            if sum.0.is_empty() {
                sums.remove(&key);
            }
        }
        whole
    }
}
