//! Accounts of the people at the reviewers' desk.
//!
//! An account is never deleted, only disabled: decisions and views name it, and a name that was given away
//! again would put them on somebody else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};
use zeroize::Zeroizing;

use super::password::{self, PasswordRefusal};
use super::{Access, AccessError, now};
use crate::time::Instant;

/// Most accounts, disabled ones too; they are all held in memory.
pub const ACCOUNTS_MAX: usize = 10_000;
/// Fewest characters of a name.
pub const NAME_CHARS_MIN: usize = 2;
/// Most characters of a name.
pub const NAME_CHARS_MAX: usize = 32;
/// Most characters of a display name.
pub const DISPLAY_CHARS_MAX: usize = 40;
/// Most characters of a department's or district's code, as in a rating.
pub const CODE_CHARS_MAX: usize = 64;
/// Most departments, and most districts, that one account's scope may list.
pub const SCOPE_MAX: usize = 200;

pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS account (
    name              TEXT PRIMARY KEY,
    display           TEXT NOT NULL,
    role              TEXT NOT NULL,
    department        TEXT,
    district          TEXT,
    scope_departments TEXT NOT NULL,
    scope_districts   TEXT NOT NULL,
    password          TEXT NOT NULL,
    must_change       INTEGER NOT NULL,
    created           INTEGER NOT NULL,
    disabled          INTEGER,
    generation        INTEGER NOT NULL
) STRICT;";

/// What a person does at the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub enum AccountRole {
    /// Decides what happens to held ratings.
    Reviewer,
    /// Tunes rules: sees cases and reasons, decides nothing.
    Analyst,
    /// Checks who did what and that the figures follow: sees no case and no reason.
    Auditor,
    /// Runs the desk: sees everything in scope, decides nothing.
    Admin,
}

impl AccountRole {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Reviewer, Self::Analyst, Self::Auditor, Self::Admin];

    /// Its name on the command line, in the database and in forms.
    pub fn value(self) -> &'static str {
        match self {
            Self::Reviewer => "reviewer",
            Self::Analyst => "analyst",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// Its name in Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Reviewer => "审核员",
            Self::Analyst => "分析员",
            Self::Auditor => "审计员",
            Self::Admin => "管理员",
        }
    }

    /// Its name in English.
    pub fn en(self) -> &'static str {
        match self {
            Self::Reviewer => "Reviewer",
            Self::Analyst => "Analyst",
            Self::Auditor => "Auditor",
            Self::Admin => "Admin",
        }
    }

    /// Whether it decides on ratings. Whoever makes accounts must not: one person could then be two.
    pub fn decides(self) -> bool {
        self == Self::Reviewer
    }

    /// Whether it sees cases, with their suspicion and reasons.
    pub fn sees_cases(self) -> bool {
        self != Self::Auditor
    }

    fn from_value(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.value() == value)
    }
}

impl fmt::Display for AccountRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.value())
    }
}

/// A person at the desk. The password's hash is kept apart from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What the person signs in with: 2 to 32 of `a-z 0-9 . _ -`.
    pub name: String,
    /// What others read, usually a Chinese name. Never empty.
    pub display: String,
    /// What the person does.
    pub role: AccountRole,
    /// Code of the department that the person works in; `None` if it is none that is rated.
    pub department: Option<String>,
    /// Code of the district that the person works in; `None` if it is none that is rated.
    pub district: Option<String>,
    /// Departments whose cases the person sees; empty for all.
    pub scope_departments: Vec<String>,
    /// Districts whose cases the person sees; empty for all.
    pub scope_districts: Vec<String>,
    /// Whether somebody else knows the password, so that it must be changed before anything else.
    pub must_change: bool,
    /// When it was made.
    pub created: Instant,
    /// Since when it is disabled.
    pub disabled: Option<Instant>,
    /// Raised by a new password, by disabling and by enabling; sessions of an earlier one have ended.
    pub generation: i64,
}

impl Account {
    /// `active`, `new password due` or `disabled`.
    pub fn standing(&self) -> &'static str {
        match (self.disabled, self.must_change) {
            (Some(_), _) => "disabled",
            (None, true) => "new password due",
            (None, false) => "active",
        }
    }
}

