//! `zhenping rules`: checks rule files, runs their cases, prints their documentation.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::CommandResult;
use crate::catalogue::{Catalogue, Feature, FeatureType, Scope};
use crate::expression::Diagnostics;
use crate::rules::{self, Action, CaseOutcome, Rule, RuleSet, Source, State};

/// Checks, tests or documents rule files.
#[derive(Debug, Args)]
pub struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
    /// Directory with the rule files [default: rules/ here if there is one, else the shipped rules]
    #[arg(long, value_name = "DIR", global = true)]
    rules: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// Checks every file: prints OK with counts and the version, or everything that is wrong
    Check,
    /// Runs the cases of every rule and prints which pass
    Test,
    /// Prints every feature that rules can use, and every rule with its reason
    Docs {
        /// As Markdown
        #[arg(long)]
        markdown: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// The rule files cannot be read, or the output cannot be written. Files that are read and wrong
/// are no error of the command: it prints what is wrong and exits with 1.
pub fn run(args: RulesArgs) -> CommandResult {
    let files = RuleFiles::find(args.rules.as_deref())?;
    let catalogue = match rules::catalogue_with_counters(&files.sources) {
        Ok(catalogue) => catalogue,
        Err(problems) => return files.refuse(problems),
    };
    let set = match args.command {
        RulesCommand::Check => RuleSet::load(&files.sources, &catalogue),
        RulesCommand::Test | RulesCommand::Docs { .. } => RuleSet::compile(&files.sources, &catalogue),
    };
    let set = match set {
        Ok(set) => set,
        Err(problems) => return files.refuse(problems),
    };
    match args.command {
        RulesCommand::Check => print(&checked(&files, &set, &catalogue), ExitCode::SUCCESS),
        RulesCommand::Test => {
            let (report, passed) = tested(&files, &set, &catalogue);
            print(&report, if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        RulesCommand::Docs { markdown } => {
            let page = if markdown { markdown_page(&set, &catalogue) } else { plain_page(&set, &catalogue) };
            print(&page, ExitCode::SUCCESS)
        }
    }
}

/// The rule files and where they were found.
struct RuleFiles {
    directory: Option<PathBuf>,
    sources: Vec<Source>,
}

impl RuleFiles {
    fn find(asked: Option<&Path>) -> Result<Self, rules::SourceError> {
        let usual = Path::new("rules");
        match asked.or_else(|| usual.is_dir().then_some(usual)) {
            Some(directory) => {
                let sources = rules::load_directory(directory)?;
                Ok(Self { directory: Some(directory.to_owned()), sources })
            }
            None => Ok(Self { directory: None, sources: rules::shipped() }),
        }
    }

    /// `rules/ (3 files)` or `the shipped rules (3 files)`.
    fn describe(&self) -> String {
        let place = match &self.directory {
            Some(directory) => directory.display().to_string(),
            None => "the shipped rules".to_owned(),
        };
        format!("{place} ({})", count(self.sources.len(), "file"))
    }

    /// Prints what is wrong, with paths that an editor can open.
    fn refuse(&self, mut problems: Diagnostics) -> CommandResult {
        if let Some(directory) = &self.directory {
            for problem in &mut problems.0 {
                problem.file = directory.join(&problem.file).display().to_string();
            }
        }
        let total = count(problems.0.len(), "error");
        eprintln!("{problems}\n{}: {total}", self.describe());
        Ok(ExitCode::FAILURE)
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Writes to standard output; a reader that has gone away is no error.
fn print(text: &str, code: ExitCode) -> CommandResult {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(code),
    }
}

// ---- check and test ----------------------------------------------------------------------------

fn checked(files: &RuleFiles, set: &RuleSet, catalogue: &Catalogue) -> String {
    let states = State::ALL.iter().rev().map(|&state| {
        format!("{} {}", set.iter().filter(|(_, rule)| rule.state == state).count(), state.name())
    });
    let entries: usize = set.lists().iter().map(|list| list.entries().len()).sum();
    let counters = catalogue.iter().filter(|(_, feature)| feature.scope == Scope::Counter).count();
    format!(
        "{}: OK\n{} ({}), {}, {} with {}, {}\nversion {}\n",
        files.describe(),
        count(set.len(), "rule"),
        states.collect::<Vec<_>>().join(", "),
        count(counters, "counter"),
        count(set.lists().len(), "list"),
        if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") },
        count(set.run_cases(catalogue).len(), "case"),
        set.version(),
    )
}

/// A line for each case, and whether all passed.
fn tested(files: &RuleFiles, set: &RuleSet, catalogue: &Catalogue) -> (String, bool) {
    let outcomes = set.run_cases(catalogue);
    let width = outcomes.iter().map(|outcome| set.rule(outcome.rule).id.len()).max().unwrap_or(0);
    let mut out = format!("{}, version {}\n", files.describe(), set.version());
    for outcome in &outcomes {
        let id = &set.rule(outcome.rule).id;
        let mark = if outcome.passed() { "pass" } else { "FAIL" };
        out += &format!("{mark}  {id:width$}  case {:<2}  {}\n", outcome.number, verdict(outcome));
    }
    let without: Vec<&str> = set
        .iter()
        .filter(|(index, _)| outcomes.iter().all(|outcome| outcome.rule != *index))
        .map(|(_, rule)| rule.id.as_str())
        .collect();
    if !without.is_empty() {
        out += &format!("without a case: {}\n", without.join(", "));
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    out +=
        &format!("{}: {} passed, {failed} failed\n", count(outcomes.len(), "case"), outcomes.len() - failed);
    (out, failed == 0)
}

fn verdict(outcome: &CaseOutcome) -> String {
    let found = match outcome.found {
        Some(true) => "true".to_owned(),
        Some(false) => "false".to_owned(),
        None => format!("unknown (not given: {})", outcome.missing.join(", ")),
    };
    match (outcome.passed(), outcome.expected) {
        (true, true) => "fires".to_owned(),
        (true, false) => "does not fire".to_owned(),
        (false, true) => format!("should fire, but the condition is {found}"),
        (false, false) => format!("should not fire, but the condition is {found}"),
    }
}

// ---- docs --------------------------------------------------------------------------------------

/// `enum: personal, official …` or the name of the type.
fn kind(feature: &Feature) -> String {
    match feature.kind {
        FeatureType::Enum(names) => format!("one of {}", names.join(", ")),
        other => other.name().to_owned(),
    }
}

fn scope(feature: &Feature) -> &'static str {
    match feature.scope {
        Scope::Rating => "rating",
        Scope::State => "state",
        Scope::Counter => "counter",
        Scope::Model => "model",
    }
}

/// `hold`, `+2.5 padded_praise (device)` …
fn effect(rule: &Rule, set: &RuleSet) -> String {
    let mut parts = Vec::new();
    match rule.action {
        Action::Weigh => {}
        Action::Allow => {
            let muted = rule.mutes.iter().map(|&other| set.rule(other).id.as_str());
            parts.push(format!("allow: mutes {}", muted.collect::<Vec<_>>().join(", ")));
        }
        action => parts.push(action.name().to_owned()),
    }
    if let (Some(suspect), Some(family)) = (rule.suspect, rule.family) {
        let weight = if rule.weight == 0.0 { String::new() } else { format!("{:+} ", rule.weight) };
        parts.push(format!("{weight}{} ({})", suspect.name(), family.name()));
    }
    parts.join(", ")
}

fn plain_page(set: &RuleSet, catalogue: &Catalogue) -> String {
    let mut out = String::from("FEATURES\n\n");
    for (_, feature) in catalogue.iter() {
        let unit = if feature.unit.is_empty() { String::new() } else { format!(", {}", feature.unit) };
        out += &format!(
            "{}  [{}{unit}; {}]\n    {}\n    {}\n    → {} / {}\n\n",
            feature.name,
            kind(feature),
            scope(feature),
            feature.meaning.zh,
            feature.meaning.en,
            feature.text.zh,
            feature.text.en
        );
    }
    out += &format!("RULES (version {})\n\n", set.version());
    for (_, rule) in set.iter() {
        out += &format!(
            "{}  [{}; {}; {}]\n    when {}\n    → {} / {}\n\n",
            rule.id,
            rule.state.name(),
            effect(rule, set),
            rule.owner,
            one_line(&rule.when),
            rule.why.zh,
            rule.why.en
        );
    }
    out
}

fn markdown_page(set: &RuleSet, catalogue: &Catalogue) -> String {
    let mut out = String::from(
        "# 特征与规则 / Features and rules\n\n## 特征 / Features\n\n\
         | 名称 Name | 类型 Type | 单位 Unit | 来源 From | 含义 | Meaning | 说明句 / Sentence |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (_, feature) in catalogue.iter() {
        row(
            &mut out,
            &[
                &format!("`{}`", feature.name),
                &kind(feature),
                &feature.unit,
                scope(feature),
                &feature.meaning.zh,
                &feature.meaning.en,
                &format!("{} / {}", feature.text.zh, feature.text.en),
            ],
        );
    }
    out += &format!(
        "\n## 规则 / Rules\n\n版本 / Version `{}`\n\n\
         | 规则 Id | 状态 State | 作用 Effect | 条件 Condition | 理由 | Reason | 负责人 Owner |\n\
         |---|---|---|---|---|---|---|\n",
        set.version()
    );
    for (_, rule) in set.iter() {
        row(
            &mut out,
            &[
                &format!("`{}`", rule.id),
                rule.state.name(),
                &effect(rule, set),
                &format!("`{}`", one_line(&rule.when)),
                &rule.why.zh,
                &rule.why.en,
                &rule.owner,
            ],
        );
    }
    out
}

/// One row of a Markdown table; a bar in a cell would end it.
fn row(out: &mut String, cells: &[&str]) {
    for cell in cells {
        let written = write!(out, "| {} ", cell.replace('|', "\\|"));
        debug_assert!(written.is_ok(), "writing to a String never fails");
    }
    out.push_str("|\n");
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
