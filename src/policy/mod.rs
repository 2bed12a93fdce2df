//! The policy: what stands between the evidence and the decision.
//!
//! [`decide()`] keeps the promises that no rule may break (`DESIGN` §3: no machine rejects a bad
//! rating, a matched applicant is protected), [`Budget`] limits how many bad ratings a day may be
//! withheld, and [`Pending`] lets an undecided hold lapse. All three are pure: they take `now` as an
//! argument and hold no clock, so that a replay of the log decides the same again.

mod budget;
mod calendar;
mod contest;
mod decide;
mod governor;
mod lapse;
mod text;

pub use budget::{Budget, BudgetDecision, BudgetState};
pub use calendar::{Calendar, CalendarError};
pub use contest::Ruling;
pub use decide::{
    AxisEvidence, Correction, Decided, Evidence, Facts, FamilyWeight, Hard, Lead, Learned, NEVER,
    PerSuspicion, Thresholds, WEAK_FAMILIES, decide, is_strong_feature, lead,
};
pub use governor::Governor;
pub use lapse::{Ended, Extension, Held, LapsePolicy, Pending};
pub use text::{CODES, text};
