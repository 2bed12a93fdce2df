//! What can be asked of a service: verdicts, feeds, what happened of late.

use std::collections::VecDeque;

use serde_json::Value;

use super::{Service, ServiceError, Shared, render};
use crate::log::entry::{Act, RatingEntry, RevisionEntry};
use crate::log::{Entry, Log, LogError};
use crate::review::CaseState;
use crate::verdict::{Current, VerdictBody};
use crate::wire::Decision;

/// Part of a feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// In the order of the log, with their sequences.
    pub items: Vec<(u64, T)>,
    /// The sequence to go on from.
    pub next: u64,
}

/// Entries that one call may look through: a feed of rare things must not read the whole log at once.
const SCAN_MAX: usize = 100_000;

/// The latest verdicts that were not plain admissions, for the live page.
#[derive(Debug, Default)]
pub(super) struct Recent(pub VecDeque<(u64, Entry)>);

/// How many of them are kept.
const RECENT_MAX: usize = 20;

impl Recent {
    /// Notes an entry if it is worth showing.
    pub fn note(&mut self, sequence: u64, entry: &Entry) {
        let worth = match entry {
            Entry::Rating(rating) => rating.outcome.decision != Decision::Admit,
            Entry::Revision(_) => true,
            _ => false,
        };
        if worth {
            self.0.truncate(RECENT_MAX - 1);
            self.0.push_front((sequence, entry.clone()));
        }
    }
}

/// A rating with all that was done about it.
pub(super) struct Case {
    pub sequence: u64,
    pub rating: RatingEntry,
    /// The entries about it, its own first.
    pub entries: Vec<(u64, Entry)>,
}

impl Case {
    /// The later decisions about it, oldest first.
    pub fn revisions(&self) -> impl Iterator<Item = (u64, &RevisionEntry)> {
        self.entries.iter().filter_map(|(sequence, entry)| match entry {
            Entry::Revision(revision) => Some((*sequence, &**revision)),
            _ => None,
        })
    }

    /// What stands of it.
    pub fn state(&self) -> CaseState {
        let observation = &self.rating.observation;
        CaseState::of(self.entries.iter().map(|(_, entry)| entry)).unwrap_or_else(|| {
            CaseState::new(observation.is_bad(), self.rating.outcome.decision, self.rating.flags)
        })
    }
}

impl Shared {
    /// All entries about a rating before a sequence, in log order.
    pub(super) fn entries_of(&self, rating_id: &str, before: u64) -> Result<Vec<(u64, Entry)>, LogError> {
        let found = self.log.find_rating(rating_id)?.into_iter().take_while(|&found| found < before);
        let mut entries = Vec::new();
        for sequence in found {
            entries.extend(self.log.read(sequence)?.map(|entry| (sequence, entry)));
        }
        Ok(entries)
    }

    /// The entry of a rating and those about it before a sequence; `None` if it is not in the log, or
    /// erased.
    pub(super) fn case_of(&self, rating_id: &str, before: u64) -> Result<Option<Case>, ServiceError> {
        let mut case: Option<Case> = None;
        for (sequence, entry) in self.entries_of(rating_id, before)? {
            match (&mut case, &entry) {
                (None, Entry::Rating(rating)) => {
                    let rating = RatingEntry::clone(rating);
                    case = Some(Case { sequence, rating, entries: vec![(sequence, entry)] });
                }
                (Some(case), Entry::Revision(_) | Entry::Review(_)) => case.entries.push((sequence, entry)),
                _ => {}
            }
        }
        Ok(case)
    }

    /// The first verdict of a rating, with what stood before a sequence: the answer to a repeat. What
    /// came into the log after the repeat is left out, so that it does not matter how they were grouped.
    pub(super) fn first_verdict(&self, rating_id: &str, before: u64) -> Result<super::Answer, ServiceError> {
        let Some(case) = self.case_of(rating_id, before)? else {
            return Ok(super::Answer::Conflict { rating_id: rating_id.to_owned() });
        };
        let current = case
            .revisions()
            .last()
            .map(|(_, revision)| Current { revision: revision.revision, decision: revision.decision });
        Ok(super::Answer::Verdict(self.render_rating(&case.rating)?.finish(case.sequence, current)))
    }

    pub(super) fn render_rating(&self, rating: &RatingEntry) -> Result<VerdictBody, ServiceError> {
        let ruling = self.ruling_of(rating)?;
        Ok(render::rating(rating, &ruling, &self.appeals))
    }

