//! `zhenping score`: a file of ratings in, a file of verdicts out, on the service's own code path.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};

use super::CommandResult;
use crate::features::case::MOST_IN_FLIGHT;
use crate::log::entry::RatingEntry;
use crate::metrics::Metrics;
use crate::rating::MAX_RATING_BYTES;
use crate::scoring::Ruling;
use crate::service::{
    Answer, Clock, ModelOrigin, Options, Output, ReferenceOrigin, Reply, RulesOrigin, Service, Submission,
    feature_values, grouped,
};

/// Scores a file of ratings (NDJSON) and writes a verdict per line, in order.
///
/// The revisions that a line brought about (same rating_id, higher revision) follow it. A line that
/// cannot be read gives {"line": N, "error": {...}} in its place, and the exit code is 1 if there was
/// any. Without --data it uses a fixed, public key and a temporary directory, and the clock is the
/// event-time watermark: two runs give identical bytes, whatever the batch size and thread count.
#[derive(Debug, clap::Args)]
pub struct ScoreArgs {
    /// Ratings, one JSON object per line; `-` is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Where the verdicts go; standard output by default.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Keeps log, vault and keys in this directory, and goes on from what it holds.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Rule files; by default `rules/` here if there is one, or else the shipped set.
    #[arg(long)]
    rules: Option<PathBuf>,
    /// A model that `train` wrote; by default `models/` here if there is one. `none` for rules alone.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Reference tables [default: reference/ in the data directory, if it is there]
    #[arg(long, value_name = "DIR")]
    reference: Option<PathBuf>,
    /// Also writes the feature values of each rating here (NDJSON): what rules and models see.
    #[arg(long)]
    features: Option<PathBuf>,
    /// Threads that parse and judge; one more keeps state in order. Verdicts don't depend on it.
    #[arg(long, default_value_t = default_threads())]
    threads: usize,
    /// Ratings per batch. Verdicts don't depend on it.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    batch: u32,
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from) + 1
}

/// Bytes read at once, and at most how many lines are handed over together.
const CHUNK_BYTES: usize = 1 << 18;

/// Batches on their way at once. Nobody waits for a single answer here, so there may be enough of
/// them to score on while a group is made durable. Fewer where they are long: state counts on what it
/// forgets being in the log.
fn in_flight(batch: u32) -> usize {
    (MOST_IN_FLIGHT / batch as usize).clamp(2, 32)
}

/// Runs the command.
///
/// # Errors
/// The input, the output, the rules or the data directory cannot be used.
pub fn run(args: ScoreArgs) -> CommandResult {
    let (input, size): (Box<dyn Read>, Option<u64>) = if args.file.as_os_str() == "-" {
        (Box::new(io::stdin().lock()), None)
    } else {
        let file = File::open(&args.file).map_err(|e| format!("{}: {e}", args.file.display()))?;
        let size = file.metadata().ok().map(|m| m.len());
        (Box::new(file), size)
    };
    let sink: Box<dyn Write + Send> = match &args.out {
        Some(path) => Box::new(File::create(path).map_err(|e| format!("{}: {e}", path.display()))?),
        None => Box::new(io::stdout()),
    };
    // Dropped, and so removed, when the command ends.
    let temporary = match &args.data {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("zhenping-score-").tempdir()?),
    };
    let directory = match (&args.data, &temporary) {
        (Some(data), _) => data.clone(),
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => return Err("no directory to work in".into()),
    };
    // What is wrong with the directory, if anything, is said; standard output has the verdicts alone.
    super::serve::log_to_stderr("warn");
    let counts = Arc::new(Counts::default());
    let features = match &args.features {
        Some(path) => {
            Some(BufWriter::new(File::create(path).map_err(|e| format!("{}: {e}", path.display()))?))
        }
        None => None,
    };
    let sink = BufWriter::with_capacity(CHUNK_BYTES, sink);
    let output = Verdicts { sink, features, counts: Arc::clone(&counts) };
    let output = Arc::new(Mutex::new(output));
    let references = ReferenceOrigin::find(args.reference, &directory);
    let mut options = Options::new(directory, Arc::new(Metrics::new()?));
    options.references = references;
    options.rules = RulesOrigin::find(args.rules);
    options.model = ModelOrigin::find(args.model);
    options.clock = Clock::EventTime;
    options.public_key = args.data.is_none();
    options.threads = args.threads.clamp(1, 64);
    options.intake.batch = args.batch as usize;
    options.intake.in_flight = in_flight(args.batch);
    // A temporary directory is opened once.
    options.snapshots = options.snapshots.filter(|_| args.data.is_some());
    options.on_rebuild = Some(Box::new(super::rebuilding::Shown::default().into_told()));
    options.output = Some(Box::new(Arc::clone(&output)));
    let service = Service::open(options)?;

    let progress = progress(size, args.out.is_some());
    let read = feed(input, &service, &progress);
    service.stop()?;
    let pending = service.folds(|folds| folds.pending_holds());
    progress.finish_and_clear();
    {
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        output.sink.flush()?;
        output.features.as_mut().map_or(Ok(()), Write::flush)?;
    }
    read?;
    counts.report(pending);
    Ok(ExitCode::from(u8::from(counts.errors.load(Ordering::Relaxed) > 0)))
}

