//! How well it is decided: agreement, control samples, appeals, backlog and deadlines, and each rule by what people
//! decided.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params};
use serde::Serialize;

use super::error::ProjectionError;
use crate::date::{Day, UtcOffset};
use crate::statistics::wilson;
use crate::time::{DAY_MS, Instant};
use crate::wire::{Label, ReviewOutcome};

/// Days that the backlog shows at most.
pub const BACKLOG_DAYS_MAX: i32 = 366;

/// How far two people agree who decided about one rating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// Ratings that two people decided about.
    pub pairs: u64,
    /// Those where they saw the same.
    pub agreed: u64,
    /// Cohen's kappa (Cohen, "A coefficient of agreement for nominal scales", 1960): agreement beyond what chance
    /// gives; `None` without pairs, or where chance alone would always agree. The first of two always excludes, or the
    /// case would be closed: so it is of first and second votes, not of two people who know nothing of each other.
    pub kappa: Option<f64>,
}

/// One reviewer's decisions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reviewer {
    /// Name of the account.
    pub name: String,
    /// Decisions that stand, as the first or the second person.
    pub decided: u64,
    /// Votes to clear.
    pub cleared: u64,
    /// Votes that it is not genuine.
    pub confirmed: u64,
    /// Votes that it is a mistake.
    pub mistaken: u64,
    /// Decisions to exclude that an appeal overturned.
    pub overturned: u64,
    /// Median time from when the case waited to the decision, in seconds.
    pub median_s: Option<u64>,
}

/// What reviewers found among ratings that were drawn by lot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Control {
    /// Drawn.
    pub sampled: u64,
    /// Decided.
    pub decided: u64,
    /// Found to be no genuine ratings.
    pub abusive: u64,
    /// Their share.
    pub share: Option<f64>,
    /// Low end of its 95 % interval (Wilson).
    pub low: Option<f64>,
    /// High end.
    pub high: Option<f64>,
}

/// What became of appeals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Appeals {
    /// Filed.
    pub filed: u64,
    /// Answered.
    pub decided: u64,
    /// Answered by counting the rating after all.
    pub overturned: u64,
}

/// One day of the backlog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BacklogDay {
    /// The day.
    pub day: Day,
    /// Cases that began to wait.
    pub opened: u64,
    /// Cases that waited no more.
    pub decided: u64,
    /// Open as the day ended.
    pub open: u64,
}

/// Decisions and their deadlines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deadlines {
    /// Decided by people in time.
    pub within: u64,
    /// Decided later, or by the clock.
    pub late: u64,
    /// Open, and late already.
    pub open_late: u64,
}

/// A rule by what people decided about the ratings that it spoke of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleQuality {
    /// Code of the reason.
    pub id: String,
    /// Decided.
    pub decided: u64,
    /// They count.
    pub cleared: u64,
    /// They are not genuine.
    pub confirmed: u64,
    /// Honest mistakes.
    pub mistaken: u64,
    /// Share of `confirmed` in `decided`.
    pub precision: Option<f64>,
}

/// A rule by all that waits and all that was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RuleOutcomes {
    /// Open cases that it speaks of; second looks are left out.
    pub held: u64,
    /// Cleared.
    pub cleared: u64,
    /// Confirmed.
    pub confirmed: u64,
    /// Mistaken.
    pub mistaken: u64,
    /// Share of `confirmed` in what was decided.
    pub precision: Option<f64>,
}

/// All of it for one period.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Quality {
    /// Between first and second votes.
    pub agreement: Agreement,
    /// By name.
    pub reviewers: Vec<Reviewer>,
    /// Control samples.
    pub control: Control,
    /// Appeals.
    pub appeals: Appeals,
    /// Day by day.
    pub backlog: Vec<BacklogDay>,
    /// Deadlines.
    pub deadlines: Deadlines,
    /// Rules, most decided first.
    pub rules: Vec<RuleQuality>,
}

/// What a person's decision says that a rating really is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRow {
    /// Sequence of the decision.
    pub sequence: u64,
    /// The rating.
    pub rating_id: String,
    /// What it is.
    pub label: Label,
    /// Whether it was drawn by lot: such labels say how much is missed.
    pub control: bool,
}

