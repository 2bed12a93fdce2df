//! Groups of cases.

use super::*;

fn projected(ledger: &Ledger) -> Scratch {
    let scratch = scratch();
    ledger.apply_to(&scratch.projection, 3);
    scratch
}

fn campaign_of(projection: &Projection, id: &str) -> Option<CampaignRef> {
    projection.case_row(id, viewer(0)).unwrap().unwrap().campaign
}

#[test]
fn three_cases_with_a_strong_link_are_a_campaign_and_two_are_not() {
    let alone = Spec { device: 0, rater: 0, ..Spec::default() };
    for linked in [
        Spec { device: 7, ..alone.clone() },
        Spec { rater: 7, ..alone.clone() },
        Spec { case: 7, ..alone.clone() },
        Spec { text: 7, ..alone.clone() },
        Spec { ip: 7, ..alone.clone() },
    ] {
        let mut ledger = Ledger::default();
        for place in 0..3 {
            ledger.rate(&format!("r{place}"), &Spec { minute: place * 5, ..linked.clone() });
            ledger.rate(&format!("other{place}"), &Spec { minute: place * 5, ..alone.clone() });
        }
        let Scratch { projection, directory: _directory } = projected(&ledger);
        for place in 0..3 {
            let campaign = campaign_of(&projection, &format!("r{place}")).expect("a campaign");
            assert_eq!((campaign.id.as_str(), campaign.size), ("C000000000000", 3));
            assert_eq!(campaign_of(&projection, &format!("other{place}")), None);
        }
        let mut two = Ledger::default();
        two.rate("r0", &linked);
        two.rate("r1", &linked);
        let Scratch { projection, directory: _directory } = projected(&two);
        assert_eq!(campaign_of(&projection, "r0"), None);
    }
}

#[test]
fn what_many_share_by_design_links_nobody() {
    use crate::catalogue::builtin::DEVICE_CLASS;
    for class in [1, 3, 4] {
        let mut ledger = Ledger::default();
        for place in 0..5 {
            let mut entry =
                rating(&format!("r{place}"), &Spec { minute: place, device: 3, ip: 3, ..Spec::default() });
            entry.features.set_int(DEVICE_CLASS, class);
            ledger.push(Entry::Rating(Box::new(entry)));
        }
        let Scratch { projection, directory: _directory } = projected(&ledger);
        assert_eq!(campaign_of(&projection, "r0"), None, "class {class}");
    }
    // Nor one network at different hours, or at different targets.
    let mut ledger = Ledger::default();
    for place in 0..6 {
        let spec = Spec { minute: place * HOUR_MINUTES, ip: 3, ..Spec::default() };
        ledger.rate(&format!("hour{place}"), &spec);
        let spec = Spec { minute: 3, ip: 4, window: 1 + place as u8, ..Spec::default() };
        ledger.rate(&format!("target{place}"), &spec);
    }
    let Scratch { projection, directory: _directory } = projected(&ledger);
    assert_eq!(projection.campaigns(&QueueFilter::default(), 8).unwrap(), (Vec::new(), 0));
}

#[test]
fn a_link_reaches_on_from_the_latest_that_had_it_and_no_further_than_72_hours() {
    let mut ledger = Ledger::default();
    let days = [0, 2, 4, 6, 10];
    for (place, day) in days.into_iter().enumerate() {
        let spec = Spec { minute: day * 24 * 60, device: 1, ..Spec::default() };
        ledger.rate(&format!("r{place}"), &spec);
    }
    let Scratch { projection, directory: _directory } = projected(&ledger);
    assert_eq!(campaign_of(&projection, "r0").unwrap().size, 4);
    assert_eq!(campaign_of(&projection, "r4"), None);
}

#[test]
fn groups_merge_under_the_first_members_name_and_every_former_name_leads_there() {
    let mut ledger = Ledger::default();
    // An early rating that is admitted, and held later by the look-back: then it is the first member.
    ledger.rate("early", &Spec { decision: Decision::Admit, device: 1, ..Spec::default() });
    for place in 1..4 {
        ledger.rate(&format!("a{place}"), &Spec { minute: place, device: 1, ..Spec::default() });
    }
    for place in 5..8 {
        ledger.rate(&format!("b{place}"), &Spec { minute: place, rater: 2, ..Spec::default() });
    }
    let Scratch { projection, directory: _directory } = projected(&ledger);
    assert_eq!(campaign_of(&projection, "a1").unwrap().id, "C000000000001");
    assert_eq!(campaign_of(&projection, "b5").unwrap().id, "C000000000004");
    ledger.rate("both", &Spec { minute: 9, device: 1, rater: 2, ..Spec::default() });
    ledger.apply_to(&projection, 1);
    assert_eq!(campaign_of(&projection, "b7").unwrap().id, "C000000000001");
    ledger.revise("early", Decision::Hold, RevisionSource::LookBack, 10, None);
    ledger.apply_to(&projection, 1);
    for id in ["C000000000000", "C000000000001", "C000000000004"] {
        let campaign = projection.campaign(id, now(60)).unwrap().expect(id);
        assert_eq!((campaign.row.id.as_str(), campaign.row.size), ("C000000000000", 8));
    }
    for id in ["C0000000000FF", "C", "", "X000000000000", "C00000000000é"] {
        assert_eq!(projection.campaign(id, now(60)).unwrap(), None);
    }
}

