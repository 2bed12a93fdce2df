//! Who looked at what: every comment and every piece of evidence that was opened for somebody.
//!
//! A record is added before the thing is shown. It is never changed or deleted: there is no call for it, and
//! the database refuses it. Its size has no bound but the disk: about 100 bytes a view.

use rusqlite::{named_params, params};

use super::{Access, AccessError, now};
use crate::time::Instant;

/// Most views on one page.
pub const VIEWS_PER_PAGE_MAX: usize = 1_000;

pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS view (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    who       TEXT NOT NULL,
    rating_id TEXT NOT NULL,
    what      TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS view_who ON view (who, id);
CREATE INDEX IF NOT EXISTS view_rating ON view (rating_id, id);
CREATE TRIGGER IF NOT EXISTS view_is_not_changed BEFORE UPDATE ON view
    BEGIN SELECT RAISE(ABORT, 'a view is never changed'); END;
CREATE TRIGGER IF NOT EXISTS view_is_not_deleted BEFORE DELETE ON view
    BEGIN SELECT RAISE(ABORT, 'a view is never deleted'); END;";

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Viewed {
    /// The words of a rating, opened from the vault.
    Comment,
    /// What is known of a rating beyond its words: the outcome of a call, a bundle for investigators.
    Evidence,
}

impl Viewed {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Comment, Self::Evidence];

    /// Its name in the database and in forms.
    pub fn value(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Evidence => "evidence",
        }
    }

    /// Its name in Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Comment => "评价内容",
            Self::Evidence => "证据材料",
        }
    }

    /// Its name in English.
    pub fn en(self) -> &'static str {
        match self {
            Self::Comment => "Comment",
            Self::Evidence => "Evidence",
        }
    }

    /// The one of this name.
    pub fn from_value(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|viewed| viewed.value() == value)
    }
}

/// One view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its number; later ones have higher numbers.
    pub id: i64,
    /// When.
    pub at: Instant,
    /// Name of the account that looked.
    pub who: String,
    /// The rating looked at.
    pub rating_id: String,
    /// What of it; `None` for what only a later version knows.
    pub what: Option<Viewed>,
}

/// Which views to list; every field that is set must agree.
#[derive(Clone, Copy, Debug, Default)]
pub struct ViewFilter<'a> {
    /// Name of the account that looked.
    pub who: Option<&'a str>,
    /// The rating looked at.
    pub rating_id: Option<&'a str>,
    /// What of it.
    pub what: Option<Viewed>,
}

/// Some views, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewPage {
    /// The views.
    pub views: Vec<View>,
    /// What to give as `before` for the page after this one; `None` if this is the last.
    pub next: Option<i64>,
}

impl Access {
    /// Records that somebody looks at something. On disk before it returns; show nothing if it fails.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn record_view(&self, who: &str, rating_id: &str, what: Viewed) -> Result<View, AccessError> {
        let at = now();
        let database = self.database();
        database
            .connection
            .prepare_cached("INSERT INTO view (at, who, rating_id, what) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![at.0, who, rating_id, what.value()])?;
        let id = database.connection.last_insert_rowid();
        Ok(View { id, at, who: who.to_owned(), rating_id: rating_id.to_owned(), what: Some(what) })
    }

