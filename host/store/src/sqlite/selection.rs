//! Pages and counts of executions.

use super::executions;
use super::failure::{Problem, int};
use crate::error::StoreError;
use crate::record::state_word;
use crate::selection::{PAGE_MAX, Page, Selection};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::collections::BTreeSet;

/// A statement and what is bound to it, in order.
struct Query {
    text: String,
    values: Vec<Value>,
}

/// Where a page ended.
#[derive(Clone, Copy)]
struct Place {
    created_ms: i64,
    row: i64,
}

impl Place {
    fn read(text: &str) -> Result<Self, StoreError> {
        let numbers =
            text.split_once('-').and_then(|(created_ms, row)| Some((created_ms.parse().ok()?, row.parse().ok()?)));
        let (created_ms, row) = numbers.ok_or_else(|| StoreError::BadCursor(text.to_owned()))?;
        Ok(Self { created_ms, row })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.created_ms, self.row)
    }
}

pub(super) fn page(db: &Connection, selection: &Selection) -> Result<Page, Problem> {
    let limit = selection.limit.clamp(1, PAGE_MAX) as usize;
    let Query { text, values } = page_query(selection, limit + 1)?;
    let mut find = db.prepare_cached(&text)?;
    let mut rows = find.query(params_from_iter(values))?;
    let mut page = Page::default();
    let mut last = None;
    while let Some(row) = rows.next()? {
        if page.items.len() == limit {
            page.next = last.map(|place: Place| place.to_string());
            break;
        }
        page.items.push(executions::from_row(row)?);
        last = Some(Place { created_ms: row.get(2)?, row: row.get(3)? });
    }
    Ok(page)
}

pub(super) fn count(db: &Connection, selection: &Selection, up_to: u64) -> Result<u64, Problem> {
    let Query { text, values } = count_query(selection, up_to);
    let count: i64 = db.prepare_cached(&text)?.query_row(params_from_iter(values), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Reads `rows` executions behind the selection's place.
fn page_query(selection: &Selection, rows: usize) -> Result<Query, StoreError> {
    let after = selection.after.as_deref().map(Place::read).transpose()?;
    if let Some(origin) = origin_and_states(selection)
        && state_words(selection).len() > 1
    {
        return Ok(states_query(selection, origin, after, rows));
    }
    let order = order(selection);
    let Query { mut text, mut values } = filter(selection);
    // As the leading table has them, or SQLite does not see that the rows come in order and sorts them all.
    let by_label = selection.device.is_none() && !selection.labels.is_empty();
    let (time, row) = if by_label { ("l.created_ms", "l.execution") } else { ("e.created_ms", "e.row") };
    behind(selection, after, (time, row), &mut text, &mut values);
    text.push_str(&format!(" ORDER BY {time} {order}, {row} {order} LIMIT {rows}"));
    Ok(Query { text: format!("SELECT e.id, e.body, e.created_ms, e.row {text}"), values })
}

fn order(selection: &Selection) -> &'static str {
    if selection.newest_first { "DESC" } else { "ASC" }
}

/// Only what comes behind a place, given the columns that rows are ordered by.
fn behind(
    selection: &Selection,
    after: Option<Place>,
    (time, row): (&str, &str),
    text: &mut String,
    values: &mut Vec<Value>,
) {
    if let Some(place) = after {
        let behind = if selection.newest_first { "<" } else { ">" };
        text.push_str(&format!(" AND ({time}, {row}) {behind} (?, ?)"));
        values.extend([Value::Integer(place.created_ms), Value::Integer(place.row)]);
    }
}

/// Only what was created in the time asked for.
fn created(selection: &Selection, time: &str, text: &mut String, values: &mut Vec<Value>) {
    for (compared, bound) in [(">=", selection.since_ms), ("<", selection.before_ms)] {
        if let Some(bound) = bound {
            text.push_str(&format!(" AND {time} {compared} ?"));
            values.push(Value::Integer(int(bound)));
        }
    }
}

/// Takes as many rows as the page has from each state, where they are in order, and the page from those: what it costs
/// does not grow with the table.
fn states_query(selection: &Selection, origin: &str, after: Option<Place>, rows: usize) -> Query {
    let order = order(selection);
    let mut values = Vec::new();
    let mut parts = Vec::new();
    for word in state_words(selection) {
        let mut text = format!(
            "SELECT created_ms, row FROM execution INDEXED BY execution_origin_state WHERE origin = ? AND state = '{word}'"
        );
        values.push(Value::Text(origin.to_owned()));
        created(selection, "created_ms", &mut text, &mut values);
        behind(selection, after, ("created_ms", "row"), &mut text, &mut values);
        parts.push(format!(
            "SELECT created_ms, row FROM ({text} ORDER BY created_ms {order}, row {order} LIMIT {rows})"
        ));
    }
    let parts = parts.join(" UNION ALL ");
    let text = format!(
        "SELECT e.id, e.body, e.created_ms, e.row FROM (
            SELECT created_ms, row FROM ({parts}) ORDER BY created_ms {order}, row {order} LIMIT {rows}) p
         CROSS JOIN execution e ON e.row = p.row ORDER BY p.created_ms {order}, p.row {order}"
    );
    Query { text, values }
}

fn count_query(selection: &Selection, up_to: u64) -> Query {
    let Query { text, mut values } = filter(selection);
    values.push(Value::Integer(int(up_to)));
    Query { text: format!("SELECT count(*) FROM (SELECT 1 {text} LIMIT ?)"), values }
}

