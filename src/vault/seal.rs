//! Sealing: XChaCha20-Poly1305 under a key of each file's own, which the vault's key seals in turn.
//! Without a file's key nothing in it can be read again, so erasing 32 bytes erases the file.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// Bytes of a nonce. They are drawn at random: at 192 bits they do not repeat.
pub const NONCE_BYTES: usize = 24;
/// Bytes of the tag that shows that nothing was changed.
pub const TAG_BYTES: usize = 16;
/// Bytes of a sealed file key: nonce, key, tag.
pub const SEALED_KEY_BYTES: usize = NONCE_BYTES + 32 + TAG_BYTES;

/// A key that seals and opens.
pub struct Sealer(XChaCha20Poly1305);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// The sealer with this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(&Key::from(*key)))
    }

    /// A sealer with a new random key, and that key sealed by this sealer for `context`.
    pub fn child(&self, context: &[u8]) -> Result<(Self, Vec<u8>), getrandom::Error> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice())?;
        let mut sealed = Vec::with_capacity(SEALED_KEY_BYTES);
        self.seal(&mut sealed, key.as_slice(), context)?;
        Ok((Self::new(&key), sealed))
    }

    /// The sealer whose key this one sealed for `context`; `None` if it did not.
    pub fn open_child(&self, sealed: &[u8], context: &[u8]) -> Option<Self> {
        let opened = Zeroizing::new(self.open(sealed, context)?);
        let mut key = Zeroizing::new([0; 32]);
        (opened.len() == key.len()).then(|| key.copy_from_slice(&opened))?;
        Some(Self::new(&key))
    }

    /// Appends a nonce and the sealed bytes. They open only with the same `context`.
    pub fn seal(&self, out: &mut Vec<u8>, bytes: &[u8], context: &[u8]) -> Result<(), getrandom::Error> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        self.seal_with(nonce, out, bytes, context)
    }

    /// As [`Self::seal`], with a nonce that was drawn for these bytes alone.
    pub fn seal_with(
        &self,
        nonce: [u8; NONCE_BYTES],
        out: &mut Vec<u8>,
        bytes: &[u8],
        context: &[u8],
    ) -> Result<(), getrandom::Error> {
        let sealed = self.0.encrypt(&XNonce::from(nonce), Payload { msg: bytes, aad: context });
        // The cipher refuses only messages of 256 GiB, and callers have checked the length.
        let sealed = sealed.map_err(|_| getrandom::Error::UNSUPPORTED)?;
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(())
    }

    /// Opens what [`Self::seal`] appended; `None` if the key or the context is another, or a byte was
    /// changed.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        self.0.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: context }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_with_the_same_key_and_context_alone() {
        let vault = Sealer::new(&[7; 32]);
        let (file, sealed_key) = vault.child(b"file 1").unwrap();
        assert_eq!(sealed_key.len(), SEALED_KEY_BYTES);
        let mut sealed = Vec::new();
        file.seal(&mut sealed, "很好".as_bytes(), b"R1").unwrap();
        assert_eq!(sealed.len(), NONCE_BYTES + 6 + TAG_BYTES);

        let again = vault.open_child(&sealed_key, b"file 1").unwrap();
        assert_eq!(again.open(&sealed, b"R1").unwrap(), "很好".as_bytes());
        assert!(again.open(&sealed, b"R2").is_none());
        assert!(vault.open(&sealed, b"R1").is_none());
        assert!(vault.open_child(&sealed_key, b"file 2").is_none());
        assert!(Sealer::new(&[8; 32]).open_child(&sealed_key, b"file 1").is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(again.open(&changed, b"R1").is_none());
        }
    }
}
