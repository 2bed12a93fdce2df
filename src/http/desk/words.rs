//! Words and figures on the pages: the names of closed vocabularies in both languages, times, spans.

use serde::Serialize;

use crate::catalogue::Bilingual;
use crate::date::UtcOffset;
use crate::review::projection;
use crate::time::{Instant, MINUTE_MS};
use crate::wire::{Aspect, CaseMatch, Origin};

/// A text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Text {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

/// A text in both languages.
pub fn text(zh: impl Into<String>, en: impl Into<String>) -> Text {
    Text { zh: zh.into(), en: en.into() }
}

impl From<(String, String)> for Text {
    fn from((zh, en): (String, String)) -> Self {
        Self { zh, en }
    }
}

/// A value of a closed vocabulary with its name in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// As it stands in forms and on the wire.
    pub value: String,
    /// Its name.
    #[serde(flatten)]
    pub name: Text,
}

/// A value with its name.
pub fn named(value: impl Into<String>, zh: &str, en: &str) -> Named {
    Named { value: value.into(), name: text(zh, en) }
}

impl From<projection::Named> for Named {
    fn from(projection::Named { value, zh, en }: projection::Named) -> Self {
        named(value, zh, en)
    }
}

/// The name of a value that the projection knows too.
pub fn name_of(value: impl Into<projection::Named>) -> Named {
    Named::from(value.into())
}

/// A text as the catalogue has it.
pub fn both(text: &Bilingual) -> Text {
    Text { zh: text.zh.clone(), en: text.en.clone() }
}

/// Who chose the stars.
pub fn origin(origin: Origin) -> Named {
    let (zh, en) = match origin {
        Origin::Active => ("主动评价", "given by the rater"),
        Origin::Default => ("到期默认", "filled in by the platform"),
    };
    named(origin.name(), zh, en)
}

/// Whether intake found the case.
pub fn case_match(case_match: CaseMatch) -> Named {
    let (zh, en) = match case_match {
        CaseMatch::Matched => ("已核对", "found in the business system"),
        CaseMatch::Unmatched => ("业务系统查无此件", "not in the business system"),
        CaseMatch::Unchecked => ("未核对", "not checked"),
    };
    named(case_match.name(), zh, en)
}

/// An aspect that was rated besides the stars.
pub fn aspect(aspect: Aspect) -> Text {
    match aspect {
        Aspect::MatterManagement => text("事项管理", "matter management"),
        Aspect::Procedure => text("办事程序", "procedure"),
        Aspect::Efficiency => text("办事效率", "efficiency"),
        Aspect::Competence => text("业务能力", "competence"),
        Aspect::Attitude => text("服务态度", "attitude"),
        Aspect::Convenience => text("便民程度", "convenience"),
    }
}

/// `2026-11-27T09:15:00+08:00` as `11-27 09:15`.
pub fn when(rfc3339: &str) -> String {
    rfc3339.get(5..16).map_or_else(|| rfc3339.to_owned(), |short| short.replace('T', " "))
}

/// A moment as it goes to templates: RFC 3339 in the reporting time zone, to the second.
pub fn moment(at: Instant, offset: UtcOffset) -> String {
    let minutes = i64::from(offset.minutes());
    let local = Instant(at.ms() + minutes * MINUTE_MS).to_string();
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
    match local.get(..19) {
        Some(second) => format!("{second}{sign}{hours:02}:{rest:02}"),
        None => local,
    }
}

/// `0.1234` as `12.3%`.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A span in its two largest units.
pub fn span(seconds: i64, zh: bool) -> String {
    const UNITS: [(i64, &str, &str); 4] =
        [(86_400, "天", "d"), (3_600, "小时", "h"), (60, "分", "min"), (1, "秒", "s")];
    let mut rest = seconds.max(0);
    let mut parts = Vec::new();
    let mut begun = 0;
    for (unit, name, name_en) in UNITS {
        let count = rest / unit;
        rest %= unit;
        begun += usize::from(count > 0 || begun > 0);
        if count > 0 && begun <= 2 {
            parts.push(format!("{count} {}", if zh { name } else { name_en }));
        }
    }
    match parts.is_empty() {
        true => if zh { "0 秒" } else { "0 s" }.to_owned(),
        false => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_says_its_two_largest_units() {
        for (seconds, zh, en) in [
            (0, "0 秒", "0 s"),
            (59, "59 秒", "59 s"),
            (3_600, "1 小时", "1 h"),
            (3_661, "1 小时 1 分", "1 h 1 min"),
            (90_061, "1 天 1 小时", "1 d 1 h"),
            (86_460, "1 天", "1 d"),
            (-5, "0 秒", "0 s"),
        ] {
            assert_eq!((span(seconds, true).as_str(), span(seconds, false).as_str()), (zh, en));
        }
    }

    #[test]
    fn a_moment_is_told_in_the_reporting_time_zone() {
        let at = Instant::parse_rfc3339("2026-11-27T20:30:00Z").unwrap();
        assert_eq!(moment(at, UtcOffset::CHINA), "2026-11-28T04:30:00+08:00");
        assert_eq!(moment(at, UtcOffset::from_minutes(-90).unwrap()), "2026-11-27T19:00:00-01:30");
    }

    #[test]
    fn a_moment_is_short_and_anything_else_stays_as_it_is() {
        assert_eq!(when("2026-11-27T09:15:00+08:00"), "11-27 09:15");
        assert_eq!(when("soon"), "soon");
    }
}
