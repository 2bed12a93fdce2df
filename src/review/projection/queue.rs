//! The queue: what is listed, in which order, and how many there are.
//!
//! Every order of open cases has an index that also holds all that they are filtered by, so that a page costs at worst
//! one walk along it. Pages go on from the last key of the one before (keyset paging): rows that come or go meanwhile
//! neither repeat nor skip others.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use serde::Serialize;

use super::campaigns::CAMPAIGN_SIZE;
use super::error::ProjectionError;
use super::filter::{Conditions, QueueFilter, Scope, Sort, Tab, visible};
use super::fold::CaseKind;
use super::rows::{self, CaseRow, Viewer};
use super::write::mask_bit;
use crate::wire::Suspicion;

/// Most rows of one page.
pub const PAGE_MAX: usize = 500;
/// How far a total is counted where no counter has it.
pub const TOTAL_MAX: u64 = 10_000;
/// Cases up to which those that another index finds, by id or deadline, are sorted by themselves.
const FEW: usize = 2_000;

/// Part of the queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueuePage {
    /// The rows.
    pub rows: Vec<CaseRow>,
    /// How many there are on all pages.
    pub total: u64,
    /// There are more than `total`, which is as far as was counted.
    pub total_is_least: bool,
    /// The mark of the next page; `None` on the last.
    pub next: Option<String>,
}

/// How many cases wait, by tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Open cases.
    pub open: u64,
    /// Claimed by the viewer.
    pub mine: u64,
    /// Campaigns with open members.
    pub campaigns: u64,
    /// Bad ratings.
    pub bad: u64,
    /// Past their deadline.
    pub overdue: u64,
    /// With a first of two decisions.
    pub second: u64,
    /// Appeals.
    pub appeals: u64,
    /// Handed on.
    pub escalated: u64,
}

/// What the filters offer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueOptions {
    /// Departments of open cases that the account may see.
    pub departments: Vec<String>,
    /// Their districts.
    pub districts: Vec<String>,
    /// Codes of the reasons of open cases with their number in all departments, most frequent first.
    pub rules: Vec<(String, u64)>,
}

/// How the search words narrow the list.
enum Search {
    Nothing,
    Department,
    /// Few ratings have such an id: they are found first and sorted then.
    FewIds,
    ManyIds,
}

fn search(db: &Connection, q: &str) -> Result<Search, ProjectionError> {
    if q.is_empty() {
        return Ok(Search::Nothing);
    }
    let is_department: bool = db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM counter WHERE department = ?1)")?
        .query_row([q], |row| row.get(0))?;
    if is_department {
        return Ok(Search::Department);
    }
    let found: i64 = db
        .prepare_cached(
            "SELECT count(*) FROM
                (SELECT 1 FROM cases WHERE rating_id >= ?1 AND rating_id < ?1 || char(0x10FFFF) LIMIT ?2)",
        )?
        .query_row(params![q, FEW as i64 + 1], |row| row.get(0))?;
    Ok(if found as usize <= FEW { Search::FewIds } else { Search::ManyIds })
}

/// What a filter asks of a case.
pub(super) fn conditions(db: &Connection, filter: &QueueFilter) -> Result<Conditions, ProjectionError> {
    Ok(plan(db, filter)?.conditions)
}

struct Plan {
    /// Column of the order.
    key: &'static str,
    descending: bool,
    /// The index that is walked; `None` where few rows are found by another and sorted.
    index: Option<&'static str>,
    conditions: Conditions,
    /// Whether counters have the total.
    is_counted: bool,
}

