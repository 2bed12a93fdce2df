//! What the look-back promises.

use proptest::prelude::*;

use super::*;
use crate::features::mix;

/// Judges by how suspect the linked ratings are.
struct ByLinks;

impl GroupScore for ByLinks {
    fn logit(&self, _fold: u8, own: f32, columns: &[f32]) -> f64 {
        let names = super::columns();
        let suspects: f32 = names
            .iter()
            .zip(columns)
            .filter(|(name, value)| name.ends_with("suspect_72h") && !value.is_nan())
            .map(|(_, value)| value.min(3.0))
            .sum();
        f64::from(own) + f64::from(suspects)
    }

    fn hold(&self, _bad: bool) -> f32 {
        0.5
    }
}

/// A rating with these links; the rest are its own.
fn rating(sequence: u64, at_hours: i64, own: f64, bad: bool, links: &[(Link, u64)]) -> Entrant {
    let mut keys: LinkKeys = std::array::from_fn(|link| mix(sequence * 100 + link as u64 + 1).max(1));
    for &(link, key) in links {
        keys[link as usize] = mix(key ^ mix(link as u64)).max(1);
    }
    Entrant(Member {
        sequence,
        at_ms: at_hours * HOUR_MS,
        keys,
        own: own as f32,
        traits: [own as f32, f32::from(u8::from(bad)), f32::NAN, f32::NAN, f32::NAN, f32::NAN],
        bad,
        label: sequence + 1,
        ..Member::default()
    })
}

fn run(ratings: Vec<Entrant>) -> Vec<Finding> {
    let (mut lookback, mut findings) = (Lookback::new(1000), Vec::new());
    for mut entrant in ratings {
        let look = lookback.look(&mut entrant, &mut ByLinks);
        lookback.join(entrant, &look, look.logit > 0.0, true, &mut ByLinks, &mut findings);
    }
    findings
}

fn sequences(findings: &[Finding]) -> Vec<u64> {
    findings.iter().map(|finding| finding.sequence).collect()
}

#[test]
fn a_late_giveaway_brings_back_the_earlier_ratings_of_its_device() {
    let device = [(Link::Device, 7)];
    let findings = run(vec![
        rating(0, 0, -1.0, false, &device),
        rating(1, 1, -1.0, false, &device),
        rating(2, 1, -1.0, false, &[]),
        rating(3, 2, 3.0, false, &device),
    ]);
    assert_eq!(sequences(&findings), [1, 0]);
    assert!(findings.iter().all(|finding| finding.look.suspects[Link::Device as usize] >= 1));
}

#[test]
fn an_outage_of_unrelated_people_finds_nobody() {
    let at = [(Link::Target, 1), (Link::Office, 1)];
    let findings = run((0..200).map(|i| rating(i, i as i64 / 50, -3.0, true, &at)).collect());
    assert_eq!(findings, []);
}

#[test]
fn text_and_subnet_alone_never_bring_back_a_bad_rating() {
    let words = [(Link::Text, 1), (Link::Subnet, 2), (Link::Ip, 3), (Link::TargetSubnet, 4)];
    let mut ratings: Vec<Entrant> = vec![rating(0, 0, -1.0, true, &words)];
    ratings.extend((1..10).map(|i| rating(i, 1, 4.0, true, &words)));
    assert_eq!(run(ratings), []);
    // A good rating is brought back by them.
    let mut ratings: Vec<Entrant> = vec![rating(0, 0, -1.0, false, &words)];
    ratings.extend((1..10).map(|i| rating(i, 1, 4.0, false, &words)));
    assert_eq!(sequences(&run(ratings)), [0]);
}

#[test]
fn one_strong_link_does_not_bring_back_a_bad_rating_and_two_do() {
    let suspect =
        |links: &[(Link, u64)]| run(vec![rating(0, 0, -1.0, true, links), rating(1, 1, 4.0, true, links)]);
    assert_eq!(suspect(&[(Link::Device, 1)]), []);
    // An account and its phone are one and the same person.
    assert_eq!(suspect(&[(Link::Rater, 1), (Link::Phone, 1)]), []);
    assert_eq!(sequences(&suspect(&[(Link::Device, 1), (Link::Case, 1)])), [0]);
}

#[test]
fn a_matched_applicants_bad_rating_is_never_brought_back() {
    let links = [(Link::Device, 1), (Link::Case, 1), (Link::Rater, 1)];
    let mut first = rating(0, 0, -1.0, true, &links);
    first.0.settled = true;
    assert_eq!(run(vec![first, rating(1, 1, 4.0, true, &links)]), []);
}

