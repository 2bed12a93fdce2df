//! What things cost, in one place: each parameter with its unit, default and bounds.
//!
//! The defaults that say "assumed" are guesses to be replaced by measured ones; the others are what one node
//! takes on the machine of docs/performance.md. What nodes and broker took on one small machine stands beside them
//! in docs/scale.md, and `tests/cluster/throughput.rs` measures it.

use std::fmt::Display;

use serde::Serialize;

/// Declares the parameters once: fields, flags with their help, defaults and bounds.
macro_rules! parameters {
    ($( $heading:literal { $(
        $(#[doc = $doc:literal])+
        $field:ident: $type:ty = $default:literal $unit:literal, in $bounds:expr;
    )+ } )+) => {
        /// What a cell's nodes, its broker and the network between them can do. Each is a flag of
        /// `zhenping scale`.
        #[derive(Clone, Debug, PartialEq, Serialize, clap::Args)]
        pub struct Parameters { $( $(
            $(#[doc = $doc])+
            #[arg(long, value_name = $unit, default_value_t = $default, help_heading = $heading)]
            pub $field: $type,
        )+ )+ }

        impl Default for Parameters {
            fn default() -> Self {
                Self { $( $( $field: $default, )+ )+ }
            }
        }

        impl Parameters {
            /// Checks every bound.
            ///
            /// # Errors
            /// The first parameter that is outside its bounds, with them.
            pub fn check(&self) -> Result<(), String> {
                $( $( within(stringify!($field), self.$field, &$bounds, $unit)?; )+ )+
                if self.observe_us > self.score_us {
                    return Err("--observe-us: it is a part of --score-us and cannot be longer".to_owned());
                }
                if self.fold_observe_us > self.fold_us {
                    return Err("--fold-observe-us: it is a part of --fold-us and cannot be longer".to_owned());
                }
                if self.append_lane_us > self.append_us {
                    return Err("--append-lane-us: it is a part of --append-us and cannot be longer".to_owned());
                }
                Ok(())
            }
        }
    };
}

parameters! {
    "A node" {
        /// Cores of a node.
        cores: u32 = 4 "N", in 1..=256;
        /// CPU time to score one rating: parse, pseudonymise, features, rules, models, record.
        score_us: f64 = 18.0 "µs", in 0.0..=100_000.0;
        /// The part of --score-us that one thread does alone, in order: what state sees.
        observe_us: f64 = 6.0 "µs", in 0.0..=100_000.0;
        /// CPU time to fold one rating that another node scored: features, statistics, index, mirror on disk (assumed;
        /// measured on a small machine it is 27 to 40).
        fold_us: f64 = 8.0 "µs", in 0.0..=100_000.0;
        /// The part of --fold-us that the thread of the feature state does. A node has shown its own ratings to
        /// its state already, and folds only the rest of them (assumed: as --observe-us).
        fold_observe_us: f64 = 6.0 "µs", in 0.0..=100_000.0;
        /// CPU time to take one message of the log apart, whatever is in it (assumed).
        message_us: f64 = 5.0 "µs", in 0.0..=100_000.0;
        /// Most ratings that are scored together.
        batch: u32 = 512 "N", in 1..=1_000_000;
        /// Calls that a node takes before it has answered them; one more is shed with 503.
        queue: u32 = 8192 "N", in 1..=10_000_000;
    }
    "The log" {
        /// A rating's bytes in the log.
        record_bytes: f64 = 430.0 "BYTES", in 1.0..=1_000_000.0;
        /// Longest message, and so the largest group.
        message_mib: f64 = 8.0 "MIB", in 0.001..=1_024.0;
        /// One group of the embedded log, written and synced.
        sync_us: f64 = 300.0 "µs", in 0.0..=10_000_000.0;
        /// And each byte of it (assumed).
        sync_byte_ns: f64 = 1.0 "ns", in 0.0..=100_000.0;
    }
    "The broker" {
        /// From the arrival of a message at the leader until enough servers keep it, if no other is in its way:
        /// written, copied, synced.
        append_us: f64 = 600.0 "µs", in 0.0..=10_000_000.0;
        /// The part of --append-us for which the partition is taken and no other message gets on (assumed).
        append_lane_us: f64 = 100.0 "µs", in 0.0..=10_000_000.0;
        /// And each byte, for as long as which the partition is taken.
        append_byte_ns: f64 = 3.0 "ns", in 0.0..=100_000.0;
        /// Servers that keep each message.
        replication: u32 = 2 "N", in 1..=9;
        /// From the moment that a message may be read until a reader that waits has it, without the network.
        read_us: f64 = 300.0 "µs", in 0.0..=10_000_000.0;
        /// The leader's CPU time to hand a reader what is there (assumed).
        push_us: f64 = 20.0 "µs", in 0.0..=1_000_000.0;
        /// And each byte of it (assumed: pages go to the socket uncopied).
        push_byte_ns: f64 = 0.3 "ns", in 0.0..=100_000.0;
        /// Most that a reader is handed at once.
        push_mib: f64 = 8.0 "MIB", in 0.001..=1_024.0;
        /// Cores of the leader's machine: one for the partition, the rest for readers.
        broker_cores: u32 = 4 "N", in 2..=256;
        /// What the leader's network can send (assumed).
        broker_gbit: f64 = 10.0 "GBIT/S", in 0.001..=10_000.0;
    }
    "One machine for all" {
        /// Cores that all nodes, the broker's servers and whoever sends the ratings share; 0: each has its own.
        shared_cores: u32 = 0 "N", in 0..=256;
        /// With --shared-cores: CPU time of whoever sends the ratings, for one and its answer.
        client_us: f64 = 2.0 "µs", in 0.0..=100_000.0;
        /// With --shared-cores: CPU time of each server that keeps a copy, for a message.
        copy_us: f64 = 100.0 "µs", in 0.0..=10_000_000.0;
        /// And each byte of it.
        copy_byte_ns: f64 = 3.0 "ns", in 0.0..=100_000.0;
    }
    "The network" {
        /// Mean delay one way between a node and the broker (assumed: two sites of one city).
        delay_ms: f64 = 0.2 "MS", in 0.0..=10_000.0;
        /// The part of the delay that varies, exponentially; the rest is the same for every message.
        delay_jitter: f64 = 0.3 "SHARE", in 0.0..=1.0;
        /// Until intake's balancer notices that a node is lost; its ratings are refused until then (assumed).
        failover_ms: f64 = 1000.0 "MS", in 0.0..=600_000.0;
    }
}

impl Parameters {
    /// Most ratings in one group.
    pub fn group_ratings(&self) -> u64 {
        ((self.message_mib * MIB / self.record_bytes) as u64).max(1)
    }

    /// Most ratings that a reader is handed at once; a whole message at least.
    pub(super) fn push_ratings(&self) -> u64 {
        ((self.push_mib * MIB / self.record_bytes) as u64).max(1)
    }

    /// CPU time of a node's own rating: scored, and what is left of its fold, in µs.
    pub(super) fn own_us(&self) -> f64 {
        self.score_us + self.own_fold_us()
    }

    /// What is left of the fold of a rating that the node's state has seen, in µs.
    pub(super) fn own_fold_us(&self) -> f64 {
        self.fold_us - self.fold_observe_us
    }
}

const MIB: f64 = 1_048_576.0;

fn within<T: PartialOrd + Display>(
    field: &str,
    value: T,
    bounds: &std::ops::RangeInclusive<T>,
    unit: &str,
) -> Result<(), String> {
    if bounds.contains(&value) {
        return Ok(());
    }
    let (name, from, to) = (field.replace('_', "-"), bounds.start(), bounds.end());
    Err(format!("--{name}: found {value}; allowed is {from} to {to} {unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_bounds() {
        assert_eq!(Parameters::default().check(), Ok(()));
    }

    #[test]
    fn a_value_out_of_bounds_is_named_with_what_is_allowed() {
        let wrong = Parameters { broker_gbit: f64::NAN, ..Parameters::default() };
        assert_eq!(
            wrong.check(),
            Err("--broker-gbit: found NaN; allowed is 0.001 to 10000 GBIT/S".to_owned())
        );
        let wrong = Parameters { observe_us: 19.0, ..Parameters::default() };
        assert!(wrong.check().unwrap_err().contains("--score-us"));
    }
}
