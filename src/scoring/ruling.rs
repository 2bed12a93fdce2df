//! What verdicts are made with: the catalogue, the counters and the rules of one set of files.

use std::fmt;

use crate::catalogue::Catalogue;
use crate::expression::Diagnostics;
use crate::features::counter::CounterSet;
use crate::policy::{NEVER, PerSuspicion, Thresholds};
use crate::rules::{RuleSet, Source};
use crate::version::Version;

/// One checked set of rule files, ready to judge by. Immutable: a change is another ruling.
#[derive(Debug)]
pub struct Ruling {
    sources: Vec<Source>,
    catalogue: Catalogue,
    counters: CounterSet,
    rules: RuleSet,
    thresholds: Thresholds,
}

/// Everything that is wrong with a set of rule files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulingError(pub Diagnostics);

impl fmt::Display for RulingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rule files are not accepted:\n{}", self.0)
    }
}

impl std::error::Error for RulingError {}

impl Ruling {
    /// Reads counters and rules, checks them, and runs the rules' own cases.
    ///
    /// # Errors
    /// Everything that is wrong, with file, line and place.
    pub fn load(sources: Vec<Source>) -> Result<Self, RulingError> {
        let mut catalogue = Catalogue::builtin();
        let files: Vec<(String, String)> =
            sources.iter().map(|source| (source.name.clone(), source.text.clone())).collect();
        let counters = CounterSet::parse(&files, &mut catalogue).map_err(RulingError)?;
        let rules = RuleSet::load(&sources, &catalogue).map_err(RulingError)?;
        let policy = rules.policy();
        let bars = |thresholds: &crate::rules::Thresholds| -> PerSuspicion {
            thresholds.map(|threshold| threshold.map_or(NEVER, |risk| risk as f32))
        };
        let thresholds = Thresholds {
            hold: bars(&policy.hold_good),
            hold_bad: bars(&policy.hold_bad),
            second_look: bars(&policy.second_look_good),
            second_look_bad: bars(&policy.second_look_bad),
        };
        Ok(Self { sources, catalogue, counters, rules, thresholds })
    }

    /// The files.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Every feature, the declared counters among them.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The declared counters.
    pub fn counters(&self) -> &CounterSet {
        &self.counters
    }

    /// The rules.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// At which risk what happens.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// Version of the files.
    pub fn version(&self) -> Version {
        self.rules.version()
    }
}
