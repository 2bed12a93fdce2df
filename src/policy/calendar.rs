//! Working days: Monday to Friday, less public holidays, plus make-up working days (调休上班).

use std::collections::BTreeSet;

use crate::date::{Day, UtcOffset};
use crate::time::Instant;

/// A calendar of working days in one fixed offset from UTC.
///
/// The State Council announces each year's holidays and make-up days in the autumn before; they
/// come from the configuration. A year without entries counts every Monday to Friday.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    offset: UtcOffset,
    holidays: BTreeSet<Day>,
    make_up_days: BTreeSet<Day>,
}

/// Why a calendar could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalendarError {
    /// One day is both a holiday and a make-up working day.
    Contradiction(Day),
    /// More than [`Calendar::MAX_ENTRIES`] days in one of the lists.
    TooMany {
        /// The list: `holidays` or `make_up_days`.
        list: &'static str,
    },
}

impl std::fmt::Display for CalendarError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Contradiction(day) => {
                write!(f, "{day} is in both `holidays` and `make_up_days`; remove it from one of them")
            }
            Self::TooMany { list } => {
                write!(f, "`{list}` has more than {} days; remove past years", Calendar::MAX_ENTRIES)
            }
        }
    }
}

impl std::error::Error for CalendarError {}

impl Calendar {
    /// Most days in either list: more than ten years of both.
    pub const MAX_ENTRIES: usize = 1_000;

    /// A calendar with these holidays and make-up working days. A holiday on a weekend and a
    /// make-up day on a Monday to Friday are allowed and change nothing.
    ///
    /// # Errors
    /// A day is in both lists, or a list is longer than [`Self::MAX_ENTRIES`].
    pub fn new(
        offset: UtcOffset,
        holidays: impl IntoIterator<Item = Day>,
        make_up_days: impl IntoIterator<Item = Day>,
    ) -> Result<Self, CalendarError> {
        let holidays: BTreeSet<Day> = holidays.into_iter().collect();
        let make_up_days: BTreeSet<Day> = make_up_days.into_iter().collect();
        for (list, days) in [("holidays", &holidays), ("make_up_days", &make_up_days)] {
            if days.len() > Self::MAX_ENTRIES {
                return Err(CalendarError::TooMany { list });
            }
        }
        if let Some(&day) = holidays.intersection(&make_up_days).next() {
            return Err(CalendarError::Contradiction(day));
        }
        Ok(Self { offset, holidays, make_up_days })
    }

    /// The offset in which its days begin and end.
    pub fn offset(&self) -> UtcOffset {
        self.offset
    }

    /// Whether people work on this day.
    pub fn is_working(&self, day: Day) -> bool {
        if self.make_up_days.contains(&day) {
            return true;
        }
        day.weekday() < 5 && !self.holidays.contains(&day)
    }

    /// The `count`-th working day after `day`; `day` itself is not counted. At most [`Day::MAX`].
    pub fn working_day_after(&self, day: Day, count: u16) -> Day {
        let mut current = day;
        let mut left = count;
        // Ends: the holidays are finitely many and the days end at `Day::MAX`.
        while left > 0 && current < Day::MAX {
            current = current.plus(1);
            left -= u16::from(self.is_working(current));
        }
        current
    }

    /// The end of the `count`-th working day after an instant.
    ///
    /// The day on which a period begins is not counted, and the period ends as its last day ends
    /// (Civil Code, articles 201 and 203).
    pub fn deadline(&self, from: Instant, count: u16) -> Instant {
        let last = self.working_day_after(self.offset.day_of(from), count);
        self.offset.start_of(last.plus(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    /// National Day 2026: 1 to 7 October off, Saturday 10 October worked.
    fn october() -> Calendar {
        let holidays = (1..=7).map(|d| Day::new(2026, 10, d).unwrap());
        Calendar::new(UtcOffset::CHINA, holidays, [day("2026-10-10")]).unwrap()
    }

    #[test]
    fn holidays_stop_the_clock_and_make_up_days_run_it() {
        let calendar = october();
        assert!(!calendar.is_working(day("2026-10-01")));
        assert!(calendar.is_working(day("2026-10-10")), "a worked Saturday");
        assert!(!calendar.is_working(day("2026-10-11")), "a Sunday");
        // Wednesday 30 September + 8, 9, 10 (made up), 12, 13 October.
        assert_eq!(calendar.working_day_after(day("2026-09-30"), 5), day("2026-10-13"));
    }

    #[test]
    fn the_first_day_is_not_counted_and_the_last_one_is_whole() {
        let calendar = Calendar::default();
        let friday = Instant::parse_rfc3339("2026-03-06T00:00:00+08:00").unwrap();
        let late = Instant::parse_rfc3339("2026-03-06T23:59:59+08:00").unwrap();
        let end = Instant::parse_rfc3339("2026-03-14T00:00:00+08:00").unwrap();
        assert_eq!(calendar.deadline(friday, 5), end);
        assert_eq!(calendar.deadline(late, 5), end);
    }

    #[test]
    fn a_contradiction_is_named() {
        let both = Calendar::new(UtcOffset::CHINA, [day("2026-10-01")], [day("2026-10-01")]);
        assert_eq!(
            both.unwrap_err().to_string(),
            "2026-10-01 is in both `holidays` and `make_up_days`; remove it from one of them"
        );
    }

    proptest! {
        #[test]
        fn counting_working_days_agrees_with_stepping_day_by_day(
            start in 20_000i32..22_000,
            count in 0u16..40,
            holidays in proptest::collection::btree_set(20_000i32..22_100, 0..60),
            make_up in proptest::collection::btree_set(20_000i32..22_100, 0..20),
        ) {
            let of = |n: &i32| Day::from_number(*n).unwrap();
            let make_up: BTreeSet<i32> = make_up.difference(&holidays).copied().collect();
            let calendar =
                Calendar::new(UtcOffset::CHINA, holidays.iter().map(of), make_up.iter().map(of)).unwrap();
            let mut n = start;
            let mut seen = 0;
            while seen < count {
                n += 1;
                let weekday = (n + 3) % 7; // 1970-01-01 was a Thursday; 0 is Monday.
                if make_up.contains(&n) || (weekday < 5 && !holidays.contains(&n)) {
                    seen += 1;
                }
            }
            prop_assert_eq!(calendar.working_day_after(of(&start), count).number(), n);
        }
    }
}
