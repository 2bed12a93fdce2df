//! Counters that are kept along with the cases, so that totals cost nothing.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::ProjectionError;
use super::fold::{CaseKind, Folded};

/// The standing of an open case.
const OPEN: u8 = 1;

/// By what cases are counted: standing (0 never waited, 1 open, 2 decided), kind, bad, escalated, department,
/// district.
type CaseKey = (u8, u8, bool, bool, String, String);

/// What a case counts for.
struct Counted {
    key: CaseKey,
    deadline: i64,
    suspicion: Option<u8>,
    outcome: Option<u8>,
}

impl Counted {
    fn is_open(&self) -> bool {
        self.key.0 == OPEN
    }

    fn is_blind(&self) -> bool {
        self.key.1 == CaseKind::SecondLook as u8
    }

    /// Where it counts for each of its reasons: open, cleared, confirmed, mistaken.
    fn columns(&self) -> [i64; 4] {
        let mut columns = [i64::from(self.is_open() && !self.is_blind()), 0, 0, 0];
        if let Some(column) = self.outcome.and_then(|outcome| columns.get_mut(1 + usize::from(outcome))) {
            *column = 1;
        }
        columns
    }
}

/// Changes of the counters, until they are written together.
#[derive(Default)]
pub(super) struct Counters {
    cases: HashMap<CaseKey, i64>,
    deadlines: HashMap<(i64, String, String), i64>,
    suspicions: HashMap<u8, i64>,
    codes: HashMap<String, [i64; 4]>,
}

impl Counters {
    fn count(&mut self, counted: Counted, codes: Vec<String>, sign: i64) {
        let columns = counted.columns();
        if columns != [0; 4] {
            for code in codes {
                let changes = self.codes.entry(code).or_default();
                changes.iter_mut().zip(columns).for_each(|(change, column)| *change += sign * column);
            }
        }
        if counted.is_open() {
            let office = (counted.deadline, counted.key.4.clone(), counted.key.5.clone());
            *self.deadlines.entry(office).or_default() += sign;
            if let Some(suspicion) = counted.suspicion.filter(|_| !counted.is_blind()) {
                *self.suspicions.entry(suspicion).or_default() += sign;
            }
        }
        *self.cases.entry(counted.key).or_default() += sign;
    }

    /// Takes what the row of a case counted for out again; `codes` are those of its reasons.
    pub fn take_out(
        &mut self,
        db: &Connection,
        sequence: i64,
        codes: Vec<String>,
    ) -> Result<(), ProjectionError> {
        let found = db
            .prepare_cached(
                "SELECT iif(open = 1, 1, iif(decided_at IS NULL, 0, 2)), kind, bad, escalated, department,
                    coalesce(district, ''), deadline, suspicion, outcome
                 FROM cases WHERE rating_sequence = ?1",
            )?
            .query_row([sequence], |row| {
                Ok(Counted {
                    key: (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?),
                    deadline: row.get(6)?,
                    suspicion: row.get(7)?,
                    outcome: row.get(8)?,
                })
            })
            .optional()?;
        if let Some(counted) = found {
            self.count(counted, codes, -1);
        }
        Ok(())
    }

    /// Counts a case.
    pub fn put_in(&mut self, folded: &Folded, deadline: i64, codes: Vec<String>) {
        let public = &folded.public;
        let standing = match (folded.state.is_open(), folded.closed()) {
            (true, _) => OPEN,
            (false, Some(_)) => 2,
            (false, None) => 0,
        };
        let counted = Counted {
            key: (
                standing,
                folded.kind as u8,
                public.is_bad(),
                folded.state.escalated_by.is_some(),
                public.department.to_string(),
                public.district.as_deref().unwrap_or_default().to_owned(),
            ),
            deadline,
            suspicion: folded.suspicion.map(|suspicion| suspicion as u8),
            outcome: folded.state.outcome.map(|outcome| outcome as u8),
        };
        self.count(counted, codes, 1);
    }

    /// Writes the changes.
    pub fn flush(self, db: &Connection) -> Result<(), ProjectionError> {
        // Where a count has come to nothing its row goes.
        let mut add = db.prepare_cached(
            "INSERT INTO counter VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?;
        let mut shrunk = false;
        for ((standing, kind, bad, escalated, department, district), change) in changed(&self.cases) {
            shrunk |= change < 0;
            add.execute(params![standing, kind, bad, escalated, department, district, change])?;
        }
        let mut add = db.prepare_cached(
            "INSERT INTO deadline_counter VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?;
        let mut drop = db.prepare_cached(
            "DELETE FROM deadline_counter WHERE deadline = ?1 AND department = ?2 AND district = ?3 AND n = 0",
        )?;
        for ((deadline, department, district), change) in changed(&self.deadlines) {
            add.execute(params![deadline, department, district, change])?;
            if change < 0 {
                drop.execute(params![deadline, department, district])?;
            }
        }
        let mut add = db.prepare_cached(
            "INSERT INTO suspicion_counter VALUES (?1, ?2) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?;
        for (suspicion, change) in changed(&self.suspicions) {
            add.execute(params![suspicion, change])?;
        }
        let mut add = db.prepare_cached(
            "INSERT INTO code_counter VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET open = open + excluded.open, cleared = cleared + excluded.cleared,
                confirmed = confirmed + excluded.confirmed, mistaken = mistaken + excluded.mistaken",
        )?;
        for (code, [open, cleared, confirmed, mistaken]) in
            self.codes.iter().filter(|(_, changes)| **changes != [0; 4])
        {
            add.execute(params![code, open, cleared, confirmed, mistaken])?;
        }
        if shrunk {
            db.prepare_cached("DELETE FROM counter WHERE n = 0")?.execute([])?;
        }
        db.prepare_cached("DELETE FROM suspicion_counter WHERE n = 0")?.execute([])?;
        db.prepare_cached(
            "DELETE FROM code_counter WHERE open = 0 AND cleared = 0 AND confirmed = 0 AND mistaken = 0",
        )?
        .execute([])?;
        Ok(())
    }
}

fn changed<K>(counts: &HashMap<K, i64>) -> impl Iterator<Item = (&K, i64)> {
    counts.iter().map(|(key, change)| (key, *change)).filter(|(_, change)| *change != 0)
}
