//! One file of the vault.
//!
//! ```text
//!  0  "ZHENPVLT"   8  version u16   10  cipher u8 (1: XChaCha20-Poly1305)   11  0 u8
//! 12  day i32     16  part u32
//! 20  the file's key, sealed by the vault's key over bytes 0 to 19: nonce 24, key 32, tag 16
//! 92  CRC-32C u32 of all before it
//! 96  frames as in the log's segments; each record: length of rating_id u8 ‖ rating_id ‖ nonce 24 ‖ sealed comment
//! ```
//!
//! A header of zeros is that of a file whose key was erased; the file is removed when it is met.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::VaultError;
use super::seal::{NONCE_BYTES, SEALED_KEY_BYTES, Sealer};
use crate::log::error::{Damage, io_error};
use crate::log::frame::put_frame;
use crate::log::index::{KeyKind, MemoryIndex};
use crate::log::record::{RecordKeys, rating_fingerprint};
use crate::log::scan::{Frames, read_record_at};
use crate::log::segment::sync_dir;
use crate::log::tail::{self, Tail};

const MAGIC: &[u8; 8] = b"ZHENPVLT";
const VERSION: u16 = 1;
const XCHACHA20_POLY1305: u8 = 1;
const CONTEXT_BYTES: usize = 20;
const CHECKSUM_AT: usize = CONTEXT_BYTES + SEALED_KEY_BYTES;
const HEADER_BYTES: usize = CHECKSUM_AT + 4;

/// A file takes no more comments beyond this, and the day gets another part.
const FULL_BYTES: u64 = 1 << 30;

/// A group that leaves the part of the file that was written before takes this many zeros along: the
/// groups after it change neither the file's length nor its blocks, so that their syncs write no inode.
/// As in the log, zeros are a clean end, and they are cut off when the file is closed in good order.
const ZERO_AHEAD_BYTES: usize = 1 << 18;

/// What a file is named by: the day of its comments, and its number within the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId {
    /// Days since 1970-01-01, by the clock that the vault is given.
    pub day: i32,
    /// Number within the day.
    pub part: u32,
}

