//! The report: every figure, in the form that `--json` prints. `docs/evaluate.md` defines them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bootstrap::{Intervals, RESAMPLES};
use super::calibration::{Calibration, calibration};
use super::campaign::{self, Campaigns};
use super::comparison::Comparison;
use super::distortion::{Distortion, distortion};
use super::lines::WrongLines;
use super::population::{Counts, Judged, Population, VerdictLines, Verdicts};
use super::ranking::{AtBudget, BUDGETS_PER_MILLE, Ranking};
use super::rate::{Rate, interval_six_digits, some_six_digits};

/// Version of the definitions in `docs/evaluate.md`: a change of any figure's meaning raises it.
pub const DEFINITIONS: u32 = 1;

/// An evaluation of one or two files of verdicts on the same ratings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of the definitions in `docs/evaluate.md`.
    pub definitions: u32,
    /// What was evaluated, and what was left out.
    pub ratings: Counts,
    /// Lines that could not be read and were left out.
    pub wrong_lines: WrongLines,
    /// One for each file of verdicts: the one in question, and the one it is held against.
    pub evaluations: Vec<Evaluation>,
    /// How the second file differs from the first; `null` where there is one.
    pub comparison: Option<Comparison>,
}

/// The figures of one file of verdicts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The file.
    pub verdicts: String,
    /// Its lines.
    pub lines: VerdictLines,
    /// Over all scenarios.
    pub overall: Overall,
    /// How far the published figures are from the truth.
    pub distortion: Distortion,
    /// Of the inline risk.
    pub average_precision: AveragePrecision,
    /// Recall of the inline risk at fixed prices, whatever the thresholds in force.
    pub at_budget: Vec<AtBudget>,
    /// Of the inline risk.
    pub calibration: Calibration,
    /// Over all campaigns.
    pub campaigns: Campaigns,
    /// Scenarios with abusive ratings, by name; `null` is no scenario.
    pub abusive_scenarios: Vec<AbusiveScenario>,
    /// Scenarios with genuine ratings, by name; `null` is no scenario.
    pub honest_scenarios: Vec<HonestScenario>,
    /// Recall and precision at each risk, for the picture.
    #[serde(skip)]
    pub curve: Vec<(f64, f64)>,
}

/// Rates over all scenarios. *Held* is on hold or rejected; *inline* is revision 0, *final* the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Overall {
    /// Abusive ratings that the inline answer held.
    pub recall_inline: Rate,
    /// Abusive ratings that the last decision holds.
    pub recall_final: Rate,
    /// Abusive ones among those held inline.
    pub precision_inline: Rate,
    /// Abusive ones among those held in the end.
    pub precision_final: Rate,
    /// Genuine ratings held inline.
    pub honest_held_inline: Rate,
    /// Genuine ratings held in the end.
    pub honest_held_final: Rate,
    /// Genuine bad ratings held inline.
    pub honest_bad_held_inline: Rate,
    /// Genuine bad ratings held in the end.
    pub honest_bad_held_final: Rate,
}

/// Area under the precision-recall curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AveragePrecision {
    /// Average precision; `null` without abusive ratings.
    #[serde(serialize_with = "some_six_digits")]
    pub value: Option<f64>,
    /// By the percentile bootstrap.
    #[serde(serialize_with = "interval_six_digits")]
    pub interval_95: Option<[f64; 2]>,
    /// Its resamples.
    pub resamples: usize,
}

/// One kind of abuse.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AbusiveScenario {
    /// Its name.
    pub scenario: Option<String>,
    /// Abusive ratings that the inline answer held.
    pub recall_inline: Rate,
    /// Abusive ratings that the last decision holds.
    pub recall_final: Rate,
    /// Abusive ratings found at each budget, in the order of `at_budget`.
    pub recall_at_budget: [Rate; BUDGETS_PER_MILLE.len()],
    /// Its campaigns.
    pub campaigns: Campaigns,
}

/// Genuine ratings of one kind, such as an occasion that looks like abuse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HonestScenario {
    /// Its name.
    pub scenario: Option<String>,
    /// Genuine ratings held inline.
    pub held_inline: Rate,
    /// Genuine ratings held in the end.
    pub held_final: Rate,
    /// Genuine bad ratings held inline.
    pub bad_held_inline: Rate,
    /// Genuine bad ratings held in the end.
    pub bad_held_final: Rate,
}

