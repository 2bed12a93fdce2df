//! What `zhenping rules` prints.

use std::path::Path;
use std::process::Command;

/// Exit code, standard output and standard error.
fn zhenping(args: &[&str], directory: &Path) -> (i32, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_zhenping")).args(args).current_dir(directory).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

#[test]
fn check_finds_the_rules_directory_here_and_counts_what_is_in_it() {
    let (code, out, err) = zhenping(&["rules", "check"], &fixtures());
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("cli_check", out);
    assert_eq!(zhenping(&["rules", "check", "--rules", "rules"], &fixtures()).1, out);
}

#[test]
fn without_a_directory_the_shipped_rules_are_used_and_said_to_be() {
    let empty = tempfile::tempdir().unwrap();
    let (code, out, _) = zhenping(&["rules", "check"], empty.path());
    assert_eq!(code, 0);
    assert!(out.starts_with("the shipped rules ("), "{out}");
}

#[test]
fn check_prints_every_error_with_its_path_and_exits_with_1() {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("rules")).unwrap();
    let text = std::fs::read_to_string(fixtures().join("rules/praise.toml")).unwrap();
    std::fs::write(place.path().join("rules/praise.toml"), text.replace("stars >= 4", "star >= 4")).unwrap();
    let (code, out, err) = zhenping(&["rules", "check"], place.path());
    assert_eq!((code, out.as_str()), (1, ""));
    insta::assert_snapshot!("cli_check_errors", err);
}

#[test]
fn test_prints_a_line_for_each_case_and_fails_if_one_does() {
    let (code, out, _) = zhenping(&["rules", "test"], &fixtures());
    assert_eq!(code, 0);
    insta::assert_snapshot!("cli_test", out);

    let place = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(fixtures().join("rules/hard.toml")).unwrap();
    let case = "[[rule.case]]\ngiven = { stars = 5 }\nfires = true\n";
    std::fs::write(place.path().join("hard.toml"), text + case).unwrap();
    let directory = place.path().to_str().unwrap();
    let (code, out, _) = zhenping(&["rules", "test", "--rules", directory], place.path());
    assert_eq!(code, 1);
    assert!(
        out.contains(
            "FAIL  same-again  case 2   should fire, but the condition is unknown (not given: case.contest)"
        ),
        "{out}"
    );
    let (code, _, err) = zhenping(&["rules", "check", "--rules", directory], place.path());
    assert_eq!(code, 1);
    assert!(err.contains("case 2 of `same-again` should fire, but its condition is unknown"), "{err}");
}

#[test]
fn docs_name_every_feature_and_rule() {
    for args in [&["rules", "docs"][..], &["rules", "docs", "--markdown"]] {
        let (code, out, _) = zhenping(args, &fixtures());
        assert_eq!(code, 0);
        for (_, feature) in zhenping::catalogue::Catalogue::builtin().iter() {
            assert!(out.contains(&feature.name) && out.contains(&feature.meaning.zh), "{}", feature.name);
        }
        for id in ["emulator-praise", "pilot", "quick-draft"] {
            assert!(out.contains(id), "{id}");
        }
    }
}

#[test]
fn a_directory_that_cannot_be_read_is_named() {
    let (code, _, err) = zhenping(&["rules", "check", "--rules", "nowhere"], &fixtures());
    assert_eq!(code, 2);
    assert!(err.contains("cannot read nowhere"), "{err}");
}
