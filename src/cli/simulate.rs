//! `zhenping simulate`: a city's rating traffic, with the truth about each rating.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::CommandResult;
use crate::lab::simulate::{City, Params, SCENARIOS, Tables};
use crate::time::Instant;

/// Lines are handed to the system in pieces of about this size.
const PIECE_BYTES: usize = 1 << 18;

/// Writes simulated ratings as NDJSON, in order of arrival.
#[derive(Debug, clap::Args)]
pub struct SimulateArgs {
    /// Everything random follows from it: same seed, same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Length of the run, in days.
    #[arg(long, default_value_t = 14)]
    days: u32,
    /// First day, YYYY-MM-DD, local time (UTC+8).
    #[arg(long, value_name = "DATE", default_value = "2026-03-18")]
    start: String,
    /// Ratings a day, on the average of a week.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    per_day: u64,
    /// Share of abusive ratings.
    #[arg(long, value_name = "SHARE", default_value_t = 0.02)]
    abuse_share: f64,
    /// Share of honest ratings that belong to an occasion that looks like abuse.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    look_alike_share: f64,
    /// Scenarios to have, by name; "-name" leaves one out (default: all).
    #[arg(long, value_name = "NAMES", value_delimiter = ',', allow_hyphen_values = true)]
    scenarios: Vec<String>,
    /// Where the ratings go; "-" is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Where the labels go: one line per rating, in the same order.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Where reference tables that match the ratings go: for `score --reference` and `serve --reference`.
    #[arg(long, value_name = "DIR")]
    reference: Option<PathBuf>,
    /// Lists the scenarios and ends.
    #[arg(long)]
    list_scenarios: bool,
}

/// Runs the command.
///
/// # Errors
///
/// If a parameter is out of range, or a file can't be written.
pub fn run(args: SimulateArgs) -> CommandResult {
    let written =
        if args.list_scenarios { list_scenarios(&mut io::stdout().lock()) } else { simulate(&args)? };
    match written {
        // Whoever reads from the pipe has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(format!("writing {}: {error}", args.out.display()).into()),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// Simulates; the inner result is that of writing.
fn simulate(args: &SimulateArgs) -> Result<io::Result<()>, Box<dyn std::error::Error + Send + Sync>> {
    let start = Instant::parse_rfc3339(&format!("{}T00:00:00+08:00", args.start))
        .ok_or_else(|| format!("--start {}: expected a date such as 2026-03-18", args.start))?;
    let city = City::new(Params {
        seed: args.seed,
        start,
        days: args.days,
        per_day: args.per_day,
        abuse_share: args.abuse_share,
        look_alike_share: args.look_alike_share,
        scenarios: args.scenarios.clone(),
        ..Params::default()
    })?;
    let mut ratings = open(&args.out)?;
    let mut labels = match &args.labels {
        Some(path) => Some(open(path)?),
        None => None,
    };
    let mut tables = args.reference.as_ref().map(|_| Tables::new(args.seed));
    if let Err(error) = write(city, &mut ratings, labels.as_mut(), tables.as_mut()) {
        return Ok(Err(error));
    }
    if let (Some(folder), Some(tables)) = (&args.reference, tables) {
        tables.write(folder).map_err(|error| format!("writing {}: {error}", folder.display()))?;
    }
    Ok(Ok(()))
}

fn open(path: &Path) -> Result<Box<dyn Write>, String> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdout().lock()));
    }
    match File::create(path) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(format!("creating {}: {error}", path.display())),
    }
}

/// Writes all ratings, and their labels where wanted.
fn write(
    city: City,
    ratings: &mut dyn Write,
    mut labels: Option<&mut Box<dyn Write>>,
    mut tables: Option<&mut Tables>,
) -> io::Result<()> {
    let progress = progress(city.expected());
    let mut rating_lines = Vec::with_capacity(PIECE_BYTES + 4_096);
    let mut label_lines = Vec::with_capacity(PIECE_BYTES + 4_096);
    let mut count = 0_u64;
    for rating in city {
        rating.write_json(&mut rating_lines);
        rating_lines.push(b'\n');
        count += 1;
        if let Some(tables) = &mut tables {
            tables.note(&rating);
        }
        if labels.is_some() {
            rating.write_label(&mut label_lines);
            label_lines.push(b'\n');
        }
        if rating_lines.len() >= PIECE_BYTES {
            ratings.write_all(&rating_lines)?;
            rating_lines.clear();
            progress.set_position(count);
            if let Some(labels) = &mut labels {
                labels.write_all(&label_lines)?;
                label_lines.clear();
            }
        }
    }
    ratings.write_all(&rating_lines)?;
    ratings.flush()?;
    if let Some(labels) = labels {
        labels.write_all(&label_lines)?;
        labels.flush()?;
    }
    progress.finish_and_clear();
    Ok(())
}

/// A bar on a terminal; nothing on a pipe.
fn progress(expected: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(expected);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} ratings, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn list_scenarios(out: &mut dyn Write) -> io::Result<()> {
    for scenario in SCENARIOS {
        let kind = if scenario.is_abuse() { "abuse" } else { "honest" };
        writeln!(
            out,
            "{:<20} {:<7} {:<17} {}  {}",
            scenario.name,
            kind,
            scenario.label.name(),
            scenario.zh,
            scenario.en
        )?;
    }
    Ok(())
}
