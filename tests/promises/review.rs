//! What people decide stands in the log, counts in the figures, and is nobody's but theirs.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Barrier};

use serde_json::{Value, json};
use zhenping::log::LogReader;
use zhenping::log::entry::{Act, CallbackResult, Entry};
use zhenping::review::{Effect, Refusal};
use zhenping::service::{Clock, DeskOptions, Lot, ReviewRequest, Reviewed, RulesOrigin, Service, Submission};
use zhenping::statistics::Query;
use zhenping::time::{DAY_MS, Instant, MINUTE_MS};
use zhenping::wire::{Decision, ReviewOutcome};

use crate::support::{self, Place, Server, ask, rating, rule};

/// Holds every rating but those of three stars.
fn hold() -> String {
    rule("hold-all", "hold", "stars != 3", "padded_praise")
}

fn open(place: &Place, control: Lot) -> Service {
    let mut options = support::options(place.data());
    options.rules = RulesOrigin::Directory(place.rules(hold()));
    options.desk = Some(DeskOptions { decide_working_days: 1, traced_ratings: 1_000 });
    options.control = control;
    Service::open(options).unwrap()
}

fn now() -> Instant {
    Clock::Wall.now().unwrap()
}

fn does_at(service: &Service, by: &str, act: Act, ids: &[&str], at: Instant) -> Vec<Reviewed> {
    let reason = match act {
        Act::Decide(ReviewOutcome::Clear) => "clear-no-evidence",
        Act::Decide(ReviewOutcome::Confirm) => "confirm-group",
        Act::Decide(ReviewOutcome::Mistaken) => "mistaken-star",
        Act::Extend => "extend-investigation",
        Act::Escalate => "escalate-unsure",
        _ => "",
    };
    let request = ReviewRequest { words: "因为".into(), ..support::act(by, act, reason, ids, at) };
    service.review(request).unwrap()
}

fn does(service: &Service, by: &str, act: Act, id: &str) -> Result<Effect, Refusal> {
    does_at(service, by, act, &[id], now()).remove(0).result.map(|(effect, _)| effect)
}

fn verdicts(service: &Service, id: &str) -> Vec<Value> {
    service.verdicts_of(id).unwrap().unwrap()["verdicts"].as_array().unwrap().clone()
}

const CONFIRM: Act = Act::Decide(ReviewOutcome::Confirm);
const CLEAR: Act = Act::Decide(ReviewOutcome::Clear);

#[test]
fn a_decision_is_a_revision_that_says_why_and_moves_the_figures() {
    let place = Place::new();
    let service = open(&place, Lot::NONE);
    for id in ["one", "two", "three"] {
        ask(&service, rating(id, 5, ""));
    }
    let figures = || {
        let total = service.statistics_report(&Query::default().by("total").unwrap()).unwrap().total;
        (total.counted, total.pending, total.cleared, total.confirmed)
    };
    assert_eq!(figures(), (0, 3, 0, 0));
    assert_eq!(does(&service, "an", CLEAR, "one"), Ok(Effect::Decides(Decision::Admit)));
    assert_eq!(does(&service, "an", CONFIRM, "two"), Ok(Effect::Decides(Decision::Reject)));
    assert_eq!(figures(), (1, 1, 1, 1));
    let verdict = &verdicts(&service, "two")[0];
    assert_eq!((&verdict["revision"], &verdict["decision"]), (&json!(1), &json!("reject")));
    assert_eq!(verdict["reasons"][0]["code"], "confirm-group");
    assert_eq!(verdict["reasons"][0]["source"], "reviewer");
    assert!(verdict["appeal"].is_string(), "whoever is excluded can appeal");
    assert_eq!(does(&service, "an", Act::Undo, "two"), Ok(Effect::Decides(Decision::Hold)));
    assert_eq!(figures(), (1, 2, 1, 0), "as before");
}

#[test]
fn one_person_alone_excludes_no_bad_rating() {
    let place = Place::new();
    let service = open(&place, Lot::NONE);
    ask(&service, rating("bad", 1, ""));
    assert_eq!(does(&service, "an", CONFIRM, "bad"), Ok(Effect::Noted));
    assert_eq!(does(&service, "an", CONFIRM, "bad"), Err(Refusal::NeedsAnother));
    assert_eq!(verdicts(&service, "bad").len(), 1, "nothing has changed");
    assert_eq!(does(&service, "bo", CONFIRM, "bad"), Ok(Effect::Decides(Decision::Reject)));
    let verdict = &verdicts(&service, "bad")[0];
    assert_eq!((&verdict["decision"], &verdict["handling"]), (&json!("reject"), &json!("proceed")));
}