impl FileId {
    fn path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{:07}-{:04}.vault", self.day, self.part))
    }

    fn of(path: &Path) -> Option<Self> {
        let (day, part) = path.file_name()?.to_str()?.strip_suffix(".vault")?.rsplit_once('-')?;
        Some(Self { day: day.parse().ok()?, part: part.parse().ok()? })
    }

    /// The files in a directory, ascending.
    pub fn list(dir: &Path) -> Result<Vec<Self>, VaultError> {
        let mut ids = Vec::new();
        for item in fs::read_dir(dir).map_err(io_error("list", dir))? {
            ids.extend(Self::of(&item.map_err(io_error("list", dir))?.path()));
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

/// A file, open.
#[derive(Debug)]
pub struct VaultFile {
    pub id: FileId,
    path: PathBuf,
    file: Arc<File>,
    sealer: Sealer,
    index: MemoryIndex,
    /// Where the next frame goes.
    end: u64,
    /// Length of the file: zeros stand from `end` on.
    written: u64,
}

impl VaultFile {
    /// Creates a file with a key of its own. It appears under its name only when that is durable.
    pub fn create(dir: &Path, id: FileId, vault: &Sealer) -> Result<Self, VaultError> {
        let path = id.path(dir);
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&[XCHACHA20_POLY1305, 0]);
        header.extend_from_slice(&id.day.to_le_bytes());
        header.extend_from_slice(&id.part.to_le_bytes());
        let (sealer, sealed_key) = vault.child(&header).map_err(VaultError::Randomness)?;
        header.extend_from_slice(&sealed_key);
        header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());

        let temporary = path.with_extension("new");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temporary)
            .map_err(io_error("create", &temporary))?;
        file.write_all(&header).map_err(io_error("write", &temporary))?;
        file.sync_all().map_err(io_error("sync", &temporary))?;
        fs::rename(&temporary, &path).map_err(io_error("rename", &temporary))?;
        sync_dir(dir)?;
        let (file, end) = (Arc::new(file), HEADER_BYTES as u64);
        Ok(Self { id, path, file, sealer, index: MemoryIndex::default(), end, written: end })
    }

    /// Opens a file and reads through it; `None` if its key was erased, and then it is removed.
    pub fn open(dir: &Path, id: FileId, vault: &Sealer) -> Result<Option<Self>, VaultError> {
        let path = id.path(dir);
        let file = File::options().read(true).write(true).open(&path).map_err(io_error("open", &path))?;
        let mut header = [0; HEADER_BYTES];
        let damaged = |offset, number, problem| damaged(&path, offset, number, problem);
        file.read_exact_at(&mut header, 0)
            .map_err(|_| damaged(0, 0, "the file is shorter than its header"))?;
        if header == [0; HEADER_BYTES] {
            remove(dir, &path)?;
            return Ok(None);
        }
        let sound = header[..8] == *MAGIC
            && header[8..12] == [VERSION.to_le_bytes()[0], VERSION.to_le_bytes()[1], XCHACHA20_POLY1305, 0]
            && header[12..16] == id.day.to_le_bytes()
            && header[16..20] == id.part.to_le_bytes()
            && header[CHECKSUM_AT..] == crc32c::crc32c(&header[..CHECKSUM_AT]).to_le_bytes();
        if !sound {
            return Err(damaged(0, 0, "the header's checksum, version or name is wrong"));
        }
        let (context, sealed_key) = header[..CHECKSUM_AT].split_at(CONTEXT_BYTES);
        let Some(sealer) = vault.open_child(sealed_key, context) else {
            return Err(VaultError::OtherKey { path });
        };

        let file = Arc::new(file);
        let mut index = MemoryIndex::default();
        let mut frames = Frames::new(Arc::clone(&file), path.clone(), HEADER_BYTES as u64);
        let mut offset = frames.offset();
        while frames.advance()? {
            let Some((rating_id, _)) = split(frames.record()) else {
                return Err(damaged(offset, index.len(), "the record names no rating"));
            };
            index.push(offset as u32, keys(rating_id));
            offset = frames.offset();
        }
        match tail::judge(&frames.rest()?, offset) {
            Tail::Clean | Tail::Torn => {
                file.set_len(offset).map_err(io_error("cut", &path))?;
                file.sync_all().map_err(io_error("sync", &path))?;
            }
            Tail::Damaged(problem) => return Err(damaged(offset, index.len(), problem)),
        }
        Ok(Some(Self { id, path, file, sealer, index, end: offset, written: offset }))
    }

    /// Whether another file should be begun.
    pub fn is_full(&self) -> bool {
        self.end >= FULL_BYTES
    }

    /// Seals comments and appends them: one write, one sync.
    pub fn append(&mut self, comments: &[(&str, &str)]) -> Result<(), VaultError> {
        let (mut bytes, mut record) = (Vec::new(), Vec::new());
        let mut offsets = Vec::with_capacity(comments.len());
        // All nonces in one system call: one for each comment costs as much as sealing it.
        let mut nonces = vec![[0; NONCE_BYTES]; comments.len()];
        getrandom::fill(nonces.as_flattened_mut()).map_err(VaultError::Randomness)?;
        for (nth, (&(rating_id, comment), nonce)) in comments.iter().zip(nonces).enumerate() {
            record.clear();
            record.push(rating_id.len() as u8);
            record.extend_from_slice(rating_id.as_bytes());
            let sealed = self.sealer.seal_with(nonce, &mut record, comment.as_bytes(), rating_id.as_bytes());
            sealed.map_err(VaultError::Randomness)?;
            offsets.push((self.end + bytes.len() as u64) as u32);
            put_frame(&mut bytes, &record, nth == 0);
        }
        let end = self.end + bytes.len() as u64;
        if end > self.written {
            bytes.resize(bytes.len() + ZERO_AHEAD_BYTES, 0);
        }
        self.file.write_all_at(&bytes, self.end).map_err(io_error("write", &self.path))?;
        self.file.sync_data().map_err(io_error("sync", &self.path))?;
        self.written = self.written.max(self.end + bytes.len() as u64);
        self.end = end;
        for (offset, &(rating_id, _)) in offsets.into_iter().zip(comments) {
            self.index.push(offset, keys(rating_id));
        }
        Ok(())
    }

    /// The comment of a rating, the latest where it was appended twice.
    pub fn comment(&self, rating_id: &str) -> Result<Option<String>, VaultError> {
        for number in self.index.find(KeyKind::Rating, rating_fingerprint(rating_id)) {
            let (found, comment) = self.read(number as usize)?;
            if found == rating_id {
                return Ok(Some(comment));
            }
        }
        Ok(None)
    }

    /// Number of comments.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// A comment by its number, with the `rating_id` that it belongs to.
    pub fn read(&self, number: usize) -> Result<(String, String), VaultError> {
        let record = self.record(number)?;
        let (rating_id, sealed) = split(&record).ok_or_else(|| self.damaged(number, "it names no rating"))?;
        let opened = self.sealer.open(sealed, rating_id.as_bytes());
        let comment = opened.and_then(|bytes| String::from_utf8(bytes).ok());
        let comment = comment.ok_or_else(|| self.damaged(number, "it does not open with the file's key"))?;
        Ok((rating_id.to_owned(), comment))
    }

    /// The `rating_id` of a comment by its number, without opening it.
    pub fn rating_id(&self, number: usize) -> Result<String, VaultError> {
        let record = self.record(number)?;
        let parts = split(&record).ok_or_else(|| self.damaged(number, "it names no rating"))?;
        Ok(parts.0.to_owned())
    }

    fn record(&self, number: usize) -> Result<Vec<u8>, VaultError> {
        let record = read_record_at(&self.file, || &self.path, self.offset(number))?;
        record.ok_or_else(|| self.damaged(number, "the frame's checksum is wrong"))
    }

    fn offset(&self, number: usize) -> u64 {
        self.index.offsets().get(number).copied().map_or(self.end, u64::from)
    }

    fn damaged(&self, number: usize, problem: &str) -> VaultError {
        damaged(&self.path, self.offset(number), number, problem)
    }

    /// Erases the file's key, and then the file.
    pub fn erase(self, dir: &Path) -> Result<(), VaultError> {
        self.file.write_all_at(&[0; HEADER_BYTES], 0).map_err(io_error("erase", &self.path))?;
        self.file.sync_all().map_err(io_error("sync", &self.path))?;
        remove(dir, &self.path)
    }
}

impl Drop for VaultFile {
    /// Cuts off the zeros ahead. That need not succeed, nor be durable.
    fn drop(&mut self) {
        if self.written > self.end {
            let _ = self.file.set_len(self.end);
        }
    }
}

fn remove(dir: &Path, path: &Path) -> Result<(), VaultError> {
    fs::remove_file(path).map_err(io_error("remove", path))?;
    Ok(sync_dir(dir)?)
}

fn damaged(path: &Path, offset: u64, number: usize, problem: &str) -> VaultError {
    let (segment, problem) = (path.to_owned(), problem.to_owned());
    VaultError::Damaged(Box::new(Damage { segment, offset, sequence: number as u64, problem }))
}

fn keys(rating_id: &str) -> RecordKeys {
    RecordKeys { rating: Some(rating_fingerprint(rating_id)), case: None }
}

/// A record's `rating_id` and its sealed comment.
fn split(record: &[u8]) -> Option<(&str, &[u8])> {
    let (&len, rest) = record.split_first()?;
    let (rating_id, sealed) = rest.split_at_checked(usize::from(len))?;
    Some((std::str::from_utf8(rating_id).ok()?, sealed))
}
