//! The projection is a fold of the log: however it is cut up, and whenever it is begun again.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// One step of a log.
#[derive(Clone, Debug)]
enum Step {
    Rate(Box<Spec>),
    Act { rating: usize, by: &'static str, act: Act, passed: i64 },
    Force { rating: usize, by: &'static str, act: Act },
    Revise { rating: usize, decision: Decision, source: RevisionSource, campaign: Option<u64> },
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let who = (0..4_u8, 0..5_u8, 0..4_u8, 0..4_u8, 0..3_u8);
    let place = (1..4_u8, 0..3_u8, 0..3_u8, 1..=5_u8, 0..7_u8);
    let verdict = (
        select(vec![Decision::Hold, Decision::Hold, Decision::Admit, Decision::Reject]),
        select(vec![None, Some(Suspicion::PaddedPraise), Some(Suspicion::MaliciousReview)]),
        0.0..1.0_f32,
        select(vec![
            RatingFlags::default(),
            RatingFlags::default(),
            RatingFlags::SECOND_LOOK,
            RatingFlags::CONTROL,
        ]),
        select(vec![vec![], vec!["device-farm"], vec!["evenness", "device-farm"], vec!["no-case"]]),
    );
    (who, place, verdict, any::<bool>()).prop_map(|(who, place, verdict, matched)| {
        let (device, rater, case, text, ip) = who;
        let (department, district, window, stars, channel) = place;
        let (decision, suspicion, risk, flags, reasons) = verdict;
        let flags = if decision == Decision::Admit { flags } else { RatingFlags::default() };
        Spec {
            minute: 0,
            department,
            district,
            window,
            stars,
            channel,
            decision,
            suspicion,
            risk,
            flags,
            reasons,
            device,
            rater,
            case,
            text,
            ip,
            matched,
        }
    })
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        Just(Act::Claim { until: now(100_000) }),
        select(ReviewOutcome::ALL).prop_map(Act::Decide),
        select(ReviewOutcome::ALL).prop_map(Act::Decide),
        select(vec![
            Act::Undo,
            Act::Appeal,
            Act::Escalate,
            Act::Release,
            Act::Return,
            Act::Extend,
            Act::AskCallback
        ]),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let by = select(vec!["an", "bo", "cai"]);
    let decision = select(vec![Decision::Admit, Decision::Hold]);
    let source = select(vec![RevisionSource::LookBack, RevisionSource::LookBack, RevisionSource::Lapse]);
    prop_oneof![
        4 => any_spec().prop_map(|spec| Step::Rate(Box::new(spec))),
        4 => (0..60_usize, by.clone(), any_act(), 0..90_i64)
            .prop_map(|(rating, by, act, passed)| Step::Act { rating, by, act, passed }),
        1 => (0..60_usize, by, any_act()).prop_map(|(rating, by, act)| Step::Force { rating, by, act }),
        1 => (0..60_usize, decision, source, proptest::option::of(1..3_u64)).prop_map(
            |(rating, decision, source, campaign)| Step::Revise { rating, decision, source, campaign }
        ),
    ]
}

/// The log of these steps.
fn ledger(steps: &[Step]) -> Ledger {
    let mut ledger = Ledger::default();
    let mut minute = 0;
    let mut ratings = 0;
    for step in steps {
        minute += 7;
        match step {
            Step::Rate(spec) => {
                let spec = Spec { minute, ..(**spec).clone() };
                ledger.rate(&format!("r{ratings:03}"), &spec);
                ratings += 1;
            }
            _ if ratings == 0 => {}
            Step::Act { rating, by, act, passed } => {
                minute += passed;
                let by = if *act == Act::Appeal { "" } else { by };
                ledger.act(&format!("r{:03}", rating % ratings), by, *act, minute);
            }
            Step::Force { rating, by, act } => {
                ledger.force(&format!("r{:03}", rating % ratings), by, *act, "", minute);
            }
            Step::Revise { rating, decision, source, campaign } => {
                let id = format!("r{:03}", rating % ratings);
                if ledger.state(&id).decision != *decision {
                    ledger.revise(&id, *decision, *source, minute, *campaign);
                }
            }
        }
    }
    ledger
}

/// How the log is cut up, and how far it has got meanwhile when a batch is applied: the projection may read cases
/// that are ahead of the batch.
fn fill(ledger: &Ledger, sizes: &[usize]) -> Scratch {
    let scratch = scratch();
    let mut sizes = sizes.iter().copied().cycle();
    let mut start = 0;
    while start < ledger.entries.len() {
        let end = (start + sizes.next().unwrap()).min(ledger.entries.len());
        let batch: Vec<(u64, &Entry)> =
            (start..end).map(|place| (place as u64, &ledger.entries[place])).collect();
        scratch.projection.apply(&batch, end as u64, ledger).unwrap();
        start = end;
    }
    scratch
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_batching_gives_the_same_rows(
        steps in prop::collection::vec(any_step(), 1..90),
        sizes in prop::collection::vec(1..12_usize, 1..6),
    ) {
        let ledger = ledger(&steps);
        let whole = dump(&fill(&ledger, &[usize::MAX >> 1]).projection);
        let cut = dump(&fill(&ledger, &sizes).projection);
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn following_the_log_as_it_grows_gives_the_same_rows(steps in prop::collection::vec(any_step(), 1..60)) {
        let full = ledger(&steps);
        let grown = scratch();
        // Every batch sees no more of the log than there was then.
        let mut then = Ledger::default();
        for entry in &full.entries {
            then.push(entry.clone());
            then.apply_to(&grown.projection, 1);
        }
        prop_assert_eq!(dump(&grown.projection), dump(&fill(&full, &[7]).projection));
    }

    #[test]
    fn a_row_says_what_the_case_is(steps in prop::collection::vec(any_step(), 1..90)) {
        let ledger = ledger(&steps);
        let Scratch { projection, directory: _directory } = fill(&ledger, &[5]);
        for place in 0.. {
            let id = format!("r{place:03}");
            let Some(file) = ledger.file(&id) else { break };
            let state = ledger.state(&id);
            let row = projection.case_row(&id, viewer(0)).unwrap();
            let Some(row) = row else {
                prop_assert!(file.entries.is_empty() && !state.is_open() && state.decision == Decision::Admit);
                continue;
            };
            prop_assert_eq!(row.state, if state.is_open() { "open" } else { "decided" });
            prop_assert_eq!(row.decision.value, state.decision.name());
            prop_assert_eq!(row.outcome.map(|outcome| outcome.value), state.outcome.map(ReviewOutcome::name));
            prop_assert_eq!(row.votes == 1, state.first.is_some());
            prop_assert_eq!(row.deciders.len(), state.deciders.len());
            prop_assert_eq!(projection.history(&id).unwrap().len(), file.entries.len());
        }
        // The counters agree with the rows.
        let (counted, rows): (i64, i64) = projection
            .read(|db| Ok(db.query_row(
                "SELECT (SELECT coalesce(sum(n), 0) FROM counter WHERE standing = 1), (SELECT count(*) FROM cases WHERE open = 1)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?))
            .unwrap();
        prop_assert_eq!(counted, rows);
    }
}

fn a_log() -> Ledger {
    let mut ledger = Ledger::default();
    for place in 0..8 {
        let spec =
            Spec { minute: place * 10, device: 1, stars: if place < 3 { 1 } else { 5 }, ..Spec::default() };
        ledger.rate(&format!("r{place}"), &spec);
    }
    ledger.rate("plain", &Spec { decision: Decision::Admit, ..Spec::default() });
    ledger.rate(
        "look",
        &Spec { decision: Decision::Admit, flags: RatingFlags::SECOND_LOOK, ..Spec::default() },
    );
    let confirm = Act::Decide(ReviewOutcome::Confirm);
    ledger.act("r0", "an", confirm, 100);
    ledger.act("r0", "bo", confirm, 110);
    ledger.act("r1", "an", confirm, 120);
    ledger.act("r3", "an", Act::Decide(ReviewOutcome::Clear), 130);
    ledger.act("look", "an", confirm, 140);
    ledger.act("r0", "", Act::Appeal, 150);
    ledger.act("r0", "cai", Act::Decide(ReviewOutcome::Clear), 160);
    ledger
}

#[test]
fn a_deleted_file_is_filled_again_row_for_row() {
    let ledger = a_log();
    let Scratch { projection, directory } = scratch();
    ledger.apply_to(&projection, 4);
    let before = dump(&projection);
    assert!(before.len() > 60, "{}", before.len());
    drop(projection);
    for entry in fs::read_dir(directory.path()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let projection = Projection::open(directory.path()).unwrap();
    assert_eq!(projection.position(), 0);
    ledger.apply_to(&projection, 1_000);
    assert_eq!(dump(&projection), before);
}

#[test]
fn it_goes_on_where_it_was_after_a_restart_and_a_repeated_entry_changes_nothing() {
    let ledger = a_log();
    let Scratch { projection, directory } = scratch();
    ledger.apply_to(&projection, 4);
    let before = dump(&projection);
    drop(projection);
    let projection = Projection::open(directory.path()).unwrap();
    assert_eq!(projection.position(), ledger.len());
    let all: Vec<(u64, &Entry)> = (0..).zip(&ledger.entries).collect();
    assert_eq!(projection.apply(&all, ledger.len(), &ledger).unwrap(), Applied::default());
    assert_eq!(dump(&projection), before);
}

#[test]
fn a_file_of_another_version_or_of_no_database_is_begun_anew() {
    let ledger = a_log();
    let Scratch { projection, directory } = scratch();
    ledger.apply_to(&projection, 100);
    let before = dump(&projection);
    drop(projection);
    let path = directory.path().join(FILE_NAME);
    let spoil: [&dyn Fn(); 3] = [
        &|| Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap(),
        &|| fs::write(&path, "no database at all, and longer than a header would be".repeat(50)).unwrap(),
        &|| {
            // The first page is whole, and the tables behind it are not.
            let mut bytes = fs::read(&path).unwrap();
            bytes[4_096..].fill(0xA5);
            fs::write(&path, bytes).unwrap();
        },
    ];
    for spoil in spoil {
        spoil();
        let projection = Projection::open(directory.path()).unwrap();
        while projection.position() < ledger.len() {
            let position = projection.position();
            let rest: Vec<(u64, &Entry)> = (0..).zip(&ledger.entries).skip(position as usize).collect();
            match projection.apply(&rest, ledger.len(), &ledger) {
                Ok(_) | Err(ProjectionError::StartedOver) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(dump(&projection), before);
    }
}

#[test]
fn damage_that_a_reader_meets_is_mended_by_the_next_batch() {
    let mut ledger = a_log();
    let Scratch { projection, directory } = scratch();
    ledger.apply_to(&projection, 100);
    drop(projection);
    let path = directory.path().join(FILE_NAME);
    let mut bytes = fs::read(&path).unwrap();
    let schema_end = 8 * 4_096;
    bytes[schema_end..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    if let Ok(projection) = Projection::open(directory.path()) {
        let _ = projection.history("r0");
        let _ = projection.queue(&QueueFilter::default(), None, 10);
        ledger.rate("late", &Spec::default());
        let mut tries = 0;
        while projection.position() < ledger.len() {
            let position = projection.position();
            let rest: Vec<(u64, &Entry)> = (0..).zip(&ledger.entries).skip(position as usize).collect();
            match projection.apply(&rest, ledger.len(), &ledger) {
                Ok(_) | Err(ProjectionError::StartedOver) => {}
                Err(error) => panic!("{error}"),
            }
            tries += 1;
            assert!(tries < 5);
        }
        let fresh = scratch();
        ledger.apply_to(&fresh.projection, 100);
        assert_eq!(dump(&projection), dump(&fresh.projection));
    }
}

#[test]
fn what_the_log_has_erased_is_forgotten_as_if_it_had_never_been_read() {
    let mut ledger = a_log();
    let Scratch { projection, directory: _directory } = scratch();
    ledger.apply_to(&projection, 4);
    assert!(dump(&projection).iter().any(|row| row.contains("words of an")));
    for id in ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "plain", "look"] {
        ledger.erase(id);
    }
    projection.forget(Instant(START + 30 * DAY_MS), &ledger).unwrap();
    let rows = dump(&projection);
    assert!(!rows.iter().any(|row| row.contains("words of")), "words are erased");
    assert!(
        !rows.iter().any(|row| row.starts_with("member") || row.starts_with("link")),
        "and all that links"
    );
    let fresh = scratch();
    ledger.apply_to(&fresh.projection, 100);
    assert_eq!(rows, dump(&fresh.projection));
    // What people decided stands, also about a second look whose flag is erased.
    let look = projection.case_row("look", viewer(0)).unwrap().unwrap();
    assert_eq!((look.outcome.map(|outcome| outcome.value), look.decision.value), (Some("confirm"), "reject"));
}
