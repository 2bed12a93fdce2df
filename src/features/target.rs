//! What is usual for a target, how far the present exceeds it, and how unrelated its raters are.
//!
//! A target with few ratings is shrunk towards its parent (hall or department), so that three bad
//! ratings of a quiet window are not taken for a change. An outage makes many unrelated people
//! complain at once: `dispersion` tells it from an attack, whose raters share things.

use serde::{Deserialize, Serialize};

use super::aged_map::AgedMap;
use super::decay::{Decayed, binomial_excess, poisson_excess};
use super::direct::local_hour;
use super::keys::{KeyField, Keys};
use crate::catalogue::builtin as f;
use crate::catalogue::{Catalogue, FeatureId, FeatureVector};
use crate::date::UtcOffset;
use crate::observation::Observation;
use crate::time::{DAY_MS, Instant};
use crate::wire::{CaseMatch, Origin};

const HALF_LIFE_DAYS: f32 = 30.0;
/// Ratings of the parent that weigh as much as the target's own.
const PRIOR_RATINGS: f64 = 20.0;
/// Recent ratings of a target among which relations are looked for.
const RECENT: usize = 32;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Baseline {
    ratings: Decayed,
    bad: Decayed,
    unmatched: Decayed,
    /// Ratings per hour of the local day, as shares of the day (parents only).
    hours: [f32; 24],
    /// First event, in minutes since the epoch; 0 until then.
    since: u32,
}

impl Baseline {
    fn add(&mut self, at: Instant, bad: bool, unmatched: bool, hour: usize) {
        self.ratings.add(at, HALF_LIFE_DAYS, 1.0);
        if bad {
            self.bad.add(at, HALF_LIFE_DAYS, 1.0);
        }
        if unmatched {
            self.unmatched.add(at, HALF_LIFE_DAYS, 1.0);
        }
        // An exponential average over about 2,000 ratings: the rhythm of the day, not of the minute.
        const STEP: f32 = 1.0 / 2_000.0;
        self.hours.iter_mut().for_each(|share| *share *= 1.0 - STEP);
        self.hours[hour] += STEP;
        if self.since == 0 {
            self.since = u32::try_from(at.ms() / 60_000).unwrap_or(0);
        }
    }

    fn days_observed(&self, at: Instant) -> f64 {
        (at.ms() as f64 / 60_000.0 - f64::from(self.since)).max(0.0) / 1_440.0
    }

    /// Ratings per day, from the decayed sum: a constant rate r sums up to r·(1 − 2^(−d/h))·h/ln 2.
    fn per_day(&self, at: Instant) -> Option<f64> {
        let days = self.days_observed(at);
        let half_life = f64::from(HALF_LIFE_DAYS);
        let weight = (1.0 - (-days / half_life).exp2()) * half_life / std::f64::consts::LN_2;
        (self.since > 0 && days >= 1.0).then(|| self.ratings.at(at, HALF_LIFE_DAYS) / weight)
    }
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Trace {
    minute: u32,
    rater: u32,
    device: u32,
    profile: u32,
    subnet: u32,
    text: u32,
    bad: bool,
    /// Shares something with another of the recent ratings.
    related: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Target {
    baseline: Baseline,
    recent: Vec<Trace>,
    next: u8,
}

/// State of targets and of their parents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Targets {
    targets: AgedMap<Target>,
    parents: AgedMap<Baseline>,
    everything: Baseline,
    offset: UtcOffset,
}

/// Counters that the excesses are computed from, where the rule files declare them.
#[derive(Clone, Copy, Debug, Default)]
pub struct TargetCounters {
    /// `target.ratings_1h`
    pub ratings_1h: Option<FeatureId>,
    /// `target.ratings_24h`
    pub ratings_24h: Option<FeatureId>,
    /// `target.bad_24h`
    pub bad_24h: Option<FeatureId>,
}

impl TargetCounters {
    /// Looks them up.
    pub fn find(catalogue: &Catalogue) -> Self {
        Self {
            ratings_1h: catalogue.find("target.ratings_1h"),
            ratings_24h: catalogue.find("target.ratings_24h"),
            bad_24h: catalogue.find("target.bad_24h"),
        }
    }
}

impl Targets {
    /// Empty state with room for about `capacity` targets.
    pub fn new(capacity: usize, offset: UtcOffset) -> Self {
        Self {
            targets: AgedMap::new(capacity),
            parents: AgedMap::new((capacity / 4).max(16)),
            everything: Baseline::default(),
            offset,
        }
    }

    /// Bytes that they take at most.
    pub(super) fn most_bytes(capacity: usize) -> usize {
        AgedMap::<Target>::most_bytes(capacity)
            + capacity * RECENT * size_of::<Trace>()
            + AgedMap::<Baseline>::most_bytes((capacity / 4).max(16))
    }

    /// Asks the memory for a rating's target and its parent, some steps ahead.
    pub fn prefetch(&self, keys: &Keys) {
        self.targets.prefetch(keys.get(KeyField::Target));
        self.parents.prefetch(keys.parent());
    }

