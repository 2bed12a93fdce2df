//! Making topics, and checking those that are there.

use std::time::{Duration, Instant};

use ::fluvio::dataplane::link::ErrorCode;
use ::fluvio::metadata::objects::Metadata;
use ::fluvio::metadata::partition::PartitionSpec;
use ::fluvio::metadata::spu::SpuSpec;
use ::fluvio::metadata::topic::{
    CleanupPolicy, CompressionAlgorithm, SegmentBasedPolicy, TopicSpec as FluvioTopic, TopicStorageConfig,
};
use fluvio_sc_schema::ApiError;

use super::cluster::{Cluster, Controller};
use super::link::{sleep, within};
use super::{BrokerError, TopicSpec};

/// Fluvio keeps messages for a number of seconds, 7 days' unless it is told; it has no word for ever. This
/// is the largest number it takes, 136 years.
const FOR_EVER_SECONDS: u32 = u32::MAX;
/// From here on a topic that somebody else made counts as kept for ever: 100 years.
const FOR_EVER_SECONDS_MIN: u32 = 100 * 31_556_952;
/// Shortest retention that Fluvio takes.
const RETENTION_SECONDS_MIN: u64 = 10;
/// Fluvio drops a partition's oldest messages also when it grows too large, at 100 GiB unless it is told.
/// This is as good as no bound, and fits a signed number, as some of its stores need.
const PARTITION_BYTES_MAX: u64 = i64::MAX as u64;
/// From here on a topic that somebody else made counts as without such a bound: 1 PiB.
const PARTITION_BYTES_MIN: u64 = 1 << 50;
/// Its default for the bound on a partition, which holds where a topic states none.
const PARTITION_BYTES_DEFAULT: u64 = 100 << 30;
/// Size of a segment file, Fluvio's default, stated so that another default of a cluster does not count.
const SEGMENT_BYTES: u32 = 1 << 30;
/// Pause between looks at a new topic.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Makes a topic, or checks the one that is there.
pub(super) async fn ensure(cluster: &Cluster, topic: &TopicSpec) -> Result<(), BrokerError> {
    check_settings(topic)?;
    let deadline = Instant::now() + cluster.options().topic_limit;
    let controller = cluster.controller().await?;
    let topics = controller.all::<FluvioTopic>().await?;
    if let Some(there) = topics.into_iter().find(|there| there.name == topic.name) {
        check(topic, &there.spec)?;
        // Another node may be making it just now. That all copies are there is that node's to wait for.
        return wait(&controller, topic, deadline, |partition| partition.spec.leader >= 0).await;
    }
    wait_for_servers(&controller, topic, deadline).await?;
    if create(cluster, &controller, topic, deadline).await? {
        return wait(&controller, topic, deadline, |partition| has_all_copies(topic, partition)).await;
    }
    // Another node was faster.
    let topics = controller.all::<FluvioTopic>().await?;
    let there = topics.into_iter().find(|there| there.name == topic.name);
    let there = there.ok_or_else(|| BrokerError::Unreachable {
        what: format!("making topic {}", topic.name),
        why: "it is said to be there, but is not listed".to_owned(),
    })?;
    check(topic, &there.spec)?;
    wait(&controller, topic, deadline, |partition| partition.spec.leader >= 0).await
}

/// What no cluster could make.
fn check_settings(topic: &TopicSpec) -> Result<(), BrokerError> {
    let name_fits = (1..=63).contains(&topic.name.len())
        && topic.name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        && !topic.name.starts_with('-')
        && !topic.name.ends_with('-');
    let why = if !name_fits {
        format!(
            "a topic's name is {:?}; it has 1 to 63 lower-case letters, digits and hyphens, none at its ends",
            topic.name
        )
    } else if topic.partitions == 0 || topic.replication == 0 {
        format!(
            "topic {} states {} partitions and {} copies; both are at least 1",
            topic.name, topic.partitions, topic.replication
        )
    } else if let Some(retention) = topic.retention
        && !(RETENTION_SECONDS_MIN..u64::from(FOR_EVER_SECONDS)).contains(&retention.as_secs())
    {
        format!(
            "topic {} states a retention of {} s; Fluvio takes {RETENTION_SECONDS_MIN} s to {} s, or none for ever",
            topic.name,
            retention.as_secs(),
            FOR_EVER_SECONDS - 1
        )
    } else {
        return Ok(());
    };
    Err(BrokerError::Settings(why))
}

/// What a topic is made as.
fn specification(topic: &TopicSpec) -> FluvioTopic {
    let mut spec = FluvioTopic::new_computed(topic.partitions, topic.replication, None);
    let seconds = topic.retention.map_or(FOR_EVER_SECONDS, |retention| retention.as_secs() as u32);
    spec.set_cleanup_policy(CleanupPolicy::Segment(SegmentBasedPolicy { time_in_seconds: seconds }));
    spec.set_storage(TopicStorageConfig {
        segment_size: Some(SEGMENT_BYTES),
        max_partition_size: Some(PARTITION_BYTES_MAX),
    });
    spec.set_compression_type(CompressionAlgorithm::Any);
    spec
}

