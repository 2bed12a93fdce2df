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
use super::fold::CaseKind;
use super::rows::{self, CaseRow, Viewer};
use super::write::mask_bit;
use crate::time::{DAY_MS, HOUR_MS, Instant};
use crate::wire::{Channel, Suspicion};

/// Most rows of one page.
pub const PAGE_MAX: usize = 500;
/// How far a total is counted where no counter has it.
pub const TOTAL_MAX: u64 = 10_000;
/// Cases up to which those with a prefix of a rating's id are sorted by themselves.
const FEW: usize = 2_000;

/// The tabs of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// All open cases.
    #[default]
    Open,
    /// Those that the viewer has claimed.
    Mine,
    /// Bad ratings.
    Bad,
    /// Past their deadline.
    Overdue,
    /// Second looks.
    Second,
    /// Appeals.
    Appeals,
    /// Handed on by somebody.
    Escalated,
    /// What was decided, latest first.
    Decided,
}

impl Tab {
    /// All tabs with their names in addresses.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Open, "open"),
        (Self::Mine, "mine"),
        (Self::Bad, "bad"),
        (Self::Overdue, "overdue"),
        (Self::Second, "second"),
        (Self::Appeals, "appeals"),
        (Self::Escalated, "escalated"),
        (Self::Decided, "decided"),
    ];

    /// The tab with a name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|&(tab, _)| tab)
    }
}

/// The orders of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Most urgent first.
    #[default]
    Priority,
    /// Longest waiting first; of decided cases, first decided first.
    Oldest,
    /// Latest first.
    Newest,
    /// Nearest deadline first.
    Deadline,
}

impl Sort {
    /// All orders with their names in addresses, in Chinese and in English.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 4] = [
        (Self::Priority, "priority", "优先级", "priority"),
        (Self::Oldest, "oldest", "等待最久", "longest waiting"),
        (Self::Newest, "newest", "最新", "newest"),
        (Self::Deadline, "deadline", "时限", "deadline"),
    ];

    /// The order with a name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, ..)| *known == name).map(|&(sort, ..)| sort)
    }
}

/// How long a case has waited, at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Four hours.
    FourHours,
    /// A day.
    Day,
    /// Three days.
    ThreeDays,
}

impl Age {
    /// All with their names in addresses, in Chinese and in English.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 3] = [
        (Self::FourHours, "4h", "4小时以上", "over 4 hours"),
        (Self::Day, "1d", "1天以上", "over a day"),
        (Self::ThreeDays, "3d", "3天以上", "over 3 days"),
    ];

    /// The age with a name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, ..)| *known == name).map(|&(age, ..)| age)
    }

    fn ms(self) -> i64 {
        match self {
            Self::FourHours => 4 * HOUR_MS,
            Self::Day => DAY_MS,
            Self::ThreeDays => 3 * DAY_MS,
        }
    }
}

/// Which cases an account may see. Upper and lower case, and spaces around a code, are no matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Departments; empty for all.
    pub departments: Vec<String>,
    /// Districts; empty for all. A rating that names none is then in none.
    pub districts: Vec<String>,
    /// The account's own department, whose cases it does not see.
    pub own_department: Option<String>,
}

/// What is listed.
#[derive(Clone, Debug, Default)]
pub struct QueueFilter {
    /// The tab.
    pub tab: Tab,
    /// Suspected of this. Finds no second look.
    pub suspicion: Option<Suspicion>,
    /// With a reason of this code. Finds no second look.
    pub rule: Option<String>,
    /// Department code.
    pub department: Option<String>,
    /// District code.
    pub district: Option<String>,
    /// Channel.
    pub channel: Option<Channel>,
    /// Stars.
    pub stars: Option<u8>,
    /// Waiting for so long.
    pub age: Option<Age>,
    /// The order.
    pub sort: Sort,
    /// A department's code, or else how a `rating_id` begins; empty for all.
    pub q: String,
    /// What the account may see.
    pub scope: Scope,
    /// Name of the account.
    pub name: String,
    /// Now.
    pub now: Instant,
}

impl QueueFilter {
    pub(super) fn viewer(&self) -> Viewer<'_> {
        Viewer { name: &self.name, now: self.now }
    }
}

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
    /// Second looks.
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

/// Conditions of a query with their values, in one order.
#[derive(Default)]
pub(super) struct Conditions {
    texts: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    pub fn plain(&mut self, text: &str) {
        self.texts.push(text.to_owned());
    }

    /// A condition with one `?`.
    pub fn with(&mut self, text: &str, value: impl Into<Value>) {
        self.texts.push(text.to_owned());
        self.values.push(value.into());
    }

