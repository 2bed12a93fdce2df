//! The control sample is drawn by lot among what is admitted, and replay finds what was drawn.

use zhenping::log::entry::{Entry, RatingFlags};
use zhenping::log::{LogReader, directory};
use zhenping::service::{DeskOptions, Lot, Service};

use crate::support::{self, Place, ask, rating};

fn open(place: &Place, control: Lot) -> Service {
    let mut options = support::options(place.data());
    options.desk = Some(DeskOptions { decide_working_days: 1, traced_ratings: 1_000 });
    options.control = control;
    Service::open(options).unwrap()
}

/// The ids that the log says were drawn.
fn drawn(place: &Place) -> Vec<String> {
    let log = LogReader::open(&directory(&place.data())).unwrap();
    let drawn = log.read_from(0).unwrap().filter_map(|entry| match entry.unwrap().1 {
        Entry::Rating(rating) if rating.flags.has(RatingFlags::CONTROL) => {
            Some(rating.observation.rating_id.to_string())
        }
        _ => None,
    });
    drawn.collect()
}

#[test]
fn a_days_bound_of_the_control_sample_holds_across_a_restart() {
    let place = Place::new();
    let lot = Lot::new(100_000).at_most(5);
    let service = open(&place, lot);
    for i in 0..3 {
        ask(&service, rating(&format!("before-{i}"), 4, ""));
    }
    service.stop().unwrap();
    // It keeps its directory until then.
    drop(service);
    assert_eq!(drawn(&place).len(), 3);
    // Once from a snapshot, once from the log alone.
    for round in 0..2 {
        let service = open(&place, lot);
        for i in 0..4 {
            ask(&service, rating(&format!("after-{round}-{i}"), 4, ""));
        }
        service.stop().unwrap();
        let _ = std::fs::remove_dir_all(place.data().join("snapshots"));
        assert_eq!(drawn(&place).len(), 5, "round {round}");
    }
}

#[test]
fn nothing_is_drawn_that_nobody_chose() {
    let place = Place::new();
    let service = open(&place, Lot::new(100_000));
    ask(&service, rating("default", 5, r#","origin":"default""#));
    ask(&service, rating("chosen", 5, ""));
    service.stop().unwrap();
    assert_eq!(drawn(&place), ["chosen"]);
}
