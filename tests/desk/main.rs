//! The reviewers' desk in a real browser: Chromium, driven over WebDriver, against the program as it ships.
//!
//! Without chromedriver and Chromium each test says `SKIPPED` and why.

mod browser;
#[allow(dead_code)]
#[path = "../promises/support.rs"]
mod process;
mod support;

mod accessibility;
mod appeals;
mod campaigns;
mod decisions;
mod evidence;
mod hostile;
mod keyboard;
mod language;
mod pages;
mod pictures;
mod plain;
mod queue;
mod races;
mod recusal;
mod sign_in;
