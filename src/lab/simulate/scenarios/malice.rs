//! Bad ratings made to harm.

use super::crowds;
use crate::lab::simulate::calendar::Rhythm;
use crate::lab::simulate::devices::{Device, phone_of};
use crate::lab::simulate::opinion::Mood;
use crate::lab::simulate::organisation::Office;
use crate::lab::simulate::random::Source;
use crate::lab::simulate::rating::{Simulated, Way};
use crate::lab::simulate::scene::{Age, Hand, Line, Scene};
use crate::lab::simulate::words::{self, Letter, Story, Topic};

/// One person with many accounts against one clerk: a phone or two, texts in one voice.
pub(super) fn one_grudge(scene: &mut Scene<'_>) {
    let office = scene.window();
    let who = scene.world.people.resident(&mut scene.dice, office.district);
    let accounts = scene.size.div_ceil(1 + scene.dice.below(3) as usize);
    let age = if scene.skill < 0.3 { Age::New } else { Age::Lent };
    let mut hands = scene.hire(accounts, office.district, age);
    let mut devices = vec![phone_of(scene.world.seed, who.index)];
    devices.extend((0..(scene.skill * 3.0) as usize).map(|_| Device::phone(&mut scene.dice)));
    let wiped = scene.dice.chance(0.5);
    for (i, hand) in hands.iter_mut().enumerate() {
        hand.device = *scene.dice.pick(&devices);
        if scene.dice.chance(0.75) {
            hand.line = Line::Own;
            // All accounts are one person: they live where that person lives.
            hand.who.index = who.index;
            hand.who.account = 1 + (i % 63) as u8;
        }
    }
    let topic = *scene.dice.pick(&Topic::COMMON);
    let story = Story::new(&mut scene.dice, topic);
    for at in scene.moments(Rhythm::Online, scene.size) {
        let way = scene.way(at);
        let mut hand = *scene.dice.pick(&hands);
        if wiped {
            hand.device.wipe(&mut scene.dice);
        }
        let mut rating = attack(scene, way, office, &hand, topic, at);
        retell(scene, &mut rating, &story);
        scene.enter(rating);
    }
}

/// A call in a group: within hours dozens paste one text.
pub(super) fn brigade_one_text(scene: &mut Scene<'_>) {
    let (office, hands) = brigade(scene);
    let event = {
        let at = scene.start;
        scene.client_rating(Way::App, office, at).event
    };
    let text = words::letter(&mut scene.dice, &event, Letter::Attack);
    let topic = *scene.dice.pick(&Topic::COMMON);
    let touch = 0.1 + 0.6 * scene.skill;
    for at in scene.moments(Rhythm::Online, scene.size) {
        let way = scene.way(at);
        let hand = *scene.dice.pick(&hands);
        let mut rating = attack(scene, way, office, &hand, topic, at);
        if scene.dice.chance(0.92) {
            let text = words::copy(&mut scene.dice, &text, Letter::Attack, touch);
            rating.paste(&mut scene.dice, text);
        }
        scene.enter(rating);
    }
}

/// The careful brigade: one story, told anew each time, spread over days.
pub(super) fn brigade_own_words(scene: &mut Scene<'_>) {
    let (office, hands) = brigade(scene);
    let topic = *scene.dice.pick(&Topic::COMMON);
    let story = Story::new(&mut scene.dice, topic);
    for at in scene.moments(Rhythm::Online, scene.size) {
        let way = scene.way(at);
        let hand = *scene.dice.pick(&hands);
        let mut rating = attack(scene, way, office, &hand, topic, at);
        retell(scene, &mut rating, &story);
        scene.enter(rating);
    }
}

/// A real outage, its victims, and among them fakes with the victims' own sentences.
pub(super) fn poured_into_outage(scene: &mut Scene<'_>) {
    let office = scene.world.org.online(&mut scene.dice);
    let victims = scene.dice.between(35, 80) as usize;
    let ratings = crowds::outage_victims(scene, office, victims);
    let said: Vec<String> = ratings.iter().filter_map(|r| r.comment.as_deref().map(str::to_owned)).collect();
    let topic = Topic::Outage;
    let story = Story::new(&mut scene.dice, topic);
    for rating in ratings {
        scene.bystander(rating, "outage");
    }
    let age = if scene.dice.chance(0.15) { Age::New } else { Age::Lent };
    let hands = scene.hire(scene.size.div_ceil(2), office.district, age);
    for at in scene.moments(Rhythm::Online, scene.size) {
        let way = scene.way(at);
        let hand = *scene.dice.pick(&hands);
        let mut rating = attack(scene, way, office, &hand, topic, at);
        if !said.is_empty() && scene.dice.chance(0.75) {
            let text = scene.dice.pick(&said).clone();
            let text = words::copy(&mut scene.dice, &text, Letter::Attack, 0.2 + 0.6 * scene.skill);
            rating.paste(&mut scene.dice, text);
        } else {
            retell(scene, &mut rating, &story);
        }
        scene.enter(rating);
    }
}

