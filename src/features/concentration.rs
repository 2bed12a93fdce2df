//! Whether a target's raters share hardware or a subnet beyond chance.
//!
//! Everybody in a hall is on the hall's network, and a popular phone is popular everywhere: sharing
//! alone says nothing. What counts is how many of *this* target's raters share it, against the share
//! it has among everybody else of the same hall or department (leave one out).

use super::aged_map::AgedMap;
use super::decay::{Decayed, binomial_excess};
use super::keys::{KeyField, Keys};
use crate::catalogue::builtin as f;
use crate::catalogue::{Catalogue, FeatureId, FeatureVector};
use crate::observation::Observation;
use crate::time::Instant;

const HALF_LIFE_DAYS: f32 = 14.0;
/// Weight of the city's share against that of the hall or department, in ratings.
const PRIOR_RATINGS: f64 = 10.0;
/// Until so many ratings were seen in all, nothing is known of shares.
const WARM_UP_RATINGS: f64 = 500.0;

/// Counters that the excesses are computed from, where the rule files declare them.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConcentrationCounters {
    /// `target.raters_24h`
    pub raters: Option<FeatureId>,
    /// `profile_target.accounts_24h`
    pub profile: Option<FeatureId>,
    /// `subnet_target.accounts_24h`
    pub subnet: Option<FeatureId>,
}

impl ConcentrationCounters {
    /// Looks them up.
    pub fn find(catalogue: &Catalogue) -> Self {
        Self {
            raters: catalogue.find("target.raters_24h"),
            profile: catalogue.find("profile_target.accounts_24h"),
            subnet: catalogue.find("subnet_target.accounts_24h"),
        }
    }
}

/// Decayed counts of what is shared, at the target, at its parent and in the city.
#[derive(Clone, Debug)]
pub struct Concentration {
    counts: AgedMap<Decayed>,
}

impl Concentration {
    /// Empty state for about `capacity` counts.
    pub fn new(capacity: usize) -> Self {
        Self { counts: AgedMap::new(capacity) }
    }

    /// Asks the memory for a rating's counts, some steps ahead.
    pub fn prefetch(&self, keys: &Keys) {
        let places = [0, keys.get(KeyField::Target), keys.parent()];
        for shared in [1, keys.get(KeyField::Profile), keys.get(KeyField::Subnet)] {
            places.iter().for_each(|&place| self.counts.prefetch(key_of(place, shared)));
        }
    }

    /// Sets the excesses, and counts the rating.
    pub fn observe(
        &mut self,
        o: &Observation,
        keys: &Keys,
        counters: ConcentrationCounters,
        out: &mut FeatureVector,
    ) {
        let at = o.submitted_at;
        let parent = keys.parent();
        let target = keys.get(KeyField::Target);
        let all = [0, target, parent].map(|place| self.count_then_add(place, 1, at));
        let raters = counters.raters.and_then(|id| out.int(id));
        let rows = [
            (KeyField::Profile, counters.profile, f::DEVICE_PROFILE_EXCESS),
            (KeyField::Subnet, counters.subnet, f::NETWORK_SUBNET_EXCESS),
        ];
        for (field, counter, feature) in rows {
            let shared = keys.get(field);
            // An official terminal is shared by design, hardware and network with it.
            if shared == 0 || keys.get(KeyField::Terminal) != 0 {
                continue;
            }
            let own = [0, target, parent].map(|place| self.count_then_add(place, shared, at));
            let sharing = counter.and_then(|id| out.int(id));
            let (Some(raters), Some(sharing)) = (raters, sharing) else { continue };
            if all[0] < WARM_UP_RATINGS {
                continue;
            }
            let elsewhere = |i: usize| ((own[i] - own[1]).max(0.0), (all[i] - all[1]).max(0.0));
            let ((city, city_all), (near, near_all)) = (elsewhere(0), elsewhere(2));
            let share = (near + PRIOR_RATINGS * (city + 0.5) / (city_all + 1.0)) / (near_all + PRIOR_RATINGS);
            // The first to share is no coincidence yet: it is the others that may be one.
            let excess = binomial_excess(sharing as f64 - 1.0, (raters - 1).max(1) as f64, share);
            out.set_float(feature, excess);
        }
    }

    fn count_then_add(&mut self, place: u64, shared: u64, at: Instant) -> f64 {
        let count = self.counts.entry(key_of(place, shared), Decayed::default);
        let before = count.at(at, HALF_LIFE_DAYS);
        count.add(at, HALF_LIFE_DAYS, 1.0);
        before
    }

    /// Entries held, for the metrics.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The key of what is shared at a place.
fn key_of(place: u64, shared: u64) -> u64 {
    (place.rotate_left(23) ^ shared.wrapping_mul(0x9E37_79B9_7F4A_7C15)).max(1)
}
