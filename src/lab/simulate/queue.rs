//! Ratings that are drawn but have not arrived yet, by arrival.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::rating::Simulated;

/// A priority queue by arrival; equal arrivals leave in the order they were drawn.
///
/// The heap moves small keys; the ratings stay where they are.
#[derive(Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Key>>,
    slots: Vec<Option<Simulated>>,
    free: Vec<u32>,
    drawn: u64,
}

#[derive(PartialEq, Eq)]
struct Key {
    received: i64,
    drawn: u64,
    slot: u32,
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.received, self.drawn).cmp(&(other.received, other.drawn))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Queue {
    /// Adds a rating.
    pub fn push(&mut self, rating: Simulated) {
        let received = rating.received;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(rating);
                slot
            }
            None => {
                self.slots.push(Some(rating));
                (self.slots.len() - 1) as u32
            }
        };
        self.heap.push(Reverse(Key { received, drawn: self.drawn, slot }));
        self.drawn += 1;
    }

    /// Takes the next rating, if it arrives before `until`.
    pub fn pop_before(&mut self, until: i64) -> Option<Simulated> {
        if self.heap.peek()?.0.received >= until {
            return None;
        }
        let slot = self.heap.pop()?.0.slot;
        self.free.push(slot);
        self.slots[slot as usize].take()
    }
}
