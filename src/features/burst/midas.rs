//! MIDAS-F: how far an edge of a stream, its source or its destination bursts beyond its own past.
//!
//! Source: Bhatia, Liu, Hooi, Yoon, Shin and Faloutsos, "Real-time Streaming Anomaly Detection in
//! Dynamic Graphs", ACM TKDD 16(4), 2022, section 5. Time goes in ticks. A count-min sketch (Cormode and
//! Muthukrishnan, 2005) keeps three figures a cell: the *current* count, which fades by a factor from
//! tick to tick; the *total* of what was current at the end of each tick before; and whether the last
//! score was beyond the threshold. At the end of a tick the current count is merged into the total, but
//! where it bursts the total only grows as its mean does (the *conditional merge*): a burst never
//! becomes its own baseline, however long it lasts.
//!
//! The score is χ² of the current count `a` against the mean `m` of the ticks before: `(a − m)² / m`.
//!
//! The authors' sketches are gone through cell by cell whenever a tick ends. Here a cell catches up when
//! it is next touched, in closed form: `k` ticks later an ordinary cell's total has grown by
//! `current · (1 + f + … + f^(k−1))`, and a bursting cell's by the factor `(t − 1 + k) / (t − 1)`. So the
//! cost of an event depends neither on the sketch's size nor on how many ticks nothing came.

use serde::{Deserialize, Serialize};

/// How a sketch is laid out, and what it takes for a burst.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Independent rows, 1 to [`MOST_ROWS`]; a count is the least of its cells.
    pub rows: usize,
    /// Cells of a row, a power of two from 2 on; other numbers are rounded up.
    pub buckets: usize,
    /// What is left of the current count from one tick to the next, from 0 to below 1.
    pub decay: f32,
    /// From this score on a count is not merged.
    pub threshold: f32,
    /// Events a tick that every key is taken to have besides its own past. With 0, as in the paper, a
    /// key without a past scores 0 whatever it does.
    pub prior: f32,
    /// Decides which keys collide.
    pub seed: u64,
}

/// Most rows of a sketch.
pub const MOST_ROWS: usize = 8;

impl Parameters {
    /// Within their bounds.
    fn bounded(self) -> Self {
        Self {
            rows: self.rows.clamp(1, MOST_ROWS),
            buckets: self.buckets.max(2).next_power_of_two(),
            // A decay of 1 would never forget, and its sums have no end.
            decay: self.decay.clamp(0.0, 0.999),
            ..self
        }
    }
}

/// Figures of one cell as they stood at `tick`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cell {
    /// Events of this tick, and those of ticks before at their faded weight.
    current: f32,
    /// Sum of the current counts of the ticks before, but for bursts.
    total: f32,
    tick: u32,
    bursts: bool,
}

/// Powers of the decay that are looked up; a longer pause is rare enough to be computed.
const FADED: usize = 64;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// What a snapshot holds of a sketch; the rest follows from it.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Sketch")]
struct Stored {
    parameters: Parameters,
    cells: Vec<Cell>,
}

/// A count-min sketch of one kind of key, with its past.
///
/// Keys must be spread evenly over 64 bits, as hashes are: rows tell them apart by one multiplication.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "Stored", try_from = "Stored")]
pub struct Sketch {
    parameters: Parameters,
    /// Row after row.
    cells: Vec<Cell>,
    /// An odd multiplier for each row.
    multipliers: [u64; MOST_ROWS],
    /// `faded[k]` is `decay^k`.
    faded: [f32; FADED],
    /// `1 / (1 − decay)`.
    lifetime: f32,
    /// The tick of the last event, and one part by how many ticks lay before it.
    tick: u32,
    per_tick: f32,
}

impl From<Sketch> for Stored {
    fn from(sketch: Sketch) -> Self {
        Self { parameters: sketch.parameters, cells: sketch.cells }
    }
}

impl TryFrom<Stored> for Sketch {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { parameters, cells } = stored;
        if parameters != parameters.bounded() || cells.len() != parameters.rows * parameters.buckets {
            return Err("a sketch of another size than its parameters say");
        }
        Ok(Self::with_cells(parameters, cells))
    }
}

/// What a sketch knows of a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count {
    /// Events of this tick, this one included, and those before at their faded weight; never too few.
    pub current: f32,
    /// What is expected of a tick: the mean of those before, bursts left out, and the prior.
    pub expected: f32,
    /// χ² of the one against the other; at least 0, and 0 where nothing is expected.
    pub score: f32,
}

impl Sketch {
    /// An empty sketch.
    pub fn new(parameters: Parameters) -> Self {
        let parameters = parameters.bounded();
        Self::with_cells(parameters, vec![Cell::default(); parameters.rows * parameters.buckets])
    }

