//! A power cut at any moment.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use zhenping::log::{self, EmbeddedLog, Entry, Log, LogOptions};

use crate::support::{Connection, Place, Server, run, simulated, succeed};

const CLIENTS: usize = 6;

/// An answered rating: what was sent and what came back.
struct Acked {
    body: String,
    verdict: Value,
}

/// Verdicts without what may be added to a repeat's answer.
fn first(mut verdict: Value) -> Value {
    verdict.as_object_mut().unwrap().remove("current");
    verdict
}

fn id_of(body: &str) -> String {
    serde_json::from_str::<Value>(body).unwrap()["rating_id"].as_str().unwrap().to_owned()
}

/// `ZHENPING_KILLS` says how often (default 8).
#[test]
fn an_answered_verdict_survives_kill_9() {
    let kills: u32 = std::env::var("ZHENPING_KILLS").map_or(8, |kills| kills.parse().unwrap());
    let place = Place::new();
    // Half of them come twice, and each cut leaves some that were sent and never answered.
    let bodies: Vec<String> = simulated(5, 14, 2_000).lines().map(str::to_owned).collect();
    let (next, acked) = (AtomicU64::new(0), Mutex::new(HashMap::<String, Acked>::new()));
    let mut random = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {random}");
    for round in 0..kills {
        let mut server = Server::start(&place, "log.segment_mib = 1\n", "intake");
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let alive = Duration::from_millis(20 + (random >> 33) % 400);
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                let Ok(mut connection) = Connection::open(server.address, &server.token) else { continue };
                let (next, acked, bodies) = (&next, &acked, &bodies);
                scope.spawn(move || {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed) as usize;
                        // Every other one is an older one again, answered before or not.
                        let number =
                            if number.is_multiple_of(2) { number / 2 } else { number / 2 - number / 2 % 16 };
                        let body = &bodies[number % bodies.len()];
                        let Ok(answer) = connection.call("POST", "/v1/ratings", body.as_bytes()) else {
                            return;
                        };
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        let verdict = first(answer.json());
                        let mut acked = acked.lock().unwrap();
                        let known = acked
                            .entry(id_of(body))
                            .or_insert_with(|| Acked { body: body.clone(), verdict: verdict.clone() });
                        assert_eq!(known.verdict, verdict, "a repeat gets the first verdict");
                    }
                });
            }
            std::thread::sleep(alive);
            server.child.kill().unwrap();
        });
        server.wait();
        println!("round {round}: killed after {alive:?}, {} answered", acked.lock().unwrap().len());
    }

    let acked = acked.into_inner().unwrap();
    assert!(acked.len() > kills as usize, "hardly anything was answered");
    let server = Server::start(&place, "log.segment_mib = 1\n", "intake");
    let mut connection = server.connect();
    for (id, Acked { body, verdict }) in &acked {
        let found = connection.call("GET", &format!("/v1/ratings/{id}/verdict"), b"").unwrap();
        assert_eq!(found.status, 200, "{id} was answered and is gone");
        let found = found.json();
        assert_eq!(found["verdicts"].as_array().unwrap().last(), Some(verdict));
        let again = connection.call("POST", "/v1/ratings", body.as_bytes()).unwrap();
        assert_eq!((again.status, &first(again.json())), (200, verdict));
    }
    let data = place.data();
    let data = data.to_str().unwrap();
    succeed(["ledger", "verify", "--data", data]);
    assert!(run(["stats", "--data", data]).status.success(), "stats works beside a running server");
    server.stop();

    let log = EmbeddedLog::open(&log::directory(data.as_ref()), LogOptions::default()).unwrap();
    let (mut seen, mut entries) = (HashSet::new(), 0);
    for entry in log.read_from(0).unwrap() {
        let (sequence, entry) = entry.unwrap();
        if let Entry::Rating(rating) = entry {
            entries += 1;
            let id = rating.observation.rating_id.to_string();
            if let Some(acked) = acked.get(&id) {
                assert_eq!(acked.verdict["sequence"], sequence);
            }
            assert!(seen.insert(id), "entry {sequence} is a second verdict of one rating");
        }
    }
    println!("{kills} kills, {} answered, {entries} in the log, none lost, none twice", acked.len());
}
