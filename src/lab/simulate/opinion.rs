//! What a rater thinks: stars, hall stars, aspects, tags and comment.

use super::random::{Dice, Source};
use super::rating::{Simulated, Way};
use super::words::{self, Topic};
use super::world::World;
use crate::wire::Stage;

/// Share of ordinary ratings that are bad before the office's own quality counts. With the
/// multipliers of departments and clerks it comes to the 0.34 % of the field.
pub(super) const BASE_BAD: f64 = 0.0017;

/// How the rater feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    /// Three stars: basically satisfied.
    Indifferent,
    Bad(Topic),
}

impl World {
    /// The mood of an ordinary client of this office.
    pub fn ordinary_mood(&self, dice: &mut Dice, rating: &Simulated) -> Mood {
        let office = rating.event.office;
        // Who calls the hotline or writes on a site has a reason more often than who passes a pad.
        let way = match rating.way {
            Way::Pad | Way::Kiosk => 0.7,
            Way::Hotline | Way::Site => 2.2,
            _ => 1.1,
        };
        let bad = BASE_BAD * self.org.department_badness(office) * self.org.clerk_badness(office) * way;
        let luck = dice.unit();
        if luck < bad {
            Mood::Bad(*dice.pick(&Topic::COMMON))
        } else if luck < bad + 0.0008 {
            Mood::Indifferent
        } else {
            Mood::Good
        }
    }

    /// Has the rater judge: everything that follows from the mood.
    pub fn judge(&self, dice: &mut Dice, rating: &mut Simulated, mood: Mood) {
        let way = rating.way;
        rating.stars = match mood {
            Mood::Good => 5 - dice.weighted(&[957, 43]) as u8,
            Mood::Indifferent => 3,
            Mood::Bad(_) => 2 - dice.weighted(&[38, 62]) as u8,
        };
        let bad = matches!(mood, Mood::Bad(_));
        if way.in_hall() && dice.chance(0.6) {
            rating.hall_stars =
                if bad && dice.chance(0.4) { rating.stars } else { 5 - dice.weighted(&[94, 5, 1]) as u8 };
        }
        let gives_aspects = match way {
            Way::Pad => 0.06,
            Way::Kiosk => 0.2,
            Way::Hotline | Way::Message | Way::Default => 0.0,
            _ if bad => 0.55,
            _ => 0.3,
        };
        if dice.chance(gives_aspects) {
            self.judge_aspects(dice, rating, bad);
        }
        if way.own_device() {
            let tags = match mood {
                Mood::Bad(topic) => topic.tags(),
                _ => 1 << dice.below(8) | 1 << dice.below(8),
            };
            rating.tags = if dice.chance(if bad { 0.5 } else { 0.16 }) { tags } else { 0 };
        }
        self.comment(dice, rating, mood);
    }

    /// Some who never rated before register an account because they are angry.
    pub fn registered_to_complain(&self, dice: &mut Dice, rating: &mut Simulated) {
        if let Some(who) = &mut rating.rater.who
            && dice.chance(0.12)
        {
            who.registered = self.people.newcomer(dice, who.district(), rating.submitted).registered;
        }
    }

    fn judge_aspects(&self, dice: &mut Dice, rating: &mut Simulated, bad: bool) {
        let every = dice.chance(0.75);
        for aspect in &mut rating.aspects {
            if every || dice.chance(0.5) {
                *aspect = if bad {
                    1 + dice.weighted(&[45, 30, 12, 5, 8]) as u8
                } else {
                    // Somebody satisfied on the whole is dissatisfied with one thing now and then.
                    5 - dice.weighted(&[9_540, 445, 11, 3, 1]) as u8
                };
            }
        }
    }

    /// A comment as often as people of this mood write one this way.
    fn comment(&self, dice: &mut Dice, rating: &mut Simulated, mood: Mood) {
        let often = match (rating.way, mood) {
            (Way::Default, _) => 0.0,
            (Way::Pad, Mood::Bad(_)) => 0.2,
            (Way::Pad, _) => 0.004,
            (Way::Kiosk, Mood::Bad(_)) => 0.35,
            (Way::Kiosk, _) => 0.02,
            (Way::Hotline, _) => 0.5,
            (Way::Message, Mood::Bad(_)) => 0.5,
            (Way::Message, _) => 0.1,
            (_, Mood::Bad(_)) => 0.78,
            _ => 0.19,
        };
        if !dice.chance(often) {
            return;
        }
        match mood {
            Mood::Bad(topic) if dice.chance(0.9) => {
                let text = words::complaint(dice, &rating.event, topic);
                rating.write(dice, text);
            }
            Mood::Bad(_) => {
                let text = *dice.pick(&["差评", "太差", "不满意", "态度差", "很差", "慢", "垃圾", "太慢了"]);
                rating.write(dice, text);
            }
            _ if dice.chance(0.82) => {
                let text = words::stock(dice);
                rating.write(dice, text);
            }
            _ => {
                let text = words::praise(dice, &rating.event);
                rating.write(dice, text);
            }
        }
    }
}

/// Whether a rating at this stage can be followed by another once things are put right.
pub(super) fn can_be_put_right(stage: Stage) -> bool {
    matches!(stage, Stage::Accept | Stage::Process | Stage::Complete | Stage::Collect)
}
