//! Each page with something on it, as the tests of looks and of accessibility need it.

use serde_json::{Value, json};
use zhenping::access::{AccountRole, NewAccount};

use crate::browser::Browser;
use crate::support::{Desk, person, rating, reviewer};

/// People who see every page between them.
pub fn people() -> Vec<NewAccount> {
    vec![reviewer("zhao"), reviewer("qian"), person("li", AccountRole::Admin)]
}

/// Ratings such that no page is empty: bad ones with words, praise of one phone, some of it decided.
pub fn furnish(desk: &Desk, browser: &Browser) {
    let mut ratings = Vec::new();
    for n in 0..9_u8 {
        let mut bad = rating(&format!("bad-{n}"), 1 + n % 2);
        bad["comment"] = "排队两个小时，材料退了三次，窗口说法不一。电话13912345678。".into();
        bad["aspects"] = json!({"efficiency": 1, "attitude": 2});
        bad["service"]["window"] = format!("{}", 1 + n % 3).into();
        bad["service"]["hall"] = "市民中心".into();
        bad["service"]["case_no"] = format!("GA-2026-{n}").into();
        bad["service"]["case_match"] = "matched".into();
        bad["rater"] = json!({"account": format!("client-{n}"), "is_applicant": true});
        bad["device"] = json!({"fingerprint": format!("device-{n}"), "platform": "ios"});
        bad["network"] = json!({"ip": format!("203.0.113.{n}")});
        ratings.push(bad);
    }
    for n in 0..14 {
        let mut praise = rating(&format!("praise-{n}"), 5);
        praise["comment"] = "服务很好，办事快，工作人员热情周到，非常满意。".into();
        praise["service"]["department"] = "990108-SB".into();
        praise["service"]["window"] = format!("{}", n % 4).into();
        praise["rater"] = json!({"account": format!("fan-{n}")});
        praise["device"] = json!({"fingerprint": "one phone", "platform": "android"});
        praise["network"] = json!({"ip": "198.51.100.7"});
        ratings.push(praise);
    }
    desk.hold(&ratings);
    browser.sign_in("zhao");
    browser.open_case("praise-13");
    browser.decide("confirm", "confirm-staff", "同一手机，同一句话");
    browser.open_case("bad-8");
    browser.decide("clear", "clear-real-grievance", "");
    browser.open_case("bad-0");
    browser.decide("confirm", "confirm-blackmail", "通话中要求赔偿");
    browser.open_case("bad-1");
    browser.claim();
    browser.follow("#decide form[action$='/callback'] button");
    let appeal = desk.server.verdicts("praise-13").remove(0)["appeal"].clone();
    let appeal: Value = json!({"reference": appeal, "words": "本人亲自办理"});
    assert_eq!(desk.server.post("/v1/appeals", appeal.to_string()).status, 202);
    browser.sign_out();
}

/// Shows each page in turn: its name, once the browser is there. The second person signs in at the queue.
pub fn each(browser: &Browser, mut look: impl FnMut(&str)) {
    browser.open("/desk/sign-in");
    look("sign-in");
    browser.sign_in("qian");
    browser.open_case("praise-13");
    browser.open("/desk/queue");
    look("queue");
    let campaign =
        browser.has(".campaigns a.open").then(|| browser.attribute(".campaigns a.open", "href").unwrap());
    for (name, path) in [
        ("case", "/desk/cases/bad-2"),
        ("case-second", "/desk/cases/bad-0"),
        ("case-claimed", "/desk/cases/bad-1"),
        ("case-appeal", "/desk/cases/praise-13"),
        ("case-decided", "/desk/cases/bad-8"),
        ("password", "/desk/password"),
        ("error", "/desk/no-such-page"),
        ("campaign", campaign.as_deref().unwrap_or("/desk/campaigns/none")),
    ] {
        browser.open(path);
        look(name);
    }
    browser.sign_out();
    browser.sign_in("li");
    for name in ["rules", "statistics", "operations", "quality", "audit"] {
        browser.open(&format!("/desk/{name}"));
        look(name);
    }
}
