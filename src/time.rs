//! Instants. Event time is a whole number of milliseconds since the Unix epoch, UTC.

use std::fmt;

use jiff::Timestamp;

/// One second, in milliseconds.
pub const SECOND_MS: i64 = 1_000;
/// One minute, in milliseconds.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// One hour, in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// One day, in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// An instant: milliseconds since the Unix epoch, UTC.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Instant(pub i64);

impl Instant {
    /// Parses an RFC 3339 date-time, which must carry an offset (`Z`, `+08:00`).
    ///
    /// Fractions below a millisecond are cut off; a leap second reads as the second before it. `None`
    /// for anything else, and for years outside 1970–2199, which no rating can have and which would
    /// only overflow later sums.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        // By hand, because a rating has up to five of them and jiff takes 65 ns for each.
        let (date_time, rest) = text.as_bytes().split_first_chunk::<19>()?;
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| date_time[at + i]));
        // Eight bytes at a time: `YYYY-MM-`, `DDThh:mm`, and `hh:mm:ss` for its end. A `t` or a space
        // may stand for the `T`.
        let date = pairs(word(0), *b"0000-00-")?;
        let time = match date_time[10] {
            b'T' | b't' | b' ' => pairs(word(8) & !(0xFF << 16), *b"00\x0000:00")?,
            _ => return None,
        };
        let end = pairs(word(11), *b"00:00:00")?;
        let year = 100 * i64::from(date[0]) + i64::from(date[2]);
        let [month, day, hour, minute, second] = [date[5], time[0], time[3], time[6], end[6]].map(i64::from);
        if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let is_long = [1, 3, 5, 7, 8, 10, 12].contains(&month);
        let last_day = if month == 2 { 28 + i64::from(is_leap) } else { 30 + i64::from(is_long) };
        if !(1..=last_day).contains(&day) {
            return None;
        }
        let (fraction_ms, offset) = match rest.strip_prefix(b".") {
            Some(fraction) => {
                let length = fraction.iter().position(|byte| !byte.is_ascii_digit())?;
                let ms = (0..3).map(|i| if i < length { i64::from(fraction[i] - b'0') } else { 0 });
                (ms.fold(0, |ms, digit| 10 * ms + digit), (length > 0).then_some(&fraction[length..])?)
            }
            None => (0, rest),
        };
        let offset_minutes = match offset {
            b"Z" | b"z" => 0,
            &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let (hours, minutes) = (digits(&[h1, h2])?, digits(&[m1, m2])?);
                let minutes = (hours <= 23 && minutes <= 59).then_some(60 * hours + minutes)?;
                if sign == b'-' { -minutes } else { minutes }
            }
            _ => return None,
        };
        // Days since 1970 in the Gregorian calendar, counted in years that begin in March.
        let years = year - i64::from(month <= 2);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let days = 365 * years + years / 4 - years / 100 + years / 400 + day_of_year - 719_468;
        let seconds = 86_400 * days + 3_600 * hour + 60 * (minute - offset_minutes) + second.min(59);
        let ms = SECOND_MS * seconds + fraction_ms;
        (0..7_258_118_400_000).contains(&ms).then_some(Self(ms))
    }

    /// Appends what [`fmt::Display`] writes, in quotes.
    pub(crate) fn put_json(self, out: &mut Vec<u8>) {
        out.push(b'"');
        match self.0 {
            0..7_258_118_400_000 => out.extend_from_slice(&rfc3339(self.0)),
            _ => out.extend_from_slice(self.to_string().as_bytes()),
        }
        out.push(b'"');
    }

    /// Milliseconds since the Unix epoch.
    pub fn ms(self) -> i64 {
        self.0
    }
}

/// The number that each two neighbouring digits write, at the place of the first. `None` unless there is
/// a digit wherever `shape` has a `0`, and otherwise what `shape` has.
#[inline]
fn pairs(word: u64, shape: [u8; 8]) -> Option<[u8; 8]> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let digits = u64::from_le_bytes(shape.map(|byte| if byte == b'0' { 0xFF } else { 0 }));
    let fixed = u64::from_le_bytes(shape) & !digits;
    // Digits become their values; the sum of one and 0x76 stays below 0x80.
    let values = (word ^ (ONES * 0x30)) & digits;
    let wrong = (values | values.wrapping_add(ONES * 0x76)) & (ONES * 0x80);
    (wrong == 0 && word & !digits == fixed).then(|| (values * 10 + (values >> 8)).to_le_bytes())
}

