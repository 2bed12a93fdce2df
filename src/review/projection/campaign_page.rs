//! A campaign as lists and its page show it.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use serde::Serialize;

use super::campaigns::CAMPAIGN_SIZE;
use super::error::ProjectionError;
use super::filter::{Conditions, QueueFilter, Scope, Tab, visible};
use super::named::Named;
use super::priority;
use super::queue;
use super::reading::{Figures, reading, summary};
use super::rows::{self, CaseRow, Viewer, campaign_id, campaign_sequence, rfc3339};
use crate::catalogue::Bilingual;
use crate::time::Instant;
use crate::wire::ReviewOutcome;

/// Campaigns that are looked at for one list: beyond, those that a filter would find are not counted.
const LOOKED_AT: usize = 200;

/// A campaign in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CampaignRow {
    /// Its id: `C` and the first member's sequence in hexadecimal digits.
    pub id: String,
    /// Members.
    pub size: u64,
    /// Members that wait for a decision.
    pub open: u64,
    /// Members that are bad ratings.
    pub bad: u64,
    /// When the first was submitted.
    #[serde(serialize_with = "rfc3339")]
    pub first: Instant,
    /// When the last was.
    #[serde(serialize_with = "rfc3339")]
    pub last: Instant,
    /// What it is, in a sentence.
    pub summary: Bilingual,
    /// 0 to 100.
    pub priority: u8,
    /// Departments of the members.
    pub departments: Vec<String>,
    /// A member is past its deadline.
    pub overdue: bool,
}

/// What several members share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// In Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
    /// A pseudonym of it, shortened.
    pub label: String,
    /// Members that share it.
    pub n: u64,
}

/// What of the members was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DecidedMembers {
    /// They count.
    pub cleared: u64,
    /// They are not genuine.
    pub confirmed: u64,
    /// Honest mistakes.
    pub mistaken: u64,
}

/// A campaign as its page shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Campaign {
    /// As in lists.
    #[serde(flatten)]
    pub row: CampaignRow,
    /// An attack, an incident, or neither for sure.
    pub reading: Named,
    /// Why it is read so.
    pub reading_why: Bilingual,
    /// Accounts.
    pub raters: u64,
    /// Devices.
    pub devices: u64,
    /// Long comments that differ.
    pub texts: u64,
    /// Networks.
    pub networks: u64,
    /// Members with a case that was found.
    pub cases_matched: u64,
    /// Whom the members are about.
    pub targets: u64,
    /// How unrelated the raters are, 0 to 1.
    pub rater_dispersion: Option<f64>,
    /// What was decided.
    pub decided: DecidedMembers,
    /// What members share, most widely shared first.
    pub shares: Vec<Share>,
}

/// A member with what links it, as numbers that mean nothing outside.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberLinks {
    /// Sequence of the rating's entry.
    pub sequence: u64,
    /// When it was submitted.
    pub at: Instant,
    /// The account.
    pub rater: Option<u64>,
    /// The device.
    pub device: Option<u64>,
    /// What the comment says; near-duplicates are one.
    pub text: Option<u64>,
    /// The network.
    pub network: Option<u64>,
    /// The case.
    pub case: Option<u64>,
    /// Whom it is about.
    pub target: u64,
}

/// Which members are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberFilter {
    /// Open ones, decided ones, or all.
    pub open: Option<bool>,
    /// With these stars.
    pub stars: Option<u8>,
    /// With a reason of this code.
    pub rule: Option<String>,
}

const COLUMNS: &str = "g.id, g.first, g.size, g.open, g.bad, g.began, g.ended, g.rank, g.deadline, g.raters, \
    g.with_rater, g.devices, g.with_device, g.texts, g.with_text, g.networks, g.with_network, g.targets, g.matched";

fn figures(row: &Row<'_>) -> Result<Figures, rusqlite::Error> {
    let of = |column: &str| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)? as u64);
    Ok(Figures {
        size: of("size")?,
        bad: of("bad")?,
        span_ms: row.get::<_, i64>("ended")?.saturating_sub(row.get("began")?).unsigned_abs(),
        raters: (of("raters")?, of("with_rater")?),
        devices: (of("devices")?, of("with_device")?),
        texts: (of("texts")?, of("with_text")?),
        networks: (of("networks")?, of("with_network")?),
        targets: of("targets")?,
        matched: of("matched")?,
    })
}

