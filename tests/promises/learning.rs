//! A model that was learnt from a history, in the program as it ships.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use crate::support::{Place, run, succeed, zhenping};

/// A fixed key, so that runs in several directories can be compared byte by byte.
const KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// A history with labels, traffic to score, and a model.
fn learnt(place: &Place) {
    let simulate = |seed: &str, ratings: &str, labels: &str| {
        let [ratings, labels] = [ratings, labels].map(|name| place.path(name).display().to_string());
        succeed([
            "simulate",
            "--seed",
            seed,
            "--days",
            "4",
            "--per-day",
            "2500",
            "--abuse-share",
            "0.06",
            "--out",
            &ratings,
            "--labels",
            &labels,
        ]);
    };
    simulate("21", "history.ndjson", "history.labels.ndjson");
    simulate("22", "ratings.ndjson", "ratings.labels.ndjson");
    train(place, "model");
}

fn train(place: &Place, out: &str) {
    let path = |name: &str| place.path(name).display().to_string();
    succeed([
        "train",
        "--ratings",
        &path("history.ndjson"),
        "--labels",
        &path("history.labels.ndjson"),
        "--trees",
        "30",
        "--out",
        &path(out),
    ]);
}

fn score(ratings: &Path, model: &Path, more: &[&str]) -> String {
    let output = zhenping()
        .arg("score")
        .arg(ratings)
        .arg("--model")
        .arg(model)
        .args(more)
        .env("ZHENPING_MASTER_KEY", KEY)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn read(place: &Place, name: &str) -> String {
    std::fs::read_to_string(place.path(name)).unwrap()
}

fn parsed(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn is_bad(rating: &Value) -> bool {
    let aspects = rating["aspects"].as_object().into_iter().flat_map(|aspects| aspects.values());
    aspects.chain([&rating["stars"], &rating["hall_stars"]]).filter_map(Value::as_u64).any(|stars| stars <= 2)
}

#[test]
fn a_learnt_model_keeps_the_promises_and_its_verdicts_depend_on_nothing_else() {
    let place = Place::new();
    learnt(&place);
    let (ratings, model) = (place.path("ratings.ndjson"), place.path("model"));

    // The same history gives the same bytes.
    train(&place, "again");
    for file in ["model.bin", "manifest.toml"] {
        assert!(read_bytes(&place, "model", file) == read_bytes(&place, "again", file), "{file}");
    }

    let expected = score(&ratings, &model, &["--batch", "512", "--threads", "2"]);
    for (batch, threads) in [("1", "1"), ("7", "5"), ("4096", "3")] {
        let found = score(&ratings, &model, &["--batch", batch, "--threads", threads]);
        assert!(found == expected, "--batch {batch} --threads {threads} differs");
    }

    let by_id: HashMap<String, Value> = parsed(&read(&place, "ratings.ndjson"))
        .into_iter()
        .map(|rating| (rating["rating_id"].as_str().unwrap().to_owned(), rating))
        .collect();
    let verdicts = parsed(&expected);
    let manifest = read(&place, "model/manifest.toml");
    let version = verdicts[0]["model"].as_str().unwrap();
    assert!(manifest.contains(&format!("blake3 = \"{version}")), "verdicts name the model: {version}");
    let (mut looked_back, mut by_model, mut campaigns) = (0, 0, 0);
    for verdict in &verdicts {
        let rating = &by_id[verdict["rating_id"].as_str().unwrap()];
        let bad = is_bad(rating);
        assert!(!(bad && verdict["decision"] == "reject"), "no machine rejects a bad rating: {verdict}");
        assert_eq!(bad, verdict["handling"] == "proceed", "a complaint goes on: {verdict}");
        let reasons = verdict["reasons"].as_array().unwrap();
        by_model += usize::from(reasons.iter().any(|reason| reason["source"] == "model"));
        campaigns += usize::from(verdict["campaign"].is_string());
        for reason in reasons {
            let text = reason["text"].as_str().unwrap();
            assert!(!text.is_empty() && !text.contains('{') && !text.starts_with("依据"), "{reason}");
        }
        if reasons.iter().any(|reason| reason["code"] == "look-back") {
            looked_back += 1;
            let matched_applicant =
                rating["service"]["case_match"] == "matched" && rating["rater"]["is_applicant"] == true;
            assert!(!(bad && matched_applicant), "the look-back leaves a matched applicant alone: {verdict}");
            assert!(verdict["revision"].as_u64() >= Some(1), "{verdict}");
        }
    }
    assert!(looked_back > 0 && by_model > 0 && campaigns > 0, "{looked_back} {by_model} {campaigns}");
}

fn read_bytes(place: &Place, directory: &str, file: &str) -> Vec<u8> {
    std::fs::read(place.path(directory).join(file)).unwrap()
}

#[test]
fn a_restart_in_the_middle_of_a_campaign_changes_no_verdict_of_a_model() {
    let place = Place::new();
    learnt(&place);
    let model = place.path("model");
    let text = read(&place, "ratings.ndjson");
    let lines: Vec<&str> = text.lines().collect();
    let data = |name: &str| place.path(name).display().to_string();
    let once = score(&place.path("ratings.ndjson"), &model, &["--data", &data("once")]);
    for from_log in [false, true] {
        let name = data(if from_log { "from-log" } else { "from-snapshot" });
        let mut found = String::new();
        for piece in lines.chunks(lines.len().div_ceil(3)) {
            let file = place.write("piece.ndjson", piece.join("\n"));
            found += &score(&file, &model, &["--data", &name]);
            if from_log {
                std::fs::remove_dir_all(Path::new(&name).join("snapshots")).unwrap();
            }
        }
        let difference = once.lines().zip(found.lines()).find(|(a, b)| a != b);
        assert!(once == found, "from_log {from_log}: {difference:?}");
    }
}

#[test]
fn a_model_whose_manifest_does_not_match_does_not_load() {
    let place = Place::new();
    learnt(&place);
    let mut bytes = read_bytes(&place, "model", "model.bin");
    *bytes.last_mut().unwrap() ^= 1;
    place.write("model/model.bin", bytes);
    let ratings = place.path("ratings.ndjson").display().to_string();
    let output = run(["score", &ratings, "--model", &place.path("model").display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("manifest.toml is not of this model.bin") && said.contains("train"), "{said}");
}

#[test]
fn training_says_what_it_lacks_and_which_labels_are_none() {
    let place = Place::new();
    let ratings = place.path("few.ndjson").display().to_string();
    succeed(["simulate", "--seed", "1", "--days", "1", "--per-day", "200", "--out", &ratings]);
    let labels = place.write("labels.ndjson", "{\"rating_id\":\"x\",\"label\":\"good\"}\n");
    let out = place.path("model").display().to_string();
    let output =
        run(["train", "--ratings", &ratings, "--labels", &labels.display().to_string(), "--out", &out]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("0 labelled genuine ratings are too few to learn from; it takes 30"), "{said}");
    assert!(!place.path("model").exists());
}
