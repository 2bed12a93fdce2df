//! Honest crowds.

use crate::lab::simulate::calendar::Rhythm;
use crate::lab::simulate::networks;
use crate::lab::simulate::opinion::Mood;
use crate::lab::simulate::organisation::{Office, department_named, kiosks_of, windows_of};
use crate::lab::simulate::random::Source;
use crate::lab::simulate::rating::{Simulated, Terminal, Way};
use crate::lab::simulate::scene::Scene;
use crate::lab::simulate::words::{self, Story, Topic};
use crate::time::{HOUR_MS, MINUTE_MS, SECOND_MS};

/// A system is down for hours. Many unrelated people say so, each in their own words about the same
/// thing; a few are patient.
pub(super) fn outage(scene: &mut Scene<'_>) {
    let office = scene.world.org.online(&mut scene.dice);
    for rating in outage_victims(scene, office, scene.size) {
        scene.enter(rating);
    }
}

/// The victims of an outage at `office` during the scene.
pub(super) fn outage_victims(scene: &mut Scene<'_>, office: Office, count: usize) -> Vec<Simulated> {
    let story = Story::new(&mut scene.dice, Topic::Outage);
    // A department's system, or the whole city's; halls depend on it too.
    let citywide = scene.dice.chance(0.3);
    let moments = scene.moments(Rhythm::Online, count);
    let mut ratings = Vec::with_capacity(count);
    for at in moments {
        let way = match scene.dice.below(10) {
            0 => Way::Hotline,
            1 => Way::Pad,
            _ => scene.way(at),
        };
        let mut here = office;
        if citywide {
            here.district = scene.world.org.district(&mut scene.dice);
        }
        if way.in_hall() {
            here = window_of(scene, here, at);
        }
        let mut rating = scene.client_rating(way, here, at);
        let mood = if scene.dice.chance(0.93) { Mood::Bad(Topic::Outage) } else { Mood::Good };
        scene.judge(&mut rating, mood);
        scene.world.registered_to_complain(&mut scene.dice, &mut rating);
        if mood != Mood::Good && rating.comment.is_some() {
            let text = words::retell(&mut scene.dice, &rating.event, &story);
            rating.write(&mut scene.dice, text);
        }
        ratings.push(rating);
    }
    ratings
}

/// A window of the district's large hall that serves for this department.
pub(super) fn window_of(scene: &mut Scene<'_>, office: Office, at: i64) -> Office {
    let from = scene.dice.below(windows_of(0)) as u8;
    for step in 0..windows_of(0) as u8 {
        let window = (from + step) % windows_of(0) as u8;
        let candidate = scene.world.org.office_at(office.district, 0, window, at);
        if candidate.department == office.department {
            return candidate;
        }
    }
    // None there: a comprehensive window takes it on.
    let window = scene.world.org.office_at(office.district, 0, from, at);
    Office { department: office.department, ..window }
}

/// The first day of something: parents, graduates or drivers come all at once.
pub(super) fn enrolment_day(scene: &mut Scene<'_>) {
    let mut office = scene.world.org.online(&mut scene.dice);
    if scene.dice.chance(0.6) {
        office.department = department_named("教育");
    }
    let office = {
        let at = scene.start;
        window_of(scene, office, at)
    };
    let matter = scene.dice.below(3) as u8;
    for at in scene.moments(Rhythm::Hall, scene.size) {
        let way = if scene.dice.chance(0.6) { Way::Pad } else { scene.way(at) };
        let here = if way.in_hall() { window_of(scene, office, at) } else { scene.branch(office, way) };
        let mut rating = scene.client_rating(way, here, at);
        rating.event.matter = matter;
        // Long queues: somewhat more bad ratings than usual.
        if scene.dice.chance(0.004) {
            scene.judge(&mut rating, Mood::Bad(Topic::Queue));
        } else {
            scene.judge_as_usual(&mut rating);
        }
        scene.enter(rating);
    }
}

/// One kiosk, by the door: everybody uses it.
pub(super) fn kiosk_crowd(scene: &mut Scene<'_>) {
    let office = scene.window();
    let Some(post) = office.post else { return };
    let number = scene.dice.below(kiosks_of(post.hall)) as u8;
    let terminal = Terminal { kiosk: true, district: office.district, hall: post.hall, number };
    for at in scene.moments(Rhythm::Hall, scene.size) {
        let window = scene.dice.below(windows_of(post.hall)) as u8;
        let here = scene.world.org.office_at(office.district, post.hall, window, at);
        let mut rating = scene.client_rating(Way::Kiosk, here, at);
        scene.world.use_terminal(&mut scene.dice, &mut rating, terminal);
        scene.judge_as_usual(&mut rating);
        scene.enter(rating);
    }
}

