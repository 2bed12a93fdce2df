//! Words that go with an act of review, sealed for the log.

use base64ct::{Base64Unpadded, Encoding};

use super::seal::Sealer;

/// Seals what reviewers and appellants write. The log keeps it sealed; only the service that has the
/// directory's key opens it, for the view of somebody who may see it.
pub struct WordsKey(Sealer);

impl WordsKey {
    /// The key made of these bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Sealer::new(key))
    }

    /// Words about a rating, sealed, in base 64.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn seal(&self, words: &str, rating_id: &str) -> Result<String, getrandom::Error> {
        let mut sealed = Vec::new();
        self.0.seal(&mut sealed, words.as_bytes(), rating_id.as_bytes())?;
        Ok(Base64Unpadded::encode_string(&sealed))
    }

    /// What was sealed about this rating; `None` if it was with another key, about another, or was changed.
    pub fn open(&self, sealed: &str, rating_id: &str) -> Option<String> {
        let sealed = Base64Unpadded::decode_vec(sealed).ok()?;
        String::from_utf8(self.0.open(&sealed, rating_id.as_bytes())?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_open_with_their_key_for_their_rating_alone() {
        let key = WordsKey::new(&[7; 32]);
        let sealed = key.seal("电话 13800138000", "r-1").unwrap();
        assert!(!sealed.contains("138"));
        assert_eq!(key.open(&sealed, "r-1").as_deref(), Some("电话 13800138000"));
        assert_eq!(key.open(&sealed, "r-2"), None);
        assert_eq!(WordsKey::new(&[8; 32]).open(&sealed, "r-1"), None);
        assert_eq!(key.open("", "r-1"), None);
        assert_eq!(key.open("?", "r-1"), None);
    }
}
