//! Step (d): the committer. It gives ratings their place in the log, in input order, makes them
//! durable in groups, and only then lets the answers go.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::answer::{Answer, Reply};
use super::folds::Folds;
use super::render;
use super::standing::Standing;
use super::worker::{Judged, JudgedBatch, NewRating};
use super::{ServiceError, Shared};
use crate::features::case::{EarlierRating, rating_fingerprint};
use crate::log::entry::{ActivationEntry, Evidence, RatingEntry, RatingFlags, RevisionEntry, RevisionSource, Subject};
use crate::log::{EncodedRecord, Entry};
use crate::policy::BudgetDecision;
use crate::scoring::Ruling;
use crate::time::Instant;
use crate::verdict::{Contribution, VerdictBody};
use crate::wire::{Decision, ReasonSource, Suspicion};

/// Where an ordered stream's lines go ([`Reply::Line`]).
pub trait Output: Send {
    /// The answer to a line. Called in the order of the lines.
    ///
    /// # Errors
    /// It cannot be written; the service stops.
    fn answer(&mut self, line: u64, answer: &Answer) -> std::io::Result<()>;

    /// A revision that the line before it brought about, as JSON.
    ///
    /// # Errors
    /// As [`Output::answer`].
    fn revision(&mut self, json: &[u8]) -> std::io::Result<()>;
}

/// What waits to be said once the group is durable.
enum Pending {
    Verdict { body: VerdictBody, sequence: u64, reply: Reply },
    Repeat { rating_id: String, reply: Reply },
    Done { answer: Answer, reply: Reply },
    Revision { body: VerdictBody, sequence: u64 },
}

/// One group on its way into the log.
#[derive(Default)]
struct Group {
    records: Vec<EncodedRecord>,
    /// The entries of the group, in the order of `records`.
    entries: Vec<Entry>,
    /// Position in the group of the ratings by fingerprint.
    ratings: HashMap<u64, usize>,
    /// What this group revises, by the rating's sequence.
    revised: HashMap<u64, Standing>,
    pending: Vec<Pending>,
    comments: Vec<(compact_str::CompactString, crate::pseudonym::Comment)>,
    batches: usize,
}

/// The one thread that appends.
pub struct Committer {
    shared: Arc<Shared>,
    folds: Folds,
    output: Option<Box<dyn Output>>,
    group: Group,
    next_sequence: u64,
}

impl Committer {
    /// A committer that goes on after the log's last entry.
    pub fn new(
        shared: Arc<Shared>,
        folds: Folds,
        output: Option<Box<dyn Output>>,
    ) -> Self {
        let next_sequence = shared.log.next_sequence();
        Self { shared, folds, output, group: Group::default(), next_sequence }
    }

    /// Runs until every worker is gone and every batch is answered.
    ///
    /// # Errors
    /// The log, the vault or the output failed. Nothing of the failed group was answered.
    pub fn run(mut self, batches: &Receiver<JudgedBatch>) -> Result<Folds, ServiceError> {
        let mut waiting = BTreeMap::new();
        let mut next_batch = 0;
        while let Ok((number, batch)) = batches.recv() {
            waiting.insert(number, batch);
            // What came meanwhile shares this group's sync.
            waiting.extend(batches.try_iter());
            while let Some(batch) = waiting.remove(&next_batch) {
                next_batch += 1;
                self.group.batches += 1;
                for judged in batch {
                    self.take(judged)?;
                }
            }
            self.commit()?;
        }
        Ok(self.folds)
    }

    fn take(&mut self, judged: Judged) -> Result<(), ServiceError> {
        match judged {
            Judged::New(new) => self.take_new(*new)?,
            Judged::Repeat { rating_id, reply } => self.group.pending.push(Pending::Repeat { rating_id, reply }),
            Judged::Done { answer, reply } => self.group.pending.push(Pending::Done { answer, reply }),
            Judged::Activated(ruling, at) => self.activate(&ruling, at),
            Judged::Tick(now) => self.lapse(now)?,
        }
        Ok(())
    }

