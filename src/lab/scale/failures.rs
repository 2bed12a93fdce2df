//! What goes wrong, and when.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A node that is away for a while.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NodeOutage {
    /// Its number, from 1.
    pub node: u32,
    /// When.
    pub outage: Outage,
}

/// From when, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Outage {
    /// Seconds from the start.
    pub at_s: f64,
    /// Seconds.
    pub for_s: f64,
}

/// Everything that goes wrong in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, clap::Args)]
#[command(next_help_heading = "Failures")]
pub struct Failures {
    /// A node stops, as by a power cut, and comes back: what it had not answered is broken off, it reads the log
    /// up to its end, and only then takes ratings. NODE counts from 1; seconds from the start. May be repeated.
    #[arg(long, value_name = "NODE:AT:FOR")]
    pub lose_node: Vec<NodeOutage>,
    /// A node is cut off from the broker, but not from intake: it takes ratings until its queue is full.
    #[arg(long, value_name = "NODE:AT:FOR")]
    pub cut_off: Vec<NodeOutage>,
    /// A server that keeps the log stops: nothing is appended until it is back.
    #[arg(long, value_name = "AT:FOR")]
    pub lose_spu: Vec<Outage>,
}

impl Failures {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lose_node.is_empty() && self.cut_off.is_empty() && self.lose_spu.is_empty()
    }

    /// Checks that the nodes that fail are there, and that no outage begins within another of its kind.
    pub(super) fn check(&self, nodes: u32) -> Result<(), String> {
        for (flag, outages) in [("--lose-node", &self.lose_node), ("--cut-off", &self.cut_off)] {
            for outage in outages {
                if outage.node > nodes {
                    return Err(format!(
                        "{flag} {outage}: there are {nodes} nodes; give one of 1 to {nodes}"
                    ));
                }
                let others = outages.iter().filter(|other| other.node == outage.node);
                apart(flag, &outage.outage, others.map(|other| &other.outage))?;
            }
        }
        self.lose_spu.iter().try_for_each(|outage| apart("--lose-spu", outage, self.lose_spu.iter()))
    }
}

fn apart<'a>(flag: &str, one: &Outage, all: impl Iterator<Item = &'a Outage>) -> Result<(), String> {
    let begun = all.filter(|other| (other.at_s..=other.at_s + other.for_s).contains(&one.at_s)).count();
    match begun {
        0 | 1 => Ok(()),
        _ => Err(format!("{flag}: an outage at {} s begins within another; make them one", one.at_s)),
    }
}

impl FromStr for Outage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("found {text:?}; allowed is AT:FOR in seconds, such as 2:0.5");
        let (at, length) = text.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str| text.parse().ok().filter(|s: &f64| (0.0..=86_400.0).contains(s));
        Ok(Self { at_s: number(at).ok_or_else(wrong)?, for_s: number(length).ok_or_else(wrong)? })
    }
}

impl FromStr for NodeOutage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("found {text:?}; allowed is NODE:AT:FOR, such as 1:2:0.5 (the first node, at 2 s)");
        let (node, outage) = text.split_once(':').ok_or_else(wrong)?;
        let node = node.parse().ok().filter(|&node: &u32| node > 0).ok_or_else(wrong)?;
        Ok(Self { node, outage: outage.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for NodeOutage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.node, self.outage.at_s, self.outage.for_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_read_and_a_wrong_one_names_what_is_allowed() {
        let outage = Outage { at_s: 2.0, for_s: 0.5 };
        assert_eq!("2:0.5".parse(), Ok(outage));
        assert_eq!("3:2:0.5".parse(), Ok(NodeOutage { node: 3, outage }));
        for wrong in ["", "1", "0:1:1", "x:1:1", "1:-1:1", "1:1:NaN"] {
            assert!(wrong.parse::<NodeOutage>().unwrap_err().contains("NODE:AT:FOR"), "{wrong}");
        }
    }

    #[test]
    fn an_outage_of_no_node_and_one_within_another_are_refused() {
        let of = |all: &[&str]| Failures {
            lose_node: all.iter().map(|text| text.parse().unwrap()).collect(),
            ..Failures::default()
        };
        assert_eq!(of(&["1:1:1", "2:1:1", "1:3:1"]).check(2), Ok(()));
        assert!(of(&["3:1:1"]).check(2).unwrap_err().contains("give one of 1 to 2"));
        assert!(of(&["1:1:2", "1:2:2"]).check(2).unwrap_err().contains("within another"));
    }
}
