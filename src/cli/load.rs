//! `zhenping load`: drives `POST /v1/ratings`, or `…/batch`, of services on this machine and prints what it saw.

mod client;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::CommandResult;
use super::serve::{AnyError, runtime};
use crate::lab::simulate::{City, Params, Simulated};
use client::Client;

/// Most ratings that are kept in memory to be sent.
const RATINGS_MAX: usize = 2_000_000;
/// Distinct statuses are counted up to this, which is above any that HTTP has.
const STATUS_MAX: usize = 600;

/// Sends ratings to a service on this machine as fast as it answers, and prints rate and latency.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Ratings as NDJSON; without it they are simulated. They are sent over and over, each with a fresh id.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Address of the service; only this machine is allowed. Named several times, for nodes of one cluster:
    /// connections are spread over them, and one that a node drops goes on with the next and the same rating.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8686")]
    to: Vec<String>,
    /// Token of an intake; one for all services, or one for each --to in their order.
    #[arg(long, env = "ZHENPING_TOKEN", hide_env_values = true, value_delimiter = ',', required = true)]
    token: Vec<String>,
    /// Connections, each with one request in flight.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    connections: u16,
    /// Ratings in one request. From two on they go to `POST /v1/ratings/batch`, and the latency of each is that of
    /// the whole request.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch: u16,
    /// Ratings to send; without it and --seconds, each once.
    #[arg(long, value_name = "N")]
    ratings: Option<u64>,
    /// Seconds after which to stop.
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// Ratings a second; without it, as fast as the service answers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate: Option<u64>,
    /// File to which the id and decision of each rating are appended once its answer has come.
    #[arg(long, value_name = "FILE")]
    acked: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// As [`run_with`].
pub fn run(args: LoadArgs) -> CommandResult {
    run_with(args, simulated)
}

/// Ratings of a simulated city.
fn simulated(count: usize) -> Vec<Vec<u8>> {
    let city = City::new(Params { days: 365, ..Params::default() });
    let written = |rating: Simulated| {
        let mut line = Vec::with_capacity(1_024);
        rating.write_json(&mut line);
        line
    };
    // The default parameters are within their bounds.
    city.map_or_else(|_| Vec::new(), |city| city.take(count).map(written).collect())
}

/// Runs the command; `simulate` gives so many simulated ratings where no file is named.
///
/// # Errors
/// If the address is not of this machine, or the file cannot be read.
pub fn run_with(args: LoadArgs, simulate: impl FnOnce(usize) -> Vec<Vec<u8>>) -> CommandResult {
    let targets = targets(&args.to, &args.token)?;
    let lines = match &args.file {
        Some(file) => read_lines(file)?,
        None => {
            simulate(usize::try_from(args.ratings.unwrap_or(20_000)).unwrap_or(RATINGS_MAX).min(RATINGS_MAX))
        }
    };
    let templates: Vec<Template> = lines.iter().map(|line| Template::new(line)).collect();
    if templates.is_empty() {
        return Err("there are no ratings to send".into());
    }
    let each_once = args.seconds.is_none().then_some(templates.len() as u64);
    let acked = args.acked.as_ref().map(|file| File::options().create(true).append(true).open(file));
    let run = Run {
        targets,
        limit: args.ratings.or(each_once).unwrap_or(u64::MAX),
        deadline: args.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds)),
        interval: args.rate.map(|rate| Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX)),
        began: Instant::now(),
        id_prefix: fresh_prefix()?,
        templates,
        batch: u64::from(args.batch),
        next: AtomicU64::new(0),
        acked: acked.transpose()?.map(Mutex::new),
    };
    let report = runtime()?.block_on(drive(Arc::new(run), args.connections));
    print!("{}", report.text());
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where ratings go, with the token for there.
fn targets(addresses: &[String], tokens: &[String]) -> Result<Vec<(SocketAddr, String)>, AnyError> {
    let token = |place: usize| match tokens {
        [one] => Ok(one.clone()),
        each if each.len() == addresses.len() => Ok(each[place].clone()),
        each => Err(format!(
            "{} addresses and {} tokens: name one token for all, or one for each --to",
            addresses.len(),
            each.len()
        )),
    };
    let target = |(place, text): (usize, &String)| Ok((address_on_this_machine(text)?, token(place)?));
    addresses.iter().enumerate().map(target).collect()
}

