//! Many nodes on one log, in virtual time: how much a cell bears, how long an answer takes, and how much of
//! what others have scored a node has not seen yet.
//!
//! ```text
//! Scenario (nodes, rate, Parameters, Failures) ─▶ cell (events) ─▶ Outcome ─▶ table, JSON
//!                                             └─▶ formula (capacities)
//! ratings ─▶ staleness (real engines that see each other late) ─▶ what late sight costs in detection
//! ```
//!
//! Ratings are reckoned in groups, not one by one, so that 10⁶ a second on 100 nodes take a second or two. The
//! same seed gives the same result on every machine. What the simulation assumes, and how to read what it
//! says, is in `docs/scale.md`.

mod arrivals;
mod broker;
mod cell;
mod event;
mod failures;
mod formula;
mod histogram;
mod machine;
mod node;
mod outcome;
mod parameters;
mod pool;
mod seen;
pub mod staleness;
mod table;

use std::fmt;

use serde::Serialize;

pub use failures::{Failures, NodeOutage, Outage};
pub use formula::{Capacity, Resource, bound, capacities, ceiling, floor, gated, wait_md1};
pub use outcome::{Outcome, Quantiles, Utilisation};
pub use parameters::Parameters;
pub use table::{grid, report};

use crate::lab::simulate::busiest;

/// Virtual time, in nanoseconds.
type Nanos = u64;

/// Most nodes.
pub const NODES_MAX: u32 = 1_000;
/// Most ratings a second.
pub const RATE_MAX: f64 = 1e8;
/// Longest run, in seconds.
pub const SECONDS_MAX: f64 = 3_600.0;

/// Who keeps the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Log {
    /// The one node itself, on its own disk.
    Embedded,
    /// A broker.
    Broker,
}

impl Log {
    fn is_broker(self) -> bool {
        self == Self::Broker
    }
}

/// A cell and what it is put to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scenario {
    /// Nodes.
    pub nodes: u32,
    /// Ratings a second, all nodes together; they arrive as independent people do (Poisson).
    pub rate: f64,
    /// Virtual seconds.
    pub seconds: f64,
    /// Everything random follows from it.
    pub seed: u64,
    /// Who keeps the log.
    pub log: Log,
    /// What goes wrong.
    pub failures: Failures,
    /// What things cost.
    pub parameters: Parameters,
}

/// What cannot be simulated: which flag, what was found and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError(String);

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    fn check(&self) -> Result<(), ScenarioError> {
        let refuse = |text: String| Err(ScenarioError(text));
        if !(1..=NODES_MAX).contains(&self.nodes) {
            return refuse(format!("--nodes: found {}; allowed is 1 to {NODES_MAX}", self.nodes));
        }
        if !(0.001..=RATE_MAX).contains(&self.rate) {
            return refuse(format!(
                "--rate: found {}; allowed is 0.001 to {RATE_MAX} ratings a second",
                self.rate
            ));
        }
        if !(0.001..=SECONDS_MAX).contains(&self.seconds) {
            return refuse(format!("--seconds: found {}; allowed is 0.001 to {SECONDS_MAX}", self.seconds));
        }
        if self.log == Log::Embedded {
            if self.nodes > 1 {
                let found = self.nodes;
                return refuse(format!(
                    "--embedded: a log of its own serves one node; found --nodes {found}"
                ));
            }
            if !self.failures.cut_off.is_empty() || !self.failures.lose_spu.is_empty() {
                return refuse(
                    "--embedded: there is no broker to lose; leave --cut-off and --lose-spu out".to_owned(),
                );
            }
        }
        self.parameters.check().and_then(|()| self.failures.check(self.nodes)).map_err(ScenarioError)
    }
}

/// Runs a scenario.
///
/// # Errors
/// A number is out of its bounds, or parts of the scenario contradict each other.
pub fn simulate(scenario: &Scenario) -> Result<Outcome, ScenarioError> {
    scenario.check()?;
    let mut cell = cell::Cell::new(scenario);
    cell.run();
    Ok(outcome::outcome(scenario, &cell))
}

/// How many times the mean rate the busiest hour of a month has, by the simulated city's rhythm of halls,
/// phones and filing deadlines.
pub fn busiest_hour() -> f64 {
    busiest()
}

#[cfg(test)]
mod tests;
