//! Addresses: home lines, carriers' shared pools, hall Wi-Fi, offices and VPN exits.
//!
//! All are from ranges that no one is assigned (`240.0.0.0/4`, `3fff::/20`) and private AS numbers.

use super::people::Citizen;
use super::random::{Derived, Purpose, Source};
use crate::time::{DAY_MS, HOUR_MS};

/// Addresses in one carrier's shared pool; with some 600 k citizens behind each carrier, thousands
/// share one within a day.
const POOL: u64 = 96;

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    V4(u32),
    V6(u128),
}

/// What intake sees of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub address: Address,
    pub asn: u32,
    pub proxy: bool,
}

fn v4(block: u32, host: u64, asn: u32) -> Link {
    Link { address: Address::V4(block | (host as u32 & 0x00FF_FFFF)), asn, proxy: false }
}

/// The carrier of a household or person: 0 to 2.
fn carrier(traits: &mut Derived) -> u32 {
    traits.weighted(&[46, 30, 24]) as u32
}

/// The home line at `at`: the address changes every few days.
pub(super) fn home(seed: u64, dice: &mut impl Source, who: Citizen, at: i64) -> Link {
    let household = who.household();
    let mut traits = Derived::new(seed, Purpose::Home, household);
    let carrier = carrier(&mut traits);
    let lease_days = traits.between(2, 9);
    let lease = (at / DAY_MS + traits.between(0, 8)) / lease_days;
    let mut lease = Derived::new(seed, Purpose::Home, household << 20 | (lease as u64 & 0xF_FFFF));
    let (host, prefix) = (lease.below(1 << 22), lease.below(1 << 40));
    if traits.chance(0.6) && dice.chance(0.7) {
        return v6(carrier, prefix, dice.bits());
    }
    v4(0xF000_0000 + (carrier << 24), host, 64_512 + carrier)
}

fn v6(carrier: u32, prefix: u64, interface: u64) -> Link {
    let address =
        0x3fff_u128 << 112 | u128::from(carrier) << 104 | u128::from(prefix) << 64 | u128::from(interface);
    Link { address: Address::V6(address), asn: 64_512 + carrier, proxy: false }
}

/// The mobile network at `at`: a shared IPv4 address that changes hourly, or an own IPv6 prefix.
pub(super) fn cellular(seed: u64, dice: &mut impl Source, index: u64, at: i64) -> Link {
    let mut traits = Derived::new(seed, Purpose::Cellular, index);
    let carrier = carrier(&mut traits);
    let hour = at / HOUR_MS;
    let mut session = Derived::new(seed, Purpose::Cellular, index << 20 | (hour as u64 & 0xF_FFFF));
    let (host, prefix) = (session.below(POOL), session.below(1 << 40));
    if traits.chance(0.55) && dice.chance(0.8) {
        return v6(carrier + 4, prefix, dice.bits());
    }
    v4(0xF400_0000 + (carrier << 24), host, 64_512 + carrier)
}

/// Some shared address of a carrier's pool.
pub(super) fn pool_address(dice: &mut impl Source) -> Link {
    let carrier = dice.below(3) as u32;
    v4(0xF400_0000 + (carrier << 24), dice.below(POOL), 64_512 + carrier)
}

/// A hall's public Wi-Fi.
pub(super) fn hall_wifi(district: u8, hall: u8) -> Link {
    v4(0xF800_0000, u64::from(district) << 12 | u64::from(hall) << 8 | 1, 64_512)
}

/// A hall's own network, with the terminals.
pub(super) fn hall_lan(district: u8, hall: u8) -> Link {
    v4(0xF900_0000, u64::from(district) << 12 | u64::from(hall) << 8 | 2, 64_520)
}

/// The line of workplace `number`, which all who work there share.
pub(super) fn workplace(number: u64) -> Link {
    let carrier = (number % 3) as u32;
    v4(0xFA00_0000 + (carrier << 20), number % (1 << 20), 64_512 + carrier)
}

/// An exit of a VPN or hosting service: some 400 are in use. Intake recognises most.
pub(super) fn vpn(dice: &mut impl Source) -> Link {
    let exit = dice.below(400);
    let mut link = v4(0xFC00_0000, exit * 37, 64_530 + (exit % 5) as u32);
    link.proxy = dice.chance(0.85);
    link
}

/// How a citizen is usually connected at `at`.
pub(super) fn usual(seed: u64, dice: &mut impl Source, who: Citizen, at: i64) -> Link {
    match dice.weighted(&[46, 46, 7, 2]) {
        0 => cellular(seed, dice, who.index, at),
        1 => home(seed, dice, who, at),
        2 => workplace(Derived::new(seed ^ 1, Purpose::Home, who.index).below(60_000)),
        _ => vpn(dice),
    }
}

#[cfg(test)]
mod tests {
    use super::super::people::People;
    use super::super::random::Dice;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_carriers_address_is_shared_by_strangers_and_a_home_line_is_not() {
        let people = People::new(1, 1_773_792_000_000);
        let mut dice = Dice::new(1, Purpose::Ordinary, 0);
        let (mut pool, mut homes) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..20_000 {
            let who = people.resident(&mut dice, 1);
            for (link, seen) in [
                (cellular(1, &mut dice, who.index, 1_773_792_000_000), &mut pool),
                (home(1, &mut dice, who, 1_773_792_000_000), &mut homes),
            ] {
                if let Address::V4(ip) = link.address {
                    *seen.entry(ip).or_insert(0_u32) += 1;
                }
            }
        }
        assert!(pool.values().max() > Some(&40));
        assert!(homes.values().max() < Some(&6));
    }
}
