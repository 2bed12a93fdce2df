//! Reads a segment's frames in order, in bounded memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{LogError, io_error};
use super::frame::{FRAME_BYTES, FRAME_HEAD_BYTES, FrameHead, read_frame};

/// Bytes read at once. A longer record makes the buffer grow to its own length.
const BUFFER_BYTES: usize = 256 * 1024;

/// The frames of one segment file from some offset on. It reads with `pread` rather than through a
/// map: a file that is cut while it is read must be an error, not a signal.
#[derive(Debug)]
pub struct Frames {
    file: Arc<File>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Where `buffer` begins in the file.
    buffer_offset: u64,
    /// The next frame, from the start of `buffer`.
    at: usize,
    /// The record of the frame before it.
    record: Range<usize>,
    /// Whether that frame is the first of its group.
    first: bool,
}

impl Frames {
    /// Frames from `offset`, which is where one begins.
    pub fn new(file: Arc<File>, path: PathBuf, offset: u64) -> Self {
        Self { file, path, buffer: Vec::new(), buffer_offset: offset, at: 0, record: 0..0, first: false }
    }

    /// Goes to the next frame; `false` where none reads. Asking again reads the file again, so that a
    /// frame that has been written since is found.
    pub fn advance(&mut self) -> Result<bool, LogError> {
        let mut frame = self.buffered();
        if frame.is_none() {
            self.refill(FRAME_BYTES)?;
            let wanted = FrameHead::read(&self.buffer).map_or(0, FrameHead::frame_bytes);
            if wanted > self.buffer.len() {
                self.refill(wanted)?;
            }
            frame = self.buffered();
        }
        let Some(head) = frame else { return Ok(false) };
        let start = self.at + FRAME_HEAD_BYTES;
        self.record = start..start + head.record_bytes;
        self.at += head.frame_bytes();
        self.first = head.first;
        Ok(true)
    }

    /// The record of the frame that [`Self::advance`] went to.
    pub fn record(&self) -> &[u8] {
        &self.buffer[self.record.clone()]
    }

    /// Whether the frame that [`Self::advance`] went to is the first of its group.
    pub fn begins_group(&self) -> bool {
        self.first
    }

    /// Where the frame after it begins in the file.
    pub fn offset(&self) -> u64 {
        self.buffer_offset + self.at as u64
    }

    /// Whether nothing stands there, when [`Self::advance`] has just found no frame.
    pub fn at_nothing(&self) -> bool {
        self.buffer.get(self.at).is_none_or(|&byte| byte == 0)
    }

    /// The segment file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything from there to the end of the file, which is at most a segment.
    pub fn rest(&self) -> Result<Vec<u8>, LogError> {
        let end = self.file.metadata().map_err(io_error("measure", &self.path))?.len();
        let mut rest = vec![0; end.saturating_sub(self.offset()) as usize];
        let filled = read_full_at(&self.file, self.offset(), &mut rest);
        let filled = filled.map_err(io_error("read", &self.path))?;
        rest.truncate(filled);
        Ok(rest)
    }

    fn buffered(&self) -> Option<FrameHead> {
        read_frame(&self.buffer[self.at..]).map(|(head, _)| head)
    }

    /// Reads the file again from the next frame, at least `bytes` of it where it has so many.
    fn refill(&mut self, bytes: usize) -> Result<(), LogError> {
        self.buffer_offset = self.offset();
        self.at = 0;
        self.record = 0..0;
        self.buffer.resize(bytes.max(BUFFER_BYTES), 0);
        let filled = read_full_at(&self.file, self.buffer_offset, &mut self.buffer);
        let filled = filled.map_err(io_error("read", &self.path))?;
        self.buffer.truncate(filled);
        Ok(())
    }
}

/// Fills `out` from `offset`, or as much of it as the file has; gives the number of bytes.
fn read_full_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < out.len() {
        match file.read_at(&mut out[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The record of the frame that begins at `offset`; `None` where none reads. `path` names the file in
/// an error.
pub fn read_record_at<P: AsRef<Path>>(
    file: &File,
    path: impl FnOnce() -> P,
    offset: u64,
) -> Result<Option<Vec<u8>>, LogError> {
    read_record(file, offset).map_err(|error| io_error("read", path().as_ref())(error))
}

fn read_record(file: &File, offset: u64) -> io::Result<Option<Vec<u8>>> {
    // Most records fit the first read.
    let mut bytes = vec![0; 1024];
    for _ in 0..2 {
        let filled = read_full_at(file, offset, &mut bytes)?;
        if let Some((_, record)) = read_frame(&bytes[..filled]) {
            return Ok(Some(record.to_vec()));
        }
        match FrameHead::read(&bytes[..filled]) {
            Some(head) if head.frame_bytes() > bytes.len() => bytes = vec![0; head.frame_bytes()],
            _ => return Ok(None),
        }
    }
    Ok(None)
}
