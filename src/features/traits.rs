//! What is unusual about a rating, and where the unusual gathers.
//!
//! Every way of faking ratings leaves traces that an honest rating may leave too: no case, not the
//! applicant, a young account, a new device, an empty form time. One of them proves nothing. But
//! honest oddities fall on all offices alike, while those who pad or attack work **for or against
//! somebody**: what they have in common gathers at one target. So each trait of a rating is held
//! against how often its channel and entry point carry it (its *surprisal*), and the target's recent
//! ratings against what the rest of its hall or office would give it (its *excess*). No kind of
//! abuse is named here; a new one that leaves any of the traces shows just the same.
//!
//! Surprisal is Shannon's ("A Mathematical Theory of Communication", 1948), in decimal digits.

use serde::{Deserialize, Serialize};

use super::aged_map::AgedMap;
use super::decay::{minute_of, poisson_excess};
use super::keys::{KeyField, Keys};
use crate::catalogue::builtin::{self as f, TRAITS};
use crate::catalogue::{Catalogue, FeatureId, FeatureVector};
use crate::observation::Observation;
use crate::wire::{CaseMatch, Origin, Stage};

/// A trait that many honest ratings have, and that gathers where ratings are faked; bit numbers in
/// [`TraitBits`], positions in [`TRAITS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Trait {
    CaseAbsent,
    CaseUnmatched,
    CaseUnchecked,
    NotApplicant,
    ApplicantUnknown,
    RaterAbsent,
    AccountYoung,
    RaterManyDevices,
    Unverified,
    DeviceNew,
    DeviceAbsent,
    DeviceShared,
    Emulator,
    Rooted,
    Proxy,
    Contradictory,
    Automated,
    FieldsMissing,
    DwellQuick,
    DwellAbsent,
    SubmittedAtOnce,
    BeforeCompletion,
    LongAfter,
    OddHour,
    RaterReturns,
    CaseReused,
    CommentGiven,
    AspectsAlike,
    StageConsult,
    StageRevisit,
    RaterFirst,
    DeviceRelinked,
}

const COUNT: usize = TRAITS.len();
/// Lanes of a tally: a fixed number, so that loops over them vectorise.
const LANES: usize = 32;
const _: () = assert!(COUNT <= LANES);

/// A set of traits, one bit each.
pub type TraitBits = u32;

/// The recent past is that of a few days: padding clusters, a target's habits are slower.
const HALF_LIFE_DAYS: f32 = 3.0;
/// Ratings of a kind that weigh as much as the channel's prior share.
const PRIOR_RATINGS: f32 = 20.0;
/// Until so many ratings were seen, nothing is known of what is usual.
const WARM_UP_RATINGS: f32 = 500.0;
/// Past this count the old halves, so that what is usual follows the times.
const HALVE_AT: f32 = 50_000.0;
/// Expected ratings of a place that weigh as much as its parent's own deviation from the city.
const PRIOR_EXPECTED: f32 = 4.0;
/// A trait that at least this share of its kind carries says nothing (surprisal below 0.3).
const LEAST_SURPRISAL: f32 = 0.3;
/// Combinations of channel, entry point and polarity.
const KINDS: usize = 1_024;
/// No single trait is more surprising than this.
const MOST_SURPRISAL: f32 = 2.5;

/// Counters that three of the traits are read from, where the rule files declare them.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraitCounters {
    rater_target: Option<FeatureId>,
    device_accounts: Option<FeatureId>,
    rater_devices: Option<FeatureId>,
}

impl TraitCounters {
    /// Looks them up.
    pub fn find(catalogue: &Catalogue) -> Self {
        Self {
            rater_target: catalogue.find("rater_target.ratings_30d"),
            device_accounts: catalogue.find("device.accounts_30d"),
            rater_devices: catalogue.find("rater.devices_30d"),
        }
    }
}

/// How often the ratings of one kind carry each trait.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Usual {
    ratings: f32,
    with: [f32; LANES],
}

impl Default for Usual {
    fn default() -> Self {
        Self { ratings: 0.0, with: [0.0; LANES] }
    }
}

