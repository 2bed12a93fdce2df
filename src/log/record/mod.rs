//! Records: the bytes of an entry, in a part that stays for ever and a part that can be erased.
//!
//! ```text
//! record = kind u8 ‖ state u8 ‖ length of public (varint) ‖ public ‖ (erasable, or its hash once erased)
//! ```

mod activation;
mod features;
mod learning;
mod rating;
mod review;
mod revision;

use super::chain::Digest;
use super::codec::{DecodeError, Fields, put_varint};
use super::entry::{
    ActivationEntry, Entry, LearningEntry, PublicRating, RatingEntry, ReviewEntry, RevisionEntry,
};
use crate::catalogue::Catalogue;
use crate::pseudonym::Pseudonym;

/// Longest record in bytes. Ratings take a few hundred; an activation carries whole files.
pub const MAX_RECORD_BYTES: usize = (1 << 22) - 1;

/// Numbers of the kinds of record.
pub mod kind {
    /// A scored rating.
    pub const RATING: u8 = 1;
    /// A later decision about a rating.
    pub const REVISION: u8 = 2;
    /// Rules, a model or tables that came into force.
    pub const ACTIVATION: u8 = 3;
    /// What a person did about a rating.
    pub const REVIEW: u8 = 4;
    /// What was learnt from reviewers' decisions. 5 and 6 are free.
    pub const LEARNING: u8 = 7;
}

const WHOLE: u8 = 0;
const ERASED: u8 = 1;

/// The fingerprint under which the index keeps a `rating_id`. Records are read to tell apart the few
/// ids that share one.
pub use crate::features::case::rating_fingerprint;

/// The fingerprint under which the index keeps a case.
pub fn case_fingerprint(case: &Pseudonym) -> u64 {
    case.key()
}

/// What a record is found by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordKeys {
    /// Fingerprint of the rating that it is about.
    pub rating: Option<u64>,
    /// Fingerprint of the case of a scored rating, until that is erased.
    pub case: Option<u64>,
}

/// The lowest of the numbers that stand for records whose place in the log is not known yet: the first of a
/// group has it, the next one more. Where many nodes append to one log, a group learns its places only when
/// the log gives it back; what it says of its own records until then is said with these.
pub const PROVISIONAL: u64 = 1 << 63;

/// A record ready to be appended. Encoding is pure, so that it can run in parallel before the log's
/// one thread chains and writes.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedRecord {
    bytes: Vec<u8>,
    leaf: Digest,
    keys: RecordKeys,
}

impl EncodedRecord {
    /// The record's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes' memory, for another record.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Its leaf in the chain.
    pub fn leaf(&self) -> Digest {
        self.leaf
    }

    /// What it is found by.
    pub fn keys(&self) -> RecordKeys {
        self.keys
    }

    /// A record that another process encoded.
    ///
    /// # Errors
    /// The bytes are no record, or a field that it is found by cannot be read.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let record = Record::parse(&bytes)?;
        let (leaf, keys) = (record.leaf(), record.keys()?);
        Ok(Self { bytes, leaf, keys })
    }

    /// Writes a record into one buffer, which is empty.
    fn write(
        kind: u8,
        keys: RecordKeys,
        mut bytes: Vec<u8>,
        put_public: impl FnOnce(&mut Vec<u8>),
        put_erasable: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        const START: usize = 2;
        debug_assert!(bytes.is_empty());
        bytes.extend_from_slice(&[kind, WHOLE]);
        put_public(&mut bytes);
        let public_bytes = bytes.len() - START;
        // How long it is stands before it and is known only now: the bytes move on by one or two.
        put_varint(&mut bytes, public_bytes as u64);
        let prefix_bytes = bytes.len() - START - public_bytes;
        bytes[START..].rotate_right(prefix_bytes);
        let erasable = bytes.len();
        put_erasable(&mut bytes);
        let (public, erasable) = bytes[START + prefix_bytes..].split_at(erasable - START - prefix_bytes);
        let leaf = Digest::leaf(kind, public, Digest::of(erasable));
        Self { bytes, leaf, keys }
    }
}

impl RatingEntry {
    /// The entry's record. `catalogue` is the one that the features are indexed by.
    pub fn encode(&self, catalogue: &Catalogue) -> EncodedRecord {
        self.encode_in(Vec::new(), catalogue)
    }

