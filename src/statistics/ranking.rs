//! The ranking of districts and departments, with what chance may have done to it.
//!
//! Good ratings of an office are binomial, and the offices' true rates vary like a beta distribution
//! that is itself estimated from all of them (Morris 1983, J. Am. Stat. Assoc. 78, 47–55). An office's
//! rate is then shrunk towards the mean by as much as its size demands, and offices are ordered by
//! their expected rank (Laird and Louis 1989, J. Educ. Stat. 14, 29–46): a small office, of which
//! little is known, comes out in the middle and neither leads nor trails by chance. How alike the offices are is never known exactly; the intervals allow
//! for that (Kass and Steffey 1989, J. Am. Stat. Assoc. 84, 717–726). The range of a rank comes from
//! simultaneous intervals (Klein, Wright and Wieczorek 2020, J. R. Stat. Soc. A 183, 589–606): an
//! office is surely better than another only where their intervals do not touch.

use serde::Serialize;

use super::Statistics;
use super::beta::{ln_beta, normal, quantile};
use super::names::Names;
use super::query::{Dimension, Query, QueryError};
use super::report::{Figures, Note, PendingNow, dimension_name, six_digits};
use crate::date::Day;

/// A ranking by good rate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranking {
    /// The ranking follows from the log's entries before this sequence.
    pub log_position: u64,
    /// Head of the chain at that position, in hexadecimal.
    pub head: String,
    /// Version of the definitions in `docs/statistics.md`.
    pub definitions: u32,
    /// Districts or departments.
    #[serde(serialize_with = "dimension_name")]
    pub by: Dimension,
    /// First day.
    pub from: Day,
    /// Last day, itself included.
    pub to: Day,
    /// What waits for a decision, over the whole log.
    pub pending: PendingNow,
    /// Mean of the offices' rates, as estimated.
    pub mean_rate: Option<f64>,
    /// How alike the offices are, in ratings: an office with so many is shrunk half-way.
    pub strength: Option<f64>,
    /// Best first.
    pub rows: Vec<Ranked>,
    /// Offices beyond the limit; they count in everybody's rank.
    pub omitted_rows: u64,
    /// What a reader must know.
    pub notes: Vec<Note>,
}

/// One office in the ranking.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// Its code.
    pub code: String,
    /// Its place by expected rank; equals share a place.
    pub rank: u64,
    /// 1 and the sum, over the other offices, of the probability that their true rate is better.
    pub expected_rank: f64,
    /// With 95 % confidence for all offices at once, its true rank is not better than this,
    pub rank_best: u64,
    /// and not worse than this.
    pub rank_worst: u64,
    /// Counted ratings.
    pub counted: u64,
    /// Good ones of them: levels 5, 4 and 3.
    pub good: u64,
    /// 好评率, as counted.
    pub good_rate: f64,
    /// 好评率, shrunk towards the mean.
    pub shrunk_rate: f64,
    /// 95 % interval of the true rate.
    pub interval_95: [f64; 2],
    /// Ratings on hold of these days: they may still move it.
    pub pending: u64,
}

/// Confidence of intervals and rank ranges.
const CONFIDENCE: f64 = 0.95;