fn row(db: &Connection, row: &Row<'_>, now: Instant) -> Result<(i64, CampaignRow, Figures), rusqlite::Error> {
    let group: i64 = row.get("id")?;
    let figures = figures(row)?;
    let departments = db
        .prepare_cached("SELECT DISTINCT department FROM grp_office WHERE grp = ?1 ORDER BY 1")?
        .query_map([group], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let open = row.get::<_, i64>("open")? as u64;
    let listed = CampaignRow {
        id: campaign_id(row.get::<_, i64>("first")? as u64),
        size: figures.size,
        open,
        bad: figures.bad,
        first: Instant(row.get("began")?),
        last: Instant(row.get("ended")?),
        summary: summary(&figures),
        priority: if open > 0 { priority::shown(row.get("rank")?, now) } else { 0 },
        departments,
        overdue: open > 0 && row.get::<_, i64>("deadline")? < now.ms(),
    };
    Ok((group, listed, figures))
}

/// See [`super::Projection::campaigns`].
pub(super) fn campaigns(
    db: &Connection,
    filter: &QueueFilter,
    most: usize,
) -> Result<(Vec<CampaignRow>, u64), ProjectionError> {
    let members = match filter.tab {
        Tab::Decided => return Ok((Vec::new(), 0)),
        _ => members_like(db, filter)?,
    };
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM grp g INDEXED BY grp_rank WHERE g.open > 0 AND g.size >= {CAMPAIGN_SIZE}
         ORDER BY g.rank LIMIT {LOOKED_AT}"
    ))?;
    let mut any = db.prepare_cached(&format!(
        "SELECT EXISTS (SELECT 1 FROM member JOIN cases USING (rating_sequence) WHERE {} AND grp = ?)",
        members.text()
    ))?;
    let mut found = Vec::new();
    let mut more = 0;
    let mut campaigns = statement.query([])?;
    while let Some(campaign) = campaigns.next()? {
        let group: i64 = campaign.get("id")?;
        let values = members.values().cloned().chain([Value::Integer(group)]);
        if !any.query_row(params_from_iter(values), |row| row.get::<_, bool>(0))? {
            continue;
        }
        match found.len() < most {
            true => found.push(row(db, campaign, filter.now)?.1),
            false => more += 1,
        }
    }
    Ok((found, more))
}

/// Conditions on a member for which its campaign is listed.
fn members_like(db: &Connection, filter: &QueueFilter) -> Result<Conditions, ProjectionError> {
    let without_words = QueueFilter { q: String::new(), ..filter.clone() };
    let mut conditions = queue::conditions(db, &without_words)?;
    let q = filter.q.trim();
    if !q.is_empty() {
        let text = "(department = ? OR (rating_id >= ? AND rating_id < ? || char(0x10FFFF)))";
        conditions.with_all(text, std::iter::repeat_n(Value::Text(q.to_owned()), 3));
    }
    Ok(conditions)
}

/// The group of a campaign's id. Every id that it had while it grew leads to it.
pub(super) fn group_of(db: &Connection, id: &str) -> Result<Option<i64>, ProjectionError> {
    let Some(sequence) = campaign_sequence(id) else { return Ok(None) };
    Ok(db
        .prepare_cached(
            "SELECT grp FROM member JOIN grp ON grp.id = member.grp
             WHERE member.rating_sequence = ?1 AND grp.size >= ?2",
        )?
        .query_row(params![sequence as i64, CAMPAIGN_SIZE as i64], |row| row.get(0))
        .optional()?)
}

/// See [`super::Projection::campaign`].
pub(super) fn campaign(db: &Connection, id: &str, now: Instant) -> Result<Option<Campaign>, ProjectionError> {
    let Some(group) = group_of(db, id)? else { return Ok(None) };
    let (_, listed, figures) = db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM grp g WHERE g.id = ?1"))?
        .query_row([group], |found| row(db, found, now))?;
    let mut decided = DecidedMembers::default();
    let mut outcomes = db.prepare_cached(
        "SELECT c.outcome, count(*) FROM member m JOIN cases c USING (rating_sequence)
         WHERE m.grp = ?1 AND c.outcome IS NOT NULL GROUP BY 1",
    )?;
    let mut found = outcomes.query([group])?;
    while let Some(row) = found.next()? {
        let count = row.get::<_, i64>(1)? as u64;
        match ReviewOutcome::from_index(row.get(0)?) {
            Some(ReviewOutcome::Clear) => decided.cleared = count,
            Some(ReviewOutcome::Confirm) => decided.confirmed = count,
            Some(ReviewOutcome::Mistaken) => decided.mistaken = count,
            None => {}
        }
    }
    let (reading, reading_why) = reading(&figures);
    Ok(Some(Campaign {
        row: listed,
        reading,
        reading_why,
        raters: figures.raters.0,
        devices: figures.devices.0,
        texts: figures.texts.0,
        networks: figures.networks.0,
        cases_matched: figures.matched,
        targets: figures.targets,
        rater_dispersion: figures.dispersion(),
        decided,
        shares: shares(db, group)?,
    }))
}

