//! Honest people who rate with others, or for others.

use crate::lab::simulate::calendar::Rhythm;
use crate::lab::simulate::devices::{Device, computer_of, phone_of};
use crate::lab::simulate::networks;
use crate::lab::simulate::organisation::{kiosks_of, windows_of};
use crate::lab::simulate::random::Source;
use crate::lab::simulate::rating::{Terminal, Way};
use crate::lab::simulate::scene::Scene;
use crate::time::{MINUTE_MS, SECOND_MS};

/// An official helper (帮办) walks the hall with one phone: 20 to 80 people log in on it in turn.
pub(super) fn helpers_phone(scene: &mut Scene<'_>) {
    let office = scene.window();
    let Some(post) = office.post else { return };
    let phone = Device::phone(&mut scene.dice);
    let helper = scene.world.people.resident(&mut scene.dice, office.district);
    let on_wifi = scene.dice.within(0.2, 0.9);
    for at in scene.moments(Rhythm::Hall, scene.size) {
        // Not one window's clients: whoever needs help.
        let window = scene.dice.below(windows_of(post.hall)) as u8;
        let here = scene.world.org.office_at(office.district, post.hall, window, at);
        let way = if scene.dice.chance(0.7) { Way::App } else { Way::HallCode };
        let mut rating = scene.client_rating(way, here, at);
        scene.at_once(&mut rating);
        scene.with_device(&mut rating, phone);
        rating.link = Some(if scene.dice.chance(on_wifi) {
            networks::hall_wifi(office.district, post.hall)
        } else {
            networks::cellular(scene.world.seed, &mut scene.dice, helper.index, at)
        });
        scene.judge_as_usual(&mut rating);
        scene.enter(rating);
    }
}

/// A volunteer stands at a kiosk and a queue of elders comes by: one every minute or two, quickly,
/// all alike.
pub(super) fn elders_kiosk(scene: &mut Scene<'_>) {
    let office = scene.window();
    let Some(post) = office.post else { return };
    let number = scene.dice.below(kiosks_of(post.hall)) as u8;
    let terminal = Terminal { kiosk: true, district: office.district, hall: post.hall, number };
    let window = post.window;
    let gap = scene.dice.between(35 * SECOND_MS, 3 * MINUTE_MS);
    let mut at = scene.start;
    for _ in 0..scene.size {
        at += scene.dice.between(gap * 6 / 10, gap * 14 / 10);
        let here = scene.world.org.office_at(office.district, post.hall, window, at);
        let who = scene.world.people.resident(&mut scene.dice, office.district);
        let mut rating = scene.rating_of(Way::Kiosk, here, who, at);
        scene.world.use_terminal(&mut scene.dice, &mut rating, terminal);
        scene.judge_as_usual(&mut rating);
        scene.enter(rating);
    }
}

/// An agency with a few computers, which handles and rates the real cases of many clients; it is the
/// agent on record.
pub(super) fn agent_clients(scene: &mut Scene<'_>) {
    let offices = [scene.world.org.online(&mut scene.dice), scene.world.org.online(&mut scene.dice)];
    let agents: Vec<_> = (0..1 + scene.dice.below(3))
        .map(|_| scene.world.people.resident(&mut scene.dice, offices[0].district))
        .collect();
    let line = networks::workplace(200_000 + scene.dice.below(40_000));
    let machines: Vec<Device> =
        (0..2).map(|_| computer_of(scene.world.seed, scene.dice.bits() >> 20)).collect();
    for at in scene.moments(Rhythm::Hall, scene.size) {
        let way = if scene.dice.chance(0.7) { Way::Portal } else { Way::App };
        let office = offices[scene.dice.weighted(&[70, 30])];
        let agent = *scene.dice.pick(&agents);
        let mut rating = scene.rating_of(way, office, agent, at);
        let device = if way == Way::Portal {
            *scene.dice.pick(&machines)
        } else {
            phone_of(scene.world.seed, agent.index)
        };
        scene.with_device(&mut rating, device);
        rating.link = Some(line);
        scene.judge_as_usual(&mut rating);
        scene.enter(rating);
    }
}

/// Staff have children and cars too: their own cases, at their own department, from the office.
pub(super) fn staff_as_client(scene: &mut Scene<'_>) {
    let office = scene.window();
    let Some(post) = office.post else { return };
    for at in scene.moments(Rhythm::Online, scene.size) {
        let way = [Way::App, Way::Wechat, Way::HallCode][scene.dice.weighted(&[60, 25, 15])];
        let here = scene.branch(office, way);
        let who = scene.world.people.resident(&mut scene.dice, office.district);
        let mut rating = scene.rating_of(way, here, who, at);
        if scene.dice.chance(0.6) {
            rating.link = Some(networks::hall_lan(office.district, post.hall));
        }
        scene.judge_as_usual(&mut rating);
        scene.enter(rating);
    }
}
