//! What can be set about a run.

use std::fmt;

use super::scenarios::{SCENARIOS, find};
use crate::time::Instant;

/// Longest run, in days.
const DAYS_MAX: u32 = 3_660;
/// Most ratings a day.
const PER_DAY_MAX: u64 = 100_000_000;

/// Parameters of a run. The defaults are those of the command.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    /// Everything random follows from it.
    pub seed: u64,
    /// When the run begins.
    pub start: Instant,
    /// How long it lasts, in days.
    pub days: u32,
    /// Ratings a day on the average of a week, all kinds together.
    pub per_day: u64,
    /// Share of the ratings that somebody means to deceive with.
    pub abuse_share: f64,
    /// Share of the ratings that belong to an honest occasion that looks like abuse.
    pub look_alike_share: f64,
    /// Names of scenarios to have, `-name` for those not to have; empty for all. With only negative
    /// names it is all but those.
    pub scenarios: Vec<String>,
    /// Every hour alike, halls open at night: for demonstrations at any hour.
    pub even_rhythm: bool,
    /// How much shorter campaigns last than they really do; 1 is real.
    pub haste: f64,
    /// Milliseconds within which every kind of campaign has begun for the first time; `None`: in the
    /// first half of the run.
    pub opening_ms: Option<i64>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            seed: 1,
            // A fortnight that ends with the month, when rankings are made.
            start: Instant(1_773_763_200_000),
            days: 14,
            per_day: 20_000,
            abuse_share: 0.02,
            look_alike_share: 0.05,
            scenarios: Vec::new(),
            even_rhythm: false,
            haste: 1.0,
            opening_ms: None,
        }
    }
}

impl Params {
    /// A lively city from `start` on, about 12 ratings a second at any hour, in which every kind of
    /// attack and look-alike has begun within 50 seconds and unfolds within minutes.
    ///
    /// For demonstrations that feed ratings in real time: let `start` be now, and release each
    /// rating at its [`super::Simulated::received_ms`].
    pub fn demo(start: Instant) -> Self {
        Self {
            seed: 20_260_318,
            start,
            days: 7,
            per_day: 1_000_000,
            abuse_share: 0.06,
            look_alike_share: 0.10,
            scenarios: Vec::new(),
            even_rhythm: true,
            haste: 60.0,
            opening_ms: Some(50_000),
        }
    }

    /// Whether the scenario `name` plays.
    pub fn includes(&self, name: &str) -> bool {
        let mut chosen = self.scenarios.iter().all(|s| s.starts_with('-'));
        for scenario in &self.scenarios {
            match scenario.strip_prefix('-') {
                Some(off) if off == name => return false,
                None if scenario == name => chosen = true,
                _ => {}
            }
        }
        chosen
    }

    /// Ratings a day of ordinary traffic.
    pub(super) fn ordinary_per_day(&self) -> f64 {
        self.per_day as f64 * (1.0 - self.abuse_share - self.look_alike_share)
    }

    /// Checks every bound.
    pub(super) fn check(&self) -> Result<(), ParamsError> {
        let share = |name: &'static str, value: f64| match value {
            0.0..=0.9 => Ok(()),
            _ => Err(ParamsError::Range { name, allowed: "0 to 0.9" }),
        };
        share("abuse share", self.abuse_share)?;
        share("look-alike share", self.look_alike_share)?;
        share("abuse and look-alike share together", self.abuse_share + self.look_alike_share)?;
        if !(1..=DAYS_MAX).contains(&self.days) {
            return Err(ParamsError::Range { name: "days", allowed: "1 to 3660" });
        }
        if !(1..=PER_DAY_MAX).contains(&self.per_day) {
            return Err(ParamsError::Range { name: "ratings per day", allowed: "1 to 100000000" });
        }
        if !(1.0..=1e6).contains(&self.haste) {
            return Err(ParamsError::Range { name: "haste", allowed: "1 to 1000000" });
        }
        if !(0..4_102_444_800_000).contains(&self.start.ms()) {
            return Err(ParamsError::Range { name: "start", allowed: "1970 to 2099" });
        }
        for scenario in &self.scenarios {
            let name = scenario.strip_prefix('-').unwrap_or(scenario);
            if find(name).is_none() {
                return Err(ParamsError::UnknownScenario {
                    name: name.to_owned(),
                    suggestion: nearest(name),
                });
            }
        }
        Ok(())
    }
}

/// Why a run cannot begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamsError {
    /// A number is out of range.
    Range {
        /// The parameter.
        name: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// There is no scenario of that name.
    UnknownScenario {
        /// The name given.
        name: String,
        /// The nearest there is.
        suggestion: Option<&'static str>,
    },
}

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { name, allowed } => write!(f, "{name}: allowed is {allowed}"),
            Self::UnknownScenario { name, suggestion } => {
                write!(f, "there is no scenario \"{name}\"")?;
                if let Some(suggestion) = suggestion {
                    write!(f, "; did you mean \"{suggestion}\"?")?;
                }
                write!(f, " (--list-scenarios names them all)")
            }
        }
    }
}

impl std::error::Error for ParamsError {}

/// The scenario whose name is at most three edits away.
fn nearest(name: &str) -> Option<&'static str> {
    SCENARIOS
        .iter()
        .map(|s| (edits(name.as_bytes(), s.name.as_bytes()), s.name))
        .min()
        .and_then(|(distance, found)| (distance <= 3).then_some(found))
}

/// Levenshtein distance.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(names: &[&str]) -> Params {
        Params { scenarios: names.iter().map(|&s| s.to_owned()).collect(), ..Params::default() }
    }

    #[test]
    fn scenarios_are_chosen_by_name_and_left_out_by_minus() {
        assert!(with(&[]).includes("outage"));
        assert!(with(&["outage", "pad_pressed"]).includes("outage"));
        assert!(!with(&["outage", "pad_pressed"]).includes("slow_drip"));
        assert!(with(&["-outage"]).includes("slow_drip"));
        assert!(!with(&["-outage"]).includes("outage"));
    }

    #[test]
    fn an_unknown_scenario_is_named_with_the_nearest() {
        let error = with(&["-outtage"]).check().unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no scenario \"outtage\"; did you mean \"outage\"? (--list-scenarios names them all)"
        );
    }

    #[test]
    fn bounds_are_named() {
        let error = Params { days: 0, ..Params::default() }.check().unwrap_err().to_string();
        assert_eq!(error, "days: allowed is 1 to 3660");
        assert!(Params { abuse_share: f64::NAN, ..Params::default() }.check().is_err());
    }
}
