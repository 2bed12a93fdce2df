//! The committer of a node among others: what it appends goes to the topic that all share, and into its own
//! log, with what others appended, in the order in which the topic gives it back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant as Timer, SystemTime, UNIX_EPOCH};

use super::{Answer, Committer, Group, Pending, ServiceError, Whose, lock, write};
use crate::cluster::group::{self, Header};
use crate::cluster::{ClusterError, Fate, Identity, Incoming, Position, Reader, Replica, Sender, Settled};
use crate::features::reference::References;
use crate::log::entry::{ActivationEntry, Subject};
use crate::log::record::{PROVISIONAL, Record};
use crate::log::{EncodedRecord, Entry, Log, LogError};
use crate::review::Refusal;
use crate::scoring::{self, Prepared};
use crate::service::past::LogPast;
use crate::service::references::Collector;
use crate::service::{ClusterWatch, Shared, learning, warm};

/// How often the place in the topic is kept.
const POSITION_EVERY: Duration = Duration::from_secs(10);
/// How often it looks, while it waits for its group, whether it is to stop.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long a node that stops waits for a broker that cannot be reached.
const STOPPING_GRACE: Duration = Duration::from_secs(15);

/// What makes a node one of its cluster's.
pub struct Membership {
    /// The node's data directory.
    pub data: PathBuf,
    /// Its name.
    pub node: String,
    /// How its groups are told from others'.
    pub identity: Identity,
    /// How far its log follows the topic.
    pub position: Position,
    /// Reads the topic from the last message on that was settled.
    pub reader: Reader,
    /// Appends to the topic.
    pub sender: Sender,
    /// Where it tells what it sees.
    pub watch: Arc<ClusterWatch>,
}

/// The topic as the committer knows it.
pub struct SharedLog {
    data: PathBuf,
    topic: String,
    node: String,
    identity: Identity,
    reader: Reader,
    sender: Sender,
    replica: Replica,
    /// Offset of the next message.
    offset: u64,
    /// The next message is one that was settled before.
    begins_again: bool,
    /// The next own group's number.
    number: u64,
    /// Entries of other nodes that were folded, since the start.
    others: u64,
    tables: Collector,
    kept: Timer,
    watch: Arc<ClusterWatch>,
}

impl SharedLog {
    /// Goes on from the position.
    pub fn new(membership: Membership) -> Self {
        let Membership { data, node, identity, position, reader, sender, watch } = membership;
        let Position { topic, offset, replica, .. } = position;
        let (offset, begins_again) = (offset.saturating_sub(1), offset > 0);
        let (number, others, tables, kept) = (0, 0, Collector::default(), Timer::now());
        Self {
            data,
            topic,
            node,
            identity,
            reader,
            sender,
            replica,
            offset,
            begins_again,
            number,
            others,
            tables,
            kept,
            watch,
        }
    }

    fn position(&self, shared: &Shared) -> Position {
        Position::at(&self.topic, self.offset, &self.replica, shared.log.head())
    }
}

fn unix_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

impl Committer {
    /// Reads the topic up to `end`, which others may move on meanwhile; `told` hears of each step.
    ///
    /// # Errors
    /// The topic cannot be read, or the log beside it is not of it.
    pub fn catch_up(&mut self, end: u64, told: &mut dyn FnMut(u64)) -> Result<(), ServiceError> {
        loop {
            let Some(shared_log) = &self.shared_log else { return Ok(()) };
            if shared_log.offset >= end {
                break;
            }
            if let Some(incoming) = shared_log.reader.next(PATIENCE)? {
                self.settle_others(incoming)?;
                told(self.shared.log.head().next_sequence);
            }
        }
        let Some(shared_log) = &self.shared_log else { return Ok(()) };
        let (log, topic) = (self.shared.log.head().next_sequence, shared_log.replica.next_sequence());
        if log > topic {
            return Err(ClusterError::Ahead { log, topic }.into());
        }
        self.logged = [Subject::Rules, Subject::Model].map(|subject| shared_log.replica.in_force(subject));
        self.keep_position();
        Ok(())
    }

    /// The versions that the log says are in force.
    pub fn in_force(&self, subject: Subject) -> Option<crate::version::Version> {
        self.shared_log.as_ref()?.replica.in_force(subject)
    }

    /// Takes in what others appended, as far as it waits.
    pub(super) fn take_in(&mut self) -> Result<(), ServiceError> {
        while let Some(shared_log) = &self.shared_log
            && let Some(incoming) = shared_log.reader.try_next()?
        {
            self.settle_others(incoming)?;
        }
        if self.shared_log.as_ref().is_some_and(|shared_log| shared_log.kept.elapsed() >= POSITION_EVERY) {
            self.keep_position();
        }
        Ok(())
    }

