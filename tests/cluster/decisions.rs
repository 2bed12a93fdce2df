//! The same ratings, at one node with a log of its own and at three on one log: which decisions differ, and why.
//!
//! Callers at once change the order in which ratings come, at one node as at three; and of three nodes each decides
//! without what the others have and it has not read. To tell the two apart, the three nodes' log is played to one
//! node again, in its order.
//!
//! What a node has not seen is a stretch of time. So ratings must come at the pace at which people gave them: a busy
//! city in its own time. Ten days of a small one in ten seconds are a time lapse, in which tenths of a second hide
//! hours; that is measured as well, as the worst that can be.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::Cluster;
use crate::nodes::{KEY, Nodes, lines, setting};
use crate::support::{Connection, Place, Server, zhenping};

/// Ratings in one request.
const PIECE: usize = 20;
/// Callers at once.
const CALLERS: usize = 6;
/// Of the ratings, so many may be decided otherwise than by one node.
const SHARE_MAX: f64 = 0.001;

/// Place and decision of each rating.
type Decisions = HashMap<String, (u64, String)>;

/// Ratings a day of the busy city. It has some 400 a second at ten in the morning.
const A_DAY: &str = "10000000";

/// Ratings of a busy city from ten in the morning on, and how many a second they are there.
fn busy_city(number: usize) -> (Vec<String>, usize) {
    let arguments = ["simulate", "--seed", "31", "--days", "1", "--per-day", A_DAY];
    let mut simulate = zhenping().args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let written = BufReader::new(simulate.stdout.take().expect("it is piped")).lines().map(Result::unwrap);
    let begins = r#""submitted_at": "2026-03-18T10:0"#;
    let lines: Vec<String> = written.skip_while(|line| !line.contains(begins)).take(number).collect();
    simulate.kill().unwrap();
    simulate.wait().unwrap();
    let time = |line: &String| {
        let rating: Value = serde_json::from_str(line).unwrap();
        let time: jiff::Timestamp = rating["submitted_at"].as_str().unwrap().parse().unwrap();
        time.as_millisecond()
    };
    // Some arrive long after they were given.
    let mut times: Vec<i64> = lines.iter().map(time).collect();
    times.sort_unstable();
    let middle = &times[number / 20..number - number / 20];
    let seconds = (middle[middle.len() - 1] - middle[0]) as f64 / 1e3;
    (lines, (middle.len() as f64 / seconds) as usize)
}

/// Sends pieces of the stream in its order, each by the next caller that is free, and not before it is due.
fn send(servers: &[&Server], lines: &[String], callers: usize, rate: Option<usize>) -> Decisions {
    let (next, decisions) = (AtomicUsize::new(0), Mutex::new(Decisions::new()));
    let pieces: Vec<&[String]> = lines.chunks(PIECE).collect();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for caller in 0..callers {
            let (next, pieces, decisions) = (&next, &pieces, &decisions);
            let mut connection = servers[caller % servers.len()].connect();
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(piece) = pieces.get(number) else { return };
                    if let Some(rate) = rate {
                        let due = Duration::from_secs_f64((number * PIECE) as f64 / rate as f64);
                        std::thread::sleep(due.saturating_sub(began.elapsed()));
                    }
                    let answered = ask(&mut connection, piece);
                    decisions.lock().unwrap().extend(answered);
                }
            });
        }
    });
    let decisions = decisions.into_inner().unwrap();
    assert_eq!(decisions.len(), lines.len(), "each has its verdict");
    decisions
}

fn ask(connection: &mut Connection, piece: &[String]) -> Vec<(String, (u64, String))> {
    let answer = connection.call("POST", "/v1/ratings/batch", piece.join("\n").as_bytes()).unwrap();
    let verdict = |line: &str| {
        let verdict: Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| verdict[field].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
        (text("rating_id"), (verdict["sequence"].as_u64().unwrap(), text("decision")))
    };
    answer.text().lines().map(verdict).collect()
}

/// What one node with a log of its own decides.
fn alone(lines: &[String], callers: usize, rate: Option<usize>) -> Decisions {
    let place = Place::new();
    let server = Server::start_with(&place, "", "operator", &[KEY]);
    let decisions = send(&[&server], lines, callers, rate);
    server.stop();
    decisions
}

/// How many are decided otherwise, and of these, how many only the first holds.
fn differ(one: &Decisions, other: &Decisions) -> (usize, usize) {
    let different = one.iter().filter(|(id, (_, decision))| other[*id].1 != *decision);
    let held = different.clone().filter(|(_, (_, decision))| decision != "admit").count();
    (different.count(), held)
}

/// A histogram of all nodes together: upper bounds and how many are up to there.
fn histogram(servers: &[&Server], name: &str) -> Vec<(f64, u64)> {
    let mut sum: Vec<(f64, u64)> = Vec::new();
    for server in servers {
        let text = server.get("/metrics").text();
        let begins = format!("{name}_bucket{{le=\"");
        let buckets = text.lines().filter_map(|line| line.strip_prefix(&begins)?.split_once("\"} "));
        for (place, (bound, count)) in buckets.enumerate() {
            let (bound, count) = (bound.parse().unwrap_or(f64::INFINITY), count.parse::<u64>().unwrap());
            match sum.get_mut(place) {
                Some(bucket) => bucket.1 += count,
                None => sum.push((bound, count)),
            }
        }
    }
    sum
}

