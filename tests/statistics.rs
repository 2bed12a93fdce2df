//! The figures: corrections, bounds, snapshots, and the tables that people read.

mod statistics_support;

use statistics_support::{HEAD, all_time, fold, rated, revised, total};
use zhenping::statistics::{
    By, Counted, Query, Rated, Settings, SnapshotError, Statistics, ranking_table, report_table,
};
use zhenping::wire::{Decision, Origin};

mod corrections {
    use super::*;

    #[test]
    fn a_hold_withholds_and_a_decision_moves_the_count() {
        let held = Rated { decision: Decision::Hold, ..rated(0, "2026-03-02", "D1", 1) };
        let mut entries = vec![Counted::Rated(held), Counted::Rated(rated(1, "2026-03-02", "D1", 5))];
        let figures = total(&fold(&entries, Settings::default()));
        assert_eq!((figures.received, figures.counted, figures.pending, figures.pending_bad), (2, 1, 1, 1));
        assert_eq!((figures.good_rate, figures.corrections), (Some(1.0), 0));

        entries.push(revised(2, held, 1, Decision::Admit, By::Lapse));
        let figures = total(&fold(&entries, Settings::default()));
        assert_eq!((figures.counted, figures.pending, figures.lapsed, figures.cleared), (2, 0, 1, 0));
        assert_eq!((figures.good_rate, figures.bad_rate, figures.corrections), (Some(0.5), Some(0.5), 1));

        entries.push(revised(3, held, 2, Decision::Reject, By::Person));
        let figures = total(&fold(&entries, Settings::default()));
        assert_eq!((figures.counted, figures.confirmed, figures.held, figures.corrections), (1, 1, 1, 2));
    }

    #[test]
    fn one_rating_of_an_occasion_counts_and_an_active_one_goes_over_a_default() {
        let default = Rated { origin: Origin::Default, ..rated(0, "2026-03-02", "D1", 5) };
        let active = Rated { earlier: Some(0), ..rated(1, "2026-03-09", "D1", 2) };
        let late_default =
            Rated { origin: Origin::Default, earlier: Some(1), ..rated(2, "2026-03-10", "D1", 5) };
        let again = Rated { earlier: Some(0), ..rated(3, "2026-03-20", "D1", 4) };
        let entries = [default, active, late_default, again].map(Counted::Rated);

        let figures = total(&fold(&entries[..1], Settings::default()));
        assert_eq!((figures.counted, figures.default.counted, figures.active_share), (0, 1, Some(0.0)));
        assert_eq!(figures.good_rate, None, "a default rating makes no rate");
        let figures = total(&fold(&entries[..3], Settings::default()));
        assert_eq!((figures.counted, figures.default.counted, figures.default.replaced), (1, 0, 2));
        assert_eq!(figures.stars.0, [0, 1, 0, 0, 0]);
        let figures = total(&fold(&entries, Settings::default()));
        assert_eq!(
            (figures.counted, figures.replaced, figures.corrections),
            (1, 1, 2),
            "the rater thought again"
        );
        assert_eq!(figures.stars.0, [0, 0, 0, 1, 0]);
    }

    #[test]
    fn a_held_revision_leaves_the_earlier_rating_standing() {
        let first = rated(0, "2026-03-02", "D1", 2);
        let second = Rated { earlier: Some(0), decision: Decision::Hold, ..rated(1, "2026-03-05", "D1", 5) };
        let mut entries = vec![Counted::Rated(first), Counted::Rated(second)];
        assert_eq!(total(&fold(&entries, Settings::default())).stars.0, [0, 1, 0, 0, 0]);
        entries.push(revised(2, second, 1, Decision::Admit, By::Person));
        assert_eq!(total(&fold(&entries, Settings::default())).stars.0, [0, 0, 0, 0, 1]);
        entries.push(revised(3, second, 2, Decision::Reject, By::Person));
        assert_eq!(
            total(&fold(&entries, Settings::default())).stars.0,
            [0, 1, 0, 0, 0],
            "and it stands again"
        );
    }

    #[test]
    fn an_entry_taken_twice_counts_once() {
        let entry = Counted::Rated(rated(4, "2026-03-02", "D1", 5));
        let statistics = fold(&[entry, entry, Counted::Other { sequence: 5 }], Settings::default());
        assert_eq!((total(&statistics).counted, statistics.position()), (1, 6));
    }
}

mod bounds {
    use super::*;

    #[test]
    fn sealed_ratings_stay_in_the_figures_and_can_still_be_corrected() {
        let settings = Settings { open_ratings: 10, ..Settings::default() };
        let first = rated(0, "2026-03-02", "D1", 1);
        let mut entries: Vec<Counted> = vec![Counted::Rated(first)];
        entries.extend((1..100).map(|n| Counted::Rated(rated(n, "2026-03-03", "D1", 5))));
        entries.push(revised(100, first, 1, Decision::Reject, By::Person));
        let figures = total(&fold(&entries, settings));
        assert_eq!(figures, total(&fold(&entries, Settings::default())));
        assert_eq!((figures.counted, figures.confirmed, figures.stars.0[0]), (99, 1, 0));
    }

