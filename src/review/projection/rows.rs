//! A case as lists and pages show it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Serialize, Serializer};

use super::campaigns::CAMPAIGN_SIZE;
use super::error::ProjectionError;
use super::fold::{CaseKind, ClosedBy};
use super::named::Named;
use super::priority;
use crate::date::Day;
use crate::log::entry::CallbackResult;
use crate::time::Instant;
use crate::wire::{Channel, Decision, ReasonSource, ReviewOutcome, Stage, Suspicion};

/// Who looks, and when: what is theirs and what is late depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    /// Name of the account.
    pub name: &'a str,
    /// Now.
    pub now: Instant,
}

/// Writes an instant as RFC 3339 in UTC.
pub(super) fn rfc3339<S: Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// As [`rfc3339`], where there may be none.
pub(super) fn rfc3339_option<S: Serializer>(at: &Option<Instant>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

/// Who has a case for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClaimRow {
    /// Who.
    pub by: String,
    /// Until when.
    #[serde(serialize_with = "rfc3339")]
    pub until: Instant,
    /// Whether it is the viewer's.
    pub mine: bool,
}

/// The first of the two decisions that excluding a bad rating takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FirstRow {
    /// Who decided.
    pub by: String,
    /// What.
    pub outcome: Named,
    /// Code of the reason.
    pub reason: String,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: Instant,
}

/// A reason, to be put into words with the rule set and the rating's features.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TopReason {
    /// Its code.
    pub code: String,
    /// Where it comes from.
    pub source: Named,
    /// Share in the risk, in log-odds.
    pub weight: f64,
}

/// The campaign that a case belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CampaignRef {
    /// Its id.
    pub id: String,
    /// Its members.
    pub size: u64,
}

/// One case. Of a second look, what the machine thinks of it is left out: a control sample is one too, and nobody may
/// tell it apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseRow {
    /// The `rating_id`.
    pub id: String,
    /// Sequence of the rating's entry.
    pub sequence: u64,
    /// What its rater appeals with.
    #[serde(skip)]
    pub reference: String,
    /// Why there is a case.
    pub kind: Named,
    /// `open` or `decided`.
    pub state: &'static str,
    /// 1 to 5.
    pub stars: u8,
    /// Whether it is a bad rating.
    pub bad: bool,
    /// What it is suspected of.
    pub suspicion: Option<Named>,
    /// Probability that it is not genuine.
    pub risk: Option<f64>,
    /// 0 to 100, as [`super::priority`] says.
    pub priority: u8,
    /// Department code.
    pub department: String,
    /// District code.
    pub district: Option<String>,
    /// Hall code.
    pub hall: Option<String>,
    /// Window code.
    pub window: Option<String>,
    /// Clerk code.
    pub clerk: Option<String>,
    /// Channel.
    pub channel: Named,
    /// Matter code.
    pub matter: String,
    /// Stage.
    pub stage: Option<Named>,
    /// The day it counts for.
    pub day: Day,
    /// When it was submitted; `None` once that is erased.
    #[serde(serialize_with = "rfc3339_option")]
    pub submitted: Option<Instant>,
    /// Since when it waits, or waited last.
    #[serde(serialize_with = "rfc3339")]
    pub since: Instant,
    /// When somebody should have decided.
    #[serde(serialize_with = "rfc3339")]
    pub deadline: Instant,
    /// It is open, and that is over.
    pub overdue: bool,
    /// The strongest reason.
    pub top: Option<TopReason>,
    /// Further reasons.
    pub more_reasons: u32,
    /// Who has it.
    pub claim: Option<ClaimRow>,
    /// 1 where a first of two people has decided.
    pub votes: u8,
    /// What that one decided.
    #[serde(skip)]
    pub first: Option<FirstRow>,
    /// Somebody handed it on.
    pub escalated: bool,
    /// Who did.
    #[serde(skip)]
    pub escalated_by: Option<String>,
    /// `asked` or `answered`.
    pub callback: Option<&'static str>,
    /// What the call found.
    #[serde(skip)]
    pub callback_result: Option<Named>,
    /// When it was asked for, or answered.
    #[serde(skip)]
    pub callback_at: Option<Instant>,
    /// What is decided about the rating.
    pub decision: Named,
    /// Number of the revision that stands.
    pub revision: u32,
    /// What people decided.
    pub outcome: Option<Named>,
    /// Code of the reason for it.
    pub outcome_reason: Option<String>,
    /// When it was decided.
    #[serde(serialize_with = "rfc3339_option")]
    pub decided: Option<Instant>,
    /// By whom or what.
    pub closed_by: Option<Named>,
    /// Whoever decided, first or second; not shown to whoever answers an appeal.
    #[serde(skip)]
    pub deciders: Vec<String>,
    /// An appeal waits for an answer.
    pub appealed: bool,
    /// Appeals so far.
    pub appeals: u8,
    /// When the last came.
    #[serde(serialize_with = "rfc3339_option")]
    pub appeal_at: Option<Instant>,
    /// What is personal of it is erased.
    pub erased: bool,
    /// The campaign.
    pub campaign: Option<CampaignRef>,
}

