//! Local time (UTC+8, no summer time), and the rhythm of day, week and month.

use super::random::Source;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// The city's offset from UTC.
const OFFSET_MS: i64 = 8 * HOUR_MS;

/// Local days since 1970-01-01.
pub(super) fn local_day(ms: i64) -> i64 {
    (ms + OFFSET_MS).div_euclid(DAY_MS)
}

/// Milliseconds since local midnight.
pub(super) fn local_time(ms: i64) -> i64 {
    (ms + OFFSET_MS).rem_euclid(DAY_MS)
}

/// The instant of local midnight that begins `day`.
pub(super) fn midnight(day: i64) -> i64 {
    day * DAY_MS - OFFSET_MS
}

/// Local hour of the day.
pub(super) fn hour(ms: i64) -> usize {
    (local_time(ms) / HOUR_MS) as usize
}

/// Day of the week, 0 = Monday. (1970-01-01 was a Thursday.)
fn weekday(day: i64) -> usize {
    (day + 3).rem_euclid(7) as usize
}

/// Year, month and day of the month (Howard Hinnant's `civil_from_days`).
pub(super) fn civil(day: i64) -> (i64, u32, u32) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month as u32, (doy - (153 * mp + 2) / 5 + 1) as u32)
}

/// Whether `day` is one of the last `n` days of its month.
pub(super) fn near_month_end(day: i64, n: i64) -> bool {
    civil(day).1 != civil(day + n).1
}

/// What sets the pace of a rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// Halls: opening hours.
    Hall,
    /// Phones and computers: all day, with an evening peak.
    Online,
    /// The hotline and text messages.
    Phone,
    /// The platform's own nightly run.
    Platform,
}

impl Rhythm {
    /// All four.
    pub const ALL: [Rhythm; 4] = [Rhythm::Hall, Rhythm::Online, Rhythm::Phone, Rhythm::Platform];

    /// Share of all ratings that keeps this rhythm, in hundredths.
    pub fn share(self) -> f64 {
        match self {
            Rhythm::Hall => 0.47,
            Rhythm::Online => 0.44,
            Rhythm::Phone => 0.05,
            Rhythm::Platform => 0.04,
        }
    }

    /// Relative intensity per local hour; each row sums to 1000.
    fn hours(self) -> &'static [u32; 24] {
        match self {
            Rhythm::Hall => &HALL_HOURS,
            Rhythm::Online => &ONLINE_HOURS,
            Rhythm::Phone => &PHONE_HOURS,
            Rhythm::Platform => &PLATFORM_HOURS,
        }
    }

    /// Relative intensity per weekday from Monday; each row sums to 7.
    fn week(self) -> &'static [f64; 7] {
        match self {
            Rhythm::Hall => &[1.52, 1.38, 1.30, 1.27, 1.25, 0.28, 0.0],
            Rhythm::Online => &[1.20, 1.15, 1.12, 1.10, 1.05, 0.72, 0.66],
            Rhythm::Phone => &[1.20, 1.18, 1.15, 1.12, 1.10, 0.65, 0.60],
            Rhythm::Platform => &[1.0; 7],
        }
    }

    /// Ratings per millisecond at `ms`, as a multiple of an even spread over the whole time.
    pub fn intensity(self, ms: i64) -> f64 {
        let day = local_day(ms);
        let (_, _, of_month) = civil(day);
        // Filing deadlines: the middle and the end of the month are a little busier.
        let month = if near_month_end(day, 3) || (13..=15).contains(&of_month) { 1.10 } else { 0.98 };
        f64::from(self.hours()[hour(ms)]) * 24.0 / 1000.0 * self.week()[weekday(day)] * month
    }

    /// The largest value of [`Self::intensity`], for drawing by rejection.
    fn peak(self) -> f64 {
        let hours = self.hours().iter().max().copied().unwrap_or(0);
        let week = self.week().iter().fold(0.0_f64, |a, &b| a.max(b));
        f64::from(hours) * 24.0 / 1000.0 * week * 1.10
    }

    /// An instant in `[from, until)` drawn by this rhythm; where the rhythm is silent there
    /// (a hall at night), an instant in the next hours when it is not.
    pub fn moment(self, dice: &mut impl Source, from: i64, until: i64) -> i64 {
        let peak = self.peak();
        let (mut from, mut until) = (from, until.max(from + 1));
        for attempt in 1..=192 {
            let at = dice.between(from, until - 1);
            if dice.unit() * peak < self.intensity(at) {
                return at;
            }
            if attempt % 24 == 0 {
                // Nobody comes in that span: look further on, at most 64 hours (a weekend).
                from += if attempt == 24 { 0 } else { 8 * HOUR_MS };
                until += 8 * HOUR_MS;
            }
        }
        dice.between(from, until - 1)
    }
}