    /// A condition with as many `?` as values.
    pub fn with_all(&mut self, text: &str, values: impl IntoIterator<Item = Value>) {
        self.texts.push(text.to_owned());
        self.values.extend(values);
    }

    /// A column whose value is one of these.
    pub fn one_of(&mut self, column: &str, values: &[String]) {
        let list = serde_json::to_string(values).unwrap_or_default();
        self.with(&format!("{column} IN (SELECT value FROM json_each(?))"), list);
    }

    pub fn text(&self) -> String {
        if self.texts.is_empty() { "1".to_owned() } else { self.texts.join(" AND ") }
    }

    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }
}

/// Which departments and districts of the cases that there are lie in a scope; `None` for all.
pub(super) struct Visible {
    pub departments: Option<Vec<String>>,
    pub districts: Option<Vec<String>>,
}

fn same(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b.trim())
}

pub(super) fn visible(db: &Connection, scope: &Scope) -> Result<Visible, ProjectionError> {
    let codes = |column: &str| -> Result<Vec<String>, ProjectionError> {
        let mut statement = db.prepare_cached(&format!("SELECT DISTINCT {column} FROM counter"))?;
        let codes = statement.query_map([], |row| row.get(0))?;
        Ok(codes.collect::<Result<_, _>>()?)
    };
    let in_list = |list: &[String], code: &str| list.is_empty() || list.iter().any(|entry| same(entry, code));
    let departments = match (scope.departments.is_empty(), &scope.own_department) {
        (true, None) => None,
        (_, own) => {
            let mut codes = codes("department")?;
            codes.retain(|code| {
                in_list(&scope.departments, code) && !own.as_ref().is_some_and(|own| same(own, code))
            });
            Some(codes)
        }
    };
    let districts = match scope.districts.is_empty() {
        true => None,
        false => {
            let mut codes = codes("district")?;
            codes.retain(|code| !code.is_empty() && in_list(&scope.districts, code));
            Some(codes)
        }
    };
    Ok(Visible { departments, districts })
}

