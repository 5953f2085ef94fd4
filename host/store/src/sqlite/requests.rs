//! Requests on their way to targets.

use super::failure::{Problem, int};
use crate::error::StoreError;
use crate::record::{self, RequestBody};
use crate::request::RequestRow;
use rusqlite::{Connection, params};

/// What a row is called in errors.
const WHAT: &str = "request";

pub(super) fn put(db: &Connection, row: &RequestRow) -> Result<(), Problem> {
    let seq = i64::try_from(row.seq).map_err(|_| StoreError::Unwritable {
        what: WHAT,
        key: row.seq.to_string(),
        detail: format!("its number is above {}", i64::MAX),
    })?;
    let body = record::write(WHAT, &row.seq.to_string(), &RequestBody::from(row))?;
    db.prepare_cached(
        "INSERT INTO request (seq, target, body) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET target = excluded.target, body = excluded.body",
    )?
    .execute(params![seq, row.target, body])?;
    Ok(())
}

pub(super) fn remove(db: &Connection, seq: u64) -> Result<(), Problem> {
    db.prepare_cached("DELETE FROM request WHERE seq = ?1")?.execute([int(seq)])?;
    Ok(())
}

pub(super) fn all(db: &Connection) -> Result<Vec<RequestRow>, Problem> {
    let mut find = db.prepare_cached("SELECT seq, body FROM request ORDER BY seq")?;
    let mut rows = find.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let body = row.get_ref(1)?;
        let body: RequestBody = record::read(WHAT, &seq.to_string(), body.as_str().map_err(rusqlite::Error::from)?)?;
        all.push(body.into());
    }
    Ok(all)
}

pub(super) fn count(db: &Connection, target: &str) -> Result<u64, Problem> {
    let count: i64 =
        db.prepare_cached("SELECT COUNT(*) FROM request WHERE target = ?1")?.query_row([target], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
