//! Recomputes a log: every checksum, every leaf, every link of the chain.
//!
//! It needs no key and no index, takes no lock, and works beside a running server and on a copy.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::chain::Head;
use super::error::{Damage, LogError, damage, io_error};
use super::frame::FRAME_BYTES;
use super::reader::{no_log, open_segment};
use super::record::Record;
use super::scan::Frames;
use super::segment::{self, HEADER_BYTES};
use super::tail::{self, Tail};

/// Records between two reports of progress.
const PROGRESS_RECORDS: u64 = 1 << 16;

/// How far a verification is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes checked.
    pub bytes: u64,
    /// Bytes in all, when it began.
    pub total_bytes: u64,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Segments that were read.
    pub segments: u64,
    /// Sequence of the first record that is there; what went before was removed with its segments.
    pub first_sequence: u64,
    /// The head after the last sound record.
    pub head: Head,
    /// Bytes of sound segments and records.
    pub bytes: u64,
    /// Bytes at the end that belong to a write that was never acknowledged.
    pub torn_bytes: u64,
    /// The first damaged place.
    pub damage: Option<Damage>,
    /// Whether the log leads to the head that was expected; `None` if none was, or if there is damage
    /// before it.
    pub leads_to_expected: Option<bool>,
}

impl Report {
    const EMPTY: Self = Self {
        segments: 0,
        first_sequence: 0,
        head: Head::GENESIS,
        bytes: 0,
        torn_bytes: 0,
        damage: None,
        leads_to_expected: None,
    };

    /// Number of sound records.
    pub fn records(&self) -> u64 {
        self.head.next_sequence - self.first_sequence
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.damage.is_none() && self.leads_to_expected != Some(false)
    }
}

/// Verifies the log in a directory. With `expected`, a head that was noted down earlier, it also finds
/// whether the log still leads there: a log that was rewritten as a whole does not.
///
/// # Errors
/// A file cannot be read. Damage is no error here: it is in the report.
pub fn verify(
    dir: &Path,
    expected: Option<Head>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Report, LogError> {
    let firsts = segment::list(dir)?;
    let Some(&first) = firsts.first() else { return Err(no_log(dir)) };
    let mut total_bytes = 0;
    for &first in &firsts {
        let path = segment::path_of(dir, first);
        total_bytes += path.metadata().map_err(io_error("measure", &path))?.len();
    }
    let head = Head { next_sequence: first, ..Head::GENESIS };
    let report = Report { first_sequence: first, head, ..Report::EMPTY };
    let mut verifier = Verifier { dir, report, expected, total_bytes, on_progress };
    match verifier.run(first) {
        Ok(()) => {
            // An expected head beyond the end of the log: its tail is lost.
            if expected.is_some() {
                verifier.report.leads_to_expected.get_or_insert(false);
            }
        }
        Err(LogError::Damaged(damage)) => verifier.report.damage = Some(*damage),
        Err(error) => return Err(error),
    }
    Ok(verifier.report)
}

/// The head of the log in a directory, from its last segment alone. Beside a running server it may be
/// a group ahead of what is synced.
///
/// # Errors
/// There is no log, or its last segment is damaged.
pub fn head_of(dir: &Path) -> Result<Head, LogError> {
    loop {
        let Some(&last) = segment::list(dir)?.last() else { return Err(no_log(dir)) };
        let (file, before) = open_segment(dir, last)?;
        let report = Report { first_sequence: last, head: before, ..Report::EMPTY };
        let mut verifier = Verifier { dir, report, expected: None, total_bytes: 0, on_progress: &mut |_| {} };
        // Another segment may have begun in the meantime.
        if verifier.segment(file)?.is_none() {
            return Ok(verifier.report.head);
        }
    }
}

struct Verifier<'a> {
    dir: &'a Path,
    report: Report,
    expected: Option<Head>,
    total_bytes: u64,
    on_progress: &'a mut dyn FnMut(Progress),
}

