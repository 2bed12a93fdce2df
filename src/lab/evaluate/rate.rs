//! A share with its counts and its uncertainty.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::statistics::wilson;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Those that it is about.
    pub count: u64,
    /// All that were looked at.
    pub of: u64,
}

impl Rate {
    /// Counts one more, and whether it is one of those.
    pub(in crate::lab) fn add(&mut self, is_one: bool) {
        self.of += 1;
        self.count += u64::from(is_one);
    }

    /// The share, 0 to 1; `None` of nothing.
    pub fn share(self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }

    /// Wilson's 95 % interval of the share (Wilson 1927); `None` of nothing.
    pub fn interval_95(self) -> Option<[f64; 2]> {
        wilson(self.count, self.of).map(|(low, high)| [low, high])
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Rate", 4)?;
        object.serialize_field("count", &self.count)?;
        object.serialize_field("of", &self.of)?;
        object.serialize_field("rate", &self.share().map(six_digits))?;
        object.serialize_field("interval_95", &self.interval_95().map(|ends| ends.map(six_digits)))?;
        object.end()
    }
}

/// Rounds to six digits, so that a figure reads well and prints the same everywhere.
pub(super) fn six_digits(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Serialises a figure with six digits.
pub(super) fn as_six_digits<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(six_digits(*value))
}

/// Serialises a figure, where there is one, with six digits.
pub(super) fn some_six_digits<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(six_digits).serialize(serializer)
}

/// Serialises an interval, where there is one, with six digits.
pub(super) fn interval_six_digits<S: Serializer>(
    ends: &Option<[f64; 2]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    ends.map(|ends| ends.map(six_digits)).serialize(serializer)
}
