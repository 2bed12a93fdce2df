//! Whether a target's raters share hardware or a subnet beyond chance.
//!
//! Everybody in a hall is on the hall's network, and a popular phone is popular everywhere: sharing
//! alone says nothing. What counts is how many of *this* target's raters share it, against the share
//! it has among everybody else of the same hall or office (leave one out).

use super::aged_map::AgedMap;
use super::decay::{Decayed, binomial_excess};
use super::keys::{KeyField, Keys};
use crate::catalogue::builtin as f;
use crate::catalogue::{Catalogue, FeatureId, FeatureVector};
use crate::observation::Observation;
use crate::time::Instant;

const HALF_LIFE_DAYS: f32 = 14.0;
/// Weight of the city's share against that of the hall or office, in ratings.
const PRIOR_RATINGS: f64 = 10.0;
/// Until so many ratings were seen in all, nothing is known of shares.
const WARM_UP_RATINGS: f64 = 500.0;

/// Counters that the excesses are computed from, where the rule files declare them: of the target,
/// and of its office, since where a rating names no clerk its target is finer than whoever pads.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConcentrationCounters([ScopeCounters; 2]);

#[derive(Clone, Copy, Debug, Default)]
struct ScopeCounters {
    raters: Option<FeatureId>,
    profile: Option<FeatureId>,
    subnet: Option<FeatureId>,
}

impl ConcentrationCounters {
    /// Looks them up.
    pub fn find(catalogue: &Catalogue) -> Self {
        Self(["target", "office"].map(|scope| ScopeCounters {
            raters: catalogue.find(&format!("{scope}.raters_24h")),
            profile: catalogue.find(&format!("profile_{scope}.accounts_24h")),
            subnet: catalogue.find(&format!("subnet_{scope}.accounts_24h")),
        }))
    }
}

/// Decayed counts of what is shared, at the target, at its parent and in the city.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Concentration {
    counts: AgedMap<Decayed>,
}

impl Concentration {
    /// Empty state for about `capacity` counts.
    pub fn new(capacity: usize) -> Self {
        Self { counts: AgedMap::new(capacity) }
    }

    /// Bytes that it takes at most.
    pub(super) fn most_bytes(capacity: usize) -> usize {
        AgedMap::<Decayed>::most_bytes(capacity)
    }

    /// Asks the memory for a rating's counts, some steps ahead.
    pub fn prefetch(&self, keys: &Keys) {
        let places = places_of(keys);
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
        // An official terminal is shared by design, hardware and network with it.
        if keys.get(KeyField::Terminal) != 0 {
            return;
        }
        let at = o.submitted_at;
        // A target is held against the rest of its hall or office, a office against the city.
        let places = places_of(keys);
        let [city, parent, target, office] = [0, 1, 2, 3];
        let all = self.count_then_add(&places, 1, at);
        let rows = [
            (KeyField::Profile, counters.0.map(|scope| scope.profile), f::DEVICE_PROFILE_EXCESS),
            (KeyField::Subnet, counters.0.map(|scope| scope.subnet), f::NETWORK_SUBNET_EXCESS),
        ];
        for (field, sharing, feature) in rows {
            let shared = keys.get(field);
            if shared == 0 {
                continue;
            }
            let own = self.count_then_add(&places, shared, at);
            if all[city] < WARM_UP_RATINGS {
                continue;
            }
            let rest = |of: usize, without: usize| {
                ((own[of] - own[without]).max(0.0), (all[of] - all[without]).max(0.0))
            };
            let share = |(near, near_all): (f64, f64), (far, far_all): (f64, f64)| {
                (near + PRIOR_RATINGS * (far + 0.5) / (far_all + 1.0)) / (near_all + PRIOR_RATINGS)
            };
            let shares = [
                share(rest(parent, target), rest(city, target)),
                share(rest(city, office), rest(city, office)),
            ];
            let excess = (0..2).filter_map(|scope| {
                // Whoever is in a hall is on its network: that is the hall's, not the office's.
                if scope == 1 && field == KeyField::Subnet && keys.get(KeyField::Hall) != 0 {
                    return None;
                }
                let raters = counters.0[scope].raters.and_then(|id| out.int(id))?;
                let sharing = sharing[scope].and_then(|id| out.int(id))?;
                // The first to share is no coincidence yet: it is the others that may be one.
                Some(binomial_excess(sharing as f64 - 1.0, (raters - 1).max(1) as f64, shares[scope]))
            });
            if let Some(excess) = excess.reduce(f64::max) {
                out.set_float(feature, excess);
            }
        }
    }

    /// The counts at each place as they were, and adds one to each.
    fn count_then_add(&mut self, places: &[u64; 4], shared: u64, at: Instant) -> [f64; 4] {
        let mut seen = [0; 4];
        std::array::from_fn(|i| {
            let place = places[i];
            let key = key_of(place, shared);
            // A office without halls is its target's parent too: it is counted once.
            let again = seen[..i].contains(&key);
            seen[i] = key;
            let count = self.counts.entry(key, Decayed::default);
            match again {
                true => count.at(at, HALF_LIFE_DAYS) - 1.0,
                false => count.at_then_add(at, HALF_LIFE_DAYS, 1.0),
            }
        })
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

/// The city, the target's parent, the target and its office.
fn places_of(keys: &Keys) -> [u64; 4] {
    [0, keys.parent(), keys.get(KeyField::Target), keys.get(KeyField::Office)]
}

/// The key of what is shared at a place.
fn key_of(place: u64, shared: u64) -> u64 {
    (place.rotate_left(23) ^ shared.wrapping_mul(0x9E37_79B9_7F4A_7C15)).max(1)
}
