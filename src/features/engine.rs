//! One rating in, all counters out.
//!
//! For each group of counters: find the key's entity, insert the event, read the values. The caller
//! may ask for the memory ahead of time ([`CounterEngine::prefetch_slots`] several ratings ahead,
//! [`CounterEngine::prefetch_entities`] a few ratings later); the results do not depend on it.

use std::sync::Arc;

use super::arena::{Arena, Block, PAGE_BYTES};
use super::counter::CounterSet;
use super::entity::{self, Event, Events};
use super::evict::Sweep;
use super::evicted::Evicted;
use super::facts::Facts;
use super::hot::{Hot, HotKeys, View};
use super::keys::Keys;
use super::plan::{Group, MAX_EVENTS, Moment, Plan, Reading, Slot};
use super::table::{EMPTY_BYTES, Table};
use super::window::{self, Moments, Pass, Sums};
use crate::catalogue::FeatureVector;
use crate::time::Instant;

pub use super::plan::LATENESS_MS;

/// Bounds of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes for entities, their table and the fingerprints of evicted keys, from
    /// [`Limits::LEAST_MEMORY_BYTES`] to [`Limits::MOST_MEMORY_BYTES`]. Reserved at once, taken as it
    /// fills. At the limit the sweep evicts: expired keys, then those that
    /// were seen longest ago (by eighths: see `docs/counters.md`).
    pub memory_bytes: usize,
    /// Bytes for what hot keys keep beyond their entity. At the limit hot keys that were not seen
    /// since the sweep last passed lose it; their long windows are missing until they have passed.
    /// The key of the rating at hand keeps it, whatever its size.
    pub hot_bytes: usize,
}

impl Limits {
    /// The least that [`Limits::memory_bytes`] may be; less is raised to it.
    pub const LEAST_MEMORY_BYTES: usize = 4 << 20;
    /// The most that [`Limits::memory_bytes`] may be; more is lowered to it.
    pub const MOST_MEMORY_BYTES: usize = 32 << 30;
}

impl Default for Limits {
    /// 1 GiB, and 256 MiB for hot keys.
    fn default() -> Self {
        Self { memory_bytes: 1 << 30, hot_bytes: 256 << 20 }
    }
}

/// What one group of counters holds and has gone through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupStats {
    /// Keys in memory.
    pub entities: u64,
    /// Keys evicted while their events still mattered.
    pub evicted: u64,
    /// Keys dropped after all their events had expired.
    pub expired: u64,
    /// New keys that may have been evicted before: their counters are missing for a while.
    pub filter_hits: u64,
}

/// Figures for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Per group, with the names of its keys.
    pub groups: Vec<(String, GroupStats)>,
    /// Bytes of entities, table and fingerprints.
    pub memory_bytes: usize,
    /// Keys with more than 64 events.
    pub hot_keys: usize,
    /// Bytes that they keep beyond their entities.
    pub hot_bytes: usize,
    /// Hot keys that lost it to the budget.
    pub hot_evicted: u64,
    /// Ratings more than 72 h behind the watermark.
    pub too_late: u64,
}

/// The state of all declared counters.
#[derive(Clone, Debug)]
pub struct CounterEngine {
    /// The set as it was declared when the state was laid out.
    layout: CounterSet,
    /// The same layout with the places of the set in force.
    pub(super) set: CounterSet,
    pub(super) limits: Limits,
    pub(super) watermark: i64,
    pub(super) table: Table,
    pub(super) arena: Arena,
    pub(super) hot: HotKeys,
    /// Per group.
    pub(super) evicted: Vec<Evicted>,
    pub(super) sweep: Sweep,
    /// Per counter: before this time its window is not filled yet.
    pub(super) warm_at: Vec<i64>,
    /// The last of them.
    pub(super) warm_until: i64,
    /// Per group.
    pub(super) groups: Vec<GroupStats>,
    pub(super) hot_evicted: u64,
    pub(super) too_late: u64,
    /// Keys evicted since the engine was made: a change says that blocks may have moved.
    pub(super) evictions: u64,
    /// The keys of the rating at hand, and their entities: kept for its memory alone.
    found: Vec<(u64, Option<Block>)>,
}

