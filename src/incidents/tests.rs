//! What incidents and alerts promise.

use proptest::prelude::*;

use super::*;
use crate::catalogue::Catalogue;
use crate::catalogue::builtin as f;
use crate::pseudonym::Keyring;
use crate::rating;

/// A Monday at midnight in China.
const MONDAY_MS: i64 = 1_772_380_800_000;

/// One rating; what is not given is the rater's own.
#[derive(Clone, Debug)]
struct Given {
    number: u64,
    at_ms: i64,
    stars: u8,
    department: u64,
    window: Option<u64>,
    device: Option<u64>,
    text: Option<&'static str>,
    default: bool,
    supersedes: bool,
    held: bool,
}

fn bad(number: u64, at_ms: i64) -> Given {
    Given {
        number,
        at_ms,
        stars: 1,
        department: 0,
        window: None,
        device: None,
        text: None,
        default: false,
        supersedes: false,
        held: false,
    }
}

fn observe(given: &Given) -> Observation {
    let Given { number, at_ms, stars, department, .. } = given;
    let window =
        given.window.map(|window| format!(r#","hall":"H","window":"W{window}""#)).unwrap_or_default();
    let comment = given.text.map(|text| format!(r#","comment":"{text}""#)).unwrap_or_default();
    let device = given.device.unwrap_or(*number);
    let (origin, rater, entry) = match given.default {
        true => ("default", String::new(), ""),
        false => ("active", format!(r#","rater":{{"account":"a{number}"}}"#), r#","entry":"pad""#),
    };
    let supersedes = if given.supersedes { r#","supersedes":"r-0""# } else { "" };
    let line = format!(
        r#"{{"rating_id":"r-{number}","submitted_at":"{}","channel":"hall_pad","stars":{stars},"origin":"{origin}"{entry}{comment}{supersedes},
        "service":{{"matter":"M","department":"D{department}","district":"X"{window},"case_no":"K{number}","case_match":"matched"}}{rater},
        "device":{{"fingerprint":"f{device}"}},"network":{{"ip":"36.{}.{}.9"}}}}"#,
        Instant(*at_ms),
        number % 200,
        number / 200 % 250,
    );
    Keyring::public().pseudonymise(rating::parse(line.as_bytes()).unwrap()).0
}

fn note(incidents: &mut Incidents, given: &Given) -> Option<Opened> {
    let features = FeatureVector::new(Catalogue::builtin().len());
    let decision = if given.held { Decision::Hold } else { Decision::Admit };
    incidents.note(given.number, &observe(given), &features, decision)
}

/// Three weeks of a quiet city: five departments, each with a bad rating a day.
fn quiet() -> Vec<Given> {
    (0..105)
        .map(|i| {
            let at_ms = MONDAY_MS + (i / 5) as i64 * DAY_MS + (9 + (i * 7 % 9) as i64) * HOUR_MS;
            Given { department: i % 5, ..bad(1 + i, at_ms + i as i64) }
        })
        .collect()
}

/// When the quiet weeks are over: a Monday at ten.
const THEN_MS: i64 = MONDAY_MS + 21 * DAY_MS + 10 * HOUR_MS;
const MINUTE: i64 = 60_000;

fn outage(count: u64) -> Vec<Given> {
    (0..count).map(|i| bad(1_000 + i, THEN_MS + i as i64 * 4 * MINUTE)).collect()
}

fn after(first: Vec<Given>, then: Vec<Given>) -> (Incidents, Vec<Opened>) {
    let mut incidents = Incidents::new(Limits::default());
    let opened = first.iter().chain(&then).filter_map(|given| note(&mut incidents, given)).collect();
    (incidents, opened)
}

fn bytes(incidents: &Incidents) -> Vec<u8> {
    postcard::to_stdvec(incidents).unwrap()
}

#[test]
fn a_surge_of_unrelated_people_is_announced_once() {
    let (incidents, opened) = after(quiet(), outage(20));
    assert_eq!(opened.len(), 1);
    let announced = opened[0].incident.as_ref().unwrap();
    assert_eq!((announced.ratings, announced.raters, announced.at_opening), (8, 8, 8));
    let incident = incidents.open().next().unwrap();
    assert_eq!(incident.id(), "I3E8", "the first rating's place in the log");
    assert_eq!((incident.ratings, incident.raters, incident.related, incident.held), (20, 20, 0, 0));
    assert_eq!((incident.since, incident.until), (Instant(THEN_MS), None));
    assert!(incident.chance < CHANCE && incident.baseline < 0.5, "{incident:?}");
    insta::assert_snapshot!(format!("{}\n{}", announced.text().zh, announced.text().en));
}

#[test]
fn a_brigade_on_one_device_is_no_incident() {
    for count in [8, 40] {
        let mut brigade = outage(count);
        brigade.iter_mut().for_each(|given| given.device = Some(7));
        assert_eq!(after(quiet(), brigade).1, []);
    }
}

#[test]
fn a_brigade_with_one_text_is_no_incident() {
    let text = Some("工作人员态度恶劣，推诿扯皮，办事拖了三个星期还没有结果，强烈要求处理");
    let mut brigade = outage(30);
    brigade.iter_mut().for_each(|given| given.text = text);
    assert_eq!(after(quiet(), brigade).1, []);
}

#[test]
fn those_on_hold_do_not_make_a_surge() {
    let mut surge = outage(14);
    surge.iter_mut().step_by(2).for_each(|given| given.held = true);
    assert_eq!(after(quiet(), surge).1, [], "seven that are not on hold");
}

#[test]
fn an_outage_into_which_fakes_are_poured_stays_one_and_says_how_many_are_related() {
    let mut ratings = outage(12);
    ratings.extend((0..10).map(|i| {
        let at_ms = THEN_MS + 48 * MINUTE + i as i64 * MINUTE;
        Given { device: Some(9), held: i > 4, ..bad(2_000 + i, at_ms) }
    }));
    let (incidents, _) = after(quiet(), ratings);
    let incident = incidents.open().next().unwrap();
    // The first of them shared nothing yet when it came.
    assert_eq!((incident.ratings, incident.related, incident.held), (22, 9, 5));
}

#[test]
fn ordinary_bad_days_revisions_and_defaults_are_no_incident() {
    assert_eq!(after(quiet(), vec![]).1, []);
    let with = |change: fn(&mut Given)| {
        let mut ratings = outage(30);
        ratings.iter_mut().for_each(change);
        after(quiet(), ratings).1
    };
    assert_eq!(with(|given| given.stars = 3), []);
    assert_eq!(with(|given| given.supersedes = true), []);
    assert_eq!(with(|given| given.default = true), []);
    assert_eq!(with(|given| given.at_ms = THEN_MS + (given.at_ms - THEN_MS) * 10), [], "over a day");
}

#[test]
fn nothing_is_announced_of_which_nobody_knows_what_is_usual() {
    assert_eq!(after(vec![], outage(60)).1, []);
}

#[test]
fn what_concerns_one_window_is_announced_for_the_window_alone() {
    let mut ratings = outage(12);
    ratings.iter_mut().for_each(|given| given.window = Some(3));
    // One more elsewhere in the department makes no second incident of the same ratings.
    ratings.push(bad(1_500, THEN_MS + 50 * MINUTE));
    let (incidents, opened) = after(quiet(), ratings);
    assert_eq!(opened.len(), 1);
    let incident = incidents.open().next().unwrap();
    assert_eq!((incident.window.as_deref(), incident.ratings), (Some("W3"), 12));
    // Over many windows it is the office's.
    let mut ratings = outage(12);
    ratings.iter_mut().for_each(|given| given.window = Some(given.number % 6));
    let (incidents, _) = after(quiet(), ratings);
    let incident = incidents.open().next().unwrap();
    assert_eq!((incident.window.as_deref(), incident.district.as_deref()), (None, Some("X")));
}

#[test]
fn an_incident_ends_when_an_hour_is_as_usual_and_a_later_one_is_another() {
    let mut ratings = outage(16);
    let elsewhere = |number, at_ms| Given { department: 4, ..bad(number, at_ms) };
    ratings.push(elsewhere(1_600, THEN_MS + 100 * MINUTE));
    let (mut incidents, _) = after(quiet(), ratings);
    assert_eq!(incidents.going_on(), 1, "forty minutes after the last");
    note(&mut incidents, &elsewhere(1_601, THEN_MS + 125 * MINUTE));
    assert_eq!(incidents.going_on(), 0);
    let over = incidents.recent(5).next().unwrap().clone();
    assert_eq!(over.until, Some(Instant(THEN_MS + 60 * MINUTE)));
    let again: Vec<Opened> = (0..9)
        .filter_map(|i| note(&mut incidents, &bad(1_700 + i, THEN_MS + (130 + i as i64) * MINUTE)))
        .collect();
    assert_eq!(again[0].incident.as_ref().unwrap().sequence, 1_700);
    assert_eq!(incidents.recent(5).count(), 2);
}

#[test]
fn one_rating_from_the_future_hides_no_outage() {
    let mut ratings = outage(9);
    ratings.insert(2, Given { department: 3, ..bad(900, THEN_MS + 300 * DAY_MS) });
    let (_, opened) = after(quiet(), ratings);
    assert_eq!(opened.len(), 1);
}

#[test]
fn a_step_in_time_that_no_other_rating_bears_out_is_taken_back() {
    for hours in [3, 30, 71] {
        let mut ratings = outage(14);
        ratings.insert(1, Given { department: 3, ..bad(900, THEN_MS + hours * HOUR_MS) });
        let (_, opened) = after(quiet(), ratings);
        assert_eq!(opened.len(), 1, "{hours} hours ahead");
    }
}

fn days(window: u64, days: std::ops::Range<i64>, defaults: u64, threes: u64) -> Vec<Given> {
    let rating = move |day: i64, i: u64| {
        let at_ms = MONDAY_MS + day * DAY_MS + 9 * HOUR_MS + i as i64 * 5 * MINUTE;
        let (default, stars) = (i < defaults, if i >= 60 - threes { 4 } else { 5 });
        Given { window: Some(window), default, stars, ..bad(10_000 + day as u64 * 100 + i, at_ms) }
    };
    days.flat_map(|day| (0..60).map(move |i| rating(day, i))).collect()
}

#[test]
fn a_jump_in_the_share_of_defaults_is_an_alert_until_it_is_as_before() {
    let usual = [days(1, 0..14, 12, 20), days(1, 14..16, 45, 5)].concat();
    let (mut incidents, opened) = after(usual, days(1, 16..17, 12, 20));
    let alerts: Vec<&Alert> = opened.iter().flat_map(|opened| &opened.alerts).collect();
    assert_eq!(alerts.len(), 1, "one for both days");
    let alert = alerts[0];
    assert_eq!((alert.jump, alert.ratings, alert.share, alert.usual), (Jump::Defaults, 60, 0.75, 0.2));
    assert_eq!((alert.usual_ratings, alert.id().as_str()), (14 * 60, "A2C88D"));
    assert_eq!(incidents.alerts_going_on(), 1);
    insta::assert_snapshot!(format!("{}\n{}", alert.text().zh, alert.text().en));
    days(1, 17..18, 12, 20).iter().for_each(|given| drop(note(&mut incidents, given)));
    assert_eq!(incidents.alerts_going_on(), 0);
    let since_the_day = Some(Instant(MONDAY_MS + 16 * DAY_MS + 9 * HOUR_MS));
    assert_eq!(incidents.alerts().next().unwrap().until, since_the_day);
}

#[test]
fn a_jump_in_five_stars_at_the_pad_is_an_alert_and_fewer_of_them_are_none() {
    let jumps = |before: u64, then: u64| {
        let ratings = [days(1, 0..14, 0, before), days(1, 14..16, 0, then)].concat();
        let opened = after(ratings, vec![]).1;
        opened.into_iter().flat_map(|opened| opened.alerts).map(|alert| alert.jump).collect::<Vec<_>>()
    };
    assert_eq!(jumps(30, 0), [Jump::FiveStars]);
    assert_eq!(jumps(0, 30), []);
    assert_eq!(jumps(30, 24), [], "ten points");
}

#[test]
fn memory_is_bounded_under_a_stream_of_new_targets() {
    let limits = Limits { targets: 64, windows: 64, open: 4, recent: 6, ..Limits::default() };
    let (mut incidents, mut number) = (Incidents::new(limits), 0);
    quiet().iter().for_each(|given| drop(note(&mut incidents, given)));
    for department in 100..600 {
        for i in 0..9 {
            number += 1;
            let at_ms = THEN_MS + department as i64 * MINUTE + i;
            let window = Some(number);
            note(&mut incidents, &Given { department, window, ..bad(10_000 + number, at_ms) });
            assert!(incidents.going_on() <= 4 && incidents.recent(100).count() <= 10);
            assert!(incidents.len() <= 5 * 64);
        }
    }
    assert!(incidents.going_on() == 4 && incidents.recent(100).count() == 10, "the bounds were met");
    assert!(bytes(&incidents).len() <= limits.most_bytes());
    assert!(Limits::default().most_bytes() < 100 << 20, "{}", Limits::default().most_bytes());
}

fn any_rating() -> impl Strategy<Value = (i64, u64, Option<u64>, u8, bool, Option<u64>)> {
    let window = proptest::option::of(0..3_u64);
    (-30_i64..60, 0..3_u64, window, 1..6_u8, proptest::bool::weighted(0.1), proptest::option::of(0..40_u64))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_restored_fold_goes_on_as_the_first_would_have(
        steps in proptest::collection::vec(any_rating(), 1..150), cut in 0_usize..150,
    ) {
        let mut at_ms = THEN_MS;
        let ratings: Vec<Given> = steps
            .into_iter()
            .enumerate()
            .map(|(i, (minutes, department, window, stars, default, device))| {
                at_ms += minutes * MINUTE / 6;
                let stars = if stars < 5 { 1 } else { 5 };
                Given { department, window, stars, default, device, ..bad(1_000 + i as u64, at_ms) }
            })
            .collect();
        let (mut whole, mut opened) = after(quiet(), vec![]);
        let mut restored = whole.clone();
        for (i, given) in ratings.iter().enumerate() {
            if i % (cut + 1) == 0 {
                restored = postcard::from_bytes(&bytes(&restored)).unwrap();
                prop_assert_eq!(bytes(&restored), bytes(&whole));
            }
            let first = note(&mut whole, given);
            prop_assert_eq!(&note(&mut restored, given), &first);
            opened.extend(first);
        }
        prop_assert_eq!(bytes(&restored), bytes(&whole));
        let mut ids: Vec<String> =
            opened.iter().filter_map(|opened| opened.incident.as_ref()).map(Incident::id).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), all, "no two incidents have one id");
    }
}

#[test]
#[ignore = "prints a measurement"]
fn cost_per_rating() {
    let mut incidents = Incidents::new(Limits::default());
    let (count, laps) = (60_000_u64, 8);
    // A city's mix: 0.4 % bad, 8,000 windows, every third online.
    let given: Vec<(Given, Observation)> = (0..count)
        .map(|i| {
            let mixed = crate::features::mix(i + 1);
            let given = Given {
                stars: if mixed.is_multiple_of(250) { 1 } else { 5 },
                department: mixed / 7 % 300,
                window: (!mixed.is_multiple_of(3)).then_some(mixed / 11 % 27),
                default: mixed.is_multiple_of(10),
                ..bad(i, MONDAY_MS + i as i64 * 1_000)
            };
            let o = observe(&given);
            (given, o)
        })
        .collect();
    let mut features = FeatureVector::new(Catalogue::builtin().len());
    features.set_float(f::DISPERSION, 1.0);
    let mut shuffled: Vec<Observation> = given.into_iter().map(|(_, o)| o).collect();
    let began = std::time::Instant::now();
    let mut opened = 0;
    for lap in 0..laps {
        for (i, o) in shuffled.iter_mut().enumerate() {
            o.submitted_at.0 += DAY_MS * i64::from(lap > 0);
            let sequence = lap * count + i as u64;
            opened += u32::from(incidents.note(sequence, o, &features, Decision::Admit).is_some());
        }
    }
    let ns = began.elapsed().as_nanos() as f64 / (count * laps) as f64;
    println!("{ns:.0} ns a rating, {opened} opened, {} followed", incidents.len());
}

#[test]
fn what_is_down_in_all_departments_a_little_is_announced_for_the_city() {
    let mut ratings = outage(28);
    ratings.iter_mut().for_each(|given| given.department = given.number % 7);
    let (incidents, opened) = after(quiet(), ratings);
    assert_eq!(opened.len(), 1);
    let incident = incidents.open().next().unwrap();
    assert_eq!((incident.department.as_str(), incident.district.as_deref()), ("", None));
    assert!(incident.relations.largest < 0.5, "{incident:?}");
}
