//! What the pictures of a case and of a campaign show; [`drawing`] says where it stands.

use std::collections::{BTreeMap, HashMap};

use super::Desk;
use super::words::when;
use crate::log::Entry;
use crate::review::drawing::{self, Dot, Linked, Links, Map, Mark, Shared, Timeline};
use crate::review::projection::{CaseRow, MemberLinks, short_key};
use crate::review::traces::{Lane, TraceHit, lane_keys};
use crate::service::CaseFile;
use crate::time::DAY_MS;

/// Time on either side of a case on its time lines.
const AROUND_MS: i64 = 3 * DAY_MS;
/// Ratings on one lane.
const EVENTS: usize = 60;
/// Ratings that share one thing, in the picture of a case's links.
const SHARERS: usize = 12;

/// A rating in the log, for a picture.
struct Shown {
    id: String,
    department: String,
    /// Its page, where it is or was a case.
    href: Option<String>,
}

impl Desk {
    fn shown(&self, sequence: u64) -> Option<Shown> {
        let rating = self.service.entry(sequence).ok().flatten().and_then(|entry| match entry {
            Entry::Rating(rating) => Some(rating.public()),
            Entry::Erased(rating) => Some(rating),
            _ => None,
        })?;
        let is_case = self.review.projection().is_case(sequence).unwrap_or(false);
        let href = is_case.then(|| href(&rating.rating_id));
        Some(Shown { id: rating.rating_id.into(), department: rating.department.into(), href })
    }
}

fn href(id: &str) -> String {
    format!("/desk/cases/{id}")
}

/// What the device, the rater and the rated office of a case did around it.
pub fn timeline(desk: &Desk, file: &CaseFile) -> Timeline {
    const LANES: [(Lane, (&str, &str)); 3] = [
        (Lane::Device, ("本设备", "This device")),
        (Lane::Rater, ("本评价人", "This rater")),
        (Lane::Target, ("被评对象", "The rated office")),
    ];
    let keys = lane_keys(&file.rating);
    let around = file.rating.observation.submitted_at;
    let found: Vec<_> = {
        let traces = desk.review.traces();
        LANES
            .into_iter()
            .map(|(lane, name)| (name, traces.lane(lane, keys[lane as usize], around, AROUND_MS, EVENTS)))
            .filter(|(_, hits)| !hits.is_empty())
            .collect()
    };
    let mark = |hit: TraceHit| {
        let shown = desk.shown(hit.sequence);
        let department = shown.as_ref().map_or("", |shown| &shown.department);
        Mark {
            at: hit.at,
            stars: hit.stars,
            decision: hit.decision.name(),
            is_self: hit.sequence == file.sequence,
            title: format!("{} · {}★ · {department}", when(&desk.moment(hit.at)), hit.stars),
            href: shown.and_then(|shown| shown.href),
        }
    };
    let lanes = found.into_iter().map(|(name, hits)| (name, hits.into_iter().map(mark).collect())).collect();
    drawing::timeline(lanes, desk.service.offset())
}

/// What a case shares with other ratings around it; `None` where it shares nothing.
pub fn links_of_case(desk: &Desk, file: &CaseFile) -> Option<Links> {
    const KINDS: [(Lane, Shared); 5] = [
        (Lane::Device, Shared::Device),
        (Lane::Rater, Shared::Rater),
        (Lane::Case, Shared::Case),
        (Lane::Text, Shared::Text),
        (Lane::Network, Shared::Network),
    ];
    let keys = lane_keys(&file.rating);
    let around = file.rating.observation.submitted_at;
    // Who shares what, by sequence.
    let mut sharing: BTreeMap<u64, (TraceHit, Vec<(Shared, u64)>)> = BTreeMap::new();
    {
        let traces = desk.review.traces();
        for (lane, shared) in KINDS {
            let key = keys[lane as usize];
            for hit in traces.lane(lane, key, around, AROUND_MS, SHARERS) {
                sharing.entry(hit.sequence).or_insert((hit, Vec::new())).1.push((shared, key));
            }
        }
    }
    let linked = |(hit, keys): (TraceHit, Vec<(Shared, u64)>)| {
        let shown = desk.shown(hit.sequence)?;
        let is_self = hit.sequence == file.sequence;
        let decision = if is_self { file.state.decision } else { hit.decision };
        Some(Linked { label: shown.id, is_self, decision: decision.name(), href: shown.href, keys })
    };
    let ratings: Vec<Linked> = sharing.into_values().filter_map(linked).collect();
    drawing::links(&ratings, |_, key| short_key(key))
}

/// Members of a campaign as lists have them, with what links them.
fn with_links<'m>(
    members: &'m [CaseRow],
    links: &'m [MemberLinks],
) -> impl Iterator<Item = (&'m CaseRow, &'m MemberLinks)> {
    let row_of: HashMap<u64, &CaseRow> = members.iter().map(|row| (row.sequence, row)).collect();
    links.iter().filter_map(move |link| Some((*row_of.get(&link.sequence)?, link)))
}

/// The map of a campaign: its members on rows by target, over time.
pub fn map(desk: &Desk, members: &[CaseRow], links: &[MemberLinks]) -> Map {
    let dots = with_links(members, links).map(|(row, link)| {
        // A group of raters is told by its device, or else by the account.
        let group = link.device.or(link.rater);
        let at = when(&desk.moment(link.at));
        Dot {
            at: link.at,
            target: match &row.window {
                Some(window) => format!("{} {window}", row.department),
                None => row.department.clone(),
            },
            group,
            stars: row.stars,
            decision: row.decision.value,
            open: row.state == "open",
            href: href(&row.id),
            title: format!("{at} · {}★ · {}", row.stars, group.map_or_else(String::new, short_key)),
        }
    });
    drawing::map(dots.collect(), "…", desk.service.offset())
}

/// What the members of a campaign share; `None` where that is nothing.
pub fn links_of_campaign(members: &[CaseRow], links: &[MemberLinks]) -> Option<Links> {
    let linked = with_links(members, links).map(|(row, link)| Linked {
        label: row.id.clone(),
        is_self: false,
        decision: row.decision.value,
        href: Some(href(&row.id)),
        keys: [
            (Shared::Device, link.device),
            (Shared::Rater, link.rater),
            (Shared::Case, link.case),
            (Shared::Text, link.text),
            (Shared::Network, link.network),
        ]
        .into_iter()
        .filter_map(|(shared, key)| Some((shared, key?)))
        .collect(),
    });
    drawing::links(&linked.collect::<Vec<_>>(), |_, key| short_key(key))
}
