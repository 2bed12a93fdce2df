//! Randomness that gives the same bytes on every machine.
//!
//! Two sources: [`Dice`] (ChaCha8) draws what happens; [`Derived`] (SplitMix64, Steele, Lea and
//! Flood 2014) unfolds what somebody *is* from their number, so that two million people need no
//! memory. Both use integer arithmetic and IEEE-exact operations (`+ − × ÷ √`) alone: the platforms' `ln`,
//! `exp` and `cos` differ in the last bit. Other distributions are tables of quantiles.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A source of random bits with the draws that the simulation needs.
pub(in crate::lab) trait Source {
    /// 64 uniform bits.
    fn bits(&mut self) -> u64;

    /// Uniform in `[0, 1)`, in steps of 2⁻⁵³.
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`.
    fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in `0..n`; 0 for `n` = 0. (Lemire's multiplication; the bias, below 2⁻³² for every
    /// `n` in use, is nobody's concern here.)
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform in `low..=high`; `low` if the range is empty.
    fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        low + self.below((high - low) as u64 + 1) as i64
    }

    /// Uniform in `[low, high)`.
    fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// One of `items`, which must not be empty.
    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// An index into `weights`, in proportion to them; the last where they sum to 0.
    fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u64 = weights.iter().map(|&w| u64::from(w)).sum();
        let mut at = self.below(total);
        for (index, &weight) in weights.iter().enumerate() {
            if at < u64::from(weight) {
                return index;
            }
            at -= u64::from(weight);
        }
        weights.len() - 1
    }

    /// A draw from a distribution given by its quantiles: `(probability, value)`, ascending, from 0
    /// to 1, linear in between.
    fn along(&mut self, quantiles: &[(f64, f64)]) -> f64 {
        let p = self.unit();
        let mut low = quantiles[0];
        for &high in &quantiles[1..] {
            if p < high.0 {
                return low.1 + (high.1 - low.1) * (p - low.0) / (high.0 - low.0);
            }
            low = high;
        }
        low.1
    }

    /// An exponential draw. The logarithm is libm's, the same everywhere.
    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }

    /// A Poisson draw. Below a mean of 16 by Knuth's products; above it the normal approximation,
    /// from the sum of twelve uniforms.
    fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean < 16.0 {
            let floor = exp_of_minus(mean);
            let (mut count, mut product) = (0, self.unit());
            while product > floor {
                count += 1;
                product *= self.unit();
            }
            return count;
        }
        let normal = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        (mean + mean.sqrt() * normal + 0.5).max(0.0) as u64
    }
}

/// `exp(−x)` for `0 ≤ x < 32`: Taylor's series of `x/1024`, squared ten times.
fn exp_of_minus(x: f64) -> f64 {
    let y = -x / 1024.0;
    let mut power = 1.0 + y * (1.0 + y / 2.0 * (1.0 + y / 3.0 * (1.0 + y / 4.0)));
    for _ in 0..10 {
        power *= power;
    }
    power
}

/// Draws what happens.
#[derive(Clone, Debug)]
pub(in crate::lab) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream `index` of purpose `purpose`. Streams are independent, so that switching one
    /// scenario off leaves the others' dice as they were.
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
        key[16..24].copy_from_slice(&index.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }
}

impl Source for Dice {
    fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// What a stream of dice, or a derived trait, is for.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(in crate::lab) enum Purpose {
    Ordinary = 1,
    Schedule,
    Campaign,
    Citizen,
    Account,
    Phone,
    Computer,
    Home,
    Cellular,
    Department,
    Clerk,
    Window,
    Canvas,
    ClosedCases,
    Arrivals,
    Network,
    Route,
}

/// Unfolds what somebody or something is from its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Derived(u64);

impl Derived {
    /// The traits of thing `index` under `seed`.
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        Self(finalise(seed ^ finalise(index ^ finalise(purpose as u64))))
    }
}

impl Source for Derived {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        finalise(self.0)
    }
}

/// SplitMix64's finaliser: a bijection that spreads every bit.
fn finalise(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_everywhere_and_streams_differ() {
        assert_eq!(Dice::new(7, Purpose::Ordinary, 0).bits(), 16_046_041_343_225_761_205);
        assert_eq!(Derived::new(7, Purpose::Citizen, 0).bits(), 11_876_960_705_773_709_954);
        assert_ne!(Dice::new(7, Purpose::Ordinary, 0).bits(), Dice::new(7, Purpose::Campaign, 0).bits());
    }

    #[test]
    fn poisson_has_its_mean_on_both_branches() {
        let mut dice = Dice::new(1, Purpose::Ordinary, 1);
        for mean in [0.3, 4.0, 15.9, 40.0] {
            let draws = 20_000;
            let sum: u64 = (0..draws).map(|_| dice.poisson(mean)).sum();
            let seen = sum as f64 / f64::from(draws);
            assert!((seen - mean).abs() < 5.0 * (mean / f64::from(draws)).sqrt(), "{mean}: {seen}");
        }
    }

    #[test]
    fn quantiles_and_weights_are_followed() {
        let mut dice = Dice::new(2, Purpose::Ordinary, 2);
        let table = [(0.0, 0.0), (0.5, 10.0), (1.0, 100.0)];
        let below_ten = (0..10_000).filter(|_| dice.along(&table) < 10.0).count();
        assert!((4_700..5_300).contains(&below_ten), "{below_ten}");
        let ones = (0..10_000).filter(|_| dice.weighted(&[3, 1]) == 1).count();
        assert!((2_300..2_700).contains(&ones), "{ones}");
        assert_eq!(dice.weighted(&[0, 0]), 1);
    }
}
