//! Maps whose keys are hashes already.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map from hashes.
pub type HashedMap<V> = HashMap<u64, V, BuildHasherDefault<AsItIs>>;

/// Takes a key for its own hash.
#[derive(Debug, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        // The table takes its buckets from the low bits and its tags from the high ones.
        self.0 = key ^ key.rotate_right(29);
    }
}
