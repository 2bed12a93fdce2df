//! Incidents and alerts: what people should know of, and what holds no rating.
//!
//! An **incident** is a surge of bad ratings whose raters have nothing to do with each other: an outage, a
//! closed counter. It is announced, and its ratings are judged as if it were not there: nobody is held for
//! being part of it, and nobody is shielded from the evidence against one's own rating. A surge whose raters are
//! related is none: that is a campaign, which the look-back and the desk see to.
//!
//! An **alert** says that what a window's ratings are made of has jumped: the share that the platform
//! filled in, or the share of five stars at the window's pad. Coaching shows there.
//!
//! ```text
//! rating ─▶ its window's day ───────────────▶ alert, when the day is over
//!   └ bad ─▶ window, office, department, city: two hours against what is usual ─▶ unrelated? ─▶ incident
//! ```
//!
//! A fold over the log's ratings, in their order and in event time: pure, bounded, without a clock. Nothing in
//! the scoring path reads it; it stands above that path only because the service folds it.

mod relation;
mod report;
mod shares;
mod surge;
mod tail;
#[cfg(test)]
mod tests;
mod usual;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::catalogue::FeatureVector;
use crate::date::UtcOffset;
use crate::features::aged_map::AgedMap;
use crate::features::identity::organisation_key;
use crate::features::keys::KeyField;
use crate::observation::Observation;
use crate::time::{DAY_MS, HOUR_MS, Instant};
use crate::wire::{Decision, Origin};

pub use relation::Relations;
pub use report::{Alert, Incident, Jump};
pub use tail::{share_tail, surge_tail};

use relation::Member;
use shares::Shares;
use surge::{SLOTS, Target, slot_of};
use usual::{Everybody, Rhythm, Usual};

/// A surge has at least so many bad ratings within two hours, those on hold not among them.
const LEAST_RATINGS: u32 = 8;
/// So many or more are less probable than this by chance.
const CHANCE: f64 = 1e-4;
/// Nothing is announced before the log reaches back so far: nobody knows what is usual.
const LEAST_KNOWN_MS: i64 = DAY_MS;
/// One rating advances the time by no more (a long weekend), so that one from the far future makes nothing old.
const LONGEST_GAP_MS: i64 = 3 * DAY_MS;
/// So many ratings in a row that lie before such a step take it back.
const DOUBTED: u8 = 3;
/// An incident is over once an hour brings no more than so many times what is usual.
const OVER: f64 = 2.0;
/// After so long, what an incident brings is learned as what is usual.
const LEARNED_MS: i64 = DAY_MS;
/// Raters of an incident that are told apart; further ones are not counted.
const MOST_RATERS: usize = 4_096;

/// Bounds, and where days begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Targets of each kind (window, office, department, the city) whose bad ratings are followed. Beyond it those go
    /// whose last bad rating is longest ago.
    pub targets: usize,
    /// Windows whose make-up is followed. Beyond it those go that were rated longest ago.
    pub windows: usize,
    /// Incidents and alerts, of each, that can go on at once. Beyond it the incident goes whose last rating is
    /// longest ago, and the alert that began first.
    pub open: usize,
    /// Incidents and alerts, of each, that are over and still known. Beyond it the first to end go.
    pub recent: usize,
    /// Where days begin.
    pub offset: UtcOffset,
}

impl Default for Limits {
    fn default() -> Self {
        Self { targets: 8_192, windows: 32_768, open: 256, recent: 1_024, offset: UtcOffset::CHINA }
    }
}

impl Limits {
    /// Bytes that all of it takes at most, but for the moment in which a table grows.
    pub fn most_bytes(&self) -> usize {
        let targets = AgedMap::<Target>::most_bytes(self.targets) + self.targets * Target::MOST_BYTES;
        let incidents =
            self.open * (size_of::<Open>() + MOST_RATERS * 16) + self.recent * size_of::<Incident>();
        // Of the city there is one.
        (Place::ALL.len() - 1) * targets
            + Target::MOST_BYTES
            + incidents
            + Shares::most_bytes(self.windows, self.open, self.recent)
    }
}

/// What a rating began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opened {
    /// An incident.
    pub incident: Option<Incident>,
    /// Alerts.
    pub alerts: Vec<Alert>,
}

/// What can have an incident, the smallest first. A city's departments often have a code in each district, so
/// that only the whole shows what is down everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
enum Place {
    Window,
    /// The department within its district.
    Office,
    Department,
    City,
}

impl Place {
    const ALL: [Self; 4] = [Self::Window, Self::Office, Self::Department, Self::City];