#[test]
fn the_look_backs_campaign_links_what_it_held() {
    let mut ledger = Ledger::default();
    for place in 0..3 {
        ledger.rate(
            &format!("r{place}"),
            &Spec { decision: Decision::Admit, minute: place, ..Spec::default() },
        );
    }
    for place in 0..3 {
        ledger.revise(&format!("r{place}"), Decision::Hold, RevisionSource::LookBack, 10, Some(0xABC));
    }
    let Scratch { projection, directory: _directory } = projected(&ledger);
    assert_eq!(campaign_of(&projection, "r2").unwrap().size, 3);
}

#[test]
fn a_full_group_merges_no_more() {
    let mut ledger = Ledger::default();
    for place in 0..GROUP_MAX + 4 {
        ledger.rate(&format!("r{place}"), &Spec { minute: 0, device: 1, ..Spec::default() });
    }
    let scratch = scratch();
    ledger.apply_to(&scratch.projection, usize::MAX >> 1);
    let projection = &scratch.projection;
    assert_eq!(campaign_of(projection, "r0").unwrap().size, GROUP_MAX);
    let rest = campaign_of(projection, &format!("r{}", GROUP_MAX + 3)).expect("those beyond gather anew");
    assert_eq!(rest.size, 4);
}

#[test]
fn the_page_of_a_campaign_says_what_it_is() {
    let mut ledger = Ledger::default();
    for place in 0..14 {
        let spec = Spec {
            minute: i64::from(place) * 10,
            device: 1 + place % 2,
            rater: 1 + place,
            text: 9,
            ip: 5,
            ..Spec::default()
        };
        ledger.rate(&format!("r{place:02}"), &spec);
    }
    ledger.act("r00", "an", Act::Decide(ReviewOutcome::Confirm), 200);
    ledger.act("r01", "an", Act::Decide(ReviewOutcome::Clear), 200);
    let Scratch { projection, directory: _directory } = projected(&ledger);
    let campaign = projection.campaign("C000000000000", now(300)).unwrap().unwrap();
    assert_eq!(
        campaign.row.summary.en,
        "14 accounts, 2 devices, one text, one target, all within 3 hours, 0 matched cases"
    );
    assert_eq!((campaign.row.size, campaign.row.open, campaign.row.bad), (14, 12, 0));
    assert_eq!(campaign.reading.value, "attack");
    assert_eq!(campaign.decided, DecidedMembers { cleared: 1, confirmed: 1, mistaken: 0 });
    assert_eq!(campaign.row.departments, ["D1"]);
    let shares: Vec<(&str, u64)> = campaign.shares.iter().map(|share| (share.en, share.n)).collect();
    assert_eq!(shares, [("one text", 14), ("one network", 14), ("one device", 7), ("one device", 7)]);
    let open = projection.open_members("C000000000000").unwrap();
    assert_eq!((open.len(), open[0].as_str()), (12, "r02"));
    let filter = MemberFilter { open: Some(false), ..MemberFilter::default() };
    let decided = projection.members("C000000000000", &filter, &Scope::default(), viewer(300), 100).unwrap();
    assert_eq!(decided.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["r00", "r01"]);
    let out_of_scope = Scope { departments: vec!["D9".into()], ..Scope::default() };
    let hidden =
        projection.members("C000000000000", &MemberFilter::default(), &out_of_scope, viewer(300), 100);
    assert_eq!(hidden.unwrap(), []);
    assert_eq!(projection.member_links("C000000000000", 5).unwrap().len(), 5);
    let listed = |filter: QueueFilter| projection.campaigns(&filter, 8).unwrap().0.len();
    assert_eq!(listed(QueueFilter::default()), 1);
    assert_eq!(listed(QueueFilter { department: Some("D1".into()), ..QueueFilter::default() }), 1);
    assert_eq!(listed(QueueFilter { department: Some("D2".into()), ..QueueFilter::default() }), 0);
    assert_eq!(listed(QueueFilter { rule: Some("device-farm".into()), ..QueueFilter::default() }), 1);
    assert_eq!(listed(QueueFilter { q: "r0".into(), ..QueueFilter::default() }), 1);
    assert_eq!(listed(QueueFilter { q: "x".into(), ..QueueFilter::default() }), 0);
    assert_eq!(listed(QueueFilter { tab: Tab::Bad, ..QueueFilter::default() }), 0);
    let counts = projection.counts(&Scope::default(), viewer(300)).unwrap();
    assert_eq!(counts.campaigns, 1);
}
