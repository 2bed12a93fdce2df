//! Learns a model from an operator's own history: ratings, and labels for some of them.
//!
//! ```text
//! ratings ─▶ features, rules (the scoring path) ─▶ trees over one rating ─▶ trees over the ratings around it ─▶ thresholds
//! labels  ────────────────────────────────────────────▲────────────────────────▲───────────────────────────────▲
//! ```
//!
//! The history is cut into folds by office and days. Whatever is judged for a threshold, a scale or the next step
//! is judged by what was learnt from the other folds, so that nothing is taken for better than it is.

mod around;
mod bars;
mod history;
mod labels;
mod ordinary;

use std::fmt;
use std::io::{self, BufRead};
use std::sync::Arc;

use bars::Judged;
use history::History;
pub use labels::{Label, Labels};

use crate::date::Day;
use crate::lookback;
use crate::models::density::DensityError;
use crate::models::trees::{Boosting, Sample, TrainError, Trees, train};
use crate::models::{
    Bars, GroupModel, Manifest, Metrics, Model, ModelError, Platt, TrainedOn, Weights, sigmoid,
};
use crate::scoring::Ruling;

/// Folds that the history is cut into.
const FOLDS: u8 = 4;
/// Runs through the look-back, each with what the one before taught.
const ROUNDS: usize = 3;
/// No rating of less risk is held, whatever the budget allows.
const LEAST_HOLD: f32 = 0.3;
/// One in so many honest ratings is trained on, and stands for all of them.
const THIN: usize = 3;

/// What is asked of a training.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Most honest ratings on hold, as a share of all.
    pub honest_held: f64,
    /// Most honest bad ratings on hold, as a share of these.
    pub honest_bad_held: f64,
    /// Trees over one rating, and over the ratings around it.
    pub trees: [usize; 2],
    /// What the manifest says of the history.
    pub description: String,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { honest_held: 0.001, honest_bad_held: 0.008, trees: [120, 80], description: String::new() }
    }
}

/// Why no model was learnt.
#[derive(Debug)]
pub enum TrainFailure {
    /// The ratings cannot be read.
    Ratings(io::Error),
    /// The labels cannot be read.
    Labels(io::Error),
    /// There are too few of a kind.
    TooFew {
        /// Of which.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many it takes.
        least: u64,
    },
    /// The trees could not be grown.
    Trees(TrainError),
    /// What is ordinary could not be learnt.
    Density(DensityError),
    /// The model is not accepted.
    Model(ModelError),
}

impl fmt::Display for TrainFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratings(e) => write!(f, "the ratings cannot be read: {e}"),
            Self::Labels(e) => write!(f, "the labels cannot be read: {e}"),
            Self::TooFew { what, found, least } => write!(
                f,
                "{found} labelled {what} ratings are too few to learn from; it takes {least}. Labels and \
                 ratings are joined by rating_id"
            ),
            Self::Trees(e) => e.fmt(f),
            Self::Density(e) => e.fmt(f),
            Self::Model(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for TrainFailure {}

impl From<TrainError> for TrainFailure {
    fn from(error: TrainError) -> Self {
        Self::Trees(error)
    }
}

/// Where a training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes of the ratings were read.
    Read(u64),
    /// This step of so many begins.
    Step(usize, usize),
}

/// A model, and what was passed over on the way to it.
#[derive(Debug)]
pub struct Learnt {
    /// The model.
    pub model: Model,
    /// Lines of the ratings that are no rating, or repeat one.
    pub passed_over: u64,
    /// Lines of the labels that are no label.
    pub wrong_labels: u64,
    /// The first twenty of them.
    pub told: Vec<String>,
}

/// Least number of labelled ratings of each kind.
const LEAST_LABELLED: u64 = 30;

