//! The latest ratings by what they share: for the time lines of a case page.
//!
//! A ring of plain numbers, one column a field, so that finding what shares a device or a rater with a case is a walk
//! along eight bytes a rating, without an index to keep. 66 bytes a rating in all.

use crate::features::identity::target_key;
use crate::features::mix;
use crate::log::entry::RatingEntry;
use crate::lookback::{Link, keys_of};
use crate::time::Instant;
use crate::wire::Decision;

/// What a lane of a time line has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Lane {
    /// The device; an official terminal is none.
    Device,
    /// The account, or else the id number, or else the phone.
    Rater,
    /// The case.
    Case,
    /// The words, where they are no stock phrase.
    Text,
    /// The network address.
    Network,
    /// Whom the rating is about.
    Target,
}

impl Lane {
    /// How many there are.
    pub const COUNT: usize = 6;
    /// All lanes.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Device, Self::Rater, Self::Case, Self::Text, Self::Network, Self::Target];
}

/// A rating's key in each [`Lane`]; 0 where it has none.
pub type LaneKeys = [u64; Lane::COUNT];

/// The keys of a rating.
pub fn lane_keys(rating: &RatingEntry) -> LaneKeys {
    let keys = keys_of(&rating.observation);
    let of = |link: Link| keys[link as usize];
    let network = if of(Link::Ip) != 0 { of(Link::Ip) } else { of(Link::Subnet) };
    let target = mix(target_key(&rating.observation.service)).max(1);
    [of(Link::Device), of(Link::Rater), of(Link::Case), of(Link::Text), network, target]
}

/// A rating on a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceHit {
    /// Sequence of its entry.
    pub sequence: u64,
    /// When it was submitted.
    pub at: Instant,
    /// 1 to 5.
    pub stars: u8,
    /// What is decided about it.
    pub decision: Decision,
}

/// The latest ratings in log order, at most so many: the oldest make room.
#[derive(Clone, Debug)]
pub struct Traces {
    most: usize,
    /// Where the next one goes, once the ring is full.
    next: usize,
    sequences: Vec<u64>,
    submitted_ms: Vec<i64>,
    keys: [Vec<u64>; Lane::COUNT],
    stars: Vec<u8>,
    decisions: Vec<Decision>,
}

