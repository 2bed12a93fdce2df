//! `POST /v1/appeals`, `POST /v1/ratings/{rating_id}/evidence` and `GET /v1/callbacks`.

use serde_json::json;
use zhenping::access::Role;

use crate::fake::{REFERENCE, Running};

#[test]
fn an_appeal_is_taken_under_its_reference_whatever_the_case() {
    let server = Running::start();
    for reference in [REFERENCE.to_owned(), REFERENCE.to_lowercase()] {
        let answer = server.post_json(
            "/v1/appeals",
            Role::Intake,
            &json!({ "reference": reference, "words": "我本人评的" }),
        );
        assert_eq!(answer.status, 202);
        assert_eq!(answer.json(), json!({ "reference": REFERENCE, "received": true, "sequence": 17 }));
    }
}

#[test]
fn an_appeal_that_cannot_be_taken_says_why() {
    let server = Running::start();
    let post = |body| server.post_json("/v1/appeals", Role::Intake, &body);
    post(json!({ "reference": "ZP-9999" })).problem(404);
    let pending = post(json!({ "reference": REFERENCE, "words": "again" }));
    assert_eq!(pending.problem(409)["code"], "appeal-pending");
    post(json!({ "words": "no reference" })).problem(400);
    post(json!([1, 2])).problem(400);
    let long = post(json!({ "reference": REFERENCE, "words": "长".repeat(2_001) }));
    assert!(long.problem(400)["allowed"].as_str().unwrap().contains("2000"));
    server.post_json("/v1/appeals", Role::Handling, &json!({ "reference": REFERENCE })).problem(403);
}

#[test]
fn what_a_call_back_found_goes_to_the_rating() {
    let server = Running::start();
    let post = |path, body| server.post_json(path, Role::Handling, &body);
    let found =
        post("/v1/ratings/r-1/evidence", json!({ "reached": true, "says": "denies", "words": "未评价" }));
    assert_eq!((found.status, found.json()["sequence"].as_u64()), (202, Some(18)));
    assert_eq!(post("/v1/ratings/r-1/evidence", json!({ "reached": false })).status, 202);
    post("/v1/ratings/r-9/evidence", json!({ "reached": false })).problem(404);
    post("/v1/ratings/r-1/evidence", json!({ "reached": true, "says": "perhaps" })).problem(400);
    post("/v1/ratings/r-1/evidence", json!({})).problem(400);
    server.post_json("/v1/ratings/r-1/evidence", Role::Intake, &json!({ "reached": false })).problem(403);
}

#[test]
fn the_hotline_learns_the_id_alone() {
    let server = Running::start();
    let page = server.get("/v1/callbacks?from=5", Role::Handling).json();
    assert_eq!(page, json!({ "callbacks": [{ "rating_id": "r-2" }], "next": 10 }));
    server.get("/v1/callbacks", Role::Statistics).problem(403);
}