    pub(super) fn render_revision(
        &self,
        revision: &RevisionEntry,
        rating: &RatingEntry,
    ) -> Result<VerdictBody, ServiceError> {
        let ruling = self.ruling_of(rating)?;
        Ok(render::revision(revision, rating, &ruling, &self.appeals))
    }

    fn verdict_at(&self, sequence: u64, entry: &Entry) -> Result<Option<Vec<u8>>, ServiceError> {
        match entry {
            Entry::Rating(rating) => Ok(Some(self.render_rating(rating)?.finish(sequence, None))),
            Entry::Revision(revision) => match self.log.read(revision.rating_sequence)? {
                Some(Entry::Rating(rating)) => {
                    Ok(Some(self.render_revision(revision, &rating)?.finish(sequence, None)))
                }
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Verdicts and revisions from a sequence on, at most `limit`, as the bytes of their JSON.
    pub(super) fn verdict_bytes_from(&self, from: u64, limit: usize) -> Result<Page<Vec<u8>>, ServiceError> {
        self.scan(from, limit, |sequence, entry| self.verdict_at(sequence, entry))
    }

    fn scan<T>(
        &self,
        from: u64,
        limit: usize,
        mut pick: impl FnMut(u64, &Entry) -> Result<Option<T>, ServiceError>,
    ) -> Result<Page<T>, ServiceError> {
        let mut page = Page { items: Vec::new(), next: from };
        for entry in self.log.read_from(from)?.take(SCAN_MAX) {
            let (sequence, entry) = entry?;
            if let Some(item) = pick(sequence, &entry)? {
                page.items.push((sequence, item));
            }
            page.next = sequence + 1;
            if page.items.len() >= limit {
                break;
            }
        }
        Ok(page)
    }
}

impl Service {
    /// All revisions of a rating's verdict, newest first, with the feature values that revision 0 saw;
    /// `None` if there is no such rating.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn verdicts_of(&self, rating_id: &str) -> Result<Option<Value>, ServiceError> {
        let shared = &self.shared;
        let Some(case) = shared.case_of(rating_id, u64::MAX)? else { return Ok(None) };
        let mut verdicts = Vec::new();
        for (sequence, revision) in case.revisions() {
            verdicts.push(json(shared.render_revision(revision, &case.rating)?.finish(sequence, None))?);
        }
        verdicts.reverse();
        verdicts.push(json(shared.render_rating(&case.rating)?.finish(case.sequence, None))?);
        let ruling = shared.ruling_of(&case.rating)?;
        let features = render::features(&case.rating.features, ruling.catalogue());
        Ok(Some(serde_json::json!({ "rating_id": rating_id, "verdicts": verdicts, "features": features })))
    }

    /// Verdicts and revisions from a sequence on, at most `limit`, as JSON.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn verdicts_from(&self, from: u64, limit: usize) -> Result<Page<Value>, ServiceError> {
        self.shared.scan(from, limit, |sequence, entry| match self.shared.verdict_at(sequence, entry)? {
            Some(verdict) => json(verdict).map(Some),
            None => Ok(None),
        })
    }

    /// Ids of the bad ratings from a sequence on, at most `limit`. Held or not makes no difference.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn handling_from(&self, from: u64, limit: usize) -> Result<Page<String>, ServiceError> {
        self.shared.scan(from, limit, |_, entry| {
            Ok(entry
                .rating()
                .filter(|rating| rating.is_bad() && !matches!(entry, Entry::Revision(_)))
                .map(|rating| rating.rating_id.to_string()))
        })
    }

    /// Ids of the ratings whose raters are to be called back, from a sequence on, at most `limit`.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn callbacks_from(&self, from: u64, limit: usize) -> Result<Page<String>, ServiceError> {
        self.shared.scan(from, limit, |_, entry| {
            Ok(match entry {
                Entry::Review(review) if review.act == Act::AskCallback => Some(review.rating_id.to_string()),
                _ => None,
            })
        })
    }

    /// The latest verdicts that were not plain admissions, newest first: their entries and their JSON.
    pub fn recent(&self) -> Vec<(Entry, Value)> {
        let recent: Vec<(u64, Entry)> = super::lock(&self.shared.recent).0.iter().cloned().collect();
        let verdict = |sequence, entry: &Entry| json(self.shared.verdict_at(sequence, entry).ok()??).ok();
        recent
            .into_iter()
            .filter_map(|(sequence, entry)| Some((verdict(sequence, &entry)?, entry)).map(|(v, e)| (e, v)))
            .collect()
    }
}

fn json(bytes: Vec<u8>) -> Result<Value, ServiceError> {
    serde_json::from_slice(&bytes).map_err(|error| ServiceError::Output(error.into()))
}
