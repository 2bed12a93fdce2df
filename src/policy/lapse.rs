//! The clock of holds: an undecided hold of a bad rating is not a rejection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use compact_str::CompactString;

use super::Calendar;
use crate::time::{DAY_MS, Instant};

/// When holds lapse to `admit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LapsePolicy {
    /// Working days after which a held bad rating is admitted.
    pub bad_working_days: u16,
    /// Working days that an extension by two people adds, once.
    pub extension_working_days: u16,
    /// Working days after which held praise is admitted; `None` (the default) means that it waits
    /// for a person and every report prints it as pending: praise that nobody looked at does no
    /// citizen any good, and a flood of it must not enter the figures by waiting.
    pub praise_working_days: Option<u16>,
}

impl Default for LapsePolicy {
    fn default() -> Self {
        Self { bad_working_days: 5, extension_working_days: 10, praise_working_days: None }
    }
}

/// A rating on hold.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Held {
    /// Since when, by the log.
    pub since: Instant,
    /// Whether it is a bad rating.
    pub bad: bool,
    /// When it lapses; `None` where it waits for a person.
    pub deadline: Option<Instant>,
    /// The first of the two people who want to extend it.
    asked_by: Option<CompactString>,
    /// Whether two people have extended it.
    pub extended: bool,
}

impl Held {
    /// The first of the two people who want to extend it.
    pub fn asked_by(&self) -> Option<&str> {
        self.asked_by.as_deref()
    }
}

/// What became of a request to extend a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Noted; a second person must ask too before the deadline.
    NeedsSecond,
    /// The same person asked again; a second person must ask.
    SamePerson,
    /// Extended to this deadline.
    Extended(Instant),
    /// It was extended before; a hold is extended once.
    AlreadyExtended,
    /// The deadline has passed: it lapses.
    TooLate,
    /// The rating is not on hold, or its hold has no deadline.
    NotHeld,
}

/// All ratings on hold, with their deadlines: a fold over holds and decisions in log order.
///
/// Bounded by the daily budget for bad ratings; held praise is bounded by who reviews it, so the
/// number is in every report ([`Pending::len`], [`Pending::oldest`]). About 100 bytes a hold.
#[derive(Clone, Debug)]
pub struct Pending {
    calendar: Calendar,
    policy: LapsePolicy,
    /// By log sequence of the rating.
    held: BTreeMap<u64, Held>,
    deadlines: BTreeSet<(Instant, u64)>,
    ages: BTreeSet<(Instant, u64)>,
    bad: u64,
    /// What was decided of late, with its clock: a decision that is taken back gives it back.
    decided: VecDeque<Ended>,
}

/// A hold that was decided.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ended {
    rating: u64,
    at: Instant,
    held: Held,
}

/// How long, and for how many, the clock of a decided hold is remembered.
const DECIDED_FOR_MS: i64 = DAY_MS;
const DECIDED_MAX: usize = 20_000;

impl Pending {
    /// Nothing on hold.
    pub fn new(calendar: Calendar, policy: LapsePolicy) -> Self {
        Self {
            calendar,
            policy,
            held: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            ages: BTreeSet::new(),
            bad: 0,
            decided: VecDeque::new(),
        }
    }

    /// Counts the working days of holds from now on by this calendar. Deadlines that are set stay.
    pub fn set_calendar(&mut self, calendar: Calendar) {
        self.calendar = calendar;
    }

    /// Counts the working days of holds.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// All holds by the sequences of their ratings, ascending.
    pub fn all(&self) -> Vec<(u64, Held)> {
        self.held.iter().map(|(&rating, held)| (rating, held.clone())).collect()
    }

    /// What was decided of late.
    pub fn decided(&self) -> &VecDeque<Ended> {
        &self.decided
    }

    /// The clock that had these holds, and decided those of late.
    pub fn restore(
        calendar: Calendar,
        policy: LapsePolicy,
        held: Vec<(u64, Held)>,
        decided: VecDeque<Ended>,
    ) -> Self {
        let mut pending = Self { decided, ..Self::new(calendar, policy) };
        for (rating, held) in held {
            pending.insert(rating, held);
        }
        pending
    }

