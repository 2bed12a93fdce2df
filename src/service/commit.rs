//! Step (d): the committer. It gives ratings their place in the log, in input order, makes them
//! durable in groups, and only then lets the answers go.

mod look_back;
mod review;
mod revise;
mod shared_log;

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::answer::{Answer, Reply};
use super::intake::lock;
use super::render;
use super::spares::Kept;
use super::worker::{Judged, JudgedBatch, NewRating};
use super::{ServiceError, Shared, Whose, references, write};
use crate::features::case::{EarlierRating, rating_fingerprint};
use crate::hashed::HashedMap;
use crate::log::entry::{ActivationEntry, RatingEntry, RatingFlags, RevisionSource, Subject};
use crate::log::record::PROVISIONAL;
use crate::log::{EncodedRecord, Entry, Log};
use crate::lookback::Finding;
use crate::metrics::Stage;
use crate::observation::FormerNames;
use crate::policy::BudgetDecision;
use crate::scoring::{Desk, Engine, Ruling, Spare};
use crate::time::Instant;
use crate::verdict::VerdictBody;
use crate::version::Version;
use crate::wire::{Decision, Origin, Suspicion};
pub use review::{CASES_MAX, Permit, ReviewReply, ReviewRequest, Reviewed};
use revise::{Standing, Why, by_stars, policy_reason};
pub use shared_log::{Membership, SharedLog};

/// Where an ordered stream's lines go ([`Reply::Line`]).
pub trait Output: Send {
    /// The answer to a line. Called in the order of the lines.
    ///
    /// # Errors
    /// It cannot be written; the service stops.
    fn answer(&mut self, line: u64, answer: &Answer) -> std::io::Result<()>;

    /// A new rating as it went into the log, before its answer. Most outputs have no use for it.
    ///
    /// # Errors
    /// As [`Output::answer`].
    fn scored(&mut self, _rating: &RatingEntry, _ruling: &Ruling) -> std::io::Result<()> {
        Ok(())
    }

    /// A revision that the line before it brought about, as JSON.
    ///
    /// # Errors
    /// As [`Output::answer`].
    fn revision(&mut self, json: &[u8]) -> std::io::Result<()>;
}

/// What waits to be said once the group is durable.
enum Pending {
    Verdict {
        body: VerdictBody,
        sequence: u64,
        reply: Reply,
    },
    /// `before` is where the log stood when the repeat came.
    Repeat {
        rating_id: String,
        before: u64,
        reply: Reply,
    },
    Done {
        answer: Answer,
        reply: Reply,
    },
    Revision {
        body: VerdictBody,
        sequence: u64,
    },
    Reviewed {
        reviewed: Vec<Reviewed>,
        reply: ReviewReply,
    },
}

/// What the committer is woken for.
pub enum Work {
    /// Batches that are judged and sealed, in order.
    Judged(Vec<JudgedBatch>),
    /// Other nodes' groups wait.
    Came,
    /// No more comes.
    Over,
}

/// A group with more bytes than this is closed before the next rating: a broker's messages have a bound.
const GROUP_BYTES: usize = 1 << 20;

/// When something was judged, and what was known then.
#[derive(Clone, Copy)]
struct Knowledge {
    at: std::time::Instant,
    /// Entries of other nodes that the state had seen, since the start.
    others: u64,
}

/// One group on its way into the log.
#[derive(Default)]
struct Group {
    records: Vec<EncodedRecord>,
    /// Bytes of `records`.
    bytes: usize,
    /// Records that stand only if the log has so many entries about their rating: (record, entries).
    expectations: Vec<(u32, u32)>,
    /// The entries of the group, in the order of `records`.
    entries: Vec<Entry>,
    /// Position in the group of the ratings by fingerprint.
    ratings: HashedMap<usize>,
    /// The earlier rating that was read last.
    read: Option<(u64, RatingEntry)>,
    /// What this group revises, by the rating's sequence.
    revised: HashedMap<Standing>,
    pending: Vec<Pending>,
    /// How many batches of workers are in it.
    batches: usize,
    /// How much of it passed the gate.
    passed_gate: usize,
    /// When each of its calls arrived.
    arrived: Vec<std::time::Instant>,
    /// When each batch, of whatever, had been judged.
    judged_at: Vec<std::time::Instant>,
    /// What was known when the first of its records was judged; nothing came to be known less.
    knowledge: Option<Knowledge>,
}

/// The one thread that appends.
pub struct Committer {
    shared: Arc<Shared>,
    output: Option<Box<dyn Output>>,
    /// The log that this one is a copy of, where there are many nodes.
    shared_log: Option<SharedLog>,
    group: Group,
    /// What was known when the batch was judged that is being taken.
    knowledge: Option<Knowledge>,
    next_sequence: u64,
    /// Versions of the rules and of the model that the log says are in force.
    logged: [Option<Version>; 2],
    findings: Vec<Finding>,
    desk: Desk,
}

