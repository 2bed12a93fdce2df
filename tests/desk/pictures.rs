//! A picture of each page, for people to look at: `target/desk-pictures/`.

use std::path::Path;

use base64ct::{Base64, Encoding};
use serde_json::json;

use crate::browser::{Browser, Manner};
use crate::pages::{each, furnish, people};
use crate::support::Setup;

/// The whole page, not only what fits into the window.
fn picture(browser: &Browser) -> Vec<u8> {
    let taken = browser.devtools(
        "Page.captureScreenshot",
        json!({"format": "png", "captureBeyondViewport": true, "clip": page_size(browser)}),
    );
    Base64::decode_vec(taken["data"].as_str().unwrap()).unwrap()
}

fn page_size(browser: &Browser) -> serde_json::Value {
    let metrics = browser.devtools("Page.getLayoutMetrics", json!({}));
    let size = &metrics["cssContentSize"];
    json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1})
}

fn take(manner: Manner, scheme: &str, suffix: &str) {
    let Some((desk, [browser])) = Setup::new(people()).manner(manner).start() else { return };
    furnish(&desk, &browser);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("desk-pictures");
    std::fs::create_dir_all(&directory).unwrap();
    browser.scheme(scheme);
    each(&browser, |name| {
        let png = picture(&browser);
        assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000, "{name} is an empty picture");
        std::fs::write(directory.join(format!("{name}{suffix}.png")), png).unwrap();
        let wider = browser.eval("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert!(wider.as_f64().unwrap() <= 1.0, "{name}{suffix} is {wider} px wider than the window");
    });
}

#[test]
fn each_page_has_its_picture_and_fits_a_desktop() {
    take(Manner::default(), "light", "");
}

#[test]
fn each_page_has_its_picture_and_fits_a_phone_in_the_dark() {
    take(Manner { narrow: true, ..Manner::default() }, "dark", "-phone-dark");
}
