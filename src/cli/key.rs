//! `zhenping key`: shows and rotates the keys of the pseudonyms.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::CommandResult;
use crate::pseudonym::{KeyFile, MIN_EPOCH_DAYS};

/// Shows and rotates the keys that identifiers become pseudonyms with; never prints a key.
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists the epochs of the keys and when they began.
    Show {
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Begins a new epoch. The one before is kept, so that look-ups find what it named; the one
    /// before that is destroyed. A running service takes the new epoch when it is restarted.
    Rotate {
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Rotate even though the current epoch is young, because the keys have leaked: repeats of
        /// people, devices and cases from before it will not be recognised.
        #[arg(long)]
        early: bool,
    },
    /// Destroys the epoch before the current one, once its names are no longer looked up: its pseudonyms
    /// can then never be tied to anybody. The next rotation does it too.
    Retire {
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Retire it though its names are still needed, because its key has leaked.
        #[arg(long)]
        early: bool,
    },
}

/// Runs the command.
pub fn run(args: KeyArgs) -> CommandResult {
    match args.action {
        Action::Show { data } => {
            let path = KeyFile::in_use(&data)?;
            print(&KeyFile::load(&path)?);
        }
        Action::Rotate { data, early } => {
            let path = KeyFile::in_use(&data)?;
            let keys = KeyFile::rotate(&path, early)?;
            eprintln!("Rotated {}. Back it up, and restart the service.", path.display());
            eprintln!("The next rotation is due in {MIN_EPOCH_DAYS} days or later.");
            print(&keys);
        }
        Action::Retire { data, early } => {
            let path = KeyFile::in_use(&data)?;
            let keys = KeyFile::retire(&path, early)?;
            eprintln!(
                "The epoch before is gone from {}. Restart the service, and destroy old backups of the file.",
                path.display()
            );
            print(&keys);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(keys: &KeyFile) {
    println!("{:>5}  {:<24}  standing", "epoch", "began");
    let newest = keys.epochs().map(|(id, _)| id).max();
    for (id, began) in keys.epochs() {
        let standing = if Some(id) == newest { "current" } else { "previous" };
        println!("{id:>5}  {:<24}  {standing}", began.to_string());
    }
}
