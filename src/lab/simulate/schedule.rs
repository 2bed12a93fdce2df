//! When campaigns and occasions begin, so that each kind keeps its share of the traffic.
//!
//! Each kind has an account of ratings. A day pays in its share of the day's budget; when the account
//! covers the size drawn for the next campaign, the campaign begins at some moment of that day. Every
//! kind that the run can afford begins for the first time in the run's first half, on credit. In a run
//! too small for that, accounts begin somewhere between empty and full, so that the shares hold on average.

use super::Params;
use super::calendar::{local_day, midnight, near_month_end};
use super::random::{Dice, Purpose, Source};
use super::rating::{Event, Simulated, Truth};
use super::scenarios::{SCENARIOS, Scenario, Shape};
use super::scene::Scene;
use super::world::World;
use crate::time::{DAY_MS, HOUR_MS};
use crate::wire::Label;

/// The plan of all campaigns.
pub(super) struct Schedule {
    kinds: Vec<Kind>,
    /// Campaigns of the day that have not begun: when, and which kind.
    due: Vec<(i64, usize, u32)>,
    next_day: i64,
    seed: u64,
    even_rhythm: bool,
    haste: f64,
    begun: u64,
}

/// One kind of campaign with its account.
struct Kind {
    scenario: &'static Scenario,
    /// Its own, so that switching other kinds off leaves it as it was.
    dice: Dice,
    begun: u64,
    /// Ratings a day.
    income: f64,
    account: f64,
    /// When it begins for the first time, if it has not yet.
    first: Option<i64>,
    next_size: u32,
}

impl Schedule {
    pub fn new(params: &Params) -> Self {
        let start = params.start.ms();
        let opening = params.opening_ms.unwrap_or(i64::from(params.days) * DAY_MS / 2).max(1);
        let mut kinds = Vec::new();
        for abuse in [true, false] {
            let chosen = |s: &&Scenario| s.is_abuse() == abuse && params.includes(s.name);
            let total: u32 = SCENARIOS.iter().filter(chosen).map(share).sum();
            let daily =
                params.per_day as f64 * if abuse { params.abuse_share } else { params.look_alike_share };
            for scenario in SCENARIOS.iter().filter(chosen).filter(|s| share(s) > 0) {
                if daily == 0.0 {
                    continue;
                }
                let mut dice = Dice::new(params.seed, Purpose::Schedule, number(scenario));
                let first = start + dice.between(0, opening - 1);
                let phase = dice.unit();
                let income = daily * f64::from(share(scenario)) / f64::from(total);
                let whole_run = income * f64::from(params.days);
                let drawn = draw_size(&mut dice, scenario);
                let affordable = whole_run >= f64::from(smallest(scenario)) / 2.0;
                let (first, account, next_size) = if affordable {
                    (Some(first), 0.0, drawn.min(whole_run.max(2.0) as u32))
                } else {
                    (None, phase * f64::from(drawn), drawn)
                };
                kinds.push(Kind { scenario, dice, begun: 0, income, account, first, next_size });
            }
        }
        Self {
            kinds,
            due: Vec::new(),
            next_day: start,
            seed: params.seed,
            even_rhythm: params.even_rhythm,
            haste: params.haste,
            begun: 0,
        }
    }

    /// Plays the campaigns that begin in `[from, until)` and appends all their ratings.
    pub fn release(
        &mut self,
        world: &World,
        rated_cases: &[Event],
        from: i64,
        until: i64,
        out: &mut Vec<Simulated>,
    ) {
        while self.next_day < until {
            self.plan_day();
        }
        let first_later = self.due.partition_point(|&(at, ..)| at < until);
        for (at, kind, size) in self.due.drain(..first_later).collect::<Vec<_>>() {
            self.play(world, rated_cases, at.max(from), kind, size, out);
        }
    }

    /// Pays the day's income in and decides what begins.
    fn plan_day(&mut self) {
        let from = self.next_day;
        // Days end at local midnight, except where every hour is alike.
        let until = if self.even_rhythm { from + HOUR_MS } else { midnight(local_day(from) + 1) };
        let part = (until - from) as f64 / DAY_MS as f64;
        let month_end = near_month_end(local_day(from), 5);
        for (index, kind) in self.kinds.iter_mut().enumerate() {
            let Shape::Occasion { begins, .. } = kind.scenario.shape else { continue };
            // Rankings are monthly: praise is bought when they are about to be made.
            let season = match (kind.scenario.label, month_end) {
                (Label::PaddedPraise, true) => 1.8,
                (Label::PaddedPraise, false) => 0.85,
                _ => 1.0,
            };
            kind.account += kind.income * part * season;
            if let Some(first) = kind.first.filter(|&at| at < until) {
                let at = if self.even_rhythm {
                    first
                } else {
                    begins.moment(&mut kind.dice, first, until.max(first + 2 * HOUR_MS))
                };
                kind.begin(&mut self.due, at, index);
                kind.first = None;
            }
            while kind.first.is_none() && kind.account >= f64::from(kind.next_size) {
                let at = if self.even_rhythm {
                    kind.dice.between(from, until - 1)
                } else {
                    begins.moment(&mut kind.dice, from, until)
                };
                kind.begin(&mut self.due, at, index);
            }
        }
        self.due.sort_unstable();
        self.next_day = until;
    }

    fn play(
        &mut self,
        world: &World,
        rated_cases: &[Event],
        start: i64,
        kind: usize,
        size: u32,
        out: &mut Vec<Simulated>,
    ) {
        let kind = &mut self.kinds[kind];
        let scenario = kind.scenario;
        let Shape::Occasion { hours, play, .. } = scenario.shape else { return };
        let mut dice = Dice::new(self.seed, Purpose::Campaign, number(scenario) << 32 | kind.begun);
        kind.begun += 1;
        self.begun += 1;
        let length = dice.within(hours.0, hours.1) * HOUR_MS as f64 / self.haste;
        let skill = dice.unit();
        // Even numbers are the scenario's; the odd one after it is its bystanders'.
        let campaign = Some(self.begun * 2);
        let mut scene = Scene {
            world,
            dice,
            start,
            until: start + length as i64 + 1,
            size: size as usize,
            skill,
            rated_cases,
            truth: Truth { label: scenario.label, scenario: scenario.name, campaign },
            even_rhythm: self.even_rhythm,
            haste: self.haste,
            cast: Vec::with_capacity(size as usize * 2),
        };
        play(&mut scene);
        // Nothing arrives before the campaign has begun.
        out.extend(scene.cast.into_iter().filter(|rating| rating.received >= start));
    }
}

impl Kind {
    fn begin(&mut self, due: &mut Vec<(i64, usize, u32)>, at: i64, index: usize) {
        due.push((at, index, self.next_size));
        self.account -= f64::from(self.next_size);
        self.next_size = draw_size(&mut self.dice, self.scenario);
    }
}

fn share(scenario: &Scenario) -> u32 {
    match scenario.shape {
        Shape::Occasion { share, .. } => share,
        _ => 0,
    }
}

fn smallest(scenario: &Scenario) -> u32 {
    match scenario.shape {
        Shape::Occasion { size: (low, _), .. } => low,
        _ => 0,
    }
}

/// Sizes are skewed: most campaigns are small.
fn draw_size(dice: &mut Dice, scenario: &Scenario) -> u32 {
    let Shape::Occasion { size: (low, high), .. } = scenario.shape else { return 0 };
    let u = dice.unit();
    low + (f64::from(high - low) * u * u) as u32
}

fn number(scenario: &Scenario) -> u64 {
    SCENARIOS.iter().position(|s| s.name == scenario.name).unwrap_or(0) as u64
}
