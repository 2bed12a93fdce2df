//! Ratings that a program sends.

use crate::lab::simulate::calendar::Rhythm;
use crate::lab::simulate::devices::Device;
use crate::lab::simulate::networks;
use crate::lab::simulate::opinion::Mood;
use crate::lab::simulate::random::Source;
use crate::lab::simulate::rating::{Simulated, Way};
use crate::lab::simulate::scene::{Age, Line, Scene};
use crate::lab::simulate::words::{self, Letter, Topic};
use crate::time::{MINUTE_MS, SECOND_MS};

/// A browser without a window fills in the portal's form. The plain ones betray the driver; the
/// careful patch it, vary their pace and change exits.
pub(super) fn headless_bot(scene: &mut Scene<'_>) {
    let office = scene.window();
    let hands = scene.hire(scene.size.div_ceil(3), office.district, Age::Bought);
    let mut machine = Device::computer(&mut scene.dice);
    machine.driven = scene.skill < 0.45;
    let exits = scene.dice.chance(0.4);
    let mood = if scene.dice.chance(0.97) { Mood::Good } else { Mood::Bad(Topic::Delay) };
    for at in paced(scene) {
        let way = [Way::Portal, Way::Site, Way::Wechat][scene.dice.weighted(&[60, 15, 25])];
        let mut hand = *scene.dice.pick(&hands);
        let branch = scene.branch(office, way);
        let mut rating = scene.rating_in_others_case(way, branch, hand.who, at);
        hand.device = machine;
        if !way.on_computer() {
            // It claims to be a phone, and renders like none.
            hand.device = Device::phone(&mut scene.dice);
            hand.device.distortion = machine.distortion;
            hand.device.driven = machine.driven && scene.dice.chance(0.5);
        }
        hand.device.wipe(&mut scene.dice);
        if exits {
            hand.line = Line::Exits;
        }
        scene.by(&mut rating, &hand);
        claim(scene, &mut rating);
        scene.judge(&mut rating, mood);
        quickly(scene, &mut rating);
        scene.enter(rating);
    }
}

/// A script that speaks the app's protocol: consistent fields, one pace, accounts in turn.
pub(super) fn scripted_app(scene: &mut Scene<'_>) {
    let office = scene.window();
    let hands = scene.hire(scene.size.div_ceil(2), office.district, Age::Bought);
    let text = {
        let at = scene.start;
        let event = scene.client_rating(Way::App, office, at).event;
        words::letter(&mut scene.dice, &event, Letter::Praise)
    };
    let hosted = scene.dice.chance(0.5);
    for (turn, at) in paced(scene).into_iter().enumerate() {
        let way = scene.way(at);
        let way = if way.on_computer() { Way::App } else { way };
        let hand = hands[turn % hands.len()];
        let branch = scene.branch(office, way);
        let mut rating = scene.rating_in_others_case(way, branch, hand.who, at);
        scene.by(&mut rating, &hand);
        if hosted {
            rating.link = Some(networks::vpn(&mut scene.dice));
        }
        claim(scene, &mut rating);
        scene.judge(&mut rating, Mood::Good);
        if rating.comment.is_some() && scene.dice.chance(0.4) {
            let text = words::copy(&mut scene.dice, &text, Letter::Praise, 0.3);
            rating.paste(&mut scene.dice, text);
        }
        quickly(scene, &mut rating);
        scene.enter(rating);
    }
}

/// Somebody has been told that every rating counts, and sends the same one in for days; or an app
/// retries without its idempotency key. The first is genuine.
pub(super) fn resubmission(scene: &mut Scene<'_>) {
    while scene.cast.len() < scene.size {
        let at = scene.moment(Rhythm::Online);
        let way = scene.way(at);
        let office = scene.world.office(&mut scene.dice, way, at);
        let mut first = scene.client_rating(way, office, at);
        scene.judge_as_usual(&mut first);
        let by_hand = scene.dice.chance(0.6);
        let mut after = 0;
        for _ in 0..scene.dice.between(1, 5) {
            let again = if by_hand {
                // The form is opened and filled in anew.
                after += scene.lapse(2 * MINUTE_MS, 600 * MINUTE_MS);
                let mut again = first.clone();
                again.id = scene.dice.bits();
                again.shift(after);
                again
            } else {
                after += scene.dice.between(SECOND_MS, 90 * SECOND_MS);
                first.again(&mut scene.dice, after)
            };
            scene.enter(again);
        }
        let scenario = scene.truth.scenario;
        scene.bystander(first, scenario);
    }
}

/// The pace of a program: even at its plainest, drawn by the hour at its best.
fn paced(scene: &mut Scene<'_>) -> Vec<i64> {
    if scene.skill > 0.6 {
        return scene.moments(Rhythm::Online, scene.size);
    }
    let gap = ((scene.until - scene.start) / scene.size as i64).clamp(2 * SECOND_MS, 20 * MINUTE_MS) as f64;
    let jitter = 0.02 + scene.skill;
    let mut at = scene.start;
    (0..scene.size)
        .map(|_| {
            at += (gap * (1.0 + scene.dice.within(-jitter, jitter))) as i64;
            at
        })
        .collect()
}

/// The case that a program names.
fn claim(scene: &mut Scene<'_>, rating: &mut Simulated) {
    match scene.dice.weighted(&[60, 20, 12, 8]) {
        0 => {}
        1 => scene.invent_case(rating),
        2 => scene.drop_case(rating),
        _ => scene.reuse_case(rating),
    }
}

/// The plain ones submit at once.
fn quickly(scene: &mut Scene<'_>, rating: &mut Simulated) {
    if scene.skill < 0.5 && rating.opened.is_some() {
        rating.opened = Some(rating.submitted - scene.dice.between(600, 2_600));
    }
}