#[test]
fn what_is_found_while_a_model_is_not_believed_can_be_found_again() {
    let device = [(Link::Device, 7)];
    let (mut lookback, mut findings) = (Lookback::new(1000), Vec::new());
    for (i, believed) in [(0, true), (1, false), (2, true)] {
        let own = if i == 0 { -1.0 } else { 4.0 };
        let mut entrant = rating(i, i as i64, own, false, &device);
        let look = lookback.look(&mut entrant, &mut ByLinks);
        lookback.join(entrant, &look, i > 0, believed, &mut ByLinks, &mut findings);
        assert_eq!(sequences(&findings), if i < 2 { vec![] } else { vec![0] });
    }
}

#[test]
fn ratings_more_than_three_days_apart_are_not_linked() {
    let device = [(Link::Device, 7)];
    assert_eq!(run(vec![rating(0, 0, -1.0, false, &device), rating(1, 80, 4.0, false, &device)]), []);
}

#[test]
fn a_rating_from_the_far_future_moves_nothing_and_nothing_is_forgotten_for_it() {
    let device = [(Link::Device, 7)];
    let findings = run(vec![
        rating(0, 0, -1.0, false, &device),
        rating(1, 1_000_000, 4.0, false, &device),
        rating(2, 1, 4.0, false, &device),
    ]);
    assert_eq!(sequences(&findings), [0]);
}

#[test]
fn a_campaign_has_the_number_of_its_first_rating() {
    let device = [(Link::Device, 7)];
    let mut lookback = Lookback::new(1000);
    let mut findings = Vec::new();
    let mut campaigns = Vec::new();
    for i in 0..4 {
        let mut entrant = rating(i, i as i64, 3.0, false, &device);
        let look = lookback.look(&mut entrant, &mut ByLinks);
        campaigns.push(look.campaign);
        lookback.join(entrant, &look, true, true, &mut ByLinks, &mut findings);
    }
    assert_eq!(campaigns, [0, 1, 1, 1]);
}

fn traffic() -> impl Strategy<Value = Vec<Entrant>> {
    let one = (0_i64..200, -4.0_f64..4.0, any::<bool>(), 0_u64..6, 0_u64..6, 0_u64..4);
    proptest::collection::vec(one, 1..120).prop_map(|ratings| {
        let mut ratings: Vec<Entrant> = ratings
            .into_iter()
            .enumerate()
            .map(|(i, (at, own, bad, device, text, target))| {
                let links = [
                    (Link::Device, device),
                    (Link::Text, text),
                    (Link::Target, target * 2 + u64::from(bad)),
                    (Link::Office, u64::from(bad)),
                ];
                rating(i as u64, at, own, bad, &links)
            })
            .collect();
        ratings.sort_by_key(|entrant| entrant.0.at_ms);
        ratings
    })
}

proptest! {
    #[test]
    fn a_look_back_that_was_written_and_read_goes_on_as_if_nothing_had_been(
        ratings in traffic(), cut in 0_usize..120,
    ) {
        let (mut one, mut other) = (Lookback::new(60), Lookback::new(60));
        let (mut found, mut found_other) = (Vec::new(), Vec::new());
        for (i, entrant) in ratings.into_iter().enumerate() {
            if i == cut {
                other = postcard::from_bytes(&postcard::to_stdvec(&other).unwrap()).unwrap();
            }
            let (mut a, mut b) = (entrant.clone(), entrant);
            let (look, look_other) = (one.look(&mut a, &mut ByLinks), other.look(&mut b, &mut ByLinks));
            prop_assert_eq!(look, look_other);
            one.join(a, &look, look.logit > 1.0, true, &mut ByLinks, &mut found);
            other.join(b, &look_other, look_other.logit > 1.0, true, &mut ByLinks, &mut found_other);
        }
        prop_assert_eq!(found, found_other);
        prop_assert!(one.len() <= 61);
    }

    #[test]
    fn what_the_cells_count_is_what_the_members_believe(ratings in traffic()) {
        let mut lookback = Lookback::new(10_000);
        let mut findings = Vec::new();
        let count = ratings.len() as u64;
        for mut entrant in ratings {
            let look = lookback.look(&mut entrant, &mut ByLinks);
            lookback.join(entrant, &look, false, true, &mut ByLinks, &mut findings);
        }
        let members: Vec<Member> =
            (0..count as u32).filter_map(|number| lookback.members.get(number).cloned()).collect();
        for me in &members {
            let key = me.keys[Link::Target as usize];
            if key == 0 {
                continue;
            }
            let slot = |ms: i64| ms.div_euclid(HOUR_MS);
            let mut naive = Tally::default();
            members
                .iter()
                .filter(|other| other.keys[Link::Target as usize] == key)
                .filter(|other| (slot(other.at_ms) - slot(me.at_ms)).abs() <= 6)
                .for_each(|other| naive.add(Tally::of(other.belief)));
            let counted = lookback.cells.around(key, me.at_ms)[0];
            // Members that are forgotten are counted a while longer.
            if lookback.len() as u64 == count {
                prop_assert_eq!(counted, naive);
            }
        }
    }
}
