//! Reference tables: what the operator knows beforehand.
//!
//! All are optional CSV files in one folder (`docs/reference.md` has the format):
//!
//! | file | says | sets |
//! |---|---|---|
//! | `terminals.csv` | the registered terminals | `device.class`: `official` for these, `unregistered` for others |
//! | `helpers.csv` | devices of official helpers | `device.class`: `helper` |
//! | `staff.csv` | staff with their department | `reference.staff`, `reference.own_department` |
//! | `opening_hours.csv` | when halls are open | `timing.open` |
//! | `holidays.csv` | holidays and make-up working days | `timing.open`, the working days after which holds lapse |
//! | `closed_cases.csv` | cases closed per window and day | `reference.over_closed` |
//!
//! Identifiers of people and of their devices become pseudonyms as the tables are read
//! ([`References::read`]); what goes into the log ([`References::files`]) holds none in the clear, and
//! reads back as the same tables.

mod read;
mod tables;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::keys::{KeyField, Keys};
use crate::catalogue::FeatureVector;
use crate::catalogue::builtin as f;
use crate::date::{Day, UtcOffset};
use crate::observation::Observation;
use crate::time::MINUTE_MS;
use crate::version::Version;
use crate::wire::{Channel, EntryPoint};

pub use read::{MAX_BYTES, ReferenceError, ReferenceErrors, load_directory};
pub use tables::MAX_DAYS;

/// Class of a device; the discriminants are positions in
/// [`crate::catalogue::builtin::DEVICE_CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DeviceClass {
    /// A citizen's own.
    Personal = 0,
    /// An official, managed terminal.
    Official = 1,
    /// Names itself a terminal, but is not in the table.
    Unregistered = 2,
    /// An official helper's (帮办).
    Helper = 3,
    /// A call or a text message: no device.
    PhoneLine = 4,
    /// Nothing is known of it.
    Unknown = 5,
}

/// Opening and closing, in minutes of the local day.
type Hours = (u16, u16);

/// The hall of a table row that stands for every hall without rows of its own.
const ANY_HALL: &str = "*";

/// The reference tables in force. A table that is absent is `None`, which is not an empty one.
#[derive(Clone, Debug, Default)]
pub struct References {
    terminals: Option<HashSet<u64>>,
    helpers: Option<HashSet<u64>>,
    staff: Option<HashMap<u64, u64>>,
    hours: Option<OpeningHours>,
    holidays: Option<BTreeMap<Day, bool>>,
    closed: Option<HashMap<(u64, Day), u32>>,
    offset: UtcOffset,
    rows: Vec<(&'static str, usize)>,
    files: Vec<(String, String)>,
    version: Version,
}

#[derive(Clone, Debug, Default)]
struct OpeningHours {
    /// Halls that have rows: on a weekday without one they are shut.
    halls: HashSet<u64>,
    /// By hall and weekday, 1 for Monday.
    spans: HashMap<(u64, u8), Vec<Hours>>,
}

impl OpeningHours {
    /// Whether a hall is open at a minute of a weekday; `None` where nothing is known of the hall.
    fn open(&self, hall: u64, weekday: u8, minute: i64) -> Option<bool> {
        let any = tables::hall_key(ANY_HALL);
        let hall = [hall, any].into_iter().find(|hall| self.halls.contains(hall))?;
        let spans = self.spans.get(&(hall, weekday)).map_or(&[][..], Vec::as_slice);
        Some(spans.iter().any(|&(open, close)| (i64::from(open)..i64::from(close)).contains(&minute)))
    }
}

impl References {
    /// The tables as they go into the log: name and text, in order of name. No identifier of a person or
    /// of a personal device is in the clear.
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// Version of [`References::files`].
    pub fn version(&self) -> Version {
        self.version
    }

