//! Thresholds for a stated budget of honest ratings on hold.

/// How many of the labels are wrong, where nobody knows: reviewers are people.
const WRONG_LABELS: f64 = 0.05;

/// One rating that took no part in training what judged it.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// The risk at which it would be held, at the latest.
    pub risk: f32,
    /// By its label.
    pub abusive: bool,
    /// How many ratings it stands for.
    pub weight: f64,
}

/// The lowest risk at which at most `budget` honest ratings are held (a number of ratings, by weight), and
/// not below `least`.
///
/// An abusive rating that is labelled genuine looks like an honest one that must be spared, and there are
/// as many of these at the top as there are honest ones. So as many as wrong labels are to be expected
/// among the abusive ratings above a threshold are not counted there (Natarajan et al., "Learning with
/// noisy labels", 2013).
pub fn bar(mut judged: Vec<Judged>, budget: f64, least: f32) -> f32 {
    judged.sort_unstable_by(|a, b| b.risk.total_cmp(&a.risk));
    let (mut honest, mut abusive) = (0.0, 0.0);
    let mut bar = 1.0_f32;
    let mut at = 0;
    while at < judged.len() && judged[at].risk >= least {
        let risk = judged[at].risk;
        while at < judged.len() && judged[at].risk == risk {
            *(if judged[at].abusive { &mut abusive } else { &mut honest }) += judged[at].weight;
            at += 1;
        }
        let wrong = abusive * WRONG_LABELS / (1.0 - WRONG_LABELS);
        if honest - wrong > budget {
            return bar;
        }
        bar = risk;
    }
    // Nothing honest stands in the way down to the least risk.
    bar.min(least.max(f32::MIN_POSITIVE)).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(risk: f32, abusive: bool) -> Judged {
        Judged { risk, abusive, weight: 1.0 }
    }

    #[test]
    fn a_bar_holds_no_more_honest_ratings_than_the_budget() {
        let ratings: Vec<Judged> = (0..1000).map(|i| judged(i as f32 / 1000.0, false)).collect();
        let bar = bar(ratings.clone(), 10.0, 0.05);
        let held = ratings.iter().filter(|rating| rating.risk >= bar).count();
        assert_eq!(held, 10);
    }

    #[test]
    fn where_nothing_honest_is_suspect_the_bar_is_the_least() {
        let ratings = vec![judged(0.9, true), judged(0.8, true), judged(0.001, false)];
        assert_eq!(bar(ratings, 0.0, 0.3), 0.3);
    }

    #[test]
    fn a_wrong_label_among_many_abusive_ratings_does_not_raise_the_bar() {
        let mut ratings: Vec<Judged> = (0..100).map(|i| judged(0.5 + i as f32 / 1000.0, true)).collect();
        ratings.extend((0..4).map(|i| judged(0.51 + i as f32 / 50.0, false)));
        assert!(bar(ratings.clone(), 1.0, 0.3) < 0.54);
        // Without them the same honest ratings are too many.
        ratings.retain(|rating| !rating.abusive);
        assert!(bar(ratings, 1.0, 0.3) > 0.54);
    }
}
