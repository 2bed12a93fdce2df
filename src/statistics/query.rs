//! What is asked, and what is allowed to be asked.

use compact_str::CompactString;

use super::names::Named;
use super::sealed;
use crate::date::{Day, Month};

/// By what the figures are broken down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dimension {
    /// All ratings together.
    Total,
    /// District.
    District,
    /// Department.
    #[default]
    Department,
    /// Hall.
    Hall,
    /// Window, within its department.
    Window,
    /// Service matter.
    Matter,
    /// Channel.
    Channel,
    /// Clerk, within the department.
    Clerk,
}

impl Dimension {
    /// All of them: what `by` may say, with the heading in Chinese and English.
    pub const ALL: &'static [(Self, &'static str, &'static str, &'static str)] = &[
        (Self::Total, "total", "合计", "Total"),
        (Self::District, "district", "区划", "District"),
        (Self::Department, "department", "部门", "Department"),
        (Self::Hall, "hall", "大厅", "Hall"),
        (Self::Window, "window", "窗口", "Window"),
        (Self::Matter, "matter", "事项", "Matter"),
        (Self::Channel, "channel", "渠道", "Channel"),
        (Self::Clerk, "clerk", "工作人员", "Clerk"),
    ];

    /// Its name in queries.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Its heading: Chinese, English.
    pub fn heading(self) -> (&'static str, &'static str) {
        (Self::ALL[self as usize].2, Self::ALL[self as usize].3)
    }

    /// Whether its codes are unique within a department only.
    pub fn is_within_department(self) -> bool {
        matches!(self, Self::Window | Self::Clerk)
    }

    pub(super) fn sums(self) -> sealed::Dimension {
        match self {
            Self::Total => sealed::TOTAL,
            Self::Channel => sealed::CHANNEL,
            Self::District => Named::District as u8,
            Self::Department => Named::Department as u8,
            Self::Hall => Named::Hall as u8,
            Self::Window => Named::Window as u8,
            Self::Matter => Named::Matter as u8,
            Self::Clerk => Named::Clerk as u8,
        }
    }
}

/// Into which periods the figures are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Period {
    /// Not at all: one row for the whole time asked for.
    #[default]
    Whole,
    /// Civil months.
    Month,
    /// Civil days.
    Day,
}

impl Period {
    /// All of them: what `per` may say.
    pub const ALL: &'static [(Self, &'static str)] =
        &[(Self::Whole, "whole"), (Self::Month, "month"), (Self::Day, "day")];

    /// Its name in queries.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Number of the period that a day lies in.
    pub(super) fn number(self, day: Day) -> i32 {
        match self {
            Self::Whole => 0,
            Self::Month => day.month().number(),
            Self::Day => day.number(),
        }
    }

    /// What the period with this number is called; `None` for the whole.
    pub(super) fn label(self, number: i32) -> Option<String> {
        match self {
            Self::Whole => None,
            Self::Month => Month::from_number(number).map(|month| month.to_string()),
            Self::Day => Day::from_number(number).map(|day| day.to_string()),
        }
    }
}

/// A question to the statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// By what.
    pub by: Dimension,
    /// Cut into which periods.
    pub per: Period,
    /// First day. Without it: the first of the month of `to`.
    pub from: Option<Day>,
    /// Last day, itself included. Without it: the last day of the newest month with a rating, or of
    /// the month of `from` where that is later.
    pub to: Option<Day>,
    /// Only windows or clerks of this department.
    pub department: Option<CompactString>,
    /// Most rows; the report says how many more there are.
    pub limit: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            by: Dimension::default(),
            per: Period::default(),
            from: None,
            to: None,
            department: None,
            limit: Self::DEFAULT_LIMIT,
        }
    }
}

/// A question that cannot be answered: which field, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct QueryError {
    /// The field: `by`, `per`, `from`, `to`, `department` or `limit`.
    pub field: &'static str,
    /// What is allowed.
    pub message: String,
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {}", self.field, self.message)
    }
}

impl std::error::Error for QueryError {}

impl QueryError {
    pub(super) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

impl Query {
    /// Rows without `limit`.
    pub const DEFAULT_LIMIT: usize = 1_000;
    /// Most rows of one report.
    pub const MAX_LIMIT: usize = 100_000;
    /// Most days that one report lists singly.
    pub const MAX_SINGLE_DAYS: i32 = 366;

    /// Reads `by`.
    ///
    /// # Errors
    /// Names what is allowed.
    pub fn by(mut self, text: &str) -> Result<Self, QueryError> {
        self.by = find(Dimension::ALL.iter().map(|row| (row.0, row.1)), "by", text)?;
        Ok(self)
    }

    /// Reads `per`.
    ///
    /// # Errors
    /// Names what is allowed.
    pub fn per(mut self, text: &str) -> Result<Self, QueryError> {
        self.per = find(Period::ALL.iter().copied(), "per", text)?;
        Ok(self)
    }