impl Usual {
    fn add(&mut self, ones: &[f32; LANES]) {
        self.ratings += 1.0;
        for (with, one) in self.with.iter_mut().zip(ones) {
            *with += one;
        }
        if self.ratings >= HALVE_AT {
            self.ratings /= 2.0;
            self.with.iter_mut().for_each(|with| *with /= 2.0);
        }
    }

    fn shrunk(&self, prior: &[f32; LANES]) -> [f32; LANES] {
        let total = self.ratings + PRIOR_RATINGS;
        std::array::from_fn(|lane| (self.with[lane] + PRIOR_RATINGS * prior[lane]) / total)
    }
}

/// Ratings with each trait that one place had lately, and how many its kinds of rating let expect.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tally {
    minute: u32,
    seen: [f32; LANES],
    expected: [f32; LANES],
}

impl Default for Tally {
    fn default() -> Self {
        Self { minute: 0, seen: [0.0; LANES], expected: [0.0; LANES] }
    }
}

impl Tally {
    /// Brings the tally to `minute`; an older event finds it where it stands.
    fn age(&mut self, minute: u32) {
        if minute > self.minute {
            let factor = (-((minute - self.minute) as f32) / (HALF_LIFE_DAYS * 1440.0)).exp2();
            self.seen.iter_mut().for_each(|value| *value *= factor);
            self.expected.iter_mut().for_each(|value| *value *= factor);
            self.minute = minute;
        }
    }

    fn add(&mut self, ones: &[f32; LANES], shares: &[f32; LANES]) {
        for lane in 0..LANES {
            self.seen[lane] += ones[lane];
            self.expected[lane] += shares[lane];
        }
    }
}

/// What a place had before the rating at hand, of the rating's rare traits alone.
#[derive(Clone, Copy)]
struct Before {
    seen: [f32; LANES],
    expected: [f32; LANES],
}

impl Before {
    const NOTHING: Self = Self { seen: [0.0; LANES], expected: [0.0; LANES] };

    fn take(&mut self, rare: TraitBits, from: &Tally) {
        for lane in lanes(rare) {
            self.seen[lane] = from.seen[lane];
            self.expected[lane] = from.expected[lane];
        }
    }
}

/// The lanes of the bits that are set, in ascending order.
#[inline]
pub(super) fn lanes(mut bits: TraitBits) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (bits != 0).then(|| {
            let lane = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            lane
        })
    })
}

/// 1 for each bit that is set.
fn ones(bits: TraitBits) -> [f32; LANES] {
    let mut ones = [0.0; LANES];
    lanes(bits).for_each(|lane| ones[lane] = 1.0);
    ones
}

/// What a rating carries, and how surprising each trait of it is.
#[derive(Clone, Copy, Debug)]
pub struct Surprise {
    /// The traits.
    pub bits: TraitBits,
    /// Those of them that are at all surprising.
    pub rare: TraitBits,
    /// Surprisal of each rare trait, in decimal digits; 0 for the others.
    pub digits: [f32; LANES],
}

/// State of what is usual, and of what gathers where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Traits {
    kinds: AgedMap<Usual>,
    polarities: [Usual; 2],
    places: AgedMap<Tally>,
}

impl Traits {
    /// Empty state with room for about `capacity` places.
    pub fn new(capacity: usize) -> Self {
        Self {
            kinds: AgedMap::new(KINDS),
            polarities: [Usual::default(), Usual::default()],
            places: AgedMap::new(capacity),
        }
    }

    /// Bytes that they take at most.
    pub(super) fn most_bytes(capacity: usize) -> usize {
        AgedMap::<Usual>::most_bytes(KINDS) + AgedMap::<Tally>::most_bytes(capacity)
    }

    /// Asks the memory for a rating's places, some steps ahead; nearly all ratings are good.
    pub fn prefetch(&self, keys: &Keys) {
        for place in places_of(keys, false) {
            self.places.prefetch(place);
        }
    }

