//! Nobody decides about their own office.

use zhenping::access::NewAccount;

use crate::support::{DEPARTMENT, DISTRICT, Setup, rating, reviewer, row};

#[test]
fn a_reviewer_of_the_rated_department_does_not_see_the_case() {
    let own = NewAccount { department: Some(DEPARTMENT.to_owned()), ..reviewer("zhao") };
    let Some((desk, [browser])) = Setup::new([own, reviewer("qian")]).start() else { return };
    let mut elsewhere = rating("elsewhere", 1);
    elsewhere["service"]["department"] = "990108-SB".into();
    desk.hold(&[rating("bad-of-mine", 1), rating("praise-of-mine", 5), elsewhere]);
    browser.sign_in("zhao");
    browser.open_queue_with("elsewhere");
    for id in ["bad-of-mine", "praise-of-mine"] {
        assert!(!browser.has(&row(id)), "{id}");
        browser.open(&format!("/desk/queue?q={id}"));
        assert!(!browser.has(&row(id)), "a search finds {id} no more than the list");
        browser.open(&format!("/desk/cases/{id}"));
        assert!(browser.has(".page-error"), "{}", browser.text("main"));
        for (act, form) in [
            ("claim", ""),
            ("decide", "outcome=clear&reason=clear-real-case"),
            ("callback", ""),
            ("undo", ""),
        ] {
            browser.post(&format!("/desk/cases/{id}/{act}"), form);
        }
        browser.post("/desk/decide", &format!("id={id}&outcome=clear&reason=clear-real-case"));
        desk.assert_stands(id, "hold", 0);
    }
    assert_eq!(browser.open_count(), 1, "the counts of the tabs leave them out too");
    browser.sign_out();
    browser.sign_in("qian");
    browser.open_queue_with("bad-of-mine");
    assert_eq!(browser.open_count(), 3);
    browser.says(&row("bad-of-mine"), DEPARTMENT);
    assert!(!browser.text(&row("bad-of-mine")).contains("已领取"));
}

#[test]
fn a_reviewer_of_the_district_sees_a_bad_review_but_may_not_decide_it() {
    let near = NewAccount {
        department: Some("990108-SB".to_owned()),
        district: Some(DISTRICT.to_owned()),
        ..reviewer("zhao")
    };
    let Some((desk, [browser])) = Setup::new([near]).start() else { return };
    desk.hold(&[rating("bad", 1), rating("praise", 5)]);
    browser.sign_in("zhao");
    browser.open_queue_with("bad");
    browser.says(&row("bad"), "须回避");
    assert!(!browser.has(&format!("{} input[name=id]", row("bad"))));
    browser.open_case("bad");
    browser.says("#decide", "差评须由被评价部门和辖区以外的审核员处理");
    for form in ["claim", "decide", "escalate", "callback"] {
        assert!(!browser.has(&format!("#decide form[action$='/{form}']")), "{form}");
    }
    let refused = browser.post("/desk/cases/bad/decide", "outcome=clear&reason=clear-real-case");
    assert!(refused.contains("回避"), "{refused}");
    let refused = browser.post("/desk/decide", "id=bad&outcome=clear&reason=clear-real-case");
    assert!(refused.contains("回避"), "{refused}");
    desk.assert_stands("bad", "hold", 0);

    browser.open_case("praise");
    browser.decide("clear", "clear-real-case", "");
    desk.assert_stands("praise", "admit", 1);
}

#[test]
fn a_reviewer_with_a_scope_sees_nothing_outside_it() {
    let scoped = NewAccount { scope_departments: vec!["990108-SB".to_owned()], ..reviewer("zhao") };
    let Some((desk, [browser])) = Setup::new([scoped]).start() else { return };
    let mut within = rating("within", 5);
    within["service"]["department"] = "990108-SB".into();
    desk.hold(&[rating("outside", 5), within]);
    browser.sign_in("zhao");
    browser.open_queue_with("within");
    assert!(!browser.has(&row("outside")));
    let offered = browser.texts("select[name=department] option").join(" ");
    assert!(offered.contains("990108-SB") && !offered.contains(DEPARTMENT), "{offered}");
    browser.open("/desk/cases/outside");
    assert!(browser.has(".page-error"), "{}", browser.text("main"));
    browser.post("/desk/cases/outside/decide", "outcome=clear&reason=clear-real-case");
    desk.assert_stands("outside", "hold", 0);
}
