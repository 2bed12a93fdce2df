//! The statistics, folded beside the commits: no answer waits while a report is made.

use std::sync::{Mutex, TryLockError};

use super::intake::lock;
use crate::log::{Entry, Head};
use crate::statistics::{Counted, Query, QueryError, Ranking, Report, Statistics};

/// The statistics, and the log as far as they are folded.
pub struct Figures {
    folded: Mutex<Folded>,
    /// What was appended since. More than one group stands here only while a report is made, and the
    /// next report or commit folds them: so there are never more than one report's time of commits.
    behind: Mutex<Vec<Group>>,
}

struct Folded {
    statistics: Statistics,
    head: Head,
}

/// Entries that were appended together.
struct Group {
    first: u64,
    entries: Vec<Entry>,
    /// The log's head after them.
    head: Head,
}

impl Figures {
    /// Statistics that are folded up to `head`.
    pub fn new(statistics: Statistics, head: Head) -> Self {
        Self { folded: Mutex::new(Folded { statistics, head }), behind: Mutex::default() }
    }

    /// Folds entries that were appended at `first`, after which the log had this head: at once, or if a
    /// report is being made, after it. Gives back the entries that were folded, for their memory.
    pub fn fold(&self, first: u64, entries: Vec<Entry>, head: Head) -> Vec<Entry> {
        lock(&self.behind).push(Group { first, entries, head });
        match self.folded.try_lock() {
            Ok(mut folded) => folded.catch_up(&self.behind),
            Err(TryLockError::Poisoned(folded)) => folded.into_inner().catch_up(&self.behind),
            Err(TryLockError::WouldBlock) => Vec::new(),
        }
    }

    /// The statistics as bytes, of all that was appended before.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut folded = lock(&self.folded);
        folded.catch_up(&self.behind);
        folded.statistics.snapshot()
    }

    /// The figures that a query asks for, of all that was appended before, and the log position that
    /// they follow from.
    ///
    /// # Errors
    /// The query is wrong.
    pub fn report(&self, query: &Query) -> Result<Report, QueryError> {
        let mut folded = lock(&self.folded);
        folded.catch_up(&self.behind);
        folded.statistics.report(query, &folded.head.chain.to_string())
    }
}

impl Figures {
    /// The ranking that a query asks for, likewise.
    ///
    /// # Errors
    /// The query is wrong.
    pub fn ranking(&self, query: &Query) -> Result<Ranking, QueryError> {
        let mut folded = lock(&self.folded);
        folded.catch_up(&self.behind);
        folded.statistics.ranking(query, &folded.head.chain.to_string())
    }
}

impl Folded {
    fn catch_up(&mut self, behind: &Mutex<Vec<Group>>) -> Vec<Entry> {
        let groups = std::mem::take(&mut *lock(behind));
        let mut folded = Vec::new();
        for Group { first, entries, head } in groups {
            for (sequence, entry) in (first..).zip(&entries) {
                self.statistics.apply(&Counted::of(sequence, entry));
            }
            self.head = head;
            if folded.is_empty() {
                folded = entries;
            } else {
                folded.extend(entries);
            }
        }
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Digest;
    use crate::log::entry::{ActivationEntry, Subject};
    use crate::statistics::Settings;
    use crate::time::Instant;
    use crate::version::Version;

    fn group(first: u64) -> (u64, Vec<Entry>, Head) {
        let entry = Entry::Activation(ActivationEntry {
            subject: Subject::Rules,
            version: Version::default(),
            files: Vec::new(),
            at: Instant(0),
            by: "test".into(),
        });
        (first, vec![entry], Head { next_sequence: first + 1, chain: Digest::of(&first.to_le_bytes()) })
    }

    #[test]
    fn a_commit_does_not_wait_for_a_report_and_the_next_report_has_it() {
        let figures = Figures::new(Statistics::new(Settings::default()), Head::GENESIS);
        let report = |figures: &Figures| {
            let report = figures.report(&Query::default()).unwrap();
            (report.log_position, report.head)
        };
        let (first, entries, head) = group(0);
        figures.fold(first, entries, head);
        assert_eq!(report(&figures), (1, head.chain.to_string()));

        let making_a_report = lock(&figures.folded);
        let (first, entries, head) = group(1);
        figures.fold(first, entries, head);
        let (first, entries, head) = group(2);
        figures.fold(first, entries, head);
        assert_eq!(making_a_report.statistics.position(), 1);
        drop(making_a_report);
        assert_eq!(report(&figures), (3, head.chain.to_string()));
    }
}
