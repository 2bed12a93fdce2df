//! The figures as they are published.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::beta::wilson;
use super::names::{Key, Names};
use super::query::{Dimension, Period, Query, QueryError};
use super::sealed::{self, SealedMonth, key_in};
use super::tally::{self, Tally};
use super::{Settings, Statistics};
use crate::date::Day;
use crate::wire::{Aspect, Channel};

/// The answer to a [`Query`]. The same log and the same question give the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The figures follow from the log's entries before this sequence.
    pub log_position: u64,
    /// Head of the chain at that position, in hexadecimal.
    pub head: String,
    /// Version of the definitions in `docs/statistics.md`.
    pub definitions: u32,
    /// Offset from UTC in which days are cut.
    pub offset: String,
    /// By what.
    #[serde(serialize_with = "dimension_name")]
    pub by: Dimension,
    /// Cut into which periods.
    #[serde(serialize_with = "period_name")]
    pub per: Period,
    /// First day.
    pub from: Day,
    /// Last day, itself included.
    pub to: Day,
    /// What waits for a decision, over the whole log and not only the days asked for.
    pub pending: PendingNow,
    /// All rows together, those over the limit included.
    pub total: Figures,
    /// By code, then by period.
    pub rows: Vec<ReportRow>,
    /// Rows beyond the limit.
    pub omitted_rows: u64,
    /// What a reader must know to read the figures rightly.
    pub notes: Vec<Note>,
}

/// Ratings on hold now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PendingNow {
    /// Active ratings.
    pub ratings: u64,
    /// The bad ones of them.
    pub bad: u64,
    /// Default ratings.
    pub default: u64,
    /// The day of the oldest of them all (of a sealed month: its first sealed day).
    pub oldest: Option<Day>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportRow {
    /// The department that the code is unique in; for windows and clerks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The code; `None` for ratings that name none. `(other)` counts the codes for which there was no
    /// room.
    pub code: Option<String>,
    /// The month or day, where the report is cut into them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// Too few ratings to say anything of a clerk: the figures are withheld.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suppressed: bool,
    /// The figures; `None` where they are suppressed.
    #[serde(flatten)]
    pub figures: Option<Figures>,
}

/// Something a reader must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Stable id.
    pub code: &'static str,
    /// Chinese.
    pub text: String,
    /// English.
    pub text_en: String,
}

/// Ratings per level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels(
    /// From level 1 (very dissatisfied) to 5.
    pub [u64; 5],
);

impl Levels {
    /// Ratings with at least this level, 1 to 5.
    pub fn at_least(&self, level: u8) -> u64 {
        self.0.iter().skip(usize::from(level.saturating_sub(1))).sum()
    }
}

impl Serialize for Levels {
    /// `{"5": …, "4": …, "3": …, "2": …, "1": …}`
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(["5", "4", "3", "2", "1"].into_iter().zip(self.0.into_iter().rev()))
    }
}

/// The figures of one row, each defined in `docs/statistics.md`. Counts are of active ratings unless
/// they say otherwise; rates are rounded to six digits and absent where nothing was counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// All active ratings received: counted + replaced + pending + confirmed + refused.
    pub received: u64,
    /// Those that the rates are made from: admitted, and standing for their occasion.
    pub counted: u64,
    /// Counted, per level of stars.
    pub stars: Levels,
    /// Counted, per level of hall stars, where given.
    pub hall_stars: Levels,
    /// Counted, per aspect and level, where given.
    #[serde(serialize_with = "by_aspect")]
    pub aspects: [Levels; 6],
    /// 好评率: share of levels 5, 4 and 3.
    pub good_rate: Option<f64>,
    /// Its 95 % interval (Wilson 1927).
    pub good_rate_95: Option<[f64; 2]>,
    /// 满意率: share of levels 5 and 4.
    pub satisfied_rate: Option<f64>,
    /// 差评率: share of levels 2 and 1.
    pub bad_rate: Option<f64>,
    /// Share with stars, hall stars or an aspect of 2 or 1.
    pub bad_item_rate: Option<f64>,
    /// 主动评价率: counted active ratings per counted active or default rating.
    pub active_share: Option<f64>,
    /// Ever on hold.
    pub held: u64,
    /// On hold now.
    pub pending: u64,
    /// On hold now, and bad.
    pub pending_bad: u64,
    /// Rejected by a person.
    pub confirmed: u64,
    /// Rejected by a machine: the same rater's repeated good rating, or a hard rule on a good one.
    pub refused: u64,
    /// Once on hold, admitted by a decision.
    pub cleared: u64,
    /// Once on hold, admitted because nobody decided in time.
    pub lapsed: u64,
    /// Admitted, and another rating of the same occasion stands.
    pub replaced: u64,
    /// Later entries that moved ratings (default ones too) into or out of the figures.
    pub corrections: u64,
    /// Default ratings, in a column of their own.
    pub default: Defaults,
}

/// Default ratings: filled in by the platform after the rating period ran out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Defaults {
    /// Admitted and standing.
    pub counted: u64,
    /// Replaced by another rating of the same occasion.
    pub replaced: u64,
    /// On hold now.
    pub pending: u64,
    /// Rejected.
    pub rejected: u64,
}

