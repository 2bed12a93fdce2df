//! What `in_list(…)` needs to know: names of lists when it is compiled, members when it runs.
//!
//! The lists themselves live above, in `rules`.

use crate::catalogue::FeatureId;

/// Position of a list among the lists of a rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListId(pub u16);

/// What is looked up in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The code that a feature holds.
    Feature(FeatureId),
    /// A key that is no feature, by its position in [`ListNames::keys`].
    Key(u8),
}

/// The lists and keys that an expression may name.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListNames<'a> {
    /// Each list's name and what it is of, in the order of [`ListId`].
    pub lists: &'a [(String, String)],
    /// Names of the keys that a list may be of besides features.
    pub keys: &'a [&'a str],
}

/// The members of lists, while an expression runs.
pub trait Membership {
    /// Whether the value stands in the list.
    fn contains(&self, list: ListId, value: u64) -> bool;
    /// The rating's value of a key; `None` if it has none.
    fn key(&self, key: u8) -> Option<u64>;
}

/// No lists: for expressions that cannot name one.
#[derive(Clone, Copy, Debug)]
pub struct NoLists;

impl Membership for NoLists {
    fn contains(&self, _: ListId, _: u64) -> bool {
        false
    }

    fn key(&self, _: u8) -> Option<u64> {
        None
    }
}
