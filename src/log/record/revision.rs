//! A revision's record.

use super::super::codec::{DecodeError, Fields, put_varint, put_zigzag};
use super::super::entry::{Evidence, RevisionEntry, RevisionSource};
use super::rating::{put_public as put_rating, put_reasons, take_public as take_rating, take_reasons};
use crate::catalogue::FeatureId;
use crate::time::Instant;
use crate::wire::{Decision, Suspicion};

/// In place of a suspicion's number where there is none.
const NO_SUSPICION: u8 = u8::MAX;

pub fn put_public(out: &mut Vec<u8>, entry: &RevisionEntry) {
    put_rating(out, &entry.rating);
    put_varint(out, entry.rating_sequence);
    put_varint(out, u64::from(entry.revision));
    out.extend_from_slice(&[entry.previous as u8, entry.decision as u8, entry.source as u8]);
    put_zigzag(out, entry.at.ms());
}

pub fn put_evidence(out: &mut Vec<u8>, evidence: &Evidence) {
    out.extend_from_slice(&evidence.nonce);
    out.push(evidence.suspicion.map_or(NO_SUSPICION, |suspicion| suspicion as u8));
    out.extend_from_slice(&evidence.risk.to_le_bytes());
    put_reasons(out, &evidence.reasons);
    if evidence.figures.is_empty() {
        return;
    }
    put_varint(out, evidence.figures.len() as u64);
    for (id, figure) in &evidence.figures {
        put_varint(out, u64::from(id.0));
        put_varint(out, *figure);
    }
}

/// The entry from its two parts; `erasable` is empty where there is no evidence.
pub fn entry(public: &[u8], erasable: &[u8]) -> Result<RevisionEntry, DecodeError> {
    let fields = &mut Fields::new(public);
    let entry = RevisionEntry {
        rating: take_rating(fields)?,
        rating_sequence: fields.varint("rating_sequence")?,
        revision: fields.varint32("revision")?,
        previous: fields.variant("previous", Decision::from_index)?,
        decision: fields.variant("decision", Decision::from_index)?,
        source: fields.variant("source", RevisionSource::from_index)?,
        at: Instant(fields.zigzag("at")?),
        evidence: if erasable.is_empty() { None } else { Some(evidence(erasable)?) },
    };
    fields.end("public part")?;
    Ok(entry)
}

fn evidence(bytes: &[u8]) -> Result<Evidence, DecodeError> {
    let fields = &mut Fields::new(bytes);
    let nonce = fields.array("nonce")?;
    let suspicion = fields.variant("suspicion", |index| {
        if index == NO_SUSPICION { Some(None) } else { Suspicion::from_index(index).map(Some) }
    })?;
    let (risk, reasons) = (fields.f32("risk")?, take_reasons(fields)?);
    // Records of before there were figures end here, as those without any do.
    let count = if fields.rest().is_empty() { 0 } else { fields.count("figures")? };
    let figure = |_| {
        let id = fields.varint32("figures.feature")?;
        let problem = DecodeError { field: "figures.feature", problem: "is no feature" };
        Ok((FeatureId(u16::try_from(id).map_err(|_| problem)?), fields.varint("figures.value")?))
    };
    let figures = (0..count).map(figure).collect::<Result<_, _>>()?;
    let evidence = Evidence { nonce, suspicion, risk, reasons, figures };
    fields.end("erasable part")?;
    Ok(evidence)
}
