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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Instant(pub i64);

impl Instant {
    /// Parses an RFC 3339 date-time, which must carry an offset (`Z`, `+08:00`).
    ///
    /// Fractions below a millisecond are cut off. `None` for anything else, and for years outside
    /// 1970–2199, which no rating can have and which would only overflow later sums.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        // jiff reads more of ISO 8601 than RFC 3339 has; the shape is checked before it.
        if bytes.len() < 20 || bytes[4] != b'-' || !matches!(bytes[10], b'T' | b't' | b' ') {
            return None;
        }
        let zulu = matches!(bytes[bytes.len() - 1], b'Z' | b'z');
        let offset = bytes.len() >= 25
            && matches!(bytes[bytes.len() - 6], b'+' | b'-')
            && bytes[bytes.len() - 3] == b':';
        if !zulu && !offset {
            return None;
        }
        let ms = text.parse::<Timestamp>().ok()?.as_millisecond();
        (0..7_258_118_400_000).contains(&ms).then_some(Self(ms))
    }

    /// Milliseconds since the Unix epoch.
    pub fn ms(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Instant {
    /// RFC 3339 in UTC with milliseconds: `2026-03-01T08:00:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
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
}
