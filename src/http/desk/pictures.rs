//! The pictures of a case and of a campaign: what stands in them. Where it stands, [`picture`] says.

use std::collections::HashMap;

use serde::Serialize;

use super::Desk;
use super::case::short;
use super::words::{Text, text, when};
use crate::log::Entry;
use crate::review::picture::{self, Axis, Edge, Tick};
use crate::review::projection::{CaseRow, MemberLinks, short_key};
use crate::review::traces::{Lane, TraceHit, lane_keys};
use crate::service::CaseFile;
use crate::time::DAY_MS;

/// Time on either side of a case on its time lines.
const AROUND_MS: i64 = 3 * DAY_MS;
/// Ratings on one lane.
const EVENTS: usize = 60;
/// Ratings that share one thing, in the picture of links.
const SHARERS: usize = 12;
/// Height of a lane, in pixels.
const LANE_PX: f64 = 60.0;

/// The time lines of a case.
#[derive(Serialize)]
pub struct Timeline {
    width: f64,
    height: f64,
    ticks: Vec<Tick>,
    lanes: Vec<LaneOfTime>,
}

#[derive(Serialize)]
struct LaneOfTime {
    #[serde(flatten)]
    name: Text,
    y: f64,
    events: Vec<Event>,
}

#[derive(Serialize)]
struct Event {
    x: f64,
    stars: u8,
    decision: &'static str,
    #[serde(rename = "self")]
    is_self: bool,
    href: Option<String>,
    title: String,
}

