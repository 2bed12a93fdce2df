//! A picture of each page, for people to look at: `target/desk-pictures/`.

use std::path::Path;

use base64ct::{Base64, Encoding};
use serde_json::json;

use crate::browser::{Browser, HEIGHT, Manner};
use crate::pages::{each, furnish, people};
use crate::support::Setup;

/// The whole page, in a window as high as it is: what sticks to an edge would stand in the middle otherwise.
fn picture(browser: &Browser, manner: Manner) -> Vec<u8> {
    let metrics = browser.devtools("Page.getLayoutMetrics", json!({}));
    browser.window(manner, metrics["cssContentSize"]["height"].as_f64().unwrap() as u32);
    let taken = browser.devtools("Page.captureScreenshot", json!({"format": "png"}));
    browser.window(manner, HEIGHT);
    Base64::decode_vec(taken["data"].as_str().unwrap()).unwrap()
}

fn take(manner: Manner, scheme: &str, suffix: &str) {
    let Some((desk, [browser])) = Setup::new(people()).manner(manner).start() else { return };
    furnish(&desk, &browser);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("desk-pictures");
    std::fs::create_dir_all(&directory).unwrap();
    browser.scheme(scheme);
    each(&browser, |name| {
        let png = picture(&browser, manner);
        assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000, "{name} is an empty picture");
        std::fs::write(directory.join(format!("{name}{suffix}.png")), png).unwrap();
        let wider = browser
            .eval("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
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