fn progress(size: Option<u64>, quiet_output: bool) -> ProgressBar {
    // indicatif draws nothing where standard error is no terminal.
    let bar = size.filter(|_| quiet_output).map_or_else(ProgressBar::hidden, ProgressBar::new);
    let style = ProgressStyle::with_template("{bar:40} {percent}% {bytes_per_sec} {eta} left");
    style.map_or_else(|_| ProgressBar::hidden(), |style| bar.with_style(style))
}

/// Cuts the input into lines and hands them over in order.
fn feed(mut input: Box<dyn Read>, service: &Service, progress: &ProgressBar) -> io::Result<()> {
    let mut carry: Vec<u8> = Vec::new();
    let mut line_number = 0;
    loop {
        let mut chunk = std::mem::take(&mut carry);
        chunk.reserve_exact(CHUNK_BYTES);
        // Reads again where it was interrupted, and clears no memory first.
        let read = input.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
        progress.inc(read as u64);
        let end = match (read, chunk.iter().rposition(|&b| b == b'\n')) {
            (0, _) => chunk.len(),
            (_, Some(last)) => last + 1,
            // No end of line in sight: an over-long line is cut, which makes it an error, not a
            // reason to hold all of it in memory.
            (_, None) => {
                chunk.truncate(chunk.len().min(MAX_RATING_BYTES + 2));
                carry = chunk;
                continue;
            }
        };
        carry.extend_from_slice(&chunk[end..]);
        chunk.truncate(end);
        let chunk = Bytes::from(chunk);
        let mut submissions = Vec::new();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &chunk)
            .chain((!chunk.is_empty() && !chunk.ends_with(b"\n")).then_some(chunk.len()))
        {
            line_number += 1;
            let line = chunk.slice(start..end);
            start = end + 1;
            // An empty line is no rating; it keeps its number.
            if !line.trim_ascii().is_empty() {
                submissions.push(Submission::Rating { line, reply: Reply::Line(line_number) });
            }
        }
        if service.push(submissions).is_err() {
            return Err(io::Error::other("the service stopped; its error is above"));
        }
        if read == 0 {
            return Ok(());
        }
    }
}

#[derive(Default)]
struct Counts {
    verdicts: AtomicU64,
    revisions: AtomicU64,
    errors: AtomicU64,
}

impl Counts {
    fn report(&self, pending: u64) {
        let of = |n: &AtomicU64| grouped(n.load(Ordering::Relaxed));
        eprintln!(
            "{} verdicts, {} revisions, {} errors; {} holds pending (nobody reviews in a batch, so none lapses)",
            of(&self.verdicts),
            of(&self.revisions),
            of(&self.errors),
            grouped(pending),
        );
    }
}

struct Verdicts {
    sink: BufWriter<Box<dyn Write + Send>>,
    features: Option<BufWriter<File>>,
    counts: Arc<Counts>,
}

impl Output for Arc<Mutex<Verdicts>> {
    fn answer(&mut self, line: u64, answer: &Answer) -> io::Result<()> {
        let mut verdicts = self.lock().unwrap_or_else(PoisonError::into_inner);
        let Verdicts { sink, counts, .. } = &mut *verdicts;
        let error = match answer {
            Answer::Verdict(json) => {
                counts.verdicts.fetch_add(1, Ordering::Relaxed);
                sink.write_all(json)?;
                return sink.write_all(b"\n");
            }
            Answer::Invalid(error) => serde_json::to_value(error)?,
            Answer::Conflict { rating_id } => serde_json::json!({
                "code": "conflict",
                "path": "$.rating_id",
                "rating_id": rating_id,
                "message": "this rating_id was used for a rating with other content; give each rating an id of its own",
            }),
            Answer::Shed { .. } | Answer::Stopping => serde_json::json!({
                "code": "stopped",
                "path": "$",
                "message": "the service stopped before this rating was scored; score it again",
            }),
        };
        counts.errors.fetch_add(1, Ordering::Relaxed);
        serde_json::to_writer(&mut *sink, &serde_json::json!({ "line": line, "error": error }))?;
        sink.write_all(b"\n")
    }

    fn scored(&mut self, rating: &RatingEntry, ruling: &Ruling) -> io::Result<()> {
        let mut verdicts = self.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(out) = &mut verdicts.features else { return Ok(()) };
        let row = serde_json::json!({
            "rating_id": rating.observation.rating_id,
            "features": feature_values(&rating.features, ruling.catalogue()),
        });
        serde_json::to_writer(&mut *out, &row)?;
        out.write_all(b"\n")
    }

    fn revision(&mut self, json: &[u8]) -> io::Result<()> {
        let mut verdicts = self.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.counts.revisions.fetch_add(1, Ordering::Relaxed);
        verdicts.sink.write_all(json)?;
        verdicts.sink.write_all(b"\n")
    }
}
