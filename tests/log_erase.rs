//! What is personal is erased from the log, and every proof stands.

mod log_support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use zhenping::catalogue::Catalogue;
use zhenping::date::{Day, UtcOffset};
use zhenping::log::entry::RatingEntry;
use zhenping::log::{EmbeddedLog, Entry, Erased, Erasure, Log, LogOptions, LogReader, directory, verify};

const OPTIONS: LogOptions = LogOptions { segment_bytes: 8 * 1024 };
const FIRST_DAY: i32 = 20_500;
const PER_DAY: u64 = 10;
const RATINGS: u64 = 400;
/// Names the data directory to the process that is to be killed.
const CHILD: &str = "ZHENPING_TEST_ERASE_DATA";

fn day(number: u64) -> Day {
    Day::from_number(FIRST_DAY + (number / PER_DAY) as i32).unwrap()
}

fn rating(number: u64, catalogue: &Catalogue) -> RatingEntry {
    let mut entry = log_support::rating(number, catalogue);
    entry.outcome.scored_at = UtcOffset::CHINA.start_of(day(number));
    if let Some(rater) = &mut entry.observation.rater.id {
        // Bytes that stand nowhere else, so that a search for them means something.
        rater.0 = *b"RATER-----------";
        rater.0[8..].copy_from_slice(&(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1).to_be_bytes());
    }
    entry
}

fn filled(data: &Path) -> (EmbeddedLog, Catalogue) {
    let catalogue = log_support::catalogue();
    let log = EmbeddedLog::open(&directory(data), OPTIONS).unwrap();
    for number in 0..RATINGS {
        log.append(&[rating(number, &catalogue).encode(&catalogue)]).unwrap();
    }
    (log, catalogue)
}

fn erase(log: &EmbeddedLog, before: Day, keep: &dyn Fn(u64) -> bool) -> Erased {
    log.erase(&Erasure { before, offset: UtcOffset::CHINA, keep }).unwrap()
}

/// How many records are erased; all are what they were, or that without what is personal.
#[track_caller]
fn check(log: &EmbeddedLog, data: &Path, catalogue: &Catalogue) -> u64 {
    let streamed: Vec<_> = log.read_from(0).unwrap().map(Result::unwrap).collect();
    let reader = LogReader::open(&directory(data)).unwrap();
    assert_eq!(reader.read_from(0).unwrap().map(Result::unwrap).collect::<Vec<_>>(), streamed);
    assert_eq!(streamed.len() as u64, RATINGS);
    let mut erased = 0;
    for (sequence, entry) in streamed {
        let whole = rating(sequence, catalogue);
        let (id, case) = (&whole.observation.rating_id, whole.observation.service.case.unwrap());
        assert_eq!(log.find_rating(id).unwrap(), [sequence]);
        assert_eq!(log.read(sequence).unwrap().unwrap(), entry);
        assert_eq!(reader.read_from(sequence).unwrap().next().unwrap().unwrap().1, entry);
        match entry {
            Entry::Erased(public) => {
                assert_eq!(public, whole.public());
                assert!(log.find_case(&case).unwrap().is_empty());
                erased += 1;
            }
            entry => {
                assert_eq!(entry.rating(), Some(whole.public()));
                assert_eq!(log.find_case(&case).unwrap(), [sequence]);
            }
        }
    }
    let report = verify(&directory(data), Some(log.head()), &mut |_| {}).unwrap();
    assert!(report.is_sound() && report.records() == RATINGS, "{report:?}");
    erased
}

