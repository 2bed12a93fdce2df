//! Many nodes on one log: whatever is appended by whom, and however often, all of them end with the same.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use zhenping::broker::{Broker, Fault, Memory};
use zhenping::cluster::IntakeOptions;
use zhenping::cluster::members::Standing;
use zhenping::log::entry::{Act, Entry};
use zhenping::log::{Head, LogReader, head_of};
use zhenping::review::{Effect, Refusal};
use zhenping::service::{Answer, Clock, Options, RulesOrigin, Service, ServiceError};
use zhenping::statistics::Query;
use zhenping::wire::ReviewOutcome;

use crate::support::{self, Place, act, ask, rating, rule, simulated, succeed, wait_for};

/// Holds every rating of five stars.
fn hold_five() -> String {
    rule("hold-five", "hold", "stars == 5", "padded_praise")
}

fn options(place: &Place, name: &str, broker: &Memory) -> Options {
    let data = place.path(name);
    // All nodes have the keys of the first.
    place.share_keys(name);
    let mut options = support::options(data);
    options.cluster = Some(support::among_nodes(name, broker));
    options
}

fn node(place: &Place, name: &str, broker: &Memory) -> Service {
    Service::open(options(place, name, broker)).unwrap()
}

/// A node that comes with rules of its own.
fn node_with_rules(place: &Place, name: &str, broker: &Memory) -> Service {
    let mut options = options(place, name, broker);
    options.rules = RulesOrigin::Directory(place.rules(hold_five()));
    Service::open(options).unwrap()
}

/// A broker that can be cut off: nothing reaches it while the switch is on.
fn broker_with_switch() -> (Memory, Arc<AtomicBool>) {
    let (broker, gone) = (Memory::new(), Arc::new(AtomicBool::new(false)));
    let seen = Arc::clone(&gone);
    broker.set_faults(move |_, _| if seen.load(Ordering::Relaxed) { Fault::Lost } else { Fault::None });
    (broker, gone)
}

fn verdict(service: &Service, line: &str) -> Value {
    match ask(service, line) {
        Answer::Verdict(json) => serde_json::from_slice(&json).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The heads of the logs, once all of them are the same.
#[track_caller]
fn same_head(nodes: &[&Service]) -> u64 {
    wait_for("all nodes to have read the whole log", || {
        let heads: Vec<u64> = nodes.iter().map(|node| *node.head().borrow()).collect();
        heads.iter().all(|head| *head == heads[0] && *head > 0).then_some(heads[0])
    })
}

fn figures(service: &Service) -> Value {
    let query = Query::default().by("department").unwrap();
    serde_json::to_value(service.statistics_report(&query).unwrap()).unwrap()
}

fn head(data: &Path) -> Head {
    head_of(&data.join("log")).unwrap()
}

/// Every directory's log verifies, and all have one head; each rating has one scored entry.
#[track_caller]
fn assert_one_log(place: &Place, names: &[&str]) {
    let first = head(&place.path(names[0]));
    for name in names {
        let data = place.path(name);
        assert_eq!(head(&data), first, "{name}");
        succeed(["ledger".as_ref(), "verify".as_ref(), "--data".as_ref(), data.as_os_str()]);
    }
    let mut ids = std::collections::HashSet::new();
    let reader = LogReader::open(&place.path(names[0]).join("log")).unwrap();
    for entry in reader.read_from(0).unwrap() {
        if let (_, Entry::Rating(rating)) = entry.unwrap() {
            assert!(ids.insert(rating.observation.rating_id.clone()), "{}", rating.observation.rating_id);
        }
    }
}

/// Sends every line to a node, every fifth one to two nodes at once; gives how many ratings there were.
fn drive(nodes: &[&Service], lines: &[String]) -> usize {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for worker in 0..2 * nodes.len() {
            let (next, nodes) = (&next, &nodes);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed) as usize;
                    let Some(line) = lines.get(i) else { return };
                    let here = nodes[worker % nodes.len()];
                    if i.is_multiple_of(5) {
                        let there = nodes[(worker + 1) % nodes.len()];
                        let (one, two) = std::thread::scope(|scope| {
                            let two = scope.spawn(|| verdict(there, line));
                            (verdict(here, line), two.join().unwrap())
                        });
                        for field in ["sequence", "decision", "risk", "reasons", "rules_version"] {
                            assert_eq!(one[field], two[field], "one verdict whoever is asked");
                        }
                    } else {
                        verdict(here, line);
                    }
                }
            });
        }
    });
    lines.len()
}

