//! The queue against a naive filter over the rows.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// A log of many cases that differ in all that is filtered by.
fn many(count: u32) -> Ledger {
    let mut ledger = Ledger::default();
    let codes = ["device-farm", "evenness", "no-case", "text-copied"];
    for place in 0..count {
        let pick = |salt: u32, of: u32| place.wrapping_mul(2_654_435_761).rotate_left(salt) % of;
        let decision = if pick(1, 5) == 0 { Decision::Admit } else { Decision::Hold };
        let flags = match pick(2, 2) {
            0 => RatingFlags::SECOND_LOOK,
            _ => RatingFlags::CONTROL,
        };
        let spec = Spec {
            minute: i64::from(place * 7),
            department: 1 + pick(3, 4) as u8,
            district: pick(4, 3) as u8,
            stars: 1 + pick(5, 5) as u8,
            channel: pick(6, 7) as u8,
            decision,
            suspicion: [Some(Suspicion::PaddedPraise), Some(Suspicion::Automation), None]
                [pick(7, 3) as usize],
            risk: pick(8, 100) as f32 / 100.0,
            flags: if decision == Decision::Admit { flags } else { RatingFlags::default() },
            reasons: codes[pick(9, 4) as usize..].to_vec(),
            ..Spec::default()
        };
        let id = format!("{}{place:04}", if place % 2 == 0 { "ra" } else { "rb" });
        ledger.rate(&id, &spec);
        let late = i64::from(count * 7);
        match pick(10, 9) {
            0 => drop(ledger.act(&id, "an", Act::Claim { until: now(late + 60) }, late)),
            1 => drop(ledger.act(&id, "bo", Act::Claim { until: now(late + 60) }, late)),
            2 => drop(ledger.act(&id, "bo", Act::Claim { until: now(late - 5) }, late - 10)),
            3 => drop(ledger.act(&id, "bo", Act::Escalate, late)),
            4 => drop(ledger.act(&id, "bo", Act::Decide(ReviewOutcome::Confirm), late)),
            5 => drop(ledger.act(&id, "bo", Act::Decide(ReviewOutcome::Clear), late)),
            6 => drop(ledger.act(&id, "", Act::Appeal, late)),
            _ => {}
        }
    }
    ledger
}

fn some<T: Clone + std::fmt::Debug + 'static>(values: Vec<T>) -> impl Strategy<Value = Option<T>> {
    prop_oneof![3 => Just(None), 1 => select(values).prop_map(Some)]
}

fn any_filter(now: Instant) -> impl Strategy<Value = QueueFilter> {
    let tab = select(Tab::ALL.map(|(tab, _)| tab).to_vec());
    let sort = select(Sort::ALL.map(|(sort, ..)| sort).to_vec());
    let what = (
        some(vec![Suspicion::PaddedPraise, Suspicion::Automation, Suspicion::Duplicate]),
        some(vec!["device-farm".to_owned(), "text-copied".to_owned(), "unheard-of".to_owned()]),
        some(vec!["D1".to_owned(), "D2".to_owned(), "d1".to_owned()]),
        some(vec!["X1".to_owned()]),
        some(vec![Channel::HallWindow, Channel::Portal]),
        some(vec![1_u8, 5]),
        some(vec![Age::FourHours, Age::Day]),
    );
    let scope = (
        select(vec![vec![], vec!["D1".to_owned(), " d3".to_owned()]]),
        select(vec![vec![], vec!["x1".to_owned(), "X2".to_owned()]]),
        select(vec![None, None, Some("d1 ".to_owned())]),
    );
    let q = select(vec!["", "", "", "ra", "rb00", "D2", "nothing"]);
    (tab, sort, what, scope, q).prop_map(move |(tab, sort, what, scope, q)| {
        let (suspicion, rule, department, district, channel, stars, age) = what;
        let (departments, districts, own_department) = scope;
        QueueFilter {
            tab,
            suspicion,
            rule,
            department,
            district,
            channel,
            stars,
            age,
            sort,
            q: q.to_owned(),
            scope: Scope { departments, districts, own_department },
            name: "an".to_owned(),
            now,
        }
    })
}

