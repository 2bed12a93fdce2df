//! All state that features are computed from, and the one call that advances it.
//!
//! State folds observations, in input order, on one thread. It reads no clock and no verdict, so it
//! is rebuilt exactly by showing it the same observations again.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::aged_map::AgedMap;
use super::case::{Cases, EarlierRating};
use super::concentration::{Concentration, ConcentrationCounters};
use super::counter::CounterSet;
use super::device::{DeviceLinker, ResolvedDevice};
use super::engine::{CounterEngine, LATENESS_MS, Limits, Stats};
use super::keys::{KeyField, Keys};
use super::missing::UsualFields;
use super::pace::Paces;
use super::rater::Raters;
use super::reference::References;
use super::snapshot::SnapshotError;
use super::target::{TargetCounters, Targets};
use super::text::TextLinker;
use super::warming::Warming;
use crate::catalogue::builtin as f;
use crate::catalogue::{Catalogue, FeatureVector};
use crate::date::UtcOffset;
use crate::observation::Observation;
use crate::time::{HOUR_MS, Instant};

/// One rating advances the watermark by at most this, so that a single wrong clock cannot make
/// everybody else late.
pub const MOST_AHEAD_MS: i64 = HOUR_MS;

/// How much state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateLimits {
    /// Devices, raters, cases and the like, each; the least recently seen go first.
    pub entities: usize,
    /// Bounds of the counters.
    pub counters: Limits,
}

impl Default for StateLimits {
    fn default() -> Self {
        Self { entities: 2_000_000, counters: Limits::default() }
    }
}

/// What state says of a rating's identity, before its features.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Under which keys its events are kept.
    pub keys: Keys,
    /// Its device.
    pub device: ResolvedDevice,
}

/// All state of the scoring path.
#[derive(Debug)]
pub struct State {
    devices: DeviceLinker,
    texts: TextLinker,
    cases: Cases,
    raters: Raters,
    targets: Targets,
    concentration: Concentration,
    usual: UsualFields,
    paces: Paces,
    counters: CounterEngine,
    references: Arc<References>,
    window_days: AgedMap<u32>,
    target_counters: TargetCounters,
    concentration_counters: ConcentrationCounters,
    watermark: Instant,
    /// Ratings before this place are not known.
    gap: bool,
}

/// The watermark after a rating of this time.
pub(super) fn advanced(watermark: Instant, at: Instant) -> Instant {
    if watermark == Instant(0) {
        return at;
    }
    watermark.max(at.min(Instant(watermark.ms() + MOST_AHEAD_MS)))
}

impl State {
    /// Empty state for these counters.
    pub fn new(
        counters: &CounterSet,
        catalogue: &Catalogue,
        limits: &StateLimits,
        offset: UtcOffset,
    ) -> Self {
        let entities = limits.entities;
        Self {
            devices: DeviceLinker::new(entities),
            texts: TextLinker::new(entities / 8),
            cases: Cases::new(entities),
            raters: Raters::new(entities),
            targets: Targets::new(entities / 16, offset),
            concentration: Concentration::new(entities),
            usual: UsualFields::new(4_096),
            paces: Paces::new(entities / 8),
            counters: CounterEngine::new(counters, limits.counters),
            references: Arc::default(),
            window_days: AgedMap::new(entities / 16),
            target_counters: TargetCounters::find(catalogue),
            concentration_counters: ConcentrationCounters::find(catalogue),
            watermark: Instant(0),
            gap: false,
        }
    }

    /// The newest event time seen.
    pub fn watermark(&self) -> Instant {
        self.watermark
    }

    /// Brings counters into force. Those that mean what they meant go on; others are missing until
    /// [`State::warm`] brings what the log says of them. Before the first rating nothing is missing.
    /// Gives how many are.
    pub fn set_counters(
        &mut self,
        counters: &CounterSet,
        catalogue: &Catalogue,
        limits: &StateLimits,
    ) -> usize {
        if self.watermark == Instant(0) {
            self.counters = CounterEngine::new(counters, limits.counters);
        }
        self.target_counters = TargetCounters::find(catalogue);
        self.concentration_counters = ConcentrationCounters::find(catalogue);
        self.counters.go_on_as(counters)
    }

