//! How long it takes with many cases:
//! `cargo test --lib review::projection::tests::large -- --ignored --nocapture`.

use std::time::{Duration, Instant as Moment};

use super::*;

/// The shortest of several runs: the clock on the wall also tells of whoever else is at work.
fn shortest<T>(mut run: impl FnMut() -> T) -> (T, Duration) {
    const RUNS: usize = 9;
    let mut timed = || {
        let began = Moment::now();
        let found = run();
        (began.elapsed(), found)
    };
    let (mut least, mut found) = timed();
    for _ in 1..RUNS {
        let (elapsed, again) = timed();
        (least, found) = (least.min(elapsed), again);
    }
    (found, least)
}

/// A reader that knows each case from the batch alone: the log itself is not measured.
struct Batch<'a>(HashMap<&'a str, (u64, &'a Entry)>);

impl CaseReader for Batch<'_> {
    fn case(&self, rating_id: &str) -> Result<Option<CaseFile>, LogError> {
        Ok(self.0.get(rating_id).and_then(|&(sequence, entry)| CaseFile::of([(sequence, entry.clone())])))
    }

    fn reference(&self, rating_id: &str) -> String {
        format!("ZP-{rating_id}")
    }

    fn due(&self, since: Instant) -> Instant {
        // The end of the day after, as the calendar of working days has it.
        Instant((since.ms().div_euclid(DAY_MS) + 2) * DAY_MS)
    }
}

fn a_rating(place: u32) -> Entry {
    const CODES: [&str; 20] = [
        "c00", "c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "c09", "c10", "c11", "c12", "c13",
        "c14", "c15", "c16", "c17", "c18", "c19",
    ];
    let pick = |salt: u32, of: u32| (place ^ salt.wrapping_mul(77_777)).wrapping_mul(2_654_435_761) % of;
    let first = pick(9, 17) as usize;
    let spec = Spec {
        minute: i64::from(place) / 20,
        department: 1 + pick(3, 60) as u8,
        district: 1 + pick(4, 10) as u8,
        window: 1 + pick(5, 30) as u8,
        stars: 1 + pick(6, 5) as u8,
        channel: pick(7, 7) as u8,
        suspicion: Some(Suspicion::ALL[pick(8, 4) as usize]),
        risk: pick(2, 1000) as f32 / 1000.0,
        reasons: CODES[first..first + 3].to_vec(),
        ..Spec::default()
    };
    let mut entry = rating(&format!("R20260301-{place:07}"), &spec);
    // A campaign of some twenty members here and there.
    let key = |number: u32| {
        let mut bytes = [9; 16];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        Some(Pseudonym(bytes))
    };
    entry.observation.device.fingerprint =
        key(if place.is_multiple_of(4) { place / 80 } else { 1 << 30 | place });
    entry.observation.rater.id = key(place);
    Entry::Rating(Box::new(entry))
}

