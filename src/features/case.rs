//! How a rating stands to earlier ones of the same case.
//!
//! There is one final rating per case, stage and visit (an *occasion*). Who came first does not
//! decide which it is: a clerk's quick five stars must never crowd out the client.

use serde::{Deserialize, Serialize};

use super::aged_map::AgedMap;
use super::aliases::{Aliases, Entities};
use super::identity::target_key;
use super::keys::{KeyField, Keys};
use super::past::PastCase;
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

impl Standing {
    fn of(o: &Observation, rater: u64) -> Self {
        Self {
            rating: rating_fingerprint(&o.rating_id),
            rater,
            stars: o.stars,
            is_default: o.origin == Origin::Default,
            is_applicant: o.rater.is_applicant,
        }
    }

    /// How this rating stands to the one that stood before, and whether it stands from now on.
    fn follow(&self, earlier: Option<&Self>, o: &Observation) -> (Contest, bool) {
        let contest = earlier.map_or(Contest::None, |earlier| {
            contest(earlier, self, o.is_bad(), o.supersedes.as_deref().map(rating_fingerprint))
        });
        let stands = match contest {
            Contest::RepeatSame | Contest::YieldsToApplicant | Contest::OtherRater => false,
            Contest::None => !(self.is_default && earlier.is_some()),
            Contest::Revision | Contest::RepeatChanged | Contest::StandsOverOther => true,
        };
        (contest, stands)
    }
}

/// Few raters, targets or occasions of one case, by 32-bit hash; enough to count to four.
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

    /// Whether `key` may have been counted; `false` is certain.
    fn may_have(&self, key: u64) -> bool {
        usize::from(self.len) == self.seen.len() || self.seen[..usize::from(self.len)].contains(&(key as u32))
    }
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct History {
    /// Active ratings.
    ratings: u32,
    raters: Few,
    targets: Few,
    /// Occasions with any rating, so that a new one is known to be new.
    occasions: Few,
}

impl History {
    /// What the history was, as (ratings, other raters, other targets); then adds a rating to it.
    fn note(&mut self, o: &Observation, rater: u64, target: u64, occasion: u64) -> Option<(u32, i64, i64)> {
        self.occasions.others_then_add(occasion);
        // A default is the platform's, not a rater's: it is no use of the case.
        (o.origin == Origin::Active).then(|| {
            let ratings = self.ratings;
            self.ratings = ratings.saturating_add(1);
            (ratings, self.raters.others_then_add(rater), self.targets.others_then_add(target))
        })
    }
}

/// State of cases and occasions.
///
/// Memory keeps those that were rated last. What it has forgotten is read back from the log, so that both
/// are exact for as long as the log keeps the case's ratings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cases {
    occasions: AgedMap<Standing>,
    histories: AgedMap<History>,
}

/// Entries that are kept at least: so many that what memory forgets has long been in the log. Half of them
/// outnumber the ratings that may be on their way there.
const FEWEST: usize = 2 * MOST_IN_FLIGHT;

/// Ratings that may have been observed and not be in the log yet.
pub const MOST_IN_FLIGHT: usize = 32_768;

/// What one rating is, for its case.
struct Rated<'a> {
    o: &'a Observation,
    occasion: u64,
    keys: &'a Keys,
}

