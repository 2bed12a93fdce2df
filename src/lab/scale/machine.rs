//! One machine for all: nodes, the broker's servers and whoever sends the ratings share its cores, as processes do
//! that the system treats alike.
//!
//! Whatever works alone and in order has a lane. The first task of each lane is at work; if they want more cores
//! than there are, each gets the same share of what it wants (processor sharing; Kleinrock 1967).

use std::collections::VecDeque;

use super::Nanos;
use super::event::Event;

/// Who works in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// A node, at its own ratings.
    Score(usize),
    /// A node, at what comes from the log.
    Fold(usize),
    /// A node's state thread.
    State(usize),
    /// The broker, handing a node what is there.
    Push(usize),
    /// The leader's partition.
    Partition,
    /// The servers that keep copies.
    Copies,
    /// Whoever sends the ratings and reads the answers.
    Client,
}

/// Lanes of a node.
const OF_NODE: usize = 4;

impl Lane {
    fn number(self, nodes: usize) -> usize {
        match self {
            Self::Score(node) => node * OF_NODE,
            Self::Fold(node) => node * OF_NODE + 1,
            Self::State(node) => node * OF_NODE + 2,
            Self::Push(node) => node * OF_NODE + 3,
            Self::Partition => nodes * OF_NODE,
            Self::Copies => nodes * OF_NODE + 1,
            Self::Client => nodes * OF_NODE + 2,
        }
    }
}

/// A piece of work, and what happens at its end.
#[derive(Debug)]
struct Task {
    event: Event,
    /// CPU time that is left, in nanoseconds.
    work: f64,
    /// Cores that it can use at once.
    width: f64,
}

/// The cores, and what is at work on them.
#[derive(Debug)]
pub(super) struct Machine {
    cores: f64,
    nodes: usize,
    lanes: Vec<VecDeque<Task>>,
    /// Up to when the work is reckoned.
    at: Nanos,
    /// CPU time that was used, in nanoseconds.
    pub(super) spent: f64,
    /// Which of the announced ends counts.
    version: u32,
}

impl Machine {
    pub(super) fn new(cores: u32, nodes: usize) -> Self {
        let lanes = (0..=Lane::Client.number(nodes)).map(|_| VecDeque::new()).collect();
        Self { cores: f64::from(cores), nodes, lanes, at: 0, spent: 0.0, version: 0 }
    }

    /// The share of what it wants that each task gets.
    fn share(&self) -> f64 {
        let wanted: f64 = self.lanes.iter().filter_map(|lane| lane.front()).map(|task| task.width).sum();
        if wanted > self.cores { self.cores / wanted } else { 1.0 }
    }

    /// Reckons what was done up to `now`.
    pub(super) fn advance(&mut self, now: Nanos) {
        let time = self.share() * (now - self.at) as f64;
        self.at = now;
        for task in self.lanes.iter_mut().filter_map(VecDeque::front_mut) {
            let done = (time * task.width).min(task.work);
            task.work -= done;
            self.spent += done;
        }
    }

    /// Gives a lane so many nanoseconds of work that `width` cores can share; `event` happens at its end.
    pub(super) fn push(&mut self, now: Nanos, lane: Lane, work: f64, width: f64, event: Event) {
        self.advance(now);
        self.lanes[lane.number(self.nodes)].push_back(Task { event, work, width });
    }

    /// When the next task will be done as things are, with a number that says whether things still are so.
    pub(super) fn next_end(&mut self) -> Option<(Nanos, u32)> {
        self.version += 1;
        let share = self.share();
        let firsts = self.lanes.iter().filter_map(|lane| lane.front());
        // Rounded up: a task is not done before its work is.
        let ends = firsts.map(|task| (task.work / (task.width * share)).ceil() as Nanos);
        ends.min().map(|time| (self.at + time, self.version))
    }

    /// What happens as tasks end, at the end that was announced; nothing if that does not count any more.
    pub(super) fn finish(&mut self, now: Nanos, version: u32) -> Vec<Event> {
        if version != self.version {
            return Vec::new();
        }
        self.advance(now);
        // Less than a nanosecond is what rounding left.
        let ended = |lane: &mut VecDeque<Task>| lane.pop_front_if(|task| task.work < 1.0);
        self.lanes.iter_mut().filter_map(ended).map(|task| task.event).collect()
    }

    /// Forgets what a node is at.
    pub(super) fn clear(&mut self, now: Nanos, node: usize) {
        self.advance(now);
        for lane in [Lane::Score(node), Lane::Fold(node), Lane::State(node)] {
            self.lanes[lane.number(self.nodes)].clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(node: usize) -> Event {
        Event::Back { node }
    }

    /// Runs to the end; which node's task ended when.
    fn run(machine: &mut Machine) -> Vec<(Nanos, usize)> {
        let mut ended = Vec::new();
        while let Some((at, version)) = machine.next_end() {
            for event in machine.finish(at, version) {
                let Event::Back { node } = event else { unreachable!("no other was pushed") };
                ended.push((at, node));
            }
        }
        ended
    }

    #[test]
    fn tasks_share_the_cores_and_get_more_when_others_end() {
        let mut machine = Machine::new(2, 3);
        machine.push(0, Lane::Score(0), 300.0, 1.0, done(0));
        machine.push(0, Lane::Score(1), 600.0, 1.0, done(1));
        machine.push(0, Lane::Score(2), 600.0, 2.0, done(2));
        // Four cores are wanted and two are there: at 600 the first is done, as is the third; the second has all
        // that it can use then.
        assert_eq!(run(&mut machine), [(600, 0), (600, 2), (900, 1)]);
        assert_eq!(machine.spent, 1_500.0);
    }

    #[test]
    fn a_lane_takes_one_task_after_the_other() {
        let mut machine = Machine::new(4, 1);
        machine.push(0, Lane::Partition, 100.0, 1.0, done(0));
        machine.push(0, Lane::Partition, 50.0, 1.0, done(1));
        machine.push(0, Lane::Client, 120.0, 1.0, done(2));
        assert_eq!(run(&mut machine), [(100, 0), (120, 2), (150, 1)]);
    }

    #[test]
    fn what_a_lost_node_was_at_is_forgotten() {
        let mut machine = Machine::new(1, 2);
        machine.push(0, Lane::State(0), 100.0, 1.0, done(0));
        machine.push(0, Lane::State(1), 100.0, 1.0, done(1));
        machine.clear(100, 0);
        assert_eq!(run(&mut machine), [(150, 1)]);
    }
}
