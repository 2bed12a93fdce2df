//! How even the steps between ratings are.
//!
//! People come when they come: the gaps between independent arrivals differ by factors. A hand that
//! presses a pad at intervals, or a script that sleeps between calls, leaves gaps that resemble each
//! other. A run of such gaps is seen at once, whatever lay before it.

use serde::{Deserialize, Serialize};

use super::aged_map::AgedMap;
use super::keys::{KeyField, Keys};
use crate::catalogue::FeatureVector;
use crate::catalogue::builtin as f;
use crate::observation::Observation;
use crate::time::{HOUR_MS, Instant};
use crate::wire::Origin;

/// A gap resembles the one before if neither is longer than the other by more than this factor.
/// Of independent arrivals (exponential gaps) about one in six does.
const ALIKE: f64 = 1.4;
/// Gaps longer than this end a run: nobody keeps a beat overnight.
const LONGEST_GAP_MS: i64 = 6 * HOUR_MS;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Beat {
    last: Instant,
    gap_ms: i64,
    run: u16,
}

/// State of the places where a beat may be kept: terminals, or else targets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paces {
    beats: AgedMap<Beat>,
}

impl Paces {
    /// Empty state with room for about `capacity` places.
    pub fn new(capacity: usize) -> Self {
        Self { beats: AgedMap::new(capacity) }
    }

    /// Bytes that they take at most.
    pub(super) fn most_bytes(capacity: usize) -> usize {
        AgedMap::<Beat>::most_bytes(capacity)
    }

    /// Sets how many gaps in a row resemble each other, this rating's last.
    pub fn observe(&mut self, o: &Observation, keys: &Keys, out: &mut FeatureVector) {
        if o.origin == Origin::Default {
            return;
        }
        let place = match keys.get(KeyField::Terminal) {
            0 => keys.get(KeyField::Target).rotate_left(1),
            terminal => terminal,
        };
        let beat = self.beats.entry(place, Beat::default);
        let gap_ms = o.submitted_at.ms() - beat.last.ms();
        if gap_ms < 0 {
            // A late one says nothing of the beat.
            return;
        }
        let (gap, before) = (gap_ms as f64, beat.gap_ms as f64);
        let alike = gap > 0.0 && before > 0.0 && gap <= before * ALIKE && before <= gap * ALIKE;
        beat.run = if alike && gap_ms <= LONGEST_GAP_MS { beat.run.saturating_add(1) } else { 0 };
        (beat.last, beat.gap_ms) = (o.submitted_at, gap_ms);
        out.set_int(f::PACE_EVEN_RUN, i64::from(beat.run));
    }

    /// Entries held, for the metrics.
    pub fn len(&self) -> usize {
        self.beats.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    /// Share of pairs of independent exponential gaps that resemble each other: P(X/Y within k) is
    /// (k − 1)/(k + 1).
    #[test]
    fn independent_arrivals_seldom_keep_a_beat() {
        let share = (super::ALIKE - 1.0) / (super::ALIKE + 1.0);
        assert!((share - 1.0 / 6.0).abs() < 1e-9);
    }
}
