use std::collections::BTreeMap;

use super::fold::Decisions;
use super::*;
use crate::catalogue::builtin as f;
use crate::log::entry::{Act, ReviewEntry};
use crate::log::record::samples::{catalogue, typical};
use crate::wire::{Origin, ReviewOutcome};

const SHARE: f64 = 0.002;

/// A log of ratings and decisions, folded as it grows.
struct Desk {
    catalogue: Arc<Catalogue>,
    ratings: BTreeMap<u64, RatingEntry>,
    entries: Vec<Entry>,
    decisions: Decisions,
}

impl Desk {
    fn new() -> Self {
        let decisions = Decisions::default();
        Self { catalogue: Arc::new(catalogue()), ratings: BTreeMap::new(), entries: Vec::new(), decisions }
    }

    fn push(&mut self, entry: Entry) -> u64 {
        let sequence = self.entries.len() as u64;
        self.fold_into(sequence, &entry, None);
        self.entries.push(entry);
        sequence
    }

    fn fold_into(&mut self, sequence: u64, entry: &Entry, other: Option<&mut Decisions>) {
        let (ratings, catalogue) = (&self.ratings, &self.catalogue);
        let rating = |sequence| Some((ratings.get(&sequence)?.clone(), Arc::clone(catalogue)));
        other.unwrap_or(&mut self.decisions).fold(sequence, entry, SHARE, rating);
    }

    /// A rating that the machine thought little of, with so many accounts on its device.
    fn rating(&mut self, age_days: f64) -> u64 {
        let sequence = self.entries.len() as u64;
        let mut entry = typical(sequence, &self.catalogue);
        entry.observation.origin = Origin::Active;
        entry.outcome.risk = 0.3;
        entry.features.set_float(f::DEVICE_AGE_DAYS, age_days);
        self.ratings.insert(sequence, entry.clone());
        self.push(Entry::Rating(Box::new(entry)))
    }

    fn act(&mut self, rating: u64, act: Act) {
        self.push(Entry::Review(Box::new(ReviewEntry {
            rating_id: format!("r-{rating}").into(),
            rating_sequence: rating,
            act,
            reason: "because".into(),
            by: "an".into(),
            at: Instant(0),
            words: None,
        })));
    }

    /// A new device is abusive, or an old one, so many times; the other is not.
    fn decide(&mut self, pairs: u32, young_is_abusive: bool) {
        for _ in 0..pairs {
            for young in [true, false] {
                let rating = self.rating(if young { 0.5 } else { 400.0 });
                let outcome = match young == young_is_abusive {
                    true => ReviewOutcome::Confirm,
                    false => ReviewOutcome::Clear,
                };
                self.act(rating, Act::Decide(outcome));
            }
        }
    }

    /// Does what is due, as the thread would.
    fn learn(&mut self) -> LearningStep {
        let next = self.decisions.next().expect("something is due");
        let (entry, _) = work(next, Instant(7)).unwrap();
        let step = entry.step.clone();
        self.push(Entry::Learning(Box::new(entry)));
        step
    }

    fn replayed(&mut self) -> Decisions {
        let mut replayed = Decisions::default();
        for (sequence, entry) in self.entries.clone().iter().enumerate() {
            self.fold_into(sequence as u64, entry, Some(&mut replayed));
        }
        replayed
    }
}

fn bytes(decisions: &Decisions) -> Vec<u8> {
    postcard::to_stdvec(decisions).unwrap()
}

