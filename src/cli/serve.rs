//! `zhenping serve`: runs the service until it is told to stop.

mod follow;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::CommandResult;
use crate::access::{Access, Role, SessionLimits};
use crate::config::{self, Config};
use crate::http::App;
use crate::http::backend::Backend;
use crate::http::server;
use crate::metrics::Metrics;

/// How often a running server looks whether tokens were made or revoked beside it.
const TOKEN_POLL: Duration = Duration::from_millis(500);
/// How often a running server looks whether the service behind it can go on.
const FAILURE_POLL: Duration = Duration::from_millis(200);
/// Threads for calls that block on the disk; the calls themselves have lower bounds.
const BLOCKING_THREADS_MAX: usize = 128;

/// Any error of a command.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Runs the service: HTTP API, live page and metrics over one data directory.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Data directory; made if it is not there.
    #[arg(long, value_name = "DIR", required_unless_present = "print_config")]
    data: Option<PathBuf>,
    /// Address and port, instead of the configuration's.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A model that `train` wrote, or `none` for rules alone [default: the configuration's, or else models/
    /// here if it holds one]
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Reference tables [default: the configuration's, or else reference/ in the data directory]
    #[arg(long, value_name = "DIR")]
    reference: Option<PathBuf>,
    /// Prints every setting with its meaning, bounds and default, and ends.
    #[arg(long)]
    print_config: bool,
}

/// Runs the command.
///
/// # Errors
/// As [`run_with`].
pub fn run(args: ServeArgs) -> CommandResult {
    run_with(args, super::open_service)
}

