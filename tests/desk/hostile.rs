//! Hostile words and hostile sites.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use serde_json::json;
use zhenping::access::AccountRole;

use crate::browser::Browser;
use crate::support::{Setup, person, rating, reviewer, row};

/// What a page must show and not run. At most 64 characters, as the shortest fields are.
fn hostile(field: &str) -> String {
    format!("\"'><img src=x onerror=ran('{field}')></script>{{{{7*7}}}}")
}

/// The same as a person's name, which has at most 40.
const NAME: &str = "<img src=x onerror=ran('zhao')>";

/// Nothing of it became part of the page, and nothing ran.
#[track_caller]
fn is_harmless(browser: &Browser, page: &str) {
    assert_eq!(browser.dialog(), None, "{page}");
    let found = browser.eval(
        "return { ran: typeof window.ran, foreign: document.querySelectorAll(
            'img, iframe, object, embed, base, style, script:not([src]), [onerror], [onload], [style]').length }",
    );
    assert_eq!(found, json!({"ran": "undefined", "foreign": 0}), "{page}");
}

#[test]
fn what_raters_write_is_shown_as_text_and_runs_nowhere() {
    let people =
        [reviewer("zhao"), person("admin", AccountRole::Admin), person("auditor", AccountRole::Auditor)];
    let Some((desk, [browser])) = Setup::new(people).start() else { return };
    let mut bad = rating("hostile", 1);
    for field in ["matter", "department", "district", "hall", "window", "clerk", "visit", "case_no"] {
        bad["service"][field] = hostile(field).into();
    }
    for field in ["source", "comment", "supersedes"] {
        bad[field] = hostile(field).into();
    }
    bad["tags"] = json!([hostile("tag")]);
    for field in ["account", "id_number", "phone"] {
        bad["rater"][field] = hostile(field).into();
    }
    for field in ["fingerprint", "terminal", "model", "user_agent", "language", "timezone", "canvas"] {
        bad["device"][field] = hostile(field).into();
    }
    bad["network"] = json!({"ip": hostile("ip")});
    let mut others = vec![bad.clone()];
    // Two more, so that there is a campaign of one device.
    for n in 1..3 {
        let mut other = bad.clone();
        other["rating_id"] = format!("hostile-{n}").into();
        others.push(other);
    }
    desk.hold(&others);
    browser.sign_in("zhao");
    browser.open_queue_with("hostile");
    is_harmless(&browser, "queue");
    let shown = browser.text(&row("hostile"));
    for field in ["department", "district", "matter", "window"] {
        assert!(shown.contains(&hostile(field)), "{field}: {shown}");
    }
    assert!(browser.texts("select[name=department] option").contains(&hostile("department")));
    browser.open_case("hostile");
    is_harmless(&browser, "case");
    let shown = browser.text("main");
    for field in ["department", "district", "matter", "window", "hall", "clerk", "comment"] {
        assert!(shown.contains(&hostile(field)), "{field}: {shown}");
    }
    // Filters that come back in the page.
    let query = "?tab=%22%3E%3Cimg%20src=x%20onerror=ran(1)%3E&q=%22%3E%3Cimg%20src=x%20onerror=ran(2)%3E&rule=%3Cscript%3E";
    browser.open(&format!("/desk/queue{query}"));
    is_harmless(&browser, "filters");
    browser.open("/desk/cases/%3Cimg%20src=x%20onerror=ran(3)%3E");
    is_harmless(&browser, "no such case");
    browser.open("/desk/statistics?department=%22%3E%3Cimg%20src=x%20onerror=ran(4)%3E&by=%3Cscript%3E");
    is_harmless(&browser, "statistics");
    browser.open("/desk/queue");
    if browser.has(".campaigns a.open") {
        browser.follow(".campaigns a.open");
        is_harmless(&browser, "campaign");
    }
    browser.sign_out();
    browser.sign_in("admin");
    for page in [
        "queue",
        "statistics",
        "operations",
        "rules",
        "quality",
        "audit?who=%22%3E%3Cimg%20src=x%20onerror=ran(5)%3E",
    ] {
        browser.open(&format!("/desk/{page}"));
        is_harmless(&browser, page);
    }
}

