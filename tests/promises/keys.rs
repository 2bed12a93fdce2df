//! Keys are kept, and never replaced behind anybody's back.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Place, rating, score, zhenping};

#[test]
fn a_lost_key_file_is_an_error_and_not_a_fresh_key() {
    let place = Place::new();
    let file = place.write("ratings.ndjson", rating("one", 5, ""));
    let data = place.data();
    let (out, _) = score(&file, &["--data".as_ref(), data.as_ref()]);
    assert_eq!(out.len(), 1);
    let keys = data.join("keys.toml");
    assert_eq!(keys.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let kept = std::fs::read(&keys).unwrap();
    std::fs::remove_file(&keys).unwrap();
    for command in [&["score", "-", "--data"][..], &["serve", "--listen", "127.0.0.1:0", "--data"]] {
        let output = zhenping().args(command).arg(&data).stdin(std::process::Stdio::null()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("keys.toml"), "{error}");
        assert!(!keys.exists(), "a fresh key would make strangers of everybody");
    }

    std::fs::write(&keys, kept).unwrap();
    std::fs::set_permissions(&keys, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(score(&file, &["--data".as_ref(), data.as_ref()]).0, out);
}