const HALL_HOURS: [u32; 24] =
    [0, 0, 0, 0, 0, 0, 0, 0, 18, 178, 192, 128, 36, 124, 146, 118, 58, 2, 0, 0, 0, 0, 0, 0];
const ONLINE_HOURS: [u32; 24] =
    [10, 5, 3, 2, 2, 4, 12, 28, 54, 86, 88, 70, 56, 54, 70, 72, 62, 48, 44, 56, 68, 56, 34, 16];
const PHONE_HOURS: [u32; 24] =
    [4, 2, 2, 2, 2, 4, 8, 28, 74, 104, 104, 84, 50, 64, 94, 92, 82, 56, 44, 38, 30, 18, 10, 4];
const PLATFORM_HOURS: [u32; 24] = [0, 0, 1000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Writes `2026-03-18T09:12:33.123+08:00`, or without the fraction.
pub(super) fn write_instant(out: &mut Vec<u8>, ms: i64, fraction: bool) {
    let (year, month, day) = civil(local_day(ms));
    let time = local_time(ms);
    let mut text = *b"0000-00-00T00:00:00.000+08:00";
    put(&mut text[0..4], year as u64);
    put(&mut text[5..7], u64::from(month));
    put(&mut text[8..10], u64::from(day));
    put(&mut text[11..13], (time / HOUR_MS) as u64);
    put(&mut text[14..16], (time / MINUTE_MS % 60) as u64);
    put(&mut text[17..19], (time / 1000 % 60) as u64);
    if fraction {
        put(&mut text[20..23], (time % 1000) as u64);
        out.extend_from_slice(&text);
    } else {
        out.extend_from_slice(&text[..19]);
        out.extend_from_slice(&text[23..]);
    }
}

/// Writes `value` into the whole of `digits`, with leading zeros.
pub(super) fn put(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::{Dice, Purpose};
    use super::*;
    use crate::time::Instant;

    #[test]
    fn an_instant_is_written_as_it_is_read() {
        for ms in [0, 951_782_399_999, 1_773_792_000_000, 1_774_972_799_001, 4_102_444_800_000] {
            let mut text = Vec::new();
            write_instant(&mut text, ms, true);
            assert_eq!(Instant::parse_rfc3339(std::str::from_utf8(&text).unwrap()), Some(Instant(ms)));
        }
        let mut text = Vec::new();
        write_instant(&mut text, 1_773_792_000_000, false);
        assert_eq!(text, b"2026-03-18T08:00:00+08:00");
        assert_eq!(weekday(local_day(1_773_792_000_000)), 2, "a Wednesday");
    }

    #[test]
    fn a_rhythm_averages_one_over_a_week_and_halls_are_shut_at_night() {
        let monday = midnight(local_day(1_773_792_000_000) - 2 - 14);
        for rhythm in Rhythm::ALL {
            assert_eq!(rhythm.hours().iter().sum::<u32>(), 1000, "{rhythm:?}");
            assert!((rhythm.week().iter().sum::<f64>() - 7.0).abs() < 1e-9, "{rhythm:?}");
        }
        let mean = (0..168).map(|h| Rhythm::Online.intensity(monday + h * HOUR_MS)).sum::<f64>() / 168.0;
        assert!((0.9..1.1).contains(&mean), "{mean}");
        let mut dice = Dice::new(1, Purpose::Schedule, 0);
        for _ in 0..500 {
            let at = Rhythm::Hall.moment(&mut dice, monday + 18 * HOUR_MS, monday + 20 * HOUR_MS);
            assert!((8..18).contains(&hour(at)), "{}", hour(at));
        }
    }
}