impl Verifier<'_> {
    fn run(&mut self, first: u64) -> Result<(), LogError> {
        let (file, before) = open_segment(self.dir, first)?;
        if first == 0 && before != Head::GENESIS {
            let problem = "the header of the first segment does not begin the chain";
            return Err(damage(&segment::path_of(self.dir, 0), 0, 0, problem));
        }
        self.report.head = before;
        self.compare();
        let mut next = Some(file);
        while let Some(file) = next {
            next = self.segment(file)?;
        }
        Ok(())
    }

    /// Verifies the segment that begins at the head; gives the next one, if there is one.
    fn segment(&mut self, file: File) -> Result<Option<File>, LogError> {
        let path = segment::path_of(self.dir, self.report.head.next_sequence);
        let mut frames = Frames::new(Arc::new(file), path.clone(), HEADER_BYTES as u64);
        self.report.segments += 1;
        self.report.bytes += HEADER_BYTES as u64;
        loop {
            self.frames(&mut frames)?;
            let sequence = self.report.head.next_sequence;
            let offset = frames.offset();
            let damaged = |problem: &str| damage(&path, offset, sequence, problem);
            // In this order: where another segment is there, this one was complete before.
            let later =
                segment::list(self.dir)?.into_iter().find(|&first| segment::path_of(self.dir, first) > path);
            let rest = frames.rest()?;
            let judged = tail::judge(&rest, offset);
            if frames.advance()? {
                // The writer went on in the meantime.
                self.record(&frames)?;
                continue;
            }
            let Some(later) = later else {
                match judged {
                    Tail::Clean => {}
                    Tail::Torn => self.report.torn_bytes = used(&rest),
                    Tail::Damaged(problem) => return Err(damaged(problem)),
                }
                self.progress();
                return Ok(None);
            };
            if judged != Tail::Clean {
                return Err(damaged("no record reads here, in a segment that was complete"));
            }
            if later != sequence {
                return Err(damaged(&format!(
                    "the records from here to {later}, where the next segment begins, are missing"
                )));
            }
            let (file, before) = open_segment(self.dir, later)?;
            if before.chain != self.report.head.chain {
                let problem = "the chain does not lead from the segment before to this one: records were changed, \
                               or the header was";
                return Err(damage(&segment::path_of(self.dir, later), 0, later, problem));
            }
            return Ok(Some(file));
        }
    }

    /// Verifies frames up to where none reads.
    fn frames(&mut self, frames: &mut Frames) -> Result<(), LogError> {
        while frames.advance()? {
            self.record(frames)?;
            if self.report.head.next_sequence.is_multiple_of(PROGRESS_RECORDS) {
                self.progress();
            }
        }
        Ok(())
    }

    fn record(&mut self, frames: &Frames) -> Result<(), LogError> {
        let frame_bytes = (frames.record().len() + FRAME_BYTES) as u64;
        let record = Record::parse(frames.record()).map_err(|source| {
            let offset = frames.offset() - frame_bytes;
            damage(frames.path(), offset, self.report.head.next_sequence, &source.to_string())
        })?;
        self.report.head = self.report.head.after(record.leaf());
        self.report.bytes += frame_bytes;
        self.compare();
        Ok(())
    }

    fn compare(&mut self) {
        if let Some(expected) =
            self.expected.filter(|head| head.next_sequence == self.report.head.next_sequence)
        {
            self.report.leads_to_expected = Some(expected == self.report.head);
        }
    }

    fn progress(&mut self) {
        (self.on_progress)(Progress { bytes: self.report.bytes, total_bytes: self.total_bytes });
    }
}

/// Bytes up to the last one that is not zero.
fn used(rest: &[u8]) -> u64 {
    rest.iter().rposition(|&byte| byte != 0).map_or(0, |last| last as u64 + 1)
}

#[cfg(test)]
mod tests;
