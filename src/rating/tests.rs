use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::time::Instant;
use crate::wire::{Channel, EntryPoint};

/// A rating with every field of the contract.
fn full() -> Value {
    json!({
        "rating_id": "r-1", "supersedes": "r-0", "source": "portal-a",
        "submitted_at": "2026-03-01T08:00:00+08:00", "received_at": "2026-03-01T08:00:01+08:00",
        "opened_at": "2026-03-01T07:59:00+08:00", "channel": "mobile_app", "entry": "wechat", "stars": 2,
        "origin": "active", "hall_stars": 3,
        "aspects": {"matter_management": 1, "procedure": 2, "efficiency": 3, "competence": 4, "attitude": 5,
            "convenience": 1},
        "tags": ["快", "好"], "comment": "等了两个小时",
        "service": {"matter": "m1", "case_no": "SH-1", "case_match": "matched", "stage": "complete",
            "visit": "1", "department": "d1", "district": "310115", "hall": "h1", "window": "w1", "clerk": "c1",
            "completed_at": "2026-03-01T07:50:00+08:00"},
        "rater": {"account": "a1", "id_number": "11010519491231002X", "phone": "13800138000",
            "verified": true, "registered_at": "2025-01-01T00:00:00Z", "is_applicant": true},
        "device": {"fingerprint": "f1", "terminal": "t1", "platform": "android", "model": "SM-G9910",
            "os_version": "13", "app_version": "7.1", "user_agent": "Mozilla/5.0", "screen": "1080x2400",
            "language": "zh-CN", "timezone": "Asia/Shanghai", "canvas": "c0ffee", "rooted": false,
            "emulator": false, "automation": false},
        "network": {"ip": "203.0.113.9", "asn": 4134, "proxy": false},
    })
}

fn with(path: &str, value: Value) -> String {
    let mut rating = full();
    put(&mut rating, path, value);
    rating.to_string()
}

/// Puts a value at a path such as `$.rater.phone`.
fn put(rating: &mut Value, path: &str, value: Value) {
    let pointer = path.trim_start_matches('$').replace('.', "/");
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    rating.pointer_mut(parent).unwrap()[key] = value;
}

fn refused(line: impl AsRef<[u8]>) -> RatingError {
    parse(line.as_ref()).expect_err("refused")
}

fn warned<'r>(rating: &'r Rating<'_>) -> Vec<&'r str> {
    rating.warnings.iter().map(|warning| &*warning.path).collect()
}

#[test]
fn every_field_arrives() {
    let line = full().to_string();
    let rating = parse(line.as_bytes()).unwrap();
    assert_eq!(rating.warnings, []);
    assert_eq!(rating.submitted_at, Instant::parse_rfc3339("2026-03-01T00:00:00Z").unwrap());
    assert_eq!((rating.channel, rating.entry), (Channel::MobileApp, Some(EntryPoint::Wechat)));
    assert_eq!(rating.tags.as_deref().unwrap(), ["快", "好"]);
    assert_eq!(rating.comment.as_ref().unwrap().chars, 6);
    assert_eq!(rating.aspects.convenience, Some(1));
    assert_eq!(rating.service.clerk.as_deref(), Some("c1"));
    assert_eq!(rating.rater.is_applicant, Some(true));
    assert_eq!(rating.device.canvas.as_deref(), Some("c0ffee"));
    assert_eq!(rating.network.asn, Some(4134));
}

#[test]
fn nothing_is_copied_without_need() {
    let line = full().to_string();
    let rating = parse(line.as_bytes()).unwrap();
    assert!(matches!(rating.rating_id, Cow::Borrowed(_)));
    assert!(matches!(rating.comment.unwrap().text, Cow::Borrowed(_)));
    assert!(matches!(rating.device.user_agent, Some(Cow::Borrowed(_))));
}

#[test]
fn debug_shows_no_identifier() {
    let line = full().to_string();
    let shown = format!("{:?}", parse(line.as_bytes()).unwrap());
    assert_eq!(shown, "Rating { .. }");
}