impl Statistics {
    /// The ranking of districts or departments over the days asked for.
    ///
    /// # Errors
    /// A field of the query is not allowed; `by` must be district or department, and `per` whole.
    pub fn ranking(&self, query: &Query, head: &str) -> Result<Ranking, QueryError> {
        if !matches!(query.by, Dimension::District | Dimension::Department) {
            return Err(QueryError::new("by", "a ranking is by district or department"));
        }
        if query.per != super::Period::Whole {
            return Err(QueryError::new("per", "a ranking is over the whole time asked for"));
        }
        let (from, to) = query.span(self.newest_day())?;
        let mut offices: Vec<(String, Figures)> = Vec::new();
        for ((key, _), tally) in self.collect(query, from, to)? {
            let figures = Figures::of(&tally);
            if key != Names::ABSENT
                && figures.counted > 0
                && let (_, Some(code)) = self.code(query.by, key)
            {
                offices.push((code, figures));
            }
        }
        offices.sort_by(|a, b| a.0.cmp(&b.0));
        let counts: Vec<(u64, u64)> = offices.iter().map(|(_, f)| (f.stars.at_least(3), f.counted)).collect();
        let model = Model::estimate(&counts);
        let mut rows: Vec<Ranked> = Vec::with_capacity(offices.len());
        for ((code, figures), place) in offices.into_iter().zip(places(&counts, &model)) {
            rows.push(Ranked {
                code,
                rank: place.rank,
                expected_rank: place.expected_rank,
                rank_best: place.best,
                rank_worst: place.worst,
                counted: figures.counted,
                good: figures.stars.at_least(3),
                good_rate: figures.good_rate.unwrap_or_default(),
                shrunk_rate: place.rate,
                interval_95: place.interval,
                pending: figures.pending,
            });
        }
        rows.sort_by(|a, b| (a.rank, &a.code).cmp(&(b.rank, &b.code)));
        let omitted = rows.len().saturating_sub(query.limit);
        rows.truncate(query.limit);
        Ok(Ranking {
            log_position: self.position,
            head: head.to_owned(),
            definitions: Self::DEFINITIONS,
            by: query.by,
            from,
            to,
            pending: self.pending(),
            mean_rate: (!counts.is_empty()).then(|| six_digits(model.mean())),
            strength: (!counts.is_empty()).then(|| model.strength().round()),
            rows,
            omitted_rows: omitted as u64,
            notes: self.notes(0),
        })
    }
}

/// How the offices vary: candidates, each with its weight; the weights sum to 1.
struct Model(Vec<(f64, Candidate)>);

/// Offices vary like a beta distribution with this mean, worth `strength` ratings.
#[derive(Clone, Copy)]
struct Candidate {
    mean: f64,
    strength: f64,
    /// Variance of the estimated mean.
    mean_variance: f64,
}

impl Model {
    /// Weighs candidates by how well they explain good and counted ratings per office.
    ///
    /// Strengths are on a fixed grid from 4 to 2²⁰ ratings in steps of half an octave: a grid cannot
    /// diverge, as iterations do where the rates are so near to 1. A priori an office of middling
    /// size is shrunk by any share with equal chance (Daniels 1999, Can. J. Stat. 27, 567–578), which
    /// matters only where offices are few.
    fn estimate(counts: &[(u64, u64)]) -> Self {
        if counts.is_empty() {
            return Self(Vec::new());
        }
        let mut sizes: Vec<u64> = counts.iter().map(|count| count.1).collect();
        sizes.sort_unstable();
        let middling = sizes[sizes.len() / 2] as f64;
        let candidates: Vec<(f64, Candidate)> = (4..=40)
            .map(|half_octave| {
                let candidate = Candidate::new((f64::from(half_octave) / 2.0).exp2(), counts);
                // The density of the strength, on the grid's logarithmic scale.
                let prior = candidate.strength * middling / (candidate.strength + middling).powi(2);
                let spread = 0.5 * candidate.mean_variance.ln();
                (candidate.ln_likelihood(counts) + spread + prior.ln(), candidate)
            })
            .collect();
        let most = candidates.iter().map(|row| row.0).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = candidates.iter().map(|row| (row.0 - most).exp()).sum();
        Self(candidates.into_iter().map(|(ln, candidate)| ((ln - most).exp() / sum, candidate)).collect())
    }

    fn mean(&self) -> f64 {
        self.0.iter().map(|(weight, candidate)| weight * candidate.mean).sum()
    }

    /// The weighted geometric mean.
    fn strength(&self) -> f64 {
        self.0.iter().map(|(weight, candidate)| weight * candidate.strength.ln()).sum::<f64>().exp()
    }

    /// The parameters of the beta distribution with the mean and variance of what is known of an
    /// office's true rate.
    fn posterior(&self, count: (u64, u64)) -> (f64, f64) {
        let moments = self.0.iter().map(|(weight, candidate)| (weight, candidate.moments(count)));
        let moments: Vec<(&f64, (f64, f64))> = moments.collect();
        let mean: f64 = moments.iter().map(|(weight, (mean, _))| *weight * mean).sum();
        let variance: f64 =
            moments.iter().map(|(weight, (m, v))| *weight * (v + (m - mean) * (m - mean))).sum();
        let size = mean * (1.0 - mean) / variance - 1.0;
        // A spread wider than that of any beta distribution is cut to the flattest sensible one.
        let size = size.max(2.0);
        (mean * size, (1.0 - mean) * size)
    }
}

