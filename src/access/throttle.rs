//! Slows down whoever guesses passwords.
//!
//! Failures are counted per account name and per client address. After five, each further try must wait:
//! 2 s, 4 s, 8 s and so on up to a quarter of an hour. An hour without a failure and all is forgotten. A
//! refused try counts as nothing, so that nobody is locked out for longer by trying again.
//!
//! It lives in memory: a restart forgets it, which costs a guesser more than it gives.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::account::login_name;

/// How sign-in is throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// Failures of one name before its tries must wait.
    pub free_per_name: u32,
    /// Failures from one address before its tries must wait. Raise it where many people share one.
    pub free_per_address: u32,
    /// Longest wait.
    pub wait_max: Duration,
    /// So long after the last failure all is forgotten.
    pub forget_after: Duration,
    /// Most names, and most addresses, that are remembered. When there are more, an eighth goes: those with
    /// the fewest failures first, of these the oldest. So a flood of new ones pushes out its own kind before
    /// one that is being guessed at.
    pub remembered: usize,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        Self {
            free_per_name: 5,
            free_per_address: 5,
            wait_max: Duration::from_secs(15 * 60),
            forget_after: Duration::from_secs(3_600),
            remembered: 10_000,
        }
    }
}

/// Failed tries by name and by address.
#[derive(Debug, Default)]
pub struct Throttle {
    limits: ThrottleLimits,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    by_name: HashMap<String, Failed>,
    by_address: HashMap<IpAddr, Failed>,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    times: u32,
    last: Instant,
}

impl Throttle {
    /// An empty one.
    pub fn new(limits: ThrottleLimits) -> Self {
        Self { limits, failures: Mutex::default() }
    }

    /// Asks whether a try may be made now, and counts it as failed until [`Throttle::succeeded`] says
    /// otherwise: tries made at once are counted before any of them is answered. Call it before the
    /// password is verified. A name that no account can have counts for its address alone.
    ///
    /// # Errors
    /// How long to wait, if it may not. Nothing is counted then.
    pub fn try_now(&self, name: &str, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let (name, address) = (login_name(name), network(address));
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let Failures { by_name, by_address } = &mut *failures;
        let limits = &self.limits;
        let of_name = name.as_ref().and_then(|name| by_name.get(name));
        let wait_of_name = of_name.map_or(Duration::ZERO, |f| limits.wait(*f, limits.free_per_name, now));
        let of_address = by_address.get(&address);
        let wait_of_address =
            of_address.map_or(Duration::ZERO, |f| limits.wait(*f, limits.free_per_address, now));
        let wait = wait_of_name.max(wait_of_address);
        if !wait.is_zero() {
            return Err(wait);
        }
        if let Some(name) = name {
            limits.count(by_name, name, now);
        }
        limits.count(by_address, address, now);
        Ok(())
    }

    /// Takes back that a try was counted as failed. The name starts anew; the address keeps its other
    /// failures, or whoever has one account could clear it for guessing at others.
    pub fn succeeded(&self, name: &str, address: IpAddr) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = login_name(name) {
            failures.by_name.remove(&name);
        }
        let address = network(address);
        if let Some(failed) = failures.by_address.get_mut(&address) {
            failed.times = failed.times.saturating_sub(1);
            if failed.times == 0 {
                failures.by_address.remove(&address);
            }
        }
    }
}

impl ThrottleLimits {
    /// How long to wait still after these failures: the n-th beyond the free ones, the last of which is the
    /// first, makes a wait of 2ⁿ seconds.
    fn wait(&self, failed: Failed, free: u32, now: Instant) -> Duration {
        let since = now.saturating_duration_since(failed.last);
        if since >= self.forget_after || failed.times < free.max(1) {
            return Duration::ZERO;
        }
        let exponent = failed.times - free.max(1) + 1;
        let whole = Duration::from_secs(1_u64.checked_shl(exponent).unwrap_or(u64::MAX)).min(self.wait_max);
        whole.saturating_sub(since)
    }

    fn count<K: Clone + Eq + Hash + Ord>(&self, map: &mut HashMap<K, Failed>, key: K, now: Instant) {
        if !map.contains_key(&key) && map.len() >= self.remembered.max(1) {
            self.make_room(map, now);
        }
        let failed = map.entry(key).or_insert(Failed { times: 0, last: now });
        let is_forgotten = now.saturating_duration_since(failed.last) >= self.forget_after;
        failed.times = if is_forgotten { 1 } else { failed.times.saturating_add(1) };
        failed.last = failed.last.max(now);
    }

    /// Drops what is forgotten anyhow, and an eighth if that is not enough.
    fn make_room<K: Clone + Eq + Hash + Ord>(&self, map: &mut HashMap<K, Failed>, now: Instant) {
        map.retain(|_, failed| now.saturating_duration_since(failed.last) < self.forget_after);
        if map.len() < self.remembered.max(1) {
            return;
        }
        let mut order: Vec<_> =
            map.iter().map(|(key, failed)| (failed.times, failed.last, key.clone())).collect();
        order.sort_unstable();
        for (_, _, key) in order.iter().take(map.len().div_ceil(8)) {
            map.remove(key);
        }
    }
}

