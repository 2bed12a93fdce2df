//! `zhenping demo`: the whole service with simulated ratings, without a file and without a setting.

mod tally;
mod view;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use clap::Args;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::CommandResult;
use super::serve::{AnyError, Server, log_to_stderr, runtime};
use crate::access::{Access, AccountRole, NewAccount, Role, SetBy};
use crate::config::Config;
use crate::http::backend::{Answer, Backend};
use crate::lab::simulate::{City, Params};
use crate::metrics::Metrics;
use crate::service::Clock;
use tally::Tally;
pub use tally::Truth;
use view::{Place, REVIEWERS, View};

/// The port that is taken if it is free.
const PORT_PREFERRED: u16 = 8686;
/// Simulated ratings made ahead.
const MADE_AHEAD: usize = 1_024;
/// Ratings whose answers are awaited at once; beyond, the simulation waits.
const AWAITED_MAX: usize = 4_096;

/// Runs the service in a temporary directory with simulated ratings, attacks among them.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stops after so many seconds; without it, on Ctrl-C.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// Simulated ratings a second.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// What the simulation grows from: one seed, one city.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// One simulated rating, and what it truly is.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The rating as JSON.
    pub line: Vec<u8>,
    /// What it truly is.
    pub truth: Truth,
    /// When it arrives, from the beginning of the demonstration on.
    pub due: Duration,
}

/// Runs the command.
///
/// # Errors
/// As [`run_with`].
pub fn run(args: DemoArgs) -> CommandResult {
    run_with(args, super::open_service, simulated)
}

/// A city that gives `rate` ratings a second from now on, attacks within the first minute.
fn simulated(seed: u64, rate: u32) -> Box<dyn Iterator<Item = Labelled> + Send> {
    let now = Clock::Wall.now().unwrap_or_default();
    let per_day = u64::from(rate) * 86_400;
    // Campaigns of hours pass within seconds: a demonstration is watched for minutes.
    match City::new(Params { seed, per_day, haste: 600.0, ..Params::demo(now) }) {
        Ok(city) => Box::new(city.map(move |rating| {
            let mut line = Vec::with_capacity(1_024);
            rating.write_json(&mut line);
            let due =
                u64::try_from(rating.received_ms() - now.ms()).map_or(Duration::ZERO, Duration::from_millis);
            Labelled { line, truth: Truth::of_label(rating.truth().label), due }
        })),
        // The rate's own bounds keep the parameters in theirs; without a city there is no traffic.
        Err(error) => {
            tracing::error!(%error, "no simulated ratings");
            Box::new(std::iter::empty())
        }
    }
}

/// Runs the command over the service that `open` opens and the ratings that `simulate` makes from a seed.
///
/// # Errors
/// If the directory, a port or the service cannot be opened.
pub fn run_with<B, F, I>(args: DemoArgs, open: F, simulate: impl FnOnce(u64, u32) -> I) -> CommandResult
where
    B: Backend,
    F: FnOnce(&Config, &Path, Arc<Metrics>) -> Result<B, AnyError>,
    I: Iterator<Item = Labelled> + Send + 'static,
{
    log_to_stderr("warn,zhenping=info");
    let directory = tempfile::Builder::new().prefix("zhenping-demo-").tempdir()?;
    let data = directory.path();
    let mut config = Config::default();
    config.http.page_open = true;
    let access = Arc::new(Access::open(data)?);
    let (token, _) = access.create(Role::Intake, "demonstration", None)?;
    let password = make_reviewers(&access)?;
    let ratings = simulate(args.seed, args.rate);
    runtime()?.block_on(async {
        let listener = bind_preferred().await?;
        let address = listener.local_addr()?;
        let metrics = Arc::new(Metrics::new()?);
        let backend = tokio::task::block_in_place(|| open(&config, data, Arc::clone(&metrics)))?;
        let backend = Arc::new(backend);
        let server = Server::new(Arc::clone(&backend), access, metrics, &config);
        let (stop, stopping) = (Arc::clone(&server.stop), server.app.stopping.clone());

        let tally = Arc::new(Tally::default());
        let place = Place { address, token, password, directory: data.display().to_string() };
        let mut view = View::new(place, std::io::stdout().is_terminal());
        view.open();
        let traffic = tokio::spawn(drive(Arc::clone(&backend), ratings, Arc::clone(&tally), stopping));
        let serving = tokio::spawn(server.run(listener));
        watch_until_the_end(&backend, &mut view, &tally, args.seconds).await;
        stop.send_replace(true);
        let awaited = (traffic.await, serving.await);
        view.close();
        awaited.0?;
        awaited.1?;

        let corrected = Arc::clone(&tally);
        tokio::task::spawn_blocking(move || corrected.follow_corrections(backend.as_ref())).await??;
        print!("{}", tally.summary());
        Ok(ExitCode::SUCCESS)
    })
}

