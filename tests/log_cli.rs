//! `zhenping ledger` as it is called.

mod log_support;

use std::path::Path;
use std::process::{Command, Output};

use zhenping::log::{EmbeddedLog, Log, LogOptions, directory};

fn ledger(arguments: &[&str], data: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zhenping"));
    command.arg("ledger").args(arguments).arg("--data").arg(data).output().unwrap()
}

fn text(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn a_head_that_was_noted_down_is_found_again_beside_the_writer_and_a_rewritten_log_is_not() {
    let data = tempfile::tempdir().unwrap();
    let catalogue = log_support::catalogue();
    let log = EmbeddedLog::open(&directory(data.path()), LogOptions { segment_bytes: 4096 }).unwrap();
    let append = |numbers: std::ops::Range<u64>| {
        let group: Vec<_> =
            numbers.map(|number| log_support::rating(number, &catalogue).encode(&catalogue)).collect();
        log.append(&group).unwrap();
    };
    append(0..9);
    let output = ledger(&["head"], data.path());
    let head = text(&output).trim().to_owned();
    assert_eq!(head, log.head().to_string());
    append(9..20);

    let sound = ledger(&["verify", "--head", &head], data.path());
    assert!(sound.status.success(), "{}", text(&sound));
    assert!(text(&sound).contains("20 records"), "{}", text(&sound));

    let other = format!("{}:9", "0".repeat(64));
    let mismatch = ledger(&["verify", "--json", "--head", &other], data.path());
    assert_eq!(mismatch.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&mismatch.stdout).unwrap();
    assert_eq!(report["leads_to_expected"], false);
    assert_eq!(report["head"]["next_sequence"], 20);

    let json = ledger(&["head", "--json"], data.path());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(format!("{}:20", json["chain"].as_str().unwrap()), log.head().to_string());
}

#[test]
fn a_changed_byte_ends_verification_with_1_and_its_place() {
    let data = tempfile::tempdir().unwrap();
    let catalogue = log_support::catalogue();
    let log = EmbeddedLog::open(&directory(data.path()), LogOptions::default()).unwrap();
    log.append(&[log_support::rating(0, &catalogue).encode(&catalogue)]).unwrap();
    drop(log);
    let path = directory(data.path()).join("00000000000000000000.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let damaged = ledger(&["verify"], data.path());
    assert_eq!(damaged.status.code(), Some(1));
    assert!(
        text(&damaged).contains("00000000000000000000.seg is damaged at byte 64 (sequence 0)"),
        "{}",
        text(&damaged)
    );
}

#[test]
fn a_directory_without_a_log_is_an_error_that_names_it() {
    let data = tempfile::tempdir().unwrap();
    for command in ["verify", "head"] {
        let missing = ledger(&[command], data.path());
        assert_eq!(missing.status.code(), Some(2));
        let error = String::from_utf8(missing.stderr).unwrap();
        assert!(error.contains(data.path().to_str().unwrap()), "{error}");
    }
}