fn plan(db: &Connection, filter: &QueueFilter) -> Result<Plan, ProjectionError> {
    let mut conditions = Conditions::default();
    let is_decided = filter.tab == Tab::Decided;
    let (key, descending, index) = match (is_decided, filter.sort) {
        (true, Sort::Oldest) => ("decided_at", false, "decided_at"),
        (true, _) => ("decided_at", true, "decided_at"),
        (false, Sort::Priority) => ("rank", false, "open_rank"),
        (false, Sort::Oldest) => ("since", false, "open_since"),
        (false, Sort::Newest) => ("since", true, "open_since"),
        (false, Sort::Deadline) => ("deadline", false, "open_deadline"),
    };
    let mut index = Some(index);
    let mut is_counted = true;
    conditions.plain(if is_decided { "open = 0 AND decided_at IS NOT NULL" } else { "open = 1" });
    match filter.tab {
        Tab::Open | Tab::Decided => {}
        Tab::Mine => {
            conditions.with("claim_by = ?", filter.name.clone());
            conditions.with("claim_until > ?", filter.now.ms());
            (index, is_counted) = (Some("open_claim"), false);
        }
        Tab::Bad => conditions.plain("bad = 1"),
        Tab::Overdue => {
            conditions.with("deadline < ?", filter.now.ms());
            is_counted = false;
            // Few late ones are found by their deadlines and sorted; of many a page is full soon in any order.
            let late: i64 = db
                .prepare_cached("SELECT coalesce(sum(n), 0) FROM deadline_counter WHERE deadline < ?1")?
                .query_row([filter.now.ms()], |row| row.get(0))?;
            if late as usize <= FEW {
                index = Some("open_deadline");
            }
        }
        Tab::Second => {
            conditions.plain("first_by IS NOT NULL");
            (index, is_counted) = (Some("open_first"), false);
        }
        Tab::Appeals => conditions.with("kind = ?", i64::from(CaseKind::Appeal as u8)),
        Tab::Escalated => conditions.plain("escalated = 1"),
    }
    if let Some(suspicion) = filter.suspicion {
        conditions.with("kind <> 1 AND suspicion = ?", i64::from(suspicion as u8));
        is_counted = false;
    }
    if let Some(channel) = filter.channel {
        conditions.with("channel = ?", i64::from(channel as u8));
        is_counted = false;
    }
    if let Some(stars) = filter.stars {
        conditions.with("stars = ?", i64::from(stars));
        is_counted = false;
    }
    if let Some(department) = &filter.department {
        conditions.with("department = ?", department.clone());
    }
    if let Some(district) = &filter.district {
        conditions.with("district = ?", district.clone());
    }
    let q = filter.q.trim();
    match search(db, q)? {
        Search::Nothing => {}
        Search::Department => conditions.with("department = ?", q.to_owned()),
        found => {
            conditions.with("rating_id >= ?", q.to_owned());
            conditions.with("rating_id < ? || char(0x10FFFF)", q.to_owned());
            if matches!(found, Search::FewIds) && !matches!(filter.tab, Tab::Mine | Tab::Second) {
                index = Some("sqlite_autoindex_cases_1");
            }
            is_counted = false;
        }
    }
    if let Some(age) = filter.age {
        conditions.with("since <= ?", filter.now.ms() - age.ms());
        is_counted = false;
    }
    visible(db, &filter.scope)?.restrict(&mut conditions);
    if let Some(rule) = &filter.rule {
        // The mask says no for sure; only where it says perhaps are the reasons read.
        conditions.with("mask & ? <> 0", mask_bit(rule));
        conditions.with(
            "EXISTS (SELECT 1 FROM case_reason r WHERE r.code = ? AND r.rating_sequence = cases.rating_sequence)",
            rule.clone(),
        );
        is_counted = false;
    }
    Ok(Plan { key, descending, index, conditions, is_counted })
}

/// The mark of a page: the last key before it, and the total, which is counted once.
struct Cursor {
    key: i64,
    sequence: i64,
    total: u64,
    total_is_least: bool,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, ProjectionError> {
        let mut parts = text.split('_');
        let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or(ProjectionError::Cursor);
        let (key, sequence, total, least) = (number()?, number()?, number()?, number()?);
        let total = u64::try_from(total).map_err(|_| ProjectionError::Cursor)?;
        Ok(Self { key, sequence, total, total_is_least: least == 1 })
    }

