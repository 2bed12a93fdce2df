use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::log::LogReader;
use crate::log::entry::{ActivationEntry, Entry, RatingEntry, Subject};
use crate::log::record::samples::{catalogue, typical};
use crate::time::Instant;
use crate::verdict::Version;

const SMALL: LogOptions = LogOptions { segment_bytes: 4096 };

fn small(number: u64) -> ActivationEntry {
    ActivationEntry {
        subject: Subject::Lists,
        version: Version(number.to_le_bytes()),
        files: Vec::new(),
        at: Instant(number as i64),
        by: String::new(),
    }
}

fn ratings(range: Range<u64>) -> Vec<RatingEntry> {
    let catalogue = catalogue();
    range.map(|number| typical(number, &catalogue)).collect()
}

fn encode(entries: &[RatingEntry]) -> Vec<EncodedRecord> {
    let catalogue = catalogue();
    entries.iter().map(|entry| entry.encode(&catalogue)).collect()
}

fn open(dir: &TempDir) -> EmbeddedLog {
    EmbeddedLog::open(dir.path(), SMALL).unwrap()
}

/// All entries in order, by the three ways of reading, which must agree.
fn all(log: &EmbeddedLog, dir: &Path) -> Vec<Entry> {
    let streamed: Vec<_> = log.read_from(0).unwrap().map(Result::unwrap).collect();
    let beside: Vec<_> = LogReader::open(dir).unwrap().read_from(0).unwrap().map(Result::unwrap).collect();
    assert_eq!(streamed, beside);
    for (nth, (sequence, entry)) in streamed.iter().enumerate() {
        assert_eq!(*sequence, nth as u64);
        assert_eq!(log.read(*sequence).unwrap().as_ref(), Some(entry));
    }
    assert_eq!(log.read(streamed.len() as u64).unwrap(), None);
    assert_eq!(log.head().next_sequence, streamed.len() as u64);
    streamed.into_iter().map(|(_, entry)| entry).collect()
}