impl Candidate {
    /// The mean weights offices by what their size is worth at this strength (Kleinman 1973, J. Am.
    /// Stat. Assoc. 68, 46–54).
    fn new(strength: f64, counts: &[(u64, u64)]) -> Self {
        let (mut good_sum, mut weight_sum) = (0.0, 0.0);
        for &(good, n) in counts {
            let (good, n) = (good as f64, n as f64);
            let weight = n / (1.0 + (n - 1.0) / (strength + 1.0));
            good_sum += weight * good / n;
            weight_sum += weight;
        }
        // Half a rating of either kind keeps the mean off 0 and 1, where no beta distribution is.
        let mean = (good_sum + 0.5) / (weight_sum + 1.0);
        Self { mean, strength, mean_variance: mean * (1.0 - mean) / (weight_sum + 1.0) }
    }

    fn ln_likelihood(&self, counts: &[(u64, u64)]) -> f64 {
        let (a, b) = (self.mean * self.strength, (1.0 - self.mean) * self.strength);
        let constant = ln_beta(a, b);
        counts.iter().map(|&(good, n)| ln_beta(a + good as f64, b + (n - good) as f64) - constant).sum()
    }

    /// Mean and variance of an office's true rate, the mean's own uncertainty included as far as the
    /// office is shrunk towards it.
    fn moments(&self, (good, n): (u64, u64)) -> (f64, f64) {
        let size = self.strength + n as f64;
        let mean = (self.mean * self.strength + good as f64) / size;
        let shrinkage = self.strength / size;
        (mean, mean * (1.0 - mean) / (size + 1.0) + shrinkage * shrinkage * self.mean_variance)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    rate: f64,
    interval: [f64; 2],
    rank: u64,
    expected_rank: f64,
    best: u64,
    worst: u64,
}

fn places(counts: &[(u64, u64)], model: &Model) -> Vec<Place> {
    let offices = counts.len();
    // Offices are nearly independent given the others, so all intervals of this level hold at once
    // with probability CONFIDENCE.
    let joint = CONFIDENCE.powf(1.0 / offices as f64);
    let posteriors: Vec<(f64, f64)> = counts.iter().map(|&count| model.posterior(count)).collect();
    let interval = |(a, b): (f64, f64), level: f64| {
        let tail = 0.5 * (1.0 - level);
        [six_digits(quantile(tail, a, b)), six_digits(quantile(1.0 - tail, a, b))]
    };
    let simultaneous: Vec<[f64; 2]> =
        posteriors.iter().map(|&posterior| interval(posterior, joint)).collect();
    // How many lie above or below a value, by sorted bounds: offices may be thousands.
    let sorted = |values: Vec<f64>| {
        let mut values = values;
        values.sort_by(f64::total_cmp);
        values
    };
    let expected = expected_ranks(&posteriors);
    let all_expected = sorted(expected.clone());
    let lows = sorted(simultaneous.iter().map(|bounds| bounds[0]).collect());
    let highs = sorted(simultaneous.iter().map(|bounds| bounds[1]).collect());
    let above = |values: &[f64], value: f64| (offices - values.partition_point(|&v| v <= value)) as u64;
    let below = |values: &[f64], value: f64| values.partition_point(|&v| v < value) as u64;
    let place = |index: usize| {
        let [low, high] = simultaneous[index];
        Place {
            rate: six_digits(posteriors[index].0 / (posteriors[index].0 + posteriors[index].1)),
            interval: interval(posteriors[index], CONFIDENCE),
            rank: 1 + below(&all_expected, expected[index]),
            expected_rank: expected[index],
            best: 1 + above(&lows, high),
            worst: offices as u64 - below(&highs, low),
        }
    };
    (0..offices).map(place).collect()
}

/// Expected ranks to three digits. True rates are taken as normal here: the beta distribution of a
/// small office leans towards 100 %, and its median would lead where its mean does not.
fn expected_ranks(posteriors: &[(f64, f64)]) -> Vec<f64> {
    let moments = |&(a, b): &(f64, f64)| {
        let mean = a / (a + b);
        (mean, mean * (1.0 - mean) / (a + b + 1.0))
    };
    let moments: Vec<(f64, f64)> = posteriors.iter().map(moments).collect();
    let mut ranks = vec![1.0; moments.len()];
    for (i, &(mean, variance)) in moments.iter().enumerate() {
        for (j, &(other, other_variance)) in moments.iter().enumerate().skip(i + 1) {
            let better = normal((mean - other) / (variance + other_variance).sqrt());
            ranks[j] += better;
            ranks[i] += 1.0 - better;
        }
    }
    ranks.iter().map(|rank| (rank * 1e3).round() / 1e3).collect()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn rank(counts: &[(u64, u64)]) -> Vec<Place> {
        places(counts, &Model::estimate(counts))
    }

    #[test]
    fn a_small_office_neither_leads_nor_trails_by_chance() {
        // Ten ratings, all good; ten ratings, one bad; and offices of 20 000 that truly differ.
        let counts =
            [(10, 10), (9, 10), (19_990, 20_000), (19_900, 20_000), (19_700, 20_000), (19_950, 20_000)];
        let places = rank(&counts);
        assert_eq!(places[2].rank, 1, "the large office with 99.95 % leads, not the one with 10 of 10");
        assert_eq!(places[4].rank, 6, "the large office with 98.5 % trails, not the one with 9 of 10");
        assert_eq!((places[0].best, places[0].worst), (1, 6), "of ten ratings nothing is known");
        assert!(places[2].worst < places[4].best, "and the large ones are surely apart");

        let places = rank(&[(12, 12), (9_985, 10_005), (3_990, 4_000)]);
        assert_eq!(places[0].rank, 2, "12 of 12 between two offices that hardly differ");
    }

    #[test]
    fn equal_offices_share_a_place() {
        let places = rank(&[(99, 100), (99, 100), (99, 100)]);
        assert!(places.iter().all(|place| (place.rank, place.best, place.worst) == (1, 1, 3)));
        assert_eq!(rank(&[]), []);
        assert_eq!(rank(&[(5, 5)])[0].rank, 1);
    }

    #[test]
    fn ranks_lie_within_their_range_and_rates_within_their_interval() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for offices in [1, 2, 3, 17, 60] {
            let counts: Vec<(u64, u64)> = (0..offices)
                .map(|_| {
                    let n = random.random_range(1..5_000);
                    (n - random.random_range(0..=n.min(20)), n)
                })
                .collect();
            for place in rank(&counts) {
                assert!(place.best <= place.rank && place.rank <= place.worst, "{place:?}");
                assert!(place.interval[0] <= place.rate && place.rate <= place.interval[1], "{place:?}");
            }
        }
    }

