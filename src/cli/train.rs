//! `zhenping train`: a model from an operator's own history.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::CommandResult;
use crate::lab::train::{Learnt, Progress, Wanted, learn};
use crate::models::{self, Model};
use crate::scoring::Ruling;
use crate::service::RulesOrigin;

/// Learns a model from a history of ratings and labels for some of them.
///
/// The ratings are taken through the scoring path in their order. The labels may cover only some of them,
/// come late, and be wrong now and then. The model goes into a directory that `score --model`, `serve
/// --model` and `models/` in the working directory are read from. The same input gives the same model, bit
/// for bit.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// The history: ratings, one JSON object per line, in the order in which they came.
    #[arg(long, value_name = "FILE")]
    ratings: PathBuf,
    /// Labels: {"rating_id", "label"} per line; see docs/training.md.
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// Where the model goes; a model that is there is replaced.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Rule files; by default `rules/` here if there is one, or else the shipped set.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Share of the honest ratings that may be held.
    #[arg(long, value_name = "SHARE", default_value_t = 0.001, value_parser = share)]
    honest_held: f64,
    /// Share of the honest bad ratings that may be held.
    #[arg(long, value_name = "SHARE", default_value_t = 0.008, value_parser = share)]
    honest_bad_held: f64,
    /// Trees over one rating; over the ratings around it there are two thirds as many.
    #[arg(long, value_name = "N", default_value_t = 120, value_parser = clap::value_parser!(u16).range(1..=500))]
    trees: u16,
    /// What the manifest says of the history, in words.
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=0.2).contains(&share) => Ok(share),
        _ => Err("a share from 0 to 0.2".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
/// A file cannot be read or written, or there is too little to learn from.
pub fn run(args: TrainArgs) -> CommandResult {
    let open = |path: &Path| File::open(path).map_err(|e| format!("{}: {e}", path.display()));
    let (ratings, labels) = (open(&args.ratings)?, open(&args.labels)?);
    let bar = ProgressBar::new(ratings.metadata()?.len());
    let style = ProgressStyle::with_template("{msg} {bar:40} {percent}% {eta} left");
    let bar = style.map_or_else(|_| ProgressBar::hidden(), |style| bar.with_style(style));
    bar.set_message("reading");
    let ruling = Ruling::load(RulesOrigin::find(args.rules).sources()?)?;
    let wanted = Wanted {
        honest_held: args.honest_held,
        honest_bad_held: args.honest_bad_held,
        trees: [usize::from(args.trees), usize::from(args.trees).div_ceil(3) * 2],
        description: args.description,
    };
    let tell = |progress| match progress {
        Progress::Read(bytes) => bar.inc(bytes),
        Progress::Step(step, of) => {
            bar.set_length(of as u64);
            bar.set_position(step as u64 - 1);
            bar.set_message("learning");
        }
    };
    let buffered = |file| BufReader::with_capacity(1 << 18, file);
    let Learnt { model, passed_over, wrong_labels, told } =
        learn(buffered(ratings), buffered(labels), &ruling, &wanted, tell)?;
    bar.finish_and_clear();
    if passed_over > 0 {
        eprintln!("{passed_over} lines of the ratings are no rating, or repeat one; they were passed over");
    }
    if wrong_labels > 0 {
        eprintln!("{wrong_labels} lines of the labels are no label and were passed over, such as");
        told.iter().for_each(|wrong| eprintln!("  {}: {wrong}", args.labels.display()));
    }
    models::write_directory(&model, &args.out).map_err(|e| format!("{}: {e}", args.out.display()))?;
    report(&model, &args.out);
    Ok(ExitCode::SUCCESS)
}

fn report(model: &Model, out: &Path) {
    let manifest = model.manifest();
    let (on, metrics) = (&manifest.trained_on, &manifest.metrics);
    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    eprintln!(
        "learnt from {} ratings of {} to {}, {} of them labelled, {} abusive",
        on.ratings, on.days[0], on.days[1], on.labelled, on.abusive
    );
    eprintln!(
        "on folds that took no part: {} of the abusive ratings held at once, {} in the end; {} of the \
         genuine ones, {} of the genuine bad ones",
        percent(metrics.recall_inline),
        percent(metrics.recall_final),
        percent(metrics.honest_held),
        percent(metrics.honest_bad_held),
    );
    let bars = &model.weights().bars;
    eprintln!(
        "holds from a risk of {:.2} (bad ratings {:.2}); wrote {} and {} to {}",
        bars.hold_good,
        bars.hold_bad,
        models::MANIFEST,
        models::FILE,
        out.display()
    );
}