    fn with_cells(parameters: Parameters, cells: Vec<Cell>) -> Self {
        let multiplier = |row: usize| {
            crate::features::mix(parameters.seed.wrapping_add((row as u64 + 1).wrapping_mul(GOLDEN)))
        };
        Self {
            parameters,
            cells,
            multipliers: std::array::from_fn(|row| multiplier(row) | 1),
            faded: std::array::from_fn(|ticks| parameters.decay.powi(ticks as i32)),
            lifetime: 1.0 / (1.0 - parameters.decay),
            tick: 0,
            per_tick: 1.0,
        }
    }

    /// Bytes that a sketch takes.
    pub fn bytes(parameters: &Parameters) -> usize {
        let Parameters { rows, buckets, .. } = parameters.bounded();
        rows * buckets * size_of::<Cell>() + size_of::<Self>()
    }

    /// Counts an event of `key` at `tick`, which is at least 1 and never less than before.
    #[inline]
    pub fn count(&mut self, key: u64, tick: u32) -> Count {
        if tick != self.tick {
            self.tick = tick;
            self.per_tick = 1.0 / tick.saturating_sub(1).max(1) as f32;
        }
        let (mut current, mut total) = (f32::INFINITY, f32::INFINITY);
        for row in 0..self.parameters.rows {
            let at = self.place(row, key);
            let cell = &mut self.cells[at];
            if cell.tick != tick {
                let ticks = tick.saturating_sub(cell.tick);
                let left = self.faded.get(ticks as usize).copied();
                let left = left.unwrap_or_else(|| {
                    i32::try_from(ticks).map_or(0.0, |ticks| self.parameters.decay.powi(ticks))
                });
                cell.catch_up(tick, left, self.lifetime);
            }
            cell.current += 1.0;
            current = current.min(cell.current);
            total = total.min(cell.total);
        }
        let expected = total * self.per_tick + self.parameters.prior;
        let beyond = current - expected;
        let score = if expected > 0.0 { beyond * beyond / expected } else { 0.0 };
        let bursts = score >= self.parameters.threshold;
        for row in 0..self.parameters.rows {
            let at = self.place(row, key);
            self.cells[at].bursts = bursts;
        }
        Count { current, expected, score }
    }

    /// Asks the memory for the cells of a key that is counted some steps later.
    #[inline]
    pub fn prefetch(&self, key: u64) {
        for row in 0..self.parameters.rows {
            crate::features::table::prefetch(&self.cells, self.place(row, key));
        }
    }

    #[inline]
    fn place(&self, row: usize, key: u64) -> usize {
        // Multiply-shift: the first bits of the product (Dietzfelbinger, Hagerup, Katajainen and Penttonen,
        // "A reliable randomized algorithm for the closest-pair problem", 1997).
        let bits = self.parameters.buckets.trailing_zeros();
        (row << bits) + (key.wrapping_mul(self.multipliers[row]) >> (u64::BITS - bits)) as usize
    }
}

impl Cell {
    /// Brings the cell to a later tick; `left` is what is left of the current count by then.
    #[inline]
    fn catch_up(&mut self, tick: u32, left: f32, lifetime: f32) {
        if !self.bursts {
            self.total += self.current * (1.0 - left) * lifetime;
        } else if self.tick > 1 {
            self.total *= (tick - 1) as f32 / (self.tick - 1) as f32;
        }
        self.current *= left;
        self.tick = tick;
    }
}

/// Scores of one edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Of the edge.
    pub edge: f32,
    /// Of its source.
    pub source: f32,
    /// Of its destination.
    pub destination: f32,
}

impl Scores {
    /// The largest of the three, which is the paper's score of an edge.
    #[inline]
    pub fn largest(&self) -> f32 {
        self.edge.max(self.source).max(self.destination)
    }
}

/// Sketches of the edges of a graph, their sources and their destinations: the paper's detector.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Midas {
    edges: Sketch,
    sources: Sketch,
    destinations: Sketch,
}

impl Midas {
    /// Empty sketches of one size.
    pub fn new(parameters: Parameters) -> Self {
        let sketch =
            |n| Sketch::new(Parameters { seed: crate::features::mix(parameters.seed ^ n), ..parameters });
        Self { edges: sketch(1 << 32), sources: sketch(2 << 32), destinations: sketch(3 << 32) }
    }

    /// Counts an edge at `tick`, which is at least 1 and never less than before, and scores it. Source and
    /// destination are keys as a [`Sketch`] wants them.
    #[inline]
    pub fn observe(&mut self, source: u64, destination: u64, tick: u32) -> Scores {
        Scores {
            edge: self.edges.count(edge_key(source, destination), tick).score,
            source: self.sources.count(source, tick).score,
            destination: self.destinations.count(destination, tick).score,
        }
    }
}

/// The key of an edge between two keys.
#[inline]
pub fn edge_key(source: u64, destination: u64) -> u64 {
    source.wrapping_add(destination.wrapping_mul(GOLDEN))
}

#[cfg(test)]
#[path = "midas_tests.rs"]
mod tests;
