//! Which entries of the shared log stand: a fold that comes out the same on every node.
//!
//! Nodes append without asking each other, so two may give a verdict on one rating, or revise one decision
//! twice. The first in the order of the topic stands; what comes after it is skipped, here and everywhere.
//!
//! | Record | stands if |
//! |---|---|
//! | rating | the log has none with its `rating_id` |
//! | revision | its number is the next of its rating |
//! | what a person did, and what it led to | the log has as many entries about the rating as the person's node saw |
//! | activation | another version is in force |
//!
//! A group that was sent twice stands once. What stands gets the next sequence; so sequence, chain and figures
//! are those of an embedded log that was given the same entries.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::group::Header;
use crate::hashed::HashedMap;
use crate::log::entry::{Entry, Subject};
use crate::log::record::{PROVISIONAL, Record, kind};
use crate::log::{DecodeError, EncodedRecord, Log, LogError};
use crate::version::Version;

/// Incarnations whose latest group is remembered. One that is silent for so many starts of nodes sends
/// nothing again.
const INCARNATIONS_MAX: usize = 1_024;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has this sequence.
    Stands(u64),
    /// It is skipped; for a rating, the sequence of the one with its id.
    Skipped(Option<u64>),
}

/// What a group became.
#[derive(Debug)]
pub struct Settled {
    /// The sequence of the first record that stands.
    pub first: u64,
    /// What stands, in order, with its number in the group and whether a sequence in it was put right.
    pub standing: Vec<Standing>,
    /// Of each record of the group.
    pub fates: Vec<Fate>,
    /// It had been read before: its sender sent it again.
    pub repeated: bool,
}

/// A record that stands.
#[derive(Debug)]
pub struct Standing {
    /// Its number in the group.
    pub number: usize,
    /// It, with the sequences that it has in the log.
    pub record: EncodedRecord,
    /// Whether it differs from what was sent.
    pub renumbered: bool,
}

/// What decides which entries stand, as far as it does not follow from the entries themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// The next sequence.
    next: u64,
    /// The latest group of each incarnation, those that began last at the end.
    incarnations: VecDeque<([u8; 16], u64)>,
    /// Versions in force by [`Subject`].
    in_force: BTreeMap<u8, [u8; 8]>,
    /// Offsets to go on from, by partition of the intake topic.
    intake: BTreeMap<u32, u64>,
}

/// What a group adds before it is in the log.
#[derive(Default)]
struct Added(HashedMap<Vec<Addition>>);

struct Addition {
    sequence: u64,
    /// The rating's id.
    rating_id: String,
    /// Number of the revision; 0 for other records.
    revision: u32,
}

impl Replica {
    /// The next sequence.
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Offsets to go on from, by partition of the intake topic.
    pub fn intake(&self) -> &BTreeMap<u32, u64> {
        &self.intake
    }

    /// The version in force of something.
    pub fn in_force(&self, subject: Subject) -> Option<Version> {
        self.in_force.get(&(subject as u8)).map(|&version| Version(version))
    }

    /// Whether the group, or a later one of its incarnation, was settled before.
    pub fn repeats(&self, header: &Header) -> bool {
        let known = self.incarnations.iter().rev().find(|(known, _)| *known == header.incarnation);
        known.is_some_and(|&(_, latest)| header.number <= latest)
    }

    fn note(&mut self, header: &Header) {
        match self.incarnations.iter_mut().rev().find(|(known, _)| *known == header.incarnation) {
            Some((_, latest)) => *latest = header.number,
            None => {
                if self.incarnations.len() == INCARNATIONS_MAX {
                    self.incarnations.pop_front();
                }
                self.incarnations.push_back((header.incarnation, header.number));
            }
        }
    }

