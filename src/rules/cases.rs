//! `[[rule.case]]`: examples that must fire or must not.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::lists::{self, KEYS, ListKeys};
use super::policy::unknown;
use super::{RuleIndex, RuleSet};
use crate::catalogue::{Catalogue, FeatureId, FeatureType, FeatureVector, code_of};
use crate::expression::document::{Reader, as_number, as_text, as_whole};
use crate::expression::{Diagnostic, Diagnostics, Located, nearest};
use crate::time::Instant;

/// One example.
#[derive(Clone, Debug)]
pub(super) struct Case {
    given: Vec<(FeatureId, u64)>,
    keys: ListKeys,
    fires: bool,
    span: Range<usize>,
}

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseOutcome {
    /// The rule.
    pub rule: RuleIndex,
    /// Number of the case within its rule, from 1.
    pub number: usize,
    /// Whether it should fire.
    pub expected: bool,
    /// The condition's value; `None` is unknown, which does not fire.
    pub found: Option<bool>,
    /// Features that the condition reads and the case does not give.
    pub missing: Vec<String>,
}

impl CaseOutcome {
    /// Whether the rule did as expected.
    pub fn passed(&self) -> bool {
        (self.found == Some(true)) == self.expected
    }
}

/// Entries of lists count in cases whenever they expire: a case must not fail with time.
const BEFORE_ALL_EXPIRIES: Instant = Instant(i64::MIN);

impl RuleSet {
    /// Runs every case of every rule, drafts included.
    pub fn run_cases(&self, catalogue: &Catalogue) -> Vec<CaseOutcome> {
        let mut outcomes = Vec::new();
        for (rule, entry) in self.iter() {
            let program = self.program(rule);
            for (i, case) in entry.cases.iter().enumerate() {
                let mut vector = FeatureVector::new(self.width);
                for &(feature, raw) in &case.given {
                    vector.set_raw(feature, raw);
                }
                let found = program.truth_with(&vector, &self.lists.at(BEFORE_ALL_EXPIRIES, case.keys));
                let missing = program.features().iter().filter(|&&feature| !vector.is_present(feature));
                outcomes.push(CaseOutcome {
                    rule,
                    number: i + 1,
                    expected: case.fires,
                    found,
                    missing: missing.map(|&feature| catalogue.get(feature).name.clone()).collect(),
                });
            }
        }
        outcomes
    }

    /// The cases that fail, as errors in their files.
    pub(super) fn failed_cases(&self, catalogue: &Catalogue) -> Diagnostics {
        let failed = self.run_cases(catalogue).into_iter().filter(|outcome| !outcome.passed());
        Diagnostics(failed.map(|outcome| self.describe(&outcome)).collect())
    }

    fn describe(&self, outcome: &CaseOutcome) -> Located {
        let rule = self.rule(outcome.rule);
        let wanted = if outcome.expected { "should fire" } else { "should not fire" };
        let found = match outcome.found {
            Some(true) => "true",
            Some(false) => "false",
            None => "unknown",
        };
        let message =
            format!("case {} of `{}` {wanted}, but its condition is {found}", outcome.number, rule.id);
        let mut diagnostic = Diagnostic::new(rule.cases[outcome.number - 1].span.clone(), message);
        if outcome.found.is_none() {
            diagnostic = diagnostic.note(format!("not given: {}", outcome.missing.join(", ")));
        }
        let (file, text) = &self.files[rule.file];
        Located { file: file.clone(), text: text.clone(), diagnostic }
    }
}

/// Reads one `[[rule.case]]`.
pub(super) fn read(
    mut row: Reader<'_>,
    catalogue: &Catalogue,
    problems: &mut Vec<Diagnostic>,
) -> Option<Case> {
    let span = row.span();
    let fires = row.flag("fires", problems);
    if row.key_span("fires").is_none() {
        problems.push(row.missing("fires"));
    }
    let given = row.table("given", "given", problems);
    if row.key_span("given").is_none() {
        problems.push(row.missing("given"));
    }
    row.finish(problems);
    let mut case = Case { given: Vec::new(), keys: ListKeys::default(), fires: fires?, span };
    for (key, place, value) in given?.entries() {
        case.give(key, place, value, catalogue, problems);
    }
    Some(case)
}

impl Case {
    /// Gives a feature or key its value. `device.class = "personal"` without quotes is a table in
    /// TOML and is read as the dotted name that it looks like.
    fn give(
        &mut self,
        name: &str,
        place: Range<usize>,
        value: &Spanned<DeValue<'_>>,
        catalogue: &Catalogue,
        problems: &mut Vec<Diagnostic>,
    ) {
        if let DeValue::Table(table) = value.get_ref() {
            for (key, inner) in table {
                self.give(&format!("{name}.{}", key.get_ref()), key.span(), inner, catalogue, problems);
            }
            return;
        }
        if let Some(position) = KEYS.iter().position(|key| *key == name) {
            let written = as_text(value.get_ref()).map_or("", |text| text.as_ref());
            match lists::value_of(name, written) {
                Ok(key) => self.keys.set(position, key),
                Err(message) => problems.push(Diagnostic::new(value.span(), message)),
            }
            return;
        }
        let Some(id) = catalogue.find(name) else {
            let names = catalogue.iter().map(|(_, feature)| feature.name.as_str());
            problems.push(
                Diagnostic::new(place, format!("no feature is called `{name}`"))
                    .suggest(nearest(name, names)),
            );
            return;
        };
        match raw(value, name, catalogue.get(id).kind) {
            Ok(raw) => self.given.push((id, raw)),
            Err(diagnostic) => problems.push(diagnostic),
        }
    }
}

/// The slot that a written value makes.
fn raw(value: &Spanned<DeValue<'_>>, name: &str, kind: FeatureType) -> Result<u64, Diagnostic> {
    let written = value.get_ref();
    let (slot, wanted) = match kind {
        FeatureType::Bool => (written.as_bool().map(u64::from), "true or false"),
        FeatureType::Int => (as_whole(written).map(|whole| whole as u64), "a whole number"),
        FeatureType::Float => {
            // As the vector rounds it.
            let number = as_number(written).map(|number| f64::from(number as f32));
            (number.filter(|number| number.is_finite()).map(f64::to_bits), "a number")
        }
        FeatureType::Code => (as_text(written).map(|text| code_of(text)), "a text in quotes"),
        FeatureType::Enum(names) => {
            let text = as_text(written);
            let position = text.and_then(|text| names.iter().position(|known| known == text));
            if let (Some(text), None) = (text, position) {
                return Err(unknown(text, value.span(), names, &format!("value of `{name}`")));
            }
            (position.map(|position| position as u64), "a name in quotes")
        }
    };
    slot.ok_or_else(|| {
        let found = written.type_str();
        Diagnostic::new(value.span(), format!("`{name}` must be {wanted}, not {found}"))
    })
}
