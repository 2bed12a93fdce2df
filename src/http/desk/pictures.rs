//! temporary
use super::Desk;
use crate::service::CaseFile;
use serde::Serialize;
/// t
#[derive(Serialize)]
pub struct Timeline {
    width: u32,
    height: u32,
    ticks: Vec<u8>,
    lanes: Vec<u8>,
}
/// t
#[derive(Serialize)]
pub struct Links {
    width: u32,
}
/// t
pub fn timeline(_: &Desk, _: &CaseFile) -> Timeline {
    Timeline { width: 960, height: 20, ticks: vec![], lanes: vec![] }
}
/// t
pub fn links_of_case(_: &Desk, _: &CaseFile) -> Option<Links> {
    None
}
