//! What `zhenping simulate` promises about its traffic.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use zhenping::lab::simulate::{City, Params, SCENARIOS};
use zhenping::time::Instant;
use zhenping::wire::Label;

fn city(params: Params) -> City {
    City::new(params).unwrap()
}

fn lines(params: Params, count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for rating in city(params).take(count) {
        rating.write_json(&mut out);
        out.push(b'\n');
        rating.write_label(&mut out);
        out.push(b'\n');
    }
    out
}

#[test]
fn every_line_is_a_rating_by_the_contract() {
    let schema: Value = serde_json::from_str(include_str!("../docs/contract/rating.schema.json")).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    let mut line = Vec::new();
    // All abuse and look-alikes, and a sample of the ordinary ones.
    for (i, rating) in city(Params { seed: 11, per_day: 5_000, ..Params::default() }).enumerate() {
        if rating.truth().scenario == "ordinary" && i % 25 != 0 {
            continue;
        }
        line.clear();
        rating.write_json(&mut line);
        let json: Value = serde_json::from_slice(&line).unwrap();
        let errors: Vec<String> = validator.iter_errors(&json).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}: {json}");
        for (key, value) in json.as_object().unwrap() {
            let known = &properties[key]["properties"];
            for inner in value.as_object().into_iter().flatten() {
                assert!(known.get(inner.0).is_some(), "{key}.{} is not in the contract", inner.0);
            }
        }
        let instant =
            |path: &str| json.pointer(path).map(|t| Instant::parse_rfc3339(t.as_str().unwrap()).unwrap());
        let submitted = instant("/submitted_at").unwrap();
        assert!(instant("/received_at") >= Some(submitted));
        assert!(instant("/opened_at").is_none_or(|opened| opened <= submitted), "{json}");
        assert!(instant("/rater/registered_at").is_none_or(|registered| registered <= submitted), "{json}");
    }
}

#[test]
fn a_line_begins_with_its_id_as_load_generators_expect() {
    let out = lines(Params::default(), 100);
    assert!(
        out.split(|&b| b == b'\n').filter(|l| !l.is_empty()).all(|l| l.starts_with(b"{\"rating_id\": \""))
    );
}