    /// Sets the features of traits, and learns from the rating. `None` for a default rating, and until
    /// enough was seen to know what is usual.
    pub fn observe(
        &mut self,
        o: &Observation,
        keys: &Keys,
        counters: TraitCounters,
        out: &mut FeatureVector,
    ) -> Option<Surprise> {
        if o.origin == Origin::Default {
            return None;
        }
        let bad = o.is_bad();
        let bits = traits_of(o, keys, counters, out);
        // Bad ratings are few, and their raters another crowd: what is usual among them begins with
        // what is usual among all and gives way as they come in.
        let all = &self.polarities[0];
        let all_known = all.ratings;
        let mut prior: [f32; LANES] =
            std::array::from_fn(|lane| (all.with[lane] + 0.5) / (all.ratings + 1.0));
        if bad {
            prior = self.polarities[1].shrunk(&prior);
        }
        let kind = 1 + o.channel as u64 * 64 + o.entry.map_or(31, |e| e as u64) * 2 + u64::from(bad);
        let usual = self.kinds.entry(kind, Usual::default);
        let shares = usual.shrunk(&prior);
        let ones = ones(bits);
        usual.add(&ones);
        self.polarities[usize::from(bad)].add(&ones);

        let surprise = (all_known >= WARM_UP_RATINGS).then(|| surprise_of(bits, &shares));
        let rare = surprise.as_ref().map_or(0, |surprise| surprise.rare);
        let minute = minute_of(o.submitted_at);
        let mut befores = [Before::NOTHING; 4];
        for (place, before) in places_of(keys, bad).into_iter().zip(&mut befores) {
            let tally = self.places.entry(place, Tally::default);
            tally.age(minute);
            before.take(rare, tally);
            tally.add(&ones, &shares);
        }
        let [target, parent, office, city] = &befores;
        if let Some(surprise) = &surprise {
            out.set_float(f::TRAITS_SURPRISAL, f64::from(surprise.digits.iter().sum::<f32>()));
            let (excess, top) = gathered(rare, target, parent);
            out.set_float(f::TRAITS_TARGET_EXCESS, excess);
            if excess > 0.0 {
                out.set_int(f::TRAITS_TARGET_TOP, top as i64);
            }
            let (excess, _) = gathered(rare, office, city);
            out.set_float(f::TRAITS_OFFICE_EXCESS, excess);
        }
        surprise
    }