    /// Whether a group has to be sent though it has no records: for how far intake is scored.
    pub(super) fn owes_progress(&self) -> bool {
        self.shared_log.as_ref().is_some_and(|shared_log| shared_log.watch.progress.is_owed())
    }

    /// Keeps the place in the topic for the next start; nothing comes after it.
    pub(super) fn leave(&mut self) -> Result<(), ServiceError> {
        self.take_in()?;
        self.keep_position();
        Ok(())
    }

    fn keep_position(&mut self) {
        let Some(shared_log) = &mut self.shared_log else { return };
        shared_log.kept = Timer::now();
        if shared_log.replica.next_sequence() != self.shared.log.head().next_sequence {
            // The topic is still being compared with what the log has of it.
            return;
        }
        if let Err(error) = shared_log.position(&self.shared).save(&shared_log.data) {
            tracing::warn!(%error, "the place in the topic cannot be kept; the next start reads more of it");
        }
    }

    /// Sends the group and waits until it came back; gives the entries that were folded.
    pub(super) fn append_shared(&mut self, group: &mut Group) -> Result<Vec<Entry>, ServiceError> {
        let began = Timer::now();
        let base = self.shared.log.head().next_sequence;
        let decided = group.knowledge;
        let Some(shared_log) = &mut self.shared_log else { return Ok(Vec::new()) };
        let number = shared_log.number;
        shared_log.number += 1;
        let header = Header {
            node: shared_log.node.as_str().into(),
            incarnation: shared_log.identity.incarnation,
            number,
            base,
            decided_ms: unix_ms() - decided.map_or(0, |decided| decided.at.elapsed().as_millis() as i64),
            key_check: shared_log.identity.key_check,
            intake: shared_log.watch.progress.take(),
            expectations: std::mem::take(&mut group.expectations),
        };
        let message = group::encode(&header, group.records.iter().map(EncodedRecord::bytes));
        shared_log.sender.send(number, message);
        let mut silent_since: Option<Timer> = None;
        loop {
            let Some(shared_log) = &mut self.shared_log else { return Ok(Vec::new()) };
            match shared_log.reader.next(PATIENCE)? {
                Some(incoming)
                    if incoming.header.incarnation == shared_log.identity.incarnation
                        && incoming.header.number == number =>
                {
                    shared_log.sender.settled(number);
                    shared_log.offset = incoming.offset + 1;
                    shared_log.watch.appended(began.elapsed());
                    return self.settle_own(&incoming.header, group);
                }
                Some(incoming) => {
                    silent_since = None;
                    self.settle_others(incoming)?;
                }
                None => {
                    if let Some(error) = shared_log.sender.failure() {
                        return Err(ClusterError::Broker(error).into());
                    }
                    let stopping = self.shared.stopping.load(std::sync::atomic::Ordering::Relaxed);
                    let since = *silent_since.get_or_insert_with(Timer::now);
                    if stopping && since.elapsed() >= STOPPING_GRACE {
                        tracing::error!("the broker cannot be reached; what waits for it is not answered");
                        return Err(ServiceError::Stopping);
                    }
                }
            }
            if let Some(shared_log) = &self.shared_log {
                shared_log.watch.reading(&shared_log.reader, &shared_log.sender);
            }
        }
    }

    fn note_head(&self) {
        if let Some(shared_log) = &self.shared_log {
            shared_log.watch.reached(self.shared.log.head());
        }
    }

