//! What the ratings around one say of it, and what a new one says of those before.
//!
//! Each rating of the last days is kept with its links (device, rater, case, words, network, hardware at
//! its target, time at its target) and with how likely it is not genuine. A group model reads how many
//! linked ratings there are and how suspect they are. A new rating is judged so before it is answered; if it
//! is suspect itself, the earlier ratings that it is linked to are judged again, and those that cross the
//! line are found. So suspicion spreads along links, and fades where the linked ratings are clean.
//!
//! A fold in log order: pure, bounded, without a clock. Sources of the idea: relational (collective)
//! classification, Neville and Jensen, "Iterative classification in relational data" (2000); for reviews,
//! Rayana and Akoglu, "Collective opinion spam detection" (2015).

mod cells;
mod links;
mod members;
#[cfg(test)]
mod tests;

use crate::catalogue::FeatureVector;
use crate::catalogue::builtin as f;
use crate::models::{GroupModel, ModelError};
use crate::observation::Observation;
use crate::time::{DAY_MS, HOUR_MS};

use serde::{Deserialize, Serialize};

use cells::{Cells, Tally};
pub use links::{Link, LinkKeys, keys_of};
use members::{Member, Members};

/// A belief from which a rating counts as suspect (0.3), in parts of 65535.
const SUSPECT: u16 = 19_660;
/// A belief from which the ratings that it is linked to are judged again (0.1).
const TELLING: u16 = 6_553;
/// How long ratings are remembered, in event time.
const HORIZON_MS: i64 = 3 * DAY_MS;
/// One rating advances the time by no more, so that one from the far future makes nothing old.
const MOST_AHEAD_MS: i64 = HOUR_MS;
/// The short window on either side of a rating.
const SHORT_MS: i64 = 6 * HOUR_MS;
/// Linked ratings that are looked at for each kind of link.
const MOST_WALKED: usize = 32;
/// Earlier ratings that one rating brings up again.
const MOST_REVISITED: usize = 128;
/// Other suspect ratings of the target within the short window that make lockstep of it.
const LOCKSTEP: u32 = 3;

/// Independent strong links to suspect ratings without which the ratings around a bad one never hold it.
pub const STRONG_LINKS: u32 = 2;

/// What the group model reads of the rating itself.
pub const TRAITS: [&str; 6] = ["own", "bad", "matched", "applicant", "links", "traits"];

/// The column that says whether the rating is bad.
pub const BAD_COLUMN: usize = 1;

const PER_CHAINED: [&str; 6] =
    ["ratings_6h", "belief_6h", "ratings_72h", "belief_72h", "suspect_72h", "worst_72h"];
const PER_COUNTED: [&str; 8] = [
    "ratings_6h",
    "belief_6h",
    "suspect_6h",
    "mean_6h",
    "ratings_72h",
    "belief_72h",
    "suspect_72h",
    "mean_72h",
];

/// Number of columns that the group model reads.
pub const COLUMNS: usize =
    TRAITS.len() + Link::CHAINED * PER_CHAINED.len() + (Link::COUNT - Link::CHAINED) * PER_COUNTED.len();

/// The columns' names.
pub fn columns() -> Vec<String> {
    let mut names: Vec<String> = TRAITS.iter().map(|&name| name.to_owned()).collect();
    for (i, link) in Link::ALL.into_iter().enumerate() {
        let per: &[&str] = if i < Link::CHAINED { &PER_CHAINED } else { &PER_COUNTED };
        names.extend(per.iter().map(|what| format!("{}.{what}", link.name())));
    }
    names
}

/// The kind of link that a column tells of; `None` for one that tells of the rating itself.
pub fn link_of(column: usize) -> Option<Link> {
    let at = column.checked_sub(TRAITS.len())?;
    let chained = Link::CHAINED * PER_CHAINED.len();
    let place = match at.checked_sub(chained) {
        None => at / PER_CHAINED.len(),
        Some(at) => Link::CHAINED + at / PER_COUNTED.len(),
    };
    Link::ALL.get(place).copied()
}