/// A key shortened for people: what is the same looks the same, and means nothing outside.
pub fn short_key(key: u64) -> String {
    format!("{:04x}·{:04x}", key >> 48, (key >> 32) & 0xFFFF)
}

fn shares(db: &Connection, group: i64) -> Result<Vec<Share>, ProjectionError> {
    const EACH: usize = 3;
    let mut shares = Vec::new();
    for (column, zh, en) in [
        ("device", "同一设备", "one device"),
        ("rater", "同一账号", "one account"),
        ("text", "同一文字", "one text"),
        ("occasion", "同一办件", "one case"),
        ("network", "同一网络", "one network"),
    ] {
        let mut statement = db.prepare_cached(&format!(
            "SELECT {column}, count(*) AS n FROM member WHERE grp = ?1 AND {column} IS NOT NULL
             GROUP BY 1 HAVING n > 1 ORDER BY n DESC, 1 LIMIT {EACH}"
        ))?;
        let mut found = statement.query([group])?;
        while let Some(row) = found.next()? {
            let label = short_key(row.get::<_, i64>(0)? as u64);
            shares.push(Share { zh, en, label, n: row.get::<_, i64>(1)? as u64 });
        }
    }
    shares.sort_by_key(|share| std::cmp::Reverse(share.n));
    Ok(shares)
}

/// See [`super::Projection::members`].
pub(super) fn members(
    db: &Connection,
    id: &str,
    filter: &MemberFilter,
    scope: &Scope,
    viewer: Viewer<'_>,
    most: usize,
) -> Result<Vec<CaseRow>, ProjectionError> {
    let sequences = member_sequences(db, id, filter, scope, most)?;
    rows::by_sequences(db, &sequences, viewer)
}

fn member_sequences(
    db: &Connection,
    id: &str,
    filter: &MemberFilter,
    scope: &Scope,
    most: usize,
) -> Result<Vec<u64>, ProjectionError> {
    let Some(group) = group_of(db, id)? else { return Ok(Vec::new()) };
    let mut conditions = Conditions::default();
    conditions.with("m.grp = ?", group);
    if let Some(open) = filter.open {
        conditions.with("open = ?", i64::from(open));
    }
    if let Some(stars) = filter.stars {
        conditions.with("stars = ?", i64::from(stars));
    }
    visible(db, scope)?.restrict(&mut conditions);
    if let Some(rule) = &filter.rule {
        conditions.with(
            "kind <> 1 AND EXISTS (SELECT 1 FROM case_reason r
                WHERE r.code = ? AND r.rating_sequence = m.rating_sequence)",
            rule.clone(),
        );
    }
    let sql = format!(
        "SELECT m.rating_sequence FROM member m JOIN cases USING (rating_sequence) WHERE {}
         ORDER BY open DESC, m.at, m.rating_sequence LIMIT {most}",
        conditions.text()
    );
    let mut statement = db.prepare_cached(&sql)?;
    let found = statement.query_map(params_from_iter(conditions.values()), |row| row.get::<_, i64>(0))?;
    found.map(|sequence| Ok(sequence? as u64)).collect()
}

/// See [`super::Projection::open_members`].
pub(super) fn open_members(
    db: &Connection,
    id: &str,
    filter: &MemberFilter,
    scope: &Scope,
) -> Result<Vec<String>, ProjectionError> {
    let filter = MemberFilter { open: Some(true), ..filter.clone() };
    let sequences = member_sequences(db, id, &filter, scope, super::campaigns::GROUP_MAX as usize)?;
    let mut statement = db.prepare_cached("SELECT rating_id FROM cases WHERE rating_sequence = ?1")?;
    sequences
        .into_iter()
        .map(|sequence| Ok(statement.query_row([sequence as i64], |row| row.get(0))?))
        .collect()
}

/// See [`super::Projection::member_links`].
pub(super) fn member_links(
    db: &Connection,
    id: &str,
    most: usize,
) -> Result<Vec<MemberLinks>, ProjectionError> {
    let Some(group) = group_of(db, id)? else { return Ok(Vec::new()) };
    let mut statement = db.prepare_cached(
        "SELECT rating_sequence, at, rater, device, text, network, occasion, target FROM member
         WHERE grp = ?1 ORDER BY at, rating_sequence LIMIT ?2",
    )?;
    let found = statement.query_map(params![group, most as i64], |row| {
        let key = |column: usize| {
            Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(|key| key as u64))
        };
        Ok(MemberLinks {
            sequence: row.get::<_, i64>(0)? as u64,
            at: Instant(row.get(1)?),
            rater: key(2)?,
            device: key(3)?,
            text: key(4)?,
            network: key(5)?,
            case: key(6)?,
            target: row.get::<_, i64>(7)? as u64,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
