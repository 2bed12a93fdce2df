//! Recent ratings of one place, and how much each resembles the one at hand.
//!
//! A rating is compared with up to [`RECENT`] others in a dozen respects at each of two places, which
//! makes this the inner loop of [`super::links`]. So traces lie in blocks of [`LANES`], one array for
//! each respect, and a block is weighed without a branch: a respect that does not agree adds 0.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::decay::Decayed;
use super::table::prefetch;
use super::traits::{Surprise, TraitBits, lanes};

/// Recent ratings that are compared, per place and polarity.
pub(super) const RECENT: usize = 48;
/// Ratings further apart are not compared.
const HORIZON_MINUTES: u32 = 14 * 1_440;
/// Digits from which two ratings count as linked.
const LINK_DIGITS: f32 = 3.0;
/// Digits below which a resemblance is no evidence, and the most that counts above them.
const LEAST_DIGITS: f32 = 2.0;
const MOST_DIGITS_SUMMED: f32 = 4.0;
/// The same device under two accounts: families share too, so this is no certainty.
const SAME_DEVICE_DIGITS: f32 = 2.5;
/// The same rater again.
const SAME_RATER_DIGITS: f32 = 1.5;
/// Most that one agreement weighs.
pub(super) const MOST_DIGITS: f32 = 3.0;
/// Traits depend on each other, so their digits do not quite add up.
const TRAITS_SHARE: f32 = 0.8;
/// Form times, or delays since completion, within a tenth of each other: of people's own about one
/// pair in seven is.
const SAME_PACE_DIGITS: f32 = 0.8;
const SAME_PACE: f32 = 0.1;
/// Accounts registered within this many days of each other agree.
pub(super) const REGISTERED_WITHIN_DAYS: u16 = 2;

/// Traces in a block.
const LANES: usize = 8;

/// What is kept of a rating; 0 where something is not known.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Trace {
    pub minute: u32,
    pub target: u32,
    pub rater: u32,
    pub device: u32,
    pub profile: u32,
    pub ip: u32,
    pub subnet: u32,
    pub text: u32,
    pub traits: TraitBits,
    pub registered_day: u16,
    pub kind: u16,
    /// Seconds from opening to submission, and from completion to submission, as logarithms; NaN
    /// where a time is unknown.
    pub dwell: f32,
    pub delay: f32,
    /// Resembles another of the recent ratings.
    pub linked: bool,
}

/// Digits that each agreement with the rating at hand weighs.
pub(super) struct Digits {
    pub profile: f32,
    pub ip: f32,
    pub subnet: f32,
    pub text: f32,
    pub registered: f32,
    pub kind: f32,
}

/// Links found at one place.
#[derive(Clone, Copy, Default)]
pub(super) struct Found {
    pub count: u32,
    pub best: f32,
    pub sum: f32,
    pub share: Option<f32>,
}

/// Traces side by side.
#[derive(Clone, Debug, Default)]
struct Block {
    minute: [u32; LANES],
    target: [u32; LANES],
    rater: [u32; LANES],
    device: [u32; LANES],
    profile: [u32; LANES],
    ip: [u32; LANES],
    subnet: [u32; LANES],
    text: [u32; LANES],
    traits: [TraitBits; LANES],
    dwell: [f32; LANES],
    delay: [f32; LANES],
    registered_day: [u16; LANES],
    kind: [u16; LANES],
    /// A bit each.
    linked: u8,
}

/// All bits where the two are equal, none elsewhere.
#[inline(always)]
fn equal(a: u32, b: u32) -> u32 {
    if a == b { u32::MAX } else { 0 }
}

/// All bits where it holds, none elsewhere.
#[inline(always)]
fn mask(holds: bool) -> u32 {
    if holds { u32::MAX } else { 0 }
}

/// The value where the mask has all bits, 0 where it has none.
#[inline(always)]
fn only(mask: u32, value: f32) -> u32 {
    value.to_bits() & mask
}

/// One bit for each lane whose mask is set.
#[inline(always)]
fn bits(masks: [u32; LANES]) -> u32 {
    let mut bits = 0;
    for (i, mask) in masks.into_iter().enumerate() {
        bits |= mask & 1 << i;
    }
    bits
}

/// Digits for lying so near in time: by chance, so many ratings would lie as near. At most 1.
#[inline(always)]
fn nearness(per_minute: f32, apart: u32) -> f32 {
    let near = 2.0 * per_minute * (apart as f32 + 1.0);
    if near >= 1.0 || near <= 0.0 {
        0.0
    } else if near < 0.099 {
        // Its logarithm is below −1, whatever the rounding.
        1.0
    } else {
        (-near.log10()).min(1.0)
    }
}

