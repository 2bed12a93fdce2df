//! Lists: codes and keys that people vouch for or warn of, each with a reason, an author and an
//! expiry.
//!
//! A rule asks with `in_list(what, 'name')`. What a list is `of` is either a feature that holds a
//! code (`service.department`) or one of [`KEYS`].

use crate::catalogue::{Catalogue, FeatureType, code_of};
use crate::expression::document::{Reader, Text, as_text};
use crate::expression::{Diagnostic, ListId, Membership, nearest};
use crate::pseudonym::Pseudonym;
use crate::time::{HOUR_MS, Instant};

/// Keys besides features that a list may be of. All but `terminal` are written as pseudonyms, in
/// 32 hexadecimal digits, as the desk shows them.
pub const KEYS: &[&str] = &["device", "rater", "ip", "subnet", "terminal"];

/// Most lists in one rule set.
pub const MAX_LISTS: usize = 64;
/// Most entries in all lists of one rule set.
pub const MAX_ENTRIES: usize = 100_000;

/// The keys of one rating that a list may be of, 0 where absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListKeys {
    /// [`Pseudonym::key`] of the device.
    pub device: u64,
    /// [`Pseudonym::key`] of the rater.
    pub rater: u64,
    /// [`Pseudonym::key`] of the address.
    pub ip: u64,
    /// [`Pseudonym::key`] of the subnet.
    pub subnet: u64,
    /// [`code_of`] the official terminal's id.
    pub terminal: u64,
    /// Further names of the first four after a rotation of the keys, 0 where there is none: a list may have
    /// been written under either epoch.
    pub renamed: [u64; 4],
}

impl ListKeys {
    /// The key at a position in [`KEYS`].
    fn get(&self, position: u8) -> Option<u64> {
        let keys = [self.device, self.rater, self.ip, self.subnet, self.terminal];
        keys.get(usize::from(position)).copied().filter(|&key| key != 0)
    }

    /// The other name of a key.
    fn other(&self, value: u64) -> Option<u64> {
        let keys = [self.device, self.rater, self.ip, self.subnet];
        let mut pairs = keys.into_iter().zip(self.renamed);
        pairs.find(|&(key, other)| key == value && other != 0).map(|(_, other)| other)
    }

    /// Sets the key at a position in [`KEYS`].
    pub(super) fn set(&mut self, position: usize, value: u64) {
        let keys = [&mut self.device, &mut self.rater, &mut self.ip, &mut self.subnet, &mut self.terminal];
        if let Some(key) = keys.into_iter().nth(position) {
            *key = value;
        }
    }
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value as it is compared: a code's hash or a key.
    pub value: u64,
    /// Why it is listed.
    pub reason: String,
    /// Who listed it.
    pub author: String,
    /// From when on it no longer counts.
    pub expires: Instant,
}

/// One list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// What rules call it.
    pub name: String,
    /// The feature or key that it is of.
    pub of: String,
    /// Sorted by value.
    entries: Vec<Entry>,
}

impl List {
    /// An empty list.
    pub fn new(name: impl Into<String>, of: impl Into<String>) -> Self {
        Self { name: name.into(), of: of.into(), entries: Vec::new() }
    }

    /// Adds an entry. A value may have several; it counts until the last of them expires.
    pub fn insert(&mut self, entry: Entry) {
        let at = self.entries.partition_point(|earlier| earlier.value <= entry.value);
        self.entries.insert(at, entry);
    }

    /// The entries, sorted by value.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether the value has an entry that counts at `now`.
    pub fn contains(&self, value: u64, now: Instant) -> bool {
        let first = self.entries.partition_point(|entry| entry.value < value);
        self.entries[first..].iter().take_while(|entry| entry.value == value).any(|entry| entry.expires > now)
    }
}

/// The lists of a rule set, in the order in which its programs number them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists(Vec<List>);

impl Lists {
    pub(super) fn new(lists: Vec<List>) -> Self {
        Self(lists)
    }

    /// All lists.
    pub fn iter(&self) -> impl Iterator<Item = &List> {
        self.0.iter()
    }

    /// The list with this name, to add entries to.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut List> {
        self.0.iter_mut().find(|list| list.name == name)
    }

    /// Number of lists.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lists as one rating sees them.
    pub fn at(&self, now: Instant, keys: ListKeys) -> ListsAt<'_> {
        ListsAt { lists: self, now, keys }
    }
}

