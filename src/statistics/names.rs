//! Organisation codes as numbers.

use compact_str::CompactString;

use super::counted::Rated;
use super::row::NAMED;
use crate::hashed::HashedMap;

/// Number of a name; [`Names::ABSENT`] where the rating has none.
pub(super) type Key = u32;

/// A named dimension, in the order of a row's keys. Numbers are part of the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Named {
    District = 0,
    Department = 1,
    Hall = 2,
    Window = 3,
    Matter = 4,
    Clerk = 5,
}

impl Named {
    pub(super) const ALL: [Self; NAMED] =
        [Self::District, Self::Department, Self::Hall, Self::Window, Self::Matter, Self::Clerk];

    /// Window and clerk codes are unique within their department only.
    fn is_within_department(self) -> bool {
        matches!(self, Self::Window | Self::Clerk)
    }
}

/// A name: its dimension, the department that it is unique in, and its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) dimension: Named,
    pub(super) department: Key,
    pub(super) code: CompactString,
}

/// All names seen, numbered in the order in which the log brought them.
///
/// Bounded: when it is full, further names of a dimension count together under
/// [`Names::overflow`], and the report says so. About 110 bytes a name.
#[derive(Clone, Debug)]
pub(super) struct Names {
    limit: usize,
    names: Vec<Name>,
    /// By the name's hash; where that is taken, by the next that is free.
    keys: HashedMap<Key>,
    /// Whether a name was turned away.
    pub(super) overflowed: bool,
}

impl Names {
    /// The key of a name that the rating does not have.
    pub(super) const ABSENT: Key = 0;
    /// Keys up to here are reserved: absent, and one overflow per dimension.
    const RESERVED: usize = 1 + NAMED;

    pub(super) fn new(limit: usize) -> Self {
        Self { limit, names: Vec::new(), keys: HashedMap::default(), overflowed: false }
    }

    /// The key under which a dimension's names count once there is no room for more.
    pub(super) fn overflow(dimension: Named) -> Key {
        1 + dimension as Key
    }

    /// The keys of a rating's codes, naming those that are new.
    pub(super) fn of(&mut self, rated: &Rated<'_>) -> [Key; NAMED] {
        let department = self.intern(Named::Department, Self::ABSENT, rated.department);
        let mut key = |dimension: Named, code: Option<&str>| {
            let within = if dimension.is_within_department() { department } else { Self::ABSENT };
            code.map_or(Self::ABSENT, |code| self.intern(dimension, within, code))
        };
        [
            key(Named::District, rated.district),
            department,
            key(Named::Hall, rated.hall),
            key(Named::Window, rated.window),
            key(Named::Matter, Some(rated.matter)),
            key(Named::Clerk, rated.clerk),
        ]
    }

    fn intern(&mut self, dimension: Named, department: Key, code: &str) -> Key {
        match self.place(dimension, department, code) {
            Ok(key) => key,
            Err(_) if self.names.len() >= self.limit => {
                self.overflowed = true;
                Self::overflow(dimension)
            }
            Err(free) => self.push_at(free, Name { dimension, department, code: code.into() }),
        }
    }

    /// The key of a name, or the free place where it would go.
    fn place(&self, dimension: Named, department: Key, code: &str) -> Result<Key, u64> {
        let seed = u64::from(department) << 3 | dimension as u64;
        let mut place = xxhash_rust::xxh3::xxh3_64_with_seed(code.as_bytes(), seed);
        while let Some(&key) = self.keys.get(&place) {
            let name = &self.names[key as usize - Self::RESERVED];
            if (name.dimension, name.department, name.code.as_str()) == (dimension, department, code) {
                return Ok(key);
            }
            place = place.wrapping_add(1);
        }
        Err(place)
    }

    /// Adds a name that is not there yet.
    pub(super) fn push(&mut self, name: Name) -> Key {
        match self.place(name.dimension, name.department, &name.code) {
            Ok(key) => key,
            Err(free) => self.push_at(free, name),
        }
    }

    fn push_at(&mut self, free: u64, name: Name) -> Key {
        // The limit is a configured number far below 2³².
        let key = (self.names.len() + Self::RESERVED) as Key;
        self.names.push(name);
        self.keys.insert(free, key);
        key
    }

    /// The name of a key; `None` for an absent name and for the overflow.
    pub(super) fn get(&self, key: Key) -> Option<&Name> {
        (key as usize).checked_sub(Self::RESERVED).and_then(|at| self.names.get(at))
    }

    /// Whether a key names something, or is one of the reserved ones.
    pub(super) fn knows(&self, key: Key) -> bool {
        (key as usize) < Self::RESERVED + self.names.len()
    }

    pub(super) fn find(&self, dimension: Named, department: Key, code: &str) -> Option<Key> {
        self.place(dimension, department, code).ok()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Name> {
        self.names.iter()
    }
}
