//! The broker: the partition, which takes one message after the other; the leader's cores and network, which
//! copy each message to the followers and hand it to every reader.

use std::collections::VecDeque;

use super::Nanos;
use super::parameters::Parameters;

/// A group of ratings in one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    /// Who sent it, and in which of its lives.
    pub(super) node: usize,
    pub(super) epoch: u32,
    pub(super) ratings: u64,
    /// When its ratings were shown to their node's state, on the average.
    pub(super) scored_at: Nanos,
}

/// The leader of the partition.
#[derive(Debug)]
pub(super) struct Broker {
    /// Messages that wait for the partition; the first has it.
    lane: VecDeque<Message>,
    /// What everybody may read.
    log: Vec<Message>,
    /// Ratings before the message of that offset.
    before: Vec<u64>,
    /// Readers that have read everything, with their life.
    waiting: Vec<Option<u32>>,
    /// When each core that serves readers is free again.
    cores: Vec<Nanos>,
    network_free: Nanos,
    /// Until when a server is away that keeps the log.
    away_until: Nanos,
    /// Time that the partition, the readers' cores and the network were taken, in nanoseconds.
    pub(super) taken: [f64; 3],
    end: Nanos,
}

/// What a reader is handed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Push {
    /// The offset after the last message.
    pub(super) until: u64,
    /// Whether that is all there is.
    pub(super) is_all: bool,
}

/// Indices into [`Broker::taken`].
pub(super) const PARTITION: usize = 0;
pub(super) const CORES: usize = 1;
pub(super) const NETWORK: usize = 2;

fn nanos(micros: f64) -> f64 {
    micros * 1e3
}

impl Broker {
    pub(super) fn new(parameters: &Parameters, nodes: usize, end: Nanos) -> Self {
        Self {
            lane: VecDeque::new(),
            log: Vec::new(),
            before: vec![0],
            waiting: vec![Some(0); nodes],
            cores: vec![0; parameters.broker_cores as usize - 1],
            network_free: 0,
            away_until: 0,
            taken: [0.0; 3],
            end,
        }
    }

    pub(super) fn log(&self) -> &[Message] {
        &self.log
    }

    /// Ratings in the messages of these offsets.
    pub(super) fn ratings(&self, from: u64, until: u64) -> u64 {
        self.before[until as usize] - self.before[from as usize]
    }

    fn take(&mut self, what: usize, from: Nanos, time: f64) -> Nanos {
        self.taken[what] += time.min(self.end.saturating_sub(from) as f64);
        from + time.round() as Nanos
    }

    pub(super) fn set_away(&mut self, until: Nanos) {
        self.away_until = self.away_until.max(until);
    }

    /// CPU time in nanoseconds for which a message takes the partition.
    fn entering(message: Message, p: &Parameters) -> f64 {
        nanos(p.append_lane_us) + message.ratings as f64 * p.record_bytes * p.append_byte_ns
    }

    /// A message arrives where the partition's thread shares cores with others; the CPU time that it takes.
    pub(super) fn arrive_shared(&mut self, message: Message, p: &Parameters) -> f64 {
        self.lane.push_back(message);
        let time = Self::entering(message, p);
        self.taken[PARTITION] += time;
        time
    }

    /// The partition is done with its first message, where its thread shares cores with others: gives it, and
    /// the CPU time that its copies take.
    pub(super) fn leave_shared(&mut self, p: &Parameters) -> Option<(Message, f64)> {
        let message = self.lane.pop_front()?;
        let bytes = message.ratings as f64 * p.record_bytes;
        Some((message, f64::from(p.replication - 1) * (nanos(p.copy_us) + bytes * p.copy_byte_ns)))
    }

    /// A message arrives. Gives the moment when the partition is done with it, if it gets it at once.
    pub(super) fn arrive(&mut self, now: Nanos, message: Message, parameters: &Parameters) -> Option<Nanos> {
        self.lane.push_back(message);
        (self.lane.len() == 1).then(|| self.enter(now, message, parameters))
    }

    fn enter(&mut self, now: Nanos, message: Message, p: &Parameters) -> Nanos {
        self.take(PARTITION, now.max(self.away_until), Self::entering(message, p))
    }

    /// The partition is done with its first message. Gives it with the moment when enough servers keep it,
    /// and the moment when the partition is done with the next, if one waits.
    pub(super) fn leave(&mut self, now: Nanos, p: &Parameters) -> Option<(Message, Nanos, Option<Nanos>)> {
        let message = self.lane.pop_front()?;
        let copies = f64::from(p.replication - 1) * message.ratings as f64 * p.record_bytes;
        let kept = self.send(now, copies, p) + nanos(p.append_us - p.append_lane_us).round() as Nanos;
        let next = self.lane.front().copied().map(|next| self.enter(now, next, p));
        Some((message, kept, next))
    }

    /// When so many bytes have left the leader.
    pub(super) fn send(&mut self, now: Nanos, bytes: f64, p: &Parameters) -> Nanos {
        if bytes <= 0.0 {
            return now;
        }
        let from = self.network_free.max(now);
        self.network_free = self.take(NETWORK, from, bytes * 8.0 / p.broker_gbit);
        self.network_free
    }

    /// Enough servers keep a message: gives its offset, or when to ask again while a server is away.
    pub(super) fn commit(&mut self, now: Nanos, message: Message, p: &Parameters) -> Result<u64, Nanos> {
        if now < self.away_until {
            return Err(self.away_until + nanos(p.append_us - p.append_lane_us).round() as Nanos);
        }
        self.log.push(message);
        self.before.push(self.before[self.log.len() - 1] + message.ratings);
        Ok(self.log.len() as u64 - 1)
    }

    /// A reader that has read everything waits for what comes.
    pub(super) fn wait(&mut self, node: usize, epoch: u32) {
        self.waiting[node] = Some(epoch);
    }

    /// The reader, if it waits.
    pub(super) fn stop_waiting(&mut self, node: usize) -> Option<u32> {
        self.waiting[node].take()
    }

    /// What a reader is handed from an offset on, and the CPU time that it takes, in nanoseconds. There must be
    /// something.
    pub(super) fn lot(&self, from: u64, p: &Parameters) -> (Push, f64) {
        let most = self.before[from as usize] + p.push_ratings();
        let fit = self.before.partition_point(|&ratings| ratings <= most) as u64 - 1;
        let until = fit.max(from + 1).min(self.log.len() as u64);
        let bytes = self.ratings(from, until) as f64 * p.record_bytes;
        let push = Push { until, is_all: until == self.log.len() as u64 };
        (push, nanos(p.push_us) + bytes * p.push_byte_ns)
    }

    /// Gets what there is from an offset on ready for a reader; gives the moment when it can be sent.
    pub(super) fn prepare(&mut self, now: Nanos, from: u64, p: &Parameters) -> (Nanos, Push) {
        let (push, time) = self.lot(from, p);
        let core = (0..self.cores.len()).min_by_key(|&core| self.cores[core]).unwrap_or(0);
        let start = self.cores[core].max(now);
        let ready = self.take(CORES, start, time);
        self.cores[core] = ready;
        (ready, push)
    }
}
