use std::fs;

use tempfile::TempDir;

use super::*;

const KEY: [u8; 32] = [9; 32];

fn at(day: i64) -> Instant {
    Instant(day * DAY_MS + 5)
}

fn open(dir: &TempDir) -> Vault {
    Vault::open(dir.path(), &KEY).unwrap()
}

fn paths(dir: &TempDir) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|item| item.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn a_comment_comes_back_before_and_after_a_restart_and_is_nowhere_in_the_clear() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(&dir);
    vault.append_group(&[("R1", "窗口态度很差"), ("R2", "")], at(20_500)).unwrap();
    vault.append_group(&[], at(20_500)).unwrap();
    vault.append_group(&[("R3", "等了三个小时")], at(20_501)).unwrap();
    vault.append_group(&[("R1", "窗口态度很差，已解决")], at(20_501)).unwrap();
    let check = |vault: &Vault| {
        assert_eq!(vault.comment("R1").unwrap().as_deref(), Some("窗口态度很差，已解决"));
        assert_eq!(vault.comment("R2").unwrap().as_deref(), Some(""));
        assert_eq!(vault.comment("R3").unwrap().as_deref(), Some("等了三个小时"));
        assert_eq!(vault.comment("R4").unwrap(), None);
    };
    check(&vault);
    drop(vault);
    check(&open(&dir));
    assert_eq!(paths(&dir).len(), 2);
    for path in paths(&dir) {
        let bytes = fs::read(path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == "态度".as_bytes()));
    }
}

#[test]
fn another_key_opens_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    open(&dir).append_group(&[("R1", "好")], at(1)).unwrap();
    let refused = Vault::open(dir.path(), &[1; 32]).unwrap_err();
    assert!(matches!(refused, VaultError::OtherKey { .. }), "{refused}");
}

#[test]
fn the_horizon_erases_all_but_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(&dir);
    for day in 100..104 {
        let ids: Vec<_> = (0..100).map(|number| format!("R{day}-{number}")).collect();
        let comments: Vec<_> = ids.iter().map(|id| (id.as_str(), "comment")).collect();
        vault.append_group(&comments, at(day)).unwrap();
    }
    let keep = |rating_id: &str| rating_id.ends_with("-7");
    assert_eq!(vault.erase_before(at(102), &keep).unwrap(), Erased { erased: 198, kept: 2 });
    assert_eq!(vault.erase_before(at(102), &keep).unwrap(), Erased::default());
    let check = |vault: &Vault| {
        for day in 100..104 {
            for number in 0..100 {
                let found = vault.comment(&format!("R{day}-{number}")).unwrap().is_some();
                assert_eq!(found, day >= 102 || number == 7, "{day} {number}");
            }
        }
    };
    check(&vault);
    drop(vault);
    let vault = open(&dir);
    check(&vault);
    // With everything before a day without ratings gone, the kept ones move to that day.
    assert_eq!(vault.erase_before(at(200), &keep).unwrap(), Erased { erased: 198, kept: 4 });
    assert_eq!(paths(&dir).len(), 1);
    assert_eq!(vault.comment("R100-7").unwrap().as_deref(), Some("comment"));
    assert_eq!(vault.erase_before(at(201), &|_| false).unwrap(), Erased { erased: 4, kept: 0 });
    assert!(paths(&dir).is_empty());
}

#[test]
fn a_file_whose_key_was_erased_before_a_crash_is_removed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    open(&dir).append_group(&[("R1", "好")], at(1)).unwrap();
    let path = &paths(&dir)[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[..96].fill(0);
    fs::write(path, &bytes).unwrap();
    assert_eq!(open(&dir).comment("R1").unwrap(), None);
    assert!(paths(&dir).is_empty());
}

#[test]
fn a_file_cut_at_any_byte_keeps_the_comments_that_are_whole() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(&dir);
    vault.append_group(&[("R1", "一"), ("R2", "二")], at(1)).unwrap();
    vault.append_group(&[("R3", "三")], at(1)).unwrap();
    drop(vault);
    let path = paths(&dir).remove(0);
    let bytes = fs::read(&path).unwrap();
    let record = (bytes.len() - 96) / 3;
    for len in 96..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        let vault = open(&dir);
        for (nth, id) in ["R1", "R2", "R3"].into_iter().enumerate() {
            assert_eq!(vault.comment(id).unwrap().is_some(), len >= 96 + record * (nth + 1), "{len} {id}");
        }
        vault.append_group(&[("R4", "四")], at(1)).unwrap();
        drop(vault);
        assert_eq!(open(&dir).comment("R4").unwrap().as_deref(), Some("四"));
    }
}

#[test]
fn a_changed_byte_is_named_and_the_file_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    open(&dir).append_group(&[("R1", "一"), ("R2", "二")], at(1)).unwrap();
    let path = paths(&dir).remove(0);
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        let error = Vault::open(dir.path(), &KEY).unwrap_err();
        assert!(matches!(error, VaultError::Damaged(_)), "byte {at}: {error}");
        assert_eq!(fs::read(&path).unwrap(), changed);
    }
}

#[test]
fn what_is_too_long_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(&dir);
    let long = "长".repeat(MAX_COMMENT_BYTES / 3 + 1);
    let refused = vault.append_group(&[("R1", "好"), ("R2", &long)], at(1)).unwrap_err();
    assert_eq!(refused.to_string(), "a comment of 8001 bytes exceeds the limit of 8000");
    let long = "R".repeat(129);
    assert!(vault.append_group(&[(&long, "好")], at(1)).is_err());
    assert_eq!(vault.comment("R1").unwrap(), None);
    let longest = "😀".repeat(2000);
    vault.append_group(&[("R3", &longest)], at(1)).unwrap();
    assert_eq!(vault.comment("R3").unwrap(), Some(longest));
}