    /// A rating was held. One that is on hold already, or was until less than a day ago, keeps its clock: a
    /// further hold never gives silence more time.
    pub fn hold(&mut self, rating: u64, bad: bool, since: Instant) {
        if self.held.contains_key(&rating) {
            return;
        }
        if let Some(place) = self.decided.iter().rposition(|decided| decided.rating == rating)
            && let Some(Ended { held, at, .. }) = self.decided.remove(place)
            && since.ms() - at.ms() < DECIDED_FOR_MS
        {
            self.insert(rating, held);
            return;
        }
        let days = if bad { Some(self.policy.bad_working_days) } else { self.policy.praise_working_days };
        let deadline = days.map(|days| self.calendar.deadline(since, days));
        self.insert(rating, Held { since, bad, deadline, asked_by: None, extended: false });
    }

    fn insert(&mut self, rating: u64, held: Held) {
        self.deadlines.extend(held.deadline.map(|deadline| (deadline, rating)));
        self.ages.insert((held.since, rating));
        self.bad += u64::from(held.bad);
        self.held.insert(rating, held);
    }

    /// A rating was admitted or rejected. Returns what was on hold, if it was.
    pub fn decide(&mut self, rating: u64, at: Instant) -> Option<Held> {
        let held = self.held.remove(&rating)?;
        if let Some(deadline) = held.deadline {
            self.deadlines.remove(&(deadline, rating));
        }
        self.ages.remove(&(held.since, rating));
        self.bad -= u64::from(held.bad);
        let is_over = |decided: &Ended| at.ms() - decided.at.ms() >= DECIDED_FOR_MS;
        while self.decided.len() >= DECIDED_MAX || self.decided.front().is_some_and(is_over) {
            self.decided.pop_front();
        }
        self.decided.push_back(Ended { rating, at, held: held.clone() });
        Some(held)
    }

    /// A person wants to extend a hold. It takes two different people, before the deadline, once.
    pub fn extend(&mut self, rating: u64, person: &str, now: Instant) -> Extension {
        let extension = self.would_extend(rating, person, now);
        if let Some(held) = self.held.get_mut(&rating) {
            match extension {
                Extension::NeedsSecond => held.asked_by = Some(person.into()),
                Extension::Extended(until) => {
                    if let Some(deadline) = held.deadline.replace(until) {
                        self.deadlines.remove(&(deadline, rating));
                    }
                    held.extended = true;
                    self.deadlines.insert((until, rating));
                }
                _ => {}
            }
        }
        extension
    }

    /// What [`Self::extend`] would say.
    pub fn would_extend(&self, rating: u64, person: &str, now: Instant) -> Extension {
        let Some(held) = self.held.get(&rating) else { return Extension::NotHeld };
        let Some(deadline) = held.deadline else { return Extension::NotHeld };
        if held.extended {
            return Extension::AlreadyExtended;
        }
        if now >= deadline {
            return Extension::TooLate;
        }
        match held.asked_by.as_deref() {
            None => Extension::NeedsSecond,
            Some(first) if first == person => Extension::SamePerson,
            Some(_) => {
                let days = self.policy.bad_working_days.saturating_add(self.policy.extension_working_days);
                // Counted from the hold, so that asking late gains nothing; praise with a longer
                // clock of its own never gets a shorter one.
                Extension::Extended(self.calendar.deadline(held.since, days).max(deadline))
            }
        }
    }

