//! Bought praise: hired accounts, and the cases they claim.

use crate::lab::simulate::calendar::Rhythm;
use crate::lab::simulate::opinion::Mood;
use crate::lab::simulate::random::Source;
use crate::lab::simulate::rating::{Simulated, Way};
use crate::lab::simulate::scene::{Age, Hand, Scene};
use crate::lab::simulate::words::{self, Letter};

/// Which case a bought rating names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    Invented,
    Harvested,
    Rated,
    None,
}

/// What distinguishes one job from another.
struct Job {
    /// How many hands share the work: ratings per hand.
    per_hand: (u64, u64),
    age: Age,
    /// Claims, with weights.
    claims: [(Claim, u32); 3],
    /// Whether the kit's id is wiped between ratings.
    wiped: bool,
    /// Fields removed on purpose.
    stripped: bool,
}

impl Job {
    fn run(&self, scene: &mut Scene<'_>) {
        let office = scene.window();
        let per_hand = scene.dice.between(self.per_hand.0 as i64, self.per_hand.1 as i64) as usize;
        let hands = scene.hire(scene.size.div_ceil(per_hand).max(2), office.district, self.age);
        // The sloppy hand out texts to paste; the careful leave the words to each, or want none.
        let given: Vec<String> =
            if scene.skill < 0.6 { texts(scene, 2 + (scene.skill * 10.0) as usize) } else { Vec::new() };
        let weights = self.claims.map(|(_, weight)| weight);
        for at in scene.moments(Rhythm::Online, scene.size) {
            let way = scene.way(at);
            let branch = scene.branch(office, way);
            let hand: Hand = *scene.dice.pick(&hands);
            let mut rating = scene.rating_in_others_case(way, branch, hand.who, at);
            match self.claims[scene.dice.weighted(&weights)].0 {
                Claim::Invented => scene.invent_case(&mut rating),
                Claim::Rated => scene.reuse_case(&mut rating),
                Claim::None => scene.drop_case(&mut rating),
                Claim::Harvested => {
                    if !way.in_hall() && scene.dice.chance(0.5) {
                        scene.late(&mut rating);
                    }
                }
            }
            self.dress(scene, &mut rating, hand);
            scene.judge(&mut rating, Mood::Good);
            if rating.comment.is_some() && !given.is_empty() && scene.dice.chance(0.7) {
                let text = scene.dice.pick(&given).clone();
                let text = words::copy(&mut scene.dice, &text, Letter::Praise, scene.skill * 0.5);
                rating.paste(&mut scene.dice, text);
            }
            if scene.dice.chance(0.4 * (1.0 - scene.skill)) {
                scene.hurry(&mut rating);
            }
            scene.enter(rating);
        }
    }

    /// Gives the rating the hand's account, device and line.
    fn dress(&self, scene: &mut Scene<'_>, rating: &mut Simulated, mut hand: Hand) {
        // The day and address change with every use of a wiped clone.
        if self.wiped && scene.dice.chance(0.8) {
            hand.device.wipe(&mut scene.dice);
        }
        if !rating.way.on_computer() || scene.dice.chance(0.5) {
            scene.by(rating, &hand);
        } else {
            scene.world.fill_rater(&mut scene.dice, rating, hand.who);
        }
        if self.stripped {
            strip(scene, rating);
        }
    }
}

/// A few texts to paste.
fn texts(scene: &mut Scene<'_>, count: usize) -> Vec<String> {
    let office = scene.window();
    let at = scene.start;
    let event = scene.client_rating(Way::App, office, at).event;
    (0..count)
        .map(|_| match scene.dice.below(4) {
            0 => words::letter(&mut scene.dice, &event, Letter::Praise),
            1 => words::stock(&mut scene.dice).to_owned(),
            _ => words::praise(&mut scene.dice, &event),
        })
        .collect()
}

/// Removes what could recognise the sender: each campaign another part, each rating not all of it.
fn strip(scene: &mut Scene<'_>, rating: &mut Simulated) {
    let often = 0.9 - 0.4 * scene.skill;
    let fields = &mut rating.device;
    let mut keep = || !scene.dice.chance(often);
    fields.fingerprint &= keep();
    fields.canvas &= keep();
    fields.checks &= keep();
    fields.details &= keep();
    fields.app_version &= keep();
    if !keep() && scene.skill > 0.4 {
        rating.link = None;
    }
    if !keep() {
        rating.rater.registered = false;
    }
}

pub(super) fn ghost_cases(scene: &mut Scene<'_>) {
    let claims = [(Claim::Invented, 92), (Claim::None, 8), (Claim::Harvested, 0)];
    let age = if scene.dice.chance(0.3) { Age::New } else { Age::Bought };
    Job { per_hand: (1, 6), age, claims, wiped: false, stripped: false }.run(scene);
}

pub(super) fn harvested_cases(scene: &mut Scene<'_>) {
    let claims = [(Claim::Harvested, 95), (Claim::None, 5), (Claim::Rated, 0)];
    Job { per_hand: (1, 8), age: Age::Bought, claims, wiped: false, stripped: false }.run(scene);
}

pub(super) fn reused_cases(scene: &mut Scene<'_>) {
    let claims = [(Claim::Rated, 85), (Claim::Harvested, 10), (Claim::None, 5)];
    Job { per_hand: (1, 6), age: Age::Bought, claims, wiped: false, stripped: false }.run(scene);
}

pub(super) fn hired_new_accounts(scene: &mut Scene<'_>) {
    let claims = [(Claim::Harvested, 60), (Claim::None, 20), (Claim::Invented, 20)];
    let wiped = scene.dice.chance(0.6);
    Job { per_hand: (1, 2), age: Age::New, claims, wiped, stripped: false }.run(scene);
}

pub(super) fn hired_aged_accounts(scene: &mut Scene<'_>) {
    let claims = [(Claim::Harvested, 75), (Claim::None, 15), (Claim::Invented, 10)];
    Job { per_hand: (1, 3), age: Age::Bought, claims, wiped: true, stripped: false }.run(scene);
}

pub(super) fn slow_drip(scene: &mut Scene<'_>) {
    let claims = [(Claim::Harvested, 85), (Claim::None, 10), (Claim::Rated, 5)];
    Job { per_hand: (4, 9), age: Age::Lent, claims, wiped: false, stripped: false }.run(scene);
}

pub(super) fn stripped_fields(scene: &mut Scene<'_>) {
    let claims = [(Claim::Harvested, 70), (Claim::None, 20), (Claim::Invented, 10)];
    Job { per_hand: (1, 5), age: Age::Bought, claims, wiped: true, stripped: true }.run(scene);
}