/// Learns a model.
///
/// # Errors
/// The input cannot be read, or there is too little to learn from.
pub fn learn(
    ratings: impl BufRead,
    labels: impl BufRead,
    ruling: &Ruling,
    wanted: &Wanted,
    mut progress: impl FnMut(Progress),
) -> Result<Learnt, TrainFailure> {
    let labels = Labels::read(labels)?;
    let ruling = Arc::new(ruling.with_model(None).map_err(TrainFailure::Model)?);
    let mut history =
        History::read(ratings, &ruling, &labels, FOLDS, |bytes| progress(Progress::Read(bytes)))?;
    let of = |label| history.rows.iter().filter(|row| row.label == Some(label)).count() as u64;
    let counts = [of(Label::Genuine), of(Label::Abusive)];
    for (what, found) in ["genuine", "abusive"].into_iter().zip(counts) {
        if found < LEAST_LABELLED {
            return Err(TrainFailure::TooFew { what, found, least: LEAST_LABELLED });
        }
    }
    let steps = (usize::from(FOLDS) + 1) * (1 + ROUNDS);
    let mut step = 0;
    let mut next = || {
        step += 1;
        progress(Progress::Step(step, steps));
    };
    let densities = ordinary::learn(&mut history)?;
    let one = learn_single(&history, wanted, &mut next)?;
    let group = learn_around(&history, &one.own, wanted, &mut next)?;
    let (bars, metrics) = group.bars;
    let asked = one.trees.asked();
    let mut features: Vec<String> =
        asked.iter().map(|&column| history.columns[usize::from(column)].feature.clone()).collect();
    features.dedup();
    let weights = Weights {
        columns: history.columns.clone(),
        densities,
        prior: one.prior,
        trees: one.trees,
        scale: one.scale,
        bars,
        group: Some(GroupModel {
            columns: lookback::columns(),
            trees: group.trees,
            scale: group.scale,
            bars,
        }),
    };
    let days = history.days.unwrap_or([Day::MIN; 2]).map(|day| day.to_string());
    let trained_on = TrainedOn {
        description: wanted.description.clone(),
        ratings: history.rows.len() as u64,
        labelled: counts[0] + counts[1],
        abusive: counts[1],
        days,
    };
    let rules = ruling.version().digits();
    let manifest = Manifest {
        format: 0,
        blake3: String::new(),
        rules: String::from_utf8_lossy(&rules).into_owned(),
        trained_on,
        metrics,
        features,
    };
    let model = Model::new(weights, manifest).map_err(TrainFailure::Model)?;
    let (wrong_labels, told) = (labels.wrong, labels.told);
    Ok(Learnt { model, passed_over: history.passed_over, wrong_labels, told })
}

/// What was learnt over one rating.
struct Single {
    prior: Platt,
    trees: Trees,
    scale: Platt,
    /// The log-odds of every rating, by trees that have not seen its fold.
    own: Vec<f64>,
}

fn learn_single(history: &History, wanted: &Wanted, next: &mut impl FnMut()) -> Result<Single, TrainFailure> {
    let labelled = || history.rows.iter().enumerate().filter_map(|(i, row)| Some((i, row, row.label?)));
    let prior = Platt::fit(labelled().map(|(_, row, label)| (row.rules, label == Label::Abusive, 1.0)));
    let boosting = Boosting { trees: wanted.trees[0], ..Boosting::default() };
    let fit = |without: Option<u8>| {
        let mut columns: Vec<Vec<f32>> = vec![Vec::new(); history.columns.len()];
        let mut samples = Vec::new();
        for (i, row, label) in labelled().filter(|(_, row, _)| Some(row.fold) != without) {
            let positive = label == Label::Abusive;
            // Honest bad ratings are rare, and the last to be wrong about.
            let all = positive || row.bad;
            if !all && i % THIN != 0 {
                continue;
            }
            let weight = if all { 1.0 } else { THIN as f32 };
            columns.iter_mut().zip(history.of(i)).for_each(|(column, &value)| column.push(value));
            samples.push(Sample { positive, weight, prior: prior.apply(row.rules) as f32 });
        }
        train(&columns, &samples, &boosting, |_| {})
    };
    let mut own = vec![0.0; history.rows.len()];
    for fold in 0..FOLDS {
        next();
        let trees = fit(Some(fold))?;
        for (i, row) in history.rows.iter().enumerate().filter(|(_, row)| row.fold == fold) {
            own[i] = prior.apply(row.rules) + trees.sum(history.of(i));
        }
    }
    next();
    let trees = fit(None)?;
    let scale = Platt::fit(labelled().map(|(i, _, label)| (own[i], label == Label::Abusive, 1.0)));
    own.iter_mut().for_each(|own| *own = scale.apply(*own));
    Ok(Single { prior, trees, scale, own })
}

