//! Ratings for tests and benchmarks of the log, made from a record that is kept in the repository.

use zhenping::catalogue::{Bilingual, Catalogue, Feature, FeatureType, Scope};
use zhenping::log::entry::{Entry, RatingEntry};
use zhenping::log::record::Record;

/// A typical rating's record, as the first version of the format wrote it.
pub const RATING: &[u8] = include_bytes!("../fixtures/log/rating.record");

/// The built-in features, and counters up to the number of slots in [`RATING`].
pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::builtin();
    for number in 0..kept().features.len().saturating_sub(catalogue.len()) {
        let counter = Feature {
            name: format!("counter.number_{number}"),
            kind: if number % 5 == 4 { FeatureType::Float } else { FeatureType::Int },
            scope: Scope::Counter,
            unit: String::new(),
            meaning: Bilingual::default(),
            text: Bilingual::default(),
        };
        catalogue.add(counter).expect("there is room for the counters");
    }
    catalogue
}

/// A typical rating with a `rating_id`, digest and case of its own.
pub fn rating(number: u64, catalogue: &Catalogue) -> RatingEntry {
    let mut entry = kept();
    entry.catalogue = catalogue.version();
    entry.observation.rating_id = format!("R20260301-{number:012}").into();
    entry.observation.digest[..8].copy_from_slice(&number.to_le_bytes());
    if let Some(case) = &mut entry.observation.service.case {
        case.0[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
    entry
}

fn kept() -> RatingEntry {
    match Record::parse(RATING).and_then(|record| record.entry()) {
        Ok(Entry::Rating(entry)) => *entry,
        other => panic!("the kept record is no rating: {other:?}"),
    }
}
