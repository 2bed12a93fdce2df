//! What the entries about one rating come to: its row, its history, its decisions, and when it was open. Pure, so
//! that a row depends on nothing but those entries.

use compact_str::CompactString;

use super::case_file::{CaseFile, CaseRating};
use super::priority::{PLAIN_RISK, Weight};
use crate::log::Entry;
use crate::log::entry::{
    Act, CallbackResult, PublicRating, RatingFlags, ReviewEntry, RevisionEntry, RevisionSource,
};
use crate::review::case::{Callback, CaseState};
use crate::review::reasons;
use crate::time::{DAY_MS, Instant};
use crate::verdict::Contribution;
use crate::wire::{Decision, Label, ReviewOutcome, Suspicion};

/// Why there is a case. Numbers stand in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CaseKind {
    /// It is, or was, kept out of the figures.
    Hold = 0,
    /// It is admitted, and looked at all the same: the machine had doubts, or it was drawn by lot. Nobody who decides
    /// can tell which.
    SecondLook = 1,
    /// Whoever was excluded asked to have it looked at again.
    Appeal = 2,
}

impl CaseKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Hold, Self::SecondLook, Self::Appeal];
}

/// What ended a spell of waiting. Numbers stand in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ClosedBy {
    /// Somebody decided.
    Person = 0,
    /// Nobody decided in time, and it was admitted.
    Clock = 1,
    /// Another decision of a machine.
    Machine = 2,
}

impl ClosedBy {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Person, Self::Clock, Self::Machine];
}

/// From when to when a case was open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spell {
    pub opened: Instant,
    pub closed: Option<(Instant, ClosedBy)>,
    pub appeal: bool,
}

/// A decision that took effect.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decided {
    pub sequence: u64,
    pub at: Instant,
    pub who: CompactString,
    pub voted: ReviewOutcome,
    pub outcome: ReviewOutcome,
    pub reason: CompactString,
    pub label: Label,
    pub first: Option<(CompactString, ReviewOutcome)>,
    /// Since when the case waited for it.
    pub opened: Instant,
    pub on_appeal: bool,
    pub undone: bool,
    pub overturned: bool,
}

/// One line of a case's history.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub sequence: u64,
    pub at: Instant,
    pub who: CompactString,
    pub what: String,
    pub reason: CompactString,
    pub words: Option<String>,
    pub void: bool,
}

/// What a case comes to.
#[derive(Clone, Debug)]
pub(super) struct Folded {
    pub public: PublicRating,
    pub erased: bool,
    pub control: bool,
    pub submitted: Option<Instant>,
    pub kind: CaseKind,
    pub state: CaseState,
    /// Sequence of the latest entry.
    pub last: u64,
    pub since: Instant,
    pub suspicion: Option<Suspicion>,
    pub risk: Option<f32>,
    pub reasons: Vec<Contribution>,
    pub outcome_reason: Option<CompactString>,
    pub callback_at: Option<Instant>,
    pub appeal_at: Option<Instant>,
    pub spells: Vec<Spell>,
    pub decisions: Vec<Decided>,
    pub events: Vec<Event>,
}

impl Folded {
    /// When it was decided, and by whom or what; `None` while it is open and where it never was.
    pub fn closed(&self) -> Option<(Instant, ClosedBy)> {
        self.spells.last().filter(|_| !self.state.is_open())?.closed
    }

    /// Whether what the machine thinks of it is shown to those who decide.
    pub fn is_blind(&self) -> bool {
        self.kind == CaseKind::SecondLook
    }

    /// Its place in the queue.
    pub fn rank(&self, volume: u64) -> i64 {
        let risk = match self.kind {
            CaseKind::Appeal => 1.0,
            CaseKind::SecondLook => PLAIN_RISK,
            CaseKind::Hold => self.risk.map_or(PLAIN_RISK, f64::from),
        };
        Weight { risk, volume }.rank(self.since)
    }
}

/// Whether a rating is a case from the moment it is scored.
pub(super) fn is_case(decision: Decision, flags: RatingFlags) -> bool {
    decision != Decision::Admit || flags.want_review()
}

/// What the entries come to; `None` if there is no case: the rating was admitted, and nobody said more.
pub(super) fn fold(file: &CaseFile) -> Option<Folded> {
    let mut folding = Folding::new(file);
    if !is_case(folding.folded.public.decision, folding.flags) && file.entries.is_empty() {
        return None;
    }
    for (sequence, entry) in &file.entries {
        match entry {
            Entry::Revision(revision) => folding.revision(*sequence, revision, entry),
            Entry::Review(review) => folding.review(*sequence, review),
            _ => {}
        }
    }
    Some(folding.finish())
}

