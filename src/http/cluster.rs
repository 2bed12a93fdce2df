//! `GET /v1/cluster`: the nodes as this one sees them, for machines; the desk shows the same.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use serde::Serialize;

use super::auth::Call;
use super::backend::Backend;
use super::problem::json;
use super::{App, CallResult, json_response, response_of};
use crate::cluster::members::{Member, Standing};
use crate::service::{ClusterView, Service};

/// The cluster as one of its nodes sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Nodes {
    /// The node that answers; empty where the service has its log alone.
    pub node: String,
    /// Whether it cannot reach the broker.
    pub cut_off: bool,
    /// Its entries that do not stand, since another node was first.
    pub skipped: u64,
    /// Every node that was heard, by name.
    pub nodes: Vec<Node>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Node {
    /// Its name.
    pub node: String,
    /// `ready`, `cut_off`, `draining`, `left`, or `lost` where it has been silent for too long.
    pub state: &'static str,
    /// Seconds since it was heard.
    pub silent_s: u64,
    /// Where its HTTP service listens.
    pub address: String,
    /// The program's version.
    pub version: String,
    /// The next sequence of its log.
    pub sequence: u64,
    /// The chain over all before it.
    pub chain: String,
    /// The rules in force.
    pub rules: String,
    /// Messages of the shared log that it has not folded.
    pub lag: u64,
    /// Age of the last group of another node when it folded it, in ms.
    pub staleness_ms: u64,
    /// Entries of others that its groups were decided without, on average.
    pub unseen_mean: f64,
    /// Entries that it decided since it was started.
    pub decided: u64,
    /// Partitions of the intake topic that it scores.
    pub intake: Vec<u32>,
}

impl Nodes {
    /// What a service sees.
    pub fn of(service: &Service) -> Self {
        let Some(ClusterView { node, cut_off, skipped, .. }) = service.cluster() else {
            return Self::default();
        };
        Self { node, cut_off, skipped, nodes: service.members().into_iter().map(Node::of).collect() }
    }
}

impl Node {
    fn of(member: Member) -> Self {
        let state = match (member.is_lost(), member.said.standing) {
            (true, _) => "lost",
            (false, Standing::Ready) => "ready",
            (false, Standing::CutOff) => "cut_off",
            (false, Standing::Draining) => "draining",
            (false, Standing::Left) => "left",
        };
        let said = member.said;
        Self {
            node: said.node,
            state,
            silent_s: member.silent.as_secs(),
            address: said.address,
            version: said.version,
            sequence: said.sequence,
            chain: said.chain,
            rules: said.rules,
            lag: said.lag,
            staleness_ms: said.staleness_ms,
            unseen_mean: (said.unseen_mean * 10.0).round() / 10.0,
            decided: said.decided,
            intake: said.intake,
        }
    }
}

/// The call.
pub(super) async fn nodes<B: Backend>(State(app): State<Arc<App<B>>>, headers: HeaderMap) -> Response<Body> {
    response_of(told(app, &headers).await)
}

async fn told<B: Backend>(app: Arc<App<B>>, headers: &HeaderMap) -> CallResult {
    app.admit(headers, Call::Operate).await?;
    let nodes = app.read(|backend| backend.nodes()).await?;
    Ok(json_response(json(&nodes)))
}