    /// Takes over counters that were fed from the log up to just here, and gives back the ones before.
    pub fn warm(&mut self, warming: Warming) -> CounterEngine {
        debug_assert_eq!(warming.watermark(), self.watermark, "fed with the same ratings");
        std::mem::replace(&mut self.counters, warming.into_counters())
    }

    /// Says that a rating came here of which nothing but its public part is left. Counters are missing
    /// until their windows lie after it.
    pub fn forget(&mut self) {
        self.gap = true;
    }

    /// Replaces the reference tables.
    pub fn set_references(&mut self, references: Arc<References>) {
        self.references = references;
    }

    /// Finds out which device and wording a rating belongs to. `keys` are those of
    /// [`super::identity::keys_of`]. Ratings are resolved in input order;
    /// a whole batch may be resolved before its first is observed.
    pub fn resolve(&mut self, o: &Observation, keys: &Keys) -> Resolved {
        let mut keys = keys.clone();
        let device = self.devices.resolve(o, &keys);
        keys.set(KeyField::Device, device.key);
        keys.set(KeyField::Text, o.text.as_ref().map_or(0, |text| self.texts.resolve(text)));
        Resolved { keys, device }
    }

    /// Asks the memory for what [`State::resolve`] will look at, some steps ahead.
    pub fn prefetch_identity(&self, o: &Observation, keys: &Keys) {
        self.devices.prefetch(o, keys);
        if let Some(text) = &o.text {
            self.texts.prefetch(text);
        }
    }

    /// Asks the memory for where the counters of a rating stand that is some steps ahead.
    pub fn prefetch_slots(&self, resolved: &Resolved) {
        self.counters.prefetch_slots(&resolved.keys);
    }

    /// Asks the memory for the counters themselves and all other entities, some steps later.
    pub fn prefetch_entities(&self, o: &Observation, resolved: &Resolved) {
        let keys = &resolved.keys;
        self.counters.prefetch_entities(keys);
        self.cases.prefetch(o, keys);
        self.raters.prefetch(keys);
        self.targets.prefetch(keys);
        self.concentration.prefetch(keys);
    }

    /// Adds one rating and sets its state features.
    pub fn observe(
        &mut self,
        o: &Observation,
        resolved: &Resolved,
        out: &mut FeatureVector,
    ) -> Option<EarlierRating> {
        let at = o.submitted_at;
        self.watermark = advanced(self.watermark, at);
        if std::mem::take(&mut self.gap) {
            self.counters.begin_at(self.watermark);
        }
        let earlier = self.cases.observe(o, &resolved.keys, out);
        self.references.observe(o, &resolved.keys, out);
        if let Some(window_day) = self.references.window_day(o, &resolved.keys) {
            let ratings = self.window_days.entry(window_day, || 0);
            *ratings = ratings.saturating_add(1);
            let ratings = *ratings;
            self.references.compare_closed(o, &resolved.keys, ratings, out);
        }
        if self.watermark.ms() - at.ms() > LATENESS_MS {
            return earlier;
        }
        let keys = &resolved.keys;
        out.set_int(f::DEVICE_LINK, resolved.device.link as i64);
        if let Some(days) = resolved.device.age_days {
            out.set_float(f::DEVICE_AGE_DAYS, days);
        }
        if let Some(rarity) = resolved.device.rarity {
            out.set_float(f::DEVICE_RARITY, rarity);
        }
        self.counters.observe(at, self.watermark, keys, out);
        self.raters.observe(o, keys, out);
        self.targets.observe(o, keys, self.target_counters, out);
        self.concentration.observe(o, keys, self.concentration_counters, out);
        self.usual.observe(o, out);
        self.paces.observe(o, keys, out);
        earlier
    }