/// Whether a model reads the columns that there are.
///
/// # Errors
/// It reads others.
pub fn check(model: &GroupModel) -> Result<(), ModelError> {
    match model.columns == columns() {
        true => Ok(()),
        false => Err(ModelError::Malformed {
            file: crate::models::FILE.to_owned(),
            why: "the group model reads other columns than this program has".to_owned(),
        }),
    }
}

/// What makes log-odds of a rating's own and of its columns.
pub trait GroupScore {
    /// The log-odds. `fold` is the rating's, while a model is being trained.
    fn logit(&self, fold: u8, own: f32, columns: &[f32]) -> f64;
    /// The risk from which a rating is held.
    fn hold(&self, bad: bool) -> f32;
    /// Sees the columns of a rating that was judged, again or for the first time.
    fn judged(&mut self, _sequence: u64, _again: bool, _logit: f64, _strong: u32, _columns: &[f32]) {}
}

impl GroupScore for &GroupModel {
    fn logit(&self, _fold: u8, own: f32, columns: &[f32]) -> f64 {
        self.scale.apply(f64::from(own) + self.trees.sum(columns))
    }

    fn hold(&self, bad: bool) -> f32 {
        self.bars.hold(bad)
    }
}

/// Linked ratings that are suspect, per kind of link.
pub type Suspects = [u32; Link::COUNT];

/// What the ratings around one say of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Log-odds that it is not genuine.
    pub logit: f64,
    /// Linked ratings that are suspect.
    pub suspects: Suspects,
    /// Independent strong links to suspect ratings.
    pub strong: u32,
    /// The campaign of the ratings on hold that it is linked to; 0 where there is none.
    pub campaign: u64,
}

/// A rating that must be held, now that more is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Its place in the log.
    pub sequence: u64,
    /// Log-odds by itself.
    pub own: f32,
    /// What is known of it now.
    pub look: Look,
}

/// A rating as it enters the look-back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entrant(Member);

impl Entrant {
    /// A rating with its own calibrated log-odds.
    pub fn new(sequence: u64, o: &Observation, features: &FeatureVector, own: f64) -> Self {
        let flag = |value: Option<bool>| value.map_or(f32::NAN, |value| f32::from(u8::from(value)));
        let number = |id| features.float(id).map_or(f32::NAN, |value| value as f32);
        let own = own as f32;
        let bad = o.is_bad();
        Self(Member {
            sequence,
            at_ms: o.submitted_at.ms(),
            keys: keys_of(o),
            own,
            traits: [
                own,
                flag(Some(bad)),
                flag(o.service.case_match.map(|found| found == crate::wire::CaseMatch::Matched)),
                flag(o.rater.is_applicant),
                number(f::LINKS_TARGET_SUM),
                number(f::TRAITS_TARGET_EXCESS),
            ],
            bad,
            settled: bad && o.is_matched_applicant(),
            // 48 bits: written out, twelve digits.
            label: (xxhash_rust::xxh3::xxh3_64(o.rating_id.as_bytes()) >> 16).max(1),
            ..Member::default()
        })
    }

    /// The same rating at another place, with other log-odds of its own.
    #[must_use]
    pub fn numbered(mut self, sequence: u64, own: f64) -> Self {
        self.0.sequence = sequence;
        self.0.own = own as f32;
        self.0.traits[0] = own as f32;
        self
    }

    /// The fold whose model judges it while a model is being trained.
    #[must_use]
    pub fn in_fold(mut self, fold: u8) -> Self {
        self.0.fold = fold;
        self
    }
}

/// The ratings of the last three days and what is believed of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lookback {
    members: Members,
    cells: Cells,
    newest_ms: Option<i64>,
    most: usize,
    #[serde(skip)]
    scratch: Vec<f32>,
    #[serde(skip)]
    linked: Vec<u32>,
}

impl Lookback {
    /// Remembers at most `most` ratings, at about 300 bytes each.
    pub fn new(most: usize) -> Self {
        Self {
            members: Members::default(),
            cells: Cells::default(),
            newest_ms: None,
            most,
            scratch: Vec::with_capacity(COLUMNS),
            linked: Vec::new(),
        }
    }