/// See [`super::Projection::quality`]. `from` and `until` are days, both within the period.
pub(super) fn quality(
    db: &Connection,
    from: Day,
    until: Day,
    offset: UtcOffset,
    now: Instant,
) -> Result<Quality, ProjectionError> {
    let range = (offset.start_of(from).ms(), offset.start_of(until.plus(1)).ms());
    Ok(Quality {
        agreement: agreement(db, range)?,
        reviewers: reviewers(db, range)?,
        control: control(db, range)?,
        appeals: appeals(db, range)?,
        backlog: backlog(db, from, until, offset)?,
        deadlines: deadlines(db, range, now)?,
        rules: rules(db, range)?,
    })
}

type Range = (i64, i64);

fn agreement(db: &Connection, (from, until): Range) -> Result<Agreement, ProjectionError> {
    let mut cells = [[0_u64; 3]; 3];
    let mut statement = db.prepare_cached(
        "SELECT first_outcome, voted, count(*) FROM decision
         WHERE at >= ?1 AND at < ?2 AND undone = 0 AND first_outcome IS NOT NULL GROUP BY 1, 2",
    )?;
    let mut found = statement.query([from, until])?;
    while let Some(row) = found.next()? {
        let (first, second): (usize, usize) = (row.get::<_, u8>(0)?.into(), row.get::<_, u8>(1)?.into());
        if first < 3 && second < 3 {
            cells[first][second] += row.get::<_, i64>(2)? as u64;
        }
    }
    Ok(kappa(cells))
}

/// Agreement in a table of first votes by second votes.
fn kappa(cells: [[u64; 3]; 3]) -> Agreement {
    let pairs: u64 = cells.iter().flatten().sum();
    let agreed: u64 = (0..3).map(|outcome| cells[outcome][outcome]).sum();
    if pairs == 0 {
        return Agreement::default();
    }
    let share = |count: u64| count as f64 / pairs as f64;
    let by_chance: f64 = (0..3)
        .map(|outcome| {
            let first: u64 = cells[outcome].iter().sum();
            let second: u64 = cells.iter().map(|row| row[outcome]).sum();
            share(first) * share(second)
        })
        .sum();
    let kappa = (by_chance < 1.0 - 1e-12).then(|| (share(agreed) - by_chance) / (1.0 - by_chance));
    Agreement { pairs, agreed, kappa }
}

fn reviewers(db: &Connection, (from, until): Range) -> Result<Vec<Reviewer>, ProjectionError> {
    let mut by_name: BTreeMap<String, (Reviewer, Vec<u64>)> = BTreeMap::new();
    let mut statement = db.prepare_cached(
        "SELECT who, voted, first_by, first_outcome, at - opened, overturned FROM decision
         WHERE at >= ?1 AND at < ?2 AND undone = 0",
    )?;
    let mut found = statement.query([from, until])?;
    while let Some(row) = found.next()? {
        let overturned: bool = row.get(5)?;
        let second =
            (Some(row.get::<_, String>(0)?), Some(row.get::<_, u8>(1)?), Some(row.get::<_, i64>(4)?));
        let first = (row.get::<_, Option<String>>(2)?, row.get::<_, Option<u8>>(3)?, None);
        for (name, voted, waited) in [second, first] {
            let (Some(name), Some(voted)) = (name, voted.and_then(ReviewOutcome::from_index)) else {
                continue;
            };
            let (reviewer, spans) = by_name.entry(name).or_default();
            reviewer.decided += 1;
            match voted {
                ReviewOutcome::Clear => reviewer.cleared += 1,
                ReviewOutcome::Confirm => reviewer.confirmed += 1,
                ReviewOutcome::Mistaken => reviewer.mistaken += 1,
            }
            reviewer.overturned += u64::from(overturned && voted != ReviewOutcome::Clear);
            spans.extend(waited.map(|waited| waited.max(0) as u64 / 1_000));
        }
    }
    Ok(by_name
        .into_iter()
        .map(|(name, (mut reviewer, mut spans))| {
            spans.sort_unstable();
            reviewer.median_s = spans.get(spans.len() / 2).copied();
            Reviewer { name, ..reviewer }
        })
        .collect())
}

