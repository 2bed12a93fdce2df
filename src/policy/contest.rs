//! Two ratings of one case, stage and visit: which of them stands.

use crate::features::case::Contest;
use crate::wire::{Decision, Origin};

use super::Facts;

/// Rules on this rating and the earlier one, before any other evidence.
pub fn rule(facts: &Facts) -> Ruling {
    if facts.origin == Origin::Default {
        // The platform's filling-in contests nobody: the statistics let any active rating stand over it.
        return Ruling::STANDS;
    }
    match facts.contest {
        Contest::None | Contest::Revision => Ruling::STANDS,
        Contest::RepeatSame if !facts.bad => Ruling::of(Decision::Reject, "case-repeat", REPEAT_WEIGHT),
        // The statistics count the occasion once. The applicant who complains twice is not silenced even by a
        // hold of the second rating.
        Contest::RepeatSame if facts.matched_applicant => Ruling::of(Decision::Admit, "case-repeat", 0.0),
        Contest::RepeatSame => Ruling::of(Decision::Hold, "case-repeat", REPEAT_WEIGHT),
        // Whoever presses the wrong star and presses again need not know of `supersedes`.
        Contest::RepeatChanged => Ruling::of(Decision::Admit, "case-changed", 0.0),
        Contest::OtherRater if facts.same_stars => Ruling::of(Decision::Admit, "case-same-stars", 0.0),
        // Both are applicants: each may say what they met with, and the statistics count the later.
        Contest::OtherRater if facts.applicant == Some(true) => Ruling::STANDS,
        Contest::OtherRater => {
            Ruling { hold_earlier: true, ..Ruling::of(Decision::Hold, "case-contested", CONTESTED_WEIGHT) }
        }
        Contest::StandsOverOther => {
            Ruling { hold_earlier: true, ..Ruling::of(Decision::Admit, "case-stands", 0.0) }
        }
        Contest::YieldsToApplicant => Ruling::of(Decision::Hold, "case-yields", CONTESTED_WEIGHT),
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
