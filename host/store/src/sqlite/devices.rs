//! Devices, their aliases and labels, and profiles.

use super::failure::{Problem, int};
use crate::error::StoreError;
use crate::record::{self, DeviceBody};
use crate::registry::{DeviceRecord, ProfileRecord};
use crate::selection::PAGE_MAX;
use dragoman_core::{Attributes, DeviceId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

/// Writes the record as it stands, and of its aliases and labels what changed.
pub(super) fn put(db: &Connection, record: &DeviceRecord) -> Result<(), Problem> {
    let id = record.id.as_str();
    let body = record::write("device", id, &DeviceBody::from(record))?;
    let parent = record.parent.as_ref().map(DeviceId::as_str);
    let (row, old) = match find(db, &record.id)? {
        Some((row, old)) => {
            db.prepare_cached("UPDATE device SET parent = ?2, body = ?3 WHERE row = ?1")?
                .execute(params![row, parent, body])?;
            (row, Some(old))
        }
        None => {
            db.prepare_cached("INSERT INTO device (id, parent, body) VALUES (?1, ?2, ?3)")?
                .execute(params![id, parent, body])?;
            (db.last_insert_rowid(), None)
        }
    };
    let (old_aliases, old_labels) = old.map(|old| (old.aliases, old.labels)).unwrap_or_default();
    for alias in old_aliases.iter().filter(|alias| !record.aliases.contains(alias)) {
        remove_alias(db, row, alias)?;
    }
    for alias in record.aliases.iter().filter(|alias| !old_aliases.contains(alias)) {
        put_alias(db, row, &record.id, alias)?;
    }
    for label in old_labels.iter().filter(|label| !record.labels.contains(label)) {
        remove_label(db, &record.id, label)?;
    }
    let mut put =
        db.prepare_cached("INSERT INTO device_label (name, value, device) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    for (name, value) in record.labels.iter().filter(|label| !old_labels.contains(label)) {
        put.execute(params![name, value, id])?;
    }
    Ok(())
}

fn put_alias(db: &Connection, row: i64, id: &DeviceId, (namespace, name): &(String, String)) -> Result<(), Problem> {
    let put = db
        .prepare_cached(
            "INSERT INTO device_alias (namespace, name, device) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![namespace, name, row])?;
    if put > 0 {
        return Ok(());
    }
    match by_alias(db, namespace, name)? {
        Some(other) if other.id != *id => {
            Err(StoreError::AliasTaken { namespace: namespace.clone(), name: name.clone(), by: other.id }.into())
        }
        // The record names it twice.
        _ => Ok(()),
    }
}

fn remove_alias(db: &Connection, row: i64, (namespace, name): &(String, String)) -> Result<(), Problem> {
    db.prepare_cached("DELETE FROM device_alias WHERE namespace = ?1 AND name = ?2 AND device = ?3")?
        .execute(params![namespace, name, row])?;
    Ok(())
}

fn remove_label(db: &Connection, id: &DeviceId, (name, value): &(String, String)) -> Result<(), Problem> {
    db.prepare_cached("DELETE FROM device_label WHERE name = ?1 AND value = ?2 AND device = ?3")?.execute(params![
        name,
        value,
        id.as_str()
    ])?;
    Ok(())
}

pub(super) fn remove(db: &Connection, id: &DeviceId) -> Result<(), Problem> {
    if let Some((row, record)) = find(db, id)? {
        for alias in &record.aliases {
            remove_alias(db, row, alias)?;
        }
        for label in &record.labels {
            remove_label(db, id, label)?;
        }
        db.prepare_cached("DELETE FROM device WHERE row = ?1")?.execute([row])?;
    }
    db.prepare_cached("DELETE FROM profile WHERE device = ?1")?.execute([id.as_str()])?;
    Ok(())
}

fn find(db: &Connection, id: &DeviceId) -> Result<Option<(i64, DeviceRecord)>, Problem> {
    let mut find = db.prepare_cached("SELECT id, body, row FROM device WHERE id = ?1")?;
    let mut rows = find.query([id.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((row.get(2)?, from_row(row)?)))
}

/// A device from a row whose first column is its id and whose second is its body.
fn from_row(row: &Row<'_>) -> Result<DeviceRecord, Problem> {
    let (id, body) = (row.get_ref(0)?, row.get_ref(1)?);
    let key = id.as_str().unwrap_or_default();
    let body: DeviceBody = record::read("device", key, body.as_str().map_err(rusqlite::Error::from)?)?;
    Ok(body.into())
}

pub(super) fn get(db: &Connection, id: &DeviceId) -> Result<Option<DeviceRecord>, Problem> {
    Ok(find(db, id)?.map(|(_, record)| record))
}

pub(super) fn by_alias(db: &Connection, namespace: &str, name: &str) -> Result<Option<DeviceRecord>, Problem> {
    let mut find = db.prepare_cached(
        "SELECT d.id, d.body FROM device_alias a JOIN device d ON d.row = a.device
         WHERE a.namespace = ?1 AND a.name = ?2",
    )?;
    let mut rows = find.query([namespace, name])?;
    rows.next()?.map(from_row).transpose()
}

pub(super) fn list(
    db: &Connection,
    labels: &Attributes,
    after: Option<&DeviceId>,
    limit: u32,
) -> Result<Vec<DeviceRecord>, Problem> {
    // Ids are never empty, so all of them are behind the empty one.
    let (selected, mut values) = selected(labels, after.map_or("", DeviceId::as_str));
    values.push(Value::Integer(limit.clamp(1, PAGE_MAX).into()));
    collect(db, &format!("SELECT d.id, d.body {selected} ORDER BY d.id LIMIT ?"), params_from_iter(values))
}

pub(super) fn count(db: &Connection, labels: &Attributes, up_to: u64) -> Result<u64, Problem> {
    let (selected, mut values) = selected(labels, "");
    values.push(Value::Integer(i64::try_from(up_to).unwrap_or(i64::MAX)));
    let mut count = db.prepare_cached(&format!("SELECT count(*) FROM (SELECT 1 {selected} LIMIT ?)"))?;
    let found: i64 = count.query_row(params_from_iter(values), |row| row.get(0))?;
    Ok(u64::try_from(found).unwrap_or(0))
}

/// Devices `d` that carry all these labels, behind that id.
fn selected(labels: &Attributes, after: &str) -> (String, Vec<Value>) {
    let after = Value::Text(after.to_owned());
    let mut labels = labels.iter();
    let mut values = Vec::new();
    let mut sql = match labels.next() {
        None => {
            values.push(after);
            "FROM device d WHERE d.id > ?".to_owned()
        }
        Some((name, value)) => {
            values.extend([Value::Text(name.clone()), Value::Text(value.clone()), after]);
            "FROM device_label l CROSS JOIN device d ON d.id = l.device WHERE l.name = ? AND l.value = ? AND l.device > ?"
                .to_owned()
        }
    };
    for (name, value) in labels {
        sql.push_str(" AND EXISTS (SELECT 1 FROM device_label m WHERE m.name = ? AND m.value = ? AND m.device = d.id)");
        values.extend([Value::Text(name.clone()), Value::Text(value.clone())]);
    }
    (sql, values)
}

pub(super) fn children(
    db: &Connection,
    parent: &DeviceId,
    after: Option<&DeviceId>,
    limit: u32,
) -> Result<Vec<DeviceRecord>, Problem> {
    collect(
        db,
        "SELECT id, body FROM device INDEXED BY device_parent WHERE parent = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        params![parent.as_str(), after.map_or("", DeviceId::as_str), limit.clamp(1, PAGE_MAX)],
    )
}

fn collect(db: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Vec<DeviceRecord>, Problem> {
    let mut find = db.prepare_cached(sql)?;
    let mut rows = find.query(params)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(from_row(row)?);
    }
    Ok(records)
}

pub(super) fn put_profile(db: &Connection, record: &ProfileRecord) -> Result<(), Problem> {
    let ProfileRecord { device, dialect, json, revision } = record;
    db.prepare_cached(
        "INSERT INTO profile (device, dialect, revision, json) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET revision = excluded.revision, json = excluded.json",
    )?
    .execute(params![device.as_str(), &**dialect, int(*revision), json])?;
    Ok(())
}

pub(super) fn profile(db: &Connection, device: &DeviceId, dialect: &str) -> Result<Option<ProfileRecord>, Problem> {
    let mut find = db.prepare_cached("SELECT revision, json FROM profile WHERE device = ?1 AND dialect = ?2")?;
    let found = find.query_row([device.as_str(), dialect], |row| {
        Ok(ProfileRecord {
            device: device.clone(),
            dialect: dialect.into(),
            revision: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
            json: row.get(1)?,
        })
    });
    Ok(found.optional()?)
}
