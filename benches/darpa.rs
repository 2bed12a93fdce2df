//! The burst detector against the data of its paper: DARPA 1998 as a stream of edges.
//!
//! `ZHENPING_DARPA=darpa_original.zip cargo bench --bench darpa`. The file (zipped or not) is that of the
//! authors' repository: rows of `source,destination,minute,label`, where `-` is ordinary. Their protocol:
//! hosts are numbered over sources and destinations together, distinct minutes in text order from 1;
//! every edge is scored as it is counted; ROC-AUC over all edges. A hash of random seed decides which
//! hosts collide, so the mean of 11 seeds counts. Time is that of the thread, not of the clock.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::{Command, ExitCode};

use zhenping::features::burst::midas::{Midas, Parameters};

const SEEDS: u64 = 11;

struct Edge {
    source: u64,
    destination: u64,
    minute: u32,
    attack: bool,
}

fn main() -> ExitCode {
    let Some(path) = std::env::var_os("ZHENPING_DARPA") else {
        println!("SKIPPED: set ZHENPING_DARPA to darpa_original.zip or the .csv in it");
        return ExitCode::SUCCESS;
    };
    let text = match read(Path::new(&path)) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{}: {error}", Path::new(&path).display());
            return ExitCode::FAILURE;
        }
    };
    let Some(edges) = parse(&text) else {
        eprintln!("{}: not rows of source,destination,minute,label", Path::new(&path).display());
        return ExitCode::FAILURE;
    };
    let attacks = edges.iter().filter(|edge| edge.attack).count();
    println!("{} edges, {:.1} % attacks", edges.len(), 100.0 * attacks as f64 / edges.len() as f64);
    println!("edges already seen in this minute          AUC {:.4}", auc(&seen_this_minute(&edges), &edges));
    println!("largest of exact decayed counts            AUC {:.4}", auc(&decayed_counts(&edges), &edges));
    for buckets in [512, 1_024] {
        let (mut aucs, mut best_ns) = (Vec::new(), f64::INFINITY);
        for seed in 0..SEEDS {
            let parameters =
                Parameters { rows: 2, buckets, decay: 0.5, threshold: 1_000.0, prior: 0.0, seed };
            let mut midas = Midas::new(parameters);
            let mut scores = Vec::with_capacity(edges.len());
            let began = thread_ns();
            scores.extend(edges.iter().map(|e| midas.observe(e.source, e.destination, e.minute).largest()));
            best_ns = best_ns.min((thread_ns() - began) as f64 / edges.len() as f64);
            aucs.push(auc(&scores, &edges));
        }
        let mean = aucs.iter().sum::<f64>() / aucs.len() as f64;
        let (least, most) =
            (aucs.iter().copied().fold(1.0, f64::min), aucs.iter().copied().fold(0.0, f64::max));
        println!(
            "MIDAS-F, 2 rows of {buckets:4} buckets, {SEEDS} seeds     AUC {mean:.4} ({least:.4} to {most:.4}), {best_ns:.0} ns an edge at best"
        );
    }
    ExitCode::SUCCESS
}

fn read(path: &Path) -> std::io::Result<String> {
    if path.extension().is_none_or(|extension| extension != "zip") {
        return std::fs::read_to_string(path);
    }
    let unzipped = Command::new("unzip").arg("-p").arg(path).output()?;
    if !unzipped.status.success() {
        return Err(std::io::Error::other(String::from_utf8_lossy(&unzipped.stderr).into_owned()));
    }
    String::from_utf8(unzipped.stdout).map_err(std::io::Error::other)
}

fn parse(text: &str) -> Option<Vec<Edge>> {
    let rows: Option<Vec<[&str; 4]>> =
        text.lines().map(|line| line.split(',').collect::<Vec<_>>().try_into().ok()).collect();
    let rows = rows?;
    let mut minutes: BTreeMap<&str, u32> = rows.iter().map(|row| (row[2], 0)).collect();
    minutes.values_mut().zip(1..).for_each(|(minute, number)| *minute = number);
    let mut hosts: HashMap<&str, u64> = HashMap::new();
    for name in rows.iter().flat_map(|row| &row[..2]) {
        let number = hosts.len() as u64 + 1;
        // Keys are spread as hashes are.
        hosts.entry(name).or_insert(spread(number));
    }
    let edge = |&[source, destination, minute, label]: &[&str; 4]| Edge {
        source: hosts[source],
        destination: hosts[destination],
        minute: minutes[minute],
        attack: label != "-",
    };
    Some(rows.iter().map(edge).collect())
}

/// Spreads numbers over 64 bits (SplitMix64: Steele, Lea and Flood, 2014).
fn spread(number: u64) -> u64 {
    let mut x = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// How many edges were seen in this minute, this one included.
fn seen_this_minute(edges: &[Edge]) -> Vec<f32> {
    let (mut minute, mut seen) = (0, 0.0);
    edges
        .iter()
        .map(|edge| {
            seen = if edge.minute == minute { seen + 1.0 } else { 1.0 };
            minute = edge.minute;
            seen
        })
        .collect()
}

/// The largest of the exact counts of edge, source and destination, halved from minute to minute.
fn decayed_counts(edges: &[Edge]) -> Vec<f32> {
    let mut counts: HashMap<(u8, u64, u64), (u32, f32)> = HashMap::new();
    edges
        .iter()
        .map(|edge| {
            [(0, edge.source, edge.destination), (1, edge.source, 0), (2, 0, edge.destination)]
                .map(|key| {
                    let (minute, count) = counts.entry(key).or_default();
                    *count = *count * 0.5_f32.powi((edge.minute - *minute) as i32) + 1.0;
                    *minute = edge.minute;
                    *count
                })
                .into_iter()
                .fold(0.0, f32::max)
        })
        .collect()
}

/// Area under the ROC curve by ranks; ties count half.
fn auc(scores: &[f32], edges: &[Edge]) -> f64 {
    let mut order: Vec<(f32, bool)> =
        scores.iter().zip(edges).map(|(&score, edge)| (score, edge.attack)).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut before) = (0.0, 0);
    for tied in order.chunk_by(|a, b| a.0 == b.0) {
        let attacks = tied.iter().filter(|item| item.1).count();
        ranks += attacks as f64 * (before as f64 + (tied.len() as f64 + 1.0) / 2.0);
        before += tied.len();
    }
    let positive = edges.iter().filter(|edge| edge.attack).count() as f64;
    (ranks - positive * (positive + 1.0) / 2.0) / (positive * (edges.len() as f64 - positive))
}

/// Processor time of this thread, in nanoseconds: others on the same cores don't count.
fn thread_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a place that lives as long as the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
