//! Measures a cluster of two servers, with two copies of each message. Not a test: it asserts no time.
//!
//! `cargo test --features fluvio --test cluster measure::measure -- --ignored --nocapture`

use std::time::{Duration, Instant};

use bytes::Bytes;
use zhenping::broker::{Broker, Follow, Partition};

use crate::broker_support::topic;
use crate::harness::Cluster;

/// Bytes of a rating's record.
const RECORD_BYTES: usize = 430;
/// How long each line of the table is measured.
const SPAN: Duration = Duration::from_secs(5);

/// A message with so many records.
fn message(records: usize) -> Bytes {
    (0..records * RECORD_BYTES).map(|at| (at % 251) as u8).collect::<Vec<_>>().into()
}

/// Reads until it has the message of an offset.
fn wait_for(follow: &mut dyn Follow, offset: u64) {
    loop {
        let came = follow.next(Duration::from_secs(5)).expect("the cluster is there");
        if came.last().is_some_and(|message| message.offset >= offset) {
            return;
        }
    }
}

/// Appends one message after the other for a while; gives how many a second.
fn append_rate(partition: &dyn Partition, message: &Bytes) -> f64 {
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < SPAN {
        partition.append(std::slice::from_ref(message)).expect("the cluster is there");
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

/// Follows all that is there; gives how many messages a second.
fn follow_rate(partition: &dyn Partition) -> f64 {
    let end = partition.bounds().expect("the cluster is there").end;
    let mut follow = partition.follow(0).expect("it is there");
    let began = Instant::now();
    wait_for(&mut *follow, end - 1);
    end as f64 / began.elapsed().as_secs_f64()
}

/// Microseconds from the call of an append until its message was followed, one at a time, in order.
fn round_trips(partition: &dyn Partition, message: &Bytes) -> Vec<u128> {
    let mut offset = partition.bounds().expect("the cluster is there").end;
    let mut follow = partition.follow(offset).expect("it is there");
    let mut times = Vec::new();
    while times.len() < 500 {
        let began = Instant::now();
        partition.append(std::slice::from_ref(message)).expect("the cluster is there");
        wait_for(&mut *follow, offset);
        times.push(began.elapsed().as_micros());
        offset += 1;
    }
    times.sort_unstable();
    times
}

#[test]
#[ignore = "it is a measurement"]
fn measure() {
    let Some(cluster) = Cluster::start(2) else { return };
    let broker = cluster.broker();
    println!("records  appends/s  records/s  messages followed/s  round trip p50 µs  p99 µs");
    for records in [1, 64, 512] {
        let name = format!("of-{records}");
        broker.ensure(&topic(&name, 1, 2)).expect("it is made");
        let (partition, message) = (broker.partition(&name, 0).expect("it is there"), message(records));
        let appends = append_rate(&*partition, &message);
        let followed = follow_rate(&*partition);
        let times = round_trips(&*partition, &message);
        let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        let in_records = appends * records as f64;
        println!("{records:7}  {appends:9.0}  {in_records:9.0}  {followed:19.0}  {p50:17}  {p99:6}");
    }
}
