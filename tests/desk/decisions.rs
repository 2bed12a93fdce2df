//! Deciding: one person, two people, undoing.

use crate::support::{NOTICE, Setup, rating, reviewer, row};

const CLAIM: &str = "#decide .claim";

#[test]
fn a_claimed_and_decided_case_leaves_the_queue_and_downstream_reads_the_revision() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("praise", 5), rating("other", 5)]);
    browser.sign_in("zhao");
    browser.open_queue_with("praise");
    assert!(browser.text(&row("praise")).contains("好评，为测试暂缓"), "the reason in plain words");
    browser.follow(&format!("{} a.open", row("praise")));
    browser.arrives("/desk/cases/praise");
    browser.says(CLAIM, "无人领取");
    browser.claim();
    browser.says(CLAIM, "我已领取");
    desk.assert_stands("praise", "hold", 0);

    browser.decide("clear", "clear-real-case", "与办件记录相符");
    browser.says(NOTICE, "已决定 1 条");
    browser.says(CLAIM, "已办结");
    desk.assert_stands("praise", "admit", 1);
    browser.follow(".crumbs a");
    assert!(!browser.has(&row("praise")), "it has left the queue");
    assert!(browser.has(&row("other")), "the others have not");
    browser.open("/desk/queue?tab=decided");
    assert!(browser.has(&format!("{} .mark.clear", row("praise"))));
}

#[test]
fn a_bad_review_is_excluded_only_by_two_people() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao"), reviewer("qian")]).start() else { return };
    desk.hold(&[rating("bad", 1)]);
    browser.sign_in("zhao");
    browser.open_case("bad");
    browser.click("#decide input[value=confirm]");
    assert!(browser.text("#decide button.send").contains("第一人，还需另一人复核"));
    browser.decide("confirm", "confirm-blackmail", "多次索要赔偿");
    browser.says(NOTICE, "须由另一人复核");
    desk.assert_stands("bad", "hold", 0);

    // The same person again: the page offers no form, and a form kept from before is refused.
    assert!(!browser.has("#decide form.decide"), "{}", browser.text("#decide"));
    browser.says("#decide", "需由另一人复核");
    let again = browser.post("/desk/cases/bad/decide", "outcome=confirm&reason=confirm-blackmail");
    assert!(again.contains("您是第一位认定人"), "{again}");
    desk.assert_stands("bad", "hold", 0);
    browser.open("/desk/queue");
    browser.says(&row("bad"), "待第二人");
    browser.sign_out();

    browser.sign_in("qian");
    browser.open_case("bad");
    let first = browser.text("#decide .second");
    assert!(first.contains("以差评要挟") && first.contains("多次索要赔偿"), "{first}");
    let html = browser.eval("return document.documentElement.outerHTML").to_string();
    assert!(!html.contains("赵一") && !html.contains("zhao"), "who was first is not told to the second");
    browser.click("#decide input[value=confirm]");
    assert!(browser.text("#decide button.send").contains("第二人"));
    browser.decide("confirm", "confirm-blackmail", "同意");
    desk.assert_stands("bad", "reject", 1);
    let verdict = desk.server.verdicts("bad").remove(0);
    assert_eq!(verdict["handling"], "proceed", "the complaint is handled regardless");
}

#[test]
fn what_waits_for_a_second_person_is_found_under_that_name() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao"), reviewer("qian")]).start() else { return };
    desk.hold(&[rating("bad", 1), rating("other", 1)]);
    browser.sign_in("zhao");
    browser.open_case("bad");
    browser.decide("confirm", "confirm-blackmail", "");
    browser.sign_out();
    browser.sign_in("qian");
    let tab = "a[href$='tab=second']";
    browser.says(tab, "待第二人 1");
    browser.follow(tab);
    let listed = browser.texts("#rows tr");
    assert!(listed.len() == 1 && listed[0].contains("待第二人"), "{listed:?}");
}

#[test]
fn an_outcome_has_one_name_wherever_it_is_said() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    let outcomes =
        [("clear", "clear-real-case"), ("confirm", "confirm-staff"), ("mistaken", "mistaken-star")];
    desk.hold(&outcomes.map(|(outcome, _)| rating(outcome, 5)));
    browser.sign_in("zhao");
    let mut other_names = Vec::new();
    for (outcome, reason) in outcomes {
        browser.open_case(outcome);
        let choice = browser.text(&format!("#decide label:has([value={outcome}])"));
        let name = choice.split(' ').next().unwrap().to_owned();
        browser.decide(outcome, reason, "");
        let notice = browser.text(NOTICE);
        let history = browser.text(".history");
        browser.open("/desk/queue?tab=decided");
        for (place, text) in [("notice", notice), ("history", history), ("row", browser.text(&row(outcome)))]
        {
            if !text.contains(&name) {
                other_names.push(format!("{outcome} is {name} on the button, but the {place} says: {text}"));
            }
        }
    }
    assert!(other_names.is_empty(), "{}", other_names.join("\n"));
}

