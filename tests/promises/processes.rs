//! One process per directory, a full queue, and an end in good order.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Connection, Place, Server, rating, run, wait_for};

#[test]
fn a_second_process_on_one_data_directory_is_refused() {
    let place = Place::new();
    let server = Server::start(&place, "", "intake");
    assert_eq!(server.post("/v1/ratings", rating("one", 5, "")).status, 200);
    let data = place.data();
    let data = data.to_str().unwrap();
    let file = place.write("ratings.ndjson", rating("two", 5, ""));
    for second in [
        &["serve", "--listen", "127.0.0.1:0", "--data", data][..],
        &["score", file.to_str().unwrap(), "--data", data],
    ] {
        let refused = run(second);
        let error = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains(data) && error.contains("process"), "it says which and why: {error}");
        assert!(refused.stdout.is_empty());
    }
    // Whoever only reads works beside it.
    for reader in [
        &["stats", "--data", data][..],
        &["ledger", "verify", "--data", data],
        &["token", "list", "--data", data],
    ] {
        let read = run(reader);
        assert!(read.status.success(), "{reader:?}: {}", String::from_utf8_lossy(&read.stderr));
    }
    assert_eq!(server.post("/v1/ratings", rating("three", 5, "")).status, 200, "the first goes on");
    server.stop();
    assert!(run(["score", file.to_str().unwrap(), "--data", data]).status.success(), "the lock went with it");
}

#[test]
fn overload_sheds_with_503_and_retry_after() {
    let place = Place::new();
    let server = Server::start(&place, "queue.depth = 1\nqueue.retry_after_s = 7\n", "operator");
    let (shed, answered, id) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..48 {
            scope.spawn(|| {
                let mut connection = server.connect();
                for _ in 0..200 {
                    if shed.load(Ordering::Relaxed) >= 5 && answered.load(Ordering::Relaxed) >= 5 {
                        return;
                    }
                    let body = rating(&format!("r{}", id.fetch_add(1, Ordering::Relaxed)), 5, "");
                    let answer = connection.call("POST", "/v1/ratings", body.as_bytes()).unwrap();
                    if answer.status == 200 {
                        answered.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    assert_eq!(answer.status, 503, "{}", answer.text());
                    assert_eq!(answer.header("retry-after"), Some("7"));
                    shed.fetch_add(1, Ordering::Relaxed);
                    // It was shed and not half taken: the same rating is welcome later.
                    wait_for("room in the queue", || {
                        let again = connection.call("POST", "/v1/ratings", body.as_bytes()).unwrap();
                        (again.status == 200).then_some(())
                    });
                }
            });
        }
    });
    assert!(shed.load(Ordering::Relaxed) > 0, "48 callers and a queue of 1: something is shed");
    let metrics = server.get("/metrics").text();
    let counted = metrics.lines().find_map(|line| line.strip_prefix("zhenping_shed_total ")).unwrap();
    assert!(counted.parse::<usize>().unwrap() >= shed.load(Ordering::Relaxed), "{counted}");
    server.stop();
}

#[test]
fn sigterm_finishes_what_is_in_flight() {
    let place = Place::new();
    let mut server = Server::start(&place, "", "intake");
    let (acked, stopping) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (server, acked, stopping) = (&server, &acked, &stopping);
            scope.spawn(move || {
                let mut connection = server.connect();
                for i in 0.. {
                    let id = format!("c{client}-{i}");
                    let body = rating(&id, 5, "");
                    match connection.call("POST", "/v1/ratings", body.as_bytes()) {
                        Ok(answer) if answer.status == 200 => acked.lock().unwrap().push((id, answer.json())),
                        Ok(answer) => {
                            assert!(stopping.load(Ordering::Relaxed), "{}", answer.text());
                            assert_eq!(answer.status, 503, "{}", answer.text());
                            return;
                        }
                        Err(error) => {
                            assert!(stopping.load(Ordering::Relaxed), "{error}");
                            return;
                        }
                    }
                }
            });
        }
        std::thread::sleep(Duration::from_millis(300));
        stopping.store(true, Ordering::Relaxed);
        server.signal("TERM");
    });
    let status = server.wait();
    assert!(status.success(), "{status}\n{}", server.log());
    assert!(server.log().contains("everything answered, everything durable"), "{}", server.log());
    assert!(Connection::open(server.address, "").is_err());

    let acked = acked.into_inner().unwrap();
    assert!(!acked.is_empty());
    let server = Server::start(&place, "", "intake");
    for (id, verdict) in acked {
        assert_eq!(server.verdicts(&id), [verdict]);
    }
    server.stop();
}

#[test]
fn a_service_that_lost_its_log_ends_and_says_so() {
    let place = Place::new();
    let mut server = Server::start(&place, "log.segment_mib = 1\n", "intake");
    let mut connection = server.connect();
    assert_eq!(connection.call("POST", "/v1/ratings", rating("r", 5, "").as_bytes()).unwrap().status, 200);
    // The segment at hand is held open; the one after it cannot be made.
    std::fs::remove_dir_all(place.data().join("log")).unwrap();
    let body: String = (0..6_000).map(|i| rating(&format!("r{i}"), 5, "") + "\n").collect();
    // The batch breaks off or says of its last lines that the service is stopping.
    let _ = connection.call("POST", "/v1/ratings/batch", body.as_bytes());
    let status = server.wait();
    assert_eq!(status.code(), Some(2), "{}", server.log());
    assert!(server.log().contains("the service cannot go on"), "{}", server.log());
}

#[test]
fn the_metrics_say_where_the_time_goes_and_what_state_holds() {
    let place = Place::new();
    let server = Server::start(&place, "", "operator");
    let device = r#","device":{"fingerprint":"0123456789abcdef"},"rater":{"account":"someone"}"#;
    for i in 0..5 {
        assert_eq!(server.post("/v1/ratings", rating(&format!("r{i}"), 5, device)).status, 200);
    }
    let text = server.get("/metrics").text();
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{name} in\n{text}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    for stage in ["queue", "score", "commit", "total"] {
        let name = format!(r#"zhenping_latency_seconds_count{{stage="{stage}"}}"#);
        assert!(value(&name) >= 5.0, "{name}");
    }
    assert!(value("zhenping_state_entities ") > 0.0);
    assert!(value("zhenping_state_bytes ") > 0.0);
    assert_eq!(value("zhenping_state_evictions_total "), 0.0);
    assert!(value("zhenping_log_head ") >= 6.0);
    server.stop();
}
