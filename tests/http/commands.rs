//! `token`, `serve`, `demo` and `load` as commands.

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serde_json::Value;
use zhenping::access::{Access, AccountRole, Role};
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

fn zhenping_with_input(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zhenping"));
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_first_password_stands_alone_on_the_last_line_and_opens_the_account() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("not/yet");
    let data_text = data.to_str().unwrap();
    let output = zhenping(&[
        "user",
        "add",
        "zhang.san",
        "--role",
        "reviewer",
        "--data",
        data_text,
        "--display",
        "张三",
        "--department",
        "440306-RSJ",
        "--district",
        "440306",
        "--scope-department",
        "440305-GAJ",
        "--scope-department",
        "440305-RSJ",
    ]);
    let password = out(&output).lines().last().unwrap().to_owned();
    assert_eq!(out(&output), format!("{password}\n"), "nothing else is on standard output");
    assert!(!String::from_utf8_lossy(&output.stderr).contains(&password));
    let server = Access::open(&data).unwrap();
    let account = server.verify_password("zhang.san", &password).unwrap();
    assert_eq!((account.role, account.display.as_str()), (AccountRole::Reviewer, "张三"));
    assert_eq!(account.department.as_deref(), Some("440306-RSJ"));
    assert_eq!(account.scope_departments, ["440305-GAJ", "440305-RSJ"]);
    assert!(account.must_change);

    let (cookie, _) = server.start_session("zhang.san").unwrap();
    let output = zhenping_with_input(
        &["user", "password", "zhang.san", "--password-stdin", "--data", data_text],
        "correct horse battery\r\nand no more",
    );
    assert_eq!(out(&output), "", "a password that was given is not printed");
    assert!(server.refresh().unwrap());
    assert!(server.find_session(&cookie).is_none());
    assert!(server.verify_password("zhang.san", &password).is_none());
    assert!(server.verify_password("zhang.san", "correct horse battery").is_some());
    let made = out(&zhenping(&["user", "password", "zhang.san", "--data", data_text]));
    server.refresh().unwrap();
    assert!(server.verify_password("zhang.san", made.trim_end()).is_some());
}

#[test]
fn what_user_changes_beside_a_running_server_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let server = Access::open(directory.path()).unwrap();
    let user = |arguments: &[&str]| {
        let text = out(&zhenping(&[&["user"], arguments, &["--data", data]].concat()));
        assert!(server.refresh().unwrap(), "{arguments:?}");
        text
    };
    user(&["add", "wang", "--role", "auditor"]);
    let (cookie, _) = server.start_session("wang").unwrap();
    user(&["scope", "wang", "--scope-district", "440305"]);
    user(&["workplace", "wang", "--department", "RSJ"]);
    let session = server.find_session(&cookie).unwrap();
    assert_eq!(session.account.scope_districts, ["440305"]);
    assert_eq!(session.account.department.as_deref(), Some("RSJ"));
    user(&["scope", "wang", "--all"]);
    user(&["workplace", "wang", "--none"]);
    let account = server.account("wang").unwrap();
    assert!(account.scope_districts.is_empty() && account.department.is_none());
    user(&["disable", "wang"]);
    assert!(server.find_session(&cookie).is_none());
    let list = out(&zhenping(&["user", "list", "--data", data]));
    assert!(list.contains("wang") && list.contains("auditor") && list.contains("disabled"), "{list}");
    user(&["enable", "wang"]);
    assert_eq!(server.account("wang").unwrap().disabled, None);
    assert!(server.find_session(&cookie).is_none());
}

#[test]
fn a_user_command_that_is_wrong_says_what_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let (data, misspelt) = (directory.path().join("data"), directory.path().join("misspelt"));
    let (data, misspelt_text) = (data.to_str().unwrap(), misspelt.to_str().unwrap());
    out(&zhenping(&["user", "add", "zhang", "--role", "admin", "--data", data]));
    for (arguments, says) in [
        (&["list", "--data", misspelt_text][..], "there are no accounts in"),
        (&["disable", "zhang", "--data", misspelt_text], "there are no accounts in"),
        (&["disable", "wang", "--data", data], "`zhenping user list` lists them"),
        (&["password", "wang", "--data", data], "`zhenping user list` lists them"),
        (&["add", "zhang", "--role", "admin", "--data", data], "choose another"),
        (&["add", "Zhang", "--role", "admin", "--data", data], "2 to 32 of a-z"),
        (&["add", "wang", "--role", "boss", "--data", data], "reviewer"),
        (&["add", "wang", "--data", data], "--role"),
        (&["add", "wang", "--role", "admin", "--data", data, "--district", ""], "district:"),
        (&["scope", "zhang", "--data", data], "--scope-department"),
        (&["scope", "zhang", "--data", data, "--all", "--scope-district", "A"], "--all"),
        (&["workplace", "zhang", "--data", data], "--none"),
    ] {
        let output = zhenping(&[&["user"], arguments].concat());
        assert!(!output.status.success(), "{arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(says), "{error}");
    }
    for (input, says) in [("", "at least 10"), ("1234567890\n", "commonest"), ("zhang2026!!", "the name")] {
        let arguments = ["user", "password", "zhang", "--password-stdin", "--data", data];
        let output = zhenping_with_input(&arguments, input);
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(says), "{error}");
    }
    assert!(!misspelt.exists(), "looking makes nothing");
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