/// The number that a few ASCII digits write.
fn digits(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| 10 * number + i64::from(digit - b'0')))
}

impl fmt::Display for Instant {
    /// RFC 3339 in UTC with milliseconds: `2026-03-01T08:00:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand for the times that a rating can have: every verdict has one.
        if let 0..7_258_118_400_000 = self.0 {
            return f.write_str(std::str::from_utf8(&rfc3339(self.0)).unwrap_or_default());
        }
        match Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// An instant of the years 1970 to 2199 as `2026-03-01T08:00:00.000Z`.
fn rfc3339(ms: i64) -> [u8; 24] {
    let (days, in_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    // The inverse of the sum in `parse_rfc3339`: years that begin in March, in eras of 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = 400 * era + year_of_era + i64::from(month <= 2);

    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |end: usize, digits: usize, mut number: i64| {
        for place in (end - digits..end).rev() {
            text[place] = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    put(4, 4, year);
    put(7, 2, month);
    put(10, 2, day);
    put(13, 2, in_day / HOUR_MS);
    put(16, 2, in_day / MINUTE_MS % 60);
    put(19, 2, in_day / SECOND_MS % 60);
    put(23, 3, in_day % SECOND_MS);
    text
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_honoured_and_required() {
        let utc = Instant::parse_rfc3339("2026-03-01T00:00:00Z").unwrap();
        assert_eq!(Instant::parse_rfc3339("2026-03-01T08:00:00+08:00"), Some(utc));
        assert_eq!(Instant::parse_rfc3339("2026-03-01T08:00:00.000+08:00"), Some(utc));
        let before_leap = Instant::parse_rfc3339("2016-12-31T23:59:59Z");
        assert_eq!(Instant::parse_rfc3339("2016-12-31T23:59:60Z"), before_leap);
        for bad in [
            "2026-03-01T00:00:00",
            "2026-03-01",
            "",
            "20260301T000000Z",
            "2026-02-30T00:00:00Z",
            "9999-01-01T00:00:00Z",
        ] {
            assert_eq!(Instant::parse_rfc3339(bad), None, "{bad}");
        }
        assert_eq!(utc.to_string(), "2026-03-01T00:00:00.000Z");
    }

    /// jiff reads more of ISO 8601 than RFC 3339 has; of what we read, it reads the same.
    fn by_jiff(text: &str) -> Option<Instant> {
        let ms = text.parse::<Timestamp>().ok()?.as_millisecond();
        (0..7_258_118_400_000).contains(&ms).then_some(Instant(ms))
    }

    proptest::proptest! {
        #[test]
        fn every_date_time_reads_as_jiff_reads_it(
            year in 1968..2202, month in 0..14, day in 0..33, hour in 0..25, minute in 0..61,
            second in 0..60, fraction in "(\\.[0-9]{1,9})?", offset in "Z|z|[+-][01][0-9]:[0-5][0-9]",
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{offset}");
            proptest::prop_assert_eq!(Instant::parse_rfc3339(&text), by_jiff(&text), "{}", text);
        }

        #[test]
        fn every_instant_is_written_as_jiff_writes_it(ms in -100_000_000_000..7_358_118_400_000_i64) {
            let jiff = Timestamp::from_millisecond(ms).unwrap();
            proptest::prop_assert_eq!(Instant(ms).to_string(), format!("{jiff:.3}"));
        }

        #[test]
        fn what_is_read_jiff_reads_too(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt _][0-9:.,]{5,10}[Zz+-][0-9:]{0,5}") {
            if let Some(read) = Instant::parse_rfc3339(&text) {
                proptest::prop_assert_eq!(Some(read), by_jiff(&text), "{}", text);
            }
        }
    }
}
