//! A case that was rated long ago is still known: memory is bounded, the log is not.

use std::path::Path;
use std::sync::{Arc, Mutex};

use zhenping::features::case::MOST_IN_FLIGHT;
use zhenping::service::{Answer, Clock, Output, Reply, Service, Submission};

use crate::support::{self, Place, rating};

/// Keeps the answers to the last lines.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl Output for Kept {
    fn answer(&mut self, line: u64, answer: &Answer) -> std::io::Result<()> {
        let Answer::Verdict(json) = answer else { panic!("{answer:?}") };
        if line > 0 {
            self.0.lock().unwrap().push(String::from_utf8(json.clone()).unwrap());
        }
        Ok(())
    }

    fn revision(&mut self, json: &[u8]) -> std::io::Result<()> {
        self.0.lock().unwrap().push(String::from_utf8(json.to_vec()).unwrap());
        Ok(())
    }
}

fn line(id: usize, case: usize, rater: &str, stars: u8) -> String {
    let service = format!(r#""service":{{"case_no":"CASE-{case:08}","stage":"complete","#);
    let id = format!("r-{id}-{rater}");
    let rater = format!(r#","rater":{{"account":"{rater}-{case}"}}"#);
    rating(&id, stars, &rater).replace(r#""service":{"#, &service)
}

/// Scores lines; those numbered 0 are not kept.
fn score(data: &Path, entities: usize, lines: impl Iterator<Item = (u64, String)>) -> Vec<String> {
    let kept = Kept::default();
    let mut options = support::options(data.to_owned());
    options.clock = Clock::EventTime;
    options.public_key = true;
    options.state.entities = entities;
    options.output = Some(Box::new(kept.clone()));
    let service = Service::open(options).unwrap();
    let mut lines = lines.peekable();
    while lines.peek().is_some() {
        let some = lines.by_ref().take(4_096);
        let some =
            some.map(|(number, line)| Submission::Rating { line: line.into(), reply: Reply::Line(number) });
        assert!(service.push(some.collect()).is_ok());
    }
    service.stop().unwrap();
    Arc::try_unwrap(kept.0)
        .map_or_else(|shared| shared.lock().unwrap().clone(), |only| only.into_inner().unwrap())
}

#[test]
fn a_case_that_memory_has_forgotten_is_reused_and_contested_all_the_same() {
    // Memory keeps twice this at least, so that the first of them are forgotten.
    let cases = 2 * MOST_IN_FLIGHT + 4_096;
    let first = || (0..cases).map(|case| (0, line(case, case, "client", 1)));
    let second = || (0..60).map(|case| (1, line(case, case * 7, "other", 5)));
    // As the first rater again, which is a repeat of the same occasion.
    let third = || (0..60).map(|case| (1, line(case + cases, case * 11, "client", 1)));
    let place = Place::new();
    let run = |name: &str, entities: usize| {
        let data = place.path(name);
        let mut said = score(&data, entities, first().chain(second()));
        // A process of its own, which replays what the first one saw.
        said.extend(score(&data, entities, third()));
        said
    };
    let (small, large) = (run("small", 1), run("large", 2_000_000));
    assert_eq!(small.len(), large.len());
    for (with_little, with_much) in small.iter().zip(&large) {
        assert_eq!(with_little, with_much);
    }
    let of = |code: &str| small.iter().filter(|verdict| verdict.contains(code)).count();
    assert!(
        of("case-contested") >= 120 && of("case-repeat") >= 50,
        "{} {}",
        of("case-contested"),
        of("case-repeat")
    );
}
