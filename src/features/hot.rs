//! What a key keeps beyond the events in its block, once it has had more than fit there.
//!
//! Each *tail* of the group (a count, sum, gaps or distinct values over a window) comes into being
//! when an event leaves the block that the tail's window still needs, and goes when the block covers
//! the window again with room to spare. So an hour's counter of a busy device costs nothing while an
//! hour's ratings fit the block, whatever the 30-day counters beside it keep.

use super::arena::Block;
use super::buckets::{Buckets, GapBuckets, Held};
use super::distinct::Recent;
use super::entity::{self, Event, Events, time_of};
use super::plan::{Column, Group, Tail, TailKind, has};
use super::snapshot::{Reader, SnapshotError, Writer};
use super::window::{self, Gaps, Moments, Sums};

/// The state of one tail.
#[derive(Clone, Debug, PartialEq)]
enum State {
    /// No event that it needs has left the block.
    Idle,
    Count(Box<Buckets<u32>>),
    Share(Box<Buckets<Held>>),
    Moments(Box<Buckets<Moments>>),
    Gaps(Box<GapBuckets>),
    Distinct(Box<Recent>),
}

impl State {
    fn bytes(&self) -> usize {
        match self {
            Self::Idle => 0,
            Self::Count(_) => Buckets::<u32>::bytes(),
            Self::Share(_) => Buckets::<Held>::bytes(),
            Self::Moments(_) => Buckets::<Moments>::bytes(),
            Self::Gaps(_) => GapBuckets::bytes(),
            Self::Distinct(recent) => recent.bytes(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Kept {
    /// An event of this time that counts here has left the block and is not in the state.
    lost: i64,
    state: State,
}

/// The state of one hot key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hot {
    pub owner: Block,
    /// Seen since the sweep last passed.
    pub touched: bool,
    /// Events up to this time may have left the block; later ones have not.
    pub covered_from: i64,
    /// Over the events in the block, of the bits that stand for tests.
    pub sums: Sums,
    tails: Box<[Kept]>,
    /// Of all that it holds.
    bytes: usize,
}

/// A moment to read values at, and the events of the block then.
#[derive(Clone, Copy)]
pub(super) struct View<'b> {
    pub events: Events<'b>,
    pub at: i64,
    /// Events at or before [`Self::at`].
    pub until: usize,
}

impl View<'_> {
    fn is_late(&self) -> bool {
        self.until < self.events.len()
    }
}

impl Hot {
    /// The state of a key whose block will have its first event leave.
    pub fn new(owner: Block, block: &[u32], group: &Group) -> Self {
        let covered_from = entity::covered_from(block);
        let mut sums = Sums::default();
        for &[low, _] in Events::of(block).words() {
            sums.add(low as u16 & group.test_bits());
        }
        let tails: Box<[Kept]> =
            group.tails.iter().map(|_| Kept { lost: covered_from, state: State::Idle }).collect();
        let bytes = counted(&tails);
        Self { owner, touched: true, covered_from, sums, tails, bytes }
    }

    /// Bytes of all that it holds.
    pub fn bytes(&self) -> usize {
        debug_assert_eq!(self.bytes, counted(&self.tails));
        self.bytes
    }

    /// An event arrived, in the block or past it.
    pub fn arrive(&mut self, group: &Group, event: &Event) {
        for (tail, kept) in group.tails.iter().zip(&mut self.tails) {
            if let State::Distinct(recent) = &mut kept.state
                && let Some(item) = item(tail, event)
            {
                let before = recent.bytes();
                recent.arrive(item, event.time());
                self.bytes = self.bytes + recent.bytes() - before;
            }
        }
    }

    /// An event left the block, which now holds `events`; or it came too late to enter it.
    pub fn leave(&mut self, group: &Group, event: &Event, events: Events<'_>) {
        let time = event.time();
        let newest = events.newest();
        self.covered_from = self.covered_from.max(time);
        for (tail, kept) in group.tails.iter().zip(&mut self.tails) {
            let Some(item) = item(tail, event) else { continue };
            // What left before the window (and half as much, lest it come and go) is not needed.
            let reach = newest - tail.longest();
            if !matches!(kept.state, State::Idle) && self.covered_from <= reach - tail.longest() / 2 {
                self.bytes -= kept.state.bytes();
                *kept = Kept { lost: self.covered_from, state: State::Idle };
                continue;
            }
            if matches!(kept.state, State::Idle) {
                if time <= reach {
                    kept.lost = kept.lost.max(time);
                    continue;
                }
                kept.state = open(tail, group, time, newest, events);
                if let State::Distinct(recent) = &mut kept.state {
                    recent.arrive(item, time);
                }
                self.bytes += kept.state.bytes();
            }
            match &mut kept.state {
                State::Idle => {}
                State::Count(buckets) => buckets.add(time, ()),
                State::Share(buckets) => buckets.add(time, item != 0),
                State::Moments(buckets) => buckets.add(time, item),
                State::Gaps(gaps) => gaps.add(time),
                State::Distinct(recent) => recent.leave(item, time, self.covered_from),
            }
        }
    }

