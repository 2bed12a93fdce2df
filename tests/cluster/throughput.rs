//! What a rating costs where nodes, servers and the sender share this machine's cores; what `zhenping scale` makes of
//! that for two nodes and for three; and what they do. Not a test: it asserts no time.
//!
//! `cargo test --release --features fluvio --test cluster throughput -- --ignored --nocapture`
//!
//! Costs come from one node alone: at its own ratings, in large groups and in small ones; with readers beside it that
//! do nothing else; and at the ratings of a node that is gone, which it reads from the log.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use zhenping::broker::Broker;

use crate::harness::Cluster;
use crate::nodes::{KEY, Nodes, lines, setting};
use crate::support::{Place, Server, program, rating, succeed, wait_for};

/// Connections to each node.
const CONNECTIONS: usize = 4;
/// Lines of a batch that a node scores together.
const CHUNK: usize = 512;
/// Ratings in a request: many, and few, so that groups are large, and small.
const BATCHES: [usize; 2] = [10_000, 50];
/// Readers of the log beside the node.
const READERS: usize = 2;

/// CPU seconds of a process so far.
fn cpu(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process is there");
    let after_name = stat.rsplit_once(')').expect("it has a name").1;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().unwrap());
    // SAFETY: sysconf reads a constant of the system.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    ticks.sum::<f64>() / per_second as f64
}

/// CPU seconds of a child, which this waits for, and what it wrote.
fn ended(mut child: Child) -> (f64, String) {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().expect("it is piped"), &mut text).unwrap();
    // SAFETY: both are plain numbers, for the system to write to.
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    // SAFETY: the child was started here and nobody else waits for it; both pointers are to live values.
    let waited = unsafe { libc::wait4(child.id() as i32, &raw mut status, 0, &raw mut usage) };
    assert!(waited > 0 && status == 0, "load failed: {text}");
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    (seconds(usage.ru_utime) + seconds(usage.ru_stime), text)
}

/// A metric without labels.
fn metric(server: &Server, name: &str) -> f64 {
    let text = server.get("/metrics").text();
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.map_or(0.0, |value| value.parse().unwrap())
}

/// Groups that went to the log.
fn groups(servers: &[&Server]) -> f64 {
    servers.iter().map(|server| metric(server, "zhenping_cluster_append_seconds_count")).sum()
}

/// What a load took.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    ratings: f64,
    per_second: f64,
    groups: f64,
    /// CPU seconds.
    client: f64,
    nodes: f64,
    leader: f64,
    other: f64,
    controller: f64,
}

/// `zhenping load` of a file's first ratings.
fn load(servers: &[&Server], file: &Path, batch: usize, ratings: usize) -> (f64, f64) {
    let mut command = Command::new(program());
    command.arg("load").arg(file);
    for server in servers {
        command.args(["--to", &server.address.to_string()]);
    }
    let tokens: Vec<&str> = servers.iter().map(|server| server.token.as_str()).collect();
    let connections = (CONNECTIONS * servers.len()).to_string();
    command.args(["--token", &tokens.join(","), "--connections", &connections]);
    command.args(["--batch", &batch.to_string(), "--ratings", &ratings.to_string()]);
    let (cpu, text) = ended(command.stdout(Stdio::piped()).spawn().expect("the program is there"));
    let rate =
        text.lines().find_map(|line| line.strip_prefix("rate")?.trim().split(' ').next()?.parse().ok());
    (cpu, rate.unwrap_or_else(|| panic!("{text}")))
}

/// Measures a load after some ratings for a start.
fn measured(
    cluster: Option<&Cluster>,
    servers: &[&Server],
    files: &Files,
    batch: usize,
    ratings: usize,
) -> Cost {
    load(servers, &files.warm, batch, files.warm_ratings);
    let idle = load(servers, &files.ratings, 1, 1).0;
    let processes = cluster.map(|cluster| cluster.processes());
    let now = || {
        let nodes: f64 = servers.iter().map(|server| cpu(server.child.id())).sum();
        (nodes, processes.map(|processes| processes.map(cpu)).unwrap_or_default(), groups(servers))
    };
    let before = now();
    let (client, per_second) = load(servers, &files.ratings, batch, ratings);
    let after = now();
    let server = |at: usize| after.1[at] - before.1[at];
    // Of the controller and the two servers, the one that leads the log.
    let leader = cluster.map_or(0, |cluster| cluster.leader("city-log"));
    Cost {
        ratings: ratings as f64,
        per_second,
        groups: after.2 - before.2,
        client: client - idle,
        nodes: after.0 - before.0,
        leader: server(1 + leader),
        other: server(2 - leader),
        controller: server(0),
    }
}

