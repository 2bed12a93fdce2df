//! Finds those of many conditions that hold, for less than evaluating each.
//!
//! The conditions of a rule set are conjunctions that have parts in common: nearly all begin with
//! the origin and the polarity of the rating. A part that several share is a *gate*: it is evaluated
//! once, and where it does not hold, all that need it are out. What is left of each condition is
//! evaluated where all of its gates held. A conjunction holds where each part is true, in whatever
//! order they are asked, so the outcome is that of [`Program::truth_with`] being `Some(true)`.

use super::lists::Membership;
use super::tree::Condition;
use super::{Body, Program};
use crate::catalogue::FeatureVector;

/// Most conditions of one screen.
pub const MAX_SCREENED: usize = 512;

const WORDS: usize = MAX_SCREENED / 64;

/// Conditions in the order in which they were given.
#[derive(Clone, Debug)]
pub struct Screen {
    /// Those that more conditions need come first.
    gates: Box<[Gate]>,
    /// What is left of the conditions, one after the other.
    rest: Box<[Condition]>,
    /// Where in `rest` each condition ends.
    ends: Box<[u32]>,
    /// One bit per condition.
    all: [u64; WORDS],
}

#[derive(Clone, Debug)]
struct Gate {
    part: Condition,
    needed_by: [u64; WORDS],
}

impl Screen {
    /// Makes one of at most [`MAX_SCREENED`] conditions. A program that is a number never holds.
    pub fn new<'p>(programs: impl IntoIterator<Item = &'p Program>) -> Self {
        let programs: Vec<&[Condition]> = programs.into_iter().map(conjuncts).collect();
        debug_assert!(programs.len() <= MAX_SCREENED);
        let mut parts: Vec<(&Condition, Vec<usize>)> = Vec::new();
        for (i, conjuncts) in programs.iter().enumerate() {
            for part in *conjuncts {
                match parts.iter_mut().find(|(known, _)| *known == part) {
                    Some((_, users)) if users.last() == Some(&i) => {}
                    Some((_, users)) => users.push(i),
                    None => parts.push((part, vec![i])),
                }
            }
        }
        parts.retain(|(_, users)| users.len() > 1);
        // Stable, so that the same files give the same screen.
        parts.sort_by_key(|(_, users)| std::cmp::Reverse(users.len()));
        let gates: Box<[Gate]> = parts.iter().map(|(part, users)| Gate::new(part, users)).collect();
        let (mut rest, mut ends, mut all) = (Vec::new(), Vec::new(), [0; WORDS]);
        for (i, conjuncts) in programs.iter().enumerate() {
            let own = conjuncts.iter().filter(|part| !parts.iter().any(|(gate, _)| gate == part));
            rest.extend(own.cloned());
            ends.push(rest.len() as u32);
            all[i / 64] |= 1 << (i % 64);
        }
        Self { gates, rest: rest.into(), ends: ends.into(), all }
    }

    /// Calls `found` with the position of each condition that definitely holds, in ascending order.
    #[inline]
    pub fn holding<M: Membership>(&self, vector: &FeatureVector, lists: &M, mut found: impl FnMut(usize)) {
        let mut open = self.all;
        let words = self.ends.len().div_ceil(64);
        for Gate { part, needed_by } in &self.gates {
            let needed_by = &needed_by[..words];
            let both = open.iter().zip(needed_by);
            let needed = both.fold(0, |any, (open, needed)| any | open & needed);
            if needed != 0 && part.truth(vector, lists) != Some(true) {
                open.iter_mut().zip(needed_by).for_each(|(open, needed)| *open &= !needed);
            }
        }
        for (word, mut bits) in open.into_iter().enumerate().take(words) {
            while bits != 0 {
                let i = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let start = i.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
                let rest = &self.rest[start..self.ends[i] as usize];
                if rest.iter().all(|part| part.truth(vector, lists) == Some(true)) {
                    found(i);
                }
            }
        }
    }
}

impl Gate {
    fn new(part: &Condition, users: &[usize]) -> Self {
        let mut needed_by = [0; WORDS];
        users.iter().for_each(|&user| needed_by[user / 64] |= 1 << (user % 64));
        Self { part: part.clone(), needed_by }
    }
}

/// The parts that must all hold.
fn conjuncts(program: &Program) -> &[Condition] {
    /// Holds for no rating.
    static NEVER: Condition = Condition::Constant(false);
    match &program.body {
        Body::Condition(Condition::All(parts)) => parts,
        Body::Condition(single) => std::slice::from_ref(single),
        Body::Number(_) => std::slice::from_ref(&NEVER),
    }
}
