//! Ratings kept one by one, because later entries can still move them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::counted::{Rated, Revised};
use super::names::Names;
use super::row::Row;
use super::sealed::Sealed;
use crate::wire::{Decision, Origin};

/// The newest ratings, and older ones whose first entry alone no longer says how they count.
///
/// At most `limit` rows of 48 bytes. Beyond, the oldest in log order are sealed into monthly sums;
/// a sealed rating that is revised for the first time is taken out of the sums and kept again,
/// which is exact, since its revision carries its first entry. Up to half of the rows may be such
/// kept ones; the oldest beyond that are sealed for good.
#[derive(Clone, Debug)]
pub(super) struct Open {
    limit: usize,
    /// In log order.
    pub(super) recent: VecDeque<Row>,
    /// Revised or contested, and older than `recent`; by sequence.
    pub(super) kept: BTreeMap<u64, Row>,
    /// Occasions with more than one rating, by the sequence of the first: the admitted ones.
    pub(super) groups: BTreeMap<u64, BTreeSet<Rank>>,
    /// The occasion of each of their ratings.
    pub(super) group_of: BTreeMap<u64, u64>,
    /// Ratings up to this sequence may have been sealed for good.
    pub(super) settled_through: Option<u64>,
    /// Entries about ratings that were sealed for good, and so changed no figure.
    pub(super) unjoined: u64,
}

