//! One `[[rule]]` of a file: its keys, what must and must not stand together, its condition.

use super::cases::{self, Case};
use super::policy::unknown;
use super::vocabulary::{Action, Family, State};
use super::why::Template;
use super::{MAX_CASES, Rule};
use crate::catalogue::{Catalogue, builtin};
use crate::expression::document::{Reader, Text, plain};
use crate::expression::{Diagnostic, ListNames, Program};
use crate::wire::Suspicion;

/// Largest weight of one rule, in log-odds either way.
const MAX_WEIGHT: f64 = 20.0;
/// The least stars that a rejecting rule must demand.
const REJECT_STARS: i64 = 3;

/// A rule whose references to other rules are not resolved yet.
pub(super) struct Draft {
    pub(super) rule: Rule,
    pub(super) program: Program,
    pub(super) id: Text,
    pub(super) mutes: Vec<Text>,
}

/// Reads and checks one `[[rule]]`.
///
/// If something is wrong with it, what is left is its id, under which others may still name it.
pub(super) fn read(
    mut table: Reader<'_>,
    file: usize,
    catalogue: &Catalogue,
    names: ListNames<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Result<Draft, Option<String>> {
    let id = table.required_text("id", problems);
    let when = table.required_text("when", problems);
    let action = read_action(&mut table, problems);
    let weight = table.number("weight", problems);
    let suspect = one_of(&mut table, "suspect", Suspicion::NAMES, Suspicion::from_name, problems);
    let family = one_of(&mut table, "family", Family::NAMES, Family::from_name, problems);
    let state = one_of(&mut table, "state", State::NAMES, State::from_name, problems);
    let owner = table.required_text("owner", problems);
    let why = table.bilingual("why", problems);
    let mutes = table.texts("mutes", problems);
    let tags = table.texts("tags", problems);
    let rows = table.tables("case", "a case", problems);

    if !state.given {
        problems.push(table.missing("state").note(format!("it is one of {}", State::NAMES.join(", "))));
    }
    if table.key_span("why").is_none() {
        problems
            .push(table.missing("why").note("why = { zh = \"…\", en = \"…\" } is what the reviewer reads"));
    }
    if let Some(action) = action {
        check_action(&table, action, weight.as_ref(), &suspect, &family, &mutes, problems);
    }
    if let Some(id) = &id {
        check_id(id, problems);
    }
    if rows.len() > MAX_CASES {
        let message = format!("the rule has {} cases; at most {MAX_CASES} are allowed", rows.len());
        problems.push(Diagnostic::new(table.span(), message));
    }
    let cases: Vec<Case> = rows.into_iter().filter_map(|row| cases::read(row, catalogue, problems)).collect();

    let program =
        when.as_ref().and_then(|when| match Program::compile_with_lists(&when.value, catalogue, names) {
            Ok(program) => Some(program),
            Err(diagnostic) => {
                problems.push(when.locate(diagnostic));
                None
            }
        });
    if let (Some(Action::Reject), Some(program), Some(when)) = (action, &program, &when) {
        check_reject(program, when, problems);
    }
    let templates = why
        .as_ref()
        .map(|(zh, en)| (Template::parse(zh, catalogue, problems), Template::parse(en, catalogue, problems)));
    table.finish(problems);

    let name = id.as_ref().map(|id| id.value.clone());
    let assemble = move || {
        let (id, why, (zh, en)) = (id?, why?, templates?);
        let rule = Rule {
            id: id.value.clone(),
            when: when?.value,
            weight: weight.map_or(0.0, |(weight, _)| weight) as f32,
            suspect: suspect.value,
            family: family.value,
            action: action?,
            state: state.value?,
            owner: owner?.value,
            tags: tags.into_iter().map(|tag| tag.value).collect(),
            mutes: Vec::new(),
            why: plain(&why),
            zh,
            en,
            cases,
            file,
        };
        Some(Draft { rule, program: program?, id, mutes })
    };
    assemble().ok_or(name)
}

/// A key with a closed list of values: whether it stands there, and its value if that is right.
struct Choice<T> {
    given: bool,
    value: Option<T>,
}

fn one_of<T>(
    table: &mut Reader<'_>,
    key: &'static str,
    names: &[&str],
    from_name: fn(&str) -> Option<T>,
    problems: &mut Vec<Diagnostic>,
) -> Choice<T> {
    let text = table.text(key, problems);
    let given = table.key_span(key).is_some();
    let value = text.and_then(|text| {
        let value = from_name(&text.value);
        if value.is_none() {
            let what = if key == "suspect" { "suspicion" } else { key };
            problems.push(unknown(&text.value, text.span, names, what));
        }
        value
    });
    Choice { given, value }
}

fn read_action(table: &mut Reader<'_>, problems: &mut Vec<Diagnostic>) -> Option<Action> {
    let Some(text) = table.text("then", problems) else {
        return table.key_span("then").is_none().then_some(Action::Weigh);
    };
    let action = Action::from_name(&text.value).filter(|&action| action != Action::Weigh);
    if action.is_none() {
        let names = ["hold", "reject", "allow"];
        problems.push(
            unknown(&text.value, text.span, &names, "action")
                .note("`then` is \"hold\", \"reject\" or \"allow\"; without it the rule weighs"),
        );
    }
    action
}

/// What each action needs and must not have.
fn check_action(
    table: &Reader<'_>,
    action: Action,
    weight: Option<&(f64, std::ops::Range<usize>)>,
    suspect: &Choice<Suspicion>,
    family: &Choice<Family>,
    mutes: &[Text],
    problems: &mut Vec<Diagnostic>,
) {
    let allow = action == Action::Allow;
    let judges = "`suspect` and `family` say what the rule is evidence of, and of which kind";
    for (key, given) in [("suspect", suspect.given), ("family", family.given)] {
        if !allow && !given {
            problems.push(table.missing(key).note(judges));
        }
    }
    if action == Action::Weigh && table.key_span("weight").is_none() {
        problems.push(table.missing("weight").note("or `then = \"hold\"`, which decides alone"));
    }
    if allow && mutes.is_empty() {
        problems.push(table.missing("mutes").note("an allow rule names the rules that it mutes"));
    }
    let forbidden: &[&str] = if allow { &["weight", "suspect", "family"] } else { &["mutes"] };
    for key in forbidden {
        if let Some(span) = table.key_span(key) {
            let message = match allow {
                true => format!("an allow rule has no `{key}`"),
                false => format!("only an allow rule has `{key}`"),
            };
            problems.push(Diagnostic::new(span, message).note("an allow rule has `then = \"allow\"`"));
        }
    }
    if let Some((weight, span)) = weight.filter(|_| !allow)
        && (weight.abs() > MAX_WEIGHT || (*weight == 0.0 && action == Action::Weigh))
    {
        problems.push(
            Diagnostic::new(span.clone(), format!("a weight of {weight} makes no sense"))
                .note(format!("log-odds other than 0, from -{MAX_WEIGHT} to {MAX_WEIGHT}")),
        );
    }
}

fn check_id(id: &Text, problems: &mut Vec<Diagnostic>) {
    let value = id.value.as_bytes();
    let starts = value.first().is_some_and(u8::is_ascii_lowercase);
    let rest = value.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
    if !starts || !rest || value.len() > 64 {
        problems.push(Diagnostic::new(
            id.span.clone(),
            "an id is made of a-z, 0-9 and `-`, starts with a letter and has at most 64 characters",
        ));
    }
}

/// No machine rejects a bad rating. The condition must say so itself; what the stars do not tell
/// (hall stars and aspects make a rating bad too) the policy clamps to a hold.
fn check_reject(program: &Program, when: &Text, problems: &mut Vec<Diagnostic>) {
    if program.lower_bound(builtin::STARS).is_none_or(|least| least < REJECT_STARS) {
        problems.push(
            Diagnostic::new(when.span.clone(), "a rule that rejects must demand `stars >= 3` or more")
                .note("as a conjunct at the top level: `stars >= 4 && …`; a bad rating is never rejected by a machine"),
        );
    }
}
