//! How a cell goes on, event by event.
//!
//! ```text
//! arrivals ─▶ waiting ─▶ pool (score) ─▶ state thread ─▶ ready ─▶ group ─▶ partition ─▶ log
//!                                            ▲                                          │
//!                                            └── pool (take apart) ◀── network ◀── push ┘  to every node
//! answered: once the group is kept, and everything up to it is folded
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::arrivals::{Arrivals, Line, Span};
use super::broker::{Broker, CORES, Message, Push};
use super::event::{Due, Event, WorkOf};
use super::failures::Failures;
use super::machine::{Lane, Machine};
use super::node::{Group, Node, Then, Turn};
use super::pool::{Job, Purpose};
use super::seen::Seen;
use super::{Log, Nanos, Scenario};
use crate::lab::simulate::random::{self, Dice, Source};

/// Of a span of answered ratings, so many moments of arrival are told apart.
const SLICES: u64 = 16;

/// Nodes, their broker, and what is about to happen.
pub(super) struct Cell<'a> {
    scenario: &'a Scenario,
    pub(super) nodes: Vec<Node>,
    pub(super) broker: Broker,
    /// The machine that all share, if they do.
    pub(super) machine: Option<Machine>,
    pub(super) seen: Seen,
    due: BinaryHeap<Reverse<Due>>,
    announced: u64,
    now: Nanos,
    end: Nanos,
    network: Dice,
    /// Ratings that some node's state has seen, but for those that were lost with it.
    scored: i64,
}

fn nanos(micros: f64) -> Nanos {
    (micros * 1e3).round() as Nanos
}