/// Whether a row belongs in a list, said again in plain words.
fn belongs(row: &CaseRow, codes: &[String], filter: &QueueFilter) -> bool {
    let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
    let open = row.state == "open";
    let in_tab = match filter.tab {
        Tab::Open => open,
        Tab::Mine => open && row.claim.as_ref().is_some_and(|claim| claim.mine),
        Tab::Bad => open && row.bad,
        Tab::Overdue => open && row.deadline < filter.now,
        Tab::Second => open && row.votes > 0,
        Tab::Appeals => open && row.kind.value == "appeal",
        Tab::Escalated => open && row.escalated,
        Tab::Decided => row.decided.is_some(),
    };
    let scope = &filter.scope;
    let waited = filter.now.ms() - row.since.ms();
    let hours = match filter.age {
        None => 0,
        Some(Age::FourHours) => 4,
        Some(Age::Day) => 24,
        Some(Age::ThreeDays) => 72,
    };
    let district = row.district.as_deref();
    in_tab
        && filter
            .suspicion
            .is_none_or(|wanted| row.suspicion.is_some_and(|found| found.value == wanted.name()))
        && filter.rule.as_ref().is_none_or(|rule| row.kind.value != "second_look" && codes.contains(rule))
        && filter.department.as_ref().is_none_or(|wanted| row.department == *wanted)
        && filter.district.as_deref().is_none_or(|wanted| district == Some(wanted))
        && filter.channel.is_none_or(|wanted| row.channel.value == wanted.name())
        && filter.stars.is_none_or(|wanted| row.stars == wanted)
        && waited >= hours * HOUR_MS
        && (row.id.starts_with(&filter.q) || (filter.q == "D2" && row.department == "D2"))
        && (scope.departments.is_empty() || scope.departments.iter().any(|code| same(code, &row.department)))
        && (scope.districts.is_empty()
            || district.is_some_and(|found| scope.districts.iter().any(|code| same(code, found))))
        && !scope.own_department.as_ref().is_some_and(|own| same(own, &row.department))
}

#[test]
fn every_filter_and_order_agrees_with_a_naive_one() {
    let ledger = many(400);
    let Scratch { projection, directory: _directory } = scratch();
    ledger.apply_to(&projection, 37);
    let now = now(400 * 7);
    let viewer = Viewer { name: "an", now };
    let mut rows: Vec<(CaseRow, i64, Vec<String>)> = Vec::new();
    for entry in &ledger.entries {
        let Entry::Rating(rating) = entry else { continue };
        let Some(row) = projection.case_row(&rating.observation.rating_id, viewer).unwrap() else { continue };
        let rank = projection
            .read(|db| {
                let sql = "SELECT rank FROM cases WHERE rating_sequence = ?1";
                Ok(db.query_row(sql, [row.sequence as i64], |row| row.get(0))?)
            })
            .unwrap();
        let codes = rating.outcome.reasons.iter().map(|reason| reason.code.to_string()).collect();
        rows.push((row, rank, codes));
    }
    assert!(rows.len() > 300);
    let mut seen = 0;
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: 600, ..Default::default() });
    runner
        .run(&any_filter(now), |filter| {
            let mut wanted: Vec<&(CaseRow, i64, Vec<String>)> =
                rows.iter().filter(|(row, _, codes)| belongs(row, codes, &filter)).collect();
            wanted.sort_by_key(|(row, rank, _)| {
                let decided = row.decided.map_or(0, Instant::ms);
                let (key, descending) = match (filter.tab, filter.sort) {
                    (Tab::Decided, Sort::Oldest) => (decided, false),
                    (Tab::Decided, _) => (decided, true),
                    (_, Sort::Priority) => (*rank, false),
                    (_, Sort::Oldest) => (row.since.ms(), false),
                    (_, Sort::Newest) => (row.since.ms(), true),
                    (_, Sort::Deadline) => (row.deadline.ms(), false),
                };
                let sequence = row.sequence as i64;
                if descending { (-key, -sequence) } else { (key, sequence) }
            });
            let mut found = Vec::new();
            let mut cursor: Option<String> = None;
            loop {
                let page = projection.queue(&filter, cursor.as_deref(), 17).unwrap();
                prop_assert_eq!(page.total, wanted.len() as u64, "{:?}", &filter);
                prop_assert!(!page.total_is_least);
                found.extend(page.rows);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            let ids =
                |rows: &mut dyn Iterator<Item = &CaseRow>| rows.map(|row| row.id.clone()).collect::<Vec<_>>();
            prop_assert_eq!(
                ids(&mut found.iter()),
                ids(&mut wanted.iter().map(|(row, ..)| row)),
                "{:?}",
                &filter
            );
            Ok(())
        })
        .unwrap();
    // The counts are those of the tabs.
    for scope in [
        Scope::default(),
        Scope { departments: vec!["D1".into()], ..Scope::default() },
        Scope { own_department: Some("d2".into()), districts: vec!["X1".into()], ..Scope::default() },
    ] {
        let counts = projection.counts(&scope, viewer).unwrap();
        for (tab, counted) in [
            (Tab::Open, counts.open),
            (Tab::Mine, counts.mine),
            (Tab::Bad, counts.bad),
            (Tab::Overdue, counts.overdue),
            (Tab::Second, counts.second),
            (Tab::Appeals, counts.appeals),
            (Tab::Escalated, counts.escalated),
        ] {
            let filter =
                QueueFilter { tab, scope: scope.clone(), name: "an".into(), now, ..QueueFilter::default() };
            let total = rows.iter().filter(|(row, _, codes)| belongs(row, codes, &filter)).count() as u64;
            assert_eq!(counted, total, "{tab:?} {scope:?}");
            seen += total;
        }
    }
    assert!(seen > 500, "the tabs have something in them");
}