    /// A tail that knows all that left the block after `low`.
    fn known(&mut self, tail: u8, low: i64) -> Option<&mut State> {
        let kept = &mut self.tails[usize::from(tail)];
        (low >= kept.lost).then_some(&mut kept.state)
    }

    /// Events of the tail's window that left the block.
    pub fn count(&mut self, tail: u8, window: i64, at: i64) -> Option<u32> {
        match self.known(tail, at - window)? {
            State::Count(buckets) => Some(buckets.total_at(at)),
            _ => Some(0),
        }
    }

    /// Events of the tail's window that left the block, with whether its condition holds.
    pub fn share(&mut self, tail: u8, window: i64, at: i64) -> Option<Held> {
        match self.known(tail, at - window)? {
            State::Share(buckets) => Some(buckets.total_at(at)),
            _ => Some(Held::default()),
        }
    }

    /// Moments of the events of the tail's window that left the block.
    pub fn moments(&mut self, tail: u8, window: i64, at: i64) -> Option<Moments> {
        match self.known(tail, at - window)? {
            State::Moments(buckets) => Some(buckets.total_at(at)),
            _ => Some(Moments::default()),
        }
    }

    /// Gaps between the events of the tail's window that left the block.
    pub fn gaps(&mut self, tail: u8, window: i64, at: i64) -> Option<Gaps> {
        match self.known(tail, at - window)? {
            State::Gaps(gaps) => gaps.gaps_at(at),
            _ => Some(Gaps::default()),
        }
    }

    /// Distinct values among all events of a tail's window, in the block or not.
    pub fn distinct(
        &mut self,
        position: u8,
        tail: &Tail,
        window: u8,
        newest: u8,
        view: View<'_>,
    ) -> Option<u64> {
        let View { events, at, until } = view;
        let low = at - tail.windows[usize::from(window)];
        match self.known(position, low)? {
            State::Distinct(recent) if view.is_late() => {
                let values = &events.column(tail.column)[..until];
                let in_block = |hash: u32| {
                    let same = |i: usize| values[i] == hash && has(events.word(i) as u16, tail.bit);
                    values.contains(&hash) && (0..until).any(same)
                };
                Some(recent.estimate_late(usize::from(window), at, in_block))
            }
            State::Distinct(recent) => Some(recent.estimate(usize::from(window), at)),
            // All that count are in the block still.
            _ if view.is_late() => {
                Some(u64::from(window::distinct(events, until, low, tail.bit, tail.column)))
            }
            _ => Some(events.words().iter().filter(|&&[low, _]| has(low as u16, newest)).count() as u64),
        }
    }

    pub fn write(&self, to: &mut Writer<'_>) -> Result<(), SnapshotError> {
        to.number(u64::from(self.touched))?;
        to.number(self.covered_from as u64)?;
        self.sums.to_parts().into_iter().try_for_each(|part| to.number(part))?;
        for kept in &self.tails {
            to.number(kept.lost as u64)?;
            to.number(u64::from(!matches!(kept.state, State::Idle)))?;
            match &kept.state {
                State::Idle => {}
                State::Count(buckets) => buckets.write(to)?,
                State::Share(buckets) => buckets.write(to)?,
                State::Moments(buckets) => buckets.write(to)?,
                State::Gaps(gaps) => gaps.write(to)?,
                State::Distinct(recent) => recent.write(to)?,
            }
        }
        Ok(())
    }

