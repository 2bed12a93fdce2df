//! Snapshots of state at a place in the log. A snapshot only shortens the replay: one that is missing,
//! damaged or of another log is passed over, and the replay begins earlier.
//!
//! ```text
//!  0  "ZHENPSNP"   8  version u16   10  0, 6 bytes   16  next sequence u64   24  chain, 32 bytes
//! 56  sections, back to back
//!     table: number of sections (varint), then name, length u64 and BLAKE3 of each
//!     BLAKE3 of the header and the table ‖ length of the table u64
//! ```

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::Log;
use super::chain::{Digest, Head};
use super::codec::{Fields, put_bytes, put_varint};
use super::error::{LogError, io_error};
use super::segment::sync_dir;

const MAGIC: &[u8; 8] = b"ZHENPSNP";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 56;
const FOOTER_BYTES: usize = 40;

/// Writes a snapshot, section by section. Until [`Self::finish`] it has no name, and dropping it
/// leaves nothing.
#[derive(Debug)]
pub struct SnapshotWriter {
    dir: PathBuf,
    head: Head,
    file: Option<BufWriter<File>>,
    temporary: PathBuf,
    header: [u8; HEADER_BYTES],
    table: Vec<u8>,
    sections: u64,
}

impl SnapshotWriter {
    /// Begins a snapshot of the state after all records before `head`.
    ///
    /// # Errors
    /// The directory or the file cannot be created.
    pub fn create(dir: &Path, head: Head) -> Result<Self, LogError> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let temporary = path_of(dir, head.next_sequence).with_extension("new");
        let file = File::create(&temporary).map_err(io_error("create", &temporary))?;
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[8..10].copy_from_slice(&VERSION.to_le_bytes());
        header[16..24].copy_from_slice(&head.next_sequence.to_le_bytes());
        header[24..].copy_from_slice(&head.chain.0);
        let mut file = BufWriter::with_capacity(1 << 20, file);
        file.write_all(&header).map_err(io_error("write", &temporary))?;
        Ok(Self {
            dir: dir.to_owned(),
            head,
            file: Some(file),
            temporary,
            header,
            table: Vec::new(),
            sections: 0,
        })
    }

    /// Writes a section. `fill` gets a buffered writer that counts and hashes.
    ///
    /// # Errors
    /// Writing fails, or `fill` does.
    pub fn section(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), LogError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut section = Section { file, hasher: blake3::Hasher::new(), bytes: 0 };
        fill(&mut section).map_err(io_error("write", &self.temporary))?;
        let (hash, bytes) = (section.hasher.finalize(), section.bytes);
        put_bytes(&mut self.table, name.as_bytes());
        self.table.extend_from_slice(&bytes.to_le_bytes());
        self.table.extend_from_slice(hash.as_bytes());
        self.sections += 1;
        Ok(())
    }

    /// Makes the snapshot durable, gives it its name, and removes all but the last `kept`.
    ///
    /// # Errors
    /// Writing, syncing or renaming fails.
    pub fn finish(mut self, kept: usize) -> Result<PathBuf, LogError> {
        let path = path_of(&self.dir, self.head.next_sequence);
        let mut table = Vec::with_capacity(self.table.len() + 10);
        put_varint(&mut table, self.sections);
        table.extend_from_slice(&self.table);
        let hash = Digest::of(&[&self.header, &table[..]].concat());
        if let Some(mut file) = self.file.take() {
            let written = file
                .write_all(&table)
                .and_then(|()| file.write_all(&hash.0))
                .and_then(|()| file.write_all(&(table.len() as u64).to_le_bytes()))
                .and_then(|()| file.flush())
                .and_then(|()| file.get_ref().sync_all());
            written.map_err(io_error("write", &self.temporary))?;
        }
        fs::rename(&self.temporary, &path).map_err(io_error("rename", &self.temporary))?;
        sync_dir(&self.dir)?;
        for old in list(&self.dir)?.into_iter().rev().skip(kept.max(1)) {
            let old = path_of(&self.dir, old);
            fs::remove_file(&old).map_err(io_error("remove", &old))?;
        }
        Ok(path)
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

struct Section<'a> {
    file: &'a mut BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Write for Section<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A snapshot whose every byte has been checked.
#[derive(Debug)]
pub struct Snapshot {
    map: Mmap,
    head: Head,
    sections: Sections,
}

/// Names of sections, and where their bytes are.
type Sections = Vec<(String, Range<usize>)>;

/// Why a snapshot is passed over.
#[derive(Debug)]
pub enum Unusable {
    /// Its bytes are not those that were written.
    Damaged,
    /// The log does not lead through the place where it was made.
    OtherLog,
    /// It or the log cannot be read.
    Unreadable(LogError),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("it is damaged"),
            Self::OtherLog => {
                f.write_str("the log does not lead to it: it is of another log, or of a lost end")
            }
            Self::Unreadable(error) => error.fmt(f),
        }
    }
}

