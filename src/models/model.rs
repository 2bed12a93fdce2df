//! A trained model: what it reads, and what it says.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::columns::{Column, Columns};
use super::density::{ClassDensity, Densities};
use super::trees::Trees;
use super::{FILE, Manifest, ModelError, Platt};
use crate::catalogue::{Catalogue, FeatureId, FeatureVector};
use crate::version::Version;
use crate::wire::Channel;

/// From which risk what happens. Probabilities; one that nothing reaches is above 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bars {
    /// Holds a rating that is not bad.
    pub hold_good: f32,
    /// Holds a bad rating.
    pub hold_bad: f32,
    /// Admits a rating that is not bad, with an entry in the review queue.
    pub second_look_good: f32,
    /// Likewise for a bad rating.
    pub second_look_bad: f32,
}

impl Bars {
    /// From which risk a rating is held.
    pub fn hold(&self, bad: bool) -> f32 {
        if bad { self.hold_bad } else { self.hold_good }
    }

    /// From which risk an admitted rating is looked at again.
    pub fn second_look(&self, bad: bool) -> f32 {
        if bad { self.second_look_bad } else { self.second_look_good }
    }

    fn are_numbers(&self) -> bool {
        [self.hold_good, self.hold_bad, self.second_look_good, self.second_look_bad]
            .iter()
            .all(|bar| bar.is_finite() && *bar > 0.0)
    }
}

/// What is learnt of the ratings around one: trees over what the look-back knows of its links.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupModel {
    /// What it reads, by the look-back's own names.
    pub columns: Vec<String>,
    /// Added to the rating's own log-odds.
    pub trees: Trees,
    /// Makes of the sum what a probability is.
    pub scale: Platt,
    /// From which risk what happens.
    pub bars: Bars,
}

/// Everything that was learnt: what a model's file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// What it reads of a rating.
    pub columns: Vec<Column>,
    /// What is ordinary, by class of channels; the trees read it as `model.density`.
    pub densities: Vec<ClassDensity>,
    /// Makes of the rules' log-odds what the trees start from.
    pub prior: Platt,
    /// Added to that.
    pub trees: Trees,
    /// Makes of the sum what a probability is.
    pub scale: Platt,
    /// From which risk what happens.
    pub bars: Bars,
    /// What is learnt of the ratings around it.
    pub group: Option<GroupModel>,
}

impl Weights {
    /// Checks what was read from a file.
    ///
    /// # Errors
    /// What is wrong, for [`ModelError::Malformed`].
    pub fn check(&self) -> Result<(), String> {
        let numbers = |scale: &Platt| scale.scale.is_finite() && scale.offset.is_finite();
        self.trees.check().map_err(|e| e.to_string())?;
        if self.columns.len() != self.trees.columns() {
            return Err(format!("{} columns for trees over {}", self.columns.len(), self.trees.columns()));
        }
        if !numbers(&self.prior) || !numbers(&self.scale) || !self.bars.are_numbers() {
            return Err("a scale or a threshold is not a number".to_owned());
        }
        let Some(group) = &self.group else { return Ok(()) };
        group.trees.check().map_err(|e| format!("group: {e}"))?;
        if group.columns.len() != group.trees.columns() {
            return Err(format!(
                "{} columns for group trees over {}",
                group.columns.len(),
                group.trees.columns()
            ));
        }
        if !numbers(&group.scale) || !group.bars.are_numbers() {
            return Err("group: a scale or a threshold is not a number".to_owned());
        }
        Ok(())
    }
}

/// A model with its manifest, as it came from its files.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(super) weights: Weights,
    pub(super) manifest: Manifest,
    pub(super) version: Version,
    /// The files, as the log keeps them.
    pub(super) files: Vec<(String, Vec<u8>)>,
}

impl Model {
    /// What was learnt.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// What it was learnt from.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The first 8 bytes of the BLAKE3 of what was learnt.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its files: name and contents.
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }
}

/// What a model says of one rating by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Log-odds by the rules, scaled, before the trees.
    pub prior: f64,
    /// What the trees add.
    pub trees: f64,
    /// Both together, scaled to be a probability's log-odds.
    pub logit: f64,
}

/// A model over the features of one catalogue.
#[derive(Clone, Debug)]
pub struct InForce {
    model: Arc<Model>,
    columns: Columns,
    densities: Densities,
}

impl InForce {
    /// Finds what the model reads in a catalogue.
    ///
    /// # Errors
    /// A feature is not there.
    pub fn new(model: Arc<Model>, catalogue: &Catalogue) -> Result<Self, ModelError> {
        let columns = Columns::find(&model.weights.columns, catalogue)?;
        let densities = Densities::bind(model.weights.densities.clone(), catalogue)
            .map_err(|error| ModelError::Malformed { file: FILE.to_owned(), why: error.to_string() })?;
        Ok(Self { model, columns, densities })
    }

    /// How rare the rating's figures are: −log10 of the share of ordinary ratings that are rarer. `None` where
    /// one of them is missing.
    pub fn density(&self, channel: Channel, vector: &FeatureVector) -> Option<f32> {
        self.densities.tail(channel, vector)
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// What it says of a rating; `rules` are the rules' log-odds of what it is suspected of most, and
    /// `values` is scratch space.
    pub fn read(&self, vector: &FeatureVector, rules: f64, values: &mut Vec<f32>) -> Reading {
        let weights = &self.model.weights;
        self.columns.read(vector, values);
        let prior = weights.prior.apply(rules);
        let trees = weights.trees.sum(values);
        Reading { prior, trees, logit: weights.scale.apply(prior + trees) }
    }

    /// What each feature adds to the log-odds, scaled, largest first; those of one feature's columns
    /// together. What is left of [`Reading::trees`] is the mean of the training rows.
    pub fn explain(&self, vector: &FeatureVector, values: &mut Vec<f32>) -> Vec<(FeatureId, f64)> {
        self.columns.read(vector, values);
        let mut adds = vec![0.0; values.len()];
        self.model.weights.trees.explain(values, &mut adds);
        let scale = self.model.weights.scale.scale;
        let mut by_feature: Vec<(FeatureId, f64)> = Vec::new();
        for (column, add) in adds.into_iter().enumerate().filter(|(_, add)| *add != 0.0) {
            let id = self.columns.feature(column);
            // A feature's columns stand together.
            match by_feature.last_mut() {
                Some((last, sum)) if *last == id => *sum += add * scale,
                _ => by_feature.push((id, add * scale)),
            }
        }
        by_feature.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        by_feature
    }
}
