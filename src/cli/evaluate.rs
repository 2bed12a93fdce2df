//! `zhenping evaluate`: how well verdicts meet what the ratings really are.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::CommandResult;
use crate::lab::evaluate::{Report, Source, evaluate, picture, table};
use crate::service::grouped;

/// Holds verdicts against labels: recall, honest ratings held, and how far the figures are from the truth.
///
/// Verdicts are what `score` wrote, revisions included. A label is {"rating_id", "label"}, and
/// perhaps "scenario", "target" and "campaign", one JSON object per line; labels may cover only
/// some ratings, and the others are in no figure. Lines that cannot be read are named and left
/// out, and the exit code is then 1. Each figure is defined in docs/evaluate.md.
#[derive(Debug, clap::Args)]
pub struct EvaluateArgs {
    /// Verdicts, as `score` writes them.
    #[arg(long, value_name = "FILE")]
    verdicts: PathBuf,
    /// Labels: genuine, mistaken, padded_praise, malicious_review, automation, duplicate or unsure.
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// The ratings that were scored.
    #[arg(long, value_name = "FILE")]
    ratings: PathBuf,
    /// Other verdicts on the same ratings, printed side by side: a shadow model beside the active one.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Also draws precision-recall curves and the most distorted targets, as SVG.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 18;

/// Runs the command.
///
/// # Errors
///
/// If a file cannot be read or written, or no labelled rating has a verdict.
pub fn run(args: EvaluateArgs) -> CommandResult {
    let bar = progress(&args)?;
    let open = |path: &Path| -> Result<Source<_>, String> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let input = BufReader::with_capacity(CHUNK_BYTES, Watched { file, bar: bar.clone() });
        Ok(Source { name: path.display().to_string(), input })
    };
    let against = args.against.as_deref().map(open).transpose()?;
    let report = evaluate(open(&args.labels)?, open(&args.ratings)?, open(&args.verdicts)?, against);
    bar.finish_and_clear();
    let report = report?;
    if let Some(path) = &args.picture {
        std::fs::write(path, picture(&report)?)
            .map_err(|error| format!("writing {}: {error}", path.display()))?;
    }
    let text = match args.json {
        true => serde_json::to_string_pretty(&report)? + "\n",
        false => table(&report),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads from the pipe has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(tell_wrong_lines(&report))
}

/// Names the lines that were left out; as in `score`, any of them makes the exit code 1.
fn tell_wrong_lines(report: &Report) -> ExitCode {
    let wrong = &report.wrong_lines;
    if wrong.count == 0 {
        return ExitCode::SUCCESS;
    }
    wrong.told.iter().for_each(|line| eprintln!("{line}"));
    eprintln!(
        "{} lines could not be read and were left out; correct them and evaluate again",
        grouped(wrong.count)
    );
    ExitCode::from(1)
}

/// A bar on a terminal over the bytes of all files; nothing on a pipe.
fn progress(args: &EvaluateArgs) -> Result<ProgressBar, String> {
    let files = [&args.labels, &args.ratings, &args.verdicts].into_iter().chain(&args.against);
    let mut bytes = 0;
    for path in files {
        bytes += std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.len();
    }
    if !io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% {bytes_per_sec} {eta} left") {
        bar.set_style(style);
    }
    Ok(bar)
}

/// A file whose reading moves the bar.
struct Watched {
    file: File,
    bar: ProgressBar,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &str = "{\"rating_id\":\"r\",\"label\":\"duplicate\"}\n";
    const RATING: &str = "{\"rating_id\":\"r\",\"submitted_at\":\"2026-03-02T10:15:00+08:00\",\"channel\":\"portal\",\"stars\":5,\"service\":{\"matter\":\"m\",\"department\":\"d\"}}\n";
    const VERDICT: &str =
        "{\"rating_id\":\"r\",\"revision\":0,\"decision\":\"hold\",\"risk\":0.9,\"sequence\":1}\n";

    /// Runs on a directory with these files, whose ratings are `ratings`.
    fn run_on(directory: &Path, labels: &str, ratings: &str) -> CommandResult {
        for (name, text) in [("l", labels), ("r", ratings), ("v", VERDICT)] {
            std::fs::write(directory.join(name), text).unwrap();
        }
        run(EvaluateArgs {
            verdicts: directory.join("v"),
            labels: directory.join("l"),
            ratings: directory.join("r"),
            against: Some(directory.join("v")),
            json: true,
            picture: Some(directory.join("p.svg")),
        })
    }

    #[test]
    fn a_wrong_line_makes_the_exit_code_1_and_the_rest_is_evaluated() {
        let place = tempfile::tempdir().unwrap();
        let code = |labels: &str| format!("{:?}", run_on(place.path(), labels, RATING).unwrap());
        assert_eq!(code(LABEL), format!("{:?}", ExitCode::SUCCESS));
        assert!(std::fs::read_to_string(place.path().join("p.svg")).unwrap().starts_with("<svg"));
        assert_eq!(code(&format!("{LABEL}nonsense\n")), format!("{:?}", ExitCode::from(1)));
    }

    #[test]
    fn files_that_do_not_fit_or_are_not_there_are_named() {
        let place = tempfile::tempdir().unwrap();
        let error = run_on(place.path(), LABEL, "").unwrap_err().to_string();
        assert!(
            error.contains("no labelled rating has a verdict")
                && error.contains("1 are not among the ratings"),
            "{error}"
        );
        let missing = run(EvaluateArgs {
            verdicts: place.path().join("none"),
            labels: place.path().join("l"),
            ratings: place.path().join("r"),
            against: None,
            json: false,
            picture: None,
        });
        assert!(missing.unwrap_err().to_string().contains("none: "), "the file is named");
    }
}
