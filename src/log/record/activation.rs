//! An activation's record.

use super::super::codec::{DecodeError, Fields, put_bytes, put_varint, put_zigzag};
use super::super::entry::{ActivationEntry, Subject};
use crate::time::Instant;
use crate::verdict::Version;

pub fn put(out: &mut Vec<u8>, entry: &ActivationEntry) {
    out.push(entry.subject as u8);
    out.extend_from_slice(&entry.version.0);
    put_zigzag(out, entry.at.ms());
    put_bytes(out, entry.by.as_bytes());
    put_varint(out, entry.files.len() as u64);
    for (name, contents) in &entry.files {
        put_bytes(out, name.as_bytes());
        put_bytes(out, contents);
    }
}

pub fn entry(public: &[u8]) -> Result<ActivationEntry, DecodeError> {
    let fields = &mut Fields::new(public);
    let subject = fields.variant("subject", Subject::from_index)?;
    let version = Version(fields.array("version")?);
    let at = Instant(fields.zigzag("at")?);
    let by = fields.text("by")?.to_owned();
    let count = fields.count("files")?;
    let file = |_| Ok((fields.text("files.name")?.to_owned(), fields.bytes("files.contents")?.to_vec()));
    let files = (0..count).map(file).collect::<Result<_, _>>()?;
    fields.end("public part")?;
    Ok(ActivationEntry { subject, version, files, at, by })
}