/// Every difference between a topic and what the settings state.
fn check(stated: &TopicSpec, found: &FluvioTopic) -> Result<(), BrokerError> {
    let mut differences = Vec::new();
    let partitions = found.replicas().partitions();
    if partitions != stated.partitions {
        differences
            .push(format!("it has {partitions} partitions, and the settings state {}", stated.partitions));
    }
    match found.replicas().replication_factor() {
        Some(copies) if copies == stated.replication => {}
        Some(copies) => differences.push(format!(
            "it keeps {copies} copies of a message, and the settings state {}",
            stated.replication
        )),
        None => differences.push("it mirrors another cluster's topic".to_owned()),
    }
    let seconds = found.retention_secs();
    match stated.retention.map(|retention| retention.as_secs()) {
        Some(stated) if stated == u64::from(seconds) => {}
        None if seconds >= FOR_EVER_SECONDS_MIN => {}
        stated => {
            let time = |seconds: u64| match seconds >= u64::from(FOR_EVER_SECONDS_MIN) {
                true => format!("for ever (written as {seconds} s)"),
                false => format!("for {seconds} s"),
            };
            let stated = stated.unwrap_or(u64::from(FOR_EVER_SECONDS));
            let (found, stated) = (time(u64::from(seconds)), time(stated));
            differences.push(format!("it keeps messages {found}, and the settings state {stated}"));
        }
    }
    let bytes = found.get_storage().and_then(|storage| storage.max_partition_size);
    let bytes = bytes.unwrap_or(PARTITION_BYTES_DEFAULT);
    if bytes < PARTITION_BYTES_MIN {
        differences.push(format!(
            "it drops a partition's oldest messages beyond {bytes} bytes, and at least {PARTITION_BYTES_MIN} are needed"
        ));
    }
    let compression = found.get_compression_type();
    if !matches!(compression, CompressionAlgorithm::Any | CompressionAlgorithm::None) {
        differences.push(format!("it takes messages in {compression:?} only, and they are sent as they are"));
    }
    if found.get_deduplication().is_some() {
        differences.push("it drops messages that it takes for repeats".to_owned());
    }
    if differences.is_empty() {
        return Ok(());
    }
    let why = format!(
        "{}; correct the settings, or, if nothing in it is needed, delete it and let a node make it again",
        differences.join("; ")
    );
    Err(BrokerError::Topic { topic: stated.name.clone(), why })
}

/// Waits until there are as many servers as copies.
async fn wait_for_servers(
    controller: &Controller<'_>,
    topic: &TopicSpec,
    deadline: Instant,
) -> Result<(), BrokerError> {
    loop {
        let servers = controller.all::<SpuSpec>().await?;
        if servers.len() < topic.replication as usize {
            let why = format!(
                "it states {} copies of a message, each on a server of its own, and the cluster has {} servers (SPUs); \
                 add servers, or state fewer copies",
                topic.replication,
                servers.len()
            );
            return Err(BrokerError::Topic { topic: topic.name.clone(), why });
        }
        let (online, away): (Vec<_>, Vec<_>) = servers.iter().partition(|server| server.status.is_online());
        if online.len() >= topic.replication as usize {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let away: Vec<_> = away.iter().map(|server| server.name.as_str()).collect();
            return Err(BrokerError::Unreachable {
                what: format!("making topic {}", topic.name),
                why: format!(
                    "it states {} copies of a message, and only {} servers are online; start {}",
                    topic.replication,
                    online.len(),
                    away.join(", ")
                ),
            });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Makes a topic; false if it was there by then.
async fn create(
    cluster: &Cluster,
    controller: &Controller<'_>,
    topic: &TopicSpec,
    deadline: Instant,
) -> Result<bool, BrokerError> {
    let left = deadline.saturating_duration_since(Instant::now());
    let create = controller.admin().create(topic.name.clone(), false, specification(topic));
    let unready =
        |why: String| BrokerError::Unreachable { what: format!("making topic {}", topic.name), why };
    let Some(created) = within(left, create).await else {
        return Err(unready(format!("it was not ready within {:?}", cluster.options().topic_limit)));
    };
    let Err(error) = created else { return Ok(true) };
    let refused = |why: String| Err(BrokerError::Topic { topic: topic.name.clone(), why });
    match error.downcast_ref::<ApiError>() {
        Some(ApiError::Code(ErrorCode::TopicAlreadyExists, _)) => Ok(false),
        Some(ApiError::Code(ErrorCode::TopicNotProvisioned, why)) => {
            Err(unready(why.clone().unwrap_or_else(|| "its partitions were given no servers".to_owned())))
        }
        Some(ApiError::Code(ErrorCode::PermissionDenied, _)) => refused(
            "the cluster does not let this program make it; grant it that, or make it by hand".to_owned(),
        ),
        Some(error) => refused(format!("the cluster does not make it: {error}")),
        None => Err(unready(format!("{error:#}"))),
    }
}

/// Waits until every partition is as asked.
async fn wait(
    controller: &Controller<'_>,
    topic: &TopicSpec,
    deadline: Instant,
    ready: impl Fn(&Metadata<PartitionSpec>) -> bool,
) -> Result<(), BrokerError> {
    loop {
        let partitions = controller.partitions(&topic.name).await?;
        let missing: Vec<String> = match topic.partitions as usize {
            count if partitions.len() < count => {
                (partitions.len()..count).map(|number| format!("{}-{number}", topic.name)).collect()
            }
            _ => (partitions.iter().filter(|partition| !ready(partition)))
                .map(|partition| format!("{} ({:?})", partition.name, partition.status.resolution))
                .collect(),
        };
        if missing.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(BrokerError::Unreachable {
                what: format!("making topic {}", topic.name),
                why: format!(
                    "not all its servers are ready for {}; look whether they are online and reach each other",
                    missing.join(", ")
                ),
            });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// That a partition has a leader, and every server with a copy has told the leader where it is. A follower
/// that has not would hold up the first append.
fn has_all_copies(topic: &TopicSpec, partition: &Metadata<PartitionSpec>) -> bool {
    let copies = partition.status.replicas.iter().filter(|copy| copy.leo >= 0).count();
    partition.status.is_online()
        && partition.status.leader.leo >= 0
        && copies + 1 >= topic.replication as usize
}
