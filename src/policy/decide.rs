//! From the evidence to the decision.

use compact_str::CompactString;

use super::contest;
use crate::features::case::Contest;
use crate::verdict::Contribution;
use crate::wire::{Decision, Origin, ReasonSource, Suspicion};

/// Families of evidence that never hold a matched applicant's bad rating, alone or together: how
/// often, from which device or network, in which words, and how much alike the raters are. What is
/// left can: a case that is not theirs, staff, automation.
pub const WEAK_FAMILIES: &[&str] = &["concentration", "device", "frequency", "network", "text"];

/// What rules and models say of one rating.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Per suspicion, in the order of [`Suspicion::ALL`].
    pub axes: [AxisEvidence; Suspicion::ALL.len()],
    /// Hard decisions of rules and lists, in the rule set's order.
    pub hard: Vec<Hard>,
}

/// The evidence for one suspicion.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisEvidence {
    /// Log-odds of the base rate.
    pub intercept: f32,
    /// Summed weight per family, after the family's cap.
    pub families: Vec<FamilyWeight>,
    /// What fired. The weights of a family's reasons sum to the family's weight.
    pub reasons: Vec<Contribution>,
}

impl Default for AxisEvidence {
    /// Nothing fired, at a base rate of about 1 in 400: an axis that nobody configured never holds.
    fn default() -> Self {
        Self { intercept: -6.0, families: Vec::new(), reasons: Vec::new() }
    }
}

/// A family's share in an axis, in log-odds.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyWeight {
    /// The family.
    pub family: CompactString,
    /// Its summed weight, capped.
    pub weight: f32,
}

impl FamilyWeight {
    fn is_weak(&self) -> bool {
        is_weak(&self.family)
    }
}

/// A rule or list that decides by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Hard {
    /// What it asks for; `Admit` is an allow entry, which stops what the weights would do.
    pub decision: Decision,
    /// The rule.
    pub code: CompactString,
    /// What it suspects.
    pub suspicion: Option<Suspicion>,
    /// Its family; an empty one counts as weak.
    pub family: CompactString,
}

/// What the policy needs to know of the rating itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// Stars, hall stars or an aspect of 1 or 2.
    pub bad: bool,
    /// Chosen by the rater, or filled in by the platform.
    pub origin: Origin,
    /// The rater is the applicant of a case that intake found.
    pub matched_applicant: bool,
    /// Whether the rater is the applicant, matched or not; `None` where unknown.
    pub applicant: Option<bool>,
    /// How it stands to an earlier rating of the same case, stage and visit.
    pub contest: Contest,
    /// Whether the earlier rating of that contest has the same stars.
    pub same_stars: bool,
}

/// A risk per suspicion, in the order of [`Suspicion::ALL`]; [`NEVER`] where nothing reaches it.
pub type PerSuspicion = [f32; Suspicion::ALL.len()];

/// A threshold that no risk reaches.
pub const NEVER: f32 = f32::INFINITY;

/// At which risk what happens; part of the rule set. Probabilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Holds a rating that is not bad.
    pub hold: PerSuspicion,
    /// Holds a bad rating.
    pub hold_bad: PerSuspicion,
    /// Admits a rating that is not bad, with an entry in the review queue.
    pub second_look: PerSuspicion,
    /// Likewise for a bad rating.
    pub second_look_bad: PerSuspicion,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { hold: [0.5; 4], hold_bad: [0.7; 4], second_look: [0.2; 4], second_look_bad: [0.2; 4] }
    }
}

/// What was decided, before the daily budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// What it is suspected of: named with every hold, rejection and second look, else absent.
    pub suspicion: Option<Suspicion>,
    /// Probability that the rating is not genuine: the largest axis.
    pub risk: f32,
    /// The suspected axis's reasons and the policy's own, strongest first.
    pub reasons: Vec<Contribution>,
    /// Admitted, with an entry in the review queue.
    pub second_look: bool,
    /// Admitted because the day's budget of holds is used up.
    pub over_budget: bool,
    /// `proceed`: a bad rating goes on to whoever must act on it, whatever was decided.
    pub proceed: bool,
    /// Code of the revision that holds the earlier rating of the same case, stage and visit.
    pub hold_earlier: Option<&'static str>,
}

