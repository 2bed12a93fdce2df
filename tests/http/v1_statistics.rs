//! `GET /v1/statistics`.

use zhenping::access::Role;

use crate::fake::Running;

#[test]
fn the_figures_come_with_their_position() {
    let server = Running::start();
    let figures =
        server.get("/v1/statistics?by=department&per=month&from=2026-03&to=2026-04", Role::Statistics).json();
    assert_eq!(figures["position"], 0);
    assert_eq!(
        (&figures["per"], &figures["from"], &figures["to"]),
        (&"month".into(), &"2026-03".into(), &"2026-04".into())
    );
}

#[test]
fn a_wrong_question_is_told_what_can_be_asked() {
    let server = Running::start();
    let problem = server.get("/v1/statistics?by=rater", Role::Statistics).problem(400);
    assert_eq!((&problem["path"], &problem["allowed"]), (&"by".into(), &"department".into()));
    server.get("/v1/statistics?groupby=department", Role::Statistics).problem(400);
}

#[test]
fn the_figures_are_public_only_where_the_operator_says_so() {
    let closed = Running::start();
    closed.call("GET", "/v1/statistics", None).problem(401);
    let open = Running::with(|config| config.http.statistics_open = true);
    assert_eq!(open.call("GET", "/v1/statistics", None).status, 200);
}
