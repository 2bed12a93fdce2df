//! The figures against a recount from scratch: slow, and too simple to be wrong in the same way.

mod statistics_support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use statistics_support::{HEAD, all_time, fold, rated, revised, total};
use zhenping::date::Day;
use zhenping::statistics::{
    By, Counted, Dimension, Figures, Period, Query, Rated, Report, Settings, Statistics,
};
use zhenping::wire::{Decision, Origin};

const DEPARTMENTS: [&str; 2] = ["D1", "D2"];
const CLERKS: [Option<&str>; 3] = [None, Some("C1"), Some("C2")];

/// One step of a made-up log.
#[derive(Clone, Debug)]
enum Step {
    Rate {
        day: i32,
        department: usize,
        clerk: usize,
        levels: [u8; 8],
        default: bool,
        decision: u8,
        earlier: Option<usize>,
    },
    Revise {
        rating: usize,
        decision: u8,
        by: u8,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let levels = (1u8..=5, proptest::array::uniform7(0u8..=5)).prop_map(|(stars, rest)| {
        let mut levels = [stars; 8];
        levels[1..].copy_from_slice(&rest);
        levels
    });
    let earlier = proptest::option::weighted(0.4, 0usize..40);
    let rate = (0i32..70, 0usize..2, 0usize..3, levels, proptest::bool::weighted(0.2), 0u8..3, earlier)
        .prop_map(|(day, department, clerk, levels, default, decision, earlier)| Step::Rate {
            day,
            department,
            clerk,
            levels,
            default,
            decision,
            earlier,
        });
    let revise =
        (0usize..40, 0u8..3, 0u8..3).prop_map(|(rating, decision, by)| Step::Revise { rating, decision, by });
    proptest::collection::vec(prop_oneof![3 => rate, 2 => revise], 1..40)
}

fn entries(steps: &[Step]) -> Vec<Counted<'static>> {
    let first_day = Day::parse("2026-02-20").unwrap();
    let mut ratings: Vec<(Rated<'static>, u32)> = Vec::new();
    let mut entries = Vec::new();
    for (sequence, step) in (0..).zip(steps) {
        match *step {
            Step::Rate { day, department, clerk, levels, default, decision, earlier } => {
                let mut aspects = [0; 6];
                aspects.copy_from_slice(&levels[2..]);
                let rating = Rated {
                    day: first_day.plus(day),
                    origin: if default { Origin::Default } else { Origin::Active },
                    decision: Decision::from_index(decision).unwrap(),
                    hall_stars: (levels[1] > 0).then_some(levels[1]),
                    aspects,
                    clerk: CLERKS[clerk],
                    earlier: earlier.and_then(|at| ratings.get(at)).map(|(rating, _)| rating.sequence),
                    ..rated(sequence, "2026-03-01", DEPARTMENTS[department], levels[0])
                };
                ratings.push((rating, 0));
                entries.push(Counted::Rated(rating));
            }
            Step::Revise { rating, decision, by } => {
                let by = [By::Machine, By::Lapse, By::Person][usize::from(by)];
                let Some((rating, revision)) = ratings.get_mut(rating) else {
                    entries.push(Counted::Other { sequence });
                    continue;
                };
                *revision += 1;
                entries.push(revised(
                    sequence,
                    *rating,
                    *revision,
                    Decision::from_index(decision).unwrap(),
                    by,
                ));
            }
        }
    }
    entries
}

/// What is known of one rating after reading all entries from the start.
struct Known {
    rated: Rated<'static>,
    root: u64,
    decision: Decision,
    by: By,
    ever_held: bool,
}

fn read(entries: &[Counted<'static>]) -> BTreeMap<u64, Known> {
    let mut known: BTreeMap<u64, Known> = BTreeMap::new();
    for entry in entries {
        match *entry {
            Counted::Rated(rated) => {
                let root = rated.earlier.map_or(rated.sequence, |earlier| known[&earlier].root);
                let (decision, ever_held) = (rated.decision, rated.decision == Decision::Hold);
                known.insert(rated.sequence, Known { rated, root, decision, by: By::Machine, ever_held });
            }
            Counted::Revised(revised) => {
                let rating = known.get_mut(&revised.rating.sequence).unwrap();
                rating.decision = revised.decision;
                rating.by = revised.by;
                rating.ever_held |= revised.decision == Decision::Hold;
            }
            Counted::Other { .. } => {}
        }
    }
    known
}

fn standing(known: &BTreeMap<u64, Known>) -> BTreeSet<u64> {
    let roots: BTreeSet<u64> = known.values().map(|rating| rating.root).collect();
    let stands = |root: &u64| {
        let members =
            known.values().filter(|rating| rating.root == *root && rating.decision == Decision::Admit);
        members.max_by_key(|r| (r.rated.origin == Origin::Active, r.rated.sequence)).map(|r| r.rated.sequence)
    };
    roots.iter().filter_map(stands).collect()
}

/// Times that later entries moved each rating into or out of the figures.
fn moves(entries: &[Counted<'static>]) -> BTreeMap<u64, u64> {
    let mut moves: BTreeMap<u64, u64> = BTreeMap::new();
    let mut before = BTreeSet::new();
    for end in 1..=entries.len() {
        let after = standing(&read(&entries[..end]));
        for &moved in before.symmetric_difference(&after) {
            if moved != entries[end - 1].sequence() {
                *moves.entry(moved).or_default() += 1;
            }
        }
        before = after;
    }
    moves
}

/// The counts that the figures are made of, in a fixed order.
fn counts(entries: &[Counted<'static>], belongs: impl Fn(&Rated) -> bool) -> Vec<u64> {
    let (known, moves) = (read(entries), moves(entries));
    let standing = standing(&known);
    let of = |test: &dyn Fn(&Known) -> bool| {
        known.values().filter(|r| belongs(&r.rated) && test(r)).count() as u64
    };
    let active = |r: &Known| r.rated.origin == Origin::Active;
    let stands = |r: &Known| standing.contains(&r.rated.sequence);
    let counted = |r: &Known| active(r) && stands(r);
    let bad = |r: &Known| {
        let rest = r.rated.aspects.into_iter().chain(r.rated.hall_stars).filter(|&level| level > 0);
        rest.chain([r.rated.stars]).any(|level| level <= 2)
    };
    let is = |r: &Known, decision| r.decision == decision;
    let mut counts = vec![of(&active), of(&counted)];
    for level in 1..=5 {
        counts.push(of(&|r| counted(r) && r.rated.stars == level));
        counts.push(of(&|r| counted(r) && r.rated.hall_stars == Some(level)));
        for aspect in 0..6 {
            counts.push(of(&|r| counted(r) && r.rated.aspects[aspect] == level));
        }
    }
    let admitted_after_hold = |r: &Known| active(r) && is(r, Decision::Admit) && r.ever_held;
    counts.extend([
        of(&|r| active(r) && r.ever_held),
        of(&|r| active(r) && is(r, Decision::Hold)),
        of(&|r| active(r) && is(r, Decision::Hold) && bad(r)),
        of(&|r| active(r) && is(r, Decision::Reject) && r.by == By::Person),
        of(&|r| active(r) && is(r, Decision::Reject) && r.by != By::Person),
        of(&|r| admitted_after_hold(r) && r.by != By::Lapse),
        of(&|r| admitted_after_hold(r) && r.by == By::Lapse),
        of(&|r| active(r) && is(r, Decision::Admit) && !stands(r)),
        moves.iter().filter(|(sequence, _)| belongs(&known[sequence].rated)).map(|(_, n)| n).sum(),
        of(&|r| !active(r) && stands(r)),
        of(&|r| !active(r) && is(r, Decision::Admit) && !stands(r)),
        of(&|r| !active(r) && is(r, Decision::Hold)),
        of(&|r| !active(r) && is(r, Decision::Reject)),
    ]);
    counts
}

/// The same counts out of the figures.
fn counts_in(figures: &Figures) -> Vec<u64> {
    let mut counts = vec![figures.received, figures.counted];
    for level in 0..5 {
        counts.push(figures.stars.0[level]);
        counts.push(figures.hall_stars.0[level]);
        counts.extend(figures.aspects.iter().map(|levels| levels.0[level]));
    }
    let default = figures.default;
    counts.extend([
        figures.held,
        figures.pending,
        figures.pending_bad,
        figures.confirmed,
        figures.refused,
        figures.cleared,
        figures.lapsed,
        figures.replaced,
        figures.corrections,
        default.counted,
        default.replaced,
        default.pending,
        default.rejected,
    ]);
    counts
}

fn check(entries: &[Counted<'static>], report: &Report) -> Result<(), TestCaseError> {
    prop_assert_eq!(counts_in(&report.total), counts(entries, |_| true));
    for row in &report.rows {
        let belongs = |rated: &Rated| {
            let code = match report.by {
                Dimension::Total => None,
                Dimension::Department => Some(rated.department),
                _ => rated.clerk,
            };
            let department =
                row.department.as_deref().is_none_or(|department| department == rated.department);
            let period = match report.per {
                Period::Whole => None,
                Period::Month => Some(rated.day.month().to_string()),
                Period::Day => Some(rated.day.to_string()),
            };
            code == row.code.as_deref() && department && period == row.period
        };
        prop_assert_eq!(counts_in(row.figures.as_ref().unwrap()), counts(entries, belongs), "{:?}", row.code);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_fold_equals_a_recount_at_every_position(steps in steps()) {
        let entries = entries(&steps);
        let settings = Settings { clerk_minimum: 0, ..Settings::default() };
        let mut statistics = Statistics::new(settings);
        for (index, entry) in entries.iter().enumerate() {
            statistics.apply(entry);
            let by = [Dimension::Total, Dimension::Department, Dimension::Clerk][index % 3];
            let per = [Period::Whole, Period::Month, Period::Day][index / 3 % 3];
            let query = Query { by, per, ..all_time() };
            check(&entries[..=index], &statistics.report(&query, HEAD).unwrap())?;
        }
    }

    #[test]
    fn no_rating_is_lost_or_made_up_however_decisions_move(steps in steps(), open_ratings in 2usize..50) {
        let entries = entries(&steps);
        let statistics = fold(&entries, Settings { open_ratings, ..Settings::default() });
        let figures = total(&statistics);
        let default = figures.default;
        let received = figures.received + default.counted + default.replaced + default.pending + default.rejected;
        let ratings = entries.iter().filter(|entry| matches!(entry, Counted::Rated(_))).count() as u64;
        prop_assert_eq!(received, ratings);
        prop_assert!(figures.good_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
    }

    #[test]
    fn sealing_changes_no_figure_unless_it_says_so(steps in steps(), open_ratings in 4usize..30) {
        let entries = entries(&steps);
        let settings = Settings { clerk_minimum: 0, ..Settings::default() };
        let sealing = fold(&entries, Settings { open_ratings, ..settings });
        for by in [Dimension::Total, Dimension::Department, Dimension::Clerk] {
            let query = Query { by, per: Period::Month, ..all_time() };
            let small = sealing.report(&query, HEAD).unwrap();
            if small.notes.iter().all(|note| note.code != "late-entries") {
                let large = fold(&entries, settings).report(&query, HEAD).unwrap();
                prop_assert_eq!((small.total, small.rows), (large.total, large.rows));
            }
        }
    }

    #[test]
    fn a_snapshot_holds_the_whole_state(steps in steps(), open_ratings in 2usize..50, stop in 0usize..40) {
        let entries = entries(&steps);
        let settings = Settings { open_ratings, ..Settings::default() };
        let early = fold(&entries[..stop.min(entries.len())], settings);
        let mut restored = Statistics::restore(&early.snapshot(), settings).unwrap();
        entries.iter().for_each(|entry| restored.apply(entry));
        prop_assert_eq!(restored.snapshot(), fold(&entries, settings).snapshot());
    }
}
