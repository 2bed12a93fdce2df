//! Filters of the queue that a person keeps under a name.

use rusqlite::params;

use super::{Access, AccessError};

/// Most saved views of one account.
pub const SAVED_MAX: i64 = 50;
/// Longest name, in characters.
pub const SAVED_NAME_CHARS_MAX: usize = 40;
/// Longest query, in bytes.
const QUERY_BYTES_MAX: usize = 2_000;

pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS saved_view (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    name    TEXT NOT NULL,
    query   TEXT NOT NULL,
    UNIQUE (account, name)
) STRICT;";

/// A saved view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedView {
    /// Number by which it is deleted.
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    /// The query of the page.
    pub query: String,
}

impl Access {
    /// The saved views of an account, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn saved_views(&self, account: &str) -> Result<Vec<SavedView>, AccessError> {
        let database = self.database();
        let mut statement = database
            .connection
            .prepare_cached("SELECT id, name, query FROM saved_view WHERE account = ?1 ORDER BY name")?;
        let rows = statement.query_map([account], |row| {
            Ok(SavedView { id: row.get(0)?, name: row.get(1)?, query: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps a view under a name; one of that name is replaced.
    ///
    /// # Errors
    /// If the name or the query is out of bounds, there are too many, or the database cannot be written.
    pub fn save_view(&self, account: &str, name: &str, query: &str) -> Result<(), AccessError> {
        let chars = name.chars().count();
        if !(1..=SAVED_NAME_CHARS_MAX).contains(&chars) || name.chars().any(char::is_control) {
            let bound =
                format!("name: 1 to {SAVED_NAME_CHARS_MAX} characters, none of them control characters");
            return Err(AccessError::Bound(bound));
        }
        if query.len() > QUERY_BYTES_MAX {
            return Err(AccessError::Bound(format!(
                "query: at most {QUERY_BYTES_MAX} bytes; filter by less"
            )));
        }
        let database = self.database();
        let count: i64 = database.connection.query_row(
            "SELECT count(*) FROM saved_view WHERE account = ?1 AND name <> ?2",
            [account, name],
            |row| row.get(0),
        )?;
        if count >= SAVED_MAX {
            return Err(AccessError::Bound(format!(
                "there are {count} views, which is the limit; delete one"
            )));
        }
        database.connection.execute(
            "INSERT INTO saved_view (account, name, query) VALUES (?1, ?2, ?3)
             ON CONFLICT (account, name) DO UPDATE SET query = excluded.query",
            params![account, name, query],
        )?;
        Ok(())
    }

    /// Deletes a view of an account; says whether there was one.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn delete_view(&self, account: &str, id: i64) -> Result<bool, AccessError> {
        let deleted = self
            .database()
            .connection
            .execute("DELETE FROM saved_view WHERE id = ?1 AND account = ?2", params![id, account])?;
        Ok(deleted > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::empty;
    use super::*;

    #[test]
    fn a_view_belongs_to_one_person_and_a_name_to_one_view() {
        let (_directory, access) = empty();
        access.save_view("an", "差评", "tab=bad").unwrap();
        access.save_view("an", "差评", "tab=bad&stars=1").unwrap();
        access.save_view("bo", "差评", "tab=open").unwrap();
        let views = access.saved_views("an").unwrap();
        assert_eq!(views.iter().map(|view| view.query.as_str()).collect::<Vec<_>>(), ["tab=bad&stars=1"]);
        assert!(!access.delete_view("bo", views[0].id).unwrap(), "not somebody else's");
        assert!(access.delete_view("an", views[0].id).unwrap());
        assert_eq!(access.saved_views("an").unwrap(), []);
    }

    #[test]
    fn a_name_out_of_bounds_or_one_view_too_many_is_refused_with_the_limit() {
        let (_directory, access) = empty();
        for name in ["", &"长".repeat(41), "a\nb"] {
            assert!(access.save_view("an", name, "").unwrap_err().to_string().contains("40"));
        }
        for i in 0..SAVED_MAX {
            access.save_view("an", &i.to_string(), "").unwrap();
        }
        assert!(access.save_view("an", "more", "").unwrap_err().to_string().contains("50"));
        access.save_view("an", "7", "tab=bad").unwrap();
    }
}
