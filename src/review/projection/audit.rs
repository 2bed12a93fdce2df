//! Who did what, about one case or about all.

use rusqlite::{Connection, Row, params, params_from_iter};
use serde::Serialize;

use super::error::ProjectionError;
use super::filter::Conditions;
use super::named::what_text;
use super::queue::PAGE_MAX;
use super::rows::rfc3339;
use crate::catalogue::Bilingual;
use crate::review::reasons;
use crate::time::Instant;

/// One act, or one decision of a machine, about a rating.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HistoryRow {
    /// Its place in the log.
    pub sequence: u64,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: Instant,
    /// The account; empty where it was none.
    pub who: String,
    /// Its code.
    pub code: String,
    /// What was done.
    pub what: Bilingual,
    /// Why.
    pub reason: Option<Bilingual>,
    /// Code of the reason; empty where there is none.
    pub reason_code: String,
    /// What was said, sealed; `None` where nothing was, or once it is erased.
    pub words: Option<String>,
    /// It came too late, and changed nothing.
    pub void: bool,
    /// The `rating_id`.
    pub id: String,
}

/// Which acts are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this account.
    pub who: Option<String>,
    /// Of this code ([`super::named::WHAT`]).
    pub code: Option<String>,
    /// About this rating.
    pub id: Option<String>,
}

/// Part of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditPage {
    /// Latest first.
    pub events: Vec<HistoryRow>,
    /// The sequence before which the next page begins; `None` on the last.
    pub next: Option<u64>,
}

const COLUMNS: &str = "h.sequence, h.at, h.who, h.what, h.reason, h.words, h.void, c.rating_id
    FROM history h JOIN cases c USING (rating_sequence)";

fn event(row: &Row<'_>) -> Result<HistoryRow, rusqlite::Error> {
    let code: String = row.get(3)?;
    let reason_code: String = row.get(4)?;
    let (zh, en) = what_text(&code);
    Ok(HistoryRow {
        sequence: row.get::<_, i64>(0)? as u64,
        at: Instant(row.get(1)?),
        who: row.get(2)?,
        what: Bilingual::new(zh, en),
        reason: reasons::find(&reason_code).map(|reason| Bilingual::new(reason.zh, reason.en)),
        code,
        reason_code,
        words: row.get(5)?,
        void: row.get(6)?,
        id: row.get(7)?,
    })
}

/// See [`super::Projection::history`].
pub(super) fn history(db: &Connection, rating_id: &str) -> Result<Vec<HistoryRow>, ProjectionError> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS} WHERE c.rating_id = ?1 ORDER BY h.sequence"))?;
    Ok(statement.query_map(params![rating_id], event)?.collect::<Result<_, _>>()?)
}

/// See [`super::Projection::audit`].
pub(super) fn audit(
    db: &Connection,
    filter: &AuditFilter,
    before: Option<u64>,
    limit: usize,
) -> Result<AuditPage, ProjectionError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut conditions = Conditions::default();
    if let Some(who) = &filter.who {
        conditions.with("h.who = ?", who.clone());
    }
    if let Some(code) = &filter.code {
        conditions.with("h.what = ?", code.clone());
    }
    if let Some(id) = &filter.id {
        conditions.with("c.rating_id = ?", id.clone());
    }
    if let Some(before) = before {
        conditions.with("h.sequence < ?", i64::try_from(before).unwrap_or(i64::MAX));
    }
    let sql =
        format!("SELECT {COLUMNS} WHERE {} ORDER BY h.sequence DESC LIMIT {}", conditions.text(), limit + 1);
    let mut statement = db.prepare_cached(&sql)?;
    let mut events: Vec<HistoryRow> =
        statement.query_map(params_from_iter(conditions.values()), event)?.collect::<Result<_, _>>()?;
    let more = events.len() > limit;
    events.truncate(limit);
    let next = events.last().filter(|_| more).map(|event| event.sequence);
    Ok(AuditPage { events, next })
}
