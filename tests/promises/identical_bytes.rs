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

/// From what a process that is started again rebuilds its state.
#[derive(Clone, Copy, Debug)]
enum From {
    Snapshot,
    Log,
}

/// Scores pieces one after the other, each in a process of its own, with the rules named beside it; the
/// verdicts of all, and the features that they saw.
fn in_processes(place: &Place, name: &str, pieces: &[(&[String], &Path)], from: From) -> [Vec<u8>; 2] {
    let (mut verdicts, mut features) = (Vec::new(), Vec::new());
    let (seen, data) = (place.path("features.ndjson"), place.path(name));
    for (lines, rules) in pieces {
        let piece = place.write("piece.ndjson", lines.join("\n"));
        verdicts.extend(scored(&[
            piece.as_ref(),
            "--data".as_ref(),
            data.as_ref(),
            "--rules".as_ref(),
            rules.as_ref(),
            "--features".as_ref(),
            seen.as_ref(),
        ]));
        features.extend(std::fs::read(&seen).unwrap());
        let snapshots = data.join("snapshots");
        assert!(snapshots.read_dir().unwrap().count() > 0, "one is written at the end");
        if let From::Log = from {
            std::fs::remove_dir_all(snapshots).unwrap();
        }
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
    let once = in_processes(&place, "once", &[(&lines, &rules)], From::Log);
    for (pieces, from) in [(2, From::Log), (2, From::Snapshot), (5, From::Log), (5, From::Snapshot)] {
        let pieces: Vec<_> =
            lines.chunks(lines.len().div_ceil(pieces)).map(|piece| (piece, rules.as_path())).collect();
        let name = format!("{}-from-{from:?}", pieces.len());
        assert_same(&once, &in_processes(&place, &name, &pieces, from));
    }
}

#[test]
fn a_snapshot_that_is_damaged_or_of_another_log_is_named_and_never_trusted() {
    let (place, lines) = (Place::new(), ratings());
    let [rules, _] = two_rule_sets(&place);
    let (first, rest) = lines.split_at(lines.len() / 2);
    let once = in_processes(&place, "once", &[(first, &rules), (rest, &rules)], From::Log);
    for what in ["damaged", "foreign"] {
        in_processes(&place, what, &[(first, &rules)], From::Snapshot);
        let snapshots = place.path(what).join("snapshots");
        let latest = snapshots.read_dir().unwrap().next().unwrap().unwrap().path();
        let mut bytes = std::fs::read(&latest).unwrap();
        let at = match what {
            "damaged" => bytes.len() / 2,
            // It is whole, but of a log that was other ratings' before.
            _ => {
                in_processes(
                    &place,
                    "other",
                    &[(&rest[..first.len().min(rest.len())], &rules)],
                    From::Snapshot,
                );
                let other = place.path("other").join("snapshots").read_dir().unwrap().next().unwrap();
                bytes = std::fs::read(other.unwrap().path()).unwrap();
                0
            }
        };
        bytes[at] ^= u8::from(what == "damaged") * 8;
        std::fs::write(&latest, bytes).unwrap();
        let piece = place.write("piece.ndjson", rest.join("\n"));
        let output = zhenping()
            .arg("score")
            .args([piece.as_os_str(), "--data".as_ref(), place.path(what).as_ref()])
            .args(["--rules".as_ref(), rules.as_os_str()])
            .env("ZHENPING_MASTER_KEY", KEY)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("passed over a snapshot") && said.contains("no snapshot,"), "{what}: {said}");
        assert!(once[0].ends_with(&output.stdout), "{what}");
    }
}

#[test]
fn a_restart_after_a_change_of_counters_changes_no_verdict() {
    let (place, lines) = (Place::new(), ratings());
    let [before, after] = two_rule_sets(&place);
    let (first, rest) = lines.split_at(lines.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    let pieces = [(first, before.as_path()), (second, &after), (third, &after)];
    let once = in_processes(&place, "once", &[pieces[0], (rest, &after)], From::Log);
    for from in [From::Log, From::Snapshot] {
        assert_same(&once, &in_processes(&place, &format!("from-{from:?}"), &pieces, from));
    }

    // The new counter was fed from the log: everything is as if it had been declared when that began.
    let ever = in_processes(&place, "ever", &[(&lines, &after)], From::Log);
    let of_rest = |features: &[u8]| {
        let text = String::from_utf8(features.to_vec()).unwrap();
        let rows: Vec<String> = text.lines().map(str::to_owned).collect();
        rows[rows.len() - third.len() / 2..].to_vec()
    };
    let rows = of_rest(&once[1]);
    assert_eq!(rows, of_rest(&ever[1]));
    assert!(rows.iter().all(|row| row.contains("tests.ratings_6h")));
}
