//! Cases as rows of a table.

use serde::Serialize;

use super::Desk;
use super::visit::{Visitor, refusal};
use super::words::{Named, Text, name_of, named, text};
use crate::access::{Target, may_decide};
use crate::review::projection::CaseRow;
use crate::review::{Refusal, reasons};
use crate::wire::ReviewOutcome;

/// A case in a list.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    id: String,
    href: String,
    stars: u8,
    bad: bool,
    kind: Named,
    suspicion: Option<Named>,
    risk: Option<f64>,
    priority: u8,
    department: String,
    district: Option<String>,
    channel: Named,
    matter: String,
    window: Option<String>,
    since: String,
    deadline: String,
    overdue: bool,
    lapse: Option<String>,
    reason: Option<Text>,
    more_reasons: u32,
    claim: Option<Claim>,
    votes: u8,
    recused: Option<Text>,
    campaign: Option<Campaign>,
    escalated: bool,
    callback: Option<&'static str>,
    state: &'static str,
    outcome: Option<Named>,
}

#[derive(Clone, Debug, Serialize)]
struct Claim {
    by: String,
    until: String,
    mine: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Campaign {
    id: String,
    href: String,
    size: u64,
}

/// An outcome that can be chosen, with its reasons.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    value: &'static str,
    #[serde(flatten)]
    name: Text,
    zh_hint: &'static str,
    en_hint: &'static str,
    reasons: Vec<Named>,
    two_people: bool,
    default: bool,
}

/// A recusal or another refusal in words.
pub fn said(refusal: &Refusal) -> Text {
    refusal.sentences().into()
}

/// Reasons to choose from.
pub fn reasons_of(list: &[reasons::Reason]) -> Vec<Named> {
    list.iter().map(|reason| named(reason.code, reason.zh, reason.en)).collect()
}

/// The outcomes to choose from. `two_people`: for a bad rating that one person alone cannot exclude.
pub fn choices(two_people: bool) -> Vec<Choice> {
    let hints = |outcome| match outcome {
        ReviewOutcome::Clear => (
            "真实的评价，或证据不足。计入统计。",
            "Genuine, or the evidence is not enough. It counts in the statistics.",
        ),
        ReviewOutcome::Confirm => (
            "有证据表明不是真实评价。不计入统计，当事人可申诉。",
            "There is evidence that it is not genuine. It is left out; the rater can appeal.",
        ),
        ReviewOutcome::Mistaken => (
            "评价人并无恶意，选错了星级或对象。不计入统计。",
            "No bad faith: the wrong star or the wrong office. It is left out.",
        ),
    };
    ReviewOutcome::ALL
        .iter()
        .map(|&outcome| {
            let (zh_hint, en_hint) = hints(outcome);
            Choice {
                value: outcome.name(),
                name: match outcome {
                    ReviewOutcome::Clear => text("予以计入", "Clear"),
                    ReviewOutcome::Confirm => text("确认异常", "Confirm"),
                    ReviewOutcome::Mistaken => text("误评", "Mistaken"),
                },
                zh_hint,
                en_hint,
                reasons: reasons_of(reasons::of_outcome(outcome)),
                two_people: two_people && outcome != ReviewOutcome::Clear,
                default: false,
            }
        })
        .collect()
}

impl Desk {
    /// A case as a row, for an account. Reads the log for the words of its strongest reason.
    pub(super) fn row(&self, visitor: &Visitor, row: CaseRow) -> Row {
        let target = Target { department: &row.department, district: row.district.as_deref(), bad: row.bad };
        let recused = may_decide(visitor.account(), &target).err().map(|why| said(&refusal(why)));
        let reason = row.top.as_ref().map(|top| {
            let words = self.service.case_file(&row.id).ok().flatten().and_then(|case| {
                let reasons = self.service.reasons_of(&case).ok()?;
                let found = reasons.into_iter().find(|reason| reason.code == top.code)?;
                Some(text(found.text, found.text_en))
            });
            words.unwrap_or_else(|| text(&top.code, &top.code))
        });
        let held = self.service.folds(|folds| folds.pending.get(row.sequence).cloned());
        let is_open = row.state == "open";
        Row {
            href: format!("/desk/cases/{}", row.id),
            stars: row.stars,
            bad: row.bad,
            kind: Named::from(row.kind),
            suspicion: row.suspicion.map(Named::from),
            risk: row.risk,
            priority: row.priority,
            district: row.district,
            channel: Named::from(row.channel),
            matter: row.matter,
            window: row.window,
            since: self.moment(row.since),
            deadline: self.moment(row.deadline),
            overdue: row.overdue,
            lapse: held.and_then(|held| held.deadline).filter(|_| is_open).map(|at| self.moment(at)),
            reason,
            more_reasons: row.more_reasons,
            claim: row.claim.map(|claim| Claim {
                by: self.display(&claim.by),
                until: self.moment(claim.until),
                mine: claim.mine,
            }),
            votes: row.votes,
            recused,
            campaign: row.campaign.filter(|campaign| campaign.size > 1).map(|campaign| Campaign {
                href: format!("/desk/campaigns/{}", campaign.id),
                id: campaign.id,
                size: campaign.size,
            }),
            escalated: row.escalated,
            callback: row.callback,
            state: row.state,
            outcome: row.outcome.map(Named::from),
            department: row.department,
            id: row.id,
        }
    }

    /// The name of the person behind an account.
    pub(super) fn display(&self, account: &str) -> String {
        self.access.account(account).map_or_else(|| account.to_owned(), |account| account.display.clone())
    }
}

/// The names of all values of a vocabulary that the projection knows.
pub fn all<T: Copy>(values: &[T]) -> Vec<Named>
where
    crate::review::projection::Named: From<T>,
{
    values.iter().map(|&value| name_of(value)).collect()
}