    /// Entries held, for the metrics.
    pub fn len(&self) -> usize {
        self.kinds.len() + self.places.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The target, what it is compared with, its office and the city; bad ratings apart.
fn places_of(keys: &Keys, bad: bool) -> [u64; 4] {
    let places = [keys.get(KeyField::Target), keys.parent(), keys.get(KeyField::Office), 0];
    // The first bit tells the polarities apart, the others an office that is its target's parent.
    std::array::from_fn(|i| {
        let scope = [1, 2, 2, 3][i];
        super::mix(places[i].rotate_left(scope) ^ u64::from(scope) << 1 ^ u64::from(bad)).max(1)
    })
}

fn surprise_of(bits: TraitBits, shares: &[f32; LANES]) -> Surprise {
    let (mut rare, mut digits) = (0, [0.0; LANES]);
    for lane in lanes(bits) {
        let surprisal = (-shares[lane].log10()).min(MOST_SURPRISAL);
        if surprisal >= LEAST_SURPRISAL {
            rare |= 1 << lane;
            digits[lane] = surprisal;
        }
    }
    Surprise { bits, rare, digits }
}

/// The largest excess among the given traits at a place, over what its own kinds of rating and the
/// rest of its parent let expect, as −log10 p; and the trait.
fn gathered(traits: TraitBits, place: &Before, parent: &Before) -> (f64, usize) {
    let (mut most, mut top) = (0.0, 0);
    for lane in lanes(traits) {
        let others_seen = (parent.seen[lane] - place.seen[lane]).max(0.0);
        let others_expected = (parent.expected[lane] - place.expected[lane]).max(0.0);
        let habit = (others_seen + PRIOR_EXPECTED) / (others_expected + PRIOR_EXPECTED);
        let expected = f64::from((place.expected[lane] * habit).max(0.05));
        let excess = poisson_excess(f64::from(place.seen[lane]), expected);
        if excess > most {
            (most, top) = (excess, lane);
        }
    }
    (most, top)
}

fn traits_of(o: &Observation, keys: &Keys, counters: TraitCounters, out: &FeatureVector) -> TraitBits {
    let has = |feature: FeatureId| out.int(feature).is_some_and(|value| value != 0);
    let at_least = |feature: Option<FeatureId>, least: i64| {
        feature.and_then(|id| out.int(id)).is_some_and(|value| value >= least)
    };
    let official = keys.get(KeyField::Terminal) != 0;
    let case = o.service.case.is_some();
    let dwell = out.float(f::TIMING_DWELL_S);
    let after = out.float(f::TIMING_COMPLETION_TO_SUBMIT_S);
    let hour = out.int(f::TIMING_HOUR).unwrap_or(12);
    let mut bits = 0;
    let mut set = |which: Trait, holds: bool| bits |= u32::from(holds) << which as u32;
    set(Trait::CaseAbsent, !case);
    set(Trait::CaseUnmatched, o.service.case_match == Some(CaseMatch::Unmatched));
    set(
        Trait::CaseUnchecked,
        case && !matches!(o.service.case_match, Some(CaseMatch::Matched | CaseMatch::Unmatched)),
    );
    set(Trait::NotApplicant, o.rater.is_applicant == Some(false));
    set(Trait::ApplicantUnknown, o.rater.is_applicant.is_none());
    set(Trait::RaterAbsent, o.rater.id.is_none());
    set(Trait::AccountYoung, out.float(f::RATER_ACCOUNT_AGE_DAYS).is_some_and(|days| days < 30.0));
    set(Trait::RaterManyDevices, at_least(counters.rater_devices, 2));
    set(Trait::Unverified, o.rater.verified == Some(false));
    set(Trait::DeviceNew, !official && out.int(f::DEVICE_LINK) == Some(2));
    set(Trait::DeviceAbsent, keys.get(KeyField::Device) == 0);
    set(Trait::DeviceShared, !official && at_least(counters.device_accounts, 2));
    set(Trait::Emulator, has(f::DEVICE_EMULATOR));
    set(Trait::Rooted, has(f::DEVICE_ROOTED));
    set(Trait::Proxy, has(f::NETWORK_PROXY));
    set(Trait::Contradictory, has(f::DEVICE_CONTRADICTIONS));
    set(Trait::Automated, has(f::DEVICE_AUTOMATION) || has(f::DEVICE_HEADLESS));
    set(Trait::FieldsMissing, has(f::MISSING_UNEXPECTED));
    set(Trait::DwellQuick, dwell.is_some_and(|s| s < 5.0));
    set(Trait::DwellAbsent, dwell.is_none());
    set(Trait::SubmittedAtOnce, after.is_some_and(|s| (0.0..30.0).contains(&s)));
    set(Trait::BeforeCompletion, after.is_some_and(|s| s < 0.0));
    set(Trait::LongAfter, after.is_some_and(|s| s > 3.0 * 86_400.0));
    set(Trait::OddHour, !(7..21).contains(&hour));
    set(Trait::RaterReturns, at_least(counters.rater_target, 2));
    set(Trait::CaseReused, has(f::CASE_PRIOR_RATERS) || has(f::CASE_PRIOR_TARGETS));
    set(Trait::CommentGiven, o.text.as_ref().is_some_and(|text| !text.stock));
    set(Trait::AspectsAlike, has(f::STARS_UNIFORM));
    set(Trait::StageConsult, o.service.stage == Some(Stage::Consult));
    set(Trait::StageRevisit, o.service.stage == Some(Stage::Revisit));
    set(Trait::RaterFirst, out.int(f::RATER_RATINGS) == Some(0));
    set(Trait::DeviceRelinked, out.int(f::DEVICE_LINK) == Some(1));
    bits
}
