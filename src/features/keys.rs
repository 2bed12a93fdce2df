//! The fields of a rating that counters are kept by.

use std::fmt;
use std::str::FromStr;

use crate::expression::nearest;

macro_rules! key_fields {
    ($($variant:ident $name:literal $doc:literal;)+) => {
        /// A field that counters may be kept by, or count distinct values of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum KeyField { $(#[doc = $doc] $variant),+ }

        impl KeyField {
            /// All fields, in the order of [`Keys`].
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Their names in declarations, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($name),+];
            /// Number of fields.
            pub const COUNT: usize = Self::ALL.len();
        }
    };
}

key_fields! {
    Device "device" "The device, after linking.";
    Profile "profile" "The hardware profile that many devices may share.";
    Rater "rater" "The account, or else the id number, or else the phone.";
    Ip "ip" "The IPv4 address or the IPv6 /64.";
    Subnet "subnet" "The IPv4 /24 or the IPv6 /48.";
    Target "target" "Whom the rating is about: the clerk (within the department), or else the window, or else the office.";
    Clerk "clerk" "The clerk, within the department.";
    Window "window" "The window.";
    Hall "hall" "The hall.";
    Department "department" "The department.";
    District "district" "The district.";
    Matter "matter" "The service matter.";
    Text "text" "The normalised comment; absent for stock phrases.";
    Case "case" "The case.";
    Terminal "terminal" "The official terminal.";
    Channel "channel" "The channel.";
    Everything "everything" "One key for all ratings.";
    Office "office" "The department within its district: the office that is ranked.";
    Person "person" "The id number, where one was given.";
    Phone "phone" "The phone number, where one was given.";
}

impl KeyField {
    /// The name in declarations.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// A fixed number per field, so that equal keys of two fields hash differently.
    pub(crate) fn salt(self) -> u64 {
        super::mix(self as u64 + 1)
    }
}

impl fmt::Display for KeyField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no [`KeyField`] has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKeyField {
    /// The field that was probably meant.
    pub suggestion: Option<&'static str>,
}

impl fmt::Display for UnknownKeyField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no such key; allowed are {}", KeyField::NAMES.join(", "))?;
        match self.suggestion {
            Some(name) => write!(f, " (did you mean `{name}`?)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownKeyField {}

impl FromStr for KeyField {
    type Err = UnknownKeyField;

    fn from_str(name: &str) -> Result<Self, UnknownKeyField> {
        match Self::NAMES.iter().position(|&known| known == name) {
            Some(position) => Ok(Self::ALL[position]),
            None => Err(UnknownKeyField { suggestion: nearest(name, Self::NAMES.iter().copied()) }),
        }
    }
}

/// One rating's key for each [`KeyField`]; 0 where the rating has none.
///
/// Keys that a rater can choose must come from keyed hashes ([`crate::pseudonym`]), so that nobody
/// can construct two values with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys([u64; KeyField::COUNT]);

impl Default for Keys {
    /// All absent, except [`KeyField::Everything`], which every rating has.
    fn default() -> Self {
        let mut keys = Self([0; KeyField::COUNT]);
        keys.set(KeyField::Everything, 1);
        keys
    }
}

impl Keys {
    /// The key of a field; 0 where absent.
    #[inline]
    pub fn get(&self, field: KeyField) -> u64 {
        self.0[field as usize]
    }

    /// What the target is compared with: its hall, or else its office.
    #[inline]
    pub fn parent(&self) -> u64 {
        match self.get(KeyField::Hall) {
            0 => self.get(KeyField::Office),
            hall => hall,
        }
    }

    /// Sets the key of a field; 0 makes it absent.
    #[inline]
    pub fn set(&mut self, field: KeyField, key: u64) {
        self.0[field as usize] = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name_and_a_slip_gets_a_suggestion() {
        for &field in KeyField::ALL {
            assert_eq!(field.name().parse(), Ok(field));
        }
        let error = "devise".parse::<KeyField>().unwrap_err();
        assert_eq!(error.suggestion, Some("device"));
        assert!(error.to_string().contains("subnet"));
    }

    #[test]
    fn a_rating_has_no_keys_but_everything() {
        let keys = Keys::default();
        let present: Vec<_> = KeyField::ALL.iter().filter(|&&f| keys.get(f) != 0).collect();
        assert_eq!(present, [&KeyField::Everything]);
    }
}
