//! The state as bytes: a snapshot only shortens the fold, it holds nothing of its own.
//!
//! Whole numbers, little-endian, in this order: magic and version; the settings; position; names;
//! recent rows; kept rows; occasions; what was sealed for good; monthly sums; and the BLAKE3 of
//! everything before it. Equal states give equal bytes.

use super::names::{Name, Named, Names};
use super::open::Open;
use super::row::{NAMED, Row};
use super::sealed::{Sealed, SealedMonth};
use super::tally::SLOTS;
use super::{Settings, Statistics};
use crate::date::{Day, Month};
use crate::wire::Channel;

const MAGIC: &[u8; 8] = b"zpstats1";
const CHECK_BYTES: usize = 32;

/// Why a snapshot cannot be used. The remedy is always the same: fold the log from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// Not a snapshot of statistics, or of another version.
    Version,
    /// Its bytes were changed or cut.
    Damaged,
    /// It was made with other [`Settings`].
    Settings,
}

impl std::fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Version => {
                "not a snapshot of statistics that this version reads; fold the log from its start"
            }
            Self::Damaged => "the snapshot of statistics is damaged; fold the log from its start",
            Self::Settings => {
                "the snapshot of statistics was made with other settings; fold the log from its start"
            }
        })
    }
}

impl std::error::Error for SnapshotError {}

impl Statistics {
    /// The state as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(64 + self.open.recent.len() * 46));
        out.0.extend_from_slice(MAGIC);
        out.settings(&self.settings);
        out.u64(self.position);
        out.u64(self.names.iter().len() as u64);
        self.names.iter().for_each(|name| out.name(name));
        out.u8(u8::from(self.names.overflowed));
        out.u64(self.open.recent.len() as u64);
        self.open.recent.iter().for_each(|row| out.row(row));
        out.u64(self.open.kept.len() as u64);
        self.open.kept.values().for_each(|row| out.row(row));
        out.u64(self.open.group_of.len() as u64);
        for (&member, &root) in &self.open.group_of {
            out.u64(member);
            out.u64(root);
        }
        out.u8(u8::from(self.open.settled_through.is_some()));
        out.u64(self.open.settled_through.unwrap_or(0));
        out.u64(self.open.unjoined);
        out.u32(self.sealed.from.number() as u32);
        out.u64(self.sealed.months.len() as u64);
        for (month, sealed) in &self.sealed.months {
            out.month(*month, sealed);
        }
        let check = blake3::hash(&out.0);
        out.0.extend_from_slice(check.as_bytes());
        out.0
    }

    /// The state from bytes that [`Statistics::snapshot`] gave under the same settings.
    ///
    /// # Errors
    /// Another version, damaged, or made with other settings.
    pub fn restore(bytes: &[u8], settings: Settings) -> Result<Self, SnapshotError> {
        if !bytes.starts_with(MAGIC) {
            return Err(SnapshotError::Version);
        }
        let body = bytes.len().checked_sub(CHECK_BYTES).ok_or(SnapshotError::Damaged)?;
        let (body, check) = bytes.split_at(body);
        if blake3::hash(body).as_bytes() != check {
            return Err(SnapshotError::Damaged);
        }
        let mut reader = Reader(body.get(MAGIC.len()..).ok_or(SnapshotError::Damaged)?);
        let mut expected = Writer(Vec::new());
        expected.settings(&settings);
        if reader.take(expected.0.len()) != Some(&expected.0) {
            return Err(SnapshotError::Settings);
        }
        reader.state(settings).ok_or(SnapshotError::Damaged)
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Those settings that the state depends on; from when a clerk's figures are shown does not.
    fn settings(&mut self, settings: &Settings) {
        self.u16(settings.offset.minutes() as u16);
        self.u64(settings.open_ratings as u64);
        self.u64(settings.names as u64);
        self.u64(settings.sealed_months as u64);
    }

    fn name(&mut self, name: &Name) {
        self.u8(name.dimension as u8);
        self.u32(name.department);
        self.u32(name.code.len() as u32);
        self.0.extend_from_slice(name.code.as_bytes());
    }

    fn row(&mut self, row: &Row) {
        self.u64(row.sequence);
        self.u32(row.day.number() as u32);
        self.u32(row.levels);
        self.u16(row.flags);
        self.u8(row.corrections);
        self.u8(row.channel as u8);
        row.keys.iter().for_each(|&key| self.u32(key));
    }

    fn month(&mut self, month: Month, sealed: &SealedMonth) {
        self.u32(month.number() as u32);
        self.u8(u8::from(sealed.days.is_some()));
        let (first, last) = sealed.days.unwrap_or_default();
        self.u32(first.number() as u32);
        self.u32(last.number() as u32);
        for sums in &sealed.sums {
            self.u64(sums.len() as u64);
            for (&key, sum) in sums {
                self.u32(key);
                self.u8(sum.0.len() as u8);
                for &(slot, amount) in &sum.0 {
                    self.u8(slot);
                    self.u64(amount);
                }
            }
        }
    }
}

