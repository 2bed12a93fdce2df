use proptest::prelude::*;

use super::super::frame::FRAME_BYTES;
use super::samples::{any_entry, any_rating, any_revision, catalogue, typical};
use super::*;
use crate::log::entry::{Comparison, LearningStep};
use crate::time::Instant;
use crate::version::Version;

fn encode(entry: &Entry) -> EncodedRecord {
    match entry {
        Entry::Rating(entry) => entry.encode(&catalogue()),
        Entry::Revision(entry) => entry.encode(),
        Entry::Activation(entry) => entry.encode(),
        Entry::Review(entry) => entry.encode(),
        Entry::Learning(entry) => entry.encode(),
        Entry::Erased(_) | Entry::Unknown { .. } => unreachable!("not generated"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_entry_comes_back_as_it_was(entry in any_entry()) {
        let encoded = encode(&entry);
        let record = Record::parse(encoded.bytes()).unwrap();
        prop_assert_eq!(record.leaf(), encoded.leaf());
        prop_assert_eq!(record.keys().unwrap(), encoded.keys());
        prop_assert_eq!(record.entry().unwrap(), entry);
    }

    #[test]
    fn erasing_a_rating_leaves_its_public_part_and_its_leaf(entry in any_rating()) {
        let encoded = entry.encode(&catalogue());
        let erased = Record::parse(encoded.bytes()).unwrap().erase();
        let record = Record::parse(&erased).unwrap();
        prop_assert_eq!(record.leaf(), encoded.leaf());
        prop_assert_eq!(record.rating().unwrap(), Some(entry.public()));
        prop_assert_eq!(record.entry().unwrap(), Entry::Erased(entry.public()));
        prop_assert_eq!(record.keys().unwrap(), RecordKeys { case: None, ..encoded.keys() });
        prop_assert_eq!(record.erase(), erased.clone());
        let digest = entry.observation.digest;
        prop_assert!(!erased.windows(16).any(|bytes| bytes == digest), "the digest is gone");
    }

    #[test]
    fn erasing_a_revision_leaves_what_statistics_need(entry in any_revision()) {
        let encoded = entry.encode();
        let erased = Record::parse(encoded.bytes()).unwrap().erase();
        let record = Record::parse(&erased).unwrap();
        prop_assert_eq!(record.leaf(), encoded.leaf());
        let left = RevisionEntry { evidence: None, ..entry };
        prop_assert_eq!(record.entry().unwrap(), Entry::Revision(Box::new(left)));
    }

    #[test]
    fn bytes_that_were_changed_are_an_error_or_another_leaf(entry in any_entry(), at: prop::sample::Index, change in 1..=255_u8) {
        let encoded = encode(&entry);
        let mut bytes = encoded.bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        if let Ok(record) = Record::parse(&bytes) {
            let _ = (record.entry(), record.keys(), record.rating());
            prop_assert_ne!(record.leaf(), encoded.leaf());
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
        if let Ok(record) = Record::parse(&bytes) {
            let _ = (record.entry(), record.keys(), record.leaf());
        }
    }
}

#[test]
fn a_kind_of_a_later_version_is_skipped_but_has_a_leaf() {
    let bytes = [9, 0, 3, 1, 2, 3, 4, 5];
    let record = Record::parse(&bytes).unwrap();
    assert_eq!(record.entry().unwrap(), Entry::Unknown { kind: 9 });
    assert_eq!(record.leaf(), Digest::leaf(9, &[1, 2, 3], Digest::of(&[4, 5])));
}

#[test]
fn a_step_of_learning_has_the_bytes_that_the_format_says() {
    let step = LearningStep::Dropped(Comparison { decisions: 100, weight: 109.0, with: 0.5, without: 0.25 });
    let entry = LearningEntry { number: 300, version: Version([9; 8]), step, at: Instant(-1) };
    let mut bytes = vec![7, 0, 25, 0xac, 2];
    bytes.extend([9; 8]);
    bytes.extend([1, 2, 100]);
    bytes.extend([109.0_f32, 0.5, 0.25].iter().flat_map(|number| number.to_le_bytes()));
    assert_eq!(entry.encode().bytes(), bytes);
    let published = LearningStep::Published { contents: vec![5, 6] };
    let entry = LearningEntry { step: published, ..entry };
    assert_eq!(entry.encode().bytes()[14..], [0, 2, 5, 6]);
    let mut unknown = entry.encode().bytes().to_vec();
    unknown[14] = 3;
    assert!(Record::parse(&unknown).unwrap().entry().is_err());
}

#[test]
fn a_typical_rating_takes_at_most_450_bytes() {
    let catalogue = catalogue();
    let mut entry = typical(7, &catalogue);
    assert_eq!(catalogue.iter().filter(|(id, _)| entry.features.is_present(*id)).count(), 45);
    let len = entry.encode(&catalogue).bytes().len();
    assert!(len <= 450, "{len} bytes and {FRAME_BYTES} of framing");

    // What a rating can have besides: another id, a long comment, a hall, aspects, two more reasons.
    entry.observation.rater.person = Some(Pseudonym([3; 16]));
    entry.observation.text.as_mut().unwrap().minhash = Some([u32::MAX; 8]);
    entry.observation.hall_stars = Some(5);
    entry.observation.aspects = [5; 6];
    let reason = entry.outcome.reasons[0].clone();
    entry.outcome.reasons.extend([reason.clone(), reason]);
    let len = entry.encode(&catalogue).bytes().len();
    assert!(len <= 550 - FRAME_BYTES, "{len} bytes and {FRAME_BYTES} of framing");
}