    fn text(&self) -> String {
        let Self { key, sequence, total, total_is_least } = self;
        format!("{key}_{sequence}_{total}_{}", u8::from(*total_is_least))
    }
}

/// See [`super::Projection::queue`].
pub(super) fn queue(
    db: &Connection,
    filter: &QueueFilter,
    cursor: Option<&str>,
    limit: usize,
) -> Result<QueuePage, ProjectionError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut plan = plan(db, filter)?;
    let cursor = cursor.map(Cursor::parse).transpose()?;
    let known = match &cursor {
        Some(cursor) => Some((cursor.total, cursor.total_is_least)),
        None => counted(db, filter, &plan)?.map(|total| (total, false)),
    };
    let (direction, beyond) = if plan.descending { ("DESC", "<") } else { ("ASC", ">") };
    if let Some(Cursor { key, sequence, .. }) = cursor {
        let text = format!("({}, rating_sequence) {beyond} (?, ?)", plan.key);
        plan.conditions.with_all(&text, [key.into(), sequence.into()]);
    }
    // Where the total is not known, the same walk counts on behind the page.
    let walked = match (known, &cursor) {
        (None, _) => TOTAL_MAX as usize + 1,
        // No further than to the last one that there is.
        (Some((total, false)), None) => (limit + 1).min(total as usize),
        (Some(_), _) => limit + 1,
    };
    let sql = format!(
        "SELECT {key}, rating_sequence FROM cases {index} WHERE {conditions}
         ORDER BY {key} {direction}, rating_sequence {direction} LIMIT ?",
        key = plan.key,
        index = plan.index.map_or(String::new(), |index| format!("INDEXED BY {index}")),
        conditions = plan.conditions.text(),
    );
    let mut statement = db.prepare_cached(&sql)?;
    let values = plan.conditions.values().cloned().chain([Value::Integer(walked as i64)]);
    let mut keys: Vec<(i64, i64)> = Vec::with_capacity(limit + 1);
    let mut count = 0_u64;
    if walked > 0 {
        let mut found = statement.query(params_from_iter(values))?;
        while let Some(row) = found.next()? {
            count += 1;
            if keys.len() <= limit {
                keys.push((row.get(0)?, row.get(1)?));
            }
        }
    }
    let (total, total_is_least) = known.unwrap_or((count.min(TOTAL_MAX), count > TOTAL_MAX));
    let last = keys.get(limit).and(keys.get(limit - 1));
    let next = last.map(|&(key, sequence)| Cursor { key, sequence, total, total_is_least }.text());
    let sequences: Vec<u64> = keys.iter().take(limit).map(|&(_, sequence)| sequence as u64).collect();
    Ok(QueuePage { rows: rows::by_sequences(db, &sequences, filter.viewer())?, total, total_is_least, next })
}

/// The total, where counters have it.
fn counted(db: &Connection, filter: &QueueFilter, plan: &Plan) -> Result<Option<u64>, ProjectionError> {
    if plan.is_counted {
        let text = plan
            .conditions
            .text()
            .replace("open = 0 AND decided_at IS NOT NULL", "standing = 2")
            .replace("open = 1", "standing = 1");
        let total: i64 = db
            .prepare_cached(&format!("SELECT coalesce(sum(n), 0) FROM counter WHERE {text}"))?
            .query_row(params_from_iter(plan.conditions.values()), |row| row.get(0))?;
        return Ok(Some(total as u64));
    }
    let is_rule_alone = filter.rule.is_some() && plan.conditions.len() == 3 && filter.tab == Tab::Open;
    if is_rule_alone {
        let total: Option<i64> = db
            .prepare_cached("SELECT sum(open) FROM code_counter WHERE code = ?1")?
            .query_row([&filter.rule], |row| row.get(0))?;
        return Ok(Some(total.unwrap_or(0) as u64));
    }
    Ok(None)
}

