//! The city as one place: who meets which office in which case, and what each way of rating sends.
//!
//! Honest people and abusers are filled in here alike. A scenario then changes what its actors
//! really change, and nothing else.

use super::calendar::{civil, local_day, local_time};
use super::devices::{Device, computer_of, phone_of};
use super::networks;
use super::organisation::{DEPARTMENTS, Office, Organisation, kiosks_of};
use super::people::{Citizen, People};
use super::random::{Dice, Source};
use super::rating::{DeviceFields, Event, RaterFields, Simulated, Terminal, Truth, Way};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::wire::{CaseMatch, Label, Stage};

/// Share of the ratings from home that are about a visit to a hall, and name its window.
pub(super) const HALL_RATED_AT_HOME: f64 = 0.4;

/// Everything that is fixed under one seed.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub seed: u64,
    pub org: Organisation,
    pub people: People,
}

impl World {
    pub fn new(seed: u64, start: i64) -> Self {
        Self { seed, org: Organisation::new(seed), people: People::new(seed, start) }
    }

    /// An office that somebody rating this way at `at` has dealt with. Many who rate at home have been
    /// to a hall.
    pub fn office(&self, dice: &mut Dice, way: Way, at: i64) -> Office {
        if way.in_hall() || (way.own_device() && dice.chance(HALL_RATED_AT_HOME)) {
            self.org.window(dice, at)
        } else {
            self.org.online(dice)
        }
    }

    /// A service event at `office` that ended shortly before `at`, of a client who is `applicant`.
    pub fn event(&self, dice: &mut Dice, way: Way, office: Office, applicant: Citizen, at: i64) -> Event {
        let stage = STAGES[dice.weighted(stage_weights(way))];
        let minutes = dice.along(match way {
            Way::Pad | Way::Kiosk | Way::HallCode => &[(0.0, 0.1), (0.5, 1.0), (0.9, 6.0), (1.0, 40.0)],
            Way::Hotline => &[(0.0, 0.2), (0.7, 3.0), (0.9, 600.0), (1.0, 4_000.0)],
            Way::Message => &[(0.0, 4.0), (0.6, 90.0), (1.0, 1_800.0)],
            Way::Default => &[(0.0, 7_200.0), (1.0, 7_300.0)],
            _ => &[(0.0, 0.2), (0.3, 6.0), (0.6, 90.0), (0.85, 1_500.0), (1.0, 9_000.0)],
        });
        let completed = at - (minutes * MINUTE_MS as f64) as i64;
        let with_case = !dice.chance(match stage {
            Stage::Consult => 0.75,
            _ if way.in_hall() => 0.06,
            _ => 0.07,
        });
        Event {
            office,
            matter: dice.below(DEPARTMENTS[usize::from(office.department)].matters.len() as u64) as u8,
            stage,
            case: with_case.then(|| self.case_number(dice, office, completed)),
            real: true,
            applicant: Some(applicant.index),
            ticket: (office.post.is_some() && dice.chance(0.88)).then(|| ticket(completed, office)),
            completed,
        }
    }

    /// The event that a client deals with: mostly their own, sometimes a parent's, a child's, an
    /// employer's.
    pub fn client_event(&self, dice: &mut Dice, way: Way, office: Office, who: Citizen, at: i64) -> Event {
        let for_another = dice.chance(if way.on_computer() { 0.14 } else { 0.09 });
        let applicant = if for_another { self.people.relative(dice, who) } else { who };
        self.event(dice, way, office, applicant, at)
    }

    /// The number of a case that was opened some time before `completed`: district, date and a serial
    /// that follows the time of day.
    pub fn case_number(&self, dice: &mut Dice, office: Office, completed: i64) -> u64 {
        let days = dice.along(&[(0.0, 0.0), (0.55, 0.02), (0.8, 5.0), (1.0, 40.0)]);
        let opened = completed - (days * DAY_MS as f64) as i64;
        let (year, month, day) = civil(local_day(opened));
        let date = (year as u64 % 100) * 10_000 + u64::from(month) * 100 + u64::from(day);
        let serial = (local_time(opened) / SECOND_MS) as u64 * 100 + dice.below(100);
        ((990_101 + u64::from(office.district)) * 1_000_000 + date) * 10_000_000 + serial
    }