#[test]
#[ignore = "a measurement"]
fn a_hundred_thousand_open_cases() {
    const CASES: u32 = 100_000;
    let entries: Vec<Entry> = (0..CASES).map(a_rating).collect();
    let Scratch { projection, directory } = scratch();
    let began = Moment::now();
    for (chunk, batch) in entries.chunks(2_000).enumerate() {
        let batch: Vec<(u64, &Entry)> = ((chunk * 2_000) as u64..).zip(batch).collect();
        let reader = Batch(
            batch.iter().map(|&(sequence, entry)| (entry.rating_id().unwrap(), (sequence, entry))).collect(),
        );
        projection.apply(&batch, batch.last().unwrap().0 + 1, &reader).unwrap();
    }
    let bytes = fs::metadata(directory.path().join(FILE_NAME)).unwrap().len();
    println!("filled with {CASES} in {:?}, {} MB", began.elapsed(), bytes >> 20);

    let plain: Vec<Entry> = (0..100_000)
        .map(|place| {
            let Entry::Rating(mut rating) = a_rating(place) else { unreachable!() };
            rating.outcome.decision = Decision::Admit;
            Entry::Rating(rating)
        })
        .collect();
    let began = Moment::now();
    let batch: Vec<(u64, &Entry)> = (u64::from(CASES)..).zip(&plain).collect();
    let next = u64::from(CASES) * 2;
    projection.apply(&batch, next, &Batch(HashMap::new())).unwrap();
    println!("100,000 plain ratings in {:?}", began.elapsed());

    let now = now(i64::from(CASES) / 20 + 10);
    let base = QueueFilter { now, name: "an".into(), ..QueueFilter::default() };
    let filters = [
        ("a department", QueueFilter { department: Some("D7".into()), ..base.clone() }),
        (
            "a department and stars",
            QueueFilter { department: Some("D7".into()), stars: Some(1), ..base.clone() },
        ),
        ("a common rule", QueueFilter { rule: Some("c08".into()), ..base.clone() }),
        ("a rule and stars", QueueFilter { rule: Some("c08".into()), stars: Some(2), ..base.clone() }),
        ("no such rule", QueueFilter { rule: Some("c99".into()), ..base.clone() }),
        ("no such department", QueueFilter { department: Some("D999".into()), ..base.clone() }),
        ("a suspicion", QueueFilter { suspicion: Some(Suspicion::Duplicate), ..base.clone() }),
        ("an age", QueueFilter { age: Some(Age::Day), ..base.clone() }),
        (
            "an age, few",
            QueueFilter { age: Some(Age::ThreeDays), department: Some("D7".into()), ..base.clone() },
        ),
        ("a prefix", QueueFilter { q: "R20260301-00".into(), ..base.clone() }),
        ("a long prefix", QueueFilter { q: "R20260301-00123".into(), ..base.clone() }),
        (
            "a scope",
            QueueFilter {
                scope: Scope {
                    departments: (1..30).map(|number| format!("D{number}")).collect(),
                    districts: vec!["X1".into(), "X2".into()],
                    own_department: Some("D3".into()),
                },
                ..base.clone()
            },
        ),
    ];
    let mut worst = Duration::ZERO;
    let mut measure = |what: &str, filter: &QueueFilter| {
        let mut cursor = None;
        for page in 0..3 {
            let (found, elapsed) = shortest(|| projection.queue(filter, cursor.as_deref(), 50).unwrap());
            worst = worst.max(elapsed);
            if page == 0 || elapsed.as_millis() >= 15 {
                println!("{what}: page {page}: {} of {} in {elapsed:?}", found.rows.len(), found.total);
            }
            cursor = found.next;
            if cursor.is_none() {
                break;
            }
        }
    };
    for (tab, tab_name) in Tab::ALL {
        for (sort, sort_name, ..) in Sort::ALL {
            measure(&format!("{tab_name} by {sort_name}"), &QueueFilter { tab, sort, ..base.clone() });
        }
    }
    for (what, filter) in &filters {
        for (sort, sort_name, ..) in Sort::ALL {
            measure(&format!("{what} by {sort_name}"), &QueueFilter { sort, ..filter.clone() });
        }
    }
    println!("the worst page: {worst:?}");
    for (what, scope) in [("all", Scope::default()), ("a scope", filters[filters.len() - 1].1.scope.clone())]
    {
        let viewer = Viewer { name: "an", now };
        let (counts, elapsed) = shortest(|| projection.counts(&scope, viewer).unwrap());
        println!("counts of {what} in {elapsed:?}: {counts:?}");
        let (_, elapsed) = shortest(|| projection.queue_options(&scope).unwrap());
        println!("options of {what} in {elapsed:?}");
    }
    for (what, filter) in
        [("all", &base)].into_iter().chain(filters.iter().map(|(what, filter)| (*what, filter)))
    {
        let ((found, more), elapsed) = shortest(|| projection.campaigns(filter, 8).unwrap());
        println!("campaigns of {what}: {} and {more} in {elapsed:?}", found.len());
    }

    // A bulk decision of 300.
    let mut ledger = Ledger { days: true, ..Ledger::default() };
    for entry in entries {
        ledger.push(entry);
    }
    ledger.entries.extend(plain);
    for place in 0..300 {
        let id = ledger.entries[place * 80].rating_id().unwrap().to_owned();
        ledger.act(&id, "an", Act::Decide(ReviewOutcome::Clear), i64::from(CASES) / 20 + 10);
    }
    let began = Moment::now();
    ledger.apply_to(&projection, usize::MAX >> 1);
    println!("300 decisions in {:?}", began.elapsed());
    let (from, until) = (Day::new(2026, 3, 1).unwrap(), Day::new(2026, 3, 30).unwrap());
    let (_, elapsed) = shortest(|| projection.quality(from, until, UtcOffset::CHINA, now).unwrap());
    println!("quality in {elapsed:?}");
}
