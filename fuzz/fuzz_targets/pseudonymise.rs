//! No rating makes the step to an observation panic; it is the same every time; and an epoch before
//! changes nothing but names.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use zhenping::pseudonym::{Epoch, Keyring, MasterKey};
use zhenping::rating;

static BEFORE: LazyLock<Keyring> = LazyLock::new(|| Keyring::new(root(), &epoch(1), None));
static AFTER: LazyLock<Keyring> = LazyLock::new(|| Keyring::new(root(), &epoch(2), Some(&epoch(1))));

fn root() -> MasterKey {
    MasterKey::new([7; 32])
}

fn epoch(id: u32) -> Epoch {
    Epoch { id, secret: MasterKey::new([id as u8; 32]) }
}

fuzz_target!(|line: &[u8]| {
    let Ok(rating) = rating::parse(line) else { return };
    let (old, _) = BEFORE.pseudonymise(rating.clone());
    assert_eq!(old, BEFORE.pseudonymise(rating.clone()).0);
    let (new, previous, comment) = AFTER.pseudonymise_both(rating);
    let previous = previous.expect("there is an epoch before");
    assert_eq!((old.digest, &old.text), (new.digest, &new.text));
    assert_eq!((previous.rater, previous.occasion), (old.rater.id, old.service.occasion));
    assert_eq!(comment.is_some(), new.text.is_some());
});
