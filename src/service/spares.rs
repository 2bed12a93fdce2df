//! Memory that answered ratings leave behind for the next ones.
//!
//! A rating's memory is allocated by a worker and would be freed by the committer, which costs an
//! allocator's most expensive path a dozen times a rating. It goes back to the workers instead.

use std::sync::Mutex;

use super::intake::lock;
use crate::scoring::Spare;

/// Buffers of a rating: its record's and its verdict's.
const BUFFERS: usize = 2;
/// A buffer that grew beyond this is not kept.
const MOST_BUFFER_BYTES: usize = 1 << 14;

/// What is kept, for at most so many ratings.
pub(super) struct Spares {
    kept: Mutex<Kept>,
    most: usize,
}

/// Spare memory on its way from one rating to another.
#[derive(Default)]
pub(super) struct Kept {
    prepared: Vec<Spare>,
    buffers: Vec<Vec<u8>>,
}

impl Spares {
    /// Keeps nothing yet, and never more than for `most` ratings.
    pub fn new(most: usize) -> Self {
        Self { kept: Mutex::default(), most }
    }

    /// Memory for so many ratings, as far as there is some.
    pub fn take(&self, ratings: usize) -> Kept {
        let mut kept = lock(&self.kept);
        let prepared = kept.prepared.len().saturating_sub(ratings);
        let buffers = kept.buffers.len().saturating_sub(ratings * BUFFERS);
        Kept { prepared: kept.prepared.split_off(prepared), buffers: kept.buffers.split_off(buffers) }
    }

    /// Takes memory back.
    pub fn give(&self, mut spare: Kept) {
        let mut kept = lock(&self.kept);
        spare.prepared.truncate(self.most.saturating_sub(kept.prepared.len()));
        spare.buffers.truncate((self.most * BUFFERS).saturating_sub(kept.buffers.len()));
        kept.prepared.append(&mut spare.prepared);
        kept.buffers.append(&mut spare.buffers);
        // What did not fit is freed after the lock.
        drop(kept);
    }
}

impl Kept {
    /// Memory for a rating that is to be prepared.
    pub fn prepared(&mut self) -> Spare {
        self.prepared.pop().unwrap_or_default()
    }

    /// An empty buffer.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    /// Keeps what a rating was prepared in.
    pub fn keep(&mut self, spare: Spare) {
        self.prepared.push(spare);
    }

    /// Keeps a buffer.
    pub fn keep_buffer(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MOST_BUFFER_BYTES {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }
}
