//! What the first version of the format wrote is read by every later one. The fixtures are never
//! written again; a change that breaks these tests needs a new kind of record or a new format version.

mod log_support;

use std::path::{Path, PathBuf};

use zhenping::log::entry::Entry;
use zhenping::log::record::Record;
use zhenping::log::{Head, LogReader, verify};

const HEAD: &str = "1e66f845bcff73cb321d4dd35f07e1b6174666e5c1f72cf6633fd380ce9d77fd:5";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/log").join(name)
}

#[test]
fn a_kept_log_still_leads_to_its_head() {
    let head: Head = HEAD.parse().unwrap();
    let report = verify(&fixture("sound"), Some(head), &mut |_| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.head, report.records(), report.segments), (head, 5, 2));
}

#[test]
fn the_damage_in_a_kept_log_is_named() {
    let report = verify(&fixture("damaged"), None, &mut |_| {}).unwrap();
    let damage = report.damage.unwrap();
    assert_eq!(damage.segment, fixture("damaged/00000000000000000000.seg"));
    assert_eq!((damage.offset, damage.sequence), (752, 3));
}

#[test]
fn kept_entries_still_read_as_they_were() {
    let entries = LogReader::open(&fixture("sound")).unwrap().read_from(0).unwrap();
    let entries: Vec<_> = entries.map(|item| item.unwrap().1).take(3).collect();
    insta::assert_debug_snapshot!("log_entries_of_format_1", entries);
}

#[test]
fn a_kept_rating_still_has_its_leaf_and_encodes_to_the_same_fields() {
    let record = Record::parse(log_support::RATING).unwrap();
    assert_eq!(record.leaf().to_string(), "dcd916972030eee2921c7fa4daca359f033d9c78eddcdd985226712cde7d2462");
    let catalogue = log_support::catalogue();
    let entry = log_support::rating(7, &catalogue);
    let encoded = entry.encode(&catalogue);
    match Record::parse(encoded.bytes()).unwrap().entry().unwrap() {
        Entry::Rating(again) => {
            assert_eq!((&again.observation, &again.outcome), (&entry.observation, &entry.outcome));
        }
        other => panic!("{other:?}"),
    }
}
