//! Chinese and English, a click apart.

use zhenping::access::AccountRole;

use crate::browser::Browser;
use crate::support::{NOTICE, PASSWORD, Setup, person, rating, reviewer};

const SWITCH: &str = "form[action='/desk/language'] button";

fn language(browser: &Browser) -> String {
    browser.attribute("html", "lang").unwrap()
}

#[test]
fn the_language_switches_both_ways_and_stays_on_the_page() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("bad", 1)]);
    browser.open("/desk/sign-in?next=/desk/queue%3Ftab%3Dbad%26sort%3Dage");
    assert_eq!(language(&browser), "zh-CN", "Chinese first");
    browser.follow(SWITCH);
    assert_eq!(language(&browser), "en");
    browser.try_sign_in("zhao", "a wrong password");
    assert_eq!(browser.text("#error"), "The name or the password is wrong.");
    browser.try_sign_in("zhao", PASSWORD);
    browser.arrives("/desk/queue?tab=bad&sort=age");
    browser.says("main", "Bad reviews");
    browser.follow(SWITCH);
    assert_eq!(
        (browser.path().as_str(), language(&browser).as_str()),
        ("/desk/queue?tab=bad&sort=age", "zh-CN")
    );
    browser.says("main", "差评");
    browser.open_case("bad");
    browser.follow("form[action='/desk/language'] button");
    assert_eq!((browser.path().as_str(), language(&browser).as_str()), ("/desk/cases/bad", "en"));
    browser.decide("clear", "clear-real-grievance", "");
    browser.says(NOTICE, "1 decided");
}

#[test]
fn an_english_page_has_no_chinese_left_and_a_chinese_one_says_all_its_words_in_chinese() {
    let people = [person("boss", AccountRole::Admin), person("doer", AccountRole::Reviewer)];
    let Some((desk, [browser])) = Setup::new(people).start() else { return };
    desk.hold(&[rating("bad", 1), rating("praise", 5)]);
    browser.sign_in("doer");
    browser.open_case("praise");
    browser.decide("confirm", "confirm-staff", "some words");
    browser.open("/desk/queue");
    browser.follow(SWITCH);
    // Everything a person reads: words, names of controls, titles.
    let words = |page: &str| {
        let read = browser.eval(
            "const texts = [document.title];
             const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
             while (walk.nextNode()) if (!walk.currentNode.parentElement.closest('[lang]:not(html), script'))
                 texts.push(walk.currentNode.data.trim());
             for (const node of document.querySelectorAll('[aria-label], [title], [alt], optgroup'))
                 for (const name of ['aria-label', 'title', 'alt', 'label']) texts.push(node.getAttribute(name) || '');
             return texts.filter(Boolean)",
        );
        let read: Vec<String> = serde_json::from_value(read).unwrap();
        assert!(read.len() > 5, "{page}");
        read
    };
    let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let pages = [
        "queue",
        "queue?tab=decided",
        "cases/bad",
        "cases/praise",
        "rules",
        "statistics",
        "operations",
        "quality",
        "password",
        "none",
    ];
    for name in ["doer", "boss"] {
        for page in pages.iter().chain(["audit"].iter().filter(|_| name == "boss")) {
            browser.open(&format!("/desk/{page}"));
            assert_eq!(language(&browser), "en");
            let left: Vec<_> = words(page).into_iter().filter(|text| is_chinese(text)).collect();
            assert!(left.is_empty(), "{page} for {name}: {left:?}");
        }
        if name == "doer" {
            browser.sign_out();
            browser.sign_in("boss");
        }
    }
    browser.open("/desk/queue");
    browser.follow(SWITCH);
    for page in pages {
        browser.open(&format!("/desk/{page}"));
        // Names, codes, units and keys are the same in both; a sentence is not.
        let left: Vec<_> = words(page)
            .into_iter()
            .filter(|text| {
                !is_chinese(text)
                    && text.split_whitespace().filter(|word| word.chars().all(char::is_alphabetic)).count()
                        > 3
            })
            .collect();
        assert!(left.is_empty(), "{page}: {left:?}");
    }
}
