//! What stands in the log. Every entry is self-contained, so that a fold needs no look-ups.

mod learning;
mod review;

use compact_str::CompactString;

use crate::catalogue::{FeatureId, FeatureVector};
use crate::date::Day;
use crate::observation::Observation;
use crate::time::Instant;
use crate::verdict::{Contribution, Outcome, Version};
use crate::wire::{Channel, Decision, Origin, Stage, Suspicion};

pub use learning::{Comparison, LearningEntry, LearningStep};
pub use review::{Act, CallbackResult, ReviewEntry, WORDS_CHARS_MAX, Words};

/// One entry of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A scored rating.
    Rating(Box<RatingEntry>),
    /// A scored rating whose erasable part is gone: what statistics need is left.
    Erased(PublicRating),
    /// A later decision about a rating.
    Revision(Box<RevisionEntry>),
    /// Rules, a model, lists or reference tables came into force.
    Activation(ActivationEntry),
    /// What a person did about a rating.
    Review(Box<ReviewEntry>),
    /// What was learnt from reviewers' decisions was published, came into force or was dropped.
    Learning(Box<LearningEntry>),
    /// An entry of a kind that this version does not know. Folds skip it; the chain covers it.
    Unknown {
        /// Its kind.
        kind: u8,
    },
}

impl Entry {
    /// The public part of a scored rating, erased or not; `None` for other entries.
    pub fn rating(&self) -> Option<PublicRating> {
        match self {
            Self::Rating(entry) => Some(entry.public()),
            Self::Erased(public) => Some(public.clone()),
            _ => None,
        }
    }

    /// The `rating_id` that the entry is about.
    pub fn rating_id(&self) -> Option<&str> {
        match self {
            Self::Rating(entry) => Some(&entry.observation.rating_id),
            Self::Erased(public) => Some(&public.rating_id),
            Self::Revision(entry) => Some(&entry.rating.rating_id),
            Self::Review(entry) => Some(&entry.rating_id),
            Self::Activation(_) | Self::Learning(_) | Self::Unknown { .. } => None,
        }
    }
}

/// A scored rating, whole: state is rebuilt from the observation, statistics from the public part.
#[derive(Clone, Debug, PartialEq)]
pub struct RatingEntry {
    /// The rating as the scoring path saw it.
    pub observation: Box<Observation>,
    /// What was decided.
    pub outcome: Outcome,
    /// The feature values that it was decided on.
    pub features: FeatureVector,
    /// Version of the catalogue that `features` is indexed by
    /// ([`crate::catalogue::Catalogue::version`]).
    pub catalogue: u32,
    /// The day it counts for, in the reporting time zone.
    pub day: Day,
    /// Sequence of the rating that it supersedes, where that was found.
    pub supersedes_sequence: Option<u64>,
    /// What the policy noted.
    pub flags: RatingFlags,
}

impl RatingEntry {
    /// The part that is never erased.
    pub fn public(&self) -> PublicRating {
        let observation = &self.observation;
        let service = &observation.service;
        PublicRating {
            rating_id: observation.rating_id.clone(),
            stars: observation.stars,
            hall_stars: observation.hall_stars,
            aspects: observation.aspects,
            origin: observation.origin,
            channel: observation.channel,
            stage: service.stage,
            matter: service.matter.clone(),
            department: service.department.clone(),
            district: service.district.clone(),
            hall: service.hall.clone(),
            window: service.window.clone(),
            clerk: service.clerk.clone(),
            day: self.day,
            decision: self.outcome.decision,
            rules: self.outcome.rules,
            model: self.outcome.model,
            supersedes_sequence: self.supersedes_sequence,
            flags: self.flags.public(),
        }
    }
}

/// What is never erased of a rating: all that the statistics need, and nothing about the rater.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicRating {
    /// Intake's id.
    pub rating_id: CompactString,
    /// 1 to 5.
    pub stars: u8,
    /// Stars for the hall itself.
    pub hall_stars: Option<u8>,
    /// Stars per [`crate::wire::Aspect`], in its order; 0 where absent.
    pub aspects: [u8; 6],
    /// Who chose the stars.
    pub origin: Origin,
    /// Where it was given.
    pub channel: Channel,
    /// Stage of the event.
    pub stage: Option<Stage>,
    /// Code of the service matter.
    pub matter: CompactString,
    /// Department code.
    pub department: CompactString,
    /// District code.
    pub district: Option<CompactString>,
    /// Hall code.
    pub hall: Option<CompactString>,
    /// Window code.
    pub window: Option<CompactString>,
    /// Clerk code.
    pub clerk: Option<CompactString>,
    /// The day it counts for, in the reporting time zone.
    pub day: Day,
    /// The decision of revision 0.
    pub decision: Decision,
    /// The rule set it was made with.
    pub rules: Version,
    /// The model it was made with.
    pub model: Version,
    /// Sequence of the rating that it supersedes, where that was found.
    pub supersedes_sequence: Option<u64>,
    /// What the policy noted, the public half ([`RatingFlags::public`]).
    pub flags: RatingFlags,
}

