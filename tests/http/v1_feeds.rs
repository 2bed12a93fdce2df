//! `GET /v1/ratings/{rating_id}/verdict`, `/v1/verdicts`, `/v1/verdicts/stream` and `/v1/handling`.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use zhenping::access::Role;

use crate::client::{Connection, rating};
use crate::fake::Running;

fn rated(count: u64) -> Running {
    let server = Running::start();
    for number in 0..count {
        assert_eq!(server.rate(rating(&format!("R-{number}"), (number % 5 + 1) as u8)).status, 200);
    }
    server
}

#[test]
fn a_rating_has_all_its_revisions_newest_first() {
    let server = rated(2);
    server.fake.revise("R-0", 1, "admit");
    let answer = server.get("/v1/ratings/R-0/verdict", Role::Intake).json();
    let revisions: Vec<&Value> =
        answer["verdicts"].as_array().unwrap().iter().map(|v| &v["revision"]).collect();
    assert_eq!(revisions, [1, 0]);
}

#[test]
fn a_rating_that_is_not_there_is_not_found_and_an_impossible_id_refused() {
    let server = Running::start();
    server.get("/v1/ratings/R-9/verdict", Role::Intake).problem(404);
    for id in ["a%20b", "%E7%9C%9F", "%FF", &"x".repeat(129)] {
        let answer = server.get(&format!("/v1/ratings/{id}/verdict"), Role::Intake);
        answer.problem(400);
    }
}

#[test]
fn the_feed_is_read_to_its_end_by_next() {
    let server = rated(7);
    let (mut from, mut seen) = (0, Vec::new());
    loop {
        let page = server.get(&format!("/v1/verdicts?from={from}&limit=3"), Role::Intake).json();
        let verdicts = page["verdicts"].as_array().unwrap();
        seen.extend(verdicts.iter().map(|verdict| verdict["sequence"].as_u64().unwrap()));
        from = page["next"].as_u64().unwrap();
        if verdicts.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(from, 7);
    assert_eq!(
        server.get("/v1/verdicts?from=99", Role::Intake).json(),
        json!({ "verdicts": [], "next": 99 })
    );
}

#[test]
fn the_feed_for_handling_has_the_id_and_proceed_and_nothing_else() {
    let server = rated(6);
    let answer = server.get("/v1/handling", Role::Handling).json();
    let expected: Vec<Value> =
        ["R-0", "R-1", "R-5"].map(|id| json!({ "rating_id": id, "handling": "proceed" })).into();
    assert_eq!(answer, json!({ "ratings": expected, "next": 6 }));
    let part = server.get("/v1/handling?from=1&limit=1", Role::Handling).json();
    assert_eq!(part, json!({ "ratings": [{ "rating_id": "R-1", "handling": "proceed" }], "next": 2 }));
}

#[test]
fn a_parameter_that_is_wrong_is_named() {
    let server = Running::start();
    for (query, name) in [
        ("from=x", "from"),
        ("from=-1", "from"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=", ""),
        ("form=1", "query"),
        ("from=1&from=2", "query"),
        ("from=%FF", "from"),
    ] {
        let answer = server.get(&format!("/v1/verdicts?{query}"), Role::Intake);
        match name {
            "" => assert_eq!(answer.status, 200, "an empty parameter is an absent one"),
            name => assert_eq!(answer.problem(400)["path"], name, "{query}"),
        }
    }
}

#[test]
fn what_failed_behind_the_door_stays_behind_it() {
    let server = Running::start();
    server.fake.broken.store(true, Ordering::Relaxed);
    for (path, role) in [
        ("/v1/verdicts", Role::Intake),
        ("/v1/ratings/R-1/verdict", Role::Intake),
        ("/v1/handling", Role::Handling),
        ("/v1/statistics", Role::Statistics),
    ] {
        let answer = server.get(path, role);
        answer.problem(500);
        assert!(!answer.text().contains("secret"), "{}", answer.text());
    }
}

fn open_stream(server: &Running, target: &str, more: &str) -> Connection {
    let mut connection = server.connect();
    connection.send(format!("{}{more}\r\n", server.head("GET", target, Some(Role::Intake))));
    let head = connection.head();
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    connection
}

/// The id and the verdict of the next event.
fn event(connection: &mut Connection) -> (u64, Value) {
    let text = connection.until("\n\n");
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    assert_eq!(field("event:"), "verdict");
    (field("id:").parse().unwrap(), serde_json::from_str(field("data:")).unwrap())
}

#[test]
fn a_stream_has_what_is_there_and_then_what_comes() {
    let server = rated(3);
    let mut stream = open_stream(&server, "/v1/verdicts/stream?from=1", "");
    assert_eq!(event(&mut stream).0, 1);
    assert_eq!(event(&mut stream).0, 2);
    server.fake.revise("R-0", 1, "hold");
    let (id, verdict) = event(&mut stream);
    assert_eq!((id, &verdict["rating_id"], &verdict["revision"]), (3, &"R-0".into(), &1.into()));
}

#[test]
fn a_broken_stream_goes_on_after_the_last_event_seen() {
    let server = rated(5);
    let mut stream = open_stream(&server, "/v1/verdicts/stream?from=0", "Last-Event-ID: 2\r\n");
    assert_eq!(event(&mut stream).0, 3);
    assert_eq!(event(&mut stream).0, 4);
    let mut connection = server.connect();
    let head = server.head("GET", "/v1/verdicts/stream", Some(Role::Intake));
    connection.send(format!("{head}Last-Event-ID: two\r\n\r\n"));
    assert_eq!(connection.answer().problem(400)["path"], "Last-Event-ID");
}

#[test]
fn an_idle_stream_is_kept_alive() {
    let server = Running::with(|config| config.http.stream_keep_alive_s = 1);
    let mut stream = open_stream(&server, "/v1/verdicts/stream", "");
    assert!(stream.until("\n\n").contains("\n:"));
}

#[test]
fn only_so_many_streams_run_at_once() {
    let server = Running::with(|config| config.http.streams_max = 1);
    let first = open_stream(&server, "/v1/verdicts/stream", "");
    server.get("/v1/verdicts/stream", Role::Intake).problem(503);
    drop(first);
}

#[test]
fn a_stop_ends_the_streams() {
    let server = rated(1);
    let mut stream = open_stream(&server, "/v1/verdicts/stream", "");
    event(&mut stream);
    server.stop.send_replace(true);
    stream.until("\r\n0\r\n\r\n");
    assert!(server.ended.recv().unwrap(), "nothing had to be cut off");
}