fn control(db: &Connection, (from, until): Range) -> Result<Control, ProjectionError> {
    let sampled: i64 = db
        .prepare_cached(
            "SELECT count(DISTINCT rating_sequence) FROM cases JOIN spell USING (rating_sequence)
             WHERE control = 1 AND place = 0 AND spell.opened >= ?1 AND spell.opened < ?2",
        )?
        .query_row([from, until], |row| row.get(0))?;
    let mut found = Control { sampled: sampled as u64, ..Control::default() };
    let mut statement = db.prepare_cached(
        "SELECT d.label, count(*) FROM decision d
         WHERE d.at >= ?1 AND d.at < ?2 AND d.control = 1 AND d.undone = 0 AND NOT EXISTS
            (SELECT 1 FROM decision later WHERE later.rating_sequence = d.rating_sequence
                AND later.sequence > d.sequence AND later.undone = 0 AND later.at < ?2)
         GROUP BY 1",
    )?;
    let mut labels = statement.query([from, until])?;
    while let Some(row) = labels.next()? {
        let count = row.get::<_, i64>(1)? as u64;
        let is_abusive = Label::from_index(row.get(0)?).and_then(Label::is_abusive);
        found.decided += count;
        found.abusive += if is_abusive == Some(true) { count } else { 0 };
    }
    if let Some((low, high)) = wilson(found.abusive, found.decided) {
        found.share = Some(found.abusive as f64 / found.decided as f64);
        (found.low, found.high) = (Some(low), Some(high));
    }
    Ok(found)
}

fn appeals(db: &Connection, (from, until): Range) -> Result<Appeals, ProjectionError> {
    let (filed, decided, overturned): (i64, i64, i64) = db
        .prepare_cached(
            "SELECT (SELECT count(*) FROM history
                    WHERE what = 'appeal' AND void = 0 AND at >= ?1 AND at < ?2),
                count(*), coalesce(sum(outcome = 0), 0)
             FROM decision WHERE at >= ?1 AND at < ?2 AND on_appeal = 1 AND undone = 0",
        )?
        .query_row([from, until], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(Appeals { filed: filed as u64, decided: decided as u64, overturned: overturned as u64 })
}

