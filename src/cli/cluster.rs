//! From the configuration to a node's cluster.

use std::time::Duration;

use crate::cluster::{ClusterOptions, IntakeOptions, group::NODE_BYTES_MAX};
use crate::config::Cluster;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Longest name of a cluster: a topic's name has a bound of its own.
const NAME_BYTES_MAX: usize = 40;

/// The cluster that the configuration states; `None` where it states none.
///
/// # Errors
/// A name cannot be one, the program was built without Fluvio, or the broker refuses the settings.
pub fn options(config: &Cluster) -> Result<Option<ClusterOptions>, AnyError> {
    let Some(endpoint) = &config.endpoint else { return Ok(None) };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if config.name.is_empty() || config.name.len() > NAME_BYTES_MAX || !config.name.chars().all(plain) {
        return Err(format!(
            "cluster.name is {:?}; allowed: up to {NAME_BYTES_MAX} lower-case letters, digits and hyphens",
            config.name
        )
        .into());
    }
    let node = match &config.node {
        Some(node) => node.clone(),
        None => host_name().ok_or("the machine has no name; give the node one with cluster.node")?,
    };
    if node.is_empty() || node.len() > NODE_BYTES_MAX {
        return Err(format!("cluster.node is {node:?}; allowed: 1 to {NODE_BYTES_MAX} bytes").into());
    }
    let intake = config.intake.then(|| IntakeOptions {
        partitions: config.intake_partitions,
        retention: Duration::from_secs(u64::from(config.intake_days) * 86_400),
    });
    let broker = broker(endpoint, config)?;
    let (name, replication) = (config.name.clone(), config.replication);
    let days = |days: u32| Duration::from_secs(u64::from(days) * 86_400);
    let log_retention = (config.log_days > 0).then(|| days(config.log_days));
    let behind = (config.behind_ms > 0).then(|| Duration::from_millis(config.behind_ms.into()));
    Ok(Some(ClusterOptions { broker, name, node, replication, log_retention, behind, intake }))
}

fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(feature = "fluvio")]
fn broker(endpoint: &str, config: &Cluster) -> Result<std::sync::Arc<dyn crate::broker::Broker>, AnyError> {
    use crate::broker::{Fluvio, FluvioOptions, FluvioTls};
    let mut options = FluvioOptions::new(endpoint);
    let Cluster { tls_domain, tls_ca, tls_certificate, tls_key, .. } = config;
    options.tls = match (tls_domain, tls_ca, tls_certificate, tls_key) {
        (None, None, None, None) => None,
        (Some(domain), Some(ca), Some(certificate), Some(key)) => Some(FluvioTls {
            domain: domain.clone(),
            ca_file: ca.clone(),
            cert_file: certificate.clone(),
            key_file: key.clone(),
        }),
        _ => {
            return Err("cluster.tls_domain, cluster.tls_ca, cluster.tls_certificate and cluster.tls_key go together; \
                        some are missing"
                .into());
        }
    };
    Ok(std::sync::Arc::new(Fluvio::new(options)?))
}

#[cfg(not(feature = "fluvio"))]
fn broker(endpoint: &str, _: &Cluster) -> Result<std::sync::Arc<dyn crate::broker::Broker>, AnyError> {
    Err(format!(
        "cluster.endpoint is {endpoint:?}, and this program was built without Fluvio; build it with \
         `cargo build --release --features fluvio`"
    )
    .into())
}
