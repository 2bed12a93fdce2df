//! The figures from a log's directory: the same as from its entries, and under the same head.

use zhenping::catalogue::{Catalogue, FeatureVector};
use zhenping::date::UtcOffset;
use zhenping::log::entry::{RatingEntry, RatingFlags, RevisionEntry, RevisionSource};
use zhenping::log::{self, EmbeddedLog, EncodedRecord, Log, LogOptions, Record};
use zhenping::observation::{Device, Network, Observation, Rater, Service};
use zhenping::statistics::{Counted, Dimension, FoldError, Query, Settings, Statistics, fold_directory};
use zhenping::time::Instant;
use zhenping::verdict::{Outcome, Version};
use zhenping::wire::{Channel, Decision, Origin};

fn rating(id: &str, stars: u8, decision: Decision, earlier: Option<u64>) -> RatingEntry {
    let submitted_at = Instant::parse_rfc3339("2026-03-31T23:30:00+08:00").unwrap();
    let service = Service {
        matter: "M1".into(),
        department: "D1".into(),
        district: Some("310101".into()),
        hall: None,
        window: Some("W1".into()),
        clerk: None,
        case: None,
        occasion: None,
        case_match: None,
        stage: None,
        completed_at: None,
    };
    let observation = Observation {
        rating_id: id.into(),
        digest: [7; 16],
        supersedes: None,
        source: None,
        submitted_at,
        received_at: None,
        opened_at: None,
        channel: Channel::Kiosk,
        entry: None,
        stars,
        origin: Origin::Active,
        hall_stars: None,
        aspects: [0; 6],
        tag_count: None,
        service,
        rater: Rater::default(),
        device: Device::default(),
        network: Network::default(),
        text: None,
        warnings: Vec::new(),
        former: None,
    };
    let outcome = Outcome {
        decision,
        suspicion: None,
        risk: 0.0,
        reasons: Vec::new(),
        rules: Version::default(),
        model: Version::default(),
        scored_at: submitted_at,
    };
    RatingEntry {
        observation: Box::new(observation),
        outcome,
        features: FeatureVector::new(Catalogue::builtin().len()),
        catalogue: Catalogue::builtin().version(),
        day: UtcOffset::CHINA.day_of(submitted_at),
        supersedes_sequence: earlier,
        flags: RatingFlags::default(),
    }
}

fn records() -> Vec<EncodedRecord> {
    let catalogue = Catalogue::builtin();
    let held = rating("r3", 1, Decision::Hold, None);
    let lapse = RevisionEntry {
        rating: held.public(),
        rating_sequence: 3,
        revision: 1,
        previous: Decision::Hold,
        decision: Decision::Admit,
        source: RevisionSource::Lapse,
        at: Instant(1_775_000_000_000),
        evidence: None,
    };
    let ratings = [
        rating("r0", 5, Decision::Admit, None),
        rating("r1", 2, Decision::Admit, None),
        rating("r2", 4, Decision::Admit, Some(1)),
        held,
    ];
    ratings.iter().map(|rating| rating.encode(&catalogue)).chain([lapse.encode()]).collect()
}

#[test]
fn the_figures_follow_from_a_logs_directory() {
    let data = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(&log::directory(data.path()), LogOptions::default()).unwrap();
    log.append(&records()).unwrap();
    // Beside the writer, which still holds the log.
    let (statistics, head) = fold_directory(data.path(), Settings::default(), &mut |_| {}).unwrap();
    assert_eq!(head, log.head());
    let query = Query { by: Dimension::Channel, ..Query::default().from("2026-03").unwrap() };
    let report = statistics.report(&query, &head.to_string()).unwrap();
    assert_eq!((report.log_position, report.head), (5, head.to_string()));
    assert_eq!(report.rows[0].code.as_deref(), Some("kiosk"));
    let figures = &report.total;
    assert_eq!((figures.counted, figures.replaced, figures.lapsed), (3, 1, 1));
    assert_eq!(figures.stars.0, [1, 0, 0, 1, 1]);

    let mut from_entries = Statistics::new(Settings::default());
    for entry in log.read_from(0).unwrap() {
        let (sequence, entry) = entry.unwrap();
        from_entries.apply(&Counted::of(sequence, &entry));
    }
    assert_eq!(from_entries.snapshot(), statistics.snapshot());
}

#[test]
fn erasing_what_is_personal_changes_no_figure() {
    let mut whole = Statistics::new(Settings::default());
    let mut erased = Statistics::new(Settings::default());
    for (sequence, record) in (0..).zip(records()) {
        let record = Record::parse(record.bytes()).unwrap();
        whole.apply_record(sequence, &record).unwrap();
        let bytes = record.erase();
        erased.apply_record(sequence, &Record::parse(&bytes).unwrap()).unwrap();
    }
    assert_eq!(whole.snapshot(), erased.snapshot());
}

#[test]
fn a_directory_without_a_log_is_an_error_that_says_so() {
    let data = tempfile::tempdir().unwrap();
    let error = fold_directory(data.path(), Settings::default(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, FoldError::Log(_)), "{error}");
    assert!(error.to_string().contains("log"), "{error}");
}
