//! Signed evidence: what the desk knows of a confirmed campaign, for those who investigate it.
//!
//! ```json
//! { "content": { … }, "signature": { "algorithm": "ed25519", "public_key": "hex", "value": "hex" } }
//! ```
//!
//! The signature (Ed25519, RFC 8032) is over the bytes of `content` as they stand in the file, so nothing need be
//! brought into a canonical form to check it. Each member names the leaf of its log entry, which ties it to the
//! published ledger.

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Name of the algorithm in the file.
const ALGORITHM: &str = "ed25519";

/// Signs evidence. Its public key is the same as long as the directory's master key is.
#[derive(Clone)]
pub struct EvidenceKey(SigningKey);

/// Signed evidence.
#[derive(Serialize, Deserialize)]
struct Signed<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
    signature: SignatureFields,
}

#[derive(Serialize, Deserialize)]
struct SignatureFields {
    algorithm: String,
    public_key: String,
    value: String,
}

/// Why evidence is not what it says.
#[derive(Debug)]
pub enum EvidenceError {
    /// It is no such file.
    Form(serde_json::Error),
    /// It names another algorithm.
    Algorithm(String),
    /// The public key or the signature is none.
    Encoding(&'static str),
    /// It was signed with another key than the one that is expected.
    OtherKey(String),
    /// The content is not what was signed.
    Changed,
}

impl fmt::Display for EvidenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(error) => write!(f, "this is no signed evidence: {error}"),
            Self::Algorithm(name) => {
                write!(f, "signature.algorithm is {name:?}; this version knows {ALGORITHM}")
            }
            Self::Encoding(field) => write!(f, "signature.{field} is not what it must be"),
            Self::OtherKey(key) => {
                write!(f, "it was signed with the key {key}, which is not the one expected")
            }
            Self::Changed => f.write_str("the content is not what was signed: it was changed since"),
        }
    }
}

impl std::error::Error for EvidenceError {}

impl EvidenceKey {
    /// The key that grows from these bytes.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// Its public half, in hexadecimal digits.
    pub fn public(&self) -> String {
        hex(self.0.verifying_key().as_bytes())
    }

    /// Signs content.
    ///
    /// # Errors
    /// The content cannot be written as JSON.
    pub fn sign(&self, content: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
        let content = serde_json::value::to_raw_value(content)?;
        let value = hex(&self.0.sign(content.get().as_bytes()).to_bytes());
        let signature = SignatureFields { algorithm: ALGORITHM.to_owned(), public_key: self.public(), value };
        serde_json::to_vec(&Signed { content: &content, signature })
    }
}

/// Checks signed evidence; gives its content and the public key that it was signed with.
///
/// # Errors
/// It is not what was signed, or not with `expected`.
pub fn verify(file: &[u8], expected: Option<&str>) -> Result<(serde_json::Value, String), EvidenceError> {
    let Signed { content, signature } = serde_json::from_slice(file).map_err(EvidenceError::Form)?;
    if signature.algorithm != ALGORITHM {
        return Err(EvidenceError::Algorithm(signature.algorithm));
    }
    if expected.is_some_and(|expected| !expected.eq_ignore_ascii_case(&signature.public_key)) {
        return Err(EvidenceError::OtherKey(signature.public_key));
    }
    let key = unhex(&signature.public_key).and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    let key = key.ok_or(EvidenceError::Encoding("public_key"))?;
    let value = unhex(&signature.value).ok_or(EvidenceError::Encoding("value"))?;
    key.verify_strict(content.get().as_bytes(), &Signature::from_bytes(&value))
        .map_err(|_| EvidenceError::Changed)?;
    let content = serde_json::from_str(content.get()).map_err(EvidenceError::Form)?;
    Ok((content, signature.public_key))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_that_was_changed_or_signed_by_somebody_else_is_found_out() {
        let key = EvidenceKey::new([7; 32]);
        let file = key.sign(&serde_json::json!({ "campaign": "C1", "members": [{ "stars": 5 }] })).unwrap();
        let (content, public) = verify(&file, Some(&key.public().to_uppercase())).unwrap();
        assert_eq!((content["campaign"].as_str(), public), (Some("C1"), key.public()));
        let other = EvidenceKey::new([8; 32]).public();
        assert!(matches!(verify(&file, Some(&other)), Err(EvidenceError::OtherKey(_))));
        let text = String::from_utf8(file).unwrap();
        for (from, to) in [("\"stars\":5", "\"stars\":1"), ("C1", "C2"), ("\"stars\":5", "\"stars\": 5")] {
            assert!(
                matches!(verify(text.replace(from, to).as_bytes(), None), Err(EvidenceError::Changed)),
                "{to}"
            );
        }
        assert!(matches!(verify(b"{}", None), Err(EvidenceError::Form(_))));
        let cut = text.replace(&public_of(&text), "abc");
        assert!(matches!(verify(cut.as_bytes(), None), Err(EvidenceError::Encoding("public_key"))));
    }

    fn public_of(text: &str) -> String {
        let file: serde_json::Value = serde_json::from_str(text).unwrap();
        file["signature"]["public_key"].as_str().unwrap().to_owned()
    }
}
