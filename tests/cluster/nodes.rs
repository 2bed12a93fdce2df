//! Three nodes of the program on a real cluster, while parts of both are ended, and one is cut off.
//!
//! `CLUSTER_RATINGS` and `CLUSTER_KILL_SECONDS` make it as long as wanted; `ZHENPING_PROGRAM` names another build
//! of the program, such as a release.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::Cluster;
use crate::support::{Connection, Place, Server, rating, simulated, succeed, wait_for};

/// Ratings in one request.
const BATCH: usize = 200;

/// A number that the environment may give.
pub fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().map_or(default, |value| value.parse().expect("a number"))
}

/// All nodes make pseudonyms with one key.
pub const KEY: (&str, &str) =
    ("ZHENPING_MASTER_KEY", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

/// The directories of nodes.
pub struct Nodes {
    names: Vec<&'static str>,
    places: Vec<Place>,
    endpoint: String,
    /// What the cluster's topics begin with.
    topics: &'static str,
}

impl Nodes {
    /// Some that have topics `city-…`.
    pub fn new(cluster: &Cluster, names: &[&'static str]) -> Self {
        Self::of(cluster, "city", names)
    }

    /// Some with topics of another name.
    pub fn of(cluster: &Cluster, topics: &'static str, names: &[&'static str]) -> Self {
        let places: Vec<Place> = names.iter().map(|_| Place::new()).collect();
        Self { names: names.to_vec(), places, endpoint: cluster.endpoint.clone(), topics }
    }

    fn config(&self, node: usize) -> String {
        format!(
            "cluster.endpoint = \"{}\"\ncluster.name = \"{}\"\ncluster.node = \"{}\"\nhttp.answer_timeout_ms = 60000\n",
            self.endpoint, self.topics, self.names[node]
        )
    }

    /// Starts one.
    pub fn start(&self, node: usize) -> Server {
        Server::start_with(&self.places[node], &self.config(node), "operator", &[KEY])
    }

    fn data(&self, node: usize) -> PathBuf {
        self.places[node].data()
    }

    /// All directories verify and have one head and the same figures; how many entries there are.
    #[track_caller]
    pub fn assert_same(&self) -> u64 {
        let of = |node: usize, arguments: &[&str]| {
            let data = self.data(node).display().to_string();
            succeed(arguments.iter().copied().chain(["--data", &data]))
        };
        let nodes = 0..self.places.len();
        let heads: Vec<String> = nodes.clone().map(|node| of(node, &["ledger", "head"])).collect();
        assert!(heads.iter().all(|head| *head == heads[0]), "{heads:#?}");
        let figures: Vec<String> = nodes.clone().map(|node| of(node, &["stats", "--json"])).collect();
        assert!(figures.iter().all(|one| *one == figures[0]), "{figures:#?}");
        nodes.for_each(|node| drop(of(node, &["ledger", "verify"])));
        let log = zhenping::log::LogReader::open(&self.data(0).join("log")).unwrap();
        log.read_from(0).unwrap().count() as u64
    }
}

fn id_of(line: &str) -> String {
    let value: Value = serde_json::from_str(line).unwrap();
    value["rating_id"].as_str().unwrap().to_owned()
}

/// What was answered: the place and the decision of each rating.
type Answered = HashMap<String, (u64, String)>;

/// Sends every line to whichever node takes it, and again until it is answered.
fn drive(nodes: &[RwLock<Option<Server>>], lines: &[String], done: &AtomicUsize) -> Answered {
    let answered: Mutex<Answered> = Mutex::default();
    let batches: Vec<&[String]> = lines.chunks(BATCH).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for worker in 0..2 * nodes.len() {
            let (next, batches, answered) = (&next, &batches, &answered);
            scope.spawn(move || {
                let mut turn = worker;
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut left: Vec<&String> = batch.iter().collect();
                    while !left.is_empty() {
                        let address = nodes[turn % nodes.len()]
                            .read()
                            .unwrap()
                            .as_ref()
                            .map(|s| (s.address, s.token.clone()));
                        let body: String = left.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
                        let answer = address.and_then(|(address, token)| {
                            Connection::open(address, &token)
                                .ok()?
                                .call("POST", "/v1/ratings/batch", body.as_bytes())
                                .ok()
                        });
                        let Some(answer) = answer.filter(|answer| answer.status == 200) else {
                            turn += 1;
                            std::thread::sleep(Duration::from_millis(50));
                            continue;
                        };
                        let mut answered = answered.lock().unwrap();
                        for verdict in answer.text().lines() {
                            let verdict: Value = serde_json::from_str(verdict).unwrap();
                            let (Some(id), Some(sequence)) =
                                (verdict["rating_id"].as_str(), verdict["sequence"].as_u64())
                            else {
                                continue;
                            };
                            let decision = verdict["decision"].as_str().unwrap().to_owned();
                            let before = answered.insert(id.to_owned(), (sequence, decision.clone()));
                            assert!(
                                before.is_none_or(|before| before == (sequence, decision)),
                                "two verdicts for {id}"
                            );
                        }
                        let before = left.len();
                        left.retain(|line| !answered.contains_key(&id_of(line)));
                        done.fetch_add(before - left.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    answered.into_inner().unwrap()
}

/// Every answered rating stands where it was said to, as it was decided, and once.
#[track_caller]
fn assert_all_there(data: &std::path::Path, answered: &Answered) {
    let log = zhenping::log::LogReader::open(&data.join("log")).unwrap();
    let mut found = 0;
    let mut seen = std::collections::HashSet::new();
    for entry in log.read_from(0).unwrap() {
        let (sequence, entry) = entry.unwrap();
        // Simulated ratings are old: what is personal in them may be erased already.
        let Some(rating) = entry.rating() else { continue };
        let id = rating.rating_id.to_string();
        assert!(seen.insert(id.clone()), "{id} is there twice");
        if let Some((place, decision)) = answered.get(&id) {
            assert_eq!((*place, decision.as_str()), (sequence, rating.decision.name()), "{id}");
            found += 1;
        }
    }
    assert_eq!(found, answered.len(), "an answered verdict is lost");
}

/// Simulated ratings of ten days.
pub fn lines(number: usize) -> Vec<String> {
    simulated(31, 10, number.div_ceil(10) as u32).lines().take(number).map(str::to_owned).collect()
}

#[test]
fn kills_of_nodes_and_of_a_server_lose_no_answered_verdict_and_double_none() {
    let Some(mut cluster) = Cluster::start(2) else { return };
    let nodes = Nodes::new(&cluster, &["a", "b", "c"]);
    let total = setting("CLUSTER_RATINGS", 6_000);
    let every = Duration::from_secs(setting("CLUSTER_KILL_SECONDS", 3) as u64);
    let lines = lines(total);
    let total = lines.len();
    let running: Vec<RwLock<Option<Server>>> =
        (0..3).map(|node| RwLock::new(Some(nodes.start(node)))).collect();
    let (done, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let began = Instant::now();
    let (answered, kills) = std::thread::scope(|scope| {
        let driving = scope.spawn(|| {
            let answered = drive(&running, &lines, &done);
            over.store(true, Ordering::Relaxed);
            answered
        });
        let (mut kills, mut server_killed) = (0, false);
        while !over.load(Ordering::Relaxed) {
            let until = Instant::now() + every;
            while Instant::now() < until && !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
                if !server_killed && done.load(Ordering::Relaxed) > total / 3 {
                    // Both copies are needed: until it is back nothing is answered.
                    server_killed = true;
                    let leader = cluster.leader("city-log");
                    cluster.kill(leader);
                    std::thread::sleep(Duration::from_secs(2));
                    cluster.restart(leader);
                }
            }
            if over.load(Ordering::Relaxed) {
                break;
            }
            let node = kills % 3;
            // Dropping it kills it.
            drop(running[node].write().unwrap().take());
            *running[node].write().unwrap() = Some(nodes.start(node));
            kills += 1;
        }
        assert!(server_killed, "a server was ended in the middle");
        (driving.join().unwrap(), kills)
    });
    let seconds = began.elapsed().as_secs_f64();
    println!("{total} ratings, {kills} kills of nodes, one of a server: {seconds:.1} s");
    assert!(kills >= 1);
    assert_eq!(answered.len(), total);
    let head = |server: &Server| server.get("/v1/cluster").json();
    wait_for("all nodes to have read everything", || {
        let seen: Vec<Value> =
            running.iter().map(|server| head(server.read().unwrap().as_ref().unwrap())).collect();
        let of = |seen: &Value| -> Option<Vec<(u64, String)>> {
            let nodes = seen["nodes"].as_array()?.iter().filter(|node| node["state"] == "ready");
            nodes.map(|node| Some((node["sequence"].as_u64()?, node["chain"].as_str()?.to_owned()))).collect()
        };
        let heads = of(&seen[0])?;
        (heads.len() == 3 && heads.iter().all(|head| *head == heads[0])).then_some(())
    });
    for server in running {
        server.into_inner().unwrap().unwrap().stop();
    }
    let entries = nodes.assert_same();
    assert!(entries >= total as u64);
    for node in 0..3 {
        assert_all_there(&nodes.data(node), &answered);
    }
}

#[test]
fn without_a_cluster_a_node_says_what_to_do() {
    if Cluster::start(1).is_none() {
        return;
    }
    let place = Place::new();
    let config =
        place.write("zhenping.toml", format!("cluster.endpoint = \"{}\"\n", crate::harness::nowhere()));
    let output = crate::support::zhenping()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(place.data())
        .arg("--config")
        .arg(config)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("127.0.0.1:") && said.contains("start the cluster"), "{said}");
}

#[test]
fn a_node_that_was_cut_off_answers_nothing_meanwhile_and_has_everything_afterwards() {
    let Some(network) = crate::network::Network::make() else { return };
    let Some(cluster) = Cluster::start_at(&network.host(), 2) else { return };
    let nodes = Nodes::new(&cluster, &["a", "b"]);
    let a = nodes.start(0);
    let mut elsewhere = std::process::Command::new("ip");
    elsewhere.args(["netns", "exec", network.name()]).arg(crate::support::program());
    let listen = format!("{}:0", network.guest());
    let b = Server::launch(elsewhere, &listen, &nodes.places[1], &nodes.config(1), "operator", &[KEY]);
    let verdict = |server: &Server, id: &str| server.post("/v1/ratings", rating(id, 4, "")).status;
    assert_eq!((verdict(&a, "one"), verdict(&b, "two")), (200, 200));
    network.cut();
    assert_eq!(verdict(&a, "three"), 200, "the rest goes on");
    wait_for("the other to be missed", || {
        let seen = a.get("/v1/cluster").json();
        let b = seen["nodes"].as_array()?.iter().find(|node| node["node"] == "b")?.clone();
        (b["state"] == "lost").then_some(())
    });
    network.join();
    wait_for("the node that was cut off", || {
        let seen = a.get("/v1/cluster").json();
        let nodes = seen["nodes"].as_array()?;
        let of = |name: &str| nodes.iter().find(|node| node["node"] == name).cloned();
        let (one, two) = (of("a")?, of("b")?);
        (two["state"] == "ready" && one["sequence"] == two["sequence"] && one["chain"] == two["chain"])
            .then_some(())
    });
    assert_eq!((verdict(&b, "four"), verdict(&a, "four")), (200, 200));
    a.stop();
    b.stop();
    nodes.assert_same();
}
