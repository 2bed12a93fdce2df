//! Reference tables come into force through the log, and a wrong one changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use zhenping::log::entry::Subject;
use zhenping::log::{self, Entry, LogReader};

use crate::support::{Place, Server, rating, run, score, simulated, succeed, wait_for};

const STAFF: &str = "zhang.wei.staff";
const HELPER: &str = "helpers-own-phone-77";

fn tables(place: &Place, terminal: &str) {
    place.write("reference/terminals.csv", format!("terminal\n{terminal}\n"));
    place.write("reference/staff.csv", format!("account,department\n{STAFF},990108-GA\n"));
    place.write("reference/helpers.csv", format!("fingerprint\n{HELPER}\n"));
    place.write("reference/opening_hours.csv", "hall,weekday,open,close\n*,3,09:00,17:00\n");
    place.write(
        "reference/closed_cases.csv",
        "department,hall,window,date,cases\n990108-GA,,W1,2026-03-18,1\n",
    );
}

fn on_terminal(id: &str, terminal: &str) -> String {
    rating(id, 5, &format!(r#","device":{{"terminal":"{terminal}"}}"#))
}

fn by_staff(id: &str) -> String {
    let line =
        rating(id, 5, &format!(r#","rater":{{"account":"{STAFF}"}},"device":{{"fingerprint":"{HELPER}"}}"#));
    line.replace(r#""service":{"#, r#""service":{"hall":"990108-H1","#)
}

/// The features of each rating in `--features`, by id.
fn features(path: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| (row["rating_id"].as_str().unwrap().to_owned(), row["features"].clone())).collect()
}

fn activations(place: &Place) -> Vec<(u64, String)> {
    let log = LogReader::open(&log::directory(&place.data())).unwrap();
    let entries = log.read_from(0).unwrap().map(|entry| entry.unwrap());
    let of_tables = entries.filter_map(|(sequence, entry)| match entry {
        Entry::Activation(entry) if entry.subject == Subject::Reference => {
            let text =
                entry.files.iter().map(|(name, text)| format!("{name}:{}", String::from_utf8_lossy(text)));
            Some((sequence, text.collect()))
        }
        _ => None,
    });
    of_tables.collect()
}

#[test]
fn tables_are_read_set_their_features_and_hold_nothing_personal_in_the_log() {
    let place = Place::new();
    tables(&place, "T-1");
    let windowed = |id: &str| rating(id, 5, "").replace(r#""service":{"#, r#""service":{"window":"W1","#);
    let lines = [
        on_terminal("known", "T-1"),
        on_terminal("unknown", "T-2"),
        by_staff("staff"),
        windowed("w1"),
        windowed("w2"),
    ];
    let file = place.write("ratings.ndjson", lines.join("\n"));
    let (reference, seen) = (place.path("reference"), place.path("features.ndjson"));
    let args = ["--reference".as_ref(), reference.as_os_str(), "--features".as_ref(), seen.as_os_str()];
    assert_eq!(score(&file, &args).1, 0);
    let of = features(&seen);
    assert_eq!(of["known"]["device.class"], "official");
    assert_eq!(of["unknown"]["device.class"], "unregistered");
    assert_eq!(of["staff"]["device.class"], "helper");
    assert_eq!(
        (&of["staff"]["reference.staff"], &of["staff"]["reference.own_department"]),
        (&true.into(), &true.into())
    );
    assert_eq!(of["staff"]["timing.open"], true);
    assert_eq!(
        (&of["w1"]["reference.over_closed"], &of["w2"]["reference.over_closed"]),
        (&1.0.into(), &2.0.into())
    );
    assert!(of["known"].get("reference.staff").is_none(), "no rater: missing, not false");

    // With a data directory they are in the log, and go on from there without the folder.
    let data = place.data();
    let keep = |name: &str, line: String, more: &[&std::ffi::OsStr]| {
        let file = place.write(name, line);
        let mut args = vec!["--data".as_ref(), data.as_os_str(), "--features".as_ref(), seen.as_os_str()];
        args.extend(more);
        assert_eq!(score(&file, &args).1, 0);
        features(&seen)
    };
    keep("one.ndjson", on_terminal("one", "T-1"), &["--reference".as_ref(), reference.as_os_str()]);
    let later = keep("two.ndjson", format!("{}\n{}", on_terminal("two", "T-2"), by_staff("three")), &[]);
    assert_eq!(later["two"]["device.class"], "unregistered");
    assert_eq!(
        (&later["three"]["reference.staff"], &later["three"]["device.class"]),
        (&true.into(), &"helper".into())
    );
    let logged = activations(&place);
    assert_eq!(logged.len(), 1, "what is in force already is not activated again");
    for raw in [STAFF, HELPER] {
        assert!(!logged[0].1.contains(raw), "{}", logged[0].1);
        for file in std::fs::read_dir(log::directory(&data)).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(raw.len()).any(|window| window == raw.as_bytes()), "{raw} is in the log");
        }
    }
}

#[test]
fn a_wrong_table_is_told_whole_and_leaves_the_running_ones_in_place() {
    let place = Place::new();
    tables(&place, "T-1");
    let directory = place.path("reference").display().to_string();
    let config = format!("reference.directory = {directory:?}\nrules.reload_poll_seconds = 1\n");
    let server = Server::start(&place, &config, "operator");
    let class = |id: &str, terminal: &str| {
        assert_eq!(server.post("/v1/ratings", on_terminal(id, terminal)).status, 200);
        server.get(&format!("/v1/ratings/{id}/verdict")).json()["features"]["device.class"].clone()
    };
    assert_eq!((class("a", "T-1"), class("b", "T-2")), ("official".into(), "unregistered".into()));

    place.write("reference/terminals.csv", "termnal\nT-2\n");
    place.write("reference/opening_hours.csv", "hall,weekday,open,close\n*,8,09:00,17:00\n");
    let refused = server.post("/v1/reference/reload", "");
    assert_eq!(refused.status, 422);
    for shown in
        ["terminals.csv:1", "did you mean `terminal`", "opening_hours.csv:2: weekday", "1 (Monday) to 7"]
    {
        assert!(refused.text().contains(shown), "{shown} in {}", refused.text());
    }
    assert_eq!(class("c", "T-2"), "unregistered");
    let metrics = server.get("/metrics").text();
    let failures = metrics.lines().find(|line| line.starts_with("zhenping_reference_reload_failures_total"));
    assert!(failures.is_some_and(|line| !line.ends_with(" 0")), "{failures:?}");

    tables(&place, "T-2");
    let reloaded = server.post("/v1/reference/reload", "");
    assert_eq!(reloaded.status, 200, "{}", reloaded.text());
    assert_eq!((class("d", "T-1"), class("e", "T-2")), ("unregistered".into(), "official".into()));

    tables(&place, "T-3");
    let mut attempt = 0;
    wait_for("the change of the file to be noticed", || {
        attempt += 1;
        (class(&format!("poll-{attempt}"), "T-3") == "official").then_some(())
    });
    tables(&place, "T-4");
    server.signal("HUP");
    wait_for("SIGHUP", || {
        attempt += 1;
        (class(&format!("hup-{attempt}"), "T-4") == "official").then_some(())
    });
    server.stop();
    assert_eq!(activations(&place).len(), 4, "each set of tables is activated once");

    // A restart with wrong tables goes on with those that the log has; a first start does not.
    place.write("reference/terminals.csv", "termnal\nT-2\n");
    let server = Server::start(&place, &config, "operator");
    assert_eq!(server.post("/v1/ratings", on_terminal("z", "T-4")).status, 200);
    assert_eq!(server.get("/v1/ratings/z/verdict").json()["features"]["device.class"], "official");
    server.stop();
    let file = place.write("ratings.ndjson", rating("one", 5, ""));
    let out = run([
        "score".as_ref(),
        file.as_os_str(),
        "--reference".as_ref(),
        place.path("reference").as_os_str(),
    ]);
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("terminals.csv:1"));
}

#[test]
fn a_newcomer_sees_simulated_tables_at_work_and_they_are_checked() {
    let place = Place::new();
    let (ratings, reference) = (place.path("ratings.ndjson"), place.path("tables"));
    succeed([
        "simulate".as_ref(),
        "--days".as_ref(),
        "3".as_ref(),
        "--per-day".as_ref(),
        "6000".as_ref(),
        "--out".as_ref(),
        ratings.as_os_str(),
        "--reference".as_ref(),
        reference.as_os_str(),
    ]);
    assert_eq!(
        std::fs::read_to_string(&ratings).unwrap(),
        simulated(1, 3, 6_000),
        "the ratings are the same"
    );
    let checked =
        succeed(["reference".as_ref(), "check".as_ref(), "--reference".as_ref(), reference.as_os_str()]);
    assert!(checked.contains("(5 tables): OK") && checked.contains("terminals.csv"), "{checked}");
    let seen = place.path("features.ndjson");
    score(
        &ratings,
        &["--reference".as_ref(), reference.as_os_str(), "--features".as_ref(), seen.as_os_str()],
    );
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    for (_, features) in features(&seen) {
        *classes.entry(features["device.class"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(
        ["official", "unregistered", "helper", "personal"].iter().all(|class| classes[*class] > 0),
        "{classes:?}"
    );

    place.write("tables/holiday.csv", "date,kind\n");
    let refused =
        run(["reference".as_ref(), "check".as_ref(), "--reference".as_ref(), reference.as_os_str()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("did you mean `holidays.csv`"));
}