/// What an account is made of.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// See [`Account::name`].
    pub name: String,
    /// See [`Account::display`]; the name if it is empty.
    pub display: String,
    /// See [`Account::role`].
    pub role: AccountRole,
    /// See [`Account::department`].
    pub department: Option<String>,
    /// See [`Account::district`].
    pub district: Option<String>,
    /// See [`Account::scope_departments`].
    pub scope_departments: Vec<String>,
    /// See [`Account::scope_districts`].
    pub scope_districts: Vec<String>,
}

/// Who chose a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// Whoever signs in with it.
    Holder,
    /// Somebody else, so that the holder must change it at the next sign-in.
    Other,
}

/// Why an account cannot be made or changed so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountError {
    /// There is none of this name.
    Unknown(String),
    /// There is one of this name already.
    Taken(String),
    /// It is disabled.
    Disabled(String),
    /// The name is not one.
    Name(String),
    /// The display name is too long or has control characters.
    Display,
    /// A code is empty, too long, or has control characters; with the field's name.
    Code(&'static str, String),
    /// Too many codes in a scope; with the field's name and their number.
    Scope(&'static str, usize),
    /// There are as many accounts as there may be.
    TooMany,
    /// The password is not good enough.
    Password(PasswordRefusal),
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "there is no account {name:?}; `zhenping user list` lists them"),
            Self::Taken(name) => write!(
                f,
                "name: there is an account {name:?} already, and a name is never given twice; choose another"
            ),
            Self::Disabled(name) => {
                write!(f, "the account {name:?} is disabled; `zhenping user enable {name}` enables it")
            }
            Self::Name(name) => write!(
                f,
                "name: {name:?} is not {NAME_CHARS_MIN} to {NAME_CHARS_MAX} of a-z, 0-9, '.', '_' and '-', \
                 beginning with a letter or digit; put the person's full name in --display"
            ),
            Self::Display => write!(
                f,
                "display: at most {DISPLAY_CHARS_MAX} characters, none of them control characters; shorten it"
            ),
            Self::Code(field, code) => write!(
                f,
                "{field}: {code:?} is not 1 to {CODE_CHARS_MAX} characters without control characters; \
                 give the code that ratings carry"
            ),
            Self::Scope(field, count) => write!(
                f,
                "{field}: {count} codes, the limit is {SCOPE_MAX}; give none at all for a scope of everything"
            ),
            Self::TooMany => write!(
                f,
                "there are {ACCOUNTS_MAX} accounts, disabled ones included, which is the limit of one data \
                 directory; give part of the offices a service of its own"
            ),
            Self::Password(refusal) => write!(f, "password: {}", refusal.en()),
        }
    }
}

impl std::error::Error for AccountError {}

/// The login name in what somebody typed: without space around it, in small letters. `None` if no account
/// can be called that.
pub fn login_name(typed: &str) -> Option<String> {
    let name = typed.trim();
    let in_bounds = (NAME_CHARS_MIN..=NAME_CHARS_MAX).contains(&name.len());
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    (in_bounds && begins && name.bytes().all(is_allowed)).then(|| name.to_ascii_lowercase())
}

/// An account as it stands in memory.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) account: Arc<Account>,
    /// PHC string.
    pub(super) password: Arc<str>,
}

/// All accounts by name.
#[derive(Default)]
pub(super) struct Accounts(RwLock<HashMap<String, Stored>>);

impl Accounts {
    pub(super) fn get(&self, name: &str) -> Option<Stored> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Reads them again.
    pub(super) fn reread(&self, connection: &Connection) -> Result<(), AccessError> {
        let mut statement = connection.prepare_cached(
            "SELECT name, display, role, department, district, scope_departments, scope_districts, password,
                    must_change, created, disabled, generation FROM account",
        )?;
        let mut rows = statement.query([])?;
        let mut accounts = HashMap::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let role: String = row.get(2)?;
            let scope = |column| -> Result<Option<Vec<String>>, rusqlite::Error> {
                Ok(serde_json::from_str(&row.get::<_, String>(column)?).ok())
            };
            // Of a role or scope that this version does not know it must grant nothing.
            let (Some(role), Some(scope_departments), Some(scope_districts)) =
                (AccountRole::from_value(&role), scope(5)?, scope(6)?)
            else {
                tracing::error!(%name, "the account is left out: its role or scope is not of this version");
                continue;
            };
            let account = Account {
                name: name.clone(),
                display: row.get(1)?,
                role,
                department: row.get(3)?,
                district: row.get(4)?,
                scope_departments,
                scope_districts,
                must_change: row.get(8)?,
                created: Instant(row.get(9)?),
                disabled: row.get::<_, Option<i64>>(10)?.map(Instant),
                generation: row.get(11)?,
            };
            let password: String = row.get(7)?;
            accounts.insert(name, Stored { account: Arc::new(account), password: password.into() });
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = accounts;
        Ok(())
    }
}

