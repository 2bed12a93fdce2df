//! Declared counters against a naive oracle that keeps every rating.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use zhenping::catalogue::{Catalogue, FeatureId, FeatureVector, builtin};
use zhenping::features::counter::CounterSet;
use zhenping::features::engine::{CounterEngine, LATENESS_MS, Limits};
use zhenping::features::keys::{KeyField, Keys};
use zhenping::time::{DAY_MS, HOUR_MS, Instant, MINUTE_MS, SECOND_MS};

const START: i64 = 1_767_225_600_000;

/// (name, of, where, window, window in ms); all by device.
const COUNTERS: [(&str, &str, &str, &str, i64); 15] = [
    ("ratings_10m", "count", "", "10m", 10 * MINUTE_MS),
    ("ratings_24h", "count", "", "24h", DAY_MS),
    ("ratings_7d", "count", "", "7d", 7 * DAY_MS),
    ("praise_24h", "count", "stars >= 4", "24h", DAY_MS),
    ("raters_1h", "distinct rater", "", "1h", HOUR_MS),
    ("raters_24h", "distinct rater", "", "24h", DAY_MS),
    ("raters_7d", "distinct rater", "", "7d", 7 * DAY_MS),
    ("critics_24h", "distinct rater", "stars <= 2", "24h", DAY_MS),
    ("targets_7d", "distinct target", "", "7d", 7 * DAY_MS),
    ("mean_24h", "mean timing.dwell_s", "", "24h", DAY_MS),
    ("sum_1h", "sum timing.dwell_s", "stars >= 4", "1h", HOUR_MS),
    ("stddev_24h", "stddev timing.dwell_s", "", "24h", DAY_MS),
    ("gap_1h", "gap_cv", "", "1h", HOUR_MS),
    ("gap_24h", "gap_cv", "stars >= 4", "24h", DAY_MS),
    ("slow_24h", "share(timing.dwell_s > 30.0)", "stars >= 2", "24h", DAY_MS),
];

fn declarations() -> (CounterSet, Catalogue) {
    let text: String = COUNTERS
        .iter()
        .map(|(name, of, filter, window, _)| {
            let filter = if filter.is_empty() { String::new() } else { format!("where = '{filter}'\n") };
            format!(
                "[[counter]]\nname = 'device.{name}'\nof = '{of}'\nby = ['device']\n{filter}window = '{window}'\n\
                 text = {{ zh = '{{value}}', en = '{{value}}' }}\n"
            )
        })
        .collect();
    let mut catalogue = Catalogue::builtin();
    let set = CounterSet::parse(&[("test.toml".to_owned(), text)], &mut catalogue).unwrap();
    (set, catalogue)
}

#[derive(Clone, Debug)]
struct Rating {
    time: i64,
    watermark: i64,
    device: u64,
    rater: u64,
    target: u64,
    stars: i64,
    dwell: Option<f32>,
}

impl Rating {
    fn keys(&self) -> Keys {
        let mut keys = Keys::default();
        keys.set(KeyField::Device, self.device);
        keys.set(KeyField::Rater, self.rater);
        keys.set(KeyField::Target, self.target);
        keys
    }

    fn vector(&self, catalogue: &Catalogue) -> FeatureVector {
        let mut vector = FeatureVector::new(catalogue.len());
        vector.set_int(builtin::STARS, self.stars);
        if let Some(dwell) = self.dwell {
            vector.set_float(builtin::TIMING_DWELL_S, f64::from(dwell));
        }
        vector
    }

    fn passes(&self, filter: &str) -> bool {
        match filter {
            "" => true,
            "stars >= 4" => self.stars >= 4,
            "stars <= 2" => self.stars <= 2,
            "stars >= 2" => self.stars >= 2,
            other => panic!("{other}"),
        }
    }
}

fn observe(engine: &mut CounterEngine, catalogue: &Catalogue, rating: &Rating) -> FeatureVector {
    let mut vector = rating.vector(catalogue);
    engine.observe(Instant(rating.time), Instant(rating.watermark), &rating.keys(), &mut vector);
    vector
}

