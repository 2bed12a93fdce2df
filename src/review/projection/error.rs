//! Why the projection could not be read or written.

use std::fmt;
use std::io;

use rusqlite::ErrorCode;

use super::FILE_NAME;
use crate::log::LogError;

/// Why the projection could not be read or written.
#[derive(Debug)]
pub enum ProjectionError {
    /// Its file cannot be made, or deleted.
    File(io::Error),
    /// SQLite refused.
    Database(rusqlite::Error),
    /// What a batch is about could not be read from the log.
    Log(LogError),
    /// The file was damaged, and a new one was begun: go on from the position that it has now.
    StartedOver,
    /// What was asked for is not of this form; which part, and what is allowed.
    Cursor,
}

impl ProjectionError {
    /// Whether the file itself is damaged, or no database at all.
    pub(super) fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Database(rusqlite::Error::SqliteFailure(error, _))
                if matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        )
    }
}

impl fmt::Display for ProjectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => write!(f, "{FILE_NAME} cannot be made or deleted: {error}"),
            Self::Database(error) => write!(f, "{FILE_NAME}: {error}"),
            Self::Log(error) => write!(f, "a case cannot be read from the log: {error}"),
            Self::StartedOver => write!(f, "{FILE_NAME} was damaged; a new one is filled from the log"),
            Self::Cursor => {
                f.write_str("the mark of the page is none that was given; begin at the first page")
            }
        }
    }
}

impl std::error::Error for ProjectionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(error) => Some(error),
            Self::Database(error) => Some(error),
            Self::Log(error) => Some(error),
            Self::StartedOver | Self::Cursor => None,
        }
    }
}

impl From<rusqlite::Error> for ProjectionError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<LogError> for ProjectionError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}
