//! Keyed pseudonyms: raw identifiers end here.
//!
//! An identifier is brought into one form ([`Kind::canonical`]) and hashed with keyed BLAKE3 under
//! a key of its own kind, so that equal identifiers give equal pseudonyms within a kind and never
//! across kinds. Who lacks the key can neither reverse a pseudonym nor test a guess: an id number
//! or a phone number alone would fall to a dictionary within minutes. Pseudonyms remain personal
//! information all the same, and are treated so.
//!
//! Keys have **epochs** ([`Keyring`]): a rotation begins a new one with a fresh secret and keeps the one
//! before, so that look-ups work across the border; the epoch before that is destroyed, and with it
//! the link from its pseudonyms to people.

mod canonical;
mod comment;
mod keyfile;
mod keyring;

pub(crate) use canonical::narrowed;
pub use canonical::{Form, Kind, Unusable};
pub use comment::Comment;
pub use keyfile::{KeyError, KeyFile, MIN_EPOCH_DAYS};
pub use keyring::{Epoch, EpochKeys, Keyring, MasterKey};

/// A keyed pseudonym of 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pseudonym(pub [u8; 16]);

impl Pseudonym {
    /// The first 64 bits, never 0: the key under which state is kept.
    pub fn key(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(first).max(1)
    }
}

impl std::fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in &self.0[..4] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…")
    }
}
