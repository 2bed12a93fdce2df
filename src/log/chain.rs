//! Hashes: the leaf of a record and the chain over leaves.
//!
//! ```text
//! leaf_i  = H(public_i ‖ H(erasable_i))          public_i begins with the record's kind
//! chain_i = H(chain_{i-1} ‖ leaf_i)              chain before the first record: 32 zero bytes
//! ```
//!
//! A record holds neither its sequence nor the hash before it: both are folds in log order.

use std::fmt;
use std::str::FromStr;

/// Number of the hash algorithm in segment headers: BLAKE3, 256 bits.
pub const BLAKE3_256: u8 = 1;

/// A 256-bit hash; 64 hex digits for people.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The chain before the first record of a log.
    pub const GENESIS: Self = Self([0; 32]);

    /// The hash of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The chain hash after a record with this leaf, where `self` is the one before it.
    #[must_use]
    pub fn link(self, leaf: Self) -> Self {
        let mut both = [0; 64];
        both[..32].copy_from_slice(&self.0);
        both[32..].copy_from_slice(&leaf.0);
        Self::of(&both)
    }

    /// The leaf of a record of this kind, from its public part and the hash of its erasable part.
    pub fn leaf(kind: u8, public: &[u8], erasable: Self) -> Self {
        // One call on contiguous bytes costs half of a streaming hasher for the few hundred that a
        // rating has; only activations are longer than the buffer.
        let mut buffer = [0; 512];
        let len = 1 + public.len() + 32;
        if let Some(input) = buffer.get_mut(..len) {
            input[0] = kind;
            input[1..=public.len()].copy_from_slice(public);
            input[1 + public.len()..].copy_from_slice(&erasable.0);
            return Self::of(input);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[kind]).update(public).update(&erasable.0);
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a hash has 64 hex digits";
        let mut digest = [0; 32];
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(WRONG);
        }
        for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| WRONG)?;
        }
        Ok(Self(digest))
    }
}

/// A place in the log that vouches for all before it: the next sequence and the chain hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Sequence that the next record gets; the number of records since the log began.
    pub next_sequence: u64,
    /// Chain hash after the last record.
    pub chain: Digest,
}

impl Head {
    /// The head of a log without records.
    pub const GENESIS: Self = Self { next_sequence: 0, chain: Digest::GENESIS };

    /// The head after one more record.
    #[must_use]
    pub fn after(self, leaf: Digest) -> Self {
        Self { next_sequence: self.next_sequence + 1, chain: self.chain.link(leaf) }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.chain, self.next_sequence)
    }
}

impl FromStr for Head {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (chain, sequence) = text.split_once(':').ok_or("a head is written HASH:SEQUENCE")?;
        let next_sequence =
            sequence.parse().map_err(|_| "the sequence after the colon is not a whole number")?;
        Ok(Self { next_sequence, chain: chain.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_from_what_it_prints() {
        let head = Head::GENESIS.after(Digest::of(b"leaf"));
        assert_eq!(head.to_string().parse(), Ok(head));
        for bad in ["", "12", "zz:1", ":1", &format!("{}:x", head.chain), &format!("é{}:1", "0".repeat(62))]
        {
            assert!(bad.parse::<Head>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_long_public_part_has_the_leaf_that_the_formula_gives() {
        for len in [0, 3, 478, 479, 480, 5000] {
            let public = vec![7; len];
            let erasable = Digest::of(b"erasable");
            let formula = [&[1][..], &public, &erasable.0].concat();
            assert_eq!(Digest::leaf(1, &public, erasable), Digest::of(&formula));
        }
    }
}
