//! Lines of histories, by execution and by position.

use super::failure::{Problem, int};
use super::rows::Rows;
use crate::error::StoreError;
use crate::record::{self, TransitionBody};
use crate::selection::{PAGE_MAX, Position, TransitionQuery};
use dragoman_core::{ExecutionId, Transition};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, named_params, params_from_iter};

/// Up to so many executions of one label, their lines are found by the label and put in order; with more, the lines of
/// the origin are gone through in their own order.
const FEW: u32 = 1_000;

/// Writes lines, unless their execution is not known any more. A line that is there keeps its position.
pub(super) fn put(
    db: &Connection,
    rows: &mut Rows,
    id: &ExecutionId,
    position: u64,
    lines: &[Transition],
) -> Result<(), Problem> {
    let Some(row) = rows.find(db, id)? else { return Ok(()) };
    let mut put = db.prepare_cached(
        "INSERT INTO transition (position, execution, seq, origin, at_ms, latest_ms, body)
         VALUES (:position, :row, :seq, (SELECT origin FROM execution WHERE row = :row), :at,
            max(:at, coalesce((SELECT latest_ms FROM transition ORDER BY position DESC LIMIT 1), :at)), :body)
         ON CONFLICT (execution, seq) DO UPDATE SET body = excluded.body",
    )?;
    for (place, line) in (0_u64..).zip(lines) {
        let position = position.checked_add(place).and_then(|position| i64::try_from(position).ok());
        let position = position.ok_or_else(|| StoreError::Unwritable {
            what: "transition of",
            key: id.to_string(),
            detail: format!("its position is above {}", i64::MAX),
        })?;
        let body = record::write("transition of", id.as_str(), &TransitionBody::from(line))?;
        put.execute(named_params! {
            ":position": position,
            ":row": row,
            ":seq": int(line.seq),
            ":at": int(line.at_ms),
            ":body": body,
        })?;
    }
    Ok(())
}

/// The lines of one execution, in order.
pub(super) fn of(db: &Connection, id: &ExecutionId) -> Result<Vec<Transition>, Problem> {
    let mut find = db.prepare_cached(
        "SELECT t.body FROM execution e JOIN transition t ON t.execution = e.row WHERE e.id = ?1 ORDER BY t.seq",
    )?;
    let mut rows = find.query([id.as_str()])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.push(line(row, 0, id)?);
    }
    Ok(lines)
}

/// A line from the column that holds its body.
fn line(row: &Row<'_>, column: usize, id: &ExecutionId) -> Result<Transition, Problem> {
    let body = row.get_ref(column)?;
    let body: TransitionBody =
        record::read("transition of", id.as_str(), body.as_str().map_err(rusqlite::Error::from)?)?;
    Ok(body.into())
}

/// The lines of all executions of one origin, by position. One that cannot be read is left out: who goes through all of
/// them would never come past it.
pub(super) fn list(db: &Connection, query: &TransitionQuery) -> Result<Vec<Position>, Problem> {
    let rare_label = rare_label(db, query)?;
    let (mut query, mut found) = (query.clone(), Vec::new());
    loop {
        let (text, values) = list_query(&query, rare_label);
        let mut find = db.prepare_cached(&text)?;
        let mut rows = find.query(params_from_iter(values))?;
        let mut left_out = false;
        while let Some(row) = rows.next()? {
            let position: i64 = row.get(0)?;
            let position = u64::try_from(position).unwrap_or(0);
            let id = ExecutionId::new(row.get::<_, String>(1)?);
            match line(row, 2, &id) {
                Ok(line) => found.push((position, id, line)),
                Err(Problem::Store(error)) => {
                    metrics::counter!("dragoman_store_unreadable_lines_total").increment(1);
                    tracing::error!(%error, position, "a line of a history is left out");
                    (query.after, left_out) = (position, true);
                }
                Err(problem) => return Err(problem),
            }
        }
        // Nothing found is taken for the end, which may be further on.
        if !(found.is_empty() && left_out) {
            return Ok(found);
        }
    }
}

