//! A small log in memory that behaves as the service does, and what the tests share.

mod campaigns;
mod large;
mod quality;
mod queue;
mod rebuild;

use std::collections::HashMap;

use compact_str::format_compact;
use rusqlite::types::ValueRef;

use super::*;
use crate::catalogue::{FeatureVector, MAX_FEATURES};
use crate::date::{Day, UtcOffset};
use crate::log::LogError;
use crate::log::entry::{
    Act, Evidence, RatingEntry, RatingFlags, ReviewEntry, RevisionEntry, RevisionSource, Words,
};
use crate::observation::{Device, Network, Observation, Rater, Service, Text};
use crate::pseudonym::Pseudonym;
use crate::review::case::{CaseState, Effect, ReviewTimes};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::verdict::{Contribution, Outcome, Version};
use crate::wire::{CaseMatch, Channel, Decision, Origin, ReasonSource, ReviewOutcome, Stage, Suspicion};

/// Midnight in UTC, 1 March 2026.
pub const START: i64 = 1_772_323_200_000;

/// What a rating is like. Equal numbers are the same device, rater and so on; 0 is none.
#[derive(Clone, Debug)]
pub struct Spec {
    pub minute: i64,
    pub department: u8,
    pub district: u8,
    pub window: u8,
    pub stars: u8,
    pub channel: u8,
    pub decision: Decision,
    pub suspicion: Option<Suspicion>,
    pub risk: f32,
    pub flags: RatingFlags,
    pub reasons: Vec<&'static str>,
    pub device: u8,
    pub rater: u8,
    pub case: u8,
    pub text: u8,
    pub ip: u8,
    pub matched: bool,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            minute: 0,
            department: 1,
            district: 1,
            window: 1,
            stars: 5,
            channel: 0,
            decision: Decision::Hold,
            suspicion: Some(Suspicion::PaddedPraise),
            risk: 0.9,
            flags: RatingFlags::default(),
            reasons: vec!["device-farm", "evenness"],
            device: 0,
            rater: 0,
            case: 0,
            text: 0,
            ip: 0,
            matched: false,
        }
    }
}

fn pseudonym(kind: u8, number: u8) -> Option<Pseudonym> {
    (number > 0).then(|| {
        let mut bytes = [number; 16];
        bytes[0] = kind;
        Pseudonym(bytes)
    })
}

pub fn rating(id: &str, spec: &Spec) -> RatingEntry {
    let at = Instant(START + spec.minute * MINUTE_MS);
    let text = (spec.text > 0).then(|| Text {
        exact: pseudonym(5, spec.text).unwrap(),
        chars: 40,
        stock: false,
        minhash: Some(std::array::from_fn(|lane| u32::from(spec.text) * 100 + lane as u32)),
    });
    let observation = Observation {
        rating_id: id.into(),
        digest: [7; 16],
        supersedes: None,
        source: None,
        submitted_at: at,
        received_at: None,
        opened_at: None,
        channel: Channel::from_index(spec.channel).unwrap_or(Channel::Other),
        entry: None,
        stars: spec.stars,
        origin: Origin::Active,
        hall_stars: None,
        aspects: [0; 6],
        tag_count: None,
        service: Service {
            matter: "M1".into(),
            department: format_compact!("D{}", spec.department),
            district: (spec.district > 0).then(|| format_compact!("X{}", spec.district)),
            hall: Some("H1".into()),
            window: (spec.window > 0).then(|| format_compact!("W{}", spec.window)),
            clerk: None,
            case: pseudonym(4, spec.case),
            occasion: None,
            case_match: Some(if spec.matched { CaseMatch::Matched } else { CaseMatch::Unmatched }),
            stage: Some(Stage::Complete),
            completed_at: None,
        },
        rater: Rater { id: pseudonym(2, spec.rater), ..Rater::default() },
        device: Device { fingerprint: pseudonym(1, spec.device), ..Device::default() },
        network: Network { ip: pseudonym(6, spec.ip), ..Network::default() },
        text,
        warnings: Vec::new(),
        former: None,
    };
    let weight = |place: usize| 3.0 - place as f32;
    RatingEntry {
        outcome: Outcome {
            decision: spec.decision,
            suspicion: spec.suspicion,
            risk: spec.risk,
            reasons: spec
                .reasons
                .iter()
                .enumerate()
                .map(|(place, &code)| Contribution {
                    code: code.into(),
                    source: ReasonSource::Rule,
                    weight: weight(place),
                })
                .collect(),
            rules: Version([1; 8]),
            model: Version([2; 8]),
            scored_at: Instant(at.ms() + 1_000),
        },
        observation: Box::new(observation),
        features: FeatureVector::new(MAX_FEATURES),
        catalogue: 1,
        day: UtcOffset::CHINA.day_of(at),
        supersedes_sequence: None,
        flags: spec.flags,
    }
}

/// A log in memory.
#[derive(Default)]
pub struct Ledger {
    pub entries: Vec<Entry>,
    /// Deadlines are ends of days, and not a day later to the millisecond.
    pub days: bool,
    places: HashMap<String, Vec<usize>>,
}

impl Ledger {
    pub fn push(&mut self, entry: Entry) -> u64 {
        if let Some(id) = entry.rating_id() {
            self.places.entry(id.to_owned()).or_default().push(self.entries.len());
        }
        self.entries.push(entry);
        self.entries.len() as u64 - 1
    }

    pub fn rate(&mut self, id: &str, spec: &Spec) -> u64 {
        self.push(Entry::Rating(Box::new(rating(id, spec))))
    }

