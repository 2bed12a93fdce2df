//! A process that is killed at any moment loses nothing that it acknowledged.

mod log_support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use zhenping::catalogue::Catalogue;
use zhenping::log::{EmbeddedLog, EncodedRecord, Log, LogError, LogOptions, directory, verify};
use zhenping::time::Instant;
use zhenping::vault::Vault;

/// Small, so that a kill often meets the change from one segment to the next.
const OPTIONS: LogOptions = LogOptions { segment_bytes: 32 * 1024 };
const KEY: [u8; 32] = [5; 32];
const ROUNDS: u64 = 20;
/// Names the data directory to the process that is to be killed.
const CHILD: &str = "ZHENPING_TEST_CRASH_DATA";

fn open(data: &Path) -> (EmbeddedLog, Vault) {
    let log = EmbeddedLog::open(&directory(data), OPTIONS).expect("the log opens");
    let vault = Vault::open(&data.join("vault"), &KEY).expect("the vault opens");
    (log, vault)
}

fn record(number: u64, catalogue: &Catalogue) -> EncodedRecord {
    log_support::rating(number, catalogue).encode(catalogue)
}

fn comment(number: u64) -> Option<(String, String)> {
    let rating_id = format!("R20260301-{number:012}");
    number.is_multiple_of(3).then(|| (rating_id, format!("第{number}条评价")))
}

/// The process that is killed. It does nothing when it runs as an ordinary test.
#[test]
fn child_appends_until_it_is_killed() {
    let Some(data) = std::env::var_os(CHILD) else { return };
    let (log, vault) = open(Path::new(&data));
    let catalogue = log_support::catalogue();
    let mut next = log.head().next_sequence;
    for size in [1, 7, 2, 16, 3, 1, 40].into_iter().cycle() {
        let comments: Vec<_> = (next..next + size).filter_map(comment).collect();
        let comments: Vec<_> = comments.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
        vault.append_group(&comments, Instant(0)).expect("comments append");
        let group: Vec<_> = (next..next + size).map(|number| record(number, &catalogue)).collect();
        next = log.append(&group).expect("the group appends").end;
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nacknowledged {next}").and_then(|()| out.flush()).expect("the parent reads");
    }
}

#[test]
fn whatever_was_acknowledged_before_a_kill_is_there_after_it() {
    let data = tempfile::tempdir().unwrap();
    let catalogue = log_support::catalogue();
    let mut before = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_appends_until_it_is_killed", "--nocapture"])
            .env(CHILD, data.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A different number of groups each time, and then a moment that nobody chose.
        let groups = 1 + round * 7 % 23;
        let mut acknowledged = before;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut read = |wanted: u64| {
            let numbers = lines.by_ref().map_while(Result::ok);
            let numbers = numbers.filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u64>().ok());
            if let Some(last) = numbers.take(wanted as usize).last() {
                acknowledged = last;
            }
        };
        read(groups);
        std::thread::sleep(std::time::Duration::from_micros(round * 379));
        child.kill().unwrap();
        child.wait().unwrap();
        read(u64::MAX);
        assert!(acknowledged > before, "round {round}: the child did not start");

        let (log, vault) = open(data.path());
        let head = log.head();
        assert!(head.next_sequence >= acknowledged, "round {round}: {} < {acknowledged}", head.next_sequence);
        for number in before..head.next_sequence {
            assert_eq!(log.record(number).unwrap().as_deref(), Some(record(number, &catalogue).bytes()));
            let rating_id = format!("R20260301-{number:012}");
            assert_eq!(log.find_rating(&rating_id).unwrap(), [number]);
            assert_eq!(vault.comment(&rating_id).unwrap(), comment(number).map(|(_, text)| text));
        }
        before = head.next_sequence;
        drop(log);
        let report = verify(&directory(data.path()), Some(head), &mut |_| {}).unwrap();
        assert!(report.is_sound(), "round {round}: {report:?}");
    }
}

#[test]
fn a_second_process_is_refused_while_the_first_lives() {
    let data = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_appends_until_it_is_killed", "--nocapture"])
        .env(CHILD, data.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line.starts_with("acknowledged ")));
    let refused = EmbeddedLog::open(&directory(data.path()), OPTIONS);
    assert!(matches!(refused, Err(LogError::InUse { .. })));
    // Verification needs no lock: it works beside the writer.
    let report = verify(&directory(data.path()), None, &mut |_| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    open(data.path());
}