impl Snapshot {
    /// The snapshots in a directory, the latest first. Those that were never finished are removed.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn latest_first(dir: &Path) -> Result<Vec<PathBuf>, LogError> {
        if !dir.exists() {
            return Ok(Vec::new());
        }
        for item in fs::read_dir(dir).map_err(io_error("list", dir))? {
            let path = item.map_err(io_error("list", dir))?.path();
            if path.extension().is_some_and(|extension| extension == "new") {
                fs::remove_file(&path).map_err(io_error("remove", &path))?;
            }
        }
        Ok(list(dir)?.into_iter().rev().map(|sequence| path_of(dir, sequence)).collect())
    }

    /// Opens a snapshot, checks every byte of it, and that `log` leads through its place.
    ///
    /// # Errors
    /// It is to be passed over.
    pub fn open(path: &Path, log: &dyn Log) -> Result<Self, Unusable> {
        let snapshot = Self::load(path).map_err(Unusable::Unreadable)?.ok_or(Unusable::Damaged)?;
        match log.leads_to(snapshot.head) {
            Ok(true) => Ok(snapshot),
            Ok(false) => Err(Unusable::OtherLog),
            Err(error) => Err(Unusable::Unreadable(error)),
        }
    }

    /// The place in the log whose state it holds: replay goes on with this sequence.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The bytes of a section.
    pub fn section(&self, name: &str) -> Option<&[u8]> {
        let (_, range) = self.sections.iter().find(|(section, _)| section == name)?;
        self.map.get(range.clone())
    }

    /// Loads and checks a snapshot; `None` if it is damaged.
    fn load(path: &Path) -> Result<Option<Self>, LogError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        // SAFETY: the file got its name by a rename when it was whole and durable, and is only ever
        // removed after that, never written to.
        let Ok(map) = (unsafe { Mmap::map(&file) }) else { return Ok(None) };
        Ok(check(&map).map(|(head, sections)| Self { map, head, sections }))
    }
}

/// The head and the places of the sections, if every hash is right.
fn check(bytes: &[u8]) -> Option<(Head, Sections)> {
    let (body, footer) = bytes.split_at_checked(bytes.len().checked_sub(FOOTER_BYTES)?)?;
    let table_bytes = u64::from_le_bytes(*footer[32..].first_chunk()?);
    let table_at = body.len().checked_sub(usize::try_from(table_bytes).ok()?)?;
    let (header, table) = (body.get(..HEADER_BYTES)?, &body[table_at..]);
    let sound = header[..8] == *MAGIC
        && header[8..10] == VERSION.to_le_bytes()
        && Digest::of(&[header, table].concat()).0 == footer[..32];
    if !sound {
        return None;
    }
    let mut chain = Digest::default();
    chain.0.copy_from_slice(&header[24..]);
    let head = Head { next_sequence: u64::from_le_bytes(*header[16..].first_chunk()?), chain };
    let mut fields = Fields::new(table);
    let mut at = HEADER_BYTES;
    let mut sections = Vec::new();
    for _ in 0..fields.count("sections").ok()? {
        let name = fields.text("name").ok()?.to_owned();
        let end = at.checked_add(usize::try_from(fields.u64("length").ok()?).ok()?)?;
        let section = body.get(at..end).filter(|_| end <= table_at)?;
        let hash = fields.array("hash").ok()?;
        if Digest::of(section).0 != hash {
            return None;
        }
        sections.push((name, at..end));
        at = end;
    }
    (at == table_at && fields.rest().is_empty()).then_some((head, sections))
}

