//! The promises of the policy, whatever the evidence says.

use proptest::prelude::*;
use zhenping::features::case::Contest;
use zhenping::policy::{
    AxisEvidence, Correction, Decided, Evidence, Facts, FamilyWeight, Hard, Learned, Thresholds,
    WEAK_FAMILIES, decide, text,
};
use zhenping::verdict::Contribution;
use zhenping::wire::{Decision, Origin, ReasonSource, Suspicion};

const CONTESTS: [Contest; 7] = [
    Contest::None,
    Contest::Revision,
    Contest::RepeatSame,
    Contest::RepeatChanged,
    Contest::OtherRater,
    Contest::StandsOverOther,
    Contest::YieldsToApplicant,
];

const FAMILIES: &[&str] =
    &["concentration", "device", "frequency", "network", "text", "case", "staff", "automation"];

fn plain() -> Facts {
    Facts {
        bad: false,
        origin: Origin::Active,
        matched_applicant: false,
        applicant: None,
        contest: Contest::None,
        same_stars: false,
    }
}

fn evidence(suspicion: Suspicion, families: &[(&str, f32)]) -> Evidence {
    let mut evidence = Evidence::default();
    let axis = &mut evidence.axes[suspicion as usize];
    for &(family, weight) in families {
        axis.families.push(FamilyWeight { family: family.into(), weight });
        let code = format!("rule-{family}").into();
        axis.reasons.push(Contribution { code, source: ReasonSource::Rule, weight });
    }
    evidence
}

fn hard(decision: Decision, suspicion: Suspicion, family: &str) -> Hard {
    Hard { decision, code: "hard-rule".into(), suspicion: Some(suspicion), family: family.into() }
}

fn decided(evidence: &Evidence, facts: &Facts) -> Decided {
    decide(evidence, facts, &Thresholds::default())
}

