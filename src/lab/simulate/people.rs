//! The citizens. Nobody is stored: a citizen is a number, and everything else follows from it.
//!
//! Identity numbers carry a division (`990101`) that does not exist, telephone numbers a prefix
//! (`12`) that is not assigned to mobiles, so that neither can be a real person's.

use super::organisation::DISTRICTS;
use super::random::{Derived, Purpose, Source};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// Residents with an account when the run begins.
const RESIDENTS: u64 = 2_000_000;
/// People in a household.
const HOUSEHOLD: u64 = 3;

/// A person with one of their accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Citizen {
    /// The number that everything follows from.
    pub index: u64,
    /// Which of the person's accounts this is; nearly everybody has one.
    pub account: u8,
    /// When the account was registered.
    pub registered: i64,
}

impl Citizen {
    /// District of residence.
    pub fn district(self) -> u8 {
        (self.index % DISTRICTS) as u8
    }

    /// Number of the household; its members live in one district and share a home network.
    pub fn household(self) -> u64 {
        self.index / DISTRICTS / HOUSEHOLD * DISTRICTS + self.index % DISTRICTS
    }
}

/// All citizens under one seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct People {
    seed: u64,
    start: i64,
}

impl People {
    pub fn new(seed: u64, start: i64) -> Self {
        Self { seed, start }
    }

    /// The citizen with this number.
    pub fn citizen(&self, index: u64) -> Citizen {
        let age_days = Derived::new(self.seed, Purpose::Citizen, index).along(&[
            (0.0, 0.0),
            (0.02, 14.0),
            (0.10, 120.0),
            (0.30, 500.0),
            (0.60, 1_200.0),
            (0.90, 2_300.0),
            (1.0, 2_700.0),
        ]);
        Citizen { index, account: 0, registered: self.start - (age_days * DAY_MS as f64) as i64 }
    }

    /// A resident of `district`.
    pub fn resident(&self, dice: &mut impl Source, district: u8) -> Citizen {
        self.citizen(dice.below(RESIDENTS / DISTRICTS) * DISTRICTS + u64::from(district))
    }

    /// Who deals with an office of `district` at `at`: mostly its residents; a few have registered
    /// just for this.
    pub fn client(&self, dice: &mut impl Source, district: u8, at: i64) -> Citizen {
        let home = if dice.chance(0.82) { district } else { dice.below(DISTRICTS) as u8 };
        if dice.chance(0.03) { self.newcomer(dice, home, at) } else { self.resident(dice, home) }
    }

    /// Somebody of `district` who registered within the days before `at`.
    pub fn newcomer(&self, dice: &mut impl Source, district: u8, at: i64) -> Citizen {
        let age = dice.along(&[
            (0.0, 2.0 * MINUTE_MS as f64),
            (0.35, 40.0 * MINUTE_MS as f64),
            (0.6, 20.0 * HOUR_MS as f64),
            (1.0, 25.0 * DAY_MS as f64),
        ]);
        let index = (RESIDENTS + dice.below(1 << 40)) * DISTRICTS + u64::from(district);
        Citizen { index, account: 0, registered: at - age as i64 }
    }

    /// Another member of the citizen's household.
    pub fn relative(&self, dice: &mut impl Source, who: Citizen) -> Citizen {
        let row = who.index / DISTRICTS;
        let member = (row % HOUSEHOLD + 1 + dice.below(HOUSEHOLD - 1)) % HOUSEHOLD;
        self.citizen((row / HOUSEHOLD * HOUSEHOLD + member) * DISTRICTS + who.index % DISTRICTS)
    }

    /// Bits of the account's id.
    pub fn account_bits(&self, who: Citizen) -> u64 {
        Derived::new(self.seed, Purpose::Account, who.index << 6 | u64::from(who.account & 63)).bits()
    }

    /// The identity number: 18 digits, the last a check digit or `X` (GB 11643).
    pub fn id_number(&self, who: Citizen) -> [u8; 18] {
        let mut traits = Derived::new(self.seed ^ 1, Purpose::Citizen, who.index);
        let mut number = *b"990101000000000000";
        let fields = [
            (6..10, traits.between(1938, 2007)),
            (10..12, traits.between(1, 12)),
            (12..14, traits.between(1, 28)),
            (14..17, traits.between(0, 999)),
        ];
        for (place, value) in fields {
            super::calendar::put(&mut number[place], value as u64);
        }
        const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        let sum: u32 =
            number.iter().zip(WEIGHTS).map(|(&digit, weight)| u32::from(digit - b'0') * weight).sum();
        number[17] = b"10X98765432"[(sum % 11) as usize];
        number
    }

    /// The telephone number: 11 digits.
    pub fn telephone(&self, who: Citizen) -> u64 {
        12_000_000_000 + Derived::new(self.seed ^ 2, Purpose::Citizen, who.index).below(1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Dice;
    use super::*;

    #[test]
    fn relatives_share_a_household_and_are_somebody_else() {
        let people = People::new(5, 1_773_792_000_000);
        let mut dice = Dice::new(5, Purpose::Ordinary, 0);
        for _ in 0..500 {
            let who = people.resident(&mut dice, 4);
            let relative = people.relative(&mut dice, who);
            assert_ne!(who.index, relative.index);
            assert_eq!(who.household(), relative.household());
            assert_eq!(relative.district(), 4);
            assert_eq!(people.citizen(who.index), who);
        }
    }

    #[test]
    fn an_identity_number_is_no_real_persons() {
        let people = People::new(5, 0);
        let number = people.id_number(people.citizen(77));
        assert!(number.starts_with(b"990101"));
        assert!(people.telephone(people.citizen(77)).to_string().starts_with("12"));
    }
}
