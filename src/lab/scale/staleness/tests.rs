use std::io::Cursor;

use super::*;
use crate::lab::simulate::{City, Params};
use crate::rules::shipped;

/// A city that is busy enough for attacks to unfold within few ratings.
fn city(count: usize) -> (Vec<u8>, Vec<u8>) {
    let params = Params { per_day: 60_000, days: 1, abuse_share: 0.1, haste: 20.0, ..Params::default() };
    let (mut ratings, mut labels) = (Vec::new(), Vec::new());
    for rating in City::new(params).unwrap().take(count) {
        rating.write_json(&mut ratings);
        ratings.push(b'\n');
        rating.write_label(&mut labels);
        labels.push(b'\n');
    }
    (ratings, labels)
}

fn report(count: usize, nodes: u16, route: Route, delays: &[Delay]) -> Report {
    let (ratings, labels) = city(count);
    let source = |name: &str, bytes| Source { name: name.to_owned(), input: Cursor::new(bytes) };
    let ruling = Arc::new(Ruling::load(shipped()).unwrap());
    let wanted = Wanted { nodes, route, delays: delays.to_vec(), seed: 3, ratings: usize::MAX };
    measure(source("ratings", ratings), Some(source("labels", labels)), &ruling, &wanted, |_| {}).unwrap()
}

#[test]
fn nodes_that_see_everything_at_once_decide_as_one() {
    let at_once = [Delay::Ratings(0), Delay::Ms(0)];
    for route in [Route::Random, Route::Office] {
        let report = report(6_000, 3, route, &at_once);
        assert!(report.alone.recall.count > 20 && report.labelled == 6_000, "{:?}", report.alone);
        for row in &report.rows {
            assert_eq!((row.differ.count, row.differ.of, row.unseen_mean), (0, 6_000, 0.0));
            assert_eq!(row.scenarios, report.alone.scenarios);
            assert_eq!((row.recall, row.honest_held), (report.alone.recall, report.alone.honest_held));
        }
    }
}

#[test]
fn nodes_that_see_nothing_of_each_other_decide_otherwise_and_find_less() {
    let report = report(6_000, 4, Route::Random, &[Delay::Ratings(100), Delay::Ratings(1_000_000)]);
    let [late, never] = &report.rows[..] else { panic!("two rows") };
    // Three of the last 100 in four are others'.
    assert!((70.0..76.0).contains(&late.unseen_mean), "{}", late.unseen_mean);
    assert!((2_000.0..2_500.0).contains(&never.unseen_mean), "{}", never.unseen_mean);
    assert!(never.differ.count > late.differ.count && late.differ.count > 0);
    assert!(never.recall.count < report.alone.recall.count, "{never:?}");
    assert_eq!(never.missed.of + never.added.of, 6_000);
    assert!(table(&report).contains("1,000,000 ratings late"));
}

#[test]
fn a_delay_in_time_hides_what_arrived_within_it() {
    let report = report(2_000, 2, Route::Random, &[Delay::Ms(1_000), Delay::Ms(60_000)]);
    for (row, seconds) in report.rows.iter().zip([1.0, 60.0]) {
        // By Little's law; bursts count more, as more decisions fall into them.
        let mean = report.ratings_per_s * seconds / 2.0;
        assert!(row.unseen_mean > 0.8 * mean && row.unseen_mean < 20.0 * mean, "{} {mean}", row.unseen_mean);
    }
}

#[test]
fn a_file_without_a_rating_is_an_error_that_says_what_was_there() {
    let source = Source { name: "r".to_owned(), input: Cursor::new(b"{}\n".to_vec()) };
    let ruling = Arc::new(Ruling::load(shipped()).unwrap());
    let wanted = Wanted { nodes: 2, route: Route::Random, delays: Vec::new(), seed: 1, ratings: 10 };
    let error = measure(source, None, &ruling, &wanted, |_| {}).unwrap_err().to_string();
    assert!(error.starts_with("r: no line is a rating") && error.contains("r:1: "), "{error}");
}
