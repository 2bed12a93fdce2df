//! TEMPORARY
use std::collections::BTreeMap;
use serde::Serialize;
use super::{CaseRow, Projection, ProjectionError, Scope, Viewer};
/// t
#[derive(Clone, Debug, Default, Serialize)]
pub struct RuleOutcomes { /// t
 pub held: u64, /// t
 pub cleared: u64, /// t
 pub confirmed: u64, /// t
 pub mistaken: u64, /// t
 pub precision: Option<f64> }
/// t
pub struct Alike { /// t
pub decided: u64, /// t
pub cleared: u64, /// t
pub confirmed: u64, /// t
pub mistaken: u64, /// t
pub latest: Vec<CaseRow> }
impl Projection {
    /// t
    pub fn rule_outcomes(&self) -> Result<BTreeMap<String, RuleOutcomes>, ProjectionError> { Ok(BTreeMap::new()) }
    /// t
    pub fn similar(&self, _: &CaseRow, _: &Scope, _: Viewer<'_>) -> Result<Alike, ProjectionError> { Ok(Alike { decided: 0, cleared: 0, confirmed: 0, mistaken: 0, latest: vec![] }) }
}
