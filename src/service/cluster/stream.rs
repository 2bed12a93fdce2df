//! Streaming intake: ratings from a topic, without HTTP.
//!
//! ```text
//! ratings topic ─▶ the node that scores the partition ─▶ intake ─▶ … ─▶ log ─▶ verdicts topic
//!                        │ what is no rating                        └ how far the partition is scored
//!                        └▶ dead-letter topic
//! ```
//!
//! How far a partition is scored stands in the log's groups, so whoever takes it over goes on there. A message
//! may be scored twice on the way, and has one verdict all the same: its `rating_id` has.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Timer};

use bytes::Bytes;
use serde::Serialize;

use super::super::intake::lock;
use super::super::{Answer, Reply, Shared, Submission};
use super::presence::Presence;
use crate::broker::{Broker, BrokerError, Follow, Message, Partition};

/// Lines on their way; beyond it messages wait in the broker.
const LINES_MAX: usize = 4_096;
/// How long a partition is waited for while others may have messages.
const PATIENCE: Duration = Duration::from_millis(5);
/// How often it is looked up which partitions are this node's.
const ASSIGNED_EVERY: Duration = Duration::from_millis(500);
const BACKOFF: Duration = Duration::from_millis(500);

/// A line that got no verdict. Its text stays where it is: it may say who rated.
#[derive(Debug, Serialize)]
struct DeadLetter {
    topic: String,
    partition: u32,
    offset: u64,
    /// Line of the message, from 1.
    line: u64,
    /// A stable code: that of a field's error, or `conflict`.
    code: String,
    /// Where in the line, what was found and what is allowed.
    error: String,
}

/// Offsets that are scored and whose progress is not in the log yet, by partition.
#[derive(Default)]
pub struct Progress {
    reached: Mutex<BTreeMap<u32, u64>>,
}

impl Progress {
    /// What goes into the next group.
    pub fn take(&self) -> Vec<(u32, u64)> {
        std::mem::take(&mut *lock(&self.reached)).into_iter().collect()
    }

    fn note(&self, partition: u32, next: u64) {
        lock(&self.reached).insert(partition, next);
    }

    /// Whether there is anything.
    pub fn is_owed(&self) -> bool {
        !lock(&self.reached).is_empty()
    }
}

/// What the thread needs.
pub struct Stream {
    /// The service.
    pub(in crate::service) shared: Arc<Shared>,
    /// Which partitions are this node's.
    pub presence: Arc<Presence>,
    /// Where the topics are.
    pub broker: Arc<dyn Broker>,
    /// The topic that ratings come from.
    pub topic: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// Where lines that are no ratings are told of.
    pub dead_letters: Arc<dyn Partition>,
    /// Wakes the committer when there is progress to be logged.
    pub nudge: Box<dyn Fn() + Send>,
}

/// The thread. Dropping it ends it.
pub(in crate::service) struct Streaming {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stream {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives none.
    pub(in crate::service) fn start(self) -> std::io::Result<Streaming> {
        let ended = Arc::new(AtomicBool::new(false));
        let work = Work { stream: self, ended: Arc::clone(&ended), lanes: BTreeMap::new(), owed: None };
        let thread = std::thread::Builder::new().name("stream-intake".into()).spawn(move || work.run())?;
        Ok(Streaming { ended, thread: Some(thread) })
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it took is answered or will be taken again.
            let _ = thread.join();
        }
    }
}

/// A partition that this node scores.
struct Lane {
    follow: Box<dyn Follow>,
    /// Messages that were taken, in order, and what came of their lines.
    taken: VecDeque<Taken>,
}

struct Taken {
    offset: u64,
    lines: Arc<Lines>,
}

/// What came of a message's lines.
struct Lines {
    open: Mutex<usize>,
    dead: Mutex<Vec<(u64, String, String)>>,
}

struct Work {
    stream: Stream,
    ended: Arc<AtomicBool>,
    lanes: BTreeMap<u32, Lane>,
    /// Since when progress waits to be logged.
    owed: Option<Timer>,
}