impl Visible {
    pub fn restrict(&self, conditions: &mut Conditions) {
        if let Some(departments) = &self.departments {
            conditions.one_of("department", departments);
        }
        if let Some(districts) = &self.districts {
            conditions.one_of("district", districts);
        }
    }
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
        }
        Tab::Second => conditions.with("kind = ?", i64::from(CaseKind::SecondLook as u8)),
        Tab::Appeals => conditions.with("kind = ?", i64::from(CaseKind::Appeal as u8)),
        Tab::Escalated => conditions.plain("escalated = 1"),
    }
    if let Some(suspicion) = filter.suspicion {
        conditions.with("kind <> 1 AND suspicion = ?", i64::from(suspicion as u8));
    }
    if let Some(channel) = filter.channel {
        conditions.with("channel = ?", i64::from(channel as u8));
    }
    if let Some(stars) = filter.stars {
        conditions.with("stars = ?", i64::from(stars));
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
            if matches!(found, Search::FewIds) && filter.tab != Tab::Mine {
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

/// The mark of a page: the last key before it.
fn parse_cursor(cursor: &str) -> Result<(i64, i64), ProjectionError> {
    let (key, sequence) = cursor.split_once('_').ok_or(ProjectionError::Cursor)?;
    let number = |text: &str| text.parse().map_err(|_| ProjectionError::Cursor);
    Ok((number(key)?, number(sequence)?))
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
    let (total, total_is_least) = total(db, filter, &plan)?;
    let (direction, beyond) = if plan.descending { ("DESC", "<") } else { ("ASC", ">") };
    if let Some(cursor) = cursor {
        let (key, sequence) = parse_cursor(cursor)?;
        let text = format!("({}, rating_sequence) {beyond} (?, ?)", plan.key);
        plan.conditions.with_all(&text, [key.into(), sequence.into()]);
    }
    let sql = format!(
        "SELECT {key}, rating_sequence FROM cases {index} WHERE {conditions}
         ORDER BY {key} {direction}, rating_sequence {direction} LIMIT {}",
        limit + 1,
        key = plan.key,
        index = plan.index.map_or(String::new(), |index| format!("INDEXED BY {index}")),
        conditions = plan.conditions.text(),
    );
    let mut statement = db.prepare_cached(&sql)?;
    let keys: Vec<(i64, i64)> = statement
        .query_map(params_from_iter(plan.conditions.values()), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let next = keys.get(limit).and(keys.get(limit - 1)).map(|(key, sequence)| format!("{key}_{sequence}"));
    let sequences: Vec<u64> = keys.iter().take(limit).map(|&(_, sequence)| sequence as u64).collect();
    Ok(QueuePage { rows: rows::by_sequences(db, &sequences, filter.viewer())?, total, total_is_least, next })
}

fn total(db: &Connection, filter: &QueueFilter, plan: &Plan) -> Result<(u64, bool), ProjectionError> {
    if plan.is_counted {
        let text = plan
            .conditions
            .text()
            .replace("open = 0 AND decided_at IS NOT NULL", "standing = 2")
            .replace("open = 1", "standing = 1");
        let total: i64 = db
            .prepare_cached(&format!("SELECT coalesce(sum(n), 0) FROM counter WHERE {text}"))?
            .query_row(params_from_iter(plan.conditions.values()), |row| row.get(0))?;
        return Ok((total as u64, false));
    }
    let is_rule_alone = filter.rule.is_some() && plan.conditions.texts.len() == 3 && filter.tab == Tab::Open;
    if is_rule_alone {
        let total: Option<i64> = db
            .prepare_cached("SELECT sum(open) FROM code_counter WHERE code = ?1")?
            .query_row([&filter.rule], |row| row.get(0))?;
        return Ok((total.unwrap_or(0) as u64, false));
    }
    let index = plan.index.map_or(String::new(), |index| format!("INDEXED BY {index}"));
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM cases {index} WHERE {} LIMIT {})",
        plan.conditions.text(),
        TOTAL_MAX + 1
    );
    let found: i64 =
        db.prepare_cached(&sql)?.query_row(params_from_iter(plan.conditions.values()), |row| row.get(0))?;
    Ok(((found as u64).min(TOTAL_MAX), found as u64 > TOTAL_MAX))
}

/// See [`super::Projection::counts`].
pub(super) fn counts(db: &Connection, scope: &Scope, viewer: Viewer<'_>) -> Result<Counts, ProjectionError> {
    let visible = visible(db, scope)?;
    let mut conditions = Conditions::default();
    visible.restrict(&mut conditions);
    let sql = format!(
        "SELECT coalesce(sum(n), 0), coalesce(sum(n * bad), 0), coalesce(sum(n * (kind = 1)), 0),
            coalesce(sum(n * (kind = 2)), 0), coalesce(sum(n * escalated), 0)
         FROM counter WHERE standing = 1 AND {}",
        conditions.text()
    );
    let mut counts = db.prepare_cached(&sql)?.query_row(params_from_iter(conditions.values()), |row| {
        let of = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)? as u64);
        Ok(Counts {
            open: of(0)?,
            bad: of(1)?,
            second: of(2)?,
            appeals: of(3)?,
            escalated: of(4)?,
            ..Counts::default()
        })
    })?;
    let count = |from: &str, conditions: &Conditions| -> Result<u64, ProjectionError> {
        let sql = format!("SELECT count(*) {from} WHERE {}", conditions.text());
        let found: i64 =
            db.prepare_cached(&sql)?.query_row(params_from_iter(conditions.values()), |row| row.get(0))?;
        Ok(found as u64)
    };
    let mut overdue = Conditions::default();
    overdue.with("open = 1 AND deadline < ?", viewer.now.ms());
    visible.restrict(&mut overdue);
    counts.overdue = count("FROM cases INDEXED BY open_deadline", &overdue)?;
    let mut mine = Conditions::default();
    mine.with("open = 1 AND claim_by = ?", viewer.name.to_owned());
    mine.with("claim_until > ?", viewer.now.ms());
    visible.restrict(&mut mine);
    counts.mine = count("FROM cases INDEXED BY open_claim", &mine)?;
    let campaigns = format!(
        "SELECT count(*) FROM grp WHERE open > 0 AND size >= {CAMPAIGN_SIZE} AND
            ({all} OR id IN (SELECT grp FROM grp_office WHERE open > 0 AND {conditions}))",
        all = if conditions.texts.is_empty() { "1" } else { "0" },
        conditions = conditions.text(),
    );
    let found: i64 =
        db.prepare_cached(&campaigns)?.query_row(params_from_iter(conditions.values()), |row| row.get(0))?;
    counts.campaigns = found as u64;
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
    let mut statement = db.prepare_cached(
        "SELECT suspicion, sum(n) FROM counter WHERE standing = 1 AND kind <> 1 AND suspicion >= 0 GROUP BY 1",
    )?;
    let mut pending = HashMap::new();
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        if let Some(suspicion) = Suspicion::from_index(row.get(0)?) {
            pending.insert(suspicion.name(), row.get::<_, i64>(1)? as u64);
        }
    }
    Ok(pending)
}
