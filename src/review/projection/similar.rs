//! What was decided about cases like one.

use rusqlite::{Connection, params_from_iter};
use serde::Serialize;

use super::error::ProjectionError;
use super::filter::{Conditions, Scope, visible};
use super::rows::{self, CaseRow, Viewer};
use crate::time::DAY_MS;
use crate::wire::{ReviewOutcome, Suspicion};

/// Latest decisions that are looked through.
const LOOKED_AT: usize = 2_000;
/// How long ago they may have been made.
const OF_LATE_MS: i64 = 180 * DAY_MS;
/// Cases that are shown.
const SHOWN: usize = 5;

/// What was decided about cases like one, of late.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Similar {
    /// Decided.
    pub decided: u64,
    /// They count.
    pub cleared: u64,
    /// They are not genuine.
    pub confirmed: u64,
    /// Honest mistakes.
    pub mistaken: u64,
    /// The latest, those of the same department first.
    pub latest: Vec<CaseRow>,
}

/// Cases of the same suspicion and the same strongest reason; of a second look, of which neither is told, second looks
/// of the same department.
pub(super) fn similar(
    db: &Connection,
    case: &CaseRow,
    scope: &Scope,
    viewer: Viewer<'_>,
) -> Result<Similar, ProjectionError> {
    let mut conditions = Conditions::default();
    conditions.plain("open = 0 AND decided_at IS NOT NULL AND outcome IS NOT NULL");
    conditions.with("rating_sequence <> ?", case.sequence as i64);
    conditions.with("decided_at > ?", viewer.now.ms() - OF_LATE_MS);
    match &case.top {
        Some(top) => {
            conditions.plain("kind <> 1");
            match case.suspicion.and_then(|suspicion| Suspicion::from_name(suspicion.value)) {
                Some(suspicion) => conditions.with("suspicion = ?", i64::from(suspicion as u8)),
                None => conditions.plain("suspicion IS NULL"),
            }
            conditions.with(
                "EXISTS (SELECT 1 FROM case_reason r
                    WHERE r.rating_sequence = cases.rating_sequence AND r.place = 0 AND r.code = ?)",
                top.code.clone(),
            );
        }
        None => {
            conditions.plain("kind = 1");
            conditions.with("department = ?", case.department.clone());
        }
    }
    visible(db, scope)?.restrict(&mut conditions);
    let sql = format!(
        "SELECT rating_sequence, outcome, department FROM cases INDEXED BY decided_at WHERE {}
         ORDER BY decided_at DESC, rating_sequence DESC LIMIT {LOOKED_AT}",
        conditions.text()
    );
    let mut statement = db.prepare_cached(&sql)?;
    let found: Vec<(u64, u8, bool)> = statement
        .query_map(params_from_iter(conditions.values()), |row| {
            let is_same = row.get::<_, String>(2)? == case.department;
            Ok((row.get::<_, i64>(0)? as u64, row.get(1)?, is_same))
        })?
        .collect::<Result<_, _>>()?;
    let count =
        |outcome: ReviewOutcome| found.iter().filter(|(_, of, _)| *of == outcome as u8).count() as u64;
    let here = found.iter().filter(|(.., is_same)| *is_same);
    let elsewhere = found.iter().filter(|(.., is_same)| !is_same);
    let shown: Vec<u64> = here.chain(elsewhere).take(SHOWN).map(|&(sequence, ..)| sequence).collect();
    Ok(Similar {
        decided: found.len() as u64,
        cleared: count(ReviewOutcome::Clear),
        confirmed: count(ReviewOutcome::Confirm),
        mistaken: count(ReviewOutcome::Mistaken),
        latest: rows::by_sequences(db, &shown, viewer)?,
    })
}
