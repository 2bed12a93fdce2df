//! The command line: one file per command.

mod simulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a command gives back: its exit code, or an error to print.
pub type CommandResult = Result<ExitCode, Box<dyn std::error::Error + Send + Sync>>;

/// Zhenping (真评): detects fraud and abuse in public-service ratings.
#[derive(Debug, Parser)]
#[command(name = "zhenping", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes a simulated city's ratings, with labels (模拟评价流量)
    Simulate(simulate::SimulateArgs),
}

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result: CommandResult = match cli.command {
        Command::Simulate(args) => simulate::run(args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("zhenping: {error}");
            ExitCode::from(2)
        }
    }
}
