//! The binary as a child process, a client of its sockets, and the service within a test.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use compact_str::CompactString;
use serde_json::Value;
use zhenping::broker::Memory;
use zhenping::cluster::ClusterOptions;
use zhenping::log::entry::Act;
use zhenping::metrics::Metrics;
use zhenping::review::ReviewTimes;
use zhenping::service::{self, Options, ReviewRequest, Service};

/// Longer than anything here takes; a test that meets it fails rather than hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program, whatever the environment of the tests; rules come from where the test says, or are the
/// shipped ones.
pub fn zhenping() -> Command {
    let mut command = Command::new(program());
    command.current_dir(std::env::temp_dir());
    for variable in ["RUST_LOG", "ZHENPING_MASTER_KEY", "ZHENPING_MASTER_KEY_FILE"] {
        command.env_remove(variable);
    }
    command
}

/// The program that is tested: this build's, or the one that `ZHENPING_PROGRAM` names.
pub fn program() -> std::ffi::OsString {
    std::env::var_os("ZHENPING_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_zhenping").into())
}

/// Runs the program to its end.
pub fn run<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    zhenping().args(args).output().unwrap()
}

/// Runs the program, which must succeed; its standard output.
#[track_caller]
pub fn succeed<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let output = run(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Simulated ratings, one a line.
pub fn simulated(seed: u64, days: u32, per_day: u32) -> String {
    let [seed, days, per_day] = [seed, days.into(), per_day.into()].map(|n: u64| n.to_string());
    succeed(["simulate", "--seed", &seed, "--days", &days, "--per-day", &per_day])
}

/// A rating with the required fields alone; `more` are further members, with a leading comma.
pub fn rating(id: &str, stars: u8, more: &str) -> String {
    format!(
        r#"{{"rating_id":"{id}","submitted_at":"2026-03-18T10:00:00+08:00","channel":"hall_pad","stars":{stars},"service":{{"matter":"GA-001","department":"990108-GA"}}{more}}}"#
    )
}

/// A rule in force that does something to every rating for which a condition holds.
pub fn rule(id: &str, then: &str, when: &str, suspect: &str) -> String {
    format!(
        "[[rule]]\nid = \"{id}\"\nwhen = \"{when}\"\nthen = \"{then}\"\nsuspect = \"{suspect}\"\nfamily = \"rater\"\n\
         state = \"active\"\nowner = \"tests\"\nwhy = {{ zh = \"测试\", en = \"a test\" }}\n"
    )
}

/// A service on a data directory, as it comes.
pub fn options(data: PathBuf) -> Options {
    Options::new(data, Arc::new(Metrics::new().unwrap()))
}

/// What makes a service one of the nodes of a city.
pub fn among_nodes(name: &str, broker: &Memory) -> ClusterOptions {
    ClusterOptions {
        broker: Arc::new(broker.clone()),
        name: "city".into(),
        node: name.into(),
        replication: 2,
        log_retention: None,
        behind: Some(Duration::from_secs(60)),
        intake: None,
    }
}

/// Submits a line; its answer.
#[track_caller]
pub fn ask(service: &Service, line: impl Into<String>) -> service::Answer {
    let (sender, answered) = std::sync::mpsc::channel();
    let reply = Box::new(move |answer| drop(sender.send(answer)));
    service.submit(line.into().into(), reply);
    answered.recv_timeout(PATIENCE).expect("an answer")
}

/// What somebody does about some cases; nothing forbids it.
pub fn act(by: &str, act: Act, reason: &str, ids: &[&str], at: zhenping::time::Instant) -> ReviewRequest {
    ReviewRequest {
        rating_ids: ids.iter().copied().map(CompactString::from).collect(),
        act,
        reason: reason.into(),
        words: String::new(),
        by: by.into(),
        at,
        times: ReviewTimes::default(),
        permit: Arc::new(|_| Ok(())),
    }
}

/// A temporary directory with a data directory and files beside it.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Gives a node's directory the keys of node `a`, as all nodes have the same.
    pub fn share_keys(&self, name: &str) {
        let (keys, first) = (self.path(name).join("keys.toml"), self.path("a/keys.toml"));
        if !keys.exists() && first.exists() {
            std::fs::create_dir_all(self.path(name)).unwrap();
            std::fs::copy(first, keys).unwrap();
        }
    }

    /// A rules directory with one file; its path.
    pub fn rules(&self, text: impl AsRef<[u8]>) -> PathBuf {
        self.write("rules/rules.toml", text);
        self.path("rules")
    }
}

/// A running `serve`. Dropping it kills it.
pub struct Server {
    pub child: Child,
    pub address: SocketAddr,
    pub token: String,
    log: PathBuf,
}

impl Server {
    /// Starts it on a free port and waits until it listens. `role` is that of the token it is driven with.
    pub fn start(place: &Place, config: &str, role: &str) -> Self {
        Self::start_with(place, config, role, &[])
    }

