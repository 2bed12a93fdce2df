//! The pages for whoever sees little, hears them, or uses no mouse.
//!
//! Where `AXE_JS` names a copy of axe-core, or `node_modules` has one, each page is given to that as well.

use std::path::PathBuf;

use serde_json::Value;

use crate::browser::{Browser, Manner, told};
use crate::pages::{each, furnish, people};
use crate::support::Setup;

/// axe-core, where it is at hand.
fn axe() -> Option<String> {
    let named = std::env::var_os("AXE_JS").map(PathBuf::from);
    let installed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("node_modules/axe-core/axe.min.js");
    let path = named.unwrap_or(installed);
    let read = std::fs::read_to_string(&path).ok();
    if read.is_none() {
        told(&format!(
            "SKIPPED: no axe-core at {} (AXE_JS names another place); our own checks ran",
            path.display()
        ));
    }
    read
}

/// What our own checks find.
fn basics(browser: &Browser) -> Vec<String> {
    let found = browser.eval(include_str!("accessibility.js"));
    assert!(found["pairs"].as_u64().unwrap() > 3, "the contrast of hardly anything was looked at");
    serde_json::from_value(found["wrong"].clone()).unwrap()
}

/// What axe finds that is serious or critical.
fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    browser.run(&format!("{axe}\n;return null")).unwrap();
    let found = browser.eval(
        "return axe.run(document, {resultTypes: ['violations']}).then(result => result.violations
            .filter(v => v.impact === 'serious' || v.impact === 'critical')
            .flatMap(v => v.nodes.map(n => v.id + ': ' + n.html.slice(0, 140) + ' ' + (n.any[0]?.message ?? ''))))",
    );
    found.as_array().unwrap().iter().map(|text: &Value| text.as_str().unwrap().to_owned()).collect()
}

fn look(manner: Manner) {
    let Some((desk, [browser])) = Setup::new(people()).manner(manner).start() else { return };
    furnish(&desk, &browser);
    let axe = axe();
    let mut wrong = Vec::new();
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        each(&browser, |page| {
            let found =
                basics(&browser).into_iter().chain(axe.iter().flat_map(|axe| violations(&browser, axe)));
            wrong.extend(found.map(|what| format!("{page}, {scheme}: {what}")));
        });
        browser.sign_out();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_is_accessible_in_light_and_dark() {
    look(Manner::default());
}

#[test]
fn every_page_is_accessible_on_a_phone() {
    look(Manner { narrow: true, ..Manner::default() });
}
