//! From files to a [`RuleSet`]: every file is read, and everything that is wrong is reported.

use std::collections::HashMap;
use std::sync::Arc;

use super::file::{self, Draft};
use super::lists::{KEYS, List, Lists, MAX_ENTRIES, MAX_LISTS};
use super::policy::{self, Policy};
use super::source::{MAX_FILES, Source, version_of};
use super::vocabulary::{Action, State};
use super::{MAX_RULES, RuleIndex, RuleSet, lists};
use crate::catalogue::Catalogue;
use crate::expression::document::{self, Reader, Text};
use crate::expression::{Diagnostic, Diagnostics, ListNames, Located, Screen, nearest};
use crate::features::counter::CounterSet;

/// The built-in features and the counters that these files declare.
///
/// # Errors
/// Everything that is wrong with the counters.
pub fn catalogue_with_counters(sources: &[Source]) -> Result<Catalogue, Diagnostics> {
    let mut catalogue = Catalogue::builtin();
    let files: Vec<(String, String)> = sources.iter().map(|s| (s.name.clone(), s.text.clone())).collect();
    CounterSet::parse(&files, &mut catalogue)?;
    Ok(catalogue)
}

/// Reads, checks and compiles a set of files.
pub(super) fn compile(sources: &[Source], catalogue: &Catalogue) -> Result<RuleSet, Diagnostics> {
    let mut sorted: Vec<&Source> = sources.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut problems: Vec<Vec<Diagnostic>> = vec![Vec::new(); sorted.len()];
    if sorted.len() > MAX_FILES {
        let message = format!("there are {} rule files; at most {MAX_FILES} are allowed", sorted.len());
        problems[MAX_FILES].push(Diagnostic::new(0..0, message).note("merge some of them"));
    }

    let mut tables = Vec::with_capacity(sorted.len());
    for (source, problems) in sorted.iter().zip(&mut problems) {
        tables.push(document::parse(&source.text).map_err(|errors| problems.extend(errors)).ok());
    }
    let mut contents = Contents::default();
    for (i, table) in tables.iter().enumerate() {
        if let Some(table) = table {
            contents.add(i, Reader::root(table, &sorted[i].text, "a rule file"), catalogue, &mut problems[i]);
        }
    }
    let names: Vec<(String, String)> =
        contents.lists.iter().map(|list| (list.name.clone(), list.of.clone())).collect();
    let names = ListNames { lists: &names, keys: KEYS };
    let mut drafts = Vec::new();
    let mut refused = Vec::new();
    for (i, table) in contents.rules {
        match file::read(table, i, catalogue, names, &mut problems[i]) {
            Ok(draft) => drafts.push(draft),
            Err(id) => refused.extend(id),
        }
    }
    let by_id = index(&mut drafts, &refused, &mut problems);

    let files: Box<[(String, Arc<str>)]> =
        sorted.iter().map(|source| (source.name.clone(), Arc::from(source.text.as_str()))).collect();
    if problems.iter().any(|problems| !problems.is_empty()) {
        return Err(located(problems, &files));
    }
    let set = Parts { drafts, by_id, lists: contents.lists, policy: contents.policy };
    Ok(set.assemble(files, version_of(sources), catalogue.len()))
}

/// What the files hold, before rules are checked: they may name lists of any file.
#[derive(Default)]
struct Contents<'a> {
    rules: Vec<(usize, Reader<'a>)>,
    lists: Vec<List>,
    entries: usize,
    policy: Option<Policy>,
}

impl<'a> Contents<'a> {
    fn add(
        &mut self,
        file: usize,
        mut root: Reader<'a>,
        catalogue: &Catalogue,
        problems: &mut Vec<Diagnostic>,
    ) {
        // Counters are read by `features`, from the same files.
        root.skip("counter");
        for table in root.tables("list", "a list", problems) {
            if let Some((list, name)) = lists::read(table, catalogue, problems) {
                self.add_list(list, &name, problems);
            }
        }
        for table in root.tables("rule", "a rule", problems) {
            if self.rules.len() == MAX_RULES {
                let message = format!("more than {MAX_RULES} rules in one set");
                problems.push(Diagnostic::new(table.span(), message).note("remove drafts that nobody uses"));
                break;
            }
            self.rules.push((file, table));
        }
        if let Some(table) = root.table("policy", "policy", problems) {
            let place = root.key_span("policy").unwrap_or_else(|| table.span());
            let read = policy::read(table, problems);
            if self.policy.is_some() {
                problems.push(
                    Diagnostic::new(place, "another file has a `[policy]` already")
                        .note("thresholds stand in one place"),
                );
            }
            self.policy = Some(read);
        }
        root.finish(problems);
    }

