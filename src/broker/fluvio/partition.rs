//! Appending to a partition, and asking it how far it reaches.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ::fluvio::Isolation;
use ::fluvio::dataplane::link::ErrorCode;
use ::fluvio::dataplane::record::{Batch, ProducerBatchHeader, RawRecords, Record, RecordData, ReplicaKey};
use bytes::Bytes;
use fluvio_spu_schema::produce::{DefaultPartitionRequest, DefaultProduceRequest, DefaultTopicRequest};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;

use super::backoff::Backoff;
use super::cluster::Cluster;
use super::follow::FluvioFollow;
use super::link::{Link, LinkError, block_on, sleep};
use super::{BrokerError, Partition};
use crate::broker::{Follow, MESSAGE_BYTES_MAX};

/// Messages go together up to this many bytes; a longer one goes alone. Servers hand batches on among
/// themselves only up to 10 MiB (their `peer-max-bytes`), which bounds [`MESSAGE_BYTES_MAX`].
const BATCH_BYTES: usize = 1 << 20;
/// Most messages of a batch, so that many small ones do not make a long one.
const BATCH_MESSAGES: usize = 16_384;
/// How much longer than the servers are told this side waits for their answer, which tells more than none.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// One partition. Appends through it go one after the other.
pub(super) struct FluvioPartition {
    cluster: Arc<Cluster>,
    topic: String,
    number: u32,
    producer: Mutex<Connection>,
    bounds: Mutex<Connection>,
}

/// A connection to the leader, as long as it holds.
#[derive(Default)]
struct Connection {
    link: Option<Link>,
    backoff: Backoff,
}

/// What a leader said.
pub(super) enum Answer<T> {
    Is(T),
    /// It leads no more, and did nothing.
    Elsewhere(String),
}

impl FluvioPartition {
    pub(super) fn new(cluster: Arc<Cluster>, topic: &str, number: u32) -> Self {
        Self {
            cluster,
            topic: topic.to_owned(),
            number,
            producer: Mutex::default(),
            bounds: Mutex::default(),
        }
    }

    fn appending(&self) -> String {
        format!("appending to topic {}, partition {}", self.topic, self.number)
    }

    async fn append_batch(&self, connection: &mut Connection, batch: &[Bytes]) -> Result<(), BrokerError> {
        let limit = self.cluster.options().answer_limit;
        let request = produce_request(&self.topic, self.number, batch, limit)?;
        let deadline = Instant::now() + limit;
        loop {
            let link = connection.leader(&self.cluster, &self.topic, self.number, deadline).await?;
            let answer = link.call(request.clone(), limit + ANSWER_GRACE).await;
            // From here on nobody knows whether the batch was appended, unless the answer says so.
            let answer = answer.map_err(|error| self.cluster.lost(|| self.appending(), error));
            let error = match answer.and_then(|answer| {
                let said = answer.responses.into_iter().flat_map(|topic| topic.partitions).next();
                produced(said.map(|partition| partition.error_code), batch, self.appending())
            }) {
                Ok(Answer::Is(())) => {
                    connection.backoff.succeeded();
                    return Ok(());
                }
                Ok(Answer::Elsewhere(why)) => BrokerError::Unreachable { what: self.appending(), why },
                Err(error) => {
                    connection.failed();
                    return Err(error);
                }
            };
            connection.failed();
            if Instant::now() >= deadline {
                return Err(error);
            }
        }
    }

    async fn ask_bounds(&self, connection: &mut Connection) -> Result<Range<u64>, BrokerError> {
        let limit = self.cluster.options().answer_limit;
        let deadline = Instant::now() + limit;
        loop {
            let link = connection.leader(&self.cluster, &self.topic, self.number, deadline).await?;
            let error = match bounds_of(link, &self.topic, self.number, limit).await {
                Ok(Answer::Is(bounds)) => {
                    connection.backoff.succeeded();
                    return Ok(bounds);
                }
                Ok(Answer::Elsewhere(why)) => LinkError::Lost(why),
                Err(error) => error,
            };
            connection.failed();
            if Instant::now() >= deadline {
                let what =
                    || format!("asking for the offsets of topic {}, partition {}", self.topic, self.number);
                return Err(self.cluster.lost(what, error));
            }
        }
    }
}

impl Partition for FluvioPartition {
    fn append(&self, messages: &[Bytes]) -> Result<(), BrokerError> {
        if let Some(long) = messages.iter().find(|message| message.len() > MESSAGE_BYTES_MAX) {
            return Err(BrokerError::TooLong { bytes: long.len(), limit: MESSAGE_BYTES_MAX });
        }
        let mut connection = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        block_on(async {
            let mut rest = messages;
            while !rest.is_empty() {
                let (batch, after) = rest.split_at(batch_len(rest));
                self.append_batch(&mut connection, batch).await?;
                rest = after;
            }
            Ok(())
        })
    }

