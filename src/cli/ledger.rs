//! `zhenping ledger`: checks the log, and names its head.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::CommandResult;
use crate::date::{Day, UtcOffset};
use crate::log::{self, EmbeddedLog, Erasure, Head, Log, LogOptions, LogReader, Progress, Report};
use crate::review::evidence;

/// Checks that the figures can follow from the log: recomputes its checksums and its hash chain.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Recompute every checksum, leaf and link of the chain; works beside a running server and on a copy
    Verify {
        /// Data directory
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// A head noted down earlier (`ledger head` prints it), which the log must lead to
        #[arg(long, value_name = "HASH:SEQUENCE")]
        head: Option<Head>,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the head, HASH:SEQUENCE, which vouches for all records before that sequence
    Head {
        /// Data directory
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Erase what is personal in old records: pseudonyms, features, reasons. Checksums, chain, heads and
    /// figures stay what they are
    ///
    /// Ratings on hold are left whole until they are decided. A running service does this by itself every
    /// day (`retention.erasable_days`) and must be stopped to do it by hand. Old files may survive in
    /// backups and, on some media, in unused blocks.
    Erase {
        /// Data directory
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Ratings that were scored before this day, and decisions that were made before it (UTC+8)
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
        before: Day,
    },
    /// Check the signature of evidence that was downloaded from the desk, and print what it is about
    ///
    /// It needs no data directory. Without --key it says whose signature it is, and that nothing was changed
    /// since; with it, that it is that of the service one knows.
    Evidence {
        /// The file
        file: PathBuf,
        /// The service's public key, which `serve` prints when it starts
        #[arg(long, value_name = "HEX")]
        key: Option<String>,
    },
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "a day as YYYY-MM-DD".to_owned())
}