/// Whether some bytes stand anywhere in the log's files.
fn stands(data: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(directory(data)).unwrap().any(|file| {
        let contents = std::fs::read(file.unwrap().path()).unwrap();
        contents.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn erasing_breaks_no_proof_and_leaves_what_is_published() {
    let data = tempfile::tempdir().unwrap();
    let (log, catalogue) = filled(data.path());
    let head = log.head();
    let rater = |number: u64| rating(number, &catalogue).observation.rater.id.unwrap().0;
    assert!((0..RATINGS).all(|number| stands(data.path(), &rater(number))));

    let held = 7;
    let done = erase(&log, day(155), &|sequence| sequence == held);
    assert_eq!(done.records, 149, "the day of number 155 begins with 150, and one is on hold");
    assert!(done.segments > 3 && done.bytes > 149 * 100, "{done:?}");
    assert_eq!(log.head(), head);
    assert_eq!(check(&log, data.path(), &catalogue), 149);
    for number in 0..RATINGS {
        assert_eq!(stands(data.path(), &rater(number)), number == held || number >= 150, "{number}");
    }
    assert_eq!(erase(&log, day(155), &|sequence| sequence == held), Erased::default());
    drop(log);

    let log = EmbeddedLog::open(&directory(data.path()), OPTIONS).unwrap();
    assert_eq!(log.head(), head);
    assert_eq!(check(&log, data.path(), &catalogue), 149);
    // The active segment is sealed when its records are old; the held one was decided.
    assert_eq!(erase(&log, day(RATINGS), &|_| false).records, RATINGS - 149);
    assert_eq!(check(&log, data.path(), &catalogue), RATINGS);
    assert!(!(0..RATINGS).any(|number| stands(data.path(), &rater(number))));
    // And the log goes on.
    log.append(&[rating(RATINGS, &catalogue).encode(&catalogue)]).unwrap();
    assert!(matches!(log.read(RATINGS).unwrap(), Some(Entry::Rating(_))));
}

#[test]
fn readers_beside_it_see_every_record_whole_or_erased() {
    let data = tempfile::tempdir().unwrap();
    let (log, catalogue) = filled(data.path());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (log, done, catalogue, data) = (&log, &done, &catalogue, data.path());
        let reading: Vec<_> = (0..3)
            .map(|thread: u64| {
                scope.spawn(move || {
                    let reader = LogReader::open(&directory(data)).unwrap();
                    let mut from = thread * 31;
                    while !done.load(Ordering::Relaxed) {
                        from = (from * 7 + 13) % RATINGS;
                        let whole = rating(from, catalogue).public();
                        for entry in [
                            log.read(from).unwrap().unwrap(),
                            log.read_from(from).unwrap().next().unwrap().unwrap().1,
                            reader.read_from(from).unwrap().next().unwrap().unwrap().1,
                        ] {
                            assert_eq!(entry.rating().unwrap(), whole);
                        }
                        assert_eq!(log.find_rating(&whole.rating_id).unwrap(), [from]);
                    }
                })
            })
            .collect();
        let erased: u64 = (0..=RATINGS + PER_DAY)
            .step_by(3)
            .map(|number| erase(log, day(number), &|_| false).records)
            .sum();
        done.store(true, Ordering::Relaxed);
        reading.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(erased, RATINGS);
    });
    assert_eq!(check(&log, data.path(), &catalogue), RATINGS);
}

/// The process that is killed. It does nothing when it runs as an ordinary test.
#[test]
fn child_erases_until_it_is_killed() {
    let Some(data) = std::env::var_os(CHILD) else { return };
    let log = EmbeddedLog::open(&directory(Path::new(&data)), OPTIONS).unwrap();
    for number in (0..=RATINGS).step_by(PER_DAY as usize) {
        let erased = erase(&log, day(number), &|_| false);
        if erased.records > 0 {
            let mut out = std::io::stdout().lock();
            writeln!(out, "\nerased {number}").and_then(|()| out.flush()).unwrap();
        }
    }
}

#[test]
fn a_kill_in_the_middle_leaves_every_segment_as_it_was_or_erased() {
    let data = tempfile::tempdir().unwrap();
    let (log, catalogue) = filled(data.path());
    let head = log.head();
    drop(log);
    let (mut before, mut rounds) = (0, 0);
    while before < RATINGS && rounds < 60 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_erases_until_it_is_killed", "--nocapture"])
            .env(CHILD, data.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // One day was erased; then a moment that nobody chose.
        lines.by_ref().map_while(Result::ok).find(|line| line.starts_with("erased "));
        std::thread::sleep(std::time::Duration::from_micros(rounds * 397 % 4_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let log = EmbeddedLog::open(&directory(data.path()), OPTIONS).unwrap();
        assert_eq!(log.head(), head, "round {rounds}");
        let erased = check(&log, data.path(), &catalogue);
        assert!(erased >= before, "round {rounds}: what was erased stays so");
        assert!(
            std::fs::read_dir(directory(data.path()))
                .unwrap()
                .all(|file| { file.unwrap().path().extension().is_none_or(|extension| extension != "new") })
        );
        before = erased;
        rounds += 1;
    }
    println!("{rounds} kills, {before} erased");
    assert!(rounds > 1);
    let log = EmbeddedLog::open(&directory(data.path()), OPTIONS).unwrap();
    erase(&log, day(RATINGS), &|_| false);
    assert_eq!(check(&log, data.path(), &catalogue), RATINGS);
}

#[test]
fn erasing_by_hand_says_what_it_did_and_needs_the_log_to_itself() {
    let data = tempfile::tempdir().unwrap();
    let (log, catalogue) = filled(data.path());
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zhenping"));
        command.args(["ledger", "erase", "--before", &day(200).to_string(), "--data"]);
        command.arg(data.path()).output().unwrap()
    };
    let refused = run();
    assert_eq!(refused.status.code(), Some(2), "another process has it");
    drop(log);
    let done = run();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && said.contains("200 records"), "{said}");
    let log = EmbeddedLog::open(&directory(data.path()), OPTIONS).unwrap();
    assert!(said.contains(&log.head().to_string()), "{said}");
    // The kept record was on hold, or not: whoever is, stays whole.
    let held = (0..200)
        .filter(|&number| rating(number, &catalogue).outcome.decision == zhenping::wire::Decision::Hold);
    assert_eq!(check(&log, data.path(), &catalogue), 200 - held.count() as u64);
}
