//! temporary
use crate::log::entry::RatingEntry;
/// t
pub struct Traces;
impl Traces {
    /// t
    pub fn new(_: usize) -> Self { Self }
    /// t
    pub fn push(&mut self, _: u64, _: &RatingEntry) {}
}