impl Block {
    fn get(&self, i: usize) -> Trace {
        Trace {
            minute: self.minute[i],
            target: self.target[i],
            rater: self.rater[i],
            device: self.device[i],
            profile: self.profile[i],
            ip: self.ip[i],
            subnet: self.subnet[i],
            text: self.text[i],
            traits: self.traits[i],
            registered_day: self.registered_day[i],
            kind: self.kind[i],
            dwell: self.dwell[i],
            delay: self.delay[i],
            linked: self.linked >> i & 1 == 1,
        }
    }

    fn set(&mut self, i: usize, trace: &Trace) {
        let Trace { minute, target, rater, device, profile, ip, subnet, text, .. } = *trace;
        let Trace { traits, registered_day, kind, dwell, delay, linked, .. } = *trace;
        (self.minute[i], self.target[i], self.rater[i], self.device[i]) = (minute, target, rater, device);
        (self.profile[i], self.ip[i], self.subnet[i], self.text[i]) = (profile, ip, subnet, text);
        (self.traits[i], self.dwell[i], self.delay[i]) = (traits, dwell, delay);
        (self.registered_day[i], self.kind[i]) = (registered_day, kind);
        self.linked = self.linked & !(1 << i) | u8::from(linked) << i;
    }

    /// Minutes between each and the rating at hand.
    #[inline(always)]
    fn apart(&self, new: &Trace) -> [u32; LANES] {
        self.minute.map(|minute| new.minute.abs_diff(minute))
    }

    /// What the agreements of each with the rating at hand weigh, but for the time.
    // One index into several arrays is the form that the compiler turns into vectors.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    fn digits(&self, new: &Trace, weights: &Digits, surprise: &Surprise) -> [f32; LANES] {
        let known = |value: u32| mask(value != 0);
        let mut digits = [0.0_f32; LANES];
        let (device_known, profile_known) = (known(new.device), known(new.profile));
        for i in 0..LANES {
            let device = equal(self.device[i], new.device) & device_known;
            let profile = equal(self.profile[i], new.profile) & profile_known & !device;
            digits[i] += f32::from_bits(only(device, SAME_DEVICE_DIGITS) | only(profile, weights.profile));
        }
        let (ip_known, subnet_known) = (known(new.ip), known(new.subnet));
        let ip_digits = weights.ip.max(weights.subnet);
        for i in 0..LANES {
            let ip = equal(self.ip[i], new.ip) & ip_known;
            let subnet = equal(self.subnet[i], new.subnet) & subnet_known & !ip;
            digits[i] += f32::from_bits(only(ip, ip_digits) | only(subnet, weights.subnet));
        }
        if new.text != 0 {
            for i in 0..LANES {
                digits[i] += f32::from_bits(only(equal(self.text[i], new.text), weights.text));
            }
        }
        let (rater_known, registered_known) = (known(new.rater), known(new.registered_day.into()));
        for i in 0..LANES {
            let rater = equal(self.rater[i], new.rater) & rater_known;
            let day = self.registered_day[i];
            let near = new.registered_day.abs_diff(day) <= REGISTERED_WITHIN_DAYS;
            let registered = mask(near) & mask(day != 0) & registered_known & !rater;
            digits[i] +=
                f32::from_bits(only(rater, SAME_RATER_DIGITS) | only(registered, weights.registered));
        }
        for i in 0..LANES {
            // NaN, where a time is unknown, is near to nothing.
            let dwell = mask((new.dwell - self.dwell[i]).abs() <= SAME_PACE);
            let delay = mask((new.delay - self.delay[i]).abs() <= SAME_PACE);
            digits[i] += f32::from_bits(only(dwell, SAME_PACE_DIGITS));
            digits[i] += f32::from_bits(only(delay, SAME_PACE_DIGITS));
        }
        for i in 0..LANES {
            digits[i] += f32::from_bits(only(equal(self.kind[i].into(), new.kind.into()), weights.kind));
        }
        let mut traits = [0.0_f32; LANES];
        for lane in lanes(surprise.rare) {
            let value = surprise.digits[lane];
            for i in 0..LANES {
                let carried = 0_u32.wrapping_sub(self.traits[i] >> lane & 1);
                traits[i] += f32::from_bits(only(carried, value));
            }
        }
        for i in 0..LANES {
            let sum = traits[i] * TRAITS_SHARE;
            digits[i] += if sum < MOST_DIGITS { sum } else { MOST_DIGITS };
        }
        digits
    }
}

/// The recent ratings of one place, and how many it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    blocks: Vec<Block>,
    len: u8,
    /// Where the next goes once there are [`RECENT`].
    next: u8,
    pub ratings: Decayed,
}

