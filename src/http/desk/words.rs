//! Words and figures on the pages: the names of closed vocabularies in both languages, times, spans.

use serde::Serialize;

use crate::date::UtcOffset;
use crate::log::entry::{Act, CallbackResult};
use crate::time::Instant;
use crate::wire::{
    CaseMatch, Channel, Decision, Origin, ReasonSource, ReviewOutcome, Stage, Suspicion,
};

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

/// What is decided about a rating.
pub fn decision(decision: Decision) -> Named {
    let (zh, en) = match decision {
        Decision::Admit => ("计入", "Admitted"),
        Decision::Hold => ("暂缓", "Held"),
        Decision::Reject => ("不计入", "Left out"),
    };
    named(decision.name(), zh, en)
}

/// What a rating is suspected of.
pub fn suspicion(suspicion: Suspicion) -> Named {
    let (zh, en) = match suspicion {
        Suspicion::PaddedPraise => ("刷好评", "padded praise"),
        Suspicion::MaliciousReview => ("恶意差评", "malicious review"),
        Suspicion::Automation => ("自动提交", "automation"),
        Suspicion::Duplicate => ("重复评价", "duplicate"),
    };
    named(suspicion.name(), zh, en)
}

/// Where a rating was given.
pub fn channel(channel: Channel) -> Named {
    let (zh, en) = match channel {
        Channel::HallWindow => ("大厅窗口", "hall window"),
        Channel::Portal => ("政务网", "portal"),
        Channel::MobileApp => ("手机端", "mobile app"),
        Channel::Hotline => ("12345 热线", "12345 hotline"),
        Channel::Kiosk => ("自助机", "kiosk"),
        Channel::DepartmentSite => ("部门网站", "department site"),
        Channel::Other => ("其他", "other"),
    };
    named(channel.name(), zh, en)
}

/// The stage of the service event.
pub fn stage(stage: Stage) -> Named {
    let (zh, en) = match stage {
        Stage::Consult => ("咨询", "consult"),
        Stage::Apply => ("申请", "apply"),
        Stage::Accept => ("受理", "accept"),
        Stage::Process => ("办理", "process"),
        Stage::Complete => ("办结", "complete"),
        Stage::Collect => ("取件", "collect"),
        Stage::Revisit => ("回访", "revisit"),
    };
    named(stage.name(), zh, en)
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
        CaseMatch::Unmatched => ("系统中没有", "not in the business system"),
        CaseMatch::Unchecked => ("未核对", "not checked"),
    };
    named(case_match.name(), zh, en)
}

/// Where a reason comes from.
pub fn source(source: ReasonSource) -> Named {
    let (zh, en) = match source {
        ReasonSource::Rule => ("规则", "rule"),
        ReasonSource::Model => ("模型", "model"),
        ReasonSource::Policy => ("政策", "policy"),
        ReasonSource::Reviewer => ("复核", "review"),
    };
    named(source.name(), zh, en)
}

/// What a reviewer decided.
pub fn outcome(outcome: ReviewOutcome) -> Named {
    let (zh, en) = match outcome {
        ReviewOutcome::Clear => ("予以计入", "Cleared"),
        ReviewOutcome::Confirm => ("确认异常", "Confirmed"),
        ReviewOutcome::Mistaken => ("误评", "Mistaken"),
    };
    named(outcome.name(), zh, en)
}

/// What a call back found.
pub fn callback(result: CallbackResult) -> Named {
    match result {
        CallbackResult::NotReached => named("not-reached", "未接通", "not reached"),
        CallbackResult::Confirms => named("confirms", "评价人确认", "the rater confirms it"),
        CallbackResult::Denies => named("denies", "评价人否认", "the rater denies it"),
        CallbackResult::Unclear => named("unclear", "已接通，说不清", "reached, unclear"),
    }
}

/// What somebody did about a case.
pub fn act(act: Act) -> Text {
    match act {
        Act::Claim { .. } => text("领取", "claimed it"),
        Act::Release => text("放回队列", "released it"),
        Act::Decide(ReviewOutcome::Clear) => text("决定：予以计入", "decided: clear"),
        Act::Decide(ReviewOutcome::Confirm) => text("决定：确认异常", "decided: confirm"),
        Act::Decide(ReviewOutcome::Mistaken) => text("决定：误评", "decided: mistaken"),
        Act::Escalate => text("上报", "escalated it"),
        Act::Return => text("退回", "returned it"),
        Act::Extend => text("申请延长暂缓", "asked to extend the hold"),
        Act::Undo => text("撤销决定", "took the decision back"),
        Act::AskCallback => text("请求回访", "asked for a call back"),
        Act::Callback(result) => {
            let name = callback(result).name;
            text(format!("回访结果：{}", name.zh), format!("call back: {}", name.en))
        }
        Act::Appeal => text("申诉", "appealed"),
    }
}

/// `2026-11-27T09:15:00+08:00` as `11-27 09:15`.
pub fn when(rfc3339: &str) -> String {
    rfc3339.get(5..16).map_or_else(|| rfc3339.to_owned(), |short| short.replace('T', " "))
}

/// A moment as it goes to templates: RFC 3339 in the reporting time zone.
pub fn moment(at: Instant, offset: UtcOffset) -> String {
    at.to_rfc3339_in(offset)
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
    fn a_moment_is_short_and_anything_else_stays_as_it_is() {
        assert_eq!(when("2026-11-27T09:15:00+08:00"), "11-27 09:15");
        assert_eq!(when("soon"), "soon");
    }
}