    fn push(&mut self, record: EncodedRecord, entry: Entry) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.group.records.push(record);
        self.group.entries.push(entry);
        sequence
    }

    fn activate(&mut self, ruling: &Ruling, at: Instant) {
        let entry = ActivationEntry {
            subject: Subject::Rules,
            version: ruling.version(),
            files: ruling.sources().iter().map(|s| (s.name.clone(), s.text.clone().into_bytes())).collect(),
            at,
            by: "operator".to_owned(),
        };
        let record = entry.encode();
        self.push(record, Entry::Activation(entry));
    }

    fn take_new(&mut self, new: NewRating) -> Result<(), ServiceError> {
        let NewRating { mut entry, mut record, mut body, comment, earlier, ruling, reply } = new;
        let at = entry.outcome.scored_at;
        let sequence = self.next_sequence;
        let mut admit_instead = None;
        if entry.outcome.decision == Decision::Hold && entry.observation.is_bad() {
            match self.folds.budget.offer(at, sequence, entry.outcome.risk) {
                BudgetDecision::Keep => {}
                BudgetDecision::AdmitOther(other) => admit_instead = Some(other),
                BudgetDecision::AdmitThis => {
                    entry.outcome.decision = Decision::Admit;
                    entry.outcome.reasons.push(policy_reason("hold-budget"));
                    entry.flags = entry.flags.with(RatingFlags::OVER_BUDGET).with(RatingFlags::SECOND_LOOK);
                    record = entry.encode(ruling.catalogue());
                    body = render::rating(&entry, &ruling, &self.shared.appeals);
                }
            }
        }
        if let Some(comment) = comment {
            self.group.comments.push((entry.observation.rating_id.clone(), comment));
        }
        let fingerprint = rating_fingerprint(&entry.observation.rating_id);
        self.group.ratings.insert(fingerprint, self.group.entries.len());
        self.push(record, Entry::Rating(Box::new(entry)));
        self.group.pending.push(Pending::Verdict { body, sequence, reply });
        if let Some((earlier, code)) = earlier {
            self.hold_earlier(earlier, code, at)?;
        }
        if let Some(other) = admit_instead {
            self.revise(other, Decision::Admit, RevisionSource::Lapse, "hold-budget", at)?;
        }
        Ok(())
    }

    /// Holds the rating that stood for the occasion before, if it is admitted and no person said so.
    fn hold_earlier(&mut self, earlier: EarlierRating, code: &'static str, at: Instant) -> Result<(), ServiceError> {
        let sequence = match self.group.ratings.get(&earlier.fingerprint) {
            Some(&position) => Some(self.group_start() + position as u64),
            None => self.shared.log.find_rating(earlier.fingerprint)?.first().copied(),
        };
        match sequence {
            Some(sequence) => self.revise(sequence, Decision::Hold, RevisionSource::Contest, code, at),
            // The log no longer has it, so there is nothing in the figures to withhold.
            None => Ok(()),
        }
    }

    fn group_start(&self) -> u64 {
        self.next_sequence - self.group.entries.len() as u64
    }

    fn entry_at(&self, sequence: u64) -> Result<RatingEntry, ServiceError> {
        let in_group = sequence.checked_sub(self.group_start()).and_then(|i| self.group.entries.get(i as usize));
        let entry = match in_group {
            Some(entry) => entry.clone(),
            None => self.shared.log.read(sequence)?,
        };
        match entry {
            Entry::Rating(entry) => Ok(*entry),
            _ => Err(ServiceError::NotARating(sequence)),
        }
    }

    /// Revises a rating's decision, unless it stands so already or a person decided it.
    fn revise(
        &mut self,
        sequence: u64,
        decision: Decision,
        source: RevisionSource,
        code: &'static str,
        at: Instant,
    ) -> Result<(), ServiceError> {
        let rating = self.entry_at(sequence)?;
        let standing = self.group.revised.get(&sequence).copied();
        let standing = standing.or_else(|| self.shared.standing(sequence));
        let (number, previous, by_person) =
            standing.map_or((0, rating.outcome.decision, false), |s| (s.revision, s.decision, s.by_person));
        if previous == decision || by_person {
            return Ok(());
        }
        let number = number + 1;
        let mut reasons = vec![policy_reason(code)];
        reasons.extend(rating.outcome.reasons.iter().cloned());
        // A machine holds an admitted rating for its case alone, which is what `duplicate` says.
        let suspicion = (decision == Decision::Hold).then_some(Suspicion::Duplicate);
        let revision = RevisionEntry {
            rating: rating.public(),
            rating_sequence: sequence,
            revision: number,
            previous,
            decision,
            source,
            at,
            evidence: Some(Evidence {
                suspicion: rating.outcome.suspicion.or(suspicion),
                risk: rating.outcome.risk,
                reasons,
                nonce: Evidence::nonce(&rating.observation.digest, number),
            }),
        };
        let body = self.shared.render_revision(&revision, &rating);
        let record = revision.encode();
        let place = self.push(record, Entry::Revision(Box::new(revision)));
        let standing = Standing { revision: number, decision, by_person: false, sequence: place };
        self.group.revised.insert(sequence, standing);
        self.group.pending.push(Pending::Revision { body, sequence: place });
        Ok(())
    }

    /// Admits what nobody decided in time.
    fn lapse(&mut self, now: Instant) -> Result<(), ServiceError> {
        let due: Vec<u64> = self.folds.pending.due(now).collect();
        for sequence in due {
            self.revise(sequence, Decision::Admit, RevisionSource::Lapse, "hold-lapsed", now)?;
        }
        Ok(())
    }

    /// Makes the group durable, folds it, and lets its answers go.
    fn commit(&mut self) -> Result<(), ServiceError> {
        let group = std::mem::take(&mut self.group);
        if !group.comments.is_empty() {
            let sealed: Vec<(&str, &str)> =
                group.comments.iter().map(|(id, comment)| (id.as_str(), comment.expose_for_sealing())).collect();
            self.shared.vault().append_group(&sealed, self.shared.vault_day())?;
        }
        if !group.records.is_empty() {
            let started = std::time::Instant::now();
            let range = self.shared.log.append(&group.records)?;
            self.shared.metrics.synced(started.elapsed());
            debug_assert_eq!(range.end, self.next_sequence);
            for (sequence, entry) in range.clone().zip(&group.entries) {
                self.folds.apply(sequence, entry);
            }
            self.shared.publish(range.end, &self.folds);
        }
        for pending in group.pending {
            self.say(pending)?;
        }
        self.shared.intake.finished(group.batches);
        Ok(())
    }

    fn say(&mut self, pending: Pending) -> Result<(), ServiceError> {
        let (answer, reply) = match pending {
            Pending::Verdict { body, sequence, reply } => (Answer::Verdict(body.finish(sequence, None)), reply),
            Pending::Repeat { rating_id, reply } => (self.shared.first_verdict(&rating_id)?, reply),
            Pending::Done { answer, reply } => (answer, reply),
            Pending::Revision { body, sequence } => {
                if let Some(output) = &mut self.output {
                    output.revision(&body.finish(sequence, None))?;
                }
                return Ok(());
            }
        };
        match reply {
            Reply::Call(answered) => answered(answer),
            Reply::Line(line) => {
                if let Some(output) = &mut self.output {
                    output.answer(line, &answer)?;
                }
            }
        }
        Ok(())
    }
}

fn policy_reason(code: &'static str) -> Contribution {
    Contribution { code: code.into(), source: ReasonSource::Policy, weight: 0.0 }
}
