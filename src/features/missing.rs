//! Which fields a rating lacks that its like normally sends.
//!
//! Stripping fields to blind the detector shows as an absence that is unusual for this channel,
//! entry point and app version; what a hotline or an old pad never sends is not missed.

use serde::{Deserialize, Serialize};

use super::aged_map::AgedMap;
use crate::catalogue::FeatureVector;
use crate::catalogue::builtin as f;
use crate::observation::{Observation, Sent};

/// Fields that are watched: those that identify a client. A case that is absent, or an account that
/// was never registered with a date, is a matter for other features.
const WATCHED: u32 = bits(&[
    Sent::Fingerprint,
    Sent::Platform,
    Sent::Model,
    Sent::OsVersion,
    Sent::AppVersion,
    Sent::UserAgent,
    Sent::Screen,
    Sent::Language,
    Sent::Timezone,
    Sent::Canvas,
    Sent::Ip,
    Sent::Account,
    Sent::OpenedAt,
    Sent::RegisteredAt,
    Sent::Terminal,
]);
/// Ratings of a kind before anything is expected of it.
const WARM_UP_RATINGS: f32 = 50.0;
/// A field is expected where at least this share of ratings sends it.
const EXPECTED_SHARE: f32 = 0.9;
/// Past this count the old halves, so that what is usual follows the times.
const HALVE_AT: f32 = 20_000.0;

const fn bits(fields: &[Sent]) -> u32 {
    let (mut mask, mut i) = (0, 0);
    while i < fields.len() {
        mask |= 1 << fields[i] as u32;
        i += 1;
    }
    mask
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Usual {
    ratings: f32,
    sent: [f32; 32],
}

impl Usual {
    /// Bits of the fields that nearly every rating sends; `None` before enough were seen.
    fn expected(&self) -> Option<u32> {
        let known = self.ratings >= WARM_UP_RATINGS;
        let at_least = EXPECTED_SHARE * self.ratings;
        let bits = self.sent.iter().enumerate();
        known.then(|| bits.fold(0, |mask, (bit, &sent)| mask | u32::from(sent >= at_least) << bit))
    }
}

/// What each kind of client usually sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UsualFields {
    kinds: AgedMap<Usual>,
}

impl UsualFields {
    /// Empty state with room for about `capacity` combinations of channel, entry and app version.
    pub fn new(capacity: usize) -> Self {
        Self { kinds: AgedMap::new(capacity) }
    }

    /// Bytes that it takes at most.
    pub(super) fn most_bytes(capacity: usize) -> usize {
        AgedMap::<Usual>::most_bytes(capacity)
    }

    /// Sets how many fields are missing unexpectedly, and learns from the rating.
    pub fn observe(&mut self, o: &Observation, out: &mut FeatureVector) {
        let kind = 1 + o.channel as u64 * 32 + o.entry.map_or(31, |e| e as u64);
        // An app version is believed once it was seen often: an invented one must not be a way to
        // have nothing expected of it.
        let version = o.device.app_version.map(|v| v.wrapping_mul(31) ^ kind.rotate_left(40));
        let version = version.map(|v| v.max(1));
        let expected = self.kinds.entry(kind, Usual::default).expected();
        let by_version = version.and_then(|v| self.kinds.entry(v, Usual::default).expected());
        if let Some(expected) = by_version.or(expected) {
            let missing = expected & WATCHED & !o.device.sent;
            out.set_int(f::MISSING_UNEXPECTED, i64::from(missing.count_ones()));
        }
        for key in [Some(kind), version].into_iter().flatten() {
            let usual = self.kinds.entry(key, Usual::default);
            usual.ratings += 1.0;
            let mut sent = o.device.sent;
            while sent != 0 {
                usual.sent[sent.trailing_zeros() as usize] += 1.0;
                sent &= sent - 1;
            }
            if usual.ratings >= HALVE_AT {
                usual.ratings /= 2.0;
                usual.sent.iter_mut().for_each(|count| *count /= 2.0);
            }
        }
    }

    /// Entries held, for the metrics.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