/// Ratings and what they share.
#[derive(Serialize)]
pub struct Links {
    width: f64,
    height: f64,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

#[derive(Serialize)]
struct Node {
    x: f64,
    y: f64,
    kind: &'static str,
    label: String,
    #[serde(rename = "self")]
    is_self: bool,
    decision: Option<&'static str>,
    href: Option<String>,
}

impl Node {
    fn new(kind: &'static str, label: String) -> Self {
        Self { x: 0.0, y: 0.0, kind, label, is_self: false, decision: None, href: None }
    }
}

/// A rating in the log, for a picture.
struct Shown {
    id: String,
    department: String,
    is_case: bool,
}

impl Desk {
    fn shown(&self, sequence: u64) -> Option<Shown> {
        let entry = self.service.entry(sequence).ok().flatten()?;
        let rating = match entry {
            Entry::Rating(rating) => rating.public(),
            Entry::Erased(rating) => rating,
            _ => return None,
        };
        let is_case = self.review.projection().is_case(sequence).unwrap_or(false);
        Some(Shown { id: rating.rating_id.into(), department: rating.department.into(), is_case })
    }
}

fn href(id: &str) -> String {
    format!("/desk/cases/{id}")
}

/// What the device, the rater and the rated office of a case did around it.
pub fn timeline(desk: &Desk, file: &CaseFile) -> Timeline {
    let keys = lane_keys(&file.rating);
    let o = &file.rating.observation;
    let around = o.submitted_at;
    let named = |zh: &str, en: &str, of: Option<String>| match of {
        Some(of) => text(format!("{zh} {of}"), format!("{en} {of}")),
        None => text(zh, en),
    };
    let office = o.service.window.as_deref().unwrap_or(&o.service.department).to_owned();
    let lanes = [
        (Lane::Device, named("本设备", "This device", o.device.fingerprint.as_ref().map(short))),
        (Lane::Rater, named("本评价人", "This rater", o.rater.id.as_ref().map(short))),
        (Lane::Target, named("被评对象", "The rated office", Some(office))),
    ];
    let found: Vec<(Text, Vec<TraceHit>)> = {
        let traces = desk.review.traces();
        lanes
            .into_iter()
            .map(|(lane, name)| (name, traces.lane(lane, keys[lane as usize], around, AROUND_MS, EVENTS)))
            .filter(|(_, hits)| !hits.is_empty())
            .collect()
    };
    let axis = Axis::over(found.iter().flat_map(|(_, hits)| hits.iter().map(|hit| hit.at)).chain([around]));
    let lanes: Vec<LaneOfTime> = found
        .into_iter()
        .enumerate()
        .map(|(place, (name, hits))| LaneOfTime {
            name,
            y: 40.0 + LANE_PX * place as f64,
            events: hits
                .into_iter()
                .map(|hit| {
                    let is_self = hit.sequence == file.sequence;
                    let shown = desk.shown(hit.sequence);
                    let at = when(&desk.moment(hit.at));
                    let department = shown.as_ref().map_or("", |shown| &shown.department);
                    Event {
                        x: axis.x(hit.at),
                        stars: hit.stars,
                        decision: hit.decision.name(),
                        is_self,
                        title: format!("{at} · {}★ · {department}", hit.stars),
                        href: shown.filter(|shown| shown.is_case).map(|shown| href(&shown.id)),
                    }
                })
                .collect(),
        })
        .collect();
    let height = 40.0 + LANE_PX * lanes.len().max(1) as f64;
    Timeline { width: picture::WIDTH, height, ticks: axis.ticks(desk.service.offset()), lanes }
}

/// What a case shares with other ratings around it; `None` where it shares nothing.
pub fn links_of_case(desk: &Desk, file: &CaseFile) -> Option<Links> {
    const KINDS: [(Lane, &str); 5] = [
        (Lane::Device, "device"),
        (Lane::Rater, "rater"),
        (Lane::Case, "case"),
        (Lane::Text, "text"),
        (Lane::Network, "network"),
    ];
    let keys = lane_keys(&file.rating);
    let around = file.rating.observation.submitted_at;
    let shared: Vec<(&str, u64, Vec<TraceHit>)> = {
        let traces = desk.review.traces();
        KINDS
            .into_iter()
            .map(|(lane, kind)| {
                let key = keys[lane as usize];
                (kind, key, traces.lane(lane, key, around, AROUND_MS, SHARERS))
            })
            .filter(|(_, _, hits)| hits.iter().any(|hit| hit.sequence != file.sequence))
            .collect()
    };
    if shared.is_empty() {
        return None;
    }
    let mut own = Node::new("rating", file.rating.observation.rating_id.to_string());
    (own.is_self, own.decision) = (true, Some(file.state.decision.name()));
    let mut nodes = vec![own];
    let mut places: HashMap<u64, usize> = HashMap::from([(file.sequence, 0)]);
    let mut edges = Vec::new();
    for (kind, key, hits) in shared {
        let thing = nodes.len();
        nodes.push(Node::new(kind, short_key(key)));
        edges.push((0, thing));
        for hit in hits {
            let place = match places.get(&hit.sequence) {
                Some(&place) => place,
                None => {
                    let Some(shown) = desk.shown(hit.sequence) else { continue };
                    let mut node = Node::new("rating", shown.id.clone());
                    node.decision = Some(hit.decision.name());
                    node.href = shown.is_case.then(|| href(&shown.id));
                    nodes.push(node);
                    places.insert(hit.sequence, nodes.len() - 1);
                    nodes.len() - 1
                }
            };
            if place != 0 {
                edges.push((place, thing));
            }
        }
    }
    Some(placed(nodes, &edges))
}

fn placed(mut nodes: Vec<Node>, edges: &[(usize, usize)]) -> Links {
    const MARGIN: f64 = 45.0;
    let height = (160.0 + 6.0 * nodes.len() as f64).clamp(220.0, 520.0);
    let places = picture::layout(nodes.len(), edges, height, MARGIN);
    for (node, place) in nodes.iter_mut().zip(&places) {
        (node.x, node.y) = (place.x, place.y);
    }
    Links { width: picture::WIDTH, height, nodes, edges: picture::lines(&places, edges) }
}

/// Raters over targets and time.
#[derive(Serialize)]
pub struct Map {
    width: f64,
    height: f64,
    ticks: Vec<Tick>,
    rows: Vec<MapRow>,
    points: Vec<MapPoint>,
}

#[derive(Serialize)]
struct MapRow {
    y: f64,
    label: String,
}

#[derive(Serialize)]
struct MapPoint {
    x: f64,
    y: f64,
    stars: u8,
    decision: &'static str,
    open: bool,
    href: String,
    title: String,
    g: usize,
}

/// The map of a campaign: its members on rows by target, over time.
pub fn map(desk: &Desk, members: &[CaseRow], links: &[MemberLinks]) -> Map {
    const ROWS: usize = 8;
    let row_of: HashMap<u64, &CaseRow> = members.iter().map(|row| (row.sequence, row)).collect();
    let listed: Vec<(&MemberLinks, &CaseRow)> =
        links.iter().filter_map(|link| Some((link, *row_of.get(&link.sequence)?))).collect();
    // Groups of raters: by device, or else by account; the largest five have a shape of their own.
    let group_key = |link: &MemberLinks| link.device.or(link.rater).unwrap_or(0);
    let groups = most(listed.iter().map(|(link, _)| group_key(link)), 5);
    let targets = most(listed.iter().map(|(link, _)| link.target), ROWS - 1);
    let label = |row: &CaseRow| match &row.window {
        Some(window) => format!("{} {window}", row.department),
        None => row.department.clone(),
    };
    let y = |place: usize| 36.0 + 48.0 * place as f64;
    let mut rows: Vec<MapRow> = targets
        .iter()
        .enumerate()
        .filter_map(|(place, target)| {
            let (_, row) = listed.iter().find(|(link, _)| link.target == *target)?;
            Some(MapRow { y: y(place), label: label(row) })
        })
        .collect();
    let has_others = listed.iter().any(|(link, _)| !targets.contains(&link.target));
    if has_others {
        rows.push(MapRow { y: y(targets.len()), label: "…".to_owned() });
    }
    let axis = Axis::over(listed.iter().map(|(link, _)| link.at));
    let mut by_row: Vec<Vec<(f64, MapPoint)>> = (0..=targets.len()).map(|_| Vec::new()).collect();
    for (link, row) in &listed {
        let place = targets.iter().position(|target| *target == link.target).unwrap_or(targets.len());
        let at = when(&desk.moment(link.at));
        let x = axis.x(link.at);
        by_row[place].push((
            x,
            MapPoint {
                x,
                y: y(place),
                stars: row.stars,
                decision: row.decision.value,
                open: row.state == "open",
                href: href(&row.id),
                title: format!("{at} · {}★ · {}", row.stars, short_key(group_key(link))),
                g: groups.iter().position(|key| *key == group_key(link)).unwrap_or(5),
            },
        ));
    }
    let mut points = Vec::new();
    for mut row in by_row {
        row.sort_by(|a, b| a.0.total_cmp(&b.0));
        let xs: Vec<f64> = row.iter().map(|(x, _)| *x).collect();
        for ((_, mut point), shift) in row.into_iter().zip(picture::spread(&xs, 18.0)) {
            point.y += shift;
            points.push(point);
        }
    }
    let height = y(rows.len().max(1)) + 4.0;
    Map { width: picture::WIDTH, height, ticks: axis.ticks(desk.service.offset()), rows, points }
}

/// What comes most often, at most so many; equals in order of their numbers.
fn most(keys: impl Iterator<Item = u64>, limit: usize) -> Vec<u64> {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
    let mut counts: Vec<(u64, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    counts.into_iter().take(limit).map(|(key, _)| key).collect()
}

/// What the members of a campaign share; `None` where that is nothing, or too much to draw.
pub fn links_of_campaign(members: &[CaseRow], links: &[MemberLinks]) -> Option<Links> {
    const MEMBERS: usize = 60;
    let row_of: HashMap<u64, &CaseRow> = members.iter().map(|row| (row.sequence, row)).collect();
    let drawn: Vec<(&MemberLinks, &CaseRow)> =
        links.iter().filter_map(|link| Some((link, *row_of.get(&link.sequence)?))).take(MEMBERS).collect();
    let mut nodes: Vec<Node> = drawn
        .iter()
        .map(|(_, row)| {
            let mut node = Node::new("rating", row.id.clone());
            (node.decision, node.href) = (Some(row.decision.value), Some(href(&row.id)));
            node
        })
        .collect();
    let mut edges = Vec::new();
    type Of = fn(&MemberLinks) -> Option<u64>;
    let kinds: [(&'static str, Of); 5] = [
        ("device", |link| link.device),
        ("rater", |link| link.rater),
        ("case", |link| link.case),
        ("text", |link| link.text),
        ("network", |link| link.network),
    ];
    for (kind, of) in kinds {
        for key in most(drawn.iter().filter_map(|(link, _)| of(link)), 12) {
            let sharers: Vec<usize> = drawn
                .iter()
                .enumerate()
                .filter(|(_, (link, _))| of(link) == Some(key))
                .map(|(place, _)| place)
                .collect();
            if sharers.len() < 2 || nodes.len() >= picture::NODES_MAX {
                continue;
            }
            let thing = nodes.len();
            nodes.push(Node::new(kind, short_key(key)));
            edges.extend(sharers.into_iter().map(|member| (member, thing)));
        }
    }
    (!edges.is_empty()).then(|| placed(nodes, &edges))
}