fn backlog(
    db: &Connection,
    from: Day,
    until: Day,
    offset: UtcOffset,
) -> Result<Vec<BacklogDay>, ProjectionError> {
    let days = (until.number() - from.number() + 1).clamp(0, BACKLOG_DAYS_MAX);
    let from = until.plus(1 - days);
    let start = offset.start_of(from).ms();
    let end = start + i64::from(days) * DAY_MS;
    let before: i64 = db
        .prepare_cached(
            "SELECT (SELECT count(*) FROM spell WHERE opened < ?1) -
                (SELECT count(*) FROM spell WHERE closed IS NOT NULL AND closed < ?1)",
        )?
        .query_row([start], |row| row.get(0))?;
    let by_day = |column: &str| -> Result<HashMap<i32, u64>, ProjectionError> {
        let sql = format!(
            "SELECT ({column} - ?1) / ?3, count(*) FROM spell
             WHERE {column} IS NOT NULL AND {column} >= ?1 AND {column} < ?2 GROUP BY 1"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let found = statement
            .query_map([start, end, DAY_MS], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
        Ok(found.collect::<Result<_, _>>()?)
    };
    let (opened, closed) = (by_day("opened")?, by_day("closed")?);
    let mut open = before;
    Ok((0..days)
        .map(|place| {
            let of = |days: &HashMap<i32, u64>| days.get(&place).copied().unwrap_or(0);
            let (opened, decided) = (of(&opened), of(&closed));
            open += opened as i64 - decided as i64;
            BacklogDay { day: from.plus(place), opened, decided, open: open.max(0) as u64 }
        })
        .collect())
}

fn deadlines(db: &Connection, (from, until): Range, now: Instant) -> Result<Deadlines, ProjectionError> {
    let (within, all): (i64, i64) = db
        .prepare_cached(
            "SELECT coalesce(sum(closed_by = 0 AND closed <= deadline), 0), count(*) FROM spell
             WHERE closed IS NOT NULL AND closed_by <> 2 AND closed >= ?1 AND closed < ?2",
        )?
        .query_row([from, until], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let open_late: i64 = db
        .prepare_cached(
            "SELECT count(*) FROM cases INDEXED BY open_deadline WHERE open = 1 AND deadline < ?1",
        )?
        .query_row([now.ms()], |row| row.get(0))?;
    Ok(Deadlines { within: within as u64, late: (all - within) as u64, open_late: open_late as u64 })
}

fn precision(confirmed: u64, decided: u64) -> Option<f64> {
    (decided > 0).then(|| confirmed as f64 / decided as f64)
}

fn rules(db: &Connection, (from, until): Range) -> Result<Vec<RuleQuality>, ProjectionError> {
    let mut statement = db.prepare_cached(
        "SELECT r.code, count(*), sum(d.outcome = 0), sum(d.outcome = 1), sum(d.outcome = 2)
         FROM decision d JOIN case_reason r USING (rating_sequence)
         WHERE d.at >= ?1 AND d.at < ?2 AND d.undone = 0 AND d.overturned = 0
         GROUP BY 1 ORDER BY 2 DESC, 1",
    )?;
    let found = statement.query_map(params![from, until], |row| {
        let of = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)? as u64);
        let (decided, confirmed) = (of(1)?, of(3)?);
        Ok(RuleQuality {
            id: row.get(0)?,
            decided,
            cleared: of(2)?,
            confirmed,
            mistaken: of(4)?,
            precision: precision(confirmed, decided),
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// See [`super::Projection::rule_outcomes`].
pub(super) fn rule_outcomes(db: &Connection) -> Result<HashMap<String, RuleOutcomes>, ProjectionError> {
    let mut statement =
        db.prepare_cached("SELECT code, open, cleared, confirmed, mistaken FROM code_counter")?;
    let found = statement.query_map([], |row| {
        let of = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)? as u64);
        let (held, cleared, confirmed, mistaken) = (of(1)?, of(2)?, of(3)?, of(4)?);
        let precision = precision(confirmed, cleared + confirmed + mistaken);
        Ok((row.get(0)?, RuleOutcomes { held, cleared, confirmed, mistaken, precision }))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// See [`super::Projection::labels`].
pub(super) fn labels(
    db: &Connection,
    from: u64,
    each: &mut dyn FnMut(LabelRow),
) -> Result<(), ProjectionError> {
    let mut statement = db.prepare_cached(
        "SELECT d.sequence, c.rating_id, d.label, d.control FROM decision d JOIN cases c USING (rating_sequence)
         WHERE d.sequence >= ?1 AND d.undone = 0 AND NOT EXISTS
            (SELECT 1 FROM decision later WHERE later.rating_sequence = d.rating_sequence
                AND later.sequence > d.sequence AND later.undone = 0)
         ORDER BY d.sequence",
    )?;
    let mut found = statement.query([i64::try_from(from).unwrap_or(i64::MAX)])?;
    while let Some(row) = found.next()? {
        if let Some(label) = Label::from_index(row.get(2)?) {
            each(LabelRow {
                sequence: row.get::<_, i64>(0)? as u64,
                rating_id: row.get(1)?,
                label,
                control: row.get(3)?,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_is_the_textbooks() {
        let found = kappa([[45, 15, 0], [25, 15, 0], [0, 0, 0]]);
        assert_eq!((found.pairs, found.agreed), (100, 60));
        assert!((found.kappa.unwrap() - 0.130_434_8).abs() < 1e-6, "{found:?}");
        let found = kappa([[25, 35, 0], [5, 35, 0], [0, 0, 0]]);
        assert!((found.kappa.unwrap() - 0.259_259_3).abs() < 1e-6, "{found:?}");
        assert_eq!(kappa([[0; 3]; 3]).kappa, None);
        assert_eq!(kappa([[0, 0, 0], [0, 9, 0], [0, 0, 0]]).kappa, None, "chance alone would agree");
    }
}
