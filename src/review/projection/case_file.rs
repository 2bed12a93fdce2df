//! What the projection is given of a case.

use crate::date::Day;
use crate::log::entry::{PublicRating, RatingEntry};
use crate::log::{Entry, LogError};
use crate::time::Instant;

/// A rating as the log has it now.
#[derive(Clone, Debug, PartialEq)]
pub enum CaseRating {
    /// Whole.
    Whole(Box<RatingEntry>),
    /// What is left of it once its erasable part is gone.
    Erased(Box<PublicRating>),
}

impl CaseRating {
    /// The part that is never erased.
    pub fn public(&self) -> PublicRating {
        match self {
            Self::Whole(rating) => rating.public(),
            Self::Erased(public) => PublicRating::clone(public),
        }
    }

    /// The rating, if it is whole.
    pub fn whole(&self) -> Option<&RatingEntry> {
        match self {
            Self::Whole(rating) => Some(rating),
            Self::Erased(_) => None,
        }
    }
}

/// All that the log says about one rating.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseFile {
    /// Sequence of the rating's entry.
    pub sequence: u64,
    /// The rating.
    pub rating: CaseRating,
    /// Its revisions and the acts of review about it, in log order.
    pub entries: Vec<(u64, Entry)>,
}

impl CaseFile {
    /// From all entries about one rating in log order; `None` if no scored rating is among them. A second scored
    /// rating of the same id counts for nothing, here as in every fold.
    pub fn of(entries: impl IntoIterator<Item = (u64, Entry)>) -> Option<Self> {
        let mut file: Option<Self> = None;
        for (sequence, entry) in entries {
            match (&mut file, entry) {
                (None, Entry::Rating(rating)) => {
                    let rating = CaseRating::Whole(rating);
                    file = Some(Self { sequence, rating, entries: Vec::new() });
                }
                (None, Entry::Erased(public)) => {
                    let rating = CaseRating::Erased(Box::new(public));
                    file = Some(Self { sequence, rating, entries: Vec::new() });
                }
                (Some(file), entry @ (Entry::Revision(_) | Entry::Review(_))) => {
                    file.entries.push((sequence, entry));
                }
                _ => {}
            }
        }
        file
    }

    /// The day that the rating counts for.
    pub fn day(&self) -> Day {
        match &self.rating {
            CaseRating::Whole(rating) => rating.day,
            CaseRating::Erased(public) => public.day,
        }
    }
}

/// Gives the projection what the batch alone does not say.
pub trait CaseReader {
    /// All that the log says about a rating, also after the batch; `None` if it has no such rating.
    ///
    /// # Errors
    /// The log cannot be read. Nothing of the batch is applied then.
    fn case(&self, rating_id: &str) -> Result<Option<CaseFile>, LogError>;

    /// The reference that whoever gave the rating can appeal with.
    fn reference(&self, rating_id: &str) -> String;

    /// When somebody should have decided about a case that waits since then.
    fn due(&self, since: Instant) -> Instant;
}
