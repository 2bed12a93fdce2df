//! Reference tables: where they come from, and how they stand in the log.
//!
//! One activation of tables may be too long for one record, so it is cut into entries that follow each
//! other. Each has the tables' version and begins with a file named [`PART`], which says which part it is
//! of how many. What a crash left of an activation is never completed, and so never comes into force.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Service, ServiceError, Submission};
use crate::date::UtcOffset;
use crate::features::reference::{MAX_DAYS, ReferenceErrors, References, load_directory};
use crate::log::entry::{ActivationEntry, Subject};
use crate::log::record::MAX_RECORD_BYTES;
use crate::policy::Calendar;
use crate::pseudonym::Keyring;
use crate::time::Instant;
use crate::version::Version;

/// Name of the file that says which part an entry is.
const PART: &str = "part";
/// Bytes of tables in one entry; the rest is for names and lengths.
const PART_BYTES: usize = MAX_RECORD_BYTES - (64 << 10);

/// Where reference tables come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceOrigin {
    /// A folder that may be absent: then the tables that the log has stay in force.
    Usual(PathBuf),
    /// A folder that somebody named: it must be there.
    Named(PathBuf),
}

impl ReferenceOrigin {
    /// The folder that was named, or else `reference/` in the data directory.
    pub fn find(named: Option<PathBuf>, data: &Path) -> Self {
        named.map_or_else(|| Self::Usual(data.join("reference")), Self::Named)
    }

    /// The folder.
    pub fn directory(&self) -> &Path {
        match self {
            Self::Usual(path) | Self::Named(path) => path,
        }
    }

    /// Reads the tables; `None` where there is no folder and none is needed.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(&self, keyring: &Keyring, offset: UtcOffset) -> Result<Option<References>, ReferenceErrors> {
        if matches!(self, Self::Usual(path) if !path.exists()) {
            return Ok(None);
        }
        References::read(&load_directory(self.directory())?, keyring, offset).map(Some)
    }
}

/// The entries that bring tables into force.
pub(super) fn entries(tables: &References, at: Instant) -> Vec<ActivationEntry> {
    let mut parts: Vec<Vec<(String, Vec<u8>)>> = vec![Vec::new()];
    let mut room = PART_BYTES;
    for (name, text) in tables.files() {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            if room == 0 {
                parts.push(Vec::new());
                room = PART_BYTES;
            }
            let (now, later) = bytes.split_at(bytes.len().min(room));
            if let Some(part) = parts.last_mut() {
                part.push((name.clone(), now.to_vec()));
            }
            room -= now.len();
            bytes = later;
        }
    }
    let of = parts.len();
    let entry = |(i, mut files): (usize, Vec<(String, Vec<u8>)>)| {
        files.insert(0, (PART.to_owned(), format!("{} {of}", i + 1).into_bytes()));
        let (subject, version, by) = (Subject::Reference, tables.version(), "operator".to_owned());
        ActivationEntry { subject, version, files, at, by }
    };
    parts.into_iter().enumerate().map(entry).collect()
}

/// Puts the parts of an activation together again.
#[derive(Clone, Debug, Default)]
pub(super) struct Collector {
    version: Version,
    parts: usize,
    files: Vec<(String, Vec<u8>)>,
    /// Sequences of the parts.
    at: Vec<u64>,
}

impl Collector {
    /// Sequences of the parts that were taken last.
    pub fn at(&self) -> &[u64] {
        &self.at
    }

    /// Takes the next activation of the log; gives the tables (name, text) that it completes.
    pub fn take(&mut self, sequence: u64, entry: &ActivationEntry) -> Option<Vec<(String, String)>> {
        if entry.subject != Subject::Reference {
            return None;
        }
        let ((name, part), files) = entry.files.split_first()?;
        let (number, of) = std::str::from_utf8(part).ok()?.split_once(' ')?;
        let (number, of): (usize, usize) = (number.parse().ok()?, of.parse().ok()?);
        let follows = number == 1 || (number == self.parts + 1 && entry.version == self.version);
        if name != PART || !follows {
            return None;
        }
        if number == 1 {
            *self = Self { version: entry.version, ..Self::default() };
        }
        self.parts = number;
        self.at.push(sequence);
        for (name, bytes) in files {
            match self.files.last_mut().filter(|(last, _)| last == name) {
                Some((_, text)) => text.extend_from_slice(bytes),
                None => self.files.push((name.clone(), bytes.clone())),
            }
        }
        if number < of {
            return None;
        }
        let text = |(name, bytes)| Some((name, String::from_utf8(bytes).ok()?));
        std::mem::take(&mut self.files).into_iter().map(text).collect()
    }
}

