use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::log::entry::{ActivationEntry, Subject};
use crate::log::frame::put_frame;
use crate::log::record::samples::{catalogue, typical};
use crate::log::{Digest, EmbeddedLog, EncodedRecord, Log, LogOptions};
use crate::time::Instant;
use crate::verdict::Version;

fn record(number: u64) -> EncodedRecord {
    let (version, at) = (Version(number.to_le_bytes()), Instant(0));
    ActivationEntry { subject: Subject::Rules, version, files: Vec::new(), at, by: "a".into() }.encode()
}

/// 20 records in groups of two and in three segments; gives the head after each.
fn log(dir: &TempDir) -> Vec<Head> {
    let log = EmbeddedLog::open(dir.path(), LogOptions { segment_bytes: 300 }).unwrap();
    let mut heads = vec![log.head()];
    for number in (0..20).step_by(2) {
        log.append(&[record(number), record(number + 1)]).unwrap();
        heads.push(log.head());
    }
    heads
}

fn segments(dir: &TempDir) -> Vec<PathBuf> {
    segment::list(dir.path()).unwrap().into_iter().map(|first| segment::path_of(dir.path(), first)).collect()
}

fn report(dir: &TempDir, expected: Option<Head>) -> Report {
    verify(dir.path(), expected, &mut |_| {}).unwrap()
}

#[test]
fn a_sound_log_is_sound_and_leads_to_every_head_it_had() {
    let dir = tempfile::tempdir().unwrap();
    let heads = log(&dir);
    let mut seen = 0;
    let found = verify(dir.path(), None, &mut |progress| seen = progress.bytes).unwrap();
    assert!(found.is_sound());
    assert_eq!((found.records(), found.head, found.torn_bytes), (20, heads[10], 0));
    assert_eq!((found.segments as usize, found.bytes), (segments(&dir).len(), seen));
    for head in heads {
        assert_eq!(report(&dir, Some(head)).leads_to_expected, Some(true));
        let other = Head { chain: Digest::of(b"other"), ..head };
        assert!(!report(&dir, Some(other)).is_sound());
        let beyond = Head { next_sequence: 21, ..head };
        assert!(!report(&dir, Some(beyond)).is_sound());
    }
}

#[test]
fn a_change_of_any_byte_is_found_and_named() {
    let dir = tempfile::tempdir().unwrap();
    log(&dir);
    let end = report(&dir, None).bytes;
    assert!(segments(&dir).len() >= 3);
    let mut checked = 0;
    for (nth, path) in segments(&dir).iter().enumerate() {
        let bytes = fs::read(path).unwrap();
        let used = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
        let frame = record(0).bytes().len() + FRAME_BYTES;
        let first = segment::list(dir.path()).unwrap()[nth];
        for at in 0..used {
            let mut changed = bytes.clone();
            changed[at] ^= 0x80;
            fs::write(path, &changed).unwrap();
            let damage = report(&dir, None).damage.unwrap_or_else(|| panic!("byte {at} of segment {nth}"));
            assert_eq!(&damage.segment, path, "byte {at}");
            if let Some(within) = at.checked_sub(HEADER_BYTES) {
                let record = within / frame;
                assert_eq!(damage.sequence, first + record as u64);
                assert_eq!(damage.offset, (HEADER_BYTES + record * frame) as u64);
            }
        }
        fs::write(path, &bytes).unwrap();
        checked += used as u64;
    }
    assert_eq!(checked, end);
    assert!(report(&dir, None).is_sound());
}

#[test]
fn a_record_replaced_with_its_checksum_breaks_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let heads = log(&dir);
    let path = &segments(&dir)[0];
    let mut bytes = fs::read(path).unwrap();
    let mut frame = Vec::new();
    put_frame(&mut frame, record(77).bytes(), true);
    bytes[HEADER_BYTES..HEADER_BYTES + frame.len()].copy_from_slice(&frame);
    fs::write(path, &bytes).unwrap();
    let damage = report(&dir, None).damage.unwrap();
    assert_eq!(damage.segment, segments(&dir)[1]);
    assert!(damage.problem.contains("chain"), "{damage}");
    assert!(!report(&dir, Some(heads[1])).is_sound());
}

#[test]
fn a_frame_that_holds_no_record_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    log(&dir);
    let path = &segments(&dir)[0];
    let mut bytes = fs::read(path).unwrap();
    let mut frame = Vec::new();
    put_frame(&mut frame, &vec![0xff; record(0).bytes().len()], true);
    bytes[HEADER_BYTES..HEADER_BYTES + frame.len()].copy_from_slice(&frame);
    fs::write(path, &bytes).unwrap();
    let damage = report(&dir, None).damage.unwrap();
    assert_eq!((damage.sequence, damage.offset), (0, HEADER_BYTES as u64));
}

#[test]
fn missing_segments_and_lost_ends_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let heads = log(&dir);
    let paths = segments(&dir);
    let kept = fs::read(&paths[1]).unwrap();
    fs::remove_file(&paths[1]).unwrap();
    let damage = report(&dir, None).damage.unwrap();
    assert!(damage.problem.contains("missing"), "{damage}");
    assert_eq!(damage.segment, paths[0]);

    fs::write(&paths[1], &kept[..kept.len() - 30]).unwrap();
    assert_eq!(report(&dir, None).damage.unwrap().segment, paths[1]);
    fs::write(&paths[1], &kept).unwrap();

    // The oldest may be removed for good: the rest still leads to the head.
    fs::remove_file(&paths[0]).unwrap();
    let found = report(&dir, Some(heads[10]));
    assert!(found.is_sound() && found.first_sequence > 0);

    // The newest may have been lost: only a head noted down elsewhere tells.
    fs::remove_file(&paths[paths.len() - 1]).unwrap();
    assert!(report(&dir, None).is_sound());
    assert!(!report(&dir, Some(heads[10])).is_sound());
}

#[test]
fn erasing_a_rating_does_not_change_the_head() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = catalogue();
    let whole = EmbeddedLog::open(dir.path(), LogOptions::default()).unwrap();
    let records: Vec<_> = (0..5).map(|number| typical(number, &catalogue).encode(&catalogue)).collect();
    whole.append(&records).unwrap();
    drop(whole);
    let path = &segments(&dir)[0];
    let mut bytes = fs::read(path).unwrap();
    bytes.truncate(HEADER_BYTES);
    for (nth, record) in records.iter().enumerate() {
        let erased = Record::parse(record.bytes()).unwrap().erase();
        put_frame(&mut bytes, if nth < 3 { &erased } else { record.bytes() }, nth == 0);
    }
    let before = report(&dir, None).head;
    fs::write(path, &bytes).unwrap();
    assert!(report(&dir, Some(before)).is_sound());
}
