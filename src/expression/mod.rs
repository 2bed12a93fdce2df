//! Conditions in CEL: read, checked against the catalogue, and turned into a tree that runs in
//! nanoseconds.
//!
//! The `cel` crate parses; what its interpreter would do at run time is decided here once, when a
//! rule is loaded: which slot a name means, which types meet, which name of a closed list is meant.
//! What is left is a small typed tree (`tree`) over the slots of a [`FeatureVector`].
//!
//! Missing is unknown (Kleene's logic): `false && unknown` is false, `true || unknown` is true, and
//! anything else that needs the unknown value is unknown. An overflow, a division by zero and a
//! number that is not finite are unknown too.

mod check;
mod comparison;
mod diagnostic;
pub mod document;
mod lists;
mod parse;
mod scan;
mod screen;
mod tree;

#[cfg(test)]
mod tests;

use crate::catalogue::{Catalogue, FeatureId, FeatureVector};

pub use diagnostic::{Diagnostic, Diagnostics, Located, nearest};
pub use lists::{ListId, ListNames, Membership, NoLists, Subject};
pub use screen::{MAX_SCREENED, Screen};

use check::Typed;
use tree::{Condition, Number};

/// Most bytes of one expression.
pub const MAX_LENGTH: usize = 2048;
/// Most names, values and operators in one expression.
pub const MAX_NODES: usize = 256;
/// Most levels that one expression may nest.
pub const MAX_DEPTH: usize = 32;

/// Which features an expression may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Those known from the rating alone: counters' `where` and `share(…)`.
    RatingOnly,
    /// All: rules.
    Everything,
}

/// A checked expression, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    body: Body,
    features: Box<[FeatureId]>,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Condition(Condition),
    Number(Number),
}

impl Program {
    /// Compiles a condition: an expression that is true or false.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with its place in `source`: it does not parse, names
    /// what does not exist or is not allowed here, mixes types, or exceeds a bound.
    pub fn compile(source: &str, catalogue: &Catalogue, scope: Allowed) -> Result<Self, Diagnostic> {
        Self::condition(source, catalogue, scope, None)
    }

    /// Compiles a condition that may use `in_list(…)` with these lists.
    ///
    /// # Errors
    /// As [`Program::compile`]; also a list that does not exist or is of something else.
    pub fn compile_with_lists(
        source: &str,
        catalogue: &Catalogue,
        lists: ListNames<'_>,
    ) -> Result<Self, Diagnostic> {
        Self::condition(source, catalogue, Allowed::Everything, Some(lists))
    }

    /// Compiles an expression that is a number.
    ///
    /// # Errors
    /// As [`Program::compile`]; also where the expression is a condition.
    pub fn compile_number(source: &str, catalogue: &Catalogue, scope: Allowed) -> Result<Self, Diagnostic> {
        let checked = check::check(source, catalogue, scope, None)?;
        let body = match checked.root {
            Typed::Number(number) => Body::Number(number),
            other => return Err(check::wrong_result(source, &other, "a number")),
        };
        Ok(Self { body, features: checked.features })
    }

    fn condition(
        source: &str,
        catalogue: &Catalogue,
        scope: Allowed,
        lists: Option<ListNames<'_>>,
    ) -> Result<Self, Diagnostic> {
        let checked = check::check(source, catalogue, scope, lists)?;
        let body = match checked.root {
            Typed::Condition(condition) => Body::Condition(condition),
            other => return Err(check::wrong_result(source, &other, "true or false")),
        };
        Ok(Self { body, features: checked.features })
    }

    /// Whether the condition holds; `None` where that is unknown, and for a number.
    #[inline]
    pub fn truth(&self, vector: &FeatureVector) -> Option<bool> {
        self.truth_with(vector, &NoLists)
    }

    /// Whether the condition holds, with the members of the lists that it names.
    #[inline]
    pub fn truth_with<M: Membership>(&self, vector: &FeatureVector, lists: &M) -> Option<bool> {
        match &self.body {
            Body::Condition(condition) => condition.truth(vector, lists),
            Body::Number(_) => None,
        }
    }

    /// The number; a condition counts 1 where it holds and 0 where it does not. `None` where it is
    /// unknown.
    #[inline]
    pub fn number(&self, vector: &FeatureVector) -> Option<f64> {
        match &self.body {
            Body::Condition(condition) => {
                condition.truth(vector, &NoLists).map(|held| f64::from(u8::from(held)))
            }
            Body::Number(number) => number.real(vector, &NoLists),
        }
    }

    /// The features that it reads, in order of their first appearance.
    pub fn features(&self) -> &[FeatureId] {
        &self.features
    }

    /// The greatest `k` for which a conjunct at the top level says that a whole-number feature is
    /// at least `k`; `None` where none does.
    ///
    /// `stars >= 4 && …`, `stars == 4 && …`, `stars in [4, 5]` have the bound 4; `stars >= 4 || …`
    /// has none.
    pub fn lower_bound(&self, feature: FeatureId) -> Option<i64> {
        let Body::Condition(condition) = &self.body else { return None };
        let conjuncts = match condition {
            Condition::All(parts) => parts,
            single => std::slice::from_ref(single),
        };
        conjuncts.iter().filter_map(|part| part.lower_bound(feature)).max()
    }
}
