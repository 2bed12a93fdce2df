//! The desk's pictures: the time line of a case, the links between ratings, the map of a campaign.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::picture::{Axis, Edge, NODES_MAX, Tick, WIDTH, layout, lines, spread, tenth};
use crate::date::UtcOffset;
use crate::time::Instant;

/// Room below for the labels of the ticks.
const FOOT: f64 = 28.0;

/// A rating on a lane of a time line.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// When it was submitted.
    pub at: Instant,
    /// 1 to 5.
    pub stars: u8,
    /// `admit`, `hold` or `reject`.
    pub decision: &'static str,
    /// It is the case that the line is of.
    pub is_self: bool,
    /// Its page.
    pub href: Option<String>,
    /// What it says when it is pointed at.
    pub title: String,
}

/// A rating on a lane, where it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Pixels from the left.
    pub x: f64,
    /// See [`Mark`].
    pub stars: u8,
    /// See [`Mark`].
    pub decision: &'static str,
    /// See [`Mark::is_self`].
    #[serde(rename = "self")]
    pub is_self: bool,
    /// See [`Mark`].
    pub href: Option<String>,
    /// See [`Mark`].
    pub title: String,
}

/// What several ratings have in common, over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LanePicture {
    /// Its name in Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
    /// Pixels from the top.
    pub y: f64,
    /// From left to right.
    pub events: Vec<Event>,
}

/// A time line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timeline {
    /// Pixels.
    pub width: f64,
    /// Pixels.
    pub height: f64,
    /// Times.
    pub ticks: Vec<Tick>,
    /// One above the other.
    pub lanes: Vec<LanePicture>,
}

/// The time line of these lanes, each with its names.
pub fn timeline(lanes: Vec<((&'static str, &'static str), Vec<Mark>)>, offset: UtcOffset) -> Timeline {
    const HEAD: f64 = 32.0;
    const LANE: f64 = 60.0;
    let axis = Axis::over(lanes.iter().flat_map(|(_, marks)| marks).map(|mark| mark.at));
    let height = HEAD + LANE * lanes.len().max(1) as f64 + FOOT;
    let lanes = (0..)
        .zip(lanes)
        .map(|(place, ((zh, en), mut marks))| {
            marks.sort_by_key(|mark| mark.at);
            let events = marks
                .into_iter()
                .map(|Mark { at, stars, decision, is_self, href, title }| Event {
                    x: axis.x(at),
                    stars,
                    decision,
                    is_self,
                    href,
                    title,
                })
                .collect();
            LanePicture { zh, en, y: HEAD + LANE * f64::from(place), events }
        })
        .collect();
    Timeline { width: WIDTH, height, ticks: axis.ticks(offset), lanes }
}

/// What ratings can share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shared {
    /// An account, or a person.
    Rater,
    /// A device.
    Device,
    /// A case.
    Case,
    /// The words.
    Text,
    /// A network.
    Network,
}

impl Shared {
    /// As templates know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rater => "rater",
            Self::Device => "device",
            Self::Case => "case",
            Self::Text => "text",
            Self::Network => "network",
        }
    }
}

/// A rating with what it may share with others.
#[derive(Clone, Debug, PartialEq)]
pub struct Linked {
    /// What it is called.
    pub label: String,
    /// It is the case that the picture is of.
    pub is_self: bool,
    /// `admit`, `hold` or `reject`.
    pub decision: &'static str,
    /// Its page.
    pub href: Option<String>,
    /// Keys of what it has.
    pub keys: Vec<(Shared, u64)>,
}

/// A rating, or what ratings share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Node {
    /// Pixels from the left.
    pub x: f64,
    /// Pixels from the top.
    pub y: f64,
    /// `rating`, or what is shared.
    pub kind: &'static str,
    /// What it is called.
    pub label: String,
    /// See [`Linked`].
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Of a rating.
    pub decision: Option<&'static str>,
    /// Of a rating.
    pub href: Option<String>,
}

/// A picture of links.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Links {
    /// Pixels.
    pub width: f64,
    /// Pixels.
    pub height: f64,
    /// Ratings first, then what they share.
    pub nodes: Vec<Node>,
    /// Who has what.
    pub edges: Vec<Edge>,
}