    /// As [`Self::encode`], in an empty buffer.
    pub fn encode_in(&self, mut buffer: Vec<u8>, catalogue: &Catalogue) -> EncodedRecord {
        buffer.reserve(640);
        debug_assert_eq!(self.catalogue, catalogue.version(), "features of another catalogue");
        let keys = RecordKeys {
            rating: Some(rating_fingerprint(&self.observation.rating_id)),
            case: self.observation.service.case.as_ref().map(case_fingerprint),
        };
        EncodedRecord::write(
            kind::RATING,
            keys,
            buffer,
            |out| rating::put_public(out, &self.public()),
            |out| rating::put_erasable(out, self, catalogue),
        )
    }
}

impl RevisionEntry {
    /// The entry's record. Evidence that is missing is encoded as erased.
    pub fn encode(&self) -> EncodedRecord {
        let keys = RecordKeys { rating: Some(rating_fingerprint(&self.rating.rating_id)), case: None };
        EncodedRecord::write(
            kind::REVISION,
            keys,
            Vec::with_capacity(320),
            |out| revision::put_public(out, self),
            |out| self.evidence.iter().for_each(|evidence| revision::put_evidence(out, evidence)),
        )
    }
}

impl ActivationEntry {
    /// The entry's record. Nothing in it is erasable.
    pub fn encode(&self) -> EncodedRecord {
        let put = |out: &mut Vec<u8>| activation::put(out, self);
        EncodedRecord::write(kind::ACTIVATION, RecordKeys::default(), Vec::with_capacity(1024), put, |_| {})
    }
}

impl LearningEntry {
    /// The entry's record. Nothing in it is erasable.
    pub fn encode(&self) -> EncodedRecord {
        let put = |out: &mut Vec<u8>| learning::put(out, self);
        EncodedRecord::write(kind::LEARNING, RecordKeys::default(), Vec::with_capacity(64), put, |_| {})
    }
}

impl ReviewEntry {
    /// The entry's record. Words that are missing are encoded as erased.
    pub fn encode(&self) -> EncodedRecord {
        let keys = RecordKeys { rating: Some(rating_fingerprint(&self.rating_id)), case: None };
        EncodedRecord::write(
            kind::REVIEW,
            keys,
            Vec::with_capacity(160),
            |out| review::put_public(out, self),
            |out| self.words.iter().for_each(|words| review::put_words(out, words)),
        )
    }
}

/// A record's bytes, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    kind: u8,
    public: &'a [u8],
    erasable: Erasable<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Erasable<'a> {
    Whole(&'a [u8]),
    Erased(Digest),
}

