//! How far chance may have moved the average precision: the percentile bootstrap (Efron and
//! Tibshirani 1993, §13.3).
//!
//! A resample draws as many ratings as there are, with replacement. It is not sorted again: the
//! ratings are sorted once, and a resample only counts how often each risk was drawn. Two files of
//! verdicts share their draws, so that the interval of their difference leaves out what they have
//! in common.

use std::num::NonZero;
use std::thread;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::ranking::average_precision;

/// Resamples of one run.
pub const RESAMPLES: usize = 500;
/// Same ratings, same interval.
const SEED: u64 = 0x005E_ED0F_EA57;

/// One rating: whether it is abusive, and its risk in each file of verdicts.
#[derive(Clone, Debug)]
pub(super) struct Sample<const FILES: usize> {
    pub(super) is_abusive: bool,
    pub(super) risks: [f32; FILES],
}

/// 95 % intervals.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Intervals<const FILES: usize> {
    /// Of the average precision, for each file.
    pub(super) average_precision: [Option<[f64; 2]>; FILES],
    /// Of the last file's average precision less the first file's.
    pub(super) difference: Option<[f64; 2]>,
}

/// Draws [`RESAMPLES`] times. Resamples without an abusive rating have no average precision and are
/// left out. The order of the samples makes no difference.
pub(super) fn intervals<const FILES: usize>(mut samples: Vec<Sample<FILES>>) -> Intervals<FILES> {
    samples.sort_unstable_by(|a, b| {
        let by_risk = |file: usize| b.risks[file].total_cmp(&a.risks[file]);
        (0..FILES).rev().map(by_risk).fold(a.is_abusive.cmp(&b.is_abusive), |rest, risk| risk.then(rest))
    });
    let files: [File; FILES] = std::array::from_fn(|file| File::new(&samples, file));
    let resamples = resample_all(&files, samples.len());
    let interval = |value: &dyn Fn(&[f64; FILES]) -> f64| percentiles(resamples.iter().flatten().map(value));
    Intervals {
        average_precision: std::array::from_fn(|file| interval(&|values| values[file])),
        difference: interval(&|values| values[FILES - 1] - values[0]),
    }
}

/// Where each sample counts: twice the number of its risk, from the highest down, and one more if it
/// is abusive.
struct File {
    slots: Vec<u32>,
    risks: usize,
}

impl File {
    fn new<const FILES: usize>(samples: &[Sample<FILES>], file: usize) -> Self {
        let mut risks: Vec<f32> = samples.iter().map(|sample| sample.risks[file]).collect();
        risks.sort_unstable_by(|a, b| b.total_cmp(a));
        risks.dedup();
        let slot = |sample: &Sample<FILES>| {
            let number = risks.partition_point(|&risk| risk > sample.risks[file]);
            2 * number as u32 + u32::from(sample.is_abusive)
        };
        Self { slots: samples.iter().map(slot).collect(), risks: risks.len() }
    }
}

/// The average precisions of every resample; each has its own seed, so that the number of threads
/// makes no difference.
fn resample_all<const FILES: usize>(files: &[File; FILES], size: usize) -> Vec<Option<[f64; FILES]>> {
    if size == 0 {
        return Vec::new();
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(RESAMPLES);
    let mut results = vec![None; RESAMPLES];
    thread::scope(|scope| {
        let share = RESAMPLES.div_ceil(threads);
        for (part, results) in results.chunks_mut(share).enumerate() {
            scope.spawn(move || {
                let mut counts = files.each_ref().map(|file| vec![0_u32; 2 * file.risks]);
                for (index, result) in results.iter_mut().enumerate() {
                    *result = resample(files, size, (part * share + index) as u64, &mut counts);
                }
            });
        }
    });
    results
}

fn resample<const FILES: usize>(
    files: &[File; FILES],
    size: usize,
    number: u64,
    counts: &mut [Vec<u32>; FILES],
) -> Option<[f64; FILES]> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED ^ (number << 32));
    counts.iter_mut().for_each(|counts| counts.fill(0));
    let mut draw = |bits: u32| {
        // Uniform below `size` but for a bias under size / 2³² (Lemire's multiplication).
        let at = ((u64::from(bits) * size as u64) >> 32) as usize;
        for (counts, file) in counts.iter_mut().zip(files) {
            counts[file.slots[at] as usize] += 1;
        }
    };
    for _ in 0..size / 2 {
        let bits = random.next_u64();
        draw(bits as u32);
        draw((bits >> 32) as u32);
    }
    if size % 2 == 1 {
        draw(random.next_u32());
    }
    let mut values = [0.0; FILES];
    for (value, counts) in values.iter_mut().zip(counts) {
        let steps = counts.chunks_exact(2).map(|step| (u64::from(step[1]), u64::from(step[0])));
        *value = average_precision(steps)?;
    }
    Some(values)
}

/// The 2.5 % and 97.5 % quantiles, by nearest rank.
fn percentiles(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let at =
        |per_mille: usize| values.get((values.len() * per_mille).div_ceil(1_000).saturating_sub(1)).copied();
    Some([at(25)?, at(975)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(abusive: &[f32], honest: &[f32]) -> Vec<Sample<1>> {
        let sample = |is_abusive| move |&risk: &f32| Sample { is_abusive, risks: [risk] };
        abusive.iter().map(sample(true)).chain(honest.iter().map(sample(false))).collect()
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_claims() {
        // Risks of 21 values, abusive with probability risk²: the expected average precision is had
        // from a large sample, and small ones must contain it.
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut draw = |count: usize| -> Vec<Sample<1>> {
            let mut next = || f64::from(random.next_u32()) / 4_294_967_296.0;
            let sample = |_| {
                let risk = (next() * 20.0).round() / 20.0;
                Sample { is_abusive: next() < risk * risk, risks: [risk as f32] }
            };
            (0..count).map(sample).collect()
        };
        let of = |samples: &[Sample<1>]| {
            super::super::ranking::Ranking::new(samples.iter().map(|s| (s.risks[0], s.is_abusive)))
                .average_precision()
                .unwrap()
        };
        let truth = of(&draw(400_000));
        let covered = (0..200).filter(|_| {
            let [low, high] = intervals(draw(300)).average_precision[0].unwrap();
            (low..=high).contains(&truth)
        });
        let covered = covered.count();
        assert!((178..=199).contains(&covered), "{covered} of 200 contain {truth}");
    }

    #[test]
    fn the_order_of_the_samples_makes_no_difference() {
        let mut one = samples(&[0.9, 0.5, 0.5, 0.1], &[0.7, 0.5, 0.1, 0.1, 0.0]);
        let forward = intervals(one.clone());
        one.reverse();
        assert_eq!(intervals(one), forward);
    }

    #[test]
    fn two_equal_files_do_not_differ_at_all() {
        let twice: Vec<Sample<2>> = samples(&[0.9, 0.5], &[0.7, 0.1])
            .into_iter()
            .map(|s| Sample { is_abusive: s.is_abusive, risks: [s.risks[0], s.risks[0]] })
            .collect();
        let intervals = intervals(twice);
        assert_eq!(intervals.difference, Some([0.0, 0.0]));
        assert_eq!(intervals.average_precision[0], intervals.average_precision[1]);
    }

    #[test]
    fn without_abusive_ratings_there_is_no_interval() {
        assert_eq!(intervals(samples(&[], &[0.5])).average_precision, [None]);
        assert_eq!(intervals(samples(&[], &[])).difference, None);
    }
}