/// The figures of file number `file`.
pub(super) fn evaluation<const FILES: usize>(
    name: String,
    file: usize,
    population: &Population,
    verdicts: &[Verdicts],
    intervals: &Intervals<FILES>,
) -> Evaluation {
    let evaluated = || population.evaluated(verdicts);
    let ranking = Ranking::new(evaluated().map(|judged| (judged.given(file).risk, judged.is_abusive)));
    let at_budget: Vec<AtBudget> =
        BUDGETS_PER_MILLE.iter().map(|&budget| ranking.at_budget(budget)).collect();
    let campaigns = campaign::gather(evaluated().filter(|judged| judged.is_abusive), &verdicts[file]);
    let mut scenarios = Scenarios::default();
    let mut overall = Overall::default();
    for judged in evaluated() {
        overall.add(judged, file);
        scenarios.add(judged, file, &at_budget);
    }
    Evaluation {
        verdicts: name,
        lines: verdicts[file].lines,
        overall,
        distortion: distortion(evaluated(), file, &population.targets),
        average_precision: AveragePrecision {
            value: ranking.average_precision(),
            interval_95: intervals.average_precision[file],
            resamples: RESAMPLES,
        },
        calibration: calibration(&ranking),
        campaigns: campaign::figures(campaigns.values()),
        abusive_scenarios: scenarios.abusive(population, &campaigns),
        honest_scenarios: scenarios.honest(population),
        curve: ranking.curve(),
        at_budget,
    }
}

impl Overall {
    fn add(&mut self, judged: Judged<'_>, file: usize) {
        let given = judged.given(file);
        let (inline, last) = (given.is_held_inline(), given.is_held_finally());
        if judged.is_abusive {
            self.recall_inline.add(inline);
            self.recall_final.add(last);
        } else {
            self.honest_held_inline.add(inline);
            self.honest_held_final.add(last);
            if judged.row.is_bad {
                self.honest_bad_held_inline.add(inline);
                self.honest_bad_held_final.add(last);
            }
        }
        if inline {
            self.precision_inline.add(judged.is_abusive);
        }
        if last {
            self.precision_final.add(judged.is_abusive);
        }
    }
}

/// Counts by scenario, by its number.
#[derive(Default)]
struct Scenarios {
    abusive: BTreeMap<Option<u32>, AbusiveScenario>,
    honest: BTreeMap<Option<u32>, HonestScenario>,
    /// The scenario of each campaign.
    of_campaign: BTreeMap<u32, Option<u32>>,
}

impl Scenarios {
    fn add(&mut self, judged: Judged<'_>, file: usize, at_budget: &[AtBudget]) {
        let given = judged.given(file);
        let (inline, last) = (given.is_held_inline(), given.is_held_finally());
        let number = judged.row.scenario();
        if judged.is_abusive {
            let scenario = self.abusive.entry(number).or_default();
            scenario.recall_inline.add(inline);
            scenario.recall_final.add(last);
            for (rate, at) in scenario.recall_at_budget.iter_mut().zip(at_budget) {
                rate.add(at.threshold.is_some_and(|threshold| f64::from(given.risk) >= threshold));
            }
            self.of_campaign.extend(judged.row.campaign().map(|campaign| (campaign, number)));
        } else {
            let scenario = self.honest.entry(number).or_default();
            scenario.held_inline.add(inline);
            scenario.held_final.add(last);
            if judged.row.is_bad {
                scenario.bad_held_inline.add(inline);
                scenario.bad_held_final.add(last);
            }
        }
    }

    fn abusive(
        &self,
        population: &Population,
        campaigns: &BTreeMap<u32, campaign::Campaign>,
    ) -> Vec<AbusiveScenario> {
        let mut rows: Vec<AbusiveScenario> = Vec::new();
        let mut by_scenario: BTreeMap<Option<u32>, Vec<&campaign::Campaign>> = BTreeMap::new();
        for (number, campaign) in campaigns {
            if let Some(&scenario) = self.of_campaign.get(number) {
                by_scenario.entry(scenario).or_default().push(campaign);
            }
        }
        for (number, scenario) in &self.abusive {
            let own = by_scenario.get(number).into_iter().flatten().copied();
            let campaigns = campaign::figures(own);
            rows.push(AbusiveScenario { scenario: name(population, *number), campaigns, ..scenario.clone() });
        }
        rows.sort_by(|a, b| a.scenario.cmp(&b.scenario));
        rows
    }

    fn honest(&self, population: &Population) -> Vec<HonestScenario> {
        let row = |(number, scenario): (&Option<u32>, &HonestScenario)| HonestScenario {
            scenario: name(population, *number),
            ..scenario.clone()
        };
        let mut rows: Vec<HonestScenario> = self.honest.iter().map(row).collect();
        rows.sort_by(|a, b| a.scenario.cmp(&b.scenario));
        rows
    }
}

fn name(population: &Population, scenario: Option<u32>) -> Option<String> {
    scenario.map(|number| population.scenarios.get(number).to_owned())
}