fn lines(seed: u64, number: usize) -> Vec<String> {
    simulated(seed, 3, number as u32).lines().take(number).map(str::to_owned).collect()
}

#[test]
fn all_nodes_have_one_log_one_verdict_for_each_rating_and_the_same_figures() {
    let (place, broker) = (Place::new(), Memory::new());
    let a = node(&place, "a", &broker);
    let (b, c) = (node(&place, "b", &broker), node(&place, "c", &broker));
    drive(&[&a, &b, &c], &lines(5, 1_500));
    same_head(&[&a, &b, &c]);
    assert_eq!(figures(&a), figures(&b));
    assert_eq!(figures(&a), figures(&c));
    let views = [&a, &b, &c].map(|node| node.cluster().unwrap());
    assert!(views.iter().all(|view| view.own > 0 && view.others > 0), "{views:?}");
    for node in [a, b, c] {
        node.stop().unwrap();
    }
    assert_one_log(&place, &["a", "b", "c"]);
}

#[test]
fn an_append_that_is_tried_again_doubles_nothing() {
    let (place, broker) = (Place::new(), Memory::new());
    let mut turn = 0_u32;
    broker.set_faults(move |_, _| {
        turn += 1;
        match turn % 7 {
            1 => Fault::Unanswered,
            3 => Fault::Lost,
            5 => Fault::Twice,
            _ => Fault::None,
        }
    });
    let a = node(&place, "a", &broker);
    let b = node(&place, "b", &broker);
    drive(&[&a, &b], &lines(6, 600));
    same_head(&[&a, &b]);
    assert_eq!(figures(&a), figures(&b));
    a.stop().unwrap();
    b.stop().unwrap();
    assert_one_log(&place, &["a", "b"]);
}

#[test]
fn a_new_node_has_read_everything_before_it_serves() {
    let (place, broker) = (Place::new(), Memory::new());
    let a = node(&place, "a", &broker);
    drive(&[&a], &lines(7, 500));
    let reached = *a.head().borrow();
    let b = node(&place, "b", &broker);
    assert!(*b.head().borrow() >= reached);
    assert_eq!(figures(&a), figures(&b));
    let again = &lines(7, 500)[3];
    assert_eq!(verdict(&a, again)["sequence"], verdict(&b, again)["sequence"], "it knows what was answered");
}

#[test]
fn a_node_that_lost_its_place_or_the_end_of_its_log_has_the_same_log_again() {
    let (place, broker) = (Place::new(), Memory::new());
    let a = node(&place, "a", &broker);
    drive(&[&a], &lines(8, 300));
    let b = node(&place, "b", &broker);
    b.stop().unwrap();
    drop(b);
    drive(&[&a], &lines(9, 300));

    // What it has of the topic is read again and compared.
    std::fs::remove_file(place.path("b/cluster.position")).unwrap();
    let b = node(&place, "b", &broker);
    same_head(&[&a, &b]);
    b.stop().unwrap();
    drop(b);

    // A crash cut the log short of where the place says that it is.
    let segment = place.path("b/log").read_dir().unwrap().flatten().map(|file| file.path());
    let segment = segment.filter(|path| path.extension().is_some_and(|e| e == "seg")).max().unwrap();
    let whole = std::fs::read(&segment).unwrap();
    let used = whole.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    std::fs::File::options().write(true).open(&segment).unwrap().set_len(used as u64 - 40).unwrap();
    std::fs::remove_dir_all(place.path("b/snapshots")).unwrap();
    let b = node(&place, "b", &broker);
    same_head(&[&a, &b]);
    assert_eq!(figures(&a), figures(&b));
    a.stop().unwrap();
    b.stop().unwrap();
    assert_one_log(&place, &["a", "b"]);
}

