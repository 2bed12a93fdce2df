use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::log::entry::Act;
use crate::wire::ReviewOutcome::{Clear, Confirm, Mistaken};

const TIMES: ReviewTimes = ReviewTimes { claim_minutes: 30, undo_minutes: 30 };

fn at(minute: i64) -> Instant {
    Instant(minute * MINUTE_MS)
}

fn held(bad: bool) -> CaseState {
    CaseState::new(bad, Decision::Hold, RatingFlags::default())
}

/// Does what the service does: asks, takes the act, and then the revision that it leads to.
fn does(case: &mut CaseState, by: &str, act: Act, minute: i64) -> Result<Effect, Refusal> {
    let effect = case.check(act, by, at(minute), TIMES)?;
    assert_eq!(case.act(act, by, "", at(minute)), Ok(effect), "what is checked is what is done");
    if let Effect::Decides(decision) = effect {
        case.decision = decision;
        case.revision += 1;
    }
    Ok(effect)
}

#[test]
fn a_bad_rating_is_excluded_only_by_two_people() {
    let mut case = held(true);
    assert_eq!(does(&mut case, "an", Act::Decide(Confirm), 0), Ok(Effect::Noted));
    assert!(case.is_open());
    assert_eq!(does(&mut case, "an", Act::Decide(Confirm), 1), Err(Refusal::NeedsAnother));
    assert_eq!(does(&mut case, "bo", Act::Decide(Confirm), 2), Ok(Effect::Decides(Decision::Reject)));
    assert!(!case.is_open());
    assert_eq!(case.outcome, Some(Confirm));
}

#[test]
fn one_person_clears_a_bad_rating_also_against_a_first_who_would_not() {
    let mut case = held(true);
    does(&mut case, "an", Act::Decide(Confirm), 0).unwrap();
    assert_eq!(does(&mut case, "bo", Act::Decide(Clear), 1), Ok(Effect::Decides(Decision::Admit)));
    assert_eq!(case.outcome, Some(Clear));
}

#[test]
fn of_two_who_exclude_a_bad_rating_the_one_who_sees_no_bad_faith_names_the_outcome() {
    for (first, second) in [(Mistaken, Confirm), (Confirm, Mistaken)] {
        let mut case = held(true);
        does(&mut case, "an", Act::Decide(first), 0).unwrap();
        assert_eq!(does(&mut case, "bo", Act::Decide(second), 1), Ok(Effect::Decides(Decision::Reject)));
        assert_eq!(case.outcome, Some(Mistaken));
    }
}

#[test]
fn no_two_people_work_on_one_case_until_the_claim_ends() {
    let mut case = held(false);
    does(&mut case, "an", Act::Claim { until: at(30) }, 0).unwrap();
    let taken = Refusal::Claimed { by: "an".into(), until: at(30) };
    for act in [Act::Claim { until: at(60) }, Act::Decide(Confirm), Act::Release, Act::Return, Act::Escalate]
    {
        assert_eq!(does(&mut case, "bo", act, 29), Err(taken.clone()), "{act:?}");
    }
    does(&mut case, "bo", Act::Claim { until: at(60) }, 30).unwrap();
    assert_eq!(case.claim_at(at(31)).unwrap().by, "bo");
}

#[test]
fn undoing_opens_the_case_again_as_it_was() {
    let mut case = held(true);
    does(&mut case, "an", Act::Decide(Confirm), 0).unwrap();
    let before = case.clone();
    does(&mut case, "bo", Act::Decide(Confirm), 1).unwrap();
    assert_eq!(does(&mut case, "an", Act::Undo, 2), Err(Refusal::NotYours { of: "bo".into() }));
    assert_eq!(does(&mut case, "bo", Act::Undo, 2), Ok(Effect::Decides(Decision::Hold)));
    assert_eq!((case.first.clone(), case.outcome, case.is_open()), (before.first, None, true));
    assert_eq!(does(&mut case, "bo", Act::Undo, 3), Err(Refusal::NothingToUndo), "once");
}

#[test]
fn the_first_of_two_can_take_it_back_while_nobody_has_agreed() {
    let mut case = held(true);
    does(&mut case, "an", Act::Decide(Confirm), 0).unwrap();
    assert_eq!(does(&mut case, "an", Act::Undo, 5), Ok(Effect::Noted));
    assert_eq!(case.first, None);
    assert_eq!(does(&mut case, "an", Act::Decide(Clear), 6), Ok(Effect::Decides(Decision::Admit)));
}

