//! Which fields of documents are indexed, and the rows that index them.

use super::failure::Problem;
use crate::document::indexed_values;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};

/// How far an index is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Documents that are written are indexed; of those that were there, some are not.
    Building,
    Ready,
    /// Nothing is kept up any more; what is left are rows to remove.
    Dropping,
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "building" => Ok(Self::Building),
            "ready" => Ok(Self::Ready),
            "dropping" => Ok(Self::Dropping),
            other => Err(FromSqlError::Other(format!("\"{other}\" is no state of an index").into())),
        }
    }
}

struct Index {
    collection: String,
    field: String,
    state: State,
    built_to: Option<String>,
}

/// Fields whose index rows follow the documents.
pub(super) fn kept(db: &Connection, dialect: &str, collection: &str) -> Result<Vec<String>, Problem> {
    let mut find = db.prepare_cached(
        "SELECT field FROM document_index WHERE dialect = ?1 AND collection = ?2 AND state <> 'dropping'",
    )?;
    let fields = find.query_map([dialect, collection], |row| row.get(0))?;
    Ok(fields.collect::<Result<_, _>>()?)
}

/// Whether documents can be found by this field.
pub(super) fn is_ready(db: &Connection, dialect: &str, collection: &str, field: &str) -> Result<bool, Problem> {
    let mut find =
        db.prepare_cached("SELECT state FROM document_index WHERE dialect = ?1 AND collection = ?2 AND field = ?3")?;
    let state: Option<State> = find.query_row([dialect, collection, field], |row| row.get(0)).optional()?;
    Ok(state == Some(State::Ready))
}

pub(super) fn put(
    db: &Connection,
    dialect: &str,
    collection: &str,
    field: &str,
    value: &str,
    key: &str,
    document: i64,
) -> Result<(), Problem> {
    db.prepare_cached(
        "INSERT INTO document_field (dialect, collection, field, value, key, document) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET document = excluded.document",
    )?
    .execute(params![dialect, collection, field, value, key, document])?;
    Ok(())
}

pub(super) fn remove(
    db: &Connection,
    dialect: &str,
    collection: &str,
    field: &str,
    value: &str,
    key: &str,
) -> Result<(), Problem> {
    db.prepare_cached(
        "DELETE FROM document_field
         WHERE dialect = ?1 AND collection = ?2 AND field = ?3 AND value = ?4 AND key = ?5",
    )?
    .execute([dialect, collection, field, value, key])?;
    Ok(())
}

/// Brings the indexes a step closer to those declared. An index that is to go goes before one is built, so that one that
/// was not wanted for a while starts from nothing.
pub(super) fn step(db: &Connection, dialect: &str, declared: &[(String, String)], limit: u32) -> Result<bool, Problem> {
    let stored = stored(db, dialect)?;
    let is_declared = |index: &Index| {
        declared.iter().any(|(collection, field)| *collection == index.collection && *field == index.field)
    };
    let mut more = false;
    for index in stored.iter().filter(|index| index.state != State::Dropping && !is_declared(index)) {
        set(db, dialect, index, "dropping", None)?;
        more = true;
    }
    let mut add = db.prepare_cached(
        "INSERT INTO document_index (dialect, collection, field, state) VALUES (?1, ?2, ?3, 'building')
         ON CONFLICT DO NOTHING",
    )?;
    for (collection, field) in declared {
        more |= add.execute([dialect, collection, field])? > 0;
    }
    if more {
        return Ok(true);
    }
    if let Some(index) = stored.iter().find(|index| index.state == State::Dropping) {
        drop_part(db, dialect, index, limit)?;
        return Ok(true);
    }
    if let Some(index) = stored.iter().find(|index| index.state == State::Building) {
        build_part(db, dialect, index, limit)?;
        return Ok(true);
    }
    Ok(false)
}

fn stored(db: &Connection, dialect: &str) -> Result<Vec<Index>, Problem> {
    let mut find =
        db.prepare_cached("SELECT collection, field, state, built_to FROM document_index WHERE dialect = ?1")?;
    let indexes = find.query_map([dialect], |row| {
        Ok(Index { collection: row.get(0)?, field: row.get(1)?, state: row.get(2)?, built_to: row.get(3)? })
    })?;
    Ok(indexes.collect::<Result<_, _>>()?)
}

fn set(
    db: &Connection,
    dialect: &str,
    Index { collection, field, .. }: &Index,
    state: &str,
    built_to: Option<&str>,
) -> Result<(), Problem> {
    db.prepare_cached(
        "UPDATE document_index SET state = ?4, built_to = ?5 WHERE dialect = ?1 AND collection = ?2 AND field = ?3",
    )?
    .execute(params![dialect, collection, field, state, built_to])?;
    Ok(())
}

fn drop_part(
    db: &Connection,
    dialect: &str,
    Index { collection, field, .. }: &Index,
    limit: u32,
) -> Result<(), Problem> {
    let dropped = db
        .prepare_cached(
            "DELETE FROM document_field WHERE (dialect, collection, field, value, key) IN (
                SELECT dialect, collection, field, value, key FROM document_field
                WHERE dialect = ?1 AND collection = ?2 AND field = ?3 LIMIT ?4)",
        )?
        .execute(params![dialect, collection, field, limit])?;
    if dropped < limit as usize {
        db.prepare_cached("DELETE FROM document_index WHERE dialect = ?1 AND collection = ?2 AND field = ?3")?
            .execute([dialect, collection, field])?;
    }
    Ok(())
}

fn build_part(db: &Connection, dialect: &str, index: &Index, limit: u32) -> Result<(), Problem> {
    let Index { collection, field, built_to, .. } = index;
    let fields = [field.clone()];
    let (behind, place) = match built_to {
        Some(key) => (">", key.as_str()),
        None => (">=", ""),
    };
    let mut find = db.prepare_cached(&format!(
        "SELECT row, key, json FROM document
         WHERE dialect = ?1 AND collection = ?2 AND key {behind} ?3 ORDER BY key LIMIT ?4"
    ))?;
    let mut rows = find.query(params![dialect, collection, place, limit])?;
    let mut seen = 0;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (document, key): (i64, String) = (row.get(0)?, row.get(1)?);
        let json = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        for value in indexed_values(json, &fields).into_iter().flatten() {
            put(db, dialect, collection, field, &value, &key, document)?;
        }
        last = Some(key);
        seen += 1;
    }
    if seen < limit {
        return set(db, dialect, index, "ready", None);
    }
    set(db, dialect, index, "building", last.as_deref())
}