/// Everything that was taken in so far.
#[derive(Default)]
struct Oracle {
    seen: Vec<Rating>,
}

impl Oracle {
    fn within(&self, rating: &Rating, filter: &str, window: i64) -> Vec<&Rating> {
        let inside = |r: &&Rating| {
            r.device == rating.device
                && r.time > rating.time - window
                && r.time <= rating.time
                && r.passes(filter)
        };
        let mut found: Vec<&Rating> = self.seen.iter().filter(inside).collect();
        found.sort_by_key(|r| r.time);
        found
    }

    /// Ratings of the device that are later than this one.
    fn later(&self, rating: &Rating) -> usize {
        self.seen.iter().filter(|r| r.device == rating.device && r.time > rating.time).count()
    }

    fn value(&self, rating: &Rating, of: &str, filter: &str, window: i64) -> Option<f64> {
        let inside = self.within(rating, filter, window);
        let dwell: Vec<f64> = inside.iter().filter_map(|r| r.dwell).map(f64::from).collect();
        let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
        let deviation = |list: &[f64]| {
            let m = mean(list);
            (list.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (list.len() - 1) as f64).sqrt()
        };
        match of {
            "count" => Some(inside.len() as f64),
            "distinct rater" => {
                let values: BTreeSet<u64> = inside.iter().map(|r| r.rater).filter(|&r| r != 0).collect();
                Some(values.len() as f64)
            }
            "distinct target" => Some(inside.iter().map(|r| r.target).collect::<BTreeSet<_>>().len() as f64),
            "sum timing.dwell_s" => Some(dwell.iter().sum()),
            "mean timing.dwell_s" => (!dwell.is_empty()).then(|| mean(&dwell)),
            "stddev timing.dwell_s" => (dwell.len() >= 2).then(|| deviation(&dwell)),
            "gap_cv" => {
                let gaps: Vec<f64> = inside.windows(2).map(|w| (w[1].time - w[0].time) as f64).collect();
                (gaps.len() >= 3 && mean(&gaps) > 0.0).then(|| deviation(&gaps) / mean(&gaps))
            }
            "share(timing.dwell_s > 30.0)" => (!dwell.is_empty())
                .then(|| dwell.iter().filter(|&&s| s > 30.0).count() as f64 / dwell.len() as f64),
            other => panic!("{other}"),
        }
    }
}

fn found(vector: &FeatureVector, catalogue: &Catalogue, name: &str) -> Option<f64> {
    let id: FeatureId = catalogue.find(&format!("device.{name}")).unwrap();
    match catalogue.get(id).kind.name() {
        "int" => vector.int(id).map(|n| n as f64),
        _ => vector.float(id),
    }
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-3 * (1.0 + a.abs().max(b.abs())),
        (a, b) => a == b,
    }
}