impl Decided {
    /// Admits a hold for which the day's budget has no room.
    pub fn admit_over_budget(&mut self) {
        debug_assert!(
            self.proceed && self.decision == Decision::Hold,
            "the budget is for holds of bad ratings"
        );
        self.decision = Decision::Admit;
        self.second_look = true;
        self.over_budget = true;
        self.reasons.push(policy("hold-budget", 0.0));
    }
}

/// The logistic function: log-odds to probability.
pub fn sigmoid(logit: f64) -> f64 {
    // Both branches keep the exponent negative, so that it cannot overflow.
    if logit >= 0.0 {
        1.0 / (1.0 + (-logit).exp())
    } else {
        let odds = logit.exp();
        odds / (1.0 + odds)
    }
}

/// Decides on one rating: pure, and the same for the same input.
///
/// In order: the risk of each suspicion; hard decisions and thresholds; the contest with an earlier
/// rating of the same occasion; then the promises, which nothing overrides.
pub fn decide(evidence: &Evidence, facts: &Facts, thresholds: &Thresholds) -> Decided {
    let ruling = contest::rule(facts);
    let mut axes = Axes::of(evidence, facts, ruling.weight);
    let (bars, second_looks) = match facts.bad {
        true => (&thresholds.hold_bad, &thresholds.second_look_bad),
        false => (&thresholds.hold, &thresholds.second_look),
    };
    let lead = axes.lead(bars);
    let risk = axes.risk(lead);

    let wanted = wanted(evidence, facts, &axes, bars);
    let mut notes: Vec<Contribution> = Vec::new();
    let mut decision = wanted.decision;
    let mut suspicion = wanted.suspicion.unwrap_or(lead);
    let allowed = wanted.hard.is_some_and(|hard| hard.decision == Decision::Admit);
    let mut second_look = decision == Decision::Admit && !allowed && axes.reach(second_looks);
    if wanted.default_spared {
        notes.push(policy("default-apart", 0.0));
    }

    // Promise 4: for a matched applicant the weak families are taken out, and the question is put again.
    if facts.bad && facts.matched_applicant && decision != Decision::Admit {
        axes.drop_weak_families(evidence);
        let strong = |hard: &&Hard| hard.decision != Decision::Admit && !is_weak(&hard.family);
        if !axes.reach(bars) && !evidence.hard.iter().any(|hard| strong(&hard)) {
            decision = Decision::Admit;
            second_look = true;
            notes.push(policy("applicant-protected", 0.0));
        }
    }

    if let Some(code) = ruling.code {
        notes.push(policy(code, ruling.weight));
        if severity(ruling.this) > severity(decision) {
            decision = ruling.this;
            suspicion = Suspicion::Duplicate;
            second_look = false;
        }
    }

    // Promise 1, last, so that nothing above can get round it.
    if facts.bad && decision == Decision::Reject {
        decision = Decision::Hold;
        notes.push(policy("bad-never-rejected", 0.0));
    }

    let named = decision != Decision::Admit || second_look;
    Decided {
        decision,
        suspicion: named.then_some(suspicion),
        risk,
        reasons: reasons(evidence, suspicion, wanted.hard, notes),
        second_look,
        over_budget: false,
        proceed: facts.bad,
        hold_earlier: ruling.code_for_earlier(),
    }
}

/// What rules and weights ask for, before contests and promises.
struct Wanted<'a> {
    decision: Decision,
    suspicion: Option<Suspicion>,
    hard: Option<&'a Hard>,
    /// A rule wanted to take a default rating for praise.
    default_spared: bool,
}

fn wanted<'a>(evidence: &'a Evidence, facts: &Facts, axes: &Axes, bars: &PerSuspicion) -> Wanted<'a> {
    // A default rating was filled in by the platform: only automation can be wrong with it.
    let spared = |hard: &Hard| {
        facts.origin == Origin::Default
            && hard.decision != Decision::Admit
            && hard.suspicion != Some(Suspicion::Automation)
    };
    let default_spared = evidence.hard.iter().any(spared);
    let first = |decision| evidence.hard.iter().find(|hard| hard.decision == decision && !spared(hard));
    if let Some(hard) = first(Decision::Reject).or_else(|| first(Decision::Hold)) {
        return Wanted {
            decision: hard.decision,
            suspicion: hard.suspicion,
            hard: Some(hard),
            default_spared,
        };
    }
    let allowed = first(Decision::Admit);
    // An allow entry stops what the weights would do, but it is no licence for automation.
    let over = match allowed {
        Some(_) => axes.risk(Suspicion::Automation) >= bars[Suspicion::Automation as usize],
        None => axes.reach(bars),
    };
    let suspicion = (over && allowed.is_some()).then_some(Suspicion::Automation);
    let decision = if over { Decision::Hold } else { Decision::Admit };
    Wanted { decision, suspicion, hard: allowed, default_spared }
}