impl Work {
    fn run(mut self) {
        let mut assigned: Option<Timer> = None;
        while !self.ended.load(Ordering::Relaxed) {
            if assigned.is_none_or(|assigned| assigned.elapsed() >= ASSIGNED_EVERY) {
                assigned = Some(Timer::now());
                self.assign();
            }
            if self.lanes.is_empty() {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            let partitions: Vec<u32> = self.lanes.keys().copied().collect();
            for partition in partitions {
                if let Err(error) = self.serve(partition) {
                    tracing::debug!(%error, partition, "the intake topic cannot be read now; it is tried again");
                    self.lanes.remove(&partition);
                    std::thread::sleep(BACKOFF);
                }
            }
            self.tell();
        }
    }

    /// Takes up and lays down partitions as nodes come and go.
    fn assign(&mut self) {
        for partition in 0..self.stream.partitions {
            let mine = self.stream.presence.scores(partition);
            if !mine {
                self.lanes.remove(&partition);
            } else if !self.lanes.contains_key(&partition) {
                match self.take_up(partition) {
                    Ok(lane) => drop(self.lanes.insert(partition, lane)),
                    Err(error) => tracing::debug!(%error, partition, "a partition cannot be taken up now"),
                }
            }
        }
        *lock(&self.stream.presence.intake) = self.lanes.keys().copied().collect();
    }

    fn take_up(&self, partition: u32) -> Result<Lane, BrokerError> {
        let messages = self.stream.broker.partition(&self.stream.topic, partition)?;
        let logged = self.stream.shared.cluster.as_ref().and_then(|watch| watch.scored(partition));
        let bounds = messages.bounds()?;
        let from = logged.unwrap_or(bounds.start);
        if from < bounds.start {
            tracing::error!(
                topic = self.stream.topic,
                partition,
                from,
                kept = bounds.start,
                "messages were dropped by the broker before they were scored: its retention is shorter than the outage was"
            );
        }
        let follow = messages.follow(from.max(bounds.start))?;
        Ok(Lane { follow, taken: VecDeque::new() })
    }

    fn serve(&mut self, partition: u32) -> Result<(), BrokerError> {
        let Some(lane) = self.lanes.get_mut(&partition) else { return Ok(()) };
        let open: usize = lane.taken.iter().map(|taken| *lock(&taken.lines.open)).sum();
        if open < LINES_MAX && !self.stream.shared.is_behind() {
            let messages = lane.follow.next(PATIENCE)?;
            for message in messages {
                lane.taken.push_back(submit(&self.stream.shared, &message));
            }
        } else {
            std::thread::sleep(PATIENCE);
        }
        let mut reached = None;
        while let Some(taken) = lane.taken.front()
            && *lock(&taken.lines.open) == 0
        {
            let dead = std::mem::take(&mut *lock(&taken.lines.dead));
            if !dead.is_empty() {
                self.stream.bury(partition, taken.offset, dead)?;
            }
            reached = Some(taken.offset + 1);
            lane.taken.pop_front();
        }
        if let Some(next) = reached
            && let Some(watch) = &self.stream.shared.cluster
        {
            watch.progress.note(partition, next);
            self.owed.get_or_insert_with(Timer::now);
        }
        Ok(())
    }

    /// Has progress logged though no rating comes that could take it along.
    fn tell(&mut self) {
        let Some(watch) = &self.stream.shared.cluster else { return };
        if !watch.progress.is_owed() {
            self.owed = None;
        } else if self.owed.is_some_and(|owed| owed.elapsed() >= Duration::from_secs(1)) {
            self.owed = Some(Timer::now());
            (self.stream.nudge)();
        }
    }
}

/// Has the lines of a message scored. Waits for room.
fn submit(shared: &Shared, message: &Message) -> Taken {
    let payload = &message.payload;
    let mut lines = Vec::new();
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', payload).chain([payload.len()]) {
        let line = payload.slice(start..end);
        start = end + 1;
        lines.push(line);
    }
    let filled = |line: &Bytes| !line.iter().all(u8::is_ascii_whitespace);
    let lines: Vec<(u64, Bytes)> = (1..).zip(lines).filter(|(_, line)| filled(line)).collect();
    let result = Arc::new(Lines { open: Mutex::new(lines.len()), dead: Mutex::default() });
    let submissions = lines
        .into_iter()
        .map(|(number, line)| {
            let result = Arc::clone(&result);
            let reply = move |answer: Answer| {
                match answer {
                    Answer::Verdict(_) => {}
                    Answer::Invalid(error) => {
                        let code = error.code.name().to_owned();
                        lock(&result.dead).push((number, code, error.to_string()));
                    }
                    Answer::Conflict { .. } => {
                        let why = "another rating with this rating_id was answered before";
                        lock(&result.dead).push((number, "conflict".to_owned(), why.to_owned()));
                    }
                    // It was not scored: whoever has the partition next takes it again.
                    Answer::Shed { .. } | Answer::Stopping => return,
                }
                *lock(&result.open) -= 1;
            };
            Submission::Rating { line, reply: Reply::Call(Box::new(reply)) }
        })
        .collect();
    // What a service that stops does not take stays unanswered, and is taken again elsewhere.
    let _ = shared.intake.push_all(submissions);
    Taken { offset: message.offset, lines: result }
}

impl Stream {
    /// Tells of lines that got no verdict.
    fn bury(&self, partition: u32, offset: u64, dead: Vec<(u64, String, String)>) -> Result<(), BrokerError> {
        let letter = |(line, code, error)| {
            let letter = DeadLetter { topic: self.topic.clone(), partition, offset, line, code, error };
            serde_json::to_vec(&letter).map(Bytes::from).map_err(|e| BrokerError::Settings(e.to_string()))
        };
        let letters = dead.into_iter().map(letter).collect::<Result<Vec<_>, _>>()?;
        if let Some(watch) = &self.shared.cluster {
            watch.buried(letters.len() as u64);
        }
        self.dead_letters.append(&letters)
    }
}
