//! Bursts in rating traffic: what comes much more often in these minutes than it used to.
//!
//! One sketch ([`midas`]) for each of four kinds of edge into a target: from a device, a rater, a subnet
//! and a text. An edge's own past is its baseline, so a regular at one window is no burst, and neither
//! are many unrelated people (an outage, the morning's queue): theirs are as many edges. What is scored
//! is the edge alone. The paper also takes its source and its destination into the score; a target's own
//! rush is `target.rate_excess`, and would only make all four alike.
//!
//! **Time.** A tick is ten minutes of event time, counted from the first rating. A rating that comes up
//! to two ticks behind the watermark's counts in the watermark's tick. One that comes later is not counted and its
//! scores are missing: a pad that sends its day in the evening did not burst in the evening.
//!
//! **Who counts.** What an official terminal sends counts neither for a device nor for a subnet: both are
//! shared by design. Ratings that the platform filled in are no traffic.
//!
//! Everything depends on the ratings and their order alone.

pub mod midas;

use serde::{Deserialize, Serialize};

use super::keys::{KeyField, Keys};
use super::reference::DeviceClass;
use crate::catalogue::builtin as f;
use crate::catalogue::{FeatureId, FeatureVector};
use crate::observation::Observation;
use crate::time::{Instant, MINUTE_MS};
use crate::wire::Origin;
use midas::{Parameters, Sketch, edge_key};

/// Chosen by detection on two generators of traffic: docs/detection.md.
const TICK_MS: i64 = 10 * MINUTE_MS;
/// Ticks behind the watermark's that a rating still counts in it.
const MOST_TICKS_LATE: i64 = 2;
/// No score is beyond this; the largest that counts give are near 26.
const MOST_DIGITS: f32 = 24.0;
/// Where edges come from, and the feature of each.
const SOURCES: [(KeyField, FeatureId); 4] = [
    (KeyField::Device, f::BURST_DEVICE_TARGET),
    (KeyField::Rater, f::BURST_RATER_TARGET),
    (KeyField::Subnet, f::BURST_SUBNET_TARGET),
    (KeyField::Text, f::BURST_TEXT_TARGET),
];

/// A sketch of about so many cells a row, for one kind of edge.
fn parameters(kind: u64, buckets: usize) -> Parameters {
    Parameters {
        rows: 2,
        buckets,
        decay: 0.5,
        // As in the paper: with the prior below, an edge without a past reaches it with the fifth rating.
        threshold: 1_000.0,
        // About one rating of one edge in eight hours.
        prior: 0.02,
        seed: 0x6275_7273_7400 + kind,
    }
}

/// State of the edges' counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bursts {
    /// In the order of [`SOURCES`].
    edges: [Sketch; SOURCES.len()],
    /// The watermark's tick at the first rating.
    first: Option<i64>,
}

impl Bursts {
    /// Empty state with about `buckets` cells a row.
    pub fn new(buckets: usize) -> Self {
        Self { edges: std::array::from_fn(|kind| Sketch::new(parameters(kind as u64, buckets))), first: None }
    }

    /// Bytes that it takes.
    pub(super) fn most_bytes(buckets: usize) -> usize {
        SOURCES.len() * Sketch::bytes(&parameters(0, buckets))
    }

    /// Asks the memory for a rating's counts, some steps ahead.
    pub fn prefetch(&self, keys: &Keys) {
        for ((source, _), sketch) in SOURCES.iter().zip(&self.edges) {
            if let Some(edge) = edge_of(keys, *source) {
                sketch.prefetch(edge);
            }
        }
    }

    /// Sets the scores of bursts, and counts the rating. `watermark` is the newest event time, this
    /// rating's included; `device.class` is known.
    pub fn observe(&mut self, o: &Observation, keys: &Keys, watermark: Instant, out: &mut FeatureVector) {
        let now = watermark.ms().div_euclid(TICK_MS);
        let first = *self.first.get_or_insert(now);
        let late = now - o.submitted_at.ms().div_euclid(TICK_MS);
        if o.origin == Origin::Default || late > MOST_TICKS_LATE {
            return;
        }
        let tick = u32::try_from(now - first + 1).unwrap_or(u32::MAX);
        let official = out.int(f::DEVICE_CLASS) == Some(DeviceClass::Official as i64);
        for (&(source, feature), sketch) in SOURCES.iter().zip(&mut self.edges) {
            if official && matches!(source, KeyField::Device | KeyField::Subnet) {
                continue;
            }
            let Some(edge) = edge_of(keys, source) else { continue };
            let count = sketch.count(edge, tick);
            // Less than usual is no burst.
            let score = if count.current > count.expected { count.score } else { 0.0 };
            out.set_float(feature, f64::from((1.0 + score).log2().min(MOST_DIGITS)));
        }
    }
}