struct Folding {
    folded: Folded,
    flags: RatingFlags,
    /// It was on hold or rejected at some time.
    excluded: bool,
}

impl Folding {
    fn new(file: &CaseFile) -> Self {
        let public = file.rating.public();
        let whole = file.rating.whole();
        let flags = whole.map_or_else(|| flags_of_erased(&public, file), |rating| rating.flags);
        // When an erased rating was scored is erased too.
        let fallback = || {
            let first = file.entries.first().map(|(_, entry)| match entry {
                Entry::Revision(revision) => revision.at,
                Entry::Review(review) => review.at,
                _ => Instant(i64::MAX),
            });
            let day = Instant(i64::from(public.day.number()) * DAY_MS);
            first.map_or(day, |first| first.min(day))
        };
        let since = whole.map_or_else(fallback, |rating| rating.outcome.scored_at);
        let state = CaseState::new(public.is_bad(), public.decision, flags);
        let mut spells = Vec::new();
        if state.is_open() {
            spells.push(Spell { opened: since, closed: None, appeal: false });
        }
        let excluded = public.decision != Decision::Admit;
        let folded = Folded {
            erased: matches!(file.rating, CaseRating::Erased(_)),
            control: flags.has(RatingFlags::CONTROL),
            submitted: whole.map(|rating| rating.observation.submitted_at),
            kind: CaseKind::Hold,
            state,
            last: file.entries.last().map_or(file.sequence, |(sequence, _)| *sequence),
            since,
            suspicion: whole.and_then(|rating| rating.outcome.suspicion),
            risk: whole.map(|rating| rating.outcome.risk),
            reasons: whole.map_or_else(Vec::new, |rating| rating.outcome.reasons.clone()),
            outcome_reason: None,
            callback_at: None,
            appeal_at: None,
            spells,
            decisions: Vec::new(),
            events: Vec::new(),
            public,
        };
        Self { folded, flags, excluded }
    }

    fn revision(&mut self, sequence: u64, revision: &RevisionEntry, entry: &Entry) {
        let was_open = self.folded.state.is_open();
        let effect = self.folded.state.fold(entry);
        let by_person = revision.source == RevisionSource::Reviewer;
        if effect.is_some() {
            if !by_person {
                self.excluded |= revision.decision != Decision::Admit;
                if let Some(evidence) = revision.evidence.as_ref().filter(|_| !self.folded.erased) {
                    self.folded.suspicion = evidence.suspicion.or(self.folded.suspicion);
                    self.folded.risk = Some(evidence.risk);
                    if !evidence.reasons.is_empty() {
                        self.folded.reasons = evidence.reasons.clone();
                    }
                }
            }
            let by = match revision.source {
                RevisionSource::Reviewer => ClosedBy::Person,
                RevisionSource::Lapse => ClosedBy::Clock,
                RevisionSource::Contest | RevisionSource::LookBack => ClosedBy::Machine,
            };
            // What a person's revision opens is a decision that was taken back: the case waits as before.
            self.note_open(was_open, revision.at, by, by_person, false);
        }
        self.folded.events.push(Event {
            sequence,
            at: revision.at,
            who: CompactString::default(),
            what: revision_code(revision.source, revision.decision),
            reason: CompactString::default(),
            words: None,
            void: effect.is_none(),
        });
    }

    fn review(&mut self, sequence: u64, review: &ReviewEntry) {
        let (was_open, was_appealed) = (self.folded.state.is_open(), self.folded.state.appealed);
        let (had_outcome, first) = (self.folded.state.outcome.is_some(), self.folded.state.first.clone());
        let effect = self.folded.state.apply(review);
        let mut what = act_code(review.act).to_owned();
        if effect.is_ok() {
            let opened = self.folded.spells.last().map_or(self.folded.since, |spell| spell.opened);
            match (review.act, self.folded.state.outcome) {
                (Act::Decide(_), None) => what.insert_str(0, "vote-"),
                (Act::Decide(voted), Some(outcome)) => {
                    let folded = &mut self.folded;
                    let label =
                        reasons::label(outcome, &review.reason, folded.public.is_bad(), folded.suspicion);
                    folded.decisions.push(Decided {
                        sequence,
                        at: review.at,
                        who: review.by.clone(),
                        voted,
                        outcome,
                        reason: review.reason.clone(),
                        label,
                        first: first.map(|first| (first.by, first.outcome)),
                        opened,
                        on_appeal: was_appealed,
                        undone: false,
                        overturned: false,
                    });
                }
                (Act::Undo, None) if had_outcome => {
                    if let Some(last) = self.folded.decisions.iter_mut().rev().find(|last| !last.undone) {
                        last.undone = true;
                    }
                }
                (Act::AskCallback | Act::Callback(_), _) => self.folded.callback_at = Some(review.at),
                (Act::Appeal, _) => self.folded.appeal_at = Some(review.at),
                _ => {}
            }
            let is_appeal = review.act == Act::Appeal;
            self.note_open(was_open, review.at, ClosedBy::Person, review.act == Act::Undo, is_appeal);
        }
        self.folded.events.push(Event {
            sequence,
            at: review.at,
            who: review.by.clone(),
            what,
            reason: review.reason.clone(),
            words: review.words.as_ref().map(|words| words.sealed.clone()),
            void: effect.is_err(),
        });
    }

