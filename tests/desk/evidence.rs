//! What is looked at and asked for: comments, call backs, the audit trail.

use serde_json::json;
use zhenping::access::{AccountRole, Viewed};

use crate::support::{Setup, person, rating, reviewer, row};

#[test]
fn a_call_back_gives_the_hotline_the_id_alone_and_its_outcome_comes_to_the_page() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    let mut bad = rating("to-be-called", 1);
    bad["rater"] = json!({"phone": "13800138000"});
    desk.hold(&[bad, rating("other", 1)]);
    browser.sign_in("zhao");
    browser.open_case("to-be-called");
    browser.follow("#decide form[action$='/callback'] button");
    browser.says(".callback", "已请求");
    assert!(!browser.has("form[action$='/callback']"), "once is enough");
    let asked = desk.server.get("/v1/callbacks").json();
    assert_eq!(asked["callbacks"], json!([{"rating_id": "to-be-called"}]));

    let found = json!({"reached": true, "says": "confirms", "words": "本人确认，微信 wxid_abc12345，电话13800138000"});
    assert_eq!(desk.server.post("/v1/ratings/to-be-called/evidence", found.to_string()).status, 202);
    browser.open_until_says("to-be-called", ".callback blockquote", "本人确认");
    let shown = browser.text(".callback");
    assert!(!shown.contains("13800138000"), "what callers write down is masked: {shown}");
    browser.open("/desk/queue");
    browser.says(&row("to-be-called"), "已回访");
    let unknown = desk.server.post("/v1/ratings/no-such/evidence", found.to_string());
    assert_eq!(unknown.status, 404, "{}", unknown.text());
    desk.assert_stands("to-be-called", "hold", 0);
}

#[test]
fn a_comment_is_shown_masked_and_that_it_was_looked_at_is_in_the_audit_trail() {
    let people =
        [reviewer("zhao"), person("auditor", AccountRole::Auditor), person("analyst", AccountRole::Analyst)];
    let Some((desk, [browser])) = Setup::new(people).start() else { return };
    let mut bad = rating("with-words", 1);
    bad["comment"] = "窗口的王芳女士态度差，我的电话13912345678，身份证440306199001011234，请回复。".into();
    desk.hold(&[bad]);

    // Whoever decides nothing reads no comment, and leaves no trace of having read one.
    browser.sign_in("analyst");
    browser.open_case("with-words");
    browser.says("[aria-labelledby=comment]", "只给作决定的人看");
    assert!(!browser.has("#decide form.decide"));
    browser.sign_out();
    browser.sign_in("zhao");
    browser.open_case("with-words");
    let shown = browser.text("[aria-labelledby=comment]");
    assert!(shown.contains("态度差") && shown.contains('▇'), "{shown}");
    for hidden in ["13912345678", "440306199001011234", "王芳"] {
        assert!(!browser.text("main").contains(hidden), "{hidden}: {shown}");
    }
    browser.sign_out();

    browser.sign_in_at("auditor", "/desk/audit");
    browser.choose("select[name=kind]", "view");
    browser.follow("form.filter button");
    let events = browser.texts("table.audit tbody tr");
    let views: Vec<_> = events.iter().filter(|event| event.contains("with-words")).collect();
    assert_eq!(views.len(), 1, "one view by one person: {events:?}");
    assert!(views[0].contains("赵一") && views[0].contains(Viewed::Comment.zh()), "{views:?}");
    assert!(!browser.has("table.audit a.open"), "an auditor sees who looked, not what at");
    browser.open("/desk/cases/with-words");
    assert!(browser.has(".page-error"));
}

#[test]
fn the_audit_trail_lists_every_act_with_its_reason_and_is_for_auditors_alone() {
    let people = [reviewer("zhao"), person("auditor", AccountRole::Auditor)];
    let Some((desk, [browser])) = Setup::new(people).start() else { return };
    desk.hold(&[rating("praise", 5)]);
    browser.sign_in("zhao");
    browser.open("/desk/audit");
    assert!(browser.has(".page-error"), "{}", browser.text("main"));
    browser.open_case("praise");
    browser.claim();
    browser.decide("confirm", "confirm-staff", "");
    browser.follow("#decide form[action$='/undo'] button");
    browser.sign_out();
    browser.sign_in_at("auditor", "/desk/audit");
    browser.fill("input[name=id]", "praise");
    browser.follow("form.filter button");
    let events = browser.texts("table.audit tbody tr").join("\n");
    for said in ["领取", "异常：不计入统计", "工作人员代评或诱导", "撤销"] {
        assert!(events.contains(said), "{said}: {events}");
    }
}