impl CounterEngine {
    /// An engine that has seen nothing yet.
    pub fn new(set: &CounterSet, mut limits: Limits) -> Self {
        limits.memory_bytes =
            limits.memory_bytes.clamp(Limits::LEAST_MEMORY_BYTES, Limits::MOST_MEMORY_BYTES);
        let filter_bytes = Self::filter_bytes(limits, set);
        let groups = &set.plan.groups;
        Self {
            layout: set.clone(),
            set: set.clone(),
            limits,
            watermark: i64::MIN,
            table: Table::new(),
            arena: Arena::new(limits.memory_bytes),
            hot: HotKeys::default(),
            evicted: groups.iter().map(|group| Evicted::new(filter_bytes, group.horizon_ms)).collect(),
            sweep: Sweep::default(),
            warm_at: vec![i64::MIN; set.counters().len()],
            warm_until: i64::MIN,
            groups: vec![GroupStats::default(); groups.len()],
            hot_evicted: 0,
            too_late: 0,
            evictions: 0,
            found: Vec::new(),
        }
    }

    /// A sixteenth of the memory is for fingerprints, in equal parts.
    pub(super) fn filter_bytes(limits: Limits, set: &CounterSet) -> usize {
        limits.memory_bytes / 16 / set.groups().max(1)
    }

    /// The counters that it keeps.
    pub fn counters(&self) -> &CounterSet {
        &self.layout
    }

    /// Goes on under another set: counters that mean what they meant keep their state, and the others of
    /// that set are missing. Gives how many those are; a state that was fed from the log has none.
    pub fn go_on_as(&mut self, set: &CounterSet) -> usize {
        self.set = self.layout.placed_as(set);
        set.not_in(&self.layout)
    }

    /// Its bounds.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Says that what came before `start` is not known: every counter is missing until its window lies
    /// after that.
    pub fn begin_at(&mut self, start: Instant) {
        for (warm_at, declared) in self.warm_at.iter_mut().zip(self.layout.counters()) {
            *warm_at = start.ms().saturating_add(declared.window_ms);
            self.warm_until = self.warm_until.max(*warm_at);
        }
    }

    /// Figures for metrics.
    pub fn stats(&self) -> Stats {
        let name = |group: &Group| group.by.iter().map(|field| field.name()).collect::<Vec<_>>().join("+");
        Stats {
            groups: self.set.plan.groups.iter().map(name).zip(self.groups.iter().cloned()).collect(),
            memory_bytes: self.memory_bytes(),
            hot_keys: self.hot.len(),
            hot_bytes: self.hot.bytes(),
            hot_evicted: self.hot_evicted,
            too_late: self.too_late,
        }
    }

    /// Bytes that count towards [`Limits::memory_bytes`]; fingerprints count in full from the start.
    pub(super) fn memory_bytes(&self) -> usize {
        self.arena.bytes() + self.table.bytes() + self.limits.memory_bytes / 16
    }

    /// Asks the processor for the table slots of a rating's keys. Worth it about 8 ratings ahead.
    pub fn prefetch_slots(&self, keys: &Keys) {
        for group in &self.set.plan.groups {
            let key = group.key(keys);
            if key != 0 {
                self.table.prefetch(key);
            }
        }
    }

    /// Asks the processor for the entities of a rating's keys; reads the table slots. Worth it about
    /// 4 ratings ahead.
    pub fn prefetch_entities(&self, keys: &Keys) {
        for group in &self.set.plan.groups {
            let key = group.key(keys);
            if key != 0
                && let Some(block) = self.table.guess(key)
            {
                self.arena.prefetch(block, 0);
            }
        }
    }