#[test]
fn one_person_may_clear_a_bad_review() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("bad", 2)]);
    browser.sign_in("zhao");
    browser.open_case("bad");
    browser.says(".case-head", "投诉照常办理");
    browser.decide("clear", "clear-real-grievance", "");
    browser.says(NOTICE, "已决定 1 条");
    desk.assert_stands("bad", "admit", 1);
}

#[test]
fn the_second_person_may_disagree_and_clear_it() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao"), reviewer("qian")]).start() else { return };
    desk.hold(&[rating("bad", 1)]);
    browser.sign_in("zhao");
    browser.open_case("bad");
    browser.decide("mistaken", "mistaken-star", "");
    desk.assert_stands("bad", "hold", 0);
    browser.sign_out();
    browser.sign_in("qian");
    browser.open_case("bad");
    browser.decide("clear", "clear-callback", "");
    desk.assert_stands("bad", "admit", 1);
}

#[test]
fn a_decision_needs_a_reason_that_belongs_to_it_and_other_reasons_need_words() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("praise", 5)]);
    browser.sign_in("zhao");
    browser.open_case("praise");
    for (form, why) in [
        ("outcome=clear&reason=confirm-staff", "请选择理由"),
        ("outcome=clear&reason=", "请选择理由"),
        ("outcome=clear&reason=clear-other&words=%20", "须填写说明"),
        ("reason=clear-real-case", ""),
        ("outcome=admit&reason=clear-real-case", ""),
    ] {
        let page = browser.post("/desk/cases/praise/decide", form);
        assert!(page.contains(why), "{form}: {page}");
        desk.assert_stands("praise", "hold", 0);
    }
    browser.open_case("praise");
    browser.click("#decide input[value=confirm]");
    let offered = browser.eval(
        "return [...document.querySelectorAll('#decide .decide optgroup:not([disabled]) option')].map(o => o.value)",
    );
    let offered: Vec<_> = offered.as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    assert!(!offered.is_empty() && offered.iter().all(|code| code.starts_with("confirm-")), "{offered:?}");
}

#[test]
fn a_decision_is_undone_as_a_new_entry_and_only_by_whoever_made_it() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao"), reviewer("qian")]).start() else { return };
    desk.hold(&[rating("praise", 5)]);
    browser.sign_in("zhao");
    browser.open_case("praise");
    browser.decide("confirm", "confirm-staff", "");
    desk.assert_stands("praise", "reject", 1);
    browser.sign_out();

    browser.sign_in("qian");
    browser.open_case("praise");
    assert!(!browser.has("form[action$='/undo']"), "it was somebody else's decision");
    browser.post("/desk/cases/praise/undo", "");
    desk.assert_stands("praise", "reject", 1);
    browser.sign_out();

    browser.sign_in("zhao");
    browser.open_case("praise");
    browser.follow("#decide form[action$='/undo'] button");
    browser.says(NOTICE, "已撤销");
    let verdicts = desk.server.verdicts("praise");
    let decisions: Vec<_> =
        verdicts.iter().rev().map(|verdict| verdict["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["hold", "reject", "hold"], "nothing is taken out of the log");
    browser.open_queue_with("praise");
    browser.open_case("praise");
    browser.decide("clear", "clear-real-case", "");
    desk.assert_stands("praise", "admit", 3);
}

#[test]
fn the_notice_after_a_decision_undoes_it() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("praise", 5)]);
    browser.sign_in("zhao");
    browser.open_case("praise");
    browser.decide("clear", "clear-real-case", "");
    desk.assert_stands("praise", "admit", 1);
    browser.says(NOTICE, "可撤销至");
    browser.follow(&format!("{NOTICE} form button"));
    browser.says(NOTICE, "已撤销");
    assert_eq!(desk.stands("praise").0, "hold");
    browser.open("/desk/queue");
    assert!(!browser.has(NOTICE), "a notice is said once");
}

#[test]
fn whoever_escalates_a_case_leaves_the_decision_to_somebody_else() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao"), reviewer("qian")]).start() else { return };
    desk.hold(&[rating("praise", 5)]);
    browser.sign_in("zhao");
    browser.open_case("praise");
    browser.click("#decide details[data-key='4'] summary");
    browser.choose("#decide form[action$='/escalate'] select", "escalate-unsure");
    browser.follow("#decide form[action$='/escalate'] button");
    browser.says(NOTICE, "已上报");
    assert!(!browser.has("#decide form.decide"), "{}", browser.text("#decide"));
    browser.open("/desk/queue?tab=escalated");
    browser.says(&row("praise"), "已上报");
    browser.sign_out();
    browser.sign_in("qian");
    browser.open_case("praise");
    browser.decide("clear", "clear-no-evidence", "");
    desk.assert_stands("praise", "admit", 1);
}