    /// Settles this node's own group.
    fn settle_own(&mut self, header: &Header, group: &mut Group) -> Result<Vec<Entry>, ServiceError> {
        let Some(shared_log) = &mut self.shared_log else { return Ok(Vec::new()) };
        let records = std::mem::take(&mut group.records);
        let entries = std::mem::take(&mut group.entries);
        let settled = shared_log.replica.settle(&self.shared.log, header, records)?;
        let Settled { first, standing, fates, .. } = settled;
        let known = group.knowledge.map_or(shared_log.others, |knowledge| knowledge.others);
        shared_log.watch.settled(shared_log.others.saturating_sub(known), &fates, Whose::Own);
        shared_log.watch.folded(shared_log.offset, shared_log.replica.intake());
        let mut stand = Vec::with_capacity(standing.len());
        let mut kept = Vec::with_capacity(standing.len());
        let mut given: Vec<Option<Entry>> = entries.into_iter().map(Some).collect();
        for standing in standing {
            let entry = match standing.renumbered {
                false => given[standing.number].take(),
                true => Some(decode(&standing.record)?),
            };
            kept.extend(entry);
            stand.push(standing.record);
        }
        let place = |provisional: u64| {
            let within = provisional.checked_sub(PROVISIONAL)?;
            match fates.get(usize::try_from(within).ok()?)? {
                Fate::Stands(sequence) | Fate::Skipped(Some(sequence)) => Some(*sequence),
                Fate::Skipped(None) => None,
            }
        };
        {
            let folds = &mut *lock(&self.shared.folds);
            // What others appended meanwhile came into the look-back behind the group's own.
            let since = usize::try_from(first.saturating_sub(header.base)).unwrap_or(usize::MAX);
            folds.lookback.renumber(fates.len().saturating_add(since), place);
            for (provisional, fate) in (PROVISIONAL..).zip(&fates) {
                match fate {
                    Fate::Stands(sequence) => folds.budget.renumber(provisional, *sequence),
                    Fate::Skipped(_) => folds.budget.withdraw(provisional),
                }
            }
        }
        let range = self.shared.log.append(&stand)?;
        debug_assert_eq!(range.start, first, "the log holds all that stands");
        let activations = activations(range.start, &kept);
        let learns = kept.iter().any(|entry| matches!(entry, Entry::Learning(_)));
        self.note_head();
        let folded = self.shared.publish(range, kept, Whose::Own);
        if learns {
            // Another node's may have stood before it.
            learning::follow(&self.shared);
        }
        self.bring_into_force(activations)?;
        let pending = std::mem::take(&mut group.pending);
        let resolved = pending.into_iter().map(|pending| resolve(&self.shared, pending, &fates, &given));
        group.pending = resolved.collect::<Result<_, _>>()?;
        group.records = stand;
        self.next_sequence = PROVISIONAL;
        Ok(folded)
    }

    /// Settles a group that this node did not send, or sent before it was started again.
    fn settle_others(&mut self, incoming: Incoming) -> Result<(), ServiceError> {
        let Some(shared_log) = &mut self.shared_log else { return Ok(()) };
        let Incoming { offset, header, records } = incoming;
        if std::mem::take(&mut shared_log.begins_again) && !shared_log.replica.repeats(&header) {
            return Err(ClusterError::AnotherTopic { topic: shared_log.topic.clone() }.into());
        }
        let known = self.shared.log.head().next_sequence;
        let settled = shared_log.replica.settle(&self.shared.log, &header, records)?;
        shared_log.offset = offset + 1;
        shared_log.watch.folded(shared_log.offset, shared_log.replica.intake());
        let Settled { first, mut standing, fates, repeated } = settled;
        if repeated {
            return Ok(());
        }
        // What the log has already, from before a start, is compared; the folds know it.
        let there = usize::try_from(known.saturating_sub(first)).unwrap_or(usize::MAX).min(standing.len());
        for (sequence, standing) in (first..).zip(standing.drain(..there)) {
            let leaf = self.shared.log.record(sequence)?.map(|bytes| Record::parse(&bytes).map(|r| r.leaf()));
            let leaf = leaf.transpose().map_err(|source| LogError::Undecodable { sequence, source })?;
            if leaf != Some(standing.record.leaf()) {
                return Err(ClusterError::Diverged { sequence }.into());
            }
        }
        if standing.is_empty() {
            return Ok(());
        }
        shared_log.watch.settled(0, &fates, Whose::Others);
        shared_log.watch.saw(unix_ms() - header.decided_ms);
        shared_log.others += standing.len() as u64;
        let records: Vec<EncodedRecord> = standing.into_iter().map(|standing| standing.record).collect();
        let entries = records.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        let range = self.shared.log.append(&records)?;
        self.show_to_state(range.start, &entries)?;
        let activations = activations(range.start, &entries);
        self.note_head();
        let learns = entries.iter().any(|entry| matches!(entry, Entry::Learning(_)));
        self.shared.publish(range, entries, Whose::Others);
        if learns {
            learning::follow(&self.shared);
        }
        self.bring_into_force(activations)
    }

    /// Shows the ratings of others to this node's state.
    fn show_to_state(&self, first: u64, entries: &[Entry]) -> Result<(), ServiceError> {
        let shared = &*self.shared;
        let features = shared.feature_count();
        let (mut prepared, mut places): (Vec<Prepared>, Vec<u64>) = (Vec::new(), Vec::new());
        for (sequence, entry) in (first..).zip(entries) {
            if let Entry::Rating(rating) = entry {
                prepared.push(scoring::again(rating.observation.clone(), shared.offset, features));
                places.push(sequence);
            }
        }
        shared.turnstile.join(|sequencer| {
            sequencer.others += entries.len() as u64;
            for prepared in &prepared {
                if let Some(tail) = &mut sequencer.tail {
                    tail.push(&prepared.observation);
                }
            }
            let past = LogPast::of_logged(&shared.log, &places);
            let mut batch: Vec<&mut Prepared> = prepared.iter_mut().collect();
            sequencer.engine.observe_with(&past, &mut batch, |_, _| {});
            past.finish()
        })?;
        Ok(())
    }

