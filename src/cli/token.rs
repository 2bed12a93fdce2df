//! `zhenping token`: makes, lists and revokes the tokens with which callers show their role.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::CommandResult;
use crate::access::{Access, Role};

/// Longest lifetime of a token, in days.
const DAYS_MAX: u64 = 3_650;

/// Makes, lists and revokes access tokens; works before the first start and beside a running server.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a token and prints it, alone, on the last line; it is not shown again.
    Create {
        /// What its holder may do.
        #[arg(long)]
        role: Role,
        /// Data directory; made if it is not there.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// What it is for, so that you know later which to revoke.
        #[arg(long, default_value = "", value_name = "TEXT")]
        label: String,
        /// Days after which it ends by itself; without it, it holds until revoked.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=DAYS_MAX))]
        days: Option<u64>,
    },
    /// Lists the tokens ever made, without the tokens themselves.
    List {
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Revokes a token; a running server notices within a second.
    Revoke {
        /// Its number in the list.
        id: i64,
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

/// Runs the command.
pub fn run(args: TokenArgs) -> CommandResult {
    match args.action {
        Action::Create { role, data, label, days } => {
            let lifetime = days.map(|days| Duration::from_secs(days * 86_400));
            let (token, record) = Access::open(&data)?.create(role, &label, lifetime)?;
            let end = match record.expires {
                Some(expires) => format!("until {expires}"),
                None => "until revoked".to_owned(),
            };
            eprintln!("Token {} for {role}, valid {end}. It is not shown again.", record.id);
            println!("{token}");
        }
        Action::List { data } => {
            let records = open_existing(&data)?.list()?;
            println!(
                "{:>5}  {:<10}  {:<8}  {:<24}  {:<24}  label",
                "id", "role", "standing", "created", "expires"
            );
            for record in records {
                let expires = record.expires.map_or_else(|| "-".to_owned(), |expires| expires.to_string());
                println!(
                    "{:>5}  {:<10}  {:<8}  {:<24}  {:<24}  {}",
                    record.id,
                    record.role.name(),
                    record.standing(),
                    record.created.to_string(),
                    expires,
                    record.label
                );
            }
        }
        Action::Revoke { id, data } => match open_existing(&data)?.revoke(id)? {
            Some(role) => eprintln!("Token {id} for {role} is revoked."),
            None => {
                let data = data.display();
                return Err(format!(
                    "there is no token {id}; `zhenping token list --data {data}` lists them"
                )
                .into());
            }
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// Listing and revoking make no directory: a misspelt one should be told, not filled.
fn open_existing(data: &Path) -> Result<Access, Box<dyn std::error::Error + Send + Sync>> {
    if !data.join(crate::access::FILE_NAME).is_file() {
        return Err(format!("there are no tokens in {}", data.display()).into());
    }
    Ok(Access::open(data)?)
}
