//! Single numbers of a dialect: its counters, and how far it was told.

use super::failure::{Problem, int};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) fn put_counter(db: &Connection, dialect: &str, counter: &str, value: u64) -> Result<(), Problem> {
    db.prepare_cached(
        "INSERT INTO counter (dialect, counter, value) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET value = excluded.value",
    )?
    .execute(params![dialect, counter, int(value)])?;
    Ok(())
}

pub(super) fn counter(db: &Connection, dialect: &str, counter: &str) -> Result<u64, Problem> {
    let mut find = db.prepare_cached("SELECT value FROM counter WHERE dialect = ?1 AND counter = ?2")?;
    let value: Option<i64> = find.query_row([dialect, counter], |row| row.get(0)).optional()?;
    Ok(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0))
}

pub(super) fn put_cursor(db: &Connection, dialect: &str, position: u64) -> Result<(), Problem> {
    db.prepare_cached(
        "INSERT INTO cursor (dialect, position) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET position = excluded.position",
    )?
    .execute(params![dialect, int(position)])?;
    Ok(())
}

pub(super) fn cursor(db: &Connection, dialect: &str) -> Result<Option<u64>, Problem> {
    let mut find = db.prepare_cached("SELECT position FROM cursor WHERE dialect = ?1")?;
    let position: Option<i64> = find.query_row([dialect], |row| row.get(0)).optional()?;
    Ok(position.and_then(|position| u64::try_from(position).ok()))
}
