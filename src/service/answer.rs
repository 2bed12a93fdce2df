//! What the service answers, and to whom.

use tokio::sync::oneshot;

use crate::rating::RatingError;

/// What became of one rating.
#[derive(Debug)]
pub enum Answer {
    /// The verdict as JSON. It is durable.
    Verdict(Vec<u8>),
    /// A rating with this id and other content was answered before.
    Conflict {
        /// The id in question.
        rating_id: String,
    },
    /// A required field is missing or wrong.
    Invalid(RatingError),
    /// The queue is full.
    Shed {
        /// When to come again, in seconds.
        retry_after_s: u32,
    },
    /// The service is stopping, or has lost its log.
    Stopping,
}

/// Who waits for an answer.
#[derive(Debug)]
pub enum Reply {
    /// A call of its own.
    Call(oneshot::Sender<Answer>),
    /// The reader of an ordered stream ([`super::Output`]); the number of the line.
    Line(u64),
}
