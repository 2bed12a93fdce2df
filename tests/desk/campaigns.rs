//! Many ratings that belong together, decided together.

use serde_json::{Value, json};

use crate::browser::{Browser, told};
use crate::support::{Desk, NOTICE, Setup, rating, reviewer};

const MEMBERS: usize = 300;

/// Ratings by many accounts from one phone.
fn campaign(name: &str, size: usize, stars: u8) -> Vec<Value> {
    let member = |n: usize| {
        let mut rating = rating(&format!("{name}-{n}"), stars);
        rating["device"] = json!({"fingerprint": format!("phone of {name}"), "platform": "android"});
        rating["rater"] = json!({"account": format!("{name}-{n}")});
        rating["service"]["window"] = format!("{}", n % 7).into();
        rating
    };
    (0..size).map(member).collect()
}

/// Opens the campaign's page, once the desk knows all its members.
#[track_caller]
fn open_campaign(browser: &Browser, open: usize) {
    browser.until(format_args!("a campaign of {open}"), || {
        browser.open("/desk/queue");
        let row = browser.texts(".campaigns tbody tr").into_iter().next()?;
        row.contains(&format!("{open} / {open}")).then_some(())
    });
    browser.follow(".campaigns a.open");
    browser.arrives("/desk/campaigns/");
}

/// How the server's answer to the form took, without the page that followed.
fn post_took_ms(browser: &Browser) -> f64 {
    let took = browser.eval(
        "const entry = performance.getEntriesByType('navigation')[0]; return entry.redirectEnd - entry.redirectStart",
    );
    took.as_f64().unwrap()
}

fn decided(desk: &Desk, ratings: &[Value], decision: &str) -> usize {
    ratings.iter().filter(|rating| desk.stands(rating["rating_id"].as_str().unwrap()).0 == decision).count()
}

#[test]
fn a_campaign_of_300_is_decided_in_one_form() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    let members = campaign("farm", MEMBERS, 5);
    desk.hold(&members);
    desk.hold(&[rating("bystander", 5)]);
    browser.sign_in("zhao");
    open_campaign(&browser, MEMBERS);
    let shown = browser.text("main");
    assert!(shown.contains("300") && shown.contains("设备"), "{shown}");
    assert!(browser.has("[aria-labelledby=map] svg"), "raters over targets and time");
    assert!(browser.has("[aria-labelledby=preview] table"), "what it does to the figures");

    browser.click("#pick-campaign");
    browser.click("#bulk input[value=confirm]");
    browser.choose("#bulk select[name=reason]", "confirm-group");
    browser.fill("#bulk input[name=words]", "同一手机");
    browser.follow("#bulk button.send");
    let took = post_took_ms(&browser);
    told(&format!(
        "{MEMBERS} ratings decided in one form: {took:.0} ms (a build for tests, beside a browser)"
    ));
    browser.says(NOTICE, "已决定 300 条");
    assert_eq!(decided(&desk, &members, "reject"), MEMBERS);
    desk.assert_stands("bystander", "hold", 0);
    browser.open("/desk/queue");
    assert!(!browser.has(".campaigns"), "{}", browser.text("main"));
    assert_eq!(browser.open_count(), 1);
}

#[test]
fn some_members_of_a_campaign_are_decided_and_the_others_wait() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    let members = campaign("farm", 6, 5);
    desk.hold(&members);
    browser.sign_in("zhao");
    open_campaign(&browser, 6);
    for id in ["farm-1", "farm-4"] {
        browser.click(&format!("tr[data-id={id}] input[name=id]"));
    }
    browser.click("#bulk input[value=clear]");
    browser.choose("#bulk select[name=reason]", "clear-shared-device");
    browser.follow("#bulk button.send");
    browser.says(NOTICE, "已决定 2 条");
    browser.arrives("/desk/campaigns/");
    assert_eq!((decided(&desk, &members, "admit"), decided(&desk, &members, "hold")), (2, 4));
    browser.choose("form.filter select[name=state]", "decided");
    browser.follow("form.filter button");
    assert_eq!(browser.count("#rows tr"), 2, "whoever is decided stays a member");
}

#[test]
fn bad_reviews_in_a_campaign_wait_for_a_second_person_like_any_other() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao"), reviewer("qian")]).start() else { return };
    let members: Vec<Value> = campaign("mob", 4, 1);
    desk.hold(&members);
    for (name, decision) in [("zhao", "hold"), ("qian", "reject")] {
        browser.sign_in(name);
        open_campaign(&browser, 4);
        browser.says(".case-head", "投诉照常办理");
        browser.click("#pick-campaign");
        browser.click("#bulk input[value=confirm]");
        browser.choose("#bulk select[name=reason]", "confirm-group");
        browser.follow("#bulk button.send");
        browser.says(NOTICE, "已决定 4 条");
        assert_eq!(decided(&desk, &members, decision), 4, "after {name}");
        browser.sign_out();
    }
}

#[test]
fn the_evidence_of_a_confirmed_campaign_is_exported_signed() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&campaign("farm", 5, 5));
    browser.sign_in("zhao");
    open_campaign(&browser, 5);
    assert!(!browser.has("a[download]"), "nothing is confirmed yet");
    browser.click("#pick-campaign");
    browser.click("#bulk input[value=confirm]");
    browser.choose("#bulk select[name=reason]", "confirm-group");
    browser.follow("#bulk button.send");
    let href = browser.attribute("a[download]", "href").unwrap();
    let cookie = format!("zp_session={}", browser.cookie("zp_session").unwrap());
    let bundle = desk.send("GET", &href, &[("Cookie", &cookie)], "");
    assert_eq!(bundle.status, 200, "{}", bundle.head);
    let text = bundle.text();
    assert!((0..5).all(|n| text.contains(&format!("farm-{n}"))), "{text}");
    assert!(text.contains("signature"), "{text}");
    assert!(!text.contains("phone of farm"), "pseudonyms only");
    assert_eq!(desk.send("GET", &href, &[], "").status, 303, "for nobody who is not signed in");
}
