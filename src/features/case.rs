//! How a rating stands to earlier ones of the same case.
//!
//! There is one final rating per case, stage and visit (an *occasion*). Who came first does not
//! decide which it is: a clerk's quick five stars must never crowd out the client.

use serde::{Deserialize, Serialize};

use super::aged_map::AgedMap;
use super::keys::{KeyField, Keys};
use crate::catalogue::FeatureVector;
use crate::catalogue::builtin::{self as f, CASE_CONTESTS};
use crate::observation::Observation;
use crate::wire::Origin;

/// How a rating stands to the one that its occasion had before ([`CASE_CONTESTS`], in its order).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Contest {
    /// There was none, or a platform's default.
    #[default]
    None,
    /// The same rater says with `supersedes` that it revises the earlier one.
    Revision,
    /// The same rater, the same stars.
    RepeatSame,
    /// The same rater, other stars, no `supersedes`.
    RepeatChanged,
    /// Another rater, and neither (or both) is known to be the applicant.
    OtherRater,
    /// This is the applicant's; the earlier one is another's.
    StandsOverOther,
    /// This is another's; the earlier one is the applicant's.
    YieldsToApplicant,
}

impl Contest {
    const ALL: [Self; 7] = [
        Self::None,
        Self::Revision,
        Self::RepeatSame,
        Self::RepeatChanged,
        Self::OtherRater,
        Self::StandsOverOther,
        Self::YieldsToApplicant,
    ];

    /// The contest with this position in [`CASE_CONTESTS`], as the feature `case.contest` gives it.
    pub fn from_index(index: i64) -> Option<Self> {
        usize::try_from(index).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// Its name in rules.
    pub fn name(self) -> &'static str {
        CASE_CONTESTS[self as usize]
    }
}

/// The rating of the same occasion that stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlierRating {
    /// Fingerprint of its id ([`rating_fingerprint`]).
    pub fingerprint: u64,
    /// Whether it has the same stars.
    pub same_stars: bool,
}

/// 64 bits under which a rating id is looked up.
pub fn rating_fingerprint(rating_id: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(rating_id.as_bytes()).max(1)
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Standing {
    rating: u64,
    rater: u64,
    stars: u8,
    is_default: bool,
    is_applicant: Option<bool>,
}

/// Few raters and targets of one case, by 32-bit hash; enough to count to four.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Few {
    seen: [u32; 4],
    len: u8,
}

impl Few {
    /// How many others than `key` there are; then counts `key`.
    fn others_then_add(&mut self, key: u64) -> i64 {
        if key == 0 {
            return i64::from(self.len);
        }
        let short = key as u32;
        let len = usize::from(self.len);
        let known = self.seen[..len].contains(&short);
        let others = len - usize::from(known);
        if !known && len < self.seen.len() {
            self.seen[len] = short;
            self.len += 1;
        }
        others as i64
    }
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct History {
    ratings: u32,
    raters: Few,
    targets: Few,
}

/// State of cases and occasions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cases {
    occasions: AgedMap<Standing>,
    histories: AgedMap<History>,
}

impl Cases {
    /// Empty state with room for about `capacity` cases.
    pub fn new(capacity: usize) -> Self {
        Self { occasions: AgedMap::new(capacity), histories: AgedMap::new(capacity) }
    }

    /// Asks the memory for a rating's case and occasion, some steps ahead.
    pub fn prefetch(&self, o: &Observation, keys: &Keys) {
        self.histories.prefetch(keys.get(KeyField::Case));
        if let Some(occasion) = &o.service.occasion {
            self.occasions.prefetch(occasion.key());
        }
    }

    /// Sets the case features of one rating, and names the one that stood for its occasion before.
    pub fn observe(
        &mut self,
        o: &Observation,
        keys: &Keys,
        out: &mut FeatureVector,
    ) -> Option<EarlierRating> {
        let case = keys.get(KeyField::Case);
        if case == 0 {
            return None;
        }
        // A default is the platform's, not a rater's: it is no use of the case.
        if o.origin == Origin::Active {
            let history = self.histories.entry(case, History::default);
            out.set_int(f::CASE_PRIOR_RATINGS, i64::from(history.ratings));
            out.set_int(f::CASE_PRIOR_RATERS, history.raters.others_then_add(keys.get(KeyField::Rater)));
            out.set_int(f::CASE_PRIOR_TARGETS, history.targets.others_then_add(keys.get(KeyField::Target)));
            history.ratings = history.ratings.saturating_add(1);
        }
        let occasion = o.service.occasion?.key();
        let new = Standing {
            rating: rating_fingerprint(&o.rating_id),
            rater: keys.get(KeyField::Rater),
            stars: o.stars,
            is_default: o.origin == Origin::Default,
            is_applicant: o.rater.is_applicant,
        };
        let earlier = self.occasions.get_mut(occasion).copied();
        let contest = earlier.map_or(Contest::None, |earlier| {
            contest(&earlier, &new, o.is_bad(), o.supersedes.as_deref().map(rating_fingerprint))
        });
        out.set_int(f::CASE_CONTEST, contest as i64);
        let stands = match contest {
            Contest::RepeatSame | Contest::YieldsToApplicant => false,
            Contest::None => !(new.is_default && earlier.is_some()),
            Contest::OtherRater => false,
            Contest::Revision | Contest::RepeatChanged | Contest::StandsOverOther => true,
        };
        if stands {
            self.occasions.insert(occasion, new);
        }
        earlier.map(|e| EarlierRating { fingerprint: e.rating, same_stars: e.stars == new.stars })
    }

    /// Entries held, for the metrics.
    pub fn len(&self) -> usize {
        self.occasions.len() + self.histories.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn contest(earlier: &Standing, new: &Standing, bad: bool, supersedes: Option<u64>) -> Contest {
    if earlier.is_default || new.is_default {
        return Contest::None;
    }
    if earlier.rater != 0 && earlier.rater == new.rater {
        if supersedes == Some(earlier.rating) {
            return Contest::Revision;
        }
        // A repeated complaint stays a repeat, whatever its aspects: the policy never rejects it.
        let same = earlier.stars == new.stars && !(bad && new.stars > 2);
        return if same { Contest::RepeatSame } else { Contest::RepeatChanged };
    }
    match (earlier.is_applicant == Some(true), new.is_applicant == Some(true)) {
        (false, true) => Contest::StandsOverOther,
        (true, false) => Contest::YieldsToApplicant,
        _ => Contest::OtherRater,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contests_are_the_catalogues() {
        for (index, name) in CASE_CONTESTS.iter().enumerate() {
            let contest = Contest::from_index(index as i64).unwrap();
            assert_eq!((contest.name(), contest as usize), (*name, index));
        }
        assert_eq!(Contest::from_index(CASE_CONTESTS.len() as i64), None);
        assert_eq!(Contest::from_index(-1), None);
    }
}
