//! The log as state looks back into it.

use std::cell::RefCell;

use crate::features::past::{MOST_RATINGS, Past, PastCase};
use crate::log::{Entry, Log, LogError};

/// Looks into the log, as far as it reached when a rating came.
pub(super) struct LogPast<'a> {
    log: &'a dyn Log,
    /// Of each rating of the run its place in the log; beyond its end, all of the log came before.
    places: &'a [u64],
    failed: RefCell<Option<LogError>>,
}

impl<'a> LogPast<'a> {
    /// For ratings that are not in the log yet.
    pub fn of_new(log: &'a dyn Log) -> Self {
        Self::of_logged(log, &[])
    }

    /// For ratings that the log has at these places.
    pub fn of_logged(log: &'a dyn Log, places: &'a [u64]) -> Self {
        Self { log, places, failed: RefCell::new(None) }
    }

    /// Whether everything could be read: what was answered meanwhile is not to be used otherwise.
    ///
    /// # Errors
    /// The log could not be read.
    pub fn finish(self) -> Result<(), LogError> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }

    fn read(&self, position: usize, names: [u64; 3]) -> Result<PastCase, LogError> {
        let before = self.places.get(position).copied().unwrap_or(u64::MAX);
        let names = names.into_iter().filter(|&name| name != 0);
        let mut found: Vec<u64> = names.flat_map(|name| self.log.find_case_fingerprint(name)).collect();
        found.retain(|&sequence| sequence < before);
        found.sort_unstable();
        found.dedup();
        let first = found.len().saturating_sub(MOST_RATINGS);
        let mut past = PastCase { before_them: first as u32, ..PastCase::default() };
        for &sequence in &found[first..] {
            // Of an erased rating nothing is left that could be compared.
            if let Some(Entry::Rating(rating)) = self.log.read(sequence)? {
                past.ratings.push(*rating.observation);
            }
        }
        Ok(past)
    }
}

impl Past for LogPast<'_> {
    fn case(&self, position: usize, names: [u64; 3]) -> Option<PastCase> {
        self.read(position, names).map_err(|error| *self.failed.borrow_mut() = Some(error)).ok()
    }
}