impl Access {
    /// Makes an account. Without a password it makes one and returns it; either way the holder must change
    /// it at the first sign-in, since somebody else has seen it. Takes tens of milliseconds and 19 MiB.
    ///
    /// # Errors
    /// If a field is out of bounds, the name is taken, or the database cannot be written.
    pub fn create_account(
        &self,
        new: NewAccount,
        password: Option<&str>,
    ) -> Result<(Arc<Account>, Option<Zeroizing<String>>), AccessError> {
        let name = match login_name(&new.name) {
            Some(name) if name == new.name => name,
            _ => return Err(AccountError::Name(new.name).into()),
        };
        let display = match new.display.trim() {
            "" => name.clone(),
            display if display.chars().count() > DISPLAY_CHARS_MAX => {
                return Err(AccountError::Display.into());
            }
            display if display.chars().any(char::is_control) => return Err(AccountError::Display.into()),
            display => display.to_owned(),
        };
        let department = new.department.map(|text| code("department", &text)).transpose()?;
        let district = new.district.map(|text| code("district", &text)).transpose()?;
        let scope_departments = scope("scope-department", &new.scope_departments)?;
        let scope_districts = scope("scope-district", &new.scope_districts)?;
        if self.account(&name).is_some() {
            return Err(AccountError::Taken(name).into());
        }
        let (hash, made) = chosen(&name, password)?;

        let mut database = self.database();
        let change = database.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let count: i64 = change.query_row("SELECT count(*) FROM account", [], |row| row.get(0))?;
        if usize::try_from(count).is_ok_and(|count| count >= ACCOUNTS_MAX) {
            return Err(AccountError::TooMany.into());
        }
        let inserted = change.execute(
            "INSERT INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9, NULL, 1)",
            params![
                name,
                display,
                new.role.value(),
                department,
                district,
                scope_departments,
                scope_districts,
                hash,
                now().0
            ],
        );
        match inserted {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                return Err(AccountError::Taken(name).into());
            }
            other => other?,
        };
        change.commit()?;
        self.accounts.reread(&database.connection)?;
        Ok((self.known(&name)?, made))
    }

    /// Every account, by name; from memory.
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        let accounts = self.accounts.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = accounts.values().map(|stored| Arc::clone(&stored.account)).collect();
        list.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// The account of a name, disabled or not; from memory.
    pub fn account(&self, name: &str) -> Option<Arc<Account>> {
        self.accounts.get(name).map(|stored| stored.account)
    }

    /// Gives an account a new password, and ends its sessions. Without one it makes one and returns it.
    /// Takes tens of milliseconds and 19 MiB.
    ///
    /// # Errors
    /// If there is no such account, the password is not good enough, or the database cannot be written.
    pub fn set_password(
        &self,
        name: &str,
        password: Option<&str>,
        by: SetBy,
    ) -> Result<Option<Zeroizing<String>>, AccessError> {
        self.known(name)?;
        let (hash, made) = chosen(name, password)?;
        self.change_and_end(
            "UPDATE account SET password = ?2, must_change = ?3, generation = generation + 1 WHERE name = ?1",
            name,
            params![name, hash, by == SetBy::Other],
        )?;
        Ok(made)
    }

    /// Disables an account and ends its sessions. Disabling twice keeps the first instant.
    ///
    /// # Errors
    /// If there is no such account, or the database cannot be written.
    pub fn disable(&self, name: &str) -> Result<Arc<Account>, AccessError> {
        self.change_and_end(
            "UPDATE account SET disabled = coalesce(disabled, ?2), generation = generation + 1 WHERE name = ?1",
            name,
            params![name, now().0],
        )
    }

    /// Enables an account; sessions from before do not come back.
    ///
    /// # Errors
    /// If there is no such account, or the database cannot be written.
    pub fn enable(&self, name: &str) -> Result<Arc<Account>, AccessError> {
        self.change_and_end(
            "UPDATE account SET disabled = NULL, generation = generation + 1
             WHERE name = ?1 AND disabled IS NOT NULL",
            name,
            params![name],
        )
    }

    /// Changes which cases a person sees; empty for all. Sessions go on, with the new scope.
    ///
    /// # Errors
    /// If there is no such account, a code is out of bounds, or the database cannot be written.
    pub fn set_scope(
        &self,
        name: &str,
        departments: &[String],
        districts: &[String],
    ) -> Result<Arc<Account>, AccessError> {
        let (departments, districts) =
            (scope("scope-department", departments)?, scope("scope-district", districts)?);
        self.change(
            "UPDATE account SET scope_departments = ?2, scope_districts = ?3 WHERE name = ?1",
            name,
            params![name, departments, districts],
        )
    }

    /// Changes where a person works, on which recusal rests. Sessions go on, with the new place.
    ///
    /// # Errors
    /// If there is no such account, a code is out of bounds, or the database cannot be written.
    pub fn set_workplace(
        &self,
        name: &str,
        department: Option<&str>,
        district: Option<&str>,
    ) -> Result<Arc<Account>, AccessError> {
        let department = department.map(|text| code("department", text)).transpose()?;
        let district = district.map(|text| code("district", text)).transpose()?;
        self.change(
            "UPDATE account SET department = ?2, district = ?3 WHERE name = ?1",
            name,
            params![name, department, district],
        )
    }

    /// The account of a name, or an error that says there is none.
    pub(super) fn known(&self, name: &str) -> Result<Arc<Account>, AccessError> {
        self.account(name).ok_or_else(|| AccountError::Unknown(name.to_owned()).into())
    }

    fn change(
        &self,
        sql: &str,
        name: &str,
        params: impl rusqlite::Params,
    ) -> Result<Arc<Account>, AccessError> {
        let database = self.database();
        database.connection.execute(sql, params)?;
        self.accounts.reread(&database.connection)?;
        self.known(name)
    }

    /// Changes an account whose generation rises with it, and forgets its sessions.
    fn change_and_end(
        &self,
        sql: &str,
        name: &str,
        params: impl rusqlite::Params,
    ) -> Result<Arc<Account>, AccessError> {
        let mut database = self.database();
        let change = database.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if change.execute(sql, params)? > 0 {
            change.execute("DELETE FROM session WHERE account = ?1", [name])?;
        }
        change.commit()?;
        self.accounts.reread(&database.connection)?;
        self.sessions.reread(&database.connection)?;
        self.known(name)
    }
}

