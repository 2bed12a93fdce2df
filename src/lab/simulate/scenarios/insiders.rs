//! Praise from inside the office.

use crate::lab::simulate::calendar::Rhythm;
use crate::lab::simulate::devices::{Device, phone_of};
use crate::lab::simulate::networks;
use crate::lab::simulate::opinion::Mood;
use crate::lab::simulate::random::Source;
use crate::lab::simulate::rating::{Terminal, Way};
use crate::lab::simulate::scene::{Hand, Line, Scene};
use crate::lab::simulate::words::Topic;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// A clerk takes the clients' numbers and rates on one phone, or on a few, right after serving them.
pub(super) fn clerk_own_phone(scene: &mut Scene<'_>) {
    let office = scene.window();
    let clerk = scene.world.people.resident(&mut scene.dice, office.district);
    let phones = 1 + (scene.skill * 2.9) as usize;
    let mut devices = vec![phone_of(scene.world.seed, clerk.index)];
    devices.extend((1..phones).map(|_| Device::phone(&mut scene.dice)));
    let clients_accounts = scene.dice.within(0.3, 1.0);
    let way = if scene.dice.chance(0.6) { Way::HallCode } else { Way::App };
    for at in scene.moments(Rhythm::Hall, scene.size) {
        let mut rating = scene.client_rating(way, office, at);
        if !scene.dice.chance(clients_accounts) {
            // Without a client's number it is an own account, or a colleague's.
            let who = if scene.dice.chance(0.5) { clerk } else { scene.client(office, at) };
            scene.world.fill_rater(&mut scene.dice, &mut rating, who);
        }
        scene.at_once(&mut rating);
        let device = *scene.dice.pick(&devices);
        scene.with_device(&mut rating, device);
        rating.link = Some(match office.post {
            Some(post) if scene.dice.chance(0.35) => networks::hall_wifi(office.district, post.hall),
            _ => networks::cellular(scene.world.seed, &mut scene.dice, clerk.index, at),
        });
        scene.judge(&mut rating, Mood::Good);
        if scene.skill < 0.6 {
            scene.hurry(&mut rating);
        }
        scene.enter(rating);
    }
}

/// Between clients, somebody presses the pad again and again. The sloppy press like a clock.
pub(super) fn pad_pressed(scene: &mut Scene<'_>) {
    let office = scene.window();
    let gap = ((scene.until - scene.start) / scene.size as i64).clamp(4 * SECOND_MS, 9 * MINUTE_MS);
    let jitter = 0.01 + 0.5 * scene.skill;
    let borrowed = scene.dice.within(0.6, 1.0);
    let mut at = scene.start;
    for _ in 0..scene.size {
        at += (gap as f64 * (1.0 + scene.dice.within(-jitter, jitter))) as i64;
        if !scene.open(at) {
            // It goes on the next morning.
            at = Rhythm::Hall.moment(&mut scene.dice, at + 14 * HOUR_MS, at + 17 * HOUR_MS);
        }
        let office = scene.on_duty(office, at);
        let mut rating = scene.client_rating(Way::Pad, office, at);
        if !scene.dice.chance(borrowed) {
            scene.drop_case(&mut rating);
        }
        scene.judge(&mut rating, Mood::Good);
        scene.enter(rating);
    }
}

/// An insider sees the case close and rates it from a few borrowed accounts before its client does.
/// Of the clients some come later, and not all of them are content.
pub(super) fn insider_first(scene: &mut Scene<'_>) {
    let office = scene.window();
    let ring = 2 + scene.dice.below(6) as usize;
    let hands: Vec<Hand> = (0..ring)
        .map(|_| {
            let who = scene.world.people.resident(&mut scene.dice, office.district);
            Hand { who, device: phone_of(scene.world.seed, who.index), line: Line::Own }
        })
        .collect();
    let others = scene.dice.within(0.2, 0.5);
    for at in scene.moments(Rhythm::Hall, scene.size) {
        let way = scene.way(at);
        let hand = *scene.dice.pick(&hands);
        let mut rating = scene.rating_in_others_case(way, office, hand.who, at);
        scene.by(&mut rating, &hand);
        scene.at_once(&mut rating);
        scene.judge(&mut rating, Mood::Good);
        let (event, client) = (rating.event, rating.event.applicant);
        scene.enter(rating);
        if let Some(client) = client.filter(|_| scene.dice.chance(others)) {
            let client = scene.world.people.citizen(client);
            let later = at + scene.lapse(10 * MINUTE_MS, 3 * DAY_MS);
            let way = if scene.dice.chance(0.5) { Way::App } else { Way::Wechat };
            let mut own = scene.world.rating(&mut scene.dice, way, event, client, later);
            let mood = if scene.dice.chance(0.12) { Mood::Bad(Topic::Attitude) } else { Mood::Good };
            scene.judge(&mut own, mood);
            scene.bystander(own, "client_preempted");
        }
    }
}

/// The word goes round in a department: everybody gives five stars, and so do husbands and mothers.
pub(super) fn own_department(scene: &mut Scene<'_>) {
    let office = scene.window();
    let line = networks::hall_lan(office.district, office.post.map_or(0, |post| post.hall));
    let in_office = 0.5 * (1.0 - scene.skill);
    let borrowed = scene.dice.within(0.4, 0.9);
    let mut previous = None;
    for at in scene.moments(Rhythm::Online, scene.size) {
        let way = scene.way(at);
        let branch = scene.branch(office, way);
        let who = match previous {
            Some(colleague) if scene.dice.chance(0.35) => {
                scene.world.people.relative(&mut scene.dice, colleague)
            }
            _ => scene.world.people.resident(&mut scene.dice, office.district),
        };
        previous = Some(who);
        let mut rating = scene.rating_in_others_case(way, branch, who, at);
        if !scene.dice.chance(borrowed) {
            scene.drop_case(&mut rating);
        }
        if scene.dice.chance(in_office) {
            rating.link = Some(line);
        }
        scene.judge(&mut rating, Mood::Good);
        scene.enter(rating);
    }
}

/// A program sends ratings as if it were one more pad of the hall.
pub(super) fn rogue_terminal(scene: &mut Scene<'_>) {
    let office = scene.window();
    let Some(post) = office.post else { return };
    let number = 40 + scene.dice.below(50) as u8;
    let terminal =
        Terminal { kiosk: scene.dice.chance(0.2), district: office.district, hall: post.hall, number };
    let way = if terminal.kiosk { Way::Kiosk } else { Way::Pad };
    let inside = scene.dice.chance(0.6);
    for at in scene.moments(Rhythm::Hall, scene.size) {
        let window = if scene.skill > 0.5 { scene.dice.below(9) as u8 } else { post.window };
        let office = scene.world.org.office_at(office.district, post.hall, window, at);
        let mut rating = scene.client_rating(way, office, at);
        scene.world.use_terminal(&mut scene.dice, &mut rating, terminal);
        if !inside {
            rating.link = Some(networks::cellular(scene.world.seed, &mut scene.dice, u64::from(number), at));
        }
        if scene.dice.chance(0.15) {
            scene.invent_case(&mut rating);
        }
        scene.judge(&mut rating, Mood::Good);
        scene.enter(rating);
    }
}
