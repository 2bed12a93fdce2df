//! No line makes the parser panic, and what it says of a line never quotes it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zhenping::rating::{self, MAX_RATING_BYTES};

fuzz_target!(|line: &[u8]| {
    match rating::parse(line) {
        Ok(rating) => {
            assert!((1..=5).contains(&rating.stars));
            assert!((1..=128).contains(&rating.rating_id.len()));
            assert!(rating.tags.as_ref().is_none_or(|tags| tags.len() <= 20));
            let comment = rating.comment.as_ref();
            assert!(comment.is_none_or(|comment| comment.text.chars().count() <= 2000));
            // At most one warning per field, one for a cut, one for damage, one for the line.
            assert!(rating.warnings.len() <= 2 * rating::fields().len() + 1);
        }
        Err(error) => assert!(error.to_string().len() < 400 || line.len() > MAX_RATING_BYTES),
    }
});