#[test]
fn what_reviewers_appellants_and_callers_write_is_shown_as_text_too() {
    let mut zhao = reviewer("zhao");
    zhao.display = NAME.to_owned();
    let Some((desk, [browser])) = Setup::new([zhao, reviewer("qian")]).start() else { return };
    desk.hold(&[rating("bad", 1), rating("praise", 5)]);
    browser.sign_in("zhao");
    is_harmless(&browser, "a person's name");
    assert!(browser.text(".who").contains(NAME));
    browser.open_queue_with("bad");
    browser.fill("form[action='/desk/views'] input[name=name]", "<img src=x onerror=ran('view')>");
    browser.follow("form[action='/desk/views'] button");
    assert!(browser.texts(".views li a").contains(&"<img src=x onerror=ran('view')>".to_owned()));
    is_harmless(&browser, "a view's name");

    browser.open_case("bad");
    browser.follow("#decide form[action$='/callback'] button");
    let found = json!({"reached": true, "says": "denies", "words": hostile("callback")});
    assert_eq!(desk.server.post("/v1/ratings/bad/evidence", found.to_string()).status, 202);
    browser.open_until_says("bad", ".callback blockquote", &hostile("callback"));
    is_harmless(&browser, "a call back's words");
    browser.decide("confirm", "confirm-other", &hostile("words"));
    is_harmless(&browser, "a first person's words");
    browser.open_case("praise");
    browser.decide("confirm", "confirm-other", &hostile("words"));
    let reference = desk.server.verdicts("praise").remove(0)["appeal"].as_str().unwrap().to_owned();
    let appeal = json!({"reference": reference, "words": hostile("appeal")});
    assert_eq!(desk.server.post("/v1/appeals", appeal.to_string()).status, 202);
    browser.sign_out();

    browser.sign_in("qian");
    browser.open_case("bad");
    browser.says(".second blockquote", &hostile("words"));
    is_harmless(&browser, "what the second person reads");
    browser.open_until_says("praise", "[aria-labelledby=appeal] blockquote", &hostile("appeal"));
    assert!(browser.texts(".history blockquote").contains(&hostile("words")));
    is_harmless(&browser, "an appeal");
}

/// Every form of the desk, each in order if it only had the token.
const FORMS: [(&str, &str); 10] = [
    ("/desk/cases/held/claim", ""),
    ("/desk/cases/held/decide", "outcome=clear&reason=clear-real-case"),
    ("/desk/cases/held/callback", ""),
    ("/desk/cases/held/escalate", "reason=escalate-unsure"),
    ("/desk/claim", "id=held"),
    ("/desk/decide", "id=held&outcome=clear&reason=clear-real-case"),
    ("/desk/views", "name=mine&query="),
    ("/desk/sign-out", ""),
    ("/desk/language", "lang=en"),
    ("/desk/password", "current=osmanthus+cakes+3&new=another+one+12&repeat=another+one+12"),
];

#[test]
fn a_form_without_the_sessions_own_token_or_from_elsewhere_changes_nothing() {
    let people = [reviewer("zhao"), reviewer("qian")];
    let Some((desk, [browser])) = Setup::new(people).start() else { return };
    desk.hold(&[rating("held", 5)]);
    let mut tokens = Vec::new();
    for name in ["qian", "zhao"] {
        browser.sign_in(name);
        let token = browser.attribute("[name=csrf]", "value").unwrap();
        tokens.push((browser.cookie("zp_session").unwrap(), token));
        // Signing out would end the session whose token is tried.
        browser.forget_cookies();
    }
    let [(_, others), (cookie, own)]: [(String, String); 2] = tokens.try_into().unwrap();
    assert_ne!(own, others);
    let cookie = format!("zp_session={cookie}");
    let origin = format!("http://{}", desk.server.address);
    let changed = own.chars().rev().collect::<String>();
    type Sent<'a> = (&'a str, Option<&'a str>, &'a [(&'a str, &'a str)]);
    let cases: [Sent<'_>; 8] = [
        ("no token", None, &[]),
        ("an empty token", Some(""), &[]),
        ("a changed token", Some(&changed), &[]),
        ("another session's token", Some(&others), &[("Sec-Fetch-Site", "same-origin")]),
        ("another site", Some(&own), &[("Sec-Fetch-Site", "cross-site")]),
        ("a neighbour of this site", Some(&own), &[("Sec-Fetch-Site", "same-site")]),
        ("another origin", Some(&own), &[("Origin", "http://evil.example")]),
        ("no origin", Some(&own), &[("Origin", "null")]),
    ];
    for (what, token, more) in cases {
        for (path, form) in FORMS {
            let mut headers =
                vec![("Cookie", cookie.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
            headers.extend(more);
            let token = token.map_or_else(String::new, |token| format!("&csrf={token}"));
            let answer = desk.send("POST", path, &headers, &format!("{form}{token}"));
            assert_eq!(answer.status, 403, "{what} at {path}: {}", answer.head);
        }
    }
    desk.assert_stands("held", "hold", 0);
    let callbacks = desk.server.get("/v1/callbacks").text();
    assert!(!callbacks.contains("held"), "{callbacks}");
    let queue = desk.send("GET", "/desk/queue", &[("Cookie", &cookie)], "").text();
    assert!(queue.contains("held") && !queue.contains("我已领取"), "no claim: {queue}");
    assert!(!queue.contains("/delete\""), "no saved view: {queue}");

    // The same with the token and from here is in order, so it was the token that was missing.
    let headers = [
        ("Cookie", cookie.as_str()),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", &origin),
    ];
    let (path, form) = FORMS[1];
    assert_eq!(desk.send("POST", path, &headers, &format!("{form}&csrf={own}")).status, 303);
    desk.assert_stands("held", "admit", 1);
}

/// A site that answers every request with one page.
fn site(page: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), page) = (stream, page.clone()) else { return };
            // Browsers open connections ahead that say nothing for long.
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4_096]);
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                    page.len()
                );
            });
        }
    });
    address
}

