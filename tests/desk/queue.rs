//! The queue: filters, saved views, more rows, news.

use serde_json::Value;

use crate::browser::{Browser, Manner};
use crate::support::{NOTICE, Setup, rating, reviewer, row};

/// Ratings of two departments, every third one bad.
fn some(count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| {
            let mut rating = rating(&format!("r-{n:02}"), if n % 3 == 0 { 1 } else { 5 });
            if n % 2 == 0 {
                rating["service"]["department"] = "990108-SB".into();
            }
            rating
        })
        .collect()
}

fn ids(browser: &Browser) -> Vec<String> {
    let ids = browser.eval("return [...document.querySelectorAll('#rows tr')].map(row => row.dataset.id)");
    serde_json::from_value(ids).unwrap()
}

#[track_caller]
fn open_queue(browser: &Browser, open: u64) {
    browser.until(format_args!("{open} open cases"), || (browser.open_count() == open).then_some(()));
}

#[test]
fn the_queue_tells_of_changes_by_itself_and_moves_nothing_that_is_read() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("first", 5)]);
    browser.sign_in("zhao");
    browser.open_queue_with("first");
    assert_eq!(browser.text("[data-count=open]"), "1");
    desk.hold(&[rating("second", 5)]);
    browser.says("[data-count=open]", "2");
    browser.says("#changed", "点此刷新");
    assert!(!browser.has(&row("second")), "no row moves under the reader's eyes");
    browser.follow("#changed a");
    assert!(browser.has(&row("second")));
    let live: Value = browser.eval("return document.querySelector('#live').getAttribute('aria-live')");
    assert_eq!(live, "polite");
}

#[test]
fn filters_narrow_the_queue_and_are_kept_as_a_view_of_ones_own() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao"), reviewer("qian")]).start() else { return };
    desk.hold(&some(12));
    browser.sign_in("zhao");
    open_queue(&browser, 12);
    browser.choose("select[name=department]", "990108-SB");
    browser.choose("select[name=stars]", "1");
    browser.follow("[role=search] button");
    let mut found = ids(&browser);
    found.sort();
    assert_eq!(found, ["r-00", "r-06"]);
    assert_eq!(browser.eval("return document.querySelector('select[name=department]').value"), "990108-SB");

    browser.fill("form[action='/desk/views'] input[name=name]", "社保差评");
    browser.follow("form[action='/desk/views'] button");
    browser.open("/desk/queue");
    assert_eq!(ids(&browser).len(), 12);
    browser.follow(".views li a");
    let mut again = ids(&browser);
    again.sort();
    assert_eq!(again, found, "the view is the filter");
    assert_eq!(browser.attribute(".views li a", "aria-current").as_deref(), Some("page"));
    browser.sign_out();
    browser.sign_in("qian");
    assert!(!browser.has(".views li"), "others have their own");
    browser.sign_out();
    browser.sign_in("zhao");
    browser.follow(".views li button");
    assert!(!browser.has(".views li"));

    browser.fill("input[name=q]", "r-0");
    browser.follow("[role=search] button");
    assert_eq!(ids(&browser).len(), 10, "by the beginning of the id");
}

#[test]
fn rows_come_by_themselves_each_once_and_without_a_script_by_a_link() {
    for no_script in [false, true] {
        let manner = Manner { no_script, ..Manner::default() };
        let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).manner(manner).start() else { return };
        desk.hold(&some(60));
        browser.sign_in("zhao");
        open_queue(&browser, 60);
        let mut all = ids(&browser);
        if no_script {
            assert_eq!(all.len(), 50);
            browser.follow("[data-next]");
            all.extend(ids(&browser));
        } else {
            browser.eval("scrollTo(0, document.body.scrollHeight)");
            browser.until("all rows", || (browser.count("#rows tr") == 60).then_some(()));
            all = ids(&browser);
        }
        assert!(!browser.has("[data-next]"), "that was all");
        assert_eq!(all.len(), 60);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 60, "each once");
    }
}

#[test]
fn what_is_selected_is_claimed_and_released_together() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&some(5));
    browser.sign_in("zhao");
    open_queue(&browser, 5);
    assert!(!browser.shows("#bulk"), "the bar comes with the first selected row");
    browser.click("#pick-all");
    browser.says("#picked", "已选 5 条");
    browser.follow("#bulk button[formaction='/desk/claim']");
    browser.says(NOTICE, "已领取 5 条");
    browser.open("/desk/queue?tab=mine");
    assert_eq!(ids(&browser).len(), 5);
    browser.click("#pick-all");
    browser.follow("#bulk button[formaction='/desk/release']");
    browser.says(NOTICE, "已放回 5 条");
    assert!(ids(&browser).is_empty());
}