    /// Settles the next group of the topic. `log` holds all that stands before it; what it holds beyond that
    /// is not looked at, so that a topic that is read again settles as it did.
    ///
    /// # Errors
    /// The log cannot be read, or a record is none that this program knows.
    pub fn settle(
        &mut self,
        log: &dyn Log,
        header: &Header,
        records: Vec<EncodedRecord>,
    ) -> Result<Settled, LogError> {
        let first = self.next;
        let mut settled = Settled {
            first,
            standing: Vec::with_capacity(records.len()),
            fates: Vec::with_capacity(records.len()),
            repeated: self.repeats(header),
        };
        if settled.repeated {
            settled.fates.resize(records.len(), Fate::Skipped(None));
            return Ok(settled);
        }
        let in_force = self.in_force.clone();
        let expected: HashedMap<u32> =
            header.expectations.iter().map(|&(record, entries)| (u64::from(record), entries)).collect();
        let mut added = Added::default();
        for (number, record) in records.into_iter().enumerate() {
            let next = self.next;
            let undecodable = move |source| LogError::Undecodable { sequence: next, source };
            let fates = &settled.fates;
            let place = |sequence: u64| match sequence.checked_sub(PROVISIONAL) {
                None => sequence,
                // A reference to a skipped record is to the one that stands instead; to nothing, if none does.
                Some(within) => match fates.get(within as usize) {
                    Some(&Fate::Stands(sequence) | &Fate::Skipped(Some(sequence))) => sequence,
                    _ => u64::MAX,
                },
            };
            let parsed = Record::parse(record.bytes()).map_err(undecodable)?;
            let expected = expected.get(&(number as u64)).copied();
            let fate = self.fate(log, &added, &in_force, &parsed, expected).map_err(|error| match error {
                Problem::Log(error) => error,
                Problem::Record(source) => undecodable(source),
            })?;
            if let Fate::Stands(sequence) = fate {
                let renumbered = parsed.renumbered(place).map_err(undecodable)?;
                added.note(sequence, &parsed).map_err(undecodable)?;
                let (record, renumbered) = match renumbered {
                    Some(renumbered) => (renumbered, true),
                    None => (record, false),
                };
                settled.standing.push(Standing { number, record, renumbered });
                self.next += 1;
            }
            settled.fates.push(fate);
        }
        self.note(header);
        for &(partition, next) in &header.intake {
            let reached = self.intake.entry(partition).or_default();
            *reached = next.max(*reached);
        }
        Ok(settled)
    }

    fn fate(
        &mut self,
        log: &dyn Log,
        added: &Added,
        in_force: &BTreeMap<u8, [u8; 8]>,
        record: &Record<'_>,
        expected: Option<u32>,
    ) -> Result<Fate, Problem> {
        let stands = Fate::Stands(self.next);
        let rating_id = record.rating_id()?.unwrap_or_default();
        let about = |log: &dyn Log| -> Result<Vec<u64>, LogError> {
            Ok(log.find_rating(rating_id)?.into_iter().filter(|&sequence| sequence < self.next).collect())
        };
        if let Some(expected) = expected {
            let entries = about(log)?.len() + added.about(rating_id).count();
            return Ok(if entries == expected as usize { stands } else { Fate::Skipped(None) });
        }
        match record.kind() {
            kind::RATING => {
                let earlier = about(log)?.first().copied();
                let earlier = earlier.or_else(|| added.about(rating_id).next().map(|first| first.sequence));
                Ok(earlier.map_or(stands, |earlier| Fate::Skipped(Some(earlier))))
            }
            kind::REVISION => {
                let number = record.revision()?.unwrap_or_default();
                let within = added.about(rating_id).map(|addition| addition.revision).max().unwrap_or(0);
                let mut latest = within;
                if latest == 0 {
                    for sequence in about(log)?.into_iter().rev() {
                        if let Some(Entry::Revision(revision)) = log.read(sequence)? {
                            latest = revision.revision;
                            break;
                        }
                    }
                }
                let is_there = !about(log)?.is_empty() || added.about(rating_id).next().is_some();
                Ok(if is_there && number == latest + 1 { stands } else { Fate::Skipped(None) })
            }
            kind::ACTIVATION => {
                let Entry::Activation(entry) = record.entry()? else { return Ok(Fate::Skipped(None)) };
                let subject = entry.subject as u8;
                if in_force.get(&subject) == Some(&entry.version.0) {
                    return Ok(Fate::Skipped(None));
                }
                self.in_force.insert(subject, entry.version.0);
                Ok(stands)
            }
            kind::REVIEW => Ok(Fate::Skipped(None)),
            // The fold of them takes those that are in order.
            kind::LEARNING => Ok(stands),
            _ => Err(Problem::Record(DecodeError {
                field: "kind",
                problem: "is of a later version of the program; upgrade this node",
            })),
        }
    }
}

enum Problem {
    Log(LogError),
    Record(DecodeError),
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl From<DecodeError> for Problem {
    fn from(error: DecodeError) -> Self {
        Self::Record(error)
    }
}

impl Added {
    /// What the group has about a rating so far, in order.
    fn about(&self, rating_id: &str) -> impl Iterator<Item = &Addition> {
        let under = self.0.get(&crate::log::record::rating_fingerprint(rating_id));
        under.into_iter().flatten().filter(move |addition| addition.rating_id == rating_id)
    }

    fn note(&mut self, sequence: u64, record: &Record<'_>) -> Result<(), DecodeError> {
        let Some(rating_id) = record.rating_id()? else { return Ok(()) };
        let revision = record.revision()?.unwrap_or_default();
        let addition = Addition { sequence, rating_id: rating_id.to_owned(), revision };
        self.0.entry(crate::log::record::rating_fingerprint(rating_id)).or_default().push(addition);
        Ok(())
    }
}