struct Files {
    _place: Place,
    warm: PathBuf,
    ratings: PathBuf,
    warm_ratings: usize,
}

impl Files {
    fn write(warm_ratings: usize, ratings: usize) -> Self {
        let (place, lines) = (Place::new(), lines(warm_ratings + ratings));
        let (warm, rest) = lines.split_at(warm_ratings);
        let (warm, ratings) =
            (place.write("warm.ndjson", warm.join("\n")), place.write("ratings.ndjson", rest.join("\n")));
        Self { _place: place, warm, ratings, warm_ratings }
    }
}

/// What a message and a rating cost, if `first` and `second` are what two loads did.
fn message_and_rating(cost: impl Fn(&Cost) -> f64, [first, second]: [&Cost; 2]) -> [f64; 2] {
    let determinant = first.groups * second.ratings - second.groups * first.ratings;
    let message = (cost(first) * second.ratings - cost(second) * first.ratings) / determinant;
    // Noise must not make either negative.
    let message = message.clamp(0.0, cost(second) / second.groups);
    [message, (cost(first) - message * first.groups).max(0.0) / first.ratings]
}

fn say(what: &str, cost: &Cost) {
    let each = |seconds: f64| seconds / cost.ratings * 1e6;
    println!(
        "{what:36} {:8.0} ratings/s  {:6.0} in a group  CPU µs a rating: client {:5.2}, nodes {:6.2}, leader {:5.2}, \
         other server {:5.2}, controller {:4.2}; together {:6.2}",
        cost.per_second,
        cost.ratings / cost.groups,
        each(cost.client),
        each(cost.nodes),
        each(cost.leader),
        each(cost.other),
        each(cost.controller),
        each(cost.client + cost.nodes + cost.leader + cost.other + cost.controller)
    );
}