/// A label that few executions carry.
fn rare_label(db: &Connection, query: &TransitionQuery) -> Result<Option<usize>, Problem> {
    let mut count = db.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM execution_label WHERE name = ?1 AND value = ?2 LIMIT ?3)",
    )?;
    for (place, (name, value)) in query.labels.iter().enumerate() {
        let count: u32 = count.query_row((name, value, FEW), |row| row.get(0))?;
        if count < FEW {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// The statement and what is bound to it, in order.
fn list_query(query: &TransitionQuery, rare_label: Option<usize>) -> (String, Vec<Value>) {
    let TransitionQuery { origin, after, up_to, since_ms, labels, limit } = query;
    let mut values = Vec::new();
    let mut text = match rare_label.and_then(|place| labels.get(place)) {
        Some((name, value)) => {
            values.extend([Value::Text(name.clone()), Value::Text(value.clone())]);
            // The unary plus keeps SQLite from the indexes of the origin and the position.
            "SELECT t.position, e.id, t.body FROM execution_label l CROSS JOIN execution e ON e.row = l.execution
             CROSS JOIN transition t ON t.execution = e.row
             WHERE l.name = ? AND l.value = ? AND +t.origin = ? AND +t.position"
        }
        None => {
            "SELECT t.position, e.id, t.body FROM transition t INDEXED BY transition_origin
             CROSS JOIN execution e ON e.row = t.execution WHERE t.origin = ? AND t.position"
        }
    }
    .to_owned();
    values.push(Value::Text(origin.as_ref().to_owned()));
    match since_ms {
        None => {
            text.push_str(" > ?");
            values.push(Value::Integer(int(*after)));
        }
        // One bound, for SQLite goes along an index from one only. It is NULL, and nothing is found, where all is older.
        Some(since_ms) => {
            text.push_str(
                " > max(?, (SELECT position FROM transition INDEXED BY transition_latest
                   WHERE latest_ms >= ? ORDER BY latest_ms, position LIMIT 1) - 1) AND t.at_ms >= ?",
            );
            let since_ms = Value::Integer(int(*since_ms));
            values.extend([Value::Integer(int(*after)), since_ms.clone(), since_ms]);
        }
    }
    if let Some(up_to) = up_to {
        text.push_str(" AND t.position <= ?");
        values.push(Value::Integer(int(*up_to)));
    }
    for (place, (name, value)) in labels.iter().enumerate() {
        if rare_label != Some(place) {
            text.push_str(
                " AND EXISTS (SELECT 1 FROM execution_label m WHERE m.name = ? AND m.value = ?
                   AND m.created_ms = e.created_ms AND m.execution = e.row)",
            );
            values.extend([Value::Text(name.clone()), Value::Text(value.clone())]);
        }
    }
    text.push_str(" ORDER BY t.position LIMIT ?");
    values.push(Value::Integer((*limit).clamp(1, PAGE_MAX).into()));
    (text, values)
}

pub(super) fn last_position(db: &Connection) -> Result<u64, Problem> {
    let last: i64 = db
        .prepare_cached(
            "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'transition'), 0),
                coalesce((SELECT max(position) FROM cursor), 0))",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(u64::try_from(last).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::sqlite::{SqliteBackend, SqliteOptions};

    fn plan(db: &Connection, (text, values): (String, Vec<Value>)) -> String {
        let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
        let lines = explain.query_map(params_from_iter(values), |row| row.get::<_, String>("detail")).unwrap();
        lines.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
    }

    #[test]
    fn a_line_that_cannot_be_read_is_left_out_and_those_behind_it_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let backend = SqliteBackend::open(folder.path().join("store.db"), &SqliteOptions::default()).unwrap();
        let writer = backend.writer();
        let db = writer.connection();
        db.execute_batch(
            "INSERT INTO execution (row, id, device, origin, state, version, owner, lease_until_ms, created_ms,
                updated_ms, deadline_ms, body)
             VALUES (1, 'e', 'd', 'acme', 'queued', 7, 'local', 1, 1, 1, 1, '{}');",
        )
        .unwrap();
        let good = |seq: u64| {
            let line = Transition {
                seq,
                at_ms: 1,
                event: dragoman_core::Event::Note,
                state: dragoman_core::State::Queued,
                attempt: 1,
                reason: None,
                detail: None,
                attributes: Vec::new(),
            };
            record::write("line", "e", &TransitionBody::from(&line)).unwrap()
        };
        for position in 1..=7_u64 {
            let body = if [1, 2, 3, 5].contains(&position) { "{".to_owned() } else { good(position) };
            db.execute(
                "INSERT INTO transition (position, execution, seq, origin, at_ms, latest_ms, body)
                 VALUES (?1, 1, ?1, 'acme', 1, 1, ?2)",
                (int(position), body),
            )
            .unwrap();
        }
        let query = |after| TransitionQuery {
            origin: "acme".into(),
            after,
            up_to: None,
            since_ms: None,
            labels: Vec::new(),
            limit: 2,
        };
        let found = |after| -> Vec<u64> {
            list(db, &query(after)).ok().unwrap().into_iter().map(|(position, _, _)| position).collect()
        };
        assert_eq!(found(0), [4]);
        assert_eq!(found(4), [6]);
        assert_eq!(found(6), [7]);
        assert_eq!(found(7), [] as [u64; 0]);
    }

    #[test]
    fn lines_are_found_by_an_index_behind_the_position() {
        let folder = tempfile::tempdir().unwrap();
        let backend = SqliteBackend::open(folder.path().join("store.db"), &SqliteOptions::default()).unwrap();
        let writer = backend.writer();
        let db = writer.connection();
        let all = TransitionQuery {
            origin: "acme".into(),
            after: 7,
            up_to: None,
            since_ms: None,
            labels: vec![("room".into(), "hall".into())],
            limit: 10,
        };
        let since = TransitionQuery { since_ms: Some(1), up_to: Some(9), ..all.clone() };
        for query in [all, since] {
            let by_origin = plan(db, list_query(&query, None));
            assert!(by_origin.contains("SEARCH t USING INDEX transition_origin (origin=? AND rowid>?"), "{by_origin}");
            assert!(!by_origin.contains("SCAN") && !by_origin.contains("TEMP B-TREE"), "{by_origin}");
            let by_label = plan(db, list_query(&query, Some(0)));
            assert!(by_label.contains("SEARCH l USING PRIMARY KEY (name=? AND value=?"), "{by_label}");
            assert!(by_label.contains("SEARCH t USING INDEX sqlite_autoindex_transition_1 (execution=?"), "{by_label}");
        }
    }
}
