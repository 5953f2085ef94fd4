//! Executions, their labels and correlations.

use super::failure::{Problem, int};
use super::rows::Rows;
use crate::error::StoreError;
use crate::record::{self, ExecutionBody, state_word};
use dragoman_core::{Attributes, DeviceId, Execution, ExecutionId};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// Writes the record as it stands.
pub(super) fn put(db: &Connection, rows: &mut Rows, execution: &Execution) -> Result<(), Problem> {
    let body = record::write("execution", execution.id.as_str(), &ExecutionBody::from(execution))?;
    let row = match rows.find(db, &execution.id)? {
        Some(row) => {
            update(db, row, execution, &body)?;
            if !rows.has_labels(execution) {
                put_changed_labels(db, row, execution)?;
            }
            row
        }
        None => {
            let row = insert(db, execution, &body)?;
            put_labels(db, row, execution, &[])?;
            row
        }
    };
    if !rows.has_correlations(execution) {
        put_correlations(db, row, execution)?;
    }
    rows.keep(row, execution);
    Ok(())
}

/// When it ended, if and only if its state is final.
fn ended_ms(execution: &Execution) -> Option<i64> {
    execution.state.is_final().then(|| int(execution.ended_ms.unwrap_or(execution.updated_ms)))
}

/// By row and without RETURNING, for which SQLite would keep a copy of each page it touches.
fn update(db: &Connection, row: i64, execution: &Execution, body: &str) -> Result<(), Problem> {
    let changed = db
        .prepare_cached(
            "UPDATE execution SET state = :state, version = :version, owner = :owner, lease_until_ms = :lease,
            updated_ms = :updated, deadline_ms = :deadline, ended_ms = :ended, body = :body
         WHERE row = :row",
        )?
        .execute(named_params! {
            ":row": row,
            ":state": state_word(execution.state),
            ":version": int(execution.version),
            ":owner": &*execution.owner.node,
            ":lease": int(execution.owner.lease_until_ms),
            ":updated": int(execution.updated_ms),
            ":deadline": int(execution.deadline_ms),
            ":ended": ended_ms(execution),
            ":body": body,
        })?;
    match changed {
        1 => Ok(()),
        _ => Err(StoreError::Unwritable {
            what: "execution",
            key: execution.id.to_string(),
            detail: format!("its row {row} is gone"),
        }
        .into()),
    }
}

fn insert(db: &Connection, execution: &Execution, body: &str) -> Result<i64, Problem> {
    db.prepare_cached(
        "INSERT INTO execution (id, device, origin, alias, idempotency_key, state, version, owner, lease_until_ms,
            created_ms, updated_ms, deadline_ms, ended_ms, body)
         VALUES (:id, :device, :origin, :alias, :idempotency, :state, :version, :owner, :lease,
            :created, :updated, :deadline, :ended, :body)",
    )?
    .execute(named_params! {
        ":id": execution.id.as_str(),
        ":device": execution.device.as_str(),
        ":origin": &*execution.origin,
        ":alias": execution.alias,
        ":idempotency": execution.idempotency.as_ref().map(|idempotency| &idempotency.key),
        ":state": state_word(execution.state),
        ":version": int(execution.version),
        ":owner": &*execution.owner.node,
        ":lease": int(execution.owner.lease_until_ms),
        ":created": int(execution.created_ms),
        ":updated": int(execution.updated_ms),
        ":deadline": int(execution.deadline_ms),
        ":ended": ended_ms(execution),
        ":body": body,
    })?;
    Ok(db.last_insert_rowid())
}

/// Indexes those labels that are not among the old ones.
fn put_labels(db: &Connection, row: i64, execution: &Execution, old: &[(String, String)]) -> Result<(), Problem> {
    let mut put = db.prepare_cached(
        "INSERT INTO execution_label (name, value, created_ms, execution) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
    )?;
    for (name, value) in execution.labels.iter().filter(|label| !old.contains(label)) {
        put.execute(params![name, value, int(execution.created_ms), row])?;
    }
    Ok(())
}

