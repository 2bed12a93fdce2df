use super::*;

use std::collections::HashMap;

use proptest::prelude::*;

/// As in the paper, with room enough that no two of a few keys collide in both rows.
fn wide() -> Parameters {
    Parameters { rows: 2, buckets: 1 << 14, decay: 0.5, threshold: 1_000.0, prior: 0.0, seed: 7 }
}

fn key(number: u64) -> u64 {
    crate::features::mix(number + 1)
}

/// The definition, word for word: every key has its own counts, and all are gone through whenever a
/// tick ends.
#[derive(Default)]
struct Exact {
    /// Current count, total, last score.
    counts: HashMap<u64, (f64, f64, f64)>,
    tick: u32,
}

impl Exact {
    fn count(&mut self, parameters: &Parameters, key: u64, tick: u32) -> (f64, f64) {
        self.tick = self.tick.max(1);
        while self.tick < tick {
            for (current, total, score) in self.counts.values_mut() {
                if *score < f64::from(parameters.threshold) {
                    *total += *current;
                } else if self.tick > 1 {
                    *total += *total / f64::from(self.tick - 1);
                }
                *current *= f64::from(parameters.decay);
            }
            self.tick += 1;
        }
        let (current, total, score) = self.counts.entry(key).or_default();
        *current += 1.0;
        let expected = *total / f64::from(tick.max(2) - 1) + f64::from(parameters.prior);
        *score = if expected > 0.0 { (*current - expected).powi(2) / expected } else { 0.0 };
        (*current, *score)
    }
}

/// Events: a key, and ticks since the one before.
fn events() -> impl Strategy<Value = Vec<(u64, u32)>> {
    let gap = prop_oneof![12 => Just(0u32), 4 => Just(1u32), 1 => 2u32..90];
    proptest::collection::vec((0u64..12, gap), 1..300)
}

proptest! {
    #[test]
    fn cells_that_catch_up_when_touched_say_what_a_merge_at_every_tick_says(
        events in events(),
        decay in 0.0f32..0.9,
        threshold in 1.0f32..50.0,
        prior in prop_oneof![Just(0.0f32), 0.01f32..0.5],
    ) {
        let parameters = Parameters { decay, threshold, prior, ..wide() };
        let (mut sketch, mut exact, mut tick) = (Sketch::new(parameters), Exact::default(), 1);
        for (number, gap) in events {
            tick += gap;
            let found = sketch.count(key(number), tick);
            let (current, score) = exact.count(&parameters, key(number), tick);
            prop_assert!((f64::from(found.current) - current).abs() <= 1e-4 * current, "{found:?} {current}");
            let close = (f64::from(found.score) - score).abs() <= 1e-3 * score.max(1.0);
            prop_assert!(close, "{found:?} {score}");
            // Which side of the threshold it falls on decides what is merged: rounding must not.
            prop_assume!((score / f64::from(threshold) - 1.0).abs() > 1e-3);
        }
    }

    #[test]
    fn a_count_is_never_less_than_the_truth_however_keys_collide(
        events in events(),
        buckets in 1usize..8,
        rows in 1usize..4,
        seed: u64,
    ) {
        // Nothing bursts, so that all is merged.
        let parameters = Parameters { rows, buckets, threshold: f32::INFINITY, seed, ..wide() };
        let (mut sketch, mut exact, mut tick) = (Sketch::new(parameters), Exact::default(), 1);
        for (number, gap) in events {
            tick += gap;
            let found = sketch.count(key(number), tick);
            let (current, _) = exact.count(&parameters, key(number), tick);
            let expected = exact.counts[&key(number)].1 / f64::from(tick.max(2) - 1);
            prop_assert!(f64::from(found.current) >= current * (1.0 - 1e-4), "{found:?} {current}");
            prop_assert!(f64::from(found.expected) >= expected * (1.0 - 1e-4), "{found:?} {expected}");
        }
    }

    #[test]
    fn a_sketch_that_was_written_and_read_goes_on_with_the_same_scores(events in events(), at in 0usize..300) {
        let parameters = Parameters { buckets: 8, threshold: 5.0, prior: 0.1, ..wide() };
        let (mut whole, mut read, mut tick) = (Midas::new(parameters), Midas::new(parameters), 1);
        for (i, (number, gap)) in events.into_iter().enumerate() {
            tick += gap;
            if i == at {
                read = postcard::from_bytes(&postcard::to_stdvec(&read).unwrap()).unwrap();
            }
            let (source, destination) = (key(number), key(number % 3));
            let scores = whole.observe(source, destination, tick);
            prop_assert_eq!(scores, read.observe(source, destination, tick));
        }
    }
}

#[test]
fn a_burst_that_goes_on_never_becomes_its_own_baseline() {
    let parameters = Parameters { prior: 0.02, ..wide() };
    let (mut sketch, mut fooled) =
        (Sketch::new(parameters), Sketch::new(Parameters { threshold: f32::INFINITY, ..parameters }));
    let (attacker, mut last) = (key(1), None);
    for tick in 1..=2_000 {
        // Ordinary for a while, and then twenty a tick for good.
        let events = if tick <= 200 { u32::from(tick % 10 == 0) } else { 20 };
        for _ in 0..events {
            last = Some((sketch.count(attacker, tick), fooled.count(attacker, tick)));
        }
    }
    let (found, fooled) = last.unwrap();
    assert!(found.score >= parameters.threshold, "{found:?}");
    // The first tick of the burst passes below the threshold at its first ratings, and no more than that.
    assert!(found.expected < 0.4, "{found:?}");
    // Without the conditional merge it would be taken for ordinary.
    assert!(fooled.score < 5.0, "{fooled:?}");
}

#[test]
fn a_burst_that_ends_is_forgiven_and_what_was_usual_before_is_usual_again() {
    let parameters = Parameters { prior: 0.02, ..wide() };
    let mut sketch = Sketch::new(parameters);
    let once = key(1);
    for tick in 1..=100 {
        sketch.count(once, tick);
    }
    let usual = sketch.count(once, 101);
    for _ in 0..100 {
        sketch.count(once, 102);
    }
    let after = sketch.count(once, 130);
    assert!(after.score < 1.0 && after.expected < usual.expected * 2.0, "{usual:?} {after:?}");
}

#[test]
fn a_long_pause_costs_no_precision_and_gives_no_infinity() {
    let mut sketch = Sketch::new(Parameters { prior: 0.02, ..wide() });
    for tick in [1, 2, 3, 1_000_000, u32::MAX] {
        for _ in 0..50 {
            let found = sketch.count(key(5), tick);
            assert!(found.score.is_finite() && found.current >= 1.0, "{tick}: {found:?}");
        }
    }
}

#[test]
fn a_sketch_of_the_wrong_size_is_not_read() {
    let stored = |cells: usize, parameters| Stored { parameters, cells: vec![Cell::default(); cells] };
    let parameters = Parameters { buckets: 8, ..wide() };
    let reads =
        |stored: Stored| postcard::from_bytes::<Sketch>(&postcard::to_stdvec(&stored).unwrap()).is_ok();
    assert!(reads(stored(16, parameters)));
    assert!(!reads(stored(15, parameters)));
    assert!(!reads(stored(14, Parameters { buckets: 7, ..parameters })));
    assert!(!reads(stored(0, Parameters { rows: 0, ..parameters })));
}