    /// Ratings whose hold has lapsed at `now`, by deadline and then by sequence.
    pub fn due(&self, now: Instant) -> impl Iterator<Item = u64> + '_ {
        self.deadlines.range(..=(now, u64::MAX)).map(|&(_, rating)| rating)
    }

    /// The next deadline, so that a service knows how long it may sleep.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// One rating on hold.
    pub fn get(&self, rating: u64) -> Option<&Held> {
        self.held.get(&rating)
    }

    /// Since when the oldest hold waits.
    pub fn oldest(&self) -> Option<Instant> {
        self.ages.first().map(|&(since, _)| since)
    }

    /// Ratings on hold.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Bad ratings on hold.
    pub fn bad_len(&self) -> u64 {
        self.bad
    }

    /// Whether nothing is on hold.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::date::UtcOffset;
    use crate::time::HOUR_MS;

    fn at(text: &str) -> Instant {
        Instant::parse_rfc3339(text).unwrap()
    }

    fn pending() -> Pending {
        Pending::new(Calendar::default(), LapsePolicy::default())
    }

    #[test]
    fn a_held_bad_rating_lapses_after_five_working_days_and_praise_waits() {
        let mut pending = pending();
        pending.hold(7, true, at("2026-03-02T09:00:00+08:00"));
        pending.hold(8, false, at("2026-03-02T09:00:00+08:00"));
        let end = at("2026-03-10T00:00:00+08:00");
        assert_eq!(pending.next_deadline(), Some(end));
        assert_eq!(pending.due(Instant(end.ms() - 1)).count(), 0);
        assert_eq!(pending.due(end).collect::<Vec<_>>(), [7]);
        pending.decide(7, end);
        assert_eq!(pending.next_deadline(), None);
        assert_eq!((pending.len(), pending.bad_len()), (1, 0));
    }

    #[test]
    fn it_takes_two_people_to_extend_and_only_once() {
        let mut pending = pending();
        let since = at("2026-03-02T09:00:00+08:00");
        pending.hold(7, true, since);
        assert_eq!(pending.extend(7, "a", since), Extension::NeedsSecond);
        assert_eq!(pending.extend(7, "a", since), Extension::SamePerson);
        let end = at("2026-03-24T00:00:00+08:00");
        assert_eq!(pending.extend(7, "b", since), Extension::Extended(end), "15 working days in all");
        assert_eq!(pending.extend(7, "c", since), Extension::AlreadyExtended);
        assert_eq!(pending.due(Instant(end.ms() - 1)).count(), 0);
        assert_eq!(pending.due(end).collect::<Vec<_>>(), [7]);
        assert_eq!(pending.extend(9, "a", since), Extension::NotHeld);
    }

    #[test]
    fn a_request_after_the_deadline_is_too_late() {
        let mut pending = pending();
        pending.hold(7, true, at("2026-03-02T09:00:00+08:00"));
        assert_eq!(pending.extend(7, "a", at("2026-03-10T00:00:00+08:00")), Extension::TooLate);
    }

    #[test]
    fn a_decision_that_is_taken_back_gives_the_hold_its_old_clock() {
        let mut pending = pending();
        let since = at("2026-03-02T09:00:00+08:00");
        pending.hold(7, true, since);
        let deadline = pending.next_deadline();
        pending.decide(7, Instant(since.ms() + HOUR_MS));
        pending.hold(7, true, Instant(since.ms() + 2 * HOUR_MS));
        assert_eq!((pending.oldest(), pending.next_deadline()), (Some(since), deadline));
        pending.decide(7, Instant(since.ms() + 3 * HOUR_MS));
        pending.hold(7, true, Instant(since.ms() + 30 * HOUR_MS));
        assert_ne!(pending.oldest(), Some(since), "after a day it is a hold of its own");
    }

    #[test]
    fn holding_again_does_not_restart_the_clock() {
        let mut pending = pending();
        let since = at("2026-03-02T09:00:00+08:00");
        pending.hold(7, true, since);
        pending.hold(7, true, Instant(since.ms() + 100 * HOUR_MS));
        assert_eq!(pending.oldest(), Some(since));
        assert_eq!(pending.len(), 1);
    }

    proptest! {
        #[test]
        fn due_agrees_with_asking_every_hold(
            steps in proptest::collection::vec((0u64..12, any::<bool>(), 0u8..4, 0i64..200), 0..60),
        ) {
            let policy = LapsePolicy { praise_working_days: Some(8), ..LapsePolicy::default() };
            let mut pending = Pending::new(Calendar::default(), policy);
            let calendar = Calendar::new(UtcOffset::CHINA, [], []).unwrap();
            let mut naive: BTreeMap<u64, (Instant, bool)> = BTreeMap::new();
            let mut now = at("2026-03-02T09:00:00+08:00");
            for (rating, bad, action, hours) in steps {
                if action == 0 {
                    prop_assert_eq!(pending.decide(rating, Instant(i64::MIN / 2)).is_some(), naive.remove(&rating).is_some());
                } else {
                    pending.hold(rating, bad, now);
                    naive.entry(rating).or_insert((now, bad));
                }
                now = Instant(now.ms() + hours * HOUR_MS);
                let mut expected: Vec<(Instant, u64)> = naive
                    .iter()
                    .map(|(&r, &(since, bad))| (calendar.deadline(since, if bad { 5 } else { 8 }), r))
                    .filter(|&(deadline, _)| deadline <= now)
                    .collect();
                expected.sort();
                prop_assert_eq!(pending.due(now).collect::<Vec<_>>(), expected.iter().map(|e| e.1).collect::<Vec<_>>());
                prop_assert_eq!(pending.oldest(), naive.values().map(|v| v.0).min());
                prop_assert_eq!(pending.bad_len(), naive.values().filter(|v| v.1).count() as u64);
            }
        }
    }
}