    /// Offices whose true rates are known: the intervals must hold them as often as they claim.
    #[test]
    fn intervals_and_rank_ranges_hold_what_they_claim() {
        let mut random = ChaCha8Rng::seed_from_u64(20_260_301);
        let (runs, offices) = (40, 50);
        let (mut covered, mut runs_held) = (0, 0);
        for _ in 0..runs {
            let truth: Vec<f64> =
                (0..offices).map(|_| quantile(random.random_range(0.0..1.0), 398.0, 2.0)).collect();
            let counts: Vec<(u64, u64)> = truth
                .iter()
                .map(|&rate| {
                    let n: u64 = 1 << random.random_range(3..12);
                    let good = (0..n).filter(|_| random.random_bool(rate)).count() as u64;
                    (good, n)
                })
                .collect();
            let places = rank(&counts);
            let within = |place: &Place, rate: f64| place.interval[0] <= rate && rate <= place.interval[1];
            covered += places.iter().zip(&truth).filter(|(place, rate)| within(place, **rate)).count();
            let true_rank = |rate: f64| 1 + truth.iter().filter(|&&other| other > rate).count() as u64;
            let holds = |place: &Place, rank: u64| place.best <= rank && rank <= place.worst;
            runs_held +=
                i32::from(places.iter().zip(&truth).all(|(place, &rate)| holds(place, true_rank(rate))));
        }
        let coverage = covered as f64 / f64::from(runs * offices);
        assert!((0.93..=0.98).contains(&coverage), "coverage of the 95 % intervals: {coverage}");
        assert!(
            f64::from(runs_held) / f64::from(runs) >= 0.95,
            "runs with every rank in its range: {runs_held}/{runs}"
        );
    }
}