    /// How many ratings it remembers.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.members.len() == 0
    }

    /// What the ratings before say of a new one.
    pub fn look(&mut self, entrant: &mut Entrant, score: &mut impl GroupScore) -> Look {
        let member = &mut entrant.0;
        let newest = self.newest_ms.map_or(member.at_ms, |newest| {
            newest.max(member.at_ms.min(newest.saturating_add(MOST_AHEAD_MS)))
        });
        self.newest_ms = Some(newest);
        member.came_ms = newest;
        if !self.is_timely(member) {
            // Much too late, or ahead of all others: nothing is around it.
            member.keys = [0; Link::COUNT];
        }
        let before = newest.saturating_sub(HORIZON_MS);
        self.members.forget(before, self.most);
        self.cells.forget_before(before.saturating_sub(HORIZON_MS));
        let mut columns = std::mem::take(&mut self.scratch);
        let look = self.judge(member, None, score, false, &mut columns);
        self.scratch = columns;
        look
    }

    /// Gives the latest ratings other places: `place` of those that have one by it. It is asked from the latest
    /// back, about `latest` ratings at most.
    pub fn renumber(&mut self, latest: usize, place: impl Fn(u64) -> Option<u64>) {
        for member in self.members.latest(latest) {
            if let Some(placed) = place(member.sequence) {
                member.sequence = placed;
            }
        }
    }

    fn is_timely(&self, member: &Member) -> bool {
        let away = member.at_ms.saturating_sub(member.came_ms);
        (-HORIZON_MS..=HORIZON_MS).contains(&away)
    }

    /// Takes a rating in with what is believed of it, and judges again the earlier ones that it tells
    /// something of. `held` says that it is on hold, or was rejected; `believed` that what is found counts: if not,
    /// it can be found again later.
    pub fn join(
        &mut self,
        entrant: Entrant,
        look: &Look,
        held: bool,
        believed: bool,
        score: &mut impl GroupScore,
        findings: &mut Vec<Finding>,
    ) {
        let mut member = entrant.0;
        member.belief = belief(look.logit);
        member.settled |= held;
        if held {
            member.campaign = if look.campaign != 0 { look.campaign } else { member.label };
        }
        let tally = Tally::of(member.belief);
        for link in [Link::Target, Link::Office] {
            let key = member.keys[link as usize];
            if key != 0 {
                self.cells.add(key, member.at_ms, tally);
            }
        }
        let telling = member.belief >= TELLING;
        let number = self.members.push(member);
        if telling {
            self.revisit(number, believed, score, findings);
        }
    }

    fn revisit(
        &mut self,
        number: u32,
        believed: bool,
        score: &mut impl GroupScore,
        findings: &mut Vec<Finding>,
    ) {
        let Some(me) = self.members.get(number) else { return };
        let mut linked = std::mem::take(&mut self.linked);
        linked.clear();
        for &link in Link::WALKED {
            // A subnet has many people in it; what they have in common at one target has a link of its own.
            if matches!(link, Link::Subnet) {
                continue;
            }
            let under = self.members.under(link, me.keys[link as usize]).take(MOST_WALKED + 1);
            linked.extend(under.map(|(other, _)| other).filter(|&other| other != number));
        }
        linked.sort_unstable_by_key(|&other| number.wrapping_sub(other));
        linked.dedup();
        linked.truncate(MOST_REVISITED);
        let mut columns = std::mem::take(&mut self.scratch);
        for &other in &linked {
            let Some(member) = self.members.get(other) else { continue };
            let look = self.judge(member, Some(other), score, true, &mut columns);
            let (bad, settled, sequence, own) = (member.bad, member.settled, member.sequence, member.own);
            let over = crate::models::sigmoid(look.logit) >= f64::from(score.hold(bad));
            let found = believed && over && !settled && (!bad || look.strong >= STRONG_LINKS);
            self.believe(other, belief(look.logit));
            if found && let Some(member) = self.members.get_mut(other) {
                member.settled = true;
                member.campaign = if look.campaign != 0 { look.campaign } else { member.label };
                findings.push(Finding { sequence, own, look: Look { campaign: member.campaign, ..look } });
            }
        }
        (self.scratch, self.linked) = (columns, linked);
    }

    fn believe(&mut self, number: u32, to: u16) {
        let Some(member) = self.members.get_mut(number) else { return };
        let from = std::mem::replace(&mut member.belief, to);
        let (keys, at_ms) = (member.keys, member.at_ms);
        for link in [Link::Target, Link::Office] {
            self.cells.change(keys[link as usize], at_ms, from, to);
        }
    }

    fn judge(
        &self,
        me: &Member,
        number: Option<u32>,
        score: &mut impl GroupScore,
        again: bool,
        columns: &mut Vec<f32>,
    ) -> Look {
        let mut look = Look { logit: 0.0, suspects: [0; Link::COUNT], strong: 0, campaign: 0 };
        columns.clear();
        columns.extend_from_slice(&me.traits);
        // The campaign that began first, of ratings that are linked by more than words or network.
        let mut first_campaign: Option<(u64, u64)> = None;
        for link in Link::ALL.into_iter().take(Link::CHAINED) {
            let key = me.keys[link as usize];
            if key == 0 {
                columns.extend([f32::NAN; PER_CHAINED.len()]);
                continue;
            }
            let (mut short, mut long, mut worst) = (Tally::default(), Tally::default(), 0);
            let under = self.members.under(link, key).take(MOST_WALKED);
            for (_, other) in under.filter(|&(other, _)| Some(other) != number) {
                let away = (other.at_ms - me.at_ms).abs();
                if away > HORIZON_MS {
                    continue;
                }
                long.add(Tally::of(other.belief));
                worst = worst.max(other.belief);
                if away <= SHORT_MS {
                    short.add(Tally::of(other.belief));
                }
                if other.campaign != 0 && link.strength().is_some() {
                    let other = (other.sequence, other.campaign);
                    first_campaign = Some(first_campaign.map_or(other, |first| first.min(other)));
                }
            }
            look.suspects[link as usize] = long.suspect;
            columns.extend([
                short.ratings as f32,
                share(short.belief),
                long.ratings as f32,
                share(long.belief),
                long.suspect as f32,
                share(u64::from(worst)),
            ]);
        }
        let own = number.map_or(Tally::default(), |_| Tally::of(me.belief));
        let mut lockstep = 0;
        for link in [Link::Target, Link::Office] {
            let key = me.keys[link as usize];
            if key == 0 {
                columns.extend([f32::NAN; PER_COUNTED.len()]);
                continue;
            }
            let sums = self.cells.around(key, me.at_ms).map(|sum| sum.without(own));
            look.suspects[link as usize] = sums[0].suspect;
            if link == Link::Target {
                lockstep = sums[0].suspect;
            }
            for sum in sums {
                columns.extend([
                    sum.ratings as f32,
                    share(sum.belief),
                    sum.suspect as f32,
                    share(sum.belief) / sum.ratings.max(1) as f32,
                ]);
            }
        }
        debug_assert_eq!(columns.len(), COLUMNS);
        let mut strong = 0_u8;
        for link in Link::ALL {
            let least = if link == Link::Target { LOCKSTEP } else { 1 };
            let count = if link == Link::Target { lockstep } else { look.suspects[link as usize] };
            if let Some(strength) = link.strength().filter(|_| count >= least) {
                strong |= 1 << strength;
            }
        }
        look.strong = strong.count_ones();
        look.campaign = first_campaign.map_or(0, |(_, campaign)| campaign);
        look.logit = score.logit(me.fold, me.own, columns);
        score.judged(me.sequence, again, look.logit, look.strong, columns);
        look
    }
}

fn belief(logit: f64) -> u16 {
    (crate::models::sigmoid(logit) * f64::from(u16::MAX)).round() as u16
}

fn share(belief: u64) -> f32 {
    (belief as f64 / f64::from(u16::MAX)) as f32
}
