//! What each step of a rating's path costs: prepare, observe, judge, encode.
//!
//! `cargo bench --bench path`. The ratings are simulated; state is that of some days of a city.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use zhenping::catalogue::FeatureVector;
use zhenping::date::UtcOffset;
use zhenping::features::state::StateLimits;
use zhenping::log::entry::{RatingEntry, RatingFlags};
use zhenping::pseudonym::Keyring;
use zhenping::rules::shipped;
use zhenping::scoring::{Desk, Engine, Observed, Prepared, Preparer, Ruling, judge};

/// Ratings of one measured batch, as many as `score` hands over together.
const BATCH: usize = 512;

/// Lines of a mobile app's ratings: 5,000 raters, 400 clerks, one case each.
fn lines(from: usize, count: usize) -> Vec<String> {
    let line = |n: usize| {
        let (rater, clerk) = (n.wrapping_mul(7_919) % 5_000, n.wrapping_mul(31) % 400);
        let (day, second) = (1 + n / 20_000 % 28, n % 20_000 * 3);
        let time =
            format!("2026-03-{day:02}T{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60);
        format!(
            r#"{{"rating_id":"r{n}","submitted_at":"{time}+08:00","channel":"mobile_app","stars":{},"comment":"窗口办理很快，材料一次说清楚 {n}","service":{{"matter":"310115{:03}","case_no":"SH{n:012}","case_match":"matched","stage":"complete","department":"310115-rs","district":"310115","hall":"H{:02}","window":"W{clerk}","clerk":"C{clerk}"}},"rater":{{"account":"u{rater}","verified":true,"is_applicant":true}},"device":{{"fingerprint":"9f86d081884c7d65{rater:08x}","platform":"android","model":"NOH-AN{:02}","os_version":"12","app_version":"7.1.4","screen":"1344x2772","language":"zh-CN"}},"network":{{"ip":"203.0.{}.{}","asn":4134}}}}"#,
            5 - n % 97 / 96,
            clerk % 40,
            clerk % 20,
            rater % 80,
            rater / 256,
            rater % 256,
        )
    };
    (from..from + count).map(line).collect()
}

fn observe(engine: &mut Engine, ratings: &mut [Prepared]) -> Vec<Observed> {
    let mut found = Vec::with_capacity(ratings.len());
    engine.observe(&mut ratings.iter_mut().collect::<Vec<_>>(), |_, observed| found.push(observed));
    found
}

fn path(c: &mut Criterion) {
    let ruling = Arc::new(Ruling::load(shipped()).expect("the shipped rules load"));
    let preparer = Preparer::new(Arc::new(Keyring::public()), UtcOffset::CHINA);
    let width = ruling.catalogue().len();
    let prepare = |lines: &[String]| -> Vec<Prepared> {
        let prepare = |line: &String| preparer.prepare(line.as_bytes(), width).expect("a valid rating");
        lines.iter().map(prepare).collect()
    };
    let mut engine = Engine::new(Arc::clone(&ruling), StateLimits::default(), UtcOffset::CHINA);
    let mut next = 0;
    for _ in 0..100 {
        observe(&mut engine, &mut prepare(&lines(next, BATCH)));
        next += BATCH;
    }
    let sample = lines(next, BATCH);
    let mut ratings = prepare(&sample);
    let observed = observe(&mut engine, &mut ratings);
    next += BATCH;

    let mut group = c.benchmark_group("path");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("prepare", |b| b.iter(|| prepare(black_box(&sample))));
    group.bench_function("observe", |b| {
        let fresh = || {
            next += BATCH;
            prepare(&lines(next, BATCH))
        };
        b.iter_batched_ref(fresh, |ratings| observe(&mut engine, ratings), BatchSize::LargeInput);
    });
    let mut desk = Desk::default();
    let mut judge = |rating: &mut Prepared, observed: &Observed| {
        let Prepared { observation, features, .. } = rating;
        judge(&ruling, observation, features, observed, observed.watermark, &mut desk)
    };
    group.bench_function("judge", |b| {
        b.iter(|| ratings.iter_mut().zip(&observed).map(|(r, o)| judge(r, o).outcome.risk).sum::<f32>());
    });
    let entry = |(rating, observed): (&mut Prepared, &Observed)| RatingEntry {
        outcome: judge(rating, observed).outcome,
        observation: rating.observation.clone(),
        features: FeatureVector::clone(&rating.features),
        catalogue: ruling.catalogue().version(),
        day: UtcOffset::CHINA.day_of(rating.observation.submitted_at),
        supersedes_sequence: None,
        flags: RatingFlags::default(),
    };
    let entries: Vec<RatingEntry> = ratings.iter_mut().zip(&observed).map(entry).collect();
    group.bench_function("encode", |b| {
        b.iter(|| entries.iter().map(|e| e.encode(ruling.catalogue()).bytes().len()).sum::<usize>());
    });
    group.finish();
}

criterion_group!(benches, path);
criterion_main!(benches);