/// All that [`case`] reads.
const COLUMNS: &str = "c.rating_sequence, c.rating_id, c.reference, c.kind, c.open, c.erased, c.bad, c.stars, \
    c.channel, c.stage, c.day, c.department, c.district, c.hall, c.window, c.clerk, c.matter, c.submitted, c.since, \
    c.deadline, c.rank, c.suspicion, c.risk, c.decision, c.revision, c.claim_by, c.claim_until, c.first_by, \
    c.first_outcome, c.first_reason, c.first_at, c.outcome, c.outcome_reason, c.decided_at, c.closed_by, c.deciders, \
    c.escalated, c.escalated_by, c.callback, c.callback_at, c.appealed, c.appeals, c.appeal_at, c.reasons, \
    r.code, r.source, r.weight, g.first AS campaign, g.size";

const JOINS: &str = "FROM cases c
    LEFT JOIN case_reason r ON r.rating_sequence = c.rating_sequence AND r.place = 0
    LEFT JOIN member m ON m.rating_sequence = c.rating_sequence
    LEFT JOIN grp g ON g.id = m.grp";

/// The id of a campaign whose first member has this sequence.
pub(super) fn campaign_id(first: u64) -> String {
    format!("C{first:012X}")
}

/// The sequence in a campaign's id.
pub(super) fn campaign_sequence(id: &str) -> Option<u64> {
    let digits = id.strip_prefix('C').filter(|digits| (12..=16).contains(&digits.len()))?;
    u64::from_str_radix(digits, 16).ok()
}

/// Whether a rating is or was a case.
pub(super) fn is_case(db: &Connection, sequence: u64) -> Result<bool, ProjectionError> {
    let mut statement =
        db.prepare_cached("SELECT EXISTS (SELECT 1 FROM cases WHERE rating_sequence = ?1)")?;
    Ok(statement.query_row([sequence as i64], |row| row.get(0))?)
}

/// The case of a rating by its sequence.
pub(super) fn by_sequence(
    db: &Connection,
    sequence: u64,
    viewer: Viewer<'_>,
) -> Result<Option<CaseRow>, ProjectionError> {
    Ok(db
        .prepare_cached(&format!("SELECT {COLUMNS} {JOINS} WHERE c.rating_sequence = ?1"))?
        .query_row([sequence as i64], |row| case(row, viewer))
        .optional()?)
}

/// The cases with these sequences, in their order.
pub(super) fn by_sequences(
    db: &Connection,
    sequences: &[u64],
    viewer: Viewer<'_>,
) -> Result<Vec<CaseRow>, ProjectionError> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS} {JOINS} WHERE c.rating_sequence = ?1"))?;
    let mut rows = Vec::with_capacity(sequences.len());
    for &sequence in sequences {
        rows.extend(statement.query_row([sequence as i64], |row| case(row, viewer)).optional()?);
    }
    Ok(rows)
}

/// The case of a rating.
pub(super) fn by_id(
    db: &Connection,
    rating_id: &str,
    viewer: Viewer<'_>,
) -> Result<Option<CaseRow>, ProjectionError> {
    Ok(db
        .prepare_cached(&format!("SELECT {COLUMNS} {JOINS} WHERE c.rating_id = ?1"))?
        .query_row([rating_id], |row| case(row, viewer))
        .optional()?)
}

/// The rating with an appeal reference: its sequence and its id.
pub(super) fn by_reference(
    db: &Connection,
    reference: &str,
) -> Result<Option<(u64, String)>, ProjectionError> {
    Ok(db
        .prepare_cached("SELECT rating_sequence, rating_id FROM cases WHERE reference = ?1")?
        .query_row(params![reference], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))
        .optional()?)
}

/// A number of an enumeration that this version does not know reads as absent.
fn number<T: Copy>(all: &[T], number: Option<u8>) -> Option<T> {
    all.get(usize::from(number?)).copied()
}