/// What counts as one client: an IPv4 address, also where it is written as IPv6; of IPv6 the first 64 bits,
/// since a subscriber has all addresses below them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Fails as soon as it may, and says how long each try had to wait.
    fn waits(throttle: &Throttle, tries: usize, who: impl Fn(usize) -> (String, IpAddr)) -> Vec<u64> {
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for number in 0..tries {
            let (name, address) = who(number);
            let wait = throttle.try_now(&name, address, now).err().unwrap_or_default();
            waits.push(wait.as_secs());
            if !wait.is_zero() {
                let before = now + wait - Duration::from_nanos(1);
                assert_eq!(throttle.try_now(&name, address, before), Err(Duration::from_nanos(1)));
                now += wait;
                assert_eq!(throttle.try_now(&name, address, now), Ok(()), "waiting as long as told suffices");
            }
        }
        waits
    }

    const DOUBLING: [u64; 17] = [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900];

    #[test]
    fn after_five_failures_of_a_name_each_try_waits_twice_as_long_whatever_its_address() {
        let throttle = Throttle::default();
        let who = |number: usize| ("zhang".to_owned(), address(number as u8));
        assert_eq!(waits(&throttle, DOUBLING.len(), who), DOUBLING);
    }

    #[test]
    fn after_five_failures_from_an_address_each_try_waits_twice_as_long_whatever_its_name() {
        let throttle = Throttle::default();
        let who = |number: usize| (format!("name{number}"), address(1));
        assert_eq!(waits(&throttle, DOUBLING.len(), who), DOUBLING);
        let nameless = Throttle::default();
        let who = |_: usize| ("'; DROP TABLE account".to_owned(), address(1));
        assert_eq!(waits(&nameless, DOUBLING.len(), who), DOUBLING);
    }

    #[test]
    fn others_do_not_wait() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..5 {
            throttle.try_now("zhang", address(1), now).unwrap();
        }
        assert!(throttle.try_now("zhang", address(2), now).is_err());
        assert!(throttle.try_now("wang", address(1), now).is_err());
        assert_eq!(throttle.try_now("wang", address(2), now), Ok(()));
    }

    #[test]
    fn a_refused_try_makes_nobody_wait_longer() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..5 {
            throttle.try_now("zhang", address(1), now).unwrap();
        }
        for _ in 0..1_000 {
            assert_eq!(throttle.try_now("zhang", address(1), now), Err(seconds(2)));
        }
        assert_eq!(throttle.try_now("zhang", address(1), now + seconds(2)), Ok(()));
    }

    #[test]
    fn an_hour_without_a_failure_and_all_is_forgotten() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let mut now = start;
        for _ in 0..20 {
            if let Err(wait) = throttle.try_now("zhang", address(1), now) {
                now += wait;
                throttle.try_now("zhang", address(1), now).unwrap();
            }
        }
        let just_before = now + seconds(3_600) - Duration::from_nanos(1);
        assert_eq!(throttle.try_now("zhang", address(1), just_before), Ok(()), "the wait is over");
        assert!(throttle.try_now("zhang", address(1), just_before).is_err(), "but not forgotten");
        let much_later = just_before + seconds(3_600);
        for _ in 0..5 {
            assert_eq!(throttle.try_now("zhang", address(1), much_later), Ok(()));
        }
    }

    #[test]
    fn a_success_clears_the_name_and_takes_back_one_try_of_the_address() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for name in ["a1", "a2", "a3", "zhang", "zhang"] {
            throttle.try_now(name, address(1), now).unwrap();
        }
        throttle.succeeded("zhang", address(1));
        for _ in 0..4 {
            assert_eq!(throttle.try_now("zhang", address(2), now), Ok(()), "the name starts anew");
        }
        assert_eq!(throttle.try_now("wang", address(1), now), Ok(()), "the address had four left");
        assert!(throttle.try_now("wang", address(1), now).is_err(), "and now five");
        for _ in 0..100 {
            throttle.try_now("good", address(3), now).unwrap();
            throttle.succeeded("good", address(3));
        }
    }

    #[test]
    fn tries_made_at_once_are_counted_before_they_are_answered() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..100).filter(|_| throttle.try_now("zhang", address(1), now).is_ok()).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 5);
    }

    #[test]
    fn one_client_is_one_client_however_it_writes_its_name_and_address() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for (number, name) in ["zhang", " zhang", "ZHANG", "Zhang\n", "zhang"].into_iter().enumerate() {
            throttle.try_now(name, address(number as u8), now).unwrap();
        }
        assert!(throttle.try_now("zhAng", address(9), now).is_err());
        for (number, text) in
            ["2001:db8::1", "2001:db8::2", "2001:db8::ff:1", "2001:db8::3", "2001:db8::4"].iter().enumerate()
        {
            throttle.try_now(&format!("b{number}"), text.parse().unwrap(), now).unwrap();
        }
        assert!(throttle.try_now("b9", "2001:db8::5".parse().unwrap(), now).is_err());
        assert!(throttle.try_now("b9", "2001:db8:0:1::5".parse().unwrap(), now).is_ok());
        assert_eq!(network("::ffff:10.0.0.1".parse().unwrap()), address(1));
    }

    #[test]
    fn a_flood_is_bounded_and_does_not_push_out_what_is_being_guessed_at() {
        let limits = ThrottleLimits { remembered: 64, ..ThrottleLimits::default() };
        let throttle = Throttle::new(limits);
        let now = Instant::now();
        for number in 0..5 {
            throttle.try_now("zhang", address(number), now).unwrap();
        }
        for number in 0..10_000_u32 {
            let from = IpAddr::from((number + (11 << 24)).to_be_bytes());
            throttle
                .try_now(&format!("flood{number}"), from, now + Duration::from_nanos(number.into()))
                .unwrap();
            let failures = throttle.failures.lock().unwrap();
            assert!(failures.by_name.len() <= 64 && failures.by_address.len() <= 64);
        }
        assert!(throttle.try_now("zhang", address(9), now).is_err());
    }
}
