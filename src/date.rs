//! Days and months of the civil calendar, in one fixed offset from UTC.
//!
//! A rating belongs to the day and month of its `submitted_at` at a configured offset (+08:00 by
//! default: China has one time and no summer time). The arithmetic is on whole numbers, so that
//! any auditor's recount puts every rating into the same period.

use std::fmt;

use jiff::civil;

use crate::time::{DAY_MS, Instant, MINUTE_MS};

/// Offset of local civil time from UTC, in minutes east.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct UtcOffset(i16);

impl UtcOffset {
    /// China Standard Time, +08:00.
    pub const CHINA: Self = Self(8 * 60);

    /// An offset of so many minutes east; `None` outside −14:00 to +14:00.
    pub fn from_minutes(minutes: i16) -> Option<Self> {
        (-14 * 60..=14 * 60).contains(&minutes).then_some(Self(minutes))
    }

    /// Minutes east of UTC.
    pub fn minutes(self) -> i16 {
        self.0
    }

    /// The civil day of an instant.
    pub fn day_of(self, at: Instant) -> Day {
        let local = at.ms() + i64::from(self.0) * MINUTE_MS;
        Day::clamped(local.div_euclid(DAY_MS))
    }

    /// The instant at which a civil day begins.
    pub fn start_of(self, day: Day) -> Instant {
        Instant(i64::from(day.0) * DAY_MS - i64::from(self.0) * MINUTE_MS)
    }
}

impl Default for UtcOffset {
    fn default() -> Self {
        Self::CHINA
    }
}

impl fmt::Display for UtcOffset {
    /// `+08:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        let minutes = self.0.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// A civil day: days since 1970-01-01. Years 1970 to 2299.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(into = "String", try_from = "String")]
pub struct Day(i32);

impl Day {
    /// The first day there is.
    pub const MIN: Self = Self(0);
    /// The last day there is, 2299-12-31.
    pub const MAX: Self = Self(120_529);

    /// The day so many days after 1970-01-01, moved into the range that exists.
    fn clamped(days: i64) -> Self {
        Self(days.clamp(i64::from(Self::MIN.0), i64::from(Self::MAX.0)) as i32)
    }

    /// A day by its number since 1970-01-01; `None` out of range.
    pub fn from_number(number: i32) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&number).then_some(Self(number))
    }

    /// Days since 1970-01-01.
    pub fn number(self) -> i32 {
        self.0
    }

    /// The day with this year, month and day of the month.
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        let date = civil::Date::new(year, month, day).ok()?;
        let days = date.since(civil::Date::constant(1970, 1, 1)).ok()?.get_days();
        Self::from_number(days)
    }

    /// Reads `2026-03-01`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month, day) = (text.get(..4)?, text.get(5..7)?, text.get(8..)?);
        let shaped = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
        let digits = [year, month, day].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
        if !shaped || !digits {
            return None;
        }
        Self::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
    }

    /// The month that the day lies in.
    pub fn month(self) -> Month {
        let date = self.civil();
        Month((i32::from(date.year()) - 1970) * 12 + i32::from(date.month()) - 1)
    }

    /// 0 for Monday to 6 for Sunday.
    pub fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7) as u8
    }

    /// The day so many days later (or earlier), moved into the range that exists.
    pub fn plus(self, days: i32) -> Self {
        Self::clamped(i64::from(self.0) + i64::from(days))
    }

    fn civil(self) -> civil::Date {
        // Day numbers are within 1970 to 2299, and jiff's dates reach from −9999 to 9999.
        civil::Date::constant(1970, 1, 1).saturating_add(jiff::Span::new().days(self.0))
    }
}

impl fmt::Display for Day {
    /// `2026-03-01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.civil();
        write!(f, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a day must be written YYYY-MM-DD, with a year from 1970 to 2299")
    }
}

/// A civil month: months since January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Month(i32);

impl Month {
    /// A month by its number since January 1970; `None` outside 1970 to 2299.
    pub fn from_number(number: i32) -> Option<Self> {
        (0..=Day::MAX.month().0).contains(&number).then_some(Self(number))
    }

    /// Months since January 1970.
    pub fn number(self) -> i32 {
        self.0
    }

    /// Reads `2026-03`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 7 || !text.is_ascii() {
            return None;
        }
        Day::parse(&format!("{text}-01")).map(Day::month)
    }

    /// The month's first day.
    pub fn first_day(self) -> Day {
        let (year, month) = self.year_and_month();
        Day::new(year, month, 1).unwrap_or(Day::MAX)
    }

    /// The month's last day.
    pub fn last_day(self) -> Day {
        let next = Self(self.0 + 1).first_day();
        if next == Day::MAX { next } else { next.plus(-1) }
    }

    /// The month after.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    fn year_and_month(self) -> (i16, i8) {
        ((1970 + self.0.div_euclid(12)) as i16, (self.0.rem_euclid(12) + 1) as i8)
    }
}

impl fmt::Display for Month {
    /// `2026-03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) = self.year_and_month();
        write!(f, "{year:04}-{month:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_rating_belongs_to_the_local_day() {
        let day = |text| UtcOffset::CHINA.day_of(at(text)).to_string();
        assert_eq!(day("2026-03-31T23:59:59.999+08:00"), "2026-03-31");
        assert_eq!(day("2026-03-31T16:00:00Z"), "2026-04-01");
        assert_eq!(
            UtcOffset::from_minutes(0).unwrap().day_of(at("2026-03-31T16:00:00Z")).to_string(),
            "2026-03-31"
        );
        assert_eq!(UtcOffset::from_minutes(15 * 60), None);
        assert_eq!(UtcOffset::from_minutes(-210).unwrap().to_string(), "-03:30");
    }

    #[test]
    fn days_and_months_agree_with_the_civil_calendar_step_by_step() {
        let mut date = civil::date(1970, 1, 1);
        let mut day = Day::MIN;
        loop {
            assert_eq!(day.to_string(), date.to_string());
            assert_eq!(Day::parse(&date.to_string()), Some(day));
            assert_eq!(day.month().to_string(), date.to_string()[..7]);
            assert_eq!(i8::try_from(day.weekday()), Ok(date.weekday().to_monday_zero_offset()));
            assert_eq!(
                day.month().last_day().number() - day.number(),
                i32::from(date.days_in_month() - date.day())
            );
            assert_eq!(UtcOffset::CHINA.day_of(UtcOffset::CHINA.start_of(day)), day);
            if day == Day::MAX {
                break;
            }
            day = day.plus(1);
            date = date.tomorrow().unwrap();
        }
        assert_eq!(day.to_string(), "2299-12-31");
        assert_eq!(day.plus(1), Day::MAX);
    }

    #[test]
    fn what_is_not_a_day_or_month_is_not_read_as_one() {
        for bad in [
            "",
            "2026",
            "2026-3-01",
            "2026-02-30",
            "2026-03-01T00:00:00Z",
            "1969-12-31",
            "+026-03-01",
            "２０２６-03",
        ] {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
        for bad in ["2026-13", "2026-00", "2026-3", "2026-03-01", "三月"] {
            assert_eq!(Month::parse(bad), None, "{bad}");
        }
        assert_eq!(Month::parse("2026-02").unwrap().last_day().to_string(), "2026-02-28");
    }
}
