//! The command line: one file per command.

mod cluster;
pub mod demo;
mod evaluate;
mod key;
mod ledger;
pub mod load;
mod rebuilding;
mod reference;
mod rules;
mod scale;
mod score;
pub mod serve;
mod simulate;
mod stats;
mod token;
mod train;
mod user;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::date::UtcOffset;
use crate::features::state::StateLimits;
use crate::metrics::Metrics;
use crate::service::{
    DeskOptions, IntakeLimits, Lot, ModelOrigin, Options, ReferenceOrigin, RulesOrigin, Service,
    SnapshotPolicy,
};

/// What a command gives back: its exit code, or an error to print.
pub type CommandResult = Result<ExitCode, Box<dyn std::error::Error + Send + Sync>>;

/// Zhenping (真评): detects fraud and abuse in public-service ratings.
///
/// Start with `zhenping demo`: a simulated city in a temporary directory, attacks within a minute, a
/// live page. Every command has its own --help.
#[derive(Debug, Parser)]
#[command(name = "zhenping", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Serve(serve::ServeArgs),
    Score(score::ScoreArgs),
    Simulate(simulate::SimulateArgs),
    Train(train::TrainArgs),
    Evaluate(evaluate::EvaluateArgs),
    Scale(Box<scale::ScaleArgs>),
    Rules(rules::RulesArgs),
    Reference(reference::ReferenceArgs),
    Ledger(ledger::LedgerArgs),
    Stats(stats::StatsArgs),
    User(user::UserArgs),
    Token(token::TokenArgs),
    Key(key::KeyArgs),
    Load(load::LoadArgs),
}

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Score(args) => score::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Train(args) => train::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Scale(args) => scale::run(&args),
        Command::Rules(args) => rules::run(args),
        Command::Reference(args) => reference::run(args),
        Command::Ledger(args) => ledger::run(args),
        Command::Stats(args) => stats::run(args),
        Command::User(args) => user::run(args),
        Command::Token(args) => token::run(args),
        Command::Key(args) => key::run(args),
        Command::Load(args) => load::run(args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("zhenping: {error}");
            ExitCode::from(2)
        }
    }
}

/// Opens the service that `serve` and `demo` run, as the configuration says.
fn open_service(
    config: &Config,
    data: &Path,
    metrics: Arc<Metrics>,
) -> Result<Service, Box<dyn std::error::Error + Send + Sync>> {
    let mut options = Options::new(data.to_owned(), metrics);
    options.rules = RulesOrigin::find(config.rules.directory.clone());
    options.model = ModelOrigin::find(config.model.directory.clone());
    options.labels = config.model.labels;
    options.lookback_ratings = config.model.lookback_ratings;
    options.references = ReferenceOrigin::find(config.reference.directory.clone(), data);
    options.intake = IntakeLimits { queue: config.queue.depth, ..IntakeLimits::default() };
    options.retry_after_s = config.queue.retry_after_s;
    options.ahead_minutes = config.state.ahead_minutes;
    options.vault_days = config.retention.vault_days;
    options.erasable_days = config.retention.erasable_days;
    options.bad_holds_per_day = config.holds.bad_per_day;
    options.desk = Some(DeskOptions {
        decide_working_days: u16::try_from(config.desk.decide_working_days)?,
        traced_ratings: config.desk.traced_ratings,
    });
    options.control = Lot::new(config.desk.control_per_100_000).at_most(config.desk.control_per_day);
    options.lapse.bad_working_days = u16::try_from(config.holds.lapse_working_days)?;
    options.segment_bytes = u32::try_from(config.log.segment_mib << 20)?;
    options.snapshots =
        Some(SnapshotPolicy { every: config.snapshots.every_entries, kept: config.snapshots.kept });
    options.on_rebuild = Some(Box::new(rebuilding::Shown::default().into_told()));
    options.state = StateLimits::within(config.state.memory_mib << 20);
    let minutes = i16::try_from(config.statistics.utc_offset_minutes)?;
    options.offset =
        UtcOffset::from_minutes(minutes).ok_or("statistics.utc_offset_minutes is out of range")?;
    options.cluster = cluster::options(&config.cluster)?;
    Ok(Service::open(options)?)
}
