//! What opening a log does: finds the end of the active segment, and rebuilds what can be rebuilt.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::chain::Head;
use super::error::{LogError, damage, io_error};
use super::index::{MappedIndex, MemoryIndex, write_index};
use super::record::Record;
use super::scan::Frames;
use super::segment::{self, HEADER_BYTES};
use super::tail::{self, Tail};

/// The active segment, ready to be appended to.
#[derive(Debug)]
pub struct Recovered {
    /// Open for writing.
    pub file: File,
    /// Index of its records.
    pub index: MemoryIndex,
    /// The log's head.
    pub head: Head,
    /// Where the next frame goes.
    pub end: u64,
    /// Size of the file.
    pub capacity: u64,
}

/// Begins a log: a first segment without records. Nothing needs reading back, which for a sparse file
/// of 64 MiB would cost more than many a run of `score`.
pub fn begin(dir: &Path, segment_bytes: u32) -> Result<Recovered, LogError> {
    let capacity = u64::from(segment_bytes).max(HEADER_BYTES as u64);
    let file = segment::create(dir, Head::GENESIS, capacity)?;
    let (index, end) = (MemoryIndex::default(), HEADER_BYTES as u64);
    Ok(Recovered { file, index, head: Head::GENESIS, end, capacity })
}

/// Opens the active segment, checks every record of it, and drops the rest of a torn write.
pub fn active(dir: &Path, first: u64, segment_bytes: u32) -> Result<Recovered, LogError> {
    let path = segment::path_of(dir, first);
    let file = File::options().read(true).write(true).open(&path).map_err(io_error("open", &path))?;
    let before = segment::read_header(&file, &path, first)?;
    let reader = Arc::new(file.try_clone().map_err(io_error("open", &path))?);
    let (frames, index, head) = scan(reader, &path, before)?;

    let end = frames.offset();
    let rest = frames.rest()?;
    let capacity = u64::from(segment_bytes).max(end + rest.len() as u64);
    match tail::judge(&rest, end) {
        Tail::Clean => {}
        Tail::Torn => {
            let bytes = rest.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            tracing::warn!(segment = %path.display(), offset = end, bytes, "dropped a write that was never acknowledged");
            // Cut and then extended: at no moment does a part of the torn write stand before zeros.
            file.set_len(end).map_err(io_error("cut", &path))?;
            file.sync_all().map_err(io_error("sync", &path))?;
        }
        Tail::Damaged(problem) => return Err(damage(&path, end, head.next_sequence, problem)),
    }
    file.set_len(capacity).map_err(io_error("preallocate", &path))?;
    file.sync_all().map_err(io_error("sync", &path))?;
    Ok(Recovered { file, index, head, end, capacity })
}

/// Rebuilds the index of a sealed segment, after which the log's head was `after`.
pub fn rebuild_index(dir: &Path, first: u64, after: Head) -> Result<MappedIndex, LogError> {
    let path = segment::path_of(dir, first);
    let file = File::open(&path).map_err(io_error("open", &path))?;
    let before = segment::read_header(&file, &path, first)?;
    let bytes = file.metadata().map_err(io_error("measure", &path))?.len();
    let (frames, index, head) = scan(Arc::new(file), &path, before)?;
    if head.next_sequence != after.next_sequence {
        let problem =
            format!("no record reads here, but the next segment begins with {}", after.next_sequence);
        return Err(damage(&path, frames.offset(), head.next_sequence, &problem));
    }
    if head.chain != after.chain {
        let problem = "its records are whole, but their chain does not lead to the next segment";
        return Err(damage(&path, HEADER_BYTES as u64, first, problem));
    }
    write_index(dir, first, after, bytes, &index)?;
    MappedIndex::open(dir, first, after, bytes).ok_or_else(|| {
        let unread = std::io::Error::other("it does not read back as it was written");
        io_error("use the index of", &path)(unread)
    })
}

/// Reads all records of a segment: where they end, their index, and the head after them.
fn scan(file: Arc<File>, path: &Path, before: Head) -> Result<(Frames, MemoryIndex, Head), LogError> {
    let mut frames = Frames::new(file, path.to_owned(), HEADER_BYTES as u64);
    let (mut index, mut head) = (MemoryIndex::default(), before);
    let mut offset = frames.offset();
    while frames.advance()? {
        let undecodable = |source| LogError::Undecodable { sequence: head.next_sequence, source };
        let record = Record::parse(frames.record()).map_err(undecodable)?;
        index.push(offset as u32, record.keys().map_err(undecodable)?);
        head = head.after(record.leaf());
        offset = frames.offset();
    }
    Ok((frames, index, head))
}
