//! Quantiles of many values in little memory.

/// Buckets to a doubling: a quantile is within 1/64 of the true one.
const PER_DOUBLING: u64 = 64;
const PER_DOUBLING_BITS: u32 = PER_DOUBLING.ilog2();

/// Counts of whole values: exact below 64, within 1.6 % above.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    /// The sum of all values, for the mean.
    sum: f64,
}

impl Histogram {
    pub(super) fn add(&mut self, value: u64, count: u64) {
        if count == 0 {
            return;
        }
        let bucket = bucket(value);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += count;
        self.total += count;
        self.sum += value as f64 * count as f64;
    }

    /// The value that a share of all are at most; `None` of nothing.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && count > 0 {
                return Some(middle(bucket));
            }
        }
        None
    }

    /// `None` of nothing.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.total > 0).then(|| self.sum / self.total as f64)
    }
}

fn bucket(value: u64) -> usize {
    if value < PER_DOUBLING {
        return value as usize;
    }
    let shift = value.ilog2() - PER_DOUBLING_BITS;
    (u64::from(shift + 1) * PER_DOUBLING + (value >> shift) - PER_DOUBLING) as usize
}

fn middle(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    if bucket < PER_DOUBLING {
        return bucket as f64;
    }
    let shift = bucket / PER_DOUBLING - 1;
    let from = (PER_DOUBLING + bucket % PER_DOUBLING) << shift;
    from as f64 + ((1_u64 << shift) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_bucket_of_the_true_ones() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.5), histogram.mean()), (None, None));
        (1..=100_000).for_each(|value| histogram.add(value, 3));
        for share in [0.001, 0.5, 0.99, 1.0] {
            let (found, exact) = (histogram.quantile(share).unwrap(), share * 100_000.0);
            assert!((found / exact - 1.0).abs() < 0.01, "{share}: {found}");
        }
        assert_eq!(histogram.mean(), Some(50_000.5));
    }

    #[test]
    fn small_values_are_exact_and_buckets_follow_each_other() {
        for value in 0..100_000_u64 {
            let next = bucket(value + 1) - bucket(value);
            assert!(next <= 1, "{value}");
            assert!((middle(bucket(value)) - value as f64).abs() <= value as f64 / 64.0, "{value}");
        }
        assert_eq!(middle(bucket(63)), 63.0);
        let _ = bucket(u64::MAX);
    }
}
