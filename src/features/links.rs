//! Earlier ratings of the same target or office that resemble this one beyond chance.
//!
//! Accounts, devices and addresses can be changed; being unlike one's own other work at the same
//! target is harder. Two ratings of one target are compared in everything that is known of both:
//! device, hardware, subnet, words, the day of registration, the way in, the moment, the traits that
//! are rare among their kind. Each agreement weighs as much as it is improbable (−log10 of the share
//! of ratings that would agree by chance), and the digits add up, as in record linkage (Fellegi and
//! Sunter, "A Theory for Record Linkage", JASA 1969). Honest raters of one target agree too, but by
//! chance: of a thousand pairs about one reaches three digits.

use serde::{Deserialize, Serialize};

use super::aged_map::AgedMap;
use super::decay::{Decayed, minute_of};
use super::keys::{KeyField, Keys};
use super::traces::{Digits, MOST_DIGITS, REGISTERED_WITHIN_DAYS, Ring, Trace};
use super::traits::Surprise;
use crate::catalogue::builtin as f;
use crate::catalogue::{FeatureId, FeatureVector};
use crate::observation::Observation;

/// Values whose popularity is kept, and raters, devices and subnets whose past is, per target.
const SHARED_PER_TARGET: usize = 8;
const HALF_LIFE_DAYS: f32 = 14.0;
/// Ratings that resemble none in anything rare are not kept for the office.
const LEAST_SURPRISAL_KEPT: f32 = 1.0;
/// Earlier ratings that weigh as much as no evidence at all.
const PRIOR_RATINGS: f64 = 1.0;

/// Digits of an agreement while too little was seen to tell how common it is.
const DIGITS_IF_UNKNOWN: f32 = 0.5;
/// The way in, among what ratings share.
const KIND: u64 = 6;

/// Whose past resemblances are kept.
const PASTS: [(KeyField, FeatureId); 3] = [
    (KeyField::Rater, f::LINKS_PAST_RATER),
    (KeyField::Device, f::LINKS_PAST_DEVICE),
    (KeyField::Subnet, f::LINKS_PAST_SUBNET),
];

/// State of the recent ratings of each target and office, and of how common what they share is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Links {
    rings: AgedMap<Ring>,
    popularity: AgedMap<Decayed>,
    pasts: AgedMap<Past>,
}

/// Ratings of one rater, device or subnet, and the resemblances they had.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Past {
    ratings: Decayed,
    sum: Decayed,
}

impl Links {
    /// Empty state with room for about `capacity` targets.
    pub fn new(capacity: usize) -> Self {
        Self {
            rings: AgedMap::new(capacity),
            popularity: AgedMap::new(capacity * SHARED_PER_TARGET),
            pasts: AgedMap::new(capacity * SHARED_PER_TARGET),
        }
    }

    /// Bytes that they take at most.
    pub(super) fn most_bytes(capacity: usize) -> usize {
        AgedMap::<Ring>::most_bytes(capacity)
            + capacity * Ring::most_bytes()
            + AgedMap::<Decayed>::most_bytes(capacity * SHARED_PER_TARGET)
            + AgedMap::<Past>::most_bytes(capacity * SHARED_PER_TARGET)
    }

    /// Asks the memory for where all that a rating is compared with stands, some steps ahead; nearly all
    /// ratings are good.
    pub fn prefetch_slots(&self, o: &Observation, keys: &Keys) {
        self.rings.prefetch(ring_key(keys, KeyField::Target, false));
        self.rings.prefetch(ring_key(keys, KeyField::Office, false));
        let parent = keys.parent();
        for (purpose, value) in shared(&trace_of(o, keys)) {
            if value != 0 {
                self.popularity.prefetch(popularity_key(purpose, 0, value));
                self.popularity.prefetch(popularity_key(purpose, parent, value));
            }
        }
        for (field, _) in PASTS {
            self.pasts.prefetch(past_key(field, keys.get(field)));
        }
    }

    /// Asks the memory for the ratings that it is compared with, some steps later.
    pub fn prefetch(&self, keys: &Keys) {
        for scope in [KeyField::Target, KeyField::Office] {
            if let Some(ring) = self.rings.peek(ring_key(keys, scope, false)) {
                ring.prefetch();
            }
        }
    }

