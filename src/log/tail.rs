//! The end of a log after a crash: a torn write, or damage?
//!
//! A group is written only after the group before it was synced, and only the last group can be torn.
//! So where a frame does not read, and
//!
//! 1. a frame that begins a group stands whole somewhere after it: **damage**. All before that frame
//!    was durable once.
//! 2. the frame reaches beyond the end of the file: **torn** (a lost tail);
//! 3. a sector of the frame is all zeros, as it was before the write: **torn**;
//! 4. otherwise every sector of it was written, and it was whole once: **damage**.
//!
//! A torn frame and all after it belongs to a group that was never acknowledged and is dropped, but
//! the group's whole records before it stay. Damage is named and left as it is.

use super::frame::{FrameHead, read_frame};

/// The unit in which disks write: all of it or nothing.
pub const SECTOR_BYTES: u64 = 512;

/// What stands where no frame reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing: zeros to the end.
    Clean,
    /// The rest of a write that was never acknowledged.
    Torn,
    /// Something that was durable once and was changed later.
    Damaged(&'static str),
}

/// Judges what stands from `offset`, where no frame reads, to the end of the last segment.
pub fn judge(rest: &[u8], offset: u64) -> Tail {
    if rest.iter().all(|&byte| byte == 0) {
        return Tail::Clean;
    }
    let head = FrameHead::read(rest);
    // What lies within a frame whose head reads is a record's content, not a place to look for frames.
    let after = head.map_or(1, FrameHead::frame_bytes);
    if begins_a_group_after(rest, after) {
        return Tail::Damaged("the frame was changed: later groups stand behind it");
    }
    match head {
        Some(head) if head.frame_bytes() > rest.len() => Tail::Torn,
        Some(head) if has_unwritten_sector(rest, offset, head.frame_bytes()) => Tail::Torn,
        Some(_) => Tail::Damaged("the frame's checksum is wrong"),
        None if rest.len() < 4 || has_unwritten_sector(rest, offset, 4) => Tail::Torn,
        None => Tail::Damaged("the frame's head is wrong"),
    }
}

/// Whether a frame that is the first of its group stands whole anywhere from `from`.
fn begins_a_group_after(rest: &[u8], from: usize) -> bool {
    let Some(rest) = rest.get(from..) else { return false };
    (0..rest.len()).filter(|&at| rest[at] & 3 == 3).any(|at| {
        FrameHead::read(&rest[at..]).is_some_and(|head| head.first) && read_frame(&rest[at..]).is_some()
    })
}

/// Whether one of the sectors that hold the first `len` bytes of `rest` is all zeros from where
/// `rest` begins, which is at `offset` in the file.
fn has_unwritten_sector(rest: &[u8], offset: u64, len: usize) -> bool {
    let to_boundary = (SECTOR_BYTES - offset % SECTOR_BYTES) as usize;
    let mut sector = 0..to_boundary.min(rest.len());
    while sector.start < len && !sector.is_empty() {
        if rest[sector.clone()].iter().all(|&byte| byte == 0) {
            return true;
        }
        sector = sector.end..(sector.end + SECTOR_BYTES as usize).min(rest.len());
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::frame::put_frame;
    use super::*;

    /// Three groups of two frames; gives the bytes and where each frame begins.
    fn groups(record_bytes: usize) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        for frame in 0..6 {
            starts.push(bytes.len());
            put_frame(&mut bytes, &vec![0x77; record_bytes], frame % 2 == 0);
        }
        (bytes, starts)
    }

    #[test]
    fn zeros_are_a_clean_end() {
        assert_eq!(judge(&[], 64), Tail::Clean);
        assert_eq!(judge(&[0; 2000], 64), Tail::Clean);
    }

    #[test]
    fn a_changed_byte_is_damage_in_the_last_group_too() {
        let (bytes, starts) = groups(300);
        let mut file = bytes.clone();
        file.resize(8192, 0);
        for &start in &starts {
            for at in start..start + 309 {
                let mut changed = file.clone();
                changed[at] ^= 0x40;
                assert!(matches!(judge(&changed[start..], start as u64), Tail::Damaged(_)), "byte {at}");
            }
        }
    }

    #[test]
    fn lost_sectors_of_the_last_group_are_torn_and_of_an_earlier_one_damage() {
        let (bytes, starts) = groups(1500);
        let mut file = bytes.clone();
        file.resize(bytes.len().next_multiple_of(4096), 0);
        for sector in 0..file.len() / 512 {
            let lost = sector * 512..sector * 512 + 512;
            let mut torn = file.clone();
            torn[lost.clone()].fill(0);
            let Some(&first) = starts.iter().find(|&&start| read_frame(&torn[start..]).is_none()) else {
                continue;
            };
            let judged = judge(&torn[first..], first as u64);
            if first >= starts[4] {
                assert_eq!(judged, Tail::Torn, "sector {sector}");
            } else if lost.end <= starts[4] {
                assert!(matches!(judged, Tail::Damaged(_)), "sector {sector}");
            }
        }
    }

    #[test]
    fn a_file_that_ends_within_a_frame_has_lost_its_tail() {
        let (bytes, starts) = groups(300);
        for end in starts[5] + 1..bytes.len() {
            assert_eq!(judge(&bytes[starts[5]..end], starts[5] as u64), Tail::Torn, "{end}");
        }
    }
}
