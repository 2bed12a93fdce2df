//! The log: one total order of entries, of which everything else is a fold.

pub mod chain;
mod codec;
pub mod entry;
pub mod record;

pub use chain::{Digest, Head};
pub use codec::DecodeError;
pub use entry::Entry;
pub use record::{EncodedRecord, Record};
