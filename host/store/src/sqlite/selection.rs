//! Pages and counts of executions.

use super::executions;
use super::failure::{Problem, int};
use crate::error::StoreError;
use crate::record::state_word;
use crate::selection::{PAGE_MAX, Page, Selection};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// A statement and what is bound to it, in order.
struct Query {
    from_where: String,
    values: Vec<Value>,
}

pub(super) fn page(db: &Connection, selection: &Selection) -> Result<Page, Problem> {
    let Query { mut from_where, mut values } = query(selection);
    if let Some(after) = &selection.after {
        let row: i64 = after.parse().map_err(|_| StoreError::BadCursor(after.clone()))?;
        from_where.push_str(if selection.newest_first { " AND e.row < ?" } else { " AND e.row > ?" });
        values.push(Value::Integer(row));
    }
    let limit = selection.limit.clamp(1, PAGE_MAX) as usize;
    let order = if selection.newest_first { "DESC" } else { "ASC" };
    let sql = format!("SELECT e.id, e.body, e.row {from_where} ORDER BY e.row {order} LIMIT {}", limit + 1);
    let mut find = db.prepare_cached(&sql)?;
    let mut rows = find.query(params_from_iter(values))?;
    let mut page = Page::default();
    let mut last = 0_i64;
    while let Some(row) = rows.next()? {
        if page.items.len() == limit {
            page.next = Some(last.to_string());
            break;
        }
        page.items.push(executions::from_row(row)?);
        last = row.get(2)?;
    }
    Ok(page)
}

pub(super) fn count(db: &Connection, selection: &Selection, up_to: u64) -> Result<u64, Problem> {
    let Query { from_where, mut values } = query(selection);
    values.push(Value::Integer(int(up_to)));
    let sql = format!("SELECT count(*) FROM (SELECT 1 {from_where} LIMIT ?)");
    let count: i64 = db.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Goes along the index that leaves the least: a device has few executions, a label more, a dialect many. SQLite knows
/// no sizes without `ANALYZE`, so it is told. Each of these indexes gives rows in order of creation.
fn query(selection: &Selection) -> Query {
    let mut values = Vec::new();
    let only_open = !selection.states.is_empty() && selection.states.iter().all(|state| !state.is_final());
    let mut labels = selection.labels.iter();
    let mut text = String::new();
    if selection.device.is_some() {
        text.push_str("FROM execution e INDEXED BY execution_device WHERE TRUE");
    } else if let Some((name, value)) = labels.next() {
        text.push_str(
            "FROM execution_label l CROSS JOIN execution e ON e.row = l.execution WHERE l.name = ? AND l.value = ?",
        );
        values.extend([Value::Text(name.clone()), Value::Text(value.clone())]);
    } else if only_open {
        text.push_str("FROM execution e INDEXED BY execution_open WHERE TRUE");
    } else if selection.origin.is_some() {
        text.push_str("FROM execution e INDEXED BY execution_origin WHERE TRUE");
    } else {
        text.push_str("FROM execution e WHERE TRUE");
    }
    if let Some(device) = &selection.device {
        text.push_str(" AND e.device = ?");
        values.push(Value::Text(device.as_str().to_owned()));
    }
    if let Some(origin) = &selection.origin {
        text.push_str(" AND e.origin = ?");
        values.push(Value::Text(origin.as_ref().to_owned()));
    }
    if only_open {
        text.push_str(" AND e.ended_ms IS NULL");
    }
    if !selection.states.is_empty() {
        // Words of our own, so they can stand in the text and the statement keeps its place in the cache.
        let words: Vec<String> = selection.states.iter().map(|state| format!("'{}'", state_word(*state))).collect();
        text.push_str(&format!(" AND e.state IN ({})", words.join(", ")));
    }
    for (name, value) in labels {
        text.push_str(
            " AND EXISTS (SELECT 1 FROM execution_label m WHERE m.name = ? AND m.value = ? AND m.execution = e.row)",
        );
        values.extend([Value::Text(name.clone()), Value::Text(value.clone())]);
    }
    Query { from_where: text, values }
}