#[test]
fn a_page_of_another_origin_can_send_no_form_and_frame_no_page() {
    let Some((desk, [browser])) = Setup::new([reviewer("zhao")]).start() else { return };
    desk.hold(&[rating("held", 5)]);
    browser.sign_in("zhao");
    let token = browser.attribute("[name=csrf]", "value").unwrap();
    let target = format!("http://{}/desk", desk.server.address);
    // It even knows the token. Another port of the same host is the same site to the cookie, but another origin.
    let evil = site(format!(
        "<form id=f method=post action={target}/cases/held/decide><input name=csrf value='{token}'>\
         <input name=outcome value=clear><input name=reason value=clear-real-case></form>\
         <iframe src={target}/queue></iframe>"
    ));
    for host in ["127.0.0.1", "localhost"] {
        browser.open_url(&format!("http://{host}:{}/", evil.port()));
        let framed = browser.eval(
            "try { return document.querySelector('iframe').contentDocument === null ? 'closed' : 'empty' } catch { return 'closed' }",
        );
        assert!(matches!(framed.as_str(), Some("closed" | "empty")), "{framed}");
        assert_eq!(browser.text_in_frame("iframe", ".rows"), None, "the queue is not shown in a frame");
        browser.leave(|| drop(browser.run("document.getElementById('f').submit()")));
        desk.assert_stands("held", "hold", 0);
    }
    browser.open_case("held");
    browser.decide("clear", "clear-real-case", "");
    desk.assert_stands("held", "admit", 1);
}

#[test]
fn every_page_has_the_headers_that_keep_it_to_itself() {
    let people = [reviewer("zhao"), person("admin", AccountRole::Admin)];
    let Some((desk, [browser])) = Setup::new(people).start() else { return };
    desk.hold(&[rating("held", 1)]);
    browser.sign_in("admin");
    browser.open_case("held");
    let cookie = format!("zp_session={}", browser.cookie("zp_session").unwrap());
    for page in [
        "sign-in",
        "password",
        "queue",
        "queue?tab=decided",
        "cases/held",
        "cases/none",
        "rules",
        "statistics",
        "operations",
        "quality",
        "audit",
        "no-such-page",
        "campaigns/none",
    ] {
        for headers in [&[][..], &[("Cookie", cookie.as_str())]] {
            let answer = desk.send("GET", &format!("/desk/{page}"), headers, "");
            let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
            assert_eq!(header("x-content-type-options"), "nosniff", "{page}");
            assert_eq!(header("cache-control"), "no-store", "{page}");
            if answer.status == 303 {
                continue;
            }
            assert!(header("content-type").starts_with("text/html"), "{page}: {}", answer.head);
            let policy = header("content-security-policy");
            let directives: Vec<&str> = policy.split(';').map(str::trim).collect();
            for needed in [
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "form-action 'self'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            ] {
                assert!(directives.contains(&needed), "{page}: {needed} is missing in {policy}");
            }
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{page}: {policy}");
            assert_eq!(header("x-frame-options"), "DENY", "{page}");
            assert_eq!(header("referrer-policy"), "same-origin", "{page}");
        }
    }
    let answer = desk.send(
        "POST",
        "/desk/sign-in",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        "name=admin&password=osmanthus+cakes+3",
    );
    let set = answer.header("set-cookie").unwrap();
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Path=/desk"),
        "{set}"
    );
}

#[test]
fn the_browser_finds_nothing_in_the_pages_that_their_policy_forbids() {
    let people = [reviewer("zhao"), person("admin", AccountRole::Admin)];
    let Some((desk, [browser])) = Setup::new(people).start() else { return };
    let mut bad = rating("held", 1);
    bad["device"] = json!({"fingerprint": "device-1"});
    desk.hold(&[bad]);
    browser.devtools(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({"source": "window.forbidden = []; window.failed = [];
            addEventListener('securitypolicyviolation', e => window.forbidden.push(e.violatedDirective + ' ' + e.blockedURI));
            addEventListener('error', e => window.failed.push(e.message));"}),
    );
    browser.sign_in("zhao");
    browser.open_case("held");
    let check = |page: &str| {
        let found = browser.eval("return [window.forbidden, window.failed]");
        assert_eq!(found, json!([[], []]), "{page}");
    };
    check("case");
    browser.sign_out();
    check("sign-in");
    browser.sign_in("admin");
    for page in
        ["queue", "cases/held", "rules", "statistics", "operations", "quality", "audit", "password", "none"]
    {
        browser.open(&format!("/desk/{page}"));
        check(page);
    }
}
