//! One bad line is answered in its place, and the rest goes on.

use serde_json::{Value, json};

use crate::support::{Place, rating, score};

#[test]
fn a_bad_line_gets_an_error_in_its_place_and_the_rest_goes_on() {
    let place = Place::new();
    let good = |id: &str| rating(id, 5, "").into_bytes();
    let long = rating("long", 5, &format!(r#","comment":"{}""#, "好".repeat(350_000))).into_bytes();
    assert!(long.len() > 1 << 20);
    let lines: Vec<(Vec<u8>, Value)> = vec![
        ([b"\xEF\xBB\xBF".to_vec(), good("bom")].concat(), json!("bom")),
        (b"".to_vec(), Value::Null),
        ([good("crlf"), b"\r".to_vec()].concat(), json!("crlf")),
        (b"not json at all".to_vec(), json!({"line": 4})),
        (b"\xFF\xFE\x00garbage\x80".to_vec(), json!({"line": 5})),
        (b"{\"rating_id\":".to_vec(), json!({"line": 6})),
        (good("after-garbage"), json!("after-garbage")),
        (long, json!({"line": 8})),
        (good("after-a-long-line"), json!("after-a-long-line")),
        (good("twice"), json!("twice")),
        (good("twice"), json!("twice")),
        (rating("twice", 4, "").into_bytes(), json!({"line": 12, "code": "conflict"})),
        (b"   \t ".to_vec(), Value::Null),
        (b"null".to_vec(), json!({"line": 14})),
        (b"[1,2]".to_vec(), json!({"line": 15})),
        (rating("six-stars", 6, "").into_bytes(), json!({"line": 16})),
        (good("last-without-a-line-end"), json!("last-without-a-line-end")),
    ];
    let input: Vec<u8> = lines.iter().map(|(line, _)| line.as_slice()).collect::<Vec<_>>().join(&b'\n');
    let file = place.write("ratings.ndjson", &input);
    let (out, code) = score(&file, &[]);
    assert_eq!(code, 1, "there were errors");

    let mut out = out.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    for (_, expected) in lines.iter().filter(|(_, expected)| !expected.is_null()) {
        let answer = out.next().expect("an answer for each line that is not empty");
        match expected {
            Value::String(id) => assert_eq!(answer["rating_id"], *id),
            expected => {
                assert_eq!(answer["line"], expected["line"], "{answer}");
                let error = answer["error"].as_object().expect("an error object");
                for member in ["code", "path", "message"] {
                    assert!(error[member].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
                }
                if let Some(code) = expected.get("code") {
                    assert_eq!(error["code"], *code);
                }
            }
        }
    }
    assert_eq!(out.next(), None, "nothing beyond");
}

#[test]
fn the_same_rating_again_gets_the_same_verdict_with_the_same_sequence() {
    let place = Place::new();
    let file = place.write("ratings.ndjson", [rating("one", 5, ""), rating("one", 5, "")].join("\n"));
    let (out, code) = score(&file, &[]);
    assert_eq!((code, out.len()), (0, 2));
    assert_eq!(out[0], out[1]);
}
