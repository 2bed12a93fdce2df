//! `POST /v1/ratings`.

use std::time::{Duration, Instant};

use zhenping::access::Role;

use crate::client::rating;
use crate::fake::Running;

#[test]
fn a_rating_gets_its_verdict() {
    let server = Running::start();
    let answer = server.rate(rating("R-1", 5));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), server.fake.verdicts.lock().unwrap()[0]);
}

#[test]
fn the_service_gets_the_bytes_as_they_came() {
    let server = Running::start();
    let long = format!(r#" {{ "rating_id":"R-1","comment":"{}" }} "#, "很好".repeat(5_000));
    assert_eq!(server.rate(&long).status, 200);

    let mut connection = server.connect();
    let whole = server.post_bytes("/v1/ratings", Some(Role::Intake), "application/json", long.as_bytes());
    for piece in whole.chunks(4_001) {
        connection.send(piece);
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(connection.answer().status, 200);

    let head = server.head("POST", "/v1/ratings", Some(Role::Intake));
    connection.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
    for piece in long.as_bytes().chunks(999) {
        connection.send(format!("{:x}\r\n", piece.len()));
        connection.send(piece);
        connection.send("\r\n");
    }
    connection.send("0\r\n\r\n");
    assert_eq!(connection.answer().status, 200);

    let bodies = server.fake.bodies.lock().unwrap();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| body == long.as_bytes()));
}

#[test]
fn bytes_that_are_no_text_are_the_services_to_refuse() {
    let server = Running::start();
    let problem = server.rate(b"{\"rating_id\":\"\xff\xfe\"}").problem(422);
    assert_eq!(problem["path"], "$");
    server.rate("").problem(422);
}

#[test]
fn a_refusal_names_the_field_what_was_found_and_what_is_allowed() {
    let server = Running::start();
    let problem = server.rate(r#"{"stars":5}"#).problem(422);
    assert_eq!(problem["path"], "$.rating_id");
    assert_eq!(problem["found"], "nothing");
    assert_eq!(problem["allowed"], "1 to 128 characters");
    assert_eq!(problem["code"], "missing");
}

#[test]
fn other_content_under_one_id_is_a_conflict() {
    let server = Running::start();
    assert_eq!(server.rate(rating("conflict-1", 5)).problem(409)["rating_id"], "conflict-1");
}

#[test]
fn a_shed_caller_is_told_when_to_come_again() {
    let server = Running::start();
    let answer = server.rate(rating("shed-1", 5));
    answer.problem(503);
    assert_eq!(answer.header("retry-after"), Some("7"));
    server.rate(rating("stopping-1", 5)).problem(503);
}

#[test]
fn no_verdict_in_time_is_no_endless_wait() {
    let server = Running::with(|config| config.http.answer_timeout_ms = 100);
    let began = Instant::now();
    let answer = server.rate(rating("silent-1", 5));
    let problem = answer.problem(503);
    assert!(problem["detail"].as_str().unwrap().contains("100 ms"));
    assert!(answer.header("retry-after").is_some());
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_body_beyond_the_limit_is_refused_and_the_limit_named() {
    let server = Running::with(|config| config.http.body_bytes_max = 8_192);
    let within = format!(r#"{{"rating_id":"R-1","comment":"{}"}}"#, "x".repeat(8_000));
    assert_eq!(server.rate(&within).status, 200);
    let beyond = "x".repeat(8_193);
    let problem = server.rate(&beyond).problem(413);
    assert!(problem["detail"].as_str().unwrap().contains("8192 bytes"));

    let head = server.head("POST", "/v1/ratings", Some(Role::Intake));
    let mut connection = server.connect();
    connection.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n2001\r\n{beyond}\r\n0\r\n\r\n"));
    connection.answer().problem(413);
    // A declared length is refused before any of it comes.
    let mut connection = server.connect();
    connection.send(format!("{head}Content-Length: 99999999999\r\n\r\n"));
    connection.answer().problem(413);
    assert_eq!(server.fake.bodies.lock().unwrap().len(), 1);
}

#[test]
fn another_media_type_is_refused_and_none_is_taken_for_json() {
    let server = Running::start();
    let form = "application/x-www-form-urlencoded";
    let answer = server.post("/v1/ratings", Some(Role::Intake), form, rating("R-1", 5).as_bytes());
    assert_eq!(answer.problem(415)["allowed"], "application/json");
    let typed = "Application/JSON; charset=UTF-8";
    assert_eq!(
        server.post("/v1/ratings", Some(Role::Intake), typed, rating("R-1", 5).as_bytes()).status,
        200
    );
    let mut connection = server.connect();
    let body = rating("R-2", 5);
    let head = server.head("POST", "/v1/ratings", Some(Role::Intake));
    connection.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(connection.answer().status, 200);
}

#[test]
fn a_body_that_dawdles_is_given_up() {
    let server = Running::with(|config| config.http.body_timeout_s = 1);
    let mut connection = server.connect();
    let head = server.head("POST", "/v1/ratings", Some(Role::Intake));
    connection.send(format!("{head}Content-Length: 20\r\n\r\n{{"));
    let problem = connection.answer().problem(408);
    assert!(problem["detail"].as_str().unwrap().contains("1 s"));
}

#[test]
fn another_method_is_told_which_there_is() {
    let server = Running::start();
    let answer = server.get("/v1/ratings", Role::Intake);
    answer.problem(405);
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[test]
fn requests_sent_ahead_are_answered_in_their_order() {
    let server = Running::start();
    let mut connection = server.connect();
    let many: Vec<u8> = (0..50)
        .flat_map(|number| {
            let body = rating(&format!("R-{number}"), 5);
            server.post_bytes("/v1/ratings", Some(Role::Intake), "application/json", body.as_bytes())
        })
        .collect();
    connection.send(many);
    for number in 0..50 {
        assert_eq!(connection.answer().json()["rating_id"], format!("R-{number}"));
    }
}

#[test]
fn a_client_that_waits_to_be_told_to_go_on_is_told() {
    let server = Running::start();
    let body = rating("R-1", 5);
    let head = server.head("POST", "/v1/ratings", Some(Role::Intake));
    let mut connection = server.connect();
    connection.send(format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len()));
    assert_eq!(connection.head().status, 100);
    connection.send(body);
    assert_eq!(connection.answer().status, 200);
}

#[test]
fn answers_are_counted_by_route_and_status() {
    let server = Running::start();
    server.rate(rating("R-1", 5));
    server.rate(rating("R-2", 5));
    server.rate("x");
    server.get("/v1/ratings/R-1/verdict", Role::Intake);
    server.get("/nowhere/R-1", Role::Intake);
    let text = server.metrics.text().unwrap();
    for line in [
        r#"zhenping_http_requests_total{route="/v1/ratings",status="200"} 2"#,
        r#"zhenping_http_requests_total{route="/v1/ratings",status="422"} 1"#,
        r#"zhenping_http_requests_total{route="/v1/ratings/{rating_id}/verdict",status="200"} 1"#,
        r#"zhenping_http_requests_total{route="none",status="404"} 1"#,
        r#"zhenping_latency_seconds_count{stage="total"} 2"#,
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("R-1"), "no identifier becomes a label");
}
