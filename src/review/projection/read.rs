//! What can be asked of the projection.

use std::collections::HashMap;

use super::Projection;
use super::audit::{self, AuditFilter, AuditPage, HistoryRow};
use super::campaign_page::{self, Campaign, CampaignRow, MemberFilter, MemberLinks};
use super::error::ProjectionError;
use super::filter::{QueueFilter, Scope};
use super::quality::{self, LabelRow, Quality, RuleOutcomes};
use super::queue::{self, Counts, QueueOptions, QueuePage};
use super::rows::{self, CaseRow, Viewer};
use super::similar::{self, Similar};
use super::write;
use crate::date::{Day, UtcOffset};
use crate::time::Instant;

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

    /// Whether the rating with this sequence is or was a case.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn is_case(&self, sequence: u64) -> Result<bool, ProjectionError> {
        self.read(|db| rows::is_case(db, sequence))
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

    /// Ids of the cases with entries from a sequence on, latest first, at most `most`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn changed_since(&self, from: u64, most: usize) -> Result<Vec<String>, ProjectionError> {
        self.read(|db| write::changed_since(db, from, most))
    }

    /// How many cases of each suspicion wait, by its name; second looks are left out.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pending_by_suspicion(&self) -> Result<HashMap<&'static str, u64>, ProjectionError> {
        self.read(queue::pending_by_suspicion)
    }

    /// What was decided of late about cases like one, as far as an account may see them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn similar(
        &self,
        case: &CaseRow,
        scope: &Scope,
        viewer: Viewer<'_>,
    ) -> Result<Similar, ProjectionError> {
        self.read(|db| similar::similar(db, case, scope, viewer))
    }

    /// Campaigns with open members that a filter of the queue finds, most urgent first, at most `most`; and how many
    /// more there are among the 200 most urgent ones.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn campaigns(
        &self,
        filter: &QueueFilter,
        most: usize,
    ) -> Result<(Vec<CampaignRow>, u64), ProjectionError> {
        self.read(|db| campaign_page::campaigns(db, filter, most))
    }

    /// A campaign; `None` if there is none. Every id that it had while it grew leads to it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn campaign(&self, id: &str, now: Instant) -> Result<Option<Campaign>, ProjectionError> {
        self.read(|db| campaign_page::campaign(db, id, now))
    }

    /// Members of a campaign that an account may see, open ones first, then as they were submitted, at most `most`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn members(
        &self,
        id: &str,
        filter: &MemberFilter,
        scope: &Scope,
        viewer: Viewer<'_>,
        most: usize,
    ) -> Result<Vec<CaseRow>, ProjectionError> {
        self.read(|db| campaign_page::members(db, id, filter, scope, viewer, most))
    }

    /// Ids of all open members of a campaign, whoever may see them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn open_members(&self, id: &str) -> Result<Vec<String>, ProjectionError> {
        self.open_members_like(id, &MemberFilter::default(), &Scope::default())
    }

    /// Ids of the open members of a campaign that a filter finds and an account may see.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn open_members_like(
        &self,
        id: &str,
        filter: &MemberFilter,
        scope: &Scope,
    ) -> Result<Vec<String>, ProjectionError> {
        self.read(|db| campaign_page::open_members(db, id, filter, scope))
    }

    /// What links the members of a campaign, as they were submitted, at most `most`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn member_links(&self, id: &str, most: usize) -> Result<Vec<MemberLinks>, ProjectionError> {
        self.read(|db| campaign_page::member_links(db, id, most))
    }

    /// How well it was decided from one day to another, both within the period.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn quality(
        &self,
        from: Day,
        until: Day,
        offset: UtcOffset,
        now: Instant,
    ) -> Result<Quality, ProjectionError> {
        self.read(|db| quality::quality(db, from, until, offset, now))
    }

    /// Every reason by the cases that wait and that were decided, by its code.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn rule_outcomes(&self) -> Result<HashMap<String, RuleOutcomes>, ProjectionError> {
        self.read(quality::rule_outcomes)
    }

    /// What people decided from a sequence on: of each rating the latest decision that stands, in log order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn labels(&self, from: u64, mut each: impl FnMut(LabelRow)) -> Result<(), ProjectionError> {
        self.read(|db| quality::labels(db, from, &mut each))
    }
}
