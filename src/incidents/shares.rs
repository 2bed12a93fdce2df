//! Jumps in what a window's ratings are made of: who is coached, or filled in for, leaves such a jump.
//!
//! A window's day is held against its last weeks when the day is over, that is at its first rating of a
//! later day: platforms fill in their defaults in one go, so part of a day says nothing.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::report::{Alert, Jump};
use super::tail::share_tail;
use crate::date::{Day, UtcOffset};
use crate::features::aged_map::AgedMap;
use crate::features::identity::organisation_key;
use crate::features::keys::KeyField;
use crate::observation::Observation;
use crate::time::Instant;
use crate::wire::{EntryPoint, Origin};

/// A day with fewer is not looked at.
const LEAST_A_DAY: u32 = 30;
/// Nor is a window of which fewer are known.
const LEAST_BEFORE: u32 = 100;
/// A jump has at least so many points (0.20).
const LEAST_POINTS: f64 = 0.20;
/// It is over once a day is as near as this to what was usual.
const NEAR_POINTS: f64 = 0.10;
/// A jump is no chance below this probability …
const CHANCE: f64 = 1e-6;
/// … and so that all windows together give no more than this many a day by chance.
const CHANCE_A_DAY: f64 = 0.01;
/// The usual level: this week and the four before, up to yesterday.
const WEEKS: usize = 5;
/// After so many days, what an alert is about is usual.
const MOST_DAYS: i32 = 28;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    all: u32,
    default: u32,
    pad: u32,
    five: u32,
}

impl Counts {
    fn of(o: &Observation) -> Self {
        let default = o.origin == Origin::Default;
        let pad = !default && o.entry == Some(EntryPoint::Pad);
        let count = |yes: bool| u32::from(yes);
        Self { all: 1, default: count(default), pad: count(pad), five: count(pad && o.stars == 5) }
    }

    /// Hits and all of what a jump is about.
    fn about(&self, jump: Jump) -> [u32; 2] {
        match jump {
            Jump::Defaults => [self.default, self.all],
            Jump::FiveStars => [self.five, self.pad],
        }
    }

    fn only(self, jump: Jump) -> Self {
        match jump {
            Jump::Defaults => Self { pad: 0, five: 0, ..self },
            Jump::FiveStars => Self { all: 0, default: 0, ..self },
        }
    }

    fn add(&mut self, other: Self) {
        let sum = u32::saturating_add;
        *self = Self {
            all: sum(self.all, other.all),
            default: sum(self.default, other.default),
            pad: sum(self.pad, other.pad),
            five: sum(self.five, other.five),
        };
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Window {
    day: i32,
    /// Sequence and event time of the day's first rating.
    first: u64,
    from_ms: i64,
    today: Counts,
    weeks: [Counts; WEEKS],
    week: i32,
    /// Number of the alert that goes on, for each kind of jump; 0: none.
    open: [u64; 2],
}

fn week_of(day: i32) -> i32 {
    day.div_euclid(7)
}

fn place(week: i32) -> usize {
    week.rem_euclid(WEEKS as i32) as usize
}

impl Window {
    fn forward(&mut self, week: i32) {
        if week - self.week >= WEEKS as i32 {
            self.weeks = Default::default();
            self.week = week;
        }
        while self.week < week {
            self.week += 1;
            self.weeks[place(self.week)] = Counts::default();
        }
    }

    fn learn(&mut self, day: i32, counts: Counts) {
        let week = week_of(day);
        if self.week - week < WEEKS as i32 {
            self.weeks[place(week)].add(counts);
        }
    }

    fn before(&self) -> Counts {
        let mut sum = Counts::default();
        self.weeks.iter().for_each(|week| sum.add(*week));
        sum
    }
}

/// The windows and the alerts about them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shares {
    windows: AgedMap<Window>,
    /// Alerts that go on, by their number; it is the sequence of the first rating, plus 1, times 2, plus the
    /// kind of jump.
    open: BTreeMap<u64, Alert>,
    over: VecDeque<Alert>,
    most_open: usize,
    most_over: usize,
}

fn share([hits, all]: [u32; 2]) -> f64 {
    f64::from(hits) / f64::from(all.max(1))
}

impl Shares {
    /// Nothing yet, with room for so many windows and alerts.
    pub fn new(windows: usize, most_open: usize, most_over: usize) -> Self {
        Self {
            windows: AgedMap::new(windows),
            open: BTreeMap::new(),
            over: VecDeque::new(),
            most_open: most_open.max(1),
            most_over,
        }
    }

