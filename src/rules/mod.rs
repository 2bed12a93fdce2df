//! Rule files: TOML with conditions in CEL (`docs/rules.md`), read, checked, compiled, evaluated.
//!
//! [`RuleSet::load`] reads a set of files and reports everything that is wrong with them at once; a
//! set that fails a check or one of its own cases does not load. A loaded set is immutable and has
//! the version of its files. [`RuleSet::evaluate`] is pure and does not allocate in steady state.

mod assess;
mod cases;
mod file;
pub mod lists;
mod load;
mod policy;
mod source;
mod vocabulary;
mod why;

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalogue::{Bilingual, Catalogue, FeatureVector};
use crate::expression::{Diagnostics, MAX_SCREENED, Program, Screen};
use crate::version::Version;
use crate::wire::Suspicion;

pub use assess::{Assessment, Fired, Hard};
pub use cases::CaseOutcome;
pub use lists::{ListKeys, Lists, ListsAt};
pub use load::catalogue_with_counters;
pub use policy::{AXES, Policy, Thresholds};
pub use source::{MAX_FILE_BYTES, MAX_FILES, Source, SourceError, load_directory, shipped, version_of};
pub use vocabulary::{Action, Family, State};
pub use why::value_sentence;

/// Most rules in one set.
pub const MAX_RULES: usize = MAX_SCREENED;
/// Most cases of one rule.
pub const MAX_CASES: usize = 64;

/// Position of a rule in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleIndex(pub u16);

impl RuleIndex {
    /// The position as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Stable id, as it stands in reasons: `device-farm`.
    pub id: String,
    /// The condition as it is written.
    pub when: String,
    /// Log-odds towards [`Self::suspect`], before the family's cap.
    pub weight: f32,
    /// What it is evidence of; `None` for an allow rule.
    pub suspect: Option<Suspicion>,
    /// What kind of evidence it is; `None` for an allow rule.
    pub family: Option<Family>,
    /// What it does.
    pub action: Action,
    /// Whether it takes part.
    pub state: State,
    /// Who answers for it.
    pub owner: String,
    /// Free words to find it by.
    pub tags: Vec<String>,
    /// The rules that it mutes.
    pub mutes: Vec<RuleIndex>,
    /// The sentence for the reviewer, with its placeholders.
    pub why: Bilingual,
    zh: why::Template,
    en: why::Template,
    cases: Vec<cases::Case>,
    file: usize,
}

/// A checked set of rules with its lists, thresholds and version.
#[derive(Clone, Debug)]
pub struct RuleSet {
    rules: Box<[Rule]>,
    programs: Box<[Program]>,
    by_id: HashMap<String, RuleIndex>,
    /// Active allow rules.
    allow: Box<[RuleIndex]>,
    /// Active rules that reject, then those that hold, then those that weigh.
    judge: Box<[RuleIndex]>,
    /// Rules in shadow.
    shadow: Box<[RuleIndex]>,
    /// The conditions of these three, in this order.
    screen: Screen,
    policy: Policy,
    lists: Lists,
    version: Version,
    /// Name and text of each file, for errors about its cases.
    files: Box<[(String, Arc<str>)]>,
    /// Length of the feature vectors that it reads.
    width: usize,
}

impl RuleSet {
    /// Reads, checks and compiles a set of files, and runs its cases.
    ///
    /// # Errors
    /// Everything that is wrong, in order of file and place; if only cases fail, all that fail.
    pub fn load(sources: &[Source], catalogue: &Catalogue) -> Result<Self, Diagnostics> {
        let set = Self::compile(sources, catalogue)?;
        let failed = set.failed_cases(catalogue);
        if failed.0.is_empty() { Ok(set) } else { Err(failed) }
    }

    /// Reads, checks and compiles a set of files without running its cases.
    ///
    /// # Errors
    /// Everything that is wrong, in order of file and place.
    pub fn compile(sources: &[Source], catalogue: &Catalogue) -> Result<Self, Diagnostics> {
        load::compile(sources, catalogue)
    }

    /// Version of the files it was read from.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Intercepts, thresholds and caps.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The lists as the files give them.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Number of rules, in any state.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule at a position.
    pub fn rule(&self, index: RuleIndex) -> &Rule {
        &self.rules[index.index()]
    }

    /// The rule's condition, compiled.
    pub fn program(&self, index: RuleIndex) -> &Program {
        &self.programs[index.index()]
    }

    /// The rule with this id.
    pub fn find(&self, id: &str) -> Option<RuleIndex> {
        self.by_id.get(id).copied()
    }

    /// All rules in order of file and place.
    pub fn iter(&self) -> impl Iterator<Item = (RuleIndex, &Rule)> {
        self.rules.iter().enumerate().map(|(i, rule)| (RuleIndex(i as u16), rule))
    }

    /// Why the rule fired, in Chinese and in English, with the values it saw.
    pub fn why(&self, index: RuleIndex, vector: &FeatureVector, catalogue: &Catalogue) -> (String, String) {
        let rule = self.rule(index);
        (
            rule.zh.fill(vector, catalogue, why::Language::Chinese),
            rule.en.fill(vector, catalogue, why::Language::English),
        )
    }
}
