//! Who goes when memory is full.
//!
//! A hand sweeps the pages. It drops every key whose events have all expired, and every key that was
//! seen no later than a cutoff; at the start of each round the cutoff is set so that about an eighth
//! of the keys lie before it (from a fixed sample of blocks, so the same stream gives the same
//! state). A round ends early when there is room. So the order is: expired first, then by eighths of
//! last-seen time, and the cost is a few blocks looked at, in memory order, for each key that goes.
//!
//! A key that goes while its events still matter leaves its fingerprint in [`super::evicted`].

use super::arena::Block;
use super::engine::CounterEngine;
use super::entity::{self, Events};
use super::mix;

/// Blocks looked at before a whole page is emptied: memory is cut into sizes that are not needed.
const PATIENCE: usize = 8192;
/// Blocks that a cutoff is estimated from.
const SAMPLE: u64 = 256;
/// The part of the keys that a round may drop is one in this many.
const PART: usize = 8;

/// Where the sweep stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sweep {
    pub page: usize,
    pub position: usize,
    /// Rounds begun.
    pub rounds: u64,
    /// Keys last seen up to then go in this round.
    pub cutoff: i64,
}

impl CounterEngine {
    /// Evicts until one more key and its place in the table fit.
    pub(super) fn make_room_for_key(&mut self) {
        while self.reserved_bytes(1) > self.limits.memory_bytes && self.table.len() > 0 {
            self.sweep_one(None);
        }
    }

    /// Evicts until a block of this class is free.
    pub(super) fn make_room(&mut self, class: u8, spared: Option<Block>) {
        let mut looked_at = 0;
        while !self.arena.has_room(class) {
            self.sweep_one(spared);
            looked_at += 1;
            if looked_at == PATIENCE {
                looked_at = 0;
                self.empty_page(spared);
            }
        }
    }

    /// Looks at the next block.
    fn sweep_one(&mut self, spared: Option<Block>) {
        if self.sweep.page >= self.arena.pages() {
            self.sweep.page = 0;
            self.sweep.position = 0;
            self.sweep.rounds += 1;
            self.sweep.cutoff = self.cutoff();
        }
        let Sweep { page, position, cutoff, .. } = self.sweep;
        if position >= self.arena.blocks_in(page) {
            self.sweep.page += 1;
            self.sweep.position = 0;
            return;
        }
        self.sweep.position += 1;
        if let Some(block) = self.arena.block_at(page, position).filter(|&block| Some(block) != spared) {
            let seen = self.last_seen(block);
            if seen <= cutoff || self.has_expired(block, seen) {
                self.evict(block);
            }
        }
    }

    /// The last-seen time that about one in [`PART`] keys does not exceed.
    fn cutoff(&self) -> i64 {
        let pages = self.arena.pages() as u64;
        let mut seen: Vec<i64> = (0..SAMPLE)
            .filter_map(|i| {
                let page = (i * pages / SAMPLE) as usize;
                let blocks = self.arena.blocks_in(page) as u64;
                let position = mix(i << 32 | self.sweep.rounds).checked_rem(blocks)?;
                self.arena.block_at(page, position as usize)
            })
            .map(|block| self.last_seen(block))
            .collect();
        seen.sort_unstable();
        seen.get(seen.len() / PART).copied().unwrap_or(i64::MAX)
    }

    /// When a key was seen last; one that came back after it was evicted may have no event yet.
    fn last_seen(&self, block: Block) -> i64 {
        let words = self.arena.get(block);
        let newest = Events::of(words).newest();
        newest.max(entity::covered_from(words))
    }

    fn has_expired(&self, block: Block, seen: i64) -> bool {
        let group = &self.set.plan.groups[entity::group(self.arena.get(block))];
        seen <= self.watermark.saturating_sub(group.horizon_ms)
    }

    /// Evicts all of the page under the hand.
    fn empty_page(&mut self, spared: Option<Block>) {
        let spared_page = |page: usize| {
            (0..self.arena.blocks_in(page))
                .any(|i| spared.is_some() && self.arena.block_at(page, i) == spared)
        };
        let pages = self.arena.pages();
        let mut page = self.sweep.page % pages;
        while self.arena.blocks_in(page) == 0 || spared_page(page) {
            page = (page + 1) % pages;
        }
        for position in 0..self.arena.blocks_in(page) {
            if let Some(block) = self.arena.block_at(page, position) {
                self.evict(block);
            }
        }
    }

    fn evict(&mut self, block: Block) {
        let words = self.arena.get(block);
        let (key, position) = (entity::key(words), entity::group(words));
        if let Some(hot) = entity::hot(words) {
            self.hot.remove(hot);
        }
        if self.has_expired(block, self.last_seen(block)) {
            self.groups[position].expired += 1;
        } else {
            self.evicted[position].insert(key, self.watermark);
            self.groups[position].evicted += 1;
        }
        if let Some((slot, _)) = self.table.find(key, |found| found == block) {
            self.table.remove(slot);
        }
        self.groups[position].entities -= 1;
        self.evictions += 1;
        self.arena.give(block);
    }
}
