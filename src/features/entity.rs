//! One key's block: a header and its recent events, sorted by time.
//!
//! ```text
//! word 0–1  key
//! word 2    group, room, start, length (8 bits each)
//! word 3    position of the hot state plus one; 0 where there is none
//! word 4    what the events cover: nothing after this time is forgotten (in 2048 ms; 0: ever)
//! then      room × event word (time in ms << 16 | bits), low half first
//! then      columns × room × 32 bits
//! ```
//!
//! Events stand at `start .. start + length` of each array, oldest first. Unused places of columns
//! are 0, so that a search for a value never finds an event that is gone.

use super::arena::META;
use super::plan::{Group, MAX_COLUMNS, MAX_EVENTS, has};

/// Times that an event word can hold: from 1970 for 4 000 years.
pub(super) const TIMES: std::ops::Range<i64> = 0..1 << 47;

const HEADER: usize = 5;
const HOT: usize = 3;
const COVERED: usize = 4;
/// Unit of the header's cover, as a shift of milliseconds.
const COVER_SHIFT: u32 = 11;

/// Words of an entity with room for this many events.
pub(super) fn words(events: usize, columns: usize) -> usize {
    HEADER + events * (2 + columns)
}

/// Events that fit into a block.
pub(super) fn room(words: usize, columns: usize) -> usize {
    (words - HEADER) / (2 + columns)
}

/// One event on its way into an entity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// Time and bits.
    pub word: u64,
    pub columns: [u32; MAX_COLUMNS],
}

impl Event {
    pub fn time(&self) -> i64 {
        time_of(self.word)
    }

    pub fn mask(&self) -> u16 {
        self.word as u16
    }
}

/// The time of an event word.
#[inline]
pub(super) fn time_of(word: u64) -> i64 {
    (word >> 16) as i64
}

/// The event word of a time and bits.
#[inline]
pub(super) fn word_of(time: i64, mask: u16) -> u64 {
    (time as u64) << 16 | u64::from(mask)
}

/// The key of a block.
#[inline]
pub(super) fn key(block: &[u32]) -> u64 {
    u64::from(block[0]) | u64::from(block[1]) << 32
}

/// The group of a block.
#[inline]
pub(super) fn group(block: &[u32]) -> usize {
    (block[META] & 0xff) as usize
}

/// Writes the header of an entity without events.
pub(super) fn start(block: &mut [u32], position: usize, group: &Group, key: u64, covered_from: i64) {
    block[0] = key as u32;
    block[1] = (key >> 32) as u32;
    block[META] = position as u32 | u32::from(group.rooms[0]) << 8;
    block[HOT] = 0;
    block[COVERED] = 0;
    cover(block, covered_from);
    clear_columns(block, usize::from(group.rooms[0]), group.columns.len());
}

/// Zeroes the columns of a fresh block.
fn clear_columns(block: &mut [u32], room: usize, columns: usize) {
    block[HEADER + 2 * room..HEADER + (2 + columns) * room].fill(0);
}

/// Says that events up to this time may be forgotten (rounded up, so never too little).
pub(super) fn cover(block: &mut [u32], covered_from: i64) {
    let coarse = covered_from.max(0).saturating_add((1 << COVER_SHIFT) - 1) >> COVER_SHIFT;
    block[COVERED] = block[COVERED].max(coarse.min(i64::from(u32::MAX)) as u32);
}

/// The time up to which events may be forgotten; `i64::MIN` where none is.
#[inline]
pub(super) fn covered_from(block: &[u32]) -> i64 {
    match block[COVERED] {
        0 => i64::MIN,
        coarse => i64::from(coarse) << COVER_SHIFT,
    }
}

/// Position of the hot state.
#[inline]
pub(super) fn hot(block: &[u32]) -> Option<u32> {
    block[HOT].checked_sub(1)
}

/// Sets the position of the hot state.
pub(super) fn set_hot(block: &mut [u32], position: Option<u32>) {
    block[HOT] = position.map_or(0, |position| position + 1);
}