    /// Bytes that they take at most.
    pub fn most_bytes(windows: usize, most_open: usize, most_over: usize) -> usize {
        AgedMap::<Window>::most_bytes(windows) + (most_open + most_over + 1) * size_of::<Alert>() * 2
    }

    /// Windows that are known.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Alerts, those that go on first, each the latest first.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.open.values().rev().chain(self.over.iter().rev())
    }

    /// Alerts that go on.
    pub fn going_on(&self) -> usize {
        self.open.len()
    }

    /// Counts a rating at its window; gives the alerts that the window's last day brings about.
    pub fn note(&mut self, sequence: u64, o: &Observation, at: Instant, offset: UtcOffset) -> Vec<Alert> {
        let Some(window) = &o.service.window else { return Vec::new() };
        let hall = o.service.hall.as_deref().unwrap_or("");
        let key = organisation_key(KeyField::Window, &[&o.service.department, hall, window]);
        let day = offset.day_of(at).number();
        let known = self.windows.len();
        let fresh =
            || Window { day, week: week_of(day), first: sequence, from_ms: at.ms(), ..Window::default() };
        let window = self.windows.entry(key, fresh);
        let counts = Counts::of(o);
        if day == window.day {
            window.today.add(counts);
            return Vec::new();
        }
        if day < window.day {
            // Of a pad that sends its day late. A day of which an alert told is not usual.
            let open = window.open;
            for jump in Jump::ALL.into_iter().filter(|&jump| open[jump as usize] == 0) {
                window.learn(day, counts.only(jump));
            }
            return Vec::new();
        }
        let mut opened = Vec::new();
        for jump in Jump::ALL {
            opened.extend(close_day(window, jump, known, o, &mut self.open, &mut self.over));
        }
        window.forward(week_of(day));
        *window = Window { day, first: sequence, from_ms: at.ms(), today: counts, ..*window };
        while self.open.len() > self.most_open {
            // The one that began first goes; what comes of it is not known any more.
            let Some((_, oldest)) = self.open.pop_first() else { break };
            self.over.push_back(oldest);
        }
        while self.over.len() > self.most_over {
            self.over.pop_front();
        }
        opened
    }
}

/// Looks at a day that is over, and learns it unless it is unusual.
fn close_day(
    window: &mut Window,
    jump: Jump,
    windows: usize,
    o: &Observation,
    open: &mut BTreeMap<u64, Alert>,
    over: &mut VecDeque<Alert>,
) -> Option<Alert> {
    let (today, before) = (window.today.about(jump), window.before().about(jump));
    let points = share(today) - share(before);
    let enough = today[1] >= LEAST_A_DAY && before[1] >= LEAST_BEFORE;
    let place = jump as usize;
    if window.open[place] != 0 {
        let number = window.open[place];
        let began = open.get(&number).map(|alert| alert.day);
        let long = began.is_none_or(|began| window.day - began.number() >= MOST_DAYS);
        let near = today[1] >= LEAST_A_DAY && points.abs() < NEAR_POINTS;
        if !near && !long {
            return None;
        }
        window.open[place] = 0;
        if let Some(mut alert) = open.remove(&number) {
            alert.until = Some(Instant(window.from_ms));
            over.push_back(alert);
        }
        let (day, counts) = (window.day, window.today.only(jump));
        window.learn(day, counts);
        return None;
    }
    let bar = CHANCE.min(CHANCE_A_DAY / (2 * windows.max(1)) as f64);
    let misses = |[hits, all]: [u32; 2]| all - hits;
    let tail = || match points > 0.0 {
        true => share_tail(today[0], today[1], before[0], before[1]),
        false => share_tail(misses(today), today[1], misses(before), before[1]),
    };
    let told = match jump {
        Jump::Defaults => points.abs() >= LEAST_POINTS,
        Jump::FiveStars => points >= LEAST_POINTS,
    };
    if enough && told && tail() < bar {
        let number = (window.first + 1) * 2 + jump as u64;
        window.open[place] = number;
        let alert = Alert {
            sequence: window.first,
            jump,
            department: o.service.department.clone(),
            hall: o.service.hall.clone(),
            window: o.service.window.clone().unwrap_or_default(),
            day: Day::from_number(window.day).unwrap_or_default(),
            since: Instant(window.from_ms),
            until: None,
            ratings: today[1],
            share: share(today),
            usual: share(before),
            usual_ratings: before[1],
        };
        open.insert(number, alert.clone());
        return Some(alert);
    }
    let (day, counts) = (window.day, window.today.only(jump));
    window.learn(day, counts);
    None
}
