//! Honest people who speak with one voice, or more than once.

use super::crowds::window_of;
use crate::lab::simulate::calendar::Rhythm;
use crate::lab::simulate::opinion::Mood;
use crate::lab::simulate::organisation::department_named;
use crate::lab::simulate::people::Citizen;
use crate::lab::simulate::random::Source;
use crate::lab::simulate::rating::Way;
use crate::lab::simulate::scene::Scene;
use crate::lab::simulate::words::{self, Letter, Story, Topic};

/// Residents of one estate with one grievance: one chat group, one letter that many copy, neighbours'
/// networks, and every one a real case.
pub(super) fn estate_grievance(scene: &mut Scene<'_>) {
    let mut office = scene.world.org.online(&mut scene.dice);
    office.department = department_named(if scene.dice.chance(0.7) { "住建" } else { "规划资源" });
    let neighbours = neighbours(scene, office.district, scene.size);
    let event = {
        let at = scene.start;
        scene.rating_of(Way::App, office, neighbours[0], at).event
    };
    let letter = words::letter(&mut scene.dice, &event, Letter::Grievance);
    let story = Story::new(&mut scene.dice, Topic::Estate);
    let copied = scene.dice.within(0.4, 0.85);
    for (i, at) in scene.moments(Rhythm::Online, scene.size).into_iter().enumerate() {
        let way = scene.way(at);
        let way = if way == Way::HallCode { Way::App } else { way };
        let mut rating = scene.rating_of(way, office, neighbours[i], at);
        rating.event.matter = event.matter;
        scene.judge(&mut rating, Mood::Bad(Topic::Estate));
        scene.world.registered_to_complain(&mut scene.dice, &mut rating);
        if scene.dice.chance(0.9) {
            if scene.dice.chance(copied) {
                let text = words::copy(&mut scene.dice, &letter, Letter::Grievance, 0.5);
                rating.paste(&mut scene.dice, text);
            } else {
                let text = words::retell(&mut scene.dice, &rating.event, &story);
                rating.write(&mut scene.dice, text);
            }
        }
        scene.enter(rating);
    }
}

/// `count` people whose households stand next to each other.
fn neighbours(scene: &mut Scene<'_>, district: u8, count: usize) -> Vec<Citizen> {
    let first = scene.world.people.resident(&mut scene.dice, district).index;
    // One in every household: indices 16 apart are one row of a district, three rows a household.
    (0..count as u64).map(|i| scene.world.people.citizen(first + i * 48)).collect()
}

/// Somebody with much to settle and little luck: several real cases, bad ratings for most, in words
/// of their own each time.
pub(super) fn repeat_complainant(scene: &mut Scene<'_>) {
    let offices = [scene.window(), scene.world.org.online(&mut scene.dice)];
    let who = scene.client(offices[0], scene.start);
    let loyal = scene.dice.within(0.3, 0.95);
    for at in scene.moments(Rhythm::Online, scene.size) {
        let office = offices[usize::from(!scene.dice.chance(loyal))];
        let way = if office.post.is_some() {
            Way::App
        } else {
            [Way::App, Way::Hotline][scene.dice.weighted(&[75, 25])]
        };
        let mut rating = scene.rating_of(way, office, who, at);
        let topic = *scene.dice.pick(&Topic::COMMON);
        let mood = if scene.dice.chance(0.85) { Mood::Bad(topic) } else { Mood::Good };
        scene.judge(&mut rating, mood);
        scene.enter(rating);
    }
}

/// Parents whose children got their places agree in their group to say thanks; many copy the first.
pub(super) fn chat_group_thanks(scene: &mut Scene<'_>) {
    let mut office = scene.world.org.online(&mut scene.dice);
    office.department = department_named("教育");
    let event = {
        let at = scene.start;
        scene.client_rating(Way::App, office, at).event
    };
    let letter = words::letter(&mut scene.dice, &event, Letter::Thanks);
    for at in scene.moments(Rhythm::Online, scene.size) {
        let way = scene.way(at);
        let here = if way.in_hall() { window_of(scene, office, at) } else { office };
        let mut rating = scene.client_rating(way, here, at);
        rating.event.matter = event.matter;
        scene.judge(&mut rating, Mood::Good);
        let (own, copied) = (scene.dice.chance(0.3), scene.dice.chance(0.5));
        if own {
            let text = words::praise(&mut scene.dice, &rating.event);
            rating.write(&mut scene.dice, text);
        } else if copied {
            let text = words::copy(&mut scene.dice, &letter, Letter::Thanks, 0.5);
            rating.paste(&mut scene.dice, text);
        }
        scene.enter(rating);
    }
}