impl Committer {
    /// A committer that goes on after the log's last entry. `logged` are the versions of the rules and of
    /// the model that the log says are in force.
    pub fn new(
        shared: Arc<Shared>,
        output: Option<Box<dyn Output>>,
        shared_log: Option<SharedLog>,
        logged: [Option<Version>; 2],
    ) -> Self {
        let next_sequence = match shared_log {
            Some(_) => PROVISIONAL,
            None => shared.log.head().next_sequence,
        };
        let (group, findings, desk) = (Group::default(), Vec::new(), Desk::default());
        Self { shared, output, shared_log, group, knowledge: None, next_sequence, logged, findings, desk }
    }

    /// Runs until the sealer is gone and all that it handed on is answered.
    ///
    /// # Errors
    /// The log or the output failed. Nothing of the failed group was answered.
    pub fn run(mut self, work: &Receiver<Work>) -> Result<(), ServiceError> {
        let mut over = false;
        while !over && let Ok(first) = work.recv() {
            self.take_in()?;
            // What came during the last sync shares the next one.
            let batches = std::iter::once(first).chain(work.try_iter()).filter_map(|work| match work {
                Work::Judged(batches) => Some(batches),
                Work::Came => None,
                Work::Over => {
                    over = true;
                    None
                }
            });
            for batch in batches.flatten() {
                let JudgedBatch { judged, judged_at, others_seen, mut arrived, passed_gate, copied } = batch;
                self.knowledge = Some(Knowledge { at: judged_at, others: others_seen });
                self.group.batches += usize::from(passed_gate == 0);
                self.group.passed_gate += passed_gate;
                self.group.arrived.append(&mut arrived);
                self.group.judged_at.push(judged_at);
                for judged in judged {
                    self.take(judged)?;
                    if self.group.bytes >= GROUP_BYTES {
                        self.commit()?;
                    }
                }
                if let Some(engine) = copied {
                    // The folds must stand where the state was copied.
                    self.commit()?;
                    self.snapshot(engine);
                }
            }
            self.commit()?;
        }
        self.leave()
    }

    fn take(&mut self, judged: Judged) -> Result<(), ServiceError> {
        match judged {
            Judged::New(new) => self.take_new(new)?,
            Judged::Repeat { rating_id, reply } => {
                let before = self.next_sequence;
                self.group.pending.push(Pending::Repeat { rating_id, before, reply })
            }
            Judged::Done { answer, reply } => self.group.pending.push(Pending::Done { answer, reply }),
            Judged::Activated(ruling, at) => self.activate(ruling, at),
            Judged::Referenced(tables, at) => {
                for entry in references::entries(&tables, at) {
                    let record = entry.encode();
                    self.push(record, Entry::Activation(entry));
                }
            }
            Judged::Tick(now) => self.lapse(now)?,
            Judged::Review(request, reply) => self.review(&request, reply)?,
            Judged::Learning(entry) => drop(self.push(entry.encode(), Entry::Learning(entry))),
            Judged::Warmed(version, at) => self.warmed(version, at),
            Judged::Nothing => {}
        }
        Ok(())
    }

