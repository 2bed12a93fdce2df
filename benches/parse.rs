//! The cost of reading a rating and of pseudonymising it, per rating.
//!
//! `cargo bench --bench parse`

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use zhenping::pseudonym::{Epoch, Keyring, MasterKey};
use zhenping::rating;

/// As a mobile app sends it: 20 Han characters of comment, all identifiers.
const USUAL: &str = concat!(
    r#"{"rating_id":"r-20260301-0000000001","source":"suishenban","submitted_at":"2026-03-01T09:30:00+08:00","#,
    r#""received_at":"2026-03-01T09:30:01+08:00","opened_at":"2026-03-01T09:29:12+08:00","channel":"mobile_app","#,
    r#""entry":"wechat","stars":5,"comment":"窗口办理很快，材料一次说清楚，没有多跑","service":{"matter":"310115001","#,
    r#""case_no":"SH20260301000001","case_match":"matched","stage":"complete","department":"310115-rs","#,
    r#""district":"310115","hall":"H01","window":"W07","clerk":"C0193"},"rater":{"account":"u8731023","#,
    r#""verified":true,"registered_at":"2023-05-06T07:08:09+08:00","is_applicant":true},"device":{"fingerprint":"#,
    r#""9f86d081884c7d659a2feaa0c55ad015","platform":"android","model":"NOH-AN00","os_version":"12","#,
    r#""app_version":"7.1.4","screen":"1344x2772","language":"zh-CN"},"network":{"ip":"203.0.113.57","asn":4134}}"#,
);

/// The same with a lone surrogate in the comment, which takes the mending path.
fn damaged() -> String {
    USUAL.replace("没有多跑", r"没有多\ud83d")
}

fn reading(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    let damaged = damaged();
    for (name, line) in [("usual", USUAL), ("damaged", &damaged)] {
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function(name, |b| b.iter(|| rating::parse(black_box(line.as_bytes()))));
    }
    group.finish();
}

fn pseudonymising(c: &mut Criterion) {
    let epoch = |id: u32| Epoch { id, secret: MasterKey::new([id as u8; 32]) };
    let root = || MasterKey::new([9; 32]);
    let parsed = || rating::parse(USUAL.as_bytes()).expect("a valid rating");
    let mut group = c.benchmark_group("pseudonymise");
    let keyring = Keyring::new(root(), &epoch(1), None);
    group.bench_function("one epoch", |b| {
        b.iter_batched(parsed, |rating| keyring.pseudonymise(rating), BatchSize::SmallInput);
    });
    let keyring = Keyring::new(root(), &epoch(2), Some(&epoch(1)));
    group.bench_function("two epochs", |b| {
        b.iter_batched(parsed, |rating| keyring.pseudonymise_both(rating), BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, reading, pseudonymising);
criterion_main!(benches);