/// Random streams: bursts and pauses, late and very late ratings, a few devices.
fn streams(most: usize) -> impl Strategy<Value = Vec<Rating>> {
    let pace = prop_oneof![4 => 0i64..2 * SECOND_MS, 3 => 0i64..5 * MINUTE_MS, 1 => 0i64..6 * HOUR_MS];
    let late = prop_oneof![
        12 => Just(0i64), 3 => 0i64..3 * SECOND_MS, 2 => 0i64..2 * HOUR_MS, 1 => 0i64..80 * HOUR_MS
    ];
    let dwell = prop_oneof![3 => (0.0f32..90.0).prop_map(Some), 1 => Just(None)];
    let step = (pace, late, 1u64..4, 0u64..60, 1u64..9, 1i64..6, dwell);
    // Slow streams fill the long windows, fast ones the short ones.
    let speed = prop_oneof![Just(1i64), Just(20), Just(200)];
    (prop::collection::vec(step, 1..most), any::<bool>(), speed).prop_map(|(steps, one_device, speed)| {
        let mut now = START;
        let step = |(pace, late, device, rater, target, stars, dwell): (_, i64, _, _, _, _, _)| {
            now += pace / speed;
            let device = if one_device { 1 } else { device };
            Rating { time: now - late, watermark: now, device, rater, target, stars, dwell }
        };
        steps.into_iter().map(step).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Every counter of every rating: exact while the window holds at most 64 ratings, within the
    /// stated bounds beyond, never a value for a rating that came too late.
    #[test]
    fn counters_agree_with_an_oracle_that_keeps_every_rating(stream in streams(500)) {
        let (set, catalogue) = declarations();
        let mut engine = CounterEngine::new(&set, Limits::default());
        let mut oracle = Oracle::default();
        for rating in &stream {
            let vector = observe(&mut engine, &catalogue, rating);
            let too_late = rating.time < rating.watermark - LATENESS_MS;
            if !too_late {
                oracle.seen.push(rating.clone());
            }
            for (name, of, filter, _, window) in COUNTERS {
                let got = found(&vector, &catalogue, name);
                if too_late {
                    prop_assert_eq!(got, None);
                    continue;
                }
                let exact = oracle.value(rating, of, filter, window);
                let later = oracle.later(rating);
                // What the entity must still hold: this window and all that is later.
                if oracle.within(rating, "", window).len() + later <= 64 {
                    prop_assert!(close(got, exact), "{name}: {got:?}, exactly {exact:?}");
                    continue;
                }
                if later == 0 {
                    let fine = of != "gap_cv";
                    prop_assert!(!fine || got.is_some() == exact.is_some(), "{name}: {got:?}, {exact:?}");
                }
                let Some(got) = got else { continue };
                if of == "count" {
                    let wider = oracle.within(rating, filter, window + window / 64).len() as f64;
                    let exact = oracle.within(rating, filter, window).len() as f64;
                    prop_assert!(exact <= got && got <= wider, "{name}: {got}, {exact} to {wider}");
                } else if of.starts_with("distinct") {
                    // Fewer than 1536 values: nothing is sampled.
                    prop_assert_eq!(Some(got), exact, "{}", name);
                } else {
                    // One of the windows between w and w + w/64, the start of the oldest bucket.
                    let starts: BTreeSet<i64> = oracle
                        .within(rating, "", window + window / 64)
                        .iter()
                        .map(|r| rating.time - r.time + 1)
                        .filter(|&w| w > window)
                        .chain([window])
                        .collect();
                    let candidates: Vec<_> =
                        starts.iter().map(|&w| oracle.value(rating, of, filter, w)).collect();
                    prop_assert!(
                        candidates.iter().any(|&value| close(Some(got), value)),
                        "{name}: {got}, candidates {candidates:?}"
                    );
                }
            }
        }
    }

    /// A snapshot at any moment changes nothing that comes after it.
    #[test]
    fn a_restored_engine_goes_on_as_if_it_had_never_stopped(stream in streams(300), cut in 0usize..300) {
        let (set, catalogue) = declarations();
        let cut = cut.min(stream.len());
        let mut engine = CounterEngine::new(&set, Limits::default());
        for rating in &stream[..cut] {
            observe(&mut engine, &catalogue, rating);
        }
        let mut bytes = Vec::new();
        engine.write_snapshot(&mut bytes).unwrap();
        let mut restored = CounterEngine::read_snapshot(&set, &mut bytes.as_slice()).unwrap();
        for rating in &stream[cut..] {
            prop_assert_eq!(
                observe(&mut engine, &catalogue, rating),
                observe(&mut restored, &catalogue, rating)
            );
        }
        let (mut one, mut other) = (Vec::new(), Vec::new());
        engine.write_snapshot(&mut one).unwrap();
        restored.write_snapshot(&mut other).unwrap();
        prop_assert!(one == other);
    }
}

/// A stream of keys that are never seen twice, one second apart.
fn strangers(from: u64, to: u64) -> impl Iterator<Item = Rating> {
    (from..to).map(|i| Rating {
        time: START + i as i64 * SECOND_MS,
        watermark: START + i as i64 * SECOND_MS,
        device: (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        rater: i + 1,
        target: 1,
        stars: 5,
        dwell: None,
    })
}

#[test]
fn memory_is_bounded_under_a_stream_that_never_repeats_a_key() {
    let (set, catalogue) = declarations();
    let limits = Limits { memory_bytes: 8 << 20, hot_bytes: 1 << 20 };
    let mut engine = CounterEngine::new(&set, limits);
    for rating in strangers(0, 300_000) {
        observe(&mut engine, &catalogue, &rating);
        assert!(engine.stats().memory_bytes <= limits.memory_bytes);
    }
    let stats = &engine.stats().groups[0].1;
    assert!(stats.entities > 20_000, "{stats:?}");
    assert_eq!(stats.entities + stats.evicted + stats.expired, 300_000);
}

#[test]
fn a_restored_engine_evicts_what_the_other_evicts() {
    let (set, catalogue) = declarations();
    let limits = Limits { memory_bytes: 4 << 20, hot_bytes: 100 << 10 };
    let mut engine = CounterEngine::new(&set, limits);
    // Strangers fill the memory; every third rating comes from one of 60 busy devices.
    let stream = |from, to| {
        strangers(from, to).map(|rating| match rating.rater % 3 {
            0 => Rating { device: rating.rater % 60 + 1, ..rating },
            _ => rating,
        })
    };
    stream(0, 60_000).for_each(|rating| drop(observe(&mut engine, &catalogue, &rating)));
    let mut bytes = Vec::new();
    engine.write_snapshot(&mut bytes).unwrap();
    let mut restored = CounterEngine::read_snapshot(&set, &mut bytes.as_slice()).unwrap();
    let before = engine.stats();
    assert_eq!(before, restored.stats());
    for rating in stream(60_000, 90_000) {
        let (one, other) =
            (observe(&mut engine, &catalogue, &rating), observe(&mut restored, &catalogue, &rating));
        assert_eq!(one, other);
    }
    assert_eq!(engine.stats(), restored.stats());
    let evicted = |stats: &zhenping::features::engine::Stats| (stats.groups[0].1.evicted, stats.hot_evicted);
    assert!(
        evicted(&engine.stats()).0 > evicted(&before).0 && evicted(&engine.stats()).1 > evicted(&before).1
    );
}

#[test]
fn memory_is_bounded_when_the_sizes_of_entities_shift() {
    let (set, catalogue) = declarations();
    let limits = Limits { memory_bytes: 6 << 20, hot_bytes: 1 << 20 };
    let mut engine = CounterEngine::new(&set, limits);
    // Many keys with one rating, then few with fifty, then many again.
    let mut clock = START;
    for (keys, ratings) in [(60_000u64, 1), (4_000, 50), (60_000, 1)] {
        for i in 0..keys * ratings {
            clock += 100;
            let device = (keys * 1_000_000 + i % keys).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let rating = Rating {
                time: clock,
                watermark: clock,
                device,
                rater: i + 1,
                target: 1,
                stars: 5,
                dwell: None,
            };
            observe(&mut engine, &catalogue, &rating);
        }
        assert!(engine.stats().memory_bytes <= limits.memory_bytes);
        assert!(engine.stats().hot_bytes <= limits.hot_bytes);
    }
}

#[test]
fn small_entities_take_at_most_200_bytes_each_with_their_share_of_the_table() {
    let (set, catalogue) = declarations();
    let mut engine = CounterEngine::new(&set, Limits { memory_bytes: 64 << 20, hot_bytes: 1 << 20 });
    let empty = engine.stats().memory_bytes;
    // One to four ratings each, just after the table has grown: its worst moment.
    for (i, rating) in strangers(0, 100_000).enumerate() {
        for _ in 0..i % 4 + 1 {
            observe(&mut engine, &catalogue, &rating);
        }
    }
    let stats = engine.stats();
    let each = (stats.memory_bytes - empty) as f64 / stats.groups[0].1.entities as f64;
    assert!(each <= 200.0, "{each} bytes");
}

#[test]
fn an_evicted_key_is_missing_until_its_windows_have_passed_and_an_unknown_key_is_new() {
    let (set, catalogue) = declarations();
    let mut engine = CounterEngine::new(&set, Limits { memory_bytes: 4 << 20, hot_bytes: 1 << 20 });
    let first: Vec<Rating> = strangers(0, 100).collect();
    first.iter().for_each(|rating| drop(observe(&mut engine, &catalogue, rating)));
    strangers(1_000, 100_000).for_each(|rating| drop(observe(&mut engine, &catalogue, &rating)));
    assert!(engine.stats().groups[0].1.evicted > 0);

    let mut back = Rating { time: START + 100_000 * SECOND_MS, ..first[0].clone() };
    back.watermark = back.time;
    let vector = observe(&mut engine, &catalogue, &back);
    assert_eq!(found(&vector, &catalogue, "ratings_7d"), None);
    assert_eq!(found(&vector, &catalogue, "ratings_10m"), None);

    back.time += 11 * MINUTE_MS;
    back.watermark = back.time;
    let vector = observe(&mut engine, &catalogue, &back);
    assert_eq!(found(&vector, &catalogue, "ratings_10m"), Some(1.0));
    assert_eq!(found(&vector, &catalogue, "ratings_24h"), None);

    let new = strangers(200_000, 200_001).next().unwrap();
    let vector = observe(&mut engine, &catalogue, &Rating { time: back.time, watermark: back.time, ..new });
    assert_eq!(found(&vector, &catalogue, "ratings_7d"), Some(1.0));
}

#[test]
fn eviction_takes_those_seen_longest_ago_and_spares_those_seen_lately() {
    let (set, catalogue) = declarations();
    let mut engine = CounterEngine::new(&set, Limits { memory_bytes: 4 << 20, hot_bytes: 1 << 20 });
    let regular = |at: i64| Rating { time: at, watermark: at, ..strangers(0, 1).next().unwrap() };
    let mut visits = 0.0;
    for rating in strangers(1, 120_000) {
        observe(&mut engine, &catalogue, &rating);
        if (rating.time - START) % (500 * SECOND_MS) == 0 {
            visits += 1.0;
            let vector = observe(&mut engine, &catalogue, &regular(rating.time));
            assert_eq!(found(&vector, &catalogue, "ratings_7d"), Some(visits));
        }
    }
    assert!(engine.stats().groups[0].1.evicted > 10_000);
}

#[test]
fn the_hot_budget_holds_and_what_it_costs_is_missing_never_wrong() {
    let (set, catalogue) = declarations();
    let limits = Limits { memory_bytes: 32 << 20, hot_bytes: 64 << 10 };
    let mut engine = CounterEngine::new(&set, limits);
    let mut missing = 0;
    for i in 0..40_000u64 {
        let time = START + i as i64 * SECOND_MS;
        let rating =
            Rating { time, watermark: time, device: i % 100 + 1, rater: i, target: 1, stars: 5, dwell: None };
        let vector = observe(&mut engine, &catalogue, &rating);
        assert!(engine.stats().hot_bytes <= limits.hot_bytes);
        // The one key that a rating needs may stand alone above a budget that is smaller than it.
        match found(&vector, &catalogue, "ratings_24h") {
            None => missing += 1,
            Some(count) => {
                let exact = (i / 100 + 1) as f64;
                assert!(count >= exact && count <= exact + 10.0, "{count}, exactly {exact}");
            }
        }
        assert_eq!(found(&vector, &catalogue, "ratings_10m"), Some((i / 100 + 1).min(6) as f64));
    }
    assert!(missing > 0 && engine.stats().hot_evicted > 0);
}

#[test]
fn distinct_counts_err_by_at_most_three_percent_over_seeds() {
    let (set, catalogue) = declarations();
    let mut squares = BTreeMap::new();
    let seeds = 12;
    for seed in 0..seeds {
        let mut engine = CounterEngine::new(&set, Limits::default());
        for i in 0..30_000u64 {
            let time = START + i as i64 * 2 * SECOND_MS;
            let rater = (i + 1).wrapping_mul(0x2545_f491_4f6c_dd1d) ^ (seed << 40);
            let rating = Rating { time, watermark: time, device: 1, rater, target: 1, stars: 5, dwell: None };
            let vector = observe(&mut engine, &catalogue, &rating);
            if i % 5_000 == 4_999 {
                for (name, seconds) in [("raters_1h", 3_600), ("raters_24h", 86_400)] {
                    let exact = (i + 1).min(seconds / 2) as f64;
                    let error = found(&vector, &catalogue, name).unwrap() / exact - 1.0;
                    *squares.entry((name, i)).or_insert(0.0) += error * error / seeds as f64;
                }
            }
        }
    }
    // All moments together: single ones vary too much over so few seeds.
    let mean = squares.values().sum::<f64>() / squares.len() as f64;
    assert!(mean.sqrt() < 0.03, "{squares:?}");
}

#[test]
fn a_rating_a_little_late_is_counted_at_its_own_time_also_on_a_hot_key() {
    let (set, catalogue) = declarations();
    let mut engine = CounterEngine::new(&set, Limits::default());
    let mut oracle = Oracle::default();
    for i in 0..400i64 {
        let now = START + i * 30 * SECOND_MS;
        let late = if i % 3 == 0 { i % 11 * 20 * SECOND_MS } else { 0 };
        let rating = Rating {
            time: now - late,
            watermark: now,
            device: 1,
            rater: (i * 7 % 150 + 1) as u64,
            target: 1,
            stars: 5,
            dwell: None,
        };
        let vector = observe(&mut engine, &catalogue, &rating);
        oracle.seen.push(rating.clone());
        let exact = oracle.value(&rating, "distinct rater", "", DAY_MS);
        assert_eq!(found(&vector, &catalogue, "raters_24h"), exact, "rating {i}");
        let exact = oracle.value(&rating, "count", "", DAY_MS);
        assert_eq!(found(&vector, &catalogue, "ratings_24h"), exact, "rating {i}");
    }
}

#[test]
fn a_counter_is_missing_until_its_window_lies_after_what_is_not_known() {
    let (set, catalogue) = declarations();
    let mut engine = CounterEngine::new(&set, Limits::default());
    engine.begin_at(Instant(START));
    let cases = [
        (1, None, None),
        (23, None, None),
        (24, Some(3.0), None),
        (48, Some(1.0), None),
        (168, Some(1.0), Some(5.0)),
    ];
    for (hours, day, week) in cases {
        let time = START + hours * HOUR_MS;
        let rating = Rating { time, watermark: time, ..strangers(0, 1).next().unwrap() };
        let vector = observe(&mut engine, &catalogue, &rating);
        assert_eq!(found(&vector, &catalogue, "ratings_24h"), day, "after {hours} h");
        assert_eq!(found(&vector, &catalogue, "ratings_7d"), week, "after {hours} h");
    }
}

/// Two counters by device, and what a later set makes of them: another order, one gone, one new.
const BEFORE: [&str; 3] = ["device.a_24h count 24h", "device.b_1h distinct_rater 1h", "device.c_7d count 7d"];
const AFTER: [&str; 3] =
    ["device.new_24h distinct_rater 24h", "device.c_7d count 7d", "device.a_24h count 24h"];

fn declared(counters: &[&str]) -> (CounterSet, Catalogue) {
    let declare = |counter: &&str| {
        let [name, of, window] = counter.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let of = of.replace('_', " ");
        format!(
            "[[counter]]\nname = \"{name}\"\nof = \"{of}\"\nby = [\"device\"]\nwindow = \"{window}\"\ntext = {{ zh = \"{{value}}\", en = \"{{value}}\" }}\n"
        )
    };
    let text: String = counters.iter().map(declare).collect();
    let mut catalogue = Catalogue::builtin();
    let set = CounterSet::parse(&[("counters.toml".to_owned(), text)], &mut catalogue).unwrap();
    (set, catalogue)
}

#[test]
fn counters_that_mean_the_same_go_on_under_another_set_and_new_ones_are_missing() {
    let ((before, old), (after, new)) = (declared(&BEFORE), declared(&AFTER));
    let (mut changed, mut unchanged) =
        (CounterEngine::new(&before, Limits::default()), CounterEngine::new(&before, Limits::default()));
    let value = |vector: &FeatureVector, catalogue: &Catalogue, name: &str| {
        catalogue.find(name).and_then(|id| vector.int(id))
    };
    let one = strangers(0, 1).next().unwrap();
    for i in 0..400 {
        let time = START + i * 20 * MINUTE_MS;
        // Beyond 64 events in a window they are hot, which must go on as well.
        let rating = Rating { time, watermark: time, ..one.clone() };
        let expected = observe(&mut unchanged, &old, &rating);
        if i == 100 || i == 300 {
            assert_eq!(changed.go_on_as(&after), 1);
        }
        if i == 200 {
            assert_eq!(changed.go_on_as(&before), 0, "what nobody read was kept up");
        }
        let under_new = (100..200).contains(&i) || i >= 300;
        let catalogue = if under_new { &new } else { &old };
        let found = observe(&mut changed, catalogue, &rating);
        for name in ["device.a_24h", "device.c_7d"] {
            assert_eq!(value(&found, catalogue, name), value(&expected, &old, name), "{name} of {i}");
        }
        match under_new {
            true => assert_eq!(value(&found, &new, "device.new_24h"), None),
            false => {
                assert_eq!(value(&found, &old, "device.b_1h"), value(&expected, &old, "device.b_1h"));
            }
        }
    }
}

#[test]
fn prefetching_changes_no_value() {
    let (set, catalogue) = declarations();
    let mut plain = CounterEngine::new(&set, Limits::default());
    let mut ahead = CounterEngine::new(&set, Limits::default());
    let ratings: Vec<Rating> = strangers(0, 500).chain(strangers(0, 500)).collect();
    for (i, rating) in ratings.iter().enumerate() {
        if let Some(next) = ratings.get(i + 8) {
            ahead.prefetch_slots(&next.keys());
        }
        if let Some(next) = ratings.get(i + 4) {
            ahead.prefetch_entities(&next.keys());
        }
        let rating = Rating { watermark: START + 600 * SECOND_MS, ..rating.clone() };
        assert_eq!(observe(&mut plain, &catalogue, &rating), observe(&mut ahead, &catalogue, &rating));
    }
}

#[test]
fn a_rating_without_a_key_has_no_value_for_its_counters() {
    let (set, catalogue) = declarations();
    let mut engine = CounterEngine::new(&set, Limits::default());
    let rating = Rating { device: 0, ..strangers(0, 1).next().unwrap() };
    let vector = observe(&mut engine, &catalogue, &rating);
    assert!(COUNTERS.iter().all(|(name, ..)| found(&vector, &catalogue, name).is_none()));
    assert_eq!(engine.stats().groups[0].1.entities, 0);
}

#[test]
fn a_snapshot_of_other_counters_or_a_damaged_one_is_refused() {
    use zhenping::features::snapshot::SnapshotError;
    let (set, catalogue) = declarations();
    let mut engine = CounterEngine::new(&set, Limits { memory_bytes: 4 << 20, hot_bytes: 1 << 20 });
    strangers(0, 50).for_each(|rating| drop(observe(&mut engine, &catalogue, &rating)));
    let mut bytes = Vec::new();
    engine.write_snapshot(&mut bytes).unwrap();

    let read = |set: &CounterSet, bytes: &[u8]| CounterEngine::read_snapshot(set, &mut &*bytes).map(drop);
    assert!(read(&set, &bytes).is_ok());
    let other = "[[counter]]\nname='a.b'\nof='count'\nby=['device']\nwindow='1h'\n\
                 text={zh='{value}',en='{value}'}\n";
    let other = [("o.toml".to_owned(), other.to_owned())];
    let other = CounterSet::parse(&other, &mut Catalogue::builtin()).unwrap();
    assert!(matches!(read(&other, &bytes), Err(SnapshotError::OtherCounters)));
    for at in (0..bytes.len()).step_by(bytes.len() / 200) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(read(&set, &damaged).is_err(), "byte {at}");
    }
    for len in [0, 5, 60, bytes.len() / 2, bytes.len() - 1] {
        assert!(read(&set, &bytes[..len]).is_err(), "cut to {len}");
    }
}