#[test]
#[ignore = "it is a measurement"]
fn throughput() {
    let (many, few) = (setting("CLUSTER_RATINGS", 150_000), setting("CLUSTER_RATINGS", 150_000) / 4);
    let files = Files::write(20_000, many);
    let embedded = {
        let place = Place::new();
        let server = Server::start_with(&place, "", "operator", &[KEY]);
        measured(None, &[&server], &files, BATCHES[0], many)
    };
    say("a log of its own", &embedded);

    let one_node = |batch: usize, ratings: usize, readers: usize| {
        let cluster = Cluster::start(2).expect("it was started before");
        let nodes = Nodes::new(&cluster, &["a", "b"]);
        let server = nodes.start(0);
        let over = AtomicBool::new(false);
        let cost = std::thread::scope(|scope| {
            for _ in 0..readers {
                let partition = cluster.broker().partition("city-log", 0).expect("it is there");
                let over = &over;
                scope.spawn(move || {
                    let mut follow = partition.follow(0).expect("it is there");
                    while !over.load(Ordering::Relaxed) {
                        follow.next(Duration::from_millis(200)).expect("it is there");
                    }
                });
            }
            let cost = measured(Some(&cluster), &[&server], &files, batch, ratings);
            over.store(true, Ordering::Relaxed);
            cost
        });
        (cluster, nodes, server, cost)
    };
    let (cluster, nodes, server, large) = one_node(BATCHES[0], many, 0);
    say("through the log, large groups", &large);
    // One rating after the other: how long an append takes where nothing else goes on.
    let taken = |server: &Server| {
        ["sum", "count"].map(|part| metric(server, &format!("zhenping_cluster_append_seconds_{part}")))
    };
    let before = taken(&server);
    (0..200).for_each(|n| {
        assert_eq!(server.post("/v1/ratings", rating(&format!("light-{n}"), 4, "")).status, 200)
    });
    let after = taken(&server);
    let append = (after[0] - before[0]) / (after[1] - before[1]) * 1e6;
    server.stop();
    // Another node, alone, reads what the first has scored.
    let entries = (many + files.warm_ratings) as f64;
    let leader = cluster.processes()[1 + cluster.leader("city-log")];
    let before = cpu(leader);
    let reader = nodes.start(1);
    let pushed = (cpu(leader) - before) / entries * 1e6;
    // What a start costs by itself is not the ratings'.
    let start = {
        let place = Place::new();
        let server = Server::start_with(&place, "", "operator", &[KEY]);
        cpu(server.child.id())
    };
    let fold = (cpu(reader.child.id()) - start) / entries * 1e6;
    reader.stop();
    drop(cluster);
    let (.., small) = one_node(BATCHES[1], few, 0);
    say("through the log, small groups", &small);
    let (.., read) = one_node(BATCHES[1], few, READERS);
    say("and two readers beside it", &read);

    let fit =
        |cost: fn(&Cost) -> f64| message_and_rating(cost, [&large, &small]).map(|seconds| seconds * 1e6);
    let [message, own] = fit(|cost| cost.nodes);
    let [led, led_each] = fit(|cost| cost.leader);
    let [copied, copied_each] = fit(|cost| cost.other);
    let extra = read.leader * 1e6 - led * read.groups - led_each * read.ratings;
    let push = (extra / READERS as f64 - pushed * read.ratings) / read.groups;
    let push = push.clamp(0.0, led);
    let (lane, lane_each) = (led - push, (led_each - pushed).max(0.0));
    // Of scoring and folding, what the state sees: it takes two fifths of the one, and is most of the other
    // (docs/performance.md). On shared cores it makes no odds.
    let (observe, fold_observe) = (own * 0.4, fold * 0.6);
    let score = own - (fold - fold_observe);
    let bytes = 430.0;
    let read_us = 50.0;
    let mut costs = String::new();
    for (flag, value) in [
        ("shared-cores", std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)),
        ("cores", 2.0),
        ("batch", CHUNK as f64),
        ("queue", (CONNECTIONS * CHUNK) as f64),
        ("client-us", large.client / large.ratings * 1e6),
        ("score-us", score),
        ("observe-us", observe),
        ("fold-us", fold),
        ("fold-observe-us", fold_observe),
        ("message-us", message),
        ("append-us", (append - 2.0 * read_us).max(lane)),
        ("append-lane-us", lane),
        ("append-byte-ns", lane_each * 1e3 / bytes),
        ("copy-us", copied),
        ("copy-byte-ns", copied_each * 1e3 / bytes),
        ("push-us", push),
        ("push-byte-ns", pushed * 1e3 / bytes),
        ("read-us", read_us),
        ("delay-ms", 0.01),
    ] {
        let _ = write!(costs, " --{flag} {}", (value * 100.0).round() / 100.0);
    }
    println!(
        "an append alone {append:.0} µs; a fold {fold:.2} µs\nzhenping scale --nodes 1,2,3 --rate 1000000{costs}"
    );
    let predicted = |nodes: usize| -> f64 {
        let nodes = nodes.to_string();
        let fixed = ["scale", "--nodes", &nodes, "--rate", "1000000", "--json"];
        let outcome: Value =
            serde_json::from_str(&succeed(fixed.into_iter().chain(costs.split_whitespace()))).unwrap();
        outcome["answered_per_s"].as_f64().unwrap()
    };
    for count in 1..=3 {
        let measured = match count {
            1 => large,
            _ => several(&files, count, many),
        };
        say(&format!("{count} nodes"), &measured);
        let predicted = predicted(count);
        println!(
            "{count} nodes: predicted {predicted:.0}, measured {:.0} ratings/s: {:+.0} %",
            measured.per_second,
            (predicted / measured.per_second - 1.0) * 100.0
        );
    }
    // Where this differs from the first, the machine was not the same all the time, and neither are the figures.
    say("one node again", &several(&files, 1, many));
    println!(
        "one node through the log takes {:.0} % of what it takes with a log of its own",
        large.per_second / embedded.per_second * 100.0
    );
}

/// Some nodes at once.
fn several(files: &Files, count: usize, ratings: usize) -> Cost {
    let cluster = Cluster::start(2).expect("it was started before");
    let nodes = Nodes::new(&cluster, &["a", "b", "c"][..count]);
    let running: Vec<Server> = (0..count).map(|node| nodes.start(node)).collect();
    let servers: Vec<&Server> = running.iter().collect();
    let cost = measured(Some(&cluster), &servers, files, BATCHES[0], ratings);
    let first = servers[0];
    wait_for("all nodes to have read everything", || {
        let seen = first.get("/v1/cluster").json();
        let nodes = seen["nodes"].as_array()?;
        let same = nodes.iter().all(|node| node["sequence"] == nodes[0]["sequence"]);
        (nodes.len() == count && same).then_some(())
    });
    running.into_iter().for_each(Server::stop);
    nodes.assert_same();
    cost
}
