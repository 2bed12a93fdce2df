//! The join of labels, ratings and verdicts: one row for each label.
//!
//! Labels come first, so that memory follows their number: a row takes 40 bytes, its place in the
//! index about 30, and each file of verdicts 12 more. What has no label passes by and is counted.

use std::collections::HashMap;

use serde::Serialize;

use super::label::LabelLine;
use super::lines::Wrong;
use super::names::Names;
use super::verdict::VerdictRead;
use crate::hashed::HashedMap;
use crate::rating::Rating;
use crate::time::Instant;
use crate::wire::{Decision, Label, Origin};

/// Most labels of one run: about 2 GB.
pub const MAX_LABELS: usize = 20_000_000;
/// Most scenarios; one that is an id would make a table of a million rows.
pub const MAX_SCENARIOS: usize = 10_000;

/// Number of a name that a label does not have.
const NO_NAME: u32 = u32::MAX;

/// One labelled rating.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// A second hash of the rating's id, so that two ids of one place are told apart.
    check: u64,
    pub(super) submitted_at: Instant,
    scenario: u32,
    target: u32,
    campaign: u32,
    pub(super) label: Label,
    /// Another label says something else.
    is_contradicted: bool,
    is_rated: bool,
    pub(super) is_bad: bool,
    /// The platform filled it in.
    pub(super) is_default: bool,
}

/// What one file of verdicts says of one rating.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Given {
    /// Risk of the inline answer.
    pub(super) risk: f32,
    revision: u32,
    inline: Option<Decision>,
    last: Option<Decision>,
}

impl Given {
    /// Whether the inline answer kept it out of the figures.
    pub(super) fn is_held_inline(self) -> bool {
        self.inline.is_some_and(is_held)
    }

    /// Whether the last decision keeps it out of the figures.
    pub(super) fn is_held_finally(self) -> bool {
        self.last.is_some_and(is_held)
    }
}

/// Withheld from the statistics, for now or for good.
fn is_held(decision: Decision) -> bool {
    decision != Decision::Admit
}

/// When a member of a campaign was answered and when it was first held: place in the log, and time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    pub(super) answered: Option<(u64, Instant)>,
    pub(super) held: Option<(u64, Instant)>,
    /// Only the answer to a repeat says that it is held, and not since when.
    pub(super) is_held_at_unknown: bool,
}

/// Lines of one file of verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerdictLines {
    /// Inline answers (revision 0) of labelled ratings.
    pub inline: u64,
    /// Later revisions of labelled ratings.
    pub revisions: u64,
    /// Further inline answers of one rating: it was sent again.
    pub repeats: u64,
    /// Lines in place of ratings that could not be read.
    pub errors: u64,
    /// Verdicts of ratings without a label.
    pub unlabelled: u64,
}

/// All verdicts of one file.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    pub(super) given: Vec<Given>,
    /// By row: members of campaigns only.
    pub(super) moments: HashMap<u32, Moments>,
    pub(super) lines: VerdictLines,
}

/// What became of the labels, and of ratings without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Ratings with a label.
    pub labelled: u64,
    /// Of these: in every figure of this report.
    pub evaluated: u64,
    /// Evaluated, and abusive by their label.
    pub abusive: u64,
    /// Evaluated, and genuine or mistaken by their label.
    pub genuine: u64,
    /// Genuine ones with stars, hall stars or an aspect of 1 or 2.
    pub genuine_bad: u64,
    /// Left out: labelled `unsure`.
    pub unsure: u64,
    /// Left out: labelled twice, and not the same.
    pub contradicted: u64,
    /// Left out: not among the ratings.
    pub without_rating: u64,
    /// Left out: without an inline verdict in every file of verdicts.
    pub without_verdict: u64,
    /// Ratings without a label: in no figure.
    pub unlabelled: u64,
    /// Further lines of a labelled rating that was there before; the first counts.
    pub repeated_ratings: u64,
}

/// Labelled ratings with what is known of them.
#[derive(Debug, Default)]
pub(super) struct Population {
    rows: Vec<Row>,
    /// Row by the hash of its rating's id; where that is taken, by the next that is free.
    places: HashedMap<u32>,
    pub(super) scenarios: Names,
    pub(super) targets: Names,
    /// Named by scenario and campaign.
    pub(super) campaigns: Names,
    counts: Counts,
}

