//! Cost per rating of all shipped counters, from 10⁵ to 10⁷ live keys.
//!
//! The stream is a city's: raters with a phone each who rate three times a month, a target and its
//! terminal for every 50 of them (large ones favoured), three cases each. Ratings come with the
//! prefetching that the scoring path does. `ZHENPING_BENCH_LARGE=1` adds 10⁷ keys (about 2 GiB).

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zhenping::catalogue::{Catalogue, FeatureVector, builtin};
use zhenping::features::counter::CounterSet;
use zhenping::features::engine::{CounterEngine, Limits};
use zhenping::features::keys::{KeyField, Keys};
use zhenping::time::{DAY_MS, Instant};

const SLOTS_AHEAD: usize = 8;
const ENTITIES_AHEAD: usize = 4;

struct City {
    random: ChaCha8Rng,
    catalogue: Catalogue,
    raters: u64,
    clock: i64,
}

impl City {
    /// A key from a number, spread as a keyed hash spreads it.
    fn key(field: KeyField, number: u64) -> u64 {
        let mut x = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (field as u64) << 56;
        x ^= x >> 29;
        x.wrapping_mul(0xbf58_476d_1ce4_e5b9).max(1)
    }

    fn rating(&mut self) -> (Instant, Keys, FeatureVector) {
        self.clock += 30 * DAY_MS / (3 * self.raters as i64);
        let random = &mut self.random;
        let rater = random.random_range(0..self.raters);
        // Targets differ in size: the square of a uniform number favours the first ones.
        let u: f64 = random.random();
        let target = (u * u * (self.raters / 50) as f64) as u64;
        let mut keys = Keys::default();
        let terminal = random.random_bool(0.4);
        let numbers = [
            (KeyField::Device, if terminal { 1 << 40 | target } else { rater }),
            (KeyField::Profile, rater % 3_000),
            (KeyField::Rater, rater),
            (KeyField::Ip, if terminal { target } else { rater / 2 }),
            (KeyField::Subnet, if terminal { target / 8 } else { rater / 64 }),
            (KeyField::Target, target),
            (KeyField::Clerk, target),
            (KeyField::Window, target),
            (KeyField::Hall, target / 20),
            (KeyField::Department, target / 40),
            (KeyField::District, target / 125),
            (KeyField::Matter, target % 400),
            (KeyField::Case, rater * 3 + random.random_range(0..3u64)),
            (KeyField::Channel, u64::from(terminal)),
        ];
        for (field, number) in numbers {
            keys.set(field, Self::key(field, number));
        }
        if terminal {
            keys.set(KeyField::Terminal, Self::key(KeyField::Terminal, target));
        }
        if random.random_bool(0.15) {
            keys.set(KeyField::Text, Self::key(KeyField::Text, random.random_range(0..self.raters)));
        }
        let mut vector = FeatureVector::new(self.catalogue.len());
        let bad = random.random_bool(0.004);
        vector.set_int(builtin::STARS, if bad { 1 } else { 5 });
        vector.set_bool(builtin::BAD, bad);
        vector.set_int(builtin::ORIGIN, 0);
        vector.set_bool(builtin::CASE_PRESENT, true);
        vector.set_int(builtin::CASE_MATCH, i64::from(random.random_bool(0.05)));
        vector.set_bool(builtin::RATER_MATCHED_APPLICANT, true);
        vector.set_float(builtin::RATER_ACCOUNT_AGE_DAYS, (rater % 1_000) as f64);
        (Instant(self.clock), keys, vector)
    }
}

/// An engine with its stream, some ratings of which are made ahead.
struct Flow {
    city: City,
    engine: CounterEngine,
    ahead: VecDeque<(Instant, Keys, FeatureVector)>,
}

impl Flow {
    fn new(raters: u64) -> Self {
        let mut catalogue = Catalogue::builtin();
        let source = ("counters.toml".to_owned(), include_str!("../rules/counters.toml").to_owned());
        let set = match CounterSet::parse(&[source], &mut catalogue) {
            Ok(set) => set,
            Err(errors) => panic!("{errors}"),
        };
        let limits = Limits { memory_bytes: 4 << 30, hot_bytes: 1 << 30 };
        let engine = CounterEngine::new(&set, limits);
        let random = ChaCha8Rng::seed_from_u64(7);
        let city = City { random, catalogue, raters, clock: 1_767_225_600_000 };
        Self { city, engine, ahead: VecDeque::new() }
    }

    fn entities(&self) -> u64 {
        self.engine.stats().groups.iter().map(|(_, group)| group.entities).sum()
    }

    /// Feeds ratings; returns the time that the engine took.
    fn feed(&mut self, ratings: u64) -> Duration {
        let mut taken = Duration::ZERO;
        const BATCH: u64 = 256;
        let mut left = ratings;
        while left > 0 {
            let batch = left.min(BATCH);
            left -= batch;
            while self.ahead.len() < batch as usize + SLOTS_AHEAD {
                self.ahead.push_back(self.city.rating());
            }
            let start = Clock::now();
            for _ in 0..batch {
                self.engine.prefetch_slots(&self.ahead[SLOTS_AHEAD].1);
                self.engine.prefetch_entities(&self.ahead[ENTITIES_AHEAD].1);
                if let Some((at, keys, mut vector)) = self.ahead.pop_front() {
                    self.engine.observe(at, at, &keys, &mut vector);
                    black_box(&vector);
                }
            }
            taken += start.elapsed();
        }
        taken
    }
}

fn observe(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("counters");
    group.sample_size(20).throughput(Throughput::Elements(1));
    let mut sizes = vec![100_000, 1_000_000];
    if std::env::var_os("ZHENPING_BENCH_LARGE").is_some() {
        sizes.push(10_000_000);
    }
    for keys in sizes {
        let mut flow = Flow::new(keys / 16);
        while flow.entities() < keys {
            flow.feed(1_000);
        }
        group.bench_function(BenchmarkId::new("observe", keys), |bencher| {
            bencher.iter_custom(|ratings| flow.feed(ratings));
        });
        let stats = flow.engine.stats();
        println!(
            "{} keys, {} MiB, {} hot keys with {} MiB",
            flow.entities(),
            stats.memory_bytes >> 20,
            stats.hot_keys,
            stats.hot_bytes >> 20
        );
    }
    group.finish();
}

criterion_group!(benches, observe);
criterion_main!(benches);
