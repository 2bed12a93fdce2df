//! What a node appends at once: one message with the records of a group.
//!
//! ```text
//! "ZPG" ‖ format u8 ‖ node ‖ incarnation 16 bytes ‖ number ‖ base ‖ decided ms ‖ key check 8 bytes
//!       ‖ intake (partition, next offset)… ‖ expectations (record, entries)… ‖ records… ‖ CRC-32C
//! ```
//!
//! Numbers are varints, each list begins with its length, and each record with its own.

use bytes::Bytes;
use compact_str::CompactString;

use crate::log::codec::{DecodeError, Fields, put_bytes, put_varint, put_zigzag};

const MAGIC: &[u8; 3] = b"ZPG";

/// The format that this program writes, and the latest that it reads. A node that meets a later one stops
/// and says so: it could not tell which of its records stand.
pub const FORMAT: u8 = 1;

/// Longest name of a node, in bytes.
pub const NODE_BYTES_MAX: usize = 64;

/// Who appended a group, on what, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The node's name.
    pub node: CompactString,
    /// Drawn at each start of a node: what a node did before it was restarted is not mistaken for what it
    /// does now.
    pub incarnation: [u8; 16],
    /// Counts the groups of an incarnation from 0. A group that was sent again has the number it had.
    pub number: u64,
    /// The next sequence of the log as the node had it when it made the group.
    pub base: u64,
    /// The node's clock when it had judged the first of the group, in ms since the Unix epoch.
    pub decided_ms: i64,
    /// Tells nodes with other keys, to whom everybody in the log would be a stranger.
    pub key_check: [u8; 8],
    /// How far the partitions of the intake topic are scored with this group: the offset to go on from.
    pub intake: Vec<(u32, u64)>,
    /// Records that stand only if the log has so many entries about their rating before them.
    pub expectations: Vec<(u32, u32)>,
}

/// Why a message is no group that this program understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// A later version of the program wrote it.
    Later {
        /// Its format.
        format: u8,
    },
    /// It is something else, or damaged.
    Malformed(DecodeError),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Later { format } => {
                write!(f, "it has format {format} and this program knows {FORMAT}: upgrade this node first")
            }
            Self::Malformed(error) => write!(f, "it is no group of this program: {error}"),
        }
    }
}

