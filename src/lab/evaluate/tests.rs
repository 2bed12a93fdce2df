//! The whole evaluation: against a naive oracle, and on files that somebody made a mess of.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// One rating as the tests make them.
#[derive(Clone, Debug)]
struct Made {
    label: &'static str,
    scenario: Option<u8>,
    /// None: the label has no target, and the rating's clerk stands for it.
    target: Option<u8>,
    stars: u8,
    aspect: Option<u8>,
    is_default: bool,
    risk: f32,
    /// Inline, and revisions.
    decisions: Vec<&'static str>,
    is_labelled: bool,
    has_verdict: bool,
}

fn label_line(number: usize, made: &Made) -> String {
    let mut line = json!({ "rating_id": format!("r{number}"), "label": made.label });
    if let Some(scenario) = made.scenario {
        line["scenario"] = format!("s{scenario}").into();
    }
    if let Some(target) = made.target {
        line["target"] = format!("t{target}").into();
    }
    line.to_string()
}

fn rating_line(number: usize, made: &Made) -> String {
    let mut line = json!({
        "rating_id": format!("r{number}"), "submitted_at": "2026-03-02T10:15:00+08:00", "channel": "portal",
        "stars": made.stars, "service": {"matter": "m", "department": "d", "clerk": "c"},
    });
    if let Some(aspect) = made.aspect {
        line["aspects"] = json!({ "attitude": aspect });
    }
    if made.is_default {
        line["origin"] = "default".into();
    }
    line.to_string()
}

fn verdict_lines(number: usize, made: &Made) -> Vec<String> {
    let line = |(revision, decision): (usize, &&str)| {
        json!({
            "rating_id": format!("r{number}"), "revision": revision, "decision": decision,
            "risk": if revision == 0 { made.risk } else { 0.99 }, "sequence": 10 * number + revision,
        })
        .to_string()
    };
    made.decisions.iter().enumerate().map(line).collect()
}

fn source<'a>(name: &str, text: &'a str) -> Source<&'a [u8]> {
    Source { name: name.to_owned(), input: text.as_bytes() }
}

/// Labels, ratings and verdicts.
fn files(made: &[Made]) -> [String; 3] {
    let labelled = made.iter().enumerate().filter(|(_, made)| made.is_labelled);
    let judged = made.iter().enumerate().filter(|(_, made)| made.has_verdict);
    [
        labelled.map(|(number, made)| label_line(number, made) + "\n").collect(),
        made.iter().enumerate().map(|(number, made)| rating_line(number, made) + "\n").collect(),
        judged.flat_map(|(number, made)| verdict_lines(number, made)).map(|line| line + "\n").collect(),
    ]
}

fn run([labels, ratings, verdicts]: &[String; 3]) -> Result<Report, EvaluateError> {
    let [labels, ratings, verdicts] =
        [source("labels", labels), source("ratings", ratings), source("verdicts", verdicts)];
    evaluate(labels, ratings, verdicts, None)
}

fn any_made() -> impl Strategy<Value = Made> {
    let label = prop::sample::select(crate::wire::Label::NAMES.to_vec());
    let decision = prop::sample::select(vec!["admit", "admit", "hold", "reject"]);
    let place = (prop::option::of(0_u8..3), prop::option::of(0_u8..4));
    let rating = (1_u8..=5, prop::option::of(1_u8..=5), prop::bool::weighted(0.1));
    // Few values, so that many are equal.
    let verdict = ((0_u8..=12).prop_map(|n| f32::from(n) / 12.0), prop::collection::vec(decision, 1..4));
    (label, place, rating, verdict, prop::bool::weighted(0.9), prop::bool::weighted(0.9)).prop_map(
        |(
            label,
            (scenario, target),
            (stars, aspect, is_default),
            (risk, decisions),
            is_labelled,
            has_verdict,
        )| Made {
            label,
            scenario,
            target,
            stars,
            aspect,
            is_default,
            risk,
            decisions,
            is_labelled,
            has_verdict,
        },
    )
}

impl Made {
    fn is_abusive(&self) -> bool {
        !matches!(self.label, "genuine" | "mistaken")
    }

    fn is_bad(&self) -> bool {
        self.stars <= 2 || self.aspect.is_some_and(|aspect| aspect <= 2)
    }

