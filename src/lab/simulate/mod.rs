//! A city's rating traffic, with the truth about each rating.
//!
//! ```text
//! Params ─▶ City ─▶ slot by slot: ordinary ratings (Poisson, by rhythm)          ─┐
//!                   day by day:   occasions and campaigns (scenarios), by budget ─┴▶ queue by arrival ─▶ lines
//! ```
//!
//! [`City`] is an iterator in order of arrival. Memory is bounded by one slot of ordinary traffic and
//! the campaigns under way. The same [`Params`] give the same bytes on every machine.
//!
//! Honest people and abusers are filled in by the same code from the same pools ([`world`]); a scenario
//! changes only what its actors change. `tests/simulate_leaks.rs` keeps single fields from giving the
//! label away.

mod calendar;
mod devices;
mod json;
mod networks;
mod opinion;
mod ordinary;
mod organisation;
mod params;
mod people;
mod queue;
pub(in crate::lab) mod random;
mod rating;
mod scenarios;
mod scene;
mod schedule;
mod tables;
mod words;
mod world;

use std::collections::VecDeque;

pub use params::{Params, ParamsError};
pub use rating::{Simulated, Truth};
pub use scenarios::{SCENARIOS, Scenario, find};
pub use tables::Tables;

use calendar::Rhythm;
use ordinary::Habits;
use queue::Queue;
use random::{Dice, Purpose, Source};
use rating::Event;
use schedule::Schedule;
use world::World;

use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// The scenario of a rating that belongs to none.
pub const ORDINARY: &str = "ordinary";

/// Ordinary traffic is drawn in slots of this length.
const SLOT_MS: i64 = 2 * MINUTE_MS;
/// Cases that clients have rated lately, kept for those who reuse them.
const RATED_CASES: usize = 4_096;

/// How many times the mean rate the busiest hour of four weeks has, the month's end among them.
pub(in crate::lab) fn busiest() -> f64 {
    let start = Params::default().start.ms();
    let hours = (0..28 * DAY_MS / HOUR_MS).map(|hour| start + hour * HOUR_MS);
    let of = |ms| Rhythm::ALL.iter().map(|rhythm| rhythm.share() * rhythm.intensity(ms)).sum();
    hours.map(of).fold(0.0, f64::max)
}

/// The city: an iterator over its ratings in order of arrival.
pub struct City {
    world: World,
    params: Params,
    habits: Habits,
    schedule: Schedule,
    queue: Queue,
    rated_cases: VecDeque<Event>,
    dice: Dice,
    /// Start of the next slot.
    next_slot: i64,
    end: i64,
    scratch: Vec<Simulated>,
}

impl City {
    /// A city that lives by `params`.
    ///
    /// # Errors
    ///
    /// If a parameter is out of range or names an unknown scenario.
    pub fn new(params: Params) -> Result<Self, ParamsError> {
        params.check()?;
        let start = params.start.ms();
        let end = start.saturating_add(i64::from(params.days) * DAY_MS);
        let on = |name: &str| params.includes(name);
        let habits = Habits {
            bad_clerk: on("bad_clerk"),
            wrong_star: on("wrong_star"),
            put_right: on("put_right"),
            double_click: on("double_click"),
            family_phone: on("family_phone"),
            default_fill: on("default_fill"),
        };
        Ok(Self {
            world: World::new(params.seed, start),
            habits,
            schedule: Schedule::new(&params),
            queue: Queue::default(),
            rated_cases: VecDeque::with_capacity(RATED_CASES),
            dice: Dice::new(params.seed, Purpose::Ordinary, 0),
            next_slot: start,
            end,
            scratch: Vec::new(),
            params,
        })
    }

    /// About how many ratings the run gives.
    pub fn expected(&self) -> u64 {
        self.params.per_day.saturating_mul(u64::from(self.params.days))
    }

    /// Draws the next slot's traffic into the queue.
    fn fill_slot(&mut self) {
        let (from, until) = (self.next_slot, (self.next_slot + SLOT_MS).min(self.end));
        self.next_slot = until;
        self.schedule.release(
            &self.world,
            self.rated_cases.make_contiguous(),
            from,
            until,
            &mut self.scratch,
        );
        let campaigns = self.scratch.len();
        let per_ms = self.params.ordinary_per_day() / DAY_MS as f64;
        for rhythm in Rhythm::ALL {
            let intensity = if self.params.even_rhythm { 1.0 } else { rhythm.intensity(from) };
            let count = self.dice.poisson(per_ms * (until - from) as f64 * rhythm.share() * intensity);
            for _ in 0..count {
                let at = self.dice.between(from, until - 1);
                self.world.ordinary(&mut self.dice, &self.habits, rhythm, at, &mut self.scratch);
            }
        }
        for (i, rating) in self.scratch.drain(..).enumerate() {
            // One in eight is plenty to borrow from.
            if i >= campaigns && i % 8 == 0 && rating.event.case.is_some() {
                if self.rated_cases.len() == RATED_CASES {
                    self.rated_cases.pop_front();
                }
                self.rated_cases.push_back(rating.event);
            }
            self.queue.push(rating);
        }
    }
}

impl Iterator for City {
    type Item = Simulated;

    fn next(&mut self) -> Option<Simulated> {
        loop {
            // Whatever is drawn later arrives later than the slot it is drawn in begins.
            if let Some(rating) = self.queue.pop_before(self.next_slot) {
                return Some(rating);
            }
            if self.next_slot >= self.end {
                return None;
            }
            self.fill_slot();
        }
    }
}
