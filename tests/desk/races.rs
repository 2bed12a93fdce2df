//! No two people on one case.

use std::sync::Barrier;

use crate::browser::Browser;
use crate::support::{NOTICE, Setup, rating, reviewer, row};

/// Both do it at the same moment.
fn at_once(both: [&Browser; 2], act: impl Fn(&Browser) + Sync) {
    let ready = Barrier::new(2);
    std::thread::scope(|scope| {
        for browser in both {
            let (ready, act) = (&ready, &act);
            scope.spawn(move || {
                ready.wait();
                act(browser);
            });
        }
    });
}

#[test]
fn of_two_people_who_claim_a_case_at_once_one_gets_it_and_the_other_reads_who() {
    let Some((desk, [one, other])) = Setup::new([reviewer("zhao"), reviewer("qian")]).start() else { return };
    desk.hold(&[rating("wanted", 5)]);
    one.sign_in("zhao");
    other.sign_in("qian");
    one.open_case("wanted");
    other.open_case("wanted");
    at_once([&one, &other], Browser::claim);
    let mine = [&one, &other].map(|browser| browser.text("#decide .claim").contains("我已领取"));
    assert_eq!(mine.iter().filter(|&&mine| mine).count(), 1, "exactly one has it");
    let (winner, loser, name) = if mine[0] { (&one, &other, "赵一") } else { (&other, &one, "钱二") };
    let told = loser.text("main");
    assert!(told.contains(&format!("{name} 已领取")), "{told}");
    assert!(loser.text(NOTICE).contains(name), "the refusal names the person as the page does: {told}");
    assert!(!loser.has("#decide form.decide"), "{told}");
    let refused = loser.post("/desk/cases/wanted/decide", "outcome=clear&reason=clear-real-case");
    desk.assert_stands("wanted", "hold", 0);
    assert!(refused.contains("正由"), "{refused}");
    loser.open_queue_with("wanted");
    assert!(loser.text(&row("wanted")).contains(&format!("{name} 已领取")));
    assert!(!loser.has(&format!("{} input[name=id]", row("wanted"))), "it cannot be selected either");

    winner.decide("clear", "clear-real-case", "");
    desk.assert_stands("wanted", "admit", 1);
}

#[test]
fn of_two_decisions_sent_at_once_one_counts_and_the_other_is_told() {
    let Some((desk, [one, other])) = Setup::new([reviewer("zhao"), reviewer("qian")]).start() else { return };
    desk.hold(&[rating("wanted", 5)]);
    for (browser, name, outcome, reason) in
        [(&one, "zhao", "clear", "clear-real-case"), (&other, "qian", "confirm", "confirm-staff")]
    {
        browser.sign_in(name);
        browser.open_case("wanted");
        browser.click(&format!("#decide input[value={outcome}]"));
        browser.choose("#decide .decide select[name=reason]", reason);
    }
    at_once([&one, &other], |browser| browser.follow("#decide .decide button.send"));
    let (decision, revision, _) = desk.stands("wanted");
    assert_eq!(revision, 1, "one decision, one revision");
    let notices = [&one, &other].map(|browser| browser.text(NOTICE));
    let (told, winner) =
        if decision == "admit" { (&notices[1], &notices[0]) } else { (&notices[0], &notices[1]) };
    assert!(winner.contains("已决定 1 条"), "{notices:?}");
    assert!(told.contains("已办结"), "{notices:?}");
}

#[test]
fn a_released_case_is_free_for_others_and_a_returned_one_too() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao"), reviewer("qian")]).start() else { return };
    desk.hold(&[rating("released", 5), rating("returned", 5)]);
    browser.sign_in("zhao");
    for id in ["released", "returned"] {
        browser.open_case(id);
        browser.claim();
    }
    browser.click("#decide details[data-key='5'] summary");
    browser.choose("#decide form[action$='/return'] select", "return-material");
    browser.follow("#decide form[action$='/return'] button");
    browser.open_case("released");
    browser.follow("#decide form[action$='/release'] button");
    browser.sign_out();
    browser.sign_in("qian");
    for id in ["released", "returned"] {
        browser.open_case(id);
        browser.claim();
        browser.says("#decide .claim", "我已领取");
    }
}
