//! A node's cores: the thread of the feature state has one of them whenever it has work, and the rest goes to
//! what can be done in parallel: what comes from the log before what goes there, each in its order.

use std::collections::VecDeque;

use super::Nanos;

/// What a piece of CPU time is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The node's own ratings.
    Scoring = 0,
    /// Those of others.
    Folding = 1,
}

/// Work that is done in parallel.
#[derive(Debug)]
pub(super) struct Job<T> {
    /// What to go on with.
    pub(super) then: T,
    pub(super) purpose: Purpose,
    /// CPU time, in nanoseconds.
    pub(super) work: f64,
    /// Into how many pieces it can be divided.
    pub(super) pieces: u64,
    /// Whether it goes before those that are not, also before one that is under way.
    pub(super) is_urgent: bool,
}

/// The cores, shared by priority: fluid, so that a job goes on where it was when the state thread rests.
#[derive(Debug)]
pub(super) struct Pool<T> {
    cores: f64,
    /// What comes from the log: somebody waits for an answer behind it.
    urgent: VecDeque<Job<T>>,
    others: VecDeque<Job<T>>,
    /// Up to when the first job's work is reckoned.
    at: Nanos,
    is_state_busy: bool,
    /// CPU time by purpose, in nanoseconds, without that of the state thread.
    pub(super) spent: [f64; 2],
    /// Which of the announced ends counts.
    version: u32,
}

impl<T> Pool<T> {
    pub(super) fn new(cores: u32) -> Self {
        Self {
            cores: f64::from(cores),
            urgent: VecDeque::new(),
            others: VecDeque::new(),
            at: 0,
            is_state_busy: false,
            spent: [0.0; 2],
            version: 0,
        }
    }

    fn speed(&self) -> f64 {
        let free = if self.is_state_busy { self.cores - 1.0 } else { self.cores };
        self.urgent.front().or(self.others.front()).map_or(0.0, |job| free.min(job.pieces as f64))
    }

    /// Reckons what was done up to `now`.
    pub(super) fn advance(&mut self, now: Nanos) {
        let done = self.speed() * (now - self.at) as f64;
        self.at = now;
        if let Some(job) = self.urgent.front_mut().or(self.others.front_mut()) {
            let done = done.min(job.work);
            job.work -= done;
            self.spent[job.purpose as usize] += done;
        }
    }

    pub(super) fn set_state_busy(&mut self, now: Nanos, is_busy: bool) {
        self.advance(now);
        self.is_state_busy = is_busy;
    }

    pub(super) fn push(&mut self, now: Nanos, job: Job<T>) {
        self.advance(now);
        match job.is_urgent {
            true => self.urgent.push_back(job),
            false => self.others.push_back(job),
        }
    }

    /// When the first job will be done as things are, with a number that says whether things still are so.
    pub(super) fn next_end(&mut self) -> Option<(Nanos, u32)> {
        self.version += 1;
        let speed = self.speed();
        let job = self.urgent.front().or(self.others.front())?;
        // Rounded up: a job is not done before its work is.
        (speed > 0.0).then(|| (self.at + (job.work / speed).ceil() as Nanos, self.version))
    }

    /// The first job, at the end that was announced; `None` if that does not count any more.
    pub(super) fn finish(&mut self, now: Nanos, version: u32) -> Option<T> {
        if version != self.version {
            return None;
        }
        self.advance(now);
        self.urgent.pop_front().or_else(|| self.others.pop_front()).map(|job| job.then)
    }

    /// Forgets everything that is under way.
    pub(super) fn clear(&mut self, now: Nanos) {
        self.advance(now);
        self.urgent.clear();
        self.others.clear();
        self.is_state_busy = false;
        self.version += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(then: u8, work: f64, pieces: u64) -> Job<u8> {
        Job { then, purpose: Purpose::Scoring, work, pieces, is_urgent: false }
    }

    #[test]
    fn a_job_takes_the_cores_that_it_can_use_and_the_state_thread_leaves() {
        let mut pool = Pool::new(4);
        pool.push(0, job(1, 400.0, 100));
        assert_eq!(pool.next_end().map(|(at, _)| at), Some(100));
        pool.set_state_busy(50, true);
        // 200 of work are left for three cores.
        let (at, version) = pool.next_end().unwrap();
        assert_eq!(at, 117);
        assert_eq!(pool.finish(100, version - 1), None);
        assert_eq!(pool.finish(at, version), Some(1));
        pool.push(200, job(2, 100.0, 1));
        assert_eq!(pool.next_end().map(|(at, _)| at), Some(300));
        pool.advance(300);
        assert_eq!(pool.spent[Purpose::Scoring as usize], 500.0);
    }

    #[test]
    fn what_comes_from_the_log_goes_first_and_the_rest_goes_on_where_it_was() {
        let mut pool = Pool::new(1);
        pool.push(0, job(1, 100.0, 1));
        pool.push(40, Job { is_urgent: true, ..job(2, 10.0, 1) });
        let (at, version) = pool.next_end().unwrap();
        assert_eq!((at, pool.finish(at, version)), (50, Some(2)));
        let (at, version) = pool.next_end().unwrap();
        assert_eq!((at, pool.finish(at, version)), (110, Some(1)));
    }

    #[test]
    fn on_one_core_the_rest_waits_for_the_state_thread() {
        let mut pool = Pool::new(1);
        pool.set_state_busy(0, true);
        pool.push(0, job(1, 10.0, 5));
        assert_eq!(pool.next_end(), None);
        pool.set_state_busy(30, false);
        assert_eq!(pool.next_end().map(|(at, _)| at), Some(40));
    }
}
