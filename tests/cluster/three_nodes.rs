//! Three nodes on one machine: a controller, two servers, three `zhenping serve`, until Ctrl-C.
//! `tests/three-nodes` builds and runs it. `ZHENPING_PROGRAM` names another build of the program.

#[allow(dead_code)]
mod certificates;
#[allow(dead_code)]
mod harness;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::Cluster;

type AnyError = Box<dyn std::error::Error>;

/// How long a node may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends its process with itself.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It ends in good order, or has ended.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn main() -> Result<(), AnyError> {
    // Built into the folder above this example's.
    let program = match std::env::var_os("ZHENPING_PROGRAM") {
        Some(program) => PathBuf::from(program),
        None => std::env::current_exe()?.with_file_name("../zhenping"),
    };
    let Some(cluster) = Cluster::start(2) else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    println!("Fluvio: a controller at {} and two servers", cluster.endpoint);
    let mut nodes = Vec::new();
    let (mut addresses, mut tokens) = (Vec::new(), Vec::new());
    for name in ["a", "b", "c"] {
        let data = dir.path().join(name);
        std::fs::create_dir_all(&data)?;
        let keys = dir.path().join("a/keys.toml");
        if name != "a" {
            std::fs::copy(keys, data.join("keys.toml"))?;
        }
        tokens.push(token(&program, &data)?);
        let (node, address) = start(&program, &data, name, &cluster.endpoint)?;
        println!(
            "node {name}   http://{address}   desk http://{address}/desk/   operator token {}",
            tokens[tokens.len() - 1]
        );
        nodes.push(node);
        addresses.push(address);
    }
    let to: String = addresses.iter().map(|address| format!(" --to {address}")).collect();
    println!("\nload all three   {} load{to} --token {}", program.display(), tokens.join(","));
    println!(
        "the nodes        curl -s -H 'Authorization: Bearer {}' http://{}/v1/cluster",
        tokens[0], addresses[0]
    );
    println!("directories      {}", dir.path().display());
    println!(
        "kill -9 one of   {}",
        nodes.iter().map(|node| node.0.id().to_string()).collect::<Vec<_>>().join(" ")
    );
    println!("Ctrl-C ends it.");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    Ok(())
}

fn token(program: &Path, data: &Path) -> Result<String, AnyError> {
    let output =
        Command::new(program).args(["token", "create", "--role", "operator", "--data"]).arg(data).output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().last().ok_or("no token was made")?.to_owned())
}

/// Starts a node; gives its address.
fn start(program: &Path, data: &Path, name: &str, endpoint: &str) -> Result<(Running, String), AnyError> {
    let config: PathBuf = data.with_extension("toml");
    let text =
        format!("[cluster]\nendpoint = \"{endpoint}\"\nname = \"city\"\nnode = \"{name}\"\nintake = true\n");
    std::fs::write(&config, text)?;
    let log = std::fs::File::create(data.with_extension("log"))?;
    let mut command = Command::new(program);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).arg("--config").arg(config);
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    let (mut running, until) = (Running(child), Instant::now() + PATIENCE);
    while Instant::now() < until {
        let said = std::fs::read_to_string(data.with_extension("log"))?;
        if let Some(address) = said.split_once("address  http://").and_then(|(_, rest)| rest.split_once('\n'))
        {
            return Ok((running, address.0.to_owned()));
        }
        if running.0.try_wait()?.is_some() {
            return Err(format!("node {name} ended:\n{said}").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("node {name} did not start in {} s", PATIENCE.as_secs()).into())
}