    /// Takes in one rating and writes the counters' values into its vector, the rating included.
    ///
    /// `vector` must hold the rating-scope features; conditions read them. `watermark` is the event
    /// time that the stream has reached. A rating more than 72 h behind it is not taken in, and its
    /// counters are missing.
    pub fn observe(&mut self, at: Instant, watermark: Instant, keys: &Keys, vector: &mut FeatureVector) {
        let at = at.ms();
        self.watermark = self.watermark.max(watermark.ms());
        let plan: Arc<Plan> = Arc::clone(&self.set.plan);
        if at < self.watermark.saturating_sub(LATENESS_MS) || !entity::TIMES.contains(&at) {
            self.too_late += 1;
            let slots = plan.groups.iter().flat_map(|group| &group.slots);
            slots.for_each(|slot| vector.clear(slot.id));
            return;
        }
        let facts = Facts::of(&self.set, &plan, keys, vector);
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        found.extend(plan.groups.iter().enumerate().map(|(i, group)| self.find(i, group.key(keys))));
        let evictions = self.evictions;
        let known_at = at.min(self.watermark);
        for (position, (group, &(key, block))) in plan.groups.iter().zip(&found).enumerate() {
            if key == 0 {
                group.slots.iter().for_each(|slot| vector.clear(slot.id));
                continue;
            }
            let event = facts.event(group, at, vector);
            // What this rating itself evicted must be looked for again.
            let block = if self.evictions == evictions { block } else { self.find(position, key).1 };
            let block = block.unwrap_or_else(|| self.add(position, group, key));
            let words = self.arena.get_mut(block);
            if known_at >= self.warm_until && entity::is_plain(words) && entity::append(words, group, &event)
            {
                read_plain(group, Events::of(words), at, vector);
            } else {
                let block = self.insert(position, group, block, &event);
                self.read(group, block, at, known_at, vector);
            }
        }
        self.found = found;
    }

    /// A key's entity. Asks for what will be looked at first, so that the groups wait together.
    #[inline]
    fn find(&self, position: usize, key: u64) -> (u64, Option<Block>) {
        if key == 0 {
            return (0, None);
        }
        let is_it = |block: Block| {
            let words = self.arena.get(block);
            entity::key(words) == key && entity::group(words) == position
        };
        let found = self.table.find(key, is_it).map(|(_, block)| block);
        if let Some(block) = found {
            let words = self.arena.get(block);
            self.arena.prefetch(block, entity::newest_word(words));
            if let Some(hot) = entity::hot(words) {
                self.hot.prefetch(hot);
            }
        }
        (key, found)
    }

    fn add(&mut self, position: usize, group: &Group, key: u64) -> Block {
        let known_from = if self.evicted[position].contains(key, self.watermark) {
            self.groups[position].filter_hits += 1;
            self.watermark
        } else {
            i64::MIN
        };
        self.make_room_for_key();
        let block = self.allocate(group.classes[0], None);
        let words = self.arena.get_mut(block);
        entity::start(words, position, group, key, known_from);
        self.table.insert(key, block);
        self.groups[position].entities += 1;
        block
    }

    /// Inserts an event; returns the block, which may have moved.
    fn insert(&mut self, position: usize, group: &Group, block: Block, event: &Event) -> Block {
        let words = self.arena.get_mut(block);
        let hot_at = entity::hot(words);
        let mut hot = hot_at.and_then(|at| self.hot.get(at));
        let covered_from = hot.as_deref().map_or_else(|| entity::covered_from(words), |hot| hot.covered_from);

        if event.time() < covered_from {
            // Later events have left the block already: it goes where they went, if anywhere.
            if let Some(at) = hot_at {
                let events = Events::of(words);
                self.hot.change(at, |hot| {
                    hot.arrive(group, event);
                    hot.leave(group, event, events);
                });
            }
            return block;
        }
        if !entity::has_room(words) {
            let expired = Events::of(words).expired(self.watermark.saturating_sub(group.horizon_ms));
            if expired > 0 {
                if let Some(hot) = &mut hot {
                    for &[low, _] in &Events::of(words).words()[..expired] {
                        hot.sums.remove(low as u16 & group.test_bits());
                    }
                }
                entity::drop_oldest(words, group, expired);
            }
        }
        if Events::of(words).len() == MAX_EVENTS {
            self.overflow(group, block, event);
            return block;
        }
        let block = if entity::has_room(words) { block } else { self.grow(position, group, block) };
        let words = self.arena.get_mut(block);
        entity::insert(words, group, *event);
        if let Some(at) = entity::hot(words) {
            self.hot.change(at, |hot| {
                hot.sums.add(event.mask() & group.test_bits());
                hot.arrive(group, event);
            });
        }
        block
    }

