//! The tables one by one: their columns, what is allowed in each, and what is kept of a row.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{OpeningHours, References};
use crate::date::{Day, UtcOffset};
use crate::features::identity::organisation_key;
use crate::features::keys::KeyField;
use crate::pseudonym::{Keyring, Kind, Pseudonym};

/// Most holidays, and most make-up working days: more than ten years of both.
pub const MAX_DAYS: usize = 1_000;
/// Spans in which a hall is open on one weekday.
const MAX_SPANS: usize = 8;
/// Codes have at most so many characters in a rating; a longer one never matches.
const MAX_CODE_CHARS: usize = 64;

/// One column.
pub(super) struct Column {
    pub name: &'static str,
    /// Of a table's other columns at least one must be there, and filled in, in each row.
    pub required: bool,
}

/// One table.
pub(super) struct Table {
    pub file: &'static str,
    pub columns: &'static [Column],
}

impl Table {
    pub fn columns_shown(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        format!("the columns are {}, and `note`, which is not read", names.join(", "))
    }
}

const fn must(name: &'static str) -> Column {
    Column { name, required: true }
}

const fn may(name: &'static str) -> Column {
    Column { name, required: false }
}

/// All tables, in order of name.
pub(super) const TABLES: &[Table] = &[
    Table {
        file: "closed_cases.csv",
        columns: &[must("department"), must("hall"), must("window"), must("date"), must("cases")],
    },
    Table { file: "helpers.csv", columns: &[may("fingerprint"), may("device")] },
    Table { file: "holidays.csv", columns: &[must("date"), must("kind")] },
    Table {
        file: "opening_hours.csv",
        columns: &[must("hall"), must("weekday"), must("open"), must("close")],
    },
    Table {
        file: "staff.csv",
        columns: &[must("department"), may("account"), may("id_number"), may("phone"), may("rater")],
    },
    Table { file: "terminals.csv", columns: &[must("terminal")] },
];

pub(super) fn table_named(file: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.file == file)
}

pub(super) fn hall_key(hall: &str) -> u64 {
    organisation_key(KeyField::Hall, &[hall])
}

/// What is wrong with a cell.
pub(super) struct Problem {
    /// Position in the table's columns.
    pub column: usize,
    pub message: String,
    /// Whether the cell may be shown: nothing personal is.
    pub quotable: bool,
}

fn problem(column: usize, message: impl Into<String>) -> Problem {
    Problem { column, message: message.into(), quotable: true }
}

/// Takes rows in and keeps both what they mean and how they stand in the log.
pub(super) struct Builder<'k> {
    keyring: Option<&'k Keyring>,
    references: References,
    /// In which line a row was that another one may contradict.
    staff_lines: HashMap<u64, usize>,
    day_lines: HashMap<Day, usize>,
    closed_lines: HashMap<(u64, Day), usize>,
}

impl<'k> Builder<'k> {
    pub fn new(keyring: Option<&'k Keyring>, offset: UtcOffset) -> Self {
        Self {
            keyring,
            references: References { offset, ..References::default() },
            staff_lines: HashMap::new(),
            day_lines: HashMap::new(),
            closed_lines: HashMap::new(),
        }
    }

    /// A table is there, be it without a row.
    pub fn begin(&mut self, table: &'static Table) {
        let r = &mut self.references;
        let header = match table.file {
            "terminals.csv" => {
                r.terminals = Some(HashSet::new());
                "terminal"
            }
            "helpers.csv" => {
                r.helpers = Some(HashSet::new());
                "device"
            }
            "staff.csv" => {
                r.staff = Some(HashMap::new());
                "rater,department"
            }
            "opening_hours.csv" => {
                r.hours = Some(OpeningHours::default());
                "hall,weekday,open,close"
            }
            "holidays.csv" => {
                r.holidays = Some(BTreeMap::new());
                "date,kind"
            }
            _ => {
                r.closed = Some(HashMap::new());
                "department,hall,window,date,cases"
            }
        };
        r.files.push((table.file.to_owned(), format!("{header}\n")));
        r.rows.push((table.file, 0));
    }

