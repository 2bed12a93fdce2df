//! Which device a rating came from.
//!
//! The client kit's id names a device only until it is wiped. What the rating says besides falls
//! into groups of like stability: hardware (never changes), habitat (language, zone, OS: rarely),
//! software (with every update). A rating with a new or absent id is linked to a device seen before
//! when hardware, habitat and place agree **and that agreement is rare**: a thousand people on one
//! carrier's gateway hold the same popular phone, and must not become one device.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::aged_map::AgedMap;
use super::decay::Decayed;
use super::keys::{KeyField, Keys};
use crate::observation::Observation;
use crate::time::{DAY_MS, Instant};

/// How a device was recognised; the discriminants are positions in
/// [`crate::catalogue::builtin::DEVICE_LINKS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DeviceLink {
    /// By its id, seen before.
    Known = 0,
    /// By rare agreement with a device seen before.
    Linked = 1,
    /// An id not seen before, linked to nothing.
    New = 2,
    /// No id, linked to nothing.
    Absent = 3,
}

/// What is known of the device of one rating.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResolvedDevice {
    /// Key of the device; 0 where it is absent.
    pub key: u64,
    /// How it was recognised.
    pub link: DeviceLink,
    /// Days since it was first seen; `None` where it is absent.
    pub age_days: Option<f64>,
    /// −log10 of its hardware profile's share of ratings; `None` where the profile is unknown.
    pub rarity: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Seen {
    device: u64,
    first: Instant,
    last: Instant,
}

/// Half-life of popularity counts, in days.
const HALF_LIFE_DAYS: f32 = 30.0;
/// A link to a device that was last seen longer ago than this is not drawn.
const LINK_HORIZON_MS: i64 = 30 * DAY_MS;
/// A link needs the expected number of strangers with this profile at this place below this.
const MOST_EXPECTED_STRANGERS: f64 = 0.05;
/// Until so many ratings with a profile were seen, nothing is known of rarity and nothing is linked.
const WARM_UP_RATINGS: f64 = 500.0;

/// State of the device linker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceLinker {
    by_id: AgedMap<Seen>,
    by_trait: AgedMap<Seen>,
    profile_popularity: AgedMap<Decayed>,
    place_popularity: AgedMap<Decayed>,
    everything: Decayed,
}

impl DeviceLinker {
    /// An empty linker with room for about `capacity` devices.
    pub fn new(capacity: usize) -> Self {
        Self {
            by_id: AgedMap::new(capacity),
            by_trait: AgedMap::new(capacity),
            profile_popularity: AgedMap::new(capacity / 8),
            place_popularity: AgedMap::new(capacity / 4),
            everything: Decayed::default(),
        }
    }

    /// Bytes that it takes at most.
    pub(super) fn most_bytes(capacity: usize) -> usize {
        2 * AgedMap::<Seen>::most_bytes(capacity)
            + AgedMap::<Decayed>::most_bytes(capacity / 8)
            + AgedMap::<Decayed>::most_bytes(capacity / 4)
    }

    /// Asks the memory for what a rating's device may be found by, some steps ahead.
    pub fn prefetch(&self, o: &Observation, keys: &Keys) {
        if let Some(id) = &o.device.fingerprint {
            self.by_id.prefetch(id.key());
        }
        let (subnet, rater) = (keys.get(KeyField::Subnet), keys.get(KeyField::Rater));
        self.place_popularity.prefetch(subnet);
        if let Some(hardware) = o.device.hardware {
            self.profile_popularity.prefetch(hardware);
            self.by_trait.prefetch(same_rater(hardware, rater));
            if let Some(habitat) = o.device.habitat {
                self.by_trait.prefetch(same_place(hardware, habitat, subnet));
            }
        }
    }

