//! Growing pauses between attempts.

use std::time::{Duration, Instant};

/// First pause, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// When the next attempt may be made. A pause is twice the one before, until an attempt succeeds.
#[derive(Default)]
pub(super) struct Backoff {
    pause: Duration,
    not_before: Option<Instant>,
}

impl Backoff {
    /// Takes note of a failure.
    pub(super) fn failed(&mut self) {
        self.pause = (self.pause * 2).clamp(PAUSES.0, PAUSES.1);
        self.not_before = Some(Instant::now() + self.pause);
    }

    /// Takes note of a success.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// How long to wait before the next attempt.
    pub(super) fn left(&self) -> Duration {
        self.not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_end_with_a_success() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.left(), Duration::ZERO);
        let pauses: Vec<_> = (0..9)
            .map(|_| {
                backoff.failed();
                backoff.pause
            })
            .collect();
        assert_eq!(pauses[0], PAUSES.0);
        assert_eq!(pauses[1], PAUSES.0 * 2);
        assert_eq!(pauses[8], PAUSES.1);
        assert!(backoff.left() > Duration::ZERO);
        backoff.succeeded();
        assert_eq!(backoff.left(), Duration::ZERO);
    }
}
