//! What is announced of a simulated city's traffic.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use zhenping::date::UtcOffset;
use zhenping::features::state::StateLimits;
use zhenping::incidents::{Alert, Incident, Incidents, Limits};
use zhenping::lab::simulate::{City, Params, Simulated, Truth};
use zhenping::pseudonym::Keyring;
use zhenping::rules::shipped;
use zhenping::scoring::{Desk, Engine, Observed, Prepared, Preparer, Ruling, judge};

/// Ratings that are taken through the scoring path together.
const BATCH: usize = 4_096;

/// An incident with the bad ratings that it was announced for, by scenario.
struct Announced {
    incident: Incident,
    scenarios: BTreeMap<&'static str, u32>,
}

impl Announced {
    /// Whether most of it comes of something that happened to many people at once.
    fn is_true(&self) -> bool {
        let of = |names: &[&str]| names.iter().filter_map(|name| self.scenarios.get(name)).sum::<u32>();
        of(&["outage"]) * 2 > self.scenarios.values().sum()
    }
}

#[derive(Default)]
struct Told {
    ratings: u64,
    announced: Vec<Announced>,
    alerts: Vec<Alert>,
    /// Occasions and campaigns with bad ratings: those ratings, and those that an incident was announced for.
    campaigns: BTreeMap<(&'static str, u64), [u32; 2]>,
}

/// Takes a city's ratings through scoring by the shipped rules, and tells what is announced.
fn announce(params: Params) -> Told {
    let ruling = Arc::new(Ruling::load(shipped()).unwrap());
    let preparer = Preparer::new(Arc::new(Keyring::public()), UtcOffset::CHINA);
    let mut engine = Engine::new(Arc::clone(&ruling), StateLimits::default(), UtcOffset::CHINA);
    let (mut incidents, mut desk) = (Incidents::new(Limits::default()), Desk::default());
    let (mut told, mut city) = (Told::default(), City::new(params).unwrap());
    // Department, window, event time and truth of the bad ratings.
    let mut bad: Vec<(String, Option<String>, i64, Truth)> = Vec::new();
    let mut line = Vec::new();
    loop {
        let batch: Vec<Simulated> = city.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return told;
        }
        let mut ready: Vec<Prepared> = batch
            .iter()
            .map(|rating| {
                line.clear();
                rating.write_json(&mut line);
                preparer.prepare(&line, ruling.catalogue().len()).unwrap()
            })
            .collect();
        let mut seen: Vec<Option<Observed>> = vec![None; ready.len()];
        let mut refs: Vec<&mut Prepared> = ready.iter_mut().collect();
        engine.observe(&mut refs, |i, observed| seen[i] = Some(observed));
        for ((prepared, seen), simulated) in ready.iter_mut().zip(&seen).zip(&batch) {
            let Some(observed) = seen else { continue };
            let (o, at) = (&prepared.observation, observed.watermark);
            let decision =
                judge(&ruling, o, &mut prepared.features, observed, at, &mut desk).outcome.decision;
            let opened = incidents.note(told.ratings, o, &prepared.features, decision);
            told.ratings += 1;
            if o.is_bad() {
                let (department, window) = (o.service.department.to_string(), o.service.window.as_ref());
                let at = o.submitted_at.ms();
                let truth = simulated.truth();
                bad.push((department, window.map(ToString::to_string), at, truth));
                if let Some(campaign) = truth.campaign {
                    told.campaigns.entry((truth.scenario, campaign)).or_default()[0] += 1;
                }
            }
            let Some(opened) = opened else { continue };
            told.alerts.extend(opened.alerts);
            if let Some(incident) = opened.incident {
                let mut scenarios = BTreeMap::new();
                for (department, window, at, truth) in bad.iter().rev().take(2_000) {
                    let here = (incident.department.is_empty() || *department == *incident.department)
                        && (incident.window.is_none() || window.as_deref() == incident.window.as_deref());
                    if here && *at >= incident.since.ms() {
                        *scenarios.entry(truth.scenario).or_default() += 1;
                        if let Some(campaign) = truth.campaign {
                            told.campaigns.entry((truth.scenario, campaign)).or_default()[1] += 1;
                        }
                    }
                }
                told.announced.push(Announced { incident, scenarios });
            }
        }
    }
}

#[test]
fn an_outage_of_a_simulated_city_is_announced_and_a_brigade_with_one_text_is_not() {
    let scenarios = vec!["outage".to_owned(), "brigade_one_text".to_owned()];
    let params = Params { seed: 11, days: 5, per_day: 8_000, scenarios, ..Params::default() };
    let told = announce(params);
    assert!(
        told.campaigns.keys().any(|(scenario, _)| *scenario == "brigade_one_text"),
        "there was a brigade"
    );
    assert!(told.announced.iter().any(Announced::is_true), "no outage was announced");
    for Announced { incident, scenarios } in &told.announced {
        let brigade = scenarios.get("brigade_one_text").copied().unwrap_or(0);
        assert!(brigade * 2 < scenarios.values().sum(), "{scenarios:?} {}", incident.text().en);
    }
}

/// Nobody is held, or spared, for an incident: what decides does not know that there are any.
#[test]
fn nothing_that_decides_reads_incidents() {
    fn look(path: &Path, named: &mut Vec<String>) {
        if path.is_dir() {
            std::fs::read_dir(path).unwrap().for_each(|inner| look(&inner.unwrap().path(), named));
        } else if std::fs::read_to_string(path).unwrap().contains("incidents") {
            named.push(path.display().to_string());
        }
    }
    let deciding =
        ["features", "rules", "models", "lookback", "policy", "scoring", "scoring.rs", "verdict.rs"];
    let service = ["service/commit.rs", "service/commit", "service/worker.rs", "service/render.rs"];
    let mut named = Vec::new();
    for part in deciding.into_iter().chain(service) {
        let path = Path::new("src").join(part);
        assert!(path.exists(), "{part} has moved; say here where to");
        look(&path, &mut named);
    }
    assert!(named.is_empty(), "{named:?}");
}

#[test]
#[ignore = "prints figures for the documentation; a minute"]
fn figures() {
    let seeds = std::env::var("SEEDS").unwrap_or_else(|_| "1".to_owned());
    for seed in seeds.split(',').map(|seed| seed.parse().unwrap()) {
        let per_day = 20_000;
        let told = announce(Params { seed, per_day, ..Params::default() });
        let right = told.announced.iter().filter(|announced| announced.is_true()).count();
        println!(
            "seed {seed}, {per_day} a day: {} ratings, {right} of {} incidents true, {} alerts",
            told.ratings,
            told.announced.len(),
            told.alerts.len()
        );
        for Announced { incident, scenarios } in &told.announced {
            println!(
                "  {} {} {:?} {:?} {}",
                incident.id(),
                incident.department,
                incident.window,
                scenarios,
                incident.text().en
            );
            println!("     {:?}", incident.relations);
        }
        let crowds = ["outage", "poured_into_outage", "estate_grievance"];
        for (&(scenario, number), &[ratings, in_incident]) in &told.campaigns {
            if ratings >= 8 && (crowds.contains(&scenario) || in_incident > 0) {
                println!("  {scenario} {number}: {ratings} bad ratings, {in_incident} when it was announced");
            }
        }
        for alert in &told.alerts {
            println!("  {} {} {} {}", alert.id(), alert.department, alert.window, alert.text().en);
        }
    }
}
