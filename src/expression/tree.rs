//! The typed tree that the checker builds and that runs: one enum per type of value.
//!
//! Comparisons of a feature with a constant, which is what rules are made of, are one node that
//! reads one slot. Everything is evaluated in Kleene's logic: `None` is "unknown", and a missing
//! feature, an overflow, a division by zero or a number that is not finite is unknown.

use crate::catalogue::{FeatureId, FeatureVector};

use super::lists::{ListId, Membership, Subject};

/// A node that is true, false or unknown.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Constant(bool),
    /// Whether a feature has a value; never unknown.
    Present(FeatureId),
    /// Whether the raw slot lies in `low ..= low + span` (wrapping), or does not: every comparison
    /// of a whole number, truth value, name or code with a constant.
    Within {
        feature: FeatureId,
        low: u64,
        span: u64,
        expected: bool,
    },
    /// Whether a number lies in `low ..= high`, or does not.
    Between {
        feature: FeatureId,
        low: f64,
        high: f64,
        expected: bool,
    },
    /// Whether the raw slot is one of these, in ascending order.
    Among {
        feature: FeatureId,
        values: Box<[u64]>,
    },
    /// Whether two features of one vocabulary have the same value.
    Alike {
        left: FeatureId,
        right: FeatureId,
    },
    /// Whether what the rating is about stands in a list.
    Listed {
        subject: Subject,
        list: ListId,
    },
    Compare(Box<(Test, Number, Number)>),
    /// Whether a number equals one of these.
    OneOf(Box<(Number, Box<[Number]>)>),
    /// Whether two conditions have the same truth value.
    Same(Box<(Condition, Condition)>),
    Not(Box<Condition>),
    All(Box<[Condition]>),
    Any(Box<[Condition]>),
    If(Box<(Condition, Condition, Condition)>),
}

/// A node that is an `int` or a `double`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    Whole(Whole),
    Real(Real),
}

/// A node that is an `int`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Whole {
    Constant(i64),
    Feature(FeatureId),
    Negate(Box<Whole>),
    Absolute(Box<Whole>),
    Arithmetic(Box<(Arithmetic, Whole, Whole)>),
    /// The least or greatest.
    Extreme(Extreme, Box<[Whole]>),
    /// Cut towards zero.
    FromReal(Box<Real>),
    If(Box<(Condition, Whole, Whole)>),
}

/// A node that is a `double`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Real {
    Constant(f64),
    Feature(FeatureId),
    Negate(Box<Real>),
    Absolute(Box<Real>),
    Arithmetic(Box<(Arithmetic, Real, Real)>),
    Extreme(Extreme, Box<[Real]>),
    FromWhole(Box<Whole>),
    If(Box<(Condition, Real, Real)>),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An operation on two numbers of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Which one of several numbers is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extreme {
    Least,
    Greatest,
}

impl Test {
    /// The test that holds of `b, a` where this one holds of `a, b`.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl Condition {
    /// The condition that is true where this one is false; unknown stays unknown.
    pub(super) fn negated(self) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(!value),
            Self::Within { feature, low, span, expected } => {
                Self::Within { feature, low, span, expected: !expected }
            }
            Self::Between { feature, low, high, expected } => {
                Self::Between { feature, low, high, expected: !expected }
            }
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// `feature test value` for a slot that holds a whole number, truth value or name.
    pub(super) fn whole(feature: FeatureId, test: Test, value: i64) -> Self {
        let range = |low: i64, high: i64| Self::Within {
            feature,
            low: low as u64,
            span: high.wrapping_sub(low) as u64,
            expected: true,
        };
        match test {
            Test::Equal => range(value, value),
            Test::LessOrEqual => range(i64::MIN, value),
            Test::GreaterOrEqual => range(value, i64::MAX),
            Test::NotEqual => Self::whole(feature, Test::Equal, value).negated(),
            Test::Less => Self::whole(feature, Test::GreaterOrEqual, value).negated(),
            Test::Greater => Self::whole(feature, Test::LessOrEqual, value).negated(),
        }
    }

