//! The bad ratings of one target within the last two hours.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::relation::Member;
use super::usual::Usual;
use crate::time::MINUTE_MS;

/// Bad ratings are counted in slots of ten minutes.
pub const SLOT_MS: i64 = 10 * MINUTE_MS;
/// Slots of the two hours within which a surge shows.
pub const SLOTS: usize = 12;
/// Slots of the hour after which a surge is over.
const HOUR: usize = 6;
/// Ratings among which relations are looked for: the latest of the two hours.
const MOST_MEMBERS: usize = 32;

/// What is known of one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// What is usual.
    pub usual: Usual,
    slots: [u16; SLOTS],
    newest: i64,
    /// The latest bad ratings within two hours.
    pub members: VecDeque<Member>,
}

fn place(slot: i64) -> usize {
    slot.rem_euclid(SLOTS as i64) as usize
}

/// The slot of an instant.
pub fn slot_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(SLOT_MS)
}

impl Target {
    /// Bytes that the members of one target take at most.
    pub const MOST_BYTES: usize = MOST_MEMBERS * size_of::<Member>();

    /// A target without a surge.
    pub fn of(usual: Usual) -> Self {
        Self { usual, ..Self::default() }
    }

    /// Forgets what lies more than two hours back.
    pub fn forward(&mut self, now_ms: i64) {
        let now = slot_of(now_ms);
        // Also where time was taken back.
        if (now - self.newest).abs() >= SLOTS as i64 {
            self.slots = [0; SLOTS];
            self.newest = now;
        }
        while self.newest < now {
            self.newest += 1;
            self.slots[place(self.newest)] = 0;
        }
        let oldest = self.newest - SLOTS as i64;
        self.members.retain(|member| slot_of(member.at_ms) > oldest);
    }

    /// Takes in a rating that is no older than the slots; the others meet it. One that is on hold on its own
    /// evidence is no part of what surges, and so does not count.
    pub fn add(&mut self, mut member: Member) {
        let slot = slot_of(member.at_ms);
        if !(0..SLOTS as i64).contains(&(self.newest - slot)) {
            return;
        }
        let count = &mut self.slots[place(slot)];
        *count = count.saturating_add(u16::from(!member.is_held()));
        self.members.iter_mut().for_each(|other| member.meet(other));
        if self.members.len() == MOST_MEMBERS {
            self.members.pop_front();
        }
        self.members.push_back(member);
    }

    /// Bad ratings within two hours, to the ten minutes, but for those on hold.
    pub fn in_window(&self) -> u32 {
        self.slots.iter().map(|&count| u32::from(count)).sum()
    }

    /// Bad ratings within the last hour, likewise.
    pub fn in_hour(&self) -> u32 {
        (0..HOUR as i64).map(|back| u32::from(self.slots[place(self.newest - back)])).sum()
    }

    /// Without the ratings of a surge that a part of this target accounts for.
    pub fn without(&mut self, part: &Self) {
        for back in 0..SLOTS as i64 {
            let slot = self.newest - back;
            if (0..SLOTS as i64).contains(&(part.newest - slot)) {
                let count = &mut self.slots[place(slot)];
                *count = count.saturating_sub(part.slots[place(slot)]);
            }
        }
        let of_part = |member: &Member| part.members.iter().any(|other| other.sequence == member.sequence);
        self.members.retain(|member| !of_part(member));
    }

    /// Forgets the two hours: what is over is not found again.
    pub fn clear(&mut self) {
        self.slots = [0; SLOTS];
        self.members.clear();
    }
}
