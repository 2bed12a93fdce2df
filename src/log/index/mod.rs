//! Where records are: by sequence, by rating, by case.
//!
//! The active segment has its index in memory ([`MemoryIndex`]); a sealed one has it in a file beside
//! it ([`MappedIndex`]), rebuilt from the segment whenever it is missing or wrong. A [`KeyFilter`] over
//! all sealed segments answers for the great majority of look-ups, which find nothing.

mod filter;
mod mapped;
mod memory;

pub use filter::{Generation, KeyFilter};
pub use mapped::{MappedIndex, write as write_index};
pub use memory::MemoryIndex;

/// Which of a record's two keys is meant. The numbers keep both apart in one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum KeyKind {
    /// The fingerprint of a `rating_id`.
    Rating = 0x8000_0001_0000_0001,
    /// The fingerprint of a case.
    Case = 0x4000_0000_8000_0003,
}