    fn is_held(&self, is_final: bool) -> bool {
        let decision = if is_final { self.decisions.last() } else { self.decisions.first() };
        decision != Some(&"admit")
    }

    fn target(&self) -> String {
        self.target.map_or_else(|| "clerk d/c".to_owned(), |target| format!("t{target}"))
    }
}

/// Of those that `among` takes, those that `is` takes: counted by looking at each.
fn naive_rate(made: &[&Made], among: impl Fn(&Made) -> bool, is: impl Fn(&Made) -> bool) -> Rate {
    let among: Vec<&&Made> = made.iter().filter(|made| among(made)).collect();
    Rate { count: among.iter().filter(|made| is(made)).count() as u64, of: among.len() as u64 }
}

/// Σ over the distinct risks of precision times the recall that is gained there, each counted anew.
fn naive_average_precision(made: &[&Made]) -> Option<f64> {
    let mut risks: Vec<f32> = made.iter().map(|made| made.risk).collect();
    risks.sort_by(|a, b| b.total_cmp(a));
    risks.dedup();
    let (mut sum, mut recall_before) = (0.0, 0.0);
    for risk in risks {
        let recall = naive_rate(made, Made::is_abusive, |made| made.risk >= risk).share()?;
        let precision = naive_rate(made, |made| made.risk >= risk, Made::is_abusive).share()?;
        sum += precision * (recall - recall_before);
        recall_before = recall;
    }
    Some(sum)
}

/// Bins of equal mass by counting off ratings one by one, each with all that have its risk.
fn naive_calibration_error(made: &[&Made]) -> Option<f64> {
    let mut left: Vec<&&Made> = made.iter().filter(|made| made.risk >= 0.05).collect();
    let all = left.len();
    let (mut sum, mut bins_left) = (0.0, 10_usize);
    while !left.is_empty() {
        let share = left.len().div_ceil(bins_left.max(1));
        bins_left = bins_left.saturating_sub(1);
        let mut bin: Vec<&&Made> = Vec::new();
        while bin.len() < share && !left.is_empty() {
            let least = left.iter().map(|made| made.risk).fold(f32::INFINITY, f32::min);
            bin.extend(left.iter().filter(|made| made.risk == least));
            left.retain(|made| made.risk != least);
        }
        let size = bin.len() as f64;
        let mean = bin.iter().map(|made| f64::from(made.risk)).sum::<f64>() / size;
        let abusive = bin.iter().filter(|made| made.is_abusive()).count() as f64 / size;
        sum += (mean - abusive).abs() * size;
    }
    (all > 0).then(|| sum / all as f64)
}

/// The lowest risk, of all that occur, at which no more honest ratings are held than allowed.
fn naive_at_budget(made: &[&Made], per_mille: u64) -> Rate {
    let honest = made.iter().filter(|made| !made.is_abusive()).count() as u64;
    let affordable = |risk: f32| {
        let price = made.iter().filter(|made| !made.is_abusive() && made.risk >= risk).count() as u64;
        price * 1_000 <= honest * per_mille
    };
    let least =
        made.iter().map(|made| made.risk).filter(|&risk| affordable(risk)).fold(f32::INFINITY, f32::min);
    naive_rate(made, Made::is_abusive, |made| made.risk >= least)
}

fn naive_differences(made: &[&Made]) -> (u64, u64) {
    let targets: BTreeSet<String> = made.iter().map(|made| made.target()).collect();
    let (mut raw, mut published) = (0, 0);
    for target in targets {
        for is_bad in [false, true] {
            let count = |counts: &dyn Fn(&Made) -> bool| {
                let own = made.iter().filter(|made| made.target() == target && !made.is_default);
                own.filter(|made| made.is_bad() == is_bad && counts(made)).count() as i64
            };
            let truth = count(&|made| !made.is_abusive());
            raw += (count(&|_| true) - truth).unsigned_abs();
            published += (count(&|made| !made.is_held(true)) - truth).unsigned_abs();
        }
    }
    (raw, published)
}