/// Makes the accounts of the demonstration, which share a password; gives that.
fn make_reviewers(access: &Access) -> Result<String, AnyError> {
    let mut shared: Option<String> = None;
    for (name, display) in REVIEWERS {
        let new = NewAccount {
            name: name.to_owned(),
            display: display.to_owned(),
            role: AccountRole::Reviewer,
            department: None,
            district: None,
            scope_departments: Vec::new(),
            scope_districts: Vec::new(),
        };
        let (_, made) = access.create_account(new, shared.as_deref())?;
        let password = shared.get_or_insert_with(|| made.map(|made| made.to_string()).unwrap_or_default());
        // Whoever reads the screen has chosen it, as far as a demonstration goes.
        access.set_password(name, Some(password), SetBy::Holder)?;
    }
    Ok(shared.unwrap_or_default())
}

/// The preferred port on this machine, or any that is free.
async fn bind_preferred() -> Result<TcpListener, AnyError> {
    if let Ok(listener) = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], PORT_PREFERRED))).await {
        return Ok(listener);
    }
    Ok(TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?)
}

/// Shows the service once a second until the time is over or someone stops it.
async fn watch_until_the_end<B: Backend>(
    backend: &Arc<B>,
    view: &mut View,
    tally: &Tally,
    seconds: Option<u64>,
) {
    let end = async {
        match seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let mut end = std::pin::pin!(end);
    let mut interrupt = std::pin::pin!(stop_signal());
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = &mut end => return,
            () = &mut interrupt => return,
            _ = ticks.tick() => view.show(&backend.live(), &tally.counts()),
        }
    }
}

/// Returns on Ctrl-C or SIGTERM.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Hands each rating to the service when it is due, and keeps what became of it.
async fn drive<B, I>(backend: Arc<B>, ratings: I, tally: Arc<Tally>, mut stopping: watch::Receiver<bool>)
where
    B: Backend,
    I: Iterator<Item = Labelled> + Send + 'static,
{
    let (made, mut ready) = mpsc::channel(MADE_AHEAD);
    // Simulating takes a processor's time, so it has a thread of its own; it ends when nobody takes more.
    std::thread::spawn(move || {
        for rating in ratings {
            if made.blocking_send(rating).is_err() {
                return;
            }
        }
    });
    let (submitted, awaited) = mpsc::channel(AWAITED_MAX);
    let answers = tokio::spawn(keep_answers(awaited, tally));
    let began = tokio::time::Instant::now();
    let hand_over = async {
        while let Some(Labelled { line, truth, due }) = ready.recv().await {
            tokio::time::sleep_until(began + due).await;
            // In a task of its own, as a call would be.
            let backend = Arc::clone(&backend);
            let answer = tokio::spawn(async move { backend.submit(Bytes::from(line)).await });
            if submitted.send((truth, answer)).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = stopping.wait_for(|stopping| *stopping) => {}
        () = hand_over => {}
    }
    drop(submitted);
    // It can only have been cancelled, which happens when the process ends.
    let _ = answers.await;
}

type Awaited = (Truth, tokio::task::JoinHandle<Answer>);

/// Waits for the answers in their order, which is the order in which they come.
async fn keep_answers(mut awaited: mpsc::Receiver<Awaited>, tally: Arc<Tally>) {
    #[derive(Deserialize)]
    struct Verdict<'a> {
        rating_id: &'a str,
        decision: &'a str,
    }
    while let Some((truth, answer)) = awaited.recv().await {
        match answer.await {
            Ok(Answer::Verdict(json)) => {
                if let Ok(verdict) = serde_json::from_slice::<Verdict<'_>>(&json) {
                    tally.answered(verdict.rating_id, truth, verdict.decision);
                }
            }
            Ok(_) | Err(_) => tally.unanswered(),
        }
    }
}