/// Log-odds per suspicion, in the order of [`Suspicion::ALL`]; `None` where it cannot apply.
struct Axes([Option<f64>; Suspicion::ALL.len()]);

impl Axes {
    fn of(evidence: &Evidence, facts: &Facts, contest_weight: f32) -> Self {
        let mut logits = [None; Suspicion::ALL.len()];
        for (&suspicion, (logit, axis)) in Suspicion::ALL.iter().zip(logits.iter_mut().zip(&evidence.axes)) {
            if facts.origin == Origin::Default && suspicion != Suspicion::Automation {
                continue;
            }
            let families: f64 = axis.families.iter().map(|family| f64::from(family.weight)).sum();
            let contest = if suspicion == Suspicion::Duplicate { f64::from(contest_weight) } else { 0.0 };
            *logit = Some(f64::from(axis.intercept) + families + contest);
        }
        Self(logits)
    }

    /// Takes out what weak families add; what they speak in the rater's favour stays.
    fn drop_weak_families(&mut self, evidence: &Evidence) {
        for (logit, axis) in self.0.iter_mut().zip(&evidence.axes) {
            let weak = axis.families.iter().filter(|family| family.is_weak());
            let added: f64 = weak.map(|family| f64::from(family.weight.max(0.0))).sum();
            if let Some(logit) = logit {
                *logit -= added;
            }
        }
    }

    fn risk(&self, suspicion: Suspicion) -> f32 {
        match self.0[suspicion as usize] {
            // A sum that overflowed to NaN is missing evidence, not suspicion.
            Some(logit) if !logit.is_nan() => sigmoid(logit) as f32,
            _ => 0.0,
        }
    }

    /// The suspicion with the largest risk, among those that reach their bar if one does; among equals
    /// the first. One that can never hold this rating (a bad review, of praise) leads only if all are such:
    /// otherwise its base rate would be the least risk that a rating can have.
    fn lead(&self, bars: &PerSuspicion) -> Suspicion {
        let rank = |suspicion: Suspicion| {
            let (risk, bar) = (self.risk(suspicion), bars[suspicion as usize]);
            (risk >= bar, bar < NEVER, risk)
        };
        let mut lead = Suspicion::ALL[0];
        for &suspicion in &Suspicion::ALL[1..] {
            if rank(suspicion) > rank(lead) {
                lead = suspicion;
            }
        }
        lead
    }

    fn reach(&self, bars: &PerSuspicion) -> bool {
        Suspicion::ALL.iter().any(|&suspicion| self.risk(suspicion) >= bars[suspicion as usize])
    }
}

fn reasons(
    evidence: &Evidence,
    suspicion: Suspicion,
    hard: Option<&Hard>,
    notes: Vec<Contribution>,
) -> Vec<Contribution> {
    let mut reasons = evidence.axes[suspicion as usize].reasons.clone();
    if let Some(hard) = hard
        && !reasons.iter().any(|reason| reason.code == hard.code)
    {
        reasons.push(Contribution { code: hard.code.clone(), source: ReasonSource::Rule, weight: 0.0 });
    }
    reasons.extend(notes);
    reasons.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()).then_with(|| a.code.cmp(&b.code)));
    reasons
}

fn policy(code: &'static str, weight: f32) -> Contribution {
    Contribution { code: CompactString::const_new(code), source: ReasonSource::Policy, weight }
}

fn is_weak(family: &str) -> bool {
    family.is_empty() || WEAK_FAMILIES.contains(&family)
}

fn severity(decision: Decision) -> u8 {
    match decision {
        Decision::Admit => 0,
        Decision::Hold => 1,
        Decision::Reject => 2,
    }
}
