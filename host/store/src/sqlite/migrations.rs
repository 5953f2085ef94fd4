//! Brings a file to the newest schema.

use crate::error::OpenError;
use refinery::error::Kind;
use rusqlite::Connection;
use std::path::Path;

#[allow(missing_docs, unreachable_pub, reason = "generated")]
mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// Runs what is missing, in one transaction. A file that is newer than this binary is left alone.
pub(super) fn run(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let runner = embedded::migrations::runner().set_grouped(true);
    let known = runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0);
    let Err(error) = runner.run(connection) else { return Ok(()) };
    Err(match error.kind() {
        Kind::MissingVersion(migration) if i64::from(migration.version()) > known => {
            OpenError::Newer { path: path.to_owned(), found: i64::from(migration.version()), known }
        }
        Kind::MissingVersion(migration) | Kind::DivergentVersion(migration, _) => {
            OpenError::OtherBuild { path: path.to_owned(), detail: format!("migration {migration} differs") }
        }
        _ => OpenError::Failed {
            path: path.to_owned(),
            doing: "bringing it to the newest schema",
            detail: std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string),
        },
    })
}
