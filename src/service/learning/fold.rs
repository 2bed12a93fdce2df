//! Reviewers' decisions as a fold of the log: what is to be learnt from them, which version runs in shadow and
//! which is in force.
//!
//! ```text
//! 100 decisions ─▶ due ─▶ published ─▶ shadow, over the next 100 decisions ─▶ in force, or dropped
//! ```

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalogue::Catalogue;
use crate::hashed::HashedMap;
use crate::log::Entry;
use crate::log::entry::{Act, Comparison, LearningEntry, LearningStep, RatingEntry, RatingFlags};
use crate::models::columns::{self, Column, Columns};
use crate::models::labels::{Example, Labels, log_loss};
use crate::version::Version;
use crate::wire::{Origin, ReviewOutcome};

/// Decisions from one version to the next, and as many that it is compared on.
pub const DECISIONS: u32 = 100;

/// Most ratings that a version is learnt from, those decided last; at about 1.2 kB each.
pub const EXAMPLES_MAX: usize = 2_000;

/// The most ratings that one of the control sample stands for. Its whole share would let a single wrong label
/// outweigh a day of others.
pub const WEIGHT_MAX: f64 = 10.0;

/// Most columns of all rule sets together.
const COLUMNS_MAX: usize = 1_024;
/// Most versions whose time in force is remembered.
const SPELLS_MAX: usize = 64;
/// Risks are taken for at most this far from 0 and 1: beyond, they are rounding.
const LEAST_RISK: f64 = 1e-4;

/// Decisions that a version is to be learnt from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Due {
    /// Sequence of the last of them.
    pub until: u64,
    /// What the values are.
    pub columns: Vec<Column>,
    /// The ratings, each with its latest decision.
    pub examples: Vec<Example>,
}

/// A version that runs in shadow.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shadow {
    version: [u8; 8],
    labels: Labels,
    decisions: u32,
    weight: f64,
    with: f64,
    without: f64,
}

/// From where on in the log a version was in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Spell {
    from: u64,
    labels: Labels,
}

/// The next thing to be done about versions.
pub enum Next {
    /// A version is to be learnt and published under this number.
    Publish(u64, Due),
    /// The one in shadow was compared long enough.
    Settle(u64, Version, Comparison, Arc<Labels>),
}

/// All that is learnt from reviewers' decisions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Decisions {
    columns: Vec<Column>,
    /// Ascending by decision.
    examples: Vec<Example>,
    /// Decisions since the last cut.
    since: u32,
    due: Option<Due>,
    /// Number of the version published last.
    published: u64,
    shadow: Option<Shadow>,
    spells: Vec<Spell>,
}

impl Decisions {
    /// Folds an entry. `rating` finds a rating with the catalogue that its features are indexed by; what is erased
    /// is not found. `share` is the control sample's.
    pub fn fold(
        &mut self,
        sequence: u64,
        entry: &Entry,
        share: f64,
        rating: impl FnOnce(u64) -> Option<(RatingEntry, Arc<Catalogue>)>,
    ) {
        match entry {
            Entry::Review(review) => match review.act {
                Act::Decide(outcome) => {
                    if let Some((rating, catalogue)) = rating(review.rating_sequence)
                        && rating.observation.origin == Origin::Active
                    {
                        let place = (review.rating_sequence, sequence);
                        let example = self.example(place, outcome, &rating, &catalogue, share);
                        self.decided(example);
                    }
                }
                // What was taken back was never found.
                Act::Undo => self.examples.retain(|example| example.rating != review.rating_sequence),
                _ => {}
            },
            Entry::Learning(entry) => self.step(sequence, entry),
            _ => {}
        }
    }

    /// What tells the next thing to be done from every other: the version's number, and whether that is published.
    pub fn due(&self) -> Option<(u64, bool)> {
        match &self.shadow {
            Some(shadow) => (shadow.decisions >= DECISIONS).then_some((self.published, true)),
            None => self.due.is_some().then_some((self.published + 1, false)),
        }
    }

    /// The next thing to be done, with a copy of all that it takes.
    pub fn next(&self) -> Option<Next> {
        if let Some(shadow) = &self.shadow {
            let comparison = shadow.comparison().filter(|found| found.decisions >= DECISIONS)?;
            let version = Version(shadow.version);
            return Some(Next::Settle(self.published, version, comparison, Arc::new(shadow.labels.clone())));
        }
        self.due.as_ref().map(|due| Next::Publish(self.published + 1, due.clone()))
    }

    /// The version in force.
    pub fn in_force(&self) -> Option<&Labels> {
        self.spells.last().map(|spell| &spell.labels)
    }

    /// Number of the version published last.
    pub fn published(&self) -> u64 {
        self.published
    }

    /// Ratings with a decision that the next version would be learnt from.
    pub fn ratings(&self) -> usize {
        self.examples.len()
    }

    /// Whether a version runs in shadow.
    pub fn has_shadow(&self) -> bool {
        self.shadow.is_some()
    }