/// See [`super::Projection::counts`].
pub(super) fn counts(db: &Connection, scope: &Scope, viewer: Viewer<'_>) -> Result<Counts, ProjectionError> {
    let visible = visible(db, scope)?;
    let mut conditions = Conditions::default();
    visible.restrict(&mut conditions);
    let sql = format!(
        "SELECT coalesce(sum(n), 0), coalesce(sum(n * bad), 0), coalesce(sum(n * (kind = 2)), 0),
            coalesce(sum(n * escalated), 0)
         FROM counter WHERE standing = 1 AND {}",
        conditions.text()
    );
    let mut counts = db.prepare_cached(&sql)?.query_row(params_from_iter(conditions.values()), |row| {
        let of = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)? as u64);
        Ok(Counts { open: of(0)?, bad: of(1)?, appeals: of(2)?, escalated: of(3)?, ..Counts::default() })
    })?;
    let one = |sql: String, conditions: &Conditions| -> Result<u64, ProjectionError> {
        let found: i64 =
            db.prepare_cached(&sql)?.query_row(params_from_iter(conditions.values()), |row| row.get(0))?;
        Ok(found as u64)
    };
    let mut overdue = Conditions::default();
    overdue.with("deadline < ?", viewer.now.ms());
    visible.restrict(&mut overdue);
    let late = format!("SELECT coalesce(sum(n), 0) FROM deadline_counter WHERE {}", overdue.text());
    counts.overdue = one(late, &overdue)?;
    let mut mine = Conditions::default();
    mine.with("open = 1 AND claim_by = ?", viewer.name.to_owned());
    mine.with("claim_until > ?", viewer.now.ms());
    visible.restrict(&mut mine);
    counts.mine =
        one(format!("SELECT count(*) FROM cases INDEXED BY open_claim WHERE {}", mine.text()), &mine)?;
    let mut second = Conditions::default();
    second.plain("open = 1 AND first_by IS NOT NULL");
    visible.restrict(&mut second);
    let waiting = format!("SELECT count(*) FROM cases INDEXED BY open_first WHERE {}", second.text());
    counts.second = one(waiting, &second)?;
    let campaigns = format!(
        "SELECT count(*) FROM grp WHERE open > 0 AND size >= {CAMPAIGN_SIZE} AND
            ({all} OR id IN (SELECT grp FROM grp_office WHERE open > 0 AND {conditions}))",
        all = if conditions.len() == 0 { "1" } else { "0" },
        conditions = conditions.text(),
    );
    counts.campaigns = one(campaigns, &conditions)?;
    Ok(counts)
}

/// See [`super::Projection::queue_options`].
pub(super) fn options(db: &Connection, scope: &Scope) -> Result<QueueOptions, ProjectionError> {
    const RULES_MAX: i64 = 200;
    let mut conditions = Conditions::default();
    visible(db, scope)?.restrict(&mut conditions);
    let codes = |column: &str| -> Result<Vec<String>, ProjectionError> {
        let sql = format!(
            "SELECT DISTINCT {column} FROM counter WHERE standing = 1 AND {column} <> '' AND {} ORDER BY 1",
            conditions.text()
        );
        let mut statement = db.prepare_cached(&sql)?;
        let codes = statement.query_map(params_from_iter(conditions.values()), |row| row.get(0))?;
        Ok(codes.collect::<Result<_, _>>()?)
    };
    let rules = db
        .prepare_cached("SELECT code, open FROM code_counter ORDER BY open DESC, code LIMIT ?1")?
        .query_map([RULES_MAX], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?
        .collect::<Result<_, _>>()?;
    Ok(QueueOptions { departments: codes("department")?, districts: codes("district")?, rules })
}

/// See [`super::Projection::pending_by_suspicion`].
pub(super) fn pending_by_suspicion(db: &Connection) -> Result<HashMap<&'static str, u64>, ProjectionError> {
    let mut statement = db.prepare_cached("SELECT suspicion, n FROM suspicion_counter")?;
    let mut pending = HashMap::new();
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        if let Some(suspicion) = Suspicion::from_index(row.get(0)?) {
            pending.insert(suspicion.name(), row.get::<_, i64>(1)? as u64);
        }
    }
    Ok(pending)
}
