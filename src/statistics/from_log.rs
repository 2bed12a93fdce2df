//! What the statistics see of a log entry: the one place that knows both.

use super::{By, Counted, Rated, Revised};
use crate::log::Entry;
use crate::log::entry::{PublicRating, RatingEntry, RevisionSource};

impl<'a> Counted<'a> {
    /// The figures' view of an entry.
    pub fn of(sequence: u64, entry: &'a Entry) -> Self {
        match entry {
            Entry::Rating(rating) => Self::Rated(rated(sequence, rating)),
            Entry::Erased(public) => Self::Rated(rated_public(sequence, public)),
            Entry::Revision(revision) => Self::Revised(Revised {
                sequence,
                rating: rated_public(revision.rating_sequence, &revision.rating),
                revision: revision.revision,
                decision: revision.decision,
                by: match revision.source {
                    RevisionSource::Lapse => By::Lapse,
                    RevisionSource::Reviewer => By::Person,
                    RevisionSource::Contest | RevisionSource::LookBack => By::Machine,
                },
            }),
            Entry::Activation(_) | Entry::Review(_) | Entry::Learning(_) | Entry::Unknown { .. } => {
                Self::Other { sequence }
            }
        }
    }
}

/// Of a whole entry, without making its public part first: this runs for every rating.
fn rated(sequence: u64, rating: &RatingEntry) -> Rated<'_> {
    let o = &rating.observation;
    let s = &o.service;
    Rated {
        sequence,
        day: rating.day,
        channel: o.channel,
        origin: o.origin,
        decision: rating.outcome.decision,
        stars: o.stars,
        hall_stars: o.hall_stars,
        aspects: o.aspects,
        matter: &s.matter,
        department: &s.department,
        district: s.district.as_deref(),
        hall: s.hall.as_deref(),
        window: s.window.as_deref(),
        clerk: s.clerk.as_deref(),
        earlier: rating.supersedes_sequence,
    }
}

pub(super) fn rated_public(sequence: u64, public: &PublicRating) -> Rated<'_> {
    Rated {
        sequence,
        day: public.day,
        channel: public.channel,
        origin: public.origin,
        decision: public.decision,
        stars: public.stars,
        hall_stars: public.hall_stars,
        aspects: public.aspects,
        matter: &public.matter,
        department: &public.department,
        district: public.district.as_deref(),
        hall: public.hall.as_deref(),
        window: public.window.as_deref(),
        clerk: public.clerk.as_deref(),
        earlier: public.supersedes_sequence,
    }
}
