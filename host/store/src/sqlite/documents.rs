//! Documents of dialects, and what finds them by their fields.

use super::failure::{Problem, int};
use super::indexes;
use crate::document::{DocumentRecord, indexed_values};
use crate::error::StoreError;
use crate::selection::PAGE_MAX;
use dragoman_core::Attributes;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

/// Of several fields, one that so few documents match is as good as the one that the fewest match.
const FEW: u32 = 1_000;

/// Writes the document as it stands, and of its index rows what changed.
pub(super) fn put(db: &Connection, record: &DocumentRecord) -> Result<(), Problem> {
    let DocumentRecord { dialect, collection, key, json, revision } = record;
    let fields = indexes::kept(db, dialect, collection)?;
    let old = match fields.is_empty() {
        true => Vec::new(),
        false => values_of(db, dialect, collection, key, &fields)?,
    };
    let row: i64 = db
        .prepare_cached(
            "INSERT INTO document (dialect, collection, key, revision, json) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET revision = excluded.revision, json = excluded.json RETURNING row",
        )?
        .query_row(params![&**dialect, collection, key, int(*revision), json], |row| row.get(0))?;
    if fields.is_empty() {
        return Ok(());
    }
    let new = indexed_values(json, &fields);
    let olds = old.into_iter().chain(std::iter::repeat(None));
    for ((field, old), new) in fields.iter().zip(olds).zip(new) {
        if old == new {
            continue;
        }
        if let Some(old) = old {
            indexes::remove(db, dialect, collection, field, &old, key)?;
        }
        if let Some(new) = new {
            indexes::put(db, dialect, collection, field, &new, key, row)?;
        }
    }
    Ok(())
}

pub(super) fn remove(db: &Connection, dialect: &str, collection: &str, key: &str) -> Result<(), Problem> {
    let fields = indexes::kept(db, dialect, collection)?;
    if !fields.is_empty() {
        let old = values_of(db, dialect, collection, key, &fields)?;
        for (field, value) in fields.iter().zip(old) {
            if let Some(value) = value {
                indexes::remove(db, dialect, collection, field, &value, key)?;
            }
        }
    }
    db.prepare_cached("DELETE FROM document WHERE dialect = ?1 AND collection = ?2 AND key = ?3")?
        .execute([dialect, collection, key])?;
    Ok(())
}

/// What the fields of a document are indexed by as it is now; nothing where there is none.
fn values_of(
    db: &Connection,
    dialect: &str,
    collection: &str,
    key: &str,
    fields: &[String],
) -> Result<Vec<Option<String>>, Problem> {
    let old = get(db, dialect, collection, key)?;
    Ok(old.map(|old| indexed_values(&old.json, fields)).unwrap_or_default())
}

pub(super) fn get(
    db: &Connection,
    dialect: &str,
    collection: &str,
    key: &str,
) -> Result<Option<DocumentRecord>, Problem> {
    let mut find =
        db.prepare_cached("SELECT revision, json FROM document WHERE dialect = ?1 AND collection = ?2 AND key = ?3")?;
    let found = find.query_row([dialect, collection, key], |row| {
        Ok(DocumentRecord {
            dialect: dialect.into(),
            collection: collection.to_owned(),
            key: key.to_owned(),
            revision: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
            json: row.get(1)?,
        })
    });
    Ok(found.optional()?)
}

pub(super) fn list(
    db: &Connection,
    dialect: &str,
    collection: &str,
    fields: &Attributes,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<DocumentRecord>, Problem> {
    let Filter { mut text, mut values, key } =
        filter(db, dialect, collection, fields, "CROSS JOIN document d ON d.row = f.document")?;
    if let Some(after) = after {
        text.push_str(&format!(" AND {key} > ?"));
        values.push(Value::Text(after.to_owned()));
    }
    text.push_str(&format!(" ORDER BY {key} LIMIT ?"));
    values.push(Value::Integer(limit.clamp(1, PAGE_MAX).into()));
    let mut find = db.prepare_cached(&format!("SELECT d.key, d.revision, d.json {text}"))?;
    let dialect: std::sync::Arc<str> = dialect.into();
    let rows = find.query_map(params_from_iter(values), |row| {
        Ok(DocumentRecord {
            dialect: dialect.clone(),
            collection: collection.to_owned(),
            key: row.get(0)?,
            revision: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
            json: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn count(
    db: &Connection,
    dialect: &str,
    collection: &str,
    fields: &Attributes,
    up_to: u64,
) -> Result<u64, Problem> {
    let Filter { text, mut values, key } = filter(db, dialect, collection, fields, "")?;
    values.push(Value::Integer(int(up_to)));
    let count: i64 = db
        .prepare_cached(&format!("SELECT count(*) FROM (SELECT {key} {text} LIMIT ?)"))?
        .query_row(params_from_iter(values), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Everything behind the columns, and what is bound to it, in order.
struct Filter {
    text: String,
    values: Vec<Value>,
    /// The key as the leading table has it, or SQLite does not see that the rows come in order and sorts them all.
    key: &'static str,
}

/// Documents as `d` without fields, index rows as `f` with some; those with `join`.
fn filter(
    db: &Connection,
    dialect: &str,
    collection: &str,
    fields: &Attributes,
    join: &str,
) -> Result<Filter, Problem> {
    let owned = |text: &str| Value::Text(text.to_owned());
    for (field, _) in fields {
        if !indexes::is_ready(db, dialect, collection, field)? {
            return Err(StoreError::NotIndexed {
                dialect: dialect.to_owned(),
                collection: collection.to_owned(),
                field: field.clone(),
            }
            .into());
        }
    }
    let lead = leading(db, dialect, collection, fields)?;
    let Some((field, value)) = fields.get(lead) else {
        return Ok(Filter {
            text: "FROM document d WHERE d.dialect = ? AND d.collection = ?".to_owned(),
            values: vec![owned(dialect), owned(collection)],
            key: "d.key",
        });
    };
    let mut text = format!(
        "FROM document_field f {join} WHERE f.dialect = ? AND f.collection = ? AND f.field = ? AND f.value = ?"
    );
    let mut values = vec![owned(dialect), owned(collection), owned(field), owned(value)];
    for (place, (field, value)) in fields.iter().enumerate() {
        if place != lead {
            text.push_str(
                " AND EXISTS (SELECT 1 FROM document_field m WHERE m.dialect = ? AND m.collection = ?
                   AND m.field = ? AND m.value = ? AND m.key = f.key)",
            );
            values.extend([owned(dialect), owned(collection), owned(field), owned(value)]);
        }
    }
    Ok(Filter { text, values, key: "f.key" })
}

/// Which of the fields to go along: the one that the fewest documents match, counted so far as it matters.
fn leading(db: &Connection, dialect: &str, collection: &str, fields: &Attributes) -> Result<usize, Problem> {
    if fields.len() < 2 {
        return Ok(0);
    }
    let mut count = db.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM document_field
         WHERE dialect = ?1 AND collection = ?2 AND field = ?3 AND value = ?4 LIMIT ?5)",
    )?;
    let mut least = (FEW, 0);
    for (place, (field, value)) in fields.iter().enumerate() {
        let count: u32 = count.query_row(params![dialect, collection, field, value, FEW], |row| row.get(0))?;
        if count < least.0 {
            least = (count, place);
        }
    }
    Ok(least.1)
}
