//! Quality, labels, similar cases.

use super::*;
use crate::wire::Label;

#[test]
fn the_period_is_counted_from_what_stands() {
    let mut ledger = Ledger::default();
    let (clear, confirm) = (Act::Decide(ReviewOutcome::Clear), Act::Decide(ReviewOutcome::Confirm));
    for place in 0..6 {
        ledger.rate(&format!("bad{place}"), &Spec { stars: 1, ..Spec::default() });
        ledger.rate(&format!("good{place}"), &Spec::default());
        let drawn = Spec { decision: Decision::Admit, flags: RatingFlags::CONTROL, ..Spec::default() };
        ledger.rate(&format!("drawn{place}"), &drawn);
    }
    // Three pairs: two agree, one does not.
    for (place, second) in [(0, confirm), (1, confirm), (2, clear)] {
        assert!(ledger.act(&format!("bad{place}"), "an", confirm, 10));
        assert!(ledger.act(&format!("bad{place}"), "bo", second, 20));
    }
    // One decision is taken back and made anew, one comes late, one is overturned on appeal, one lapses.
    assert!(ledger.act("good0", "an", confirm, 30));
    assert!(ledger.act("good0", "an", Act::Undo, 31));
    assert!(ledger.act("good0", "an", clear, 40));
    assert!(ledger.act("good1", "bo", confirm, 60 * 24 + 60));
    assert!(ledger.act("good2", "an", confirm, 50));
    assert!(ledger.act("good2", "", Act::Appeal, 60));
    assert!(ledger.act("good2", "cai", clear, 70));
    ledger.revise("bad3", Decision::Admit, RevisionSource::Lapse, 5 * 24 * 60, None);
    assert!(ledger.act("drawn0", "cai", clear, 80));
    assert!(ledger.act("drawn1", "cai", confirm, 80));
    let Scratch { projection, directory: _directory } = scratch();
    ledger.apply_to(&projection, 10);

    let day = |number: i8| Day::new(2026, 3, number).unwrap();
    let found = projection.quality(day(1), day(8), UtcOffset::CHINA, now(8 * 24 * 60)).unwrap();
    assert_eq!((found.agreement.pairs, found.agreement.agreed), (3, 2));
    // Ratings of one star go to two: drawn1 is good, and one person decides.
    assert_eq!((found.control.sampled, found.control.decided, found.control.abusive), (6, 2, 1));
    assert_eq!(found.control.share, Some(0.5));
    assert!(found.control.low.unwrap() < 0.1 && found.control.high.unwrap() > 0.9);
    assert_eq!(found.appeals, Appeals { filed: 1, decided: 1, overturned: 1 });
    let an = found.reviewers.iter().find(|reviewer| reviewer.name == "an").unwrap();
    assert_eq!((an.decided, an.cleared, an.confirmed, an.overturned), (5, 1, 4, 1));
    assert_eq!(an.median_s, Some(49 * 60 + 59), "of those that closed a case");
    // In time: bad0 to bad2, good0, good2 twice, drawn0, drawn1. Late: good1, bad3. The rest is late and open.
    assert_eq!(found.deadlines, Deadlines { within: 8, late: 2, open_late: 2 + 3 + 4 });
    let backlog: Vec<(u64, u64, u64)> =
        found.backlog.iter().map(|day| (day.opened, day.decided, day.open)).collect();
    assert_eq!(backlog[0], (19, 8, 11), "the appeal opens its case again");
    assert_eq!((backlog[1], backlog[5], backlog[7]), ((0, 1, 10), (0, 1, 9), (0, 0, 9)));
    let farm = found.rules.iter().find(|rule| rule.id == "device-farm").unwrap();
    // Confirmed: bad0, bad1, good1, drawn1. Cleared: bad2, good0, good2 on appeal, drawn0.
    assert_eq!((farm.decided, farm.confirmed, farm.cleared), (8, 4, 4));
    assert_eq!(farm.precision, Some(0.5));
    let outcomes = projection.rule_outcomes().unwrap()["device-farm"];
    assert_eq!((outcomes.held, outcomes.confirmed, outcomes.cleared), (2 + 3, 4, 4));
    let before = projection
        .quality(Day::new(2026, 2, 1).unwrap(), Day::new(2026, 2, 2).unwrap(), UtcOffset::CHINA, now(0))
        .unwrap();
    assert_eq!((before.agreement, before.control), (Agreement::default(), Control::default()));

    let mut labels = Vec::new();
    projection.labels(0, |row| labels.push((row.rating_id, row.label, row.control))).unwrap();
    labels.sort();
    let wanted = [
        ("bad0", Label::MaliciousReview, false),
        ("bad1", Label::MaliciousReview, false),
        ("bad2", Label::Genuine, false),
        ("drawn0", Label::Genuine, true),
        ("drawn1", Label::PaddedPraise, true),
        ("good0", Label::Genuine, false),
        ("good1", Label::PaddedPraise, false),
        ("good2", Label::Genuine, false),
    ];
    assert_eq!(labels, wanted.map(|(id, label, control)| (id.to_owned(), label, control)));
    let mut none = 0;
    projection.labels(ledger.len(), |_| none += 1).unwrap();
    assert_eq!(none, 0);
}

#[test]
fn similar_cases_share_suspicion_and_strongest_reason_and_those_next_door_come_first() {
    let mut ledger = Ledger::default();
    for place in 0..12_u8 {
        let spec = Spec {
            department: 1 + place % 2,
            reasons: if place % 3 == 0 { vec!["evenness"] } else { vec!["device-farm", "evenness"] },
            ..Spec::default()
        };
        ledger.rate(&format!("r{place:02}"), &spec);
    }
    for place in 1..12 {
        let outcome = if place % 4 == 1 { ReviewOutcome::Clear } else { ReviewOutcome::Confirm };
        ledger.act(&format!("r{place:02}"), "an", Act::Decide(outcome), place);
    }
    ledger.rate("this", &Spec { department: 2, ..Spec::default() });
    let Scratch { projection, directory: _directory } = scratch();
    ledger.apply_to(&projection, 5);
    let this = projection.case_row("this", viewer(60)).unwrap().unwrap();
    let found = projection.similar(&this, &Scope::default(), viewer(60)).unwrap();
    // 1, 2, 4, 5, 7, 8, 10, 11; cleared 1 and 5.
    assert_eq!((found.decided, found.cleared, found.confirmed), (8, 2, 6));
    let latest: Vec<&str> = found.latest.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(latest, ["r11", "r07", "r05", "r01", "r10"]);
    let scope = Scope { departments: vec!["D1".into()], ..Scope::default() };
    assert_eq!(projection.similar(&this, &scope, viewer(60)).unwrap().decided, 4);
}

#[test]
fn what_changed_is_told_from_a_position_on() {
    let mut ledger = Ledger::default();
    ledger.rate("a", &Spec::default());
    ledger.rate("b", &Spec::default());
    let Scratch { projection, directory: _directory } = scratch();
    ledger.apply_to(&projection, 5);
    assert_eq!(projection.changed_since(0, 10).unwrap(), ["b", "a"]);
    let seen = projection.position();
    ledger.act("a", "an", Act::Claim { until: now(60) }, 1);
    ledger.apply_to(&projection, 5);
    assert_eq!(projection.changed_since(seen, 10).unwrap(), ["a"]);
    assert_eq!(projection.pending_by_suspicion().unwrap()["padded_praise"], 2);
}