#[test]
fn of_many_who_decide_at_once_one_does() {
    const PEOPLE: usize = 8;
    let place = Place::new();
    let service = Arc::new(open(&place, Lot::NONE));
    for round in 0..10 {
        let id = format!("r-{round}");
        ask(&service, rating(&id, 5, ""));
        let gate = Arc::new(Barrier::new(PEOPLE));
        let people = (0..PEOPLE).map(|person| {
            let (service, gate, id) = (Arc::clone(&service), Arc::clone(&gate), id.clone());
            std::thread::spawn(move || {
                gate.wait();
                let act = if person % 2 == 0 { CLEAR } else { CONFIRM };
                does(&service, &format!("p{person}"), act, &id).is_ok()
            })
        });
        let people: Vec<_> = people.collect();
        let decided = people.into_iter().map(|person| person.join().unwrap()).filter(|&done| done).count();
        assert_eq!((decided, verdicts(&service, &id).len()), (1, 2), "{id}");
    }
}

#[test]
fn no_machine_changes_what_a_person_decided() {
    let place = Place::new();
    let service = open(&place, Lot::NONE);
    ask(&service, rating("bad", 1, ""));
    does(&service, "an", CONFIRM, "bad").unwrap();
    does(&service, "bo", CONFIRM, "bad").unwrap();
    // Long after the hold would have lapsed.
    let later = Instant(now().ms() + 60 * DAY_MS);
    assert!(service.push(vec![Submission::Tick(later)]).is_ok());
    ask(&service, rating("behind", 3, ""));
    assert_eq!(verdicts(&service, "bad")[0]["decision"], "reject");
}

#[test]
fn a_decision_taken_back_gives_the_hold_its_old_clock_and_two_people_extend_it() {
    let place = Place::new();
    let service = open(&place, Lot::NONE);
    ask(&service, rating("bad", 1, ""));
    let held = |service: &Service| service.case_file("bad").unwrap().unwrap().held;
    let before = held(&service).unwrap();
    does(&service, "an", CLEAR, "bad").unwrap();
    assert_eq!(held(&service), None);
    does(&service, "an", Act::Undo, "bad").unwrap();
    assert_eq!(held(&service).unwrap(), before);
    assert_eq!(does(&service, "an", Act::Extend, "bad"), Ok(Effect::Noted));
    assert_eq!(does(&service, "an", Act::Extend, "bad"), Err(Refusal::NeedsAnother));
    assert_eq!(does(&service, "bo", Act::Extend, "bad"), Ok(Effect::Noted));
    assert!(held(&service).unwrap().deadline > before.deadline);
    assert_eq!(does(&service, "cai", Act::Extend, "bad"), Err(Refusal::NothingToExtend), "once");
    service.stop().unwrap();
    drop(service);
    let again = open(&place, Lot::NONE);
    assert!(held(&again).unwrap().extended, "also after a restart");
}

#[test]
fn a_refused_act_leaves_no_trace_in_the_log() {
    let place = Place::new();
    let service = open(&place, Lot::NONE);
    ask(&service, rating("one", 5, ""));
    let head = service.log_head();
    let request = |rating_id: &str, reason: &str, words: String| {
        let act = support::act("an", CONFIRM, reason, &[rating_id], now());
        let request = ReviewRequest { words, ..act };
        service.review(request).unwrap().remove(0).result.unwrap_err()
    };
    assert_eq!(request("no-such", "confirm-group", String::new()), Refusal::NoSuchCase);
    assert_eq!(request("one", "because", String::new()), Refusal::NoSuchReason);
    assert_eq!(
        request("one", "clear-no-evidence", String::new()),
        Refusal::NoSuchReason,
        "of another outcome"
    );
    assert_eq!(request("one", "confirm-other", "  ".into()), Refusal::Words { limit: 0 });
    assert_eq!(request("one", "confirm-group", "长".repeat(2_001)), Refusal::Words { limit: 2_000 });
    assert_eq!(service.log_head(), head);
}

