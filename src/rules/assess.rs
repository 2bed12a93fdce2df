//! Evaluates a rule set on one rating's features.

use super::lists::ListsAt;
use super::policy::AXES;
use super::vocabulary::{Action, Family};
use super::{MAX_RULES, RuleIndex, RuleSet};
use crate::catalogue::FeatureVector;
use crate::wire::{Decision, Suspicion};

/// A rule that fired and was not muted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fired {
    /// The rule.
    pub rule: RuleIndex,
    /// What it is evidence of.
    pub suspicion: Suspicion,
    /// Which kind of evidence it is.
    pub family: Family,
    /// Its share in the log-odds, after the family's cap; 0 for a hard rule without a weight.
    pub weight: f32,
}

/// A rule that fired and decides alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hard {
    /// The rule.
    pub rule: RuleIndex,
    /// `hold` or `reject`.
    pub decision: Decision,
    /// What it suspects.
    pub suspicion: Suspicion,
    /// Which kind of evidence it is.
    pub family: Family,
}

/// What the rules say of one rating. Reuse it: it allocates only while it grows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assessment {
    /// Log-odds per suspicion, in the order of [`Suspicion::ALL`]: the intercept and the weights of
    /// [`Self::fired`].
    pub logits: [f64; AXES],
    /// Rules that fired, in the set's order of evaluation.
    pub fired: Vec<Fired>,
    /// Those of them that decide alone: rejecting ones first, then holding ones.
    pub hard: Vec<Hard>,
    /// Allow rules that fired.
    pub allowed: Vec<RuleIndex>,
    /// Rules that would have fired and were muted by one of [`Self::allowed`].
    pub muted: Vec<RuleIndex>,
    /// Shadow rules that fired; they decide nothing.
    pub shadow: Vec<RuleIndex>,
}

impl Assessment {
    /// The strongest hard decision.
    pub fn decision(&self) -> Option<Hard> {
        self.hard.first().copied()
    }

    fn clear(&mut self) {
        self.fired.clear();
        self.hard.clear();
        self.allowed.clear();
        self.muted.clear();
        self.shadow.clear();
    }
}

impl RuleSet {
    /// Evaluates every active and shadow rule. Pure: the outcome follows from the arguments alone.
    ///
    /// Allow rules come first, since they say which others are muted; of the rest, those that
    /// reject come before those that hold and those that weigh. Muting stops a rule's weight and
    /// its decision, nothing else.
    pub fn evaluate(&self, vector: &FeatureVector, lists: &ListsAt<'_>, out: &mut Assessment) {
        debug_assert!(
            vector.len() >= self.width,
            "the vector is of the catalogue that the rules were checked against"
        );
        out.clear();
        let mut muted = Mask::default();
        let (allows, judges) = (self.allow.len(), self.judge.len());
        self.screen.holding(vector, lists, |place| {
            if place < allows {
                let rule = self.allow[place];
                out.allowed.push(rule);
                self.rule(rule).mutes.iter().for_each(|&other| muted.set(other));
            } else if let Some(&rule) = self.judge.get(place - allows) {
                self.fired(rule, &muted, out);
            } else {
                out.shadow.push(self.shadow[place - allows - judges]);
            }
        });
        self.weigh(out);
    }

    /// Takes up an active rule whose condition holds.
    fn fired(&self, index: RuleIndex, muted: &Mask, out: &mut Assessment) {
        if muted.get(index) {
            out.muted.push(index);
            return;
        }
        let rule = self.rule(index);
        let (Some(suspicion), Some(family)) = (rule.suspect, rule.family) else { return };
        out.fired.push(Fired { rule: index, suspicion, family, weight: rule.weight });
        let decision = match rule.action {
            Action::Reject => Decision::Reject,
            Action::Hold => Decision::Hold,
            Action::Allow | Action::Weigh => return,
        };
        out.hard.push(Hard { rule: index, decision, suspicion, family });
    }

    /// Caps each family's weights and adds them up.
    fn weigh(&self, out: &mut Assessment) {
        out.logits = self.policy.intercept;
        if out.fired.is_empty() {
            return;
        }
        // Evidence for and against are capped apart: otherwise a strong sign of innocence could
        // be bought back by a rule that the cap had made worthless.
        let mut sums = [[[0.0_f64; 2]; Family::COUNT]; AXES];
        for fired in &out.fired {
            let side = usize::from(fired.weight < 0.0);
            sums[fired.suspicion as usize][fired.family as usize][side] += f64::from(fired.weight);
        }
        for fired in &mut out.fired {
            let side = usize::from(fired.weight < 0.0);
            let sum = sums[fired.suspicion as usize][fired.family as usize][side].abs();
            let cap = self.policy.family_cap[fired.family as usize];
            if sum > cap {
                fired.weight = (f64::from(fired.weight) * (cap / sum)) as f32;
            }
            out.logits[fired.suspicion as usize] += f64::from(fired.weight);
        }
    }
}

/// One bit per rule.
#[derive(Default)]
struct Mask([u64; MAX_RULES / 64]);

impl Mask {
    fn set(&mut self, rule: RuleIndex) {
        self.0[rule.index() / 64] |= 1 << (rule.index() % 64);
    }

    fn get(&self, rule: RuleIndex) -> bool {
        self.0[rule.index() / 64] >> (rule.index() % 64) & 1 == 1
    }
}