    /// Inserts an event into an entity that has as many as it can hold: the oldest leaves.
    fn overflow(&mut self, group: &Group, block: Block, event: &Event) {
        let words = self.arena.get_mut(block);
        let oldest = Events::of(words).event(0, group.columns.len());
        let enters = event.time() >= oldest.time();
        let leaving = if enters { oldest } else { *event };
        let at = match entity::hot(words) {
            Some(at) => at,
            None => {
                let at = self.hot.add(Hot::new(block, words, group));
                entity::set_hot(words, Some(at));
                at
            }
        };
        if enters {
            entity::drop_oldest(words, group, 1);
            entity::insert(words, group, *event);
        }
        let events = Events::of(words);
        self.hot.change(at, |hot| {
            hot.touched = true;
            if enters {
                hot.sums.remove(leaving.mask() & group.test_bits());
                hot.sums.add(event.mask() & group.test_bits());
            }
            hot.arrive(group, event);
            hot.leave(group, &leaving, events);
        });
        while self.hot.bytes() > self.limits.hot_bytes {
            let Some(out) = self.hot.next_out(Some(at)) else { break };
            self.cool(out);
            self.hot_evicted += 1;
        }
    }

    /// Moves an entity into the next larger block.
    fn grow(&mut self, position: usize, group: &Group, block: Block) -> Block {
        let words = self.arena.get(block);
        let (key, step) = (entity::key(words), entity::step(words, group) + 1);
        let grown = self.allocate(group.classes[step], Some(block));
        let (from, to) = self.arena.pair(block, grown);
        entity::copy(from, to, group, step);
        // Only an entity of the largest size has hot state, so nothing else names the old block.
        let arena = &self.arena;
        let is_it = |found: Block| {
            let words = arena.get(found);
            entity::key(words) == key && entity::group(words) == position
        };
        if let Some((slot, _)) = self.table.find(key, is_it) {
            self.table.moved(slot, grown);
        }
        self.arena.give(block);
        grown
    }

    /// Writes a group's counters.
    fn read(&mut self, group: &Group, block: Block, at: i64, known_at: i64, vector: &mut FeatureVector) {
        let words = self.arena.get(block);
        let events = Events::of(words);
        let mut hot = entity::hot(words).and_then(|at| self.hot.get(at));
        let covered_from = hot.as_deref().map_or_else(|| entity::covered_from(words), |hot| hot.covered_from);

        let view = View { events, at, until: events.until(at) };
        let within = &events.words()[..view.until];
        // Where the block does not cover a window, all its events are in it.
        let all = match &hot {
            Some(hot) if view.until == events.len() => hot.sums,
            Some(_) => *Pass::new(within, at, true).sums(i64::MAX / 2),
            None => Sums::default(),
        };
        let mut pass = Pass::new(within, at, group.wide);
        for slot in &group.slots {
            let cold = known_at < self.warm_until && known_at < self.warm_at[usize::from(slot.counter)];
            let value = if cold || at < covered_from {
                None
            } else if at - slot.window >= covered_from {
                of_block(slot, view, pass.sums(slot.window))
            } else {
                hot.as_deref_mut().and_then(|hot| of_hot(group, slot, view, &all, hot))
            };
            put(vector, slot, value);
        }
    }

    /// Takes a hot key's state away; what it covered is missing from then on.
    pub(super) fn cool(&mut self, position: u32) {
        if let Some(hot) = self.hot.remove(position) {
            let words = self.arena.get_mut(hot.owner);
            entity::set_hot(words, None);
            entity::cover(words, hot.covered_from);
        }
    }

    /// A block; evicts where memory is full. `spared` is not evicted.
    pub(super) fn allocate(&mut self, class: u8, spared: Option<Block>) -> Block {
        loop {
            if let Some(block) = self.arena.take(class) {
                return block;
            }
            if self.reserved_bytes(0) + PAGE_BYTES <= self.limits.memory_bytes {
                self.arena.add_page();
            } else {
                self.make_room(class, spared);
            }
        }
    }

    /// Bytes to reckon with if there are `more` keys: the table may grow without being asked.
    pub(super) fn reserved_bytes(&self, more: usize) -> usize {
        let table = EMPTY_BYTES + (self.table.len() + more) * super::table::BYTES_PER_ENTITY;
        self.arena.bytes() + table.max(self.table.bytes()) + self.limits.memory_bytes / 16
    }
}

