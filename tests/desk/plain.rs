//! Without a script.

use crate::browser::Manner;
use crate::support::{NOTICE, Setup, rating, reviewer, row};

#[test]
fn claiming_deciding_and_undoing_work_without_a_script() {
    let plain = Manner { no_script: true, ..Manner::default() };
    let setup = Setup::new([reviewer("zhao")]).manner(plain);
    let Some((desk, [browser])) = setup.start() else { return };
    desk.hold(&[rating("praise", 5), rating("one", 5), rating("two", 5)]);
    browser.sign_in("zhao");
    browser.open_queue_with("praise");
    assert!(
        !browser.shows("#help"),
        "what needs a script is not offered: the help's button is shown by it alone"
    );
    browser.follow(&format!("{} a.open", row("praise")));
    browser.claim();
    browser.says("#decide .claim", "我已领取");
    browser.decide("clear", "clear-real-case", "无脚本");
    browser.says(NOTICE, "已决定 1 条");
    desk.assert_stands("praise", "admit", 1);
    browser.follow(&format!("{NOTICE} form button"));
    browser.says(NOTICE, "已撤销");
    assert_eq!(desk.stands("praise").0, "hold");

    browser.open_queue_with("two");
    for id in ["one", "two"] {
        browser.click(&format!("{} input[name=id]", row(id)));
    }
    browser.click("#bulk input[value=confirm]");
    browser.choose("#bulk select[name=reason]", "confirm-staff");
    browser.follow("#bulk button.send");
    browser.says(NOTICE, "已决定 2 条");
    for id in ["one", "two"] {
        desk.assert_stands(id, "reject", 1);
    }
}