#[test]
fn a_claim_that_ran_out_and_an_act_twice_in_one_request_are_sorted_out() {
    let place = Place::new();
    let service = open(&place, Lot::NONE);
    ask(&service, rating("one", 5, ""));
    let until = Instant(now().ms() + 30 * MINUTE_MS);
    assert_eq!(does(&service, "an", Act::Claim { until }, "one"), Ok(Effect::Noted));
    assert_eq!(does(&service, "bo", CLEAR, "one"), Err(Refusal::Claimed { by: "an".into(), until }));
    let done = does_at(&service, "bo", CLEAR, &["one", "one"], until);
    assert_eq!(done.len(), 1, "a rating stands once in a request");
    assert!(done[0].result.is_ok(), "the claim is over: {done:?}");
}

/// Every row of every table of the projection.
fn rows(file: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(file).unwrap();
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let tables: Vec<String> =
        db.prepare(tables).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(tables.len() > 5, "{tables:?}");
    let mut all = Vec::new();
    for table in tables {
        let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..columns).map(|column| row.get_ref(column).unwrap()).collect();
            all.push(format!("{table} {values:?}"));
        }
    }
    all.sort();
    all
}

#[test]
fn the_desk_is_rebuilt_from_the_log_row_for_row() {
    let place = Place::new();
    let service = open(&place, Lot::new(50_000));
    for number in 0..60 {
        let more = match number % 3 {
            0 => r#","device":{"fingerprint":"fp-1"},"rater":{"account":"a-1"}"#.to_owned(),
            1 => {
                format!(r#","device":{{"fingerprint":"fp-{}"}},"comment":"办得很快，谢谢你们"#, number / 10)
                    + "\""
            }
            _ => String::new(),
        };
        ask(&service, rating(&format!("r-{number}"), [5, 1, 3][number % 3], &more));
    }
    does(&service, "an", CLEAR, "r-0").unwrap();
    does(&service, "an", CONFIRM, "r-1").unwrap();
    does(&service, "bo", CONFIRM, "r-1").unwrap();
    does(&service, "an", CONFIRM, "r-3").unwrap();
    does(&service, "an", Act::Undo, "r-3").unwrap();
    does(&service, "", Act::Appeal, "r-1").unwrap();
    does(&service, "cai", Act::AskCallback, "r-4").unwrap();
    does(&service, "", Act::Callback(CallbackResult::Denies), "r-4").unwrap();
    does(&service, "cai", Act::Escalate, "r-6").unwrap();
    service.desk().unwrap().wait_for(*service.head().borrow());
    service.stop().unwrap();
    drop(service);
    let file = place.data().join("review.db");
    let before = rows(&file);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(place.data().join(format!("review.db{suffix}")));
    }
    let again = open(&place, Lot::new(50_000));
    again.desk().unwrap().wait_for(*again.head().borrow());
    again.stop().unwrap();
    drop(again);
    let after = rows(&file);
    assert!(before.len() > 60);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert_eq!(before.len(), after.len());
}

#[test]
fn an_appeal_that_was_answered_survives_a_kill() {
    let place = Place::new();
    let rules = place.rules(hold());
    let config = format!("rules.directory = {:?}\n", rules.display().to_string());
    let mut server = Server::start(&place, &config, "intake");
    let mut references = Vec::new();
    for number in 0..40 {
        let answer = server.post("/v1/ratings", rating(&format!("r-{number}"), 5, "")).json();
        references.push((
            answer["rating_id"].as_str().unwrap().to_owned(),
            answer["appeal"].as_str().unwrap().to_owned(),
        ));
    }
    let mut answered = HashSet::new();
    for (number, (id, reference)) in references.iter().enumerate() {
        let body = json!({ "reference": reference, "words": format!("第{number}条") }).to_string();
        if number == 30 {
            server.signal("KILL");
            server.wait();
            break;
        }
        assert_eq!(server.post("/v1/appeals", body).status, 202);
        answered.insert(id.clone());
    }
    let logged: Vec<String> = LogReader::open(&place.data().join("log"))
        .unwrap()
        .read_from(0)
        .unwrap()
        .filter_map(|entry| match entry.unwrap().1 {
            Entry::Review(review) if review.act == Act::Appeal => Some(review.rating_id.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(logged.len(), answered.len(), "none twice");
    assert_eq!(logged.into_iter().collect::<HashSet<_>>(), answered);
    let again = Server::start(&place, &config, "intake");
    let (id, reference) = &references[0];
    let body = json!({ "reference": reference }).to_string();
    assert_eq!(again.post("/v1/appeals", body).status, 409, "{id} is being looked at");
}