impl Population {
    /// Takes one label. The order in which labels come makes no difference.
    ///
    /// # Errors
    ///
    /// If there are more than [`MAX_LABELS`] or [`MAX_SCENARIOS`].
    pub(super) fn label(&mut self, line: &LabelLine<'_>) -> Result<(), Wrong> {
        let place = self.place(&line.rating_id);
        let name = line.scenario.as_deref();
        let is_new = name.is_some_and(|name| !self.scenarios.has(name));
        if place.is_err() && self.rows.len() >= MAX_LABELS {
            return Err(Wrong::field(
                "$",
                "one label more",
                &format!("at most {MAX_LABELS}; evaluate in parts"),
            ));
        }
        if is_new && self.scenarios.len() >= MAX_SCENARIOS {
            let allowed = format!("at most {MAX_SCENARIOS}; a scenario is a kind of rating, not an id");
            return Err(Wrong::field("$.scenario", "one scenario more", &allowed));
        }
        let scenario = name.map_or(NO_NAME, |name| self.scenarios.number(name));
        let target = line.target.as_ref().map_or(NO_NAME, |name| self.targets.number(name));
        let campaign = line.campaign.as_ref().map_or(NO_NAME, |campaign| {
            self.campaigns.number(&format!("{}\0{campaign}", name.unwrap_or_default()))
        });
        let place = match place {
            Ok(known) => {
                let row = &mut self.rows[known as usize];
                let is_same = (row.label, row.scenario, row.target, row.campaign)
                    == (line.label, scenario, target, campaign);
                row.is_contradicted |= !is_same;
                return Ok(());
            }
            Err(free) => free,
        };
        self.places.insert(place, self.rows.len() as u32);
        self.rows.push(Row {
            check: check(&line.rating_id),
            submitted_at: Instant::default(),
            scenario,
            target,
            campaign,
            label: line.label,
            is_contradicted: false,
            is_rated: false,
            is_bad: false,
            is_default: false,
        });
        Ok(())
    }

    /// Takes one rating.
    pub(super) fn rating(&mut self, rating: &Rating<'_>) {
        let Ok(number) = self.place(&rating.rating_id) else {
            self.counts.unlabelled += 1;
            return;
        };
        let row = &mut self.rows[number as usize];
        if row.is_rated {
            self.counts.repeated_ratings += 1;
            return;
        }
        row.is_rated = true;
        row.submitted_at = rating.submitted_at;
        row.is_bad = is_bad(rating);
        row.is_default = rating.origin == Some(Origin::Default);
        if row.target == NO_NAME {
            row.target = self.targets.number(&target_of(rating));
        }
    }

    /// Takes one verdict into one file's. The order in which they come makes no difference.
    pub(super) fn verdict(&self, verdict: &VerdictRead<'_>, file: &mut Verdicts) {
        let Ok(number) = self.place(&verdict.rating_id) else {
            file.lines.unlabelled += 1;
            return;
        };
        file.given.resize(self.rows.len(), Given::default());
        let given = &mut file.given[number as usize];
        let is_repeat = verdict.revision == 0 && given.inline.is_some();
        match (is_repeat, verdict.revision) {
            (true, _) => file.lines.repeats += 1,
            (false, 0) => file.lines.inline += 1,
            (false, _) => file.lines.revisions += 1,
        }
        if verdict.revision == 0 && !is_repeat {
            given.risk = verdict.risk;
            given.inline = Some(verdict.decision);
        }
        let current = verdict.current.filter(|&(revision, _)| revision > 0);
        for (revision, decision) in
            [Some((verdict.revision, verdict.decision)), current].into_iter().flatten()
        {
            if revision > given.revision || given.last.is_none() {
                (given.revision, given.last) = (revision, Some(decision));
            }
        }
        let row = &self.rows[number as usize];
        if row.campaign == NO_NAME || row.label.is_abusive() != Some(true) {
            return;
        }
        let moments = file.moments.entry(number).or_default();
        // Without a time of its own, that of the rating is the nearest that is known.
        let moment = (verdict.sequence, verdict.scored_at.unwrap_or(row.submitted_at));
        if verdict.revision == 0 && !is_repeat {
            moments.answered = Some(moment);
        }
        if is_held(verdict.decision) && moments.held.is_none_or(|held| moment.0 < held.0) {
            moments.held = Some(moment);
        }
        moments.is_held_at_unknown |= current.is_some_and(|(_, decision)| is_held(decision));
    }