/// The bound under which such a share is.
fn quantile(buckets: &[(f64, u64)], share: f64) -> f64 {
    let all = buckets.last().map_or(0, |bucket| bucket.1);
    let enough = buckets.iter().find(|(_, count)| *count as f64 >= share * all as f64);
    enough.map_or(f64::NAN, |bucket| bucket.0)
}

/// Compares, prints what it finds, and gives the share of ratings that three nodes decide otherwise than one, and
/// the share that they would not have if they had seen all.
fn compare(cluster: &Cluster, topics: &'static str, lines: &[String], rate: Option<usize>) -> [f64; 2] {
    let in_order = alone(lines, 1, None);
    let at_once = alone(lines, CALLERS, rate);
    let nodes = Nodes::of(cluster, topics, &["a", "b", "c"]);
    let running = [0, 1, 2].map(|node| nodes.start(node));
    let servers: Vec<&Server> = running.iter().collect();
    let began = Instant::now();
    let together = send(&servers, lines, CALLERS, rate);
    let seconds = began.elapsed().as_secs_f64();
    let staleness = histogram(&servers, "zhenping_cluster_staleness_seconds");
    let unseen = histogram(&servers, "zhenping_cluster_unseen_entries");
    running.into_iter().for_each(Server::stop);
    nodes.assert_same();
    // The order of the three nodes' log, for one node.
    let by_id: HashMap<String, &String> = lines.iter().map(|line| (id_of(line), line)).collect();
    let mut order: Vec<(u64, &String)> =
        together.iter().map(|(id, (place, _))| (*place, by_id[id])).collect();
    order.sort_unstable_by_key(|(place, _)| *place);
    let replayed: Vec<String> = order.into_iter().map(|(_, line)| line.clone()).collect();
    let played = alone(&replayed, 1, None);

    let share = |count: usize| count as f64 / lines.len() as f64;
    let held = in_order.values().filter(|(_, decision)| decision != "admit").count();
    println!(
        "{} ratings, {held} of them held by one node in order; three nodes took {:.0} a second ({})",
        lines.len(),
        lines.len() as f64 / seconds,
        rate.map_or("as fast as they answer".to_owned(), |rate| format!("{rate} asked for"))
    );
    println!(
        "staleness at most {:.0} ms in half of the groups, {:.0} ms in 99 %; unseen entries at most {} and {}",
        quantile(&staleness, 0.5) * 1e3,
        quantile(&staleness, 0.99) * 1e3,
        quantile(&unseen, 0.5),
        quantile(&unseen, 0.99)
    );
    let say = |what: &str, (count, held): (usize, usize)| {
        println!(
            "  {what}: {count} differ ({:.4} %), {held} of them held by the first alone",
            share(count) * 1e2
        );
    };
    say("one node in order, one node with callers at once", differ(&in_order, &at_once));
    say("one node in order, three nodes", differ(&in_order, &together));
    say("one node with the three nodes' order, one node in order", differ(&played, &in_order));
    say("one node with the three nodes' order, three nodes", differ(&played, &together));
    [share(differ(&in_order, &together).0), share(differ(&played, &together).0)]
}

fn id_of(line: &str) -> String {
    let rating: Value = serde_json::from_str(line).unwrap();
    rating["rating_id"].as_str().unwrap().to_owned()
}

#[test]
fn three_nodes_decide_as_one_does_but_for_what_they_had_not_seen() {
    let Some(cluster) = Cluster::start(2) else { return };
    let (lines, a_second) = busy_city(setting("CLUSTER_RATINGS", 20_000));
    let [from_one, unseen] = compare(&cluster, "own-pace", &lines, Some(a_second));
    assert!(from_one < SHARE_MAX, "{from_one} are decided otherwise");
    assert!(unseen < SHARE_MAX, "{unseen} are decided otherwise");
}

#[test]
fn three_nodes_that_are_asked_in_turn_decide_as_one_does() {
    let Some(cluster) = Cluster::start(2) else { return };
    let lines = lines(6_000);
    let in_order = alone(&lines, 1, None);
    let nodes = Nodes::of(&cluster, "in-turn", &["a", "b", "c"]);
    let running = [0, 1, 2].map(|node| nodes.start(node));
    let mut connections: Vec<Connection> = running.iter().map(Server::connect).collect();
    let mut together = Decisions::new();
    for (turn, piece) in lines.chunks(50).enumerate() {
        together.extend(ask(&mut connections[turn % 3], piece));
    }
    let different: Vec<_> =
        in_order.iter().filter(|(id, (_, decision))| together[*id].1 != *decision).collect();
    assert!(
        (different.len() as f64) < SHARE_MAX * lines.len() as f64,
        "another node may be some milliseconds behind, no more: {different:?}"
    );
    running.into_iter().for_each(Server::stop);
    nodes.assert_same();
}

#[test]
#[ignore = "it is a measurement"]
fn measure_decisions() {
    let Some(cluster) = Cluster::start(2) else { return };
    let (number, rate) = (setting("CLUSTER_RATINGS", 100_000), setting("CLUSTER_RATE", 2_000));
    println!("a busy city at its own pace");
    let (busy, a_second) = busy_city(number);
    compare(&cluster, "own-pace", &busy, Some(a_second));
    let lapse = lines(number);
    println!("\nten days of a small city in a time lapse");
    compare(&cluster, "lapse", &lapse, Some(rate));
    println!("\nand as fast as it goes");
    compare(&cluster, "flat-out", &lapse, None);
}
