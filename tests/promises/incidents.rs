//! An incident is announced and holds nobody; restarts and batches change none of it.

use serde_json::Value;

use crate::support::{Place, Server};

/// A bad rating of an own case, by an own account on an own device and network.
fn bad(number: u32, submitted_at: &str) -> String {
    format!(
        r#"{{"rating_id":"r-{number}","submitted_at":"{submitted_at}","channel":"mobile_app","entry":"suishenban","stars":1,"service":{{"matter":"GA-001","department":"990108-GA","district":"990108","case_no":"K{number}","case_match":"matched","stage":"complete"}},"rater":{{"account":"a{number}","is_applicant":true,"verified":true,"registered_at":"2021-04-0{}T08:00:00+08:00"}},"device":{{"fingerprint":"f{number}","platform":"android","model":"m{number}"}},"network":{{"ip":"36.{}.7.9"}}}}"#,
        1 + number % 9,
        number % 200,
    )
}

/// A week with three bad ratings a day, and an outage's twelve within three quarters of an hour.
fn ratings() -> Vec<String> {
    let ordinary =
        (0..21).map(|i| bad(i, &format!("2026-03-{:02}T{:02}:{:02}:00+08:00", 9 + i / 3, 9 + i % 3 * 3, i)));
    let outage = (0..12).map(|i| bad(100 + i, &format!("2026-03-16T10:{:02}:00+08:00", i * 4)));
    ordinary.chain(outage).collect()
}

fn told(server: &Server) -> Value {
    let answer = server.get("/v1/incidents");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn an_outage_is_announced_holds_nobody_and_is_the_same_after_any_restart() {
    let place = Place::new();
    let server = Server::start(&place, "", "operator");
    for rating in ratings() {
        let verdict = server.post("/v1/ratings", rating);
        assert_eq!(verdict.status, 200, "{}", verdict.text());
        assert_eq!(verdict.json()["decision"], "admit", "{}", verdict.text());
    }
    let first = told(&server);
    let incident = &first["incidents"][0];
    assert_eq!((&incident["ratings"], &incident["raters"]), (&12.into(), &12.into()));
    assert_eq!((&incident["department"], &incident["until"]), (&"990108-GA".into(), &Value::Null));
    assert_eq!((&incident["held"], &incident["related"]), (&0.into(), &0.into()));
    let metrics = server.get("/metrics").text();
    for line in ["zhenping_incidents_open 1", "zhenping_incidents_total 1", "zhenping_alerts_total 0"] {
        assert!(metrics.lines().any(|found| found == line), "{line}");
    }
    server.stop();
    for without_snapshots in [false, true] {
        if without_snapshots {
            std::fs::remove_dir_all(place.path("data/snapshots")).unwrap();
        }
        let server = Server::start(&place, "", "operator");
        assert_eq!(told(&server), first, "without snapshots: {without_snapshots}");
        server.stop();
    }
}

#[test]
fn a_batch_announces_what_one_call_after_the_other_does() {
    let [one_by_one, at_once] = [Place::new(), Place::new()].map(|place| {
        let server = Server::start(&place, "", "operator");
        (place, server)
    });
    ratings().iter().for_each(|rating| assert_eq!(one_by_one.1.post("/v1/ratings", rating).status, 200));
    let answers = at_once.1.post("/v1/ratings/batch", ratings().join("\n") + "\n");
    assert_eq!(answers.status, 200, "{}", answers.text());
    let told = told(&at_once.1);
    assert_eq!(told["incidents"].as_array().unwrap().len(), 1);
    assert_eq!(told, self::told(&one_by_one.1));
}
