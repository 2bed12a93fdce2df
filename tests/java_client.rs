//! The Java client of `docs/integration.md`, compiled and run against a small server.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/integration/ZhenpingClient.java");
const RATING: &str = r#"{"rating_id":"r-1","stars":1,"comment":"等了两个小时"}"#;
const VERDICT: &str = r#"{"rating_id":"r-1","revision":0,"decision":"admit","handling":"proceed","risk":0.02,
    "current":{"revision":1,"decision":"hold"}}"#;

/// A status and a body.
type Scripted = (StatusCode, &'static str);

/// What the server does with each request in turn, and what it was sent.
#[derive(Default)]
struct Script {
    answers: Vec<Scripted>,
    seen: Vec<(HeaderMap, String)>,
}

type Shared = Arc<Mutex<Script>>;

async fn submit(State(script): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let mut script = script.lock().expect("no other holder panicked");
    script.seen.push((headers, body));
    match script.answers.is_empty() {
        true => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        false => {
            let (status, body) = script.answers.remove(0);
            (status, [("retry-after", "0"), ("content-type", "application/json")], body).into_response()
        }
    }
}

/// A comment, two events, and the end.
const EVENTS: &str = ": keep-alive\n\nid: 7\nevent: verdict\ndata: {\"revision\":0}\n\n\
                      id: 9\nevent: verdict\ndata: {\"revision\":1}\n\n";

/// A program of a platform that follows the stream.
const FOLLOWER: &str = r#"
class Follower {
    public static void main(String[] arguments) throws Exception {
        var client = new ZhenpingClient(java.net.URI.create(arguments[0]), "zp_test", java.time.Duration.ofSeconds(5));
        try (var events = client.verdicts(7)) {
            events.forEach(event -> System.out.println(event.id() + " " + event.json()));
        }
    }
}
"#;

async fn stream(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    assert_eq!(
        (query.as_deref(), &headers["authorization"]),
        (Some("from=7"), &"Bearer zp_test".parse().unwrap())
    );
    ([("content-type", "text/event-stream")], EVENTS).into_response()
}

/// Serves on a free port for as long as the runtime lives.
fn serve(runtime: &tokio::runtime::Runtime, script: Shared) -> SocketAddr {
    let router = Router::new()
        .route("/v1/ratings", post(submit))
        .route("/v1/verdicts/stream", get(stream))
        .with_state(script);
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    runtime.spawn(async move { axum::serve(listener, router).await });
    address
}

fn has_javac() -> bool {
    let silent = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    silent(Command::new("javac").arg("-version")).is_ok_and(|status| status.success())
}

fn run(classes: &Path, program: &str, url: &str) -> Output {
    let mut client = Command::new("java")
        .args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(classes)
        .args([program, url])
        .env("ZHENPING_TOKEN", "zp_test")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("java starts where javac is");
    client.stdin.take().expect("piped").write_all(RATING.as_bytes()).expect("the client reads its input");
    client.wait_with_output().expect("the client ends")
}

#[test]
fn the_java_client_submits_repeats_and_reports() {
    if !has_javac() {
        println!("SKIPPED: javac not found");
        return;
    }
    let classes = tempfile::tempdir().expect("a temporary directory");
    let follower = classes.path().join("Follower.java");
    std::fs::write(&follower, FOLLOWER).expect("a writable directory");
    let compiled = Command::new("javac")
        .args(["--release", "17", "-Xlint:all", "-Werror", "-encoding", "UTF-8", "-d"])
        .arg(classes.path())
        .arg(SOURCE)
        .arg(follower)
        .output()
        .expect("javac runs");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let cases: [(&[Scripted], i32, &str); 3] = [
        // Shed once; the repeat has the same content.
        (
            &[(StatusCode::SERVICE_UNAVAILABLE, ""), (StatusCode::OK, VERDICT)],
            0,
            "decision: admit\nhandling: proceed\n",
        ),
        (
            &[(StatusCode::UNPROCESSABLE_ENTITY, r#"{"path":"$.service"}"#)],
            1,
            "refused: 422 {\"path\":\"$.service\"}\n",
        ),
        (&[], 3, "later: status 500\n"),
    ];
    for (answers, code, printed) in cases {
        let script = Shared::default();
        script.lock().expect("fresh").answers = answers.to_vec();
        let address = serve(&runtime, Arc::clone(&script));
        let output = run(classes.path(), "ZhenpingClient", &format!("http://{address}/"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n"), printed, "{stderr}");
        assert_eq!(output.status.code(), Some(code));
        let script = script.lock().expect("no handler panicked");
        let attempts = if answers.is_empty() { 3 } else { answers.len() };
        assert_eq!(script.seen.len(), attempts);
        for (headers, body) in &script.seen {
            assert_eq!(body, RATING);
            assert_eq!(headers["authorization"], "Bearer zp_test");
            assert_eq!(headers["content-type"], "application/json");
        }
    }

    let address = serve(&runtime, Shared::default());
    let output = run(classes.path(), "Follower", &format!("http://{address}/"));
    let printed = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
    assert_eq!(
        printed,
        "7 {\"revision\":0}\n9 {\"revision\":1}\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    // Nobody listens: the client gives up within its budget.
    let output = run(classes.path(), "ZhenpingClient", "http://127.0.0.1:9/");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), "later: ConnectException");
}