/// The edge from a source to the rating's target, if it has such a source.
#[inline]
fn edge_of(keys: &Keys, source: KeyField) -> Option<u64> {
    let from = keys.get(source);
    (from != 0).then(|| edge_key(from, keys.get(KeyField::Target)))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::catalogue::Catalogue;
    use crate::features::identity::keys_of;
    use crate::pseudonym::Keyring;
    use crate::rating;
    use crate::time::HOUR_MS;

    /// 2 March 2026, 10:00 in China.
    const BEGIN: Instant = Instant(1_772_416_800_000);

    struct Traffic {
        bursts: Bursts,
        watermark: Instant,
        ratings: u32,
    }

    impl Traffic {
        fn new() -> Self {
            Self { bursts: Bursts::new(1 << 12), watermark: BEGIN, ratings: 0 }
        }

        /// Scores of a rating of one clerk from this device and account; the watermark moves on to it.
        fn rate(
            &mut self,
            ms: i64,
            device: u64,
            account: &str,
            extra: &str,
            class: DeviceClass,
        ) -> [Option<f64>; 4] {
            self.ratings += 1;
            let at = Instant(BEGIN.ms() + ms);
            let line = format!(
                r#"{{"rating_id":"r-{}","submitted_at":"{at}","channel":"portal","stars":5{extra},
                    "service":{{"matter":"M","department":"D","clerk":"C"}},"rater":{{"account":"{account}"}}}}"#,
                self.ratings
            );
            let (o, ..) = Keyring::public().pseudonymise(rating::parse(line.as_bytes()).unwrap());
            let mut keys = keys_of(&o);
            keys.set(KeyField::Device, device);
            let mut out = FeatureVector::new(Catalogue::builtin().len());
            out.set_int(f::DEVICE_CLASS, class as i64);
            self.watermark = self.watermark.max(at);
            self.bursts.observe(&o, &keys, self.watermark, &mut out);
            SOURCES.map(|(_, feature)| out.float(feature))
        }

        fn personal(&mut self, ms: i64, device: u64, account: &str) -> [Option<f64>; 4] {
            self.rate(ms, device, account, "", DeviceClass::Personal)
        }
    }

    #[test]
    fn one_device_bursts_and_the_crowd_around_it_does_not() {
        let mut traffic = Traffic::new();
        let (mut crowd, mut device) = (0.0, 0.0);
        for n in 0..40 {
            let ms = n * MINUTE_MS / 4;
            crowd =
                traffic.personal(ms, crate::features::mix(1_000 + n as u64), &format!("a{n}"))[0].unwrap();
            device = traffic.personal(ms, 77, &format!("b{n}"))[0].unwrap();
        }
        assert!(crowd < 6.0, "{crowd}");
        assert!(device > 14.0, "{device}");
    }

    #[test]
    fn what_a_rating_lacks_is_missing_and_an_official_terminal_is_no_device() {
        let mut traffic = Traffic::new();
        let [device, rater, subnet, text] = traffic.personal(0, 0, "a");
        assert!(device.is_none() && rater.is_some() && subnet.is_none() && text.is_none());
        let [device, rater, ..] = traffic.rate(0, 77, "a", "", DeviceClass::Official);
        assert!(device.is_none() && rater.is_some());
        let default = traffic.rate(0, 77, "a", r#","origin":"default""#, DeviceClass::Personal);
        assert_eq!(default, [None; 4], "the platform's own ratings are no traffic");
    }

    #[test]
    fn a_rating_that_comes_late_counts_in_the_newest_tick_and_one_that_comes_later_not_at_all() {
        let mut traffic = Traffic::new();
        traffic.personal(0, 1, "clock");
        traffic.personal(5 * HOUR_MS, 2, "clock");
        let first = traffic.personal(5 * HOUR_MS - 20 * MINUTE_MS, 77, "a")[0].unwrap();
        for minute in 0..50 {
            assert_eq!(traffic.personal(2 * HOUR_MS + minute * MINUTE_MS, 77, "a"), [None; 4]);
        }
        let second = traffic.personal(5 * HOUR_MS, 77, "a")[0].unwrap();
        let other = traffic.personal(5 * HOUR_MS, 78, "b")[0].unwrap();
        assert!(second > first && first == other, "{first} {second} {other}");
    }
}