    #[test]
    fn single_days_of_sealed_months_are_refused_and_not_guessed() {
        let settings = Settings { open_ratings: 4, ..Settings::default() };
        let day = |day: u64| Counted::Rated(rated(day, &format!("2026-03-{day:02}"), "D1", 5));
        let statistics = fold(&(1..=28).map(day).collect::<Vec<_>>(), settings);
        let ask = |from: &str, per: &str| {
            let query = Query::default().from(from).unwrap().to("2026-03").unwrap().per(per).unwrap();
            statistics
                .report(&query, HEAD)
                .map(|report| report.total.counted)
                .map_err(|error| error.to_string())
        };
        assert_eq!(ask("2026-03", "month"), Ok(28));
        assert_eq!(ask("2026-03-25", "day"), Ok(4));
        let remedy = "single days are kept from 2026-03-25 on; ask for whole months before that";
        assert_eq!(ask("2026-03-20", "whole"), Err(format!("`from`: {remedy}")));
        assert_eq!(ask("2026-03", "day"), Err(format!("`per`: {remedy}")));
    }

    #[test]
    fn a_correction_that_comes_too_late_is_reported_and_not_lost_in_silence() {
        let settings = Settings { open_ratings: 4, ..Settings::default() };
        let mut entries: Vec<Counted> =
            (0..20).map(|n| Counted::Rated(rated(n, "2026-03-03", "D1", 5))).collect();
        entries.push(Counted::Rated(Rated { earlier: Some(0), ..rated(20, "2026-03-03", "D1", 1) }));
        let report = fold(&entries, settings).report(&all_time(), HEAD).unwrap();
        assert_eq!(report.notes[0].code, "late-entries");
    }

    #[test]
    fn months_beyond_the_limit_are_dropped_and_said_to_be() {
        let settings = Settings { open_ratings: 2, sealed_months: 2, ..Settings::default() };
        let months = ["2026-01-10", "2026-02-10", "2026-03-10", "2026-04-10", "2026-05-10", "2026-06-10"];
        let entries: Vec<Counted> =
            (0..).zip(months).map(|(n, day)| Counted::Rated(rated(n, day, "D1", 5))).collect();
        let statistics = fold(&entries, settings);
        let error = statistics.report(&Query::default().from("2026-02").unwrap(), HEAD).unwrap_err();
        assert_eq!(error.to_string(), "`from`: the figures before 2026-03 are no longer kept");
        assert_eq!(
            statistics.report(&Query::default().from("2026-03").unwrap(), HEAD).unwrap().total.counted,
            4
        );
    }

    #[test]
    fn codes_beyond_the_limit_count_together() {
        let settings = Settings { names: 6, ..Settings::default() };
        let entries = [
            rated(0, "2026-03-02", "D1", 5),
            rated(1, "2026-03-02", "D2", 5),
            rated(2, "2026-03-02", "D3", 4),
        ];
        let report = fold(&entries.map(Counted::Rated), settings).report(&all_time(), HEAD).unwrap();
        let codes: Vec<_> = report.rows.iter().map(|row| row.code.as_deref()).collect();
        assert_eq!(codes, [Some("D1"), Some("(other)")]);
        assert_eq!(report.total.counted, 3);
        assert_eq!(report.notes[0].code, "names-full");
    }
}

mod snapshots {
    use super::*;

    fn some() -> Vec<Counted<'static>> {
        let held = Rated { decision: Decision::Hold, ..rated(3, "2026-02-27", "D2", 1) };
        let mut entries: Vec<Counted> =
            (0..3).map(|n| Counted::Rated(rated(n, "2026-02-26", "D1", 4))).collect();
        entries.push(Counted::Rated(held));
        entries.push(Counted::Rated(Rated { earlier: Some(3), ..rated(4, "2026-03-01", "D2", 2) }));
        entries.push(revised(5, held, 1, Decision::Admit, By::Lapse));
        entries.extend((6..30).map(|n| Counted::Rated(rated(n, "2026-03-05", "D1", 5))));
        entries
    }

    #[test]
    fn a_damaged_snapshot_is_refused() {
        let settings = Settings { open_ratings: 8, ..Settings::default() };
        let bytes = fold(&some(), settings).snapshot();
        assert!(Statistics::restore(&bytes, settings).is_ok());
        for at in (8..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(
                Statistics::restore(&damaged, settings).err(),
                Some(SnapshotError::Damaged),
                "byte {at}"
            );
        }
        assert_eq!(Statistics::restore(&bytes[..20], settings).err(), Some(SnapshotError::Damaged));
        assert_eq!(Statistics::restore(b"other", settings).err(), Some(SnapshotError::Version));
        let other = Settings { open_ratings: 9, ..settings };
        assert_eq!(Statistics::restore(&bytes, other).err(), Some(SnapshotError::Settings));
    }

    #[test]
    fn a_restored_fold_goes_on_as_if_it_had_never_stopped() {
        for open_ratings in [4, 8, 1_000] {
            let settings = Settings { open_ratings, ..Settings::default() };
            let entries = some();
            let whole = fold(&entries, settings).snapshot();
            for stop in 0..entries.len() {
                let early = fold(&entries[..stop], settings).snapshot();
                let mut restored = Statistics::restore(&early, settings).unwrap();
                assert_eq!(restored.snapshot(), early);
                entries.iter().for_each(|entry| restored.apply(entry));
                assert_eq!(restored.snapshot(), whole, "stopped at {stop}, {open_ratings} open");
            }
        }
    }
}

