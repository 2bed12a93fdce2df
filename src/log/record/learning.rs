//! The record of a step of learning. Nothing in it is erasable: it says nothing about a rating.

use super::super::codec::{DecodeError, Fields, put_bytes, put_varint, put_zigzag};
use super::super::entry::{Comparison, LearningEntry, LearningStep};
use crate::time::Instant;
use crate::version::Version;

const PUBLISHED: u8 = 0;
const IN_FORCE: u8 = 1;
const DROPPED: u8 = 2;

pub fn put(out: &mut Vec<u8>, entry: &LearningEntry) {
    put_varint(out, entry.number);
    out.extend_from_slice(&entry.version.0);
    put_zigzag(out, entry.at.ms());
    match &entry.step {
        LearningStep::Published { contents } => {
            out.push(PUBLISHED);
            put_bytes(out, contents);
        }
        LearningStep::InForce(comparison) => put_comparison(out, IN_FORCE, comparison),
        LearningStep::Dropped(comparison) => put_comparison(out, DROPPED, comparison),
    }
}

fn put_comparison(out: &mut Vec<u8>, step: u8, comparison: &Comparison) {
    out.push(step);
    put_varint(out, u64::from(comparison.decisions));
    for number in [comparison.weight, comparison.with, comparison.without] {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

pub fn entry(public: &[u8]) -> Result<LearningEntry, DecodeError> {
    let fields = &mut Fields::new(public);
    let number = fields.varint("number")?;
    let version = Version(fields.array("version")?);
    let at = Instant(fields.zigzag("at")?);
    let step = match fields.byte("step")? {
        PUBLISHED => LearningStep::Published { contents: fields.bytes("contents")?.to_vec() },
        IN_FORCE => LearningStep::InForce(comparison(fields)?),
        DROPPED => LearningStep::Dropped(comparison(fields)?),
        _ => return Err(DecodeError { field: "step", problem: "has an unknown number" }),
    };
    fields.end("public part")?;
    Ok(LearningEntry { number, version, step, at })
}

fn comparison(fields: &mut Fields<'_>) -> Result<Comparison, DecodeError> {
    Ok(Comparison {
        decisions: fields.varint32("comparison.decisions")?,
        weight: fields.f32("comparison.weight")?,
        with: fields.f32("comparison.with")?,
        without: fields.f32("comparison.without")?,
    })
}