/// Ratings that a picture of links shows at most.
pub const LINKED_MAX: usize = 60;
/// Shared things that it shows at most, most widely shared first.
const SHARED_MAX: usize = NODES_MAX - LINKED_MAX;

/// The picture of what these ratings share; `None` where no two share anything. Of more than [`LINKED_MAX`] those are
/// shown that share most widely, and the case itself in any event. `label_of` names what is shared.
pub fn links(ratings: &[Linked], label_of: impl Fn(Shared, u64) -> String) -> Option<Links> {
    const MARGIN: f64 = 44.0;
    let mut holders: BTreeMap<(Shared, u64), Vec<usize>> = BTreeMap::new();
    for (place, rating) in ratings.iter().enumerate() {
        for &key in &rating.keys {
            let holders = holders.entry(key).or_default();
            if holders.last() != Some(&place) {
                holders.push(place);
            }
        }
    }
    let mut shared: Vec<((Shared, u64), Vec<usize>)> =
        holders.into_iter().filter(|(_, holders)| holders.len() > 1).collect();
    shared.sort_by_key(|(key, holders)| (std::cmp::Reverse(holders.len()), *key));
    shared.truncate(SHARED_MAX);
    // The case itself, then whoever shares most widely.
    let mut shown: Vec<usize> = Vec::new();
    let own = ratings.iter().position(|rating| rating.is_self);
    for place in own.into_iter().chain(shared.iter().flat_map(|(_, holders)| holders.iter().copied())) {
        if shown.len() < LINKED_MAX && !shown.contains(&place) {
            shown.push(place);
        }
    }
    let place_of: HashMap<usize, usize> = shown.iter().enumerate().map(|(at, &place)| (place, at)).collect();
    let mut edges = Vec::new();
    let mut squares = Vec::new();
    for (key, holders) in &shared {
        let here: Vec<usize> = holders.iter().filter_map(|place| place_of.get(place).copied()).collect();
        if here.len() > 1 {
            let node = shown.len() + squares.len();
            edges.extend(here.into_iter().map(|rating| (rating, node)));
            squares.push(*key);
        }
    }
    if squares.is_empty() {
        return None;
    }
    let count = shown.len() + squares.len();
    let height = (160.0 + 8.0 * count as f64).min(620.0);
    let places = layout(count, &edges, height, MARGIN);
    let circles = shown.iter().map(|&place| &ratings[place]).map(|rating| Node {
        x: 0.0,
        y: 0.0,
        kind: "rating",
        label: rating.label.clone(),
        is_self: rating.is_self,
        decision: Some(rating.decision),
        href: rating.href.clone(),
    });
    let squares = squares.iter().map(|&(kind, key)| Node {
        x: 0.0,
        y: 0.0,
        kind: kind.name(),
        label: label_of(kind, key),
        is_self: false,
        decision: None,
        href: None,
    });
    let nodes = circles
        .chain(squares)
        .zip(&places)
        .map(|(node, place)| Node { x: place.x, y: place.y, ..node })
        .collect();
    Some(Links { width: WIDTH, height, nodes, edges: lines(&places, &edges) })
}

/// A member of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    /// When it was submitted.
    pub at: Instant,
    /// Whom it is about, in words.
    pub target: String,
    /// What tells a group of raters: a device, or else an account; `None` where neither is known.
    pub group: Option<u64>,
    /// 1 to 5.
    pub stars: u8,
    /// `admit`, `hold` or `reject`.
    pub decision: &'static str,
    /// It waits for a decision.
    pub open: bool,
    /// Its page.
    pub href: String,
    /// What it says when it is pointed at.
    pub title: String,
}

/// A target in a map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapRow {
    /// Pixels from the top.
    pub y: f64,
    /// Whom it is about.
    pub label: String,
}

