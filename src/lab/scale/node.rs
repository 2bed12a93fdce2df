//! One node: what it holds at a moment. What happens to it is in [`super::cell`].

use std::collections::VecDeque;

use super::arrivals::{Arrivals, Line};
use super::broker::Push;
use super::pool::Pool;
use super::{Log, Nanos};

/// What is done in parallel, and what comes next.
#[derive(Debug)]
pub(super) enum Then {
    /// Own ratings are scored, but for what their state sees.
    Observe(Line),
    /// Ratings are taken apart, ready for the state; so many are others'.
    Fold(Push, u64),
    /// What was left of the fold of an own group is done.
    Answer,
}

/// What the thread of the feature state does.
#[derive(Debug)]
pub(super) enum Turn {
    /// It sees own ratings.
    Observe(Line),
    /// It sees others'; so many.
    Fold(Push, u64),
}

/// A group on its way.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) ratings: Line,
    /// Its place in the log, once it has one.
    pub(super) offset: Option<u64>,
    /// Whether the broker has said that it is kept.
    pub(super) is_acknowledged: bool,
    /// Whether the node is done reading, and only the rest of the fold is left.
    pub(super) is_read: bool,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) arrivals: Arrivals,
    /// Ratings that wait to be scored.
    pub(super) waiting: Line,
    /// Ratings that were taken and are not answered.
    pub(super) inside: u64,
    /// Ratings that were answered.
    pub(super) answered: u64,
    pub(super) pool: Pool<Then>,
    /// What comes next of work that is done on the machine that all share: of own ratings, and of the log.
    pub(super) at_work: [VecDeque<Then>; 2],
    /// Answers that whoever sends the ratings has not read yet.
    pub(super) unread: u64,
    /// Whether own ratings are being scored in the pool.
    pub(super) is_preparing: bool,
    pub(super) turns: VecDeque<Turn>,
    /// What the state thread is at.
    pub(super) turn: Option<Turn>,
    /// Scored ratings that wait for a group, and the sum of the times when they were scored.
    pub(super) ready: Line,
    pub(super) ready_times: f64,
    pub(super) group: Option<Group>,
    /// The offset after the last message that it has got, and after the last that is folded.
    pub(super) received: u64,
    pub(super) folded: u64,
    /// Lots of messages that it has got and not folded.
    pub(super) unfolded: u32,
    /// Whether it has asked for more.
    pub(super) is_asking: bool,
    /// Ratings that its state has seen: its own, and others'.
    pub(super) own: i64,
    pub(super) others: i64,
    /// Whether it takes ratings; whether intake sends it any.
    pub(super) is_ready: bool,
    pub(super) is_served: bool,
    /// Until when nothing comes to or from the broker.
    pub(super) cut_until: Nanos,
    /// How often it was lost: what belongs to an earlier life does not count.
    pub(super) epoch: u32,
    /// Since when it is back and reads the log.
    pub(super) back_since: Option<Nanos>,
    /// The arrival that was announced, of those that were.
    pub(super) announced: u32,
}

impl Node {
    pub(super) fn new(arrivals: Arrivals, cores: u32) -> Self {
        Self {
            arrivals,
            waiting: Line::default(),
            inside: 0,
            answered: 0,
            pool: Pool::new(cores),
            at_work: Default::default(),
            unread: 0,
            is_preparing: false,
            turns: VecDeque::new(),
            turn: None,
            ready: Line::default(),
            ready_times: 0.0,
            group: None,
            received: 0,
            folded: 0,
            unfolded: 0,
            // The broker knows at the start that every reader waits.
            is_asking: true,
            own: 0,
            others: 0,
            is_ready: true,
            is_served: true,
            cut_until: 0,
            epoch: 0,
            back_since: None,
            announced: 0,
        }
    }

    /// Calls that the node has room for besides.
    pub(super) fn room(&self, queue: u32) -> u64 {
        if self.is_ready { u64::from(queue).saturating_sub(self.inside + self.unread) } else { 0 }
    }

    /// Forgets all that was under way. Gives the numbers of ratings that are broken off, and of those among
    /// them that were scored and that nobody will ever read.
    pub(super) fn stop(&mut self, now: Nanos, log: Log) -> (u64, u64) {
        let broken_off = self.inside;
        let mut unsent = self.ready.count();
        self.own -= unsent as i64;
        if let Some(group) = self.group.take().filter(|group| !group.is_read) {
            self.own -= group.ratings.count() as i64;
            // What a broker was sent will be read again, as if it were another's.
            if log == Log::Embedded {
                unsent += group.ratings.count();
            }
        }
        self.inside = 0;
        self.waiting = Line::default();
        self.ready = Line::default();
        self.ready_times = 0.0;
        self.turns.clear();
        self.turn = None;
        self.pool.clear(now);
        self.at_work.iter_mut().for_each(VecDeque::clear);
        self.unread = 0;
        self.is_preparing = false;
        self.received = self.folded;
        self.unfolded = 0;
        self.is_asking = false;
        self.is_ready = false;
        self.back_since = None;
        self.epoch += 1;
        (broken_off, unsent)
    }
}