#[test]
fn a_required_field_that_is_missing_or_wrong_is_named() {
    let cases = [
        ("$.rating_id", json!(7), "wrong_type", "a number"),
        ("$.rating_id", json!(""), "bad_length", "an empty string"),
        ("$.rating_id", json!("a b"), "bad_format", "a string with other characters"),
        ("$.rating_id", json!("x".repeat(129)), "bad_length", "a string of 129 characters"),
        ("$.submitted_at", json!(null), "missing", "null"),
        (
            "$.submitted_at",
            json!("2026-03-01 8点"),
            "bad_format",
            "a string of 13 characters that is no such date-time from 1970 to 2199",
        ),
        ("$.channel", json!(["portal"]), "wrong_type", "an array"),
        ("$.stars", json!(0), "out_of_range", "a number out of range"),
        ("$.stars", json!(-3), "out_of_range", "a number out of range"),
        ("$.stars", json!(6), "out_of_range", "a number out of range"),
        ("$.stars", json!(4.5), "wrong_type", "a number that is not whole"),
        ("$.stars", json!("5"), "wrong_type", "a string of 1 character"),
        ("$.service", json!("m1"), "wrong_type", "a string of 2 characters"),
        ("$.service", json!(null), "missing", "null"),
        ("$.service.matter", json!(true), "wrong_type", "a boolean"),
        ("$.service.department", json!("部".repeat(65)), "bad_length", "a string of 65 characters"),
    ];
    for (path, value, code, found) in cases {
        let error = refused(with(path, value.clone()));
        assert_eq!((error.code.name(), error.path, &*error.found), (code, path, found), "{value}");
    }
    for field in fields().iter().filter(|field| field.required) {
        let mut rating = full();
        let pointer = field.path.trim_start_matches('$').replace('.', "/");
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        rating.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
        let error = refused(rating.to_string());
        assert_eq!((error.code, error.path, &*error.found), (ErrorCode::Missing, field.path, "nothing"));
    }
    assert_eq!(refused("{}").path, "$.rating_id", "the first in the contract's order");
}

#[test]
fn an_error_reads_well_and_is_json() {
    let error = refused(with("$.stars", json!("five")));
    assert_eq!(
        error.to_string(),
        "$.stars: found a string of 4 characters; allowed is a whole number from 1 to 5"
    );
    assert_eq!(
        serde_json::to_value(&error).unwrap(),
        json!({"code": "wrong_type", "path": "$.stars", "found": "a string of 4 characters",
            "allowed": "a whole number from 1 to 5", "message": error.to_string()})
    );
}

#[test]
fn five_point_zero_is_five() {
    assert_eq!(parse(with("$.stars", json!(5.0)).as_bytes()).unwrap().stars, 5);
}

#[test]
fn null_and_an_empty_string_are_absent_without_a_word() {
    for field in fields().iter().filter(|field| !field.required) {
        let line = with(field.path, Value::Null);
        assert_eq!(parse(line.as_bytes()).unwrap().warnings, [], "{}", field.path);
    }
    let line = with("$.supersedes", json!(""));
    let rating = parse(line.as_bytes()).unwrap();
    assert_eq!((rating.supersedes, rating.warnings), (None, vec![]));
}

#[test]
fn an_unknown_channel_or_entry_point_reads_as_other() {
    let line = with("$.channel", json!("metaverse"));
    let rating = parse(line.as_bytes()).unwrap();
    assert_eq!((rating.channel, warned(&rating)), (Channel::Other, vec!["$.channel"]));
    let line = with("$.entry", json!("WECHAT"));
    let rating = parse(line.as_bytes()).unwrap();
    assert_eq!((rating.entry, warned(&rating)), (Some(EntryPoint::Other), vec!["$.entry"]));
    let line = with("$.entry", json!(3));
    assert_eq!(parse(line.as_bytes()).unwrap().entry, None);
}

