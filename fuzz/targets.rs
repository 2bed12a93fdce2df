//! What must hold of hostile bytes: one function a door. `fuzz_targets/` hands them to libFuzzer,
//! `tests/fuzz_smoke.rs` to its own bounded mutations.
//!
//! Each gives a number that stands for the way that was taken (which error, which shape), so that a runner
//! without instrumentation can tell new behaviour from old.

use std::sync::LazyLock;

use axum::body::Bytes;
use zhenping::date::UtcOffset;
use zhenping::features::reference::References;
use zhenping::http::lines::{Line, LineSplitter};
use zhenping::log::{EmbeddedLog, Log, LogOptions, Record, verify};
use zhenping::pseudonym::{Epoch, Keyring, MasterKey};
use zhenping::rating::{self, MAX_RATING_BYTES};
use zhenping::rules::Source;
use zhenping::scoring::Ruling;

/// A target.
pub type Target = fn(&[u8]) -> u64;

/// All targets by name.
pub const TARGETS: [(&str, Target); 7] = [
    ("parse", parse),
    ("pseudonymise", pseudonymise),
    ("rules", rules),
    ("record", record),
    ("segment", segment),
    ("reference", reference),
    ("lines", lines),
];

/// No line makes the parser panic, and what it says of a line never quotes it.
pub fn parse(line: &[u8]) -> u64 {
    match rating::parse(line) {
        Ok(rating) => {
            assert!((1..=5).contains(&rating.stars));
            assert!((1..=128).contains(&rating.rating_id.len()));
            assert!(rating.tags.as_ref().is_none_or(|tags| tags.len() <= 20));
            let comment = rating.comment.as_ref();
            assert!(comment.is_none_or(|comment| comment.text.chars().count() <= 2000));
            // At most one warning per field, one for a cut, one for damage, one for the line.
            assert!(rating.warnings.len() <= 2 * rating::fields().len() + 1);
            outcome(rating.warnings.iter().map(|warning| format!("{}{}", warning.path, warning.text)))
        }
        Err(error) => {
            assert!(error.to_string().len() < 400 || line.len() > MAX_RATING_BYTES);
            outcome([error.to_string()])
        }
    }
}

static BEFORE: LazyLock<Keyring> = LazyLock::new(|| Keyring::new(root(), &epoch(1), None));
static AFTER: LazyLock<Keyring> = LazyLock::new(|| Keyring::new(root(), &epoch(2), Some(&epoch(1))));

fn root() -> MasterKey {
    MasterKey::new([7; 32])
}

fn epoch(id: u32) -> Epoch {
    Epoch { id, secret: MasterKey::new([id as u8; 32]) }
}

/// No rating makes the step to an observation panic; it is the same every time; and an epoch before
/// changes nothing but names.
pub fn pseudonymise(line: &[u8]) -> u64 {
    let Ok(rating) = rating::parse(line) else { return 0 };
    let (old, _) = BEFORE.pseudonymise(rating.clone());
    assert_eq!(old, BEFORE.pseudonymise(rating.clone()).0);
    let (new, previous, comment) = AFTER.pseudonymise_both(rating);
    let previous = previous.expect("there is an epoch before");
    assert_eq!((old.digest, &old.text), (new.digest, &new.text));
    assert_eq!((previous.rater, previous.occasion), (old.rater.id, old.service.occasion));
    assert_eq!(comment.is_some(), new.text.is_some());
    let shape = [old.rater.id.is_some(), old.service.case.is_some(), old.device.hardware.is_some()];
    outcome([format!("{shape:?}{}{}", old.device.contradictions, old.warnings.len())])
}

/// No text makes the rule checker panic or hang; what it refuses it explains within bounds; and what it takes
/// it takes again, under the same version.
pub fn rules(text: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(text).into_owned();
    let load = || Ruling::load(vec![Source { name: "fuzz.toml".to_owned(), text: text.clone() }]);
    match load() {
        Ok(ruling) => {
            assert_eq!(load().expect("it was taken before").version(), ruling.version());
            outcome([format!("{} {}", ruling.rules().len(), ruling.counters().counters().len())])
        }
        Err(error) => {
            let messages: Vec<String> =
                error.0.0.iter().map(|located| located.diagnostic.message.clone()).collect();
            assert!(!messages.is_empty() && error.to_string().contains("fuzz.toml"));
            outcome(messages.iter().take(3).map(|message| without_values(message)))
        }
    }
}