    /// Sets the features of links, and remembers the rating.
    pub fn observe(&mut self, o: &Observation, keys: &Keys, surprise: &Surprise, out: &mut FeatureVector) {
        let bad = o.is_bad();
        let official = keys.get(KeyField::Terminal) != 0;
        let new = Trace {
            traits: surprise.bits,
            dwell: logarithm(out.float(f::TIMING_DWELL_S)),
            delay: logarithm(out.float(f::TIMING_COMPLETION_TO_SUBMIT_S)),
            ..trace_of(o, keys)
        };
        let surprisal: f32 = surprise.digits.iter().sum();
        let digits = self.weigh(o, keys, &new);
        let [target, office] = [KeyField::Target, KeyField::Office].map(|scope| {
            let ring = self.rings.entry(ring_key(keys, scope, bad), Ring::default);
            let ratings = ring.ratings.at_then_add(o.submitted_at, HALF_LIFE_DAYS, 1.0);
            let per_minute = ratings as f32 * std::f32::consts::LN_2 / (HALF_LIFE_DAYS * 1_440.0);
            let elsewhere_only = scope == KeyField::Office;
            let found = ring.compare(&new, &digits, surprise, per_minute, elsewhere_only);
            if scope == KeyField::Target || surprisal >= LEAST_SURPRISAL_KEPT {
                ring.push(&Trace { linked: found.count > 0, ..new });
            }
            found
        });
        out.set_int(f::LINKS_TARGET, i64::from(target.count));
        out.set_float(f::LINKS_TARGET_BEST, f64::from(target.best));
        out.set_float(f::LINKS_TARGET_SUM, f64::from(target.sum));
        if let Some(share) = target.share {
            out.set_float(f::LINKS_TARGET_SHARE, f64::from(share));
        }
        for (field, feature) in PASTS {
            let key = keys.get(field);
            if key == 0 || official && field != KeyField::Rater {
                continue;
            }
            let past = self.pasts.entry(past_key(field, key), Past::default);
            let ratings = past.ratings.at_then_add(o.submitted_at, HALF_LIFE_DAYS, 1.0);
            let sum = past.sum.at_then_add(o.submitted_at, HALF_LIFE_DAYS, target.sum.min(12.0));
            if ratings > 0.0 {
                out.set_float(feature, sum / (ratings + PRIOR_RATINGS));
            }
        }
        out.set_int(f::LINKS_OFFICE, i64::from(office.count));
        out.set_float(f::LINKS_OFFICE_SUM, f64::from(office.sum));
    }

    /// How improbable an agreement in each respect is, from the shares seen so far; counts the rating.
    fn weigh(&mut self, o: &Observation, keys: &Keys, new: &Trace) -> Digits {
        let at = o.submitted_at;
        let parent = keys.parent();
        let mut count = |purpose: u64, place: u64, value: u64| {
            let key = popularity_key(purpose, place, value);
            self.popularity.entry(key, Decayed::default).at_then_add(at, HALF_LIFE_DAYS, 1.0) as f32
        };
        let city = count(0, 0, 0);
        let near = count(1, parent, 0);
        let mut share = |purpose: u64, value: u64| {
            if value == 0 {
                return 0.0;
            }
            let far = (count(purpose, 0, value) + 0.5) / (city + 1.0);
            let near_share = (count(purpose, parent, value) + 20.0 * far) / (near + 20.0);
            if city < 500.0 {
                return if purpose == KIND { 0.0 } else { DIGITS_IF_UNKNOWN };
            }
            // Whichever is more common: an agreement is no more improbable than where it is common.
            (-far.max(near_share).log10()).clamp(0.0, MOST_DIGITS)
        };
        let [profile, ip, subnet, text, registered, kind] =
            shared(new).map(|(purpose, value)| share(purpose, value));
        Digits {
            profile,
            ip,
            subnet,
            text,
            // Three buckets lie within the days that agree.
            registered: (registered - 0.5).clamp(0.0, 2.0),
            kind: kind.min(1.5),
        }
    }

    /// Entries held, for the metrics.
    pub fn len(&self) -> usize {
        self.rings.len() + self.popularity.len() + self.pasts.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a rating leaves, but for its traits and its times.
fn trace_of(o: &Observation, keys: &Keys) -> Trace {
    let official = keys.get(KeyField::Terminal) != 0;
    // Hardware and network of an official terminal are shared by design: they link nobody.
    let personal = |field: KeyField| if official { 0 } else { keys.get(field) as u32 };
    Trace {
        minute: minute_of(o.submitted_at),
        target: keys.get(KeyField::Target) as u32,
        rater: keys.get(KeyField::Rater) as u32,
        device: personal(KeyField::Device),
        profile: personal(KeyField::Profile),
        ip: personal(KeyField::Ip),
        subnet: personal(KeyField::Subnet),
        text: keys.get(KeyField::Text) as u32,
        registered_day: o.rater.registered_at.map_or(0, |at| (at.ms() / 86_400_000).clamp(0, 65_535) as u16),
        kind: (o.channel as u16) << 8 | o.entry.map_or(255, |e| e as u16),
        ..Trace::default()
    }
}

/// What ratings may share, whose popularity tells how improbable that is; 0 where it is not known.
fn shared(trace: &Trace) -> [(u64, u64); 6] {
    [
        (2, u64::from(trace.profile)),
        (7, u64::from(trace.ip)),
        (3, u64::from(trace.subnet)),
        (4, u64::from(trace.text)),
        (5, u64::from(trace.registered_day / REGISTERED_WITHIN_DAYS)),
        (KIND, u64::from(trace.kind) + 1),
    ]
}

fn popularity_key(purpose: u64, place: u64, value: u64) -> u64 {
    super::mix(place ^ value.rotate_left(17) ^ purpose << 56).max(1)
}

fn past_key(field: KeyField, key: u64) -> u64 {
    super::mix(key ^ (field as u64) << 3)
}

fn ring_key(keys: &Keys, scope: KeyField, bad: bool) -> u64 {
    super::mix(keys.get(scope) ^ (scope as u64) << 1 ^ u64::from(bad)).max(1)
}

/// Natural logarithm of a positive duration; NaN where there is none.
fn logarithm(seconds: Option<f64>) -> f32 {
    seconds.filter(|&s| s > 0.0).map_or(f32::NAN, |s| s.ln() as f32)
}
