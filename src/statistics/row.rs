//! One open rating in 48 bytes.

use super::counted::{By, Rated};
use super::names::Key;
use crate::date::Day;
use crate::wire::{Channel, Decision, Origin};

/// Dimensions with interned names, in the order of [`Row::keys`].
pub(super) const NAMED: usize = 6;

const DEFAULT_ORIGIN: u16 = 1 << 0;
const DECISION_SHIFT: u16 = 1;
const DECISION_MASK: u16 = 0b11 << DECISION_SHIFT;
const EVER_HELD: u16 = 1 << 3;
const STANDS: u16 = 1 << 4;
const BY_SHIFT: u16 = 5;
const BY_MASK: u16 = 0b11 << BY_SHIFT;
const REVISED: u16 = 1 << 7;
const GROUPED: u16 = 1 << 8;
/// All bits that mean something; a snapshot with others is damaged.
const KNOWN: u16 = (1 << 9) - 1;

/// One rating that later entries can still move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) sequence: u64,
    pub(super) day: Day,
    /// Three bits for each of [`Row::ITEMS`] items: stars, hall stars, six aspects. 0 is absent.
    pub(super) levels: u32,
    pub(super) flags: u16,
    /// Later entries that moved it into or out of the figures; stays at 255.
    pub(super) corrections: u8,
    pub(super) channel: Channel,
    pub(super) keys: [Key; NAMED],
}

impl Row {
    /// Rated items: stars, hall stars and six aspects.
    pub(super) const ITEMS: u8 = 8;

    /// A rating as it was first entered, standing for its occasion if it was admitted.
    pub(super) fn new(rated: &Rated<'_>, keys: [Key; NAMED]) -> Self {
        let items = [rated.stars, rated.hall_stars.unwrap_or(0)].into_iter().chain(rated.aspects);
        let mut levels = 0;
        for (item, level) in items.enumerate() {
            // The contract lets nothing else through; a level that is none is absent here.
            let level = if level <= 5 { u32::from(level) } else { 0 };
            levels |= level << (3 * item);
        }
        let mut row = Self {
            sequence: rated.sequence,
            day: rated.day,
            levels,
            flags: 0,
            corrections: 0,
            channel: rated.channel,
            keys,
        };
        row.set(DEFAULT_ORIGIN, rated.origin == Origin::Default);
        row.decide(rated.decision, By::Machine);
        row.set(STANDS, rated.decision == Decision::Admit);
        row
    }

    /// The level of an item, 1 to 5; `None` where it was not rated.
    pub(super) fn level(&self, item: u8) -> Option<u8> {
        let level = (self.levels >> (3 * u32::from(item)) & 0b111) as u8;
        (level > 0).then_some(level)
    }

    /// Stars, hall stars or an aspect of 1 or 2.
    pub(super) fn is_bad(&self) -> bool {
        (0..Self::ITEMS).any(|item| self.level(item).is_some_and(|level| level <= 2))
    }

    pub(super) fn origin(&self) -> Origin {
        if self.has(DEFAULT_ORIGIN) { Origin::Default } else { Origin::Active }
    }

    pub(super) fn decision(&self) -> Decision {
        match (self.flags & DECISION_MASK) >> DECISION_SHIFT {
            0 => Decision::Admit,
            1 => Decision::Hold,
            _ => Decision::Reject,
        }
    }

    pub(super) fn by(&self) -> By {
        By::from_bits(((self.flags & BY_MASK) >> BY_SHIFT) as u8)
    }

    pub(super) fn ever_held(&self) -> bool {
        self.has(EVER_HELD)
    }

    /// Whether it is the rating that counts for its occasion.
    pub(super) fn stands(&self) -> bool {
        self.has(STANDS)
    }

    /// Whether its first entry alone no longer says how it counts.
    pub(super) fn is_touched(&self) -> bool {
        self.has(REVISED | GROUPED)
    }

    pub(super) fn decide(&mut self, decision: Decision, by: By) {
        let bits = (decision as u16) << DECISION_SHIFT | (by as u16) << BY_SHIFT;
        self.flags = self.flags & !(DECISION_MASK | BY_MASK) | bits;
        if decision == Decision::Hold {
            self.set(EVER_HELD, true);
        }
    }

    pub(super) fn revise(&mut self, decision: Decision, by: By) {
        self.decide(decision, by);
        self.set(REVISED, true);
    }

    pub(super) fn join_group(&mut self) {
        self.set(GROUPED, true);
    }

    /// Sets whether it counts for its occasion; a change after its own entry is a correction.
    pub(super) fn settle(&mut self, stands: bool) {
        if stands != self.stands() {
            self.corrections = self.corrections.saturating_add(1);
            self.set(STANDS, stands);
        }
    }

    /// Settles a rating in the entry that brought it, which is no correction.
    pub(super) fn settle_first(&mut self, stands: bool) {
        self.set(STANDS, stands);
    }

    /// Whether all its bits mean something (read from a snapshot).
    pub(super) fn is_sound(&self) -> bool {
        let levels = (0..Self::ITEMS).all(|item| self.level(item).is_none_or(|level| level <= 5));
        levels && self.levels >> (3 * Self::ITEMS) == 0 && self.flags & !KNOWN == 0
    }

    /// A bit mask test: any of the bits.
    fn has(&self, bits: u16) -> bool {
        self.flags & bits != 0
    }

    fn set(&mut self, bit: u16, on: bool) {
        if on {
            self.flags |= bit;
        } else {
            self.flags &= !bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_48_bytes() {
        assert_eq!(size_of::<Row>(), 48);
    }
}
