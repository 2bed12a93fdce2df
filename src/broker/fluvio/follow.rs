//! Following a partition: each message once, none left out, whatever becomes of the connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::fluvio::Isolation;
use ::fluvio::dataplane::link::ErrorCode;
use ::fluvio::dataplane::record::{Batch, RawRecords, ReplicaKey};
use bytes::Bytes;
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::{DefaultStreamFetchRequest, DefaultStreamFetchResponse};
use fluvio_spu_schema::server::update_offset::{OffsetUpdate, UpdateOffsetsRequest};

use super::BrokerError;
use super::backoff::Backoff;
use super::cluster::Cluster;
use super::link::{Link, LinkError, block_on, sleep};
use super::partition::{Answer, bounds_of};
use crate::broker::{Follow, MESSAGE_BYTES_MAX, Message};

/// Most bytes that the leader sends at a time. It holds one batch, whatever its length may be, since the
/// leader cuts an answer off within a batch. It sends the next when this one is acknowledged, so that at
/// most two are on their way.
const ANSWER_BYTES: i32 = MESSAGE_BYTES_MAX as i32 + (1 << 20);
/// When nothing came for so long, the leader is asked how far it is. That shows a connection that is dead,
/// a server that leads no more, and a stream that stands still though there is more.
const ASK_AFTER: Duration = Duration::from_millis(500);
/// A stream that stands still for so many answers in a row is opened anew.
const BEHIND_MAX: u32 = 2;
/// Pause before looking again for an offset that the leader has not reached.
const AHEAD_PAUSE: Duration = Duration::from_millis(100);

/// A follower, and the next offset that it gives.
pub(super) struct FluvioFollow {
    cluster: Arc<Cluster>,
    topic: String,
    number: u32,
    next: u64,
    stream: Option<Stream>,
    backoff: Backoff,
    /// Why there is no stream.
    error: Option<BrokerError>,
}

/// A stream of batches from the leader.
struct Stream {
    link: Link,
    /// The request that opened it, and the version of its answers.
    request: (i32, i16),
    /// When a frame came last.
    heard: Instant,
    /// A question for the leader's offsets that has no answer yet, with the version of its answer.
    asked: Option<(i32, i16, Instant)>,
    /// How many answers in a row said that there is more than came.
    behind: u32,
}

/// What came of waiting for a stream.
enum Came {
    Messages(Vec<Message>),
    /// Something else, or nothing.
    Nothing,
}

/// Why a stream is of no more use.
enum Broken {
    /// It is opened anew.
    Stream(String),
    /// Opening it anew would not help.
    For(BrokerError),
}

impl From<LinkError> for Broken {
    fn from(error: LinkError) -> Self {
        Self::Stream(error.to_string())
    }
}

impl FluvioFollow {
    /// Follows from an offset on.
    pub(super) async fn open(
        cluster: Arc<Cluster>,
        topic: &str,
        number: u32,
        from: u64,
    ) -> Result<Self, BrokerError> {
        let deadline = Instant::now() + cluster.options().answer_limit;
        let (topic, backoff) = (topic.to_owned(), Backoff::default());
        let mut follow = Self { cluster, topic, number, next: from, stream: None, backoff, error: None };
        loop {
            follow.connect().await?;
            match follow.error.take() {
                Some(error) if Instant::now() + follow.backoff.left() >= deadline => return Err(error),
                Some(_) => sleep(follow.backoff.left()).await,
                None => return Ok(follow),
            }
        }
    }

    fn following(&self) -> String {
        format!("following topic {}, partition {}", self.topic, self.number)
    }

