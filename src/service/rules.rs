//! Which rules are in force, and every set that ever was.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Service, ServiceError, Submission, worker};
use crate::log::entry::{ActivationEntry, Subject};
use crate::models::{self, Model, ModelError};
use crate::rules::{Source, load_directory, shipped};
use crate::scoring::Ruling;
use crate::version::Version;

/// Where the rules come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesOrigin {
    /// The set that ships with the program.
    Shipped,
    /// The `*.toml` files of a directory.
    Directory(PathBuf),
}

impl RulesOrigin {
    /// The directory that was named; or else `rules/` in the working directory, if it holds rule
    /// files; or else the shipped set.
    pub fn find(named: Option<PathBuf>) -> Self {
        let here = || Some(PathBuf::from("rules")).filter(|path| load_directory(path).is_ok());
        named.or_else(here).map_or(Self::Shipped, Self::Directory)
    }

    /// Reads the files.
    ///
    /// # Errors
    /// The directory or a file cannot be read, or exceeds a bound.
    pub fn sources(&self) -> Result<Vec<Source>, crate::rules::SourceError> {
        match self {
            Self::Shipped => Ok(shipped()),
            Self::Directory(path) => load_directory(path),
        }
    }

    /// For the screen.
    pub fn describe(&self) -> String {
        match self {
            Self::Shipped => "the shipped set".to_owned(),
            Self::Directory(path) => path.display().to_string(),
        }
    }
}

/// Where the model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelOrigin {
    /// Rules alone.
    None,
    /// A directory that `train` wrote.
    Directory(PathBuf),
}

impl ModelOrigin {
    /// The directory that was named (`none` names none); or else `models/` in the working directory, if it
    /// holds a model.
    pub fn find(named: Option<PathBuf>) -> Self {
        let here = || Some(PathBuf::from("models")).filter(|path| path.join(models::MANIFEST).is_file());
        match named {
            Some(path) if path.as_os_str() == "none" => Self::None,
            named => named.or_else(here).map_or(Self::None, Self::Directory),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read or is not accepted.
    pub fn read(&self) -> Result<Option<Arc<Model>>, ModelError> {
        match self {
            Self::None => Ok(None),
            Self::Directory(path) => models::load_directory(path).map(|model| Some(Arc::new(model))),
        }
    }
}

/// Every rule set that verdicts in the log name, by version: a verdict is explained by the set that
/// it was made with.
#[derive(Default)]
pub(super) struct Archive {
    sets: HashMap<Version, Arc<Ruling>>,
    current: Option<Arc<Ruling>>,
    /// The model in force.
    model: Option<Arc<Model>>,
    /// Where the log has each set's or model's activation, the last one.
    places: HashMap<Version, u64>,
}

impl Archive {
    /// Brings a set into force.
    pub fn activate(&mut self, ruling: Arc<Ruling>) {
        self.model = ruling.model().map(|model| Arc::clone(model.model()));
        self.sets.insert(ruling.version(), Arc::clone(&ruling));
        self.current = Some(ruling);
    }

    /// Notes where in the log the set with this version was activated last.
    pub fn note(&mut self, version: Version, sequence: u64) {
        self.places.insert(version, sequence);
    }

    /// Where in the log all sets can be read again, ascending, that in force last.
    pub fn places(&self) -> Vec<u64> {
        let mut places: Vec<u64> = self.places.values().copied().collect();
        places.sort_unstable();
        places
    }

    /// The set in force.
    pub fn current(&self) -> Option<&Arc<Ruling>> {
        self.current.as_ref()
    }

    /// The version of the model in force, if there ever was one.
    pub fn model_version(&self) -> Option<Version> {
        self.model.as_ref().map(|model| model.version())
    }

    /// The set with this version.
    pub fn exactly(&self, version: Version) -> Option<Arc<Ruling>> {
        self.sets.get(&version).cloned()
    }

    /// The set with this version, or else the one in force.
    pub fn find(&self, version: Version) -> Option<Arc<Ruling>> {
        self.sets.get(&version).or(self.current.as_ref()).cloned()
    }

    /// Takes a set from the log. One that this version of the program no longer accepts is passed
    /// over: its verdicts stand, and their reasons are shown by their codes.
    pub fn replay(&mut self, sequence: u64, entry: &ActivationEntry) -> Option<Arc<Ruling>> {
        match entry.subject {
            Subject::Rules => {}
            Subject::Model => return self.replay_model(sequence, entry),
            Subject::Lists | Subject::Reference | Subject::Counters => return None,
        }
        self.note(entry.version, sequence);
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).ok();
        let sources: Option<Vec<Source>> = entry
            .files
            .iter()
            .map(|(name, bytes)| Some(Source { name: name.clone(), text: text(bytes)? }))
            .collect();
        // Months of switching between two sets compile each of them once.
        let ruling = match self.exactly(entry.version) {
            Some(known) => known,
            None => Arc::new(Ruling::load(sources?).ok()?),
        };
        Some(self.join(&ruling, self.model.clone()))
    }

    /// Takes a model from the log; one without files is none.
    fn replay_model(&mut self, sequence: u64, entry: &ActivationEntry) -> Option<Arc<Ruling>> {
        self.note(entry.version, sequence);
        let model = match entry.files.is_empty() {
            true => None,
            false => match Model::from_files(entry.files.clone()) {
                Ok(model) => Some(Arc::new(model)),
                Err(error) => {
                    tracing::warn!(sequence, "a logged model is passed over: {error}");
                    None
                }
            },
        };
        self.model = model.clone();
        let current = self.current.clone()?;
        Some(self.join(&current, model))
    }

    /// Brings rules into force with a model beside them; without, if it does not go with them.
    fn join(&mut self, ruling: &Ruling, model: Option<Arc<Model>>) -> Arc<Ruling> {
        let both = ruling.with_model(model.clone()).or_else(|error| {
            tracing::warn!("the logged model does not go with the logged rules: {error}");
            ruling.with_model(None)
        });
        let both = Arc::new(both.unwrap_or_else(|_| ruling.clone()));
        self.activate(Arc::clone(&both));
        // Rules that it goes with may follow.
        self.model = model;
        both
    }
}

impl Service {
    /// Reads the rule files and the model again. What is sound and new comes into force between two
    /// ratings, for good; what is not leaves both where they are.
    ///
    /// # Errors
    /// Everything that is wrong with the files, rendered.
    pub fn reload_rules(&self) -> Result<Version, ServiceError> {
        let ruling = Arc::new(Ruling::load(self.rules.sources()?)?.with_model(self.model.read()?)?);
        let version = ruling.version();
        let versions = [version, ruling.model_version()];
        // Held meanwhile, so that two calls at once bring a set into force once.
        let mut asked = super::lock(&self.asked);
        let elsewhere = self.shared.cluster.is_some() && self.rules_version() != Some(version);
        if *asked != versions || elsewhere {
            worker::go_ahead(&self.shared, Submission::Activate(ruling))
                .map_err(|_| ServiceError::Stopping)?;
            *asked = versions;
        }
        Ok(version)
    }

    /// The version in force.
    pub fn rules_version(&self) -> Option<Version> {
        super::read(&self.shared.archive).current().map(|ruling| ruling.version())
    }
}
