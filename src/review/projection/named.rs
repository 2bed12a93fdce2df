//! Values that people read, in Chinese and in English.

use serde::Serialize;

use super::fold::{CaseKind, ClosedBy};
use crate::log::entry::CallbackResult;
use crate::wire::{Channel, Decision, ReasonSource, ReviewOutcome, Stage, Suspicion};

/// A value with its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// As programs know it.
    pub value: &'static str,
    /// In Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
}

const fn named(value: &'static str, zh: &'static str, en: &'static str) -> Named {
    Named { value, zh, en }
}

impl From<CaseKind> for Named {
    fn from(kind: CaseKind) -> Self {
        match kind {
            CaseKind::Hold => named("hold", "暂缓", "hold"),
            CaseKind::SecondLook => named("second_look", "复看", "second look"),
            CaseKind::Appeal => named("appeal", "申诉", "appeal"),
        }
    }
}

impl From<ClosedBy> for Named {
    fn from(by: ClosedBy) -> Self {
        match by {
            ClosedBy::Person => named("person", "人工", "a person"),
            ClosedBy::Clock => named("clock", "到期", "the clock"),
            ClosedBy::Machine => named("machine", "系统", "the system"),
        }
    }
}

impl From<Suspicion> for Named {
    fn from(suspicion: Suspicion) -> Self {
        let (zh, en) = match suspicion {
            Suspicion::PaddedPraise => ("刷好评", "padded praise"),
            Suspicion::MaliciousReview => ("恶意差评", "malicious review"),
            Suspicion::Automation => ("程序提交", "automation"),
            Suspicion::Duplicate => ("重复评价", "duplicate"),
        };
        named(suspicion.name(), zh, en)
    }
}

impl From<Channel> for Named {
    fn from(channel: Channel) -> Self {
        let (zh, en) = match channel {
            Channel::HallWindow => ("大厅窗口", "hall window"),
            Channel::Portal => ("门户网站", "portal"),
            Channel::MobileApp => ("移动端", "mobile app"),
            Channel::Hotline => ("12345热线", "12345 hotline"),
            Channel::Kiosk => ("自助终端", "kiosk"),
            Channel::DepartmentSite => ("部门网站", "department's site"),
            Channel::Other => ("其他", "other"),
        };
        named(channel.name(), zh, en)
    }
}

impl From<Stage> for Named {
    fn from(stage: Stage) -> Self {
        let (zh, en) = match stage {
            Stage::Consult => ("咨询", "consultation"),
            Stage::Apply => ("申请", "application"),
            Stage::Accept => ("受理", "acceptance"),
            Stage::Process => ("办理", "processing"),
            Stage::Complete => ("办结", "completion"),
            Stage::Collect => ("领取", "collection"),
            Stage::Revisit => ("回访", "revisit"),
        };
        named(stage.name(), zh, en)
    }
}

impl From<Decision> for Named {
    fn from(decision: Decision) -> Self {
        let (zh, en) = match decision {
            Decision::Admit => ("计入", "admitted"),
            Decision::Hold => ("暂缓", "on hold"),
            Decision::Reject => ("不计入", "excluded"),
        };
        named(decision.name(), zh, en)
    }
}

impl From<ReviewOutcome> for Named {
    fn from(outcome: ReviewOutcome) -> Self {
        let (zh, en) = match outcome {
            ReviewOutcome::Clear => ("予以计入", "cleared"),
            ReviewOutcome::Confirm => ("确认异常", "confirmed"),
            ReviewOutcome::Mistaken => ("误评", "mistaken"),
        };
        named(outcome.name(), zh, en)
    }
}

impl From<ReasonSource> for Named {
    fn from(source: ReasonSource) -> Self {
        let (zh, en) = match source {
            ReasonSource::Rule => ("规则", "rule"),
            ReasonSource::Model => ("模型", "model"),
            ReasonSource::Policy => ("制度", "policy"),
            ReasonSource::Reviewer => ("人工", "reviewer"),
        };
        named(source.name(), zh, en)
    }
}

