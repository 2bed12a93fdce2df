//! `/healthz`, `/readyz`, `/metrics`, `/openapi.json`, `/v1/rules/reload`, and what is nowhere.

use std::sync::atomic::Ordering;
use std::time::Duration;

use zhenping::access::Role;

use crate::fake::{Fake, Running};

#[test]
fn a_service_that_replays_is_alive_and_not_ready() {
    let server = Running::start();
    assert_eq!(server.call("GET", "/readyz", None).text(), "ready\n");
    *server.fake.not_ready.lock().unwrap() = Some("the log is being replayed, 41 %".into());
    assert_eq!(server.call("GET", "/healthz", None).status, 200);
    let problem = server.call("GET", "/readyz", None).problem(503);
    assert!(problem["detail"].as_str().unwrap().contains("41 %"));
}

#[test]
fn metrics_are_for_this_machine_and_for_operators() {
    let server = Running::start();
    let answer = server.call("GET", "/metrics", None);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    for line in [
        "zhenping_http_connections 1",
        "zhenping_log_head 0",
        r#"zhenping_pending_holds{kind="bad"} 0"#,
        r#"zhenping_rules_info{version="0011223344556677"} 1"#,
    ] {
        assert!(answer.text().contains(line), "{line}");
    }
    let head = "GET /metrics HTTP/1.1\r\nHost: metrics.example\r\n";
    let mut connection = server.connect();
    connection.send(format!("{head}\r\n"));
    connection.answer().problem(401);
    connection.send(format!("{head}Authorization: Bearer {}\r\n\r\n", server.token(Role::Operator)));
    assert_eq!(connection.answer().status, 200);
}

#[test]
fn rules_that_fail_their_checks_are_told_and_not_taken() {
    let server = Running::start();
    let in_force = server.call("POST", "/v1/rules/reload", Some(Role::Operator)).json();
    assert_eq!(in_force["version"], "0011223344556677");
    server.fake.broken.store(true, Ordering::Relaxed);
    let problem = server.call("POST", "/v1/rules/reload", Some(Role::Operator)).problem(422);
    assert!(problem["detail"].as_str().unwrap().contains("did you mean `stars`?"));
}

#[test]
fn a_changed_rule_file_is_noticed_once_it_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.toml");
    std::fs::write(&file, "one").unwrap();
    let fake = Fake::default();
    *fake.rules.lock().unwrap() = Some(directory.path().to_owned());
    let server = Running::around(fake, |config| config.rules.reload_poll_seconds = 1);
    std::thread::sleep(Duration::from_millis(300));
    std::fs::write(directory.path().join("notes.txt"), "no rules").unwrap();
    std::thread::sleep(Duration::from_millis(2_000));
    assert_eq!(server.fake.reloads.load(Ordering::Relaxed), 0);
    std::fs::write(&file, "one and two").unwrap();
    std::thread::sleep(Duration::from_millis(2_600));
    assert_eq!(server.fake.reloads.load(Ordering::Relaxed), 1);
}

#[test]
fn every_call_of_the_document_is_there() {
    let server = Running::start();
    let document = server.call("GET", "/openapi.json", None).json();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 12);
    for (path, methods) in paths {
        let target = path.replace("{rating_id}", "R-1");
        for method in methods.as_object().unwrap().keys() {
            let answer = server.call(&method.to_uppercase(), &target, None);
            let documented = methods[method]["responses"].get(answer.status.to_string());
            assert!(documented.is_some(), "{method} {path} gave {}", answer.status);
        }
    }
}

#[test]
fn a_path_that_is_nowhere_says_where_the_list_is() {
    let server = Running::start();
    let problem = server.call("GET", "/v1/rating", None).problem(404);
    assert!(problem["detail"].as_str().unwrap().contains("/openapi.json"));
}

#[test]
fn a_head_request_has_no_body() {
    let server = Running::start();
    let mut connection = server.connect();
    connection.send(server.head("HEAD", "/healthz", None) + "\r\n");
    assert_eq!(connection.head().status, 200);
    connection.send(server.head("GET", "/healthz", None) + "\r\n");
    assert_eq!(connection.answer().text(), "ok\n");
}

#[test]
fn incidents_are_told_to_operators() {
    let server = Running::start();
    let told = server.get("/v1/incidents", Role::Operator).json();
    let incident = &told["incidents"][0];
    assert_eq!((&incident["id"], &incident["ratings"]), (&"I2A".into(), &23.into()));
    assert_eq!(incident["text"]["en"], "23 bad ratings");
    assert_eq!(told["alerts"], serde_json::json!([]));
    for role in [Role::Intake, Role::Handling, Role::Statistics] {
        server.get("/v1/incidents", role).problem(403);
    }
}
