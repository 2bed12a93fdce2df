//! The reasons that a reviewer chooses from. Codes stand in the log and are never renamed.

use crate::log::entry::Act;
use crate::wire::{Label, ReviewOutcome, Suspicion};

/// One reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Its code.
    pub code: &'static str,
    /// In Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
    /// Whether words have to go with it.
    pub needs_words: bool,
}

const fn reason(code: &'static str, zh: &'static str, en: &'static str) -> Reason {
    Reason { code, zh, en, needs_words: false }
}

const fn explained(code: &'static str, zh: &'static str, en: &'static str) -> Reason {
    Reason { code, zh, en, needs_words: true }
}

/// Why a rating counts.
pub const CLEAR: &[Reason] = &[
    reason(
        "clear-real-case",
        "办件真实，评价人即申请人或其代办人",
        "A real case, rated by the applicant or an agent",
    ),
    reason(
        "clear-shared-device",
        "设备或网络系正常共用（家庭、大厅、帮办）",
        "The device or network is shared for good reason (family, hall, helper)",
    ),
    reason(
        "clear-real-grievance",
        "确有服务问题，反映属实",
        "There was a problem with the service; the complaint is real",
    ),
    reason("clear-callback", "回访确认", "The rater confirmed it when called back"),
    reason("clear-no-evidence", "证据不足，不能认定异常", "The evidence does not carry the suspicion"),
    explained("clear-other", "其他（请说明）", "Other (say what)"),
];

/// Why a rating is not genuine.
pub const CONFIRM: &[Reason] = &[
    reason("confirm-staff", "工作人员代评或诱导", "Given by staff for clients, or prompted"),
    reason("confirm-group", "有组织集中评价", "Organised: given by a group on order"),
    reason("confirm-machine", "程序自动提交", "Submitted by a program"),
    reason("confirm-no-service", "未办理该事项", "No service was rendered to the rater"),
    reason("confirm-blackmail", "以差评要挟或报复个人", "Used to threaten or to hit a person"),
    reason("confirm-duplicate", "同一事项重复评价", "The same occasion rated again"),
    reason("confirm-callback", "回访否认", "The rater denied it when called back"),
    explained("confirm-other", "其他（请说明）", "Other (say what)"),
];

/// Why a rating is a mistake of an honest person (误评).
pub const MISTAKEN: &[Reason] = &[
    reason("mistaken-star", "评价人确认选错星级", "The rater confirmed that the wrong star was pressed"),
    reason("mistaken-target", "评价对象错误（非本部门、本事项）", "It is about another office or matter"),
    reason("mistaken-words", "文字与星级明显相反", "Words and stars plainly contradict each other"),
    explained("mistaken-other", "其他（请说明）", "Other (say what)"),
];

/// Why a case is handed on.
pub const ESCALATE: &[Reason] = &[
    reason("escalate-conflict", "与本人有利害关系", "A conflict of interest of my own"),
    reason("escalate-serious", "涉及重大或敏感情况", "Serious or sensitive"),
    reason("escalate-unsure", "难以判断", "Hard to judge"),
    explained("escalate-other", "其他（请说明）", "Other (say what)"),
];

/// Why a case is put back.
pub const RETURN: &[Reason] = &[
    reason("return-callback", "等待回访结果", "Waiting for a call back"),
    reason("return-material", "需补充材料", "Something is missing to decide it"),
    explained("return-other", "其他（请说明）", "Other (say what)"),
];

/// Why a hold needs more time.
pub const EXTEND: &[Reason] = &[
    reason("extend-callback", "回访尚未完成", "The call back is not done yet"),
    reason("extend-investigation", "正在调查", "Under investigation"),
    explained("extend-other", "其他（请说明）", "Other (say what)"),
];

/// The reasons for an outcome.
pub fn of_outcome(outcome: ReviewOutcome) -> &'static [Reason] {
    match outcome {
        ReviewOutcome::Clear => CLEAR,
        ReviewOutcome::Confirm => CONFIRM,
        ReviewOutcome::Mistaken => MISTAKEN,
    }
}

/// The reasons for an act; empty where none is asked for.
pub fn of_act(act: Act) -> &'static [Reason] {
    match act {
        Act::Decide(outcome) => of_outcome(outcome),
        Act::Escalate => ESCALATE,
        Act::Return => RETURN,
        Act::Extend => EXTEND,
        _ => &[],
    }
}

/// The reason with a code.
pub fn find(code: &str) -> Option<&'static Reason> {
    [CLEAR, CONFIRM, MISTAKEN, ESCALATE, RETURN, EXTEND]
        .into_iter()
        .flatten()
        .find(|reason| reason.code == code)
}

/// What a decision says that a rating really is: the label that models learn from.
pub fn label(outcome: ReviewOutcome, reason: &str, bad: bool, suspicion: Option<Suspicion>) -> Label {
    match (outcome, reason) {
        (ReviewOutcome::Clear, _) => Label::Genuine,
        (ReviewOutcome::Mistaken, _) => Label::Mistaken,
        (_, "confirm-machine") => Label::Automation,
        (_, "confirm-duplicate") => Label::Duplicate,
        (_, "confirm-blackmail") => Label::MaliciousReview,
        _ => match suspicion {
            Some(Suspicion::Automation) => Label::Automation,
            Some(Suspicion::Duplicate) => Label::Duplicate,
            _ if bad => Label::MaliciousReview,
            _ => Label::PaddedPraise,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_every_list_ends_with_one_that_asks_for_words() {
        let lists = [CLEAR, CONFIRM, MISTAKEN, ESCALATE, RETURN, EXTEND];
        let mut codes: Vec<_> = lists.into_iter().flatten().map(|reason| reason.code).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert!(lists.iter().all(|list| list.last().is_some_and(|reason| reason.needs_words)));
    }
}