    /// Adds a row: a cell for each of the table's columns, empty where the file has none.
    pub fn add(&mut self, table: &'static Table, line: usize, row: &[&str]) -> Result<(), Problem> {
        match (table.file, row) {
            ("terminals.csv", &[terminal]) => {
                code(0, terminal)?;
                let key = organisation_key(KeyField::Terminal, &[terminal]);
                self.references.terminals.get_or_insert_default().insert(key);
                self.write(&[terminal]);
            }
            ("helpers.csv", &[fingerprint, device]) => {
                let ids = self.identities(&[(0, Some(Kind::Fingerprint), fingerprint), (1, None, device)])?;
                for id in ids {
                    self.references.helpers.get_or_insert_default().insert(id.key());
                    self.write(&[&hex(id)]);
                }
            }
            ("staff.csv", &[department, account, id_number, phone, rater]) => {
                code(0, department)?;
                let ids = self.identities(&[
                    (1, Some(Kind::Account), account),
                    (2, Some(Kind::IdNumber), id_number),
                    (3, Some(Kind::Phone), phone),
                    (4, None, rater),
                ])?;
                let key = organisation_key(KeyField::Department, &[department]);
                for id in ids {
                    let known = self.references.staff.get_or_insert_default().insert(id.key(), key);
                    let earlier = self.staff_lines.insert(id.key(), line);
                    if let Some(earlier) = earlier.filter(|_| known.is_some_and(|known| known != key)) {
                        let message = format!("line {earlier} has the same person in another department");
                        return Err(problem(0, message));
                    }
                    if known.is_none() {
                        self.write(&[&hex(id), department]);
                    }
                }
            }
            ("opening_hours.csv", &[hall, weekday, open, close]) => {
                self.add_hours(hall, weekday, open, close)?
            }
            ("holidays.csv", &[date, kind]) => self.add_day(line, date, kind)?,
            ("closed_cases.csv", &[department, hall, window, date, cases]) => {
                code(0, department)?;
                // A window may stand in no hall.
                if !hall.is_empty() {
                    code(1, hall)?;
                }
                code(2, window)?;
                let day = day(3, date)?;
                let number: u32 =
                    cases.parse().map_err(|_| problem(4, "a whole number from 0 to 4294967295"))?;
                let key = (organisation_key(KeyField::Window, &[department, hall, window]), day);
                if let Some(earlier) = self.closed_lines.insert(key, line) {
                    return Err(problem(3, format!("line {earlier} has the same window and day")));
                }
                self.references.closed.get_or_insert_default().insert(key, number);
                self.write(&[department, hall, window, date, cases]);
            }
            // The table's own columns are handed in, so that this is never met.
            _ => return Err(problem(0, "unexpected columns")),
        }
        if let Some((_, rows)) = self.references.rows.last_mut() {
            *rows += 1;
        }
        Ok(())
    }

    fn add_hours(&mut self, hall: &str, weekday: &str, open: &str, close: &str) -> Result<(), Problem> {
        code(0, hall)?;
        let number: Option<u8> = weekday.parse().ok().filter(|day| (1..=7).contains(day));
        let number = number.ok_or_else(|| problem(1, "1 (Monday) to 7 (Sunday) is allowed"))?;
        let span = (minute(2, open)?, minute(3, close)?);
        if span.0 >= span.1 {
            return Err(problem(
                3,
                "a time after `open` is allowed; for a night write two rows, to 24:00 and from 00:00",
            ));
        }
        let hours = self.references.hours.get_or_insert_default();
        let spans = hours.spans.entry((hall_key(hall), number)).or_default();
        if spans.len() == MAX_SPANS {
            return Err(problem(0, format!("at most {MAX_SPANS} rows of one hall and weekday are allowed")));
        }
        spans.push(span);
        hours.halls.insert(hall_key(hall));
        self.write(&[hall, weekday, open, close]);
        Ok(())
    }

