//! The door for people: acts about cases, and cases with all that stands about them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::commit::{ReviewRequest, Reviewed};
use super::{Service, ServiceError, Shared, lock, render, worker};
use crate::features::case::rating_fingerprint;
use crate::log::entry::RatingEntry;
use crate::log::record::Record;
use crate::log::{Digest, Entry, Log, LogError};
use crate::policy::Held;
use crate::review::CaseState;
use crate::verdict::Reason;

use super::worker::Submission;

/// Cases that the committer takes at once: some tens of milliseconds.
const PORTION: usize = 250;

/// One case with everything that the log has about it.
pub struct CaseFile {
    /// Sequence of the rating's entry.
    pub sequence: u64,
    /// The rating's entry.
    pub rating: RatingEntry,
    /// The entries about it in log order, its own first.
    pub entries: Vec<(u64, Entry)>,
    /// What stands.
    pub state: CaseState,
    /// Its clock, where it is on hold.
    pub held: Option<Held>,
}

/// A value that was seen when a rating was scored.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenValue {
    /// The feature.
    pub name: String,
    /// What it means, in Chinese and in English.
    pub meaning: (String, String),
    /// The value, with its unit.
    pub value: String,
}

impl Service {
    /// Does something about cases, each of which is taken by itself; waits until it is durable. Blocks.
    ///
    /// Many cases go to the committer in portions, so that ratings do not wait for all of them.
    ///
    /// # Errors
    /// The service is stopping, or its log failed; of several portions the first may be done.
    pub fn review(&self, mut request: ReviewRequest) -> Result<Vec<Reviewed>, ServiceError> {
        let mut seen = HashSet::new();
        let mut ids = std::mem::take(&mut request.rating_ids);
        ids.retain(|id| seen.insert(id.clone()));
        let mut reviewed = Vec::with_capacity(ids.len());
        for portion in ids.chunks(PORTION) {
            reviewed.extend(
                self.review_portion(ReviewRequest { rating_ids: portion.to_vec(), ..request.clone() })?,
            );
        }
        Ok(reviewed)
    }

    fn review_portion(&self, request: ReviewRequest) -> Result<Vec<Reviewed>, ServiceError> {
        let (done, answer) = std::sync::mpsc::channel();
        let reply = Box::new(move |reviewed| drop(done.send(reviewed)));
        worker::go_ahead(&self.shared, Submission::Review(Box::new(request), reply))
            .map_err(|_| ServiceError::Stopping)?;
        answer.recv().map_err(|_| ServiceError::Stopping)
    }

    /// A case by its rating's id; `None` if there is no such rating, or it is erased. Blocks on the disk.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn case_file(&self, rating_id: &str) -> Result<Option<CaseFile>, ServiceError> {
        self.shared.case_file(rating_id)
    }

    /// The comment of a rating; `None` if it had none or it is erased. Blocks on the disk.
    ///
    /// # Errors
    /// The vault cannot be read.
    pub fn comment(&self, rating_id: &str) -> Result<Option<String>, ServiceError> {
        Ok(self.shared.vault.comment(rating_id)?)
    }

    /// An entry of the log. Blocks on the disk.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn entry(&self, sequence: u64) -> Result<Option<Entry>, ServiceError> {
        Ok(self.shared.log.read(sequence)?)
    }

    /// The leaf of an entry in the chain. Blocks on the disk.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn leaf(&self, sequence: u64) -> Result<Option<Digest>, ServiceError> {
        let Some(bytes) = self.shared.log.record(sequence)? else { return Ok(None) };
        let record = Record::parse(&bytes).map_err(|source| LogError::Undecodable { sequence, source })?;
        Ok(Some(record.leaf()))
    }

    /// Signs evidence with the directory's key.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn sign_evidence(&self, content: &Value) -> Result<Vec<u8>, serde_json::Error> {
        self.shared.evidence.sign(content)
    }

    /// The public key that checks signed evidence, in hexadecimal digits.
    pub fn evidence_key(&self) -> String {
        self.shared.evidence.public()
    }

    /// What somebody wrote about a rating; empty if it cannot be opened any more.
    pub fn open_words(&self, sealed: &str, rating_id: &str) -> String {
        self.shared.words.open(sealed, rating_id).unwrap_or_default()
    }

    /// The reasons that stand for a case, as a verdict has them.
    ///
    /// # Errors
    /// The rules that it was judged by are gone.
    pub fn reasons_of<'c>(&self, case: &'c CaseFile) -> Result<Vec<Reason<'c>>, ServiceError> {
        let ruling = self.shared.ruling_of(&case.rating)?;
        let latest = case.entries.iter().rev().find_map(|(_, entry)| match entry {
            Entry::Revision(revision) => Some(revision),
            _ => None,
        });
        let (contributions, features) = match latest.and_then(|revision| revision.evidence.as_ref()) {
            Some(evidence) => (&evidence.reasons, render::with_figures(&case.rating.features, evidence)),
            None => (&case.rating.outcome.reasons, case.rating.features.clone()),
        };
        Ok(render::reasons(contributions, &features, ruling.rules(), ruling.catalogue()))
    }

    /// The values that a rating was judged on, each in a sentence, in the catalogue's order.
    ///
    /// # Errors
    /// The rules that it was judged by are gone.
    pub fn values_of(&self, rating: &RatingEntry) -> Result<Vec<SeenValue>, ServiceError> {
        let ruling = self.shared.ruling_of(rating)?;
        let catalogue = ruling.catalogue();
        let values: Map<String, Value> = render::features(&rating.features, catalogue);
        Ok(catalogue
            .iter()
            .take_while(|(id, _)| id.index() < rating.features.len())
            .filter_map(|(_, feature)| {
                let value = match values.get(&feature.name)? {
                    Value::String(name) => name.clone(),
                    Value::Number(number) => match number.as_f64() {
                        Some(number) if number.fract() != 0.0 => format!("{number:.3}"),
                        _ => number.to_string(),
                    },
                    other => other.to_string(),
                };
                Some(SeenValue {
                    name: feature.name.clone(),
                    meaning: (feature.meaning.zh.clone(), feature.meaning.en.clone()),
                    value: if feature.unit.is_empty() { value } else { format!("{value} {}", feature.unit) },
                })
            })
            .collect())
    }
}

impl Shared {
    /// Whether somebody has to decide about the rating at a sequence. Only a flagged rating or one with acts about
    /// it can be such a case besides those on hold, so most are answered without a look at others.
    pub(super) fn is_open_case(&self, sequence: u64) -> bool {
        let Ok(Some(Entry::Rating(rating))) = self.log.read(sequence) else { return false };
        let id = &rating.observation.rating_id;
        if !rating.flags.want_review() && self.log.find_fingerprint(rating_fingerprint(id)).len() < 2 {
            return false;
        }
        matches!(self.case_of(id, u64::MAX), Ok(Some(case)) if case.state().is_open())
    }

    pub(super) fn case_file(&self, rating_id: &str) -> Result<Option<CaseFile>, ServiceError> {
        let Some(case) = self.case_of(rating_id, u64::MAX)? else { return Ok(None) };
        let state = case.state();
        let held = lock(&self.folds).pending.get(case.sequence).cloned();
        Ok(Some(CaseFile {
            sequence: case.sequence,
            rating: case.rating,
            entries: case.entries,
            state,
            held,
        }))
    }
}
