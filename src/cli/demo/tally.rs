//! What became of the simulated ratings, by what they truly are.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::http::backend::{Backend, BackendError};
use crate::wire::{Decision, Label};

/// Ratings that are told apart; later ones are left out of the summary, which says so.
const RATINGS_MAX: usize = 2_000_000;
/// Verdicts read at once when corrections are followed.
const PAGE: usize = 1_000;

/// What a simulated rating truly is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Given in good faith, also where the wrong star was pressed.
    Honest,
    /// Padded, malicious, automated or duplicate.
    Abusive,
    /// The simulation itself leaves it open.
    Unsure,
}

impl Truth {
    /// What a label says.
    pub fn of_label(label: Label) -> Self {
        match label.is_abusive() {
            Some(false) => Truth::Honest,
            Some(true) => Truth::Abusive,
            None => Truth::Unsure,
        }
    }
}

/// Counts of answered ratings, by truth and decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) honest: [u64; Decision::ALL.len()],
    pub(super) abusive: [u64; Decision::ALL.len()],
    pub(super) unanswered: u64,
}

/// Keeps the standing decision of each rating.
#[derive(Default)]
pub(super) struct Tally(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    standing: HashMap<String, (Truth, Decision)>,
    counts: Counts,
    left_out: u64,
}

impl Tally {
    /// Keeps an answer.
    pub(super) fn answered(&self, rating_id: &str, truth: Truth, decision: &str) {
        let Some(decision) = Decision::from_name(decision) else { return };
        let mut kept = self.kept();
        if kept.standing.len() >= RATINGS_MAX {
            kept.left_out += 1;
            return;
        }
        if kept.standing.insert(rating_id.to_owned(), (truth, decision)).is_none() {
            kept.counts.add(truth, decision);
        }
    }

    /// Keeps that a rating had no verdict.
    pub(super) fn unanswered(&self) {
        self.kept().counts.unanswered += 1;
    }

    /// The counts of now.
    pub(super) fn counts(&self) -> Counts {
        self.kept().counts
    }

    /// Reads the whole feed, so that what was corrected later counts as it stands. Blocks.
    pub(super) fn follow_corrections<B: Backend>(&self, backend: &B) -> Result<(), BackendError> {
        let end = *backend.head().borrow();
        let mut from = 0;
        while from < end {
            let page = backend.verdicts_from(from, PAGE)?;
            let mut kept = self.kept();
            for (_, verdict) in &page.items {
                let (id, decision) = (verdict["rating_id"].as_str(), verdict["decision"].as_str());
                let (Some(id), Some(decision)) = (id, decision.and_then(Decision::from_name)) else {
                    continue;
                };
                if let Some(standing) = kept.standing.get_mut(id) {
                    standing.1 = decision;
                }
            }
            if page.next <= from {
                break;
            }
            from = page.next;
        }
        let mut kept = self.kept();
        let mut counts = Counts { unanswered: kept.counts.unanswered, ..Counts::default() };
        kept.standing.values().for_each(|&(truth, decision)| counts.add(truth, decision));
        kept.counts = counts;
        Ok(())
    }

    /// What was found and what was spared, in words.
    pub(super) fn summary(&self) -> String {
        let kept = self.kept();
        let Counts { honest, abusive, unanswered } = kept.counts;
        let mut text = String::from("\n小结 Summary (判定以最终为准 decisions as they stand at the end)\n");
        for (name, counts) in [("真实评价 honest ", honest), ("异常评价 abusive", abusive)] {
            let [admitted, held, rejected] = counts;
            let all = admitted + held + rejected;
            let stopped = share(held + rejected, all);
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "  {name}  {all:>8}   暂缓 held {held:>6}   不计入 rejected {rejected:>6}   {stopped} 未计入 kept out"
            );
        }
        if unanswered > 0 {
            let _ = writeln!(text, "  没有判定 without a verdict {unanswered}");
        }
        if kept.left_out > 0 {
            let _ = writeln!(text, "  超出统计上限，未列入 beyond the summary's limit {}", kept.left_out);
        }
        text
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Counts stay whole if a holder panics: each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn add(&mut self, truth: Truth, decision: Decision) {
        match truth {
            Truth::Honest => self.honest[decision as usize] += 1,
            Truth::Abusive => self.abusive[decision as usize] += 1,
            Truth::Unsure => {}
        }
    }
}

/// A share in percent; nothing of nothing has none.
pub(super) fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => "–".to_owned(),
        _ => format!("{:.2} %", 100.0 * part as f64 / whole as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_what_was_found_from_what_was_spared() {
        let tally = Tally::default();
        for index in 0..1_000 {
            tally.answered(&format!("h{index}"), Truth::Honest, if index < 3 { "hold" } else { "admit" });
        }
        for index in 0..40 {
            tally.answered(&format!("a{index}"), Truth::Abusive, if index < 30 { "hold" } else { "admit" });
        }
        tally.answered("a40", Truth::Abusive, "reject");
        tally.answered("a40", Truth::Abusive, "reject");
        tally.answered("u", Truth::Unsure, "hold");
        tally.unanswered();
        insta::assert_snapshot!(tally.summary());
    }
}
