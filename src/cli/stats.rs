//! `zhenping stats`: the official figures, recomputed from the log.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::CommandResult;
use crate::log::Head;
use crate::statistics::{
    Query, QueryError, Settings, Statistics, fold_directory, ranking_table, report_table,
};

/// Prints the official figures, recomputed from the log; works beside a running server and on a copy.
#[derive(Debug, clap::Args)]
pub struct StatsArgs {
    /// Data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// By what: total, district, department, hall, window, matter, channel or clerk
    #[arg(long, default_value = "department")]
    by: String,
    /// Cut into periods: whole, month or day
    #[arg(long, default_value = "whole")]
    per: String,
    /// First day or month (2026-03-01, 2026-03); the newest month by default
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Last day or month, itself included
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Only windows or clerks of this department
    #[arg(long, value_name = "CODE")]
    department: Option<String>,
    /// Most rows
    #[arg(long, value_name = "N")]
    limit: Option<String>,
    /// Rank districts or departments by good rate, with what chance may have done
    #[arg(long)]
    ranking: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// A question that cannot be answered, or a log that cannot be read.
pub fn run(args: StatsArgs) -> CommandResult {
    // A wrong question is refused before a long log is read.
    let query = query(&args)?;
    let bar = ProgressBar::no_length();
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{spinner} {human_pos} entries {per_sec}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let folded = fold_directory(&args.data, Settings::default(), &mut |entries| bar.set_position(entries));
    bar.finish_and_clear();
    let (statistics, head) = folded?;
    let text = answer(&args, &query, &statistics, head)?;
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn query(args: &StatsArgs) -> Result<Query, QueryError> {
    let mut query = Query::default().by(&args.by)?.per(&args.per)?;
    if let Some(from) = &args.from {
        query = query.from(from)?;
    }
    if let Some(to) = &args.to {
        query = query.to(to)?;
    }
    if let Some(limit) = &args.limit {
        query = query.limit(limit)?;
    }
    query.department = args.department.as_deref().map(Into::into);
    Ok(query)
}

fn answer(
    args: &StatsArgs,
    query: &Query,
    statistics: &Statistics,
    head: Head,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let head = head.chain.to_string();
    Ok(match (args.ranking, args.json) {
        (false, false) => report_table(&statistics.report(query, &head)?),
        (false, true) => serde_json::to_string_pretty(&statistics.report(query, &head)?)? + "\n",
        (true, false) => ranking_table(&statistics.ranking(query, &head)?),
        (true, true) => serde_json::to_string_pretty(&statistics.ranking(query, &head)?)? + "\n",
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: StatsArgs,
    }

    fn args(line: &str) -> StatsArgs {
        Line::parse_from(["stats", "--data", "nowhere"].into_iter().chain(line.split_whitespace())).args
    }

    #[test]
    fn a_wrong_question_is_refused_before_the_log_is_read() {
        let error = |line| run(args(line)).unwrap_err().to_string();
        assert_eq!(error("--per week"), "`per`: must be one of whole, month, day");
        assert_eq!(error("--limit none"), "`limit`: must be a whole number from 1 to 100000");
        assert!(error("--by clerk").contains("nowhere"), "a right question goes on to the log");
    }

    #[test]
    fn an_empty_log_gives_a_table_json_and_a_ranking() {
        let statistics = Statistics::new(Settings::default());
        let print = |line| {
            let args = args(line);
            answer(&args, &query(&args).unwrap(), &statistics, Head::GENESIS).unwrap()
        };
        assert!(print("--from 2026-03").contains("待复核 pending: 0"));
        let json: serde_json::Value = serde_json::from_str(&print("--from 2026-03 --json")).unwrap();
        assert_eq!((&json["log_position"], &json["pending"]["ratings"]), (&0.into(), &0.into()));
        assert!(print("--from 2026-03 --ranking").contains("部门排名"));
        let json: serde_json::Value = serde_json::from_str(&print("--ranking --json --by district")).unwrap();
        assert_eq!(json["by"], "district");
    }
}
