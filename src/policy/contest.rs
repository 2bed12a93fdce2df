//! Two ratings of one case, stage and visit: which of them stands.

use crate::catalogue::builtin::CASE_CONTESTS;
use crate::wire::{Decision, Origin};

use super::Facts;

/// How a rating stands to an earlier one of the same case, stage and visit
/// ([`CASE_CONTESTS`], in its order).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Contest {
    /// There is no earlier one.
    #[default]
    None,
    /// The same rater says with `supersedes` that it revises the earlier one.
    Revision,
    /// The same rater, the same stars, hall stars and aspects.
    RepeatSame,
    /// The same rater, something differs, no `supersedes`.
    RepeatChanged,
    /// Another rater, and neither is known to be the applicant.
    OtherRater,
    /// This is the applicant's; an earlier one is another's.
    StandsOverOther,
    /// This is another's; an earlier one is the applicant's.
    YieldsToApplicant,
}

impl Contest {
    const ALL: [Self; 7] = [
        Self::None,
        Self::Revision,
        Self::RepeatSame,
        Self::RepeatChanged,
        Self::OtherRater,
        Self::StandsOverOther,
        Self::YieldsToApplicant,
    ];

    /// The contest with this position in [`CASE_CONTESTS`], as the feature `case.contest` gives it.
    pub fn from_index(index: i64) -> Option<Self> {
        usize::try_from(index).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// Its name in rules.
    pub fn name(self) -> &'static str {
        CASE_CONTESTS[self as usize]
    }

    /// Rules on this rating and the earlier one, before any other evidence.
    pub fn rule(self, facts: &Facts) -> Ruling {
        if facts.origin == Origin::Default {
            // The platform's filling-in contests nobody: the statistics let any active rating stand over it.
            return Ruling::STANDS;
        }
        match self {
            Self::None | Self::Revision => Ruling::STANDS,
            Self::RepeatSame if !facts.bad => Ruling::of(Decision::Reject, "case-repeat", REPEAT_WEIGHT),
            // The statistics count the occasion once. The applicant who complains twice is not silenced even by a
            // hold of the second rating.
            Self::RepeatSame if facts.matched_applicant => Ruling::of(Decision::Admit, "case-repeat", 0.0),
            Self::RepeatSame => Ruling::of(Decision::Hold, "case-repeat", REPEAT_WEIGHT),
            Self::RepeatChanged if facts.applicant == Some(true) => {
                Ruling::of(Decision::Admit, "case-changed", 0.0)
            }
            Self::OtherRater if facts.same_stars => Ruling::of(Decision::Admit, "case-same-stars", 0.0),
            Self::RepeatChanged | Self::OtherRater => Ruling {
                hold_earlier: true,
                ..Ruling::of(Decision::Hold, "case-contested", CONTESTED_WEIGHT)
            },
            Self::StandsOverOther => {
                Ruling { hold_earlier: true, ..Ruling::of(Decision::Admit, "case-stands", 0.0) }
            }
            Self::YieldsToApplicant => Ruling::of(Decision::Hold, "case-yields", CONTESTED_WEIGHT),
        }
    }
}

/// Log-odds that an exact repeat adds to `duplicate`: with the usual intercepts (base rates below
/// 1 %) the risk is then above 0.9.
const REPEAT_WEIGHT: f32 = 8.0;

/// Log-odds that a contest adds to `duplicate`: with the usual intercepts about even odds, for one of
/// two ratings that differ cannot stand.
const CONTESTED_WEIGHT: f32 = 5.0;

/// What a contest alone asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ruling {
    /// The least that must happen to this rating; other evidence may ask for more.
    pub this: Decision,
    /// The earlier rating is to be held, by a revision of its own with the same code (`case-yields`
    /// where this one is `case-stands`).
    pub hold_earlier: bool,
    /// The reason's code; `None` where there is nothing to say.
    pub code: Option<&'static str>,
    /// The reason's weight on the axis `duplicate`.
    pub weight: f32,
}

impl Ruling {
    const STANDS: Self = Self { this: Decision::Admit, hold_earlier: false, code: None, weight: 0.0 };

    const fn of(this: Decision, code: &'static str, weight: f32) -> Self {
        Self { this, hold_earlier: false, code: Some(code), weight }
    }

    /// The code under which the earlier rating's revision gives its reason.
    pub fn code_for_earlier(&self) -> Option<&'static str> {
        match self.code {
            Some("case-stands") => Some("case-yields"),
            code if self.hold_earlier => code,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contests_are_the_catalogues() {
        for (index, name) in CASE_CONTESTS.iter().enumerate() {
            let contest = Contest::from_index(index as i64).unwrap();
            assert_eq!((contest.name(), contest as usize), (*name, index));
        }
        assert_eq!(Contest::from_index(CASE_CONTESTS.len() as i64), None);
        assert_eq!(Contest::from_index(-1), None);
    }
}