#[test]
fn an_invalid_optional_field_becomes_missing_and_is_named_without_its_value() {
    let line = with("$.rater.phone", json!("1380013800013800138000138001380013"));
    let rating = parse(line.as_bytes()).unwrap();
    assert_eq!(rating.rater.phone, None);
    insta::assert_snapshot!(
        format!("{}: {}", rating.warnings[0].path, rating.warnings[0].text),
        @"$.rater.phone: found a string of 34 characters; allowed is a string of at most 32 characters; read as missing"
    );
    let line = with("$.rater", json!(7));
    let rating = parse(line.as_bytes()).unwrap();
    assert_eq!((rating.rater.account.as_deref(), warned(&rating)), (None, vec!["$.rater"]));
}

#[test]
fn a_long_comment_is_cut() {
    let line = with("$.comment", json!("长".repeat(2001)));
    let rating = parse(line.as_bytes()).unwrap();
    assert_eq!(warned(&rating), ["$.comment"]);
    let comment = rating.comment.unwrap();
    assert_eq!((comment.text.chars().count(), comment.chars), (2000, 2001));
}

#[test]
fn valid_tags_are_kept() {
    let mut tags = vec![json!(1), json!("t".repeat(65)), json!("ok")];
    tags.extend((0..25).map(|n| json!(format!("tag{n}"))));
    let line = with("$.tags", json!(tags));
    let rating = parse(line.as_bytes()).unwrap();
    assert_eq!(rating.tags.as_ref().unwrap().len(), 20);
    assert_eq!(rating.tags.as_ref().unwrap()[0], "ok");
    assert_eq!(warned(&rating), ["$.tags"]);
}

#[test]
fn an_address_that_is_no_clients_is_missing() {
    for ip in ["0.0.0.0", "127.0.0.1", "::1", "::ffff:127.0.0.1", "not an ip", "1.2.3.4:80"] {
        let line = with("$.network.ip", json!(ip));
        let rating = parse(line.as_bytes()).unwrap();
        assert_eq!((rating.network.ip, warned(&rating)), (None, vec!["$.network.ip"]), "{ip}");
    }
    let line = with("$.network.ip", json!("::ffff:203.0.113.9"));
    assert_eq!(parse(line.as_bytes()).unwrap().network.ip, Some([203, 0, 113, 9].into()));
}

