//! What can be asked of the projection.

use super::Projection;
use super::audit::{self, AuditFilter, AuditPage, HistoryRow};
use super::error::ProjectionError;
use super::queue::{self, Counts, QueueFilter, QueueOptions, QueuePage, Scope};
use super::rows::{self, CaseRow, Viewer};

impl Projection {
    /// A page of the queue: at most `limit` rows, from the mark that the page before gave.
    ///
    /// # Errors
    /// The mark is none, or the database cannot be read.
    pub fn queue(
        &self,
        filter: &QueueFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<QueuePage, ProjectionError> {
        self.read(|db| queue::queue(db, filter, cursor, limit))
    }

    /// How many cases wait that an account may see.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn counts(&self, scope: &Scope, viewer: Viewer<'_>) -> Result<Counts, ProjectionError> {
        self.read(|db| queue::counts(db, scope, viewer))
    }

    /// What the filters of the queue offer.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn queue_options(&self, scope: &Scope) -> Result<QueueOptions, ProjectionError> {
        self.read(|db| queue::options(db, scope))
    }

    /// The case of a rating; `None` if it is none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn case_row(&self, rating_id: &str, viewer: Viewer<'_>) -> Result<Option<CaseRow>, ProjectionError> {
        self.read(|db| rows::by_id(db, rating_id, viewer))
    }

    /// The case of the rating with this sequence; `None` if it is none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn case_at(&self, sequence: u64, viewer: Viewer<'_>) -> Result<Option<CaseRow>, ProjectionError> {
        self.read(|db| rows::by_sequence(db, sequence, viewer))
    }

    /// The rating that has this reference to appeal with: its sequence and its id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn by_reference(&self, reference: &str) -> Result<Option<(u64, String)>, ProjectionError> {
        self.read(|db| rows::by_reference(db, reference))
    }

    /// What was done about a rating, in the order of the log.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn history(&self, rating_id: &str) -> Result<Vec<HistoryRow>, ProjectionError> {
        self.read(|db| audit::history(db, rating_id))
    }

    /// What was done about all ratings, latest first, before a sequence.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<AuditPage, ProjectionError> {
        self.read(|db| audit::audit(db, filter, before, limit))
    }
}
