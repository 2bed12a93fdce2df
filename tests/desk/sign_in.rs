//! The door: signing in and out, throttling, sessions that end.

use std::time::Duration;

use zhenping::access::{Access, SessionLimits};

use crate::support::{PASSWORD, Setup, rating, reviewer, row};

#[test]
fn whoever_signs_in_sees_the_queue_and_after_signing_out_nothing() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("waiting", 1)]);
    browser.open("/");
    browser.arrives("/desk/sign-in?next=/desk/queue");
    browser.try_sign_in("zhao", PASSWORD);
    browser.arrives("/desk/queue");
    assert!(browser.text(".who").contains("赵一"), "{}", browser.text(".who"));
    browser.open_queue_with("waiting");

    let cookie = browser.cookie("zp_session").unwrap();
    assert_eq!(browser.eval("return document.cookie"), "", "no script reads the session");
    browser.sign_out();
    assert_eq!(browser.cookie("zp_session").as_deref().unwrap_or_default(), "");
    browser.open("/desk/cases/waiting");
    browser.arrives("/desk/sign-in?next=/desk/cases/waiting");
    assert!(!browser.text("body").contains("990108"), "nothing of a case without a session");
    let kept = desk.send("GET", "/desk/queue", &[("Cookie", &format!("zp_session={cookie}"))], "");
    assert_eq!(kept.status, 303, "the session has ended, not only its cookie");

    browser.try_sign_in("zhao", PASSWORD);
    browser.arrives("/desk/cases/waiting");
}

#[test]
fn a_wrong_password_is_refused_without_saying_what_was_wrong_and_throttled_with_the_time_to_wait() {
    let Some((_desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    browser.open("/desk/sign-in");
    browser.try_sign_in("nobody", PASSWORD);
    let of_a_name = browser.text("#error");
    browser.try_sign_in("zhao", "osmanthus cakes 4");
    assert_eq!(browser.text("#error"), of_a_name);
    assert_eq!(browser.attribute("input[name=password]", "value").unwrap_or_default(), "");
    for _ in 0..3 {
        browser.try_sign_in("zhao", "osmanthus cakes 4");
    }
    browser.try_sign_in("zhao", PASSWORD);
    assert!(browser.path().starts_with("/desk/sign-in"), "five failures from here: the right one waits too");
    let said = browser.text("#error");
    assert!(said.contains("尝试次数过多") && said.contains(" 秒后再试"), "{said}");
    // It says two seconds or less; after those the right password opens.
    browser.until("the end of the wait", || {
        browser.try_sign_in("zhao", PASSWORD);
        browser.path().starts_with("/desk/queue").then_some(())
    });
}

#[test]
fn an_account_disabled_beside_the_running_server_is_led_to_the_door_and_back_once_enabled() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("waiting", 1)]);
    browser.sign_in("zhao");
    browser.open_case("waiting");
    desk.access.disable("zhao").unwrap();
    browser.until("the end of the session", || {
        browser.open("/desk/cases/waiting");
        browser.path().starts_with("/desk/sign-in").then_some(())
    });
    browser.try_sign_in("zhao", PASSWORD);
    browser.says("#error", "账号或密码不正确");
    desk.access.enable("zhao").unwrap();
    browser.open("/desk/cases/waiting");
    browser.try_sign_in("zhao", PASSWORD);
    browser.arrives("/desk/cases/waiting");
}

#[test]
fn signing_out_in_one_tab_ends_the_others_and_what_they_send_changes_nothing() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("waiting", 1)]);
    browser.sign_in("zhao");
    browser.open_case("waiting");
    let back_to_the_case = browser.other_tab();
    browser.open("/desk/queue");
    browser.sign_out();
    back_to_the_case();
    browser.claim();
    browser.arrives("/desk/sign-in");
    browser.try_sign_in("zhao", PASSWORD);
    browser.arrives("/desk/queue");
    browser.open_queue_with("waiting");
    assert!(!browser.text(&row("waiting")).contains("已领取"), "{}", browser.text(&row("waiting")));
}

#[test]
fn a_session_whose_time_is_over_leads_to_the_door_and_back_and_what_it_sends_changes_nothing() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("waiting", 1)]);
    // A session as the service starts them, whose working day is over in a moment.
    let limits = SessionLimits { absolute: Duration::from_secs(6), ..SessionLimits::default() };
    let door = Access::open(&desk.place.data()).unwrap().with_session_limits(limits);
    let (cookie, session) = door.start_session("zhao").unwrap();
    browser.session(&cookie);
    browser.until("the case", || {
        browser.open("/desk/cases/waiting");
        browser.has("#decide form").then_some(())
    });
    let form = format!("csrf={}", session.csrf());
    let headers = [
        ("Cookie", format!("zp_session={cookie}")),
        ("Content-Type", "application/x-www-form-urlencoded".into()),
    ];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    browser.until("the end of the session", || {
        let answer = desk.send("GET", "/desk/queue", &headers[..1], "");
        (answer.status == 303).then_some(())
    });
    let late = desk.send("POST", "/desk/cases/waiting/claim", &headers, &form);
    assert_eq!(late.status, 303, "{}", late.head);
    assert!(late.header("location").unwrap().starts_with("/desk/sign-in"), "{}", late.head);
    // The page of the browser is still the case, and its button leads to the door.
    browser.claim();
    browser.arrives("/desk/sign-in");
    browser.open("/desk/cases/waiting");
    browser.try_sign_in("zhao", PASSWORD);
    browser.arrives("/desk/cases/waiting");
    browser.says("#decide .claim", "无人领取");
}
