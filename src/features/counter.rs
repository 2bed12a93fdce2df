//! Declared counters: what one is, and the set of all that rule files declare.

use std::sync::Arc;

use super::keys::KeyField;
use super::parse;
use super::plan::Plan;
use crate::catalogue::{Bilingual, Catalogue, FeatureId};
use crate::expression::{Diagnostics, Program};
use crate::time::DAY_MS;

/// Longest window of a counter.
pub const MAX_WINDOW_MS: i64 = 90 * DAY_MS;

/// What a counter measures over the ratings in its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Their number.
    Count,
    /// The number of distinct values of a field; ratings without the field are left out.
    Distinct(KeyField),
    /// The sum of a feature; 0 where no rating has it.
    Sum(Numeric),
    /// Its mean; missing where no rating has it.
    Mean(Numeric),
    /// Its sample standard deviation (n − 1); missing below two values.
    Stddev(Numeric),
    /// Sample standard deviation of the gaps between successive ratings over their mean: near 0 for
    /// a machine, near 1 for independent arrivals. Missing below three gaps, or where all are 0.
    GapCv,
    /// The share for which a condition holds, of those for which it is known.
    Share(ConditionId),
}

/// A numeric feature that is known from the rating alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Numeric {
    /// The feature.
    pub id: FeatureId,
    /// Whether its slot is a whole number.
    pub is_int: bool,
}

/// Position of a condition in its [`CounterSet`]; equal conditions are kept once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConditionId(pub(super) u16);

/// One declared counter.
#[derive(Clone, Debug)]
pub struct Counter {
    /// What rules and models call it.
    pub name: String,
    /// Its place in the catalogue.
    pub id: FeatureId,
    /// What it measures.
    pub measure: Measure,
    /// The keys that it is kept by: one to three.
    pub by: Vec<KeyField>,
    /// Which ratings count; all where `None`.
    pub condition: Option<ConditionId>,
    /// Length of the window: `(t − window, t]`.
    pub window_ms: i64,
    /// The sentence for reviewers.
    pub text: Bilingual,
}

/// All counters that a set of rule files declares, checked and laid out for evaluation.
#[derive(Clone, Debug)]
pub struct CounterSet {
    counters: Arc<[Counter]>,
    pub(super) conditions: Arc<[Program]>,
    pub(super) plan: Arc<Plan>,
    /// What each counter means, in their order.
    canonical: Arc<[String]>,
    fingerprint: [u8; 32],
}

impl CounterSet {
    /// Reads the `[[counter]]` tables of rule files (pairs of file name and text) and adds each
    /// counter to the catalogue. Other tables of these files are left to their own readers.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, with file, line and place; the catalogue may hold
    /// some of the counters then and is to be dropped.
    pub fn parse(sources: &[(String, String)], catalogue: &mut Catalogue) -> Result<Self, Diagnostics> {
        parse::parse(sources, catalogue)
    }

    /// The set of these counters; `canonical` lists what each one means, for the fingerprint.
    pub(super) fn new(counters: Vec<Counter>, conditions: Vec<Program>, canonical: Vec<String>) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("zhenping counters v1");
        for line in &canonical {
            hasher.update(&(line.len() as u64).to_le_bytes());
            hasher.update(line.as_bytes());
        }
        let plan = Arc::new(Plan::new(&counters));
        Self {
            counters: counters.into(),
            conditions: conditions.into(),
            plan,
            canonical: canonical.into(),
            fingerprint: *hasher.finalize().as_bytes(),
        }
    }

    /// This set's layout with the places that `to` gives its counters: those that `to` declares alike
    /// are read under its ids, the others are kept up and read by nobody.
    pub(super) fn placed_as(&self, to: &Self) -> Self {
        let place = |line: &String| to.canonical.iter().position(|other| other == line);
        let ids: Vec<Option<FeatureId>> = (self.canonical.iter())
            .map(|line| place(line).map(|position| to.counters[position].id))
            .collect();
        let mut placed = self.clone();
        placed.plan = Arc::new(self.plan.placed(|counter| ids[usize::from(counter)]));
        placed
    }

    /// How many counters of this set `other` does not declare alike.
    pub(super) fn not_in(&self, other: &Self) -> usize {
        self.canonical.iter().filter(|line| !other.canonical.contains(line)).count()
    }

    /// The counters, in the order of their declaration.
    pub fn counters(&self) -> &[Counter] {
        &self.counters
    }

    /// The counter with this name.
    pub fn find(&self, name: &str) -> Option<&Counter> {
        self.counters.iter().find(|counter| counter.name == name)
    }

    /// BLAKE3 over everything that decides values: names, measures, keys, conditions and windows in
    /// their order. Wording is left out, so that a better sentence does not cost the state.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Number of groups: counters with the same keys share one look-up.
    pub fn groups(&self) -> usize {
        self.plan.groups.len()
    }
}
