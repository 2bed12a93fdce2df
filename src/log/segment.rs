//! Segment files: their names and headers.
//!
//! ```text
//!  0  "ZHENPING"                8  format version u16      10  hash algorithm u8    11  checksum algorithm u8
//! 12  0 u32                    16  first sequence u64      24  chain before it, 32 bytes
//! 56  0 u32                    60  CRC-32C u32 of bytes 0 to 59
//! 64  frames
//! ```

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::chain::{BLAKE3_256, Digest, Head};
use super::error::{LogError, damage, io_error};

/// Where the frames begin.
pub const HEADER_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"ZHENPING";
const FORMAT_VERSION: u16 = 1;
const CRC_32C: u8 = 1;

/// The name of the segment whose first record has this sequence.
pub fn path_of(dir: &Path, first_sequence: u64) -> PathBuf {
    dir.join(format!("{first_sequence:020}.seg"))
}

/// First sequences of the segments in a directory, ascending, by their names.
pub fn list(dir: &Path) -> Result<Vec<u64>, LogError> {
    let mut sequences = Vec::new();
    for item in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let name = item.map_err(io_error("list", dir))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".seg")).filter(|stem| stem.len() == 20);
        sequences.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    sequences.sort_unstable();
    Ok(sequences)
}

/// Creates a segment of `bytes` bytes, zeros but for the header. It appears under its name only when
/// it is whole and durable.
pub fn create(dir: &Path, head: Head, bytes: u64) -> Result<File, LogError> {
    let path = path_of(dir, head.next_sequence);
    let temporary = path.with_extension("new");
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&temporary)
        .map_err(io_error("create", &temporary))?;
    file.write_all(&header(head)).map_err(io_error("write", &temporary))?;
    file.set_len(bytes).map_err(io_error("preallocate", &temporary))?;
    file.sync_all().map_err(io_error("sync", &temporary))?;
    fs::rename(&temporary, &path).map_err(io_error("rename", &temporary))?;
    sync_dir(dir)?;
    Ok(file)
}

/// Makes new names in a directory durable.
pub fn sync_dir(dir: &Path) -> Result<(), LogError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))
}

fn header(head: Head) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[10] = BLAKE3_256;
    header[11] = CRC_32C;
    header[16..24].copy_from_slice(&head.next_sequence.to_le_bytes());
    header[24..56].copy_from_slice(&head.chain.0);
    let checksum = crc32c::crc32c(&header[..60]);
    header[60..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Reads and checks the header of the segment that is named after `first_sequence`: what the log's
/// head was before its first record.
pub fn read_header(file: &File, path: &Path, first_sequence: u64) -> Result<Head, LogError> {
    let damaged = |problem| damage(path, 0, first_sequence, problem);
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => damaged("the file is shorter than its header"),
        _ => io_error("read", path)(error),
    })?;
    if header[..8] != *MAGIC || header[60..] != crc32c::crc32c(&header[..60]).to_le_bytes() {
        return Err(damaged("the header's checksum or magic number is wrong"));
    }
    let version = u16::from_le_bytes([header[8], header[9]]);
    if (version, header[10], header[11]) != (FORMAT_VERSION, BLAKE3_256, CRC_32C) {
        let problem =
            format!("format {version}, hash algorithm {}, checksum algorithm {}", header[10], header[11]);
        return Err(LogError::Format { path: path.to_owned(), problem });
    }
    let mut sequence = [0; 8];
    sequence.copy_from_slice(&header[16..24]);
    let mut chain = Digest::default();
    chain.0.copy_from_slice(&header[24..56]);
    if u64::from_le_bytes(sequence) != first_sequence {
        return Err(damaged("the file's name is not the first sequence in its header"));
    }
    Ok(Head { next_sequence: first_sequence, chain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_of_a_header_can_change() {
        let dir = tempfile::tempdir().unwrap();
        let head = Head { next_sequence: 42, chain: Digest::of(b"before") };
        let file = create(dir.path(), head, 4096).unwrap();
        let path = path_of(dir.path(), 42);
        assert_eq!(read_header(&file, &path, 42).unwrap(), head);
        assert_eq!(list(dir.path()).unwrap(), [42]);
        assert!(read_header(&file, &path, 43).is_err());
        for at in 0..HEADER_BYTES as u64 {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
            assert!(matches!(read_header(&file, &path, 42), Err(LogError::Damaged(_))), "byte {at}");
            file.write_all_at(&byte, at).unwrap();
        }
    }
}
