//! The record of an act of review.

use super::super::codec::{DecodeError, Fields, put_bytes, put_varint, put_zigzag};
use super::super::entry::{Act, CallbackResult, ReviewEntry, Words};
use crate::time::Instant;
use crate::wire::ReviewOutcome;

/// Numbers of the acts. 10 and above are free.
mod act {
    pub const CLAIM: u8 = 0;
    pub const RELEASE: u8 = 1;
    pub const DECIDE: u8 = 2;
    pub const ESCALATE: u8 = 3;
    pub const RETURN: u8 = 4;
    pub const EXTEND: u8 = 5;
    pub const UNDO: u8 = 6;
    pub const ASK_CALLBACK: u8 = 7;
    pub const CALLBACK: u8 = 8;
    pub const APPEAL: u8 = 9;
}

pub fn put_public(out: &mut Vec<u8>, entry: &ReviewEntry) {
    // The id comes first, as in the other records about a rating.
    put_bytes(out, entry.rating_id.as_bytes());
    put_varint(out, entry.rating_sequence);
    match entry.act {
        Act::Claim { until } => {
            out.push(act::CLAIM);
            put_zigzag(out, until.ms());
        }
        Act::Release => out.push(act::RELEASE),
        Act::Decide(outcome) => out.extend_from_slice(&[act::DECIDE, outcome as u8]),
        Act::Escalate => out.push(act::ESCALATE),
        Act::Return => out.push(act::RETURN),
        Act::Extend => out.push(act::EXTEND),
        Act::Undo => out.push(act::UNDO),
        Act::AskCallback => out.push(act::ASK_CALLBACK),
        Act::Callback(result) => out.extend_from_slice(&[act::CALLBACK, result as u8]),
        Act::Appeal => out.push(act::APPEAL),
    }
    put_bytes(out, entry.reason.as_bytes());
    put_bytes(out, entry.by.as_bytes());
    put_zigzag(out, entry.at.ms());
}

pub fn put_words(out: &mut Vec<u8>, words: &Words) {
    out.extend_from_slice(&words.nonce);
    out.extend_from_slice(words.sealed.as_bytes());
}

/// The entry from its two parts; `erasable` is empty where there are no words.
pub fn entry(public: &[u8], erasable: &[u8]) -> Result<ReviewEntry, DecodeError> {
    let fields = &mut Fields::new(public);
    let (rating_id, rating_sequence) = (fields.compact("rating_id")?, fields.varint("rating_sequence")?);
    let act = match fields.byte("act")? {
        act::CLAIM => Act::Claim { until: Instant(fields.zigzag("until")?) },
        act::RELEASE => Act::Release,
        act::DECIDE => Act::Decide(fields.variant("outcome", ReviewOutcome::from_index)?),
        act::ESCALATE => Act::Escalate,
        act::RETURN => Act::Return,
        act::EXTEND => Act::Extend,
        act::UNDO => Act::Undo,
        act::ASK_CALLBACK => Act::AskCallback,
        act::CALLBACK => Act::Callback(fields.variant("callback", CallbackResult::from_index)?),
        act::APPEAL => Act::Appeal,
        _ => return Err(DecodeError { field: "act", problem: "has an unknown number" }),
    };
    let (reason, by) = (fields.compact("reason")?, fields.compact("by")?);
    let at = Instant(fields.zigzag("at")?);
    fields.end("public part")?;
    let words = if erasable.is_empty() { None } else { Some(words(erasable)?) };
    Ok(ReviewEntry { rating_id, rating_sequence, act, reason, by, at, words })
}

fn words(bytes: &[u8]) -> Result<Words, DecodeError> {
    let fields = &mut Fields::new(bytes);
    let nonce = fields.array("nonce")?;
    let sealed = std::str::from_utf8(fields.rest())
        .map_err(|_| DecodeError { field: "words", problem: "is not UTF-8" })?;
    Ok(Words { sealed: sealed.to_owned(), nonce })
}
