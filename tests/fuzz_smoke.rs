//! The fuzz targets on bounded, seeded mutations: same seed, same inputs, on every machine and compiler.
//!
//! `FUZZ_RUNS` says how many inputs each target gets (2 000 by default), `FUZZ_SEED` which. An input that a
//! target answers in a new way joins the corpus, so that mutations go on from it. `fuzz/README.md` says how to
//! run the same targets under libFuzzer.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Dice(u64);

impl Dice {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a whole number"))
}

/// The words of the dictionary, in libFuzzer's form.
fn dictionary() -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string("fuzz/rating.dict").unwrap();
    let quoted = text.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix('"'));
    let words = quoted.map(|word| {
        let (mut bytes, mut rest) = (Vec::new(), word.as_bytes());
        while let Some((&first, more)) = rest.split_first() {
            rest = more;
            match (first, more) {
                (b'\\', [b'x', a, b, ..]) => {
                    let hex = std::str::from_utf8(&[*a, *b]).unwrap().to_owned();
                    bytes.push(u8::from_str_radix(&hex, 16).unwrap());
                    rest = &more[3..];
                }
                (b'\\', [escaped, ..]) => {
                    bytes.push(*escaped);
                    rest = &more[1..];
                }
                _ => bytes.push(first),
            }
        }
        bytes
    });
    words.collect()
}

/// What the mutations of a target begin with.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let file = |path: &str| std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let ratings = || {
        let whole = r#"{"rating_id":"R-1","submitted_at":"2026-03-02T10:15:00+08:00","received_at":"2026-03-02T10:15:01+08:00",
            "channel":"mobile_app","entry":"wechat","stars":1,"hall_stars":2,"aspects":{"attitude":1},"tags":["慢"],
            "comment":"等了三个小时没人理","supersedes":"R-0","origin":"active",
            "service":{"matter":"M-1","department":"D-1","hall":"H-1","window":"W-1","clerk":"C-1","case_no":"SH-1",
            "case_match":"matched","stage":"complete","visit":"1","completed_at":"2026-03-02T10:00:00+08:00"},
            "rater":{"account":"a-1","id_number":"11010519491231002X","phone":"13800138000","verified":true,"is_applicant":true},
            "device":{"fingerprint":"f-1","platform":"android","model":"SM-1","screen":"1080x2400","rooted":false},
            "network":{"ip":"203.0.113.9","asn":4134,"proxy":false}}"#;
        let least = r#"{"rating_id":"R-2","submitted_at":"2026-03-02T10:15:00Z","channel":"portal","stars":5,"service":{"matter":"M","department":"D"}}"#;
        vec![whole.replace('\n', "").into_bytes(), least.as_bytes().to_vec(), b"{}".to_vec()]
    };
    match target {
        "parse" | "pseudonymise" => ratings(),
        "rules" => {
            let mut seeds: Vec<Vec<u8>> = ["hard", "lists", "praise"]
                .map(|name| file(&format!("tests/fixtures/rules/{name}.toml")))
                .into();
            for name in ["counters", "malicious", "policy", "praise"] {
                let text = String::from_utf8(file(&format!("rules/{name}.toml"))).unwrap();
                // One table each: most rules of the shipped set refer to counters that stand elsewhere.
                let tables = text.split("\n[[").skip(1).step_by(9).take(6);
                seeds.extend(tables.map(|table| format!("[[{table}").into_bytes()));
            }
            seeds
        }
        "record" => vec![file("tests/fixtures/log/rating.record")],
        "segment" => {
            let names = ["sound/00000000000000000000.seg", "damaged/00000000000000000000.seg"];
            names.map(|name| file(&format!("tests/fixtures/log/{name}"))).into()
        }
        "reference" => [
            "terminals.csv\nterminal,note\nT-1,\"a, b\"\n",
            "staff.csv\naccount,phone,department\nzhang,13800138000,D-1\n",
            "helpers.csv\nfingerprint,device\nf-1,\n,00112233445566778899aabbccddeeff\n",
            "opening_hours.csv\nhall,weekday,open,close\n*,1,09:00,17:00\n",
            "holidays.csv\n# 2026\ndate,kind\n2026-10-01,holiday\n2026-10-10,working\n",
            "closed_cases.csv\ndepartment,hall,window,date,cases\nD-1,,W-1,2026-03-02,41\n",
        ]
        .map(|text| text.as_bytes().to_vec())
        .into(),
        _ => {
            let mut all = vec![3];
            ratings().iter().for_each(|line| {
                all.extend_from_slice(line);
                all.extend_from_slice(b"\r\n\n");
            });
            vec![all, b"\x01a\nb\n\nc".to_vec()]
        }
    }
}

/// Changes an input a little, a few times over.
fn mutate(dice: &mut Dice, corpus: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    const LONGEST: usize = 1 << 16;
    let mut bytes = dice.pick(corpus).clone();
    for _ in 0..1 + dice.below(5) {
        let at = dice.below(bytes.len() + 1);
        let until = at + dice.below(bytes.len() + 1 - at).min(1 + dice.below(64));
        match dice.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => bytes[at] = dice.bits() as u8,
            2 => drop(bytes.drain(at..until)),
            3 => {
                let again = bytes[at..until].repeat(1 + dice.below(3));
                drop(bytes.splice(at..at, again));
            }
            4 => drop(bytes.splice(at..at, dice.pick(words).clone())),
            5 => drop(bytes.splice(at..until, dice.pick(words).clone())),
            6 => {
                let other = dice.pick(corpus);
                let from = dice.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            7 => bytes.truncate(at),
            _ => {
                let numbers: [&[u8]; 8] =
                    [b"0", b"-1", b"1e999", b"9223372036854775808", b"0.1", b"\xff", b"\"", b"]]"];
                drop(bytes.splice(at..at, dice.pick(&numbers).to_vec()));
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn fuzz(name: &str) {
    let (_, target) = targets::TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    // Files are written for each input of this one.
    let default = if name == "segment" { 300 } else { 2_000 };
    let (runs, seed) = (from_environment("FUZZ_RUNS", default), from_environment("FUZZ_SEED", 1));
    let (mut dice, words, mut corpus) = (Dice(seed), dictionary(), seeds(name));
    let mut known: HashSet<u64> = HashSet::new();
    let mut run = |input: &[u8]| {
        let said = catch_unwind(AssertUnwindSafe(|| target(input))).unwrap_or_else(|failure| {
            eprintln!("{name} (seed {seed}) fails on this input:\n{}", input.escape_ascii());
            resume_unwind(failure)
        });
        known.insert(said)
    };
    for input in corpus.clone() {
        run(&input);
    }
    for _ in 0..runs {
        let input = mutate(&mut dice, &corpus, &words);
        if run(&input) && corpus.len() < 4_096 {
            corpus.push(input);
        }
    }
    eprintln!("{name}: {runs} inputs, {} ways, {} in the corpus", known.len(), corpus.len());
    assert!(known.len() > 2, "{name}: every input is answered alike: the target sees nothing");
}

#[test]
fn no_line_breaks_the_parser() {
    fuzz("parse");
}

#[test]
fn no_rating_breaks_the_step_to_an_observation() {
    fuzz("pseudonymise");
}

#[test]
fn no_rule_file_breaks_the_checker() {
    fuzz("rules");
}

#[test]
fn no_record_breaks_the_decoder() {
    fuzz("record");
}

#[test]
fn no_segment_breaks_the_log() {
    fuzz("segment");
}

#[test]
fn no_table_breaks_the_reader() {
    fuzz("reference");
}

#[test]
fn no_cutting_breaks_a_batch() {
    fuzz("lines");
}