    /// Resolves the device of one rating and learns from it.
    ///
    /// `fingerprint` is the key of the client kit's id, 0 where absent.
    pub fn resolve(&mut self, o: &Observation, fingerprint: u64, keys: &Keys) -> ResolvedDevice {
        let at = o.submitted_at;
        if keys.get(KeyField::Terminal) != 0 {
            return self.by_id(keys.get(KeyField::Terminal), at, None);
        }
        let hardware = o.device.hardware;
        let rarity = hardware.and_then(|h| self.learn_popularity(h, keys.get(KeyField::Subnet), at));
        let traits = self.traits_of(o, keys, rarity);
        match Some(fingerprint).filter(|&id| id != 0) {
            Some(id) if self.by_id.peek(id).is_some() => {
                let resolved = self.by_id(id, at, rarity);
                self.remember(&traits, resolved.key, at);
                resolved
            }
            id => {
                let linked = traits.iter().flatten().find_map(|&t| {
                    let seen = *self.by_trait.peek(t)?;
                    (at.ms() - seen.last.ms() <= LINK_HORIZON_MS).then_some(seen)
                });
                let resolved = match (linked, id) {
                    (Some(seen), _) => ResolvedDevice {
                        key: seen.device,
                        link: DeviceLink::Linked,
                        age_days: Some(days_between(seen.first, at)),
                        rarity,
                    },
                    (None, Some(id)) => {
                        ResolvedDevice { key: id, link: DeviceLink::New, age_days: Some(0.0), rarity }
                    }
                    // Without an id, rare traits name a device of their own; common ones name none.
                    (None, None) => match traits[1] {
                        Some(t) => {
                            ResolvedDevice { key: t, link: DeviceLink::New, age_days: Some(0.0), rarity }
                        }
                        None => ResolvedDevice { key: 0, link: DeviceLink::Absent, age_days: None, rarity },
                    },
                };
                if let Some(id) = id {
                    let first = linked.map_or(at, |seen| seen.first);
                    self.by_id.insert(id, Seen { device: resolved.key, first, last: at });
                }
                if resolved.key != 0 {
                    self.remember(&traits, resolved.key, at);
                }
                resolved
            }
        }
    }

    fn by_id(&mut self, id: u64, at: Instant, rarity: Option<f64>) -> ResolvedDevice {
        let mut link = DeviceLink::Known;
        let seen = self.by_id.entry(id, || {
            link = DeviceLink::New;
            Seen { device: id, first: at, last: at }
        });
        seen.last = seen.last.max(at);
        ResolvedDevice { key: seen.device, link, age_days: Some(days_between(seen.first, at)), rarity }
    }

    /// Counts the profile and the place; gives the profile's rarity before this rating.
    fn learn_popularity(&mut self, hardware: u64, subnet: u64, at: Instant) -> Option<f64> {
        let total = self.everything.at_then_add(at, HALF_LIFE_DAYS, 1.0);
        let profile = self.profile_popularity.entry(hardware, Decayed::default);
        let count = profile.at_then_add(at, HALF_LIFE_DAYS, 1.0);
        if subnet != 0 {
            self.place_popularity.entry(subnet, Decayed::default).add(at, HALF_LIFE_DAYS, 1.0);
        }
        (total >= WARM_UP_RATINGS).then(|| -((count + 0.5) / (total + 1.0)).log10())
    }

    /// The combinations of traits under which the device may be found again: the same rater with
    /// the same hardware, and hardware with habitat at one place. Each only where it is rare.
    fn traits_of(&self, o: &Observation, keys: &Keys, rarity: Option<f64>) -> [Option<u64>; 2] {
        let (Some(hardware), Some(rarity)) = (o.device.hardware, rarity) else {
            return [None; 2];
        };
        let share = 10_f64.powf(-rarity);
        let rater = keys.get(KeyField::Rater);
        let by_rater = (rater != 0).then(|| same_rater(hardware, rater));
        let subnet = keys.get(KeyField::Subnet);
        let by_place = o.device.habitat.filter(|_| subnet != 0).and_then(|habitat| {
            let place =
                self.place_popularity.peek(subnet).map_or(0.0, |p| p.at(o.submitted_at, HALF_LIFE_DAYS));
            let strangers = share * place;
            (strangers < MOST_EXPECTED_STRANGERS).then(|| same_place(hardware, habitat, subnet))
        });
        [by_rater, by_place]
    }

    fn remember(&mut self, traits: &[Option<u64>; 2], device: u64, at: Instant) {
        for &key in traits.iter().flatten() {
            let seen = self.by_trait.entry(key, || Seen { device, first: at, last: at });
            if seen.device != device {
                *seen = Seen { device, first: at, last: at };
            }
            seen.last = seen.last.max(at);
        }
    }

    /// Entries held, for the metrics.
    pub fn len(&self) -> usize {
        self.by_id.len() + self.by_trait.len() + self.profile_popularity.len() + self.place_popularity.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn same_rater(hardware: u64, rater: u64) -> u64 {
    combine(1, &[hardware, rater])
}

fn same_place(hardware: u64, habitat: u64, subnet: u64) -> u64 {
    combine(2, &[hardware, habitat, subnet])
}

fn combine(purpose: u64, parts: &[u64]) -> u64 {
    let mut bytes = [0_u8; 24];
    for (slot, part) in bytes.chunks_exact_mut(8).zip(parts) {
        slot.copy_from_slice(&part.to_le_bytes());
    }
    xxh3_64_with_seed(&bytes, purpose).max(1)
}

fn days_between(from: Instant, to: Instant) -> f64 {
    ((to.ms() - from.ms()) as f64 / DAY_MS as f64).max(0.0)
}
