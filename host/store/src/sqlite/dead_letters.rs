//! Messages that no plugin could read.

use super::failure::{Problem, int};
use crate::dead_letter::DeadLetterRow;
use crate::error::StoreError;
use crate::record::{self, DeadLetterBody};
use crate::selection::PAGE_MAX;
use rusqlite::{Connection, params};

/// What a row is called in errors.
const WHAT: &str = "dead letter";

pub(super) fn put(db: &Connection, row: &DeadLetterRow) -> Result<(), Problem> {
    let seq = i64::try_from(row.seq).map_err(|_| StoreError::Unwritable {
        what: WHAT,
        key: row.seq.to_string(),
        detail: format!("its number is above {}", i64::MAX),
    })?;
    let body = record::write(WHAT, &row.seq.to_string(), &DeadLetterBody::from(row))?;
    db.prepare_cached(
        "INSERT INTO dead_letter (seq, plugin, body) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET plugin = excluded.plugin, body = excluded.body",
    )?
    .execute(params![seq, &*row.plugin, body])?;
    Ok(())
}

pub(super) fn remove(db: &Connection, seq: u64) -> Result<(), Problem> {
    db.prepare_cached("DELETE FROM dead_letter WHERE seq = ?1")?.execute([int(seq)])?;
    Ok(())
}

pub(super) fn list(
    db: &Connection,
    plugin: Option<&str>,
    after: u64,
    limit: u32,
) -> Result<Vec<DeadLetterRow>, Problem> {
    let mut find = db.prepare_cached(match plugin {
        Some(_) => "SELECT seq, body FROM dead_letter WHERE seq > ?1 AND plugin = ?3 ORDER BY seq LIMIT ?2",
        None => "SELECT seq, body FROM dead_letter WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    })?;
    let limit = limit.clamp(1, PAGE_MAX);
    let mut rows = match plugin {
        Some(plugin) => find.query(params![int(after), limit, plugin])?,
        None => find.query(params![int(after), limit])?,
    };
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let body = row.get_ref(1)?;
        let body: DeadLetterBody = record::read(WHAT, &seq.to_string(), body.as_str().map_err(rusqlite::Error::from)?)?;
        all.push(body.into());
    }
    Ok(all)
}

pub(super) fn last(db: &Connection) -> Result<u64, Problem> {
    let last: i64 = db
        .prepare_cached("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'dead_letter'), 0)")?
        .query_row([], |row| row.get(0))?;
    Ok(u64::try_from(last).unwrap_or(0))
}
