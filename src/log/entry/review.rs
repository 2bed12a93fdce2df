//! What people did about a rating: claims, decisions, appeals. What changes in the figures stands in a
//! [`super::RevisionEntry`] of its own right behind the decision that took effect.

use compact_str::CompactString;

use crate::time::Instant;
use crate::wire::ReviewOutcome;

/// One act of a person, or of somebody from outside, about a rating.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewEntry {
    /// The rating.
    pub rating_id: CompactString,
    /// Sequence of the rating's entry.
    pub rating_sequence: u64,
    /// What was done.
    pub act: Act,
    /// Code of the reason that was chosen; empty where none is asked for.
    pub reason: CompactString,
    /// Name of the account that did it; empty for [`Act::Appeal`] and [`Act::Callback`], which come from outside.
    pub by: CompactString,
    /// When.
    pub at: Instant,
    /// What was said; `None` where nothing was, or once it is erased.
    pub words: Option<Words>,
}

/// What a person wrote, sealed: the erasable part of a [`ReviewEntry`]. People write names and numbers into
/// such fields, and nothing personal stands in the log in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The text, at most [`WORDS_CHARS_MAX`] characters, under the key of [`crate::vault::WordsKey`].
    pub sealed: String,
    /// Key-derived bytes that nobody can guess, so that the hash of erased words tells nothing.
    pub nonce: [u8; 16],
}

/// Longest text that goes with an act, in characters.
pub const WORDS_CHARS_MAX: usize = 2_000;

impl Words {
    /// Sealed words about the rating with this keyed digest, at this place in the log.
    pub fn new(sealed: String, digest: &[u8; 16], sequence: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("zhenping log review nonce v1");
        hasher.update(digest).update(&sequence.to_le_bytes());
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self { sealed, nonce }
    }
}

/// What was done about a rating. Numbers are part of the log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Somebody takes the case, alone, until then.
    Claim {
        /// When the claim ends by itself.
        until: Instant,
    },
    /// Gives it back undecided.
    Release,
    /// Decides. Excluding a bad rating takes two people: the first decision then waits for the second.
    Decide(ReviewOutcome),
    /// Hands it to somebody else to decide.
    Escalate,
    /// Puts it back for others: something is missing to decide it.
    Return,
    /// Wants more time for a held bad rating. It takes two people.
    Extend,
    /// Takes back the decision made last.
    Undo,
    /// Asks the hotline to call the rater back.
    AskCallback,
    /// What the call found.
    Callback(CallbackResult),
    /// Whoever was excluded asks to have it looked at by somebody else.
    Appeal,
}

impl Act {
    /// Its name, for metrics and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claim { .. } => "claim",
            Self::Release => "release",
            Self::Decide(ReviewOutcome::Clear) => "clear",
            Self::Decide(ReviewOutcome::Confirm) => "confirm",
            Self::Decide(ReviewOutcome::Mistaken) => "mistaken",
            Self::Escalate => "escalate",
            Self::Return => "return",
            Self::Extend => "extend",
            Self::Undo => "undo",
            Self::AskCallback => "ask-callback",
            Self::Callback(_) => "callback",
            Self::Appeal => "appeal",
        }
    }
}

/// What a call back to the rater found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CallbackResult {
    /// Nobody answered.
    NotReached = 0,
    /// The rater confirms the rating.
    Confirms = 1,
    /// The rater did not give it, or meant other stars.
    Denies = 2,
    /// Reached, and neither.
    Unclear = 3,
}

impl CallbackResult {
    /// The finding with this number.
    pub fn from_index(index: u8) -> Option<Self> {
        [Self::NotReached, Self::Confirms, Self::Denies, Self::Unclear].get(usize::from(index)).copied()
    }
}
