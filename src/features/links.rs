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
use super::traits::{Surprise, TraitBits};
use crate::catalogue::FeatureVector;
use crate::catalogue::builtin as f;
use crate::observation::Observation;

/// Recent ratings that are compared, per place and polarity.
const RECENT: usize = 48;
/// Values whose popularity is kept, and raters, devices and subnets whose past is, per target.
const SHARED_PER_TARGET: usize = 8;
const HALF_LIFE_DAYS: f32 = 14.0;
/// Ratings further apart are not compared.
const HORIZON_MINUTES: u32 = 14 * 1_440;
/// Digits from which two ratings count as linked.
const LINK_DIGITS: f32 = 3.0;
/// The same device under two accounts: families share too, so this is no certainty.
const SAME_DEVICE_DIGITS: f32 = 2.5;
/// The same rater again.
const SAME_RATER_DIGITS: f32 = 1.5;
/// Most that one agreement weighs.
const MOST_DIGITS: f32 = 3.0;
/// Traits depend on each other, so their digits do not quite add up.
const TRAITS_SHARE: f32 = 0.8;
/// Form times, or delays since completion, within a tenth of each other: of people's own about one
/// pair in seven is.
const SAME_PACE_DIGITS: f32 = 0.8;
const SAME_PACE: f32 = 0.1;
/// Ratings that resemble none in anything rare are not kept for the office.
const LEAST_SURPRISAL_KEPT: f32 = 1.0;
/// Earlier ratings that weigh as much as no evidence at all.
const PRIOR_RATINGS: f64 = 1.0;
/// Accounts registered within this many days of each other agree.
const REGISTERED_WITHIN_DAYS: u16 = 2;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Trace {
    minute: u32,
    target: u32,
    rater: u32,
    device: u32,
    profile: u32,
    ip: u32,
    subnet: u32,
    text: u32,
    traits: TraitBits,
    registered_day: u16,
    kind: u16,
    /// Seconds from opening to submission, and from completion to submission, as logarithms.
    dwell: f32,
    delay: f32,
    /// Resembles another of the recent ratings.
    linked: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Ring {
    traces: Vec<Trace>,
    next: u8,
    ratings: Decayed,
}

impl Ring {
    fn push(&mut self, trace: Trace) {
        if self.traces.len() < RECENT {
            self.traces.push(trace);
        } else {
            self.traces[usize::from(self.next)] = trace;
            self.next = (self.next + 1) % RECENT as u8;
        }
    }
}

/// Digits that each agreement with this rating weighs.
struct Digits {
    profile: f32,
    ip: f32,
    subnet: f32,
    text: f32,
    registered: f32,
    kind: f32,
}

/// Links found at one place.
#[derive(Clone, Copy, Default)]
struct Found {
    count: u32,
    best: f32,
    sum: f32,
    share: Option<f32>,
}

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
            + capacity * RECENT * size_of::<Trace>()
            + AgedMap::<Decayed>::most_bytes(capacity * SHARED_PER_TARGET)
            + AgedMap::<Past>::most_bytes(capacity * SHARED_PER_TARGET)
    }

    /// Asks the memory for a rating's places, some steps ahead; nearly all ratings are good.
    pub fn prefetch(&self, keys: &Keys) {
        self.rings.prefetch(ring_key(keys, KeyField::Target, false));
        self.rings.prefetch(ring_key(keys, KeyField::Office, false));
    }

    /// Sets the features of links, and remembers the rating.
    pub fn observe(&mut self, o: &Observation, keys: &Keys, surprise: &Surprise, out: &mut FeatureVector) {
        let bad = o.is_bad();
        let official = keys.get(KeyField::Terminal) != 0;
        // Hardware and network of an official terminal are shared by design: they link nobody.
        let personal = |field: KeyField| if official { 0 } else { keys.get(field) as u32 };
        let registered_day =
            o.rater.registered_at.map_or(0, |at| (at.ms() / 86_400_000).clamp(0, 65_535) as u16);
        let new = Trace {
            minute: minute_of(o.submitted_at),
            target: keys.get(KeyField::Target) as u32,
            rater: keys.get(KeyField::Rater) as u32,
            device: personal(KeyField::Device),
            profile: personal(KeyField::Profile),
            ip: personal(KeyField::Ip),
            subnet: personal(KeyField::Subnet),
            text: keys.get(KeyField::Text) as u32,
            traits: surprise.bits,
            registered_day,
            kind: (o.channel as u16) << 8 | o.entry.map_or(255, |e| e as u16),
            dwell: logarithm(out.float(f::TIMING_DWELL_S)),
            delay: logarithm(out.float(f::TIMING_COMPLETION_TO_SUBMIT_S)),
            linked: false,
        };
        let surprisal: f32 = surprise.digits.iter().sum();
        let digits = self.weigh(o, keys, &new);
        let [target, office] = [KeyField::Target, KeyField::Office].map(|scope| {
            let ring = self.rings.entry(ring_key(keys, scope, bad), Ring::default);
            let per_minute = ring.ratings.at(o.submitted_at, HALF_LIFE_DAYS) as f32 * std::f32::consts::LN_2
                / (HALF_LIFE_DAYS * 1_440.0);
            let mut found = Found::default();
            let (mut linked, mut alive) = (0_u32, 0_u32);
            for trace in &mut ring.traces {
                let elsewhere_only = scope == KeyField::Office && trace.target == new.target;
                let apart = new.minute.abs_diff(trace.minute);
                if elsewhere_only || apart > HORIZON_MINUTES {
                    continue;
                }
                let weight = digits.of(&new, trace, surprise, per_minute, apart);
                found.count += u32::from(weight >= LINK_DIGITS);
                trace.linked |= weight >= LINK_DIGITS;
                linked += u32::from(trace.linked);
                alive += 1;
                found.best = found.best.max(weight);
                found.sum += (weight - 2.0).clamp(0.0, 4.0);
            }
            ring.ratings.add(o.submitted_at, HALF_LIFE_DAYS, 1.0);
            found.share = if alive >= 3 { Some(linked as f32 / alive as f32) } else { None };
            if scope == KeyField::Target || surprisal >= LEAST_SURPRISAL_KEPT {
                ring.push(Trace { linked: found.count > 0, ..new });
            }
            found
        });
        out.set_int(f::LINKS_TARGET, i64::from(target.count));
        out.set_float(f::LINKS_TARGET_BEST, f64::from(target.best));
        out.set_float(f::LINKS_TARGET_SUM, f64::from(target.sum));
        if let Some(share) = target.share {
            out.set_float(f::LINKS_TARGET_SHARE, f64::from(share));
        }
        let pasts = [
            (KeyField::Rater, f::LINKS_PAST_RATER),
            (KeyField::Device, f::LINKS_PAST_DEVICE),
            (KeyField::Subnet, f::LINKS_PAST_SUBNET),
        ];
        for (field, feature) in pasts {
            let key = keys.get(field);
            if key == 0 || official && field != KeyField::Rater {
                continue;
            }
            let past = self.pasts.entry(super::mix(key ^ (field as u64) << 3), Past::default);
            let ratings = past.ratings.at(o.submitted_at, HALF_LIFE_DAYS);
            if ratings > 0.0 {
                let sum = past.sum.at(o.submitted_at, HALF_LIFE_DAYS);
                out.set_float(feature, sum / (ratings + PRIOR_RATINGS));
            }
            past.ratings.add(o.submitted_at, HALF_LIFE_DAYS, 1.0);
            past.sum.add(o.submitted_at, HALF_LIFE_DAYS, target.sum.min(12.0));
        }
        out.set_int(f::LINKS_OFFICE, i64::from(office.count));
        out.set_float(f::LINKS_OFFICE_SUM, f64::from(office.sum));
    }

    /// How improbable an agreement in each respect is, from the shares seen so far; counts the rating.
    fn weigh(&mut self, o: &Observation, keys: &Keys, new: &Trace) -> Digits {
        let at = o.submitted_at;
        let parent = keys.parent();
        let mut count = |purpose: u64, place: u64, value: u64| {
            let key = super::mix(place ^ value.rotate_left(17) ^ purpose << 56).max(1);
            let count = self.popularity.entry(key, Decayed::default);
            let before = count.at(at, HALF_LIFE_DAYS) as f32;
            count.add(at, HALF_LIFE_DAYS, 1.0);
            before
        };
        let city = count(0, 0, 0);
        let near = count(1, parent, 0);
        let mut share = |purpose: u64, value: u64, digits_if_unknown: f32| {
            if value == 0 {
                return 0.0;
            }
            let far = (count(purpose, 0, value) + 0.5) / (city + 1.0);
            let near_share = (count(purpose, parent, value) + 20.0 * far) / (near + 20.0);
            if city < 500.0 {
                return digits_if_unknown;
            }
            // Whichever is more common: an agreement is no more improbable than where it is common.
            (-far.max(near_share).log10()).clamp(0.0, MOST_DIGITS)
        };
        Digits {
            profile: share(2, u64::from(new.profile), 0.5),
            ip: share(7, u64::from(new.ip), 0.5),
            subnet: share(3, u64::from(new.subnet), 0.5),
            text: share(4, u64::from(new.text), 0.5),
            // Three buckets lie within the days that agree.
            registered: (share(5, u64::from(new.registered_day / REGISTERED_WITHIN_DAYS), 0.5) - 0.5)
                .clamp(0.0, 2.0),
            kind: share(6, u64::from(new.kind) + 1, 0.0).min(1.5),
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

impl Digits {
    #[inline]
    fn of(&self, new: &Trace, old: &Trace, surprise: &Surprise, per_minute: f32, apart: u32) -> f32 {
        let same = |a: u32, b: u32| a != 0 && a == b;
        let mut digits = 0.0;
        if same(new.device, old.device) {
            digits += SAME_DEVICE_DIGITS;
        } else if same(new.profile, old.profile) {
            digits += self.profile;
        }
        if same(new.ip, old.ip) {
            digits += self.ip.max(self.subnet);
        } else if same(new.subnet, old.subnet) {
            digits += self.subnet;
        }
        if same(new.text, old.text) {
            digits += self.text;
        }
        if same(new.rater, old.rater) {
            digits += SAME_RATER_DIGITS;
        } else if new.registered_day != 0
            && old.registered_day != 0
            && new.registered_day.abs_diff(old.registered_day) <= REGISTERED_WITHIN_DAYS
        {
            digits += self.registered;
        }
        // NaN, where a time is unknown, is near to nothing.
        digits += SAME_PACE_DIGITS * f32::from((new.dwell - old.dwell).abs() <= SAME_PACE);
        digits += SAME_PACE_DIGITS * f32::from((new.delay - old.delay).abs() <= SAME_PACE);
        if new.kind == old.kind {
            digits += self.kind;
        }
        let mut common = surprise.rare & old.traits;
        let mut traits = 0.0;
        while common != 0 {
            traits += surprise.digits[common.trailing_zeros() as usize];
            common &= common - 1;
        }
        digits += (traits * TRAITS_SHARE).min(MOST_DIGITS);
        // So many ratings would lie as near in time by chance.
        let near = 2.0 * per_minute * (apart as f32 + 1.0);
        if near < 1.0 && near > 0.0 {
            digits += (-near.log10()).min(1.0);
        }
        digits
    }
}

fn ring_key(keys: &Keys, scope: KeyField, bad: bool) -> u64 {
    super::mix(keys.get(scope) ^ (scope as u64) << 1 ^ u64::from(bad)).max(1)
}

/// Natural logarithm of a positive duration; NaN where there is none.
fn logarithm(seconds: Option<f64>) -> f32 {
    seconds.filter(|&s| s > 0.0).map_or(f32::NAN, |s| s.ln() as f32)
}