/// Brings the index of its labels to the record, and writes only what differs.
fn put_changed_labels(db: &Connection, row: i64, execution: &Execution) -> Result<(), Problem> {
    let mut find = db.prepare_cached("SELECT name, value FROM execution_label WHERE execution = ?1")?;
    let old: Attributes =
        find.query_map([row], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, rusqlite::Error>>()?;
    for (name, value) in old.iter().filter(|label| !execution.labels.contains(label)) {
        db.prepare_cached("DELETE FROM execution_label WHERE name = ?1 AND value = ?2 AND execution = ?3")?
            .execute(params![name, value, row])?;
    }
    put_labels(db, row, execution, &old)
}

/// Indexes the keys it was dispatched under. Where another execution had the same key, the newer one has it.
fn put_correlations(db: &Connection, row: i64, execution: &Execution) -> Result<(), Problem> {
    let Some((oldest, _)) = execution.correlations.first() else { return Ok(()) };
    if execution.correlations.len() >= Execution::CORRELATIONS_MAX {
        // Some gave way in the record; they must not stay here for ever.
        db.prepare_cached("DELETE FROM correlation WHERE execution = ?1 AND attempt < ?2")?
            .execute(params![row, oldest])?;
    }
    let mut put = db.prepare_cached(
        "INSERT INTO correlation (reporter, key, execution, attempt) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET execution = excluded.execution, attempt = excluded.attempt
         WHERE (excluded.execution, excluded.attempt) > (execution, attempt)",
    )?;
    for (attempt, correlation) in &execution.correlations {
        put.execute(params![correlation.reporter.as_str(), correlation.key, row, attempt])?;
    }
    Ok(())
}

/// An execution from a row whose first column is its id and whose second is its body.
pub(super) fn from_row(row: &Row<'_>) -> Result<Execution, Problem> {
    let (id, body) = (row.get_ref(0)?, row.get_ref(1)?);
    let key = id.as_str().unwrap_or_default();
    let body: ExecutionBody = record::read("execution", key, body.as_str().map_err(rusqlite::Error::from)?)?;
    Ok(body.into())
}

fn first(db: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Option<Execution>, Problem> {
    let mut find = db.prepare_cached(sql)?;
    let mut rows = find.query(params)?;
    rows.next()?.map(from_row).transpose()
}

pub(super) fn get(db: &Connection, id: &ExecutionId) -> Result<Option<Execution>, Problem> {
    first(db, "SELECT id, body FROM execution WHERE id = ?1", [id.as_str()])
}

pub(super) fn by_alias(
    db: &Connection,
    origin: &str,
    device: &DeviceId,
    alias: &str,
) -> Result<Option<Execution>, Problem> {
    first(
        db,
        "SELECT id, body FROM execution INDEXED BY execution_alias
         WHERE origin = ?1 AND device = ?2 AND alias = ?3 ORDER BY row DESC LIMIT 1",
        params![origin, device.as_str(), alias],
    )
}

pub(super) fn by_idempotency(db: &Connection, origin: &str, key: &str) -> Result<Option<Execution>, Problem> {
    first(
        db,
        "SELECT id, body FROM execution INDEXED BY execution_idempotency
         WHERE origin = ?1 AND idempotency_key = ?2 ORDER BY row DESC LIMIT 1",
        params![origin, key],
    )
}

pub(super) fn by_correlation(
    db: &Connection,
    reporter: &DeviceId,
    key: &str,
) -> Result<Option<(ExecutionId, u32)>, Problem> {
    let mut find = db.prepare_cached(
        "SELECT e.id, c.attempt FROM correlation c JOIN execution e ON e.row = c.execution
         WHERE c.reporter = ?1 AND c.key = ?2",
    )?;
    let found = find.query_row(params![reporter.as_str(), key], |row| {
        Ok((ExecutionId::new(row.get::<_, String>(0)?), row.get(1)?))
    });
    Ok(found.optional()?)
}

pub(super) fn load_open(db: &Connection, each: &mut dyn FnMut(Execution)) -> Result<(), Problem> {
    let mut find = db.prepare_cached(
        "SELECT id, body FROM execution WHERE row IN (
            SELECT row FROM execution INDEXED BY execution_open WHERE ended_ms IS NULL) ORDER BY row",
    )?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        each(from_row(row)?);
    }
    Ok(())
}