#[test]
fn a_better_version_comes_into_force_and_replay_gives_the_same() {
    let mut desk = Desk::new();
    desk.decide(49, true);
    assert!(desk.decisions.next().is_none(), "two decisions are missing");
    desk.decide(1, true);
    let LearningStep::Published { contents } = desk.learn() else { panic!("not published") };
    assert!(desk.decisions.next().is_none() && desk.decisions.in_force().is_none());
    desk.decide(50, true);
    let LearningStep::InForce(found) = desk.learn() else { panic!("it is better") };
    assert!(found.decisions == 100 && found.with < found.without, "{found:?}");
    assert_eq!(desk.decisions.in_force().unwrap().to_bytes(), contents);
    let replayed = desk.replayed();
    assert_eq!(bytes(&replayed), bytes(&desk.decisions));
    let again =
        [replayed, desk.decisions.clone()].map(|decisions| work(decisions.next().unwrap(), Instant(7)));
    assert!(again[0].is_some() && again[0].as_ref().map(|a| &a.0) == again[1].as_ref().map(|a| &a.0));
}

#[test]
fn a_version_that_is_worse_never_comes_into_force() {
    let mut desk = Desk::new();
    desk.decide(50, true);
    desk.learn();
    // From here on it is the other way round.
    desk.decide(50, false);
    let LearningStep::Dropped(found) = desk.learn() else { panic!("it is worse") };
    assert!(found.with > found.without);
    assert!(desk.decisions.in_force().is_none());
    // What came meanwhile is learnt from, and runs in shadow next.
    assert!(matches!(desk.learn(), LearningStep::Published { .. }));
}

#[test]
fn a_later_decision_replaces_the_earlier_and_one_taken_back_is_none() {
    let mut desk = Desk::new();
    let [first, second] = [0.5, 400.0].map(|age| desk.rating(age));
    desk.act(first, Act::Decide(ReviewOutcome::Confirm));
    desk.act(first, Act::Appeal);
    desk.act(first, Act::Decide(ReviewOutcome::Clear));
    desk.act(second, Act::Decide(ReviewOutcome::Confirm));
    desk.act(second, Act::Undo);
    assert_eq!(desk.decisions.ratings(), 1);
    desk.decide(49, true);
    let LearningStep::Published { contents } = desk.learn() else { panic!("not published") };
    let from = Labels::from_bytes(&contents).unwrap().learnt_from;
    assert_eq!((from.ratings, from.abusive), (97 + 1, 49), "{from:?}");
}

#[test]
fn of_two_nodes_that_publish_the_first_in_the_log_stands() {
    let mut desk = Desk::new();
    desk.decide(50, true);
    let Some((entry, _)) = work(desk.decisions.next().unwrap(), Instant(7)) else { panic!("nothing") };
    let contents = Labels::default().to_bytes();
    let (version, step) = (Labels::version_of(&contents), LearningStep::Published { contents });
    let other = LearningEntry { version, step, ..entry.clone() };
    desk.push(Entry::Learning(Box::new(entry)));
    let before = bytes(&desk.decisions);
    desk.push(Entry::Learning(Box::new(other)));
    assert_eq!(bytes(&desk.decisions), before);
}

#[test]
fn contents_that_are_not_of_their_version_are_passed_over() {
    let mut desk = Desk::new();
    desk.decide(50, true);
    let Some((mut entry, _)) = work(desk.decisions.next().unwrap(), Instant(7)) else { panic!("nothing") };
    entry.version.0[0] ^= 1;
    desk.push(Entry::Learning(Box::new(entry)));
    assert!(!desk.decisions.has_shadow());
    assert!(matches!(desk.learn(), LearningStep::Published { .. }), "it is still due");
}

#[test]
fn a_snapshot_in_between_changes_nothing() {
    let mut desk = Desk::new();
    desk.decide(50, true);
    desk.learn();
    desk.decide(20, true);
    desk.decisions = postcard::from_bytes(&bytes(&desk.decisions)).unwrap();
    desk.decide(30, true);
    assert!(matches!(desk.learn(), LearningStep::InForce(_)));
    assert_eq!(bytes(&desk.replayed()), bytes(&desk.decisions));
}

#[test]
fn what_is_kept_is_bounded() {
    let mut desk = Desk::new();
    desk.decide(EXAMPLES_MAX as u32 / 2 + 5, true);
    assert_eq!(desk.decisions.ratings(), EXAMPLES_MAX);
}
