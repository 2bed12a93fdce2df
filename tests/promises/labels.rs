//! What reviewers decide is learnt through the log: the same after every start, at most a hold, never more than
//! its bound.

use std::path::Path;

use serde_json::Value;
use zhenping::broker::Memory;
use zhenping::log::entry::{Act, Entry, LearningEntry, LearningStep};
use zhenping::log::{LogReader, directory};
use zhenping::service::{Clock, DECISIONS, DeskOptions, Options, RulesOrigin, Service};
use zhenping::wire::ReviewOutcome;

use crate::support::{self, Place, act, ask, rating, rule, wait_for};

fn open(place: &Place, data: &Path, labels: bool) -> Service {
    let mut options = options(place, data);
    options.labels = labels;
    Service::open(options).unwrap()
}

/// Holds every rating but those of three stars.
fn options(place: &Place, data: &Path) -> Options {
    let mut options = support::options(data.to_owned());
    let hold = rule("hold-all", "hold", "stars != 3", "padded_praise");
    options.rules = RulesOrigin::Directory(place.rules(hold));
    options.desk = Some(DeskOptions { decide_working_days: 1, traced_ratings: 1_000 });
    options
}

fn submit(service: &Service, line: String) {
    ask(service, line);
}

fn decide(service: &Service, id: &str, outcome: ReviewOutcome) {
    let reason = if outcome == ReviewOutcome::Clear { "clear-no-evidence" } else { "confirm-group" };
    let request = act("an", Act::Decide(outcome), reason, &[id], Clock::Wall.now().unwrap());
    assert!(service.review(request).unwrap().iter().all(|reviewed| reviewed.result.is_ok()));
}

/// As many decisions as a version takes: five stars are found abusive, four genuine, in turn.
fn decide_many(service: &Service, round: &str) {
    for i in 0..DECISIONS / 2 {
        let [five, four] = ["five", "four"].map(|name| format!("{round}-{name}-{i}"));
        submit(service, rating(&five, 5, ""));
        submit(service, rating(&four, 4, ""));
        decide(service, &five, ReviewOutcome::Confirm);
        decide(service, &four, ReviewOutcome::Clear);
    }
}

fn learning(data: &Path) -> Vec<LearningEntry> {
    let log = LogReader::open(&directory(data)).unwrap();
    let entries = log.read_from(0).unwrap().filter_map(|entry| match entry.unwrap().1 {
        Entry::Learning(entry) => Some(*entry),
        _ => None,
    });
    entries.collect()
}

fn wait_for_step(data: &Path, steps: usize) -> LearningEntry {
    wait_for("a step of learning", || learning(data).get(steps - 1).cloned())
}

fn verdict(service: &Service, id: &str) -> Value {
    service.verdicts_of(id).unwrap().unwrap()["verdicts"][0].clone()
}

/// What reviewers' labels add to a rating's verdict, by its reason.
fn term(verdict: &Value) -> Option<f64> {
    let reasons = verdict["reasons"].as_array().unwrap();
    let reason = reasons.iter().find(|reason| reason["code"] == "labels.reviewers")?;
    assert_eq!(reason["source"], "model");
    reason["weight"].as_f64()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            // What the process removes meanwhile is not there after a power cut either.
            false => drop(std::fs::copy(entry.path(), to)),
        }
    }
}

#[test]
fn what_reviewers_found_is_learnt_and_is_the_same_after_every_start() {
    let place = Place::new();
    let data = place.data();
    let service = open(&place, &data, true);
    submit(&service, rating("before", 5, ""));
    assert_eq!(term(&verdict(&service, "before")), None);
    decide_many(&service, "first");
    let published = wait_for_step(&data, 1);
    assert!(matches!(published.step, LearningStep::Published { .. }) && published.number == 1);
    submit(&service, rating("shadowed", 5, ""));
    assert_eq!(term(&verdict(&service, "shadowed")), None, "in shadow it changes nothing");

    decide_many(&service, "second");
    let settled = wait_for_step(&data, 2);
    let LearningStep::InForce(found) = settled.step else { panic!("it is better: {settled:?}") };
    assert!(found.with < found.without && settled.version == published.version);
    submit(&service, rating("after", 5, ""));
    let after = verdict(&service, "after");
    let weight = term(&after).expect("it is in force");
    assert!(weight.abs() <= 2.0, "{weight}");
    assert_ne!(after["decision"], "reject");

    service.stop().unwrap();
    drop(service);
    let (head, steps) = (learning(&data).len(), learning(&data));
    for with_snapshot in [true, false] {
        if !with_snapshot {
            std::fs::remove_dir_all(data.join("snapshots")).unwrap();
        }
        let service = open(&place, &data, true);
        let id = format!("again-{with_snapshot}");
        submit(&service, rating(&id, 5, ""));
        assert_eq!(term(&verdict(&service, &id)), Some(weight), "from a snapshot: {with_snapshot}");
        service.stop().unwrap();
        assert_eq!(learning(&data)[..head], steps[..]);
    }
    // And where it is turned off, it is off.
    let service = open(&place, &data, false);
    submit(&service, rating("off", 5, ""));
    assert_eq!(term(&verdict(&service, "off")), None);
}

#[test]
fn a_power_cut_before_or_after_a_version_is_published_loses_nothing_and_doubles_nothing() {
    let place = Place::new();
    let (data, before, after) = (place.data(), place.path("before"), place.path("after"));
    // Nobody learns here: what is due stays due.
    let service = open(&place, &data, false);
    decide_many(&service, "first");
    copy(&data, &before);
    service.stop().unwrap();
    drop(service);

    let cut = open(&place, &before, true);
    let published = wait_for_step(&before, 1);
    copy(&before, &after);
    cut.stop().unwrap();
    assert_eq!(learning(&before).len(), 1);

    let service = open(&place, &after, true);
    decide_many(&service, "second");
    let settled = wait_for_step(&after, 2);
    assert_eq!((settled.number, settled.version), (1, published.version));
    service.stop().unwrap();

    // Another process learns the same from the same log.
    let service = open(&place, &data, true);
    let again = wait_for_step(&data, 1);
    assert_eq!((again.version, again.step), (published.version, published.step));
    service.stop().unwrap();
}

#[test]
fn of_many_nodes_one_publishes_and_all_have_the_same_in_force() {
    let (place, broker) = (Place::new(), Memory::new());
    let node = |name: &str| {
        place.share_keys(name);
        let mut options = options(&place, &place.path(name));
        options.desk = None;
        options.cluster = Some(support::among_nodes(name, &broker));
        Service::open(options).unwrap()
    };
    let nodes = [node("a"), node("b")];
    let [a, b] = &nodes;
    for (step, (node, round)) in [(a, "first"), (b, "second")].into_iter().enumerate() {
        decide_many(node, round);
        for name in ["a", "b"] {
            wait_for_step(&place.path(name), step + 1);
        }
    }
    let terms = [(a, "on-a"), (b, "on-b")].map(|(node, name)| {
        let mut ids = (0..).map(|i| format!("{name}-{i}"));
        wait_for("the version to be in force", || {
            let id = ids.next()?;
            submit(node, rating(&id, 5, ""));
            term(&verdict(node, &id))
        })
    });
    assert_eq!(terms[0], terms[1]);
    nodes.iter().for_each(|node| node.stop().unwrap());
    let [of_a, of_b] = ["a", "b"].map(|name| learning(&place.path(name)));
    assert_eq!((of_a.len(), &of_a), (2, &of_b));
}