    pub fn file(&self, id: &str) -> Option<CaseFile> {
        let places = self.places.get(id)?;
        CaseFile::of(places.iter().map(|&place| (place as u64, self.entries[place].clone())))
    }

    pub fn state(&self, id: &str) -> CaseState {
        let file = self.file(id).unwrap();
        let mut state = CaseState::of([&self.entries[file.sequence as usize]]).unwrap();
        for (_, entry) in &file.entries {
            state.fold(entry);
        }
        state
    }

    /// Does what the service does: asks, appends the act, and the revision that it leads to.
    pub fn act(&mut self, id: &str, by: &str, act: Act, minute: i64) -> bool {
        let at = Instant(START + minute * MINUTE_MS);
        let reason = match act {
            Act::Decide(ReviewOutcome::Clear) => "clear-real-case",
            Act::Decide(ReviewOutcome::Confirm) => "confirm-group",
            Act::Decide(ReviewOutcome::Mistaken) => "mistaken-star",
            _ => "",
        };
        let state = self.state(id);
        let effect = state.check(act, by, at, ReviewTimes::default());
        self.force(id, by, act, reason, minute);
        if let Ok(Effect::Decides(decision)) = effect {
            self.revise(id, decision, RevisionSource::Reviewer, minute, None);
        }
        effect.is_ok()
    }

    /// Appends an act whether or not it is in order.
    pub fn force(&mut self, id: &str, by: &str, act: Act, reason: &str, minute: i64) {
        let rating_sequence = self.file(id).unwrap().sequence;
        let words =
            matches!(act, Act::Decide(_)).then(|| Words { sealed: format!("words of {by}"), nonce: [0; 16] });
        self.push(Entry::Review(Box::new(ReviewEntry {
            rating_id: id.into(),
            rating_sequence,
            act,
            reason: reason.into(),
            by: by.into(),
            at: Instant(START + minute * MINUTE_MS),
            words,
        })));
    }

    pub fn revise(
        &mut self,
        id: &str,
        decision: Decision,
        source: RevisionSource,
        minute: i64,
        campaign: Option<u64>,
    ) {
        let file = self.file(id).unwrap();
        let state = self.state(id);
        let evidence = (source == RevisionSource::LookBack).then(|| Evidence {
            suspicion: Some(Suspicion::PaddedPraise),
            risk: 0.8,
            reasons: vec![Contribution {
                code: "look-back".into(),
                source: ReasonSource::Policy,
                weight: 1.0,
            }],
            figures: campaign
                .map(|campaign| (crate::catalogue::builtin::GROUP_CAMPAIGN, campaign))
                .into_iter()
                .collect(),
            nonce: [0; 16],
        });
        self.push(Entry::Revision(Box::new(RevisionEntry {
            rating: file.rating.public(),
            rating_sequence: file.sequence,
            revision: state.revision + 1,
            previous: state.decision,
            decision,
            source,
            at: Instant(START + minute * MINUTE_MS),
            evidence,
        })));
    }

    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// What the log would have after erasing this rating and all that was said about it.
    pub fn erase(&mut self, id: &str) {
        for &place in &self.places[id] {
            match &mut self.entries[place] {
                entry @ Entry::Rating(_) => *entry = Entry::Erased(entry.rating().unwrap()),
                Entry::Revision(revision) => revision.evidence = None,
                Entry::Review(review) => review.words = None,
                _ => {}
            }
        }
    }

    /// Applies all that is new, in batches of this size.
    pub fn apply_to(&self, projection: &Projection, batch: usize) {
        let from = projection.position() as usize;
        for start in (from..self.entries.len()).step_by(batch) {
            let end = (start + batch).min(self.entries.len());
            let entries: Vec<(u64, &Entry)> =
                (start..end).map(|place| (place as u64, &self.entries[place])).collect();
            projection.apply(&entries, end as u64, self).unwrap();
        }
    }
}

impl CaseReader for Ledger {
    fn case(&self, rating_id: &str) -> Result<Option<CaseFile>, LogError> {
        Ok(self.file(rating_id))
    }

    fn reference(&self, rating_id: &str) -> String {
        format!("ZP-{rating_id}")
    }

    fn due(&self, since: Instant) -> Instant {
        match self.days {
            true => Instant((since.ms().div_euclid(DAY_MS) + 2) * DAY_MS),
            false => Instant(since.ms() + DAY_MS),
        }
    }
}

/// A projection in a directory of its own.
pub struct Scratch {
    pub projection: Projection,
    pub directory: tempfile::TempDir,
}

pub fn scratch() -> Scratch {
    let directory = tempfile::tempdir().unwrap();
    Scratch { projection: Projection::open(directory.path()).unwrap(), directory }
}

/// Every row of every table as text.
pub fn dump(projection: &Projection) -> Vec<String> {
    projection
        .read(|db| {
            let mut rows = Vec::new();
            for (table, order) in schema::ALL {
                let mut statement = db.prepare(&format!("SELECT * FROM {table} ORDER BY {order}"))?;
                let columns = statement.column_count();
                let mut found = statement.query([])?;
                while let Some(row) = found.next()? {
                    let value = |column: usize| match row.get_ref(column).unwrap() {
                        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                        other => format!("{other:?}"),
                    };
                    let values: Vec<String> = (0..columns).map(value).collect();
                    rows.push(format!("{table}: {}", values.join(" ")));
                }
            }
            Ok(rows)
        })
        .unwrap()
}

pub fn now(minute: i64) -> Instant {
    Instant(START + minute * MINUTE_MS)
}

pub fn viewer(minute: i64) -> Viewer<'static> {
    Viewer { name: "an", now: now(minute) }
}

pub const HOUR_MINUTES: i64 = HOUR_MS / MINUTE_MS;
