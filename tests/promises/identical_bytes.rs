//! One code path: the same ratings give the same verdicts, however they are fed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Output;

use zhenping::rules::shipped;

use crate::support::{Place, simulated, zhenping};

/// A fixed key, so that runs in several directories can be compared byte by byte.
const KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

fn scored(args: &[&OsStr]) -> Vec<u8> {
    let Output { status, stdout, stderr } =
        zhenping().arg("score").args(args).env("ZHENPING_MASTER_KEY", KEY).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    stdout
}

/// Somebody rates a client's case before the client does: the client's rating holds the first one.
fn contested() -> Vec<String> {
    [("early", "clerk", false, 5), ("own", "client", true, 1)]
        .map(|(id, account, is_applicant, stars)| {
            format!(
                r#"{{"rating_id":"contest-{id}","submitted_at":"2026-03-18T09:0{stars}:00+08:00","channel":"portal","stars":{stars},"service":{{"matter":"M","department":"D","case_no":"case-1","case_match":"matched","stage":"complete"}},"rater":{{"account":"{account}","is_applicant":{is_applicant}}}}}"#
            )
        })
        .to_vec()
}

/// Three days of traffic with attacks; some ratings come again at once or later.
fn ratings() -> Vec<String> {
    let mut lines = contested();
    for (i, line) in simulated(11, 3, 2_500).lines().enumerate() {
        lines.push(line.to_owned());
        if i % 97 == 0 {
            lines.push(line.to_owned());
        }
        if i % 89 == 50 {
            lines.push(lines[i - 40].clone());
        }
    }
    lines
}

#[test]
fn the_same_file_gives_identical_bytes_whatever_batches_and_threads() {
    let place = Place::new();
    let file = place.write("ratings.ndjson", ratings().join("\n"));
    let run = |batch: &str, threads: &str| {
        scored(&[file.as_ref(), "--batch".as_ref(), batch.as_ref(), "--threads".as_ref(), threads.as_ref()])
    };
    let expected = run("512", "2");
    let text = String::from_utf8(expected.clone()).unwrap();
    assert!(text.contains(r#""revision":1"#), "look-back and contests are part of the test");
    for (batch, threads) in
        [("1", "1"), ("1", "5"), ("7", "2"), ("7", "5"), ("512", "1"), ("512", "5"), ("4096", "2")]
    {
        assert!(run(batch, threads) == expected, "--batch {batch} --threads {threads} differs");
    }
}

/// Scores pieces one after the other, each in a process of its own, with the rules named beside it; the
/// verdicts of all, and the features that they saw.
fn in_processes(place: &Place, name: &str, pieces: &[(&[String], &Path)]) -> [Vec<u8>; 2] {
    let (mut verdicts, mut features) = (Vec::new(), Vec::new());
    let seen = place.path("features.ndjson");
    for (lines, rules) in pieces {
        let piece = place.write("piece.ndjson", lines.join("\n"));
        verdicts.extend(scored(&[
            piece.as_ref(),
            "--data".as_ref(),
            place.path(name).as_ref(),
            "--rules".as_ref(),
            rules.as_ref(),
            "--features".as_ref(),
            seen.as_ref(),
        ]));
        features.extend(std::fs::read(&seen).unwrap());
    }
    [verdicts, features]
}

/// The shipped rules in a directory, and the same with one more counter in another.
fn two_rule_sets(place: &Place) -> [PathBuf; 2] {
    for source in shipped() {
        place.write(&format!("before/{}", source.name), &source.text);
        place.write(&format!("after/{}", source.name), &source.text);
    }
    let more = r#"
[[counter]]
name = "tests.ratings_6h"
of = "count"
by = ["department"]
window = "6h"
text = { zh = "部门6小时{value}条", en = "{value} for the department within 6 hours" }
"#;
    place.write("after/tests.toml", more);
    [place.path("before"), place.path("after")]
}

#[track_caller]
fn assert_same(expected: &[Vec<u8>; 2], found: &[Vec<u8>; 2]) {
    for (expected, found) in expected.iter().zip(found) {
        let lines = expected.split(|&b| b == b'\n').zip(found.split(|&b| b == b'\n'));
        let difference = lines.into_iter().find(|(a, b)| a != b);
        assert!(expected == found, "{:?}", difference.map(|(a, b)| [a, b].map(String::from_utf8_lossy)));
    }
}

#[test]
fn a_restart_in_the_middle_changes_no_verdict() {
    let (place, lines) = (Place::new(), ratings());
    let [rules, _] = two_rule_sets(&place);
    let once = in_processes(&place, "once", &[(&lines, &rules)]);
    for pieces in [2, 5] {
        let pieces: Vec<_> =
            lines.chunks(lines.len().div_ceil(pieces)).map(|piece| (piece, rules.as_path())).collect();
        assert_same(&once, &in_processes(&place, &format!("in-{}", pieces.len()), &pieces));
    }
}

#[test]
fn a_restart_after_a_change_of_counters_changes_no_verdict() {
    let (place, lines) = (Place::new(), ratings());
    let [before, after] = two_rule_sets(&place);
    let (first, rest) = lines.split_at(lines.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    let once = in_processes(&place, "once", &[(first, &before), (rest, &after)]);
    let again = in_processes(&place, "again", &[(first, &before), (second, &after), (third, &after)]);
    assert_same(&once, &again);

    // The new counter is missing until its window has passed, and known from then on.
    let features = String::from_utf8(once[1].clone()).unwrap();
    let knows = |line: &str| line.contains("tests.ratings_6h");
    let new: Vec<&str> = features.lines().skip_while(|line| !knows(line)).collect();
    let all = features.lines().count();
    assert!(new.len() < all * 2 / 3 && new.len() > all / 4, "known in {} of {all}", new.len());
}