impl<'a> Cell<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        let end = (scenario.seconds * 1e9) as Nanos;
        let count = scenario.nodes as usize;
        let dice = |node| Dice::new(scenario.seed, random::Purpose::Arrivals, node);
        let nodes = (0..count as u64)
            .map(|node| Node::new(Arrivals::new(dice(node)), scenario.parameters.cores))
            .collect();
        let mut cell = Self {
            scenario,
            nodes,
            broker: Broker::new(&scenario.parameters, count, end),
            machine: match scenario.parameters.shared_cores {
                0 => None,
                cores => Some(Machine::new(cores, count)),
            },
            seen: Seen::default(),
            due: BinaryHeap::new(),
            announced: 0,
            now: 0,
            end,
            network: Dice::new(scenario.seed, random::Purpose::Network, 0),
            scored: 0,
        };
        cell.announce_failures(&scenario.failures);
        cell.balance();
        cell
    }

    /// Runs to the end.
    pub(super) fn run(&mut self) {
        while let Some(Reverse(due)) = self.due.pop() {
            if due.at > self.end {
                break;
            }
            self.now = due.at;
            self.happen(due.event);
        }
        self.now = self.end;
        for node in 0..self.nodes.len() {
            self.draw(node);
            self.nodes[node].pool.advance(self.end);
        }
        if let Some(machine) = &mut self.machine {
            machine.advance(self.end);
        }
    }

    fn announce_failures(&mut self, failures: &Failures) {
        let at = |seconds: f64| (seconds * 1e9) as Nanos;
        for failure in &failures.lose_node {
            let (node, outage) = (failure.node as usize - 1, failure.outage);
            self.announce(at(outage.at_s), Event::Lost { node });
            self.announce(at(outage.at_s + outage.for_s), Event::Back { node });
        }
        for failure in &failures.cut_off {
            let (node, outage) = (failure.node as usize - 1, failure.outage);
            let until = at(outage.at_s + outage.for_s);
            self.announce(at(outage.at_s), Event::CutOff { node, until });
        }
        for outage in &failures.lose_spu {
            self.announce(at(outage.at_s), Event::SpuLost { until: at(outage.at_s + outage.for_s) });
        }
    }

    fn announce(&mut self, at: Nanos, event: Event) {
        self.announced += 1;
        self.due.push(Reverse(Due { at, number: self.announced, event }));
    }

    fn happen(&mut self, event: Event) {
        let current = |cell: &Self, node: usize, epoch: u32| cell.nodes[node].epoch == epoch;
        match event {
            Event::Arrival { node, announced } if self.nodes[node].announced == announced => self.score(node),
            Event::MachineDone { version } => {
                let ended = self.machine.as_mut().map(|machine| machine.finish(self.now, version));
                let ended = ended.unwrap_or_default();
                if !ended.is_empty() {
                    ended.into_iter().for_each(|event| self.happen(event));
                    self.announce_machine();
                }
            }
            Event::Worked { node, epoch, purpose } if current(self, node, epoch) => {
                if let Some(then) = self.nodes[node].at_work[purpose as usize].pop_front() {
                    self.go_on(node, then);
                }
            }
            Event::Copied(message) => {
                let p = &self.scenario.parameters;
                let later = self.now + nanos(p.append_us - p.append_lane_us);
                self.announce(later, Event::Kept(message));
            }
            Event::Read { node, epoch, count } if current(self, node, epoch) => {
                self.draw(node);
                self.nodes[node].unread -= count;
                self.score(node);
            }
            Event::PoolDone { node, version } => self.pool_done(node, version),
            Event::TurnDone { node, epoch } if current(self, node, epoch) => self.turn_done(node),
            Event::Synced { node, epoch } if current(self, node, epoch) => self.read_back(node),
            Event::AtBroker(message) => self.at_broker(message),
            Event::LaneDone => self.lane_done(),
            Event::Kept(message) => self.kept(message),
            Event::Acknowledged { node, epoch } if current(self, node, epoch) => {
                if let Some(group) = &mut self.nodes[node].group {
                    group.is_acknowledged = true;
                }
                self.answer_if_read(node);
            }
            Event::Asked { node, epoch, from } if current(self, node, epoch) => self.asked(node, from),
            Event::Prepared { node, epoch, from, push } => self.prepared(node, epoch, from, push),
            Event::Received { node, epoch, push } if current(self, node, epoch) => self.received(node, push),
            Event::Lost { node } => self.lost(node),
            Event::Noticed { node, epoch } if current(self, node, epoch) && !self.nodes[node].is_ready => {
                self.nodes[node].is_served = false;
                self.balance();
            }
            Event::Back { node } => self.back(node),
            Event::CutOff { node, until } => self.nodes[node].cut_until = until,
            Event::SpuLost { until } => self.broker.set_away(until),
            // Of a node's earlier life, or overtaken.
            _ => {}
        }
    }

    /// Sends each node that is served its share of the ratings; where none is, all go on as before.
    fn balance(&mut self) {
        let served = self.nodes.iter().filter(|node| node.is_served).count();
        for node in 0..self.nodes.len() {
            self.draw(node);
            let share = match (served, self.nodes[node].is_served) {
                (0, _) => 1.0 / self.nodes.len() as f64,
                (_, true) => 1.0 / served as f64,
                (_, false) => 0.0,
            };
            let rate = self.scenario.rate * share;
            self.nodes[node].arrivals.set_rate(self.now, rate);
            self.score(node);
        }
    }

    /// Takes or sheds those that have arrived up to now.
    fn draw(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        let room = node.room(self.scenario.parameters.queue);
        let arrived = node.arrivals.draw(self.now, room);
        node.inside += arrived.taken.count();
        node.waiting.append(arrived.taken);
        self.seen.shed += arrived.shed;
    }

    /// Scores those that wait, unless the ones before them still are at it.
    fn score(&mut self, at: usize) {
        if self.nodes[at].is_preparing {
            return;
        }
        self.draw(at);
        let p = &self.scenario.parameters;
        let node = &mut self.nodes[at];
        if node.waiting.count() == 0 {
            // Where there is no room, nobody who arrives can be taken before somebody is answered.
            if let Some(next) = (node.room(p.queue) > 0).then(|| node.arrivals.look_ahead()).flatten() {
                node.announced += 1;
                let announced = node.announced;
                self.announce(next, Event::Arrival { node: at, announced });
            }
            return;
        }
        let batch = node.waiting.take(u64::from(p.batch));
        node.is_preparing = true;
        let pieces = batch.count();
        let work = pieces as f64 * (p.score_us - p.observe_us) * 1e3;
        let then = Then::Observe(batch);
        let job = Job { then, purpose: Purpose::Scoring, work, pieces, is_urgent: false };
        self.give_to_pool(at, job);
    }

    /// Work on the machine that all share; gives whether there is one.
    fn share(&mut self, lane: Lane, work: f64, width: f64, event: Event) -> bool {
        let Some(machine) = &mut self.machine else { return false };
        machine.push(self.now, lane, work, width, event);
        self.announce_machine();
        true
    }

    fn announce_machine(&mut self) {
        if let Some((at, version)) = self.machine.as_mut().and_then(Machine::next_end) {
            self.announce(at, Event::MachineDone { version });
        }
    }

    fn give_to_pool(&mut self, node: usize, job: Job<Then>) {
        if self.machine.is_some() {
            let (lane, purpose) = match job.is_urgent {
                true => (Lane::Fold(node), WorkOf::Log),
                false => (Lane::Score(node), WorkOf::Scoring),
            };
            let width = u64::from(self.scenario.parameters.cores).min(job.pieces).max(1) as f64;
            let at = &mut self.nodes[node];
            at.pool.spent[job.purpose as usize] += job.work;
            at.at_work[purpose as usize].push_back(job.then);
            let event = Event::Worked { node, epoch: at.epoch, purpose };
            self.share(lane, job.work, width, event);
            return;
        }
        self.nodes[node].pool.push(self.now, job);
        self.announce_pool(node);
    }

    fn announce_pool(&mut self, node: usize) {
        if let Some((at, version)) = self.nodes[node].pool.next_end() {
            self.announce(at, Event::PoolDone { node, version });
        }
    }

    fn pool_done(&mut self, at: usize, version: u32) {
        let Some(then) = self.nodes[at].pool.finish(self.now, version) else { return };
        self.announce_pool(at);
        self.go_on(at, then);
    }

    fn go_on(&mut self, at: usize, then: Then) {
        match then {
            Then::Observe(batch) => {
                self.nodes[at].is_preparing = false;
                self.nodes[at].turns.push_back(Turn::Observe(batch));
                self.next_turn(at);
                self.score(at);
            }
            Then::Fold(push, others) => {
                self.nodes[at].turns.push_back(Turn::Fold(push, others));
                self.next_turn(at);
            }
            Then::Answer => self.answer(at),
        }
    }

    /// Gives the state thread its next turn, if it is free.
    fn next_turn(&mut self, at: usize) {
        let p = &self.scenario.parameters;
        let node = &mut self.nodes[at];
        if node.turn.is_some() {
            return;
        }
        let next = node.turns.pop_front();
        node.pool.set_state_busy(self.now, next.is_some());
        let work = next.as_ref().map(|turn| match turn {
            Turn::Observe(batch) => (Purpose::Scoring, batch.count() as f64 * p.observe_us),
            Turn::Fold(_, others) => (Purpose::Folding, *others as f64 * p.fold_observe_us),
        });
        node.turn = next;
        let epoch = node.epoch;
        self.announce_pool(at);
        if let Some((purpose, micros)) = work {
            if self.share(Lane::State(at), micros * 1e3, 1.0, Event::TurnDone { node: at, epoch }) {
                self.seen.state_thread[purpose as usize] += micros * 1e3;
                return;
            }
            let done = self.now + nanos(micros);
            self.seen.state_thread[purpose as usize] += (done.min(self.end) - self.now) as f64;
            self.announce(done, Event::TurnDone { node: at, epoch });
        }
    }

    fn turn_done(&mut self, at: usize) {
        match self.nodes[at].turn.take() {
            Some(Turn::Observe(batch)) => self.observed(at, batch),
            Some(Turn::Fold(push, others)) => self.folded(at, push, others),
            None => {}
        }
        self.next_turn(at);
    }

    /// Own ratings are decided: with what the state knows, and without what it does not.
    fn observed(&mut self, at: usize, batch: Line) {
        let node = &mut self.nodes[at];
        let unseen = self.scored - node.own - node.others;
        let count = batch.count();
        self.seen.unseen.add(unseen.max(0) as u64, count);
        node.own += count as i64;
        self.scored += count as i64;
        node.ready_times += self.now as f64 * count as f64;
        node.ready.append(batch);
        self.send_group(at);
    }

    /// Sends what is ready, unless a group is on its way.
    fn send_group(&mut self, at: usize) {
        let p = &self.scenario.parameters;
        let node = &mut self.nodes[at];
        if node.group.is_some() || node.ready.count() == 0 {
            return;
        }
        let scored_at = node.ready_times / node.ready.count() as f64;
        let ratings = node.ready.take(p.group_ratings());
        let (count, epoch) = (ratings.count(), node.epoch);
        node.ready_times = scored_at * node.ready.count() as f64;
        node.group = Some(Group { ratings, offset: None, is_acknowledged: false, is_read: false });
        self.seen.groups += 1;
        match self.scenario.log {
            Log::Embedded => {
                let write = count as f64 * p.record_bytes * p.sync_byte_ns / 1e3;
                let synced = self.now + nanos(p.sync_us + write);
                self.announce(synced, Event::Synced { node: at, epoch });
            }
            Log::Broker => {
                let message =
                    Message { node: at, epoch, ratings: count, scored_at: scored_at.round() as Nanos };
                let there = self.over_network(at, self.now);
                self.announce(there, Event::AtBroker(message));
            }
        }
    }

    /// When what leaves now, one way or the other, is there.
    fn over_network(&mut self, node: usize, leaves: Nanos) -> Nanos {
        let p = &self.scenario.parameters;
        let varying = match p.delay_ms * p.delay_jitter {
            0.0 => 0.0,
            mean => self.network.exponential(mean),
        };
        let delay = p.delay_ms * (1.0 - p.delay_jitter) + varying;
        leaves.max(self.nodes[node].cut_until) + (delay * 1e6).round() as Nanos
    }

    fn at_broker(&mut self, message: Message) {
        if self.machine.is_some() {
            let work = self.broker.arrive_shared(message, &self.scenario.parameters);
            self.share(Lane::Partition, work, 1.0, Event::LaneDone);
            return;
        }
        if let Some(done) = self.broker.arrive(self.now, message, &self.scenario.parameters) {
            self.announce(done, Event::LaneDone);
        }
    }

    fn lane_done(&mut self) {
        if self.machine.is_some() {
            if let Some((message, work)) = self.broker.leave_shared(&self.scenario.parameters) {
                self.share(Lane::Copies, work, 1.0, Event::Copied(message));
            }
            return;
        }
        let Some((message, kept, next)) = self.broker.leave(self.now, &self.scenario.parameters) else {
            return;
        };
        self.announce(kept, Event::Kept(message));
        if let Some(next) = next {
            self.announce(next, Event::LaneDone);
        }
    }

    fn kept(&mut self, message: Message) {
        let offset = match self.broker.commit(self.now, message, &self.scenario.parameters) {
            Ok(offset) => offset,
            Err(later) => return self.announce(later, Event::Kept(message)),
        };
        let Message { node, epoch, .. } = message;
        if self.nodes[node].epoch == epoch {
            if let Some(group) = &mut self.nodes[node].group {
                group.offset = Some(offset);
            }
            let there = self.over_network(node, self.now);
            self.announce(there, Event::Acknowledged { node, epoch });
        }
        for reader in 0..self.nodes.len() {
            if let Some(epoch) = self.broker.stop_waiting(reader) {
                self.push(reader, epoch, offset);
            }
        }
    }

    fn asked(&mut self, node: usize, from: u64) {
        let epoch = self.nodes[node].epoch;
        match (from as usize) < self.broker.log().len() {
            true => self.push(node, epoch, from),
            false => self.broker.wait(node, epoch),
        }
    }

    fn push(&mut self, node: usize, epoch: u32, from: u64) {
        if self.machine.is_some() {
            let (push, work) = self.broker.lot(from, &self.scenario.parameters);
            self.broker.taken[CORES] += work;
            self.share(Lane::Push(node), work, 1.0, Event::Prepared { node, epoch, from, push });
            return;
        }
        let (ready, push) = self.broker.prepare(self.now, from, &self.scenario.parameters);
        self.announce(ready, Event::Prepared { node, epoch, from, push });
    }

    fn prepared(&mut self, node: usize, epoch: u32, from: u64, push: Push) {
        let p = &self.scenario.parameters;
        let bytes = self.broker.ratings(from, push.until) as f64 * p.record_bytes;
        let sent = self.broker.send(self.now, bytes, p) + nanos(p.read_us);
        let there = self.over_network(node, sent);
        self.announce(there, Event::Received { node, epoch, push });
    }

    fn received(&mut self, at: usize, push: Push) {
        let p = &self.scenario.parameters;
        let node = &mut self.nodes[at];
        let messages = push.until - node.received;
        let all = self.broker.ratings(node.received, push.until);
        let own = node
            .group
            .as_ref()
            .filter(|group| group.offset.is_some_and(|offset| (node.received..push.until).contains(&offset)));
        let others = all - own.map_or(0, |group| group.ratings.count());
        node.received = push.until;
        node.is_asking = false;
        node.unfolded += 1;
        let micros = others as f64 * (p.fold_us - p.fold_observe_us) + messages as f64 * p.message_us;
        let (work, pieces) = (micros * 1e3, others.max(messages));
        let then = Then::Fold(push, others);
        self.give_to_pool(at, Job { then, purpose: Purpose::Folding, work, pieces, is_urgent: true });
        self.ask(at);
    }

    /// Asks the broker for more while no more than one lot lies here unfolded.
    fn ask(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if node.is_asking || node.unfolded > 1 {
            return;
        }
        node.is_asking = true;
        let (epoch, from) = (node.epoch, node.received);
        let there = self.over_network(at, self.now);
        self.announce(there, Event::Asked { node: at, epoch, from });
    }

    fn folded(&mut self, at: usize, push: Push, others: u64) {
        let node = &mut self.nodes[at];
        let epoch = node.epoch;
        let new = node.folded as usize..push.until as usize;
        for message in &self.broker.log()[new] {
            if (message.node, message.epoch) != (at, epoch) {
                self.seen.lag.add(self.now - message.scored_at.min(self.now), message.ratings);
            }
        }
        node.folded = push.until;
        node.others += others as i64;
        node.unfolded -= 1;
        if push.is_all && !node.is_ready {
            self.caught_up(at);
        }
        self.ask(at);
        self.answer_if_read(at);
    }

    /// Folds the rest of an own group once it is kept and everything up to it was read.
    fn answer_if_read(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let folded = node.folded;
        let is_read = node.group.as_ref().is_some_and(|group| {
            group.is_acknowledged && !group.is_read && group.offset.is_some_and(|offset| offset < folded)
        });
        if is_read {
            self.read_back(at);
        }
    }

    fn read_back(&mut self, at: usize) {
        let Some(group) = &mut self.nodes[at].group else { return };
        group.is_read = true;
        let pieces = group.ratings.count();
        let work = pieces as f64 * self.scenario.parameters.own_fold_us() * 1e3;
        let then = Then::Answer;
        self.give_to_pool(at, Job { then, purpose: Purpose::Scoring, work, pieces, is_urgent: true });
    }

    fn answer(&mut self, at: usize) {
        // Those that came while there was no room are shed before some is made.
        self.draw(at);
        let Some(group) = self.nodes[at].group.take() else { return };
        let count = group.ratings.count();
        let node = &mut self.nodes[at];
        node.inside -= count;
        node.answered += count;
        let (epoch, reading) = (node.epoch, count as f64 * self.scenario.parameters.client_us * 1e3);
        if reading > 0.0 && self.machine.is_some() {
            node.unread += count;
            let width = self.scenario.parameters.shared_cores.into();
            self.share(Lane::Client, reading, width, Event::Read { node: at, epoch, count });
        }
        self.seen.answered += count;
        for &Span { count, from, to } in group.ratings.spans() {
            let slices = count.min(if to > from { SLICES } else { 1 });
            for slice in 0..slices {
                let share = count * (slice + 1) / slices - count * slice / slices;
                let arrived = from + (to - from) * (2 * slice + 1) / (2 * slices);
                self.seen.latency.add(self.now - arrived, share);
            }
        }
        self.send_group(at);
        self.score(at);
    }

    fn lost(&mut self, at: usize) {
        self.draw(at);
        let (broken_off, unsent) = self.nodes[at].stop(self.now, self.scenario.log);
        if let Some(machine) = &mut self.machine {
            machine.clear(self.now, at);
        }
        self.announce_machine();
        self.seen.broken_off += broken_off;
        self.scored -= unsent as i64;
        self.broker.stop_waiting(at);
        let epoch = self.nodes[at].epoch;
        let noticed = self.now + (self.scenario.parameters.failover_ms * 1e6) as Nanos;
        self.announce(noticed, Event::Noticed { node: at, epoch });
    }

    fn back(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.back_since = Some(self.now);
        let has_read_all = node.folded as usize >= self.broker.log().len();
        if has_read_all {
            self.caught_up(at);
        }
        if self.scenario.log == Log::Broker {
            self.ask(at);
        }
    }

    fn caught_up(&mut self, at: usize) {
        // Whoever came until now was refused.
        self.draw(at);
        let node = &mut self.nodes[at];
        node.is_ready = true;
        node.is_served = true;
        if let Some(since) = node.back_since.take() {
            self.seen.caught_up_s.push((self.now - since) as f64 / 1e9);
        }
        self.balance();
    }
}