impl Cases {
    /// Empty state with room for about `capacity` cases.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(FEWEST);
        Self { occasions: AgedMap::new(capacity), histories: AgedMap::new(capacity) }
    }

    /// Bytes that they take at most.
    pub(super) fn most_bytes(capacity: usize) -> usize {
        let capacity = capacity.max(FEWEST);
        AgedMap::<Standing>::most_bytes(capacity) + AgedMap::<History>::most_bytes(capacity)
    }

    /// Asks the memory for a rating's case and occasion, some steps ahead.
    pub fn prefetch(&self, occasion: u64, keys: &Keys) {
        self.histories.prefetch(keys.get(KeyField::Case));
        self.occasions.prefetch(occasion);
    }

    /// Sets the case features of one rating, and names the one that stood for its occasion before. `past` says
    /// what memory has forgotten of the case; where it can't, the features are missing.
    pub fn observe(
        &mut self,
        o: &Observation,
        entities: &Entities,
        keys: &Keys,
        aliases: &Aliases,
        past: impl FnOnce() -> Option<PastCase>,
        out: &mut FeatureVector,
    ) -> Option<EarlierRating> {
        if keys.get(KeyField::Case) == 0 {
            return None;
        }
        let rated = Rated { o, occasion: entities.occasion, keys };
        let known = !self.may_have_forgotten(&rated)
            || past().inspect(|past| self.recall(&rated, past, aliases)).is_some();
        self.add(&rated, known, out)
    }

    /// Whether the case or the occasion is not in memory and may have been.
    fn may_have_forgotten(&self, rated: &Rated<'_>) -> bool {
        match self.histories.peek(rated.keys.get(KeyField::Case)) {
            None => self.histories.forgotten() > 0,
            Some(history) => {
                rated.occasion != 0
                    && self.occasions.forgotten() > 0
                    && self.occasions.peek(rated.occasion).is_none()
                    && history.occasions.may_have(rated.occasion)
            }
        }
    }

    /// Goes through what the log has of a case once more, for what is not in memory.
    fn recall(&mut self, rated: &Rated<'_>, past: &PastCase, aliases: &Aliases) {
        let mut history = History { ratings: past.before_them, ..History::default() };
        let mut standing: Option<Standing> = None;
        for o in &past.ratings {
            let occasion = o.service.occasion.map_or(0, |occasion| aliases.key_of(occasion.key()));
            let rater = o.rater.id.map_or(0, |rater| aliases.key_of(rater.key()));
            history.note(o, rater, target_key(&o.service), occasion);
            if occasion != 0 && occasion == rated.occasion {
                let new = Standing::of(o, rater);
                if new.follow(standing.as_ref(), o).1 {
                    standing = Some(new);
                }
            }
        }
        if !past.ratings.is_empty() {
            self.histories.entry(rated.keys.get(KeyField::Case), || history);
        }
        if let Some(standing) = standing {
            self.occasions.entry(rated.occasion, || standing);
        }
    }

    fn add(&mut self, rated: &Rated<'_>, known: bool, out: &mut FeatureVector) -> Option<EarlierRating> {
        let &Rated { o, occasion, keys } = rated;
        let history = self.histories.entry(keys.get(KeyField::Case), History::default);
        let (rater, target) = (keys.get(KeyField::Rater), keys.get(KeyField::Target));
        if let Some((ratings, raters, targets)) = history.note(o, rater, target, occasion).filter(|_| known) {
            out.set_int(f::CASE_PRIOR_RATINGS, i64::from(ratings));
            out.set_int(f::CASE_PRIOR_RATERS, raters);
            out.set_int(f::CASE_PRIOR_TARGETS, targets);
        }
        if occasion == 0 {
            return None;
        }
        let new = Standing::of(o, rater);
        let earlier = self.occasions.get_mut(occasion).copied();
        let (contest, stands) = new.follow(earlier.as_ref(), o);
        if known {
            out.set_int(f::CASE_CONTEST, contest as i64);
        }
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

    use proptest::prelude::*;

    use crate::catalogue::Catalogue;
    use crate::features::identity::keys_of;
    use crate::pseudonym::Keyring;
    use crate::rating;

    /// A rating of one of few cases, stages, raters and offices.
    fn rated(id: usize, [case, stage, rater, office, stars]: [u8; 5]) -> Observation {
        let stage = ["consult", "apply", "process", "complete", "collect", "revisit"][usize::from(stage)];
        let origin = if rater == 3 { r#","origin":"default""# } else { "" };
        let applicant = ["true", "false", "null"][usize::from(rater % 3)];
        let line = format!(
            r#"{{"rating_id":"r-{id}","submitted_at":"2026-03-02T10:00:00+08:00","channel":"portal","stars":{stars}{origin},
                "supersedes":"r-{}","service":{{"matter":"M","department":"D{office}","case_no":"CASE-{case}","stage":"{stage}"}},
                "rater":{{"account":"account-{rater}","is_applicant":{applicant}}}}}"#,
            id.saturating_sub(1)
        );
        Keyring::public().pseudonymise(rating::parse(line.as_bytes()).unwrap()).0
    }

    fn with_room_for(entries: usize) -> Cases {
        Cases { occasions: AgedMap::new(entries), histories: AgedMap::new(entries) }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_memory_forgets_of_a_case_is_read_back_exactly(
            ratings in proptest::collection::vec((0u8..8, 0u8..6, 0u8..5, 0u8..3, 1u8..=5), 1..120),
            room in 2usize..8,
        ) {
            let (mut small, mut large, mut aliases) = (with_room_for(room), with_room_for(10_000), Aliases::new(4));
            let mut log: Vec<Observation> = Vec::new();
            let width = Catalogue::builtin().len();
            for (id, (case, stage, rater, office, stars)) in ratings.into_iter().enumerate() {
                let o = rated(id, [case, stage, rater, office, stars]);
                let mut keys = keys_of(&o);
                let entities = aliases.resolve(&o, &mut keys);
                let past = || {
                    let of_case = |earlier: &&Observation| earlier.service.case == o.service.case;
                    Some(PastCase { ratings: log.iter().filter(of_case).cloned().collect(), before_them: 0 })
                };
                let (mut seen, mut expected) = (FeatureVector::new(width), FeatureVector::new(width));
                let earlier = small.observe(&o, &entities, &keys, &aliases, past, &mut seen);
                let never = || panic!("nothing was forgotten");
                prop_assert_eq!(earlier, large.observe(&o, &entities, &keys, &aliases, never, &mut expected));
                prop_assert_eq!(seen, expected);
                log.push(o);
            }
        }
    }

    #[test]
    fn without_a_log_what_may_have_been_forgotten_is_missing_and_not_new() {
        let (mut cases, mut aliases) = (with_room_for(2), Aliases::new(4));
        let mut seen = |id: usize, case: u8| {
            let o = rated(id, [case, 0, 0, 0, 5]);
            let mut keys = keys_of(&o);
            let entities = aliases.resolve(&o, &mut keys);
            let mut out = FeatureVector::new(Catalogue::builtin().len());
            cases.observe(&o, &entities, &keys, &aliases, || None, &mut out);
            (out.int(f::CASE_PRIOR_RATINGS), out.int(f::CASE_CONTEST).is_some())
        };
        assert_eq!(seen(0, 0), (Some(0), true));
        assert_eq!(seen(1, 0), (Some(1), true));
        for case in 1..6 {
            seen(1 + usize::from(case), case);
        }
        assert_eq!(seen(9, 0), (None, false));
        assert_eq!(seen(10, 0), (Some(1), true), "what came since is known");
    }

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
