//! A comment on its way into the vault.

use std::fmt;

use zeroize::Zeroizing;

/// The text of a comment. It can be sealed, and nothing else: it has no `Display`, no `Serialize`
/// and no `Clone`, and its memory is wiped when it goes.
pub struct Comment(Zeroizing<String>);

impl Comment {
    pub(crate) fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text, for the vault's cipher alone.
    pub fn expose_for_sealing(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Comment({} bytes)", self.0.len())
    }
}