/// Refuses to drive anything but this machine: a load generator is not a weapon.
fn address_on_this_machine(text: &str) -> Result<SocketAddr, AnyError> {
    let bare = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    let address = bare
        .to_socket_addrs()
        .map_err(|error| format!("--to {text}: {error}; give HOST:PORT"))?
        .next()
        .ok_or_else(|| format!("--to {text} has no address"))?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(format!("--to {text} is not this machine; load drives loopback addresses alone").into()),
    }
}

fn read_lines(file: &PathBuf) -> Result<Vec<Vec<u8>>, AnyError> {
    let open = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut lines = Vec::new();
    for line in BufReader::new(open).split(b'\n') {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        if lines.len() == RATINGS_MAX {
            return Err(format!("{} has more than {RATINGS_MAX} ratings; send a part", file.display()).into());
        }
        lines.push(line);
    }
    Ok(lines)
}

/// What tells this run's ids from those of every other.
fn fresh_prefix() -> Result<String, AnyError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    Ok(format!("load-{:016x}-", u64::from_le_bytes(random)))
}

/// A rating with a gap where its id goes.
struct Template {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Template {
    /// Finds the id of a rating. A line that has none goes out as it is, to be refused.
    fn new(line: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Id<'a> {
            #[serde(borrow)]
            rating_id: &'a RawValue,
        }
        let whole = || Self { before: line.to_vec(), after: Vec::new() };
        let Ok(Id { rating_id }) = serde_json::from_slice::<Id<'_>>(line) else { return whole() };
        let id = rating_id.get().as_bytes();
        // The value is borrowed from the line, so its place is the distance between the two.
        let start = (id.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
        match (line.get(..start), line.get(start + id.len()..)) {
            (Some(before), Some(after)) => Self { before: before.to_vec(), after: after.to_vec() },
            _ => whole(),
        }
    }

    /// Appends the rating with this id.
    fn fill(&self, id: &str, body: &mut Vec<u8>) {
        body.extend_from_slice(&self.before);
        if !self.after.is_empty() {
            body.push(b'"');
            body.extend_from_slice(id.as_bytes());
            body.push(b'"');
            body.extend_from_slice(&self.after);
        }
    }
}

/// What the connections share.
struct Run {
    targets: Vec<(SocketAddr, String)>,
    limit: u64,
    deadline: Option<Instant>,
    interval: Option<Duration>,
    began: Instant,
    id_prefix: String,
    templates: Vec<Template>,
    /// Ratings in one request.
    batch: u64,
    next: AtomicU64,
    acked: Option<Mutex<File>>,
}

impl Run {
    /// Numbers of the next request's ratings, or `None` when there is none to send.
    fn take(&self) -> Option<Range<u64>> {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return None;
        }
        let first = self.next.fetch_add(self.batch, Ordering::Relaxed);
        (first < self.limit).then(|| first..self.limit.min(first.saturating_add(self.batch)))
    }

    /// Writes the request for some ratings.
    fn fill(&self, numbers: Range<u64>, body: &mut Vec<u8>) {
        body.clear();
        for number in numbers {
            if !body.is_empty() {
                body.push(b'\n');
            }
            let template = &self.templates[(number % self.templates.len() as u64) as usize];
            template.fill(&self.id(number), body);
        }
    }

    fn id(&self, number: u64) -> String {
        format!("{}{number}", self.id_prefix)
    }

    /// Takes note of the answer to some ratings.
    fn answered(
        &self,
        numbers: Range<u64>,
        (status, answer): (u16, &[u8]),
        latency: Duration,
        report: &mut Report,
    ) -> std::io::Result<()> {
        if status != 200 {
            numbers.for_each(|_| report.answered(status, latency));
            return Ok(());
        }
        let mut lines = answer.split(|&byte| byte == b'\n');
        let mut acked = String::new();
        for number in numbers {
            let line = lines.next().unwrap_or_default();
            // A batch that ended early has no answer for its last ratings.
            let (status, decision) = outcome(line).unwrap_or((0, ""));
            report.answered(status, latency);
            if status == 200 && self.acked.is_some() {
                let id = self.id(number);
                acked += &format!("{{\"rating_id\":\"{id}\",\"decision\":\"{decision}\"}}\n");
            }
        }
        match &self.acked {
            // One write, so that what a reader finds there was answered.
            Some(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write_all(acked.as_bytes()),
            None => Ok(()),
        }
    }
}

/// Status and decision of a verdict, or of the problem that stands in its place in a batch.
fn outcome(line: &[u8]) -> Option<(u16, &str)> {
    #[derive(Deserialize)]
    struct Line<'a> {
        decision: Option<&'a str>,
        error: Option<Problem>,
    }
    #[derive(Deserialize)]
    struct Problem {
        status: u16,
    }
    let Line { decision, error } = serde_json::from_slice(line).ok()?;
    Some((error.map_or(200, |problem| problem.status), decision.unwrap_or("unreadable")))
}