fn codes(decided: &Decided) -> Vec<&str> {
    decided.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

#[test]
fn an_ordinary_rating_is_admitted_without_a_word() {
    let outcome = decided(&Evidence::default(), &plain());
    assert_eq!((outcome.decision, outcome.suspicion), (Decision::Admit, None));
    assert!(outcome.risk < 0.01 && outcome.reasons.is_empty() && !outcome.second_look && !outcome.proceed);
}

#[test]
fn the_largest_axis_gives_risk_suspicion_and_reasons() {
    let mut both = evidence(Suspicion::PaddedPraise, &[("device", 5.0), ("frequency", 3.5)]);
    both.axes[Suspicion::Automation as usize] =
        evidence(Suspicion::Automation, &[("automation", 3.0)]).axes[2].clone();
    let outcome = decided(&both, &plain());
    assert_eq!(outcome.decision, Decision::Hold);
    assert_eq!(outcome.suspicion, Some(Suspicion::PaddedPraise));
    assert_eq!(codes(&outcome), ["rule-device", "rule-frequency"]);
    assert!((outcome.risk - 0.924_142).abs() < 1e-5, "sigmoid of −6 + 5 + 3.5");
}

#[test]
fn weights_alone_never_reject_even_praise() {
    let outcome = decided(&evidence(Suspicion::PaddedPraise, &[("device", 99.0)]), &plain());
    assert_eq!(outcome.decision, Decision::Hold);
}

#[test]
fn a_bad_rating_takes_more_evidence_to_hold_than_praise() {
    let some = evidence(Suspicion::MaliciousReview, &[("case", 6.4)]);
    assert_eq!(decided(&some, &plain()).decision, Decision::Hold);
    let outcome = decided(&some, &Facts { bad: true, ..plain() });
    assert_eq!(outcome.decision, Decision::Admit);
    assert!(outcome.second_look && outcome.proceed);
    assert_eq!(outcome.suspicion, Some(Suspicion::MaliciousReview), "a second look says what to look for");
}

#[test]
fn a_rule_that_rejects_a_bad_rating_only_holds_it() {
    let mut evidence = Evidence::default();
    evidence.hard.push(hard(Decision::Reject, Suspicion::MaliciousReview, "case"));
    let outcome = decided(&evidence, &Facts { bad: true, ..plain() });
    assert_eq!(outcome.decision, Decision::Hold);
    assert_eq!(codes(&outcome), ["bad-never-rejected", "hard-rule"]);
    assert_eq!(
        decided(&evidence, &plain()).decision,
        Decision::Reject,
        "praise may be rejected by a hard rule"
    );
}

#[test]
fn a_matched_applicants_bad_rating_is_not_held_for_frequency_device_or_wording() {
    let applicant = Facts { bad: true, matched_applicant: true, applicant: Some(true), ..plain() };
    let mut weak =
        evidence(Suspicion::MaliciousReview, &[("frequency", 9.0), ("device", 9.0), ("text", 9.0)]);
    weak.hard.push(hard(Decision::Hold, Suspicion::MaliciousReview, "device"));
    let outcome = decided(&weak, &applicant);
    assert_eq!(outcome.decision, Decision::Admit);
    assert!(outcome.second_look && codes(&outcome).contains(&"applicant-protected"));

    weak.axes[1].families.push(FamilyWeight { family: "staff".into(), weight: 7.0 });
    assert_eq!(decided(&weak, &applicant).decision, Decision::Hold, "staff is evidence of its own");
    assert_eq!(decided(&weak, &Facts { matched_applicant: false, ..applicant }).decision, Decision::Hold);
}

#[test]
fn what_speaks_for_a_protected_applicant_is_not_taken_out() {
    let applicant = Facts { bad: true, matched_applicant: true, applicant: Some(true), ..plain() };
    let mixed = evidence(Suspicion::MaliciousReview, &[("frequency", 9.0), ("device", -3.0), ("case", 8.0)]);
    assert_eq!(decided(&mixed, &applicant).decision, Decision::Admit, "−6 + 8 − 3 is below the bar");
}

#[test]
fn an_allow_entry_stops_the_weights_and_is_no_licence_for_automation() {
    let mut praise = evidence(Suspicion::PaddedPraise, &[("device", 9.0)]);
    praise.hard.push(hard(Decision::Admit, Suspicion::PaddedPraise, "device"));
    let outcome = decided(&praise, &plain());
    assert_eq!((outcome.decision, outcome.second_look), (Decision::Admit, false));
    praise.axes[Suspicion::Automation as usize]
        .families
        .push(FamilyWeight { family: "automation".into(), weight: 9.0 });
    let outcome = decided(&praise, &plain());
    assert_eq!((outcome.decision, outcome.suspicion), (Decision::Hold, Some(Suspicion::Automation)));
}

#[test]
fn a_default_rating_is_kept_apart_and_never_taken_for_praise() {
    let default = Facts { origin: Origin::Default, contest: Contest::OtherRater, ..plain() };
    let mut praise = evidence(Suspicion::PaddedPraise, &[("frequency", 20.0)]);
    praise.hard.push(hard(Decision::Hold, Suspicion::PaddedPraise, "frequency"));
    let outcome = decided(&praise, &default);
    assert_eq!(outcome.decision, Decision::Admit);
    assert_eq!(outcome.hold_earlier, None, "and it contests nobody");
    assert!(codes(&outcome).contains(&"default-apart"));
    let robot = evidence(Suspicion::Automation, &[("automation", 20.0)]);
    assert_eq!(decided(&robot, &default).decision, Decision::Hold);
}

#[test]
fn contests_end_as_the_design_says() {
    use Contest as C;
    use Decision::{Admit, Hold, Reject};
    let bad = Facts { bad: true, ..plain() };
    let applicant = |facts: Facts| Facts { applicant: Some(true), matched_applicant: true, ..facts };
    let same = |facts: Facts| Facts { same_stars: true, ..facts };
    // facts, contest, this rating, code of the earlier rating's hold
    let table: &[(&str, Facts, Contest, Decision, Option<&str>)] = &[
        ("a revision by the same rater stands", plain(), C::Revision, Admit, None),
        ("the same praise twice is a duplicate", plain(), C::RepeatSame, Reject, None),
        ("the same complaint twice is never rejected", bad, C::RepeatSame, Hold, None),
        ("an applicant who complains twice is not held", applicant(bad), C::RepeatSame, Admit, None),
        ("one person may think again", plain(), C::RepeatChanged, Admit, None),
        ("and complain after praise", applicant(bad), C::RepeatChanged, Admit, None),
        ("two strangers who differ both wait", bad, C::OtherRater, Hold, Some("case-contested")),
        ("two strangers who agree count once", same(plain()), C::OtherRater, Admit, None),
        (
            "the applicant stands over a clerk's quick five",
            applicant(bad),
            C::StandsOverOther,
            Admit,
            Some("case-yields"),
        ),
        ("another yields to the applicant", plain(), C::YieldsToApplicant, Hold, None),
    ];
    for &(promise, facts, contest, this, earlier) in table {
        let outcome = decided(&Evidence::default(), &Facts { contest, ..facts });
        assert_eq!((outcome.decision, outcome.hold_earlier), (this, earlier), "{promise}");
        let named = outcome.decision != Admit;
        assert_eq!(outcome.suspicion, named.then_some(Suspicion::Duplicate), "{promise}");
    }
}

#[test]
fn beyond_the_budget_a_hold_is_admitted_and_flagged() {
    let mut outcome =
        decided(&evidence(Suspicion::MaliciousReview, &[("case", 9.0)]), &Facts { bad: true, ..plain() });
    assert_eq!(outcome.decision, Decision::Hold);
    outcome.admit_over_budget();
    assert_eq!(outcome.decision, Decision::Admit);
    assert!(outcome.over_budget && outcome.second_look && codes(&outcome).contains(&"hold-budget"));
}

prop_compose! {
    fn any_axis()(
        intercept in -9.0f32..3.0,
        families in proptest::collection::vec((0..FAMILIES.len(), -4.0f32..9.0), 0..5),
    ) -> AxisEvidence {
        let named = families.iter().map(|&(f, weight)| (FAMILIES[f], weight));
        let families = named.clone().map(|(family, weight)| FamilyWeight { family: family.into(), weight }).collect();
        let reason = |(family, weight): (&str, f32)| Contribution {
            code: format!("rule-{family}").into(), source: ReasonSource::Rule, weight,
        };
        AxisEvidence { intercept, families, reasons: named.map(reason).collect() }
    }
}

prop_compose! {
    fn any_evidence()(
        axes in proptest::array::uniform4(any_axis()),
        hard in proptest::collection::vec((0u8..3, 0u8..4, 0..FAMILIES.len()), 0..3),
    ) -> Evidence {
        let hard = hard.iter().map(|&(decision, suspicion, family)| Hard {
            decision: Decision::from_index(decision).unwrap(),
            code: "hard".into(),
            suspicion: Suspicion::from_index(suspicion),
            family: FAMILIES[family].into(),
        });
        Evidence { axes, hard: hard.collect(), learned: None, correction: None }
    }
}

prop_compose! {
    fn any_facts()(
        bad: bool, default: bool, matched: bool, applicant: Option<bool>, contest in 0usize..7, same_stars: bool,
    ) -> Facts {
        Facts {
            bad,
            origin: if default { Origin::Default } else { Origin::Active },
            matched_applicant: matched,
            applicant: if matched { Some(true) } else { applicant },
            contest: CONTESTS[contest],
            same_stars,
        }
    }
}

proptest! {
    #[test]
    fn no_path_rejects_a_bad_rating_or_stops_its_handling(evidence in any_evidence(), facts in any_facts()) {
        let outcome = decided(&evidence, &facts);
        prop_assert_eq!(outcome.proceed, facts.bad);
        prop_assert!(!(facts.bad && outcome.decision == Decision::Reject));
    }

    #[test]
    fn only_a_hard_rule_or_the_same_raters_repeat_rejects(evidence in any_evidence(), facts in any_facts()) {
        let outcome = decided(&evidence, &facts);
        if outcome.decision == Decision::Reject {
            let rule = evidence.hard.iter().any(|hard| hard.decision == Decision::Reject);
            prop_assert!(rule || facts.contest == Contest::RepeatSame);
        }
    }

    #[test]
    fn no_weak_evidence_holds_a_matched_applicants_complaint(mut evidence in any_evidence(), facts in any_facts()) {
        for axis in &mut evidence.axes {
            axis.intercept = -6.0;
            axis.families.retain(|family| WEAK_FAMILIES.contains(&family.family.as_str()));
        }
        evidence.hard.retain(|hard| WEAK_FAMILIES.contains(&hard.family.as_str()));
        let facts = Facts { bad: true, matched_applicant: true, applicant: Some(true), ..facts };
        let outcome = decided(&evidence, &facts);
        let contested = outcome.reasons.iter().any(|reason| reason.code == "case-contested" || reason.code == "case-yields");
        prop_assert!(outcome.decision == Decision::Admit || contested);
    }

    #[test]
    fn every_decision_names_its_suspicion_and_every_policy_reason_has_a_sentence(
        evidence in any_evidence(), facts in any_facts(),
    ) {
        let outcome = decided(&evidence, &facts);
        prop_assert!(outcome.risk >= 0.0 && outcome.risk <= 1.0);
        prop_assert_eq!(outcome.suspicion.is_some(), outcome.decision != Decision::Admit || outcome.second_look);
        prop_assert!(outcome.reasons.is_sorted_by(|a, b| a.weight.abs() >= b.weight.abs()), "strongest first");
        for reason in outcome.reasons.iter().filter(|reason| reason.source == ReasonSource::Policy) {
            prop_assert!(text(&reason.code).is_some(), "{}", reason.code);
        }
    }

    #[test]
    fn more_evidence_never_makes_a_decision_milder(evidence in any_evidence(), facts in any_facts(), extra in 0.0f32..9.0) {
        let mut more = evidence.clone();
        more.axes[1].families.push(FamilyWeight { family: "case".into(), weight: extra });
        let severity = |outcome: &Decided| outcome.decision as u8;
        prop_assert!(severity(&decided(&more, &facts)) >= severity(&decided(&evidence, &facts)));
    }
}

prop_compose! {
    fn any_learned()(
        scale in 0.0f64..2.0, base in -9.0f64..3.0, strong in -6.0f64..6.0, weak in -6.0f64..9.0,
        group in -6.0f64..9.0, hold in 0.05f32..1.0,
    ) -> Learned {
        Learned { scale, base, strong, weak, group, reasons: Vec::new(), hold, second_look: hold / 2.0 }
    }
}

proptest! {
    #[test]
    fn no_model_rejects_a_bad_rating_or_takes_a_default_one_for_praise(
        evidence in any_evidence(), learned in any_learned(), facts in any_facts(),
    ) {
        let with_model = Evidence { learned: Some(learned), hard: Vec::new(), ..evidence };
        let decided = decide(&with_model, &facts, &Thresholds::default());
        prop_assert!(!(facts.bad && decided.decision == Decision::Reject));
        prop_assert_eq!(decided.proceed, facts.bad);
    }

    #[test]
    fn what_others_share_with_a_matched_applicant_never_holds_the_bad_rating(
        evidence in any_evidence(), learned in any_learned(), facts in any_facts(), more in 0.0f64..20.0,
    ) {
        let facts = Facts {
            bad: true,
            matched_applicant: true,
            origin: Origin::Active,
            contest: Contest::default(),
            ..facts
        };
        // However much the weak features and the ratings around it add, no more is held than without them.
        let judged = |weak: f64, group: f64| {
            let learned = Learned { weak, group, ..learned.clone() };
            let evidence = Evidence { learned: Some(learned), hard: Vec::new(), ..evidence.clone() };
            decide(&evidence, &facts, &Thresholds::default()).decision
        };
        if judged(0.0, 0.0) == Decision::Admit {
            prop_assert_eq!(judged(more, more), Decision::Admit);
        }
    }

    #[test]
    fn what_reviewers_found_elsewhere_never_holds_a_matched_applicants_bad_rating(
        evidence in any_evidence(), learned in proptest::option::of(any_learned()), facts in any_facts(),
        term in 0.0f64..=2.0,
    ) {
        let facts = Facts {
            bad: true,
            matched_applicant: true,
            origin: Origin::Active,
            contest: Contest::default(),
            ..facts
        };
        let evidence = Evidence { learned, ..evidence };
        if decided(&evidence, &facts).decision == Decision::Admit {
            prop_assert_eq!(decided(&corrected(&evidence, term), &facts).decision, Decision::Admit);
        }
    }

    #[test]
    fn what_was_learnt_from_reviewers_rejects_nothing_and_moves_the_risk_within_its_bound(
        evidence in any_evidence(), learned in proptest::option::of(any_learned()), facts in any_facts(),
        term in -2.0f64..=2.0,
    ) {
        let evidence = Evidence { learned, ..evidence };
        let (before, after) = (decided(&evidence, &facts), decided(&corrected(&evidence, term), &facts));
        if before.decision != Decision::Reject {
            prop_assert_ne!(after.decision, Decision::Reject);
        }
        let logit = |risk: f32| (f64::from(risk) / (1.0 - f64::from(risk))).ln();
        let risks = [before.risk, after.risk];
        // Beyond, an f32 is too coarse to tell log-odds.
        if risks.iter().all(|risk| (1e-4..0.999).contains(risk)) && facts.origin == Origin::Active {
            let moved = logit(after.risk) - logit(before.risk);
            prop_assert!(moved.abs() <= term.abs() + 0.01, "{} by {}", moved, term);
        }
    }
}

fn corrected(evidence: &Evidence, term: f64) -> Evidence {
    Evidence { correction: Some(Correction { term, reasons: Vec::new() }), ..evidence.clone() }
}

#[test]
fn what_was_learnt_from_reviewers_is_a_reason_where_it_counts() {
    let mut evidence = evidence(Suspicion::PaddedPraise, &[("rater", 5.5)]);
    assert_eq!(decided(&evidence, &plain()).decision, Decision::Admit);
    let reason = Contribution { code: "labels.reviewers".into(), source: ReasonSource::Model, weight: 1.5 };
    evidence.correction = Some(Correction { term: 1.5, reasons: vec![reason] });
    let outcome = decided(&evidence, &plain());
    assert_eq!(outcome.decision, Decision::Hold);
    assert_eq!(codes(&outcome), ["rule-rater", "labels.reviewers"]);
    assert!((f64::from(outcome.risk) - 1.0 / (1.0 + (-1.0_f64).exp())).abs() < 1e-6, "{}", outcome.risk);
}