#[test]
fn the_default_fortnight_has_every_scenario_and_the_fields_base_rates() {
    let mut seen: BTreeMap<(&str, Label), u64> = BTreeMap::new();
    let (mut ids, mut last) = (BTreeSet::new(), i64::MIN);
    let (mut honest, mut honest_bad, mut good, mut all) = (0_u64, 0_u64, 0_u64, 0_u64);
    let (mut campaigns, mut abusive) = (BTreeMap::new(), 0_u64);
    for rating in city(Params::default()) {
        let truth = rating.truth();
        *seen.entry((truth.scenario, truth.label)).or_default() += 1;
        assert!(rating.received_ms() >= last, "out of order");
        last = rating.received_ms();
        all += 1;
        good += u64::from(rating.stars() >= 3);
        if truth.label.is_honest() {
            honest += 1;
            honest_bad += u64::from(rating.is_bad());
        } else {
            abusive += u64::from(truth.scenario != "double_click");
        }
        if let Some(campaign) = truth.campaign {
            let owner = campaigns.entry(campaign).or_insert((truth.scenario, truth.label.is_honest()));
            assert_eq!(*owner, (truth.scenario, truth.label.is_honest()), "one campaign, one kind");
        }
        let mut label = Vec::new();
        rating.write_label(&mut label);
        let label: Value = serde_json::from_slice(&label).unwrap();
        assert_eq!(label["label"], truth.label.name());
        assert_eq!(label["scenario"], truth.scenario);
        assert!(ids.insert(label["rating_id"].as_str().unwrap().to_owned()), "an id twice");
    }
    for scenario in SCENARIOS {
        assert!(seen.contains_key(&(scenario.name, scenario.label)), "{} never appears", scenario.name);
    }
    // The simulation is never unsure.
    for label in Label::ALL.iter().filter(|label| label.is_abusive().is_some()) {
        assert!(seen.keys().any(|(_, l)| l == label), "{} never appears", label.name());
    }
    let share = |part: u64, whole: u64| part as f64 / whole as f64;
    assert!((0.95..1.05).contains(&share(all, 14 * 20_000)), "{all} ratings");
    assert!((0.015..0.025).contains(&share(abusive, all)), "abuse {}", share(abusive, all));
    // Shanghai, 2019: 99.58 % good and 0.34 % bad; our honest occasions add an outage or two.
    assert!((0.0025..0.0055).contains(&share(honest_bad, honest)), "bad {}", share(honest_bad, honest));
    assert!(share(good, all) > 0.993, "good {}", share(good, all));
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_every_machine() {
    let params =
        |seed| Params { seed, per_day: 50_000, start: Instant(1_774_000_000_000), ..Params::default() };
    let first = lines(params(5), 20_000);
    assert_eq!(first, lines(params(5), 20_000));
    assert_ne!(first, lines(params(6), 20_000));
    // Whoever changes the simulation on purpose writes the new digest here.
    assert_eq!(
        blake3::hash(&first).to_hex().as_str(),
        "3e4d6f7f1fb8422baef540a7d74ca1aab0279d810ad9237595bb84d599d86ef9"
    );
}

#[test]
fn scenarios_can_be_chosen_and_left_out() {
    let scenarios = vec!["outage".to_owned(), "brigade_one_text".to_owned()];
    let params = Params { scenarios, days: 6, per_day: 8_000, ..Params::default() };
    let chosen: BTreeSet<&str> = city(params).map(|r| r.truth().scenario).collect();
    assert_eq!(chosen, BTreeSet::from(["ordinary", "outage", "brigade_one_text"]));
    let params = Params {
        scenarios: vec!["-outage".to_owned(), "-poured_into_outage".to_owned()],
        days: 6,
        ..Params::default()
    };
    assert!(city(params).all(|r| r.truth().scenario != "outage"));
}

#[test]
fn the_shares_hold_in_small_runs_too() {
    let (mut all, mut abusive) = (0.0, 0.0);
    for seed in 0..60 {
        for rating in city(Params { seed, days: 2, per_day: 1_000, ..Params::default() }) {
            all += 1.0;
            let label = rating.truth().label;
            abusive += f64::from(u8::from(!label.is_honest() && rating.truth().scenario != "double_click"));
        }
    }
    assert!((0.01..0.03).contains(&(abusive / all)), "{}", abusive / all);
}

#[test]
fn a_run_without_abuse_is_honest() {
    let params = Params { abuse_share: 0.0, days: 2, ..Params::default() };
    assert!(city(params).all(|r| r.truth().label.is_honest() || r.truth().scenario == "double_click"));
}

#[test]
fn the_demo_shows_attacks_within_its_first_minute_at_any_hour() {
    for hour in [3, 11] {
        let start = Instant(1_773_763_200_000 + hour * 3_600_000);
        let first: Vec<_> =
            city(Params::demo(start)).take_while(|r| r.received_ms() < start.ms() + 60_000).collect();
        assert!((400..1_500).contains(&first.len()), "{} ratings in the first minute", first.len());
        let abuses: BTreeSet<&str> =
            first.iter().filter(|r| !r.truth().label.is_honest()).map(|r| r.truth().scenario).collect();
        assert!(abuses.len() >= 8, "{abuses:?}");
    }
}

#[test]
fn a_pad_that_was_offline_arrives_late_and_a_revision_names_what_it_revises() {
    let (mut late, mut ids, mut revisions) = (0, BTreeSet::new(), 0);
    let mut line = Vec::new();
    for rating in city(Params { per_day: 4_000, ..Params::default() }) {
        late += u32::from(rating.received_ms() - rating.submitted_ms() > 8 * 3_600_000);
        line.clear();
        rating.write_json(&mut line);
        let json: Value = serde_json::from_slice(&line).unwrap();
        if let Some(earlier) = json.get("supersedes") {
            revisions += 1;
            assert!(ids.contains(earlier.as_str().unwrap()), "a revision of something that never came");
        }
        ids.insert(json["rating_id"].as_str().unwrap().to_owned());
    }
    assert!(late > 20 && revisions > 10, "{late} late, {revisions} revisions");
}

fn simulate(arguments: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_zhenping"))
        .arg("simulate")
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_command_writes_a_label_for_every_rating_and_nothing_else_to_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.ndjson");
    let run = simulate(&["--days", "3", "--per-day", "500", "--labels", labels.to_str().unwrap()]);
    assert!(run.status.success());
    assert!(run.stderr.is_empty(), "{}", String::from_utf8_lossy(&run.stderr));
    let ids = |bytes: &[u8]| -> Vec<String> {
        let id = |line: &[u8]| {
            let json: Value = serde_json::from_slice(line).unwrap();
            json["rating_id"].as_str().unwrap().to_owned()
        };
        bytes.split(|&b| b == b'\n').filter(|l| !l.is_empty()).map(id).collect()
    };
    let ratings = ids(&run.stdout);
    assert!((1_200..2_600).contains(&ratings.len()));
    assert_eq!(ratings, ids(&std::fs::read(&labels).unwrap()));
}

#[test]
fn the_command_names_what_is_wrong_and_what_is_allowed() {
    for (arguments, message) in [
        (["--start", "18.3.2026"], "--start 18.3.2026: expected a date such as 2026-03-18"),
        (["--abuse-share", "2"], "abuse share: allowed is 0 to 0.9"),
        (
            ["--scenarios", "-pad_presed"],
            "there is no scenario \"pad_presed\"; did you mean \"pad_pressed\"?",
        ),
    ] {
        let run = simulate(&arguments);
        assert!(!run.status.success());
        let error = String::from_utf8(run.stderr).unwrap();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn the_list_of_scenarios_names_each_in_both_languages() {
    let list = String::from_utf8(simulate(&["--list-scenarios"]).stdout).unwrap();
    for scenario in SCENARIOS {
        let line = list.lines().find(|l| l.split_whitespace().next() == Some(scenario.name)).unwrap();
        assert!(line.contains(scenario.zh) && line.contains(scenario.en));
    }
}

#[test]
fn the_documentation_describes_every_scenario() {
    let page = include_str!("../docs/simulate.md");
    for scenario in SCENARIOS {
        assert!(
            page.contains(&format!("| `{}` |", scenario.name)),
            "{} is not in docs/simulate.md",
            scenario.name
        );
    }
}
