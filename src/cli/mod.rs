//! The command line: one file per command.

mod ledger;

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
    Ledger(ledger::LedgerArgs),
}

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Ledger(args) => ledger::run(args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("zhenping: {error}");
            ExitCode::from(2)
        }
    }
}
