//! How declarations become state: which counters share a look-up, and what one event keeps.
//!
//! Counters with the same keys form a group. A group keeps per key one *entity*: its recent events,
//! sorted by time. An event is a word of time and 16 bits, and 32 bits for each column. A bit says
//! that the rating meets a test, or that it is the newest of those with its value of a field; so
//! counts, shares and distinct counts alike are sums of bits over the events in a window.

use std::collections::HashMap;

use super::counter::{Counter, Measure, Numeric};
use super::keys::{KeyField, Keys};
use super::{arena, entity, mix};
use crate::catalogue::FeatureId;
use crate::time::HOUR_MS;

/// Ratings up to this much behind the watermark are put where they belong; later ones are missing.
pub const LATENESS_MS: i64 = 72 * HOUR_MS;
/// Most different lists of keys of a set.
pub(super) const MAX_KEY_LISTS: usize = 32;
/// Most distinct conditions of a set.
pub(super) const MAX_CONDITIONS: usize = 64;
/// Most events that an entity keeps.
pub(super) const MAX_EVENTS: usize = 64;
/// Most columns of a group; more make a second group with the same keys.
pub(super) const MAX_COLUMNS: usize = 8;
/// Most distinct windows of a group.
pub(super) const MAX_WINDOWS: usize = 8;
/// Bits of an event.
const MAX_BITS: usize = 16;
/// The bit above the stored ones, which every event has: no test at all.
pub(super) const ALL: u8 = MAX_BITS as u8;
/// Columns of a full entity are longer than [`MAX_EVENTS`], so that only every 16th event moves them.
const SLACK: usize = 16;
/// Sizes that an entity grows through, in events.
pub(super) const STEPS: usize = 7;
const STEP_EVENTS: [usize; STEPS] = [1, 2, 4, 8, 16, 32, MAX_EVENTS + SLACK];

/// Whether an event's bits include this one.
#[inline]
pub(super) fn has(mask: u16, bit: u8) -> bool {
    (u32::from(mask) | 1 << ALL) >> bit & 1 == 1
}

/// The layout of a whole set.
#[derive(Debug)]
pub(super) struct Plan {
    pub groups: Box<[Group]>,
    /// What is asked of each rating once, whatever the number of counters.
    pub tests: Box<[Test]>,
    /// Fields of which some counter counts distinct values.
    pub hashed: Box<[KeyField]>,
}

/// A question about one rating, answered from the conditions' truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Test {
    /// The `where` condition, which must hold.
    pub filter: Option<u16>,
    /// The condition of a share, and whether it must hold or only be known.
    pub share: Option<(u16, Needs)>,
}

/// What a share needs of its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// To be true: the numerator.
    True,
    /// To be known: the denominator.
    Known,
}

/// What a column of an event holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    /// 32 bits of a field's hash; 0 where absent.
    Hash(KeyField),
    /// A feature as `f32`; NaN where missing.
    Value(Numeric),
}

/// The bit of the newest event with its value in a column, among those that pass a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    pub bit: u8,
    pub test_bit: u8,
    pub column: u8,
}

/// One moment of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Sum,
    Mean,
    Stddev,
}

/// How a counter's value is read off an entity. `tail` is its part beyond the kept events.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    Count { bit: u8, tail: u8 },
    Share { held: u8, known: u8, tail: u8 },
    Distinct { newest: u8, bit: u8, column: u8, tail: u8, tail_window: u8 },
    Moment { moment: Moment, bit: u8, column: u8, tail: u8 },
    GapCv { bit: u8, tail: u8 },
}

/// What a hot key keeps beyond its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub kind: TailKind,
    pub bit: u8,
    pub column: u8,
    /// Ascending; one, except for distinct values.
    pub windows: Vec<i64>,
}

impl Tail {
    /// Whether it can also serve this window.
    fn takes(&self, window: i64) -> bool {
        self.kind == TailKind::Distinct || self.windows == [window]
    }

