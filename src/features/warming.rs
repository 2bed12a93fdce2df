//! Counters fed from the log: what a set would hold had it been declared when the log began.
//!
//! Only what decides a rating's keys is kept beside the counters: names over a rotation, devices and wordings.

use super::aliases::Aliases;
use super::counter::CounterSet;
use super::device::DeviceLinker;
use super::engine::{CounterEngine, LATENESS_MS};
use super::keys::{KeyField, Keys};
use super::state::{StateLimits, advanced};
use super::text::TextLinker;
use crate::catalogue::FeatureVector;
use crate::observation::Observation;
use crate::time::Instant;

/// Counters on their way to be as warm as the log can make them.
#[derive(Debug)]
pub struct Warming {
    aliases: Aliases,
    devices: DeviceLinker,
    texts: TextLinker,
    counters: CounterEngine,
    watermark: Instant,
    /// Ratings before this place are not known.
    gap: bool,
}

impl Warming {
    /// Counters that have seen nothing yet. `limits` are those of the state that they will join.
    pub fn new(counters: &CounterSet, limits: &StateLimits) -> Self {
        Self {
            aliases: Aliases::new(limits.entities),
            devices: DeviceLinker::new(limits.entities),
            texts: TextLinker::new(limits.entities / 8),
            counters: CounterEngine::new(counters, limits.counters),
            watermark: Instant(0),
            gap: false,
        }
    }

    /// Adds the log's next rating. `vector` holds the features of the rating alone.
    pub fn observe(&mut self, o: &Observation, mut keys: Keys, vector: &mut FeatureVector) {
        let entities = self.aliases.resolve(o, &mut keys);
        let device = self.devices.resolve(o, entities.fingerprint, &keys);
        keys.set(KeyField::Device, device.key);
        keys.set(KeyField::Text, o.text.as_ref().map_or(0, |text| self.texts.resolve(text)));
        self.watermark = advanced(self.watermark, o.submitted_at);
        if std::mem::take(&mut self.gap) {
            self.counters.begin_at(self.watermark);
        }
        if self.watermark.ms() - o.submitted_at.ms() <= LATENESS_MS {
            self.counters.observe(o.submitted_at, self.watermark, &keys, vector);
        }
    }

    /// Says that the log's next rating is erased ([`super::state::State::forget`]).
    pub fn forget(&mut self) {
        self.gap = true;
    }

    /// The newest event time seen.
    pub fn watermark(&self) -> Instant {
        self.watermark
    }

    /// The counters.
    pub fn into_counters(self) -> CounterEngine {
        self.counters
    }
}