    fn follow(&self, from: u64) -> Result<Box<dyn Follow>, BrokerError> {
        let follow = FluvioFollow::open(Arc::clone(&self.cluster), &self.topic, self.number, from);
        Ok(Box::new(block_on(follow)?))
    }

    fn bounds(&self) -> Result<Range<u64>, BrokerError> {
        let mut connection = self.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        block_on(self.ask_bounds(&mut connection))
    }
}

impl Connection {
    /// The leader, connected to anew if need be, after the pause that the last failure asks for.
    async fn leader(
        &mut self,
        cluster: &Cluster,
        topic: &str,
        number: u32,
        deadline: Instant,
    ) -> Result<&mut Link, BrokerError> {
        while self.link.is_none() {
            sleep(self.backoff.left().min(deadline.saturating_duration_since(Instant::now()))).await;
            match cluster.leader(topic, number).await {
                Ok(link) => self.link = Some(link),
                // Nothing was sent, so it may be tried again.
                Err(error) => {
                    self.backoff.failed();
                    if !error.is_passing() || Instant::now() + self.backoff.left() >= deadline {
                        return Err(error);
                    }
                }
            }
        }
        Ok(self.link.as_mut().expect("the loop ends with a link"))
    }

    fn failed(&mut self) {
        self.link = None;
        self.backoff.failed();
    }
}

/// How many of the messages go together.
fn batch_len(messages: &[Bytes]) -> usize {
    let mut bytes = 0;
    let fit = messages.iter().take(BATCH_MESSAGES).take_while(|message| {
        bytes += message.len();
        bytes <= BATCH_BYTES
    });
    fit.count().max(1)
}

fn produce_request(
    topic: &str,
    number: u32,
    messages: &[Bytes],
    limit: Duration,
) -> Result<DefaultProduceRequest, BrokerError> {
    let records = messages.iter().map(|message| Record::new(RecordData::from(message.to_vec())));
    let mut batch = Batch::from(records.collect::<Vec<_>>());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    batch.header.set_first_timestamp(now);
    batch.header.set_max_time_stamp(now);
    let batch = Batch::<RawRecords>::try_from(batch)
        .map_err(|error| BrokerError::Settings(format!("a batch cannot be put into bytes: {error}")))?;
    let mut partition = DefaultPartitionRequest { partition_index: number, ..Default::default() };
    partition.records.batches.push(batch);
    let topic =
        DefaultTopicRequest { name: topic.to_owned(), partitions: vec![partition], ..Default::default() };
    Ok(DefaultProduceRequest {
        isolation: Isolation::ReadCommitted,
        timeout: limit,
        topics: vec![topic],
        ..Default::default()
    })
}

/// What the leader's answer to an append means.
fn produced(code: Option<ErrorCode>, batch: &[Bytes], what: String) -> Result<Answer<()>, BrokerError> {
    let unreachable = |why: String| Err(BrokerError::Unreachable { what: what.clone(), why });
    match code {
        Some(ErrorCode::None) => Ok(Answer::Is(())),
        Some(
            code @ (ErrorCode::NotLeaderForPartition
            | ErrorCode::PartitionNotLeader
            | ErrorCode::TopicNotFound),
        ) => Ok(Answer::Elsewhere(code.to_string())),
        Some(ErrorCode::RequestTimedOut { timeout_ms, .. }) => unreachable(format!(
            "not all servers that keep a copy confirmed it within {timeout_ms} ms; one of them may be away"
        )),
        Some(ErrorCode::MessageTooLarge) => {
            let bytes: usize = batch.iter().map(Bytes::len).sum();
            Err(BrokerError::Settings(format!(
                "{what}: its servers take no batch of {bytes} bytes; give the topic larger segments"
            )))
        }
        Some(ErrorCode::PermissionDenied) => Err(BrokerError::Settings(format!(
            "{what}: the cluster does not let this program do that; grant it that"
        ))),
        Some(code @ (ErrorCode::PartitionFull { .. } | ErrorCode::PartitionShortCircuited)) => {
            unreachable(format!("{code}; give its servers more room, and restart them"))
        }
        Some(code) => unreachable(code.to_string()),
        None => unreachable("the answer says nothing of the partition".to_owned()),
    }
}

/// Asks a leader for the offsets it keeps, up to the last that every copy has.
pub(super) async fn bounds_of(
    link: &mut Link,
    topic: &str,
    number: u32,
    limit: Duration,
) -> Result<Answer<Range<u64>>, LinkError> {
    let answer = link.call(FetchOffsetsRequest::new(topic.to_owned(), number), limit).await?;
    let found = answer.find_partition(&ReplicaKey::new(topic, number));
    let found =
        found.ok_or_else(|| LinkError::Lost("the answer says nothing of the partition".to_owned()))?;
    Ok(match found.error_code {
        ErrorCode::None => {
            let start = found.start_offset.max(0) as u64;
            Answer::Is(start..(found.last_stable_offset.max(0) as u64).max(start))
        }
        code => Answer::Elsewhere(code.to_string()),
    })
}
