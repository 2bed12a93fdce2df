//! How long answers took of late, for people to look at; the histogram in the metrics is for alarms.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

const KEPT: usize = 1_024;

/// The latest answers' times, in microseconds.
pub(super) struct Latencies {
    times: Box<[AtomicU32]>,
    next: AtomicUsize,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { times: (0..KEPT).map(|_| AtomicU32::new(0)).collect(), next: AtomicUsize::new(0) }
    }
}

impl Latencies {
    /// Notes one answer. Costs two atomic operations.
    pub fn note(&self, elapsed: Duration) {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % KEPT;
        let micros = u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX).max(1);
        self.times[place].store(micros, Ordering::Relaxed);
    }

    /// Median and 99th percentile, in microseconds; zeros before the first answer.
    pub fn percentiles(&self) -> (u64, u64) {
        let mut times: Vec<u32> =
            self.times.iter().map(|t| t.load(Ordering::Relaxed)).filter(|&t| t > 0).collect();
        times.sort_unstable();
        let at = |share: f64| {
            let place = (times.len() as f64 * share) as usize;
            times.get(place.min(times.len().saturating_sub(1))).copied().map_or(0, u64::from)
        };
        (at(0.5), at(0.99))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_latest_answers() {
        let latencies = Latencies::default();
        assert_eq!(latencies.percentiles(), (0, 0));
        (1..=3_000_u64).for_each(|n| latencies.note(Duration::from_micros(n)));
        let (median, p99) = latencies.percentiles();
        assert!((2_480..2_500).contains(&median) && (2_980..=3_000).contains(&p99), "{median} {p99}");
    }
}