impl Traces {
    /// Remembers at most `most` ratings, at least one.
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            next: 0,
            sequences: Vec::new(),
            submitted_ms: Vec::new(),
            keys: Default::default(),
            stars: Vec::new(),
            decisions: Vec::new(),
        }
    }

    /// How many it remembers.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Remembers the next rating of the log.
    pub fn push(&mut self, sequence: u64, rating: &RatingEntry) {
        let o = &rating.observation;
        let keys = lane_keys(rating);
        if self.len() < self.most {
            self.sequences.push(sequence);
            self.submitted_ms.push(o.submitted_at.ms());
            self.keys.iter_mut().zip(keys).for_each(|(column, key)| column.push(key));
            self.stars.push(o.stars);
            self.decisions.push(rating.outcome.decision);
            return;
        }
        let place = self.next;
        self.next = (place + 1) % self.most;
        self.sequences[place] = sequence;
        self.submitted_ms[place] = o.submitted_at.ms();
        self.keys.iter_mut().zip(keys).for_each(|(column, key)| column[place] = key);
        self.stars[place] = o.stars;
        self.decisions[place] = rating.outcome.decision;
    }

    /// Something else was decided about a rating; nothing happens if it is remembered no more.
    pub fn decide(&mut self, sequence: u64, decision: Decision) {
        // In two runs that ascend: from the oldest to the end, then from the start.
        let (newer, older) = self.sequences.split_at(self.next);
        let found = match newer.binary_search(&sequence) {
            Ok(place) => Some(place),
            Err(_) => older.binary_search(&sequence).ok().map(|place| place + self.next),
        };
        if let Some(place) = found {
            self.decisions[place] = decision;
        }
    }

    /// The ratings of one lane within so many milliseconds of an instant, in the order of their submission; of more
    /// than `max` those that are nearest to it.
    pub fn lane(&self, lane: Lane, key: u64, around: Instant, within_ms: i64, max: usize) -> Vec<TraceHit> {
        if key == 0 {
            return Vec::new();
        }
        let away = |place: usize| self.submitted_ms[place].abs_diff(around.ms());
        let column = &self.keys[lane as usize];
        let mut places: Vec<usize> = column
            .iter()
            .enumerate()
            .filter(|&(place, &found)| found == key && away(place) <= within_ms.unsigned_abs())
            .map(|(place, _)| place)
            .collect();
        if places.len() > max {
            if max > 0 {
                places.select_nth_unstable_by_key(max - 1, |&place| (away(place), self.sequences[place]));
            }
            places.truncate(max);
        }
        places.sort_unstable_by_key(|&place| (self.submitted_ms[place], self.sequences[place]));
        places
            .into_iter()
            .map(|place| TraceHit {
                sequence: self.sequences[place],
                at: Instant(self.submitted_ms[place]),
                stars: self.stars[place],
                decision: self.decisions[place],
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::review::projection::tests::{Spec, rating};
    use crate::time::MINUTE_MS;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn a_lane_has_what_a_naive_list_of_the_latest_has(
            ratings in prop::collection::vec((0..400_i64, 0..4_u8, 0..4_u8, 1..=5_u8), 0..60),
            most in 1..40_usize,
            (minute, within, max) in (0..400_i64, 0..300_i64, 0..12_usize),
            revised in prop::collection::vec(0..60_u64, 0..5),
        ) {
            let entries: Vec<RatingEntry> = ratings
                .iter()
                .map(|&(minute, device, rater, stars)| {
                    rating("r", &Spec { minute, device, rater, stars, ..Spec::default() })
                })
                .collect();
            let mut traces = Traces::new(most);
            for (sequence, entry) in (0..).zip(&entries) {
                traces.push(sequence, entry);
            }
            for &sequence in &revised {
                traces.decide(sequence, Decision::Admit);
            }
            prop_assert_eq!(traces.len(), entries.len().min(most));
            let around = rating("r", &Spec { minute, device: 1, rater: 2, ..Spec::default() });
            let keys = lane_keys(&around);
            let at = around.observation.submitted_at;
            for lane in [Lane::Device, Lane::Rater, Lane::Target, Lane::Text] {
                let mut wanted: Vec<TraceHit> = (0..)
                    .zip(&entries)
                    .skip(entries.len().saturating_sub(most))
                    .filter(|(_, entry)| {
                        let key = lane_keys(entry)[lane as usize];
                        let away = (entry.observation.submitted_at.ms() - at.ms()).abs();
                        key != 0 && key == keys[lane as usize] && away <= within * MINUTE_MS
                    })
                    .map(|(sequence, entry)| TraceHit {
                        sequence,
                        at: entry.observation.submitted_at,
                        stars: entry.observation.stars,
                        decision: match revised.contains(&sequence) {
                            true => Decision::Admit,
                            false => entry.outcome.decision,
                        },
                    })
                    .collect();
                wanted.sort_by_key(|hit| ((hit.at.ms() - at.ms()).abs(), hit.sequence));
                wanted.truncate(max);
                wanted.sort_by_key(|hit| (hit.at, hit.sequence));
                let found = traces.lane(lane, keys[lane as usize], at, within * MINUTE_MS, max);
                prop_assert_eq!(found, wanted);
            }
        }
    }

    #[test]
    #[ignore = "a measurement"]
    fn a_lane_of_a_million() {
        let mut traces = Traces::new(1_000_000);
        let template = rating("r", &Spec { device: 1, rater: 2, ..Spec::default() });
        for sequence in 0..1_200_000_u64 {
            let mut entry = template.clone();
            entry.observation.submitted_at = Instant(sequence as i64 * 50);
            entry.observation.service.window = Some(compact_str::format_compact!("W{}", sequence % 1_000));
            traces.push(sequence, &entry);
        }
        let mut entry = template;
        entry.observation.service.window = Some("W7".into());
        let keys = lane_keys(&entry);
        for lane in [Lane::Target, Lane::Device, Lane::Text] {
            let began = std::time::Instant::now();
            let mut found = 0;
            for _ in 0..20 {
                found = traces.lane(lane, keys[lane as usize], Instant(40_000_000), 10_000_000, 60).len();
            }
            println!("{lane:?}: {found} of 1,000,000 in {:?}", began.elapsed() / 20);
        }
    }
}