/// The step of a block's size.
pub(super) fn step(block: &[u32], group: &Group) -> usize {
    // Steps of one size have one room; the last of them is the one to grow from.
    let room = (block[META] >> 8) as u8;
    group.rooms.iter().rposition(|&step| step == room).unwrap_or(0)
}

/// Whether the events are all that the key ever had, and none is hot: the common case.
#[inline]
pub(super) fn is_plain(block: &[u32]) -> bool {
    block[HOT] | block[COVERED] == 0
}

fn set_span(block: &mut [u32], start: usize, len: usize) {
    block[META] = block[META] & 0xffff | (start as u32) << 16 | (len as u32) << 24;
}

/// The events of a block.
#[derive(Clone, Copy)]
pub(super) struct Events<'b> {
    block: &'b [u32],
    room: usize,
    start: usize,
    len: usize,
}

impl<'b> Events<'b> {
    #[inline]
    pub fn of(block: &'b [u32]) -> Self {
        let [_, room, start, len] = block[META].to_le_bytes().map(usize::from);
        Self { block, room, start, len }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The event words as pairs, oldest first.
    #[inline]
    pub fn words(&self) -> &'b [[u32; 2]] {
        let from = HEADER + 2 * self.start;
        self.block[from..from + 2 * self.len].as_chunks().0
    }

    /// A column, oldest first.
    #[inline]
    pub fn column(&self, column: u8) -> &'b [u32] {
        let from = HEADER + (2 + usize::from(column)) * self.room + self.start;
        &self.block[from..from + self.len]
    }

    /// The word of an event.
    #[inline]
    pub fn word(&self, i: usize) -> u64 {
        join(self.words()[i])
    }

    /// Time of the newest event.
    #[inline]
    pub fn newest(&self) -> i64 {
        if self.len == 0 { i64::MIN } else { time_of(self.word(self.len - 1)) }
    }

    /// A whole event.
    pub fn event(&self, i: usize, columns: usize) -> Event {
        let mut event = Event { word: self.word(i), columns: [0; MAX_COLUMNS] };
        for (column, value) in event.columns[..columns].iter_mut().enumerate() {
            *value = self.column(column as u8)[i];
        }
        event
    }

    /// How many events are at or before a time that is near the newest.
    #[inline]
    pub fn until(&self, time: i64) -> usize {
        let later = self.words().iter().rev().take_while(|&&word| time_of(join(word)) > time).count();
        self.len - later
    }

    /// How many events are at or before a time that is near the oldest.
    #[inline]
    pub fn expired(&self, time: i64) -> usize {
        self.words().iter().take_while(|&&word| time_of(join(word)) <= time).count()
    }
}

/// An event word from its halves.
#[inline]
pub(super) fn join([low, high]: [u32; 2]) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// Drops the oldest events.
pub(super) fn drop_oldest(block: &mut [u32], group: &Group, count: usize) {
    let events = Events::of(block);
    let (room, start, len) = (events.room, events.start, events.len - count);
    for column in 0..group.columns.len() {
        let from = HEADER + (2 + column) * room + start;
        block[from..from + count].fill(0);
    }
    set_span(block, if len == 0 { 0 } else { start + count }, len);
}

/// Whether an event can be inserted without a larger block, and without one that must leave.
#[inline]
pub(super) fn has_room(block: &[u32]) -> bool {
    let events = Events::of(block);
    events.len < events.room.min(MAX_EVENTS)
}

/// Word of the newest event, which every use of an entity looks at first.
#[inline]
pub(super) fn newest_word(block: &[u32]) -> usize {
    let (start, len) = (block[META] >> 16 & 0xff, block[META] >> 24);
    HEADER + 2 * (start + len) as usize
}

