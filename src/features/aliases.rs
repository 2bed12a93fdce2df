//! One key per entity over a rotation of the keys.
//!
//! After a rotation a rater, a device, an address or a case has a new pseudonym. State goes on under the key
//! that it has: whoever comes under a new name, and is known to have had a former one, is an *alias* of the
//! key under which the former name is kept. The link is learnt once, from a rating whose identifiers were
//! pseudonymised under both epochs, and stands in that rating's record in the log, so that a replay, which
//! has no identifiers, learns it at the same place.

use serde::{Deserialize, Serialize};

use super::aged_map::AgedMap;
use super::keys::{KeyField, Keys};
use crate::observation::{FormerNames, Observation};
use crate::pseudonym::Pseudonym;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Alias {
    /// Under which the entity is kept.
    key: u64,
    /// [`Pseudonym::key`] of its name in the epoch before.
    former: u64,
}

/// Which names are aliases. Empty, and of no cost, until keys are rotated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Aliases {
    by_name: AgedMap<Alias>,
}

/// The entities of a rating that keys alone do not hold, and what was learnt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entities {
    /// Key of the client kit's id; 0 where absent.
    pub fingerprint: u64,
    /// Key of case, stage and visit together; 0 where absent.
    pub occasion: u64,
    /// Keys of the names that the case has had, the current first; 0 where there are fewer.
    pub case_names: [u64; 3],
    /// Links that were not known before this rating.
    pub learnt: Option<Box<FormerNames>>,
}

impl Aliases {
    /// No aliases yet, with room for about `capacity`.
    pub fn new(capacity: usize) -> Self {
        Self { by_name: AgedMap::new(capacity) }
    }

    /// Bytes that it takes at most.
    pub(super) fn most_bytes(capacity: usize) -> usize {
        AgedMap::<Alias>::most_bytes(capacity)
    }

    /// Puts the keys of the entities in the place of those of a rating's names, and learns the links that the
    /// rating brings.
    pub fn resolve(&mut self, o: &Observation, keys: &mut Keys) -> Entities {
        let of = |name: Option<Pseudonym>| name.map_or(0, |name| name.key());
        let (fingerprint, occasion) = (of(o.device.fingerprint), of(o.service.occasion));
        let case = keys.get(KeyField::Case);
        if self.by_name.is_empty() && o.former.is_none() {
            return Entities { fingerprint, occasion, case_names: [case, 0, 0], learnt: None };
        }
        let former = o.former.as_deref().copied().unwrap_or_default();
        let mut learnt = FormerNames::default();
        for (field, former, learnt) in [
            (KeyField::Rater, former.rater, &mut learnt.rater),
            (KeyField::Ip, former.ip, &mut learnt.ip),
            (KeyField::Subnet, former.subnet, &mut learnt.subnet),
        ] {
            keys.set(field, self.entity(keys.get(field), former, learnt).key);
        }
        let known = self.entity(case, former.case, &mut learnt.case);
        keys.set(KeyField::Case, known.key);
        let mut case_names = [case, 0, 0];
        let others = [known.former, known.key].into_iter().filter(|&name| name != case);
        for name in others {
            match case_names[1] {
                0 => case_names[1] = name,
                first if first != name => case_names[2] = name,
                _ => {}
            }
        }
        let fingerprint = self.entity(fingerprint, former.fingerprint, &mut learnt.fingerprint).key;
        let occasion = self.entity(occasion, former.occasion, &mut learnt.occasion).key;
        let learnt = (learnt != FormerNames::default()).then(|| Box::new(learnt));
        Entities { fingerprint, occasion, case_names, learnt }
    }

    /// The key under which a name is kept now, without touching it.
    pub fn key_of(&self, name: u64) -> u64 {
        self.by_name.peek(name).map_or(name, |alias| alias.key)
    }

    fn entity(&mut self, name: u64, former: Option<Pseudonym>, learnt: &mut Option<Pseudonym>) -> Alias {
        if name == 0 {
            return Alias::default();
        }
        if let Some(&mut known) = self.by_name.get_mut(name) {
            return known;
        }
        let Some(former) = former else { return Alias { key: name, former: 0 } };
        *learnt = Some(former);
        let alias = Alias { key: self.key_of(former.key()), former: former.key() };
        self.by_name.insert(name, alias);
        alias
    }

    /// Entries held, for the metrics.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::identity::keys_of;
    use crate::pseudonym::{Epoch, Keyring, MasterKey};
    use crate::rating;

    fn keyring(current: u32) -> Keyring {
        let epoch = |id: u32| Epoch { id, secret: MasterKey::new([id as u8; 32]) };
        let previous = (current > 1).then(|| epoch(current - 1));
        Keyring::new(MasterKey::new([7; 32]), &epoch(current), previous.as_ref())
    }

    const LINE: &[u8] =
        br#"{"rating_id":"r","submitted_at":"2026-03-02T10:00:00+08:00","channel":"portal","stars":5,
        "service":{"matter":"M","department":"D","case_no":"C-1","stage":"complete"},"rater":{"account":"a1"},
        "device":{"fingerprint":"device-1"},"network":{"ip":"203.0.113.9"}}"#;

    /// As the door sees it under an epoch, and what state makes of it.
    fn seen(aliases: &mut Aliases, epoch: u32, linked: bool) -> (Keys, Entities, Observation) {
        let (mut o, former, _) = keyring(epoch).pseudonymise_both(rating::parse(LINE).unwrap());
        o.former = former.filter(|_| linked).map(|names| Box::new(FormerNames::from(names)));
        let mut keys = keys_of(&o);
        let entities = aliases.resolve(&o, &mut keys);
        (keys, entities, o)
    }

    #[test]
    fn an_entity_keeps_its_key_over_rotations_and_each_link_is_learnt_once() {
        let mut aliases = Aliases::new(1_000);
        let (first, entities, _) = seen(&mut aliases, 1, true);
        assert!(aliases.is_empty() && entities.learnt.is_none(), "one epoch costs nothing");
        for epoch in 2..=4 {
            let (keys, after, o) = seen(&mut aliases, epoch, true);
            assert_eq!(keys, first, "epoch {epoch}");
            assert_eq!((after.fingerprint, after.occasion), (entities.fingerprint, entities.occasion));
            assert_eq!(after.learnt.as_deref(), o.former.as_deref(), "all six are learnt at once");
            assert_eq!(after.case_names[0], o.service.case.unwrap().key());
            assert!(after.case_names.contains(&first.get(KeyField::Case)), "it is found in the log");
            let again = seen(&mut aliases, epoch, true);
            assert_eq!((again.0, again.1.learnt), (first.clone(), None));
            // Once the former key is gone, or in a replay, the name alone does.
            assert_eq!(seen(&mut aliases, epoch, false).0, first);
        }
        // The names of the epoch before are still looked for in the log, not only the first and the last.
        let names = seen(&mut aliases, 4, false).1.case_names;
        assert_eq!(names.iter().filter(|&&name| name != 0).count(), 3);
    }

    #[test]
    fn a_replay_of_what_was_logged_learns_the_same() {
        let (mut live, mut replayed) = (Aliases::new(64), Aliases::new(64));
        for epoch in [1, 1, 2, 2, 3, 2, 3] {
            let (keys, entities, mut o) = seen(&mut live, epoch, true);
            o.former = entities.learnt.clone();
            let mut names = keys_of(&o);
            let again = replayed.resolve(&o, &mut names);
            assert_eq!((names, again), (keys, entities));
        }
    }
}
