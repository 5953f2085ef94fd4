//! What SQLite reports, in words somebody can act on.

use crate::error::StoreError;
use rusqlite::{Error, ErrorCode};
use std::path::Path;

/// Why a statement, or what was made of its rows, came to nothing.
pub(super) enum Problem {
    Sql(Error),
    Store(StoreError),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Problem {
    /// The error for the caller: which file, and while doing what.
    pub(super) fn explain(self, path: &Path, doing: &'static str) -> StoreError {
        let error = match self {
            Self::Store(error) => return error,
            Self::Sql(error) => error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { path: path.to_owned() },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged { path: path.to_owned(), detail: error.to_string() }
            }
            _ => StoreError::Failed { doing, detail: error.to_string() },
        }
    }
}

/// A time or counter as SQLite keeps it: beyond `i64::MAX` it is as good as never.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
