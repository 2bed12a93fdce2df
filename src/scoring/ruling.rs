//! What verdicts are made with: the catalogue, the counters and the rules of one set of files.

use std::fmt;
use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::expression::Diagnostics;
use crate::features::counter::CounterSet;
use crate::lookback;
use crate::models::labels::{Labels, LabelsInForce};
use crate::models::{GroupModel, InForce, Model, ModelError};
use crate::policy::{NEVER, PerSuspicion, Thresholds};
use crate::rules::{RuleSet, Source};
use crate::version::Version;

/// One checked set of rule files, ready to judge by. Immutable: a change is another ruling.
#[derive(Clone, Debug)]
pub struct Ruling {
    sources: Arc<[Source]>,
    catalogue: Arc<Catalogue>,
    counters: Arc<CounterSet>,
    rules: Arc<RuleSet>,
    thresholds: Thresholds,
    model: Option<InForce>,
    labels: Option<LabelsInForce>,
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
        Ok(Self {
            sources: sources.into(),
            catalogue: Arc::new(catalogue),
            counters: Arc::new(counters),
            rules: Arc::new(rules),
            thresholds,
            model: None,
            labels: None,
        })
    }

    /// With a model beside the rules, in the place of any before.
    ///
    /// # Errors
    /// The model reads what these rules do not declare.
    pub fn with_model(&self, model: Option<Arc<Model>>) -> Result<Self, ModelError> {
        let model = match model {
            Some(model) => {
                model.weights().group.as_ref().map_or(Ok(()), lookback::check)?;
                Some(InForce::new(model, &self.catalogue)?)
            }
            None => None,
        };
        Ok(Self { model, ..self.clone() })
    }

    /// With a version of what was learnt from reviewers' decisions, in the place of any before.
    pub fn with_labels(&self, labels: Option<Arc<Labels>>) -> Self {
        let labels = labels.map(|labels| LabelsInForce::new(labels, &self.catalogue));
        Self { labels, ..self.clone() }
    }

    /// What was learnt from reviewers' decisions and is in force.
    pub fn labels(&self) -> Option<&LabelsInForce> {
        self.labels.as_ref()
    }

    /// The model in force beside the rules.
    pub fn model(&self) -> Option<&InForce> {
        self.model.as_ref()
    }

    /// What it says of the ratings around one.
    pub fn group(&self) -> Option<&GroupModel> {
        self.model.as_ref()?.model().weights().group.as_ref()
    }

    /// The model's version; zeros where there is none.
    pub fn model_version(&self) -> Version {
        self.model.as_ref().map_or_else(Version::default, |model| model.model().version())
    }

    /// The files.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Every feature, the declared counters among them.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The catalogue, for whoever outlives the ruling.
    pub fn shared_catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.catalogue)
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
