//! Raw identifiers end at the door, and comments in the vault.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Place, Server, rating, simulated, zhenping};

/// Bytes by which secrets are looked up; shorter ones are nobody's secret.
const PREFIX_BYTES: usize = 6;

/// What must not be found anywhere.
#[derive(Default)]
struct Secrets(HashMap<[u8; PREFIX_BYTES], Vec<String>>);

impl Secrets {
    fn add(&mut self, value: &Value) {
        let Some(text) = value.as_str() else { return };
        let Some(&prefix) = text.as_bytes().first_chunk() else { return };
        let known = self.0.entry(prefix).or_default();
        if !known.iter().any(|k| k == text) {
            known.push(text.to_owned());
        }
    }

    fn of(ratings: &str) -> Self {
        let mut secrets = Self::default();
        for line in ratings.lines() {
            let rating: Value = serde_json::from_str(line).unwrap();
            for field in ["account", "id_number", "phone"] {
                secrets.add(&rating["rater"][field]);
            }
            secrets.add(&rating["device"]["fingerprint"]);
            secrets.add(&rating["network"]["ip"]);
            secrets.add(&rating["service"]["case_no"]);
            if rating["comment"].as_str().is_some_and(|comment| comment.chars().count() >= 6) {
                secrets.add(&rating["comment"]);
            }
        }
        secrets
    }

    fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    fn assert_absent(&self, place: &str, bytes: &[u8]) {
        for (i, window) in bytes.windows(PREFIX_BYTES).enumerate() {
            // What is preallocated is zeros, and would take most of the time.
            if window[0] == 0 {
                continue;
            }
            let Some(known) = self.0.get(window) else { continue };
            let found = known.iter().find(|secret| bytes[i..].starts_with(secret.as_bytes()));
            assert!(found.is_none(), "{place} holds {found:?} at byte {i}");
        }
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in directory.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn assert_clean(secrets: &Secrets, data: &Path) {
    let files = files(data);
    assert!(files.len() >= 3, "log, vault and keys: {files:?}");
    for file in files {
        secrets.assert_absent(&file.display().to_string(), &std::fs::read(&file).unwrap());
    }
    let keys = data.join("keys.toml").metadata().unwrap();
    assert_eq!(keys.permissions().mode() & 0o777, 0o600, "keys.toml is for its owner alone");
}

#[test]
fn the_search_finds_what_is_there() {
    let ratings = rating("one", 5, r#","rater":{"phone":"13800138000"},"comment":"窗口人员态度很好""#);
    let secrets = Secrets::of(&ratings);
    assert_eq!(secrets.len(), 2);
    secrets.assert_absent("nothing", b"1380013800 \xE7\xAA");
    for hidden in ["x13800138000", "《窗口人员态度很好》"] {
        assert!(std::panic::catch_unwind(|| secrets.assert_absent("something", hidden.as_bytes())).is_err());
    }
}

#[test]
fn nothing_raw_is_stored_or_shown() {
    let ratings = simulated(21, 1, 3_000);
    let mut secrets = Secrets::of(&ratings);
    // Lines that are refused or repaired quote nothing either.
    let wrong = [
        rating(
            "wrong-1",
            9,
            r#","rater":{"phone":"13912345678","id_number":"not-an-id-99"},"comment":"投诉内容不可外泄""#,
        ),
        rating("wrong-2", 5, r#","submitted_at":"13700137000","network":{"ip":"999.888.777.666"}"#),
        rating(
            "wrong-3",
            5,
            r#","rater":{"phone":["13600136000"],"verified":"13600136001"},"device":{"screen":"13600136002"}"#,
        ),
        r#"{"rating_id":"13500135000 张三丰先生","stars":5}"#.to_owned(),
        r#"{"rating_id":"wrong-5","rater":{"phone":"13400134000"#.to_owned(),
    ];
    for secret in [
        "13912345678",
        "not-an-id-99",
        "投诉内容不可外泄",
        "13700137000",
        "999.888.777.666",
        "13600136000",
        "13600136001",
        "13600136002",
        "13500135000",
        "张三丰先生",
        "13400134000",
    ] {
        secrets.add(&secret.into());
    }
    assert!(secrets.len() > 3_000, "{}", secrets.len());

    let place = Place::new();
    let body = [ratings.as_str(), &wrong.join("\n"), "\n"].concat();
    let server = Server::start(&place, "log.segment_mib = 1\nhttp.page_open = true\n", "operator");
    let answers = server.post("/v1/ratings/batch", &body);
    assert_eq!(answers.status, 200, "{}", answers.text());
    assert_eq!(answers.text().lines().count(), body.lines().count());
    secrets.assert_absent("the answers", &answers.body);
    for rating in &wrong {
        secrets.assert_absent("a refusal", &server.post("/v1/ratings", rating).body);
    }
    for target in
        ["/metrics", "/live.json", "/v1/verdicts?limit=1000", "/v1/handling", "/v1/statistics?by=department"]
    {
        let shown = server.get(target);
        assert_eq!(shown.status, 200, "{target}: {}", shown.text());
        secrets.assert_absent(target, &shown.body);
    }
    let log = server.log();
    server.stop();
    assert!(log.contains("address"), "{log}");
    secrets.assert_absent("what serve printed", log.as_bytes());
    assert_clean(&secrets, &place.data());

    let (file, data) = (place.write("ratings.ndjson", &body), place.path("scored"));
    let scored = zhenping().arg("score").arg(file).arg("--data").arg(&data).env("RUST_LOG", "trace").output();
    let scored = scored.unwrap();
    secrets.assert_absent("what score wrote", &scored.stdout);
    secrets.assert_absent("what score said", &scored.stderr);
    assert_clean(&secrets, &data);
}