    /// As [`Server::start`], with environment variables.
    pub fn start_with(place: &Place, config: &str, role: &str, variables: &[(&str, &str)]) -> Self {
        Self::launch(zhenping(), "127.0.0.1:0", place, config, role, variables)
    }

    /// Starts it by a command that goes before its own arguments.
    pub fn launch(
        mut command: Command,
        listen: &str,
        place: &Place,
        config: &str,
        role: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let data = place.data();
        let tokens = run([
            "token".as_ref(),
            "create".as_ref(),
            "--role".as_ref(),
            role.as_ref(),
            "--data".as_ref(),
            data.as_os_str(),
        ]);
        let token = String::from_utf8(tokens.stdout).unwrap().lines().last().unwrap().to_owned();
        let config = place.write("zhenping.toml", config);
        let log = place.path("serve.log");
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let begins = output.metadata().unwrap().len() as usize;
        let child = command
            .envs(variables.iter().copied())
            .args(["serve", "--listen", listen, "--data"])
            .arg(&data)
            .arg("--config")
            .arg(config)
            .env("RUST_LOG", "info,zhenping=trace")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut server = Self { child, address: ([127, 0, 0, 1], 0).into(), token, log };
        server.address = wait_for("the address", || {
            let text = server.log();
            let rest = text[begins..].split_once("address  http://")?.1;
            rest.split_once('\n')?.0.parse().ok()
        });
        server
    }

    /// What it wrote to standard output and standard error, this time and before.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("the end of the process", || child.try_wait().unwrap())
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.address, &self.token).unwrap()
    }

    pub fn get(&self, target: &str) -> Answer {
        self.connect().call("GET", target, b"").unwrap()
    }

    pub fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.connect().call("POST", target, body.as_ref()).unwrap()
    }

    /// The verdicts of a rating, newest first.
    #[track_caller]
    pub fn verdicts(&self, rating_id: &str) -> Vec<Value> {
        let answer = self.get(&format!("/v1/ratings/{rating_id}/verdict"));
        assert_eq!(answer.status, 200, "{rating_id}: {}", answer.text());
        answer.json()["verdicts"].as_array().unwrap().clone()
    }

    /// Stops it in good order.
    pub fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{status}\n{}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks again and again until there is something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.split_once(':').is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
        Some(self.head.lines().find(named)?.split_once(':')?.1.trim())
    }
}

/// One kept-alive connection.
pub struct Connection {
    stream: TcpStream,
    token: String,
}

impl Connection {
    pub fn open(address: SocketAddr, token: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, token: token.to_owned() })
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// The server went away; whether it took the request is unknown.
    pub fn call(&mut self, method: &str, target: &str, body: &[u8]) -> std::io::Result<Answer> {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
            self.token,
            if target.ends_with("/batch") { "application/x-ndjson" } else { "application/json" },
            body.len()
        );
        self.stream.write_all(&[head.as_bytes(), body].concat())?;
        self.read()
    }

    fn read(&mut self) -> std::io::Result<Answer> {
        let gone = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let mut bytes = Vec::new();
        let mut piece = vec![0; 65_536];
        let mut more = |bytes: &mut Vec<u8>| -> std::io::Result<()> {
            match self.stream.read(&mut piece)? {
                0 => Err(gone()),
                read => {
                    bytes.extend_from_slice(&piece[..read]);
                    Ok(())
                }
            }
        };
        let find = |bytes: &[u8], mark: &[u8]| bytes.windows(mark.len()).position(|w| w == mark);
        let start = loop {
            match find(&bytes, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => more(&mut bytes)?,
            }
        };
        let head = String::from_utf8_lossy(&bytes[..start]).into_owned();
        let mut answer = Answer { status: head[9..12].parse().unwrap(), head, body: bytes.split_off(start) };
        if answer.header("transfer-encoding") == Some("chunked") {
            let mut raw = std::mem::take(&mut answer.body);
            loop {
                let end = loop {
                    match find(&raw, b"\r\n") {
                        Some(end) => break end,
                        None => more(&mut raw)?,
                    }
                };
                let length = usize::from_str_radix(std::str::from_utf8(&raw[..end]).unwrap(), 16).unwrap();
                while raw.len() < end + 2 + length + 2 {
                    more(&mut raw)?;
                }
                answer.body.extend_from_slice(&raw[end + 2..end + 2 + length]);
                raw.drain(..end + 2 + length + 2);
                if length == 0 {
                    return Ok(answer);
                }
            }
        }
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while answer.body.len() < length {
            more(&mut answer.body)?;
        }
        Ok(answer)
    }
}

/// `score`s a file; the lines it wrote, and its exit code.
pub fn score(ratings: &Path, more: &[&std::ffi::OsStr]) -> (Vec<String>, i32) {
    let output = zhenping().arg("score").arg(ratings).args(more).output().unwrap();
    let code = output.status.code().unwrap();
    assert!(code < 2, "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect(), code)
}
