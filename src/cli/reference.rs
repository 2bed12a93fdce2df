//! `zhenping reference`: checks reference tables.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::CommandResult;
use crate::date::UtcOffset;
use crate::features::reference::{References, load_directory};
use crate::pseudonym::Keyring;
use crate::service::grouped;

/// Checks reference tables: registered terminals, opening hours, holidays, helpers' devices, staff, cases
/// closed. docs/reference.md has their format.
#[derive(Debug, Args)]
pub struct ReferenceArgs {
    #[command(subcommand)]
    command: ReferenceCommand,
}

#[derive(Debug, Subcommand)]
enum ReferenceCommand {
    /// Checks every table as a whole: prints what is there, or everything that is wrong, and exits with 1
    Check {
        /// Directory with the tables [default: reference/ in the data directory, or else here]
        #[arg(long, value_name = "DIR")]
        reference: Option<PathBuf>,
        /// Data directory. With it the version is printed that the log will name: it depends on the keys
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

/// Runs the command.
///
/// # Errors
/// The keys of the data directory cannot be read. Tables that are wrong are no error of the command.
pub fn run(args: ReferenceArgs) -> CommandResult {
    let ReferenceCommand::Check { reference, data } = args.command;
    let usual = || data.as_ref().map_or_else(|| PathBuf::from("reference"), |data| data.join("reference"));
    let directory = reference.unwrap_or_else(usual);
    let keyring = match &data {
        Some(data) => Keyring::open_existing(data)?,
        None => Keyring::public(),
    };
    let read =
        load_directory(&directory).and_then(|files| References::read(&files, &keyring, UtcOffset::CHINA));
    let tables = match read {
        Ok(tables) => tables,
        Err(errors) => {
            let count = errors.0.len();
            let noun = if count == 1 { "error" } else { "errors" };
            eprintln!("{errors}\n{}: {count} {noun}", directory.display());
            return Ok(ExitCode::FAILURE);
        }
    };
    let count = tables.rows().len();
    println!("{} ({count} {}): OK", directory.display(), if count == 1 { "table" } else { "tables" });
    for &(table, rows) in tables.rows() {
        println!("{table:<18}{:>12} {}", grouped(rows as u64), if rows == 1 { "row" } else { "rows" });
    }
    if count == 0 {
        println!("no tables: what they tell of is missing, and every terminal counts as official");
    }
    if data.is_some() {
        println!("version {}", tables.version());
    }
    Ok(ExitCode::SUCCESS)
}
