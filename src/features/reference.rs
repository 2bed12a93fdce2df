//! Reference tables: what the operator knows beforehand.
//!
//! All are optional CSV files with a header line in one folder:
//!
//! | file | columns | sets |
//! |---|---|---|
//! | `terminals.csv` | `terminal` | `device.class` is `official` for these, `unregistered` for others |
//! | `helpers.csv` | `fingerprint` (pseudonym, 32 hex digits) | `device.class` is `helper` |
//! | `staff.csv` | `account` (pseudonym, 32 hex digits), `department` | `reference.staff`, `reference.own_department` |
//! | `opening_hours.csv` | `hall`, `weekday` (1–7), `open`, `close` (HH:MM) | `timing.open` |
//! | `holidays.csv` | `date`, `kind` (`holiday` or `working`) | `timing.open`, working days |
//! | `closed_cases.csv` | `department`, `hall`, `window`, `date`, `cases` | `reference.over_closed` |

use std::collections::{HashMap, HashSet};

use super::identity::organisation_key;
use super::keys::{KeyField, Keys};
use crate::catalogue::FeatureVector;
use crate::catalogue::builtin as f;
use crate::date::{Day, UtcOffset};
use crate::observation::Observation;
use crate::pseudonym::Pseudonym;
use crate::time::MINUTE_MS;
use crate::wire::{Channel, EntryPoint};

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

/// What is wrong with a reference table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceError {
    /// File name.
    pub file: String,
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl std::fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for ReferenceError {}

/// Opening and closing, in minutes of the local day.
type Hours = (u16, u16);

/// The reference tables in force.
#[derive(Clone, Debug, Default)]
pub struct References {
    terminals: Option<HashSet<u64>>,
    helpers: HashSet<Pseudonym>,
    staff: HashMap<Pseudonym, u64>,
    hours: HashMap<(u64, u8), Hours>,
    holidays: HashMap<Day, bool>,
    closed: HashMap<(u64, Day), u32>,
    offset: UtcOffset,
}

/// Most rows of one table.
pub const MAX_ROWS: usize = 5_000_000;

impl References {
    /// Parses the tables among `files` (name, contents); other names are an error.
    ///
    /// # Errors
    /// All that is wrong, by file and line.
    pub fn parse(files: &[(String, String)], offset: UtcOffset) -> Result<Self, Vec<ReferenceError>> {
        let mut tables = Self { offset, ..Self::default() };
        let mut errors = Vec::new();
        for (file, text) in files {
            let columns: &[&str] = match file.as_str() {
                "terminals.csv" => &["terminal"],
                "helpers.csv" => &["fingerprint"],
                "staff.csv" => &["account", "department"],
                "opening_hours.csv" => &["hall", "weekday", "open", "close"],
                "holidays.csv" => &["date", "kind"],
                "closed_cases.csv" => &["department", "hall", "window", "date", "cases"],
                _ => {
                    let known = "terminals.csv, helpers.csv, staff.csv, opening_hours.csv, holidays.csv, closed_cases.csv";
                    let message = format!("not a reference table; the tables are {known}");
                    errors.push(ReferenceError { file: file.clone(), line: 0, message });
                    continue;
                }
            };
            if file == "terminals.csv" {
                tables.terminals = Some(HashSet::new());
            }
            let mut fail = |line: usize, message: String| {
                errors.push(ReferenceError { file: file.clone(), line, message });
            };
            let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
            let header: Vec<&str> =
                lines.next().map(|(_, l)| l.split(',').map(str::trim).collect()).unwrap_or_default();
            let positions: Option<Vec<usize>> =
                columns.iter().map(|c| header.iter().position(|h| h == c)).collect();
            let Some(positions) = positions else {
                fail(1, format!("the header line must name the columns {}", columns.join(",")));
                continue;
            };
            for (number, line) in lines.filter(|(_, l)| !l.trim().is_empty()) {
                let cells: Vec<&str> = line.split(',').map(|c| c.trim().trim_matches('"')).collect();
                let row: Option<Vec<&str>> = positions.iter().map(|&p| cells.get(p).copied()).collect();
                match row {
                    _ if number > MAX_ROWS => {
                        fail(number + 1, format!("more than {MAX_ROWS} rows; split or trim the table"));
                        break;
                    }
                    Some(row) => {
                        if let Err(message) = tables.add(file, &row) {
                            fail(number + 1, message);
                        }
                    }
                    None => fail(number + 1, format!("{} cells, {} expected", cells.len(), header.len())),
                }
            }
        }
        if errors.is_empty() { Ok(tables) } else { Err(errors) }
    }

    fn add(&mut self, file: &str, row: &[&str]) -> Result<(), String> {
        match (file, row) {
            ("terminals.csv", &[terminal]) => {
                let key = organisation_key(KeyField::Terminal, &[terminal]);
                self.terminals.get_or_insert_default().insert(key);
            }
            ("helpers.csv", &[fingerprint]) => {
                self.helpers.insert(pseudonym(fingerprint)?);
            }
            ("staff.csv", &[account, department]) => {
                let department = organisation_key(KeyField::Department, &[department]);
                self.staff.insert(pseudonym(account)?, department);
            }
            ("opening_hours.csv", &[hall, weekday, open, close]) => {
                let weekday: u8 =
                    weekday.parse().ok().filter(|d| (1..=7).contains(d)).ok_or("weekday: 1 (Monday) to 7")?;
                let hours = (minute(open)?, minute(close)?);
                self.hours.insert((organisation_key(KeyField::Hall, &[hall]), weekday), hours);
            }
            ("holidays.csv", &[date, kind]) => {
                let working = match kind {
                    "holiday" => false,
                    "working" => true,
                    _ => return Err("kind: `holiday` or `working`".to_owned()),
                };
                self.holidays.insert(day(date)?, working);
            }
            ("closed_cases.csv", &[department, hall, window, date, cases]) => {
                let window = organisation_key(KeyField::Window, &[department, hall, window]);
                let cases = cases.parse().map_err(|_| "cases: a whole number from 0".to_owned())?;
                self.closed.insert((window, day(date)?), cases);
            }
            _ => return Err("unexpected columns".to_owned()),
        }
        Ok(())
    }