impl From<DecodeError> for Unreadable {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

/// Bytes that a group takes beside its records, at most: for bounds.
pub const HEADER_BYTES_MAX: usize = 256 + 16 * INTAKE_MAX + 10 * EXPECTATIONS_MAX;
/// Most partitions of intake in one group.
pub const INTAKE_MAX: usize = 1_024;
/// Most expectations in one group.
pub const EXPECTATIONS_MAX: usize = 16_384;

/// The message.
pub fn encode<'r>(header: &Header, records: impl ExactSizeIterator<Item = &'r [u8]> + Clone) -> Bytes {
    let bytes: usize = records.clone().map(|record| record.len() + 4).sum();
    let mut out = Vec::with_capacity(bytes + 256 + 16 * header.intake.len() + 8 * header.expectations.len());
    out.extend_from_slice(MAGIC);
    out.push(FORMAT);
    put_bytes(&mut out, header.node.as_bytes());
    out.extend_from_slice(&header.incarnation);
    put_varint(&mut out, header.number);
    put_varint(&mut out, header.base);
    put_zigzag(&mut out, header.decided_ms);
    out.extend_from_slice(&header.key_check);
    put_varint(&mut out, header.intake.len() as u64);
    for &(partition, next) in &header.intake {
        put_varint(&mut out, u64::from(partition));
        put_varint(&mut out, next);
    }
    put_varint(&mut out, header.expectations.len() as u64);
    for &(record, entries) in &header.expectations {
        put_varint(&mut out, u64::from(record));
        put_varint(&mut out, u64::from(entries));
    }
    put_varint(&mut out, records.len() as u64);
    records.for_each(|record| put_bytes(&mut out, record));
    let checksum = crc32c::crc32c(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    Bytes::from(out)
}

/// Header and records of a message. Allocates no more than the message holds.
///
/// # Errors
/// It is no group, is damaged, or has a later format.
pub fn decode(message: &[u8]) -> Result<(Header, Vec<&[u8]>), Unreadable> {
    let problem = |field, problem| Unreadable::Malformed(DecodeError { field, problem });
    let mut start = Fields::new(message);
    if &start.array::<3>("magic")? != MAGIC {
        return Err(problem("magic", "is another"));
    }
    let format = start.byte("format")?;
    if format > FORMAT {
        return Err(Unreadable::Later { format });
    }
    let Some((body, checksum)) = message.split_last_chunk::<4>() else {
        return Err(problem("checksum", "ends too early"));
    };
    if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return Err(problem("checksum", "is wrong"));
    }
    let mut fields = Fields::new(&body[MAGIC.len() + 1..]);
    let node = fields.compact("node")?;
    if node.len() > NODE_BYTES_MAX {
        return Err(problem("node", "is too long"));
    }
    let header = Header {
        node,
        incarnation: fields.array("incarnation")?,
        number: fields.varint("number")?,
        base: fields.varint("base")?,
        decided_ms: fields.zigzag("sent")?,
        key_check: fields.array("key check")?,
        intake: {
            let count = fields.count("intake")?;
            let pair = |_| Ok((fields.varint32("intake.partition")?, fields.varint("intake.next")?));
            (0..count).map(pair).collect::<Result<_, DecodeError>>()?
        },
        expectations: {
            let count = fields.count("expectations")?;
            let pair =
                |_| Ok((fields.varint32("expectations.record")?, fields.varint32("expectations.entries")?));
            (0..count).map(pair).collect::<Result<_, DecodeError>>()?
        },
    };
    let count = fields.count("records")?;
    let records = (0..count).map(|_| fields.bytes("records")).collect::<Result<_, _>>()?;
    fields.end("records")?;
    Ok((header, records))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> impl Strategy<Value = Header> {
        let text = "[a-z0-9-]{0,20}";
        let pairs = proptest::collection::vec((any::<u32>(), any::<u64>()), 0..4);
        let expectations = proptest::collection::vec((any::<u32>(), any::<u32>()), 0..4);
        let numbers = (any::<u64>(), any::<u64>(), any::<i64>());
        (text, any::<[u8; 16]>(), numbers, any::<[u8; 8]>(), pairs, expectations).prop_map(
            |(node, incarnation, (number, base, decided_ms), key_check, intake, expectations)| Header {
                node: node.into(),
                incarnation,
                number,
                base,
                decided_ms,
                key_check,
                intake,
                expectations,
            },
        )
    }

    proptest! {
        #[test]
        fn a_group_comes_back_as_it_was(header in header(), records: Vec<Vec<u8>>) {
            let message = encode(&header, records.iter().map(Vec::as_slice));
            let (decoded, back) = decode(&message).unwrap();
            prop_assert_eq!(decoded, header);
            prop_assert_eq!(back, records.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }

        #[test]
        fn what_is_no_group_is_an_error_and_never_a_panic(bytes: Vec<u8>, cut in 0_usize..200, flip in 0_usize..1_600) {
            prop_assert!(decode(&bytes).is_err());
            let message = encode(&Header::default(), [&b"record"[..]].into_iter());
            prop_assert!(decode(&message[..cut.min(message.len() - 1)]).is_err());
            let mut changed = message.to_vec();
            let bit = flip % (changed.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(&changed).is_err());
        }
    }

    #[test]
    fn a_later_format_is_told_apart_from_damage() {
        let mut message = encode(&Header::default(), std::iter::empty::<&[u8]>()).to_vec();
        message[3] = FORMAT + 1;
        assert_eq!(decode(&message), Err(Unreadable::Later { format: FORMAT + 1 }));
    }
}
