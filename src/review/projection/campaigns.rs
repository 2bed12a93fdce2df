//! Campaigns of the desk: cases that share strong links grow into groups.
//!
//! | Link | Between |
//! |---|---|
//! | device | ratings from one personal device; terminals, helpers' phones and phone lines link nobody |
//! | rater, phone | ratings under one account, or one phone number |
//! | case | ratings of one case |
//! | text | long comments that say nearly the same about one target (five of eight lanes of their MinHash agree) |
//! | verdict | ratings that the look-back put into one campaign |
//! | network | three or more ratings of one target from one address in one hour of the clock; alone it is weak |
//!
//! Two ratings are linked if they were submitted within 72 h of each other, where a link reaches on from the latest
//! rating that had it. Groups are sets that are merged (union-find, the smaller into the larger), in the order in which
//! ratings became cases, so they do not depend on how entries were batched. From [`CAMPAIGN_SIZE`] members on a group is
//! a campaign, called by the smallest sequence among its members; a group of [`GROUP_MAX`] merges no more. Whoever is
//! decided stays a member.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::ProjectionError;
use super::priority::campaign_rank;
use crate::catalogue::builtin as f;
use crate::features::identity::target_key;
use crate::features::mix;
use crate::log::entry::RatingEntry;
use crate::lookback::{Link, keys_of};
use crate::time::{DAY_MS, HOUR_MS};
use crate::wire::CaseMatch;

/// Members from which on a group is a campaign.
pub const CAMPAIGN_SIZE: u64 = 3;
/// Members at which a group merges no more.
pub const GROUP_MAX: u64 = 5_000;
/// How far a link reaches.
const REACH_MS: i64 = 3 * DAY_MS;
/// Ratings of one network, target and hour that are linked.
const WEAK_LEAST: usize = 3;
/// Lanes of two MinHashes that agree where two comments say nearly the same.
const LANES_ALIKE: usize = 5;

/// Kinds of links. Numbers stand in the tables.
#[derive(Clone, Copy)]
#[repr(u8)]
enum LinkKind {
    Device = 1,
    Rater = 2,
    Phone = 3,
    Case = 4,
    Text = 5,
    Verdict = 6,
}

/// A link of a rating.
struct Key {
    kind: LinkKind,
    key: u64,
    lanes: Option<[u32; 8]>,
}

/// Writes groups within one transaction.
pub(super) struct Campaigns<'d> {
    db: &'d Connection,
    /// Groups whose figures may have changed.
    touched: BTreeSet<i64>,
}

impl<'d> Campaigns<'d> {
    pub fn new(db: &'d Connection) -> Self {
        Self { db, touched: BTreeSet::new() }
    }

    /// A rating became a case. One that is a member already stays as it is.
    pub fn join(&mut self, sequence: u64, rating: &RatingEntry) -> Result<(), ProjectionError> {
        let sequence = sequence as i64;
        if self.group_of(sequence)?.is_some() {
            return Ok(());
        }
        let o = &rating.observation;
        let at = o.submitted_at.ms();
        let keys = keys_of(o);
        let key = |link: Link| Some(keys[link as usize]).filter(|&key| key != 0);
        let target = target_key(&o.service);
        let is_shared = is_shared_device(rating);
        let device = key(Link::Device).filter(|_| !is_shared);
        let text = o.text.as_ref().filter(|text| !text.stock && text.minhash.is_some());
        self.db
            .prepare_cached(
                "INSERT INTO member (rating_sequence, grp, at, rater, device, text, network, occasion, target, matched)
                 VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                sequence,
                at,
                key(Link::Rater).or(key(Link::Phone)).map(|key| key as i64),
                key(Link::Device).map(|key| key as i64),
                text.map(|text| text.exact.key() as i64),
                key(Link::Ip).or(key(Link::Subnet)).filter(|_| !is_shared).map(|key| key as i64),
                key(Link::Case).map(|key| key as i64),
                target as i64,
                o.service.case_match == Some(CaseMatch::Matched),
            ])?;
        self.db
            .prepare_cached("INSERT INTO grp (id, first, size) VALUES (?1, ?1, 1)")?
            .execute([sequence])?;
        self.touched.insert(sequence);