/// What was learnt over the ratings around one.
struct Around {
    trees: Trees,
    scale: Platt,
    bars: (Bars, Metrics),
}

fn learn_around(
    history: &History,
    own: &[f64],
    wanted: &Wanted,
    next: &mut impl FnMut(),
) -> Result<Around, TrainFailure> {
    let boosting =
        Boosting { trees: wanted.trees[1], columns: 0.6, depth: 5, seed: 2, ..Boosting::default() };
    let mut folds: Vec<(Trees, Platt)> = Vec::new();
    let mut seen = around::run(history, own, &folds);
    let mut last = None;
    for _ in 0..ROUNDS {
        let chosen = around::chosen(history, &seen, THIN);
        let mut learnt = Vec::new();
        for fold in 0..FOLDS {
            next();
            learnt.push(around::fit(history, own, &seen, &chosen, Some(fold), &boosting)?);
        }
        next();
        last = Some(around::fit(history, own, &seen, &chosen, None, &boosting)?);
        folds = learnt;
        seen = around::run(history, own, &folds);
        let labelled = || history.rows.iter().enumerate().filter_map(|(i, row)| Some((i, row.label?)));
        let scale =
            Platt::fit(labelled().map(|(i, label)| (seen.came_logit[i], label == Label::Abusive, 1.0)));
        for (_, fold) in folds.iter_mut().chain(last.as_mut()) {
            *fold = scale;
        }
        seen = around::run(history, own, &folds);
    }
    let Some((trees, scale)) = last else { return Err(TrainFailure::Trees(TrainError::OneSided)) };
    let risks = around::risks(history, own, &seen, Platt::default());
    let bars = thresholds(history, &seen, &risks, wanted);
    Ok(Around { trees, scale, bars })
}

fn thresholds(history: &History, seen: &around::Seen, risks: &[f32], wanted: &Wanted) -> (Bars, Metrics) {
    let labelled = || history.rows.iter().enumerate().filter_map(|(i, row)| Some((i, row, row.label?)));
    let judged = |bad: bool| -> Vec<Judged> {
        let of = labelled().filter(|(_, row, _)| row.bad == bad);
        of.map(|(i, _, label)| Judged { risk: risks[i], abusive: label == Label::Abusive, weight: 1.0 })
            .collect()
    };
    let honest = |bad: bool| {
        labelled().filter(|(_, row, label)| row.bad == bad && *label == Label::Genuine).count() as f64
    };
    let (honest_good, honest_bad) = (honest(false), honest(true));
    let bad_budget = honest_bad * wanted.honest_bad_held;
    let hold_bad = bars::bar(judged(true), bad_budget, LEAST_HOLD);
    let good_budget = ((honest_good + honest_bad) * wanted.honest_held - bad_budget)
        .max(honest_good * wanted.honest_held / 2.0);
    let hold_good = bars::bar(judged(false), good_budget, LEAST_HOLD);
    let bars = Bars {
        hold_good,
        hold_bad,
        second_look_good: (hold_good / 2.0).max(0.05),
        second_look_bad: (hold_bad / 2.0).max(0.05),
    };
    let held = |i: usize, bad: bool| risks[i] >= bars.hold(bad);
    let share = |of: Label, only_bad: bool, held: &dyn Fn(usize, bool) -> bool| {
        let of = || labelled().filter(|(_, row, label)| *label == of && (row.bad || !only_bad));
        of().filter(|&(i, row, _)| held(i, row.bad)).count() as f64 / of().count().max(1) as f64
    };
    let at_once = |i: usize, bad: bool| held(i, bad) && sigmoid(seen.came_logit[i]) as f32 >= bars.hold(bad);
    let metrics = Metrics {
        recall_inline: share(Label::Abusive, false, &at_once),
        recall_final: share(Label::Abusive, false, &held),
        honest_held: share(Label::Genuine, false, &held),
        honest_bad_held: share(Label::Genuine, true, &held),
    };
    (bars, metrics)
}
