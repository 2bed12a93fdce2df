//! What is announced, and how it reads.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::relation::Relations;
use crate::catalogue::Bilingual;
use crate::date::Day;
use crate::time::Instant;

/// A surge of bad ratings of one target by people who have nothing to do with each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The first rating's place in the log.
    pub sequence: u64,
    /// Department code; empty where it is about the city as a whole.
    pub department: CompactString,
    /// District code, where it is about the department within its district or about a window of it.
    pub district: Option<CompactString>,
    /// Hall code, where it is about one window.
    pub hall: Option<CompactString>,
    /// Window code, where it is about one window.
    pub window: Option<CompactString>,
    /// When its first rating was submitted.
    pub since: Instant,
    /// When its last rating was submitted, once it is over.
    pub until: Option<Instant>,
    /// Bad ratings so far.
    pub ratings: u32,
    /// Distinct raters so far; each rating of which no account and no device is known counts as one.
    pub raters: u32,
    /// Of the ratings, those that shared something with another when they came.
    pub related: u32,
    /// Of the ratings, those that were held when they came, on their own evidence.
    pub held: u32,
    /// Bad ratings that the target usually gets in an hour at this time of the week.
    pub baseline: f64,
    /// Bad ratings within two hours when it was announced.
    pub at_opening: u32,
    /// Probability of that many, or more, by chance.
    pub chance: f64,
    /// How unrelated its raters were then.
    pub relations: Relations,
}

/// What a window's ratings are made of, as far as it is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Jump {
    /// The share of ratings that the platform filled in.
    Defaults = 0,
    /// The share of five stars among active ratings at the window's pad.
    FiveStars = 1,
}

impl Jump {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Defaults, Self::FiveStars];
}

/// A jump in what a window's ratings are made of. It is for supervisors, and holds nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Place in the log of the window's first rating of the day that jumped.
    pub sequence: u64,
    /// What jumped.
    pub jump: Jump,
    /// Department code.
    pub department: CompactString,
    /// Hall code.
    pub hall: Option<CompactString>,
    /// Window code.
    pub window: CompactString,
    /// The day that jumped.
    pub day: Day,
    /// The day's first rating.
    pub since: Instant,
    /// The first rating of the day on which it was as usual again.
    pub until: Option<Instant>,
    /// Ratings of the day that the share is of.
    pub ratings: u32,
    /// The share on that day, 0 to 1.
    pub share: f64,
    /// The share in the weeks before.
    pub usual: f64,
    /// Ratings of the weeks before that this share is of.
    pub usual_ratings: u32,
}

impl Incident {
    /// `I` and the first rating's place in the log, in hexadecimal.
    pub fn id(&self) -> String {
        format!("I{:X}", self.sequence)
    }

    /// What is usual, as it reads.
    pub fn baseline_text(&self) -> String {
        format!("{}/h", rate(self.baseline))
    }

    /// It in one sentence.
    pub fn text(&self) -> Bilingual {
        let Self { at_opening, raters, related, held, .. } = self;
        let (rate, applicants, members) =
            (rate(self.baseline), self.relations.applicants, self.relations.members);
        let devices = percent(f64::from(self.relations.devices));
        Bilingual::new(
            &format!(
                "两小时内 {at_opening} 条差评，平常此时每小时 {rate} 条（偶然概率 {}）。至今 {} 条，{raters} 位评价人，{related} 条与其他差评共用设备、账号、办件、网络或文字；通报时看过的 {members} 条中 {applicants} 条出自已核对办件的申请人，设备各不相同的占 {devices}。{held} 条因自身证据暂缓，没有一条因本事件暂缓。",
                chance(self.chance),
                self.ratings,
            ),
            &format!(
                "{at_opening} bad ratings within two hours, where {rate} an hour are usual at this time (by chance: {}). So far {} by {raters} raters; {related} share device, account, case, network or words with another; of the {members} looked at when it was announced, {applicants} are by the applicants of matched cases, and {devices} of their devices are distinct. {held} are on hold on their own evidence, none because of this.",
                chance(self.chance),
                self.ratings,
            ),
        )
    }
}

impl Alert {
    /// `A`, the place in the log of the day's first rating in hexadecimal, and `D` for defaults or `S` for
    /// stars.
    pub fn id(&self) -> String {
        let kind = match self.jump {
            Jump::Defaults => 'D',
            Jump::FiveStars => 'S',
        };
        format!("A{:X}{kind}", self.sequence)
    }

    /// What is usual, as it reads.
    pub fn baseline_text(&self) -> String {
        percent(self.usual)
    }

    /// It in one sentence.
    pub fn text(&self) -> Bilingual {
        let (share, usual) = (percent(self.share), percent(self.usual));
        let Self { day, ratings, usual_ratings, .. } = self;
        match self.jump {
            Jump::Defaults => Bilingual::new(
                &format!(
                    "{day} 的 {ratings} 条评价中 {share} 为默认评价，前几周为 {usual}（{usual_ratings} 条）。请主管了解窗口是否有引导或阻拦评价；不因此暂缓任何评价。"
                ),
                &format!(
                    "Of {ratings} ratings on {day}, {share} were filled in by default; in the weeks before {usual} (of {usual_ratings}). For the supervisor: are clients coached, or kept from rating? No rating is held for this."
                ),
            ),
            Jump::FiveStars => Bilingual::new(
                &format!(
                    "{day} 在窗口评价器上的 {ratings} 条主动评价中 {share} 为五星，前几周为 {usual}（{usual_ratings} 条）。请主管了解是否有引导评价；不因此暂缓任何评价。"
                ),
                &format!(
                    "Of {ratings} active ratings at the window's pad on {day}, {share} had five stars; in the weeks before {usual} (of {usual_ratings}). For the supervisor: are clients coached? No rating is held for this."
                ),
            ),
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// A rate in two significant digits or so.
fn rate(per_hour: f64) -> String {
    match per_hour {
        ..0.1 => format!("{per_hour:.2}"),
        ..10.0 => format!("{per_hour:.1}"),
        _ => format!("{per_hour:.0}"),
    }
}

fn chance(tail: f64) -> String {
    match tail {
        ..1e-12 => "< 1e-12".to_owned(),
        _ => format!("{tail:.0e}"),
    }
}
