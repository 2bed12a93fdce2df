//! What is known of a rater from earlier ratings.

use serde::{Deserialize, Serialize};

use super::aged_map::AgedMap;
use super::keys::{KeyField, Keys};
use crate::catalogue::FeatureVector;
use crate::catalogue::builtin as f;
use crate::observation::Observation;
use crate::time::{DAY_MS, Instant};
use crate::wire::{CaseMatch, Origin};

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Past {
    first: Instant,
    ratings: u32,
    matched: u32,
}

/// State of the raters.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Raters {
    pasts: AgedMap<Past>,
}

impl Raters {
    /// Empty state with room for about `capacity` raters.
    pub fn new(capacity: usize) -> Self {
        Self { pasts: AgedMap::new(capacity) }
    }

    /// Bytes that they take at most.
    pub(super) fn most_bytes(capacity: usize) -> usize {
        AgedMap::<Past>::most_bytes(capacity)
    }

    /// Asks the memory for a rating's rater, some steps ahead.
    pub fn prefetch(&self, keys: &Keys) {
        self.pasts.prefetch(keys.get(KeyField::Rater));
    }

    /// Sets the rater's history as it was before this rating, and adds the rating to it.
    pub fn observe(&mut self, o: &Observation, keys: &Keys, out: &mut FeatureVector) {
        let rater = keys.get(KeyField::Rater);
        if rater == 0 || o.origin == Origin::Default {
            return;
        }
        let past = self.pasts.entry(rater, || Past { first: o.submitted_at, ratings: 0, matched: 0 });
        let days = (o.submitted_at.ms() - past.first.ms()).max(0) as f64 / DAY_MS as f64;
        out.set_float(f::RATER_AGE_SEEN_DAYS, days);
        out.set_int(f::RATER_RATINGS, i64::from(past.ratings));
        if past.ratings > 0 {
            out.set_float(f::RATER_MATCHED_SHARE, f64::from(past.matched) / f64::from(past.ratings));
        }
        past.ratings = past.ratings.saturating_add(1);
        past.matched += u32::from(o.service.case_match == Some(CaseMatch::Matched));
    }

    /// Entries held, for the metrics.
    pub fn len(&self) -> usize {
        self.pasts.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