    fn note_open(&mut self, was_open: bool, at: Instant, by: ClosedBy, back: bool, appeal: bool) {
        let spells = &mut self.folded.spells;
        match (was_open, self.folded.state.is_open()) {
            (false, true) => match spells.last_mut().filter(|_| back) {
                Some(spell) => spell.closed = None,
                None => spells.push(Spell { opened: at, closed: None, appeal }),
            },
            (true, false) => {
                if let Some(spell) = spells.last_mut() {
                    spell.closed = Some((at, by));
                }
            }
            (true, true) if appeal => {
                if let Some(spell) = spells.last_mut() {
                    spell.appeal = true;
                }
            }
            _ => {}
        }
    }

    fn finish(self) -> Folded {
        let mut folded = self.folded;
        if let Some(spell) = folded.spells.last() {
            folded.since = spell.opened;
        }
        folded.kind = match (folded.state.appeals > 0, self.excluded) {
            (true, _) => CaseKind::Appeal,
            (false, true) => CaseKind::Hold,
            (false, false) => CaseKind::SecondLook,
        };
        // An appeal that clears overturns the decision before it.
        let stand: Vec<usize> =
            (0..folded.decisions.len()).filter(|&place| !folded.decisions[place].undone).collect();
        for pair in stand.windows(2) {
            let later = &folded.decisions[pair[1]];
            let overturns = later.on_appeal && later.outcome == ReviewOutcome::Clear;
            let earlier = &mut folded.decisions[pair[0]];
            earlier.overturned = overturns && earlier.outcome != ReviewOutcome::Clear;
        }
        folded.outcome_reason = stand
            .last()
            .filter(|_| folded.state.outcome.is_some())
            .map(|&last| folded.decisions[last].reason.clone());
        folded
    }
}

/// The flag that made an admitted rating a case is erased with the rest. That people acted on it before any
/// revision says that it had it: without it what they decided would count for nothing.
fn flags_of_erased(public: &PublicRating, file: &CaseFile) -> RatingFlags {
    let acted = matches!(file.entries.first(), Some((_, Entry::Review(_))));
    match public.decision == Decision::Admit && acted {
        true => public.flags.with(RatingFlags::SECOND_LOOK),
        false => public.flags,
    }
}

/// What a callback came to, as a number in the tables: 0 none, 1 asked, 2 to 5 answered.
pub(super) fn callback_number(callback: Callback) -> u8 {
    match callback {
        Callback::None => 0,
        Callback::Asked => 1,
        Callback::Answered(result) => 2 + result as u8,
    }
}

/// The code of an act in histories.
pub(super) fn act_code(act: Act) -> &'static str {
    match act {
        Act::Claim { .. } => "claim",
        Act::Release => "release",
        Act::Decide(outcome) => outcome.name(),
        Act::Escalate => "escalate",
        Act::Return => "return",
        Act::Extend => "extend",
        Act::Undo => "undo",
        Act::AskCallback => "ask-callback",
        Act::Callback(CallbackResult::NotReached) => "callback-not-reached",
        Act::Callback(CallbackResult::Confirms) => "callback-confirms",
        Act::Callback(CallbackResult::Denies) => "callback-denies",
        Act::Callback(CallbackResult::Unclear) => "callback-unclear",
        Act::Appeal => "appeal",
    }
}

/// The code of a revision in histories.
pub(super) fn revision_code(source: RevisionSource, decision: Decision) -> String {
    let source = match source {
        RevisionSource::Lapse => "lapse",
        RevisionSource::Contest => "contest",
        RevisionSource::LookBack => "look-back",
        RevisionSource::Reviewer => "reviewer",
    };
    format!("{source}-{}", decision.name())
}