/// A member in a map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapPoint {
    /// Pixels from the left.
    pub x: f64,
    /// Pixels from the top.
    pub y: f64,
    /// Which group of raters: 1 to 5 for the largest, 0 for all others.
    pub g: u8,
    /// See [`Dot`].
    pub stars: u8,
    /// See [`Dot`].
    pub decision: &'static str,
    /// See [`Dot`].
    pub open: bool,
    /// See [`Dot`].
    pub href: String,
    /// See [`Dot`].
    pub title: String,
}

/// The map of a campaign: raters over targets and time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Map {
    /// Pixels.
    pub width: f64,
    /// Pixels.
    pub height: f64,
    /// Times.
    pub ticks: Vec<Tick>,
    /// Targets, most members first; beyond twelve the rest have one row.
    pub rows: Vec<MapRow>,
    /// Members.
    pub points: Vec<MapPoint>,
}

/// The map of these members. `rest` names the row of all targets beyond the twelve with most members.
pub fn map(dots: Vec<Dot>, rest: &str, offset: UtcOffset) -> Map {
    const HEAD: f64 = 34.0;
    const ROW: f64 = 48.0;
    const ROWS_MAX: usize = 12;
    const GROUPS: usize = 5;
    let axis = Axis::over(dots.iter().map(|dot| dot.at));
    let ranked = |counts: BTreeMap<String, usize>| {
        let mut ranked: Vec<(String, usize)> = counts.into_iter().collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        ranked
    };
    let mut targets = BTreeMap::new();
    let mut raters: BTreeMap<u64, usize> = BTreeMap::new();
    for dot in &dots {
        *targets.entry(dot.target.clone()).or_insert(0) += 1;
        if let Some(group) = dot.group {
            *raters.entry(group).or_insert(0) += 1;
        }
    }
    let mut labels: Vec<String> = ranked(targets).into_iter().map(|(target, _)| target).collect();
    let place_of: HashMap<String, usize> =
        labels.iter().enumerate().map(|(place, label)| (label.clone(), place.min(ROWS_MAX))).collect();
    if labels.len() > ROWS_MAX {
        labels.truncate(ROWS_MAX);
        labels.push(rest.to_owned());
    }
    let mut groups: Vec<(u64, usize)> = raters.into_iter().filter(|&(_, count)| count > 1).collect();
    groups.sort_by_key(|&(group, count)| (std::cmp::Reverse(count), group));
    let group_of: HashMap<u64, u8> =
        groups.into_iter().take(GROUPS).map(|(group, _)| group).zip(1..).collect();
    let height = HEAD + ROW * labels.len().max(1) as f64 + FOOT;
    let y_of = |place: usize| HEAD + ROW * place as f64;

    let mut by_row: Vec<Vec<Dot>> = (0..labels.len()).map(|_| Vec::new()).collect();
    for dot in dots {
        let place = place_of.get(&dot.target).copied().unwrap_or(0);
        by_row[place].push(dot);
    }
    let mut points = Vec::new();
    for (place, mut dots) in by_row.into_iter().enumerate() {
        dots.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.href.cmp(&b.href)));
        let xs: Vec<f64> = dots.iter().map(|dot| axis.x(dot.at)).collect();
        let shifts = spread(&xs, ROW / 2.0 - 6.0);
        points.extend(dots.into_iter().zip(xs).zip(shifts).map(|((dot, x), shift)| MapPoint {
            x,
            y: tenth(y_of(place) + shift),
            g: dot.group.and_then(|group| group_of.get(&group).copied()).unwrap_or(0),
            stars: dot.stars,
            decision: dot.decision,
            open: dot.open,
            href: dot.href,
            title: dot.title,
        }));
    }
    let rows =
        labels.into_iter().enumerate().map(|(place, label)| MapRow { y: y_of(place), label }).collect();
    Map { width: WIDTH, height, ticks: axis.ticks(offset), rows, points }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn linked(place: usize, keys: &[(u8, u64)]) -> Linked {
        const KINDS: [Shared; 5] =
            [Shared::Rater, Shared::Device, Shared::Case, Shared::Text, Shared::Network];
        Linked {
            label: format!("r{place}"),
            is_self: place == 0,
            decision: "hold",
            href: None,
            keys: keys.iter().map(|&(kind, key)| (KINDS[usize::from(kind) % 5], key)).collect(),
        }
    }

    fn dot(minute: i64, target: u8, group: u64) -> Dot {
        Dot {
            at: Instant(minute * 60_000),
            target: format!("D{target}"),
            group: (group > 0).then_some(group),
            stars: 5,
            decision: "hold",
            open: true,
            href: format!("/{minute}"),
            title: String::new(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn all_that_is_drawn_stands_within_the_picture(
            keys in prop::collection::vec(prop::collection::vec((0..5_u8, 0..6_u64), 0..4), 0..90),
            dots in prop::collection::vec((0..5_000_i64, 0..20_u8, 0..9_u64), 0..120),
        ) {
            let ratings: Vec<Linked> =
                keys.iter().enumerate().map(|(place, keys)| linked(place, keys)).collect();
            if let Some(picture) = links(&ratings, |_, key| key.to_string()) {
                prop_assert!(picture.nodes.iter().all(|node| (0.0..=picture.width).contains(&node.x)
                    && (0.0..=picture.height).contains(&node.y)));
                prop_assert!(picture.nodes.iter().filter(|node| node.kind == "rating").count() <= LINKED_MAX);
                prop_assert!(picture.nodes.iter().any(|node| node.is_self), "the case itself is shown");
                prop_assert!(picture.edges.len() >= 2);
            }
            let count = dots.len();
            let dots = dots.into_iter().map(|(minute, target, group)| dot(minute, target, group)).collect();
            let picture = map(dots, "others", UtcOffset::CHINA);
            prop_assert_eq!(picture.points.len(), count);
            prop_assert!(picture.rows.len() <= 13);
            prop_assert!(picture.points.iter().all(|point| (0.0..=picture.width).contains(&point.x)
                && (0.0..=picture.height - 20.0).contains(&point.y)
                && point.g <= 5));
        }
    }

    #[test]
    fn only_what_two_share_is_drawn() {
        let ratings = [linked(0, &[(1, 7), (0, 1)]), linked(1, &[(1, 7), (0, 2)]), linked(2, &[(0, 3)])];
        let picture = links(&ratings, |kind, key| format!("{} {key}", kind.name())).unwrap();
        let labels: Vec<&str> = picture.nodes.iter().map(|node| node.label.as_str()).collect();
        assert_eq!(labels, ["r0", "r1", "device 7"]);
        assert_eq!(picture.edges.len(), 2);
        assert_eq!(links(&ratings[1..], |_, _| String::new()), None);
    }

    #[test]
    fn the_largest_groups_of_raters_have_signs_of_their_own() {
        let dots = vec![dot(1, 1, 8), dot(2, 1, 8), dot(3, 2, 8), dot(4, 1, 9), dot(5, 1, 9), dot(6, 1, 5)];
        let picture = map(dots, "others", UtcOffset::CHINA);
        let mut signs: Vec<(String, u8)> =
            picture.points.iter().map(|point| (point.href.clone(), point.g)).collect();
        signs.sort();
        let signs: Vec<u8> = signs.into_iter().map(|(_, sign)| sign).collect();
        assert_eq!(signs, [1, 1, 1, 2, 2, 0]);
        assert_eq!(picture.rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["D1", "D2"]);
    }

    #[test]
    fn a_time_line_has_a_lane_for_each_thing_in_common() {
        let mark = |minute: i64, is_self| Mark {
            at: Instant(minute * 60_000),
            stars: 5,
            decision: "hold",
            is_self,
            href: None,
            title: String::new(),
        };
        let lanes = vec![
            (("此设备", "this device"), vec![mark(90, true), mark(10, false)]),
            (("此对象", "this target"), vec![]),
        ];
        let picture = timeline(lanes, UtcOffset::CHINA);
        assert_eq!(picture.lanes.len(), 2);
        let events = &picture.lanes[0].events;
        assert!(events[0].x < events[1].x && events[1].is_self);
        assert!(picture.lanes.iter().all(|lane| lane.y + 19.0 < picture.height - 16.0));
        assert!(!picture.ticks.is_empty());
    }
}