    /// `feature test value` for a slot that holds a number.
    pub(super) fn real(feature: FeatureId, test: Test, value: f64) -> Self {
        let (low, high) = match test {
            Test::Equal => (value, value),
            Test::LessOrEqual => (f64::NEG_INFINITY, value),
            Test::GreaterOrEqual => (value, f64::INFINITY),
            Test::NotEqual => return Self::real(feature, Test::Equal, value).negated(),
            Test::Less => return Self::real(feature, Test::GreaterOrEqual, value).negated(),
            Test::Greater => return Self::real(feature, Test::LessOrEqual, value).negated(),
        };
        Self::Between { feature, low, high, expected: true }
    }

    /// The greatest `k` for which this says that the feature, a whole number, is at least `k`.
    pub(super) fn lower_bound(&self, wanted: FeatureId) -> Option<i64> {
        match self {
            Self::Within { feature, low, span, expected } if *feature == wanted => {
                let (first, last) = (*low as i64, low.wrapping_add(*span) as i64);
                match expected {
                    true => (first > i64::MIN).then_some(first),
                    // Not in `… ..= last`: above it.
                    false => (first == i64::MIN).then(|| last.checked_add(1)).flatten(),
                }
            }
            Self::Among { feature, values } if *feature == wanted => {
                values.iter().map(|&value| value as i64).min()
            }
            _ => None,
        }
    }

    /// The value in Kleene's logic.
    #[inline]
    pub(super) fn truth<M: Membership>(&self, vector: &FeatureVector, lists: &M) -> Option<bool> {
        // The two nodes that rules are made of are met here, in the caller's loop, and not behind
        // a call.
        match self {
            Self::Within { feature, low, span, expected } => {
                let inside = vector.raw(*feature).wrapping_sub(*low) <= *span;
                vector.is_present(*feature).then_some(inside == *expected)
            }
            Self::Between { feature, low, high, expected } => {
                let value = f64::from_bits(vector.raw(*feature));
                let inside = *low <= value && value <= *high;
                vector.is_present(*feature).then_some(inside == *expected)
            }
            other => other.composed(vector, lists),
        }
    }

    #[inline(never)]
    fn composed<M: Membership>(&self, vector: &FeatureVector, lists: &M) -> Option<bool> {
        match self {
            // Met by `truth`.
            Self::Within { .. } | Self::Between { .. } => self.truth(vector, lists),
            Self::All(parts) => settle(parts, false, vector, lists),
            Self::Any(parts) => settle(parts, true, vector, lists),
            Self::Not(inner) => inner.truth(vector, lists).map(|value| !value),
            Self::Present(feature) => Some(vector.is_present(*feature)),
            Self::Among { feature, values } => {
                let found = values.binary_search(&vector.raw(*feature)).is_ok();
                vector.is_present(*feature).then_some(found)
            }
            Self::Alike { left, right } => {
                let alike = vector.raw(*left) == vector.raw(*right);
                (vector.is_present(*left) && vector.is_present(*right)).then_some(alike)
            }
            Self::Listed { subject, list } => {
                let value = match *subject {
                    Subject::Feature(feature) => vector.is_present(feature).then(|| vector.raw(feature)),
                    Subject::Key(key) => lists.key(key),
                };
                value.map(|value| lists.contains(*list, value))
            }
            Self::Constant(value) => Some(*value),
            Self::Compare(both) => both.1.compare(both.0, &both.2, vector, lists),
            Self::OneOf(both) => {
                for value in &both.1 {
                    if both.0.compare(Test::Equal, value, vector, lists)? {
                        return Some(true);
                    }
                }
                Some(false)
            }
            Self::Same(both) => Some(both.0.truth(vector, lists)? == both.1.truth(vector, lists)?),
            Self::If(parts) => {
                if parts.0.truth(vector, lists)? {
                    parts.1.truth(vector, lists)
                } else {
                    parts.2.truth(vector, lists)
                }
            }
        }
    }
}