impl<'a> Record<'a> {
    /// Takes a record apart; its fields are not looked at yet.
    ///
    /// # Errors
    /// The bytes are no record.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(bytes);
        let kind = fields.byte("kind")?;
        let state = fields.byte("state")?;
        let public = fields.bytes("public part")?;
        let erasable = match state {
            WHOLE => Erasable::Whole(fields.rest()),
            ERASED => {
                let digest = fields.array("hash of the erased part")?;
                fields.end("hash of the erased part")?;
                Erasable::Erased(Digest(digest))
            }
            _ => return Err(DecodeError { field: "state", problem: "has an unknown number" }),
        };
        Ok(Self { kind, public, erasable })
    }

    /// Number of the record's kind.
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// Its leaf in the chain; the same before and after erasure.
    pub fn leaf(&self) -> Digest {
        let erasable = match self.erasable {
            Erasable::Whole(bytes) => Digest::of(bytes),
            Erasable::Erased(digest) => digest,
        };
        Digest::leaf(self.kind, self.public, erasable)
    }

    /// The entry.
    ///
    /// # Errors
    /// A field cannot be read: the record was written by something else.
    pub fn entry(&self) -> Result<Entry, DecodeError> {
        Ok(match (self.kind, self.erasable) {
            (kind::RATING, Erasable::Whole(erasable)) => {
                Entry::Rating(Box::new(rating::entry(rating::public(self.public)?, erasable)?))
            }
            (kind::RATING, Erasable::Erased(_)) => Entry::Erased(rating::public(self.public)?),
            (kind::REVISION, Erasable::Whole(erasable)) => {
                Entry::Revision(Box::new(revision::entry(self.public, erasable)?))
            }
            (kind::REVISION, Erasable::Erased(_)) => {
                Entry::Revision(Box::new(revision::entry(self.public, &[])?))
            }
            (kind::REVIEW, Erasable::Whole(erasable)) => {
                Entry::Review(Box::new(review::entry(self.public, erasable)?))
            }
            (kind::REVIEW, Erasable::Erased(_)) => Entry::Review(Box::new(review::entry(self.public, &[])?)),
            (kind::ACTIVATION, _) => Entry::Activation(activation::entry(self.public)?),
            (kind::LEARNING, _) => Entry::Learning(Box::new(learning::entry(self.public)?)),
            (kind, _) => Entry::Unknown { kind },
        })
    }

    /// The public part of a scored rating, without looking at the rest; `None` for other kinds.
    ///
    /// # Errors
    /// As for [`Self::entry`].
    pub fn rating(&self) -> Result<Option<PublicRating>, DecodeError> {
        if self.kind == kind::RATING { rating::public(self.public).map(Some) } else { Ok(None) }
    }

    /// The `rating_id` that the record is about.
    ///
    /// # Errors
    /// As for [`Self::entry`].
    pub fn rating_id(&self) -> Result<Option<&'a str>, DecodeError> {
        match self.kind {
            kind::RATING | kind::REVISION | kind::REVIEW => {
                Fields::new(self.public).text("rating_id").map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The number of a revision; `None` for other kinds.
    ///
    /// # Errors
    /// As for [`Self::entry`].
    pub fn revision(&self) -> Result<Option<u32>, DecodeError> {
        match self.kind {
            kind::REVISION => revision::entry(self.public, &[]).map(|entry| Some(entry.revision)),
            _ => Ok(None),
        }
    }

    /// The case of a scored rating, until it is erased.
    ///
    /// # Errors
    /// As for [`Self::entry`].
    pub fn case(&self) -> Result<Option<Pseudonym>, DecodeError> {
        match (self.kind, self.erasable) {
            (kind::RATING, Erasable::Whole(erasable)) => rating::case(erasable),
            _ => Ok(None),
        }
    }

    /// What the record is found by.
    ///
    /// # Errors
    /// As for [`Self::entry`].
    pub fn keys(&self) -> Result<RecordKeys, DecodeError> {
        Ok(RecordKeys {
            rating: self.rating_id()?.map(rating_fingerprint),
            case: self.case()?.as_ref().map(case_fingerprint),
        })
    }

    /// The record with `place` applied to each sequence that it names; `None` if it names none that
    /// changes. Only the public part names any.
    ///
    /// # Errors
    /// As for [`Self::entry`].
    pub fn renumbered(&self, place: impl Fn(u64) -> u64) -> Result<Option<EncodedRecord>, DecodeError> {
        let Erasable::Whole(erasable) = self.erasable else { return Ok(None) };
        let mut changed = false;
        let mut renumber = |sequence: &mut u64| {
            let placed = place(*sequence);
            changed |= placed != *sequence;
            *sequence = placed;
        };
        let mut public = Vec::new();
        match self.kind {
            kind::RATING => {
                let mut rating = rating::public(self.public)?;
                rating.supersedes_sequence.iter_mut().for_each(&mut renumber);
                rating::put_public(&mut public, &rating);
            }
            kind::REVISION => {
                let mut entry = revision::entry(self.public, &[])?;
                entry.rating.supersedes_sequence.iter_mut().for_each(&mut renumber);
                renumber(&mut entry.rating_sequence);
                revision::put_public(&mut public, &entry);
            }
            kind::REVIEW => {
                let mut entry = review::entry(self.public, &[])?;
                renumber(&mut entry.rating_sequence);
                review::put_public(&mut public, &entry);
            }
            _ => {}
        }
        if !changed {
            return Ok(None);
        }
        let put_public = |out: &mut Vec<u8>| out.extend_from_slice(&public);
        let put_erasable = |out: &mut Vec<u8>| out.extend_from_slice(erasable);
        let capacity = public.len() + erasable.len() + 8;
        let buffer = Vec::with_capacity(capacity);
        Ok(Some(EncodedRecord::write(self.kind, self.keys()?, buffer, put_public, put_erasable)))
    }

    /// Whether it has a part that can be erased, and still has it.
    pub fn is_erasable(&self) -> bool {
        matches!(self.erasable, Erasable::Whole(bytes) if !bytes.is_empty())
    }

    /// The same record without its erasable part. Leaf and chain stay what they were.
    pub fn erase(&self) -> Vec<u8> {
        let digest = match self.erasable {
            Erasable::Whole(bytes) => Digest::of(bytes),
            Erasable::Erased(digest) => digest,
        };
        let mut bytes = vec![self.kind, ERASED];
        put_varint(&mut bytes, self.public.len() as u64);
        bytes.extend_from_slice(self.public);
        bytes.extend_from_slice(&digest.0);
        bytes
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