impl Ring {
    /// Bytes that the traces take at most.
    pub fn most_bytes() -> usize {
        RECENT.div_ceil(LANES) * size_of::<Block>()
    }

    /// Adds a trace; the oldest goes.
    pub fn push(&mut self, trace: &Trace) {
        let mut at = usize::from(self.len);
        if at < RECENT {
            self.len += 1;
            if at / LANES == self.blocks.len() {
                // Most places are rated seldom.
                let room = self.blocks.len().clamp(1, RECENT.div_ceil(LANES) - self.blocks.len());
                if self.blocks.len() == self.blocks.capacity() {
                    self.blocks.reserve_exact(room);
                }
                self.blocks.push(Block::default());
            }
        } else {
            at = usize::from(self.next);
            self.next = (self.next + 1) % RECENT as u8;
        }
        self.blocks[at / LANES].set(at % LANES, trace);
    }

    /// Asks the memory for the traces: for every other line, since lines come in pairs.
    #[inline]
    pub fn prefetch(&self) {
        for block in &self.blocks {
            prefetch(&block.minute, 0);
            prefetch(&block.profile, 0);
            prefetch(&block.traits, 0);
        }
    }

    /// Compares a rating with each of the recent ones, those of its own target left out where
    /// `elsewhere_only`, and marks those that it links. `per_minute` is how many the place has.
    pub fn compare(
        &mut self,
        new: &Trace,
        weights: &Digits,
        surprise: &Surprise,
        per_minute: f32,
        elsewhere_only: bool,
    ) -> Found {
        let mut found = Found::default();
        let (mut linked, mut alive) = (0, 0);
        let mut best = [0.0_f32; LANES];
        let mut left = u32::from(self.len);
        // Further apart than this, `near` below is no less than 1; rounding costs far less than a minute.
        let close_minutes = (0.5 / per_minute + 1.0) as u32;
        for block in &mut self.blocks {
            let apart = block.apart(new);
            let mut valid = [0; LANES];
            for i in 0..LANES {
                let elsewhere = !equal(block.target[i], new.target) | mask(!elsewhere_only);
                valid[i] = mask((i as u32) < left) & mask(apart[i] <= HORIZON_MINUTES) & elsewhere;
            }
            left = left.saturating_sub(LANES as u32);
            let valid_bits = bits(valid);
            if valid_bits == 0 {
                continue;
            }
            let mut digits = block.digits(new, weights, surprise);
            for i in lanes(valid_bits & bits(apart.map(|apart| mask(apart <= close_minutes)))) {
                digits[i] += nearness(per_minute, apart[i]);
            }
            let mut strong = [0; LANES];
            let mut some = [0; LANES];
            for i in 0..LANES {
                let digits = f32::from_bits(only(valid[i], digits[i]));
                best[i] = if digits > best[i] { digits } else { best[i] };
                strong[i] = mask(digits >= LINK_DIGITS);
                some[i] = mask(digits > LEAST_DIGITS);
            }
            let strong = bits(strong);
            found.count += strong.count_ones();
            block.linked |= strong as u8;
            linked += (u32::from(block.linked) & valid_bits).count_ones();
            alive += valid_bits.count_ones();
            for i in lanes(bits(some)) {
                found.sum += (digits[i] - LEAST_DIGITS).min(MOST_DIGITS_SUMMED);
            }
        }
        found.best = best.into_iter().fold(0.0, f32::max);
        found.share = if alive >= 3 { Some(linked as f32 / alive as f32) } else { None };
        found
    }
}