impl Figures {
    pub(super) fn of(tally: &Tally) -> Self {
        let counted = tally.get(tally::COUNTED);
        let stars = Levels(tally.levels(tally::STARS));
        let good = stars.at_least(3);
        let default = Defaults {
            counted: tally.get(tally::DEFAULT),
            replaced: tally.get(tally::DEFAULT_REPLACED),
            pending: tally.get(tally::DEFAULT_PENDING),
            rejected: tally.get(tally::DEFAULT_REJECTED),
        };
        let outside = [tally::REPLACED, tally::PENDING, tally::CONFIRMED, tally::REFUSED];
        Self {
            received: outside.iter().fold(counted, |sum, &slot| sum.saturating_add(tally.get(slot))),
            counted,
            stars,
            hall_stars: Levels(tally.levels(tally::HALL)),
            aspects: [0, 1, 2, 3, 4, 5].map(|aspect| Levels(tally.levels(tally::ASPECTS + aspect * 5))),
            good_rate: rate(good, counted),
            good_rate_95: wilson(good, counted).map(|(low, high)| [six_digits(low), six_digits(high)]),
            satisfied_rate: rate(stars.at_least(4), counted),
            bad_rate: rate(counted.saturating_sub(good), counted),
            bad_item_rate: rate(tally.get(tally::BAD_ITEM), counted),
            active_share: rate(counted, counted.saturating_add(default.counted)),
            held: tally.get(tally::HELD),
            pending: tally.get(tally::PENDING),
            pending_bad: tally.get(tally::PENDING_BAD),
            confirmed: tally.get(tally::CONFIRMED),
            refused: tally.get(tally::REFUSED),
            cleared: tally.get(tally::CLEARED),
            lapsed: tally.get(tally::LAPSED),
            replaced: tally.get(tally::REPLACED),
            corrections: tally.get(tally::CORRECTIONS),
            default,
        }
    }
}

impl Statistics {
    /// Version of the definitions in `docs/statistics.md`; a change of any figure's meaning raises it.
    pub const DEFINITIONS: u32 = 1;

    /// Answers a question. `head` is the chain's head at [`Statistics::position`], in hexadecimal.
    ///
    /// Takes one pass over the open ratings: of the order of 0.1 s for a million of them.
    ///
    /// # Errors
    /// A field of the query is not allowed, or asks for single days of which only monthly sums are
    /// left.
    pub fn report(&self, query: &Query, head: &str) -> Result<Report, QueryError> {
        let (from, to) = query.span(self.newest_day())?;
        let mut groups: Vec<((Key, i32), Tally)> = self.collect(query, from, to)?.into_iter().collect();
        groups.sort_by(|(a, _), (b, _)| {
            self.order(query.by, a.0).cmp(&self.order(query.by, b.0)).then(a.1.cmp(&b.1))
        });

        let mut total = Tally::default();
        groups.iter().for_each(|(_, tally)| total.add_tally(tally));
        let shown = groups.len().min(query.limit);
        let rows = groups[..shown].iter().map(|((key, period), tally)| {
            let (department, code) = self.code(query.by, *key);
            let suppressed = query.by == Dimension::Clerk
                && *key != Names::ABSENT
                && tally.get(tally::COUNTED) < self.settings.clerk_minimum;
            let figures = (!suppressed).then(|| Figures::of(tally));
            ReportRow { department, code, period: query.per.label(*period), suppressed, figures }
        });
        let rows: Vec<ReportRow> = rows.collect();
        let suppressed = rows.iter().filter(|row| row.suppressed).count();
        Ok(Report {
            log_position: self.position,
            head: head.to_owned(),
            definitions: Self::DEFINITIONS,
            offset: self.settings.offset.to_string(),
            by: query.by,
            per: query.per,
            from,
            to,
            pending: self.pending(),
            total: Figures::of(&total),
            omitted_rows: (groups.len() - shown) as u64,
            rows,
            notes: self.notes(suppressed),
        })
    }

    /// Sums by key and period.
    pub(super) fn collect(
        &self,
        query: &Query,
        from: Day,
        to: Day,
    ) -> Result<HashMap<(Key, i32), Tally>, QueryError> {
        let dimension = query.by.sums();
        let within = match &query.department {
            None => None,
            Some(code) => match self.names.find(super::names::Named::Department, Names::ABSENT, code) {
                Some(key) => Some(key),
                None => return Ok(HashMap::new()),
            },
        };
        let wanted = |key: Key| match within {
            None => true,
            Some(department) => self.names.get(key).is_some_and(|name| name.department == department),
        };
        let mut groups: HashMap<(Key, i32), Tally> = HashMap::new();
        for row in self.open.rows() {
            let key = key_in(row, dimension);
            if (from..=to).contains(&row.day) && wanted(key) {
                groups.entry((key, query.per.number(row.day))).or_default().add_row(row);
            }
        }
        if from.month() < self.sealed.from {
            let message = format!("the figures before {} are no longer kept", self.sealed.from);
            return Err(QueryError::new("from", message));
        }
        for sealed in self.sealed.months.range(from.month()..=to.month()).map(|(_, sealed)| sealed) {
            let Some(day) = whole_from(sealed, query.per, from, to)? else { continue };
            for (&key, sum) in sealed.sums[usize::from(dimension)].iter().filter(|(key, _)| wanted(**key)) {
                groups.entry((key, query.per.number(day))).or_default().add_sparse(sum);
            }
        }
        Ok(groups)
    }

