//! Small questions of those at work: what has changed, what is on hold, who belongs together.

use std::collections::BTreeMap;

use rusqlite::params;

use super::Projection;
use super::error::ProjectionError;
use super::rows::campaign_sequence;
use crate::wire::Suspicion;

impl Projection {
    /// Ids of ratings whose cases are new or were touched from a sequence on, at most `limit`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn changed_since(&self, from: u64, limit: usize) -> Result<Vec<String>, ProjectionError> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT rating_id FROM cases WHERE rating_sequence >= ?1
                 UNION
                 SELECT c.rating_id FROM history h JOIN cases c USING (rating_sequence) WHERE h.sequence >= ?1
                 LIMIT ?2",
            )?;
            let ids = statement.query_map(params![from as i64, limit as i64], |row| row.get(0))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }

    /// Open holds by the name of what they are suspected of.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pending_by_suspicion(&self) -> Result<BTreeMap<&'static str, u64>, ProjectionError> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT suspicion, sum(n) FROM counter WHERE standing = 1 AND kind = 0 GROUP BY suspicion",
            )?;
            let mut holds = BTreeMap::new();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let suspicion = u8::try_from(row.get::<_, i64>(0)?).ok().and_then(Suspicion::from_index);
                if let Some(suspicion) = suspicion {
                    holds.insert(suspicion.name(), row.get::<_, i64>(1)? as u64);
                }
            }
            Ok(holds)
        })
    }

    /// Ids of a campaign's ratings about which somebody has to decide, in the order of the log.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn open_members(&self, campaign: &str) -> Result<Vec<String>, ProjectionError> {
        let Some(first) = campaign_sequence(campaign) else { return Ok(Vec::new()) };
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT c.rating_id FROM grp g JOIN member m ON m.grp = g.id JOIN cases c USING (rating_sequence)
                 WHERE g.first = ?1 AND c.open = 1 ORDER BY c.rating_sequence",
            )?;
            let ids = statement.query_map([first as i64], |row| row.get(0))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }
}
