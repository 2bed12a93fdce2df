//! Ratings that arrive, many at a time: a Poisson stream, and lines of those that wait.

use std::collections::VecDeque;

use super::Nanos;
use crate::lab::simulate::random::{Dice, Source};

/// Up to so many ratings of one draw, each gets a moment of its own; more are spread evenly.
const APART: u64 = 8;

/// Ratings that arrived evenly spread over some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) count: u64,
    pub(super) from: Nanos,
    pub(super) to: Nanos,
}

/// Ratings in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    spans: VecDeque<Span>,
    count: u64,
}

impl Line {
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn spans(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter()
    }

    pub(super) fn push(&mut self, span: Span) {
        if span.count > 0 {
            self.count += span.count;
            self.spans.push_back(span);
        }
    }

    pub(super) fn append(&mut self, mut other: Line) {
        self.count += other.count;
        self.spans.append(&mut other.spans);
    }

    /// The first ratings, at most `most`.
    pub(super) fn take(&mut self, most: u64) -> Line {
        if self.count <= most {
            return std::mem::take(self);
        }
        let mut taken = Line::default();
        while taken.count < most {
            let Some(first) = self.spans.front_mut() else { break };
            let wanted = most - taken.count;
            if first.count <= wanted {
                let whole = *first;
                self.spans.pop_front();
                taken.push(whole);
                continue;
            }
            let cut = first.from + ((first.to - first.from) as f64 * share(wanted, first.count)) as Nanos;
            taken.push(Span { count: wanted, from: first.from, to: cut });
            *first = Span { count: first.count - wanted, from: cut, to: first.to };
        }
        self.count -= taken.count;
        taken
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// A Poisson stream of ratings (independent people do not wait for each other), drawn only where somebody
/// looks: up to then it may have had any number.
#[derive(Debug)]
pub(super) struct Arrivals {
    dice: Dice,
    /// Ratings a nanosecond.
    rate: f64,
    /// Drawn up to here.
    until: Nanos,
    /// When the next one arrives, where that was drawn ahead.
    next: Option<Nanos>,
    /// All that were drawn.
    pub(super) offered: u64,
}

/// Those that arrived since the last look.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    pub(super) taken: Line,
    /// No room was left for these.
    pub(super) shed: u64,
}

impl Arrivals {
    pub(super) fn new(dice: Dice) -> Self {
        Self { dice, rate: 0.0, until: 0, next: None, offered: 0 }
    }

    /// Changes the rate, from `now` on; everything before must have been drawn.
    pub(super) fn set_rate(&mut self, now: Nanos, per_second: f64) {
        self.rate = per_second / 1e9;
        self.until = now;
        self.next = None;
    }

    /// Those that arrived up to `now`; the first of them fill the room there is.
    pub(super) fn draw(&mut self, now: Nanos, room: u64) -> Arrived {
        let mut arrived = Arrived::default();
        if let Some(next) = self.next {
            if next > now {
                return arrived;
            }
            self.next = None;
            self.until = next;
            arrived.take(Span { count: 1, from: next, to: next }, room);
            self.offered += 1;
        }
        let count = self.dice.poisson(self.rate * (now - self.until) as f64);
        self.offered += count;
        if count <= APART {
            let mut times = [0; APART as usize];
            let times = &mut times[..count as usize];
            times.iter_mut().for_each(|time| *time = self.dice.between(self.until as i64, now as i64));
            times.sort_unstable();
            times.iter().for_each(|&time| {
                arrived.take(Span { count: 1, from: time as Nanos, to: time as Nanos }, room);
            });
        } else {
            arrived.take(Span { count, from: self.until, to: now }, room);
        }
        self.until = now;
        arrived
    }

    /// When the next one arrives: for somebody with nothing else to wait for. `None` if none will, or if
    /// this was asked before.
    pub(super) fn look_ahead(&mut self) -> Option<Nanos> {
        if self.next.is_some() || self.rate <= 0.0 {
            return None;
        }
        let next = self.until.saturating_add(self.dice.exponential(1.0 / self.rate) as Nanos);
        self.next = Some(next);
        Some(next)
    }
}

impl Arrived {
    fn take(&mut self, span: Span, room: u64) {
        let count = span.count.min(room - self.taken.count.min(room));
        self.shed += span.count - count;
        if count > 0 {
            let to = span.from + ((span.to - span.from) as f64 * share(count, span.count)) as Nanos;
            self.taken.push(Span { count, from: span.from, to });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::simulate::random::Purpose;

    #[test]
    fn a_line_gives_back_what_was_put_in_in_order() {
        let mut line = Line::default();
        line.push(Span { count: 10, from: 0, to: 100 });
        line.push(Span { count: 5, from: 100, to: 100 });
        let first = line.take(4);
        assert_eq!((first.count(), first.spans[0].to, line.count()), (4, 40, 11));
        let next = line.take(7);
        assert_eq!((next.count(), next.spans[0].from, next.spans[1].count), (7, 40, 1));
        assert_eq!(line.take(100).count(), 4);
        assert_eq!((line.count(), line.take(1).count()), (0, 0));
    }

    #[test]
    fn a_stream_has_its_rate_however_it_is_looked_at() {
        for step in [3_000, 1_000_000, 77_000_000] {
            let mut arrivals = Arrivals::new(Dice::new(1, Purpose::Arrivals, 0));
            arrivals.set_rate(0, 20_000.0);
            let (mut taken, mut now) = (0, 0);
            while now < 10_000_000_000 {
                // Every other time somebody waits for the next one.
                now = arrivals.look_ahead().filter(|_| now % 2 == 0).unwrap_or(now + step);
                taken += arrivals.draw(now, u64::MAX).taken.count();
            }
            let expected = 20_000.0 * now as f64 / 1e9;
            assert!((taken as f64 - expected).abs() < 5.0 * expected.sqrt(), "{step}: {taken} of {expected}");
            assert_eq!(taken, arrivals.offered);
        }
    }

    #[test]
    fn where_there_is_no_room_the_last_are_shed() {
        let mut arrivals = Arrivals::new(Dice::new(1, Purpose::Arrivals, 0));
        arrivals.set_rate(0, 1e6);
        let arrived = arrivals.draw(1_000_000, 100);
        assert_eq!((arrived.taken.count(), arrived.shed), (100, arrivals.offered - 100));
        assert!(arrived.taken.spans().all(|span| span.to < 250_000));
        assert_eq!(arrivals.draw(2_000_000, 0).taken.count(), 0);
    }
}