/// Runs the command. The exit code is 1 where something is wrong with the log.
pub fn run(args: LedgerArgs) -> CommandResult {
    match args.command {
        LedgerCommand::Verify { data, head, json } => {
            let report = verify(&data, head)?;
            if json {
                println!("{:#}", report_json(&report));
            } else {
                print!("{}", report_text(&report, head));
            }
            Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        LedgerCommand::Head { data, json } => {
            let head = log::head_of(&log::directory(&data))?;
            if json {
                println!("{}", head_json(head));
            } else {
                println!("{head}");
            }
            Ok(ExitCode::SUCCESS)
        }
        LedgerCommand::Evidence { file, key } => {
            let bytes = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let (content, signed_with) = evidence::verify(&bytes, key.as_deref())
                .map_err(|error| format!("{}: {error}", file.display()))?;
            let members = content["members"].as_array().map_or(0, Vec::len);
            println!("签名有效 Sound: signed with {signed_with}");
            println!(
                "  {} {}",
                content["campaign"].as_str().unwrap_or("?"),
                content["summary"].as_str().unwrap_or("")
            );
            println!("  {}", content["summary_en"].as_str().unwrap_or(""));
            println!(
                "  {members} ratings; ledger {} at {}; exported {} by {}",
                content["ledger"]["head"].as_str().unwrap_or("?"),
                content["ledger"]["position"],
                content["exported_at"].as_str().unwrap_or("?"),
                content["exported_by"].as_str().unwrap_or("?"),
            );
            Ok(ExitCode::SUCCESS)
        }
        LedgerCommand::Erase { data, before } => {
            let dir = log::directory(&data);
            // A directory without a log is a mistake in the name, not a log to begin.
            LogReader::open(&dir)?;
            let log = EmbeddedLog::open(&dir, LogOptions::default())?;
            let held = log::undecided(&log)?;
            let keep = |sequence: u64| held.contains(&sequence);
            let erased = log.erase(&Erasure { before, offset: UtcOffset::CHINA, keep: &keep })?;
            println!(
                "已擦除 Erased: {} records before {before} in {} segments, {} bytes freed",
                erased.records, erased.segments, erased.bytes
            );
            println!("链首 Head: {} (unchanged)", log.head());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Verifies with a progress bar on a terminal and with nothing on a pipe.
fn verify(data: &Path, head: Option<Head>) -> Result<Report, log::LogError> {
    let bar = ProgressBar::no_length();
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let report = log::verify(&log::directory(data), head, &mut |Progress { bytes, total_bytes }| {
        bar.set_length(total_bytes.max(bytes));
        bar.set_position(bytes);
    });
    bar.finish_and_clear();
    report
}

fn report_text(report: &Report, expected: Option<Head>) -> String {
    use std::fmt::Write;

    let mut text = String::new();
    let records = report.records();
    // Writing to a String cannot fail.
    let _ = match &report.damage {
        None => writeln!(
            text,
            "记录完整 Intact: {records} records in {} segments, {} bytes",
            report.segments, report.bytes
        ),
        Some(damage) => writeln!(
            text,
            "记录损坏 DAMAGED: {damage}\n\
             {records} records before it are sound. Put the file back from a replica or a backup, and verify again."
        ),
    };
    if report.first_sequence > 0 {
        let _ = writeln!(
            text,
            "The log begins with sequence {}; what went before is vouched for by its head alone.",
            report.first_sequence
        );
    }
    if report.torn_bytes > 0 {
        let _ = writeln!(
            text,
            "{} bytes after the last record belong to a write that was never acknowledged, or is going on.",
            report.torn_bytes
        );
    }
    if let Some(expected) = expected {
        let _ = match report.leads_to_expected {
            Some(true) => writeln!(text, "与给定链首一致 The log leads to the head that was given."),
            Some(false) if expected.next_sequence > report.head.next_sequence => writeln!(
                text,
                "与给定链首不符 MISMATCH: the log ends with sequence {}, before the head that was given: its end is lost.",
                report.head.next_sequence
            ),
            Some(false) => writeln!(
                text,
                "与给定链首不符 MISMATCH: the log does not lead to the head that was given: it was rewritten."
            ),
            None => {
                writeln!(text, "The head that was given lies behind the damage and could not be compared.")
            }
        };
    }
    let _ = writeln!(text, "链首 Head: {}", report.head);
    text
}

fn report_json(report: &Report) -> serde_json::Value {
    json!({
        "sound": report.is_sound(),
        "records": report.records(),
        "segments": report.segments,
        "bytes": report.bytes,
        "first_sequence": report.first_sequence,
        "torn_bytes": report.torn_bytes,
        "head": head_json(report.head),
        "leads_to_expected": report.leads_to_expected,
        "damage": report.damage.as_ref().map(|damage| json!({
            "segment": damage.segment.display().to_string(),
            "offset": damage.offset,
            "sequence": damage.sequence,
            "problem": damage.problem,
        })),
    })
}

fn head_json(head: Head) -> serde_json::Value {
    json!({ "next_sequence": head.next_sequence, "chain": head.chain.to_string(), "algorithm": "BLAKE3-256" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Damage, Digest};

    fn report() -> Report {
        Report {
            segments: 2,
            first_sequence: 0,
            head: Head { next_sequence: 7, chain: Digest::of(b"head") },
            bytes: 4000,
            torn_bytes: 0,
            damage: None,
            leads_to_expected: None,
        }
    }

    #[test]
    fn the_report_says_what_is_sound_and_where_the_head_is() {
        insta::assert_snapshot!(report_text(&report(), None), @r#"
        记录完整 Intact: 7 records in 2 segments, 4000 bytes
        链首 Head: 35f1ea002bfb00c125884e650f864046b687e0a48a6edc1a591c459f8c341da5:7
        "#);
    }

    #[test]
    fn the_report_names_the_damage_and_the_remedy() {
        let damage = Damage {
            segment: "log/00000000000000000000.seg".into(),
            offset: 3107,
            sequence: 7,
            problem: "the frame's checksum is wrong".to_owned(),
        };
        let expected = Head { next_sequence: 9, chain: Digest::of(b"other") };
        let report = Report { damage: Some(damage), ..report() };
        insta::assert_snapshot!(report_text(&report, Some(expected)), @r#"
        记录损坏 DAMAGED: log/00000000000000000000.seg is damaged at byte 3107 (sequence 7): the frame's checksum is wrong
        7 records before it are sound. Put the file back from a replica or a backup, and verify again.
        The head that was given lies behind the damage and could not be compared.
        链首 Head: 35f1ea002bfb00c125884e650f864046b687e0a48a6edc1a591c459f8c341da5:7
        "#);
    }

    #[test]
    fn the_report_tells_a_lost_end_from_a_rewritten_log() {
        let report = Report { leads_to_expected: Some(false), torn_bytes: 12, first_sequence: 3, ..report() };
        let at = |next_sequence| Some(Head { next_sequence, chain: Digest::of(b"other") });
        insta::assert_snapshot!(report_text(&report, at(9)), @r#"
        记录完整 Intact: 4 records in 2 segments, 4000 bytes
        The log begins with sequence 3; what went before is vouched for by its head alone.
        12 bytes after the last record belong to a write that was never acknowledged, or is going on.
        与给定链首不符 MISMATCH: the log ends with sequence 7, before the head that was given: its end is lost.
        链首 Head: 35f1ea002bfb00c125884e650f864046b687e0a48a6edc1a591c459f8c341da5:7
        "#);
        insta::assert_snapshot!(report_text(&report, at(5)), @r#"
        记录完整 Intact: 4 records in 2 segments, 4000 bytes
        The log begins with sequence 3; what went before is vouched for by its head alone.
        12 bytes after the last record belong to a write that was never acknowledged, or is going on.
        与给定链首不符 MISMATCH: the log does not lead to the head that was given: it was rewritten.
        链首 Head: 35f1ea002bfb00c125884e650f864046b687e0a48a6edc1a591c459f8c341da5:7
        "#);
    }
}