    /// Its longest window.
    pub fn longest(&self) -> i64 {
        self.windows.last().copied().unwrap_or(0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TailKind {
    Count,
    /// Of those with the tail's bit, how many have this one too.
    Share {
        held: u8,
    },
    Moments,
    Gaps,
    Distinct,
}

/// One counter within its group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub id: FeatureId,
    /// Position in the set.
    pub counter: u16,
    /// Its window, in milliseconds.
    pub window: i64,
    pub reading: Reading,
}

/// Counters that share keys, and the layout of their entities.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub by: Vec<KeyField>,
    salt: u64,
    /// An event this much behind the watermark can matter to no rating any more.
    pub horizon_ms: i64,
    pub columns: Vec<Column>,
    /// Tests behind the first bits of an event; the bits of [`Self::newest`] follow them.
    pub bits: Vec<u16>,
    pub newest: Vec<Newest>,
    /// Whether an event has more than 8 bits.
    pub wide: bool,
    /// Shortest window first, so that one pass over the events, newest first, serves all.
    pub slots: Vec<Slot>,
    pub tails: Vec<Tail>,
    /// Block class of each step.
    pub classes: [u8; STEPS],
    /// Events that a block of each step has room for.
    pub rooms: [u8; STEPS],
}

impl Group {
    /// One key of this group for a rating; 0 where one of its fields is absent.
    #[inline]
    pub fn key(&self, keys: &Keys) -> u64 {
        let mut combined = self.salt;
        for &field in &self.by {
            let key = keys.get(field);
            if key == 0 {
                return 0;
            }
            combined = mix(combined ^ key);
        }
        combined.max(1)
    }

    /// The bits that stand for tests.
    pub fn test_bits(&self) -> u16 {
        ((1u32 << self.bits.len()) - 1) as u16
    }
}

impl Plan {
    pub fn new(counters: &[Counter]) -> Self {
        let mut tests = Vec::new();
        for test in counters.iter().flat_map(tests_of).flatten() {
            push_new(&mut tests, test);
        }
        let mut members: Vec<Vec<&Counter>> = Vec::new();
        for counter in counters {
            let fitting = members.iter_mut().find(|group| {
                let with = group.iter().copied().chain([counter]);
                group[0].by == counter.by && Draft::new(with, &tests).fits()
            });
            match fitting {
                Some(group) => group.push(counter),
                None => members.push(vec![counter]),
            }
        }
        let positions: HashMap<FeatureId, u16> =
            counters.iter().enumerate().map(|(i, counter)| (counter.id, i as u16)).collect();
        let groups: Box<[Group]> = members
            .iter()
            .enumerate()
            .map(|(i, group)| Draft::new(group.iter().copied(), &tests).finish(group, i, &positions))
            .collect();
        let mut hashed: Vec<KeyField> = groups
            .iter()
            .flat_map(|group| &group.columns)
            .filter_map(|column| match column {
                Column::Hash(field) => Some(*field),
                Column::Value(_) => None,
            })
            .collect();
        hashed.sort_unstable();
        hashed.dedup();
        Self { groups, tests: tests.into(), hashed: hashed.into() }
    }