    fn key(self, o: &Observation) -> Option<u64> {
        let service = &o.service;
        let department = service.department.as_str();
        match self {
            Self::Window => service.window.as_deref().map(|window| {
                let hall = service.hall.as_deref().unwrap_or("");
                organisation_key(KeyField::Window, &[department, hall, window])
            }),
            Self::Office => service
                .district
                .as_deref()
                .map(|district| organisation_key(KeyField::Office, &[department, district])),
            Self::Department => Some(organisation_key(KeyField::Department, &[department])),
            Self::City => Some(organisation_key(KeyField::Everything, &[])),
        }
    }
}

/// How far event time has come.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Watermark {
    newest_ms: Option<i64>,
    /// A rating was further ahead than any night or weekend; a second one shows that time has passed indeed.
    ahead_ms: Option<i64>,
    /// One rating moved the time by more than an hour: where it stood before, and how many ratings since then
    /// know nothing of it.
    leapt: Option<(i64, u8)>,
}

impl Watermark {
    /// Sees a rating's time; gives how far time has come.
    fn pass(&mut self, at_ms: i64) -> i64 {
        let newest = self.newest_ms.unwrap_or(at_ms);
        let next = newest.saturating_add(HOUR_MS);
        let ahead = self.ahead_ms.take();
        let now = if at_ms <= next {
            self.doubt(at_ms).unwrap_or(newest.max(at_ms))
        } else if at_ms <= newest.saturating_add(LONGEST_GAP_MS) {
            self.leapt = Some((newest, 0));
            at_ms
        } else if let Some(ahead) = ahead {
            ahead.min(at_ms).max(next)
        } else {
            self.ahead_ms = Some(at_ms);
            next
        };
        self.newest_ms = Some(now);
        now
    }

    /// Where the time stands if it was moved by a rating that the next ones do not bear out.
    fn doubt(&mut self, at_ms: i64) -> Option<i64> {
        let (before, seen) = self.leapt.take()?;
        if at_ms > before.saturating_add(HOUR_MS) {
            return None;
        }
        if seen + 1 >= DOUBTED {
            return Some(before.max(at_ms));
        }
        self.leapt = Some((before, seen + 1));
        None
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    incident: Incident,
    place: Place,
    opened_ms: i64,
    last_ms: i64,
    raters: BTreeSet<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Targets {
    known: AgedMap<Target>,
    everybody: Everybody,
}

/// Incidents and alerts, and what is usual.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Incidents {
    limits: Limits,
    watermark: Watermark,
    /// Event time of the first rating.
    began_ms: Option<i64>,
    /// The slot up to which incidents were looked at for their end.
    looked: i64,
    rhythm: Rhythm,
    targets: [Targets; 4],
    /// By the target's key.
    open: BTreeMap<u64, Open>,
    over: VecDeque<Incident>,
    shares: Shares,
}

impl Incidents {
    /// Nothing yet.
    pub fn new(limits: Limits) -> Self {
        let targets = || Targets { known: AgedMap::new(limits.targets), everybody: Everybody::default() };
        Self {
            limits,
            watermark: Watermark::default(),
            began_ms: None,
            looked: 0,
            rhythm: Rhythm::default(),
            targets: std::array::from_fn(|_| targets()),
            open: BTreeMap::new(),
            over: VecDeque::new(),
            shares: Shares::new(limits.windows, limits.open, limits.recent),
        }
    }

    /// Takes note of a rating in its place of the log. `decision` is the one that it was answered with.
    /// Gives what begins with it.
    pub fn note(
        &mut self,
        sequence: u64,
        o: &Observation,
        features: &FeatureVector,
        decision: Decision,
    ) -> Option<Opened> {
        let now_ms = self.watermark.pass(o.submitted_at.ms());
        // What claims to come from the future came now.
        let at = Instant(o.submitted_at.ms().min(now_ms));
        self.began_ms.get_or_insert(at.ms());
        if slot_of(now_ms) != self.looked {
            self.looked = slot_of(now_ms);
            self.end_incidents(now_ms);
        }
        let alerts = self.shares.note(sequence, o, at, self.limits.offset);
        // Whoever revises a rating was counted with the first.
        let counts = o.is_bad() && o.origin == Origin::Active && o.supersedes.is_none();
        let incident = match counts {
            true => self.note_bad(sequence, at, now_ms, o, features, decision),
            false => None,
        };
        (incident.is_some() || !alerts.is_empty()).then_some(Opened { incident, alerts })
    }

    /// Incidents that go on, the latest first.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        let mut open: Vec<&Incident> = self.open.values().map(|open| &open.incident).collect();
        open.sort_unstable_by_key(|incident| std::cmp::Reverse(incident.sequence));
        open.into_iter()
    }

    /// How many incidents go on.
    pub fn going_on(&self) -> usize {
        self.open.len()
    }