        let plain = |kind, key: Option<u64>| key.map(|key| Key { kind, key, lanes: None });
        let bands = text.and_then(|text| text.minhash).into_iter().flat_map(|lanes| {
            bands_of(&lanes, target).map(|key| Key { kind: LinkKind::Text, key, lanes: Some(lanes) })
        });
        let links = [
            plain(LinkKind::Device, device),
            plain(LinkKind::Rater, key(Link::Rater)),
            plain(LinkKind::Phone, key(Link::Phone)),
            plain(LinkKind::Case, key(Link::Case)),
            plain(LinkKind::Verdict, rating.features.int(f::GROUP_CAMPAIGN).map(|campaign| campaign as u64)),
        ];
        for link in links.into_iter().flatten().chain(bands) {
            self.link(sequence, at, &link)?;
        }
        if let Some(network) = key(Link::Ip).or(key(Link::Subnet)).filter(|_| !is_shared) {
            let hour = at.div_euclid(HOUR_MS) as u64;
            self.link_weakly(sequence, mix(network ^ mix(target)) ^ mix(hour))?;
        }
        Ok(())
    }

    /// The look-back put a member into a campaign of verdicts.
    pub fn join_verdict(
        &mut self,
        sequence: u64,
        rating: &RatingEntry,
        campaign: u64,
    ) -> Result<(), ProjectionError> {
        let at = rating.observation.submitted_at.ms();
        let link = Key { kind: LinkKind::Verdict, key: campaign, lanes: None };
        self.link(sequence as i64, at, &link)
    }

    /// A member's case was written.
    pub fn touch(&mut self, sequence: u64) -> Result<(), ProjectionError> {
        self.touched.extend(self.group_of(sequence as i64)?);
        Ok(())
    }

    /// What linked a member is erased.
    pub fn leave(&mut self, sequence: u64) -> Result<(), ProjectionError> {
        self.touch(sequence)?;
        for statement in [
            "DELETE FROM member WHERE rating_sequence = ?1",
            "DELETE FROM link WHERE rating_sequence = ?1",
            "DELETE FROM weak WHERE rating_sequence = ?1",
        ] {
            self.db.prepare_cached(statement)?.execute([sequence as i64])?;
        }
        Ok(())
    }

    /// Links a member to whoever had the link last, and leaves it the link.
    fn link(&mut self, sequence: i64, at: i64, link: &Key) -> Result<(), ProjectionError> {
        let (kind, key) = (link.kind as u8, link.key as i64);
        let found = self
            .db
            .prepare_cached("SELECT rating_sequence, at, lanes FROM link WHERE kind = ?1 AND key = ?2")?
            .query_row(params![kind, key], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<[u8; 32]>>(2)?))
            })
            .optional()?;
        if let Some((other, other_at, lanes)) = found {
            if other == sequence {
                return Ok(());
            }
            let alike = match (&link.lanes, lanes) {
                (Some(mine), Some(theirs)) => are_alike(mine, &theirs),
                _ => true,
            };
            if alike && at.abs_diff(other_at) <= REACH_MS as u64 {
                self.merge(sequence, other)?;
                if let LinkKind::Text = link.kind {
                    // It says what the other says: one text.
                    self.db
                        .prepare_cached(
                            "UPDATE member SET text = (SELECT text FROM member WHERE rating_sequence = ?2)
                             WHERE rating_sequence = ?1",
                        )?
                        .execute([sequence, other])?;
                }
            }
            if other_at > at {
                return Ok(());
            }
        }
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO link (kind, key, rating_sequence, at, lanes) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![kind, key, sequence, at, link.lanes.as_ref().map(bytes_of)])?;
        Ok(())
    }

    fn link_weakly(&mut self, sequence: i64, key: u64) -> Result<(), ProjectionError> {
        self.db
            .prepare_cached("INSERT OR IGNORE INTO weak VALUES (?1, ?2)")?
            .execute([key as i64, sequence])?;
        let others: Vec<i64> = self
            .db
            .prepare_cached(
                "SELECT rating_sequence FROM weak WHERE key = ?1 AND rating_sequence <> ?2
                 ORDER BY rating_sequence LIMIT ?3",
            )?
            .query_map(params![key as i64, sequence, WEAK_LEAST as i64], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if others.len() + 1 >= WEAK_LEAST {
            // Those before the last of them are linked already, unless this is the one that makes them enough.
            for other in others {
                self.merge(sequence, other)?;
            }
        }
        Ok(())
    }

    fn group_of(&self, sequence: i64) -> Result<Option<i64>, ProjectionError> {
        Ok(self
            .db
            .prepare_cached("SELECT grp FROM member WHERE rating_sequence = ?1")?
            .query_row([sequence], |row| row.get(0))
            .optional()?)
    }

    /// Makes one group of two members' groups, unless that is too large.
    fn merge(&mut self, one: i64, other: i64) -> Result<(), ProjectionError> {
        let (Some(one), Some(other)) = (self.group_of(one)?, self.group_of(other)?) else { return Ok(()) };
        if one == other {
            return Ok(());
        }
        let size = |group: i64| {
            self.db
                .prepare_cached("SELECT size FROM grp WHERE id = ?1")?
                .query_row([group], |row| row.get::<_, i64>(0))
        };
        let sizes = (size(one)?, size(other)?);
        if sizes.0 + sizes.1 > GROUP_MAX as i64 {
            return Ok(());
        }
        let one_stays = sizes.0 > sizes.1 || (sizes.0 == sizes.1 && one < other);
        let (stays, goes) = if one_stays { (one, other) } else { (other, one) };
        self.db.prepare_cached("UPDATE member SET grp = ?1 WHERE grp = ?2")?.execute([stays, goes])?;
        self.db
            .prepare_cached("UPDATE grp SET size = ?2 WHERE id = ?1")?
            .execute([stays, sizes.0 + sizes.1])?;
        self.db.prepare_cached("DELETE FROM grp WHERE id = ?1")?.execute([goes])?;
        self.db.prepare_cached("DELETE FROM grp_office WHERE grp = ?1")?.execute([goes])?;
        self.touched.remove(&goes);
        self.touched.insert(stays);
        Ok(())
    }

    /// Counts the groups that changed.
    pub fn finish(self) -> Result<(), ProjectionError> {
        for &group in &self.touched {
            count_group(self.db, group)?;
        }
        Ok(())
    }
}