/// The origin, where it and states are all that is asked for.
fn origin_and_states(selection: &Selection) -> Option<&str> {
    let nothing_else = selection.device.is_none() && selection.labels.is_empty();
    selection.origin.as_deref().filter(|_| nothing_else && !selection.states.is_empty())
}

/// Each state once. Words of our own, so they can stand in the text and the statement keeps its place in the cache.
fn state_words(selection: &Selection) -> BTreeSet<&'static str> {
    selection.states.iter().map(|state| state_word(*state)).collect()
}

/// Goes along the index that leaves the least: a device has few executions, a label more, a dialect many. SQLite knows
/// no sizes without `ANALYZE`, so it is told. Each of these indexes gives rows in order of creation.
fn filter(selection: &Selection) -> Query {
    let mut values = Vec::new();
    let by_state = origin_and_states(selection).is_some();
    // Where the states are an index's, the time of the end would have to be fetched from the table.
    let only_open = !by_state && !selection.states.is_empty() && selection.states.iter().all(|state| !state.is_final());
    let by_label = selection.device.is_none() && !selection.labels.is_empty();
    let mut labels = selection.labels.iter();
    let mut text = String::new();
    if selection.device.is_some() {
        text.push_str("FROM execution e INDEXED BY execution_device WHERE TRUE");
    } else if let Some((name, value)) = labels.next() {
        text.push_str(
            "FROM execution_label l CROSS JOIN execution e ON e.row = l.execution WHERE l.name = ? AND l.value = ?",
        );
        values.extend([Value::Text(name.clone()), Value::Text(value.clone())]);
    } else if by_state {
        text.push_str("FROM execution e INDEXED BY execution_origin_state WHERE TRUE");
    } else if only_open {
        text.push_str("FROM execution e INDEXED BY execution_open WHERE TRUE");
    } else if selection.origin.is_some() {
        text.push_str("FROM execution e INDEXED BY execution_origin WHERE TRUE");
    } else {
        text.push_str("FROM execution e INDEXED BY execution_created WHERE TRUE");
    }
    created(selection, if by_label { "l.created_ms" } else { "e.created_ms" }, &mut text, &mut values);
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
        let words: Vec<String> = state_words(selection).into_iter().map(|word| format!("'{word}'")).collect();
        text.push_str(&format!(" AND e.state IN ({})", words.join(", ")));
    }
    for (name, value) in labels {
        text.push_str(
            " AND EXISTS (SELECT 1 FROM execution_label m WHERE m.name = ? AND m.value = ?
               AND m.created_ms = e.created_ms AND m.execution = e.row)",
        );
        values.extend([Value::Text(name.clone()), Value::Text(value.clone())]);
    }
    Query { text, values }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::sqlite::{SqliteBackend, SqliteOptions};
    use dragoman_core::{Attributes, DeviceId, State};

    fn plan(db: &Connection, query: Query) -> String {
        let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {}", query.text)).unwrap();
        let lines = explain.query_map(params_from_iter(query.values), |row| row.get::<_, String>("detail")).unwrap();
        lines.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
    }

    #[test]
    fn no_selection_walks_the_table_or_sorts_it() {
        let folder = tempfile::tempdir().unwrap();
        let backend = SqliteBackend::open(folder.path().join("store.db"), &SqliteOptions::default()).unwrap();
        let writer = backend.writer();
        let db = writer.connection();
        let origin = Selection { origin: Some("aws".into()), limit: 10, ..Selection::default() };
        let one_state = Selection { states: vec![State::Sent], ..origin.clone() };
        let states = Selection { states: vec![State::Sent, State::Failed], ..origin.clone() };
        let device = Selection { device: Some(DeviceId::new("lamp")), limit: 10, ..Selection::default() };
        let labels: Attributes = vec![("room".into(), "hall".into())];
        let label = Selection { labels, limit: 10, ..Selection::default() };
        for (selection, by) in [
            (origin, "USING INDEX execution_origin (origin=?"),
            (one_state, "USING INDEX execution_origin_state (origin=? AND state=?"),
            (states, "USING COVERING INDEX execution_origin_state (origin=? AND state=?"),
            (device, "USING INDEX execution_device (device=?"),
            (label, "SEARCH l USING PRIMARY KEY (name=? AND value=?"),
        ] {
            let some_time = Selection { since_ms: Some(1), before_ms: Some(9), ..selection.clone() };
            for (selection, by) in
                [(selection, by.to_owned()), (some_time, format!("{by} AND created_ms>? AND created_ms<?"))]
            {
                for newest_first in [false, true] {
                    for after in [None, Some("7-7".to_owned())] {
                        let selection = Selection { newest_first, after, ..selection.clone() };
                        let page = plan(db, page_query(&selection, 11).unwrap());
                        assert!(page.contains(&by), "{selection:?}: {page}");
                        assert!(!page.contains("SCAN e"), "{selection:?}: {page}");
                        // Of several states a page each is put in order, whatever is in the table.
                        let sorts = page.contains("TEMP B-TREE") && selection.states.len() < 2;
                        assert!(!sorts, "{selection:?}: {page}");
                    }
                }
                let count = plan(db, count_query(&selection, 100));
                let by = by.replace("USING INDEX", "USING COVERING INDEX");
                assert!(count.contains(&by) && !count.contains("SCAN e"), "{selection:?}: {count}");
            }
        }
    }
}