    /// A rating of `event` by `who`, submitted at `at`, with everything that this way normally sends.
    /// Stars and comment are still to come ([`World::judge`]).
    pub fn rating(&self, dice: &mut Dice, way: Way, event: Event, who: Citizen, at: i64) -> Simulated {
        let delay_s = dice.along(match way {
            Way::Hotline => &[(0.0, 5.0), (0.8, 120.0), (1.0, 900.0)],
            Way::Message => &[(0.0, 1.0), (0.9, 20.0), (1.0, 300.0)],
            _ => &[(0.0, 0.05), (0.9, 0.6), (0.99, 3.0), (1.0, 40.0)],
        });
        let mut rating = Simulated {
            id: dice.bits(),
            supersedes: None,
            submitted: at,
            received: at + (delay_s * SECOND_MS as f64) as i64,
            opened: None,
            way,
            stars: 5,
            origin: None,
            hall_stars: 0,
            aspects: [0; 6],
            tags: 0,
            comment: None,
            event,
            case_match: None,
            completed: dice
                .chance(if has_ended(event.stage) { 0.93 } else { 0.1 })
                .then_some(event.completed),
            rater: RaterFields::default(),
            device: DeviceFields::default(),
            link: None,
            proxy_known: false,
            truth: Truth { label: Label::Genuine, scenario: super::ORDINARY, campaign: None },
        };
        self.match_case(dice, &mut rating);
        self.fill_rater(dice, &mut rating, who);
        self.fill_device(dice, &mut rating, who);
        if way.own_device() || way == Way::Pad || way == Way::Kiosk {
            let dwell_s = dice.along(match way {
                Way::Pad => &[(0.0, 0.7), (0.15, 1.6), (0.5, 3.2), (0.9, 9.0), (1.0, 45.0)],
                Way::Kiosk => &[(0.0, 1.5), (0.5, 7.0), (0.9, 22.0), (1.0, 90.0)],
                _ => &[(0.0, 0.9), (0.06, 2.2), (0.5, 9.0), (0.9, 35.0), (0.99, 200.0), (1.0, 1_500.0)],
            });
            rating.opened = dice.chance(0.97).then(|| at - (dwell_s * SECOND_MS as f64) as i64);
        }
        rating
    }

    /// What intake finds when it looks the case up.
    pub fn match_case(&self, dice: &mut Dice, rating: &mut Simulated) {
        let found = if rating.event.real {
            // Late synchronisation and mistyped numbers.
            [955, 20, 25]
        } else {
            [0, 700, 300]
        };
        rating.case_match = rating.event.case.map(|_| match dice.weighted(&found) {
            0 => CaseMatch::Matched,
            1 => CaseMatch::Unmatched,
            _ => CaseMatch::Unchecked,
        });
    }

    /// Fills in the rater as this way knows them.
    pub fn fill_rater(&self, dice: &mut Dice, rating: &mut Simulated, who: Citizen) {
        let way = rating.way;
        let mut fields = RaterFields { who: Some(who), ..RaterFields::default() };
        // How often the way knows: account, id number, telephone, whether verified.
        let (account, id_number, telephone, verified) = match way {
            Way::Pad => (0.0, 0.02, 0.25, 0.02),
            Way::Kiosk => (0.0, 0.85, 0.1, 0.85),
            Way::App => (1.0, 0.3, 0.4, 0.97),
            Way::HallCode | Way::Wechat => (0.93, 0.1, 0.35, 0.8),
            Way::Alipay => (0.95, 0.15, 0.3, 0.93),
            Way::Portal => (0.92, 0.2, 0.3, 0.9),
            Way::Site => (0.55, 0.05, 0.4, 0.4),
            Way::Hotline | Way::Message => (0.0, 0.0, 0.99, 0.0),
            Way::Default => (0.0, 0.0, 0.0, 0.0),
        };
        if dice.chance(account) {
            fields.account = Some(self.people.account_bits(who));
            fields.registered = dice.chance(0.88);
        }
        if dice.chance(id_number) {
            fields.id_number = Some(self.people.id_number(who));
        }
        if dice.chance(telephone) {
            fields.telephone = Some(self.people.telephone(who));
        }
        if verified > 0.0 && (fields.account.is_some() || fields.id_number.is_some()) {
            fields.verified = Some(dice.chance(verified));
        }
        let known = match way {
            Way::Pad => 0.3,
            Way::Default => 0.0,
            Way::Hotline | Way::Message => 0.5,
            _ => 0.86,
        };
        if rating.case_match == Some(CaseMatch::Matched) && dice.chance(known) {
            fields.is_applicant = Some(rating.event.applicant == Some(who.index) || dice.chance(0.002));
        }
        rating.rater = fields;
    }