    /// Each table that is there, with the number of its rows.
    pub fn rows(&self) -> &[(&'static str, usize)] {
        &self.rows
    }

    /// Holidays (`false`) and make-up working days (`true`); `None` without that table.
    pub fn days(&self) -> Option<&BTreeMap<Day, bool>> {
        self.holidays.as_ref()
    }

    /// Sets the features that the tables give. `fingerprint` is the key under which state keeps the client
    /// kit's id: it differs from the id's name after a rotation of the keys, and a table may have either.
    pub fn observe(&self, o: &Observation, fingerprint: u64, keys: &Keys, out: &mut FeatureVector) {
        out.set_int(f::DEVICE_CLASS, self.class_of(o, fingerprint, keys) as i64);
        if let Some(staff) = &self.staff
            && o.rater.id.is_some()
        {
            let ids = [o.rater.id, o.rater.person, o.rater.phone];
            let ids = ids.into_iter().flatten().map(|id| id.key()).chain([keys.get(KeyField::Rater)]);
            let department = ids.into_iter().find_map(|id| staff.get(&id));
            out.set_bool(f::REFERENCE_STAFF, department.is_some());
            out.set_bool(f::REFERENCE_OWN_DEPARTMENT, department == Some(&keys.get(KeyField::Department)));
        }
        if let Some(open) = self.open(o, keys) {
            out.set_bool(f::TIMING_OPEN, open);
        }
    }

    fn open(&self, o: &Observation, keys: &Keys) -> Option<bool> {
        let hours = self.hours.as_ref()?;
        let hall = Some(keys.get(KeyField::Hall)).filter(|&hall| hall != 0)?;
        let day = self.offset.day_of(o.submitted_at);
        let minute = (o.submitted_at.ms() - self.offset.start_of(day).ms()) / MINUTE_MS;
        let weekday = day.weekday() + 1;
        match self.holidays.as_ref().and_then(|days| days.get(&day)) {
            Some(false) => hours.open(hall, weekday, minute).map(|_| false),
            // A Saturday that is worked has a Monday's hours too.
            Some(true) => {
                let mut days = [weekday, 1].into_iter().map(|weekday| hours.open(hall, weekday, minute));
                days.try_fold(false, |open, day| day.map(|day| open || day))
            }
            None => hours.open(hall, weekday, minute),
        }
    }

    /// The window and day under which ratings are counted to compare them with the cases closed there;
    /// `None` without that table, or where the rating names no window.
    pub fn window_day(&self, o: &Observation, keys: &Keys) -> Option<u64> {
        let window = Some(keys.get(KeyField::Window)).filter(|&window| window != 0)?;
        self.closed.as_ref()?;
        Some(window.rotate_left(17) ^ self.offset.day_of(o.submitted_at).number() as u64)
    }

    /// Sets `reference.over_closed` from the day's ratings of the window, this one included.
    pub fn compare_closed(&self, o: &Observation, keys: &Keys, ratings: u32, out: &mut FeatureVector) {
        let day = self.offset.day_of(o.submitted_at);
        let cases = self.closed.as_ref().and_then(|closed| closed.get(&(keys.get(KeyField::Window), day)));
        if let Some(&cases) = cases {
            out.set_float(f::REFERENCE_OVER_CLOSED, f64::from(ratings) / f64::from(cases.max(1)));
        }
    }

    fn class_of(&self, o: &Observation, fingerprint: u64, keys: &Keys) -> DeviceClass {
        let d = &o.device;
        if d.terminal.is_some() {
            let registered =
                self.terminals.as_ref().is_none_or(|t| t.contains(&keys.get(KeyField::Terminal)));
            return if registered { DeviceClass::Official } else { DeviceClass::Unregistered };
        }
        let line = matches!(o.entry, Some(EntryPoint::PhoneCall | EntryPoint::Sms));
        let helper = |id: u64| self.helpers.as_ref().is_some_and(|helpers| helpers.contains(&id));
        match d.fingerprint {
            Some(id) if helper(id.key()) || helper(fingerprint) => DeviceClass::Helper,
            Some(_) => DeviceClass::Personal,
            None if o.channel == Channel::Hotline || line => DeviceClass::PhoneLine,
            None if d.platform.is_some() || d.hardware.is_some() => DeviceClass::Personal,
            None => DeviceClass::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
