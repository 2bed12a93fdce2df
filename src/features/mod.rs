//! What the scoring path knows about a rating beyond the rating itself.
//!
//! Most of it is *declared*: a counter names a measure (`distinct rater`), the keys that it is kept
//! by (`device`), an optional condition and a window, in a rule file. The modules here stand in the
//! order in which a rating meets them:
//!
//! ```text
//! keys      the fields that counters are kept by, one 64-bit key each
//! counter   a declaration, the set of all of them, and (parse) how they are read from TOML
//! plan      declarations that share keys become one group: one look-up, one compact event
//! facts     what counters ask of the rating, answered once
//! table     key → entity: flat, prefetched                    ┐
//! arena     where entities live, in pages of equal blocks     │
//! entity    one key's block: a header and at most 64 events   │ state, one owner,
//! window    exact values from those events                    │ bounded
//! hot       what a key keeps beyond 64 events:                │
//! buckets     counts, sums and gaps over w/64                 │
//! distinct    the latest values by rank                       │
//! evicted   fingerprints of keys that were evicted            ┘
//! engine    one rating in, all counters out
//! evict     who goes when memory is full
//! snapshot  the state as bytes and back
//! warming   counters fed from the log
//! ```
//!
//! `docs/counters.md` says what a counter promises.

pub mod aged_map;
pub mod aliases;
mod arena;
mod buckets;
pub mod burst;
pub mod case;
pub mod concentration;
pub mod counter;
pub mod decay;
pub mod device;
pub mod direct;
mod distinct;
pub mod engine;
mod entity;
mod evict;
mod evicted;
mod facts;
mod hot;
pub mod identity;
pub mod keys;
pub mod links;
pub mod missing;
pub mod pace;
mod pages;
mod parse;
pub mod past;
mod plan;
pub mod rater;
pub mod reference;
pub mod snapshot;
pub mod state;
mod table;
pub mod target;
pub mod text;
mod traces;
pub mod traits;
pub mod warming;
mod window;

/// Mixes 64 bits so that every output bit depends on every input bit (the finaliser of SplitMix64,
/// Steele, Lea and Flood 2014).
#[inline]
pub(crate) fn mix(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