    /// Sets the target features as they were before this rating, and adds the rating.
    pub fn observe(
        &mut self,
        o: &Observation,
        keys: &Keys,
        counters: TargetCounters,
        out: &mut FeatureVector,
    ) {
        // Defaults are the platform's: they are kept apart from baselines.
        if o.origin == Origin::Default {
            return;
        }
        let at = o.submitted_at;
        let hour = usize::try_from(local_hour(self.offset, at)).unwrap_or(0).min(23);
        let bad = o.is_bad();
        let unmatched = o.service.case_match != Some(CaseMatch::Matched);
        let everything = self.everything;
        let parent_key = keys.parent();
        let parent = *self.parents.entry(parent_key, Baseline::default);
        let target = self.targets.entry(keys.get(KeyField::Target), Target::default);

        let ratings = target.baseline.ratings.at(at, HALF_LIFE_DAYS);
        let shrunk = |own: &dyn Fn(&Baseline) -> Decayed| {
            let value = |b: &Baseline| own(b).at(at, HALF_LIFE_DAYS);
            let count = |b: &Baseline| b.ratings.at(at, HALF_LIFE_DAYS);
            let city = (value(&everything) + 0.01) / (count(&everything) + 1.0);
            let above = (value(&parent) + PRIOR_RATINGS * city) / (count(&parent) + PRIOR_RATINGS);
            (value(&target.baseline) + PRIOR_RATINGS * above) / (ratings + PRIOR_RATINGS)
        };
        let bad_share = shrunk(&|b| b.bad);
        out.set_int(f::TARGET_RATINGS, ratings as i64);
        out.set_float(f::TARGET_BAD_SHARE, bad_share);
        out.set_float(f::TARGET_UNMATCHED_SHARE, shrunk(&|b| b.unmatched));
        let counted = |id: Option<FeatureId>| id.and_then(|id| out.int(id)).map(|n| n as f64);
        let (in_hour, in_day, bad_in_day) =
            (counted(counters.ratings_1h), counted(counters.ratings_24h), counted(counters.bad_24h));
        if let (Some(count), Some(per_day)) = (in_hour, target.baseline.per_day(at)) {
            // The hour's share of the day comes from the parent, which sees enough of it; an hour
            // that was never seen is taken for a tenth of an even one.
            let seen: f32 = parent.hours.iter().sum();
            let share = f64::from(parent.hours[hour] / seen.max(1e-6)).max(1.0 / 240.0);
            out.set_float(f::TARGET_RATE_EXCESS, poisson_excess(count, (per_day * share).max(0.1)));
        }
        if let (Some(count), Some(all)) = (bad_in_day, in_day) {
            out.set_float(f::TARGET_BAD_EXCESS, binomial_excess(count, all, bad_share));
        }
        if let Some(dispersion) = target.relate(o, keys, bad) {
            out.set_float(f::DISPERSION, dispersion);
        }

        target.baseline.add(at, bad, unmatched, hour);
        self.parents.entry(parent_key, Baseline::default).add(at, bad, unmatched, hour);
        self.everything.add(at, bad, unmatched, hour);
    }

    /// Entries held, for the metrics.
    pub fn len(&self) -> usize {
        self.targets.len() + self.parents.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Target {
    /// Adds the rating to the recent ones and gives the share of those of its polarity within a day
    /// that are related to no other; `None` for fewer than four.
    fn relate(&mut self, o: &Observation, keys: &Keys, bad: bool) -> Option<f64> {
        let official = keys.get(KeyField::Terminal) != 0;
        let mut new = Trace {
            minute: u32::try_from(o.submitted_at.ms() / 60_000).unwrap_or(0),
            rater: keys.get(KeyField::Rater) as u32,
            // Many raters share an official terminal by design: that relates nobody.
            device: if official { 0 } else { keys.get(KeyField::Device) as u32 },
            profile: keys.get(KeyField::Profile) as u32,
            subnet: keys.get(KeyField::Subnet) as u32,
            text: keys.get(KeyField::Text) as u32,
            bad,
            related: false,
        };
        let day = (DAY_MS / 60_000) as u32;
        let (mut alike, mut related) = (0_u32, 0_u32);
        for trace in &mut self.recent {
            if trace.bad != bad || new.minute.abs_diff(trace.minute) > day {
                continue;
            }
            let shares = |a: u32, b: u32| a != 0 && a == b;
            let relation = shares(trace.device, new.device)
                || shares(trace.text, new.text)
                || shares(trace.rater, new.rater)
                || (shares(trace.profile, new.profile) && shares(trace.subnet, new.subnet));
            trace.related |= relation;
            new.related |= relation;
            alike += 1;
            related += u32::from(trace.related);
        }
        alike += 1;
        related += u32::from(new.related);
        if self.recent.len() < RECENT {
            self.recent.push(new);
        } else {
            self.recent[usize::from(self.next)] = new;
            self.next = (self.next + 1) % RECENT as u8;
        }
        (alike >= 4).then(|| 1.0 - f64::from(related) / f64::from(alike))
    }
}
