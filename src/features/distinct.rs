//! How many distinct values a hot key saw in each of its windows.
//!
//! Values are ranked by the leading zeros of their hash: half of them have rank 0, a quarter rank 1,
//! and so on. Each rank keeps the [`KEPT`] values that were seen last, ordered by when. A rank that
//! never had to drop a value of the window knows all of its values there. Let `r` be the lowest rank
//! such that it and all above know theirs: they are a sample of 1 in 2^r, and the estimate is
//! `2^r × their number`. If rank 0 knows (up to about 3 000 values) the count is exact; otherwise the
//! sample has at least [`KEPT`] values and the standard error is at most 1/√1536 = 2.6 %.
//!
//! This is the sliding-window sampling of Gibbons and Tirthapura (2002), with each value kept in
//! one rank only. Unlike a sample whose rate follows the traffic, it keeps its error when a burst
//! leaves the window and little remains: the lower ranks know the recent values throughout.
//!
//! A value has two times: when it was seen last, and when last among the events that have left the
//! entity's block. With the block's events they answer for a late rating, too.

use super::snapshot::{Reader, SnapshotError, Writer};

/// Values that each rank keeps.
const KEPT: u32 = 1536;
/// Ranks; the last one takes all higher.
const RANKS: usize = 24;
const NIL: u32 = u32::MAX;

#[derive(Clone, Debug, PartialEq)]
struct Value {
    hash: u32,
    /// Neighbours in its rank: seen before it, seen after it.
    older: u32,
    newer: u32,
    /// Seen last.
    seen: i64,
    /// Seen last among the events that left the block; `i64::MIN` where never.
    left: i64,
}

#[derive(Clone, Debug, PartialEq)]
struct Rank {
    oldest: u32,
    newest: u32,
    len: u32,
    /// Values seen up to then may have been dropped.
    dropped: i64,
}

/// The part of a rank that is in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Live {
    /// The oldest value in the window.
    first: u32,
    count: u32,
}

/// The values of one field that a hot key saw last.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recent {
    /// Ascending.
    windows: Box<[i64]>,
    /// Per window: values seen up to then are outside.
    lows: Box<[i64]>,
    /// Per window: no value in it leaves it before then.
    due: Box<[i64]>,
    ranks: Vec<Rank>,
    /// Per rank and window.
    live: Vec<Live>,
    values: Vec<Value>,
    free: u32,
    /// Open addressing by hash; positions of values.
    index: Box<[u32]>,
    used: u32,
}

impl Recent {
    /// No values yet, as of a time.
    pub fn new(windows: &[i64], at: i64) -> Self {
        let lows: Box<[i64]> = windows.iter().map(|window| at - window).collect();
        Self {
            windows: windows.into(),
            due: lows.clone(),
            lows,
            ranks: Vec::new(),
            live: Vec::new(),
            values: Vec::new(),
            free: NIL,
            index: vec![NIL; 16].into(),
            used: 0,
        }
    }

    /// Bytes of all that it holds. Follows from the content alone, not from how it grew, because
    /// the budget decides what is missing: a restored engine must decide alike.
    pub fn bytes(&self) -> usize {
        let windows = self.windows.len();
        size_of::<Self>()
            + windows * 3 * size_of::<i64>()
            + RANKS * (size_of::<Rank>() + windows * size_of::<Live>())
            + self.values.len().next_power_of_two() * size_of::<Value>()
            + self.index.len() * 4
    }

    /// A value arrived with an event.
    pub fn arrive(&mut self, hash: u32, time: i64) {
        let rank = rank_of(hash);
        match self.find(hash) {
            Some(slot) => {
                let value = self.index[slot];
                if time > self.values[value as usize].seen {
                    self.unlink(rank, value);
                    self.values[value as usize].seen = time;
                    self.link(rank, value);
                }
            }
            None => {
                while self.ranks.len() <= rank {
                    self.ranks.push(Rank { oldest: NIL, newest: NIL, len: 0, dropped: i64::MIN });
                    self.live.extend(std::iter::repeat_n(Live { first: NIL, count: 0 }, self.windows.len()));
                }
                if time <= self.ranks[rank].dropped {
                    return;
                }
                let value = self.add(hash, time);
                self.link(rank, value);
                if self.ranks[rank].len > KEPT {
                    let oldest = self.ranks[rank].oldest;
                    self.ranks[rank].dropped = self.values[oldest as usize].seen;
                    self.forget(rank, oldest);
                }
            }
        }
    }