/// The working days that tables give; `None` where they say nothing of them.
pub(super) fn calendar_of(files: &[(String, String)], offset: UtcOffset) -> Option<Calendar> {
    const _: () = assert!(MAX_DAYS <= Calendar::MAX_ENTRIES);
    let holidays: Vec<_> = files.iter().filter(|(name, _)| name == "holidays.csv").cloned().collect();
    let tables = References::from_log(&holidays, offset).ok()?;
    let of = |kind: bool| {
        tables.days().into_iter().flatten().filter(move |&(_, &working)| working == kind).map(|(&day, _)| day)
    };
    tables.days()?;
    Calendar::new(offset, of(false), of(true)).ok()
}

impl Service {
    /// Reads the reference tables again. Tables that are sound and new come into force between two
    /// ratings, for good; if anything is wrong, those in force stay. Gives the version in force.
    ///
    /// # Errors
    /// Everything that is wrong with the tables.
    pub fn reload_references(&self) -> Result<Option<Version>, ServiceError> {
        let tables = self.references.read(self.shared.preparer.keyring(), self.shared.offset)?;
        // Held meanwhile, so that two calls at once bring tables into force once.
        let mut asked = super::lock(&self.asked_references);
        let Some(tables) = tables else { return Ok(*asked) };
        let version = tables.version();
        if *asked != Some(version) {
            super::worker::go_ahead(&self.shared, Submission::References(Arc::new(tables)))
                .map_err(|_| ServiceError::Stopping)?;
            *asked = Some(version);
        }
        Ok(Some(version))
    }

    /// The version of the reference tables in force; `None` where there are none.
    pub fn references_version(&self) -> Option<Version> {
        *super::lock(&self.asked_references)
    }

    /// Where the reference tables come from.
    pub fn reference_origin(&self) -> &ReferenceOrigin {
        &self.references
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_that_are_longer_than_a_record_are_put_together_again() {
        let mut text = String::from("terminal\n");
        (0..600_000).for_each(|i| text.push_str(&format!("TERMINAL-{i:08}\n")));
        let files =
            [("terminals.csv".to_owned(), text), ("holidays.csv".to_owned(), "date,kind\n".to_owned())];
        let tables = References::read(&files, &Keyring::public(), UtcOffset::CHINA).unwrap();
        let entries = entries(&tables, Instant(7));
        assert_eq!(entries.len(), 3);
        let mut collector = Collector::default();
        // A crash left the first two parts; the activation was made again later.
        assert!(entries[..2].iter().all(|entry| collector.take(0, entry).is_none()));
        assert!(entries[..2].iter().all(|entry| collector.take(0, entry).is_none()));
        let whole = collector.take(2, &entries[2]).unwrap();
        assert_eq!(whole, tables.files());
        assert!(entries.iter().all(|entry| entry.encode().bytes().len() <= MAX_RECORD_BYTES));
        // A part without the one before it completes nothing.
        assert_eq!(collector.take(1, &entries[1]), None);
        assert_eq!(collector.take(2, &entries[2]), None);
    }

    #[test]
    fn tables_without_holidays_leave_the_calendar_alone() {
        let files = |text: &str| vec![("holidays.csv".to_owned(), text.to_owned())];
        assert_eq!(calendar_of(&[], UtcOffset::CHINA), None);
        let calendar =
            calendar_of(&files("date,kind\n2026-10-01,holiday\n2026-10-10,working\n"), UtcOffset::CHINA);
        let day = |text: &str| crate::date::Day::parse(text).unwrap();
        let calendar = calendar.unwrap();
        assert!(!calendar.is_working(day("2026-10-01")) && calendar.is_working(day("2026-10-10")));
    }
}
