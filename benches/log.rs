//! What the log costs: encoding, appending groups, looking up, verifying.
//!
//! Appending is one `fdatasync` a group, so its figures are the disk's.

#[path = "../tests/log_support/mod.rs"]
mod log_support;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use zhenping::log::record::Record;
use zhenping::log::{EmbeddedLog, EncodedRecord, Log, LogOptions, verify};

fn records(count: u64) -> Vec<EncodedRecord> {
    let catalogue = log_support::catalogue();
    (0..count).map(|number| log_support::rating(number, &catalogue).encode(&catalogue)).collect()
}

fn record(c: &mut Criterion) {
    let catalogue = log_support::catalogue();
    let entry = log_support::rating(1, &catalogue);
    let encoded = entry.encode(&catalogue);
    let parse = || Record::parse(encoded.bytes()).expect("it was encoded just now");
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode", |b| b.iter(|| black_box(&entry).encode(&catalogue)));
    group.bench_function("decode", |b| b.iter(|| black_box(parse()).entry()));
    group.bench_function("public part", |b| b.iter(|| black_box(parse()).rating()));
    group.bench_function("leaf", |b| b.iter(|| black_box(parse()).leaf()));
    group.finish();
}

fn append(c: &mut Criterion) {
    let records = records(1024);
    let mut group = c.benchmark_group("append");
    for size in [1, 64, 1024] {
        let dir = tempfile::tempdir().expect("a directory");
        let log = EmbeddedLog::open(dir.path(), LogOptions::default()).expect("the log opens");
        group.throughput(Throughput::Elements(size as u64)).sample_size(20);
        group.bench_function(format!("group of {size}"), |b| {
            b.iter(|| log.append(black_box(&records[..size])).expect("the group appends"));
        });
    }
    group.finish();
}

fn read(c: &mut Criterion) {
    const COUNT: u64 = 200_000;
    let dir = tempfile::tempdir().expect("a directory");
    let options = LogOptions { segment_bytes: 16 << 20 };
    let log = EmbeddedLog::open(dir.path(), options).expect("the log opens");
    for group in records(COUNT).chunks(1024) {
        log.append(group).expect("the group appends");
    }
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Elements(1));
    let mut number = 0;
    group.bench_function("find an absent rating", |b| {
        b.iter_batched(
            || {
                number += 1;
                format!("absent-{number}")
            },
            |rating_id| log.find_rating(&rating_id),
            BatchSize::SmallInput,
        );
    });
    group
        .bench_function("find a rating", |b| b.iter(|| log.find_rating(black_box("R20260301-000000012345"))));
    group.throughput(Throughput::Elements(COUNT)).sample_size(10);
    group.bench_function("verify", |b| {
        b.iter(|| verify(dir.path(), None, &mut |_| {}).expect("the log is there"))
    });
    group
        .bench_function("stream entries", |b| b.iter(|| log.read_from(0).expect("the log is there").count()));
    group.finish();
}

criterion_group!(benches, record, append, read);
criterion_main!(benches);