impl PublicRating {
    /// Whether this is a bad rating (差评): stars, hall stars or an aspect of 1 or 2. Its complaint
    /// proceeds to handling whatever was decided.
    pub fn is_bad(&self) -> bool {
        let aspects = self.aspects.iter().copied().filter(|&a| a > 0);
        aspects.chain(self.hall_stars).chain([self.stars]).any(|stars| stars <= 2)
    }
}

/// What the policy noted about a rating. The low byte is accounting: public, kept for ever. The high
/// byte hints at suspicion and is erased with the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RatingFlags(pub u16);

impl RatingFlags {
    /// Admitted because the day's budget of holds was used up.
    pub const OVER_BUDGET: Self = Self(1 << 0);
    /// Admitted, with an entry in the review queue.
    pub const SECOND_LOOK: Self = Self(1 << 8);
    /// Admitted, and drawn by lot for review: what reviewers find among these is no choice of the machine's.
    pub const CONTROL: Self = Self(1 << 9);

    /// Whether an admitted rating with these is to be looked at by somebody.
    pub fn want_review(self) -> bool {
        self.has(Self::SECOND_LOOK) || self.has(Self::CONTROL)
    }

    /// Whether all of `other`'s flags are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With `other`'s flags set too.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The public half.
    #[must_use]
    pub fn public(self) -> Self {
        Self(self.0 & 0x00ff)
    }
}

/// A later decision about a rating. The first answer is revision 0 and stands in the rating's entry.
#[derive(Clone, Debug, PartialEq)]
pub struct RevisionEntry {
    /// The rating, its public part; what changes in the statistics follows from it alone.
    pub rating: PublicRating,
    /// Sequence of the rating's entry.
    pub rating_sequence: u64,
    /// Number of the revision, from 1.
    pub revision: u32,
    /// What stood before.
    pub previous: Decision,
    /// What stands now.
    pub decision: Decision,
    /// Who or what revised it.
    pub source: RevisionSource,
    /// When.
    pub at: Instant,
    /// Why; `None` once it is erased.
    pub evidence: Option<Evidence>,
}

/// Why a revision was made: its erasable part.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What the rating is suspected of now.
    pub suspicion: Option<Suspicion>,
    /// Probability that it is not genuine, 0 to 1.
    pub risk: f32,
    /// Strongest first.
    pub reasons: Vec<Contribution>,
    /// What the reasons' sentences say beside the rating's own features, which are as they were.
    pub figures: Vec<(FeatureId, u64)>,
    /// Key-derived bytes that nobody can guess, so that the hash of erased evidence tells nothing:
    /// [`Evidence::nonce`] of the rating's digest.
    pub nonce: [u8; 16],
}

impl Evidence {
    /// The nonce for a revision of the rating with this keyed digest.
    pub fn nonce(digest: &[u8; 16], revision: u32) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_derive_key("zhenping log revision nonce v1");
        hasher.update(digest).update(&revision.to_le_bytes());
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        nonce
    }
}

/// Who or what revised a decision. Numbers are part of the log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RevisionSource {
    /// A hold that nobody decided in time.
    Lapse = 0,
    /// Another rating of the same case, stage and visit.
    Contest = 1,
    /// Evidence about the group that it belongs to.
    LookBack = 2,
    /// A person.
    Reviewer = 3,
}

impl RevisionSource {
    /// The source with this number.
    pub fn from_index(index: u8) -> Option<Self> {
        [Self::Lapse, Self::Contest, Self::LookBack, Self::Reviewer].get(usize::from(index)).copied()
    }
}

/// Something that verdicts depend on came into force. Its whole source is in the log, so that any
/// verdict can be explained later.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivationEntry {
    /// What came into force.
    pub subject: Subject,
    /// Its version: the first 8 bytes of its BLAKE3.
    pub version: Version,
    /// Its files: name and contents, in the order in which they were read.
    pub files: Vec<(String, Vec<u8>)>,
    /// When.
    pub at: Instant,
    /// The account that activated it.
    pub by: String,
}

/// What an activation brings into force. Numbers are part of the log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Subject {
    /// A rule set with its counters.
    Rules = 0,
    /// A model.
    Model = 1,
    /// Allow and deny lists.
    Lists = 2,
    /// Reference tables.
    Reference = 3,
    /// Counters that were declared later than the log began: from this entry on they have the values
    /// that they would have if the log had begun with the rule set of this version.
    Counters = 4,
}

impl Subject {
    /// The subject with this number.
    pub fn from_index(index: u8) -> Option<Self> {
        [Self::Rules, Self::Model, Self::Lists, Self::Reference, Self::Counters]
            .get(usize::from(index))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_half_of_the_flags_keeps_no_suspicion() {
        let flags = RatingFlags::OVER_BUDGET.with(RatingFlags::SECOND_LOOK);
        assert!(flags.has(RatingFlags::SECOND_LOOK));
        assert_eq!(flags.public(), RatingFlags::OVER_BUDGET);
    }
}