    /// Tries to open a stream. Whatever may pass is noted; an error is such as does not.
    async fn connect(&mut self) -> Result<(), BrokerError> {
        match self.stream().await {
            Ok(stream) => {
                self.stream = stream;
                self.error = None;
                if self.stream.is_some() {
                    self.backoff.succeeded();
                }
                Ok(())
            }
            Err(error) if error.is_passing() => {
                self.backoff.failed();
                self.error = Some(error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// A stream from the next offset on, or none while the leader has not reached it.
    async fn stream(&self) -> Result<Option<Stream>, BrokerError> {
        let limit = self.cluster.options().answer_limit;
        let lost = |error| self.cluster.lost(|| self.following(), error);
        let mut link = self.cluster.leader(&self.topic, self.number).await?;
        let kept = match bounds_of(&mut link, &self.topic, self.number, limit).await.map_err(lost)? {
            Answer::Is(bounds) => bounds,
            Answer::Elsewhere(why) => return Err(lost(LinkError::Lost(why))),
        };
        if self.next < kept.start {
            return Err(BrokerError::Gone { topic: self.topic.clone(), offset: self.next, kept });
        }
        // A new leader learns late how far the old one had told. From beyond that it must not be asked: it
        // would give what is not on all servers yet.
        if self.next > kept.end {
            return Ok(None);
        }
        let request = DefaultStreamFetchRequest::builder()
            .topic(self.topic.clone())
            .partition(self.number)
            .fetch_offset(self.next as i64)
            .max_bytes(ANSWER_BYTES)
            .isolation(Isolation::ReadCommitted)
            .build()
            .map_err(|error| BrokerError::Settings(format!("{}: {error}", self.following())))?;
        let request = link.send(request, limit).await.map_err(lost)?;
        Ok(Some(Stream { link, request, heard: Instant::now(), asked: None, behind: 0 }))
    }

    async fn next_messages(&mut self, wait: Duration) -> Result<Vec<Message>, BrokerError> {
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(stream) = &mut self.stream else {
                let pause = self.backoff.left();
                sleep(pause.min(left)).await;
                if pause <= left {
                    self.connect().await?;
                    if self.stream.is_some() {
                        continue;
                    }
                    if self.error.is_none() {
                        sleep(AHEAD_PAUSE.min(deadline.saturating_duration_since(Instant::now()))).await;
                    }
                }
                if Instant::now() < deadline {
                    continue;
                }
                return self.error.clone().map_or(Ok(Vec::new()), Err);
            };
            match stream.step(&self.topic, self.number, &mut self.next, deadline).await {
                Ok(Came::Messages(messages)) => return Ok(messages),
                Ok(Came::Nothing) if Instant::now() < deadline => {}
                Ok(Came::Nothing) => return Ok(Vec::new()),
                Err(Broken::Stream(why)) => {
                    self.stream = None;
                    self.backoff.failed();
                    self.error = Some(BrokerError::Unreachable { what: self.following(), why });
                }
                Err(Broken::For(error)) => {
                    self.stream = None;
                    return Err(error);
                }
            }
        }
    }
}

impl Follow for FluvioFollow {
    fn next(&mut self, wait: Duration) -> Result<Vec<Message>, BrokerError> {
        block_on(self.next_messages(wait))
    }
}

impl Stream {
    /// Waits for the next frame, and asks the leader how far it is if none comes.
    async fn step(
        &mut self,
        topic: &str,
        number: u32,
        next: &mut u64,
        deadline: Instant,
    ) -> Result<Came, Broken> {
        let ask_at = self.asked.map_or(self.heard, |(_, _, at)| at) + ASK_AFTER;
        let Some(frame) = self.link.frame(deadline.min(ask_at)).await? else {
            if Instant::now() < ask_at {
                return Ok(Came::Nothing);
            }
            if self.asked.is_some() && self.heard.elapsed() > 10 * ASK_AFTER {
                return Err(Broken::Stream(format!("the server is silent for {:?}", self.heard.elapsed())));
            }
            let question = FetchOffsetsRequest::new(topic.to_owned(), number);
            let (id, version) = self.link.send(question, ASK_AFTER).await?;
            self.asked = Some((id, version, Instant::now()));
            return Ok(Came::Nothing);
        };
        self.heard = Instant::now();
        if frame.id == self.request.0 {
            let answer = frame.decode::<DefaultStreamFetchRequest>(self.request.1)?;
            return self.take(answer, topic, next).await;
        }
        // Answers to acknowledgements say nothing.
        let Some((_, version, _)) = self.asked.filter(|(id, _, _)| *id == frame.id) else {
            return Ok(Came::Nothing);
        };
        self.asked = None;
        let answer = frame.decode::<FetchOffsetsRequest>(version)?;
        let answer = answer.find_partition(&ReplicaKey::new(topic, number));
        match answer {
            Some(answer) if answer.error_code == ErrorCode::None => {
                let more = answer.last_stable_offset > *next as i64;
                self.behind = if more { self.behind + 1 } else { 0 };
                match self.behind {
                    BEHIND_MAX => Err(Broken::Stream("the stream stood still".to_owned())),
                    _ => Ok(Came::Nothing),
                }
            }
            Some(answer) => Err(Broken::Stream(answer.error_code.to_string())),
            None => Err(Broken::Stream("an answer says nothing of the partition".to_owned())),
        }
    }

    /// Takes what the leader sent: acknowledges it, and gives the messages that are new.
    async fn take(
        &mut self,
        answer: DefaultStreamFetchResponse,
        topic: &str,
        next: &mut u64,
    ) -> Result<Came, Broken> {
        let partition = answer.partition;
        match partition.error_code {
            ErrorCode::None => {}
            ErrorCode::OffsetEvicted { next_available, .. } => {
                let start = next_available.max(0) as u64;
                let kept = start..start.max(partition.high_watermark.max(0) as u64);
                return Err(Broken::For(BrokerError::Gone { topic: topic.to_owned(), offset: *next, kept }));
            }
            code => return Err(Broken::Stream(code.to_string())),
        }
        // An answer is cut off at so many bytes, within a batch, and the part of it decodes too. It comes
        // again with the next answer.
        let whole = partition.records.batches.iter().take_while(|batch| batch.validate_decoding());
        let whole: Vec<&Batch<RawRecords>> = whole.collect();
        if whole.is_empty() {
            let why = format!(
                "offset {next} is in a batch of more than {ANSWER_BYTES} bytes, which this program did not write; \
                 no other program may write to it"
            );
            return Err(Broken::For(BrokerError::Topic { topic: topic.to_owned(), why }));
        }
        let mut messages = Vec::new();
        for batch in whole {
            let at = *next + messages.len() as u64;
            match read_batch(batch, partition.high_watermark, at, &mut messages) {
                Ok(()) => {}
                // Where the answer was cut off behind a batch's header, the batch seems whole and has no
                // messages. If it is broken indeed, it is the next answer's first.
                Err(_) if !messages.is_empty() => break,
                Err(broken) => return Err(broken),
            }
        }
        let after = *next + messages.len() as u64;
        let update = OffsetUpdate { offset: after as i64, session_id: answer.stream_id };
        self.link.send(UpdateOffsetsRequest::new(vec![update]), 10 * ASK_AFTER).await?;
        self.behind = 0;
        *next = after;
        Ok(if messages.is_empty() { Came::Nothing } else { Came::Messages(messages) })
    }
}

/// Adds a batch's messages from offset `next` on.
fn read_batch(
    batch: &Batch<RawRecords>,
    committed: i64,
    mut next: u64,
    messages: &mut Vec<Message>,
) -> Result<(), Broken> {
    let broken = |why: String| Broken::Stream(format!("the batch at offset {}: {why}", batch.base_offset));
    if batch.computed_last_offset() <= next as i64 {
        return Ok(());
    }
    if batch.base_offset > next as i64 {
        return Err(broken(format!("it should begin at {next}, nothing may be left out")));
    }
    if batch.computed_last_offset() > committed {
        return Err(broken(format!("it ends beyond {committed}, which is all that every server has")));
    }
    let records = batch.memory_records().map_err(|error| broken(error.to_string()))?;
    if records.len() != batch.records_len() {
        return Err(broken(format!("it has {} messages instead of {}", records.len(), batch.records_len())));
    }
    let skip = (next as i64 - batch.base_offset) as usize;
    for record in records.into_iter().skip(skip) {
        messages.push(Message { offset: next, payload: Bytes::clone(&record.value) });
        next += 1;
    }
    Ok(())
}