#[test]
fn a_directory_with_another_log_or_other_keys_is_refused() {
    let (place, broker) = (Place::new(), Memory::new());
    let a = node(&place, "a", &broker);
    drive(&[&a], &lines(10, 50));

    let alone = Service::open(support::options(place.path("alone"))).unwrap();
    verdict(&alone, &rating("elsewhere", 4, ""));
    alone.stop().unwrap();
    drop(alone);
    std::fs::remove_file(place.path("alone/keys.toml")).unwrap();
    place.share_keys("alone");
    let refused = Service::open(options(&place, "alone", &broker)).err().unwrap().to_string();
    assert!(refused.contains("not that of the topic") && refused.contains("cluster"), "{refused}");

    let other = Place::new();
    let refused = Service::open(options(&other, "b", &broker)).err().unwrap().to_string();
    assert!(refused.contains("other keys") && refused.contains("node a"), "{refused}");

    // A topic that was made anew has less than the directory.
    a.stop().unwrap();
    drop(a);
    let refused = Service::open(options(&place, "a", &Memory::new())).err().unwrap().to_string();
    assert!(refused.contains("made anew"), "{refused}");
    // Nor is one with as many messages.
    let (another, again) = (Memory::new(), Place::new());
    let c = node(&again, "a", &another);
    drive(&[&c], &lines(11, 400));
    c.stop().unwrap();
    let refused = Service::open(options(&place, "a", &another)).err().unwrap().to_string();
    assert!(refused.contains("made anew") || refused.contains("other keys"), "{refused}");
}

#[test]
fn a_node_that_lacks_what_the_topic_has_forgotten_is_refused_and_goes_on_from_a_copy_of_another() {
    let (place, broker) = (Place::new(), Memory::new());
    let a = node(&place, "a", &broker);
    drive(&[&a], &lines(13, 300));
    let messages = broker.partition("city-log", 0).unwrap().bounds().unwrap().end as usize;
    broker.forget("city-log", messages - 1).unwrap();
    let refused = Service::open(options(&place, "b", &broker)).err().unwrap().to_string();
    assert!(
        refused.contains("begins at message") && refused.contains("copy its data directory"),
        "{refused}"
    );
    a.stop().unwrap();
    drop(a);
    std::fs::remove_dir_all(place.path("b")).unwrap();
    copy(&place.path("a"), &place.path("b"));
    let (a, b) = (node(&place, "a", &broker), node(&place, "b", &broker));
    drive(&[&a, &b], &lines(14, 300));
    same_head(&[&a, &b]);
    assert_eq!(figures(&a), figures(&b));
    a.stop().unwrap();
    b.stop().unwrap();
    assert_one_log(&place, &["a", "b"]);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let there = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &there),
            false => drop(std::fs::copy(entry.path(), there).unwrap()),
        }
    }
}

