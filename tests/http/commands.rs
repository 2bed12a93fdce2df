//! `token`, `serve`, `demo` and `load` as commands.

use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serde_json::Value;
use zhenping::access::{Access, Role};
use zhenping::cli::demo::{self, DemoArgs, Labelled, Truth};
use zhenping::cli::load::{self, LoadArgs};
use zhenping::cli::serve::{self, ServeArgs};

use crate::client::rating;
use crate::fake::{Fake, Running};

fn zhenping(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zhenping")).args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_token_stands_alone_on_the_last_line_and_works_before_the_first_start() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("not/yet");
    let data_text = data.to_str().unwrap();
    let output =
        zhenping(&["token", "create", "--role", "intake", "--data", data_text, "--label", "a platform"]);
    let token = out(&output).lines().last().unwrap().to_owned();
    assert_eq!(Access::open(&data).unwrap().role_of(token.as_bytes()), Some(Role::Intake));
    assert!(!String::from_utf8_lossy(&output.stderr).contains(&token));

    let list = out(&zhenping(&["token", "list", "--data", data_text]));
    assert!(list.contains("intake") && list.contains("valid") && list.contains("a platform"), "{list}");
    assert!(!list.contains(&token));
    assert!(zhenping(&["token", "revoke", "1", "--data", data_text]).status.success());
    assert!(out(&zhenping(&["token", "list", "--data", data_text])).contains("revoked"));
    assert_eq!(Access::open(&data).unwrap().role_of(token.as_bytes()), None);
}

#[test]
fn a_token_command_that_is_wrong_says_what_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("misspelt");
    let data_text = data.to_str().unwrap();
    for (arguments, says) in [
        (&["token", "list", "--data", data_text][..], "there are no tokens in"),
        (&["token", "revoke", "7", "--data", data_text], "there are no tokens in"),
        (&["token", "create", "--role", "reviewer", "--data", data_text], "operator"),
        (&["token", "create", "--role", "intake", "--data", data_text, "--days", "0"], "1..=3650"),
    ] {
        let output = zhenping(arguments);
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(says), "{error}");
    }
    assert!(!data.exists(), "looking makes nothing");
}

#[derive(Parser)]
struct With<A: clap::Args> {
    #[command(flatten)]
    args: A,
}

fn parsed<A: clap::Args>(arguments: &[&str]) -> A {
    With::<A>::parse_from([&["zhenping"], arguments].concat()).args
}

#[test]
fn serve_refuses_what_it_cannot_keep() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let file = directory.path().join("zhenping.toml");
    std::fs::write(&file, "[queue]\ndepth = 0\n").unwrap();
    let open = |_: &_, _: &Path, _| -> Result<Fake, serve::AnyError> { panic!("it must not come to this") };
    let args = parsed::<ServeArgs>(&["--data", data, "--config", file.to_str().unwrap()]);
    let error = serve::run_with(args, open).unwrap_err().to_string();
    assert!(error.contains("zhenping.toml:2:9: queue.depth is 0; allowed: 1 to 1048576"), "{error}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = parsed::<ServeArgs>(&["--data", data, "--listen", &address]);
    let error = serve::run_with(args, open).unwrap_err().to_string();
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");

    let args = parsed::<ServeArgs>(&["--data", data, "--listen", "127.0.0.1:0"]);
    let error =
        serve::run_with(args, |_, _, _| Err::<Fake, _>("the log is of another version".into())).unwrap_err();
    assert_eq!(error.to_string(), "the log is of another version");
}

#[test]
fn a_demonstration_ends_by_itself() {
    let ratings = |_seed, per_second: u32| {
        (0..).map(move |number: u32| Labelled {
            line: rating(&format!("R-{number}"), (number % 5 + 1) as u8).into_bytes(),
            truth: if number.is_multiple_of(5) { Truth::Abusive } else { Truth::Honest },
            due: Duration::from_secs(1) * number / per_second,
        })
    };
    let args = parsed::<DemoArgs>(&["--seconds", "1", "--rate", "100"]);
    let code = demo::run_with(args, |_, _, _| Ok(Fake::default()), ratings).unwrap();
    assert_eq!(code, ExitCode::SUCCESS);
}

#[test]
fn a_load_keeps_what_was_acknowledged_and_nothing_else() {
    let server = Running::start();
    let directory = tempfile::tempdir().unwrap();
    let (file, acked) = (directory.path().join("ratings.ndjson"), directory.path().join("acked.ndjson"));
    let lines: String = ["R-1", "R-2", "R-3"].map(|id| rating(id, 1) + "\n").concat();
    std::fs::write(&file, lines).unwrap();
    let address = server.address.to_string();
    let arguments = |ratings| {
        parsed::<LoadArgs>(&[
            file.to_str().unwrap(),
            "--to",
            &address,
            "--token",
            server.token(Role::Intake),
            "--connections",
            "3",
            "--ratings",
            ratings,
            "--acked",
            acked.to_str().unwrap(),
        ])
    };
    assert_eq!(load::run_with(arguments("20"), |_| Vec::new()).unwrap(), ExitCode::SUCCESS);
    let kept = std::fs::read_to_string(&acked).unwrap();
    let mut ids: Vec<String> = kept
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .inspect(|line| assert_eq!(line["decision"], "hold"))
        .map(|line| line["rating_id"].as_str().unwrap().to_owned())
        .collect();
    let verdicts = Arc::clone(&server.fake);
    let mut answered: Vec<String> = verdicts
        .verdicts
        .lock()
        .unwrap()
        .iter()
        .map(|v| v["rating_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort_unstable();
    answered.sort_unstable();
    assert_eq!(ids, answered);
    ids.dedup();
    assert_eq!(ids.len(), 20, "every id is fresh");

    std::fs::write(&file, rating("R-1", 5).replace("rating_id", "id")).unwrap();
    assert_eq!(
        load::run_with(arguments("2"), |_| Vec::new()).unwrap(),
        ExitCode::FAILURE,
        "422 is no success"
    );
    assert_eq!(std::fs::read_to_string(&acked).unwrap(), kept);
}