    /// Brings into force what the log says is, in its order, wherever it was decided.
    fn bring_into_force(&mut self, activations: Vec<(u64, ActivationEntry)>) -> Result<(), ServiceError> {
        for (sequence, entry) in activations {
            let ruling = write(&self.shared.archive).replay(sequence, &entry);
            match entry.subject {
                Subject::Rules => self.logged[0] = Some(entry.version),
                Subject::Model => self.logged[1] = Some(entry.version),
                _ => {}
            }
            if let Some(ruling) = ruling {
                let shared = &*self.shared;
                shared.turnstile.join(|sequencer| {
                    let engine = &mut sequencer.engine;
                    let now = (engine.ruling().version(), engine.ruling().model_version());
                    if now != (ruling.version(), ruling.model_version()) {
                        shared.set_feature_count(ruling.catalogue().len());
                        engine.activate(Arc::clone(&ruling));
                        warm::ask(shared, engine);
                    }
                });
                tracing::info!(version = %entry.version, sequence, "in force on every node from here on");
            }
            let Some(shared_log) = &mut self.shared_log else { continue };
            if let Some(files) = shared_log.tables.take(sequence, &entry) {
                match References::from_log(&files, self.shared.offset) {
                    Ok(tables) => {
                        let tables = Arc::new(tables);
                        self.shared.turnstile.join(|sequencer| sequencer.engine.set_references(tables));
                    }
                    Err(errors) => tracing::warn!(sequence, "logged tables are passed over: {errors}"),
                }
            }
        }
        Ok(())
    }
}

fn decode(record: &EncodedRecord) -> Result<Entry, ServiceError> {
    let entry = Record::parse(record.bytes()).and_then(|record| record.entry());
    entry.map_err(|source| LogError::Undecodable { sequence: 0, source }.into())
}

fn activations(first: u64, entries: &[Entry]) -> Vec<(u64, ActivationEntry)> {
    let of = |(sequence, entry): (u64, &Entry)| match entry {
        Entry::Activation(entry) => Some((sequence, entry.clone())),
        _ => None,
    };
    (first..).zip(entries).filter_map(of).collect()
}

/// Gives what waits to be said the places that the log gave; says of what another node was first with what
/// stands instead. `skipped` has the group's entries that do not stand.
fn resolve(
    shared: &Shared,
    mut pending: Pending,
    fates: &[Fate],
    skipped: &[Option<Entry>],
) -> Result<Pending, ServiceError> {
    let within = |sequence: u64| sequence.checked_sub(PROVISIONAL).map_or(usize::MAX, |at| at as usize);
    match &mut pending {
        Pending::Verdict { sequence, .. } | Pending::Revision { sequence, .. } => {
            if let Some(Fate::Stands(placed)) = fates.get(within(*sequence)) {
                *sequence = *placed;
                return Ok(pending);
            }
        }
        Pending::Reviewed { reviewed, .. } => {
            for reviewed in reviewed {
                let Ok((_, place)) = &mut reviewed.result else { continue };
                match fates.get(within(*place)) {
                    Some(Fate::Stands(placed)) => *place = *placed,
                    _ => reviewed.result = Err(Refusal::Overtaken),
                }
            }
            return Ok(pending);
        }
        Pending::Repeat { .. } | Pending::Done { .. } => return Ok(pending),
    }
    let Pending::Verdict { sequence, reply, .. } = pending else { return Ok(pending) };
    let rating = match skipped.get(within(sequence)) {
        Some(Some(Entry::Rating(rating))) => &rating.observation,
        _ => return Err(ServiceError::NotARating(sequence)),
    };
    let rating_id = rating.rating_id.to_string();
    let first = match fates.get(within(sequence)) {
        Some(Fate::Skipped(Some(first))) => shared.log.read(*first)?,
        _ => None,
    };
    Ok(match first {
        Some(Entry::Rating(first)) if first.observation.digest != rating.digest => {
            Pending::Done { answer: Answer::Conflict { rating_id }, reply }
        }
        _ => Pending::Repeat { rating_id, before: u64::MAX, reply },
    })
}
