//! What rule sets promise.

use std::path::Path;

use zhenping::catalogue::{Catalogue, Feature, FeatureVector, builtin, code_of};
use zhenping::rules::{self, Assessment, ListKeys, RuleSet, Source};
use zhenping::time::Instant;
use zhenping::wire::{Decision, Suspicion};

fn fixture() -> Vec<Source> {
    rules::load_directory(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rules")).unwrap()
}

fn load(sources: &[Source]) -> RuleSet {
    RuleSet::load(sources, &Catalogue::builtin()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn source(text: &str) -> Source {
    Source { name: "test.toml".to_owned(), text: text.to_owned() }
}

/// What is wrong with one file.
fn problems(text: &str) -> String {
    RuleSet::load(&[source(text)], &Catalogue::builtin()).expect_err(text).to_string()
}

/// Evaluates and gives back the ids of what fired.
struct Judge {
    set: RuleSet,
    vector: FeatureVector,
    keys: ListKeys,
    now: Instant,
    out: Assessment,
}

impl Judge {
    fn new() -> Self {
        let now = Instant::parse_rfc3339("2026-06-01T00:00:00+08:00").unwrap();
        let vector = FeatureVector::new(Catalogue::builtin().len());
        Self { set: load(&fixture()), vector, keys: ListKeys::default(), now, out: Assessment::default() }
    }

    fn evaluate(&mut self) -> &Assessment {
        let lists = self.set.lists().at(self.now, self.keys);
        self.set.evaluate(&self.vector, &lists, &mut self.out);
        &self.out
    }

    fn fired(&mut self) -> Vec<(String, f32)> {
        self.evaluate();
        self.out.fired.iter().map(|fired| (self.set.rule(fired.rule).id.clone(), fired.weight)).collect()
    }
}

fn logit(out: &Assessment, suspicion: Suspicion) -> f64 {
    out.logits[suspicion as usize]
}

#[test]
fn nothing_fires_on_missing_values() {
    let mut judge = Judge::new();
    let out = judge.evaluate();
    assert_eq!((out.fired.len(), out.hard.len(), out.shadow.len()), (0, 0, 0));
    assert_eq!(out.logits, [-5.0, -6.0, -5.5, -6.0]);
}

#[test]
fn reasons_add_up_and_a_family_is_capped() {
    let mut judge = Judge::new();
    judge.vector.set_int(builtin::STARS, 5);
    judge.vector.set_bool(builtin::DEVICE_EMULATOR, true);
    judge.vector.set_int(builtin::DEVICE_CLASS, 0);
    judge.vector.set_float(builtin::TIMING_DWELL_S, 1.0);
    judge.vector.set_bool(builtin::RATER_MATCHED_APPLICANT, true);
    let fired = judge.fired();
    let ids: Vec<&str> = fired.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["emulator-praise", "quick", "matched"]);
    assert_eq!(logit(&judge.out, Suspicion::PaddedPraise), -5.0 + 2.5 + 1.0 - 2.0);

    // 2.5 and 1.5 of one family, capped at 3, keep their proportion.
    judge.vector.set_int(builtin::DEVICE_CONTRADICTIONS, 3);
    judge.keys.device = 7;
    let fired = judge.fired();
    assert_eq!(fired[0], ("emulator-praise".to_owned(), 2.5 * 0.75));
    assert_eq!(fired[1], ("contradictions".to_owned(), 1.5 * 0.75));
    let sum: f64 = fired.iter().map(|(_, weight)| f64::from(*weight)).sum();
    assert_eq!(logit(&judge.out, Suspicion::PaddedPraise), -5.0 + sum);
    assert_eq!(logit(&judge.out, Suspicion::Automation), -5.5);
}

#[test]
fn a_hard_rule_decides_and_reject_goes_before_hold() {
    let mut judge = Judge::new();
    judge.vector.set_int(builtin::STARS, 5);
    judge.vector.set_bool(builtin::DEVICE_HEADLESS, true);
    let hard = judge.evaluate().decision().unwrap();
    assert_eq!((hard.decision, hard.suspicion), (Decision::Hold, Suspicion::Automation));
    assert_eq!(logit(&judge.out, Suspicion::Automation), -2.5, "its weight counts too");

    judge.vector.set_int(builtin::CASE_CONTEST, 2);
    let out = judge.evaluate();
    let decisions: Vec<Decision> = out.hard.iter().map(|hard| hard.decision).collect();
    assert_eq!(decisions, [Decision::Reject, Decision::Hold]);
    assert_eq!(judge.set.rule(judge.out.decision().unwrap().rule).id, "same-again");
}

#[test]
fn an_allow_rule_mutes_what_it_names_while_its_entry_lasts() {
    let mut judge = Judge::new();
    judge.vector.set_int(builtin::STARS, 5);
    judge.vector.set_bool(builtin::NETWORK_PROXY, true);
    judge.vector.set_bool(builtin::DEVICE_HEADLESS, true);
    judge.vector.set_float(builtin::TIMING_DWELL_S, 1.0);
    judge.vector.set_raw(builtin::DEPARTMENT, code_of("11320"));
    assert_eq!(judge.fired(), [("headless".to_owned(), 3.0)]);
    let muted: Vec<&str> = judge.out.muted.iter().map(|&rule| judge.set.rule(rule).id.as_str()).collect();
    assert_eq!(muted, ["foreign-network", "quick"]);
    assert_eq!(judge.out.allowed.len(), 1);

    judge.now = Instant::parse_rfc3339("2026-07-01T00:00:00+08:00").unwrap();
    assert_eq!(judge.fired().len(), 3);
    assert!(judge.out.allowed.is_empty());
    // Lists may be added to while the rules stay.
    let mut lists = judge.set.lists().clone();
    let entry = rules::lists::Entry {
        value: code_of("11320"),
        reason: "extended".to_owned(),
        author: "chen".to_owned(),
        expires: Instant(judge.now.ms() + 1),
    };
    lists.find_mut("pilot-departments").unwrap().insert(entry);
    judge.set.evaluate(&judge.vector, &lists.at(judge.now, judge.keys), &mut judge.out);
    assert_eq!(judge.out.fired.len(), 1);
}

#[test]
fn shadow_rules_are_reported_apart_and_drafts_not_at_all() {
    let mut judge = Judge::new();
    judge.vector.set_float(builtin::TIMING_DWELL_S, 3.0);
    assert!(judge.fired().is_empty());
    assert_eq!(judge.out.shadow.len(), 1);
    assert_eq!(judge.set.rule(judge.out.shadow[0]).id, "quick-shadow");
    assert_eq!(judge.out.logits[0], -5.0);
}

#[test]
fn an_assessment_can_be_used_again() {
    let mut judge = Judge::new();
    judge.vector.set_bool(builtin::DEVICE_HEADLESS, true);
    let first = judge.evaluate().clone();
    judge.vector.set_int(builtin::STARS, 5);
    judge.vector.set_bool(builtin::NETWORK_PROXY, true);
    assert_ne!(judge.evaluate(), &first);
    judge.vector.clear(builtin::NETWORK_PROXY);
    assert_eq!(judge.evaluate(), &first);
}

#[test]
fn the_reviewer_reads_values_in_both_languages() {
    let mut judge = Judge::new();
    let rule = judge.set.find("emulator-praise").unwrap();
    let catalogue = Catalogue::builtin();
    judge.vector.set_bool(builtin::DEVICE_EMULATOR, true);
    judge.vector.set_int(builtin::DEVICE_CONTRADICTIONS, 3);
    let (zh, en) = judge.set.why(rule, &judge.vector, &catalogue);
    assert_eq!(zh, "模拟器：是；矛盾3处");
    assert_eq!(en, "emulator: yes, 3 contradictions on a — device");
    let quick = judge.set.find("quick").unwrap();
    judge.vector.set_float(builtin::TIMING_DWELL_S, 1.0 / 3.0);
    assert_eq!(judge.set.why(quick, &judge.vector, &catalogue).1, "filled in within 0.33 s");
}

#[test]
fn thresholds_stand_in_the_policy_table() {
    let set = load(&fixture());
    let policy = set.policy();
    assert_eq!(policy.hold(false, Suspicion::PaddedPraise), Some(0.8));
    assert_eq!(policy.hold(true, Suspicion::MaliciousReview), Some(0.95));
    assert_eq!(policy.hold(true, Suspicion::Automation), None, "never");
    assert_eq!(policy.second_look(false, Suspicion::PaddedPraise), Some(0.4));
    assert_eq!(policy.second_look(true, Suspicion::MaliciousReview), Some(0.6));
    // Without a table the defaults hold, and an empty set is a set.
    let empty = load(&[]);
    assert_eq!(empty.policy(), &rules::Policy::default());
    assert!(empty.is_empty());
}

#[test]
fn the_version_is_that_of_all_files() {
    let set = load(&fixture());
    assert_eq!(set.version(), rules::version_of(&fixture()));
    assert_eq!(set.version().to_string().len(), 16);
    let mut changed = fixture();
    changed[1].text.push_str("\n# a comment\n");
    assert_ne!(load(&changed).version(), set.version());
}

/// A rule that loads; `with` replaces or adds lines.
fn rule(with: &[(&str, &str)]) -> String {
    let mut lines = vec![
        ("id", "\"a-rule\""),
        ("when", "\"bad\""),
        ("weight", "1.0"),
        ("suspect", "\"malicious_review\""),
        ("family", "\"rater\""),
        ("state", "\"active\""),
        ("owner", "\"analytics\""),
        ("why", "{ zh = \"差评\", en = \"bad\" }"),
    ];
    for &(key, value) in with {
        lines.retain(|(existing, _)| *existing != key);
        if !value.is_empty() {
            lines.push((key, value));
        }
    }
    let lines: Vec<String> = lines.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("[[rule]]\n{}\n", lines.join("\n"))
}

#[test]
fn a_file_that_is_wrong_says_where_and_what_to_do() {
    load(&[source(&rule(&[]))]);
    let wrong: &[(&str, String)] = &[
        ("not TOML", "[[rule]\nid = 1\n".to_owned()),
        ("an unknown table", "[[rules]]\nid = 'a'\n".to_owned()),
        ("an unknown key", rule(&[("wieght", "2.0")])),
        ("an empty rule", "[[rule]]\n".to_owned()),
        ("the id", rule(&[("id", "\"A rule\"")])),
        ("a condition", rule(&[("when", "\"device.calss == \\\"personal\\\"\"")])),
        ("a condition over lines", rule(&[("when", "\"\"\"\n  bad &&\n  stars >= 4x\n\"\"\"")])),
        ("a weight of zero", rule(&[("weight", "0")])),
        ("a weight in quotes", rule(&[("weight", "\"2\"")])),
        ("a suspicion", rule(&[("suspect", "\"padded-praise\"")])),
        ("a family", rule(&[("family", "\"devise\"")])),
        ("a state", rule(&[("state", "\"on\"")])),
        ("an action", rule(&[("then", "\"rejct\"")])),
        ("a reject of anything", rule(&[("then", "\"reject\"")])),
        ("a reject of two stars", rule(&[("then", "\"reject\""), ("when", "\"stars >= 2 && rater.verified\"")])),
        ("a reject in a branch", rule(&[("then", "\"reject\""), ("when", "\"stars >= 4 || rater.verified\"")])),
        ("an allow with a weight", rule(&[("then", "\"allow\""), ("mutes", "[\"a-rule\"]")])),
        (
            "an allow that mutes too much",
            rule(&[("id", "\"machine\""), ("family", "\"automation\"")])
                + &rule(&[
                    ("then", "\"allow\""),
                    ("weight", ""),
                    ("suspect", ""),
                    ("family", ""),
                    ("mutes", "[\"machine\", \"machin\", \"a-rule\"]"),
                ]),
        ),
        ("an allow of nothing", rule(&[("then", "\"allow\""), ("weight", ""), ("suspect", ""), ("family", "")])),
        ("mutes without allow", rule(&[("mutes", "[\"a-rule\"]")])),
        ("the same id twice", rule(&[]) + &rule(&[])),
        (
            "placeholders",
            rule(&[("why", "{ zh = \"{stras}，{service.clerk}\", en = \"{{ok}} {stars\" }")]),
        ),
        ("one language", rule(&[("why", "{ zh = \"差评\" }")])),
        (
            "cases",
            rule(&[])
                + "[[rule.case]]\ngiven = { stras = 5, stars = \"5\", device.class = \"persnal\", bad = 1 }\nfires = true\n\
                   [[rule.case]]\nfire = true\n",
        ),
        (
            "the policy",
            "[policy]\nintercept = { padded_prais = -1, duplicate = \"never\", automation = 40 }\n\
             hold = { good = { automation = 1.5 }, ugly = {} }\nfamily_cap = { device = 0, devise = 2 }\nholds = 1\n"
                .to_owned(),
        ),
        ("a list twice", "[[list]]\nname = 'a'\nof = 'device'\n[[list]]\nname = 'a'\nof = 'rater'\n".to_owned()),
    ];
    let mut shown = String::new();
    for (what, text) in wrong {
        shown += &format!("## {what}\n\n{}\n", problems(text));
    }
    insta::assert_snapshot!("rule_file_errors", shown);
}

#[test]
fn a_policy_stands_in_one_file_alone() {
    let policy = |name: &str| Source {
        name: name.to_owned(),
        text: "[policy]\nfamily_cap = { default = 3.0 }\n".to_owned(),
    };
    let error = RuleSet::load(&[policy("b.toml"), policy("a.toml")], &Catalogue::builtin()).unwrap_err();
    assert_eq!(error.0.len(), 1);
    assert_eq!(error.0[0].file, "b.toml");
    assert_eq!(load(&[policy("a.toml")]).policy().family_cap, [3.0; rules::Family::COUNT]);
}

#[test]
fn a_set_whose_cases_fail_does_not_load() {
    let text = rule(&[("when", "\"bad && rater.verified\"")])
        + "[[rule.case]]\ngiven = { bad = true, rater.verified = true }\nfires = true\n\
           [[rule.case]]\ngiven = { bad = true }\nfires = true\n\
           [[rule.case]]\ngiven = { bad = true, rater.verified = true }\nfires = false\n\
           [[rule.case]]\ngiven = { bad = true }\nfires = false\n";
    insta::assert_snapshot!("failed_cases", problems(&text));
    let set = RuleSet::compile(&[source(&text)], &Catalogue::builtin()).unwrap();
    let passed: Vec<bool> =
        set.run_cases(&Catalogue::builtin()).iter().map(rules::CaseOutcome::passed).collect();
    assert_eq!(passed, [true, false, false, true]);
}

#[test]
fn bounds_on_rules_and_cases_are_stated() {
    let many: String = (0..=rules::MAX_RULES).map(|i| rule(&[("id", &format!("\"r{i}\""))])).collect();
    assert!(problems(&many).contains("more than 512 rules in one set"));
    let cases = "[[rule.case]]\ngiven = {}\nfires = false\n".repeat(rules::MAX_CASES + 1);
    assert!(problems(&(rule(&[]) + &cases)).contains("the rule has 65 cases; at most 64 are allowed"));
    let files: Vec<Source> =
        (0..=rules::MAX_FILES).map(|i| Source { name: format!("{i}.toml"), text: String::new() }).collect();
    let error = RuleSet::load(&files, &Catalogue::builtin()).unwrap_err().to_string();
    assert!(error.contains("there are 65 rule files; at most 64 are allowed"), "{error}");
}

#[test]
fn the_examples_in_the_documentation_load() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md")).unwrap();
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let whole = ["[[rule]]", "[[list]]", "[policy]"];
    let text: String = blocks.filter(|block| whole.iter().any(|start| block.starts_with(start))).collect();
    let mut catalogue = Catalogue::builtin();
    if catalogue.find("device.accounts_24h").is_none() {
        let accounts = catalogue.get(builtin::STARS).clone();
        catalogue.add(Feature { name: "device.accounts_24h".to_owned(), ..accounts }).unwrap();
    }
    let set = RuleSet::load(&[source(&text)], &catalogue).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((set.len(), set.lists().len()), (2, 1));
}
