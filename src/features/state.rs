//! All state that features are computed from, and the one call that advances it.
//!
//! State folds observations, in input order, on one thread. It reads no clock and no verdict, so it
//! is rebuilt exactly by showing it the same observations again.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::aged_map::AgedMap;
use super::aliases::{Aliases, Entities};
use super::burst::Bursts;
use super::case::{Cases, EarlierRating};
use super::concentration::{Concentration, ConcentrationCounters};
use super::counter::CounterSet;
use super::device::{DeviceLinker, ResolvedDevice};
use super::engine::{CounterEngine, LATENESS_MS, Limits, Stats};
use super::keys::{KeyField, Keys};
use super::links::Links;
use super::missing::UsualFields;
use super::pace::Paces;
use super::past::PastCase;
use super::rater::Raters;
use super::reference::References;
use super::snapshot::SnapshotError;
use super::target::{TargetCounters, Targets};
use super::text::TextLinker;
use super::traits::{TraitCounters, Traits};
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

impl StateLimits {
    /// Fewest entities, whatever the memory.
    const FEWEST: usize = 1_024;

    /// Splits so many bytes: half for counters, an eighth for hot keys, the rest for as many entities as its
    /// maps can hold then.
    pub fn within(bytes: usize) -> Self {
        let (memory_bytes, hot_bytes) = (bytes / 2, bytes / 8);
        let room = bytes - memory_bytes - hot_bytes;
        // No map takes less than a slot of 24 bytes for an entity.
        let (mut fits, mut too_many) = (Self::FEWEST, (room / 24).max(Self::FEWEST + 1));
        while too_many - fits > 1 {
            let middle = fits + (too_many - fits) / 2;
            if Self::most_bytes(middle) <= room { fits = middle } else { too_many = middle }
        }
        Self { entities: fits, counters: Limits { memory_bytes, hot_bytes } }
    }

    /// Bytes that the maps of so many entities take at most, besides the counters.
    fn most_bytes(entities: usize) -> usize {
        Aliases::most_bytes(entities)
            + DeviceLinker::most_bytes(entities)
            + TextLinker::most_bytes(entities / 8)
            + Cases::most_bytes(entities)
            + Raters::most_bytes(entities)
            + Targets::most_bytes(entities / 16)
            + Concentration::most_bytes(entities)
            + UsualFields::most_bytes(KINDS)
            + Paces::most_bytes(entities / 8)
            + Traits::most_bytes(entities / 16)
            + Links::most_bytes(entities / 16)
            + Bursts::most_bytes(entities / 16)
            + AgedMap::<u32>::most_bytes(entities / 16)
    }
}

/// Combinations of channel, entry and app version whose usual fields are kept.
const KINDS: usize = 4_096;

/// What state says of a rating's identity, before its features.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Under which keys its events are kept.
    pub keys: Keys,
    /// Its device.
    pub device: ResolvedDevice,
    /// What else it is about.
    pub entities: Entities,
}

