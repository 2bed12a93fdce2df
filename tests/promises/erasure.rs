//! What is personal goes after its time, and takes nothing along that is published.

use std::path::Path;

use serde_json::Value;

use crate::support::{Place, Server, run, score, simulated, succeed, wait_for, zhenping};

const KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// Scores lines into a directory; the features that each saw.
fn scored(place: &Place, data: &Path, lines: &[String]) -> Vec<Value> {
    let (piece, seen) = (place.write("piece.ndjson", lines.join("\n")), place.path("features.ndjson"));
    let output = zhenping()
        .arg("score")
        .args([piece.as_os_str(), "--data".as_ref(), data.as_ref(), "--features".as_ref(), seen.as_ref()])
        .args(["--out".as_ref(), place.path("verdicts.ndjson").as_os_str()])
        .env("ZHENPING_MASTER_KEY", KEY)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(seen).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Length of a counter's window in hours, by its name.
fn window_hours(name: &str) -> Option<u64> {
    let (_, window) = name.rsplit_once('_')?;
    let (number, unit) = window.split_at(window.len().checked_sub(1)?);
    let number: u64 = number.parse().ok()?;
    match unit {
        "m" => Some(number.div_ceil(60)),
        "h" => Some(number),
        "d" => Some(24 * number),
        _ => None,
    }
}

#[test]
fn state_that_is_rebuilt_from_an_erased_log_is_right_or_missing_and_figures_stay() {
    let place = Place::new();
    // Three days from 2026-03-18 on; the first is erased, and the third is scored after a restart.
    let lines: Vec<String> = simulated(31, 3, 1_500).lines().map(str::to_owned).collect();
    let third = lines.iter().position(|line| line.contains(r#""submitted_at": "2026-03-20T0"#)).unwrap();
    let (before, after) = lines.split_at(third);
    let [whole, erased, kept] = ["whole", "erased", "kept"].map(|name| place.path(name));
    let data = |path: &Path| path.to_str().unwrap().to_owned();
    let stats = |path: &Path| succeed(["stats", "--data", &data(path), "--json"]);
    for path in [&whole, &erased, &kept] {
        scored(&place, path, before);
    }
    let (figures, head) = (stats(&erased), succeed(["ledger", "head", "--data", &data(&erased)]));
    for path in [&erased, &kept] {
        let said = succeed(["ledger", "erase", "--before", "2026-03-19", "--data", &data(path)]);
        assert!(!said.contains("Erased: 0 records"), "{said}");
    }
    assert_eq!(stats(&erased), figures, "the figures need nothing that is personal");
    let verified = run(["ledger", "verify", "--data", &data(&erased), "--head", head.trim()]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));

    std::fs::remove_dir_all(erased.join("snapshots")).unwrap();
    let expected = scored(&place, &whole, after);
    assert_eq!(scored(&place, &kept, after), expected, "with a snapshot, erasure changes nothing");
    // A rating that came a day late asks for what is erased.
    let day = |line: &String| {
        let rating: Value = serde_json::from_str(line).unwrap();
        rating["submitted_at"]
            .as_str()
            .unwrap()
            .starts_with("2026-03-20")
            .then(|| rating["rating_id"].clone())
    };
    let in_time: Vec<Value> = after.iter().filter_map(day).collect();
    let (mut right, mut missing) = (0, 0);
    let found = scored(&place, &erased, after);
    for (expected, found) in expected.iter().zip(&found) {
        if !in_time.contains(&expected["rating_id"]) {
            continue;
        }
        let (expected, found) = (&expected["features"], &found["features"]);
        for (name, value) in expected.as_object().unwrap() {
            // A device or a wording that was first seen on the erased day has another name now.
            let by_name = ["device", "text", "profile"].iter().any(|of| name.contains(of));
            let Some(hours) = window_hours(name).filter(|_| !by_name) else { continue };
            match found.get(name) {
                Some(rebuilt) => {
                    assert_eq!(rebuilt, value, "{name}");
                    right += 1;
                }
                None => {
                    assert!(hours >= 24, "{name} lies within what is whole");
                    missing += 1;
                }
            }
        }
    }
    assert!(right > 1_000 && missing > 100, "{right} right, {missing} missing");
}

#[test]
fn a_running_service_erases_what_is_old_and_goes_on() {
    let place = Place::new();
    let lines: Vec<String> = simulated(33, 2, 300).lines().map(str::to_owned).collect();
    let file = place.write("ratings.ndjson", lines.join("\n"));
    score(&file, &["--data".as_ref(), place.data().as_ref()]);
    // The simulated days are long gone by this machine's clock, or soon will be.
    let config = "retention.erasable_days = 7\nlog.segment_mib = 1\n";
    let server = Server::start(&place, config, "operator");
    wait_for("the erasure", || {
        server.log().contains("what was personal in old records is erased").then_some(())
    });
    let metrics = server.get("/metrics").text();
    let erased = metrics.lines().find_map(|line| line.strip_prefix("zhenping_erased_records_total "));
    assert!(erased.is_some_and(|count| count.parse::<f64>().unwrap() > 300.0), "{erased:?}");
    // A repeat of what is erased harms nothing, and a new rating is judged.
    for body in [&lines[3], &crate::support::rating("new", 5, "")] {
        let answer = server.post("/v1/ratings", body);
        assert!([200, 409].contains(&answer.status), "{}", answer.text());
    }
    succeed(["ledger", "verify", "--data", place.data().to_str().unwrap()]);
    server.stop();
    let server = Server::start(&place, config, "operator");
    assert_eq!(server.get("/readyz").status, 200);
    server.stop();
}