    /// The same layout, each counter read under the id that `place` gives it, if any.
    pub fn placed(&self, place: impl Fn(u16) -> Option<FeatureId>) -> Self {
        let groups = self.groups.iter().map(|group| {
            let mut group = group.clone();
            group.slots.retain_mut(|slot| place(slot.counter).map(|id| slot.id = id).is_some());
            group
        });
        Self { groups: groups.collect(), tests: self.tests.clone(), hashed: self.hashed.clone() }
    }
}

/// The tests of a counter: its filter, or a share's numerator and denominator. `None` where every
/// rating counts.
fn tests_of(counter: &Counter) -> [Option<Test>; 2] {
    let filter = counter.condition.map(|id| id.0);
    match counter.measure {
        Measure::Share(id) => {
            [Needs::True, Needs::Known].map(|needs| Some(Test { filter, share: Some((id.0, needs)) }))
        }
        _ => [filter.map(|filter| Test { filter: Some(filter), share: None }), None],
    }
}

/// The column that a counter reads.
fn column_of(counter: &Counter) -> Option<Column> {
    match counter.measure {
        Measure::Distinct(field) => Some(Column::Hash(field)),
        Measure::Sum(of) | Measure::Mean(of) | Measure::Stddev(of) => Some(Column::Value(of)),
        Measure::Count | Measure::GapCv | Measure::Share(_) => None,
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// Position of an item that is known to be in the list.
fn index_of<T: PartialEq>(list: &[T], item: &T) -> usize {
    let found = list.iter().position(|other| other == item);
    debug_assert!(found.is_some());
    found.unwrap_or(0)
}

/// Position within a group, whose lists are all short.
fn place_of<T: PartialEq>(list: &[T], item: &T) -> u8 {
    index_of(list, item) as u8
}

/// The bits, columns and windows that some counters need together.
struct Draft<'t> {
    all_tests: &'t [Test],
    windows: Vec<i64>,
    columns: Vec<Column>,
    bits: Vec<u16>,
    /// Test and column of each newest bit.
    newest: Vec<(Option<Test>, Column)>,
}

impl<'t> Draft<'t> {
    fn new<'c>(members: impl Iterator<Item = &'c Counter>, all_tests: &'t [Test]) -> Self {
        let mut draft = Self { all_tests, windows: vec![], columns: vec![], bits: vec![], newest: vec![] };
        for counter in members {
            push_new(&mut draft.windows, counter.window_ms);
            let tests = tests_of(counter);
            for test in tests.into_iter().flatten() {
                push_new(&mut draft.bits, index_of(all_tests, &test) as u16);
            }
            if let Some(column) = column_of(counter) {
                push_new(&mut draft.columns, column);
                if let Column::Hash(_) = column {
                    push_new(&mut draft.newest, (tests[0], column));
                }
            }
        }
        draft.windows.sort_unstable();
        draft.columns.sort_unstable();
        draft
    }

    fn fits(&self) -> bool {
        self.bits.len() + self.newest.len() <= MAX_BITS
            && self.columns.len() <= MAX_COLUMNS
            && self.windows.len() <= MAX_WINDOWS
    }

    fn bit_of(&self, test: Option<Test>) -> u8 {
        test.map_or(ALL, |test| place_of(&self.bits, &(index_of(self.all_tests, &test) as u16)))
    }

    /// The tail of a counter, without its windows: what it keeps, of which bit, from which column.
    fn tail_of(&self, counter: &Counter) -> (TailKind, u8, u8) {
        let [first, second] = tests_of(counter).map(|test| self.bit_of(test));
        let column = column_of(counter).map_or(0, |column| place_of(&self.columns, &column));
        match counter.measure {
            Measure::Count => (TailKind::Count, first, column),
            Measure::Share(_) => (TailKind::Share { held: first }, second, column),
            Measure::Distinct(_) => (TailKind::Distinct, first, column),
            Measure::Sum(_) | Measure::Mean(_) | Measure::Stddev(_) => (TailKind::Moments, first, column),
            Measure::GapCv => (TailKind::Gaps, first, column),
        }
    }

    fn tails(&self, members: &[&Counter]) -> Vec<Tail> {
        let mut tails: Vec<Tail> = Vec::new();
        for counter in members {
            let (kind, bit, column) = self.tail_of(counter);
            let window = counter.window_ms;
            let same = |t: &&mut Tail| (t.kind, t.bit, t.column) == (kind, bit, column);
            match tails.iter_mut().filter(same).find(|t| t.takes(window)) {
                Some(tail) => push_new(&mut tail.windows, window),
                None => tails.push(Tail { kind, bit, column, windows: vec![window] }),
            }
        }
        for tail in &mut tails {
            tail.windows.sort_unstable();
        }
        tails
    }

    fn slot(&self, counter: &Counter, tails: &[Tail], newest: &[Newest], position: u16) -> Slot {
        let window = counter.window_ms;
        let own = self.tail_of(counter);
        let same = |t: &Tail| (t.kind, t.bit, t.column) == own && t.windows.contains(&window);
        let tail = tails.iter().position(same).map_or(0, |i| i as u8);
        let tests = tests_of(counter);
        let bit = self.bit_of(tests[0]);
        let column = column_of(counter).map_or(0, |column| place_of(&self.columns, &column));
        let moment = |moment| Reading::Moment { moment, bit, column, tail };
        let reading = match counter.measure {
            Measure::Count => Reading::Count { bit, tail },
            Measure::Share(_) => Reading::Share { held: bit, known: self.bit_of(tests[1]), tail },
            Measure::Distinct(_) => {
                let own = newest.iter().find(|n| n.test_bit == bit && n.column == column);
                let tail_window = place_of(&tails[usize::from(tail)].windows, &window);
                Reading::Distinct { newest: own.map_or(ALL, |n| n.bit), bit, column, tail, tail_window }
            }
            Measure::Sum(_) => moment(Moment::Sum),
            Measure::Mean(_) => moment(Moment::Mean),
            Measure::Stddev(_) => moment(Moment::Stddev),
            Measure::GapCv => Reading::GapCv { bit, tail },
        };
        Slot { id: counter.id, counter: position, window, reading }
    }

    fn finish(self, members: &[&Counter], group: usize, positions: &HashMap<FeatureId, u16>) -> Group {
        let newest: Vec<Newest> = self
            .newest
            .iter()
            .enumerate()
            .map(|(i, (test, column))| Newest {
                bit: (self.bits.len() + i) as u8,
                test_bit: self.bit_of(*test),
                column: place_of(&self.columns, column),
            })
            .collect();
        let tails = self.tails(members);
        let slot = |counter: &&Counter| self.slot(counter, &tails, &newest, positions[&counter.id]);
        let mut slots: Vec<Slot> = members.iter().map(slot).collect();
        slots.sort_by_key(|slot| slot.window);

        let classes = STEP_EVENTS.map(|events| arena::class_for(entity::words(events, self.columns.len())));
        let rooms = classes.map(|class| entity::room(arena::class_words(class), self.columns.len()) as u8);
        let by = members[0].by.clone();
        let longest = self.windows.last().copied().unwrap_or(0);
        Group {
            salt: mix(by.iter().fold(group as u64 + 1, |salt, field| mix(salt ^ field.salt()))),
            by,
            horizon_ms: longest + LATENESS_MS,
            columns: self.columns,
            wide: self.bits.len() + newest.len() > 8,
            bits: self.bits,
            newest,
            slots,
            tails,
            classes,
            rooms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::features::counter::CounterSet;

    fn set(text: &str) -> CounterSet {
        CounterSet::parse(&[("t.toml".into(), text.into())], &mut Catalogue::builtin()).unwrap()
    }

    fn counter(i: usize, of: &str, by: &str, filter: &str, window: &str) -> String {
        let filter = if filter.is_empty() { String::new() } else { format!("where = \"{filter}\"\n") };
        format!(
            "[[counter]]\nname = \"t.c{i}\"\nof = \"{of}\"\nby = [{by}]\n{filter}window = \"{window}\"\n\
             text = {{ zh = \"{{value}}\", en = \"{{value}}\" }}\n"
        )
    }

    #[test]
    fn counters_with_the_same_keys_share_one_look_up_and_equal_needs_are_kept_once() {
        let text = [
            counter(0, "distinct rater", "\"device\"", "", "24h"),
            counter(1, "distinct rater", "\"device\"", "", "7d"),
            counter(2, "count", "\"device\"", "stars >= 4", "7d"),
            counter(3, "share(stars >= 4)", "\"device\"", "", "7d"),
            counter(4, "count", "\"rater\"", "", "7d"),
        ]
        .concat();
        let set = set(&text);
        assert_eq!(set.groups(), 2);
        let device = &set.plan.groups[0];
        assert_eq!((device.columns.len(), device.newest.len(), device.bits.len()), (1, 1, 3));
        assert_eq!(device.tails.iter().filter(|t| t.kind == TailKind::Distinct).count(), 1);
    }

    #[test]
    fn what_does_not_fit_one_event_makes_a_second_group_with_the_same_keys() {
        let text: String = (0..20)
            .map(|i| counter(i, "count", "\"device\"", &format!("timing.hour == {i}"), "1h"))
            .collect();
        let set = set(&text);
        assert_eq!(set.groups(), 2);
        assert_eq!(set.plan.groups.iter().map(|g| g.slots.len()).sum::<usize>(), 20);
        assert_ne!(set.plan.groups[0].salt, set.plan.groups[1].salt);
    }
}