/// No record makes the decoder panic; what it decodes can be erased, and the leaf stays.
pub fn record(bytes: &[u8]) -> u64 {
    let record = match Record::parse(bytes) {
        Ok(record) => record,
        Err(error) => return outcome([error.to_string()]),
    };
    let read = [record.rating().err(), record.rating_id().err(), record.case().err(), record.keys().err()];
    let entry = record.entry();
    if entry.is_ok() {
        assert!(read.iter().all(Option::is_none), "the entry is sound and a part of it is not: {read:?}");
    }
    let erased = record.erase();
    let again = Record::parse(&erased).expect("an erased record is a record");
    assert_eq!(again.leaf(), record.leaf());
    assert_eq!(again.erase(), erased);
    outcome([format!("{:?}{:?}", entry.map(|entry| std::mem::discriminant(&entry)), record.kind())])
}

/// No bytes in a segment file make the log panic, hang, or change what it once recovered.
pub fn segment(bytes: &[u8]) -> u64 {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("00000000000000000000.seg"), bytes).expect("a file");
    let verified = verify(directory.path(), None, &mut |_| {}).map(|report| report.is_sound());
    let open = || EmbeddedLog::open(directory.path(), LogOptions { segment_bytes: 1 << 16 });
    let log = match open() {
        Ok(log) => log,
        Err(error) => {
            assert!(!matches!(verified, Ok(true)), "a log that verifies opens: {error}");
            let message = error.to_string().replace(&directory.path().display().to_string(), "");
            return outcome([without_values(&message)]);
        }
    };
    let head = log.head();
    let read = log.read_from(0).map(|entries| entries.take_while(Result::is_ok).count() as u64);
    drop(log);
    let again = open().expect("a log that was recovered opens");
    assert_eq!(again.head(), head, "recovery is done once");
    outcome([format!("{:?}{}", verified.ok(), read.unwrap_or(0) == head.next_sequence)])
}

/// No table makes the reader panic, and what it takes stands in the log as the same table. The first line is
/// the table's name.
pub fn reference(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (name, text) = text.split_once('\n').unwrap_or(("terminals.csv", &text));
    let files = [(name.to_owned(), text.to_owned())];
    match References::read(&files, &BEFORE, UtcOffset::CHINA) {
        Ok(tables) => {
            let logged =
                References::from_log(tables.files(), UtcOffset::CHINA).expect("the log's form is sound");
            assert_eq!((logged.files(), logged.version()), (tables.files(), tables.version()));
            outcome([format!("{name}{}", tables.rows().iter().map(|row| row.1).sum::<usize>().min(9))])
        }
        Err(errors) => {
            assert!(!errors.0.is_empty() && errors.0.iter().all(|error| error.message.chars().count() < 400));
            outcome(errors.0.iter().take(3).map(|error| without_values(&error.message)))
        }
    }
}

/// However a batch is cut into pieces, its lines are the same and none is longer than allowed. The first byte
/// says how it is cut.
pub fn lines(bytes: &[u8]) -> u64 {
    const LIMIT: usize = 64;
    let (step, bytes) = bytes.split_first().map_or((1, bytes), |(step, rest)| (usize::from(*step) + 1, rest));
    let split = |step: usize| {
        let (mut splitter, mut found) = (LineSplitter::new(LIMIT), Vec::new());
        bytes.chunks(step).for_each(|piece| splitter.push(&Bytes::copy_from_slice(piece), &mut found));
        splitter.finish(&mut found);
        found
    };
    let found = split(step);
    assert_eq!(found, split(usize::MAX));
    assert!(found.windows(2).all(|pair| pair[0].number() < pair[1].number()));
    let mut shapes = Vec::new();
    for line in found {
        shapes.push(match line {
            Line::Overlong(_) => 0,
            Line::Whole(_, line) => {
                assert!(line.len() <= LIMIT && !line.contains(&b'\n'));
                1 + parse(&line) % 7
            }
        });
    }
    shapes.truncate(4);
    outcome([format!("{shapes:?}")])
}

/// A number for what was said.
fn outcome(said: impl IntoIterator<Item = String>) -> u64 {
    said.into_iter().fold(1, |all, text| {
        text.bytes().fold(all, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    })
}

/// A message without numbers and what it quotes, so that it stands for its kind.
fn without_values(message: &str) -> String {
    let parts = message.split('`').step_by(2);
    parts.flat_map(|part| part.chars().filter(|c| !c.is_ascii_digit())).collect()
}
