//! A Fluvio cluster of processes on this machine, made for a test and gone after it.

use std::fs::{self, File};
use std::future::Future;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use fluvio::config::TlsPolicy;
use fluvio::metadata::customspu::CustomSpuSpec;
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::spu::SpuSpec;
use fluvio::{FluvioAdmin, FluvioClusterConfig};
use tempfile::TempDir;
use zhenping::broker::{Fluvio, FluvioOptions};

use crate::certificates::Certificates;

/// How long servers may take to start, or to notice something.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first server's number; the others follow.
const SPU_FIRST: i32 = 5001;

/// One cluster at a time: they are many processes, and their tests measure out time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A controller (SC) and servers (SPUs).
pub struct Cluster {
    controller: Server,
    servers: Vec<Server>,
    /// `host:port` of the controller.
    pub endpoint: String,
    /// Where all of it listens.
    host: String,
    tls: Option<Certificates>,
    // The processes end before their directory and before the next cluster.
    dir: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// A process, and how to start it again.
struct Server {
    name: String,
    arguments: Vec<String>,
    dir: PathBuf,
    child: Option<Child>,
}

/// A program on PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|program| program.is_file())
}

/// An address of a host of this machine where nothing listens now.
fn free(host: &str) -> String {
    let listener = TcpListener::bind((host, 0)).expect("this machine has a free port");
    listener.local_addr().expect("it is bound").to_string()
}

/// Says once why tests are left out, past the capture of passing tests.
fn skipped(said: &Once, why: &str) {
    said.call_once(|| {
        let _ = writeln!(std::io::stderr().lock(), "SKIPPED {why} on PATH");
    });
}

/// An address where nothing listens.
pub fn nowhere() -> String {
    free("127.0.0.1")
}

fn block_on<T: 'static>(work: impl Future<Output = T>) -> T {
    fluvio_future::task::run_block_on(work)
}

impl Cluster {
    /// Starts a controller and so many servers. `None` where there is no `fluvio-run`, which it says.
    pub fn start(servers: usize) -> Option<Self> {
        Self::start_with("127.0.0.1", servers, false)
    }

    /// As [`Cluster::start`], at another address of this machine.
    pub fn start_at(host: &str, servers: usize) -> Option<Self> {
        Self::start_with(host, servers, false)
    }

    /// As [`Cluster::start`], but clients are let in with TLS alone.
    pub fn start_with_tls(servers: usize) -> Option<Self> {
        Self::start_with("127.0.0.1", servers, true)
    }

    fn start_with(host: &str, servers: usize, tls: bool) -> Option<Self> {
        static SAID: [Once; 2] = [Once::new(), Once::new()];
        let Some(program) = on_path("fluvio-run") else {
            skipped(&SAID[0], "cluster tests: no fluvio-run");
            return None;
        };
        if tls && on_path("openssl").is_none() {
            skipped(&SAID[1], "cluster tests with TLS: no openssl");
            return None;
        }
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = TempDir::with_prefix("zhenping-cluster-").expect("a temporary directory");
        let tls = tls.then(|| Certificates::make(dir.path()));
        let (public, private) = (free(host), free(host));
        let metadata = dir.path().join("metadata").display().to_string();
        let arguments = ["sc", "--local", &metadata, "--bind-public", &public, "--bind-private", &private];
        let controller = Server::start(&program, "sc", dir.path(), &arguments, tls.as_ref());
        let (endpoint, host) = (public, host.to_owned());
        let mut cluster = Self { controller, servers: Vec::new(), endpoint, host, tls, dir, _turn: turn };
        let admin = cluster.admin();
        for id in (SPU_FIRST..).take(servers) {
            cluster.add_server(&program, &private, &admin, id);
        }
        cluster.wait_for(servers);
        Some(cluster)
    }

    fn add_server(&mut self, program: &Path, controller: &str, admin: &FluvioAdmin, id: i32) {
        let (public, private) = (free(&self.host), free(&self.host));
        let port = |address: &str| address.rsplit_once(':').expect("it has one").1.parse().expect("a number");
        let mut spec = SpuSpec::new_public_addr(id, port(&public), self.host.clone()).set_custom();
        spec.private_endpoint.host.clone_from(&self.host);
        spec.private_endpoint.port = port(&private);
        let name = format!("custom-spu-{id}");
        block_on(admin.create(name.clone(), false, CustomSpuSpec::from(spec)))
            .expect("a server is registered");
        let (id, data) = (id.to_string(), self.dir.path().join(&name).display().to_string());
        let arguments = [
            "spu",
            "-i",
            &id,
            "-p",
            &public,
            "-v",
            &private,
            "--sc-addr",
            controller,
            "--log-base-dir",
            &data,
        ];
        self.servers.push(Server::start(program, &name, self.dir.path(), &arguments, self.tls.as_ref()));
    }