/// The lists at one moment, for one rating's keys.
#[derive(Clone, Copy, Debug)]
pub struct ListsAt<'a> {
    lists: &'a Lists,
    now: Instant,
    keys: ListKeys,
}

impl Membership for ListsAt<'_> {
    fn contains(&self, list: ListId, value: u64) -> bool {
        let Some(list) = self.lists.0.get(usize::from(list.0)) else { return false };
        let other = || self.keys.other(value).is_some_and(|other| list.contains(other, self.now));
        list.contains(value, self.now) || other()
    }

    fn key(&self, key: u8) -> Option<u64> {
        self.keys.get(key)
    }
}

/// Reads one `[[list]]`.
pub(super) fn read(
    mut table: Reader<'_>,
    catalogue: &Catalogue,
    problems: &mut Vec<Diagnostic>,
) -> Option<(List, Text)> {
    let name = table.required_text("name", problems);
    let of = table.required_text("of", problems);
    table.text("text", problems);
    let rows = table.tables("entries", "an entry", problems);
    table.finish(problems);
    let (name, of) = (name?, of?);
    if let Err(diagnostic) = check_of(&of.value, catalogue) {
        problems.push(Diagnostic { span: of.span.clone(), ..diagnostic });
        return None;
    }
    if rows.len() > MAX_ENTRIES {
        let message = format!("the list has {} entries; at most {MAX_ENTRIES} are allowed", rows.len());
        problems.push(Diagnostic::new(name.span.clone(), message));
        return None;
    }
    let entries = rows.into_iter().filter_map(|row| read_entry(row, &of.value, problems));
    let mut list = List::new(name.value.as_str(), of.value.as_str());
    list.entries = entries.collect();
    list.entries.sort_by_key(|entry| entry.value);
    Some((list, name))
}

/// What a list can be of.
fn check_of(of: &str, catalogue: &Catalogue) -> Result<(), Diagnostic> {
    if KEYS.contains(&of) {
        return Ok(());
    }
    let codes =
        || catalogue.iter().filter(|(_, f)| f.kind == FeatureType::Code).map(|(_, f)| f.name.as_str());
    if codes().any(|code| code == of) {
        return Ok(());
    }
    let all: Vec<&str> = KEYS.iter().copied().chain(codes()).collect();
    Err(Diagnostic::new(0..0, format!("a list cannot be of `{of}`"))
        .suggest(nearest(of, all.iter().copied()))
        .note(format!("it is of one of {}", all.join(", "))))
}

fn read_entry(mut row: Reader<'_>, of: &str, problems: &mut Vec<Diagnostic>) -> Option<Entry> {
    let value = row.required_text("value", problems);
    let mut vouched = |key: &'static str, row: &mut Reader<'_>| {
        let text = row.required_text(key, problems)?;
        if text.value.trim().is_empty() {
            problems.push(Diagnostic::new(text.span, format!("`{key}` is empty")));
            return None;
        }
        Some(text.value)
    };
    let reason = vouched("reason", &mut row);
    let author = vouched("author", &mut row);
    let expires = read_expiry(&mut row, problems);
    row.finish(problems);
    let value = value.and_then(|value| match value_of(of, &value.value) {
        Ok(code) => Some(code),
        Err(message) => {
            problems.push(Diagnostic::new(value.span, message));
            None
        }
    });
    Some(Entry { value: value?, reason: reason?, author: author?, expires: expires? })
}

/// The value that an entry or a case writes, as it is compared.
pub(super) fn value_of(of: &str, written: &str) -> Result<u64, String> {
    if !KEYS.contains(&of) || of == "terminal" {
        return if written.is_empty() { Err("the value is empty".to_owned()) } else { Ok(code_of(written)) };
    }
    let digits = written.as_bytes();
    let mut pseudonym = [0; 16];
    let well_formed = digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit);
    if !well_formed {
        return Err(format!("a {of} is written as its pseudonym, 32 hexadecimal digits"));
    }
    for (byte, pair) in pseudonym.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16).unwrap_or(0) as u8;
        *byte = digit(pair[0]) << 4 | digit(pair[1]);
    }
    Ok(Pseudonym(pseudonym).key())
}

