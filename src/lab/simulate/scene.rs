//! The stage on which a scenario plays: its time, its size, its dice and its cast.

use super::calendar::Rhythm;
use super::devices::{Device, phone_of};
use super::networks::{self, Link};
use super::opinion::Mood;
use super::ordinary::personal_way;
use super::organisation::Office;
use super::people::Citizen;
use super::random::{Dice, Source};
use super::rating::{Event, Simulated, Truth, Way};
use super::world::{HALL_RATED_AT_HOME, World};
use crate::time::{DAY_MS, MINUTE_MS, SECOND_MS};
use crate::wire::Label;

/// One performance of a scenario. It draws all its ratings at once; the schedule releases them in
/// their time.
pub(super) struct Scene<'a> {
    pub world: &'a World,
    pub dice: Dice,
    /// When it begins.
    pub start: i64,
    /// When it ends, about.
    pub until: i64,
    /// How many ratings it makes, about; bystanders not counted.
    pub size: usize,
    /// How careful its actors are: 0 sloppy, 1 careful.
    pub skill: f64,
    /// Cases that clients have rated lately.
    pub rated_cases: &'a [Event],
    /// Every hour alike (`Params::even_rhythm`).
    pub even_rhythm: bool,
    /// How much shorter it lasts than it really would.
    pub haste: f64,
    /// What its ratings are.
    pub truth: Truth,
    /// All ratings so far.
    pub cast: Vec<Simulated>,
}

/// How a hired account came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// Registered for the purpose.
    New,
    /// Bought: somebody's, used by another.
    Bought,
    /// Lent: somebody's own, on their own phone as often as not.
    Lent,
}

/// Somebody who rates for pay or to please: an account, a device, a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hand {
    pub who: Citizen,
    pub device: Device,
    pub line: Line,
}

/// How a hand is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// As an ordinary citizen.
    Own,
    /// Through VPN exits, another each time.
    Exits,
    /// All from one line.
    Shared(Link),
}

