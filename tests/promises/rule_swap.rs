//! Rules change under load; no caller notices but by the version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;
use zhenping::log::{self, EmbeddedLog, Entry, Log, LogOptions};

use crate::support::{Place, Server, rating, wait_for};

fn rules(weight: f64) -> String {
    format!(
        r#"
[[counter]]
name = "device.ratings_1h"
of = "count"
by = ["device"]
window = "1h"
text = {{ zh = "同一设备1小时{{value}}条", en = "{{value}} from one device within an hour" }}

[[rule]]
id = "praise"
when = "stars >= 4 && device.ratings_1h >= 1"
weight = {weight:.1}
suspect = "padded_praise"
family = "device"
state = "active"
owner = "tests"
why = {{ zh = "设备", en = "device" }}
"#
    )
}

/// The version in force, as a verdict names it.
fn in_force(server: &Server, id: &str) -> String {
    let answer = server.post("/v1/ratings", rating(id, 5, ""));
    assert_eq!(answer.status, 200, "{}", answer.text());
    version(&answer.json())
}

fn version(verdict: &Value) -> String {
    verdict["rules"].as_str().unwrap_or_else(|| panic!("no version: {verdict}")).to_owned()
}

#[test]
fn rules_are_swapped_under_load_without_a_failed_or_mixed_verdict() {
    let place = Place::new();
    let directory = place.rules(rules(0.1));
    let config =
        format!("rules.directory = {:?}\nrules.reload_poll_seconds = 1\n", directory.display().to_string());
    let server = Server::start(&place, &config, "operator");
    let (seen, done, next) = (Mutex::new(Vec::new()), AtomicBool::new(false), AtomicUsize::new(0));
    let versions = std::thread::scope(|scope| {
        for client in 0..4 {
            let (server, seen, done, next) = (&server, &seen, &done, &next);
            scope.spawn(move || {
                let mut connection = server.connect();
                while !done.load(Ordering::Relaxed) {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    let device = format!(r#","device":{{"fingerprint":"device-number-{client}"}}"#);
                    let body = rating(&format!("load-{id}"), 5, &device);
                    let answer = connection.call("POST", "/v1/ratings", body.as_bytes()).unwrap();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    seen.lock().unwrap().push(answer.json());
                }
            });
        }
        // Whatever fails, the others must end, or the failure is never seen.
        let changed =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| change_rules(&place, &server)));
        done.store(true, Ordering::Relaxed);
        changed.unwrap_or_else(|failure| std::panic::resume_unwind(failure))
    });

    let mut seen = seen.into_inner().unwrap();
    seen.sort_by_key(|verdict| verdict["sequence"].as_u64().unwrap());
    // Each set gives the one rule another weight: the risk must be that of the version that is named.
    let mut risks = BTreeMap::new();
    for verdict in &seen {
        let risk = verdict["risk"].to_string();
        let known = risks.entry(version(verdict)).or_insert_with(|| risk.clone());
        assert_eq!(*known, risk, "{verdict}");
    }
    let distinct: BTreeSet<_> = risks.values().collect();
    assert_eq!(distinct.len(), versions.len(), "{risks:?}");
    let mut order: Vec<String> = seen.iter().map(version).collect();
    order.dedup();
    assert_eq!(order, versions, "each version once, in the order in which they were brought into force");

    // A rating judged under an old set is explained by that set, also to whoever asks again.
    let first = &seen[0];
    let again = server.verdicts(first["rating_id"].as_str().unwrap());
    assert_eq!(again, std::slice::from_ref(first));
    server.stop();

    let log = EmbeddedLog::open(&log::directory(&place.data()), LogOptions::default()).unwrap();
    let activations =
        log.read_from(0).unwrap().filter(|entry| matches!(entry, Ok((_, Entry::Activation(_)))));
    assert_eq!(activations.count(), versions.len(), "each set is activated once");
}

/// Brings four sets into force one after the other, and tries a broken one; the versions.
fn change_rules(place: &Place, server: &Server) -> Vec<String> {
    let mut versions = vec![in_force(server, "v1")];

    place.rules(rules(0.2));
    let reloaded = server.post("/v1/rules/reload", "");
    assert_eq!(reloaded.status, 200, "{}", reloaded.text());
    versions.push(in_force(server, "v2"));
    assert!(reloaded.text().contains(&versions[1]), "the answer names it: {}", reloaded.text());
    let once_more = server.post("/v1/rules/reload", "");
    assert_eq!((once_more.status, once_more.text()), (200, reloaded.text()));

    place.rules(rules(0.3).replace("device.ratings_1h >= 1", "device.rating_1h >= 1"));
    let refused = server.post("/v1/rules/reload", "");
    assert_eq!(refused.status, 422, "{}", refused.text());
    for shown in ["rules.toml:", "did you mean", "device.ratings_1h"] {
        assert!(refused.text().contains(shown), "{shown} in {}", refused.text());
    }
    assert_eq!(in_force(server, "still-v2"), versions[1]);

    place.rules(rules(0.3));
    let mut attempt = 0;
    versions.push(wait_for("the change of the file to be noticed", || {
        attempt += 1;
        Some(in_force(server, &format!("poll-{attempt}"))).filter(|now| *now != versions[1])
    }));

    place.rules(rules(0.4));
    server.signal("HUP");
    versions.push(wait_for("SIGHUP", || {
        attempt += 1;
        Some(in_force(server, &format!("hup-{attempt}"))).filter(|now| *now != versions[2])
    }));
    versions
}