#[test]
fn what_was_appended_is_found_by_sequence_rating_and_case_before_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let entries = ratings(0..60);
    let expected: Vec<_> = entries.iter().cloned().map(|entry| Entry::Rating(Box::new(entry))).collect();
    let log = open(&dir);
    let mut next = 0;
    for group in encode(&entries).chunks(7) {
        let range = log.append(group).unwrap();
        assert_eq!(range, next..next + group.len() as u64);
        next = range.end;
    }
    assert_eq!(log.append(&[]).unwrap(), 60..60);
    let check = |log: &EmbeddedLog| {
        assert_eq!(all(log, dir.path()), expected);
        for (sequence, entry) in entries.iter().enumerate() {
            let found = log.find_rating(&entry.observation.rating_id).unwrap();
            assert_eq!(found, [sequence as u64]);
            assert_eq!(log.find_case(&entry.observation.service.case.unwrap()).unwrap(), [sequence as u64]);
        }
        assert!(log.find_rating("absent").unwrap().is_empty());
    };
    check(&log);
    let head = log.head();
    drop(log);

    let log = open(&dir);
    assert_eq!(log.head(), head);
    check(&log);
    assert!(read(&log.shared).segments.len() > 5);
    drop(log);

    let is_index = |path: &Path| path.extension().is_some_and(|ending| ending == "idx");
    let files = || fs::read_dir(dir.path()).unwrap().map(|item| item.unwrap().path());
    for (nth, index) in files().filter(|path| is_index(path)).enumerate() {
        if nth % 2 == 0 {
            fs::remove_file(index).unwrap()
        } else {
            fs::write(index, b"not an index").unwrap()
        }
    }
    check(&open(&dir));
    let segments = segment::list(dir.path()).unwrap().len();
    assert_eq!(files().filter(|path| is_index(path)).count(), segments - 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn look_ups_agree_with_a_map(groups in prop::collection::vec(prop::collection::vec((0..12_u64, 0..6_u64), 1..6), 1..20)) {
        let dir = tempfile::tempdir().unwrap();
        let catalogue = catalogue();
        let mut log = open(&dir);
        let (mut by_rating, mut by_case) = (BTreeMap::<_, Vec<u64>>::new(), BTreeMap::<_, Vec<u64>>::new());
        for (nth, group) in groups.iter().enumerate() {
            let mut records = Vec::new();
            for (place, &(rating, case)) in group.iter().enumerate() {
                let mut entry = typical(rating, &catalogue);
                let case = (case > 0).then_some(Pseudonym([case as u8; 16]));
                entry.observation.service.case = case;
                records.push(entry.encode(&catalogue));
                let sequence = log.head().next_sequence + place as u64;
                by_rating.entry(entry.observation.rating_id).or_default().push(sequence);
                if let Some(case) = case {
                    by_case.entry(case).or_default().push(sequence);
                }
            }
            log.append(&records).unwrap();
            if nth % 5 == 4 {
                drop(log);
                log = open(&dir);
            }
        }
        for (rating_id, sequences) in by_rating {
            prop_assert_eq!(log.find_rating(&rating_id).unwrap(), sequences);
        }
        for (case, sequences) in by_case {
            prop_assert_eq!(log.find_case(&case).unwrap(), sequences);
        }
    }

    #[test]
    fn whatever_stands_behind_a_header_opens_or_is_named_without_panic(mut bytes: Vec<u8>, frames in 0..3_u64, sparse: bool) {
        let dir = tempfile::tempdir().unwrap();
        let log = open(&dir);
        for number in 0..frames {
            log.append(&[small(number).encode()]).unwrap();
        }
        let end = lock(&log.writer).end;
        drop(log);
        if sparse {
            bytes.iter_mut().for_each(|byte| *byte &= 3);
        }
        let file = File::options().write(true).open(dir.path().join("00000000000000000000.seg")).unwrap();
        file.write_all_at(&bytes, end).unwrap();
        match EmbeddedLog::open(dir.path(), SMALL) {
            Ok(log) => prop_assert_eq!(log.head().next_sequence, frames),
            Err(error) => prop_assert!(matches!(error, LogError::Damaged(_)), "{error}"),
        }
    }

    #[test]
    fn sectors_lost_from_the_last_group_leave_a_prefix_that_holds_all_groups_before(
        sizes in prop::collection::vec(1..6_u64, 2..5),
        lost: [bool; 12],
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = LogOptions { segment_bytes: 1 << 16 };
        let log = EmbeddedLog::open(dir.path(), options).unwrap();
        let mut from = 0;
        let mut ends = vec![64];
        for size in &sizes {
            log.append(&encode(&ratings(from..from + size))).unwrap();
            from += size;
            ends.push(lock(&log.writer).end);
        }
        drop(log);
        let path = dir.path().join("00000000000000000000.seg");
        let mut bytes = fs::read(&path).unwrap();
        let (start, end) = (ends[ends.len() - 2] as usize, ends[ends.len() - 1] as usize);
        for (sector, lost) in (start / 512..=(end - 1) / 512).zip(lost) {
            if lost {
                bytes[(sector * 512).max(start)..(sector * 512 + 512).min(end)].fill(0);
            }
        }
        fs::write(&path, &bytes).unwrap();
        let log = EmbeddedLog::open(dir.path(), options).unwrap();
        let kept = log.head().next_sequence;
        prop_assert!(from - sizes[sizes.len() - 1] <= kept && kept <= from);
        prop_assert_eq!(kept == from, !lost[..=(end - 1) / 512 - start / 512].contains(&true));
        let entries: Vec<_> = ratings(0..kept).into_iter().map(|entry| Entry::Rating(Box::new(entry))).collect();
        prop_assert_eq!(all(&log, dir.path()), entries);
        prop_assert_eq!(log.append(&encode(&ratings(0..1))).unwrap(), kept..kept + 1);
    }
}

#[test]
fn a_log_cut_at_any_byte_recovers_to_the_last_whole_record() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let mut ends = vec![64];
    for group in [0..1, 1..3, 3..4] {
        for end in group.clone() {
            let bytes = small(end).encode().bytes().len() + FRAME_BYTES;
            ends.push(ends[ends.len() - 1] + bytes);
        }
        log.append(&group.map(|number| small(number).encode()).collect::<Vec<_>>()).unwrap();
    }
    drop(log);
    let bytes = fs::read(dir.path().join("00000000000000000000.seg")).unwrap();
    for len in 0..=ends[4] + 1 {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("00000000000000000000.seg"), &bytes[..len]).unwrap();
        let opened = EmbeddedLog::open(dir.path(), SMALL);
        if len < 64 {
            assert!(matches!(opened, Err(LogError::Damaged(_))), "{len}");
            continue;
        }
        let log = opened.unwrap();
        let whole = ends.iter().filter(|&&end| end <= len).count() as u64 - 1;
        assert_eq!(log.head().next_sequence, whole, "{len}");
        log.append(&[small(whole).encode()]).unwrap();
        let expected: Vec<_> = (0..=whole).map(|number| Entry::Activation(small(number))).collect();
        assert_eq!(all(&log, dir.path()), expected, "{len}");
    }
}