    /// Reads `from`: a day or a month, whose first day it is.
    ///
    /// # Errors
    /// Names what is allowed.
    pub fn from(mut self, text: &str) -> Result<Self, QueryError> {
        self.from = Some(date("from", text, Month::first_day)?);
        Ok(self)
    }

    /// Reads `to`: a day or a month, whose last day it is.
    ///
    /// # Errors
    /// Names what is allowed.
    pub fn to(mut self, text: &str) -> Result<Self, QueryError> {
        self.to = Some(date("to", text, Month::last_day)?);
        Ok(self)
    }

    /// Reads `limit`.
    ///
    /// # Errors
    /// Names what is allowed.
    pub fn limit(mut self, text: &str) -> Result<Self, QueryError> {
        let allowed = 1..=Self::MAX_LIMIT;
        self.limit = text.parse().ok().filter(|limit| allowed.contains(limit)).ok_or_else(|| {
            QueryError::new("limit", format!("must be a whole number from 1 to {}", Self::MAX_LIMIT))
        })?;
        Ok(self)
    }

    /// The first and last day asked for, where the newest rating is of day `newest`.
    ///
    /// # Errors
    /// The days are in the wrong order, too many for single days, or `department` does not go with
    /// `by`.
    pub(super) fn span(&self, newest: Day) -> Result<(Day, Day), QueryError> {
        let latest = newest.month().last_day();
        let to =
            self.to.unwrap_or_else(|| self.from.map_or(latest, |from| latest.max(from.month().last_day())));
        let from = self.from.unwrap_or_else(|| to.month().first_day());
        if from > to {
            return Err(QueryError::new("from", "must not be after `to`"));
        }
        if self.per == Period::Day && to.number() - from.number() >= Self::MAX_SINGLE_DAYS {
            let message =
                format!("with `per` = day, must be at most {} days before `to`", Self::MAX_SINGLE_DAYS - 1);
            return Err(QueryError::new("from", message));
        }
        if self.department.is_some() && !self.by.is_within_department() {
            return Err(QueryError::new("department", "goes with `by` = window or clerk only"));
        }
        Ok((from, to))
    }
}

fn find<T: Copy>(
    allowed: impl Iterator<Item = (T, &'static str)> + Clone,
    field: &'static str,
    text: &str,
) -> Result<T, QueryError> {
    allowed.clone().find(|row| row.1 == text).map(|row| row.0).ok_or_else(|| {
        let names: Vec<&str> = allowed.map(|row| row.1).collect();
        QueryError::new(field, format!("must be one of {}", names.join(", ")))
    })
}

fn date(field: &'static str, text: &str, of_month: fn(Month) -> Day) -> Result<Day, QueryError> {
    Day::parse(text).or_else(|| Month::parse(text).map(of_month)).ok_or_else(|| {
        QueryError::new(field, "must be a day (2026-03-01) or a month (2026-03) from 1970 to 2299")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_the_order_of_their_enums() {
        for (index, row) in Dimension::ALL.iter().enumerate() {
            assert_eq!(row.0 as usize, index);
        }
        for (index, row) in Period::ALL.iter().enumerate() {
            assert_eq!(row.0 as usize, index);
        }
    }

    #[test]
    fn an_error_names_the_field_and_what_is_allowed() {
        let error = |result: Result<Query, QueryError>| result.unwrap_err().to_string();
        assert_eq!(
            error(Query::default().by("weather")),
            "`by`: must be one of total, district, department, hall, window, matter, channel, clerk"
        );
        assert_eq!(error(Query::default().per("week")), "`per`: must be one of whole, month, day");
        assert_eq!(
            error(Query::default().from("2026-3")),
            "`from`: must be a day (2026-03-01) or a month (2026-03) from 1970 to 2299"
        );
        assert_eq!(error(Query::default().limit("0")), "`limit`: must be a whole number from 1 to 100000");
    }

    #[test]
    fn months_are_whole_and_the_newest_month_is_the_default() {
        let newest = Day::parse("2026-03-17").unwrap();
        let span = |query: Query| query.span(newest).map(|(from, to)| format!("{from} {to}"));
        assert_eq!(span(Query::default()).unwrap(), "2026-03-01 2026-03-31");
        assert_eq!(span(Query::default().from("2026-01").unwrap()).unwrap(), "2026-01-01 2026-03-31");
        assert_eq!(span(Query::default().to("2026-02").unwrap()).unwrap(), "2026-02-01 2026-02-28");
        assert_eq!(span(Query::default().from("2026-05").unwrap()).unwrap(), "2026-05-01 2026-05-31");
        let backwards = Query::default().from("2026-04").unwrap().to("2026-03").unwrap();
        assert_eq!(span(backwards).unwrap_err().to_string(), "`from`: must not be after `to`");
        let long = Query::default().per("day").unwrap().from("2024-01").unwrap();
        assert_eq!(
            span(long).unwrap_err().to_string(),
            "`from`: with `per` = day, must be at most 365 days before `to`"
        );
        let stray = Query { department: Some("D1".into()), ..Query::default() };
        assert_eq!(span(stray).unwrap_err().field, "department");
    }
}