    /// What is on hold now, over the whole log.
    pub(super) fn pending(&self) -> PendingNow {
        let mut tally = Tally::default();
        let mut oldest: Option<Day> = None;
        let mut note = |day: Day| oldest = Some(oldest.map_or(day, |known| known.min(day)));
        for row in self.open.rows().filter(|row| row.decision() == crate::wire::Decision::Hold) {
            tally.add_row(row);
            note(row.day);
        }
        for sealed in self.sealed.months.values() {
            let mut month = Tally::default();
            sealed.sums[usize::from(sealed::TOTAL)].values().for_each(|sum| month.add_sparse(sum));
            if month.get(tally::PENDING) + month.get(tally::DEFAULT_PENDING) > 0 {
                if let Some((first, _)) = sealed.days {
                    note(first);
                }
                tally.add_tally(&month);
            }
        }
        PendingNow {
            ratings: tally.get(tally::PENDING),
            bad: tally.get(tally::PENDING_BAD),
            default: tally.get(tally::DEFAULT_PENDING),
            oldest,
        }
    }

    /// The newest day that a rating counts for; the first day there is, where there is no rating.
    pub(super) fn newest_day(&self) -> Day {
        let open = self.open.rows().map(|row| row.day);
        let sealed = self.sealed.months.values().filter_map(|month| month.days).map(|days| days.1);
        open.chain(sealed).max().unwrap_or_default()
    }

    /// The department and code that a key stands for.
    pub(super) fn code(&self, by: Dimension, key: Key) -> (Option<String>, Option<String>) {
        match by {
            Dimension::Total => (None, None),
            Dimension::Channel => {
                let channel = Channel::from_index(key.min(u32::from(u8::MAX)) as u8);
                (None, channel.map(|channel| channel.name().to_owned()))
            }
            _ => match self.names.get(key) {
                Some(name) => {
                    let department = self.names.get(name.department).map(|name| name.code.to_string());
                    (department, Some(name.code.to_string()))
                }
                None => (None, (key != Names::ABSENT).then(|| "(other)".to_owned())),
            },
        }
    }

    /// Rows are ordered by department and code, those without any last.
    fn order(&self, by: Dimension, key: Key) -> (bool, Option<String>, Option<String>) {
        let (department, code) = self.code(by, key);
        (self.names.get(key).is_none() && by != Dimension::Channel, department, code)
    }

    pub(super) fn notes(&self, suppressed: usize) -> Vec<Note> {
        let Settings { clerk_minimum, names, .. } = self.settings;
        let mut notes = Vec::new();
        let mut note = |code, text: String, text_en: String| notes.push(Note { code, text, text_en });
        if suppressed > 0 {
            note(
                "clerk-minimum",
                format!("{suppressed}行工作人员的计入评价不足{clerk_minimum}次，数字不予公布"),
                format!(
                    "{suppressed} rows of clerks have fewer than {clerk_minimum} counted ratings and are withheld"
                ),
            );
        }
        if self.names.overflowed {
            note(
                "names-full",
                format!("机构编码超过{names}个，其余合并为(other)"),
                format!("more than {names} organisation codes; the rest count together as (other)"),
            );
        }
        if self.open.unjoined > 0 {
            let n = self.open.unjoined;
            note(
                "late-entries",
                format!("{n}条更正涉及已封存的评价，可能未反映在数字中"),
                format!(
                    "{n} corrections concern ratings that were sealed for good and may not show in the figures"
                ),
            );
        }
        notes
    }
}

/// The first day of a sealed month's sums if they lie within the days asked for; `None` if they lie
/// outside, and an error if they lie across.
fn whole_from(sealed: &SealedMonth, per: Period, from: Day, to: Day) -> Result<Option<Day>, QueryError> {
    let Some((first, last)) = sealed.days else { return Ok(None) };
    if last < from || first > to {
        return Ok(None);
    }
    if from <= first && last <= to && (per != Period::Day || first == last) {
        return Ok(Some(first));
    }
    let message = format!("single days are kept from {} on; ask for whole months before that", last.plus(1));
    Err(QueryError::new(if per == Period::Day { "per" } else { "from" }, message))
}

fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| six_digits(part as f64 / whole as f64))
}

/// Rounds to six digits, so that a figure prints the same everywhere.
pub(super) fn six_digits(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

pub(super) fn dimension_name<S: Serializer>(value: &Dimension, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.name())
}

fn period_name<S: Serializer>(value: &Period, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.name())
}

fn by_aspect<S: Serializer>(value: &[Levels; 6], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(Aspect::NAMES.iter().zip(value))
}
