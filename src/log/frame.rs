//! Frames: how records stand in a segment file.
//!
//! ```text
//! frame = head u32 ‖ CRC-32C u32 of head and record ‖ record ‖ 0xA5
//! head  = bit 0: 1 ‖ bit 1: first of its group ‖ bits 2–23: length of the record ‖ bits 24–31: CRC-8 of the rest
//! ```
//!
//! A segment is preallocated, so what was never written reads as zeros. A frame begins and ends with
//! a byte that is not zero: a sector of it that is all zeros never reached the disk, whereas a frame
//! without such a sector that fails its checksum was changed later. A group is written only after the
//! group before it was synced: where a group begins, all before it was durable. Recovery tells a torn
//! write from damage by these two facts ([`super::tail`]).

use super::record::MAX_RECORD_BYTES;

/// Bytes of a frame before its record.
pub const FRAME_HEAD_BYTES: usize = 8;
/// Bytes of a frame besides its record.
pub const FRAME_BYTES: usize = FRAME_HEAD_BYTES + 1;

const END_MARK: u8 = 0xa5;

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Length of the record in bytes.
    pub record_bytes: usize,
    /// Whether this frame is the first of its group.
    pub first: bool,
}

impl FrameHead {
    /// Length of the whole frame in bytes.
    pub fn frame_bytes(self) -> usize {
        self.record_bytes + FRAME_BYTES
    }

    /// Reads a head; `None` if these four bytes are none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let word = u32::from_le_bytes(*bytes.first_chunk()?);
        let low = word & 0x00ff_ffff;
        let sound = word & 1 == 1 && (word >> 24) as u8 == crc8(low);
        sound.then_some(Self { record_bytes: (low >> 2) as usize, first: word & 2 != 0 })
    }

    fn word(self) -> u32 {
        debug_assert!(self.record_bytes <= MAX_RECORD_BYTES);
        let low = (self.record_bytes as u32) << 2 | u32::from(self.first) << 1 | 1;
        low | u32::from(crc8(low)) << 24
    }
}

/// Appends a record's frame.
pub fn put_frame(out: &mut Vec<u8>, record: &[u8], first: bool) {
    let head = FrameHead { record_bytes: record.len(), first }.word().to_le_bytes();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&head), record);
    out.extend_from_slice(&head);
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(record);
    out.push(END_MARK);
}

/// The frame at the start of `bytes`: its head and its record. `None` if none stands there whole.
pub fn read_frame(bytes: &[u8]) -> Option<(FrameHead, &[u8])> {
    let head = FrameHead::read(bytes)?;
    let frame = bytes.get(..head.frame_bytes())?;
    let (record, end) = frame[FRAME_HEAD_BYTES..].split_at(head.record_bytes);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), record);
    (frame[4..8] == checksum.to_le_bytes() && end == [END_MARK]).then_some((head, record))
}

/// CRC-8 (polynomial 0x07, initial value 0xff) of the three bytes of `low`: it finds every change of
/// up to eight neighbouring bits, so that no changed byte makes another length.
const fn crc8(low: u32) -> u8 {
    let bytes = low.to_le_bytes();
    CRC8[(CRC8[(CRC8[(0xff ^ bytes[0]) as usize] ^ bytes[1]) as usize] ^ bytes[2]) as usize]
}

static CRC8: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x80 != 0 { crc << 1 ^ 0x07 } else { crc << 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_back_and_no_byte_of_it_can_change() {
        for len in [0, 1, 5, 300] {
            for first in [false, true] {
                let record = vec![7; len];
                let mut frame = Vec::new();
                put_frame(&mut frame, &record, first);
                assert_eq!(read_frame(&frame), Some((FrameHead { record_bytes: len, first }, &record[..])));
                for at in 0..frame.len() {
                    for change in 1..=255 {
                        let mut changed = frame.clone();
                        changed[at] ^= change;
                        assert_eq!(read_frame(&changed), None, "byte {at}");
                    }
                    assert_eq!(read_frame(&frame[..at]), None);
                }
            }
        }
    }

    #[test]
    fn no_changed_byte_of_a_head_makes_another_length() {
        for record_bytes in (0..MAX_RECORD_BYTES).step_by(4099) {
            let word = FrameHead { record_bytes, first: record_bytes % 2 == 0 }.word().to_le_bytes();
            for at in 0..4 {
                for change in 1..=255 {
                    let mut changed = word;
                    changed[at] ^= change;
                    assert_eq!(FrameHead::read(&changed), None);
                }
            }
        }
    }
}