/// The traces in their places; then where the next goes, and how many ratings there are.
impl Serialize for Ring {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let traces: Vec<Trace> =
            (0..usize::from(self.len)).map(|i| self.blocks[i / LANES].get(i % LANES)).collect();
        (traces, self.next, self.ratings).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Ring {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (traces, next, ratings) = <(Vec<Trace>, u8, Decayed)>::deserialize(deserializer)?;
        if traces.len() > RECENT || usize::from(next) >= RECENT {
            return Err(serde::de::Error::custom("more traces than are kept"));
        }
        let mut ring = Self { ratings, ..Self::default() };
        traces.iter().for_each(|trace| ring.push(trace));
        ring.next = next;
        Ok(ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The weight of one pair, respect by respect.
    fn naive(new: &Trace, old: &Trace, weights: &Digits, surprise: &Surprise, per_minute: f32) -> f32 {
        let same = |a: u32, b: u32| a != 0 && a == b;
        let mut digits = 0.0;
        if same(new.device, old.device) {
            digits += SAME_DEVICE_DIGITS;
        } else if same(new.profile, old.profile) {
            digits += weights.profile;
        }
        if same(new.ip, old.ip) {
            digits += weights.ip.max(weights.subnet);
        } else if same(new.subnet, old.subnet) {
            digits += weights.subnet;
        }
        if same(new.text, old.text) {
            digits += weights.text;
        }
        if same(new.rater, old.rater) {
            digits += SAME_RATER_DIGITS;
        } else if new.registered_day != 0
            && old.registered_day != 0
            && new.registered_day.abs_diff(old.registered_day) <= REGISTERED_WITHIN_DAYS
        {
            digits += weights.registered;
        }
        digits += SAME_PACE_DIGITS * f32::from((new.dwell - old.dwell).abs() <= SAME_PACE);
        digits += SAME_PACE_DIGITS * f32::from((new.delay - old.delay).abs() <= SAME_PACE);
        if new.kind == old.kind {
            digits += weights.kind;
        }
        let common = (0..32).filter(|lane| (surprise.rare & old.traits) >> lane & 1 == 1);
        let traits = common.fold(0.0, |sum, lane| sum + surprise.digits[lane]);
        digits += (traits * TRAITS_SHARE).min(MOST_DIGITS);
        let near = 2.0 * per_minute * (new.minute.abs_diff(old.minute) as f32 + 1.0);
        if near < 1.0 && near > 0.0 {
            digits += (-near.log10()).min(1.0);
        }
        digits
    }

    fn trace() -> impl Strategy<Value = Trace> {
        let few = || 0..3_u32;
        let pace = || prop::sample::select(vec![f32::NAN, 1.0, 1.05, 2.0]);
        let who = (few(), few(), few(), few(), few(), few(), few());
        (0..40_000_u32, who, any::<u32>(), 0..5_u16, 0..3_u16, pace(), pace()).prop_map(
            |(
                minute,
                (target, rater, device, profile, ip, subnet, text),
                traits,
                registered_day,
                kind,
                dwell,
                delay,
            )| {
                let linked = false;
                Trace {
                    minute,
                    target,
                    rater,
                    device,
                    profile,
                    ip,
                    subnet,
                    text,
                    traits,
                    registered_day,
                    kind,
                    dwell,
                    delay,
                    linked,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn blocks_find_what_one_by_one_would(
            news in prop::collection::vec((trace(), any::<bool>()), 1..120),
            weights in prop::array::uniform6(0.0_f32..3.0),
            rare in any::<u32>(),
            shares in prop::array::uniform32(0.3_f32..2.5),
            per_minute in 0.0_f32..0.01,
        ) {
            let [profile, ip, subnet, text, registered, kind] = weights;
            let weights = Digits { profile, ip, subnet, text, registered, kind };
            let digits = std::array::from_fn(|lane| if rare >> lane & 1 == 1 { shares[lane] } else { 0.0 });
            let surprise = Surprise { bits: rare, rare, digits };
            let (mut ring, mut plain, mut next) = (Ring::default(), Vec::<Trace>::new(), 0);
            for (new, elsewhere_only) in news {
                let (mut count, mut best, mut sum, mut linked, mut alive) = (0, 0.0_f32, 0.0, 0_u32, 0_u32);
                for old in &mut plain {
                    let elsewhere = elsewhere_only && old.target == new.target;
                    if elsewhere || new.minute.abs_diff(old.minute) > HORIZON_MINUTES {
                        continue;
                    }
                    let weight = naive(&new, old, &weights, &surprise, per_minute);
                    count += u32::from(weight >= LINK_DIGITS);
                    old.linked |= weight >= LINK_DIGITS;
                    linked += u32::from(old.linked);
                    alive += 1;
                    best = best.max(weight);
                    sum += (weight - 2.0).clamp(0.0, 4.0);
                }
                let share = if alive >= 3 { Some(linked as f32 / alive as f32) } else { None };
                let found = ring.compare(&new, &weights, &surprise, per_minute, elsewhere_only);
                prop_assert_eq!((found.count, found.share), (count, share));
                prop_assert_eq!((found.best.to_bits(), found.sum.to_bits()), (best.to_bits(), sum.to_bits()));
                let kept = Trace { linked: count > 0, ..new };
                ring.push(&kept);
                if plain.len() < RECENT {
                    plain.push(kept);
                } else {
                    plain[next] = kept;
                    next = (next + 1) % RECENT;
                }
                let written = postcard::to_stdvec(&ring).unwrap();
                prop_assert_eq!(&written, &postcard::to_stdvec(&(&plain, next as u8, ring.ratings)).unwrap());
                ring = postcard::from_bytes(&written).unwrap();
            }
        }
    }
}