#[test]
fn a_decision_stands_once_the_time_to_undo_it_is_over() {
    let mut case = held(false);
    does(&mut case, "an", Act::Decide(Confirm), 0).unwrap();
    assert_eq!(does(&mut case, "an", Act::Undo, 30), Err(Refusal::TooLateToUndo));
    assert_eq!(does(&mut case, "an", Act::Undo, 29), Ok(Effect::Decides(Decision::Hold)));
}

#[test]
fn an_appeal_goes_to_somebody_who_had_no_part_in_the_decision() {
    let mut case = held(true);
    assert_eq!(does(&mut case, "", Act::Appeal, 0), Ok(Effect::Noted), "against a hold too");
    does(&mut case, "an", Act::Decide(Confirm), 0).unwrap();
    does(&mut case, "bo", Act::Decide(Confirm), 1).unwrap();
    does(&mut case, "", Act::Appeal, 2).unwrap();
    assert!(case.is_open());
    assert_eq!(does(&mut case, "", Act::Appeal, 3), Err(Refusal::AppealPending));
    for decider in ["an", "bo"] {
        assert_eq!(does(&mut case, decider, Act::Decide(Clear), 4), Err(Refusal::DecidedBefore));
    }
    assert_eq!(does(&mut case, "cai", Act::Decide(Clear), 5), Ok(Effect::Decides(Decision::Admit)));
    assert_eq!(does(&mut case, "", Act::Appeal, 6), Err(Refusal::NothingToAppeal));
}

#[test]
fn an_appeal_that_is_turned_down_leaves_the_decision_and_appeals_come_to_an_end() {
    let mut case = held(true);
    does(&mut case, "an", Act::Decide(Confirm), 0).unwrap();
    does(&mut case, "bo", Act::Decide(Confirm), 1).unwrap();
    for reviewer in ["cai", "du"] {
        does(&mut case, "", Act::Appeal, 2).unwrap();
        assert_eq!(does(&mut case, reviewer, Act::Decide(Confirm), 3), Ok(Effect::Noted));
        assert!(!case.is_open());
    }
    assert_eq!(does(&mut case, "", Act::Appeal, 4), Err(Refusal::AppealsUsedUp));
}

#[test]
fn whoever_hands_a_case_on_does_not_decide_it() {
    let mut case = held(false);
    does(&mut case, "an", Act::Escalate, 0).unwrap();
    assert_eq!(does(&mut case, "an", Act::Decide(Clear), 1), Err(Refusal::Escalated));
    assert_eq!(does(&mut case, "bo", Act::Decide(Clear), 1), Ok(Effect::Decides(Decision::Admit)));
}

#[test]
fn an_admitted_rating_that_was_flagged_is_a_case_and_a_plain_one_is_none() {
    let mut case = CaseState::new(true, Decision::Admit, RatingFlags::CONTROL);
    assert!(case.is_open());
    assert_eq!(does(&mut case, "an", Act::Decide(Clear), 0), Ok(Effect::Noted), "it counts as before");
    assert!(case.is_decided_by_person() && !case.is_open());
    let mut plain = CaseState::new(true, Decision::Admit, RatingFlags::default());
    assert_eq!(does(&mut plain, "an", Act::Decide(Confirm), 0), Err(Refusal::NotOpen));
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..200_i64).prop_map(|minute| Act::Claim { until: at(minute) }),
        prop::sample::select(ReviewOutcome::ALL).prop_map(Act::Decide),
        prop::sample::select(
            &[
                Act::Release,
                Act::Escalate,
                Act::Return,
                Act::Extend,
                Act::Undo,
                Act::AskCallback,
                Act::Appeal
            ][..]
        ),
    ]
}

proptest! {
    /// Whatever people do in whatever order: a bad rating is excluded only after two of them said so.
    #[test]
    fn no_order_of_acts_lets_one_person_exclude_a_bad_rating(
        acts in prop::collection::vec((any_act(), 0..4_usize, 0..40_i64), 0..40),
    ) {
        let names = ["an", "bo", "cai", "du"];
        let mut case = held(true);
        let mut minute = 0;
        // Who decided, in turn, and whether that was to exclude it.
        let mut decided: Vec<(&str, bool)> = Vec::new();
        for (act, who, passed) in acts {
            minute += passed;
            let decision = case.decision;
            let effect = does(&mut case, names[who], act, minute);
            match (act, &effect) {
                (Act::Decide(outcome), Ok(_)) => decided.push((names[who], outcome != Clear)),
                (Act::Undo, Ok(_)) => drop(decided.pop()),
                _ => {}
            }
            if effect == Ok(Effect::Decides(Decision::Reject)) && decision != Decision::Reject {
                let against: HashSet<&str> =
                    decided.iter().filter(|(_, against)| *against).map(|(who, _)| *who).collect();
                prop_assert!(against.len() >= 2, "{against:?}");
            }
        }
    }
}
