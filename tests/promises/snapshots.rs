//! A snapshot only shortens a start: what follows is the same with it and without.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Connection, Place, Server, rating, simulated, wait_for};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let (from, name) = (item.as_ref().unwrap().path(), item.unwrap().file_name());
        match from.is_dir() {
            true => copy(&from, &to.join(name)),
            false => drop(std::fs::copy(&from, to.join(name)).unwrap()),
        }
    }
}

/// Starts a server over a copy of the directory, with or without its snapshots, and has it judge some
/// ratings; what it saw and decided, and what it said at the start.
fn judged_by_copy(place: &Place, config: &str, ratings: &[String], with: bool) -> (Vec<Value>, String) {
    let other = Place::new();
    copy(&place.data(), &other.data());
    if !with {
        std::fs::remove_dir_all(other.path("data/snapshots")).unwrap();
    }
    let server = Server::start(&other, config, "operator");
    let mut connection = server.connect();
    let mut judged = Vec::new();
    for rating in ratings {
        let verdict = connection.call("POST", "/v1/ratings", rating.as_bytes()).unwrap();
        assert_eq!(verdict.status, 200, "{}", verdict.text());
        let verdict = verdict.json();
        let id = verdict["rating_id"].as_str().unwrap();
        let found = connection.call("GET", &format!("/v1/ratings/{id}/verdict"), b"").unwrap().json();
        let part = |name: &str| verdict[name].clone();
        judged.push(json!([id, part("decision"), part("risk"), part("reasons"), found["features"]]));
    }
    let said = server.log();
    server.stop();
    (judged, said)
}

/// Snapshots that are not whole yet.
fn unfinished_in(place: &Place) -> usize {
    let Ok(files) = std::fs::read_dir(place.path("data/snapshots")) else { return 0 };
    files.flatten().filter(|file| file.path().extension().is_some_and(|e| e == "new")).count()
}

/// Both ways of starting give the same; what each of them said.
#[track_caller]
pub fn assert_same_with_and_without(place: &Place, config: &str, ratings: &[String]) -> [String; 2] {
    let (with, said_with) = judged_by_copy(place, config, ratings, true);
    let (without, said_without) = judged_by_copy(place, config, ratings, false);
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(with, without);
    }
    assert!(said_without.contains("State: no snapshot"), "{said_without}");
    [said_with, said_without]
}

#[test]
fn a_kill_at_any_moment_leaves_a_snapshot_that_changes_no_verdict() {
    let config = "snapshots.every_entries = 150\nlog.segment_mib = 1\n";
    let place = Place::new();
    let bodies: Vec<String> = simulated(21, 5, 2_000).lines().map(str::to_owned).collect();
    let (load, rest) = bodies.split_at(bodies.len() - 200);
    let next = AtomicUsize::new(0);
    let mut unfinished = 0;
    for round in 0..6_u64 {
        let mut server = Server::start(&place, config, "intake");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let Ok(mut connection) = Connection::open(server.address, &server.token) else { continue };
                let (next, load) = (&next, &load);
                scope.spawn(move || {
                    while let Some(body) = load.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if connection.call("POST", "/v1/ratings", body.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
            let log = || server.log().matches("wrote a snapshot").count();
            let before = log();
            wait_for("a snapshot", || (log() > before).then_some(()));
            // A moment after the next one was begun: it is being written, or just has been.
            let began = Instant::now();
            while unfinished_in(&place) == 0 && began.elapsed() < Duration::from_secs(5) {}
            std::thread::sleep(Duration::from_micros(round * 233));
            server.child.kill().unwrap();
        });
        server.wait();
        unfinished += unfinished_in(&place);
    }
    println!("{unfinished} of the kills met a snapshot that was being written");
    assert!(unfinished > 0, "none of the kills met one");
    let [said, _] = assert_same_with_and_without(&place, config, rest);
    assert!(said.contains("State: a snapshot of the first"), "{said}");
}

fn rules(more: &str) -> String {
    let counter = |name: &str, by: &str, window: &str| {
        format!(
            "[[counter]]\nname = \"{name}\"\nof = \"count\"\nby = [\"{by}\"]\nwindow = \"{window}\"\ntext = {{ zh = \"{{value}}\", en = \"{{value}}\" }}\n"
        )
    };
    let new = if more.is_empty() { String::new() } else { counter(more, "everything", "90d") };
    format!("{new}{}", counter("device.ratings_1h", "device", "1h"))
}

#[test]
fn counters_declared_under_load_are_fed_from_the_log_and_no_call_fails() {
    let place = Place::new();
    let directory = place.rules(rules(""));
    let config =
        format!("rules.directory = {:?}\nrules.reload_poll_seconds = 0\n", directory.display().to_string());
    let server = Server::start(&place, &config, "operator");
    let next = AtomicUsize::new(0);
    let post = |connection: &mut Connection| {
        let id = next.fetch_add(1, Ordering::Relaxed);
        let device = format!(r#","device":{{"fingerprint":"device-number-{}"}}"#, id % 3);
        let answer = connection
            .call("POST", "/v1/ratings", rating(&format!("r-{id}"), 5, &device).as_bytes())
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    let mut first = server.connect();
    (0..150).for_each(|_| post(&mut first));
    std::thread::scope(|scope| {
        let loads: Vec<_> = (0..3)
            .map(|_| {
                let (server, post, next) = (&server, &post, &next);
                scope.spawn(move || {
                    let mut connection = server.connect();
                    let warm = || server.log().contains("new counters are warm");
                    let mut left = 40;
                    while left > 0 {
                        (0..10).for_each(|_| post(&mut connection));
                        left -= usize::from(warm());
                        assert!(next.load(Ordering::Relaxed) < 50_000, "never warm");
                    }
                })
            })
            .collect();
        place.rules(rules("everything.ratings_90d"));
        let reloaded = server.post("/v1/rules/reload", "");
        assert_eq!(reloaded.status, 200, "{}", reloaded.text());
        loads.into_iter().for_each(|load| load.join().unwrap());
    });
    // By their places in the log: the counter that means what it meant counts on over the change; the new
    // one is missing first, and then as if it had always been there.
    let mut found = Vec::new();
    for id in 0..next.load(Ordering::Relaxed) {
        let verdict = first.call("GET", &format!("/v1/ratings/r-{id}/verdict"), b"").unwrap().json();
        let features = &verdict["features"];
        let value = |name: &str| features[name].as_u64();
        let sequence = verdict["verdicts"][0]["sequence"].as_u64().unwrap();
        found.push((sequence, id % 3, value("device.ratings_1h"), value("everything.ratings_90d")));
    }
    found.sort_unstable();
    let (mut by_device, mut warm) = ([0; 3], 0);
    for (all, (_, device, by, everything)) in (1..).zip(&found) {
        by_device[*device] += 1;
        assert_eq!(*by, Some(by_device[*device]), "rating {all}");
        match everything {
            Some(value) => {
                assert_eq!(*value, all);
                warm += 1;
            }
            None => assert_eq!(warm, 0, "rating {all}: once known, always known"),
        }
    }
    assert!(warm > 100 && warm < found.len() - 150, "{warm} of {}", found.len());
    server.stop();

    let more: Vec<String> = (0..5).map(|i| rating(&format!("more-{i}"), 5, "")).collect();
    assert_same_with_and_without(&place, &config, &more);
}
