//! Which rules are in force, and every set that ever was.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Service, ServiceError, Submission, worker};
use crate::log::entry::{ActivationEntry, Subject};
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

/// Every rule set that verdicts in the log name, by version: a verdict is explained by the set that
/// it was made with.
#[derive(Default)]
pub(super) struct Archive {
    sets: HashMap<Version, Arc<Ruling>>,
    current: Option<Arc<Ruling>>,
    /// Where the log has each set's activation, the last one.
    places: HashMap<Version, u64>,
}

impl Archive {
    /// Brings a set into force.
    pub fn activate(&mut self, ruling: Arc<Ruling>) {
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
        if entry.subject != Subject::Rules {
            return None;
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
        self.activate(Arc::clone(&ruling));
        Some(ruling)
    }
}

impl Service {
    /// Reads the rule files again. A set that is sound and new comes into force between two ratings,
    /// for good; one that is not leaves the set in force where it is.
    ///
    /// # Errors
    /// Everything that is wrong with the files, rendered.
    pub fn reload_rules(&self) -> Result<Version, ServiceError> {
        let ruling = Arc::new(Ruling::load(self.rules.sources()?)?);
        let version = ruling.version();
        // Held meanwhile, so that two calls at once bring a set into force once.
        let mut asked = super::lock(&self.asked);
        if *asked != version {
            worker::go_ahead(&self.shared, Submission::Activate(ruling))
                .map_err(|_| ServiceError::Stopping)?;
            *asked = version;
        }
        Ok(version)
    }

    /// The version in force.
    pub fn rules_version(&self) -> Option<Version> {
        super::read(&self.shared.archive).current().map(|ruling| ruling.version())
    }
}
