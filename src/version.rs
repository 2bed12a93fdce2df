//! The version of a rule set or model.

/// Version of a rule set or model: the first 8 bytes of its BLAKE3; 16 hex digits on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub [u8; 8]);

impl Version {
    /// The version of these parts: each goes into the hash with its length (64 bits, little-endian)
    /// before it.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self::of_hash(&hasher.finalize())
    }

    /// The version of what has this hash.
    pub fn of_hash(hash: &blake3::Hash) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        Self(first)
    }

    /// Its 16 hex digits.
    pub fn digits(self) -> [u8; 16] {
        // By hand: every verdict has two, and formatting byte by byte costs ten times as much.
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        std::array::from_fn(|i| {
            let byte = self.0[i / 2];
            DIGITS[usize::from(if i % 2 == 0 { byte >> 4 } else { byte & 15 })]
        })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}