impl From<CallbackResult> for Named {
    fn from(result: CallbackResult) -> Self {
        match result {
            CallbackResult::NotReached => named("not_reached", "未联系上", "not reached"),
            CallbackResult::Confirms => named("confirms", "确认", "confirms"),
            CallbackResult::Denies => named("denies", "否认", "denies"),
            CallbackResult::Unclear => named("unclear", "未明确", "unclear"),
        }
    }
}

/// What stands in a history, by its code.
pub const WHAT: &[Named] = &[
    named("claim", "领取", "claimed"),
    named("release", "放回", "released"),
    named("clear", "予以计入", "cleared: it counts"),
    named("confirm", "确认异常：不计入统计", "confirmed: it does not count"),
    named("mistaken", "误评：不计入统计", "a mistake: it does not count"),
    named("vote-clear", "意见：予以计入", "voted to clear"),
    named("vote-confirm", "初次确认异常，待另一人复核", "first to confirm; a second person has to agree"),
    named(
        "vote-mistaken",
        "初次认为误评，待另一人复核",
        "first to see a mistake; a second person has to agree",
    ),
    named("escalate", "上交", "handed on"),
    named("return", "退回", "put back"),
    named("extend", "申请延期", "asked for more time"),
    named("undo", "撤销决定", "took the decision back"),
    named("ask-callback", "申请回访", "asked for a call back"),
    named("callback-not-reached", "回访：未联系上", "call back: not reached"),
    named("callback-confirms", "回访：评价人确认", "call back: the rater confirms"),
    named("callback-denies", "回访：评价人否认", "call back: the rater denies"),
    named("callback-unclear", "回访：未明确", "call back: unclear"),
    named("appeal", "评价人申诉", "the rater appeals"),
    named("lapse-admit", "暂缓到期或超出上限，计入", "the hold lapsed or was over the budget: admitted"),
    named("lapse-hold", "到期处理：暂缓", "by the clock: on hold"),
    named("lapse-reject", "到期处理：不计入", "by the clock: excluded"),
    named("contest-admit", "同一办件另有评价：计入", "another rating of the case: admitted"),
    named("contest-hold", "同一办件另有评价：暂缓", "another rating of the case: on hold"),
    named("contest-reject", "同一办件另有评价：不计入", "another rating of the case: excluded"),
    named("look-back-admit", "关联回溯：计入", "look-back: admitted"),
    named("look-back-hold", "关联回溯：暂缓", "look-back: on hold"),
    named("look-back-reject", "关联回溯：不计入", "look-back: excluded"),
    named("reviewer-admit", "按人工决定计入", "admitted by decision"),
    named("reviewer-hold", "按人工撤销恢复暂缓", "on hold again, the decision taken back"),
    named("reviewer-reject", "按人工决定不计入", "excluded by decision"),
];

/// The words for a code of histories; the code itself where there are none.
pub fn what_text(code: &str) -> (&str, &str) {
    WHAT.iter().find(|what| what.value == code).map_or((code, code), |what| (what.zh, what.en))
}

#[cfg(test)]
mod tests {
    use super::super::fold::{act_code, revision_code};
    use super::*;
    use crate::log::entry::{Act, RevisionSource};
    use crate::time::Instant;

    #[test]
    fn whatever_can_stand_in_a_history_has_words_in_both_languages() {
        let mut codes: Vec<String> = [
            Act::Claim { until: Instant(0) },
            Act::Release,
            Act::Escalate,
            Act::Return,
            Act::Extend,
            Act::Undo,
            Act::AskCallback,
            Act::Appeal,
        ]
        .map(|act| act_code(act).to_owned())
        .into();
        codes.extend(ReviewOutcome::ALL.iter().map(|&outcome| act_code(Act::Decide(outcome)).to_owned()));
        codes.extend(ReviewOutcome::ALL.iter().map(|outcome| format!("vote-{}", outcome.name())));
        codes.extend(
            (0..4).map(|result| {
                act_code(Act::Callback(CallbackResult::from_index(result).unwrap())).to_owned()
            }),
        );
        for source in (0..4).map(|source| RevisionSource::from_index(source).unwrap()) {
            codes.extend(Decision::ALL.iter().map(|&decision| revision_code(source, decision)));
        }
        for code in codes {
            let (zh, en) = what_text(&code);
            assert!(zh != code && en != code, "{code}");
        }
    }
}