    fn example(
        &mut self,
        (rating, decided): (u64, u64),
        outcome: ReviewOutcome,
        entry: &RatingEntry,
        catalogue: &Catalogue,
        share: f64,
    ) -> Example {
        let values = self.values(entry, catalogue);
        let control = entry.flags.has(RatingFlags::CONTROL);
        let risk = f64::from(entry.outcome.risk).clamp(LEAST_RISK, 1.0 - LEAST_RISK);
        let mut example = Example {
            rating,
            decided,
            values,
            machine: 0.0,
            abusive: outcome == ReviewOutcome::Confirm,
            weight: if control { (1.0 / share.max(1e-9)).min(WEIGHT_MAX) as f32 } else { 1.0 },
            control,
        };
        // What an earlier version added to it is none of the machine's own.
        let before = self.spells.iter().rev().find(|spell| spell.from < rating);
        let added = before.map_or(0.0, |spell| self.term(&spell.labels, &example));
        example.machine = ((risk / (1.0 - risk)).ln() - added) as f32;
        example
    }

    /// The rating's numbers, in the order of `self.columns`, which get those that are new.
    fn values(&mut self, entry: &RatingEntry, catalogue: &Catalogue) -> Vec<f32> {
        let named = columns::all(catalogue);
        let Ok(places) = Columns::find(&named, catalogue) else { return Vec::new() };
        let mut read = Vec::new();
        places.read(&entry.features, &mut read);
        let key = |column: &Column| xxhash_rust::xxh3::xxh3_64(column.to_string().as_bytes());
        let mut known: HashedMap<usize> =
            self.columns.iter().enumerate().map(|(at, column)| (key(column), at)).collect();
        let mut values = vec![f32::NAN; self.columns.len()];
        for (column, value) in named.into_iter().zip(read) {
            let key = key(&column);
            match known.get(&key) {
                Some(&at) => values[at] = value,
                None if self.columns.len() < COLUMNS_MAX => {
                    known.insert(key, self.columns.len());
                    self.columns.push(column);
                    values.push(value);
                }
                None => {}
            }
        }
        values
    }

    fn term(&self, labels: &Labels, example: &Example) -> f64 {
        labels.term(|column| {
            let at = self.columns.iter().position(|known| known == column);
            at.map_or(f32::NAN, |at| example.value(at))
        })
    }

    fn decided(&mut self, example: Example) {
        let without = self.in_force().map_or(0.0, |labels| self.term(labels, &example));
        let with = self.shadow.as_ref().map(|shadow| self.term(&shadow.labels, &example));
        if let (Some(shadow), Some(with)) = (&mut self.shadow, with) {
            shadow.compare(&example, with, without);
        }
        // The later decision about a rating replaces the earlier: labels come late, and some are wrong at first.
        self.examples.retain(|known| known.rating != example.rating);
        if self.examples.len() == EXAMPLES_MAX {
            self.examples.remove(0);
        }
        let until = example.decided;
        self.examples.push(example);
        self.since += 1;
        if self.since >= DECISIONS && self.due.is_none() {
            self.since = 0;
            let (columns, examples) = (self.columns.clone(), self.examples.clone());
            self.due = Some(Due { until, columns, examples });
        }
    }

    fn step(&mut self, sequence: u64, entry: &LearningEntry) {
        match &entry.step {
            LearningStep::Published { contents } => {
                if entry.number != self.published + 1 || self.shadow.is_some() {
                    return;
                }
                let sound = Labels::version_of(contents) == entry.version;
                let Some(labels) = Labels::from_bytes(contents).ok().filter(|_| sound) else {
                    tracing::warn!(sequence, "a logged version of reviewers' labels is passed over");
                    return;
                };
                self.published = entry.number;
                self.due = None;
                self.shadow = Some(Shadow {
                    version: entry.version.0,
                    labels,
                    decisions: 0,
                    weight: 0.0,
                    with: 0.0,
                    without: 0.0,
                });
            }
            LearningStep::InForce(_) | LearningStep::Dropped(_) => {
                let is_of_shadow = |shadow: &mut Shadow| shadow.version == entry.version.0;
                if entry.number != self.published {
                    return;
                }
                let Some(shadow) = self.shadow.take_if(is_of_shadow) else { return };
                if let LearningStep::InForce(_) = entry.step {
                    if self.spells.len() == SPELLS_MAX {
                        self.spells.remove(0);
                    }
                    self.spells.push(Spell { from: sequence, labels: shadow.labels });
                }
            }
        }
    }
}

impl Shadow {
    fn compare(&mut self, example: &Example, with: f64, without: f64) {
        let (machine, weight) = (f64::from(example.machine), f64::from(example.weight));
        self.decisions += 1;
        self.weight += weight;
        self.with += weight * log_loss(machine + with, example.abusive);
        self.without += weight * log_loss(machine + without, example.abusive);
    }

    fn comparison(&self) -> Option<Comparison> {
        (self.weight > 0.0).then(|| Comparison {
            decisions: self.decisions,
            weight: self.weight as f32,
            with: (self.with / self.weight) as f32,
            without: (self.without / self.weight) as f32,
        })
    }
}