fn case(row: &Row<'_>, viewer: Viewer<'_>) -> Result<CaseRow, rusqlite::Error> {
    let instant = |column: &str| -> Result<Option<Instant>, rusqlite::Error> {
        Ok(row.get::<_, Option<i64>>(column)?.map(Instant))
    };
    let of = |column: &str| row.get::<_, Option<u8>>(column);
    let kind = number(&CaseKind::ALL, of("kind")?).unwrap_or(CaseKind::Hold);
    let is_blind = kind == CaseKind::SecondLook;
    let open: bool = row.get("open")?;
    let deadline = Instant(row.get("deadline")?);
    let callback: u8 = row.get("callback")?;
    let reasons: u32 = row.get("reasons")?;
    let claim = match (row.get::<_, Option<String>>("claim_by")?, instant("claim_until")?) {
        (Some(by), Some(until)) if open && viewer.now < until => {
            Some(ClaimRow { mine: by == viewer.name, by, until })
        }
        _ => None,
    };
    let first = match (row.get::<_, Option<String>>("first_by")?, instant("first_at")?) {
        (Some(by), Some(at)) => Some(FirstRow {
            by,
            outcome: number(ReviewOutcome::ALL, of("first_outcome")?).unwrap_or(ReviewOutcome::Clear).into(),
            reason: row.get::<_, Option<String>>("first_reason")?.unwrap_or_default(),
            at,
        }),
        _ => None,
    };
    let top = match row.get::<_, Option<String>>("code")? {
        Some(code) if !is_blind => Some(TopReason {
            code,
            source: number(ReasonSource::ALL, of("source")?).unwrap_or(ReasonSource::Rule).into(),
            weight: row.get("weight")?,
        }),
        _ => None,
    };
    let campaign = match (row.get::<_, Option<i64>>("campaign")?, row.get::<_, Option<i64>>("size")?) {
        (Some(first), Some(size)) if size as u64 >= CAMPAIGN_SIZE => {
            Some(CampaignRef { id: campaign_id(first as u64), size: size as u64 })
        }
        _ => None,
    };
    Ok(CaseRow {
        id: row.get("rating_id")?,
        sequence: row.get::<_, i64>("rating_sequence")? as u64,
        reference: row.get("reference")?,
        kind: kind.into(),
        state: if open { "open" } else { "decided" },
        stars: row.get("stars")?,
        bad: row.get("bad")?,
        suspicion: number(Suspicion::ALL, of("suspicion")?).filter(|_| !is_blind).map(Into::into),
        risk: row.get::<_, Option<f64>>("risk")?.filter(|_| !is_blind).map(|risk| (risk * 1e4).round() / 1e4),
        priority: priority::shown(row.get("rank")?, viewer.now),
        department: row.get("department")?,
        district: row.get("district")?,
        hall: row.get("hall")?,
        window: row.get("window")?,
        clerk: row.get("clerk")?,
        channel: number(Channel::ALL, of("channel")?).unwrap_or(Channel::Other).into(),
        matter: row.get("matter")?,
        stage: number(Stage::ALL, of("stage")?).map(Into::into),
        day: Day::from_number(row.get("day")?).unwrap_or_default(),
        submitted: instant("submitted")?,
        since: Instant(row.get("since")?),
        deadline,
        overdue: open && deadline < viewer.now,
        top,
        more_reasons: if is_blind { 0 } else { reasons.saturating_sub(1) },
        claim,
        votes: u8::from(first.is_some()),
        first,
        escalated: row.get("escalated")?,
        escalated_by: row.get("escalated_by")?,
        callback: match callback {
            0 => None,
            1 => Some("asked"),
            _ => Some("answered"),
        },
        callback_result: callback.checked_sub(2).and_then(CallbackResult::from_index).map(Into::into),
        callback_at: instant("callback_at")?,
        decision: number(Decision::ALL, of("decision")?).unwrap_or(Decision::Hold).into(),
        revision: row.get("revision")?,
        outcome: number(ReviewOutcome::ALL, of("outcome")?).map(Into::into),
        outcome_reason: row.get("outcome_reason")?,
        decided: instant("decided_at")?,
        closed_by: number(&ClosedBy::ALL, of("closed_by")?).map(Into::into),
        deciders: serde_json::from_str(&row.get::<_, String>("deciders")?).unwrap_or_default(),
        appealed: row.get("appealed")?,
        appeals: row.get("appeals")?,
        appeal_at: instant("appeal_at")?,
        erased: row.get("erased")?,
        campaign,
    })
}
