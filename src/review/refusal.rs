//! Why an act about a case is not in order, in words for whoever tried it.

use compact_str::CompactString;

use crate::time::Instant;

/// Why an act is refused. Nothing of it went into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such rating, or it is erased.
    NoSuchCase,
    /// Nothing is to be decided about it (any more).
    NotOpen,
    /// Somebody else has it.
    Claimed {
        /// Who.
        by: CompactString,
        /// Until when.
        until: Instant,
    },
    /// It has no claim to release.
    NotClaimed,
    /// A call back was asked for already.
    AlreadyAsked,
    /// Excluding a bad rating takes two people, and this one was the first.
    NeedsAnother,
    /// An appeal is decided by somebody who had no part in the decision.
    DecidedBefore,
    /// Whoever hands a case on does not decide it.
    Escalated,
    /// No decision to take back.
    NothingToUndo,
    /// The time for that is over.
    TooLateToUndo,
    /// It was somebody else's decision.
    NotYours {
        /// Whose.
        of: CompactString,
    },
    /// It has no clock, or had its extension.
    NothingToExtend,
    /// It counts: nobody was excluded.
    NothingToAppeal,
    /// One appeal is being looked at.
    AppealPending,
    /// No further appeal here.
    AppealsUsedUp,
    /// The account must not decide about this rating.
    Recused {
        /// Why, in Chinese.
        zh: &'static str,
        /// Why, in English.
        en: &'static str,
    },
    /// Somebody else did something about the case at the same moment.
    Overtaken,
    /// The code of the reason is none of those for this act.
    NoSuchReason,
    /// Words are asked for, or are too long.
    Words {
        /// The limit, in characters; 0 where words are missing.
        limit: usize,
    },
}

impl Refusal {
    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchCase => "no-such-case",
            Self::NotOpen => "not-open",
            Self::Claimed { .. } => "claimed",
            Self::NotClaimed => "not-claimed",
            Self::AlreadyAsked => "already-asked",
            Self::NeedsAnother => "needs-another",
            Self::DecidedBefore => "decided-before",
            Self::Escalated => "escalated",
            Self::NothingToUndo => "nothing-to-undo",
            Self::TooLateToUndo => "too-late-to-undo",
            Self::NotYours { .. } => "not-yours",
            Self::NothingToExtend => "nothing-to-extend",
            Self::NothingToAppeal => "nothing-to-appeal",
            Self::AppealPending => "appeal-pending",
            Self::AppealsUsedUp => "appeals-used-up",
            Self::Recused { .. } => "recused",
            Self::Overtaken => "overtaken",
            Self::NoSuchReason => "no-such-reason",
            Self::Words { .. } => "words",
        }
    }

    /// The sentence in Chinese and in English.
    pub fn sentences(&self) -> (String, String) {
        let (zh, en) = match self {
            Self::NoSuchCase => {
                ("没有这条评价，或其内容已到期清除", "There is no such rating, or it was erased")
            }
            Self::NotOpen => ("该件已办结，无需处理", "Nothing is to be decided about this case any more"),
            Self::Claimed { by, .. } => {
                return (
                    format!("该件正由 {by} 处理，请选择其他件"),
                    format!("{by} is at work on this case; take another"),
                );
            }
            Self::NotClaimed => ("该件未被领取", "Nobody has claimed this case"),
            Self::AlreadyAsked => {
                ("已申请回访，等待结果", "A call back was asked for already; its result is awaited")
            }
            Self::NeedsAnother => (
                "您是第一位认定人，需由另一人复核",
                "You were the first to decide; a second person has to agree",
            ),
            Self::DecidedBefore => (
                "申诉须由未参与原认定的人员处理",
                "An appeal is decided by somebody who had no part in the decision",
            ),
            Self::Escalated => {
                ("您已上交该件，须由他人决定", "You handed this case on; somebody else decides it")
            }
            Self::NothingToUndo => ("没有可撤销的决定", "There is no decision to take back"),
            Self::TooLateToUndo => ("已超过可撤销时间", "The time to take this decision back is over"),
            Self::NotYours { of } => {
                return (
                    format!("该决定由 {of} 作出，只能由其本人撤销"),
                    format!("{of} made this decision; only {of} can take it back"),
                );
            }
            Self::NothingToExtend => {
                ("该件没有可延长的期限", "This case has no deadline that can be extended")
            }
            Self::NothingToAppeal => (
                "该评价已计入统计，无需申诉",
                "This rating counts in the figures: there is nothing to appeal against",
            ),
            Self::AppealPending => ("申诉正在处理中", "An appeal is being looked at"),
            Self::AppealsUsedUp => ("已达申诉次数上限", "No further appeal is possible here"),
            Self::Recused { zh, en } => (*zh, *en),
            Self::Overtaken => (
                "他人刚刚处理了该件，请重新查看",
                "Somebody else did something about this case at the same moment; look at it again",
            ),
            Self::NoSuchReason => ("请选择理由", "Choose one of the listed reasons"),
            Self::Words { limit: 0 } => ("此项理由须填写说明", "This reason needs words of explanation"),
            Self::Words { limit } => {
                return (
                    format!("说明最多 {limit} 字"),
                    format!("The explanation may have at most {limit} characters"),
                );
            }
        };
        (zh.to_owned(), en.to_owned())
    }
}
