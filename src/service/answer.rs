//! What the service answers, and to whom.

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
pub enum Reply {
    /// A call of its own. If it is dropped uncalled, the service ended before there was an answer.
    Call(Box<dyn FnOnce(Answer) + Send>),
    /// The reader of an ordered stream ([`super::Output`]); the number of the line.
    Line(u64),
}