/// The hours that official time (Asia/Shanghai, without summer time) is ahead of UTC.
const OFFICIAL_OFFSET_MS: i64 = 8 * HOUR_MS;

/// `expires`: a date, from whose beginning in official time the entry no longer counts, or a
/// date-time with an offset; as a TOML date or in quotes.
fn read_expiry(row: &mut Reader<'_>, problems: &mut Vec<Diagnostic>) -> Option<Instant> {
    let Some(value) = row.value("expires") else {
        problems.push(row.missing("expires"));
        return None;
    };
    let written = match value.get_ref().as_datetime() {
        Some(datetime) => datetime.to_string(),
        None => as_text(value.get_ref()).map(ToString::to_string).unwrap_or_default(),
    };
    let expires = match written.parse::<jiff::civil::Date>() {
        Ok(date) if written.len() == 10 => date
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|midnight| Instant(midnight.timestamp().as_millisecond() - OFFICIAL_OFFSET_MS)),
        _ => Instant::parse_rfc3339(&written),
    };
    if expires.is_none() {
        problems.push(
            Diagnostic::new(value.span(), "`expires` must be a date, or a date-time with an offset")
                .note("such as 2027-01-01 or 2027-01-01T00:00:00+08:00"),
        );
    }
    expires
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::document;

    fn read_all(file: &str) -> (Vec<List>, Vec<String>) {
        let table = document::parse(file).unwrap();
        let mut problems = Vec::new();
        let mut root = Reader::root(&table, file, "a file");
        let tables = root.tables("list", "a list", &mut problems);
        let catalogue = Catalogue::builtin();
        let lists = tables
            .into_iter()
            .filter_map(|t| read(t, &catalogue, &mut problems))
            .map(|(list, _)| list)
            .collect();
        (lists, problems.into_iter().map(|p| p.message).collect())
    }

    #[test]
    fn an_entry_counts_until_it_expires() {
        let (lists, problems) = read_all(
            "[[list]]\nname = 'pilot'\nof = 'service.department'\nentries = [\n\
             { value = 'A', reason = 'pilot', author = 'li', expires = 2027-01-01 },\n\
             { value = 'A', reason = 'again', author = 'li', expires = '2026-01-01T00:00:00Z' },\n\
             { value = 'B', reason = 'pilot', author = 'li', expires = 2026-06-01T08:00:00+08:00 }]\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let at = |text| Instant::parse_rfc3339(text).unwrap();
        let pilot = &lists[0];
        assert!(pilot.contains(code_of("A"), at("2026-12-31T23:59:59+08:00")));
        assert!(!pilot.contains(code_of("A"), at("2027-01-01T00:00:00+08:00")));
        assert!(pilot.contains(code_of("B"), at("2026-05-31T23:59:59Z")));
        assert!(!pilot.contains(code_of("B"), at("2026-06-01T00:00:00Z")));
        assert!(!pilot.contains(code_of("C"), at("2026-01-01T00:00:00Z")));
    }

    #[test]
    fn an_entry_without_a_reason_an_author_or_an_expiry_is_refused() {
        let (lists, problems) = read_all(
            "[[list]]\nname = 'devices'\nof = 'device'\nentries = [\n\
             { value = '00112233445566778899aabbccddeeff' },\n\
             { value = 'xyz', reason = ' ', author = 'li', expires = 'soon' }]\n\
             [[list]]\nname = 'x'\nof = 'divice'\n",
        );
        assert_eq!(lists.len(), 1);
        assert!(lists[0].entries().is_empty());
        assert_eq!(
            problems,
            [
                "an entry needs `reason`",
                "an entry needs `author`",
                "an entry needs `expires`",
                "`reason` is empty",
                "`expires` must be a date, or a date-time with an offset",
                "a device is written as its pseudonym, 32 hexadecimal digits",
                "a list cannot be of `divice`",
            ]
        );
    }

    #[test]
    fn a_pseudonym_in_digits_is_the_key_that_ratings_carry() {
        let pseudonym = Pseudonym(*b"0123456789abcdef");
        let digits: String = pseudonym.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(value_of("device", &digits), Ok(pseudonym.key()));
        assert_eq!(value_of("service.clerk", "C7"), Ok(code_of("C7")));
    }
}