/// A crowd that happens to surf through one address of its carrier, rating one busy department.
pub(super) fn carrier_nat(scene: &mut Scene<'_>) {
    let office = scene.world.org.online(&mut scene.dice);
    let link = networks::pool_address(&mut scene.dice);
    for at in scene.moments(Rhythm::Online, scene.size) {
        let way = [Way::App, Way::Wechat, Way::Alipay][scene.dice.weighted(&[60, 26, 14])];
        let mut rating = scene.client_rating(way, office, at);
        rating.link = Some(link);
        scene.judge_as_usual(&mut rating);
        scene.enter(rating);
    }
}

/// A hall where the mobile network is weak: everybody joins the Wi-Fi.
pub(super) fn hall_wifi(scene: &mut Scene<'_>) {
    let office = scene.window();
    let Some(post) = office.post else { return };
    for at in scene.moments(Rhythm::Hall, scene.size) {
        let window = scene.dice.below(windows_of(post.hall)) as u8;
        let here = scene.world.org.office_at(office.district, post.hall, window, at);
        let way = if scene.dice.chance(0.8) { Way::HallCode } else { Way::App };
        let mut rating = scene.client_rating(way, here, at);
        rating.link = Some(networks::hall_wifi(office.district, post.hall));
        scene.judge_as_usual(&mut rating);
        scene.enter(rating);
    }
}

/// A firm tells its people to apply for something; they do it at work, some on like computers.
pub(super) fn office_network(scene: &mut Scene<'_>) {
    let office = scene.world.org.online(&mut scene.dice);
    let line = networks::workplace(100_000 + scene.dice.below(60_000));
    for at in scene.moments(Rhythm::Hall, scene.size) {
        let way = [Way::App, Way::Portal, Way::Wechat][scene.dice.weighted(&[45, 30, 25])];
        let mut rating = scene.client_rating(way, office, at);
        rating.link = Some(line);
        scene.judge_as_usual(&mut rating);
        scene.enter(rating);
    }
}

/// A short form with a ready-made answer: the same two characters from everybody.
pub(super) fn stock_phrases(scene: &mut Scene<'_>) {
    let office = scene.world.org.online(&mut scene.dice);
    let phrase = words::stock(&mut scene.dice);
    for at in scene.moments(Rhythm::Online, scene.size) {
        let way = scene.way(at);
        let here = if way.in_hall() { window_of(scene, office, at) } else { office };
        let mut rating = scene.client_rating(way, here, at);
        scene.judge_as_usual(&mut rating);
        if !rating.is_bad() && scene.dice.chance(0.8) {
            let phrase = if scene.dice.chance(0.7) { phrase } else { words::stock(&mut scene.dice) };
            rating.write(&mut scene.dice, phrase);
        }
        scene.enter(rating);
    }
}

/// A promotion in the streets: people register and try it at once.
pub(super) fn new_accounts_wave(scene: &mut Scene<'_>) {
    let office = scene.world.org.online(&mut scene.dice);
    for at in scene.moments(Rhythm::Online, scene.size) {
        let way = [Way::App, Way::Wechat, Way::Alipay][scene.dice.weighted(&[70, 18, 12])];
        let who = scene.world.people.newcomer(&mut scene.dice, office.district, at);
        let mut rating = scene.rating_of(way, office, who, at);
        scene.judge_as_usual(&mut rating);
        scene.enter(rating);
    }
}

/// A window asks every client to press a star: many more ratings than usual, nearly all good, and
/// every one a client's own.
pub(super) fn coached_window(scene: &mut Scene<'_>) {
    let office = scene.window();
    for at in scene.moments(Rhythm::Hall, scene.size) {
        let way = if scene.dice.chance(0.75) { Way::Pad } else { Way::HallCode };
        let office = scene.on_duty(office, at);
        let mut rating = scene.client_rating(way, office, at);
        scene.judge_as_usual(&mut rating);
        scene.enter(rating);
    }
}

/// A pad without its network for a day. It keeps what it is given and sends it all the next morning.
pub(super) fn pad_offline(scene: &mut Scene<'_>) {
    let office = scene.window();
    let moments = scene.moments(Rhythm::Hall, scene.size);
    let last = moments.last().copied().unwrap_or(scene.until);
    let mut sync = last + scene.lapse(10 * HOUR_MS, 26 * HOUR_MS);
    for at in moments {
        let here = scene.on_duty(office, at);
        let mut rating = scene.client_rating(Way::Pad, here, at);
        scene.judge_as_usual(&mut rating);
        let pause = if scene.dice.chance(0.02) { MINUTE_MS } else { SECOND_MS };
        sync += scene.dice.between(20, pause);
        rating.received = sync;
        scene.enter(rating);
    }
}
