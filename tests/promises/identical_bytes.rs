//! One code path: the same ratings give the same verdicts, however they are fed.

use std::ffi::OsStr;
use std::process::Output;

use crate::support::{Place, simulated, zhenping};

/// A fixed key, so that runs in several directories can be compared byte by byte.
const KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

fn scored(args: &[&OsStr]) -> Vec<u8> {
    let Output { status, stdout, stderr } =
        zhenping().arg("score").args(args).env("ZHENPING_MASTER_KEY", KEY).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    stdout
}

/// Three days of traffic with attacks; some ratings come again at once or later.
fn ratings() -> Vec<String> {
    let mut lines = Vec::new();
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

#[test]
fn a_restart_in_the_middle_changes_no_verdict() {
    let (place, lines) = (Place::new(), ratings());
    let whole = place.write("whole.ndjson", lines.join("\n"));
    let once = scored(&[whole.as_ref(), "--data".as_ref(), place.path("once").as_ref()]);
    for pieces in [2, 5] {
        let data = place.path(&format!("in-{pieces}"));
        let mut again = Vec::new();
        for (i, piece) in lines.chunks(lines.len().div_ceil(pieces)).enumerate() {
            let piece = place.write(&format!("piece-{i}.ndjson"), piece.join("\n"));
            again.extend(scored(&[piece.as_ref(), "--data".as_ref(), data.as_ref()]));
        }
        let difference = once.split(|&b| b == b'\n').zip(again.split(|&b| b == b'\n')).find(|(a, b)| a != b);
        let shown = difference.map(|(a, b)| [a, b].map(String::from_utf8_lossy));
        assert!(once == again, "in {pieces} runs: {shown:?}");
    }
}