    pub fn read(from: &mut Reader<'_>, owner: Block, group: &Group) -> Result<Self, SnapshotError> {
        let touched = from.number()? != 0;
        let covered_from = from.number()? as i64;
        let sums = Sums::from_parts([from.number()?, from.number()?, from.number()?]);
        let mut tails = Vec::with_capacity(group.tails.len());
        for tail in &group.tails {
            let lost = from.number()? as i64;
            let state = match (from.number()?, tail.kind) {
                (0, _) => State::Idle,
                (_, TailKind::Count) => State::Count(Box::new(Buckets::read(from)?)),
                (_, TailKind::Share { .. }) => State::Share(Box::new(Buckets::read(from)?)),
                (_, TailKind::Moments) => State::Moments(Box::new(Buckets::read(from)?)),
                (_, TailKind::Gaps) => State::Gaps(Box::new(GapBuckets::read(from)?)),
                (_, TailKind::Distinct) => State::Distinct(Box::new(Recent::read(from)?)),
            };
            tails.push(Kept { lost, state });
        }
        let bytes = counted(&tails);
        Ok(Self { owner, touched, covered_from, sums, tails: tails.into(), bytes })
    }
}

/// Bytes of a hot key with these tails.
fn counted(tails: &[Kept]) -> usize {
    let states: usize = tails.iter().map(|kept| kept.state.bytes()).sum();
    size_of::<Hot>() + size_of_val(tails) + states
}

/// What a tail takes from an event; `None` if the event does not count there.
fn item(tail: &Tail, event: &Event) -> Option<u32> {
    let value = event.columns[usize::from(tail.column)];
    let counts = has(event.mask(), tail.bit)
        && match tail.kind {
            TailKind::Count | TailKind::Gaps => true,
            TailKind::Share { held } => {
                return has(event.mask(), tail.bit).then(|| u32::from(has(event.mask(), held)));
            }
            TailKind::Moments => !f32::from_bits(value).is_nan(),
            TailKind::Distinct => value != 0,
        };
    counts.then_some(value)
}

/// The state of a tail that needs an event of this time and knows nothing yet.
fn open(tail: &Tail, group: &Group, time: i64, newest: i64, events: Events<'_>) -> State {
    let window = tail.longest();
    match tail.kind {
        TailKind::Count => State::Count(Box::new(Buckets::new(window, time))),
        TailKind::Share { .. } => State::Share(Box::new(Buckets::new(window, time))),
        TailKind::Moments => State::Moments(Box::new(Buckets::new(window, time))),
        TailKind::Gaps => State::Gaps(Box::new(GapBuckets::new(window, time))),
        TailKind::Distinct => {
            debug_assert!(matches!(group.columns[usize::from(tail.column)], Column::Hash(_)));
            let mut recent = Recent::new(&tail.windows, newest);
            for i in 0..events.len() {
                let event = events.event(i, group.columns.len());
                if let Some(hash) = item(tail, &event) {
                    recent.arrive(hash, time_of(event.word));
                }
            }
            State::Distinct(Box::new(recent))
        }
    }
}

/// All hot keys, within their budget.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct HotKeys {
    keys: Vec<Option<Hot>>,
    free: Vec<u32>,
    bytes: usize,
    /// Where the sweep for the budget stands.
    hand: usize,
}

impl HotKeys {
    /// Number of hot keys.
    pub fn len(&self) -> usize {
        self.keys.len() - self.free.len()
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds one.
    pub fn add(&mut self, hot: Hot) -> u32 {
        self.bytes += hot.bytes();
        let hot = Some(hot);
        match self.free.pop() {
            Some(position) => {
                self.keys[position as usize] = hot;
                position
            }
            None => {
                self.keys.push(hot);
                self.keys.len() as u32 - 1
            }
        }
    }

    /// One of them.
    #[inline]
    pub fn get(&mut self, position: u32) -> Option<&mut Hot> {
        self.keys.get_mut(position as usize)?.as_mut()
    }

    /// Asks the processor for one of them.
    #[inline]
    pub fn prefetch(&self, position: u32) {
        super::table::prefetch(&self.keys, position as usize);
    }

    /// Changes one of them in a way that may change its size.
    pub fn change(&mut self, position: u32, change: impl FnOnce(&mut Hot)) {
        let Some(hot) = self.keys.get_mut(position as usize).and_then(Option::as_mut) else { return };
        let before = hot.bytes();
        change(hot);
        self.bytes = self.bytes + hot.bytes() - before;
    }

    /// Removes one.
    pub fn remove(&mut self, position: u32) -> Option<Hot> {
        let hot = self.keys.get_mut(position as usize)?.take()?;
        self.bytes -= hot.bytes();
        self.free.push(position);
        Some(hot)
    }

    /// The next to go when the budget is exceeded: the first that was not seen since the sweep last
    /// passed it. `None` if there is none but `spared`.
    pub fn next_out(&mut self, spared: Option<u32>) -> Option<u32> {
        // Two rounds: the first may only find keys that were seen.
        for _ in 0..2 * self.keys.len() {
            let position = self.hand;
            self.hand = (self.hand + 1) % self.keys.len();
            if spared == Some(position as u32) {
                continue;
            }
            if let Some(hot) = &mut self.keys[position]
                && !std::mem::take(&mut hot.touched)
            {
                return Some(position as u32);
            }
        }
        None
    }

    pub fn write(&self, to: &mut Writer<'_>) -> Result<(), SnapshotError> {
        to.number(self.hand as u64)?;
        to.list(&self.free)?;
        to.number(self.keys.len() as u64)?;
        for hot in &self.keys {
            to.number(hot.as_ref().map_or(0, |hot| u64::from(hot.owner.0) + 1))?;
            if let Some(hot) = hot {
                hot.write(to)?;
            }
        }
        Ok(())
    }

    /// Reads them; `group_of` finds the group of an owner.
    pub fn read<'g>(
        from: &mut Reader<'_>,
        group_of: impl Fn(Block) -> Option<&'g Group>,
    ) -> Result<Self, SnapshotError> {
        let mut read = Self { hand: from.number()? as usize, ..Self::default() };
        from.list_into(&mut read.free, u32::MAX as usize)?;
        for _ in 0..from.number()? {
            let hot = match from.number()? {
                0 => None,
                owner => {
                    let owner = Block((owner - 1) as u32);
                    let group = group_of(owner).ok_or(SnapshotError::Damaged)?;
                    Some(Hot::read(from, owner, group)?)
                }
            };
            read.bytes += hot.as_ref().map_or(0, Hot::bytes);
            read.keys.push(hot);
        }
        Ok(read)
    }
}