    fn push(&mut self, record: EncodedRecord, entry: Entry) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.group.bytes += record.bytes().len();
        self.group.knowledge = self.group.knowledge.or(self.knowledge);
        self.group.records.push(record);
        self.group.entries.push(entry);
        sequence
    }

    fn activate(&mut self, ruling: Arc<Ruling>, at: Instant) {
        let rules =
            || ruling.sources().iter().map(|s| (s.name.clone(), s.text.clone().into_bytes())).collect();
        let model = || ruling.model().map_or_else(Vec::new, |model| model.model().files().to_vec());
        if self.logged[0] != Some(ruling.version()) {
            self.log_activation(Subject::Rules, ruling.version(), rules(), at);
        }
        if self.logged[1].unwrap_or_default() != ruling.model_version() {
            self.log_activation(Subject::Model, ruling.model_version(), model(), at);
        }
        self.logged = [Some(ruling.version()), Some(ruling.model_version())];
        // What follows in this group may have to be explained by it already.
        write(&self.shared.archive).activate(ruling);
    }

    fn log_activation(
        &mut self,
        subject: Subject,
        version: Version,
        files: Vec<(String, Vec<u8>)>,
        at: Instant,
    ) {
        let entry = ActivationEntry { subject, version, files, at, by: "operator".to_owned() };
        let record = entry.encode();
        let sequence = self.push(record, Entry::Activation(entry));
        if sequence < PROVISIONAL {
            write(&self.shared.archive).note(version, sequence);
        }
    }

    fn warmed(&mut self, version: Version, at: Instant) {
        let by = "warm-up".to_owned();
        let entry = ActivationEntry { subject: Subject::Counters, version, files: Vec::new(), at, by };
        self.push(entry.encode(), Entry::Activation(entry));
        if let Some(snapshots) = &self.shared.snapshots {
            snapshots.want();
        }
    }

    fn snapshot(&self, engine: Box<Engine>) {
        if let Some(snapshots) = &self.shared.snapshots {
            snapshots.begin(engine, &self.shared);
        }
    }

    fn take_new(&mut self, new: NewRating) -> Result<(), ServiceError> {
        let NewRating {
            mut entry,
            mut record,
            mut body,
            former,
            observed,
            mut hold_earlier,
            ruling,
            reply,
            ..
        } = new;
        let at = entry.outcome.scored_at;
        let sequence = self.next_sequence;
        let surroundings = self.look_around(sequence, &mut entry, &observed, &ruling);
        let again = surroundings.as_ref().and_then(|surroundings| surroundings.again.as_ref());
        let mut changed = again.is_some();
        if let Some(again) = again {
            hold_earlier = again.hold_earlier;
        }
        let earlier = self.earlier_sequence(&entry, former.as_deref(), observed.earlier)?;
        entry.supersedes_sequence = earlier;
        let mut admit_instead = None;
        if entry.outcome.decision == Decision::Hold && entry.observation.is_bad() {
            match lock(&self.shared.folds).budget.offer(at, sequence, entry.outcome.risk) {
                BudgetDecision::Keep => {}
                BudgetDecision::AdmitOther(other) => admit_instead = Some(other),
                BudgetDecision::AdmitThis => {
                    entry.outcome.decision = Decision::Admit;
                    entry.outcome.reasons.push(policy_reason("hold-budget"));
                    entry.flags = entry.flags.with(RatingFlags::OVER_BUDGET).with(RatingFlags::SECOND_LOOK);
                    changed = true;
                }
            }
        }
        let drawn = entry.outcome.decision == Decision::Admit
            && entry.observation.origin == Origin::Active
            && !entry.flags.has(RatingFlags::SECOND_LOOK)
            && self.shared.draws(&entry.observation.digest, at);
        if drawn {
            entry.flags = entry.flags.with(RatingFlags::CONTROL);
        }
        if changed {
            body = render::rating(&entry, &ruling, &self.shared.appeals);
        }
        if changed || drawn || earlier.is_some() {
            record = entry.encode(ruling.catalogue());
        }
        if let Some(output) = &mut self.output {
            output.scored(&entry, &ruling)?;
        }
        let fingerprint = rating_fingerprint(&entry.observation.rating_id);
        self.group.ratings.insert(fingerprint, self.group.entries.len());
        let held = entry.outcome.decision != Decision::Admit;
        self.push(record, Entry::Rating(entry));
        self.group.pending.push(Pending::Verdict { body, sequence, reply });
        self.tell_around(surroundings, held, &ruling, at)?;
        if let (Some(earlier), Some(code)) = (earlier, hold_earlier) {
            let why = Why { suspicion: Some(Suspicion::Duplicate), ..Why::of(code) };
            self.revise(earlier, Decision::Hold, RevisionSource::Contest, why, at)?;
        }
        if let Some(other) = admit_instead {
            self.revise(other, Decision::Admit, RevisionSource::Lapse, Why::of("hold-budget"), at)?;
        }
        Ok(())
    }

    /// Where the earlier rating stands that this one shares its occasion with, or says that it revises.
    fn earlier_sequence(
        &mut self,
        entry: &RatingEntry,
        former: Option<&FormerNames>,
        earlier: Option<EarlierRating>,
    ) -> Result<Option<u64>, ServiceError> {
        let o = &entry.observation;
        if let (Some(earlier), Some(case)) = (earlier, &o.service.case) {
            if let Some(&position) = self.group.ratings.get(&earlier.fingerprint) {
                return Ok(Some(self.group_start() + position as u64));
            }
            let former = former.and_then(|names| names.case);
            for sequence in self.shared.log.find_fingerprint(earlier.fingerprint) {
                if let Some(Entry::Rating(found)) = self.shared.log.read(sequence)?
                    && found
                        .observation
                        .service
                        .case
                        .is_some_and(|found| found == *case || Some(found) == former)
                    && rating_fingerprint(&found.observation.rating_id) == earlier.fingerprint
                {
                    self.group.read = Some((sequence, *found));
                    return Ok(Some(sequence));
                }
            }
        }
        let Some(id) = &o.supersedes else { return Ok(None) };
        let sequence = match self.group.ratings.get(&rating_fingerprint(id)) {
            Some(&position) => self.group_start() + position as u64,
            None => match self.shared.log.find_rating(id)?.first() {
                Some(&sequence) => sequence,
                None => return Ok(None),
            },
        };
        // Whoever did not give a rating cannot take it back, and of an erased one nobody knows who gave it.
        let Some(first) = self.entry_at(sequence)?.map(|entry| entry.observation) else { return Ok(None) };
        let names = [o.rater.id, former.and_then(|names| names.rater)];
        let same = first.rater.id.is_some()
            && names.contains(&first.rater.id)
            && first.service.department == o.service.department;
        Ok(same.then_some(sequence))
    }

    fn group_start(&self) -> u64 {
        self.next_sequence - self.group.entries.len() as u64
    }

    /// The rating at a sequence; `None` if it is erased.
    fn entry_at(&self, sequence: u64) -> Result<Option<RatingEntry>, ServiceError> {
        let in_group =
            sequence.checked_sub(self.group_start()).and_then(|i| self.group.entries.get(i as usize));
        let entry = match (in_group, &self.group.read) {
            (Some(entry), _) => Some(entry.clone()),
            (None, Some((read, rating))) if *read == sequence => return Ok(Some(rating.clone())),
            (None, _) => self.shared.log.read(sequence)?,
        };
        match entry {
            Some(Entry::Rating(entry)) => Ok(Some(*entry)),
            Some(Entry::Erased(_)) => Ok(None),
            _ => Err(ServiceError::NotARating(sequence)),
        }
    }

    /// Makes the group durable, folds it, and lets its answers go.
    fn commit(&mut self) -> Result<(), ServiceError> {
        let mut group = std::mem::take(&mut self.group);
        let mut folded = Vec::new();
        if !group.records.is_empty() || self.owes_progress() {
            let started = std::time::Instant::now();
            folded = self.append(&mut group)?;
            self.shared.metrics.synced(started.elapsed());
        }
        let now = std::time::Instant::now();
        for &judged_at in &group.judged_at {
            self.shared.metrics.latency(Stage::Commit, now - judged_at);
        }
        for &arrived in &group.arrived {
            self.shared.latencies.note(now - arrived);
        }
        let mut spares = Kept::default();
        for pending in group.pending.drain(..) {
            self.say(pending, &mut spares)?;
        }
        self.shared.intake.finished(group.batches);
        if self.shared.gate.leave(group.passed_gate) {
            self.shared.ready.look_again();
        }
        group.records.drain(..).for_each(|record| spares.keep_buffer(record.into_bytes()));
        for entry in folded {
            if let Entry::Rating(entry) = entry {
                spares.keep(Spare::new(entry.observation, entry.features));
            }
        }
        self.shared.spares.give(spares);
        group.ratings.clear();
        group.revised.clear();
        group.arrived.clear();
        group.judged_at.clear();
        group.expectations.clear();
        (group.bytes, group.batches, group.passed_gate) = (0, 0, 0);
        (group.read, group.knowledge) = (None, None);
        self.group = group;
        Ok(())
    }

    /// Appends the group to the log, the own or the one that nodes share, and folds it. Gives the entries that
    /// were folded; the group keeps the records that stand.
    fn append(&mut self, group: &mut Group) -> Result<Vec<Entry>, ServiceError> {
        if self.shared_log.is_some() {
            return self.append_shared(group);
        }
        let range = self.shared.log.append(&group.records)?;
        debug_assert_eq!(range.end, self.next_sequence, "the only writer");
        let folded = self.shared.publish(range, std::mem::take(&mut group.entries), Whose::Own);
        if let Some(snapshots) = &self.shared.snapshots {
            snapshots.progressed(self.next_sequence);
        }
        Ok(folded)
    }

    fn say(&mut self, pending: Pending, spares: &mut Kept) -> Result<(), ServiceError> {
        let (answer, reply) = match pending {
            Pending::Verdict { body, sequence, reply } => {
                (Answer::Verdict(body.finish(sequence, None)), reply)
            }
            Pending::Repeat { rating_id, before, reply } => {
                (self.shared.first_verdict(&rating_id, before)?, reply)
            }
            Pending::Done { answer, reply } => (answer, reply),
            Pending::Reviewed { reviewed, reply } => {
                reply(reviewed);
                return Ok(());
            }
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
                if let Answer::Verdict(json) = answer {
                    spares.keep_buffer(json);
                }
            }
        }
        Ok(())
    }
}
