//! From the evidence to the decision.

use compact_str::CompactString;

use super::contest;
use crate::features::case::Contest;
use crate::models::sigmoid;
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
    /// What a model says, where one is in force: then its risk decides in the place of the axes'.
    pub learned: Option<Learned>,
    /// What was learnt from reviewers' decisions says, where a version is in force.
    pub correction: Option<Correction>,
}

/// What was learnt from reviewers' decisions adds: to a model's log-odds, or else to those of the suspicion that
/// leads by the rules. Where it speaks against the rater it is weak evidence; it holds at most, and rejects nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// Log-odds.
    pub term: f64,
    /// What says so.
    pub reasons: Vec<Contribution>,
}

/// What a model says of one rating, on top of the rules' log-odds for its [`lead`].
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// What the rules' log-odds are multiplied by.
    pub scale: f64,
    /// Log-odds before any evidence of a feature's own.
    pub base: f64,
    /// What features add that strong families go by, and likewise [`WEAK_FAMILIES`].
    pub strong: f64,
    /// See `strong`. What speaks for the rater is in `strong` always.
    pub weak: f64,
    /// What the ratings around it add; weak.
    pub group: f64,
    /// The features that add most, the ratings around it among them.
    pub reasons: Vec<Contribution>,
    /// The risk from which it is held.
    pub hold: f32,
    /// The risk from which it is looked at again.
    pub second_look: f32,
}

impl Learned {
    /// The log-odds of a rating whose lead by the rules has these.
    pub fn logit(&self, rules: f64) -> f64 {
        self.scale * rules + self.base + self.strong + self.weak + self.group
    }
}

/// What the rules suspect a rating of most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lead {
    /// Of what.
    pub suspicion: Suspicion,
    /// Log-odds.
    pub logit: f64,
}

/// What the rules suspect a rating of most: what a model starts from.
pub fn lead(evidence: &Evidence, facts: &Facts, thresholds: &Thresholds) -> Lead {
    let axes = Axes::of(evidence, facts, contest::rule(facts).weight);
    let suspicion = axes.lead(if facts.bad { &thresholds.hold_bad } else { &thresholds.hold });
    Lead { suspicion, logit: axes.logit(suspicion) }
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
    let mut lead = axes.lead(bars);
    let learned = evidence.learned.as_ref();
    let correction = evidence.correction.as_ref().map_or(0.0, |correction| correction.term);
    let corrected = lead;
    let risk = match learned {
        Some(learned) => finite(learned.logit(axes.logit(lead)) + correction),
        None => {
            axes.add(corrected, correction);
            lead = axes.lead(bars);
            axes.risk(lead)
        }
    };
    // Where a model is in force, its risk is what is compared, with its own bars.
    let reach = |axes: &Axes| match learned {
        Some(_) => risk >= learned.map_or(NEVER, |learned| learned.hold),
        None => axes.reach(bars),
    };

    let wanted = wanted(evidence, facts, &axes, bars, reach(&axes));
    let mut notes: Vec<Contribution> = Vec::new();
    let mut decision = wanted.decision;
    let mut suspicion = wanted.suspicion.unwrap_or(match learned {
        // The model says that it is not genuine, and no rule says in which way: then it is the way of its stars.
        Some(_) if evidence.axes[lead as usize].reasons.is_empty() => by_stars(facts),
        _ => lead,
    });
    let allowed = wanted.hard.is_some_and(|hard| hard.decision == Decision::Admit);
    let looks_again = learned.map_or_else(|| axes.reach(second_looks), |learned| risk >= learned.second_look);
    let mut second_look = decision == Decision::Admit && !allowed && looks_again;
    if wanted.default_spared {
        notes.push(policy("default-apart", 0.0));
    }

    // Promise 4: for a matched applicant the weak families are taken out, and the question is put again.
    if facts.bad && facts.matched_applicant && decision != Decision::Admit {
        axes.drop_weak_families(evidence);
        let against = correction.max(0.0);
        let strong = |hard: &&Hard| hard.decision != Decision::Admit && !is_weak(&hard.family);
        let still = match learned {
            Some(learned) => {
                let rules = axes.logit(axes.lead(bars));
                let spoken_for = learned.weak.min(0.0) + correction.min(0.0);
                let logit = learned.scale * rules + learned.base + learned.strong + spoken_for;
                finite(logit + learned.group.min(0.0)) >= learned.hold
            }
            None => {
                axes.add(corrected, -against);
                axes.reach(bars)
            }
        };
        if !still && !evidence.hard.iter().any(|hard| strong(&hard)) {
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
        reasons: reasons(evidence, suspicion, learned.is_some() || lead == corrected, wanted.hard, notes),
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

fn wanted<'a>(
    evidence: &'a Evidence,
    facts: &Facts,
    axes: &Axes,
    bars: &PerSuspicion,
    over: bool,
) -> Wanted<'a> {
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
        None => over,
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

    /// Adds to the log-odds of a suspicion that can apply.
    fn add(&mut self, suspicion: Suspicion, term: f64) {
        if let Some(logit) = &mut self.0[suspicion as usize] {
            *logit += term;
        }
    }

    fn risk(&self, suspicion: Suspicion) -> f32 {
        self.0[suspicion as usize].map_or(0.0, finite)
    }

    /// Log-odds of a suspicion, for a model to go on from: what cannot apply is as good as impossible.
    fn logit(&self, suspicion: Suspicion) -> f64 {
        self.0[suspicion as usize]
            .filter(|logit| !logit.is_nan())
            .unwrap_or(IMPOSSIBLE)
            .clamp(IMPOSSIBLE, -IMPOSSIBLE)
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

/// Log-odds that nothing makes up for.
const IMPOSSIBLE: f64 = -20.0;

/// A risk; a sum that overflowed to NaN is missing evidence, not suspicion.
fn finite(logit: f64) -> f32 {
    if logit.is_nan() { 0.0 } else { sigmoid(logit) as f32 }
}

fn by_stars(facts: &Facts) -> Suspicion {
    if facts.bad { Suspicion::MaliciousReview } else { Suspicion::PaddedPraise }
}

fn reasons(
    evidence: &Evidence,
    suspicion: Suspicion,
    is_corrected: bool,
    hard: Option<&Hard>,
    notes: Vec<Contribution>,
) -> Vec<Contribution> {
    let mut reasons = evidence.axes[suspicion as usize].reasons.clone();
    if let Some(learned) = &evidence.learned {
        for reason in &mut reasons {
            reason.weight = (f64::from(reason.weight) * learned.scale) as f32;
        }
        reasons.extend_from_slice(&learned.reasons);
    }
    if let Some(correction) = evidence.correction.as_ref().filter(|_| is_corrected) {
        let is_new = |reason: &&Contribution| !reasons.iter().any(|known| known.code == reason.code);
        let new: Vec<Contribution> = correction.reasons.iter().filter(is_new).cloned().collect();
        reasons.extend(new);
    }
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

/// Features that a model may hold a matched applicant's bad rating by: of the case, of staff, of a machine,
/// of fields that are normally sent. What a rater shares with others, how often and in which words never is
/// enough.
pub fn is_strong_feature(name: &str) -> bool {
    const STRONG: [&str; 6] =
        ["case.", "reference.", "missing.", "pace.", "device.automation", "device.headless"];
    STRONG.iter().any(|start| name.starts_with(start))
}

fn severity(decision: Decision) -> u8 {
    match decision {
        Decision::Admit => 0,
        Decision::Hold => 1,
        Decision::Reject => 2,
    }
}
