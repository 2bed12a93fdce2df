//! Review: what people decide about held ratings.
//!
//! An act (a claim, a decision, an appeal) is an entry of the log like any other; [`case`] says what stands of
//! one case, from the entries about its rating alone. What the desk lists and draws comes from a projection
//! of the log that can be deleted at any time.

pub mod case;
pub mod drawing;
pub mod evidence;
pub mod mask;
pub mod picture;
pub mod projection;
pub mod reasons;
mod refusal;
pub mod traces;

pub use case::{CaseState, Effect, ReviewTimes};
pub use refusal::Refusal;
