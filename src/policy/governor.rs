//! Keeps a model from silencing a city: one that was learnt elsewhere can take ordinary traffic for abuse.

use serde::{Deserialize, Serialize};

/// Ratings that the share on hold is a mean over, with weights that fall off.
const OVER: f64 = 1000.0;
/// From which share on hold a model is not believed any more, and below which it is again. Abuse is about two
/// in a hundred ratings.
const TOO_MANY: f64 = 0.06;
const FEW_AGAIN: f64 = 0.03;

/// How many ratings are held or rejected of late, and whether a model is believed.
///
/// A fold over decisions in log order. A flood of real abuse can suspend a model, too: then the rules alone
/// decide, as they would without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Governor {
    share: f64,
    suspended: bool,
}

impl Governor {
    /// Whether the model is to be left out.
    pub fn suspended(&self) -> bool {
        self.suspended
    }

    /// The share on hold.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Takes note of a decision on a rating; says whether that changes what is believed.
    pub fn note(&mut self, held: bool) -> bool {
        self.share += (f64::from(u8::from(held)) - self.share) / OVER;
        self.settle()
    }

    /// Takes note of an earlier rating that is held after all; says whether that changes what is believed.
    pub fn note_found(&mut self) -> bool {
        self.share += 1.0 / OVER;
        self.settle()
    }

    fn settle(&mut self) -> bool {
        let suspended = match self.suspended {
            true => self.share > FEW_AGAIN,
            false => self.share > TOO_MANY,
        };
        std::mem::replace(&mut self.suspended, suspended) != suspended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_holds_one_in_five_is_suspended_and_comes_back_when_calm() {
        let mut governor = Governor::default();
        let mut held = 0;
        for i in 0..5000 {
            let hold = i % 5 == 0 && !governor.suspended();
            held += u32::from(hold);
            governor.note(hold);
            if i == 1000 {
                assert!(governor.suspended());
            }
        }
        assert!(held < 5000 / 10, "{held}");
        (0..3000).for_each(|_| {
            governor.note(false);
        });
        assert!(!governor.suspended());
    }

    #[test]
    fn a_look_back_that_finds_too_many_suspends_the_model_too() {
        let mut governor = Governor::default();
        let suspended =
            (0..1000).any(|_| governor.note(false) || governor.note_found() && governor.suspended());
        assert!(suspended);
    }

    #[test]
    fn ordinary_abuse_suspends_nothing() {
        let mut governor = Governor::default();
        assert!((0..100_000).all(|i| !governor.note(i % 50 == 0)));
    }
}