    /// An event with the value left the block. What no window can reach any more, now that the
    /// block covers nothing before `covered_from`, is forgotten.
    pub fn leave(&mut self, hash: u32, time: i64, covered_from: i64) {
        if let Some(slot) = self.find(hash) {
            let value = &mut self.values[self.index[slot] as usize];
            value.left = value.left.max(time);
        }
        let Some(&longest) = self.windows.last() else { return };
        let rank = rank_of(hash);
        while let Some(ranked) = self.ranks.get(rank) {
            let oldest = ranked.oldest;
            if oldest == NIL || self.values[oldest as usize].seen > covered_from - longest {
                break;
            }
            self.forget(rank, oldest);
        }
    }

    /// The number of values in a window at a time that is no earlier than any event's.
    pub fn estimate(&mut self, window: usize, at: i64) -> u64 {
        let low = at - self.windows[window];
        if low > self.lows[window] {
            self.lows[window] = low;
            if low >= self.due[window] {
                self.expire(window);
            }
        }
        let low = self.lows[window];
        self.sampled(low, |recent, rank| u64::from(recent.live[rank * recent.windows.len() + window].count))
    }

    /// The number of values in a window at a time before some events in the block; `in_block` says
    /// whether the block has an event with a value, up to that time. Visits every value of the window.
    pub fn estimate_late(&self, window: usize, at: i64, in_block: impl Fn(u32) -> bool) -> u64 {
        let low = at - self.windows[window];
        self.sampled(low, |recent, rank| {
            let mut count = 0;
            let mut next = recent.ranks[rank].newest;
            while let Some(value) = recent.values.get(next as usize).filter(|value| value.seen > low) {
                let inside = value.seen <= at || value.left > low || in_block(value.hash);
                count += u64::from(inside);
                next = value.older;
            }
            count
        })
    }

    /// Adds up the ranks that know all their values after `low`, from the highest, and scales by
    /// the lowest of them.
    fn sampled(&self, low: i64, count: impl Fn(&Self, usize) -> u64) -> u64 {
        let mut sum = 0;
        let mut lowest = self.ranks.len();
        for rank in (0..self.ranks.len()).rev().take_while(|&rank| self.ranks[rank].dropped <= low) {
            sum += count(self, rank);
            lowest = rank;
        }
        sum << lowest
    }

    /// Moves the first live value of each rank past what has left the window.
    fn expire(&mut self, window: usize) {
        let low = self.lows[window];
        let mut due = i64::MAX;
        for rank in 0..self.ranks.len() {
            let live = &mut self.live[rank * self.windows.len() + window];
            while let Some(value) = self.values.get(live.first as usize) {
                if value.seen > low {
                    due = due.min(value.seen);
                    break;
                }
                live.first = value.newer;
                live.count -= 1;
            }
        }
        self.due[window] = due;
    }

    fn link(&mut self, rank: usize, value: u32) {
        let seen = self.values[value as usize].seen;
        // Late events are few and not very late, so the place is near the newest.
        let mut older = self.ranks[rank].newest;
        while older != NIL && self.values[older as usize].seen > seen {
            older = self.values[older as usize].older;
        }
        let newer = match older {
            NIL => std::mem::replace(&mut self.ranks[rank].oldest, value),
            older => std::mem::replace(&mut self.values[older as usize].newer, value),
        };
        match newer {
            NIL => self.ranks[rank].newest = value,
            newer => self.values[newer as usize].older = value,
        }
        let linked = &mut self.values[value as usize];
        (linked.older, linked.newer) = (older, newer);
        self.ranks[rank].len += 1;
        let windows = self.windows.len();
        for (window, live) in self.live[rank * windows..][..windows].iter_mut().enumerate() {
            if seen > self.lows[window] {
                live.count += 1;
                if live.first == newer {
                    live.first = value;
                    self.due[window] = self.due[window].min(seen);
                }
            }
        }
    }

    fn unlink(&mut self, rank: usize, value: u32) {
        let Value { older, newer, seen, .. } = self.values[value as usize];
        match older {
            NIL => self.ranks[rank].oldest = newer,
            older => self.values[older as usize].newer = newer,
        }
        match newer {
            NIL => self.ranks[rank].newest = older,
            newer => self.values[newer as usize].older = older,
        }
        self.ranks[rank].len -= 1;
        let windows = self.windows.len();
        for (live, &low) in self.live[rank * windows..][..windows].iter_mut().zip(&self.lows) {
            if seen > low {
                live.count -= 1;
                if live.first == value {
                    live.first = newer;
                }
            }
        }
    }