/// All state of the scoring path.
#[derive(Debug)]
pub struct State {
    aliases: Aliases,
    devices: DeviceLinker,
    texts: TextLinker,
    cases: Cases,
    raters: Raters,
    targets: Targets,
    concentration: Concentration,
    usual: UsualFields,
    paces: Paces,
    traits: Traits,
    links: Links,
    bursts: Bursts,
    counters: CounterEngine,
    references: Arc<References>,
    window_days: AgedMap<u32>,
    target_counters: TargetCounters,
    concentration_counters: ConcentrationCounters,
    trait_counters: TraitCounters,
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
            aliases: Aliases::new(entities),
            devices: DeviceLinker::new(entities),
            texts: TextLinker::new(entities / 8),
            cases: Cases::new(entities),
            raters: Raters::new(entities),
            targets: Targets::new(entities / 16, offset),
            concentration: Concentration::new(entities),
            usual: UsualFields::new(KINDS),
            paces: Paces::new(entities / 8),
            traits: Traits::new(entities / 16),
            links: Links::new(entities / 16),
            bursts: Bursts::new(entities / 16),
            counters: CounterEngine::new(counters, limits.counters),
            references: Arc::default(),
            window_days: AgedMap::new(entities / 16),
            target_counters: TargetCounters::find(catalogue),
            concentration_counters: ConcentrationCounters::find(catalogue),
            trait_counters: TraitCounters::find(catalogue),
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
        self.trait_counters = TraitCounters::find(catalogue);
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
        let entities = self.aliases.resolve(o, &mut keys);
        let device = self.devices.resolve(o, entities.fingerprint, &keys);
        keys.set(KeyField::Device, device.key);
        keys.set(KeyField::Text, o.text.as_ref().map_or(0, |text| self.texts.resolve(text)));
        Resolved { keys, device, entities }
    }

    /// Asks the memory for what [`State::resolve`] will look at, some steps ahead.
    pub fn prefetch_identity(&self, o: &Observation, keys: &Keys) {
        self.devices.prefetch(o, keys);
        if let Some(text) = &o.text {
            self.texts.prefetch(text);
        }
    }

    /// Asks the memory for where the counters of a rating stand that is some steps ahead.
    pub fn prefetch_slots(&self, o: &Observation, resolved: &Resolved) {
        self.counters.prefetch_slots(&resolved.keys);
        self.links.prefetch_slots(o, &resolved.keys);
    }

    /// Asks the memory for the counters themselves and all other entities, some steps later.
    pub fn prefetch_entities(&self, resolved: &Resolved) {
        let keys = &resolved.keys;
        self.counters.prefetch_entities(keys);
        self.cases.prefetch(resolved.entities.occasion, keys);
        self.raters.prefetch(keys);
        self.targets.prefetch(keys);
        self.concentration.prefetch(keys);
        self.traits.prefetch(keys);
        self.links.prefetch(keys);
        self.bursts.prefetch(keys);
    }

    /// Adds one rating and sets its state features. `past` reads back what memory has forgotten of its case;
    /// it is asked where that may be.
    pub fn observe(
        &mut self,
        o: &Observation,
        resolved: &Resolved,
        past: impl FnOnce() -> Option<PastCase>,
        out: &mut FeatureVector,
    ) -> Option<EarlierRating> {
        let at = o.submitted_at;
        self.watermark = advanced(self.watermark, at);
        if std::mem::take(&mut self.gap) {
            self.counters.begin_at(self.watermark);
        }
        let entities = &resolved.entities;
        let earlier = self.cases.observe(o, entities, &resolved.keys, &self.aliases, past, out);
        self.references.observe(o, entities.fingerprint, &resolved.keys, out);
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
        if let Some(surprise) = self.traits.observe(o, keys, self.trait_counters, out) {
            self.links.observe(o, keys, &surprise, out);
        }
        self.bursts.observe(o, keys, self.watermark, out);
        earlier
    }

    /// A copy, as fast as memory allows: nothing can be observed meanwhile.
    pub fn copy(&self) -> Self {
        std::thread::scope(|scope| {
            // The counters are about half of it all.
            let counters = scope.spawn(|| self.counters.clone());
            Self {
                aliases: self.aliases.clone(),
                devices: self.devices.clone(),
                texts: self.texts.clone(),
                cases: self.cases.clone(),
                raters: self.raters.clone(),
                targets: self.targets.clone(),
                concentration: self.concentration.clone(),
                usual: self.usual.clone(),
                paces: self.paces.clone(),
                traits: self.traits.clone(),
                links: self.links.clone(),
                bursts: self.bursts.clone(),
                references: Arc::clone(&self.references),
                window_days: self.window_days.clone(),
                target_counters: self.target_counters,
                concentration_counters: self.concentration_counters,
                trait_counters: self.trait_counters,
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
            aliases,
            devices,
            texts,
            cases,
            raters,
            targets,
            concentration,
            usual,
            paces,
            traits,
            links,
            bursts,
            counters,
            references: _,
            window_days,
            target_counters: _,
            concentration_counters: _,
            trait_counters: _,
            watermark,
            gap,
        } = self;
        put(&(watermark, gap), &mut out)?;
        put(aliases, &mut out)?;
        put(devices, &mut out)?;
        put(texts, &mut out)?;
        put(cases, &mut out)?;
        put(raters, &mut out)?;
        put(targets, &mut out)?;
        put(concentration, &mut out)?;
        put(usual, &mut out)?;
        put(paces, &mut out)?;
        put(traits, &mut out)?;
        put(links, &mut out)?;
        put(bursts, &mut out)?;
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
            aliases: take(from)?,
            devices: take(from)?,
            texts: take(from)?,
            cases: take(from)?,
            raters: take(from)?,
            targets: take(from)?,
            concentration: take(from)?,
            usual: take(from)?,
            paces: take(from)?,
            traits: take(from)?,
            links: take(from)?,
            bursts: take(from)?,
            window_days: take(from)?,
            counters: CounterEngine::read_snapshot(layout, from)?,
            references: Arc::default(),
            target_counters: TargetCounters::find(catalogue),
            concentration_counters: ConcentrationCounters::find(catalogue),
            trait_counters: TraitCounters::find(catalogue),
        })
    }

    /// Figures of the counters, for the metrics.
    pub fn counter_stats(&self) -> Stats {
        self.counters.stats()
    }

    /// Entries held by each part, for the metrics.
    pub fn sizes(&self) -> [(&'static str, usize); 7] {
        [
            ("aliases", self.aliases.len()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maps_of_as_many_entities_as_fit_keep_to_their_share_and_use_it() {
        for mib in [64, 256, 1_024, 8_192, 65_536] {
            let bytes = mib << 20;
            let limits = StateLimits::within(bytes);
            let share = bytes - bytes / 2 - bytes / 8;
            let used = StateLimits::most_bytes(limits.entities);
            assert!(used <= share, "{mib} MiB: {} entities take {used} of {share}", limits.entities);
            // Tables double, so that a step may leave half of the share.
            assert!(used * 5 > share * 2, "{mib} MiB: {} entities take {used} of {share}", limits.entities);
            assert!(StateLimits::most_bytes(limits.entities + 1) > share);
        }
    }
}
