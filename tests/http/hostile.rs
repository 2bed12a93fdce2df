//! Requests that no honest client sends. The server answers or closes, and goes on serving others.

use std::time::{Duration, Instant};

use zhenping::access::Role;

use crate::client::rating;
use crate::fake::Running;

fn still_serves(server: &Running) {
    assert_eq!(server.rate(rating("R-after", 5)).status, 200);
}

#[test]
fn what_is_not_http_is_refused() {
    let server = Running::start();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"G@T / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: two\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/ratings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let mut connection = server.connect();
        connection.send(garbage);
        let refused = connection.is_closed() || (400..=505).contains(&connection.head().status);
        assert!(refused, "{garbage:?}");
    }
    still_serves(&server);
}

#[test]
fn an_unknown_method_is_not_allowed() {
    let server = Running::start();
    server.call("BREW", "/v1/ratings", Some(Role::Intake)).problem(405);
    server.call("DELETE", "/v1/verdicts", Some(Role::Intake)).problem(405);
    server.call("BREW", "/nowhere", Some(Role::Intake)).problem(404);
}

#[test]
fn a_head_beyond_its_bounds_is_refused() {
    let server = Running::start();
    let mut connection = server.connect();
    let long = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    // The server may close before all of it is sent.
    let _ = connection.try_send(long);
    assert!(connection.is_closed() || connection.head().status == 431);

    let mut connection = server.connect();
    let many: String = (0..100).map(|number| format!("X-{number}: x\r\n")).collect();
    connection.send(format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{many}\r\n"));
    assert_eq!(connection.head().status, 431);

    let mut connection = server.connect();
    let _ = connection.try_send(format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(70_000)));
    assert!(connection.is_closed() || (414..=431).contains(&connection.head().status));
    still_serves(&server);
}

#[test]
fn a_head_that_dawdles_is_closed() {
    let server = Running::with(|config| config.http.head_timeout_s = 1);
    let mut slow = server.connect();
    let mut idle = server.connect();
    slow.send("GET /healthz HTTP/1.1\r\n");
    let began = Instant::now();
    assert!(slow.is_closed());
    assert!(idle.is_closed());
    assert!(began.elapsed() < Duration::from_secs(5));
    still_serves(&server);
}

#[test]
fn a_connection_beyond_the_bound_waits_for_a_place() {
    let server = Running::with(|config| config.http.connections_max = 2);
    let first = server.connect();
    let mut second = server.connect();
    second.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(second.answer().status, 200);
    let mut third = server.connect();
    third.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    std::thread::sleep(Duration::from_millis(100));
    drop(first);
    assert_eq!(third.answer().status, 200);
}

#[test]
fn a_body_that_breaks_off_reaches_nobody() {
    let server = Running::start();
    let whole =
        server.post_bytes("/v1/ratings", Some(Role::Intake), "application/json", rating("R-1", 5).as_bytes());
    for end in [whole.len() - 1, whole.len() - 10, 30] {
        let mut connection = server.connect();
        connection.send(&whole[..end]);
    }
    let mut chunked = server.connect();
    let head = server.head("POST", "/v1/ratings", Some(Role::Intake));
    chunked.send(format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n"));
    chunked.answer().problem(400);
    still_serves(&server);
    assert_eq!(server.fake.bodies.lock().unwrap().len(), 1);
}

#[test]
fn a_caller_that_leaves_before_its_answer_harms_nobody() {
    let server = Running::start();
    for number in 0..20 {
        let body = rating(&format!("slow-{number}"), 5);
        let mut connection = server.connect();
        connection.send(server.post_bytes(
            "/v1/ratings",
            Some(Role::Intake),
            "application/json",
            body.as_bytes(),
        ));
    }
    still_serves(&server);
}

#[test]
fn paths_do_not_lead_out() {
    let server = Running::start();
    for path in ["/assets/../access.db", "/assets/%2e%2e/access.db", "/access.db", "//", "/assets/", "/v1"] {
        server.call("GET", path, Some(Role::Operator)).problem(404);
    }
}