    /// The rows that are evaluated: with a known truth, a rating, and an inline verdict in every file.
    pub(super) fn evaluated<'a>(&'a self, files: &'a [Verdicts]) -> impl Iterator<Item = Judged<'a>> {
        self.rows.iter().enumerate().filter_map(move |(number, row)| {
            let is_abusive = row.label.is_abusive()?;
            let is_judged =
                files.iter().all(|file| file.given.get(number).is_some_and(|g| g.inline.is_some()));
            (row.is_rated && !row.is_contradicted && is_judged).then_some(Judged {
                number: number as u32,
                row,
                is_abusive,
                files,
            })
        })
    }

    /// Counts what became of the labels.
    pub(super) fn counts(&self, files: &[Verdicts]) -> Counts {
        let mut counts = Counts { labelled: self.rows.len() as u64, ..self.counts };
        for judged in self.evaluated(files) {
            counts.evaluated += 1;
            counts.abusive += u64::from(judged.is_abusive);
            counts.genuine += u64::from(!judged.is_abusive);
            counts.genuine_bad += u64::from(!judged.is_abusive && judged.row.is_bad);
        }
        // Each label that is left out has one reason: the first that applies.
        for row in &self.rows {
            let reason = match row {
                Row { is_contradicted: true, .. } => &mut counts.contradicted,
                Row { label: Label::Unsure, .. } => &mut counts.unsure,
                Row { is_rated: false, .. } => &mut counts.without_rating,
                _ => continue,
            };
            *reason += 1;
        }
        let with_reason = counts.contradicted + counts.unsure + counts.without_rating;
        counts.without_verdict = counts.labelled - counts.evaluated - with_reason;
        counts
    }

    /// The row of a rating, or the free place where it would go.
    fn place(&self, rating_id: &str) -> Result<u32, u64> {
        let mut place = xxhash_rust::xxh3::xxh3_64(rating_id.as_bytes());
        let check = check(rating_id);
        while let Some(&number) = self.places.get(&place) {
            if self.rows[number as usize].check == check {
                return Ok(number);
            }
            place = place.wrapping_add(1);
        }
        Err(place)
    }
}

/// One evaluated rating.
#[derive(Clone, Copy)]
pub(super) struct Judged<'a> {
    /// Number of its row.
    pub(super) number: u32,
    pub(super) row: &'a Row,
    pub(super) is_abusive: bool,
    files: &'a [Verdicts],
}

impl Judged<'_> {
    /// What one of the files says.
    pub(super) fn given(self, file: usize) -> Given {
        self.files[file].given[self.number as usize]
    }
}

impl Row {
    /// Number of its scenario.
    pub(super) fn scenario(&self) -> Option<u32> {
        (self.scenario != NO_NAME).then_some(self.scenario)
    }

    /// Number of its campaign.
    pub(super) fn campaign(&self) -> Option<u32> {
        (self.campaign != NO_NAME).then_some(self.campaign)
    }

    /// Number of its target. Every rating has one.
    pub(super) fn target(&self) -> u32 {
        self.target
    }
}

fn check(rating_id: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(rating_id.as_bytes(), 0x5EED)
}

/// Stars, hall stars or an aspect of 1 or 2.
fn is_bad(rating: &Rating<'_>) -> bool {
    let a = &rating.aspects;
    let aspects = [a.matter_management, a.procedure, a.efficiency, a.competence, a.attitude, a.convenience];
    [Some(rating.stars), rating.hall_stars].into_iter().chain(aspects).flatten().any(|level| level <= 2)
}

/// Whom a rating is about where its label does not say: as in the feature `target`, the clerk, or else
/// the window, both within the department, or else the department within its district.
fn target_of(rating: &Rating<'_>) -> String {
    let service = &rating.service;
    let department = &service.department;
    match (&service.clerk, &service.window) {
        (Some(clerk), _) => format!("clerk {department}/{clerk}"),
        (None, Some(window)) => {
            format!("window {department}/{}/{window}", service.hall.as_deref().unwrap_or_default())
        }
        (None, None) => {
            format!("department {}/{department}", service.district.as_deref().unwrap_or_default())
        }
    }
}
