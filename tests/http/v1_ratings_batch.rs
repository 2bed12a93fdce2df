//! `POST /v1/ratings/batch`.

use serde_json::Value;
use zhenping::access::Role;

use crate::client::{Answer, Connection, rating};
use crate::fake::Running;

const PATH: &str = "/v1/ratings/batch";

fn batch(server: &Running, body: &str) -> Answer {
    server.post(PATH, Some(Role::Intake), "application/x-ndjson", body.as_bytes())
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn begin(server: &Running) -> Connection {
    let mut connection = server.connect();
    let head = server.head("POST", PATH, Some(Role::Intake));
    connection
        .send(format!("{head}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"));
    connection
}

fn send_piece(connection: &mut Connection, piece: &str) {
    connection.send(format!("{:x}\r\n{piece}\r\n", piece.len()));
}

#[test]
fn every_line_is_answered_in_order() {
    let server = Running::start();
    let body: String = (0..2_000).map(|number| rating(&format!("R-{number}"), 5) + "\n").collect();
    let answers = lines(&batch(&server, &body));
    assert_eq!(answers.len(), 2_000);
    assert!((0..).zip(&answers).all(|(number, answer)| answer["rating_id"] == format!("R-{number}")));
}

#[test]
fn a_bad_line_has_an_error_in_its_place_and_an_empty_one_nothing() {
    let server = Running::with(|config| config.http.body_bytes_max = 8_192);
    let long = "x".repeat(8_193);
    let (first, conflict, last) = (rating("R-1", 5), rating("conflict-1", 5), rating("R-2", 1));
    let answers = lines(&batch(&server, &format!("{first}\n\n{{\r\n   \n{conflict}\r\n{long}\n{last}")));
    assert_eq!(answers.len(), 5);
    assert_eq!(answers[0]["rating_id"], "R-1");
    assert_eq!((&answers[1]["line"], &answers[1]["error"]["status"]), (&3.into(), &422.into()));
    assert_eq!((&answers[2]["line"], &answers[2]["error"]["status"]), (&5.into(), &409.into()));
    assert_eq!((&answers[3]["line"], &answers[3]["error"]["status"]), (&6.into(), &413.into()));
    assert!(answers[3]["error"]["detail"].as_str().unwrap().contains("8192"));
    assert_eq!(answers[4]["decision"], "hold");
}

#[test]
fn an_empty_batch_has_no_answers() {
    let server = Running::start();
    assert_eq!(lines(&batch(&server, "")), Vec::<Value>::new());
    assert_eq!(lines(&batch(&server, "\n\n")), Vec::<Value>::new());
}

#[test]
fn answers_come_while_the_batch_is_still_being_sent() {
    let server = Running::start();
    let mut connection = begin(&server);
    assert_eq!(connection.head().status, 200);
    for number in 0..5 {
        let id = format!("R-{number}");
        let (begun, rest) = (rating(&id, 5), "\n");
        send_piece(&mut connection, &begun);
        send_piece(&mut connection, rest);
        let answer: Value = serde_json::from_str(&connection.chunk().unwrap()).unwrap();
        assert_eq!(answer["rating_id"], id);
    }
    connection.send("0\r\n\r\n");
    assert_eq!(connection.chunk(), None);
}

#[test]
fn a_batch_beyond_its_lines_ends_with_the_limit() {
    let server = Running::with(|config| config.http.batch_lines_max = 3);
    let body: String = (1..=5).map(|number| rating(&format!("R-{number}"), 5) + "\n").collect();
    let answers = lines(&batch(&server, &body));
    assert_eq!(answers.len(), 4);
    assert_eq!((&answers[3]["line"], &answers[3]["error"]["status"]), (&4.into(), &413.into()));
    assert!(answers[3]["error"]["detail"].as_str().unwrap().contains("up to 3 lines"));
    assert_eq!(server.fake.bodies.lock().unwrap().len(), 3);
}

#[test]
fn a_batch_that_stands_still_is_ended_and_says_where() {
    let server = Running::with(|config| config.http.batch_idle_s = 1);
    let mut connection = begin(&server);
    connection.head();
    send_piece(&mut connection, &format!("{}\n{{", rating("R-1", 5)));
    assert!(connection.chunk().unwrap().contains("R-1"));
    let ended: Value = serde_json::from_str(&connection.chunk().unwrap()).unwrap();
    assert_eq!((&ended["line"], &ended["error"]["status"]), (&2.into(), &408.into()));
}

#[test]
fn only_so_many_batches_run_at_once() {
    let server = Running::with(|config| config.http.batches_max = 1);
    let mut first = begin(&server);
    first.head();
    let second = batch(&server, &rating("R-1", 5));
    second.problem(503);
    assert_eq!(second.header("retry-after"), Some("1"));
    first.send("0\r\n\r\n");
    assert_eq!(first.chunk(), None);
    drop(first);
    // The place is free once the task behind the first batch has seen its end.
    let freed = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        batch(&server, &rating("R-1", 5)).status == 200
    });
    assert!(freed);
}

#[test]
fn another_media_type_is_refused() {
    let server = Running::start();
    let answer = server.post(PATH, Some(Role::Intake), "multipart/form-data", b"x");
    assert_eq!(answer.problem(415)["allowed"], "application/x-ndjson");
    assert_eq!(server.post(PATH, Some(Role::Intake), "application/jsonl", b"x").status, 200);
}

#[test]
fn a_stop_ends_the_batch_after_what_was_taken() {
    let server = Running::start();
    let mut connection = begin(&server);
    connection.head();
    send_piece(&mut connection, &(rating("R-1", 5) + "\n"));
    assert!(connection.chunk().unwrap().contains("R-1"));
    server.stop.send_replace(true);
    let ended: Value = serde_json::from_str(&connection.chunk().unwrap()).unwrap();
    assert_eq!((&ended["line"], &ended["error"]["status"]), (&2.into(), &503.into()));
    assert_eq!(connection.chunk(), None);
}