/// Appends an event to a plain entity; `false`, and nothing is done, if the event is not the newest
/// or there is no room at the end. Keeps the newest bits like [`insert`].
#[inline]
pub(super) fn append(block: &mut [u32], group: &Group, event: &Event) -> bool {
    let [_, room, start, len] = block[META].to_le_bytes().map(usize::from);
    let end = start + len;
    if end >= room || len >= MAX_EVENTS {
        return false;
    }
    let (head, body) = block.split_at_mut(HEADER);
    let (words, columns) = body.split_at_mut(2 * room);
    let words = words.as_chunks_mut().0;
    if len > 0 && time_of(join(words[end - 1])) > event.time() {
        return false;
    }
    let mut mask = event.mask();
    for newest in &group.newest {
        let column = usize::from(newest.column);
        let hash = event.columns[column];
        if hash == 0 || !has(mask, newest.test_bit) {
            continue;
        }
        mask |= 1 << newest.bit;
        let values = &columns[column * room + start..column * room + end];
        if values.contains(&hash) {
            let older = values.iter().zip(&mut words[start..end]).rev();
            let mut same =
                older.filter(|(value, word)| **value == hash && has(word[0] as u16, newest.test_bit));
            if let Some((_, word)) = same.next() {
                word[0] &= !(1 << newest.bit);
            }
        }
    }
    let word = event.word | u64::from(mask);
    words[end] = [word as u32, (word >> 32) as u32];
    for (column, value) in columns.chunks_exact_mut(room).zip(&event.columns[..group.columns.len()]) {
        column[end] = *value;
    }
    head[META] += 1 << 24;
    true
}

/// Inserts an event at its place: after those of the same time. Keeps the newest bits right: of
/// the events with one value of a field that pass a test, only the newest has the bit.
///
/// The block must have room.
pub(super) fn insert(block: &mut [u32], group: &Group, mut event: Event) {
    let columns = group.columns.len();
    let events = Events::of(block);
    let (room, mut first, len) = (events.room, events.start, events.len);
    let place = events.until(event.time());

    let mut mask = event.mask();
    for newest in &group.newest {
        let hash = event.columns[usize::from(newest.column)];
        if hash == 0 || !has(mask, newest.test_bit) {
            continue;
        }
        mask |= 1 << newest.bit;
        let events = Events { block, room, start: first, len };
        let column = events.column(newest.column);
        if !column.contains(&hash) {
            continue;
        }
        let same = |i: &usize| column[*i] == hash && has(events.word(*i) as u16, newest.test_bit);
        if (place..len).any(|i| same(&i)) {
            mask &= !(1 << newest.bit);
        } else if let Some(older) = (0..place).rev().find(same) {
            // The low half of the word holds the bits.
            block[HEADER + 2 * (first + older)] &= !(1 << newest.bit);
        }
    }
    event.word |= u64::from(mask);

    if first + len == room {
        move_to_front(block, room, first, len, columns);
        first = 0;
    }
    let at = first + place;
    let end = first + len;
    if at < end {
        block.copy_within(HEADER + 2 * at..HEADER + 2 * end, HEADER + 2 * at + 2);
    }
    block[HEADER + 2 * at] = event.word as u32;
    block[HEADER + 2 * at + 1] = (event.word >> 32) as u32;
    for (column, &value) in event.columns[..columns].iter().enumerate() {
        let base = HEADER + (2 + column) * room;
        if at < end {
            block.copy_within(base + at..base + end, base + at + 1);
        }
        block[base + at] = value;
    }
    set_span(block, first, len + 1);
}

fn move_to_front(block: &mut [u32], room: usize, start: usize, len: usize, columns: usize) {
    block.copy_within(HEADER + 2 * start..HEADER + 2 * (start + len), HEADER);
    for column in 0..columns {
        let base = HEADER + (2 + column) * room;
        block.copy_within(base + start..base + start + len, base);
        block[base + len.max(start)..base + start + len].fill(0);
    }
    set_span(block, 0, len);
}

/// Copies an entity into a block of another step.
pub(super) fn copy(from: &[u32], to: &mut [u32], group: &Group, step: usize) {
    let columns = group.columns.len();
    let events = Events::of(from);
    let room = usize::from(group.rooms[step]);
    to[..HEADER].copy_from_slice(&from[..HEADER]);
    to[META] = from[META] & 0xff | (room as u32) << 8;
    clear_columns(to, room, columns);
    to[HEADER..HEADER + 2 * events.len].copy_from_slice(events.words().as_flattened());
    for column in 0..columns {
        let base = HEADER + (2 + column) * room;
        to[base..base + events.len].copy_from_slice(events.column(column as u8));
    }
    set_span(to, 0, events.len);
}
