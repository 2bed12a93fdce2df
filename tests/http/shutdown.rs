//! Stopping.

use std::sync::atomic::Ordering;
use std::time::Duration;

use zhenping::access::Role;

use crate::client::rating;
use crate::fake::Running;

#[test]
fn what_is_in_flight_is_finished_and_nothing_new_is_taken() {
    let server = Running::start();
    let mut idle = server.connect();
    idle.send(server.head("GET", "/healthz", None) + "\r\n");
    assert_eq!(idle.answer().status, 200);
    let mut in_flight = server.connect();
    let body = rating("slow-1", 5);
    in_flight.send(server.post_bytes("/v1/ratings", Some(Role::Intake), "application/json", body.as_bytes()));
    std::thread::sleep(Duration::from_millis(100));
    server.stop.send_replace(true);

    assert!(idle.is_closed());
    let answer = in_flight.answer();
    assert_eq!((answer.status, &answer.json()["rating_id"]), (200, &"slow-1".into()));
    assert!(in_flight.is_closed());
    assert!(server.ended.recv().unwrap());
    assert!(server.fake.stopped.load(Ordering::Relaxed), "the service behind is stopped last");
    assert!(std::net::TcpStream::connect(server.address).is_err());
}

#[test]
fn a_request_that_outlasts_the_grace_does_not_hold_up_the_end() {
    let server = Running::with(|config| config.http.shutdown_grace_s = 1);
    let mut in_flight = server.connect();
    let body = rating("silent-1", 5);
    in_flight.send(server.post_bytes("/v1/ratings", Some(Role::Intake), "application/json", body.as_bytes()));
    std::thread::sleep(Duration::from_millis(100));
    server.stop.send_replace(true);
    assert!(!server.ended.recv_timeout(Duration::from_secs(4)).unwrap());
    assert!(server.fake.stopped.load(Ordering::Relaxed));
}
