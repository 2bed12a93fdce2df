//! `zhenping scale`: how far many nodes on one log go.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::CommandResult;
use crate::lab::evaluate::Source;
use crate::lab::scale::staleness::{self, Delay, Progress, Route, Wanted, measure};
use crate::lab::scale::{Failures, Log, Outcome, Parameters, Scenario, busiest_hour, grid, report, simulate};
use crate::scoring::Ruling;
use crate::service::RulesOrigin;

/// Simulates many nodes on one log: ratings answered and shed, latency, staleness, and what binds.
///
/// Runs in virtual time and takes no load of this machine. One number of nodes and one rate give a full report;
/// lists of them give a line for each pair:
///
///   zhenping scale --nodes 3 --rate 20000
///   zhenping scale --nodes 1,3,10,30 --rate 1000,10000,100000
///   zhenping scale --nodes 3 --rate 20000 --seconds 20 --lose-node 1:5:10
///
/// Costs are those of docs/scale.md; measure yours and set them, or a figure is about other machines. What late
/// sight costs in detection is measured by `zhenping scale staleness`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, verbatim_doc_comment)]
pub struct ScaleArgs {
    #[command(subcommand)]
    command: Option<ScaleCommand>,
    #[command(flatten)]
    cell: CellArgs,
}

#[derive(Debug, Subcommand)]
enum ScaleCommand {
    Staleness(StalenessArgs),
}

#[derive(Debug, Args)]
struct CellArgs {
    /// Nodes; a list for a line each.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "3")]
    nodes: Vec<u32>,
    /// Ratings a second, all nodes together; a list for a line each.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "10000")]
    rate: Vec<f64>,
    /// The rate is the mean of a month: simulate the busiest hour, by the rhythm of `simulate`.
    #[arg(long)]
    busiest: bool,
    /// Virtual seconds.
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    seconds: f64,
    /// Everything random follows from it: same seed, same result.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One node with a log of its own, without a broker.
    #[arg(long)]
    embedded: bool,
    /// Prints JSON: an object, or an object a line for lists.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    failures: Failures,
    #[command(flatten)]
    parameters: Parameters,
}

/// Measures what it costs in detection that nodes see each other's ratings late.
///
/// Several engines share a file of ratings, each on the real scoring path with rules alone. A rating is seen at
/// once by the engine that it goes to, and later by the others. The table has, for each delay, the decisions that
/// differ from those of one node, and with labels recall and honest ratings held. It takes about as long as
/// scoring the file once for each node and delay.
///
///   zhenping simulate --days 2 --per-day 100000 --out ratings.ndjson --labels labels.ndjson
///   zhenping scale staleness ratings.ndjson --labels labels.ndjson --nodes 3
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct StalenessArgs {
    /// Ratings as NDJSON, in the order of their arrival.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Labels for some or all of them, as `simulate` writes them and docs/evaluate.md defines them.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Nodes that share the ratings.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(staleness::NODES_MAX)))]
    nodes: u16,
    /// Which node a rating goes to.
    #[arg(long, value_enum, default_value_t = Route::Random)]
    route: Route,
    /// Others' ratings are seen so many ratings of the stream later; a list for a line each.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,10,100,1000,10000")]
    late_ratings: Vec<u64>,
    /// Others' ratings are seen so many milliseconds of event time later; a list for a line each.
    #[arg(long, value_name = "MS", value_delimiter = ',', default_value = "10,100,1000,10000,60000")]
    late_ms: Vec<u64>,
    /// Who gets which rating follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ratings that are read at most; they stay in memory, at about 1 KiB each.
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    ratings: usize,
    /// Rule files; by default `rules/` here if there is one, or else the shipped set.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// A flag is out of its bounds, or a file cannot be read.
pub fn run(args: &ScaleArgs) -> CommandResult {
    match &args.command {
        Some(ScaleCommand::Staleness(args)) => run_staleness(args),
        None => run_cell(&args.cell),
    }
}

fn run_cell(args: &CellArgs) -> CommandResult {
    let bar = bar("{bar:40} {pos}/{len} runs {eta} left");
    bar.set_length((args.nodes.len() * args.rate.len()) as u64);
    let peak = if args.busiest { busiest_hour() } else { 1.0 };
    let mut outcomes = Vec::new();
    for &nodes in &args.nodes {
        for &rate in &args.rate {
            let scenario = Scenario {
                nodes,
                rate: rate * peak,
                seconds: args.seconds,
                seed: args.seed,
                log: if args.embedded { Log::Embedded } else { Log::Broker },
                failures: args.failures.clone(),
                parameters: args.parameters.clone(),
            };
            outcomes.push(simulate(&scenario)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    print(&match (args.json, outcomes.as_slice()) {
        (true, [one]) => serde_json::to_string_pretty(one)? + "\n",
        (true, all) => lines(all)?,
        (false, [one]) => report(one),
        (false, all) => grid(all),
    })
}

fn lines(outcomes: &[Outcome]) -> Result<String, serde_json::Error> {
    outcomes.iter().map(|outcome| Ok(serde_json::to_string(outcome)? + "\n")).collect()
}

fn run_staleness(args: &StalenessArgs) -> CommandResult {
    let open = |path: &PathBuf| -> Result<Source<_>, String> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Source { name: path.display().to_string(), input: BufReader::with_capacity(1 << 18, file) })
    };
    let ruling = Arc::new(Ruling::load(RulesOrigin::find(args.rules.clone()).sources()?)?);
    let late = args.late_ratings.iter().map(|&late| Delay::Ratings(late));
    let wanted = Wanted {
        nodes: args.nodes,
        route: args.route,
        delays: late.chain(args.late_ms.iter().map(|&late| Delay::Ms(late))).collect(),
        seed: args.seed,
        ratings: args.ratings,
    };
    let bar = bar("{msg} {bar:40} {percent}% {eta} left");
    bar.set_message("reading");
    let tell = |progress| match progress {
        Progress::Read(ratings) => bar.inc(ratings),
        Progress::Shown(all) => {
            bar.set_position(0);
            bar.set_length(all);
            bar.set_message("deciding");
        }
        Progress::Observed(ratings) => bar.inc(ratings),
    };
    let labels = args.labels.as_ref().map(open).transpose()?;
    let found = measure(open(&args.file)?, labels, &ruling, &wanted, tell)?;
    bar.finish_and_clear();
    found.wrong_lines.told.iter().for_each(|line| eprintln!("{line}"));
    let printed = print(&match args.json {
        true => serde_json::to_string_pretty(&found)? + "\n",
        false => staleness::table(&found),
    })?;
    match found.wrong_lines.count {
        0 => Ok(printed),
        count => {
            eprintln!("{count} lines could not be read and were left out");
            Ok(ExitCode::from(1))
        }
    }
}

/// A bar on a terminal; nothing on a pipe.
fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template(template);
    style.map_or_else(|_| ProgressBar::hidden(), |style| bar.with_style(style))
}

fn print(text: &str) -> CommandResult {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads from the pipe has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
