//! Whoever is excluded is heard by somebody else.

use serde_json::json;

use crate::support::{Desk, Setup, rating, reviewer};

fn appeal(desk: &Desk, id: &str, words: &str) -> u16 {
    let verdict = desk.server.verdicts(id).remove(0);
    let reference = verdict["appeal"].as_str().expect("whoever is excluded has a reference");
    desk.server.post("/v1/appeals", json!({"reference": reference, "words": words}).to_string()).status
}

#[test]
fn an_appeal_reopens_the_case_for_somebody_else_who_sees_the_decision_and_not_who_made_it() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao"), reviewer("qian")]).start() else { return };
    desk.hold(&[rating("praise", 5)]);
    browser.sign_in("zhao");
    browser.open_case("praise");
    browser.decide("confirm", "confirm-staff", "同一设备当日评价多次");
    desk.assert_stands("praise", "reject", 1);
    assert_eq!(appeal(&desk, "praise", "本人亲自办理，电话 13800138000"), 202);
    desk.assert_stands("praise", "reject", 1);

    browser.open_until_says("praise", "[aria-labelledby=appeal]", "本人亲自办理");
    browser.says("#decide", "申诉须由未参与原认定的人员处理");
    assert!(!browser.has("#decide form.decide"));
    assert!(!browser.has("form[action$='/undo']"), "what is appealed against is not undone quietly");
    let refused = browser.post("/desk/cases/praise/decide", "outcome=confirm&reason=confirm-staff");
    assert!(refused.contains("申诉"), "{refused}");
    browser.sign_out();

    browser.sign_in("qian");
    browser.open("/desk/queue?tab=appeals");
    browser.follow("tr[data-id=praise] a.open");
    let shown = browser.text("[aria-labelledby=appeal]");
    assert!(shown.contains("原决定") && shown.contains("人工：不计入"), "{shown}");
    assert!(!browser.text("main").contains("13800138000"), "phones are masked");
    let html = browser.eval("return document.documentElement.outerHTML").to_string();
    assert!(!html.contains("赵一") && !html.contains("zhao"), "nobody tells who decided before");
    browser.decide("clear", "clear-callback", "回访属实");
    desk.assert_stands("praise", "admit", 2);
    browser.open_case("praise");
    assert!(browser.text(".history").contains("赵一"), "once decided, the history names both");
}

#[test]
fn an_appeal_against_a_bad_reviews_exclusion_is_decided_by_a_third_person() {
    let people = ["zhao", "qian", "sun"].map(reviewer);
    let Some((desk, [browser])) = Setup::new(people).start() else { return };
    desk.hold(&[rating("bad", 1)]);
    for name in ["zhao", "qian"] {
        browser.sign_in(name);
        browser.open_case("bad");
        browser.decide("confirm", "confirm-blackmail", "");
        browser.sign_out();
    }
    desk.assert_stands("bad", "reject", 1);
    assert_eq!(appeal(&desk, "bad", "反映属实"), 202);
    for name in ["zhao", "qian"] {
        browser.sign_in(name);
        browser.open_until_says("bad", "[aria-labelledby=appeal]", "反映属实");
        assert!(!browser.has("#decide form.decide"), "{name} took part in the decision");
        browser.sign_out();
    }
    browser.sign_in("sun");
    browser.open_case("bad");
    browser.decide("clear", "clear-real-grievance", "");
    desk.assert_stands("bad", "admit", 2);
}

#[test]
fn an_appeal_with_no_known_reference_is_refused() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("praise", 5)]);
    browser.sign_in("zhao");
    browser.open_case("praise");
    browser.decide("clear", "clear-real-case", "");
    desk.assert_stands("praise", "admit", 1);
    for reference in ["ZP-0000-0000-0000-0000", "", "praise"] {
        let appeal = json!({"reference": reference, "words": "?"});
        assert_eq!(desk.server.post("/v1/appeals", appeal.to_string()).status, 404, "{reference}");
    }
    browser.open("/desk/queue?tab=appeals");
    assert!(!browser.has("tr[data-id]"));
}