/// Reads what [`Writer`] wrote; `None` for anything that it would not have written.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|bytes| bytes[0])
    }

    fn flag(&mut self) -> Option<bool> {
        [Some(false), Some(true)].get(usize::from(self.u8()?)).copied()?
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn day(&mut self) -> Option<Day> {
        Day::from_number(i32::try_from(self.u32()?).ok()?)
    }

    fn month_number(&mut self) -> Option<Month> {
        Month::from_number(i32::try_from(self.u32()?).ok()?)
    }

    fn state(mut self, settings: Settings) -> Option<Statistics> {
        let position = self.u64()?;
        let mut names = Names::new(settings.names);
        for _ in 0..self.u64()? {
            let name = self.name(&names)?;
            names.push(name);
        }
        names.overflowed = self.flag()?;
        let mut open = Open::new(settings.open_ratings);
        for _ in 0..self.u64()? {
            let row = self.row(&names)?;
            if open.recent.back().is_some_and(|last| last.sequence >= row.sequence) {
                return None;
            }
            open.recent.push_back(row);
        }
        for _ in 0..self.u64()? {
            let row = self.row(&names)?;
            open.kept.insert(row.sequence, row);
        }
        for _ in 0..self.u64()? {
            let (member, root) = (self.u64()?, self.u64()?);
            open.regroup(member, root)?;
        }
        let settled = self.flag()?;
        let through = self.u64()?;
        open.settled_through = settled.then_some(through);
        open.unjoined = self.u64()?;
        let mut sealed = Sealed::new(settings.sealed_months);
        sealed.from = self.month_number()?;
        for _ in 0..self.u64()? {
            let month = self.month_number()?;
            sealed.months.insert(month, self.month(&names)?);
        }
        self.0.is_empty().then_some(Statistics { settings, position, names, open, sealed })
    }

    fn name(&mut self, names: &Names) -> Option<Name> {
        let dimension = *Named::ALL.get(usize::from(self.u8()?))?;
        let department = self.u32()?;
        let length = usize::try_from(self.u32()?).ok()?;
        let code = std::str::from_utf8(self.take(length)?).ok()?.into();
        names.knows(department).then_some(Name { dimension, department, code })
    }

    fn row(&mut self, names: &Names) -> Option<Row> {
        let row = Row {
            sequence: self.u64()?,
            day: self.day()?,
            levels: self.u32()?,
            flags: self.u16()?,
            corrections: self.u8()?,
            channel: Channel::from_index(self.u8()?)?,
            keys: {
                let mut keys = [0; NAMED];
                for key in &mut keys {
                    *key = self.u32()?;
                }
                keys
            },
        };
        (row.is_sound() && row.keys.iter().all(|&key| names.knows(key))).then_some(row)
    }

    fn month(&mut self, names: &Names) -> Option<SealedMonth> {
        let has_days = self.flag()?;
        let days = (self.day()?, self.day()?);
        let mut month = SealedMonth { days: has_days.then_some(days), ..SealedMonth::default() };
        for (dimension, sums) in month.sums.iter_mut().enumerate() {
            for _ in 0..self.u64()? {
                let key = self.u32()?;
                let mut sum = super::tally::Sparse::default();
                for _ in 0..self.u8()? {
                    let (slot, amount) = (self.u8()?, self.u64()?);
                    if usize::from(slot) >= SLOTS {
                        return None;
                    }
                    sum.add(slot, amount);
                }
                if dimension < NAMED && !names.knows(key) {
                    return None;
                }
                sums.insert(key, sum);
            }
        }
        Some(month)
    }
}