#[test]
fn rules_that_one_node_brings_into_force_hold_on_every_node_and_after_a_start() {
    let (place, broker) = (Place::new(), Memory::new());
    let a = node(&place, "a", &broker);
    let b = node_with_rules(&place, "b", &broker);
    let shipped = a.rules_version();
    assert_eq!(b.rules_version(), shipped, "a start changes no rules");
    assert_eq!(verdict(&b, &rating("one", 5, ""))["decision"], "admit");

    let version = b.reload_rules().unwrap();
    wait_for("the rules on the other node", || (a.rules_version() == Some(version)).then_some(()));
    wait_for("the first rating by them", || {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = format!("a-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let verdict = verdict(&a, &rating(&id, 5, ""));
        (verdict["decision"] == "hold").then_some(verdict)
    });
    a.stop().unwrap();
    drop(a);
    let a = node(&place, "a", &broker);
    assert_eq!(a.rules_version(), Some(version), "its own files do not bring others back");
    assert_eq!(verdict(&a, &rating("three", 5, ""))["decision"], "hold");
    same_head(&[&a, &b]);
    a.reload_rules().unwrap();
    wait_for("its own rules, now that it was told", || (b.rules_version() == shipped).then_some(()));
}

fn decide(service: &Service, by: &str, id: &str) -> Result<Effect, Refusal> {
    let decide = Act::Decide(ReviewOutcome::Clear);
    let request = act(by, decide, "clear-no-evidence", &[id], Clock::Wall.now().unwrap());
    service.review(request).unwrap().remove(0).result.map(|(effect, _)| effect)
}

#[test]
fn of_two_people_at_two_nodes_who_decide_a_case_at_once_one_does() {
    let (place, broker) = (Place::new(), Memory::new());
    let a = node_with_rules(&place, "a", &broker);
    let b = node(&place, "b", &broker);
    for round in 0..20 {
        let id = format!("r-{round}");
        assert_eq!(verdict(&a, &rating(&id, 5, ""))["decision"], "hold");
        same_head(&[&a, &b]);
        let barrier = std::sync::Barrier::new(2);
        let (one, two) = std::thread::scope(|scope| {
            let two = scope.spawn(|| {
                barrier.wait();
                decide(&b, "bo", &id)
            });
            barrier.wait();
            (decide(&a, "an", &id), two.join().unwrap())
        });
        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
        same_head(&[&a, &b]);
        let verdicts = |node: &Service| node.verdicts_of(&id).unwrap().unwrap();
        assert_eq!(verdicts(&a), verdicts(&b));
        assert_eq!(verdicts(&a)["verdicts"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn while_the_broker_is_gone_nothing_is_answered_and_afterwards_everything_is() {
    let (place, (broker, gone)) = (Place::new(), broker_with_switch());
    let mut bounded = options(&place, "a", &broker);
    bounded.intake.queue = 8;
    let a = Service::open(bounded).unwrap();
    verdict(&a, &rating("before", 4, ""));
    gone.store(true, Ordering::Relaxed);
    let (sender, answers) = std::sync::mpsc::channel();
    for i in 0..20 {
        let sender = sender.clone();
        let reply = Box::new(move |answer| drop(sender.send((i, answer))));
        a.submit(rating(&format!("r-{i}"), 4, "").into(), reply);
    }
    // Those beyond the bound are told to come again; the others wait.
    let shed: Vec<i32> = answers
        .iter()
        .take(12)
        .map(|(i, answer)| {
            assert!(matches!(answer, Answer::Shed { .. }), "{i}: {answer:?}");
            i
        })
        .collect();
    let early = answers.recv_timeout(Duration::from_millis(300));
    assert!(early.is_err(), "nothing is answered meanwhile: {early:?}");
    wait_for("it to say so", || a.cluster().unwrap().cut_off.then_some(()));
    gone.store(false, Ordering::Relaxed);
    wait_for("the broker", || (!a.cluster().unwrap().cut_off).then_some(()));
    for (i, answer) in answers.iter().take(8) {
        assert!(matches!(answer, Answer::Verdict(_)), "{i}: {answer:?}");
        assert!(!shed.contains(&i));
    }
    a.stop().unwrap();
    assert_one_log(&place, &["a"]);
}

#[test]
fn a_node_that_stops_while_the_broker_is_gone_says_so_and_answers_nothing() {
    let (place, (broker, gone)) = (Place::new(), broker_with_switch());
    let a = node(&place, "a", &broker);
    verdict(&a, &rating("before", 4, ""));
    gone.store(true, Ordering::Relaxed);
    let (sender, answered) = std::sync::mpsc::channel();
    a.submit(rating("after", 4, "").into(), Box::new(move |answer| drop(sender.send(answer))));
    assert!(matches!(a.stop(), Err(ServiceError::Stopping)));
    drop(a);
    assert!(!matches!(answered.recv(), Ok(Answer::Verdict(_))), "what is not in the log is not answered");
    gone.store(false, Ordering::Relaxed);
    let a = node(&place, "a", &broker);
    verdict(&a, &rating("after", 4, ""));
}

/// Ratings on a topic, as the rating platform would put them there.
fn produce(broker: &Memory, partition: u32, messages: &[String]) {
    let messages: Vec<bytes::Bytes> = messages.iter().map(|message| message.clone().into()).collect();
    broker.partition("city-ratings", partition).unwrap().append(&messages).unwrap();
}

/// Everything that is on a topic's first partition.
fn consumed(broker: &Memory, topic: &str) -> Vec<Value> {
    let partition = broker.partition(topic, 0).unwrap();
    let mut follow = partition.follow(0).unwrap();
    let messages = follow.next(Duration::from_millis(1)).unwrap();
    messages.iter().map(|message| serde_json::from_slice(&message.payload).unwrap()).collect()
}

fn streaming(place: &Place, name: &str, broker: &Memory) -> Service {
    let mut options = options(place, name, broker);
    let retention = Duration::from_secs(7 * 86_400);
    options.cluster.as_mut().unwrap().intake = Some(IntakeOptions { partitions: 4, retention });
    Service::open(options).unwrap()
}

#[test]
fn each_rating_of_the_topic_has_one_verdict_on_the_other_whichever_node_stops() {
    let (place, broker) = (Place::new(), Memory::new());
    let a = streaming(&place, "a", &broker);
    let b = streaming(&place, "b", &broker);
    let lines = lines(12, 800);
    let parts: Vec<&[String]> = lines.chunks(200).collect();
    for (partition, part) in (0..).zip(&parts) {
        produce(&broker, partition, &part[..100]);
    }
    wait_for("the first verdicts", || (consumed(&broker, "city-verdicts").len() > 50).then_some(()));
    a.stop().unwrap();
    drop(a);
    for (partition, part) in (0..).zip(&parts) {
        produce(&broker, partition, &part[100..]);
        // The platform sends some again, and something that is no rating.
        produce(&broker, partition, &part[90..110]);
        produce(&broker, partition, &["{\"rating_id\": 7}".to_owned(), format!("{}\n{}", part[0], part[1])]);
    }
    let ids = |verdicts: &[Value]| -> Vec<String> {
        let first = verdicts.iter().filter(|verdict| verdict["revision"] == 0);
        first.map(|verdict| verdict["rating_id"].as_str().unwrap().to_owned()).collect()
    };
    let verdicts = wait_for("a verdict for each", || {
        let verdicts = consumed(&broker, "city-verdicts");
        (ids(&verdicts).len() >= lines.len()).then_some(verdicts)
    });
    let mut scored = ids(&verdicts);
    scored.sort();
    let mut sent: Vec<String> = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["rating_id"].as_str().unwrap().to_owned())
        .collect();
    sent.sort();
    assert_eq!(scored, sent, "one each, and none besides");
    let sequences: Vec<u64> = verdicts.iter().map(|verdict| verdict["sequence"].as_u64().unwrap()).collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "in the order of the log");
    let dead = wait_for("the dead letters", || {
        let dead = consumed(&broker, "city-dead-letters");
        (dead.len() >= 4).then_some(dead)
    });
    assert_eq!(dead.len(), 4);
    assert!(dead.iter().all(|letter| letter["error"].as_str().unwrap().contains("rating_id")), "{dead:?}");
    b.stop().unwrap();
    drop(b);

    // What is scored is not scored again after a start.
    let b = streaming(&place, "b", &broker);
    produce(&broker, 0, &[rating("last", 4, "")]);
    wait_for("the last verdict", || {
        let verdicts = consumed(&broker, "city-verdicts");
        (verdicts.last()?["rating_id"] == "last").then_some(())
    });
    assert_eq!(consumed(&broker, "city-verdicts").len(), verdicts.len() + 1);
    assert_eq!(consumed(&broker, "city-dead-letters").len(), 4);
    b.stop().unwrap();
}

#[test]
fn a_comment_can_be_read_at_every_node_and_stands_sealed_on_its_topic() {
    let (place, broker) = (Place::new(), Memory::new());
    let a = node(&place, "a", &broker);
    let b = node(&place, "b", &broker);
    verdict(&a, &rating("said", 2, r#","comment":"排队三小时，没有人来""#));
    wait_for("the comment", || {
        (b.comment("said").unwrap().as_deref() == Some("排队三小时，没有人来")).then_some(())
    });
    let topic = broker.partition("city-comments", 0).unwrap();
    for message in topic.follow(0).unwrap().next(Duration::from_millis(1)).unwrap() {
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        assert!(text.contains("said") && !text.contains("排队"), "{text}");
    }
}

#[test]
fn nodes_know_each_other_and_who_left() {
    let (place, broker) = (Place::new(), Memory::new());
    let a = node(&place, "a", &broker);
    let b = node(&place, "b", &broker);
    b.listens_at("http://127.0.0.1:1");
    verdict(&a, &rating("one", 4, ""));
    let seen = |name: &str| a.members().into_iter().find(|member| member.said.node == name);
    let member = wait_for("the other node", || {
        seen("b")
            .filter(|member| member.said.sequence == *a.head().borrow() && !member.said.address.is_empty())
    });
    assert!(member.works());
    let own = wait_for("itself", || seen("a").filter(|own| own.said.sequence == member.said.sequence));
    assert_eq!(own.said.chain, member.said.chain, "at one sequence nodes have one chain");
    b.stop().unwrap();
    wait_for("that it left", || (seen("b")?.said.standing == Standing::Left).then_some(()));
}