    /// A copy, as fast as memory allows: nothing can be observed meanwhile.
    pub fn copy(&self) -> Self {
        std::thread::scope(|scope| {
            // The counters are about half of it all.
            let counters = scope.spawn(|| self.counters.clone());
            Self {
                devices: self.devices.clone(),
                texts: self.texts.clone(),
                cases: self.cases.clone(),
                raters: self.raters.clone(),
                targets: self.targets.clone(),
                concentration: self.concentration.clone(),
                usual: self.usual.clone(),
                paces: self.paces.clone(),
                references: Arc::clone(&self.references),
                window_days: self.window_days.clone(),
                target_counters: self.target_counters,
                concentration_counters: self.concentration_counters,
                watermark: self.watermark,
                gap: self.gap,
                counters: counters.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            }
        })
    }

    /// Writes all of it but the reference tables, which are the log's.
    ///
    /// # Errors
    /// Writing failed.
    pub fn write(&self, out: &mut dyn Write) -> Result<(), SnapshotError> {
        let mut out = BufWriter::with_capacity(1 << 16, out);
        // Every field: one that is forgotten here does not compile.
        let Self {
            devices,
            texts,
            cases,
            raters,
            targets,
            concentration,
            usual,
            paces,
            counters,
            references: _,
            window_days,
            target_counters: _,
            concentration_counters: _,
            watermark,
            gap,
        } = self;
        put(&(watermark, gap), &mut out)?;
        put(devices, &mut out)?;
        put(texts, &mut out)?;
        put(cases, &mut out)?;
        put(raters, &mut out)?;
        put(targets, &mut out)?;
        put(concentration, &mut out)?;
        put(usual, &mut out)?;
        put(paces, &mut out)?;
        put(window_days, &mut out)?;
        counters.write_snapshot(&mut out)
    }

    /// Reads what [`State::write`] wrote. `layout` are the counters that its counters were laid out by;
    /// [`State::set_counters`] says which are in force.
    ///
    /// # Errors
    /// It is damaged, or of other counters.
    pub fn read(layout: &CounterSet, catalogue: &Catalogue, mut bytes: &[u8]) -> Result<Self, SnapshotError> {
        let from = &mut bytes;
        let (watermark, gap) = take(from)?;
        Ok(Self {
            watermark,
            gap,
            devices: take(from)?,
            texts: take(from)?,
            cases: take(from)?,
            raters: take(from)?,
            targets: take(from)?,
            concentration: take(from)?,
            usual: take(from)?,
            paces: take(from)?,
            window_days: take(from)?,
            counters: CounterEngine::read_snapshot(layout, from)?,
            references: Arc::default(),
            target_counters: TargetCounters::find(catalogue),
            concentration_counters: ConcentrationCounters::find(catalogue),
        })
    }

    /// Figures of the counters, for the metrics.
    pub fn counter_stats(&self) -> Stats {
        self.counters.stats()
    }

    /// Entries held by each part, for the metrics.
    pub fn sizes(&self) -> [(&'static str, usize); 6] {
        [
            ("devices", self.devices.len()),
            ("texts", self.texts.len()),
            ("cases", self.cases.len()),
            ("raters", self.raters.len()),
            ("targets", self.targets.len()),
            ("concentration", self.concentration.len()),
        ]
    }
}

fn put<T: Serialize>(part: &T, out: &mut impl Write) -> Result<(), SnapshotError> {
    match postcard::to_io(part, out) {
        Ok(_) => Ok(()),
        Err(error) => Err(SnapshotError::Io(std::io::Error::other(error))),
    }
}

fn take<T: DeserializeOwned>(from: &mut &[u8]) -> Result<T, SnapshotError> {
    let (part, rest) = postcard::take_from_bytes(from).map_err(|_| SnapshotError::Damaged)?;
    *from = rest;
    Ok(part)
}