fn count_group(db: &Connection, group: i64) -> Result<(), ProjectionError> {
    db.prepare_cached("DELETE FROM grp_office WHERE grp = ?1")?.execute([group])?;
    let (size, first): (i64, Option<i64>) = db
        .prepare_cached("SELECT count(*), min(rating_sequence) FROM member WHERE grp = ?1")?
        .query_row([group], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(first) = first else {
        db.prepare_cached("DELETE FROM grp WHERE id = ?1")?.execute([group])?;
        return Ok(());
    };
    // Written whole: the other columns take their defaults.
    db.prepare_cached("INSERT OR REPLACE INTO grp (id, first, size) VALUES (?1, ?2, ?3)")?
        .execute([group, first, size])?;
    if size < CAMPAIGN_SIZE as i64 {
        return Ok(());
    }
    let (open, most_urgent): (i64, Option<i64>) = db
        .prepare_cached(
            "SELECT coalesce(sum(c.open), 0), min(iif(c.open = 1, c.rank, NULL))
             FROM member m JOIN cases c USING (rating_sequence) WHERE m.grp = ?1",
        )?
        .query_row([group], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rank = most_urgent.map_or(0, |rank| campaign_rank(rank, open as u64));
    db.prepare_cached(
        "UPDATE grp SET (open, bad, began, ended, raters, with_rater, devices, with_device, texts, with_text,
            networks, with_network, targets, matched, deadline) =
            (SELECT ?2, coalesce(sum(c.bad), 0), min(m.at), max(m.at),
                count(DISTINCT m.rater), count(m.rater), count(DISTINCT m.device), count(m.device),
                count(DISTINCT m.text), count(m.text), count(DISTINCT m.network), count(m.network),
                count(DISTINCT m.target), sum(m.matched), coalesce(min(iif(c.open = 1, c.deadline, NULL)), 0)
             FROM member m LEFT JOIN cases c USING (rating_sequence) WHERE m.grp = ?1),
            rank = ?3
         WHERE id = ?1",
    )?
    .execute([group, open, rank])?;
    db.prepare_cached(
        "INSERT INTO grp_office (grp, department, district, open)
         SELECT ?1, c.department, coalesce(c.district, ''), sum(c.open)
         FROM member m JOIN cases c USING (rating_sequence) WHERE m.grp = ?1 GROUP BY 2, 3",
    )?
    .execute([group])?;
    Ok(())
}

/// Whether many people use the device or network by design.
fn is_shared_device(rating: &RatingEntry) -> bool {
    let class = rating
        .features
        .int(f::DEVICE_CLASS)
        .and_then(|class| f::DEVICE_CLASSES.get(usize::try_from(class).ok()?));
    matches!(class, Some(&"official" | &"helper" | &"phone_line"))
        || rating.observation.device.terminal.is_some()
}

/// Keys under which comments about one target meet if they may be alike: four bands of two lanes.
fn bands_of(lanes: &[u32; 8], target: u64) -> [u64; 4] {
    std::array::from_fn(|band| {
        let joined = u64::from(lanes[2 * band]) << 32 | u64::from(lanes[2 * band + 1]);
        mix(joined ^ mix(target ^ band as u64))
    })
}

fn bytes_of(lanes: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, lane) in bytes.chunks_exact_mut(4).zip(lanes) {
        chunk.copy_from_slice(&lane.to_le_bytes());
    }
    bytes
}

fn are_alike(mine: &[u32; 8], theirs: &[u8; 32]) -> bool {
    let agree = mine.iter().zip(theirs.chunks_exact(4)).filter(|(lane, bytes)| lane.to_le_bytes() == **bytes);
    agree.count() >= LANES_ALIKE
}
