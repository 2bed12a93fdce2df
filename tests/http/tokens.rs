//! Who may call what.

use std::time::Duration;

use zhenping::access::{Access, Role};

use crate::client::rating;
use crate::fake::Running;

/// Calls with a body that is right, and the role that may make each besides the operator.
const CALLS: [(&str, &str, Role); 9] = [
    ("POST", "/v1/ratings", Role::Intake),
    ("POST", "/v1/ratings/batch", Role::Intake),
    ("GET", "/v1/ratings/R-1/verdict", Role::Intake),
    ("GET", "/v1/verdicts", Role::Intake),
    ("GET", "/v1/handling", Role::Handling),
    ("GET", "/v1/statistics", Role::Statistics),
    ("POST", "/v1/rules/reload", Role::Operator),
    ("POST", "/v1/reference/reload", Role::Operator),
    ("GET", "/live.json", Role::Operator),
];

fn call(server: &Running, method: &str, path: &str, role: Option<Role>) -> crate::client::Answer {
    match path.contains("/v1/ratings") && method == "POST" {
        true => {
            let media_type = if path.ends_with("batch") { "text/plain" } else { "application/json" };
            server.post(path, role, media_type, rating("R-1", 5).as_bytes())
        }
        false => server.call(method, path, role),
    }
}

#[test]
fn each_role_may_make_its_own_calls_and_operators_all() {
    let server = Running::start();
    server.rate(rating("R-1", 5));
    for (method, path, allowed) in CALLS {
        for role in Role::ALL {
            let answer = call(&server, method, path, Some(role));
            if role == allowed || role == Role::Operator {
                assert_eq!(answer.status, 200, "{method} {path} by {role}");
            } else {
                let detail = answer.problem(403)["detail"].to_string();
                assert!(detail.contains(role.name()) && detail.contains(allowed.name()), "{detail}");
                assert!(!answer.text().contains("risk"), "nothing of a verdict leaves");
            }
        }
    }
    assert_eq!(
        server.fake.bodies.lock().unwrap().len(),
        1 + 2 * 2,
        "refused ratings never reach the service"
    );
}

#[test]
fn without_a_token_nothing_but_the_open_paths_answers() {
    let server = Running::with(|config| config.http.metrics_open = false);
    for (method, path, _) in CALLS
        .into_iter()
        .chain([("GET", "/v1/verdicts/stream", Role::Intake), ("GET", "/metrics", Role::Operator)])
    {
        let answer = call(&server, method, path, None);
        answer.problem(401);
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    for path in ["/live", "/assets/page.css", "/assets/page.js", "/openapi.json", "/healthz", "/readyz"] {
        assert_eq!(server.call("GET", path, None).status, 200, "{path}");
    }
}

#[test]
fn a_token_that_is_none_is_refused() {
    let server = Running::start();
    let good = server.token(Role::Intake).to_owned();
    let long = "x".repeat(5_000);
    for bad in
        ["", "zp_i", &good[..good.len() - 1], &format!("{good}x"), &good.to_uppercase(), &long, "\u{7f}"]
    {
        let mut connection = server.connect();
        connection
            .send(format!("GET /v1/verdicts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bad}\r\n\r\n"));
        let status = connection.answer().status;
        assert!(status == 401 || status == 400, "{status}");
    }
    let mut connection = server.connect();
    connection.send(format!("GET /v1/verdicts HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {good}\r\n\r\n"));
    connection.answer().problem(401);
}

#[test]
fn a_token_made_beside_the_server_works_at_once_and_a_revoked_one_ends_within_a_second() {
    let server = Running::start();
    let beside = Access::open(server.directory.path()).unwrap();
    let (token, record) = beside.create(Role::Handling, "", None).unwrap();
    let status = || {
        let mut connection = server.connect();
        let head = format!("GET /v1/handling HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        connection.send(head);
        connection.answer().status
    };
    assert_eq!(status(), 200);
    beside.revoke(record.id).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(status(), 401);
}
