//! Where things stand in a picture: pure functions from what is drawn to pixels within a box. Templates draw them.

use serde::Serialize;

use crate::date::UtcOffset;
use crate::time::{DAY_MS, HOUR_MS, Instant, MINUTE_MS};

/// Width of every picture, in pixels.
pub const WIDTH: f64 = 960.0;
/// Room at the left, where the names of lanes stand above their lines, and at the right.
const LEFT: f64 = 24.0;
const RIGHT: f64 = 24.0;

/// A mark on the axis of time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tick {
    /// Pixels from the left.
    pub x: f64,
    /// What it says: a time of the day, or a day.
    pub label: String,
}

/// Time from left to right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    from_ms: i64,
    until_ms: i64,
}

impl Axis {
    /// An axis on which all these instants stand, with some room on either side; an hour where there are none.
    pub fn over(instants: impl IntoIterator<Item = Instant>) -> Self {
        let range = instants.into_iter().fold(None, |range: Option<(i64, i64)>, at| {
            let at = at.ms();
            Some(range.map_or((at, at), |(from, until)| (from.min(at), until.max(at))))
        });
        let (from, until) = range.unwrap_or((0, 0));
        let room = (until.saturating_sub(from) / 20).max(MINUTE_MS);
        Self { from_ms: from.saturating_sub(room), until_ms: until.saturating_add(room) }
    }

    /// Pixels from the left; instants beyond the axis stand at its ends.
    pub fn x(self, at: Instant) -> f64 {
        let span = (self.until_ms.saturating_sub(self.from_ms)).max(1) as f64;
        let share = (at.ms().saturating_sub(self.from_ms)) as f64 / span;
        tenth(LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT))
    }

    /// At most nine marks at round times of the local day.
    pub fn ticks(self, offset: UtcOffset) -> Vec<Tick> {
        const MOST: i64 = 9;
        let steps = [1, 2, 5, 10, 15, 30].map(|minutes| minutes * MINUTE_MS).into_iter();
        let steps = steps.chain([1, 2, 3, 6, 12].map(|hours| hours * HOUR_MS));
        let steps = steps.chain([1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000].map(|days| days * DAY_MS));
        let span = self.until_ms.saturating_sub(self.from_ms);
        let step = steps.clone().find(|step| span / step < MOST).unwrap_or(span.max(1));
        let shift = i64::from(offset.minutes()) * MINUTE_MS;
        let first = (self.from_ms.saturating_add(shift)).div_euclid(step) + 1;
        (first..first + MOST)
            .map(|count| Instant(count.saturating_mul(step).saturating_sub(shift)))
            .take_while(|at| at.ms() <= self.until_ms)
            .map(|at| Tick { x: self.x(at), label: label(at, step, offset) })
            .collect()
    }
}

fn label(at: Instant, step: i64, offset: UtcOffset) -> String {
    let day = offset.day_of(at);
    let in_day = at.ms() - offset.start_of(day).ms();
    if step >= DAY_MS || in_day == 0 {
        return day.to_string().get(5..).unwrap_or_default().to_owned();
    }
    format!("{:02}:{:02}", in_day / HOUR_MS, in_day / MINUTE_MS % 60)
}

pub(super) fn tenth(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}

/// Moves points that would lie on top of each other in one row apart, up and down in turn, by at most `room` pixels.
/// `xs` ascend.
pub fn spread(xs: &[f64], room: f64) -> Vec<f64> {
    const NEAR: f64 = 7.0;
    let mut shifts = Vec::with_capacity(xs.len());
    let mut run = 0_u32;
    for (place, &x) in xs.iter().enumerate() {
        run = match place.checked_sub(1).map(|before| x - xs[before] < NEAR) {
            Some(true) => run + 1,
            _ => 0,
        };
        let steps = f64::from(run.div_ceil(2)) * NEAR;
        let shift = if run % 2 == 1 { steps } else { -steps };
        shifts.push(tenth(shift.clamp(-room, room)));
    }
    shifts
}

/// A place in a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// Pixels from the left.
    pub x: f64,
    /// Pixels from the top.
    pub y: f64,
}

/// A line between two places.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Edge {
    /// From.
    pub x1: f64,
    /// From.
    pub y1: f64,
    /// To.
    pub x2: f64,
    /// To.
    pub y2: f64,
}

/// Most nodes that [`layout`] is meant for: its cost grows with their square.
pub const NODES_MAX: usize = 120;

