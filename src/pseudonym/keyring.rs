//! The keys: a root that never changes, and epochs that do.
//!
//! - Everything that must outlive a rotation hangs on the **root**: digests (a repeat sent after a
//!   rotation is still a repeat), the hashes of texts and device profiles (they identify nobody), and
//!   the keys of the vault and of appeals ([`Keyring::derive`]).
//! - Pseudonyms of people, devices, addresses and cases hang on the current **epoch**. The epoch before
//!   is kept, so that a rating can be looked up under both ([`Keyring::previous`]).

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Form, Kind, MIN_EPOCH_DAYS, Pseudonym};
use crate::time::{DAY_MS, Instant};

/// A visit has at most so many characters.
const MAX_VISIT_CHARS: usize = 64;

/// 32 secret bytes, wiped from memory when dropped.
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Takes 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// 32 fresh bytes from the operating system.
    ///
    /// # Errors
    ///
    /// If the operating system has none to give.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut key = Self([0; 32]);
        for (byte, pair) in key.0.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = (high << 4 | low) as u8;
        }
        Some(key)
    }

    pub(super) fn to_hex(&self) -> zeroize::Zeroizing<String> {
        let mut text = zeroize::Zeroizing::new(String::with_capacity(64));
        for byte in self.0 {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
            }
        }
        text
    }

    /// Another copy, for writing the key file.
    pub(super) fn duplicate(&self) -> Self {
        Self(self.0)
    }

    /// A key for one purpose. The context names the purpose and is not secret.
    fn derive(&self, context: &str) -> [u8; 32] {
        blake3::derive_key(context, &self.0)
    }

    /// Secret seeds of fast hashes.
    fn seeds<const N: usize>(&self, context: &str) -> [u64; N] {
        let bytes = self.derive(context);
        std::array::from_fn(|i| {
            let mut seed = [0; 8];
            seed.copy_from_slice(&bytes[8 * i..8 * i + 8]);
            u64::from_le_bytes(seed)
        })
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for MasterKey {}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// A secret and the number of its epoch, counted from 1.
#[derive(Debug)]
pub struct Epoch {
    /// Number of the epoch.
    pub id: u32,
    /// Its secret.
    pub secret: MasterKey,
}

/// The keys of one epoch, one for each kind of identifier.
pub struct EpochKeys {
    id: u32,
    keys: [[u8; 32]; Kind::COUNT],
    occasion_seed: u64,
}

impl EpochKeys {
    fn new(epoch: &Epoch) -> Self {
        let context = |kind: Kind| match kind {
            Kind::Account => "zhenping 2026 pseudonym of an account",
            Kind::IdNumber => "zhenping 2026 pseudonym of an id number",
            Kind::Phone => "zhenping 2026 pseudonym of a phone number",
            Kind::Fingerprint => "zhenping 2026 pseudonym of a device fingerprint",
            Kind::Ip => "zhenping 2026 pseudonym of an address",
            Kind::Subnet => "zhenping 2026 pseudonym of a subnet",
            Kind::Case => "zhenping 2026 pseudonym of a case",
        };
        Self {
            id: epoch.id,
            keys: Kind::ALL.map(|kind| epoch.secret.derive(context(kind))),
            occasion_seed: epoch.secret.seeds::<1>("zhenping 2026 seed of occasions")[0],
        }
    }

    /// Number of the epoch.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The pseudonym of an identifier in its canonical form (see [`Kind::canonical`]).
    pub fn pseudonym(&self, kind: Kind, form: &[u8]) -> Pseudonym {
        truncated(&self.keys[kind as usize], form)
    }

    /// The pseudonym of this kind, where the rating has such an identifier.
    pub fn pseudonym_in(&self, forms: &Form, kind: Kind) -> Option<Pseudonym> {
        forms.get(kind).map(|form| self.pseudonym(kind, form))
    }

    /// The pseudonym of case, stage and visit together, where the rating has a case. It is made from
    /// the case's pseudonym, which is one-way already, so a fast hash does.
    pub fn occasion_in(&self, forms: &Form, case: Option<Pseudonym>) -> Option<Pseudonym> {
        let mut input = [0; 16 + 1 + 4 * MAX_VISIT_CHARS];
        let (head, tail) = input.split_at_mut(16);
        head.copy_from_slice(&case?.0);
        let occasion = forms.occasion();
        let length = occasion.len().min(tail.len());
        tail[..length].copy_from_slice(&occasion[..length]);
        let hash = xxhash_rust::xxh3::xxh3_128_with_seed(&input[..16 + length], self.occasion_seed);
        Some(Pseudonym(hash.to_le_bytes()))
    }
}

impl Drop for EpochKeys {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

impl std::fmt::Debug for EpochKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EpochKeys({}, …)", self.id)
    }
}