#[test]
fn a_control_sample_looks_like_any_second_look() {
    let mut ledger = Ledger::default();
    let doubted = Spec {
        decision: Decision::Admit,
        flags: RatingFlags::SECOND_LOOK,
        risk: 0.6,
        suspicion: Some(Suspicion::PaddedPraise),
        ..Spec::default()
    };
    let drawn = Spec {
        flags: RatingFlags::CONTROL,
        risk: 0.01,
        suspicion: None,
        reasons: Vec::new(),
        ..doubted.clone()
    };
    ledger.rate("doubted", &doubted);
    ledger.rate("drawn", &drawn);
    let Scratch { projection, directory: _directory } = scratch();
    ledger.apply_to(&projection, 10);
    let shown = |id: &str| {
        let row = projection.case_row(id, viewer(60)).unwrap().unwrap();
        let mut shown = serde_json::to_value(row).unwrap();
        shown["id"] = "".into();
        shown["sequence"] = 0.into();
        shown
    };
    assert_eq!(shown("doubted"), shown("drawn"));
    for filter in [
        QueueFilter { suspicion: Some(Suspicion::PaddedPraise), ..QueueFilter::default() },
        QueueFilter { rule: Some("device-farm".into()), ..QueueFilter::default() },
    ] {
        assert_eq!(projection.queue(&filter, None, 10).unwrap().total, 0, "no filter tells them apart");
    }
    assert_eq!(projection.queue_options(&Scope::default()).unwrap().rules, []);
}

#[test]
fn an_appeal_waits_anew_and_comes_first() {
    let mut ledger = Ledger::default();
    ledger.rate("r0", &Spec { stars: 5, risk: 0.2, ..Spec::default() });
    ledger.rate("r1", &Spec { stars: 5, risk: 0.95, ..Spec::default() });
    ledger.act("r0", "an", Act::Decide(ReviewOutcome::Confirm), 10);
    ledger.act("r0", "", Act::Appeal, 20);
    let Scratch { projection, directory: _directory } = scratch();
    ledger.apply_to(&projection, 10);
    let page = projection.queue(&QueueFilter { now: now(30), ..QueueFilter::default() }, None, 10).unwrap();
    let row = &page.rows[0];
    assert_eq!((row.id.as_str(), row.kind.value, row.since), ("r0", "appeal", now(20)));
    assert_eq!(row.deadline, Instant(now(20).ms() + DAY_MS));
    assert_eq!(row.deciders, ["an"]);
    assert_eq!(projection.by_reference("ZP-r0").unwrap(), Some((0, "r0".to_owned())));
    assert_eq!(projection.by_reference("ZP-rx").unwrap(), None);
}

#[test]
fn the_audit_trail_is_paged_and_filtered() {
    let ledger = many(60);
    let Scratch { projection, directory: _directory } = scratch();
    ledger.apply_to(&projection, 10);
    let mut all: Vec<u64> = Vec::new();
    let mut before = None;
    loop {
        let page = projection.audit(&AuditFilter::default(), before, 7).unwrap();
        all.extend(page.events.iter().map(|event| event.sequence));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let wanted: Vec<u64> = (0..ledger.len())
        .rev()
        .filter(|&place| matches!(ledger.entries[place as usize], Entry::Review(_) | Entry::Revision(_)))
        .collect();
    assert_eq!(all, wanted);
    let by_an = AuditFilter { who: Some("an".into()), ..AuditFilter::default() };
    let page = projection.audit(&by_an, None, 500).unwrap();
    assert!(!page.events.is_empty() && page.events.iter().all(|event| event.who == "an"));
}