    fn add(&mut self, hash: u32, time: i64) -> u32 {
        if (self.used + 1) * 2 > self.index.len() as u32 {
            self.grow_index();
        }
        let fresh = Value { hash, older: NIL, newer: NIL, seen: time, left: i64::MIN };
        let position = match self.free {
            NIL => {
                self.values.push(fresh);
                self.values.len() as u32 - 1
            }
            free => {
                self.free = self.values[free as usize].newer;
                self.values[free as usize] = fresh;
                free
            }
        };
        self.put_index(position);
        self.used += 1;
        position
    }

    fn forget(&mut self, rank: usize, value: u32) {
        self.unlink(rank, value);
        let hash = self.values[value as usize].hash;
        if let Some(slot) = self.find(hash) {
            self.remove_index(slot);
        }
        self.values[value as usize].hash = 0;
        self.values[value as usize].newer = self.free;
        self.free = value;
        self.used -= 1;
    }

    fn home(&self, hash: u32) -> usize {
        // Ranks come from the high bits; the low ones are free.
        hash as usize & (self.index.len() - 1)
    }

    fn find(&self, hash: u32) -> Option<usize> {
        let mut slot = self.home(hash);
        loop {
            match self.index[slot] {
                NIL => return None,
                value if self.values[value as usize].hash == hash => return Some(slot),
                _ => slot = (slot + 1) & (self.index.len() - 1),
            }
        }
    }

    fn put_index(&mut self, value: u32) {
        let mut slot = self.home(self.values[value as usize].hash);
        while self.index[slot] != NIL {
            slot = (slot + 1) & (self.index.len() - 1);
        }
        self.index[slot] = value;
    }

    fn remove_index(&mut self, mut hole: usize) {
        let mask = self.index.len() - 1;
        let mut slot = hole;
        loop {
            slot = (slot + 1) & mask;
            let value = self.index[slot];
            if value == NIL {
                break;
            }
            let home = self.home(self.values[value as usize].hash);
            if slot.wrapping_sub(home) & mask >= slot.wrapping_sub(hole) & mask {
                self.index[hole] = value;
                hole = slot;
            }
        }
        self.index[hole] = NIL;
    }

    fn grow_index(&mut self) {
        let grown = vec![NIL; self.index.len() * 2].into();
        let old = std::mem::replace(&mut self.index, grown);
        for &value in old.iter().filter(|&&value| value != NIL) {
            self.put_index(value);
        }
    }

    pub fn write(&self, to: &mut Writer<'_>) -> Result<(), SnapshotError> {
        let signed = |list: &[i64]| list.iter().map(|&n| n as u64).collect::<Vec<_>>();
        to.list(&signed(&self.windows))?;
        to.list(&signed(&self.lows))?;
        to.list(&signed(&self.due))?;
        to.list(&self.index)?;
        to.number(u64::from(self.free) | u64::from(self.used) << 32)?;
        to.number(self.ranks.len() as u64)?;
        for rank in &self.ranks {
            to.number(u64::from(rank.oldest) | u64::from(rank.newest) << 32)?;
            to.number(u64::from(rank.len))?;
            to.number(rank.dropped as u64)?;
        }
        for live in &self.live {
            to.number(u64::from(live.first) | u64::from(live.count) << 32)?;
        }
        to.number(self.values.len() as u64)?;
        for value in &self.values {
            to.number(u64::from(value.hash))?;
            to.number(u64::from(value.older) | u64::from(value.newer) << 32)?;
            to.number(value.seen as u64)?;
            to.number(value.left as u64)?;
        }
        Ok(())
    }

    pub fn read(from: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        const MOST: usize = RANKS * (KEPT as usize + 1);
        let signed = |from: &mut Reader<'_>| -> Result<Box<[i64]>, SnapshotError> {
            let mut list: Vec<u64> = Vec::new();
            from.list_into(&mut list, super::plan::MAX_WINDOWS)?;
            Ok(list.into_iter().map(|n| n as i64).collect())
        };
        let (windows, lows, due) = (signed(from)?, signed(from)?, signed(from)?);
        let mut index: Vec<u32> = Vec::new();
        from.list_into(&mut index, 4 * MOST)?;
        let (free, used) = halves(from.number()?);
        let mut recent = Self {
            windows,
            lows,
            due,
            ranks: vec![],
            live: vec![],
            values: vec![],
            free,
            index: index.into(),
            used,
        };
        for _ in 0..from.count(RANKS)? {
            let (oldest, newest) = halves(from.number()?);
            let (len, dropped) = (from.number()? as u32, from.number()? as i64);
            recent.ranks.push(Rank { oldest, newest, len, dropped });
        }
        for _ in 0..recent.ranks.len() * recent.windows.len() {
            let (first, count) = halves(from.number()?);
            recent.live.push(Live { first, count });
        }
        for _ in 0..from.count(MOST)? {
            let hash = from.number()? as u32;
            let (older, newer) = halves(from.number()?);
            let (seen, left) = (from.number()? as i64, from.number()? as i64);
            recent.values.push(Value { hash, older, newer, seen, left });
        }
        Ok(recent)
    }
}

fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

fn rank_of(hash: u32) -> usize {
    (hash.leading_zeros() as usize).min(RANKS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::mix;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    fn hash(value: u64, seed: u64) -> u32 {
        ((mix(value.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ mix(seed + 1)) >> 32) as u32).max(1)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn up_to_three_thousand_values_the_count_is_exact(
            steps in prop::collection::vec((0i64..40_000, 0u64..300, 0i64..3), 1..800),
        ) {
            let windows = [HOUR, 3 * HOUR];
            let mut recent = Recent::new(&windows, 0);
            let mut seen: Vec<(i64, u64)> = Vec::new();
            let mut now = 0;
            for (step, value, late) in steps {
                now += step;
                let time = (now - late * late * 700_000).max(0);
                recent.arrive(hash(value, 0), time);
                recent.leave(hash(value, 0), time, now - HOUR);
                seen.push((time, value));
                for (window, length) in windows.into_iter().enumerate() {
                    let inside = seen.iter().filter(|(time, _)| *time > now - length).map(|(_, value)| value);
                    let exact = inside.collect::<std::collections::BTreeSet<_>>().len() as u64;
                    prop_assert_eq!(recent.estimate(window, now), exact);
                }
            }
        }
    }

    /// Relative errors over seeds, at several moments of a stream of (step in ms, values).
    fn standard_error(seeds: u64, phases: &[(i64, u64)]) -> Vec<f64> {
        let mut squares = vec![0.0; phases.len()];
        for seed in 0..seeds {
            let mut recent = Recent::new(&[HOUR], 0);
            let mut times = Vec::new();
            let mut now = 0;
            for (phase, &(step, values)) in phases.iter().enumerate() {
                for _ in 0..values {
                    now += step;
                    times.push(now);
                    recent.arrive(hash(times.len() as u64, seed), now);
                }
                let exact = times.iter().rev().take_while(|&&time| time > now - HOUR).count() as f64;
                let error = recent.estimate(0, now) as f64 / exact - 1.0;
                squares[phase] += error * error / seeds as f64;
            }
        }
        squares.into_iter().map(f64::sqrt).collect()
    }

    #[test]
    fn the_standard_error_stays_below_three_percent_also_when_a_burst_leaves_the_window() {
        // Dense, then sparse, and looked at while the last of the burst leaves the window.
        let mut phases = vec![(40, 20_000), (40, 40_000), (400, 6_000)];
        phases.extend([(2_000, 200); 6]);
        let errors = standard_error(40, &phases);
        // 40 seeds tell a standard error to within a tenth of itself; 2.55 % is the bound by design.
        assert!(errors.iter().all(|&error| error < 0.03), "{errors:?}");
        assert!(errors[1] > 0.0, "an estimate, not a count");
    }

    #[test]
    fn a_late_rating_does_not_count_what_came_after_it() {
        let mut recent = Recent::new(&[HOUR], 0);
        for i in 0..100u64 {
            recent.arrive(hash(i, 0), i as i64 * 60_000);
            recent.leave(hash(i, 0), i as i64 * 60_000, 0);
        }
        // 20 more in the block, half of them seen before.
        let block: Vec<(u64, i64)> = (90..110u64).map(|i| (i, (i + 10) as i64 * 60_000)).collect();
        block.iter().for_each(|&(value, time)| recent.arrive(hash(value, 0), time));
        let now = 119 * 60_000;
        assert_eq!(recent.estimate(0, now), 50);
        let at = 105 * 60_000;
        let in_block = |h: u32| block.iter().any(|&(value, time)| time <= at && hash(value, 0) == h);
        // Values 46 to 95: those of the minutes 46 to 99, and 90 to 95 again.
        assert_eq!(recent.estimate_late(0, at, in_block), 54);
    }

    #[test]
    fn memory_stays_bounded_whatever_the_number_of_values() {
        let mut recent = Recent::new(&[HOUR], 0);
        for i in 0..300_000u64 {
            recent.arrive(hash(i, 3), i as i64);
        }
        assert!(recent.bytes() < 1_000_000, "{}", recent.bytes());
    }
}