/// Runs the command over the service that `open` opens.
///
/// # Errors
/// If the configuration is refused, or the directory, the address or the service cannot be opened.
pub fn run_with<B, F>(args: ServeArgs, open: F) -> CommandResult
where
    B: Backend,
    F: FnOnce(&Config, &Path, Arc<Metrics>) -> Result<B, AnyError>,
{
    if args.print_config {
        print!("{}", Config::commented_defaults());
        return Ok(ExitCode::SUCCESS);
    }
    let data = args.data.ok_or("--data is missing")?;
    let mut config = match &args.config {
        Some(file) => Config::read(file)?,
        None => Config::default(),
    };
    config.model.directory = args.model.or(config.model.directory);
    config.reference.directory = args.reference.or(config.reference.directory);
    config.http.listen = args.listen.unwrap_or(config.http.listen);
    log_to_stderr("warn,zhenping=info");

    let access = Arc::new(Access::open(&data)?.with_session_limits(session_limits(&config.desk)));
    runtime()?.block_on(async {
        // A port in use is told before the log is opened and replayed.
        let listener = bind(config.http.listen).await?;
        let metrics = Arc::new(Metrics::new()?);
        let backend = tokio::task::block_in_place(|| open(&config, &data, Arc::clone(&metrics)))?;
        let server = Server::new(Arc::new(backend), Arc::clone(&access), metrics, &config);
        let backend = Arc::clone(&server.app.backend);
        banner(&server.app, &listener, &data)?;
        let stop = Arc::clone(&server.stop);
        tokio::spawn(obey_signals(Arc::clone(&server.app), stop));
        let drained = server.run(listener).await;
        if backend.is_lost() {
            // Whoever supervises the process starts it again, and the log recovers.
            return Err("the service could not go on; its error is above".into());
        }
        match drained {
            true => eprintln!("Stopped: everything answered, everything durable."),
            false => eprintln!("Stopped: everything durable; some requests were cut off after the grace."),
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// A server and the means to stop it.
pub struct Server<B> {
    /// What the calls share.
    pub app: Arc<App<B>>,
    /// Send `true` to stop.
    pub stop: Arc<watch::Sender<bool>>,
    rules_poll: Duration,
}

impl<B: Backend> Server<B> {
    /// Puts a server together; it serves from [`Server::run`] on.
    pub fn new(backend: Arc<B>, access: Arc<Access>, metrics: Arc<Metrics>, config: &Config) -> Self {
        let (stop, stopping) = watch::channel(false);
        let app = App::new(backend, access, metrics, config.http.clone(), config.desk.clone(), stopping);
        let rules_poll = Duration::from_secs(config.rules.reload_poll_seconds);
        Self { app: Arc::new(app), stop: Arc::new(stop), rules_poll }
    }

    /// Serves until told to stop; then finishes what is in flight, and stops the service behind. `false`
    /// if requests were cut off after the grace.
    pub async fn run(self, listener: TcpListener) -> bool {
        let tokens = tokio::spawn(keep_access(Arc::clone(&self.app)));
        let rules = tokio::spawn(follow::rules(Arc::clone(&self.app), self.rules_poll));
        let tables = tokio::spawn(follow::tables(Arc::clone(&self.app), self.rules_poll));
        let failure = tokio::spawn(stop_when_lost(Arc::clone(&self.app), Arc::clone(&self.stop)));
        let drained = server::serve(listener, Arc::clone(&self.app)).await;
        tokens.abort();
        rules.abort();
        tables.abort();
        failure.abort();
        let backend = Arc::clone(&self.app.backend);
        if let Err(error) = tokio::task::spawn_blocking(move || backend.stop()).await {
            tracing::error!(%error, "the service did not stop cleanly; the log recovers when it is next opened");
        }
        drained
    }
}

/// How long sessions of the desk last.
fn session_limits(desk: &config::Desk) -> SessionLimits {
    SessionLimits {
        idle: Duration::from_secs(u64::from(desk.idle_minutes) * 60),
        absolute: Duration::from_secs(u64::from(desk.session_hours) * 3_600),
    }
}

/// The event loop of `serve` and `demo`.
///
/// # Errors
/// If threads cannot be made.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
}

/// Listens, and says what to do if it cannot.
///
/// # Errors
/// If the address is in use or not ours.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, AnyError> {
    let listening = TcpListener::bind(address).await;
    listening
        .map_err(|error| format!("cannot listen on {address}: {error}; choose another with --listen").into())
}

/// What `default` says goes to stderr; `RUST_LOG` says otherwise.
pub fn log_to_stderr(default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    // It fails only if the process has one already, as tests do; then that one stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}

/// Says where everything is. Tokens are shown on a terminal alone: a service manager would keep them.
fn banner<B: Backend>(app: &App<B>, listener: &TcpListener, data: &Path) -> Result<(), AnyError> {
    let address = listener.local_addr()?;
    let rules = app.backend.live().rules;
    let directory = data.display();
    println!("真评 Zhenping {}", env!("CARGO_PKG_VERSION"));
    println!("  data     {directory}");
    println!("  address  http://{address}");
    println!("  desk     http://{address}/desk/queue");
    println!("  rules    {rules}");
    if let Some(service) = app.backend.desk() {
        service.listens_at(&format!("http://{address}"));
        if let Some(cluster) = service.cluster() {
            println!("  cluster  node {}; GET /v1/cluster has the others", cluster.node);
        }
        println!("  evidence {} signs it", service.evidence_key());
    }
    let records = app.access.list()?;
    let valid = records.iter().filter(|record| record.standing() == "valid").count();
    if !records.is_empty() {
        println!("  tokens   {valid} valid; zhenping token list --data {directory}");
    } else if std::io::stdout().is_terminal() {
        println!("  tokens   these are not shown again:");
        for role in [Role::Intake, Role::Operator] {
            let (token, _) = app.access.create(role, "made at the first start", None)?;
            println!("    {:<9}{token}", role.name());
        }
    } else {
        println!("  tokens   none yet; zhenping token create --role intake --data {directory}");
    }
    let accounts = app.access.accounts().iter().filter(|account| account.disabled.is_none()).count();
    match accounts {
        0 => println!("  people   none yet; zhenping user add NAME --role reviewer --data {directory}"),
        _ => println!("  people   {accounts} accounts; zhenping user list --data {directory}"),
    }
    println!("  stop     Ctrl-C or SIGTERM; SIGHUP reads rules, model and reference tables again");
    Ok(())
}

/// SIGINT and SIGTERM stop, a second one at once; SIGHUP reads rules, model and reference tables again.
async fn obey_signals<B: Backend>(app: Arc<App<B>>, stop: Arc<watch::Sender<bool>>) {
    let signals =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else {
        tracing::error!("signals cannot be received; stop the process by killing it, which loses nothing");
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {
                reload_rules(&app).await;
                reload_tables(&app).await;
                continue;
            }
        }
        if stop.send_replace(true) {
            // Whatever was answered is durable, so leaving at once loses nothing that was promised.
            std::process::exit(130);
        }
        eprintln!("Stopping: finishing what is in flight. Once more stops at once.");
    }
}

async fn reload_rules<B: Backend>(app: &Arc<App<B>>) {
    let backend = Arc::clone(&app.backend);
    match tokio::task::spawn_blocking(move || backend.reload_rules()).await {
        Ok(Ok(in_force)) => tracing::info!(%in_force, "the rules were read again"),
        Ok(Err(diagnostics)) => {
            tracing::error!("the rules fail their checks; those in force stay\n{diagnostics}")
        }
        Err(error) => tracing::error!(%error, "reading the rules failed"),
    }
}

async fn reload_tables<B: Backend>(app: &Arc<App<B>>) {
    let backend = Arc::clone(&app.backend);
    match tokio::task::spawn_blocking(move || backend.reload_references()).await {
        Ok(Ok(in_force)) => tracing::info!(%in_force, "the reference tables were read again"),
        Ok(Err(errors)) => tracing::error!("the reference tables in force stay: {errors}"),
        Err(error) => tracing::error!(%error, "reading the reference tables failed"),
    }
}

/// Stops a service that lost its log: it can answer nothing any more, and must not look as if it could.
async fn stop_when_lost<B: Backend>(app: Arc<App<B>>, stop: Arc<watch::Sender<bool>>) {
    let mut ticks = tokio::time::interval(FAILURE_POLL);
    loop {
        ticks.tick().await;
        if app.backend.is_lost() {
            stop.send_replace(true);
            return;
        }
    }
}

/// Keeps tokens, accounts and sessions in memory those of the database, and the reverse for the sessions' use.
async fn keep_access<B: Backend>(app: Arc<App<B>>) {
    let mut ticks = tokio::time::interval(TOKEN_POLL);
    loop {
        ticks.tick().await;
        let access = Arc::clone(&app.access);
        let kept = move || access.refresh().and_then(|_| access.keep_sessions());
        if let Ok(Err(error)) = tokio::task::spawn_blocking(kept).await {
            tracing::error!(%error, "tokens, accounts or sessions could not be read again or kept");
        }
    }
}
