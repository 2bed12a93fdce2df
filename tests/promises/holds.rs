//! A hold is never a rejection, and never for good.

use serde_json::Value;
use zhenping::service::{Clock, RulesOrigin, Service, Submission};
use zhenping::time::{DAY_MS, Instant};

use crate::support::{self, Place, Server, ask, rating, rule, run, score, wait_for};

/// Holds every bad rating; the worse ones with a higher risk.
fn hold_bad() -> String {
    let hold = rule("hold-bad", "hold", "bad", "malicious_review") + "weight = 1.0\n";
    hold + r#"
[[rule]]
id = "worst"
when = "stars == 1"
weight = 2.0
suspect = "malicious_review"
family = "timing"
state = "active"
owner = "tests"
why = { zh = "一星", en = "one star" }
"#
}

/// Rejects whatever it may.
fn reject(when: &str) -> String {
    rule("reject-good", "reject", when, "padded_praise")
}

fn parsed(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn no_machine_rejects_a_bad_review() {
    let place = Place::new();
    let rules = place.rules(reject("stars >= 3"));
    let ratings = [
        rating("good", 5, ""),
        rating("bad-hall", 5, r#","hall_stars":1"#),
        rating("bad-aspect", 4, r#","aspects":{"attitude":2}"#),
        rating("bad-stars", 2, ""),
    ];
    let file = place.write("ratings.ndjson", ratings.join("\n"));
    let verdicts = parsed(&score(&file, &["--rules".as_ref(), rules.as_ref()]).0);
    let decisions: Vec<_> = verdicts.iter().map(|verdict| verdict["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["reject", "hold", "hold", "admit"]);
    for verdict in &verdicts[1..] {
        assert_eq!(verdict["handling"], "proceed", "a complaint goes on to whoever must act: {verdict}");
    }

    let config = format!("rules.directory = {:?}\n", rules.display().to_string());
    let server = Server::start(&place, &config, "operator");
    for rating in &ratings {
        assert_eq!(server.post("/v1/ratings", rating).status, 200);
    }
    let feed = server.get("/v1/handling").text();
    for id in ["bad-hall", "bad-aspect", "bad-stars"] {
        assert!(feed.contains(id), "{feed}");
    }
    assert!(!feed.contains("good") && !feed.contains("hold"), "ids and `proceed` alone: {feed}");
    server.stop();

    for needed in ["stars >= 1", "stars >= 2", "stars >= 3 || bad", "!(stars < 2)"] {
        let rules = place.rules(reject(needed));
        let refused = run(["rules", "check", "--rules", rules.to_str().unwrap()]);
        assert!(!refused.status.success(), "a rule that rejects on `{needed}` must not load");
    }
}

fn service(place: &Place) -> Service {
    let mut options = support::options(place.data());
    options.rules = RulesOrigin::Directory(place.rules(hold_bad()));
    Service::open(options).unwrap()
}

#[test]
fn an_undecided_hold_of_a_bad_rating_lapses_after_five_working_days() {
    let place = Place::new();
    let service = service(&place);
    ask(&service, rating("bad", 1, ""));
    let verdicts = || service.verdicts_of("bad").unwrap().unwrap()["verdicts"].as_array().unwrap().clone();
    assert_eq!(verdicts()[0]["decision"], "hold");

    let now = Clock::Wall.now().unwrap();
    let tick =
        |days: i64| assert!(service.push(vec![Submission::Tick(Instant(now.ms() + days * DAY_MS))]).is_ok());
    // Five working days are never over after four days; a rating behind the tick shows that it passed.
    tick(4);
    ask(&service, rating("behind", 5, ""));
    assert_eq!(verdicts().len(), 1);
    tick(30);
    tick(31);
    ask(&service, rating("behind-too", 5, ""));
    let standing = verdicts();
    assert_eq!(standing.len(), 2, "it lapses once");
    assert_eq!((&standing[0]["decision"], &standing[0]["revision"]), (&"admit".into(), &1.into()));
    assert!(standing[0]["reasons"].to_string().contains("hold-lapsed"), "{}", standing[0]);
    assert_eq!(service.folds(|folds| folds.pending_holds()), 0);
    service.stop().unwrap();
}

#[test]
fn a_running_service_lets_holds_lapse_though_no_rating_comes() {
    let place = Place::new();
    let rules = place.rules(hold_bad());
    let file = place.write("ratings.ndjson", rating("long-ago", 1, ""));
    let scored =
        score(&file, &["--data".as_ref(), place.data().as_ref(), "--rules".as_ref(), rules.as_ref()]);
    assert_eq!(parsed(&scored.0)[0]["decision"], "hold");

    let server =
        Server::start(&place, &format!("rules.directory = {:?}\n", rules.display().to_string()), "intake");
    let standing = wait_for("the hold to lapse", || {
        let verdicts = server.verdicts("long-ago");
        (verdicts.len() == 2).then(|| verdicts[0].clone())
    });
    assert_eq!(standing["decision"], "admit");
    // Whoever asks again gets the first verdict, and what stands now.
    let again = server.post("/v1/ratings", rating("long-ago", 1, "")).json();
    assert_eq!((&again["decision"], &again["revision"]), (&"hold".into(), &0.into()));
    assert_eq!(again["current"]["decision"], "admit");
    server.stop();
}

#[test]
fn beyond_the_daily_budget_the_least_risky_are_admitted_and_flagged() {
    let place = Place::new();
    let rules = place.rules(hold_bad());
    let config = format!("holds.bad_per_day = 3\nrules.directory = {:?}\n", rules.display().to_string());
    let server = Server::start(&place, &config, "intake");
    let (mild, worst): (Vec<_>, Vec<_>) =
        ((0..5).map(|i| format!("mild-{i}")).collect(), (0..3).map(|i| format!("worst-{i}")).collect());
    for (ids, stars) in [(&mild, 2), (&worst, 1)] {
        for id in ids {
            let verdict = server.post("/v1/ratings", rating(id, stars, "")).json();
            assert_eq!(verdict["handling"], "proceed");
        }
    }
    let check = |server: &Server| {
        for id in &mild {
            let standing = &server.verdicts(id)[0];
            assert_eq!(standing["decision"], "admit", "{standing}");
            assert!(standing["reasons"].to_string().contains("hold-budget"), "{standing}");
        }
        for id in &worst {
            assert_eq!(server.verdicts(id)[0]["decision"], "hold");
        }
    };
    check(&server);
    server.stop();
    // The budget is a fold of the log: it does not open again with the service.
    let server = Server::start(&place, &config, "intake");
    let one_more = server.post("/v1/ratings", rating("mild-5", 2, "")).json();
    assert_eq!(one_more["decision"], "admit", "{one_more}");
    check(&server);
    server.stop();
}

/// A bad rating and another rater's praise of the same case: with no applicant known both are held.
fn contested(case: &str) -> [String; 2] {
    let of = |id: String, stars: u8, account: &str| {
        let rater = format!(r#","rater":{{"account":"{account}-{case}"}}"#);
        let service =
            format!(r#""service":{{"case_no":"CASE-{case}","stage":"complete","case_match":"matched","#);
        rating(&id, stars, &rater).replace(r#""service":{"#, &service)
    };
    [of(format!("bad-{case}"), 1, "client"), of(format!("praise-{case}"), 5, "other")]
}

#[test]
fn every_hold_of_a_bad_rating_by_a_machine_counts_against_the_budget() {
    let place = Place::new();
    let rules = place.rules(reject("stars >= 3 && stars <= 4"));
    let config = format!("holds.bad_per_day = 1\nrules.directory = {:?}\n", rules.display().to_string());
    let server = Server::start(&place, &config, "operator");
    let contest = |server: &Server, case: &str| {
        for line in contested(case) {
            assert_eq!(server.post("/v1/ratings", line).status, 200);
        }
        assert_eq!(server.verdicts(&format!("praise-{case}"))[0]["decision"], "hold");
        server.verdicts(&format!("bad-{case}")).remove(0)
    };
    let used = |server: &Server| {
        let metrics = server.get("/metrics").text();
        metrics.lines().find_map(|line| line.strip_prefix("zhenping_hold_budget_used ")).unwrap().to_owned()
    };
    let first = contest(&server, "1");
    assert_eq!((&first["decision"], &first["revision"]), (&"hold".into(), &1.into()), "{first}");
    assert_eq!(used(&server), "1", "a contest's hold counts");

    let second = contest(&server, "2");
    assert_eq!((&second["decision"], &second["revision"]), (&"admit".into(), &1.into()), "{second}");
    let reasons = second["reasons"].to_string();
    assert!(reasons.contains("hold-budget") && reasons.contains("case-contested"), "it is told: {second}");
    assert_eq!(second["handling"], "proceed");
    assert_eq!(server.verdicts("bad-1")[0]["decision"], "hold", "among equals the earlier stays");
    server.stop();

    let server = Server::start(&place, &config, "operator");
    assert_eq!(used(&server), "1", "the budget is a fold of the log");
    assert_eq!(contest(&server, "3")["decision"], "admit");
    server.stop();
}