/// Places for the nodes of a graph in a box of [`WIDTH`] × `height` pixels, with `margin` pixels left free: linked ones
/// near each other, all others apart (Fruchterman and Reingold, "Graph drawing by force-directed placement", 1991).
/// The same graph always gives the same picture. Edges to nodes that there are not are left out.
pub fn layout(nodes: usize, edges: &[(usize, usize)], height: f64, margin: f64) -> Vec<Point> {
    const ROUNDS: u32 = 150;
    if nodes == 0 {
        return Vec::new();
    }
    let (width, height) = ((WIDTH - 2.0 * margin).max(1.0), (height - 2.0 * margin).max(1.0));
    let ideal = 0.8 * (width * height / nodes as f64).sqrt();
    // On an ellipse to begin with, neighbours in the list apart by the golden angle, so that no two coincide.
    let mut places: Vec<(f64, f64)> = (0..nodes)
        .map(|node| {
            let angle = node as f64 * 2.399_963_229_728_653;
            let radius = ((node as f64 + 0.5) / nodes as f64).sqrt() / 2.0;
            (width * (0.5 + radius * angle.cos()), height * (0.5 + radius * angle.sin()))
        })
        .collect();
    for round in 0..ROUNDS {
        let reach = width / 8.0 * (1.0 - f64::from(round) / f64::from(ROUNDS)) + 0.5;
        let mut moves = vec![(0.0, 0.0); nodes];
        for one in 0..nodes {
            for other in one + 1..nodes {
                let (dx, dy, apart) = between(places[one], places[other]);
                push(&mut moves, one, other, dx, dy, ideal * ideal / apart);
            }
        }
        for &(one, other) in
            edges.iter().filter(|&&(one, other)| one < nodes && other < nodes && one != other)
        {
            let (dx, dy, apart) = between(places[one], places[other]);
            push(&mut moves, one, other, dx, dy, -apart * apart / ideal);
        }
        for (place, (dx, dy)) in places.iter_mut().zip(moves) {
            // A pull towards the middle, so that parts without links stay in the picture.
            let (dx, dy) = (dx + (width / 2.0 - place.0) * 0.05, dy + (height / 2.0 - place.1) * 0.05);
            let length = dx.hypot(dy).max(1e-9);
            let step = length.min(reach) / length;
            place.0 = (place.0 + dx * step).clamp(0.0, width);
            place.1 = (place.1 + dy * step).clamp(0.0, height);
        }
    }
    let within = |pixels: f64, most: f64| tenth(pixels + margin).clamp(margin, margin + most);
    places.into_iter().map(|(x, y)| Point { x: within(x, width), y: within(y, height) }).collect()
}

fn between(one: (f64, f64), other: (f64, f64)) -> (f64, f64, f64) {
    let (dx, dy) = (one.0 - other.0, one.1 - other.1);
    let apart = dx.hypot(dy);
    if apart < 1e-6 { (1.0, 0.0, 1e-3) } else { (dx / apart, dy / apart, apart) }
}

fn push(moves: &mut [(f64, f64)], one: usize, other: usize, dx: f64, dy: f64, force: f64) {
    moves[one].0 += dx * force;
    moves[one].1 += dy * force;
    moves[other].0 -= dx * force;
    moves[other].1 -= dy * force;
}

/// The lines of a graph whose nodes stand at these places.
pub fn lines(places: &[Point], edges: &[(usize, usize)]) -> Vec<Edge> {
    edges
        .iter()
        .filter_map(|&(one, other)| {
            let (one, other) = (places.get(one)?, places.get(other)?);
            Some(Edge { x1: one.x, y1: one.y, x2: other.x, y2: other.y })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn every_node_stands_in_the_box_and_the_same_graph_gives_the_same_picture(
            nodes in 0..40_usize,
            edges in prop::collection::vec((0..45_usize, 0..45_usize), 0..80),
            height in 80.0..600.0_f64,
        ) {
            let places = layout(nodes, &edges, height, 20.0);
            prop_assert_eq!(places.len(), nodes);
            for place in &places {
                prop_assert!((20.0..=WIDTH - 20.0).contains(&place.x) && (20.0..=height - 20.0).contains(&place.y));
            }
            prop_assert_eq!(&places, &layout(nodes, &edges, height, 20.0));
            prop_assert_eq!(
                lines(&places, &edges).len(),
                edges.iter().filter(|&&(a, b)| a < nodes && b < nodes).count()
            );
        }

        #[test]
        fn every_instant_and_tick_stands_on_the_axis(
            instants in prop::collection::vec(0..4_000_000_000_000_i64, 0..20),
            other in any::<i64>(),
        ) {
            let axis = Axis::over(instants.iter().copied().map(Instant));
            let on = LEFT..=WIDTH - RIGHT;
            for at in instants.iter().copied().chain([other]) {
                prop_assert!(on.contains(&axis.x(Instant(at))));
            }
            let ticks = axis.ticks(UtcOffset::CHINA);
            prop_assert!((1..=9).contains(&ticks.len()), "{ticks:?}");
            prop_assert!(ticks.iter().all(|tick| on.contains(&tick.x) && tick.label.len() == 5));
            prop_assert!(ticks.windows(2).all(|pair| pair[0].x < pair[1].x));
        }
    }

    #[test]
    fn ticks_stand_at_round_local_times() {
        let at = |text| Instant::parse_rfc3339(text).unwrap();
        let labels = |from, until| -> Vec<String> {
            let axis = Axis::over([at(from), at(until)]);
            axis.ticks(UtcOffset::CHINA).into_iter().map(|tick| tick.label).collect()
        };
        let evening = labels("2026-03-01T21:10:00+08:00", "2026-03-02T01:50:00+08:00");
        assert_eq!(evening, ["21:00", "22:00", "23:00", "03-02", "01:00", "02:00"]);
        let week = labels("2026-03-01T09:00:00+08:00", "2026-03-06T09:00:00+08:00");
        assert_eq!(week, ["03-02", "03-03", "03-04", "03-05", "03-06"]);
    }

    #[test]
    fn points_at_one_time_move_apart() {
        assert_eq!(spread(&[100.0, 101.0, 102.0, 300.0], 10.0), [0.0, 7.0, -7.0, 0.0]);
        assert!(spread(&[1.0; 50], 10.0).iter().all(|shift| shift.abs() <= 10.0));
    }
}