/// The hash of a password that is given, or of one made now, which is returned beside it.
fn chosen(name: &str, password: Option<&str>) -> Result<(String, Option<Zeroizing<String>>), AccessError> {
    match password {
        Some(password) => {
            password::check(name, password).map_err(AccountError::Password)?;
            Ok((password::hash(password)?, None))
        }
        None => {
            let made = password::generate()?;
            Ok((password::hash(&made)?, Some(made)))
        }
    }
}

fn code(field: &'static str, text: &str) -> Result<String, AccountError> {
    let code = text.trim();
    let in_bounds = (1..=CODE_CHARS_MAX).contains(&code.chars().count());
    match in_bounds && !code.chars().any(char::is_control) {
        true => Ok(code.to_owned()),
        false => Err(AccountError::Code(field, code.chars().take(CODE_CHARS_MAX + 1).collect())),
    }
}

/// A scope as it is stored: a JSON list, sorted, each code once.
fn scope(field: &'static str, codes: &[String]) -> Result<String, AccountError> {
    if codes.len() > SCOPE_MAX {
        return Err(AccountError::Scope(field, codes.len()));
    }
    let mut codes = codes.iter().map(|text| code(field, text)).collect::<Result<Vec<_>, _>>()?;
    codes.sort_unstable();
    codes.dedup();
    Ok(serde_json::json!(codes).to_string())
}

#[cfg(test)]
#[path = "account_tests.rs"]
pub(super) mod tests;