fn path_of(dir: &Path, next_sequence: u64) -> PathBuf {
    dir.join(format!("{next_sequence:020}.snapshot"))
}

/// Next sequences of the snapshots in a directory, ascending.
fn list(dir: &Path) -> Result<Vec<u64>, LogError> {
    let mut sequences = Vec::new();
    for item in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let name = item.map_err(io_error("list", dir))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".snapshot"));
        sequences.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    sequences.sort_unstable();
    Ok(sequences)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::record::samples::{catalogue, typical};
    use crate::log::{EmbeddedLog, LogOptions};

    fn log(dir: &Path) -> (EmbeddedLog, Vec<Head>) {
        let log = EmbeddedLog::open(dir, LogOptions { segment_bytes: 2048 }).unwrap();
        let catalogue = catalogue();
        let mut heads = vec![log.head()];
        for number in 0..12 {
            log.append(&[typical(number, &catalogue).encode(&catalogue)]).unwrap();
            heads.push(log.head());
        }
        (log, heads)
    }

    fn save(dir: &Path, head: Head) -> PathBuf {
        let mut writer = SnapshotWriter::create(dir, head).unwrap();
        writer.section("tables", |out| out.write_all(&head.next_sequence.to_le_bytes())).unwrap();
        writer.section("empty", |_| Ok(())).unwrap();
        writer.finish(2).unwrap()
    }

    fn latest(dir: &Path, log: &EmbeddedLog) -> Option<Snapshot> {
        Snapshot::latest_first(dir).unwrap().iter().find_map(|path| Snapshot::open(path, log).ok())
    }

    #[test]
    fn the_latest_is_loaded_and_two_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (log, heads) = log(&dir.path().join("log"));
        let snapshots = dir.path().join("snapshots");
        assert!(latest(&snapshots, &log).is_none());
        for &head in &heads {
            save(&snapshots, head);
            let loaded = latest(&snapshots, &log).unwrap();
            assert_eq!(loaded.head(), head);
            assert_eq!(loaded.section("tables"), Some(&head.next_sequence.to_le_bytes()[..]));
            assert_eq!(loaded.section("empty"), Some(&[][..]));
            assert_eq!(loaded.section("absent"), None);
        }
        assert_eq!(list(&snapshots).unwrap(), [11, 12]);
        drop(SnapshotWriter::create(&snapshots, heads[3]).unwrap());
        assert_eq!(fs::read_dir(&snapshots).unwrap().count(), 2);
        // What a kill leaves behind goes at the next look.
        fs::write(path_of(&snapshots, 7).with_extension("new"), b"half").unwrap();
        assert_eq!(Snapshot::latest_first(&snapshots).unwrap().len(), 2);
        assert_eq!(fs::read_dir(&snapshots).unwrap().count(), 2);
    }

    #[test]
    fn one_with_a_changed_or_missing_byte_is_passed_over_for_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let (log, heads) = log(&dir.path().join("log"));
        let snapshots = dir.path().join("snapshots");
        save(&snapshots, heads[4]);
        let bytes = fs::read(save(&snapshots, heads[9])).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 4;
            assert!(check(&changed).is_none(), "byte {at}");
            assert!(check(&bytes[..at]).is_none(), "cut at {at}");
        }
        let path = path_of(&snapshots, 9);
        fs::remove_file(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(latest(&snapshots, &log).unwrap().head(), heads[4]);
    }

    #[test]
    fn one_of_another_log_or_from_a_lost_end_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let (log, heads) = log(&dir.path().join("log"));
        let snapshots = dir.path().join("snapshots");
        save(&snapshots, heads[2]);
        save(&snapshots, Head { chain: Digest::of(b"other"), ..heads[5] });
        assert_eq!(latest(&snapshots, &log).unwrap().head(), heads[2]);
        save(&snapshots, Head { next_sequence: 13, ..heads[12] });
        assert!(latest(&snapshots, &log).is_none());
    }
}