    /// Fills in the device and network as this way sees them.
    pub fn fill_device(&self, dice: &mut Dice, rating: &mut Simulated, who: Citizen) {
        let (way, at) = (rating.way, rating.submitted);
        if let (Way::Pad | Way::Kiosk, Some(post)) = (way, rating.event.office.post) {
            let kiosk = way == Way::Kiosk;
            let number = if kiosk { dice.below(kiosks_of(post.hall)) as u8 } else { post.window };
            let district = rating.event.office.district;
            self.use_terminal(dice, rating, Terminal { kiosk, district, hall: post.hall, number });
        } else if way.own_device() {
            let device = if way.on_computer() {
                computer_of(self.seed, who.household())
            } else {
                phone_of(self.seed, who.index)
            };
            self.use_device(dice, rating, device);
            rating.link = match rating.event.office.post {
                Some(post) if way == Way::HallCode && dice.chance(0.3) => {
                    Some(networks::hall_wifi(rating.event.office.district, post.hall))
                }
                _ if way == Way::HallCode => Some(networks::cellular(self.seed, dice, who.index, at)),
                _ => Some(networks::usual(self.seed, dice, who, at)),
            };
            rating.proxy_known = dice.chance(0.9);
        }
    }

    /// Has the rating come from a managed terminal.
    pub fn use_terminal(&self, dice: &mut Dice, rating: &mut Simulated, terminal: Terminal) {
        rating.device = DeviceFields { terminal: Some(terminal), ..DeviceFields::default() };
        rating.link = dice.chance(0.95).then(|| networks::hall_lan(terminal.district, terminal.hall));
    }

    /// Has the rating come from this device; which facts are sent depends on the way.
    pub fn use_device(&self, dice: &mut Dice, rating: &mut Simulated, device: Device) {
        let browser = rating.way.on_computer();
        let in_app = rating.way == Way::App;
        // Blockers and old kits: a few send nothing but a user agent.
        let bare = dice.chance(if browser { 0.05 } else { 0.015 });
        rating.device = DeviceFields {
            device: Some(device),
            terminal: None,
            fingerprint: !bare && dice.chance(if browser { 0.85 } else { 0.965 }),
            app_version: in_app || (!browser && !bare && dice.chance(0.9)),
            user_agent: !in_app || dice.chance(0.5),
            details: !bare && dice.chance(0.98),
            canvas: !bare && dice.chance(if in_app { 0.9 } else { 0.94 }),
            checks: !bare && dice.chance(0.95),
        };
    }
}

const STAGES: [Stage; 7] = [
    Stage::Consult,
    Stage::Apply,
    Stage::Accept,
    Stage::Process,
    Stage::Complete,
    Stage::Collect,
    Stage::Revisit,
];

fn stage_weights(way: Way) -> &'static [u32; 7] {
    match way {
        Way::Pad | Way::Kiosk | Way::HallCode => &[8, 6, 33, 3, 36, 14, 0],
        Way::Hotline => &[58, 0, 0, 6, 0, 0, 36],
        Way::Message => &[0, 0, 4, 0, 66, 6, 24],
        Way::Default => &[0, 0, 0, 0, 1, 0, 0],
        _ => &[5, 12, 10, 8, 55, 5, 5],
    }
}

/// Whether something has ended at this stage that could be rated by its end.
fn has_ended(stage: Stage) -> bool {
    !matches!(stage, Stage::Apply | Stage::Process)
}

/// The queue ticket: letter by window, number by time of day.
pub(super) fn ticket(at: i64, office: Office) -> u16 {
    let letter = office.post.map_or(0, |post| u16::from(post.window) % 8);
    let since_open = (local_time(at) - 8 * HOUR_MS).max(0) / (40 * SECOND_MS);
    letter * 1_000 + (since_open % 1_000) as u16
}
