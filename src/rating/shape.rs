//! What the fields of the contract allow, and how that is said.

use std::fmt;

/// What a field allows: the contract's schema in our own terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string of at most so many characters.
    Text(usize),
    /// A string of so many characters is read; the rest of a longer one is cut.
    LongText(usize),
    /// A name of at most so many characters, of a restricted alphabet.
    Name(usize),
    /// One of these names.
    Choice(&'static [&'static str]),
    /// A date-time.
    Time,
    /// A whole number from the first to the second.
    Whole(u64, u64),
    /// `true` or `false`.
    Flag,
    /// An IP address in at most so many characters.
    Address(usize),
    /// At most so many strings of at most so many characters each.
    Texts(usize, usize),
    /// An object.
    Object,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(max) | Self::LongText(max) => write!(f, "a string of at most {max} characters"),
            Self::Name(max) => write!(f, "1 to {max} characters of A-Z a-z 0-9 . _ : -"),
            Self::Choice(names) => write!(f, "one of {}", names.join(", ")),
            Self::Time => f.write_str("an RFC 3339 date-time with offset, such as 2026-03-01T08:00:00+08:00"),
            Self::Whole(min, max) => write!(f, "a whole number from {min} to {max}"),
            Self::Flag => f.write_str("true or false"),
            Self::Address(_) => f.write_str("the client's IPv4 or IPv6 address"),
            Self::Texts(items, max) => {
                write!(f, "an array of at most {items} strings of at most {max} characters each")
            }
            Self::Object => f.write_str("an object"),
        }
    }
}