    /// A connection to the controller, once it answers.
    pub fn admin(&self) -> FluvioAdmin {
        let tls = self.tls.as_ref().map_or(TlsPolicy::Disabled, |tls| tls.paths().into());
        let config = FluvioClusterConfig::new(&self.endpoint).with_tls(tls);
        let until = Instant::now() + PATIENCE;
        loop {
            match block_on(FluvioAdmin::connect_with_config(&config)) {
                Ok(admin) => return admin,
                Err(error) => assert!(Instant::now() < until, "the controller does not answer: {error:#}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until so many servers are online.
    pub fn wait_for(&self, online: usize) {
        let until = Instant::now() + PATIENCE;
        loop {
            let servers = block_on(self.admin().all::<SpuSpec>()).expect("servers are listed");
            if servers.iter().filter(|server| server.status.is_online()).count() == online {
                return;
            }
            assert!(Instant::now() < until, "not {online} servers are online: {servers:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Which of the servers leads a topic's first partition.
    pub fn leader(&self, topic: &str) -> usize {
        let partitions = block_on(self.admin().all::<PartitionSpec>()).expect("partitions are listed");
        let partition = partitions.iter().find(|partition| partition.name == format!("{topic}-0"));
        (partition.expect("the topic is there").spec.leader - SPU_FIRST) as usize
    }

    /// Its processes: the controller, and two servers.
    pub fn processes(&self) -> [u32; 3] {
        let id = |server: &Server| server.child.as_ref().expect("it runs").id();
        [id(&self.controller), id(&self.servers[0]), id(&self.servers[1])]
    }

    /// Options that reach it.
    pub fn options(&self) -> FluvioOptions {
        FluvioOptions {
            tls: self.tls.as_ref().map(Certificates::options),
            ..FluvioOptions::new(&self.endpoint)
        }
    }

    /// A broker on it, with the usual limits.
    pub fn broker(&self) -> Fluvio {
        Fluvio::new(self.options()).expect("the options make sense")
    }

    /// Ends a server as a power cut would.
    pub fn kill(&mut self, server: usize) {
        self.servers[server].kill();
    }

    /// Starts a server again that was ended, on the same directory.
    pub fn restart(&mut self, server: usize) {
        self.servers[server].run();
    }

    /// Where a server keeps a topic's first partition.
    fn kept(&self, server: usize, topic: &str) -> PathBuf {
        let id = SPU_FIRST + server as i32;
        self.dir.path().join(format!("custom-spu-{id}/spu-logs-{id}/{topic}-0"))
    }

    /// The bytes that a server keeps of a topic's first partition.
    pub fn copy(&self, server: usize, topic: &str) -> Vec<u8> {
        let dir = fs::read_dir(self.kept(server, topic)).expect("the server keeps it");
        let files = dir.map(|file| file.expect("a file").path());
        let mut segments: Vec<_> =
            files.filter(|file| file.extension().is_some_and(|extension| extension == "log")).collect();
        segments.sort();
        segments.iter().flat_map(|segment| fs::read(segment).expect("a segment")).collect()
    }

    /// Removes what a server that was ended has of a topic's first partition.
    pub fn forget(&self, server: usize, topic: &str) {
        let dir = self.kept(server, topic);
        fs::remove_dir_all(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    }

    /// Ends the controller as a power cut would.
    pub fn kill_controller(&mut self) {
        self.controller.kill();
    }

    /// Starts the controller again.
    pub fn restart_controller(&mut self) {
        self.controller.run();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.servers.iter_mut().for_each(Server::kill);
        self.controller.kill();
        if std::thread::panicking() {
            for server in self.servers.iter().chain([&self.controller]) {
                server.tell();
            }
        }
    }
}

impl Server {
    fn start(program: &Path, name: &str, dir: &Path, arguments: &[&str], tls: Option<&Certificates>) -> Self {
        let program = [program.to_str().expect("a plain path")];
        let arguments = program.iter().chain(arguments).map(|&argument| argument.to_owned());
        let arguments =
            arguments.chain(tls.map(|tls| tls.arguments(&nowhere())).unwrap_or_default()).collect();
        let mut server = Self { name: name.to_owned(), arguments, dir: dir.to_owned(), child: None };
        server.run();
        server
    }

    fn log(&self) -> PathBuf {
        self.dir.join(format!("{}.log", self.name))
    }

    fn run(&mut self) {
        assert!(self.child.is_none(), "{} runs", self.name);
        let log = File::options().create(true).append(true).open(self.log()).expect("a log file");
        let mut command = Command::new(&self.arguments[0]);
        command
            .args(&self.arguments[1..])
            .env("HOME", &self.dir)
            .env("FLUVIO_METRIC_SPU", self.dir.join(format!("{}.sock", self.name)))
            .env("RUST_LOG", std::env::var("CLUSTER_LOG").unwrap_or_else(|_| "warn".to_owned()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        // SAFETY: prctl is safe to call between fork and exec, and touches no memory. It ends the server
        // with the thread that started it, so that none outlives a test that is ended from outside.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        self.child = Some(command.spawn().expect("fluvio-run starts"));
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours to end");
            child.wait().expect("it ended");
        }
    }

    /// The end of what it wrote.
    fn tell(&self) {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        println!("--- {}", self.name);
        lines[lines.len().saturating_sub(20)..].iter().for_each(|line| println!("{line}"));
    }
}