fn near(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-6,
        _ => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_figure_is_that_of_counting_by_hand(made in prop::collection::vec(any_made(), 1..60)) {
        let evaluated: Vec<&Made> =
            made.iter().filter(|made| made.is_labelled && made.has_verdict && made.label != "unsure").collect();
        let report = match run(&files(&made)) {
            Ok(report) => report,
            Err(error) => {
                prop_assert!(evaluated.is_empty(), "{error}");
                return Ok(());
            }
        };
        let [figures] = &report.evaluations[..] else { panic!("one file, one evaluation") };
        let honest = |made: &Made| !made.is_abusive();
        let honest_bad = |made: &Made| honest(made) && made.is_bad();
        let inline = |made: &Made| made.is_held(false);
        let last = |made: &Made| made.is_held(true);
        let all = |_: &Made| true;
        let expected = Overall {
            recall_inline: naive_rate(&evaluated, Made::is_abusive, inline),
            recall_final: naive_rate(&evaluated, Made::is_abusive, last),
            precision_inline: naive_rate(&evaluated, inline, Made::is_abusive),
            precision_final: naive_rate(&evaluated, last, Made::is_abusive),
            honest_held_inline: naive_rate(&evaluated, honest, inline),
            honest_held_final: naive_rate(&evaluated, honest, last),
            honest_bad_held_inline: naive_rate(&evaluated, honest_bad, inline),
            honest_bad_held_final: naive_rate(&evaluated, honest_bad, last),
        };
        prop_assert_eq!(figures.overall, expected);
        prop_assert_eq!(report.ratings.evaluated, naive_rate(&evaluated, all, all).of);

        for scenario in &figures.abusive_scenarios {
            let own = |made: &Made| made.is_abusive() && made.scenario.map(|s| format!("s{s}")) == scenario.scenario;
            prop_assert_eq!(scenario.recall_inline, naive_rate(&evaluated, own, inline));
            prop_assert_eq!(scenario.recall_final, naive_rate(&evaluated, own, last));
        }
        for scenario in &figures.honest_scenarios {
            let own = |made: &Made| honest(made) && made.scenario.map(|s| format!("s{s}")) == scenario.scenario;
            prop_assert_eq!(scenario.held_final, naive_rate(&evaluated, own, last));
            prop_assert_eq!(scenario.bad_held_final, naive_rate(&evaluated, |m: &Made| own(m) && m.is_bad(), last));
        }
        let names = |of: &dyn Fn(&Made) -> bool| -> BTreeSet<Option<u8>> {
            evaluated.iter().filter(|made| of(made)).map(|made| made.scenario).collect()
        };
        prop_assert_eq!(figures.abusive_scenarios.len(), names(&Made::is_abusive).len());
        prop_assert_eq!(figures.honest_scenarios.len(), names(&honest).len());

        prop_assert!(near(figures.average_precision.value, naive_average_precision(&evaluated)));
        prop_assert!(near(figures.calibration.expected_error, naive_calibration_error(&evaluated)));
        for (at, per_mille) in figures.at_budget.iter().zip([1, 3]) {
            prop_assert_eq!(at.recall, naive_at_budget(&evaluated, per_mille));
        }
        let (raw, published) = naive_differences(&evaluated);
        prop_assert_eq!((figures.distortion.raw_difference, figures.distortion.published_difference), (raw, published));
    }

    #[test]
    fn the_order_of_the_lines_changes_no_figure(
        made in prop::collection::vec(any_made(), 20..40), keys in prop::collection::vec(any::<u32>(), 200),
    ) {
        let in_order = files(&made);
        let shuffled = in_order.each_ref().map(|text| {
            let mut lines: Vec<(u32, &str)> = keys.iter().copied().zip(text.lines()).collect();
            prop_assert_eq!(lines.len(), text.lines().count(), "there are keys for all lines");
            lines.sort_unstable();
            Ok(lines.into_iter().map(|(_, line)| format!("{line}\n")).collect::<String>())
        });
        let [labels, ratings, verdicts] = shuffled;
        match (run(&in_order), run(&[labels?, ratings?, verdicts?])) {
            (Ok(one), Ok(other)) => prop_assert_eq!(one, other),
            (one, other) => prop_assert_eq!(one.is_err(), other.is_err()),
        }
    }

    #[test]
    fn labels_that_contradict_each_other_count_for_nothing_in_either_order(first in any_made(), second in any_made()) {
        prop_assume!(label_line(0, &first) != label_line(0, &second));
        let sound = Made { label: "genuine", is_labelled: true, has_verdict: true, ..first.clone() };
        let rest = files(&[first.clone(), sound.clone()]);
        let of = |a: &Made, b: &Made| {
            let labels = [label_line(0, a), label_line(1, &sound), label_line(0, b)].join("\n");
            run(&[labels, rest[1].clone(), rest[2].clone()]).unwrap()
        };
        let one = of(&first, &second);
        prop_assert_eq!((one.ratings.contradicted, one.ratings.evaluated), (1, 1));
        prop_assert_eq!(one, of(&second, &first));
    }
}

