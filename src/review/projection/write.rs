//! Applies batches: which cases they are about, and the rows of each.

use std::collections::btree_map::Entry as Place;
use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use compact_str::CompactString;
use rusqlite::{Connection, OptionalExtension, params};
use xxhash_rust::xxh3::xxh3_64;

use super::campaigns::Campaigns;
use super::case_file::{CaseFile, CaseReader};
use super::counters::Counters;
use super::error::ProjectionError;
use super::fold::{self, ClosedBy, Folded, callback_number, fold};
use crate::catalogue::builtin as f;
use crate::date::Month;
use crate::log::Entry;
use crate::log::entry::PublicRating;
use crate::time::{DAY_MS, Instant};

/// What a batch came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Ids of the ratings whose cases were written, in the order of their sequences.
    pub changed: Vec<String>,
}

/// Where the fold stands.
pub(super) fn position(connection: &Connection) -> Result<u64, ProjectionError> {
    let next: i64 =
        connection.prepare_cached("SELECT next FROM position")?.query_row([], |row| row.get(0))?;
    Ok(next as u64)
}

/// Ids of the cases with entries from a sequence on, latest first.
pub(super) fn changed_since(db: &Connection, from: u64, most: usize) -> Result<Vec<String>, ProjectionError> {
    let mut statement =
        db.prepare_cached("SELECT rating_id FROM cases WHERE last >= ?1 ORDER BY last DESC LIMIT ?2")?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let ids = statement.query_map([from, most as i64], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// A case that the batch is about.
struct Touched {
    file: CaseFile,
    volume: u64,
}

/// See [`super::Projection::apply`].
pub(super) fn apply(
    db: &Connection,
    batch: &[(u64, &Entry)],
    next: u64,
    read: &dyn CaseReader,
) -> Result<Applied, ProjectionError> {
    let position = position(db)?;
    let mut volumes = Volumes::new(db);
    let mut campaigns = Campaigns::new(db);
    let mut cases: BTreeMap<u64, Touched> = BTreeMap::new();
    for &(sequence, entry) in batch.iter().filter(|(sequence, _)| *sequence >= position) {
        let (rating_sequence, rating_id, is_case) = match entry {
            Entry::Rating(rating) => {
                let is_case = fold::is_case(rating.outcome.decision, rating.flags);
                let service = &rating.observation.service;
                volumes.count(&service.department, service.district.as_ref(), rating.day.month())?;
                (sequence, rating.observation.rating_id.as_str(), is_case)
            }
            Entry::Erased(public) => {
                volumes.count(&public.department, public.district.as_ref(), public.day.month())?;
                (sequence, public.rating_id.as_str(), fold::is_case(public.decision, public.flags))
            }
            Entry::Revision(revision) => (revision.rating_sequence, revision.rating.rating_id.as_str(), true),
            Entry::Review(review) => (review.rating_sequence, review.rating_id.as_str(), true),
            Entry::Activation(_) | Entry::Learning(_) | Entry::Unknown { .. } => continue,
        };
        if !is_case {
            continue;
        }
        let case = match cases.entry(rating_sequence) {
            Place::Occupied(place) => place.into_mut(),
            Place::Vacant(place) => {
                let Some(file) = read.case(rating_id)?.filter(|file| file.sequence == rating_sequence) else {
                    // A second rating of one id, which counts nowhere.
                    continue;
                };
                let volume = match known_volume(db, rating_sequence)? {
                    Some(volume) => volume,
                    None => volumes.of(&file.rating.public(), file.day().month())?,
                };
                place.insert(Touched { file, volume })
            }
        };
        let Some(rating) = case.file.rating.whole() else { continue };
        campaigns.join(rating_sequence, rating)?;
        if let Entry::Revision(revision) = entry
            && let Some(evidence) = &revision.evidence
            && let Some(&(_, campaign)) = evidence.figures.iter().find(|(id, _)| *id == f::GROUP_CAMPAIGN)
        {
            campaigns.join_verdict(rating_sequence, rating, campaign)?;
        }
    }
    let mut counters = Counters::default();
    let mut applied = Applied::default();
    for (&sequence, case) in &cases {
        write_case(db, &mut counters, case, read)?;
        campaigns.touch(sequence)?;
        applied.changed.push(case.file.rating.public().rating_id.into());
    }
    counters.flush(db)?;
    campaigns.finish()?;
    volumes.flush()?;
    if next > position {
        db.prepare_cached("UPDATE position SET next = ?1")?.execute([next as i64])?;
    }
    Ok(applied)
}

/// Ids of the cases that may have something left to erase from before an instant.
pub(super) fn to_forget(db: &Connection, before: Instant) -> Result<Vec<String>, ProjectionError> {
    let mut statement = db.prepare_cached(
        "SELECT rating_id FROM cases WHERE (erased = 0 AND day * ?2 < ?1 + ?2) OR rating_sequence IN
            (SELECT rating_sequence FROM history WHERE words IS NOT NULL AND at < ?1)
         ORDER BY rating_sequence",
    )?;
    let ids = statement.query_map([before.ms(), DAY_MS], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Writes cases anew as the log has them now.
pub(super) fn forget(db: &Connection, ids: &[String], read: &dyn CaseReader) -> Result<u64, ProjectionError> {
    let mut counters = Counters::default();
    let mut campaigns = Campaigns::new(db);
    let mut written = 0;
    for id in ids {
        let Some(file) = read.case(id)? else { continue };
        let Some(volume) = known_volume(db, file.sequence)? else { continue };
        if file.rating.whole().is_none() {
            campaigns.leave(file.sequence)?;
        } else {
            campaigns.touch(file.sequence)?;
        }
        write_case(db, &mut counters, &Touched { file, volume }, read)?;
        written += 1;
    }
    counters.flush(db)?;
    campaigns.finish()?;
    Ok(written)
}

fn known_volume(db: &Connection, sequence: u64) -> Result<Option<u64>, ProjectionError> {
    let volume: Option<i64> = db
        .prepare_cached("SELECT volume FROM cases WHERE rating_sequence = ?1")?
        .query_row([sequence as i64], |row| row.get(0))
        .optional()?;
    Ok(volume.map(|volume| volume as u64))
}

/// The bit of a reason in a case's mask.
pub(super) fn mask_bit(code: &str) -> i64 {
    1_i64 << (xxh3_64(code.as_bytes()) & 63)
}

/// Writes one case in place of what is there of it. What an act leaves as it was is not touched: most leave most.
fn write_case(
    db: &Connection,
    counters: &mut Counters,
    case: &Touched,
    read: &dyn CaseReader,
) -> Result<(), ProjectionError> {
    let sequence = case.file.sequence as i64;
    let standing = reasons_of(db, sequence)?;
    counters.take_out(db, sequence, codes_of(&standing))?;
    for statement in
        ["DELETE FROM decision WHERE rating_sequence = ?1", "DELETE FROM spell WHERE rating_sequence = ?1"]
    {
        db.prepare_cached(statement)?.execute([sequence])?;
    }
    let Some(folded) = fold(&case.file) else {
        // The flag that made it a case is erased, and nobody had acted on it.
        for statement in [
            "DELETE FROM cases WHERE rating_sequence = ?1",
            "DELETE FROM case_reason WHERE rating_sequence = ?1",
            "DELETE FROM history WHERE rating_sequence = ?1",
        ] {
            db.prepare_cached(statement)?.execute([sequence])?;
        }
        return Ok(());
    };
    // When an erased rating became a case cannot be told, nor what its office had then.
    let volume = if folded.erased { 0 } else { case.volume };
    let deadline = read.due(folded.since).ms();
    write_row(db, sequence, &folded, volume, deadline, read)?;
    let reasons: Vec<ReasonRow> = folded
        .reasons
        .iter()
        .map(|reason| (reason.code.to_string(), reason.source as u8, f64::from(reason.weight)))
        .collect();
    if reasons != standing {
        write_reasons(db, sequence, &reasons)?;
    }
    write_parts(db, sequence, &folded, read)?;
    counters.put_in(&folded, deadline, codes_of(&reasons));
    Ok(())
}

/// A reason: its code, where it comes from, its weight.
type ReasonRow = (String, u8, f64);

fn reasons_of(db: &Connection, sequence: i64) -> Result<Vec<ReasonRow>, ProjectionError> {
    let mut statement = db.prepare_cached(
        "SELECT code, source, weight FROM case_reason WHERE rating_sequence = ?1 ORDER BY place",
    )?;
    let found = statement.query_map([sequence], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Each code once.
fn codes_of(reasons: &[ReasonRow]) -> Vec<String> {
    let mut codes: Vec<String> = reasons.iter().map(|(code, ..)| code.clone()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn write_reasons(db: &Connection, sequence: i64, reasons: &[ReasonRow]) -> Result<(), ProjectionError> {
    db.prepare_cached("DELETE FROM case_reason WHERE rating_sequence = ?1")?.execute([sequence])?;
    let mut insert = db.prepare_cached(
        "INSERT INTO case_reason (rating_sequence, place, code, source, weight) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (place, (code, source, weight)) in reasons.iter().enumerate() {
        insert.execute(params![sequence, place as i64, code, source, weight])?;
    }
    Ok(())
}

/// Columns of a case's row, in the order of their values.
const COLUMNS: &str = "rating_sequence, rating_id, reference, kind, open, erased, control, bad, stars, channel, \
    stage, day, department, district, hall, window, clerk, matter, submitted, since, deadline, rank, volume, \
    suspicion, risk, decision, revision, claim_by, claim_until, first_by, first_outcome, first_reason, first_at, \
    outcome, outcome_reason, decided_at, closed_by, deciders, escalated, escalated_by, callback, callback_at, \
    appealed, appeals, appeal_at, reasons, mask, last";

/// Writes a row; one that is there is updated, so that only indices of what changed are touched.
static UPSERT: LazyLock<String> = LazyLock::new(|| {
    let columns: Vec<&str> = COLUMNS.split(", ").map(str::trim).collect();
    let values: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
    let set: Vec<String> =
        columns[1..].iter().map(|column| format!("{column} = excluded.{column}")).collect();
    format!(
        "INSERT INTO cases ({COLUMNS}) VALUES ({}) ON CONFLICT (rating_sequence) DO UPDATE SET {}",
        values.join(", "),
        set.join(", ")
    )
});

fn write_row(
    db: &Connection,
    sequence: i64,
    folded: &Folded,
    volume: u64,
    deadline: i64,
    read: &dyn CaseReader,
) -> Result<(), ProjectionError> {
    let (public, state) = (&folded.public, &folded.state);
    let closed = folded.closed();
    let deciders: Vec<&str> = state.deciders.iter().map(CompactString::as_str).collect();
    let mask = folded.reasons.iter().fold(0, |mask, reason| mask | mask_bit(&reason.code));
    let first = state.first.as_ref();
    db.prepare_cached(&UPSERT)?.execute(params![
        sequence,
        public.rating_id.as_str(),
        read.reference(&public.rating_id),
        folded.kind as u8,
        state.is_open(),
        folded.erased,
        folded.control,
        public.is_bad(),
        public.stars,
        public.channel as u8,
        public.stage.map(|stage| stage as u8),
        public.day.number(),
        public.department.as_str(),
        public.district.as_deref(),
        public.hall.as_deref(),
        public.window.as_deref(),
        public.clerk.as_deref(),
        public.matter.as_str(),
        folded.submitted.map(Instant::ms),
        folded.since.ms(),
        deadline,
        folded.rank(volume),
        volume as i64,
        folded.suspicion.map(|suspicion| suspicion as u8),
        folded.risk.map(f64::from),
        state.decision as u8,
        state.revision,
        state.claim.as_ref().map(|claim| claim.by.as_str()),
        state.claim.as_ref().map(|claim| claim.until.ms()),
        first.map(|first| first.by.as_str()),
        first.map(|first| first.outcome as u8),
        first.map(|first| first.reason.as_str()),
        first.map(|first| first.at.ms()),
        state.outcome.map(|outcome| outcome as u8),
        folded.outcome_reason.as_deref(),
        closed.map(|(at, _)| at.ms()),
        closed.map(|(_, by)| by as u8),
        serde_json::to_string(&deciders).unwrap_or_default(),
        state.escalated_by.is_some(),
        state.escalated_by.as_deref(),
        callback_number(state.callback),
        folded.callback_at.map(Instant::ms),
        state.appealed,
        state.appeals,
        folded.appeal_at.map(Instant::ms),
        folded.reasons.len() as i64,
        if folded.is_blind() { 0 } else { mask },
        folded.last as i64,
    ])?;
    Ok(())
}

fn write_parts(
    db: &Connection,
    sequence: i64,
    folded: &Folded,
    read: &dyn CaseReader,
) -> Result<(), ProjectionError> {
    let mut event_row = db.prepare_cached(
        "INSERT INTO history (sequence, rating_sequence, at, who, what, reason, words, void)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (sequence) DO UPDATE SET what = excluded.what, words = excluded.words, void = excluded.void
            WHERE (what, words, void) IS NOT (excluded.what, excluded.words, excluded.void)",
    )?;
    for event in &folded.events {
        event_row.execute(params![
            event.sequence as i64,
            sequence,
            event.at.ms(),
            event.who.as_str(),
            event.what,
            event.reason.as_str(),
            event.words,
            event.void
        ])?;
    }
    let mut decision_row = db.prepare_cached(
        "INSERT INTO decision (sequence, rating_sequence, at, who, voted, outcome, reason, label,
            first_by, first_outcome, opened, deadline, on_appeal, undone, overturned, control, bad)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?;
    for decision in &folded.decisions {
        let first = decision.first.as_ref();
        decision_row.execute(params![
            decision.sequence as i64,
            sequence,
            decision.at.ms(),
            decision.who.as_str(),
            decision.voted as u8,
            decision.outcome as u8,
            decision.reason.as_str(),
            decision.label as u8,
            first.map(|(by, _)| by.as_str()),
            first.map(|(_, outcome)| *outcome as u8),
            decision.opened.ms(),
            read.due(decision.opened).ms(),
            decision.on_appeal,
            decision.undone,
            decision.overturned,
            folded.control,
            folded.public.is_bad(),
        ])?;
    }
    let mut spell_row = db.prepare_cached(
        "INSERT INTO spell (rating_sequence, place, opened, deadline, closed, closed_by, appeal)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (place, spell) in folded.spells.iter().enumerate() {
        spell_row.execute(params![
            sequence,
            place as i64,
            spell.opened.ms(),
            read.due(spell.opened).ms(),
            spell.closed.map(|(at, _)| at.ms()),
            spell.closed.map(|(_, by): (Instant, ClosedBy)| by as u8),
            spell.appeal,
        ])?;
    }
    Ok(())
}

/// Ratings of each office in each month.
struct Volumes<'d> {
    db: &'d Connection,
    counts: HashMap<(CompactString, CompactString, i32), (u64, bool)>,
}

impl<'d> Volumes<'d> {
    fn new(db: &'d Connection) -> Self {
        Self { db, counts: HashMap::new() }
    }

    fn slot(
        &mut self,
        department: &CompactString,
        district: Option<&CompactString>,
        month: i32,
    ) -> Result<&mut (u64, bool), ProjectionError> {
        let key = (department.clone(), district.cloned().unwrap_or_default(), month);
        match self.counts.entry(key) {
            Slot::Occupied(slot) => Ok(slot.into_mut()),
            Slot::Vacant(slot) => {
                let (department, district, month) = slot.key();
                let count: Option<i64> = self
                    .db
                    .prepare_cached(
                        "SELECT n FROM volume WHERE department = ?1 AND district = ?2 AND month = ?3",
                    )?
                    .query_row(params![department.as_str(), district.as_str(), month], |row| row.get(0))
                    .optional()?;
                Ok(slot.insert((count.unwrap_or(0) as u64, false)))
            }
        }
    }

    /// Counts one more rating.
    fn count(
        &mut self,
        department: &CompactString,
        district: Option<&CompactString>,
        month: Month,
    ) -> Result<(), ProjectionError> {
        let (count, changed) = self.slot(department, district, month.number())?;
        *count += 1;
        *changed = true;
        Ok(())
    }

    /// What the rating's office has a month, as far as is known now.
    fn of(&mut self, rating: &PublicRating, month: Month) -> Result<u64, ProjectionError> {
        let (department, district) = (&rating.department, rating.district.as_ref());
        let this = self.slot(department, district, month.number())?.0;
        let last = self.slot(department, district, month.number() - 1)?.0;
        Ok(this.max(last).max(1))
    }

    fn flush(self) -> Result<(), ProjectionError> {
        let mut statement = self.db.prepare_cached(
            "INSERT OR REPLACE INTO volume (department, district, month, n) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for ((department, district, month), (count, _)) in self.counts.iter().filter(|(_, slot)| slot.1) {
            statement.execute(params![department.as_str(), district.as_str(), month, *count as i64])?;
        }
        Ok(())
    }
}