    fn add_day(&mut self, line: usize, date: &str, kind: &str) -> Result<(), Problem> {
        let day = day(0, date)?;
        let working = match kind {
            "holiday" => false,
            "working" => true,
            _ => return Err(problem(1, "`holiday`, or `working` for a make-up working day, is allowed")),
        };
        if let Some(earlier) = self.day_lines.insert(day, line) {
            return Err(problem(0, format!("line {earlier} has the same date")));
        }
        let days = self.references.holidays.get_or_insert_default();
        if days.values().filter(|&&known| known == working).count() == MAX_DAYS {
            return Err(problem(0, format!("more than {MAX_DAYS} days of this kind; remove past years")));
        }
        days.insert(day, working);
        self.write(&[date, kind]);
        Ok(())
    }

    /// The pseudonyms of a row's identifiers: columns with a kind hold raw ones, the others pseudonyms.
    fn identities(&self, cells: &[(usize, Option<Kind>, &str)]) -> Result<Vec<Pseudonym>, Problem> {
        let mut found = Vec::new();
        for &(column, kind, cell) in cells.iter().filter(|(_, _, cell)| !cell.is_empty()) {
            let private = |message: &str| Problem { column, message: message.to_owned(), quotable: false };
            found.push(match (kind, self.keyring) {
                (None, _) => parse_hex(cell).ok_or_else(|| {
                    private("a pseudonym of 32 hexadecimal digits, as the desk shows it, is allowed")
                })?,
                (Some(kind), Some(keyring)) => keyring.pseudonym(kind, cell).map_err(|unusable| {
                    let text = unusable.text();
                    private(text.split("; read as missing").next().unwrap_or(text))
                })?,
                (Some(_), None) => {
                    return Err(private("a raw identifier, where only pseudonyms are expected"));
                }
            });
        }
        if found.is_empty() {
            let column = cells.first().map_or(0, |&(column, ..)| column);
            return Err(Problem { column, message: "the row names nobody".to_owned(), quotable: false });
        }
        Ok(found)
    }

    /// Adds a row to the log's form of the table.
    fn write(&mut self, cells: &[&str]) {
        let Some((_, text)) = self.references.files.last_mut() else { return };
        for (i, cell) in cells.iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            if cell.contains([',', '"']) || cell.starts_with('#') || cell.trim() != *cell {
                text.push('"');
                text.push_str(&cell.replace('"', "\"\""));
                text.push('"');
            } else {
                text.push_str(cell);
            }
        }
        text.push('\n');
    }

    pub fn finish(self) -> References {
        self.references
    }
}

fn too_long(column: usize) -> Problem {
    problem(column, format!("a code of at most {MAX_CODE_CHARS} characters is allowed"))
}

fn code(column: usize, text: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(problem(column, "a code is needed"));
    }
    if text.chars().count() > MAX_CODE_CHARS { Err(too_long(column)) } else { Ok(()) }
}

fn minute(column: usize, text: &str) -> Result<u16, Problem> {
    let two =
        |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok());
    let parsed: Option<(u16, u16)> = text.split_once(':').and_then(|(h, m)| Some((two(h)??, two(m)??)));
    match parsed {
        Some((h, m)) if m < 60 && h * 60 + m <= 1_440 => Ok(h * 60 + m),
        _ => Err(problem(column, "a time of day as HH:MM, 00:00 to 24:00, is allowed")),
    }
}

fn day(column: usize, text: &str) -> Result<Day, Problem> {
    Day::parse(text).ok_or_else(|| problem(column, "a date as YYYY-MM-DD is allowed"))
}

fn hex(id: Pseudonym) -> String {
    id.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_hex(text: &str) -> Option<Pseudonym> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 16];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(Pseudonym(bytes))
}
