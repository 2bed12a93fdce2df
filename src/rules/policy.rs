//! The `[policy]` table: intercepts, thresholds and caps, which belong to the rule set.

use std::ops::Range;

use super::vocabulary::Family;
use crate::expression::document::{Reader, as_number};
use crate::expression::{Diagnostic, nearest};
use crate::wire::Suspicion;

/// Number of suspicions.
pub const AXES: usize = Suspicion::ALL.len();

/// A risk from which something happens, per suspicion (in the order of [`Suspicion::ALL`]); `None`
/// where it never does.
pub type Thresholds = [Option<f64>; AXES];

/// What a rule set says besides its rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Log-odds of each suspicion before any evidence, in the order of [`Suspicion::ALL`].
    pub intercept: [f64; AXES],
    /// Risk from which a good rating is held.
    pub hold_good: Thresholds,
    /// Risk from which a bad rating is held.
    pub hold_bad: Thresholds,
    /// Risk from which an admitted good rating is looked at again.
    pub second_look_good: Thresholds,
    /// Risk from which an admitted bad rating is looked at again.
    pub second_look_bad: Thresholds,
    /// Most log-odds that a family can add to (or take from) one suspicion, in the order of
    /// [`Family::ALL`].
    pub family_cap: [f64; Family::COUNT],
}

impl Default for Policy {
    /// What holds where no file has a `[policy]`: a base rate of about 1 in 400, holds from a risk
    /// of 0.9 for good and 0.97 for bad ratings, a second look from 0.5 and 0.7, caps of 4.
    fn default() -> Self {
        Self {
            intercept: [-6.0; AXES],
            hold_good: [Some(0.9); AXES],
            hold_bad: [Some(0.97); AXES],
            second_look_good: [Some(0.5); AXES],
            second_look_bad: [Some(0.7); AXES],
            family_cap: [4.0; Family::COUNT],
        }
    }
}

impl Policy {
    /// The risk from which a rating is held.
    pub fn hold(&self, bad: bool, suspicion: Suspicion) -> Option<f64> {
        if bad { self.hold_bad[suspicion as usize] } else { self.hold_good[suspicion as usize] }
    }

    /// The risk from which an admitted rating is looked at again.
    pub fn second_look(&self, bad: bool, suspicion: Suspicion) -> Option<f64> {
        if bad { self.second_look_bad[suspicion as usize] } else { self.second_look_good[suspicion as usize] }
    }
}

/// Reads `[policy]`. What it does not say keeps its default.
pub(super) fn read(mut table: Reader<'_>, problems: &mut Vec<Diagnostic>) -> Policy {
    let mut policy = Policy::default();
    if let Some(intercept) = table.table("intercept", "policy.intercept", problems) {
        each(&intercept, Suspicion::NAMES, "suspicion", problems, |i, value| match value {
            Some(value) if (-20.0..=20.0).contains(&value) => {
                policy.intercept[i] = value;
                Ok(())
            }
            _ => Err("an intercept is a number of log-odds from -20 to 20"),
        });
    }
    if let Some((good, bad)) = polarities(&mut table, "hold", problems) {
        thresholds(good, &mut policy.hold_good, problems);
        thresholds(bad, &mut policy.hold_bad, problems);
    }
    if let Some((good, bad)) = polarities(&mut table, "second_look", problems) {
        thresholds(good, &mut policy.second_look_good, problems);
        thresholds(bad, &mut policy.second_look_bad, problems);
    }
    if let Some(caps) = table.table("family_cap", "policy.family_cap", problems) {
        read_caps(&caps, &mut policy.family_cap, problems);
    }
    table.finish(problems);
    policy
}

type Polarities<'a> = (Option<Reader<'a>>, Option<Reader<'a>>);

/// The `good` and `bad` of `[policy.hold]`.
fn polarities<'a>(
    table: &mut Reader<'a>,
    key: &'static str,
    problems: &mut Vec<Diagnostic>,
) -> Option<Polarities<'a>> {
    let mut both = table.table(key, "thresholds", problems)?;
    let good = both.table("good", "thresholds for good ratings", problems);
    let bad = both.table("bad", "thresholds for bad ratings", problems);
    both.finish(problems);
    Some((good, bad))
}

/// `{ padded_praise = 0.8, malicious_review = "never" }`
fn thresholds(table: Option<Reader<'_>>, into: &mut Thresholds, problems: &mut Vec<Diagnostic>) {
    let Some(table) = table else { return };
    each(&table, Suspicion::NAMES, "suspicion", problems, |i, value| match value {
        Some(value) if value > 0.0 && value < 1.0 => {
            into[i] = Some(value);
            Ok(())
        }
        None => {
            into[i] = None;
            Ok(())
        }
        Some(_) => Err("a threshold is a risk between 0 and 1, or \"never\""),
    });
}

fn read_caps(table: &Reader<'_>, into: &mut [f64; Family::COUNT], problems: &mut Vec<Diagnostic>) {
    // `default` first, whatever the order in the file.
    let default = table.entries().find(|(key, ..)| *key == "default");
    if let Some(value) = default.and_then(|(.., value)| as_number(value.get_ref())) {
        *into = [value; Family::COUNT];
    }
    let names: Vec<&str> = Family::NAMES.iter().copied().chain(["default"]).collect();
    each(table, &names, "family", problems, |i, value| match value {
        Some(value) if value > 0.0 && value <= 20.0 => {
            if let Some(cap) = into.get_mut(i) {
                *cap = value;
            }
            Ok(())
        }
        _ => Err("a cap is a number of log-odds above 0, at most 20"),
    });
}

/// Hands each key's position in `names` and its number (`None` for "never") to `set`.
fn each(
    table: &Reader<'_>,
    names: &[&str],
    what: &str,
    problems: &mut Vec<Diagnostic>,
    mut set: impl FnMut(usize, Option<f64>) -> Result<(), &'static str>,
) {
    for (key, span, value) in table.entries() {
        let Some(position) = names.iter().position(|name| *name == key) else {
            problems.push(unknown(key, span, names, what));
            continue;
        };
        let number = as_number(value.get_ref());
        let never = value.get_ref().as_str() == Some("never");
        let outcome =
            if number.is_none() && !never { Err("a number must stand here") } else { set(position, number) };
        if let Err(message) = outcome {
            problems.push(Diagnostic::new(value.span(), message));
        }
    }
}

/// A name that is in none of a closed list.
pub(super) fn unknown(written: &str, span: Range<usize>, names: &[&str], what: &str) -> Diagnostic {
    Diagnostic::new(span, format!("no {what} is called `{written}`"))
        .suggest(nearest(written, names.iter().copied()))
        .note(format!("it is one of {}", names.join(", ")))
}
