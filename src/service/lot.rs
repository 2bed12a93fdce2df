//! Which admitted ratings are drawn for review. Reviewers otherwise see only what the machine picked, and
//! labels from that alone would teach it to believe itself.

/// A share of ratings, drawn by their keyed digests: nobody outside can tell which, and a replay draws the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    per_100_000: u32,
}

impl Lot {
    /// Draws none.
    pub const NONE: Self = Self { per_100_000: 0 };

    /// Draws so many of 100,000 on average.
    pub fn new(per_100_000: u32) -> Self {
        Self { per_100_000: per_100_000.min(100_000) }
    }

    /// Whether the rating with this digest is drawn.
    pub fn draws(self, digest: &[u8; 16]) -> bool {
        let mut drawn = [0; 8];
        drawn.copy_from_slice(&digest[8..]);
        let place = (u128::from(u64::from_le_bytes(drawn)) * 100_000) >> 64;
        place < u128::from(self.per_100_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_drawn_is_the_share_asked_for() {
        let digest = |i: u32| {
            let mut digest = [0; 16];
            digest.copy_from_slice(&blake3::hash(&i.to_le_bytes()).as_bytes()[..16]);
            digest
        };
        let drawn = |lot: Lot| (0..50_000).filter(|&i| lot.draws(&digest(i))).count();
        assert_eq!((drawn(Lot::NONE), drawn(Lot::new(100_000))), (0, 50_000));
        let share = drawn(Lot::new(2_000));
        assert!((900..1_100).contains(&share), "{share} of 1,000 expected");
    }
}