impl Scene<'_> {
    /// `count` instants of the scene's time by `rhythm`, ascending.
    pub fn moments(&mut self, rhythm: Rhythm, count: usize) -> Vec<i64> {
        let mut moments: Vec<i64> = (0..count).map(|_| self.moment(rhythm)).collect();
        moments.sort_unstable();
        moments
    }

    /// One instant of the scene's time by `rhythm`.
    pub fn moment(&mut self, rhythm: Rhythm) -> i64 {
        if self.even_rhythm {
            return self.dice.between(self.start, self.until - 1);
        }
        rhythm.moment(&mut self.dice, self.start, self.until)
    }

    /// A lapse of `low..=high` ms, shortened like the scene.
    pub fn lapse(&mut self, low: i64, high: i64) -> i64 {
        (self.dice.between(low, high) as f64 / self.haste) as i64
    }

    /// Whether halls are open at `at`.
    pub fn open(&self, at: i64) -> bool {
        self.even_rhythm || Rhythm::Hall.intensity(at) > 0.05
    }

    /// How somebody with an own device rates at `at`, as ordinary raters choose; the code at the
    /// window only while the hall is open.
    pub fn way(&mut self, at: i64) -> Way {
        let way = personal_way(&mut self.dice);
        if way.in_hall() && !self.open(at) { Way::Wechat } else { way }
    }

    /// A window that is open when the scene begins.
    pub fn window(&mut self) -> Office {
        self.world.org.window(&mut self.dice, self.start)
    }

    /// The same window with the clerk who serves there at `at`.
    pub fn on_duty(&self, office: Office, at: i64) -> Office {
        match office.post {
            Some(post) => self.world.org.office_at(office.district, post.hall, post.window, at),
            None => office,
        }
    }

    /// The office as somebody names it who uses `way`: with the window in a hall, and as often as
    /// ordinary people at home.
    pub fn branch(&mut self, office: Office, way: Way) -> Office {
        let named = way.in_hall() || self.dice.chance(HALL_RATED_AT_HOME);
        if named { office } else { Office { post: None, ..office } }
    }

    /// A client of `office`.
    pub fn client(&mut self, office: Office, at: i64) -> Citizen {
        self.world.people.client(&mut self.dice, office.district, at)
    }

    /// A rating of `office` by a client, as ordinary clients deal with it.
    pub fn client_rating(&mut self, way: Way, office: Office, at: i64) -> Simulated {
        let who = self.client(office, at);
        let event = self.world.client_event(&mut self.dice, way, office, who, at);
        self.world.rating(&mut self.dice, way, event, who, at)
    }

    /// A rating of `office` by `who`, who is the applicant or agent on record; the opinion is still to come.
    pub fn rating_of(&mut self, way: Way, office: Office, who: Citizen, at: i64) -> Simulated {
        let event = self.world.event(&mut self.dice, way, office, who, at);
        self.world.rating(&mut self.dice, way, event, who, at)
    }

    /// A rating by `who` in the real case of somebody else, who has not rated it.
    pub fn rating_in_others_case(&mut self, way: Way, office: Office, who: Citizen, at: i64) -> Simulated {
        let client = self.client(office, at);
        let event = self.world.event(&mut self.dice, way, office, client, at);
        self.world.rating(&mut self.dice, way, event, who, at)
    }

    /// Ordinary clients' opinion.
    pub fn judge_as_usual(&mut self, rating: &mut Simulated) {
        let mood = self.world.ordinary_mood(&mut self.dice, rating);
        self.world.judge(&mut self.dice, rating, mood);
    }

    /// Sets stars and comment by mood.
    pub fn judge(&mut self, rating: &mut Simulated, mood: Mood) {
        self.world.judge(&mut self.dice, rating, mood);
    }

    /// Replaces the rater, and the device and line with it.
    pub fn by(&mut self, rating: &mut Simulated, hand: &Hand) {
        self.world.fill_rater(&mut self.dice, rating, hand.who);
        self.with_device(rating, hand.device);
        rating.link = Some(self.line(hand, rating.submitted));
        rating.proxy_known = self.dice.chance(0.9);
    }

    /// Replaces the device.
    pub fn with_device(&mut self, rating: &mut Simulated, device: Device) {
        self.world.use_device(&mut self.dice, rating, device);
    }

    fn line(&mut self, hand: &Hand, at: i64) -> Link {
        match hand.line {
            Line::Own => networks::usual(self.world.seed, &mut self.dice, hand.who, at),
            Line::Exits => networks::vpn(&mut self.dice),
            Line::Shared(link) => link,
        }
    }

    /// Hires `count` hands. The sloppy work from few devices and emulators of one host; the careful
    /// from phones of their own.
    pub fn hire(&mut self, count: usize, district: u8, age: Age) -> Vec<Hand> {
        let careful = self.skill;
        let seed = self.world.seed;
        let dice = &mut self.dice;
        let manager = self.world.people.resident(dice, district);
        let shared = Line::Shared(networks::usual(seed, dice, manager, self.start));
        let emulated = dice.chance(if age == Age::Lent { 0.06 } else { 0.45 - 0.35 * careful });
        let (mut host, mut devices) = (Device::phone(dice), Vec::new());
        host.emulate(dice);
        let per_device = 1 + dice.below(2 + ((1.0 - careful) * 9.0) as u64) as usize;
        for _ in 0..count.div_ceil(per_device) {
            let mut device = Device::phone(dice);
            if emulated {
                device.distortion = host.distortion;
                // The kit sees through some of the plainer ones.
                device.emulator = dice.chance(0.6 - careful);
            }
            devices.push(device);
        }
        let mut hands = Vec::with_capacity(count);
        for i in 0..count {
            let home = if dice.chance(0.7) { district } else { dice.below(16) as u8 };
            let who = match age {
                Age::New => {
                    let until = self.start;
                    self.world.people.newcomer(dice, home, until)
                }
                Age::Bought | Age::Lent => self.world.people.resident(dice, home),
            };
            let own_phone = dice.chance(if age == Age::Lent { 0.3 + 0.5 * careful } else { 0.6 * careful });
            let device = if own_phone { phone_of(seed, who.index) } else { devices[i / per_device] };
            let line = match dice.unit() {
                x if x < if age == Age::Lent { 0.85 } else { 0.35 + 0.4 * careful } => Line::Own,
                x if x < if age == Age::Lent { 0.96 } else { 0.85 } => shared,
                _ => Line::Exits,
            };
            hands.push(Hand { who, device, line });
        }
        hands
    }

    /// Makes the rating name a case that does not exist, but looks as if it did.
    pub fn invent_case(&mut self, rating: &mut Simulated) {
        rating.event.real = false;
        rating.event.applicant = None;
        let (office, completed) = (rating.event.office, rating.event.completed);
        rating.event.case = Some(self.world.case_number(&mut self.dice, office, completed));
        self.rematch(rating);
    }

    /// Leaves the case out.
    pub fn drop_case(&mut self, rating: &mut Simulated) {
        rating.event.case = None;
        self.rematch(rating);
    }

    /// Makes the rating name a case that its client has rated already, of the same department if
    /// one is to be had; otherwise of whatever office.
    pub fn reuse_case(&mut self, rating: &mut Simulated) {
        let count = self.rated_cases.len();
        if count == 0 {
            return self.invent_case(rating);
        }
        let from = self.dice.below(count as u64) as usize;
        let own = |event: &&Event| {
            event.office.department == rating.event.office.department
                && event.office.district == rating.event.office.district
        };
        let (tail, head) = (&self.rated_cases[from..], &self.rated_cases[..from]);
        let chosen = tail.iter().chain(head).find(own).unwrap_or(&self.rated_cases[from]);
        rating.event.case = chosen.case;
        rating.event.applicant = chosen.applicant;
        rating.event.real = true;
        self.rematch(rating);
    }

    /// Intake looks the case up again; the rater stays.
    pub fn rematch(&mut self, rating: &mut Simulated) {
        self.world.match_case(&mut self.dice, rating);
        if let Some(who) = rating.rater.who {
            self.world.fill_rater(&mut self.dice, rating, who);
        }
    }

    /// Fills the form in as fast as somebody who does nothing else.
    pub fn hurry(&mut self, rating: &mut Simulated) {
        if rating.opened.is_some() {
            let dwell_s = self.dice.along(&[(0.0, 0.8), (0.4, 3.0), (0.9, 12.0), (1.0, 60.0)]);
            rating.opened = Some(rating.submitted - (dwell_s * SECOND_MS as f64) as i64);
        }
    }

    /// Rates within minutes of the event, whatever the way.
    pub fn at_once(&mut self, rating: &mut Simulated) {
        rating.event.completed = rating.submitted - self.dice.between(20 * SECOND_MS, 25 * MINUTE_MS);
        rating.completed = rating.completed.map(|_| rating.event.completed);
    }

    /// Rates days after the event, as people do who look for cases to rate.
    pub fn late(&mut self, rating: &mut Simulated) {
        let days = self.dice.along(&[(0.0, 0.05), (0.5, 1.0), (1.0, 20.0)]);
        rating.event.completed = rating.submitted - (days * DAY_MS as f64) as i64;
        rating.completed = rating.completed.map(|_| rating.event.completed);
    }

    /// Enters a rating of the scenario's own.
    pub fn enter(&mut self, mut rating: Simulated) {
        rating.truth = self.truth;
        self.cast.push(rating);
    }

    /// Enters the rating of an honest person who is drawn into it.
    pub fn bystander(&mut self, mut rating: Simulated, scenario: &'static str) {
        let campaign = self.truth.campaign.map(|c| c + 1);
        rating.truth = Truth { label: Label::Genuine, scenario, campaign };
        self.cast.push(rating);
    }
}
