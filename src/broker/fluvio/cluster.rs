//! The cluster's controller: what there is, and where.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::fluvio::config::{TlsConfig, TlsPaths, TlsPolicy};
use ::fluvio::metadata::objects::Metadata;
use ::fluvio::metadata::partition::PartitionSpec;
use ::fluvio::metadata::spu::SpuSpec;
use ::fluvio::{FluvioAdmin, FluvioClusterConfig};
use fluvio_socket::ClientConfig;

use super::link::{Link, LinkError, within};
use super::{BrokerError, FluvioOptions, FluvioTls};

/// The oldest platform that the tests are run with, as major and minor number.
const PLATFORM_MIN: (u64, u64) = (0, 18);

/// How to reach a cluster. It holds no connection: the controller tells every watcher of every append, so
/// each question is asked on a connection of its own.
pub(super) struct Cluster {
    options: FluvioOptions,
    config: FluvioClusterConfig,
    /// Who led each partition when it was last connected to.
    leaders: Mutex<HashMap<(String, u32), i32>>,
}

/// The controller, ready for questions.
pub(super) struct Controller<'c> {
    cluster: &'c Cluster,
    admin: FluvioAdmin,
    // The administration's connection ends with its client.
    _client: ::fluvio::Fluvio,
}

impl Cluster {
    pub(super) fn new(options: FluvioOptions) -> Result<Self, BrokerError> {
        check_endpoint(&options.endpoint)?;
        for (name, limit) in [
            ("connect_limit", options.connect_limit),
            ("answer_limit", options.answer_limit),
            ("topic_limit", options.topic_limit),
        ] {
            // The protocol carries the limit in 32 bits of milliseconds.
            if limit.is_zero() || limit > Duration::from_secs(3600) {
                let why = format!("{name} is {limit:?}; state a time above 0 and up to an hour");
                return Err(BrokerError::Settings(why));
            }
        }
        let tls = options.tls.as_ref().map_or(Ok(TlsPolicy::Disabled), check_tls)?;
        let config = FluvioClusterConfig::new(&options.endpoint).with_tls(tls);
        let cluster = Self { options, config, leaders: Mutex::default() };
        cluster.socket_config()?;
        Ok(cluster)
    }

    pub(super) fn options(&self) -> &FluvioOptions {
        &self.options
    }

    /// Reads the certificates again, so that renewed ones are taken with the next connection.
    fn socket_config(&self) -> Result<ClientConfig, BrokerError> {
        ClientConfig::try_from(self.config.clone())
            .map_err(|error| BrokerError::Settings(format!("the TLS files cannot be used: {error:#}")))
    }

    /// Connects to the controller.
    pub(super) async fn controller(&self) -> Result<Controller<'_>, BrokerError> {
        let FluvioOptions { endpoint, connect_limit, .. } = &self.options;
        let connect = ::fluvio::Fluvio::connect_with_config(&self.config);
        let Some(connected) = within(*connect_limit, connect).await else {
            return Err(self.unreachable(format!(
                "no answer within {connect_limit:?}; is it a Fluvio controller, and is TLS set as there?"
            )));
        };
        let client = match connected {
            Ok(client) => client,
            // What is too old does not get as far as to say so.
            Err(error) => {
                let link = Link::open(self.socket_config()?, *connect_limit).await;
                link.map_or(Ok(()), |link| check_version(endpoint, link.platform()))?;
                let why = format!("{error:#}; start the cluster, or correct the address in the settings");
                return Err(self.unreachable(why));
            }
        };
        let version = client.platform_version();
        check_version(endpoint, (version.major, version.minor, version.patch))?;
        Ok(Controller { cluster: self, admin: client.admin().await, _client: client })
    }

    /// An error of the connection to the controller.
    fn unreachable(&self, why: String) -> BrokerError {
        let what = format!("connecting to the Fluvio controller (SC) at {}", self.options.endpoint);
        BrokerError::Unreachable { what, why }
    }

    /// That a topic has a partition.
    pub(super) async fn check_partition(&self, topic: &str, partition: u32) -> Result<(), BrokerError> {
        self.controller().await?.partition(topic, partition).await.map(drop)
    }

    /// Connects to the server that leads a partition.
    pub(super) async fn leader(&self, topic: &str, partition: u32) -> Result<Link, BrokerError> {
        let controller = self.controller().await?;
        let leader = controller.partition(topic, partition).await?.spec.leader;
        let servers = controller.all::<SpuSpec>().await?;
        drop(controller);
        self.note_leader(topic, partition, leader);
        let server = servers.into_iter().find(|server| server.spec.id == leader).ok_or_else(|| {
            BrokerError::Unreachable {
                what: format!("connecting to the leader of topic {topic}, partition {partition}"),
                why: format!("the controller knows no server {leader} (SPU)"),
            }
        })?;
        let address = server.spec.public_endpoint.addr();
        let mut config = self.socket_config()?.with_prefix_sni_domain(&server.name);
        config.set_addr(address.clone());
        Link::open(config, self.options.connect_limit).await.map_err(|error| BrokerError::Unreachable {
            what: format!(
                "connecting to server {leader} (SPU) at {address}, which leads topic {topic}, partition {partition}"
            ),
            why: error.to_string(),
        })
    }

    /// Says when the lead has moved. The one who lost it may have taken messages that nobody else has, and
    /// Fluvio does not take them back when it returns: two servers would then differ at the same offsets.
    fn note_leader(&self, topic: &str, partition: u32, leader: i32) {
        let mut leaders = self.leaders.lock().unwrap_or_else(PoisonError::into_inner);
        let before = leaders.insert((topic.to_owned(), partition), leader);
        if let Some(before) = before.filter(|before| *before != leader) {
            tracing::warn!(
                "server {leader} (SPU) now leads topic {topic}, partition {partition}, instead of server {before}; \
                 remove directory {topic}-{partition} of server {before} before it starts again, so that it gets \
                 all of it anew"
            );
        }
    }

    /// What became of a request on a connection that broke.
    pub(super) fn lost(&self, what: impl FnOnce() -> String, error: LinkError) -> BrokerError {
        match error {
            LinkError::Lost(why) => BrokerError::Unreachable { what: what(), why },
            LinkError::Unsupported(why) => {
                BrokerError::Version { address: self.options.endpoint.clone(), why }
            }
        }
    }
}

