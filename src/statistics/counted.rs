//! What the fold is fed: the little of each log entry that figures follow from.

use crate::date::Day;
use crate::wire::{Channel, Decision, Origin};

/// One log entry as the statistics see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted<'a> {
    /// A scored rating.
    Rated(Rated<'a>),
    /// A later decision about one.
    Revised(Revised<'a>),
    /// An entry that changes no figure, such as an activation.
    Other {
        /// Its sequence.
        sequence: u64,
    },
}

impl Counted<'_> {
    /// The entry's place in the log.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Rated(rated) => rated.sequence,
            Self::Revised(revised) => revised.sequence,
            Self::Other { sequence } => *sequence,
        }
    }
}

/// A scored rating: its public part alone, so that the figures survive the erasure of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rated<'a> {
    /// Its place in the log, by which later entries name it.
    pub sequence: u64,
    /// The civil day that it counts for.
    pub day: Day,
    /// Where it was given.
    pub channel: Channel,
    /// Chosen by the rater, or filled in by the platform.
    pub origin: Origin,
    /// The decision of revision 0.
    pub decision: Decision,
    /// 1 to 5.
    pub stars: u8,
    /// 1 to 5.
    pub hall_stars: Option<u8>,
    /// 1 to 5 per [`crate::wire::Aspect`], in its order; 0 where absent.
    pub aspects: [u8; 6],
    /// Code of the service matter.
    pub matter: &'a str,
    /// Department code.
    pub department: &'a str,
    /// District code.
    pub district: Option<&'a str>,
    /// Hall code.
    pub hall: Option<&'a str>,
    /// Window code, unique within the department.
    pub window: Option<&'a str>,
    /// Clerk code, unique within the department.
    pub clerk: Option<&'a str>,
    /// Sequence of any earlier rating of the same occasion: the same case, stage and visit, or the
    /// rating that this one supersedes. It is a place in the log and not a pseudonym, so it stays
    /// when pseudonyms are erased.
    pub earlier: Option<u64>,
}

/// A later decision about a rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revised<'a> {
    /// The revision's own place in the log.
    pub sequence: u64,
    /// The rating as it was first entered, its decision of revision 0 included.
    pub rating: Rated<'a>,
    /// Number of the revision, from 1.
    pub revision: u32,
    /// What stands now.
    pub decision: Decision,
    /// Who decided.
    pub by: By,
}

/// Who decided last about a rating. Numbers are part of the snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum By {
    /// The inline verdict, look-back, or a contest of the same occasion.
    #[default]
    Machine = 0,
    /// A hold that nobody decided in time.
    Lapse = 1,
    /// A person.
    Person = 2,
}

impl By {
    pub(super) fn from_bits(bits: u8) -> Self {
        match bits {
            1 => Self::Lapse,
            2 => Self::Person,
            _ => Self::Machine,
        }
    }
}
