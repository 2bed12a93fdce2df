//! A made-up log for the tests of the statistics.

use zhenping::date::Day;
use zhenping::statistics::{By, Counted, Dimension, Figures, Query, Rated, Revised, Settings, Statistics};
use zhenping::wire::{Channel, Decision, Origin};

pub const HEAD: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

pub fn rated(sequence: u64, day: &str, department: &'static str, stars: u8) -> Rated<'static> {
    Rated {
        sequence,
        day: Day::parse(day).unwrap(),
        channel: Channel::HallWindow,
        origin: Origin::Active,
        decision: Decision::Admit,
        stars,
        hall_stars: None,
        aspects: [0; 6],
        matter: "M1",
        department,
        district: Some("310101"),
        hall: Some("H1"),
        window: Some("W1"),
        clerk: Some("C1"),
        earlier: None,
    }
}

pub fn revised(
    sequence: u64,
    rating: Rated<'static>,
    revision: u32,
    decision: Decision,
    by: By,
) -> Counted<'static> {
    Counted::Revised(Revised { sequence, rating, revision, decision, by })
}

pub fn fold(entries: &[Counted<'static>], settings: Settings) -> Statistics {
    let mut statistics = Statistics::new(settings);
    entries.iter().for_each(|entry| statistics.apply(entry));
    statistics
}

pub fn total(statistics: &Statistics) -> Figures {
    let query = Query { by: Dimension::Total, ..all_time() };
    statistics.report(&query, HEAD).unwrap().total
}

pub fn all_time() -> Query {
    Query::default().from("2026-01").unwrap().to("2026-12").unwrap()
}