/// Writes a group's counters where the kept events are all that there ever were, the last at `at`.
#[inline]
fn read_plain(group: &Group, events: Events<'_>, at: i64, vector: &mut FeatureVector) {
    let view = View { events, at, until: events.len() };
    let mut pass = Pass::new(events.words(), at, group.wide);
    for slot in &group.slots {
        let sums = pass.sums(slot.window);
        match slot.reading {
            Reading::Count { bit, .. } => vector.set_int(slot.id, i64::from(sums.get(bit))),
            Reading::Distinct { newest, .. } => vector.set_int(slot.id, i64::from(sums.get(newest))),
            _ => put(vector, slot, of_block(slot, view, sums)),
        }
    }
}

#[inline]
fn put(vector: &mut FeatureVector, slot: &Slot, value: Option<Value>) {
    match value {
        Some(Value::Int(value)) => vector.set_int(slot.id, value),
        Some(Value::Float(value)) => vector.set_float(slot.id, value),
        None => vector.clear(slot.id),
    }
}

enum Value {
    Int(i64),
    Float(f64),
}

fn share(held: u32, known: u32) -> Option<Value> {
    (known > 0).then(|| Value::Float(f64::from(held) / f64::from(known)))
}

fn moment(moment: Moment, moments: &Moments) -> Option<Value> {
    let n = f64::from(moments.n);
    match moment {
        Moment::Sum => Some(Value::Float(moments.sum)),
        Moment::Mean => (moments.n >= 1).then(|| Value::Float(moments.sum / n)),
        Moment::Stddev => (moments.n >= 2).then(|| {
            let spread = moments.squares - moments.sum * moments.sum / n;
            Value::Float((spread.max(0.0) / (n - 1.0)).sqrt())
        }),
    }
}

/// A counter's value where the kept events cover its window.
fn of_block(slot: &Slot, view: View<'_>, sums: &Sums) -> Option<Value> {
    let low = view.at - slot.window;
    let View { events, until, .. } = view;
    match slot.reading {
        Reading::Count { bit, .. } => Some(Value::Int(i64::from(sums.get(bit)))),
        Reading::Share { held, known, .. } => share(sums.get(held), sums.get(known)),
        Reading::Distinct { newest, bit, column, .. } => {
            let count = if until == events.len() {
                sums.get(newest)
            } else {
                window::distinct(events, until, low, bit, column)
            };
            Some(Value::Int(i64::from(count)))
        }
        Reading::Moment { moment: which, bit, column, .. } => {
            moment(which, &window::moments(events, until, low, bit, column))
        }
        Reading::GapCv { bit, .. } => window::gaps(events, until, low, bit).variation().map(Value::Float),
    }
}

/// A counter's value where events of its window have left the block; all that are in the block up
/// to the moment are in the window, and `all` sums their bits.
fn of_hot(group: &Group, slot: &Slot, view: View<'_>, all: &Sums, hot: &mut Hot) -> Option<Value> {
    let Slot { window, .. } = *slot;
    let View { events, at, until } = view;
    match slot.reading {
        Reading::Count { bit, tail } => {
            let left = hot.count(tail, window, at)?;
            Some(Value::Int(i64::from(left + all.get(bit))))
        }
        Reading::Share { held, known, tail } => {
            let left = hot.share(tail, window, at)?;
            share(left.held + all.get(held), left.known + all.get(known))
        }
        Reading::Distinct { newest, tail, tail_window, .. } => {
            let count = hot.distinct(tail, &group.tails[usize::from(tail)], tail_window, newest, view)?;
            Some(Value::Int(count as i64))
        }
        Reading::Moment { moment: which, bit, column, tail } => {
            let mut moments = hot.moments(tail, window, at)?;
            moments.merge(&window::moments(events, until, at - window, bit, column));
            moment(which, &moments)
        }
        Reading::GapCv { bit, tail } => {
            let mut gaps = hot.gaps(tail, window, at)?;
            gaps.append(&window::gaps(events, until, at - window, bit));
            gaps.variation().map(Value::Float)
        }
    }
}