    /// Sets the features that the tables give.
    pub fn observe(&self, o: &Observation, keys: &Keys, out: &mut FeatureVector) {
        out.set_int(f::DEVICE_CLASS, self.class_of(o, keys) as i64);
        if let Some(rater) = o.rater.id
            && !self.staff.is_empty()
        {
            let department = self.staff.get(&rater);
            out.set_bool(f::REFERENCE_STAFF, department.is_some());
            out.set_bool(f::REFERENCE_OWN_DEPARTMENT, department == Some(&keys.get(KeyField::Department)));
        }
        let day = self.offset.day_of(o.submitted_at);
        let hall = keys.get(KeyField::Hall);
        if let Some(&(open, close)) = self.hours.get(&(hall, day.weekday() + 1)) {
            let minute = (o.submitted_at.ms() - self.offset.start_of(day).ms()) / MINUTE_MS;
            let working = self.holidays.get(&day).copied().unwrap_or(true);
            out.set_bool(f::TIMING_OPEN, working && (i64::from(open)..i64::from(close)).contains(&minute));
        }
    }

    /// The window and day under which ratings are counted to compare them with the cases closed
    /// there; `None` where no table says how many those were.
    pub fn window_day(&self, o: &Observation, keys: &Keys) -> Option<u64> {
        let (window, day) = (keys.get(KeyField::Window), self.offset.day_of(o.submitted_at));
        self.closed.contains_key(&(window, day)).then(|| window.rotate_left(17) ^ day.number() as u64)
    }

    /// Sets `reference.over_closed` from the day's ratings of the window, this one included.
    pub fn compare_closed(&self, o: &Observation, keys: &Keys, ratings: u32, out: &mut FeatureVector) {
        let day = self.offset.day_of(o.submitted_at);
        if let Some(&cases) = self.closed.get(&(keys.get(KeyField::Window), day)) {
            out.set_float(f::REFERENCE_OVER_CLOSED, f64::from(ratings) / f64::from(cases.max(1)));
        }
    }

    fn class_of(&self, o: &Observation, keys: &Keys) -> DeviceClass {
        let d = &o.device;
        if d.terminal.is_some() {
            let registered =
                self.terminals.as_ref().is_none_or(|t| t.contains(&keys.get(KeyField::Terminal)));
            return if registered { DeviceClass::Official } else { DeviceClass::Unregistered };
        }
        let line = matches!(o.entry, Some(EntryPoint::PhoneCall | EntryPoint::Sms));
        match d.fingerprint {
            Some(id) if self.helpers.contains(&id) => DeviceClass::Helper,
            Some(_) => DeviceClass::Personal,
            None if o.channel == Channel::Hotline || line => DeviceClass::PhoneLine,
            None if d.platform.is_some() || d.hardware.is_some() => DeviceClass::Personal,
            None => DeviceClass::Unknown,
        }
    }
}

fn pseudonym(hex: &str) -> Result<Pseudonym, String> {
    let wrong = || "a pseudonym of 32 hex digits, as `zhenping key pseudonym` prints it".to_owned();
    if hex.len() != 32 || !hex.is_ascii() {
        return Err(wrong());
    }
    let mut bytes = [0; 16];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).map_err(|_| wrong())?;
    }
    Ok(Pseudonym(bytes))
}

fn minute(text: &str) -> Result<u16, String> {
    let parsed =
        text.split_once(':').and_then(|(h, m)| Some((h.parse::<u16>().ok()?, m.parse::<u16>().ok()?)));
    match parsed {
        Some((h, m)) if h <= 24 && m < 60 && h * 60 + m <= 1_440 => Ok(h * 60 + m),
        _ => Err("a time of day as HH:MM, 00:00 to 24:00".to_owned()),
    }
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "a date as YYYY-MM-DD".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(file: &str, text: &str) -> Result<References, Vec<ReferenceError>> {
        References::parse(&[(file.to_owned(), text.to_owned())], UtcOffset::default())
    }

    #[test]
    fn errors_name_the_file_the_line_and_what_is_allowed() {
        let errors = parse("opening_hours.csv", "hall,weekday,open,close\nH1,8,09:00,17:00\nH1,1,9,17:00\n")
            .unwrap_err();
        let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "opening_hours.csv:2: weekday: 1 (Monday) to 7",
                "opening_hours.csv:3: a time of day as HH:MM, 00:00 to 24:00",
            ]
        );
        assert!(parse("terminal.csv", "terminal\n").unwrap_err()[0].message.contains("terminals.csv"));
        assert!(parse("staff.csv", "account,department\nzz,D1\n").is_err());
        assert!(parse("terminals.csv", "id\nT1\n").unwrap_err()[0].message.contains("header"));
    }
}