/// Files that are written rating by rating, a minute apart.
#[derive(Default)]
struct City {
    labels: String,
    ratings: String,
    verdicts: String,
    rated: u32,
    sequence: u32,
}

/// A rating of the city: label, scenario, campaign, target, stars.
type Kind = (&'static str, &'static str, Option<&'static str>, &'static str, u8);

impl City {
    /// Adds a rating with its label and its inline verdict, and gives its id.
    fn rate(
        &mut self,
        (label, scenario, campaign, target, stars): Kind,
        risk: f64,
        decision: &str,
    ) -> String {
        self.rated += 1;
        self.sequence += 1;
        let id = format!("r{:04}", self.rated);
        let mut line = json!({"rating_id": id, "label": label, "scenario": scenario, "target": target});
        if let Some(campaign) = campaign {
            line["campaign"] = campaign.into();
        }
        self.labels += &format!("{line}\n");
        let line = json!({
            "rating_id": id, "submitted_at": self.now(), "channel": "portal", "stars": stars,
            "service": {"matter": "m", "department": "d"},
        });
        self.ratings += &format!("{line}\n");
        self.verdict(&id, 0, decision, risk);
        id
    }

    fn verdict(&mut self, id: &str, revision: u32, decision: &str, risk: f64) {
        self.sequence += u32::from(revision > 0);
        let line = json!({
            "rating_id": id, "revision": revision, "decision": decision, "risk": risk, "reasons": [],
            "sequence": self.sequence, "scored_at": self.now(),
        });
        self.verdicts += &format!("{line}\n");
    }

    fn now(&self) -> String {
        format!("2026-03-02T{:02}:{:02}:00+08:00", 8 + self.sequence / 60, self.sequence % 60)
    }

    fn files(&self) -> [String; 3] {
        [self.labels.clone(), self.ratings.clone(), self.verdicts.clone()]
    }
}

/// Ordinary ratings, a campaign that is caught late and looked back on, one that is never caught, an
/// outage of which one rating is held, a wrong star and a rating nobody is sure of. `risk_of_padding`
/// is that of the campaign's later ratings, which are held from 0.5 up.
fn city(risk_of_padding: f64) -> City {
    let mut city = City::default();
    let mut admitted = Vec::new();
    for number in 0..300 {
        let clerk = ["W01", "W02", "窗口三"][number % 3];
        let is_bad = number % 50 == 7;
        let (stars, risk) = if is_bad { (1, 0.004) } else { (5, 0.01) };
        city.rate(("genuine", "ordinary", None, clerk, stars), risk, "admit");
        if number % 12 == 3 {
            let risk = if number > 120 { risk_of_padding } else { 0.3 };
            let decision = if risk >= 0.5 { "hold" } else { "admit" };
            let id = city.rate(("padded_praise", "own_phone", Some("c1"), "W01", 5), risk, decision);
            if decision == "admit" {
                admitted.push(id);
            } else {
                admitted.drain(..).for_each(|id| city.verdict(&id, 1, "hold", 0.8));
            }
        }
        if number % 60 == 11 {
            city.rate(("malicious_review", "one_grudge", Some("c2"), "窗口三", 1), 0.08, "admit");
        }
        if (100..125).contains(&number) {
            let (risk, decision) = if number == 110 { (0.6, "hold") } else { (0.06, "admit") };
            city.rate(("genuine", "outage", Some("o1"), "W02", 2), risk, decision);
        }
    }
    city.rate(("mistaken", "wrong_star", None, "W01", 1), 0.02, "admit");
    city.rate(("unsure", "ordinary", None, "W01", 5), 0.4, "hold");
    city
}

#[test]
fn the_table_reads_well() {
    insta::assert_snapshot!(table(&run(&city(0.86).files()).unwrap()));
}

