//! From a folder of CSV files to [`References`]: everything is read, and everything that is wrong is
//! reported.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use super::References;
use super::tables::{Builder, TABLES, Table, table_named};
use crate::date::UtcOffset;
use crate::expression::nearest;
use crate::pseudonym::Keyring;
use crate::version::Version;

/// Most bytes of all tables together, as they are read and as they go into the log.
pub const MAX_BYTES: usize = 16 << 20;
/// Errors that are shown of one set of tables.
const ERRORS_SHOWN: usize = 50;
/// Characters that are quoted of a cell.
const QUOTED_CHARS: usize = 40;

/// One thing that is wrong with a reference table. Nothing personal is quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceError {
    /// File name.
    pub file: String,
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The column, where it is about one.
    pub column: Option<String>,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if let Some(column) = &self.column {
            write!(f, ": {column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Everything that is wrong with a set of reference tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceErrors(pub Vec<ReferenceError>);

impl fmt::Display for ReferenceErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reference tables are not accepted:")?;
        for error in self.0.iter().take(ERRORS_SHOWN) {
            write!(f, "\n{error}")?;
        }
        match self.0.len().saturating_sub(ERRORS_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for ReferenceErrors {}

/// Reads the `*.csv` files of a folder, in order of name; other files are let be.
///
/// # Errors
/// The folder or a file cannot be read, a file is no UTF-8, or all together are longer than
/// [`MAX_BYTES`].
pub fn load_directory(path: &Path) -> Result<Vec<(String, String)>, ReferenceErrors> {
    let shown = |path: &Path| path.display().to_string();
    let wrong = |file: String, message: String| {
        ReferenceErrors(vec![ReferenceError { file, line: 0, column: None, message }])
    };
    let unreadable = |path: &Path| {
        let file = shown(path);
        move |error: std::io::Error| wrong(file, format!("cannot be read: {error}"))
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable(path))? {
        let file = entry.map_err(unreadable(path))?.path();
        let is_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        if is_csv && file.is_file() {
            paths.push(file);
            if paths.len() > 2 * TABLES.len() {
                let message = format!("has more than {} CSV files; {}", 2 * TABLES.len(), the_tables());
                return Err(wrong(shown(path), message));
            }
        }
    }
    paths.sort();
    let (mut files, mut room) = (Vec::new(), MAX_BYTES as u64);
    for file in &paths {
        let length = std::fs::metadata(file).map_err(unreadable(file))?.len();
        let Some(left) = room.checked_sub(length) else {
            let message =
                format!("the tables have more than {} MiB together; drop old rows", MAX_BYTES >> 20);
            return Err(wrong(shown(file), message));
        };
        room = left;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = String::from_utf8(std::fs::read(file).map_err(unreadable(file))?);
        let text = text.map_err(|error| {
            let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
                .iter()
                .filter(|&&b| b == b'\n')
                .count();
            let message = "is no UTF-8; in a spreadsheet save it as `CSV UTF-8`".to_owned();
            ReferenceErrors(vec![ReferenceError { file: name.clone(), line, column: None, message }])
        })?;
        files.push((name, text));
    }
    Ok(files)
}

impl References {
    /// Reads tables (name, text). Raw identifiers become pseudonyms of the keyring's current epoch.
    ///
    /// # Errors
    /// Everything that is wrong, by file, line and column.
    pub fn read(
        files: &[(String, String)],
        keyring: &Keyring,
        offset: UtcOffset,
    ) -> Result<Self, ReferenceErrors> {
        read(files, Some(keyring), offset)
    }

    /// Reads tables as the log has them ([`References::files`]): without a raw identifier.
    ///
    /// # Errors
    /// As [`References::read`]; a column of raw identifiers is one.
    pub fn from_log(files: &[(String, String)], offset: UtcOffset) -> Result<Self, ReferenceErrors> {
        read(files, None, offset)
    }
}

fn read(
    files: &[(String, String)],
    keyring: Option<&Keyring>,
    offset: UtcOffset,
) -> Result<References, ReferenceErrors> {
    let mut sorted: Vec<&(String, String)> = files.iter().collect();
    sorted.sort();
    let mut builder = Builder::new(keyring, offset);
    let mut errors = Errors { all: Vec::new(), file: "" };
    for pair in sorted.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        errors.file = &pair[1].0;
        errors.add(0, None, "the table is there twice".to_owned());
    }
    for (name, text) in sorted {
        errors.file = name;
        match table_named(name) {
            Some(table) => read_table(table, text, &mut builder, &mut errors),
            None => {
                let meant = nearest(name, TABLES.iter().map(|table| table.file));
                let meant = meant.map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
                errors.add(0, None, format!("is no reference table; {meant}{}", the_tables()));
            }
        }
    }
    let references = builder.finish();
    let bytes: usize = references.files.iter().map(|(_, text)| text.len()).sum();
    if bytes > MAX_BYTES {
        errors.file = "all tables";
        errors.add(0, None, format!("have more than {} MiB together; drop old rows", MAX_BYTES >> 20));
    }
    if !errors.all.is_empty() {
        return Err(ReferenceErrors(errors.all));
    }
    let parts = references.files.iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]);
    Ok(References { version: Version::of(parts), ..references })
}

