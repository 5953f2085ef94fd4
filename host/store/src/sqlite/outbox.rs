//! Messages that must leave.

use super::failure::{Problem, int};
use crate::error::StoreError;
use crate::record::{self, OutboxBody};
use crate::write::OutboxRow;
use rusqlite::{Connection, params};

pub(super) fn put(db: &Connection, row: &OutboxRow) -> Result<(), Problem> {
    let seq = i64::try_from(row.seq).map_err(|_| StoreError::Unwritable {
        what: "message",
        key: row.seq.to_string(),
        detail: format!("its number is above {}", i64::MAX),
    })?;
    let body = record::write("message", &row.seq.to_string(), &OutboxBody::from(row))?;
    db.prepare_cached(
        "INSERT INTO outbox (seq, execution, attempt, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET execution = excluded.execution, attempt = excluded.attempt, body = excluded.body",
    )?
    .execute(params![seq, row.execution.as_str(), row.attempt, body])?;
    Ok(())
}

pub(super) fn remove(db: &Connection, seq: u64) -> Result<(), Problem> {
    db.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?.execute([int(seq)])?;
    Ok(())
}

pub(super) fn all(db: &Connection) -> Result<Vec<OutboxRow>, Problem> {
    let mut find = db.prepare_cached("SELECT seq, body FROM outbox ORDER BY seq")?;
    let mut rows = find.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let body = row.get_ref(1)?;
        let body: OutboxBody =
            record::read("message", &seq.to_string(), body.as_str().map_err(rusqlite::Error::from)?)?;
        all.push(body.into());
    }
    Ok(all)
}
