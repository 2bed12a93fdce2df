//! The authoritative statistics: a pure fold over final decisions in log order.
//!
//! [`Statistics::apply`] takes the entries one by one; [`Statistics::report`] and
//! [`Statistics::ranking`] give the figures as of the position reached. Every figure is defined, with
//! its formula, in `docs/statistics.md`.
//!
//! The state is whole numbers only. A rating is kept as a row of its own while later entries can
//! still move it ([`open`]), and older ones as monthly sums ([`sealed`]); what a row adds to the
//! figures is said in one place ([`tally`]), so that a correction cannot count differently from a
//! first entry. Nothing is ever edited: a later entry moves a rating from one count to another, and
//! the move is itself counted.

mod beta;
mod counted;
mod directory;
mod from_log;
mod names;
mod open;
mod query;
mod ranking;
mod report;
mod row;
mod sealed;
mod snapshot;
mod tally;
mod text;

pub(crate) use beta::wilson;
pub use counted::{By, Counted, Rated, Revised};
pub use directory::{FoldError, fold_directory};
pub use query::{Dimension, Period, Query, QueryError};
pub use ranking::{Ranked, Ranking};
pub use report::{Defaults, Figures, Levels, Note, PendingNow, Report, ReportRow};
pub use snapshot::SnapshotError;
pub use text::{ranking_table, report_table};

use crate::date::UtcOffset;
use names::Names;
use open::Open;
use row::Row;
use sealed::Sealed;

/// How the statistics are kept. A change of any of these needs a fold from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Offset from UTC in which the log's days were cut; printed with every report.
    pub offset: UtcOffset,
    /// Most ratings kept one by one; 48 bytes each.
    pub open_ratings: usize,
    /// Most organisation codes; about 110 bytes each.
    pub names: usize,
    /// Most months of sums that are kept.
    pub sealed_months: usize,
    /// A clerk's figures are shown from this many counted ratings on.
    pub clerk_minimum: u64,
}

impl Default for Settings {
    /// At most about 200 MB of rows and 110 MB of names; four million ratings are over two months of
    /// a city with 60 000 a day, and more than a year of one with 10 000.
    fn default() -> Self {
        Self {
            offset: UtcOffset::CHINA,
            open_ratings: 4_000_000,
            names: 1_000_000,
            sealed_months: 36,
            clerk_minimum: 30,
        }
    }
}

/// The figures as of a position in the log.
#[derive(Clone, Debug)]
pub struct Statistics {
    settings: Settings,
    position: u64,
    names: Names,
    open: Open,
    sealed: Sealed,
}

impl Statistics {
    /// No entry yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            position: 0,
            names: Names::new(settings.names),
            open: Open::new(settings.open_ratings),
            sealed: Sealed::new(settings.sealed_months),
        }
    }

    /// Takes the next entry. Entries come in log order; one that was taken before is skipped, so that
    /// a reader may start again a little before the position of a snapshot.
    pub fn apply(&mut self, entry: &Counted<'_>) {
        let sequence = entry.sequence();
        if sequence < self.position {
            return;
        }
        self.position = sequence.saturating_add(1);
        match entry {
            Counted::Rated(rated) => {
                let row = Row::new(rated, self.names.of(rated));
                self.open.push(row, rated.earlier, &mut self.sealed);
            }
            Counted::Revised(revised) => self.open.revise(revised, &mut self.names, &mut self.sealed),
            Counted::Other { .. } => {}
        }
    }

    /// The sequence of the entry that comes next: the figures follow from all entries before it.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How they are kept.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