impl Controller<'_> {
    pub(super) fn admin(&self) -> &FluvioAdmin {
        &self.admin
    }

    /// All objects of a kind.
    pub(super) async fn all<S>(&self) -> Result<Vec<Metadata<S>>, BrokerError>
    where
        S: ::fluvio::metadata::AdminSpec,
        S::Status: ::fluvio::dataplane::Encoder + ::fluvio::dataplane::Decoder + std::fmt::Debug,
    {
        let limit = self.cluster.options.answer_limit;
        within(limit, self.admin.all::<S>())
            .await
            .ok_or_else(|| self.cluster.unreachable(format!("no list of {} within {limit:?}", S::LABEL)))?
            .map_err(|error| self.cluster.unreachable(format!("no list of {}: {error:#}", S::LABEL)))
    }

    /// The partitions of a topic, by number.
    pub(super) async fn partitions(&self, topic: &str) -> Result<Vec<Metadata<PartitionSpec>>, BrokerError> {
        let mut found: Vec<(u32, Metadata<PartitionSpec>)> = (self.all::<PartitionSpec>().await?.into_iter())
            .filter_map(|partition| {
                let (name, number) = partition.name.rsplit_once('-')?;
                let number = number.parse().ok().filter(|_| name == topic)?;
                Some((number, partition))
            })
            .collect();
        found.sort_by_key(|(number, _)| *number);
        Ok(found.into_iter().map(|(_, partition)| partition).collect())
    }

    async fn partition(&self, topic: &str, number: u32) -> Result<Metadata<PartitionSpec>, BrokerError> {
        let mut partitions = self.partitions(topic).await?;
        let count = partitions.len();
        if (number as usize) < count {
            return Ok(partitions.swap_remove(number as usize));
        }
        let why = match count {
            0 => "the cluster has no such topic; it is made when a node starts".to_owned(),
            1 => format!("there is no partition {number} of it, only partition 0"),
            _ => format!("there is no partition {number} of it, only 0 to {}", count - 1),
        };
        Err(BrokerError::Topic { topic: topic.to_owned(), why })
    }
}

fn check_version(endpoint: &str, found: (u64, u64, u64)) -> Result<(), BrokerError> {
    let ((major, minor), found_minor) = (PLATFORM_MIN, (found.0, found.1));
    if found_minor >= PLATFORM_MIN {
        return Ok(());
    }
    Err(BrokerError::Version {
        address: endpoint.to_owned(),
        why: format!(
            "it is Fluvio {}.{}.{}, and {major}.{minor} or later is needed; upgrade the cluster",
            found.0, found.1, found.2
        ),
    })
}

fn check_endpoint(endpoint: &str) -> Result<(), BrokerError> {
    let fits = endpoint
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if fits {
        return Ok(());
    }
    let why =
        format!("the endpoint is {endpoint:?}; state the controller's host and port, as sc.example:9003");
    Err(BrokerError::Settings(why))
}

/// That the files are there, named one by one: the client library names none of them.
fn check_tls(tls: &FluvioTls) -> Result<TlsPolicy, BrokerError> {
    if tls.domain.is_empty() {
        let why = "tls.domain is empty; state the domain in the servers' certificates";
        return Err(BrokerError::Settings(why.to_owned()));
    }
    let readable = |name: &str, path: &Path| match fs::read(path) {
        Ok(bytes) if bytes.windows(11).any(|part| part == b"-----BEGIN ") => Ok(path.to_owned()),
        Ok(_) => {
            let why = format!("tls.{name} {} is not a PEM file", path.display());
            Err(BrokerError::Settings(why))
        }
        Err(error) => {
            let why = format!("tls.{name} {} cannot be read: {error}", path.display());
            Err(BrokerError::Settings(why))
        }
    };
    Ok(TlsPolicy::Verified(TlsConfig::Files(TlsPaths {
        domain: tls.domain.clone(),
        ca_cert: readable("ca_file", &tls.ca_file)?,
        cert: readable("cert_file", &tls.cert_file)?,
        key: readable("key_file", &tls.key_file)?,
    })))
}
