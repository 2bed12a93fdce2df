//! The ratings of the last days, each chained to the one before it under each of its links.

use std::collections::VecDeque;

use super::links::{Link, LinkKeys};
use crate::hashed::HashedMap;

/// A rating, as far as the look-back knows it.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Member {
    /// Its place in the log.
    pub sequence: u64,
    /// When it was submitted, in ms.
    pub at_ms: i64,
    /// The newest time that had been seen when it came.
    pub came_ms: i64,
    /// By what it is linked.
    pub keys: LinkKeys,
    /// Log-odds by itself, calibrated.
    pub own: f32,
    /// What else the group model reads of it.
    pub traits: [f32; super::TRAITS.len()],
    /// How likely it is not genuine, as things stand, in parts of 65535.
    pub belief: u16,
    /// A bad rating.
    pub bad: bool,
    /// The look-back leaves it alone: it is on hold already, a person decided it, or it is the bad rating
    /// of a matched applicant.
    pub settled: bool,
    /// A hash of its id, from which a campaign that begins with it has its own.
    pub label: u64,
    /// Its campaign; 0 where it is in none.
    pub campaign: u64,
    /// Which fold's model judges it while a model is being trained; 0 in service.
    pub fold: u8,
    pub(super) before: [u32; Link::WALKED.len()],
}

/// Numbers of members count up and wrap; one that is no longer there is found to be so.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Members {
    ring: VecDeque<Member>,
    first: u64,
    /// The latest member under each key.
    latest: HashedMap<u32>,
}

/// No member.
const NOBODY: u32 = u32::MAX;

impl Members {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    fn index(&self, number: u32) -> Option<usize> {
        let index = number.wrapping_sub(self.first as u32) as usize;
        (number != NOBODY && index < self.ring.len()).then_some(index)
    }

    /// The member with this number, if it is still there.
    pub fn get(&self, number: u32) -> Option<&Member> {
        self.index(number).map(|index| &self.ring[index])
    }

    /// Likewise, to change.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut Member> {
        self.index(number).map(|index| &mut self.ring[index])
    }

    /// The latest members, at most so many, latest first, to change.
    pub fn latest(&mut self, most: usize) -> impl Iterator<Item = &mut Member> {
        self.ring.iter_mut().rev().take(most)
    }

    /// Adds a member; gives its number.
    pub fn push(&mut self, mut member: Member) -> u32 {
        let mut number = (self.first + self.ring.len() as u64) as u32;
        if number == NOBODY {
            // This number is nobody's. Once in four thousand million ratings it all begins anew.
            self.first += self.ring.len() as u64 + 1;
            self.ring.clear();
            self.latest.clear();
            number = self.first as u32;
        }
        for (before, &link) in member.before.iter_mut().zip(Link::WALKED) {
            let key = member.keys[link as usize];
            *before = if key == 0 { NOBODY } else { self.latest.insert(key, number).unwrap_or(NOBODY) };
        }
        self.ring.push_back(member);
        number
    }

    /// Forgets members that came before a time, and the oldest beyond `most`.
    pub fn forget(&mut self, before_ms: i64, most: usize) {
        while let Some(first) = self.ring.front()
            && (first.came_ms < before_ms || self.ring.len() > most)
        {
            let number = self.first as u32;
            for &link in Link::WALKED {
                let key = first.keys[link as usize];
                if self.latest.get(&key) == Some(&number) {
                    self.latest.remove(&key);
                }
            }
            self.ring.pop_front();
            self.first += 1;
        }
    }

    /// The members under a key, latest first.
    pub fn under(&self, link: Link, key: u64) -> impl Iterator<Item = (u32, &Member)> {
        let place = link as usize;
        let mut next = if key == 0 { NOBODY } else { self.latest.get(&key).copied().unwrap_or(NOBODY) };
        std::iter::from_fn(move || {
            let (number, member) = (next, self.get(next)?);
            next = member.before[place];
            Some((number, member))
        })
    }
}
