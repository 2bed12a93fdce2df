//! How long a campaign goes on before anything of it is held.

use std::collections::BTreeMap;

use serde::Serialize;

use super::population::{Judged, Moments, Verdicts};
use super::rate::some_six_digits;
use crate::time::{Instant, MINUTE_MS};

/// One campaign: its abusive ratings that are evaluated.
#[derive(Clone, Debug, Default)]
pub(super) struct Campaign {
    answered: Vec<(u64, Instant)>,
    held: Option<(u64, Instant)>,
    is_held_at_unknown: bool,
}

/// How one campaign was met.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Met {
    Held { ratings: u64, minutes: f64 },
    Never,
    AtUnknown,
}

/// Ratings and minutes until campaigns were first held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Campaigns {
    /// Campaigns with an abusive rating that is evaluated.
    pub campaigns: u64,
    /// Of these: nothing of them was ever held.
    pub never_held: u64,
    /// Of these: held, but the file does not say when. They are in no figure below.
    pub held_at_unknown: u64,
    /// Ratings of the campaign up to the moment it was first held; 1 if its first was held at once.
    pub ratings_until_held: Quantiles,
    /// Minutes from its first answer to the verdict that first held one of its ratings.
    pub minutes_until_held: Quantiles,
}

/// By nearest rank over all campaigns; one that was never held ranks last, so that missing the hard
/// ones does not make detection look quick. `null` is "never".
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half of the campaigns are held by then.
    #[serde(serialize_with = "some_six_digits")]
    pub median: Option<f64>,
    /// Nine in ten are.
    #[serde(serialize_with = "some_six_digits")]
    pub p90: Option<f64>,
}

/// Gathers evaluated abusive ratings into their campaigns, by number.
pub(super) fn gather<'a>(
    abusive: impl Iterator<Item = Judged<'a>>,
    verdicts: &Verdicts,
) -> BTreeMap<u32, Campaign> {
    let mut campaigns: BTreeMap<u32, Campaign> = BTreeMap::new();
    for judged in abusive {
        let Some(number) = judged.row.campaign() else { continue };
        let Some(&Moments { answered: Some(answered), held, is_held_at_unknown }) =
            verdicts.moments.get(&judged.number)
        else {
            continue;
        };
        let campaign = campaigns.entry(number).or_default();
        campaign.answered.push(answered);
        campaign.is_held_at_unknown |= is_held_at_unknown;
        if let Some(held) = held {
            campaign.held = Some(campaign.held.map_or(held, |first| first.min(held)));
        }
    }
    campaigns
}

impl Campaign {
    fn met(&self) -> Met {
        match (self.held, self.answered.iter().min()) {
            (Some(held), Some(first)) => Met::Held {
                ratings: self.answered.iter().filter(|answered| answered.0 <= held.0).count() as u64,
                minutes: (held.1.ms() - first.1.ms()).max(0) as f64 / MINUTE_MS as f64,
            },
            _ if self.is_held_at_unknown => Met::AtUnknown,
            _ => Met::Never,
        }
    }
}

/// Sums up campaigns.
pub(super) fn figures<'a>(campaigns: impl Iterator<Item = &'a Campaign>) -> Campaigns {
    let mut figures = Campaigns::default();
    let (mut ratings, mut minutes) = (Vec::new(), Vec::new());
    for campaign in campaigns {
        figures.campaigns += 1;
        match campaign.met() {
            Met::AtUnknown => {
                figures.held_at_unknown += 1;
                continue;
            }
            Met::Never => {
                figures.never_held += 1;
                ratings.push(f64::INFINITY);
                minutes.push(f64::INFINITY);
            }
            Met::Held { ratings: after, minutes: late } => {
                ratings.push(after as f64);
                minutes.push(late);
            }
        }
    }
    figures.ratings_until_held = quantiles(ratings);
    figures.minutes_until_held = quantiles(minutes);
    figures
}

fn quantiles(mut values: Vec<f64>) -> Quantiles {
    values.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| {
        let rank = (values.len() * percent).div_ceil(100);
        values.get(rank.saturating_sub(1)).copied().filter(|value| value.is_finite())
    };
    Quantiles { median: at(50), p90: at(90) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn campaign(answered: &[(u64, i64)], held: Option<(u64, i64)>) -> Campaign {
        let moment = |&(sequence, minute): &(u64, i64)| (sequence, Instant(minute * MINUTE_MS));
        Campaign {
            answered: answered.iter().map(moment).collect(),
            held: held.as_ref().map(moment),
            is_held_at_unknown: false,
        }
    }

    #[test]
    fn a_campaign_whose_first_rating_was_held_at_once_took_one_rating_and_no_time() {
        let met = campaign(&[(9, 30), (5, 10)], Some((5, 10))).met();
        assert_eq!(met, Met::Held { ratings: 1, minutes: 0.0 });
    }

    #[test]
    fn a_look_back_counts_the_ratings_that_had_come_by_then() {
        // The third rating (sequence 7) brought about revision 8 of the first.
        let met = campaign(&[(9, 50), (7, 40), (5, 20), (3, 10)], Some((8, 40))).met();
        assert_eq!(met, Met::Held { ratings: 3, minutes: 30.0 });
    }

    #[test]
    fn campaigns_that_were_never_held_rank_last_and_do_not_flatter_the_median() {
        let quick = campaign(&[(1, 0)], Some((1, 0)));
        let missed = campaign(&[(1, 0)], None);
        let of = |quick_ones: usize, missed_ones: usize| {
            figures(std::iter::repeat_n(&quick, quick_ones).chain(std::iter::repeat_n(&missed, missed_ones)))
        };
        let all = of(9, 1);
        assert_eq!((all.campaigns, all.never_held), (10, 1));
        assert_eq!(all.ratings_until_held, Quantiles { median: Some(1.0), p90: Some(1.0) });
        assert_eq!(of(5, 5).minutes_until_held, Quantiles { median: Some(0.0), p90: None });
        assert_eq!(of(4, 5).minutes_until_held, Quantiles { median: None, p90: None });
        assert_eq!(of(0, 0), Campaigns::default());
    }

    #[test]
    fn a_hold_of_unknown_time_is_neither_never_nor_in_the_quantiles() {
        let unknown = Campaign { is_held_at_unknown: true, ..campaign(&[(1, 0)], None) };
        let figures = figures([&unknown].into_iter());
        assert_eq!((figures.never_held, figures.held_at_unknown), (0, 1));
        assert_eq!(figures.minutes_until_held, Quantiles::default());
    }
}
