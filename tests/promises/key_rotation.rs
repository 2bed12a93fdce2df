//! A rotation of the keys makes nobody a stranger.

use std::path::Path;

use serde_json::Value;
use zhenping::log::{self, Entry, LogReader};

use crate::support::{Place, score, simulated, succeed};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.unwrap(), to.to_owned());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            // Copying a file keeps its mode, without which keys are refused.
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

/// Scores ratings into a data directory; the verdicts, and the features that they saw.
fn go_on(place: &Place, data: &Path, ratings: &[&str]) -> (Vec<String>, String) {
    let file = place.write("part.ndjson", ratings.join("\n"));
    let features = place.path("features.ndjson");
    let args = ["--data".as_ref(), data.as_os_str(), "--features".as_ref(), features.as_os_str()];
    let (lines, _) = score(&file, &args);
    (lines, std::fs::read_to_string(features).unwrap())
}

#[test]
fn the_same_traffic_gives_the_same_verdicts_and_features_with_and_without_a_rotation() {
    let place = Place::new();
    let text = simulated(3, 4, 1_500);
    let lines: Vec<&str> = text.lines().collect();
    let (first, rest) = lines.split_at(lines.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    let (plain, rotated) = (place.data(), place.path("rotated"));
    let (before, _) = go_on(&place, &plain, first);
    copy(&plain, &rotated);
    succeed(["key".as_ref(), "rotate".as_ref(), "--data".as_ref(), rotated.as_os_str()]);

    // Each part is a process of its own, which replays what the log has.
    let mut counted = 0;
    for part in [second, third] {
        let (expected, seen) = (go_on(&place, &plain, part), go_on(&place, &rotated, part));
        for (with, without) in seen.1.lines().zip(expected.1.lines()) {
            assert_eq!(with, without);
            let features: Value = serde_json::from_str(with).unwrap();
            counted += usize::from(features["features"]["device.accounts_24h"].as_u64() > Some(1));
        }
        assert_eq!(seen, expected);
    }
    assert!(counted > 20, "devices were used before, or this shows nothing: {counted}");

    // A repeat is a repeat under any epoch, and other content is a conflict.
    let repeats: Vec<&str> = first.iter().copied().step_by(97).collect();
    let (again, _) = go_on(&place, &rotated, &repeats);
    let original =
        |line: &String| line.split(r#","current""#).next().unwrap().trim_end_matches('}').to_owned();
    for line in &again {
        assert!(before.iter().any(|first| original(first) == original(line)), "{line}");
    }
    let praise = first.iter().find(|line| line.contains(r#""stars": 5"#)).unwrap();
    let changed = praise.replacen(r#""stars": 5"#, r#""stars": 4"#, 1);
    assert!(go_on(&place, &rotated, &[&changed]).0[0].contains("conflict"));

    assert_links_are_logged_once(&rotated, &plain);
}

/// The former names stand in the log where they were learnt, and nowhere without a rotation.
fn assert_links_are_logged_once(rotated: &Path, plain: &Path) {
    let links = |data: &Path| {
        let log = LogReader::open(&log::directory(data)).unwrap();
        let ratings = log.read_from(0).unwrap().filter_map(|entry| match entry.unwrap().1 {
            Entry::Rating(rating) => Some(rating.observation),
            _ => None,
        });
        let mut links: Vec<_> =
            ratings.filter_map(|o| Some((o.former.as_deref()?.rater?, o.rater.id.unwrap()))).collect();
        let total = links.len();
        links.sort_unstable();
        links.dedup();
        (links.len(), total)
    };
    assert_eq!(links(plain), (0, 0));
    let (distinct, total) = links(rotated);
    assert!(total > 100 && distinct == total, "{distinct} of {total}");
}

#[test]
fn keys_are_retired_when_nothing_is_looked_up_under_them() {
    let place = Place::new();
    let data = place.data();
    go_on(&place, &data, &simulated(1, 1, 50).lines().collect::<Vec<_>>());
    succeed(["key".as_ref(), "rotate".as_ref(), "--data".as_ref(), data.as_os_str()]);
    let retire = ["key", "retire", "--data", data.to_str().unwrap()];
    let refused = crate::support::run(retire);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("180 days"));
    let shown = succeed(retire.into_iter().chain(["--early"]));
    assert!(shown.contains("current") && !shown.contains("previous"), "{shown}");
}