#[test]
fn a_changed_byte_of_the_active_segment_is_named_and_the_file_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    for group in [0..2, 2..3, 3..5] {
        log.append(&group.map(|number| small(number).encode()).collect::<Vec<_>>()).unwrap();
    }
    let end = lock(&log.writer).end as usize;
    drop(log);
    let path = dir.path().join("00000000000000000000.seg");
    let bytes = fs::read(&path).unwrap();
    let frame = (end - 64) / 5;
    for at in 0..end {
        let mut changed = bytes.clone();
        changed[at] ^= 0x21;
        fs::write(&path, &changed).unwrap();
        let Err(LogError::Damaged(damage)) = EmbeddedLog::open(dir.path(), SMALL) else {
            panic!("byte {at} went unseen");
        };
        assert_eq!(damage.segment, path);
        if at >= 64 {
            assert_eq!(damage.sequence as usize, (at - 64) / frame);
            assert_eq!(damage.offset as usize, 64 + (at - 64) / frame * frame);
        }
        assert_eq!(fs::read(&path).unwrap(), changed);
    }
}

#[test]
fn a_second_writer_is_refused_and_told_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let refused = EmbeddedLog::open(dir.path(), SMALL).unwrap_err();
    assert!(matches!(refused, LogError::InUse { .. }));
    assert!(refused.to_string().contains(dir.path().to_str().unwrap()));
    drop(log);
    open(&dir);
}

#[test]
fn after_a_failed_write_nothing_more_is_appended_until_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    log.append(&[small(0).encode()]).unwrap();
    let head = log.head();
    let writable = {
        let mut writer = lock(&log.writer);
        let readable = Arc::new(File::open(&writer.path).unwrap());
        std::mem::replace(&mut writer.file, readable)
    };
    let first = log.append(&[small(1).encode()]).unwrap_err();
    assert!(matches!(first, LogError::Io { action: "write", .. }));
    lock(&log.writer).file = writable;
    let later = log.append(&[small(1).encode()]).unwrap_err();
    assert!(later.to_string().contains(&first.to_string()), "{later}");
    assert_eq!(log.head(), head);
    assert_eq!(all(&log, dir.path()).len(), 1);
    drop(log);
    assert_eq!(open(&dir).append(&[small(1).encode()]).unwrap(), 1..2);
}

#[test]
fn a_record_longer_than_a_segment_gets_its_own_and_one_beyond_the_limit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let long = |bytes| ActivationEntry { files: vec![("model".to_owned(), vec![7; bytes])], ..small(1) };
    log.append(&[small(0).encode(), long(100_000).encode(), small(2).encode()]).unwrap();
    assert!(matches!(log.append(&[long(MAX_RECORD_BYTES).encode()]), Err(LogError::TooLong { .. })));
    log.append(&[long(MAX_RECORD_BYTES - 100).encode()]).unwrap();
    drop(log);
    let log = open(&dir);
    let entries = all(&log, dir.path());
    assert_eq!(entries[1], Entry::Activation(long(100_000)));
    assert_eq!(entries.len(), 4);
}

#[test]
fn a_reader_beside_the_writer_follows_it_over_segments() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let mut records = LogReader::open(dir.path()).unwrap().records_from(0).unwrap();
    for number in 0..200 {
        assert!(records.next().unwrap().is_none());
        let record = small(number).encode();
        log.append(std::slice::from_ref(&record)).unwrap();
        assert_eq!(records.next().unwrap(), Some((number, record.bytes())));
    }
    for from in [0, 1, 57, 150, 199, 200, 300] {
        let reader = LogReader::open(dir.path()).unwrap();
        let here = log.read_from(from).unwrap().map(|item| item.unwrap().0);
        let beside = reader.read_from(from).unwrap().map(|item| item.unwrap().0);
        assert!(here.eq(from.min(200)..200), "{from}");
        assert!(beside.eq(from.min(200)..200), "{from}");
    }
}

#[test]
fn look_ups_and_reads_go_on_while_segments_are_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let entries = ratings(0..150);
    let records = encode(&entries);
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Acquire) {
                let durable = log.head().next_sequence;
                for sequence in (0..durable).step_by(13) {
                    let found = log.find_rating(&entries[sequence as usize].observation.rating_id).unwrap();
                    assert_eq!(found, [sequence]);
                }
            }
        });
        for group in records.chunks(3) {
            log.append(group).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Release);
    });
}