#[test]
fn a_field_given_twice_is_missing_or_refuses() {
    let line = full().to_string();
    let twice = |extra: &str| format!("{{{extra},{}", &line[1..]);
    let text = twice(r#""comment":"a","comment":7"#);
    let rating = parse(text.as_bytes()).unwrap();
    assert_eq!((rating.comment.is_none(), warned(&rating)), (true, vec!["$.comment"]));
    let text = twice(r#""rater":{"account":"b"}"#);
    let rating = parse(text.as_bytes()).unwrap();
    assert_eq!((rating.rater.account, rating.warnings.len()), (None, 1));
    let text = line.replace(r#""phone":"#, r#""phone":"1","\u0070hone":"#);
    let rating = parse(text.as_bytes()).unwrap();
    assert_eq!((rating.rater.phone.is_none(), warned(&rating)), (true, vec!["$.rater.phone"]));
    for (extra, path) in
        [(r#""stars":2"#, "$.stars"), (r#""service":{"matter":"m","department":"d"}"#, "$.service")]
    {
        let error = refused(twice(extra));
        assert_eq!((error.code, error.path), (ErrorCode::DuplicateKey, path));
    }
}

#[test]
fn a_lone_surrogate_in_a_comment_does_not_refuse_a_rating() {
    let line = full().to_string().replace("等了两个小时", r"等了\ud83d");
    let rating = parse(line.as_bytes()).unwrap();
    assert_eq!(rating.comment.as_ref().unwrap().text, "等了\u{FFFD}");
    assert_eq!(warned(&rating), ["$", "$.comment"]);
    assert_eq!(rating.rater.account.as_deref(), Some("a1"));
}

#[test]
fn damage_in_another_optional_field_makes_it_missing() {
    let mut line = full().to_string().replace("SM-G9910", "SM-?").into_bytes();
    let at = line.iter().position(|&byte| byte == b'?').unwrap();
    line[at] = 0xC3;
    let rating = parse(&line).unwrap();
    assert_eq!((rating.device.model.as_deref(), warned(&rating)), (None, vec!["$", "$.device.model"]));

    for number in ["1e999", "-1e999", "NaN", "Infinity"] {
        let line = full().to_string().replace("4134", number);
        let rating = parse(line.as_bytes()).unwrap();
        assert_eq!((rating.network.asn, warned(&rating)), (None, vec!["$", "$.network.asn"]), "{number}");
    }
}

#[test]
fn damage_in_a_required_field_refuses() {
    for (from, to, path) in [
        ("\"r-1\"", r#""r-\ud800""#, "$.rating_id"),
        ("\"m1\"", r#""m\ud800""#, "$.service.matter"),
        ("\"mobile_app\"", r#""mobile\ud800""#, "$.channel"),
        ("\"stars\":2", "\"stars\":1e999", "$.stars"),
        ("\"2026-03-01T08:00:00+08:00\"", r#""2026\udfff""#, "$.submitted_at"),
    ] {
        let line = full().to_string();
        assert!(line.contains(from), "{from}");
        assert_eq!(refused(line.replacen(from, to, 1)).path, path);
    }
}

#[test]
fn unknown_fields_are_ignored_whatever_they_hold() {
    for junk in [r#""\ud800""#, "1e999", "[[{}]]", "\"\u{1F600}\"", "-0.0"] {
        let line = full().to_string().replacen('{', &format!("{{\"x\":{junk},\"x\":{junk},"), 1);
        assert!(parse(line.as_bytes()).is_ok(), "{junk}");
    }
}

#[test]
fn deep_nesting_neither_crashes_nor_refuses() {
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    for key in ["unknown", "supersedes", "tags", "aspects"] {
        let line = format!(
            r#"{{"{key}":{deep},"rating_id":"r","submitted_at":"2026-03-01T00:00:00Z","channel":"portal",
            "stars":5,"service":{{"matter":"m","department":"d"}}}}"#
        );
        assert!(parse(line.as_bytes()).is_ok(), "{key}");
    }
    assert_eq!(refused(&deep).code, ErrorCode::WrongType);
    assert_eq!(refused("[".repeat(60_000)).code, ErrorCode::NotJson);
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    for (line, code, found) in [
        ("", "not_json", "an empty line"),
        (" \r\n", "not_json", "an empty line"),
        ("[]", "wrong_type", "an array"),
        ("\"r\"", "wrong_type", "a string of 1 character"),
        ("null", "wrong_type", "null"),
        ("{", "not_json", "a syntax error (EOF while parsing an object at line 1 column 1)"),
        ("{} {}", "not_json", "a syntax error (trailing characters at line 1 column 4)"),
        ("{\"a\":secret}", "not_json", "a syntax error (expected value at line 1 column 6)"),
    ] {
        let error = refused(line);
        assert_eq!((error.code.name(), &*error.found), (code, found), "{line}");
    }
    assert_eq!(refused(" ".repeat(MAX_RATING_BYTES + 1)).code, ErrorCode::TooLarge);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_accepted() {
    let line = format!("\u{FEFF}{}\r\n", full());
    assert_eq!(parse(line.as_bytes()).unwrap().warnings, []);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
        "[0-9x*:T+-]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{0,12}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_value_of_an_optional_field_refuses(field in 0..200_usize, value in any_json()) {
        let optional: Vec<_> = fields().into_iter().filter(|field| !field.required).collect();
        let line = with(optional[field % optional.len()].path, value);
        prop_assert!(parse(line.as_bytes()).is_ok());
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn damage_anywhere_never_panics_and_never_quotes(at in 0..2000_usize, byte in any::<u8>()) {
        let mut line = full().to_string().into_bytes();
        let at = at % line.len();
        line[at] = byte;
        let said = match parse(&line) {
            Ok(rating) => format!("{:?}", rating.warnings),
            Err(error) => error.to_string(),
        };
        for secret in ["13800138", "110105", "203.0", "SM-G", "小时"] {
            prop_assert!(!said.contains(secret), "{said}");
        }
    }
}