    /// Views, newest first: those before a number, or the newest of all. At most
    /// [`VIEWS_PER_PAGE_MAX`], and at least one if there is any.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn views(
        &self,
        filter: &ViewFilter<'_>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<ViewPage, AccessError> {
        let limit = limit.clamp(1, VIEWS_PER_PAGE_MAX);
        let mut sql = "SELECT id, at, who, rating_id, what FROM view WHERE id < :before".to_owned();
        // Only conditions that are set are written, so that SQLite takes the index that serves them.
        for (is_set, condition) in [
            (filter.who.is_some(), " AND who = :who"),
            (filter.rating_id.is_some(), " AND rating_id = :rating_id"),
            (filter.what.is_some(), " AND what = :what"),
        ] {
            sql.push_str(if is_set { condition } else { "" });
        }
        sql.push_str(" ORDER BY id DESC LIMIT :limit");
        let database = self.database();
        let mut statement = database.connection.prepare_cached(&sql)?;
        let what = filter.what.map(Viewed::value);
        let all = named_params! {
            ":before": before.unwrap_or(i64::MAX), ":who": filter.who, ":rating_id": filter.rating_id,
            ":what": what, ":limit": i64::try_from(limit + 1).unwrap_or(i64::MAX),
        };
        let used: Vec<_> = all.iter().filter(|(name, _)| sql.contains(name)).copied().collect();
        let rows = statement.query_map(used.as_slice(), |row| {
            Ok(View {
                id: row.get(0)?,
                at: Instant(row.get(1)?),
                who: row.get(2)?,
                rating_id: row.get(3)?,
                what: Viewed::from_value(&row.get::<_, String>(4)?),
            })
        })?;
        let mut views = rows.collect::<Result<Vec<_>, _>>()?;
        let has_more = views.len() > limit;
        views.truncate(limit);
        let next = if has_more { views.last().map(|view| view.id) } else { None };
        Ok(ViewPage { views, next })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{beside, empty};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_view_is_on_disk_and_can_be_neither_changed_nor_deleted() {
        let (directory, access) = empty();
        let view = access.record_view("zhang", "R-1", Viewed::Comment).unwrap();
        drop(access);
        let access = beside(&directory);
        let page = access.views(&ViewFilter::default(), None, 10).unwrap();
        assert_eq!(page, ViewPage { views: vec![view], next: None });
        for sql in ["DELETE FROM view", "UPDATE view SET who = 'wang'"] {
            assert!(access.database().connection.execute(sql, []).unwrap_err().to_string().contains("never"));
        }
        assert_eq!(access.views(&ViewFilter::default(), None, 10).unwrap(), page);
    }

    #[test]
    fn text_that_looks_like_sql_is_text() {
        let (_directory, access) = empty();
        let odd = "'; DROP TABLE view; -- :who";
        access.record_view(odd, odd, Viewed::Evidence).unwrap();
        let filter = ViewFilter { who: Some(odd), rating_id: Some(odd), what: Some(Viewed::Evidence) };
        assert_eq!(access.views(&filter, None, 10).unwrap().views.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn pages_together_have_each_view_once_newest_first(
            seen in prop::collection::vec(("[ab]", "[xy]", 0_usize..2), 0..24),
            who in prop::option::of("[ab]"), rating in prop::option::of("[xy]"),
            what in prop::option::of(0_usize..2), limit in 0_usize..6,
        ) {
            let (_directory, access) = empty();
            for (who, rating, what) in &seen {
                access.record_view(who, rating, Viewed::ALL[*what]).unwrap();
            }
            let what = what.map(|what| Viewed::ALL[what]);
            let filter = ViewFilter { who: who.as_deref(), rating_id: rating.as_deref(), what };
            let (mut listed, mut before) = (Vec::new(), None);
            loop {
                let page = access.views(&filter, before, limit).unwrap();
                prop_assert!(page.views.len() <= limit.max(1));
                listed.extend(page.views.into_iter().map(|v| (v.id, v.who, v.rating_id, v.what)));
                before = page.next;
                if before.is_none() {
                    break;
                }
                // One that comes while somebody pages does not disturb the pages.
                access.record_view("b", "y", Viewed::Comment).unwrap();
            }
            let expected: Vec<_> = (1..)
                .zip(&seen)
                .filter(|(_, view)| who.as_ref().is_none_or(|who| *who == view.0))
                .filter(|(_, view)| rating.as_ref().is_none_or(|rating| *rating == view.1))
                .filter(|(_, view)| what.is_none_or(|what| what == Viewed::ALL[view.2]))
                .map(|(id, view)| (id, view.0.clone(), view.1.clone(), Some(Viewed::ALL[view.2])))
                .collect();
            let expected: Vec<_> = expected.into_iter().rev().collect();
            prop_assert_eq!(listed, expected);
        }
    }
}