mod tables {
    use super::*;

    /// Two districts, three departments, a quiet office, a held complaint, defaults and a clerk with
    /// too few ratings.
    fn month() -> Statistics {
        let mut entries = Vec::new();
        let mut sequence = 0;
        let mut give = |count: u64, rating: Rated<'static>| {
            for _ in 0..count {
                entries.push(Counted::Rated(Rated { sequence, ..rating }));
                sequence += 1;
            }
        };
        for (department, district, fives, fours, threes, bad) in [
            ("公安局", "310101", 9_700, 250, 30, 20),
            ("SH-TAX", "310104", 3_900, 80, 10, 10),
            ("SH-MCA", "310104", 11, 1, 0, 0),
        ] {
            for (stars, count) in [(5, fives), (4, fours), (3, threes), (1, bad)] {
                give(count, Rated { district: Some(district), ..rated(0, "2026-03-12", department, stars) });
            }
        }
        let held = Rated { decision: Decision::Hold, ..rated(0, "2026-03-30", "SH-TAX", 1) };
        give(2, Rated { district: Some("310104"), ..held });
        give(60, Rated { origin: Origin::Default, ..rated(0, "2026-03-15", "公安局", 5) });
        give(5, Rated { clerk: Some("C2"), window: None, ..rated(0, "2026-03-16", "公安局", 5) });
        fold(&entries, Settings::default())
    }

    #[test]
    fn a_report_reads_well() {
        let statistics = month();
        let ask = |query: Query| report_table(&statistics.report(&query, HEAD).unwrap());
        insta::assert_snapshot!("departments", ask(Query::default()));
        insta::assert_snapshot!("clerks", ask(Query::default().by("clerk").unwrap()));
        insta::assert_snapshot!(
            "windows_limited",
            ask(Query::default().by("window").unwrap().limit("2").unwrap())
        );
        insta::assert_snapshot!("days", ask(Query::default().by("total").unwrap().per("day").unwrap()));
    }

    #[test]
    fn a_ranking_reads_well() {
        let ranking = month().ranking(&Query::default(), HEAD).unwrap();
        insta::assert_snapshot!("ranking", ranking_table(&ranking));
        insta::assert_snapshot!("ranking_json", serde_json::to_string_pretty(&ranking).unwrap());
    }

    #[test]
    fn the_json_of_a_report_is_stable() {
        let report = month().report(&Query { limit: 1, ..Query::default() }, HEAD).unwrap();
        insta::assert_snapshot!("report_json", serde_json::to_string_pretty(&report).unwrap());
    }

    #[test]
    fn an_empty_log_has_an_empty_report_and_ranking() {
        let statistics = Statistics::new(Settings::default());
        let query = Query::default().from("2026-03").unwrap();
        insta::assert_snapshot!("empty", report_table(&statistics.report(&query, HEAD).unwrap()));
        assert!(statistics.ranking(&query, HEAD).unwrap().rows.is_empty());
    }

    #[test]
    fn a_clerk_with_few_ratings_has_no_figures() {
        let report = month().report(&Query::default().by("clerk").unwrap(), HEAD).unwrap();
        let row = report.rows.iter().find(|row| row.code.as_deref() == Some("C2")).unwrap();
        assert!(row.suppressed && row.figures.is_none());
        let json = serde_json::to_value(row).unwrap();
        assert_eq!(json, serde_json::json!({"department": "公安局", "code": "C2", "suppressed": true}));
    }

    #[test]
    fn a_ranking_is_of_districts_and_departments_only() {
        let error = month().ranking(&Query::default().by("clerk").unwrap(), HEAD).unwrap_err();
        assert_eq!(error.to_string(), "`by`: a ranking is by district or department");
    }
}
