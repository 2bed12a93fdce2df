//! One verdict per `rating_id`, whatever the retries.

use crate::features::aged_map::AgedMap;
use crate::features::case::rating_fingerprint;
use crate::log::{Entry, Log, LogError};
use crate::observation::Observation;

/// How a rating stands to one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquaintance {
    /// There was none.
    New,
    /// It is the same rating again.
    Repeat,
    /// The id was used for other content.
    Conflict,
}

/// Digests of the ratings taken of late; those on their way to the log are always among them.
#[derive(Debug)]
pub struct KnownRatings {
    recent: AgedMap<[u8; 16]>,
}

impl KnownRatings {
    /// Remembers at least `in_flight` ratings.
    pub fn new(in_flight: usize) -> Self {
        Self { recent: AgedMap::new(in_flight.saturating_mul(2)) }
    }

    /// Says whether the rating was taken before, and notes it if it was not.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn meet(&mut self, o: &Observation, log: &dyn Log) -> Result<Acquaintance, LogError> {
        let fingerprint = rating_fingerprint(&o.rating_id);
        if let Some(digest) = self.recent.peek(fingerprint) {
            return Ok(compare(digest, &o.digest));
        }
        if let Some(&sequence) = log.find_rating(&o.rating_id)?.first() {
            match log.read(sequence)? {
                Some(Entry::Rating(entry)) => return Ok(compare(&entry.observation.digest, &o.digest)),
                // The digest went with the erasable part; the id alone says that it was answered.
                Some(_) => return Ok(Acquaintance::Repeat),
                None => {}
            }
        }
        self.recent.insert(fingerprint, o.digest);
        Ok(Acquaintance::New)
    }
}

fn compare(first: &[u8; 16], again: &[u8; 16]) -> Acquaintance {
    if first == again { Acquaintance::Repeat } else { Acquaintance::Conflict }
}