/// All keys of a deployment. Make it once and share it: it is read only.
#[derive(Debug)]
pub struct Keyring {
    root: MasterKey,
    current: EpochKeys,
    previous: Option<EpochKeys>,
    /// Until when names of the epoch before are linked.
    linked_until: Option<Instant>,
    digest: MasterKey,
    text: MasterKey,
    digest_seed: u64,
    profile_seed: u64,
    gram_seeds: [u64; 2],
}

impl Keyring {
    /// Derives all keys.
    pub fn new(root: MasterKey, current: &Epoch, previous: Option<&Epoch>) -> Self {
        let [digest_seed, profile_seed, gram_xor, gram_multiplier] =
            root.seeds("zhenping 2026 seeds of digests, profiles and n-grams");
        Self {
            current: EpochKeys::new(current),
            previous: previous.map(EpochKeys::new),
            linked_until: None,
            digest: MasterKey(root.derive("zhenping 2026 digest of a rating")),
            text: MasterKey(root.derive("zhenping 2026 hash of a normalised comment")),
            digest_seed,
            profile_seed,
            gram_seeds: [gram_xor, gram_multiplier],
            root,
        }
    }

    /// One master key for everything, with a single epoch; such a ring cannot be rotated.
    pub fn from_master(master: MasterKey) -> Self {
        let secret = MasterKey(master.derive("zhenping 2026 first epoch of a single master key"));
        Self::new(master, &Epoch { id: 1, secret }, None)
    }

    /// The public ring of `score` without a data directory: two runs anywhere give the same bytes.
    /// **Everyone knows its key**, so its pseudonyms protect nobody; nothing made with it may be kept.
    pub fn public() -> Self {
        Self::from_master(MasterKey(*blake3::hash(b"zhenping: this key is public").as_bytes()))
    }

    /// The keys that new pseudonyms are made with.
    pub fn current(&self) -> &EpochKeys {
        &self.current
    }

    /// The keys of the epoch before, while there is one.
    pub fn previous(&self) -> Option<&EpochKeys> {
        self.previous.as_ref()
    }

    /// Says when the current epoch began: its names are linked to those of the epoch before for
    /// [`MIN_EPOCH_DAYS`], the log's retention, after which nothing is kept under those.
    #[must_use]
    pub fn begun(mut self, at: Instant) -> Self {
        self.linked_until = Some(Instant(at.ms() + MIN_EPOCH_DAYS * DAY_MS));
        self
    }

    /// The keys of the epoch before, if a rating submitted then is to be linked to what that epoch named.
    pub fn linking_at(&self, submitted_at: Instant) -> Option<&EpochKeys> {
        self.previous.as_ref().filter(|_| self.linked_until.is_none_or(|until| submitted_at < until))
    }

    /// The pseudonym of one raw identifier in the current epoch, for reference tables and lists.
    ///
    /// # Errors
    ///
    /// If it identifies nothing.
    pub fn pseudonym(&self, kind: Kind, raw: &str) -> Result<Pseudonym, super::Unusable> {
        let mut forms = Form::default();
        forms.add(kind, raw)?;
        Ok(self.current.pseudonym(kind, forms.get(kind).unwrap_or_default()))
    }

    /// A secret for another purpose (the vault, appeals), which survives rotations. The context must
    /// be unique to the purpose and never change.
    pub fn derive(&self, context: &str) -> [u8; 32] {
        self.root.derive(context)
    }

    /// Digest of a rating's canonical bytes: a fast hash under a secret seed, made one-way by BLAKE3. Who
    /// lacks the seed cannot look for two contents of one digest.
    pub(crate) fn digest(&self, canonical: &[u8]) -> [u8; 16] {
        let hash = xxhash_rust::xxh3::xxh3_128_with_seed(canonical, self.digest_seed);
        truncated(&self.digest.0, &hash.to_le_bytes()).0
    }

    pub(crate) fn text(&self, normalised: &str) -> Pseudonym {
        truncated(&self.text.0, normalised.as_bytes())
    }

    /// Keyed hash of what describes a device but identifies nobody: fast rather than one-way.
    pub(crate) fn profile(&self, canonical: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(canonical, self.profile_seed)
    }

    pub(crate) fn gram_seeds(&self) -> [u64; 2] {
        self.gram_seeds
    }
}

fn truncated(key: &[u8; 32], input: &[u8]) -> Pseudonym {
    let mut first = [0; 16];
    first.copy_from_slice(&blake3::keyed_hash(key, input).as_bytes()[..16]);
    Pseudonym(first)
}
