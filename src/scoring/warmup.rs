//! Brings counters that were declared later to where they would be had they been declared when the log
//! began: they are shown the log from its start, and then take the place of the counters in force.

use std::sync::Arc;

use super::Ruling;
use crate::catalogue::FeatureVector;
use crate::date::UtcOffset;
use crate::features::direct;
use crate::features::identity::keys_of;
use crate::features::state::StateLimits;
use crate::features::warming::Warming;
use crate::observation::Observation;

/// A set of counters on its way through the log.
#[derive(Debug)]
pub struct Warmup {
    ruling: Arc<Ruling>,
    offset: UtcOffset,
    warming: Warming,
    ratings: u64,
}

impl Warmup {
    /// A warm-up that has seen nothing yet. `limits` and `offset` are those of the engine it is for.
    pub fn new(ruling: Arc<Ruling>, limits: &StateLimits, offset: UtcOffset) -> Self {
        let warming = Warming::new(ruling.counters(), limits);
        Self { ruling, offset, warming, ratings: 0 }
    }

    /// The rules that declare the counters.
    pub fn ruling(&self) -> &Arc<Ruling> {
        &self.ruling
    }

    /// Ratings seen so far, erased ones too.
    pub fn ratings(&self) -> u64 {
        self.ratings
    }

    /// Adds the log's next rating.
    pub fn observe(&mut self, observation: &Observation) {
        let mut features = FeatureVector::new(self.ruling.catalogue().len());
        direct::observe(observation, self.offset, &mut features);
        self.warming.observe(observation, keys_of(observation), &mut features);
        self.ratings += 1;
    }

    /// Says that the log's next rating is erased.
    pub fn forget(&mut self) {
        self.warming.forget();
        self.ratings += 1;
    }

    pub(super) fn finish(self) -> (Arc<Ruling>, Warming) {
        (self.ruling, self.warming)
    }
}
