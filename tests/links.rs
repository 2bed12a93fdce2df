//! What the features of traits and links promise: chance links nobody, and what gathers shows where it does.

use std::sync::Arc;

use zhenping::catalogue::FeatureVector;
use zhenping::date::UtcOffset;
use zhenping::features::state::StateLimits;
use zhenping::pseudonym::Keyring;
use zhenping::rules::shipped;
use zhenping::scoring::{Engine, Preparer, Ruling};

/// A small generator of fixed seed (SplitMix64), so that a failure repeats.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

struct City {
    ruling: Arc<Ruling>,
    preparer: Preparer,
    engine: Engine,
    chance: Chance,
    minute: u64,
    count: u64,
}

/// One rating; the rest is drawn as among honest people.
#[derive(Clone)]
struct Given {
    clerk: u64,
    account: Option<u64>,
    ip: Option<String>,
    registered: Option<&'static str>,
    applicant: Option<bool>,
    model: Option<u64>,
    text: Option<String>,
}

impl Given {
    fn of(clerk: u64) -> Self {
        Self { clerk, account: None, ip: None, registered: None, applicant: None, model: None, text: None }
    }
}

impl City {
    fn new() -> Self {
        let ruling = Arc::new(Ruling::load(shipped()).expect("the shipped rules are sound"));
        let preparer = Preparer::new(Arc::new(Keyring::public()), UtcOffset::CHINA);
        let engine = Engine::new(Arc::clone(&ruling), StateLimits::default(), UtcOffset::CHINA);
        Self { ruling, preparer, engine, chance: Chance(7), minute: 0, count: 0 }
    }

    fn rate(&mut self, given: Given) -> FeatureVector {
        self.count += 1;
        self.minute += 1 + self.chance.below(3);
        let (count, chance) = (self.count, &mut self.chance);
        let account = given.account.unwrap_or_else(|| chance.below(1 << 40));
        let ip = given.ip.unwrap_or_else(|| {
            format!("36.{}.{}.{}", chance.below(200), chance.below(250), chance.below(250))
        });
        let registered = given.registered.map_or_else(
            || format!("20{}-{:02}-{:02}", 16 + chance.below(9), 1 + chance.below(12), 1 + chance.below(28)),
            str::to_owned,
        );
        let applicant = given.applicant.unwrap_or_else(|| !chance.one_in(12));
        let matched = if chance.one_in(10) { "unmatched" } else { "matched" };
        let model = given.model.unwrap_or_else(|| chance.below(60));
        let at = jiff::Timestamp::from_second(1_772_000_000 + self.minute as i64 * 60).expect("in range");
        let comment = given.text.map(|t| format!(r#","comment":"{t}""#)).unwrap_or_default();
        let line = format!(
            r#"{{"rating_id":"r-{count}","submitted_at":"{at}","channel":"mobile_app","entry":"suishenban","stars":5{comment},
            "service":{{"matter":"M-{}","department":"D","district":"X","hall":"H","window":"W{}","clerk":"C{}","case_no":"K{count}","case_match":"{matched}","stage":"complete"}},
            "rater":{{"account":"a{account}","registered_at":"{registered}T08:00:00+08:00","is_applicant":{applicant},"verified":true}},
            "device":{{"fingerprint":"f{account}","platform":"android","model":"m{model}","screen":"1080x2400","canvas":"c{}","language":"zh-CN","timezone":"Asia/Shanghai","os_version":"14"}},
            "network":{{"ip":"{ip}"}}}}"#,
            chance.below(20),
            given.clerk,
            given.clerk,
            model / 3,
        );
        let mut prepared =
            self.preparer.prepare(line.as_bytes(), self.ruling.catalogue().len()).expect("a valid rating");
        self.engine.observe(&mut [&mut prepared], |_, _| {});
        prepared.features
    }

    fn int(&self, features: &FeatureVector, name: &str) -> Option<i64> {
        features.int(self.ruling.catalogue().find(name).expect("a feature"))
    }

    fn float(&self, features: &FeatureVector, name: &str) -> Option<f64> {
        features.float(self.ruling.catalogue().find(name).expect("a feature"))
    }

    /// Honest ratings for twenty clerks, so that shares are known.
    fn ordinary(&mut self, ratings: u64) {
        for _ in 0..ratings {
            let clerk = self.chance.below(20);
            self.rate(Given::of(clerk));
        }
    }
}

#[test]
fn strangers_agree_by_chance_and_are_not_linked() {
    let mut city = City::new();
    city.ordinary(1_500);
    let (mut linked, mut ratings) = (0, 0);
    for _ in 0..1_500 {
        let clerk = city.chance.below(20);
        let features = city.rate(Given::of(clerk));
        ratings += 1;
        linked += i64::from(city.int(&features, "links.target").expect("present") > 0);
    }
    // Each is compared with up to 48 others; of such pairs about one in a thousand may be linked.
    assert!(linked * 20 < ratings, "{linked} of {ratings} honest ratings are linked");
}

#[test]
fn accounts_of_one_hand_are_linked_though_each_has_a_device_of_its_own() {
    let mut city = City::new();
    city.ordinary(1_500);
    let mut last = None;
    for n in 0..8 {
        city.ordinary(20);
        let ring = Given {
            ip: Some("117.9.33.7".to_owned()),
            registered: Some(if n % 2 == 0 { "2026-02-11" } else { "2026-02-12" }),
            model: Some(59),
            applicant: Some(false),
            ..Given::of(3)
        };
        last = Some(city.rate(ring));
    }
    let last = last.expect("eight ratings");
    assert!(city.int(&last, "links.target").expect("present") >= 5, "the ring is seen");
    assert!(city.float(&last, "links.past_subnet").expect("present") > 1.0, "and where it comes from");
}

#[test]
fn what_gathers_at_one_target_shows_there_and_not_at_its_neighbours() {
    let mut city = City::new();
    city.ordinary(2_000);
    for _ in 0..12 {
        city.ordinary(5);
        city.rate(Given { applicant: Some(false), ..Given::of(3) });
    }
    let here = city.rate(Given { applicant: Some(false), ..Given::of(3) });
    let there = city.rate(Given { applicant: Some(false), ..Given::of(4) });
    let here = city.float(&here, "traits.target_excess").expect("present");
    let there = city.float(&there, "traits.target_excess").expect("present");
    assert!(here > 2.0, "excess {here} where others than applicants gather");
    assert!(there < here / 2.0, "excess {there} at a neighbour, {here} there");
    let applicant = city.rate(Given { applicant: Some(true), ..Given::of(3) });
    let top = city.float(&applicant, "traits.target_excess").expect("present");
    assert!(top < here / 2.0, "an applicant at the same target is not touched: {top}");
}

#[test]
fn offices_of_two_districts_are_two_though_the_department_has_one_code() {
    let mut city = City::new();
    city.ordinary(5);
    let keys = |district: &str| {
        let line = format!(
            r#"{{"rating_id":"r","submitted_at":"2026-03-02T10:15:00+08:00","channel":"portal","stars":5,
                "service":{{"matter":"M","department":"RS","district":"{district}"}}}}"#
        );
        city.preparer.prepare(line.as_bytes(), city.ruling.catalogue().len()).expect("valid").keys
    };
    use zhenping::features::keys::KeyField::{Department, Office, Target};
    let (one, other) = (keys("310101"), keys("310112"));
    assert_eq!(one.get(Department), other.get(Department));
    assert_ne!(one.get(Office), other.get(Office));
    assert_ne!(one.get(Target), other.get(Target));
}