impl Open {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(2),
            recent: VecDeque::new(),
            kept: BTreeMap::new(),
            groups: BTreeMap::new(),
            group_of: BTreeMap::new(),
            settled_through: None,
            unjoined: 0,
        }
    }

    /// All rows, in no order that means anything.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.kept.values().chain(&self.recent)
    }

    /// A new rating.
    pub(super) fn push(&mut self, row: Row, earlier: Option<u64>, sealed: &mut Sealed) {
        let sequence = row.sequence;
        self.recent.push_back(row);
        if let Some(earlier) = earlier.filter(|&earlier| earlier < sequence) {
            if self.get_mut(earlier).is_some() {
                self.join(sequence, earlier);
            } else {
                self.unjoined += 1;
            }
        }
        self.seal(sealed);
    }

    /// A later decision about a rating.
    pub(super) fn revise(&mut self, revised: &Revised<'_>, names: &mut Names, sealed: &mut Sealed) {
        let sequence = revised.rating.sequence;
        if self.get_mut(sequence).is_none() && !self.unseal(&revised.rating, revised.revision, names, sealed)
        {
            self.unjoined += 1;
            return;
        }
        if let Some(row) = self.get_mut(sequence) {
            row.revise(revised.decision, revised.by);
        }
        self.settle(sequence, false);
        self.seal(sealed);
    }

    /// Takes an untouched rating out of the monthly sums. Only its first revision can: until then
    /// its first entry says how it counts.
    fn unseal(&mut self, rated: &Rated<'_>, revision: u32, names: &mut Names, sealed: &mut Sealed) -> bool {
        let is_settled = self.settled_through.is_some_and(|through| rated.sequence <= through);
        let is_sealed = self.recent.front().is_some_and(|first| rated.sequence < first.sequence);
        if revision != 1 || is_settled || !is_sealed {
            return false;
        }
        let row = Row::new(rated, names.of(rated));
        if !sealed.remove(&row) {
            return false;
        }
        self.kept.insert(rated.sequence, row);
        true
    }

    fn join(&mut self, sequence: u64, earlier: u64) {
        let root = self.group_of.get(&earlier).copied().unwrap_or(earlier);
        for member in [root, sequence] {
            self.group_of.insert(member, root);
            let rank = self.get_mut(member).map(|row| {
                row.join_group();
                rank_of(row)
            });
            let group = self.groups.entry(root).or_default();
            // The newcomer is ranked by `settle`, which must see who stood before.
            if member != sequence {
                group.extend(rank.flatten());
            }
        }
        self.settle(sequence, true);
    }

    /// Decides anew which rating of an occasion stands after one of them came or changed: of the
    /// admitted ones an active over a default one, and then the latest.
    fn settle(&mut self, changed: u64, is_new: bool) {
        let Some(row) = self.get(changed) else { return };
        let (rank, alone) = (rank_of(row), row.decision() == Decision::Admit);
        let any_rank = Rank::new(row);
        let group = self.group_of.get(&changed).and_then(|root| self.groups.get_mut(root));
        let stands = match group {
            None => alone,
            Some(group) => {
                let before = group.last().copied();
                group.remove(&any_rank);
                group.extend(rank);
                let after = group.last().copied();
                if before != after {
                    for (other, stands) in [(before, false), (after, true)] {
                        let other = other.map(|member| member.sequence).filter(|&other| other != changed);
                        if let Some(row) = other.and_then(|other| self.get_mut(other)) {
                            row.settle(stands);
                        }
                    }
                }
                after.is_some_and(|member| member.sequence == changed)
            }
        };
        if let Some(row) = self.get_mut(changed) {
            if is_new { row.settle_first(stands) } else { row.settle(stands) }
        }
    }

    /// Puts a rating back into its occasion (from a snapshot); `None` if there is no such rating.
    pub(super) fn regroup(&mut self, member: u64, root: u64) -> Option<()> {
        let rank = rank_of(self.get(member)?);
        self.group_of.insert(member, root);
        self.groups.entry(root).or_default().extend(rank);
        Some(())
    }

    fn get(&self, sequence: u64) -> Option<&Row> {
        match self.recent.binary_search_by_key(&sequence, |row| row.sequence) {
            Ok(at) => self.recent.get(at),
            Err(_) => self.kept.get(&sequence),
        }
    }

    fn get_mut(&mut self, sequence: u64) -> Option<&mut Row> {
        match self.recent.binary_search_by_key(&sequence, |row| row.sequence) {
            Ok(at) => self.recent.get_mut(at),
            Err(_) => self.kept.get_mut(&sequence),
        }
    }

    /// Keeps the number of rows within the limit.
    fn seal(&mut self, sealed: &mut Sealed) {
        while self.recent.len() + self.kept.len() > self.limit {
            // The newest rating is never sealed in its own entry.
            if self.recent.len() > 1
                && let Some(row) = self.recent.pop_front()
            {
                if row.is_touched() {
                    self.kept.insert(row.sequence, row);
                } else {
                    sealed.add(&row);
                }
            }
            while self.kept.len() > self.limit / 2 {
                self.settle_for_good(sealed);
            }
        }
    }

    fn settle_for_good(&mut self, sealed: &mut Sealed) {
        let Some((sequence, row)) = self.kept.pop_first() else { return };
        sealed.add(&row);
        self.settled_through = self.settled_through.max(Some(sequence));
        self.leave_group(&row);
    }

    /// A member that is sealed for good leaves its occasion as it stands. Should one of the others
    /// move later, the occasion may count twice, so it is reported.
    fn leave_group(&mut self, row: &Row) {
        let Some(root) = self.group_of.remove(&row.sequence) else { return };
        let Some(group) = self.groups.get_mut(&root) else { return };
        if let Some(rank) = rank_of(row) {
            group.remove(&rank);
        }
        if group.is_empty() {
            self.groups.remove(&root);
        } else {
            self.unjoined += 1;
        }
    }
}

/// The place of an admitted rating among those of its occasion; the highest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    is_active: bool,
    sequence: u64,
}

impl Rank {
    fn new(row: &Row) -> Self {
        Self { is_active: row.origin() == Origin::Active, sequence: row.sequence }
    }
}

/// `None` where it is not admitted.
fn rank_of(row: &Row) -> Option<Rank> {
    (row.decision() == Decision::Admit).then(|| Rank::new(row))
}