fn the_tables() -> String {
    let names: Vec<_> = TABLES.iter().map(|table| table.file).collect();
    format!("the tables are {}", names.join(", "))
}

/// Collects errors, of which only so many are kept.
struct Errors<'a> {
    all: Vec<ReferenceError>,
    file: &'a str,
}

impl Errors<'_> {
    fn add(&mut self, line: usize, column: Option<&str>, message: String) {
        // A table of the wrong kind is wrong in every row.
        const KEPT: usize = 10_000;
        if self.all.len() < KEPT {
            let column = column.map(str::to_owned);
            self.all.push(ReferenceError { file: self.file.to_owned(), line, column, message });
        }
    }
}

fn read_table(table: &'static Table, text: &str, builder: &mut Builder<'_>, errors: &mut Errors<'_>) {
    builder.begin(table);
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate();
    let mut lines = lines.map(|(i, line)| (i + 1, line)).filter(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    let mut header_cells = Vec::new();
    let Some((line, header)) = lines.next() else {
        errors.add(1, None, format!("the header line is missing; {}", table.columns_shown()));
        return;
    };
    if let Err(problem) = split(header, &mut header_cells) {
        errors.add(line, None, problem.to_owned());
        return;
    }
    let Some(places) = read_header(table, line, &header_cells, errors) else { return };
    let columns = header_cells.len();
    for (line, text) in lines {
        let mut cells = Vec::with_capacity(columns);
        if let Err(problem) = split(text, &mut cells) {
            errors.add(line, None, problem.to_owned());
            continue;
        }
        // A spreadsheet leaves commas behind the last cell.
        while cells.len() > columns && cells.last().is_some_and(|cell| cell.is_empty()) {
            cells.pop();
        }
        if cells.len() != columns {
            errors.add(line, None, format!("cells: found {}; the header has {columns}", cells.len()));
            continue;
        }
        if cells.iter().all(|cell| cell.is_empty()) {
            continue;
        }
        let row: Vec<&str> = places.iter().map(|place| place.map_or("", |place| &*cells[place])).collect();
        if let Err(problem) = builder.add(table, line, &row) {
            let found = match problem.quotable {
                true => format!("found `{}`; ", quoted(row[problem.column])),
                false => String::new(),
            };
            errors.add(line, Some(table.columns[problem.column].name), format!("{found}{}", problem.message));
        }
    }
}

/// Where each of the table's columns stands in the file.
fn read_header(
    table: &Table,
    line: usize,
    header: &[Cow<'_, str>],
    errors: &mut Errors<'_>,
) -> Option<Vec<Option<usize>>> {
    let before = errors.all.len();
    for (i, name) in header.iter().enumerate() {
        if header[..i].contains(name) {
            errors.add(line, Some(&quoted(name)), "the column is there twice".to_owned());
        } else if &**name != "note" && !table.columns.iter().any(|column| column.name == &**name) {
            let meant = nearest(name, table.columns.iter().map(|column| column.name));
            let meant = meant.map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
            errors.add(
                line,
                Some(&quoted(name)),
                format!("no such column; {meant}{}", table.columns_shown()),
            );
        }
    }
    let places: Vec<Option<usize>> =
        table.columns.iter().map(|column| header.iter().position(|name| *name == column.name)).collect();
    for (column, place) in table.columns.iter().zip(&places) {
        if column.required && place.is_none() {
            errors.add(line, Some(column.name), format!("the column is missing; {}", table.columns_shown()));
        }
    }
    let some = table.columns.iter().zip(&places).any(|(column, place)| !column.required && place.is_some());
    if !some && errors.all.len() == before && table.columns.iter().any(|column| !column.required) {
        let names: Vec<_> = table.columns.iter().filter(|c| !c.required).map(|c| c.name).collect();
        errors.add(line, None, format!("one of the columns {} is needed", names.join(", ")));
    }
    (errors.all.len() == before).then_some(places)
}

fn quoted(text: &str) -> String {
    let mut shown: String =
        text.chars().take(QUOTED_CHARS).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(QUOTED_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// Cuts a line into cells (RFC 4180, but a cell ends with its line), trimmed.
fn split<'a>(line: &'a str, cells: &mut Vec<Cow<'a, str>>) -> Result<(), &'static str> {
    const UNCLOSED: &str = "a quotation mark is not closed on its line, or text follows it";
    let mut rest = line;
    loop {
        let text = rest.trim_start();
        let (cell, after) = match text.strip_prefix('"') {
            None => {
                let end = text.find(',').unwrap_or(text.len());
                (Cow::Borrowed(text[..end].trim_end()), &text[end..])
            }
            Some(quoted) => {
                let mut at = 0;
                let end = loop {
                    at += quoted[at..].find('"').ok_or(UNCLOSED)?;
                    match quoted[at + 1..].starts_with('"') {
                        true => at += 2,
                        false => break at,
                    }
                };
                let cell = match quoted[..end].contains("\"\"") {
                    true => Cow::Owned(quoted[..end].replace("\"\"", "\"")),
                    false => Cow::Borrowed(&quoted[..end]),
                };
                (cell, quoted[end + 1..].trim_start())
            }
        };
        cells.push(cell);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(()),
            None => return Err(UNCLOSED),
        }
    }
}