/// One decisive part decides; otherwise one unknown part makes the whole unknown.
#[inline]
fn settle<M: Membership>(
    parts: &[Condition],
    decisive: bool,
    vector: &FeatureVector,
    lists: &M,
) -> Option<bool> {
    let mut known = true;
    for part in parts {
        match part.truth(vector, lists) {
            Some(value) if value == decisive => return Some(decisive),
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(!decisive)
}

impl Number {
    fn compare<M: Membership>(
        &self,
        test: Test,
        other: &Self,
        vector: &FeatureVector,
        lists: &M,
    ) -> Option<bool> {
        if let (Self::Whole(left), Self::Whole(right)) = (self, other) {
            return Some(test.holds(left.value(vector, lists)?, right.value(vector, lists)?));
        }
        Some(test.holds(self.real(vector, lists)?, other.real(vector, lists)?))
    }

    /// The value as a `double`, as CEL compares an `int` with one.
    pub(super) fn real<M: Membership>(&self, vector: &FeatureVector, lists: &M) -> Option<f64> {
        match self {
            Self::Whole(whole) => whole.value(vector, lists).map(|value| value as f64),
            Self::Real(real) => real.value(vector, lists),
        }
    }
}

impl Whole {
    fn value<M: Membership>(&self, vector: &FeatureVector, lists: &M) -> Option<i64> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Feature(feature) => vector.int(*feature),
            Self::Negate(inner) => inner.value(vector, lists)?.checked_neg(),
            Self::Absolute(inner) => inner.value(vector, lists)?.checked_abs(),
            Self::Arithmetic(parts) => {
                let (left, right) = (parts.1.value(vector, lists)?, parts.2.value(vector, lists)?);
                match parts.0 {
                    Arithmetic::Add => left.checked_add(right),
                    Arithmetic::Subtract => left.checked_sub(right),
                    Arithmetic::Multiply => left.checked_mul(right),
                    Arithmetic::Divide => left.checked_div(right),
                    Arithmetic::Remainder => left.checked_rem(right),
                }
            }
            Self::Extreme(which, parts) => {
                let mut best = None;
                for part in parts {
                    let value = part.value(vector, lists)?;
                    best = Some(match (best, which) {
                        (None, _) => value,
                        (Some(best), Extreme::Least) => value.min(best),
                        (Some(best), Extreme::Greatest) => value.max(best),
                    });
                }
                best
            }
            Self::FromReal(inner) => {
                let value = inner.value(vector, lists)?.trunc();
                // CEL leaves out both ends, ±2⁶³.
                (value.abs() < 9_223_372_036_854_775_808.0).then_some(value as i64)
            }
            Self::If(parts) => {
                if parts.0.truth(vector, lists)? {
                    parts.1.value(vector, lists)
                } else {
                    parts.2.value(vector, lists)
                }
            }
        }
    }
}

impl Real {
    fn value<M: Membership>(&self, vector: &FeatureVector, lists: &M) -> Option<f64> {
        let value = match self {
            Self::Constant(value) => *value,
            Self::Feature(feature) => vector.float(*feature)?,
            Self::Negate(inner) => -inner.value(vector, lists)?,
            Self::Absolute(inner) => inner.value(vector, lists)?.abs(),
            Self::Arithmetic(parts) => {
                let (left, right) = (parts.1.value(vector, lists)?, parts.2.value(vector, lists)?);
                match parts.0 {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    Arithmetic::Divide => left / right,
                    Arithmetic::Remainder => left % right,
                }
            }
            Self::Extreme(which, parts) => {
                let mut best = None;
                for part in parts {
                    let value = part.value(vector, lists)?;
                    best = Some(match (best, which) {
                        (None, _) => value,
                        (Some(best), Extreme::Least) => value.min(best),
                        (Some(best), Extreme::Greatest) => value.max(best),
                    });
                }
                best?
            }
            Self::FromWhole(inner) => inner.value(vector, lists)? as f64,
            Self::If(parts) => {
                if parts.0.truth(vector, lists)? {
                    parts.1.value(vector, lists)?
                } else {
                    parts.2.value(vector, lists)?
                }
            }
        };
        value.is_finite().then_some(value)
    }
}