#[test]
fn the_json_has_its_documented_names() {
    let report = run(&city(0.86).files()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
}

fn compared() -> Report {
    let (active, shadow) = (city(0.86), city(0.45));
    let [labels, ratings, first] = active.files();
    let sources =
        [("labels", &labels), ("ratings", &ratings), ("active", &first), ("shadow", &shadow.verdicts)];
    let [labels, ratings, first, second] = sources.map(|(name, text)| source(name, text));
    evaluate(labels, ratings, first, Some(second)).unwrap()
}

#[test]
fn two_files_stand_side_by_side_with_their_differences() {
    insta::assert_snapshot!(table(&compared()));
}

#[test]
fn a_file_held_against_itself_differs_in_nothing() {
    let [labels, ratings, verdicts] = city(0.86).files();
    let sources = [("l", &labels), ("r", &ratings), ("v", &verdicts), ("v", &verdicts)];
    let [labels, ratings, first, second] = sources.map(|(name, text)| source(name, text));
    let report = evaluate(labels, ratings, first, Some(second)).unwrap();
    assert_eq!(report.evaluations[0], report.evaluations[1]);
    let comparison = report.comparison.unwrap();
    assert_eq!((comparison.inline, comparison.last), (Changed::default(), Changed::default()));
    assert_eq!(comparison.average_precision_difference_95, Some([0.0, 0.0]));
    assert_eq!(
        report.evaluations[0],
        run(&city(0.86).files())
            .map(|mut one| {
                one.evaluations[0].verdicts = "v".to_owned();
                one.evaluations.remove(0)
            })
            .unwrap(),
        "and alone it has the same figures"
    );
}

#[test]
fn two_files_are_evaluated_on_the_ratings_that_both_have() {
    let whole = city(0.86);
    let [labels, ratings, first] = whole.files();
    let half: String = first.lines().take(100).map(|line| format!("{line}\n")).collect();
    let sources = [("l", &labels), ("r", &ratings), ("v", &first), ("half", &half)];
    let [labels, ratings, first, second] = sources.map(|(name, text)| source(name, text));
    let report = evaluate(labels, ratings, first, Some(second)).unwrap();
    assert_eq!(report.ratings.evaluated, 100, "the first hundred lines are inline verdicts");
    assert_eq!(report.ratings.without_verdict, report.ratings.labelled - 100 - report.ratings.unsure);
    for evaluation in &report.evaluations {
        let overall = &evaluation.overall;
        assert_eq!(overall.recall_final.of + overall.honest_held_final.of, 100);
    }
}

#[test]
fn wrong_lines_are_named_with_file_and_line_and_the_rest_goes_on() {
    let mut files = city(0.86).files();
    let sound = run(&files).unwrap();
    files[0].insert_str(0, "{\"rating_id\":\"r9\",\"label\":\"fake\"}\n");
    files[1].insert_str(0, "\n{\"rating_id\":\"r0001\",\"submitted_at\":\"yesterday\"}\n");
    files[2].insert_str(
        0,
        "{\"line\":1,\"error\":{\"code\":\"missing\"}}\n{\"rating_id\":\"r0001\",\"revision\":0}\nnonsense\n",
    );
    let report = run(&files).unwrap();
    assert_eq!(report.wrong_lines.count, 4);
    assert_eq!(report.evaluations[0].lines.errors, 1, "a line of score's own is no wrong line");
    assert_eq!(report.evaluations[0].overall, sound.evaluations[0].overall);
    insta::assert_snapshot!(report.wrong_lines.told.join("\n"));
}

#[test]
fn verdicts_of_another_run_are_a_clear_error() {
    let [labels, ratings, verdicts] = city(0.86).files();
    let other = verdicts.replace("\"rating_id\":\"r", "\"rating_id\":\"x");
    let error = run(&[labels.clone(), ratings, other]).unwrap_err().to_string();
    insta::assert_snapshot!(error);
    let error = run(&[labels, String::new(), String::new()]).unwrap_err().to_string();
    assert!(error.contains("are not among the ratings"), "{error}");
}

#[test]
fn a_rating_without_a_label_is_in_no_figure_and_counted() {
    let made = |label, is_labelled| Made {
        label,
        scenario: None,
        target: None,
        stars: 5,
        aspect: None,
        is_default: false,
        risk: 0.9,
        decisions: vec!["hold"],
        is_labelled,
        has_verdict: true,
    };
    let report = run(&files(&[made("genuine", true), made("genuine", false), made("unsure", true)])).unwrap();
    let counts = report.ratings;
    assert_eq!((counts.evaluated, counts.unlabelled, counts.unsure), (1, 1, 1));
    assert_eq!(report.evaluations[0].overall.honest_held_final, Rate { count: 1, of: 1 });
    assert_eq!(report.evaluations[0].lines.unlabelled, 1);
    assert_eq!(report.evaluations[0].distortion.removed, None, "no abuse, no distortion, and no share of it");
    assert!(table(&report).contains("The raw figures are the truth already"));
}

#[test]
fn a_repeat_answered_with_what_stands_now_counts_as_that_decision() {
    let mut files = city(0.86).files();
    let before = run(&files).unwrap().evaluations.remove(0);
    let line = json!({
        "rating_id": "r0001", "revision": 0, "decision": "admit", "risk": 0.01, "reasons": [], "sequence": 1,
        "current": {"revision": 3, "decision": "hold"},
    });
    files[2] += &format!("{line}\n");
    let after = run(&files).unwrap().evaluations.remove(0);
    assert_eq!(after.lines.repeats, 1);
    assert_eq!(after.overall.honest_held_inline, before.overall.honest_held_inline);
    assert_eq!(after.overall.honest_held_final.count, before.overall.honest_held_final.count + 1);
}

#[test]
fn a_target_without_a_name_is_the_clerk_or_the_window_or_the_department_in_its_district() {
    let services = [
        (json!({"matter": "m", "department": "d", "clerk": "c", "window": "w"}), "clerk d/c"),
        (json!({"matter": "m", "department": "d", "hall": "h", "window": "w"}), "window d/h/w"),
        (json!({"matter": "m", "department": "d", "district": "x"}), "department x/d"),
        (json!({"matter": "m", "department": "d"}), "department /d"),
    ];
    for (service, expected) in services {
        let rating = json!({
            "rating_id": "r", "submitted_at": "2026-03-02T10:15:00+08:00", "channel": "portal", "stars": 5, "service": service,
        });
        let label = r#"{"rating_id":"r","label":"duplicate"}"#.to_owned();
        let verdict =
            r#"{"rating_id":"r","revision":0,"decision":"hold","risk":0.9,"sequence":1}"#.to_owned();
        let report = run(&[label, rating.to_string(), verdict]).unwrap();
        let distortion = &report.evaluations[0].distortion;
        assert_eq!(distortion.most_distorted[0].target, expected);
        assert_eq!((distortion.raw_difference, distortion.removed), (1, Some(1.0)));
    }
}

#[test]
fn the_picture_shows_every_file_every_target_and_escapes_their_names() {
    let mut report = compared();
    report.evaluations[0].verdicts = "a<b>&.ndjson".to_owned();
    let svg = picture(&report).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    for text in ["a&lt;b&gt;&amp;.ndjson", "shadow", "W01", "窗口三", "recall"] {
        assert!(svg.contains(text), "{text}");
    }
    // A bar for each of three targets, and a square of the legend.
    for colour in ["#9E9E9E", "#005AA0", "#D55E00"] {
        let bars = svg.lines().filter(|line| line.starts_with("<rect") && line.contains(colour)).count();
        assert_eq!(bars, 4, "{colour}");
    }
    assert_eq!(picture(&report).unwrap(), svg, "the same report gives the same bytes");
}

#[test]
fn a_report_without_abuse_has_a_picture_too() {
    let mut city = City::default();
    city.rate(("genuine", "ordinary", None, "W01", 5), 0.5, "admit");
    let report = run(&city.files()).unwrap();
    assert!(picture(&report).unwrap().contains("No target"));
}

#[test]
fn a_scenario_too_many_is_refused_with_the_limit_and_known_ones_go_on() {
    let mut population = Population::default();
    let mut label = |number: usize| {
        let line =
            json!({"rating_id": format!("r{number}"), "label": "genuine", "scenario": number.to_string()});
        population.label(&LabelLine::parse(line.to_string().as_bytes()).unwrap())
    };
    (0..MAX_SCENARIOS).for_each(|number| label(number).unwrap());
    let error = label(MAX_SCENARIOS).unwrap_err().to_string();
    assert_eq!(
        error,
        "$.scenario: found one scenario more; allowed is at most 10000; a scenario is a kind of rating, not an id"
    );
    label(7).expect("known scenarios go on");
}
