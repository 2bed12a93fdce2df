//! Ordinary traffic, and the habits of honest people within it: the wrong star, the double click,
//! the second thought, the shared family phone.

use super::calendar::Rhythm;
use super::devices::phone_of;
use super::opinion::{Mood, can_be_put_right};
use super::organisation::Office;
use super::random::{Dice, Source};
use super::rating::{Simulated, Way};
use super::words;
use super::world::World;
use crate::time::{DAY_MS, HOUR_MS, SECOND_MS};
use crate::wire::{Label, Origin};

/// Which habits are switched on (`--scenarios`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    pub bad_clerk: bool,
    pub wrong_star: bool,
    pub put_right: bool,
    pub double_click: bool,
    pub family_phone: bool,
    pub default_fill: bool,
}

/// The ways that keep a rhythm, with their shares.
fn way(dice: &mut Dice, rhythm: Rhythm) -> Way {
    const HALL: [Way; 3] = [Way::Pad, Way::HallCode, Way::Kiosk];
    const ONLINE: [Way; 5] = [Way::App, Way::Wechat, Way::Alipay, Way::Portal, Way::Site];
    match rhythm {
        Rhythm::Hall => HALL[dice.weighted(&[72, 17, 11])],
        Rhythm::Online => ONLINE[dice.weighted(&[50, 22, 12, 12, 4])],
        Rhythm::Phone => [Way::Hotline, Way::Message][dice.weighted(&[6, 4])],
        Rhythm::Platform => Way::Default,
    }
}

/// A way that uses the rater's own phone or computer, as ordinary raters choose among them.
pub(super) fn personal_way(dice: &mut Dice) -> Way {
    const WAYS: [Way; 6] = [Way::HallCode, Way::App, Way::Wechat, Way::Alipay, Way::Portal, Way::Site];
    WAYS[dice.weighted(&[16, 44, 19, 11, 8, 2])]
}

impl World {
    /// One ordinary rating at `at`, with what follows from it.
    pub fn ordinary(
        &self,
        dice: &mut Dice,
        habits: &Habits,
        rhythm: Rhythm,
        at: i64,
        out: &mut Vec<Simulated>,
    ) {
        let way = way(dice, rhythm);
        if way == Way::Default {
            if habits.default_fill {
                self.default_fill(dice, at, out);
            }
            return;
        }
        let office = self.office(dice, way, at);
        let who = self.people.client(dice, office.district, at);
        let event = self.client_event(dice, way, office, who, at);
        let mut rating = self.rating(dice, way, event, who, at);
        if habits.family_phone && way.own_device() && !way.on_computer() && dice.chance(0.03) {
            // A relative's phone; now and then the relative's account as well.
            let relative = self.people.relative(dice, who);
            if dice.chance(0.3) {
                self.fill_rater(dice, &mut rating, relative);
            }
            self.use_device(dice, &mut rating, phone_of(self.seed, relative.index));
            rating.truth.scenario = "family_phone";
        }
        let mood = self.mood(dice, habits, &rating, office);
        self.judge(dice, &mut rating, mood);
        if matches!(mood, Mood::Bad(_)) && self.org.bad_clerk(office).is_some() {
            rating.truth.scenario = "bad_clerk";
        }
        if matches!(mood, Mood::Bad(_)) {
            self.registered_to_complain(dice, &mut rating);
        }
        self.follow_up(dice, habits, mood, rating, out);
    }

    fn mood(&self, dice: &mut Dice, habits: &Habits, rating: &Simulated, office: Office) -> Mood {
        let mood = self.ordinary_mood(dice, rating);
        let bad_clerk = matches!(mood, Mood::Bad(_)) && self.org.bad_clerk(office).is_some();
        if bad_clerk && !habits.bad_clerk { Mood::Good } else { mood }
    }

    fn follow_up(
        &self,
        dice: &mut Dice,
        habits: &Habits,
        mood: Mood,
        mut rating: Simulated,
        out: &mut Vec<Simulated>,
    ) {
        let bad = matches!(mood, Mood::Bad(_));
        if habits.wrong_star && mood == Mood::Good && dice.chance(0.000_3) {
            self.wrong_star(dice, rating, out);
        } else if habits.put_right && bad && can_be_put_right(rating.event.stage) && dice.chance(0.12) {
            rating.truth.scenario = "put_right";
            let mut later = rating.clone();
            let after = dice.between(4 * HOUR_MS, 5 * DAY_MS);
            later.shift(after);
            later.id = dice.bits();
            later.supersedes = Some((rating.id, rating.submitted));
            later.comment = None;
            self.judge(dice, &mut later, Mood::Good);
            if dice.chance(0.6) {
                let text = words::praise(dice, &later.event);
                later.write(dice, text);
            }
            out.push(rating);
            out.push(later);
        } else if habits.double_click && dice.chance(0.001) {
            let after = dice.between(150, 12 * SECOND_MS);
            let mut second = rating.again(dice, after);
            second.truth.label = Label::Duplicate;
            second.truth.scenario = "double_click";
            out.push(rating);
            out.push(second);
        } else {
            out.push(rating);
        }
    }

    /// Meant five stars, pressed one. Some notice and correct it.
    fn wrong_star(&self, dice: &mut Dice, mut rating: Simulated, out: &mut Vec<Simulated>) {
        let right = rating.clone();
        rating.stars = 1 + dice.weighted(&[8, 2]) as u8;
        rating.truth.label = Label::Mistaken;
        rating.truth.scenario = "wrong_star";
        if dice.chance(0.55) {
            let after =
                dice.along(&[(0.0, 4.0), (0.6, 90.0), (0.9, 1_800.0), (1.0, 90_000.0)]) * SECOND_MS as f64;
            let mut corrected = right;
            corrected.id = dice.bits();
            corrected.shift(after as i64);
            corrected.supersedes = Some((rating.id, rating.submitted));
            corrected.truth.scenario = "wrong_star";
            out.push(rating);
            out.push(corrected);
        } else {
            out.push(rating);
        }
    }

    /// The rating period ran out five days after the event: the platform counts it as satisfied.
    fn default_fill(&self, dice: &mut Dice, at: i64, out: &mut Vec<Simulated>) {
        let mut office = self.org.online(dice);
        for _ in 0..16 {
            if self.org.fills_defaults(office.district) {
                break;
            }
            office = self.org.online(dice);
        }
        let who = self.people.resident(dice, office.district);
        let event = self.event(dice, Way::Default, office, who, at);
        let mut rating = self.rating(dice, Way::Default, event, who, at);
        rating.origin = Some(Origin::Default);
        rating.truth.scenario = "default_fill";
        out.push(rating);
    }
}