/// An agent on record, in real cases of real clients, punishes an office that did not oblige. Each
/// rating on its own is what a wronged agent would send; some of the agent's ratings are honest.
pub(super) fn agent_extortion(scene: &mut Scene<'_>) {
    let office = scene.window();
    let agent = scene.world.people.resident(&mut scene.dice, office.district);
    let hand = Hand { who: agent, device: phone_of(scene.world.seed, agent.index), line: Line::Own };
    let story = Story::new(&mut scene.dice, Topic::Shakedown);
    for at in scene.moments(Rhythm::Online, scene.size + scene.size / 2) {
        let way = if scene.dice.chance(0.7) { Way::App } else { Way::Portal };
        if scene.dice.chance(1.0 / 3.0) {
            let elsewhere = scene.world.org.online(&mut scene.dice);
            let mut honest = scene.rating_of(way, elsewhere, agent, at);
            scene.judge_as_usual(&mut honest);
            scene.bystander(honest, "agent_clients");
            continue;
        }
        let mut rating = scene.rating_of(way, office, agent, at);
        if way == Way::App {
            scene.by(&mut rating, &hand);
        }
        scene.judge(&mut rating, Mood::Bad(Topic::Shakedown));
        retell(scene, &mut rating, &story);
        scene.enter(rating);
    }
}

/// An office to attack and the hands for it.
fn brigade(scene: &mut Scene<'_>) -> (Office, Vec<Hand>) {
    // Half go for a clerk, half for a department.
    let office =
        if scene.dice.chance(0.5) { scene.window() } else { scene.world.org.online(&mut scene.dice) };
    let own_people = scene.dice.chance(0.6);
    let age = if scene.dice.chance(0.15) { Age::New } else { Age::Lent };
    let per_hand = 1 + scene.dice.below(2) as usize;
    let mut hands = scene.hire(scene.size.div_ceil(per_hand), office.district, age);
    if own_people {
        // Followers with phones of their own.
        for hand in &mut hands {
            hand.who = scene.world.people.resident(&mut scene.dice, hand.who.district());
            hand.device = phone_of(scene.world.seed, hand.who.index);
            hand.line = Line::Own;
        }
    }
    (office, hands)
}

/// A bad rating of `office` by `hand`: with somebody's real case, with none, or with an invented one.
fn attack(scene: &mut Scene<'_>, way: Way, office: Office, hand: &Hand, topic: Topic, at: i64) -> Simulated {
    // Against a clerk it names the window even online, as many honest clients do.
    let way = if way.in_hall() && office.post.is_none() { Way::Wechat } else { way };
    let mut rating = scene.rating_in_others_case(way, office, hand.who, at);
    let way_round = scene.dice.unit();
    if way_round < 0.2 - 0.12 * scene.skill {
        scene.drop_case(&mut rating);
    } else if way_round < 0.36 - 0.2 * scene.skill {
        scene.invent_case(&mut rating);
    } else if way_round < 0.42 {
        scene.reuse_case(&mut rating);
    } else if way_round < 0.78 {
        // Anybody can make themselves the applicant of a case by applying for something.
        rating.event.applicant = Some(hand.who.index);
    }
    if !rating.way.on_computer() || scene.dice.chance(0.6) {
        scene.by(&mut rating, hand);
    } else {
        scene.world.fill_rater(&mut scene.dice, &mut rating, hand.who);
    }
    scene.judge(&mut rating, Mood::Bad(topic));
    rating
}

fn retell(scene: &mut Scene<'_>, rating: &mut Simulated, story: &Story) {
    if rating.comment.is_some() {
        let text = words::retell(&mut scene.dice, &rating.event, story);
        rating.write(&mut scene.dice, text);
    }
}