    fn add_list(&mut self, list: List, name: &Text, problems: &mut Vec<Diagnostic>) {
        self.entries += list.entries().len();
        let message = if self.lists.iter().any(|earlier| earlier.name == list.name) {
            format!("a list named `{}` exists already", list.name)
        } else if self.lists.len() == MAX_LISTS {
            format!("more than {MAX_LISTS} lists in one set")
        } else if self.entries > MAX_ENTRIES {
            format!("more than {MAX_ENTRIES} entries in all lists together")
        } else {
            self.lists.push(list);
            return;
        };
        problems.push(Diagnostic::new(name.span.clone(), message));
    }
}

/// Gives each rule its position, and resolves what allow rules mute.
///
/// An id in `refused` belongs to a rule whose own errors are reported; naming it is not another.
fn index(
    drafts: &mut [Draft],
    refused: &[String],
    problems: &mut [Vec<Diagnostic>],
) -> HashMap<String, RuleIndex> {
    let mut by_id = HashMap::with_capacity(drafts.len());
    for (i, draft) in drafts.iter().enumerate() {
        if by_id.insert(draft.rule.id.clone(), RuleIndex(i as u16)).is_some() {
            let message = format!("a rule with the id `{}` exists already", draft.rule.id);
            problems[draft.rule.file].push(Diagnostic::new(draft.id.span.clone(), message));
        }
    }
    for i in 0..drafts.len() {
        let mut mutes = Vec::with_capacity(drafts[i].mutes.len());
        for name in drafts[i].mutes.iter().filter(|name| !refused.contains(&name.value)) {
            match muted(name, drafts, &by_id) {
                Ok(index) => mutes.push(index),
                Err(diagnostic) => problems[drafts[i].rule.file].push(diagnostic),
            }
        }
        drafts[i].rule.mutes = mutes;
    }
    by_id
}

/// The rule that an allow rule may mute under this name.
fn muted(name: &Text, drafts: &[Draft], by_id: &HashMap<String, RuleIndex>) -> Result<RuleIndex, Diagnostic> {
    let at = || name.span.clone();
    let Some(&index) = by_id.get(&name.value) else {
        let ids = drafts.iter().map(|draft| draft.rule.id.as_str());
        return Err(Diagnostic::new(at(), format!("no rule has the id `{}`", name.value))
            .suggest(nearest(&name.value, ids)));
    };
    let rule = &drafts[index.index()].rule;
    match rule.family {
        None => Err(Diagnostic::new(at(), format!("`{}` is an allow rule and cannot be muted", name.value))),
        Some(family) if !family.may_be_muted() => Err(Diagnostic::new(
            at(),
            format!("`{}` is of the family {} and cannot be muted", name.value, family.name()),
        )
        .note("no allowance explains away a foreign case, a machine, or a rhythm that no person keeps")),
        Some(_) => Ok(index),
    }
}

/// The problems of each file with its name and text, in order of place.
fn located(problems: Vec<Vec<Diagnostic>>, files: &[(String, Arc<str>)]) -> Diagnostics {
    let mut all = Vec::new();
    for (mut problems, (file, text)) in problems.into_iter().zip(files) {
        problems.sort_by_key(|problem| problem.span.start);
        all.extend(problems.into_iter().map(|diagnostic| Located {
            file: file.clone(),
            text: text.clone(),
            diagnostic,
        }));
    }
    Diagnostics(all)
}

/// Everything checked.
struct Parts {
    drafts: Vec<Draft>,
    by_id: HashMap<String, RuleIndex>,
    lists: Vec<List>,
    policy: Option<Policy>,
}

impl Parts {
    fn assemble(
        self,
        files: Box<[(String, Arc<str>)]>,
        version: crate::version::Version,
        width: usize,
    ) -> RuleSet {
        let (rules, programs): (Vec<_>, Vec<_>) =
            self.drafts.into_iter().map(|draft| (draft.rule, draft.program)).unzip();
        let select = |state: State, allow: Option<bool>| {
            let matching = rules.iter().enumerate().filter(move |(_, rule)| {
                rule.state == state && allow.is_none_or(|allow| (rule.action == Action::Allow) == allow)
            });
            matching.map(|(i, _)| RuleIndex(i as u16)).collect::<Vec<RuleIndex>>()
        };
        let mut judge = select(State::Active, Some(false));
        // Stable: reject before hold before weigh, each in order of file and place.
        judge.sort_by_key(|index| rules[index.index()].action);
        let (allow, shadow) = (select(State::Active, Some(true)), select(State::Shadow, None));
        let in_order = allow.iter().chain(&judge).chain(&shadow);
        let screen = Screen::new(in_order.map(|index| &programs[index.index()]));
        RuleSet {
            allow: allow.into(),
            judge: judge.into(),
            shadow: shadow.into(),
            screen,
            rules: rules.into(),
            programs: programs.into(),
            by_id: self.by_id,
            policy: self.policy.unwrap_or_default(),
            lists: Lists::new(self.lists),
            version,
            files,
            width,
        }
    }
}