/// What one connection, or all of them, saw.
struct Report {
    statuses: Vec<u64>,
    /// Microseconds from the request to its whole answer.
    latencies_us: Vec<u32>,
    /// Connections that ended before they should have, and the first reason.
    lost: u64,
    lost_because: Option<String>,
    /// How often a connection went on at another node.
    moved: u64,
    elapsed: Duration,
}

impl Report {
    fn new() -> Self {
        Self {
            statuses: vec![0; STATUS_MAX],
            latencies_us: Vec::new(),
            lost: 0,
            lost_because: None,
            moved: 0,
            elapsed: Duration::ZERO,
        }
    }

    fn answered(&mut self, status: u16, latency: Duration) {
        self.statuses[usize::from(status).min(STATUS_MAX - 1)] += 1;
        self.latencies_us.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    fn lose(&mut self, error: impl std::fmt::Display) {
        self.lost += 1;
        self.lost_because.get_or_insert_with(|| error.to_string());
    }

    fn add(&mut self, mut other: Report) {
        self.statuses.iter_mut().zip(other.statuses).for_each(|(sum, count)| *sum += count);
        self.latencies_us.append(&mut other.latencies_us);
        self.lost += other.lost;
        self.moved += other.moved;
        self.lost_because = self.lost_because.take().or(other.lost_because);
    }

    fn is_clean(&self) -> bool {
        self.lost == 0 && self.statuses[200] == self.latencies_us.len() as u64
    }

    fn text(&self) -> String {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        let percentile = |share: f64| {
            let index = (share * sorted.len() as f64) as usize;
            sorted.get(index.min(sorted.len().saturating_sub(1))).map_or(0.0, |&us| f64::from(us) / 1_000.0)
        };
        let seconds = self.elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { sorted.len() as f64 / seconds } else { 0.0 };
        let mut text =
            format!("answers   {} in {seconds:.2} s\nrate      {rate:.0} a second\n", sorted.len());
        text += &format!(
            "latency   p50 {:.3} ms, p99 {:.3} ms, p999 {:.3} ms, longest {:.3} ms\n",
            percentile(0.5),
            percentile(0.99),
            percentile(0.999),
            percentile(1.0)
        );
        for (status, count) in self.statuses.iter().enumerate().filter(|(_, count)| **count > 0) {
            text += &match status {
                0 => format!("unanswered {count}: a batch ended before them\n"),
                _ => format!("status    {status}: {count}\n"),
            };
        }
        if self.moved > 0 {
            text += &format!("moved     {} times a connection went on at another node\n", self.moved);
        }
        if let Some(reason) = &self.lost_because {
            text += &format!("lost      {} connections: {reason}\n", self.lost);
        }
        text
    }
}

async fn drive(run: Arc<Run>, connections: u16) -> Report {
    let tasks: Vec<_> = (0..connections)
        .map(|number| tokio::spawn(drive_one(Arc::clone(&run), usize::from(number))))
        .collect();
    let mut sum = Report::new();
    for task in tasks {
        match task.await {
            Ok(report) => sum.add(report),
            Err(error) => sum.lose(error),
        }
    }
    sum.elapsed = run.began.elapsed();
    sum
}

/// Tries of one rating at nodes that drop it, each time another.
const TRIES_MAX: usize = 200;
/// Between two of them.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Connects to the target whose turn it is, or to one of those after it.
async fn connect(run: &Run, turn: &mut usize) -> Result<Client, std::io::Error> {
    let mut tries = 0;
    loop {
        let (address, token) = &run.targets[*turn % run.targets.len()];
        let path = if run.batch > 1 { "/v1/ratings/batch" } else { "/v1/ratings" };
        match Client::connect(*address, token, path).await {
            Ok(client) => return Ok(client),
            Err(error) if run.targets.len() == 1 || tries == TRIES_MAX => return Err(error),
            Err(_) => {
                (*turn, tries) = (*turn + 1, tries + 1);
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
            }
        }
    }
}

async fn drive_one(run: Arc<Run>, mut turn: usize) -> Report {
    let mut report = Report::new();
    let mut client = match connect(&run, &mut turn).await {
        Ok(client) => client,
        Err(error) => {
            report.lose(error);
            return report;
        }
    };
    let mut body = Vec::new();
    while let Some(numbers) = run.take() {
        // With a rate, a rating's latency counts from when it was due: a stalled service must not look
        // fast because nothing was sent meanwhile.
        let mut began = Instant::now();
        if let Some(interval) = run.interval {
            let first = u32::try_from(numbers.start).unwrap_or(u32::MAX);
            let due = run.began + interval.saturating_mul(first);
            tokio::time::sleep_until(due.into()).await;
            began = due;
        }
        run.fill(numbers.clone(), &mut body);
        let mut tries = 0;
        let answered = loop {
            match client.post(&body).await {
                Ok(answer) => break run.answered(numbers, answer, began.elapsed(), &mut report),
                Err(error) if run.targets.len() == 1 || tries == TRIES_MAX => break Err(error),
                Err(_) => {
                    (turn, tries) = (turn + 1, tries + 1);
                    report.moved += 1;
                    match connect(&run, &mut turn).await {
                        Ok(other) => client = other,
                        Err(error) => break Err(error),
                    }
                }
            }
        };
        if let Err(error) = answered {
            report.lose(error);
            break;
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_driven() {
        for ours in ["127.0.0.1:80", "http://127.0.0.1:8686/", "[::1]:80", "127.8.9.1:1"] {
            assert!(address_on_this_machine(ours).is_ok(), "{ours}");
        }
        for theirs in ["10.0.0.1:80", "0.0.0.0:80", "http://192.0.2.1:80", "127.0.0.1", ""] {
            assert!(address_on_this_machine(theirs).is_err(), "{theirs}");
        }
    }

    #[test]
    fn several_nodes_have_one_token_or_one_each() {
        let text = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let addresses = text(&["127.0.0.1:1", "127.0.0.1:2"]);
        let tokens = |tokens: &[&str]| targets(&addresses, &text(tokens)).map(|targets| targets[1].1.clone());
        assert_eq!(tokens(&["one"]).unwrap(), "one");
        assert_eq!(tokens(&["one", "two"]).unwrap(), "two");
        assert!(
            tokens(&["one", "two", "three"]).unwrap_err().to_string().contains("2 addresses and 3 tokens")
        );
    }

    #[test]
    fn a_fresh_id_takes_the_place_of_the_old_one_and_nothing_else_changes() {
        let line = br#"{ "stars":5, "rating_id" : "old","device":{"rating_id":"inner"}}"#;
        let mut body = Vec::new();
        Template::new(line).fill("new-1", &mut body);
        let expected = r#"{ "stars":5, "rating_id" : "new-1","device":{"rating_id":"inner"}}"#;
        assert_eq!(String::from_utf8(body.clone()).unwrap(), expected);
        for unreadable in [&b"{\"stars\":5}"[..], b"not json", b"[]"] {
            body.clear();
            Template::new(unreadable).fill("new-1", &mut body);
            assert_eq!(body, unreadable);
        }
    }

    #[test]
    fn each_line_of_a_batch_counts_by_itself() {
        let mut report = Report::new();
        let run = Run {
            targets: Vec::new(),
            limit: 5,
            deadline: None,
            interval: None,
            began: Instant::now(),
            id_prefix: "r-".to_owned(),
            templates: vec![Template::new(br#"{"rating_id":"old"}"#)],
            batch: 3,
            next: AtomicU64::new(0),
            acked: None,
        };
        assert_eq!((run.take(), run.take(), run.take()), (Some(0..3), Some(3..5), None));
        let mut body = Vec::new();
        run.fill(3..5, &mut body);
        assert_eq!(body, b"{\"rating_id\":\"r-3\"}\n{\"rating_id\":\"r-4\"}");
        let answer =
            b"{\"rating_id\":\"r-0\",\"decision\":\"admit\"}\n{\"line\":2,\"error\":{\"status\":503}}\n";
        run.answered(0..3, (200, answer), Duration::ZERO, &mut report).unwrap();
        run.answered(3..5, (401, b"no"), Duration::ZERO, &mut report).unwrap();
        let seen = [200, 503, 0, 401].map(|status| report.statuses[status]);
        assert_eq!(seen, [1, 1, 1, 2], "the third has no answer");
    }

    #[test]
    fn a_report_says_what_went_wrong() {
        let mut report = Report::new();
        (1..=1_000).for_each(|ms| report.answered(200, Duration::from_millis(ms)));
        report.answered(503, Duration::from_millis(1));
        report.lose("connection reset");
        report.elapsed = Duration::from_secs(2);
        assert!(!report.is_clean());
        insta::assert_snapshot!(report.text());
    }
}
