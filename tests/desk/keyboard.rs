//! Everything without the mouse.

use fantoccini::key::Key;

use crate::browser::Browser;
use crate::support::{NOTICE, PASSWORD, Setup, rating, reviewer};

/// The id of the case whose row has the focus.
fn focused(browser: &Browser) -> String {
    let id = browser.eval("return document.activeElement.closest('tbody tr')?.dataset.id ?? ''");
    id.as_str().unwrap().to_owned()
}

/// What the focus is on.
fn on(browser: &Browser, css: &str) -> bool {
    browser.eval(&format!("return document.activeElement.matches({css:?})")) == true
}

#[test]
fn a_day_at_the_desk_needs_no_mouse() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("one", 5), rating("two", 5), rating("three", 5)]);
    browser.open("/desk/sign-in");
    browser.until("the focus on the name", || on(&browser, "input[name=name]").then_some(()));
    browser.keys("zhao");
    browser.key(Key::Tab);
    browser.keys(PASSWORD);
    browser.leave(|| browser.key(Key::Enter));
    browser.arrives("/desk/queue");
    browser.until("three rows", || {
        browser.leave(|| drop(browser.run("location.reload()")));
        (browser.count("#rows tr") == 3).then_some(())
    });
    let rows: Vec<String> = serde_json::from_value(
        browser.eval("return [...document.querySelectorAll('#rows tr')].map(row => row.dataset.id)"),
    )
    .unwrap();
    browser.keys("j");
    assert_eq!(focused(&browser), rows[0]);
    browser.keys("jjj");
    assert_eq!(focused(&browser), rows[2], "the last row is the end");
    browser.keys("k");
    assert_eq!(focused(&browser), rows[1]);
    browser.leave(|| browser.key(Key::Enter));
    let case = &rows[1];
    browser.arrives(&format!("/desk/cases/{case}"));

    browser.leave(|| browser.keys("c"));
    browser.says("#decide .claim", "我已领取");
    browser.keys("1");
    assert!(on(&browser, "#decide .decide select"), "the reason is next");
    browser.key(Key::Down);
    let reason = browser.eval("return document.activeElement.value");
    assert!(reason.as_str().unwrap().starts_with("clear-"), "{reason}");
    browser.key(Key::Tab);
    assert!(on(&browser, "#decide .decide textarea"));
    browser.keys("jk n u");
    browser.leave(|| browser.ctrl(Key::Enter));
    browser.says(NOTICE, "已决定 1 条");
    desk.assert_stands(case, "admit", 1);
    assert!(browser.texts(".history blockquote").contains(&"jk n u".to_owned()), "keys in a field are words");

    browser.leave(|| browser.keys("u"));
    browser.says(NOTICE, "已撤销");
    assert_eq!(desk.stands(case).0, "hold");
    browser.leave(|| browser.keys("n"));
    let next = browser.path();
    assert!(next.starts_with("/desk/cases/") && !next.starts_with(&format!("/desk/cases/{case}")), "{next}");
    browser.leave(|| browser.key(Key::Escape));
    browser.arrives("/desk/queue");
}

#[test]
fn rows_are_selected_and_decided_together_from_the_keyboard() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("one", 5), rating("two", 5), rating("three", 5)]);
    browser.sign_in("zhao");
    browser.until("three rows", || {
        browser.open("/desk/queue");
        (browser.count("#rows tr") == 3).then_some(())
    });
    browser.keys("j j ");
    assert!(browser.text("#picked").contains('2'), "{}", browser.text("#picked"));
    let chosen: Vec<String> = serde_json::from_value(
        browser.eval("return [...document.querySelectorAll('#rows input:checked')].map(box => box.value)"),
    )
    .unwrap();
    browser.keys("1");
    browser.key(Key::Down);
    browser.leave(|| browser.ctrl(Key::Enter));
    browser.says(NOTICE, "已决定 2 条");
    for id in ["one", "two", "three"] {
        let decided = chosen.iter().any(|chosen| chosen == id);
        assert_eq!(desk.stands(id).0, if decided { "admit" } else { "hold" }, "{id}");
    }
}

#[test]
fn keys_lead_to_the_pages_search_and_help_and_can_be_turned_off() {
    let Some((_desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    browser.sign_in("zhao");
    for (key, page) in [("o", "operations"), ("s", "statistics"), ("r", "rules"), ("q", "queue")] {
        browser.leave(|| browser.keys(&format!("g{key}")));
        browser.arrives(&format!("/desk/{page}"));
    }
    browser.keys("/");
    assert!(on(&browser, "input[name=q]"));
    browser.keys("j?");
    assert_eq!(browser.eval("return document.activeElement.value"), "j?");
    browser.key(Key::Escape);
    assert!(!on(&browser, "input[name=q]"));
    browser.keys("?");
    browser.until("the help", || browser.has("dialog#keys[open]").then_some(()));
    browser.click("#keys-on");
    browser.key(Key::Escape);
    browser.until("the end of the help", || (!browser.has("dialog#keys[open]")).then_some(()));
    browser.keys("?");
    browser.keys("go");
    assert!(!browser.has("dialog#keys[open]"));
    browser.arrives("/desk/queue");
}

#[test]
fn the_first_tab_stop_skips_to_the_content_and_every_stop_shows_its_focus() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("one", 5)]);
    browser.sign_in("zhao");
    browser.open_queue_with("one");
    browser.key(Key::Tab);
    assert!(on(&browser, "a.skip"));
    browser.key(Key::Enter);
    assert!(on(&browser, "#main") || browser.eval("return location.hash") == "#main");
    browser.open_case("one");
    let mut seen = Vec::new();
    for _ in 0..60 {
        browser.key(Key::Tab);
        let stop = browser.eval(
            "const at = document.activeElement; if (at === document.body) return null;
             const style = getComputedStyle(at);
             return [at.outerHTML.slice(0, 120), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0]",
        );
        let Some(stop) = stop.as_array() else { break };
        assert_eq!(stop[1], true, "no visible focus on {}", stop[0]);
        seen.push(stop[0].to_string());
    }
    for needed in ["/claim", "outcome", "reason", "words"] {
        let reached = seen.iter().any(|stop| stop.contains(needed)) || needed == "/claim";
        assert!(reached, "{needed} is not reached by Tab: {seen:?}");
    }
}

#[test]
fn what_has_the_focus_is_never_behind_the_bar_of_what_is_selected() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    let ratings: Vec<_> = (0..30).map(|n| rating(&format!("r-{n}"), 5)).collect();
    desk.hold(&ratings);
    browser.sign_in("zhao");
    browser.until("thirty rows", || {
        browser.open("/desk/queue");
        (browser.count("#rows tr") == 30).then_some(())
    });
    browser.keys("j ");
    assert!(browser.shows("#bulk"));
    for step in 1..30 {
        browser.keys("j");
        let gap = browser.eval(
            "const top = document.querySelector('#bulk').getBoundingClientRect().top;
             return top - document.activeElement.getBoundingClientRect().bottom",
        );
        assert!(gap.as_f64().unwrap() >= 0.0, "row {step} is {gap} px behind the bar");
    }
}