    /// The latest incidents: those that go on, then those that are over, the last to end first.
    pub fn recent(&self, most: usize) -> impl Iterator<Item = &Incident> {
        self.open().chain(self.over.iter().rev()).take(most)
    }

    /// Alerts: those that go on, then those that are over, each the latest first.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.shares.alerts()
    }

    /// How many alerts go on.
    pub fn alerts_going_on(&self) -> usize {
        self.shares.going_on()
    }

    /// How many targets and windows are followed.
    pub fn len(&self) -> usize {
        self.targets.iter().map(|targets| targets.known.len()).sum::<usize>() + self.shares.len()
    }

    /// Whether nothing is followed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn note_bad(
        &mut self,
        sequence: u64,
        at: Instant,
        now_ms: i64,
        o: &Observation,
        features: &FeatureVector,
        decision: Decision,
    ) -> Option<Incident> {
        let keys = Place::ALL.map(|place| place.key(o));
        let claimed = Place::ALL
            .into_iter()
            .find(|&place| keys[place as usize].is_some_and(|key| self.open.contains_key(&key)));
        let timely = slot_of(now_ms) - slot_of(at.ms()) < SLOTS as i64;
        let mut member = Member::new(sequence, at.ms(), o, features, decision != Decision::Admit);
        if let (Some(place), true) = (claimed, timely)
            && let Some(key) = keys[place as usize]
        {
            member = self.join(place, key, member, now_ms);
            let new_usual = self.open.get(&key).is_some_and(|open| now_ms - open.opened_ms >= LEARNED_MS);
            if new_usual {
                self.learn(&keys, place, at, now_ms);
            }
            if let Some(open) = self.open.get_mut(&key) {
                open.take(&member, at);
            }
            return None;
        }
        self.learn(&keys, Place::Window, at, now_ms);
        if !timely {
            return None;
        }
        for place in Place::ALL {
            if let Some(key) = keys[place as usize] {
                let _ = self.join(place, key, member.clone(), now_ms);
            }
        }
        let place = Place::ALL.into_iter().find(|&place| {
            keys[place as usize].is_some_and(|key| self.surges(place, key, now_ms).is_some())
        })?;
        self.begin(place, &keys, o, now_ms)
    }

    /// The target under a key, as it is by now.
    fn target(&mut self, place: Place, key: u64, now_ms: i64) -> &mut Target {
        let offset = self.limits.offset;
        let known = &mut self.targets[place as usize].known;
        // As long as nothing was forgotten, a target that is new had nothing since the log began.
        let since = match known.forgotten() {
            0 => self.began_ms.unwrap_or(now_ms),
            _ => now_ms,
        };
        let fresh = || Target::of(Usual::since(offset.day_of(Instant(since))));
        let target = known.entry(key, fresh);
        target.forward(now_ms);
        target
    }

    /// Counts a bad rating at a target; gives it back with what it shares with others there.
    fn join(&mut self, place: Place, key: u64, member: Member, now_ms: i64) -> Member {
        let target = self.target(place, key, now_ms);
        target.add(member.clone());
        target.members.back().filter(|last| last.sequence == member.sequence).cloned().unwrap_or(member)
    }

    fn learn(&mut self, keys: &[Option<u64>; 4], from: Place, at: Instant, now_ms: i64) {
        if usual::is_past(at.ms(), now_ms) {
            return;
        }
        let offset = self.limits.offset;
        usual::learn_rhythm(&mut self.rhythm, at, offset);
        for place in Place::ALL.into_iter().filter(|&place| place >= from) {
            let Some(key) = keys[place as usize] else { continue };
            self.target(place, key, now_ms);
            let Targets { known, everybody } = &mut self.targets[place as usize];
            if let Some(target) = known.get_mut(key) {
                target.usual.learn(at, offset, everybody);
            }
        }
    }

    fn expected(&self, place: Place, target: &Target, now_ms: i64) -> usual::Expected {
        let Targets { known, everybody } = &self.targets[place as usize];
        let (offset, began) = (self.limits.offset, self.began_ms.unwrap_or(now_ms));
        let began = offset.day_of(Instant(began));
        target.usual.expect(Instant(now_ms), offset, &self.rhythm, everybody, known.len(), began)
    }

    /// Whether what came within two hours is an incident: what is usual, the chance, how unrelated they are.
    fn surges(&self, place: Place, key: u64, now_ms: i64) -> Option<(f64, f64, Relations)> {
        let target = self.targets[place as usize].known.peek(key)?;
        let count = target.in_window();
        let known_ms = now_ms - self.began_ms.unwrap_or(now_ms);
        if count < LEAST_RATINGS || known_ms < LEAST_KNOWN_MS {
            return None;
        }
        let expected = self.expected(place, target, now_ms);
        let chance = surge_tail(count, expected.in_window, expected.shape);
        if chance >= CHANCE {
            return None;
        }
        let relations = Relations::of(target.members.iter());
        if place == Place::City && relations.of_one_department() {
            return None;
        }
        relations.unrelated().then_some((expected.per_hour, chance, relations))
    }

    fn begin(
        &mut self,
        place: Place,
        keys: &[Option<u64>; 4],
        o: &Observation,
        now_ms: i64,
    ) -> Option<Incident> {
        let key = keys[place as usize]?;
        let (baseline, chance, relations) = self.surges(place, key, now_ms)?;
        let target = self.targets[place as usize].known.peek(key)?.clone();
        let at_opening = target.in_window();
        let is_id = |sequence: u64| {
            self.open.values().map(|open| &open.incident).chain(&self.over).any(|i| i.sequence == sequence)
        };
        let first = target.members.iter().filter(|m| !is_id(m.sequence)).min_by_key(|m| m.sequence)?;
        let service = &o.service;
        let at_window = place == Place::Window;
        let incident = Incident {
            sequence: first.sequence,
            department: if place == Place::City {
                CompactString::default()
            } else {
                service.department.clone()
            },
            district: service.district.clone().filter(|_| place <= Place::Office),
            hall: service.hall.clone().filter(|_| at_window),
            window: service.window.clone().filter(|_| at_window),
            since: Instant(target.members.iter().map(|m| m.at_ms).min().unwrap_or(now_ms)),
            until: None,
            // Those that are no longer looked at one by one count too; whose they are is not known.
            ratings: at_opening.saturating_sub(target.members.iter().filter(|m| !m.is_held()).count() as u32),
            raters: 0,
            related: 0,
            held: 0,
            baseline,
            at_opening,
            chance,
            relations,
        };
        let mut open = Open { incident, place, opened_ms: now_ms, last_ms: 0, raters: BTreeSet::new() };
        target.members.iter().for_each(|member| open.take(member, Instant(member.at_ms)));
        let incident = open.incident.clone();
        self.set_apart(place, keys, &target, now_ms);
        if self.open.len() >= self.limits.open.max(1) {
            let quietest = self.open.iter().min_by_key(|(_, open)| (open.last_ms, open.incident.sequence));
            if let Some((&quietest, _)) = quietest {
                self.end(quietest);
            }
        }
        self.open.insert(key, open);
        Some(incident)
    }

    /// What an incident brings is not usual, and no part of another surge of what the target belongs to.
    fn set_apart(&mut self, place: Place, keys: &[Option<u64>; 4], surge: &Target, now_ms: i64) {
        for above in Place::ALL.into_iter().filter(|&above| above >= place) {
            let Some(key) = keys[above as usize] else { continue };
            let Targets { known, everybody } = &mut self.targets[above as usize];
            let Some(target) = known.get_mut(key) else { continue };
            target.usual.unlearn(Instant(now_ms), self.limits.offset, surge.in_window(), everybody);
            if above > place {
                target.without(surge);
            }
        }
    }

    /// Ends the incidents whose targets are back to what is usual.
    fn end_incidents(&mut self, now_ms: i64) {
        let keys: Vec<(u64, Place, i64)> =
            self.open.iter().map(|(&key, open)| (key, open.place, open.opened_ms)).collect();
        for (key, place, opened_ms) in keys {
            if now_ms - opened_ms < HOUR_MS {
                continue;
            }
            let in_hour = self.target(place, key, now_ms).in_hour();
            let usual = self.targets[place as usize].known.peek(key);
            let usual = usual.map_or(0.0, |target| self.expected(place, target, now_ms).per_hour);
            if f64::from(in_hour) <= OVER * usual {
                self.end(key);
            }
        }
    }

    fn end(&mut self, key: u64) {
        let Some(open) = self.open.remove(&key) else { return };
        if let Some(target) = self.targets[open.place as usize].known.get_mut(key) {
            target.clear();
        }
        self.over.push_back(Incident { until: Some(Instant(open.last_ms)), ..open.incident });
        while self.over.len() > self.limits.recent {
            self.over.pop_front();
        }
    }
}

impl Open {
    fn take(&mut self, member: &Member, at: Instant) {
        let incident = &mut self.incident;
        incident.ratings += 1;
        incident.related += u32::from(member.is_related());
        incident.held += u32::from(member.is_held());
        self.last_ms = self.last_ms.max(at.ms());
        match member.who() {
            None => incident.raters += 1,
            Some(who) if self.raters.len() < MOST_RATERS && self.raters.insert(who) => incident.raters += 1,
            Some(_) => {}
        }
    }
}
