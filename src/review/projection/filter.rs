//! What a list of cases is narrowed by.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::error::ProjectionError;
use super::rows::Viewer;
use crate::time::{DAY_MS, HOUR_MS, Instant};
use crate::wire::{Channel, Suspicion};

/// The tabs of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// All open cases.
    #[default]
    Open,
    /// Those that the viewer has claimed.
    Mine,
    /// Bad ratings.
    Bad,
    /// Past their deadline.
    Overdue,
    /// Second looks.
    Second,
    /// Appeals.
    Appeals,
    /// Handed on by somebody.
    Escalated,
    /// What was decided, latest first.
    Decided,
}

impl Tab {
    /// All tabs with their names in addresses.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Open, "open"),
        (Self::Mine, "mine"),
        (Self::Bad, "bad"),
        (Self::Overdue, "overdue"),
        (Self::Second, "second"),
        (Self::Appeals, "appeals"),
        (Self::Escalated, "escalated"),
        (Self::Decided, "decided"),
    ];

    /// The tab with a name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|&(tab, _)| tab)
    }
}

/// The orders of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Most urgent first.
    #[default]
    Priority,
    /// Longest waiting first; of decided cases, first decided first.
    Oldest,
    /// Latest first.
    Newest,
    /// Nearest deadline first.
    Deadline,
}

impl Sort {
    /// All orders with their names in addresses, in Chinese and in English.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 4] = [
        (Self::Priority, "priority", "优先级", "priority"),
        (Self::Oldest, "oldest", "等待最久", "longest waiting"),
        (Self::Newest, "newest", "最新", "newest"),
        (Self::Deadline, "deadline", "时限", "deadline"),
    ];

    /// The order with a name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, ..)| *known == name).map(|&(sort, ..)| sort)
    }
}

/// How long a case has waited, at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Four hours.
    FourHours,
    /// A day.
    Day,
    /// Three days.
    ThreeDays,
}

impl Age {
    /// All with their names in addresses, in Chinese and in English.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 3] = [
        (Self::FourHours, "4h", "4小时以上", "over 4 hours"),
        (Self::Day, "1d", "1天以上", "over a day"),
        (Self::ThreeDays, "3d", "3天以上", "over 3 days"),
    ];

    /// The age with a name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, ..)| *known == name).map(|&(age, ..)| age)
    }

    pub(super) fn ms(self) -> i64 {
        match self {
            Self::FourHours => 4 * HOUR_MS,
            Self::Day => DAY_MS,
            Self::ThreeDays => 3 * DAY_MS,
        }
    }
}

/// Which cases an account may see. Upper and lower case, and spaces around a code, are no matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Departments; empty for all.
    pub departments: Vec<String>,
    /// Districts; empty for all. A rating that names none is then in none.
    pub districts: Vec<String>,
    /// The account's own department, whose cases it does not see.
    pub own_department: Option<String>,
}

/// What is listed.
#[derive(Clone, Debug, Default)]
pub struct QueueFilter {
    /// The tab.
    pub tab: Tab,
    /// Suspected of this. Finds no second look.
    pub suspicion: Option<Suspicion>,
    /// With a reason of this code. Finds no second look.
    pub rule: Option<String>,
    /// Department code.
    pub department: Option<String>,
    /// District code.
    pub district: Option<String>,
    /// Channel.
    pub channel: Option<Channel>,
    /// Stars.
    pub stars: Option<u8>,
    /// Waiting for so long.
    pub age: Option<Age>,
    /// The order.
    pub sort: Sort,
    /// A department's code, or else how a `rating_id` begins; empty for all.
    pub q: String,
    /// What the account may see.
    pub scope: Scope,
    /// Name of the account.
    pub name: String,
    /// Now.
    pub now: Instant,
}

impl QueueFilter {
    pub(super) fn viewer(&self) -> Viewer<'_> {
        Viewer { name: &self.name, now: self.now }
    }
}

/// Conditions of a query with their values, in one order.
#[derive(Default)]
pub(super) struct Conditions {
    texts: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    pub fn plain(&mut self, text: &str) {
        self.texts.push(text.to_owned());
    }

    /// A condition with one `?`.
    pub fn with(&mut self, text: &str, value: impl Into<Value>) {
        self.texts.push(text.to_owned());
        self.values.push(value.into());
    }

    /// A condition with as many `?` as values.
    pub fn with_all(&mut self, text: &str, values: impl IntoIterator<Item = Value>) {
        self.texts.push(text.to_owned());
        self.values.extend(values);
    }

    /// A column whose value is one of these.
    pub fn one_of(&mut self, column: &str, values: &[String]) {
        let list = serde_json::to_string(values).unwrap_or_default();
        self.with(&format!("{column} IN (SELECT value FROM json_each(?))"), list);
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }

    pub fn text(&self) -> String {
        if self.texts.is_empty() { "1".to_owned() } else { self.texts.join(" AND ") }
    }

    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }
}

/// Which departments and districts of the cases that there are lie in a scope; `None` for all.
pub(super) struct Visible {
    pub departments: Option<Vec<String>>,
    pub districts: Option<Vec<String>>,
}

fn same(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b.trim())
}

pub(super) fn visible(db: &Connection, scope: &Scope) -> Result<Visible, ProjectionError> {
    let codes = |column: &str| -> Result<Vec<String>, ProjectionError> {
        let mut statement = db.prepare_cached(&format!("SELECT DISTINCT {column} FROM counter"))?;
        let codes = statement.query_map([], |row| row.get(0))?;
        Ok(codes.collect::<Result<_, _>>()?)
    };
    let in_list = |list: &[String], code: &str| list.is_empty() || list.iter().any(|entry| same(entry, code));
    let departments = match (scope.departments.is_empty(), &scope.own_department) {
        (true, None) => None,
        (_, own) => {
            let mut codes = codes("department")?;
            codes.retain(|code| {
                in_list(&scope.departments, code) && !own.as_ref().is_some_and(|own| same(own, code))
            });
            Some(codes)
        }
    };
    let districts = match scope.districts.is_empty() {
        true => None,
        false => {
            let mut codes = codes("district")?;
            codes.retain(|code| !code.is_empty() && in_list(&scope.districts, code));
            Some(codes)
        }
    };
    Ok(Visible { departments, districts })
}

impl Visible {
    pub fn restrict(&self, conditions: &mut Conditions) {
        if let Some(departments) = &self.departments {
            conditions.one_of("department", departments);
        }
        if let Some(districts) = &self.districts {
            conditions.one_of("district", districts);
        }
    }
}
