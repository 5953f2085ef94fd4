//! Credentials and persistent MQTT sessions.

use super::failure::{Problem, int};
use crate::access::{CredentialKind, CredentialRecord, MqttSessionRecord};

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The word in the column.
fn word(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Token => "token",
        CredentialKind::Password => "password",
        CredentialKind::Sealed => "sealed",
    }
}

impl FromSql for CredentialKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "token" => Ok(Self::Token),
            "password" => Ok(Self::Password),
            "sealed" => Ok(Self::Sealed),
            other => Err(FromSqlError::Other(format!("\"{other}\" is no kind of credential").into())),
        }
    }
}

pub(super) fn put_credential(db: &Connection, record: &CredentialRecord) -> Result<(), Problem> {
    let CredentialRecord { dialect, account, kind, secret, rights, created_ms } = record;
    db.prepare_cached(
        "INSERT INTO credential (dialect, account, kind, secret, rights, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET kind = excluded.kind, secret = excluded.secret, rights = excluded.rights,
            created_ms = excluded.created_ms",
    )?
    .execute(params![&**dialect, account, word(*kind), secret, rights, int(*created_ms)])?;
    Ok(())
}

pub(super) fn remove_credential(db: &Connection, dialect: &str, account: &str) -> Result<(), Problem> {
    db.prepare_cached("DELETE FROM credential WHERE dialect = ?1 AND account = ?2")?.execute([dialect, account])?;
    Ok(())
}

/// A credential from a row with all its columns in order.
fn credential_from(row: &Row<'_>) -> rusqlite::Result<CredentialRecord> {
    Ok(CredentialRecord {
        dialect: row.get(0)?,
        account: row.get(1)?,
        kind: row.get(2)?,
        secret: row.get(3)?,
        rights: row.get(4)?,
        created_ms: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
    })
}

pub(super) fn credential(db: &Connection, dialect: &str, account: &str) -> Result<Option<CredentialRecord>, Problem> {
    let mut find = db.prepare_cached(
        "SELECT dialect, account, kind, secret, rights, created_ms FROM credential WHERE dialect = ?1 AND account = ?2",
    )?;
    Ok(find.query_row([dialect, account], credential_from).optional()?)
}

pub(super) fn by_token(db: &Connection, dialect: &str, hash: &[u8]) -> Result<Option<CredentialRecord>, Problem> {
    let mut find = db.prepare_cached(
        "SELECT dialect, account, kind, secret, rights, created_ms FROM credential INDEXED BY credential_token
         WHERE dialect = ?1 AND secret = ?2 AND kind = 'token'",
    )?;
    Ok(find.query_row(params![dialect, hash], credential_from).optional()?)
}

pub(super) fn credentials(db: &Connection, dialect: &str) -> Result<Vec<CredentialRecord>, Problem> {
    let mut find = db.prepare_cached(
        "SELECT dialect, account, kind, secret, rights, created_ms FROM credential WHERE dialect = ?1 ORDER BY account",
    )?;
    Ok(find.query_map([dialect], credential_from)?.collect::<Result<_, _>>()?)
}

pub(super) fn put_mqtt_session(db: &Connection, record: &MqttSessionRecord) -> Result<(), Problem> {
    db.prepare_cached(
        "INSERT INTO mqtt_session (client_id, expires_ms, body) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET expires_ms = excluded.expires_ms, body = excluded.body",
    )?
    .execute(params![record.client_id, int(record.expires_ms), record.body])?;
    Ok(())
}

pub(super) fn remove_mqtt_session(db: &Connection, client_id: &str) -> Result<(), Problem> {
    db.prepare_cached("DELETE FROM mqtt_session WHERE client_id = ?1")?.execute([client_id])?;
    Ok(())
}

pub(super) fn mqtt_sessions(db: &Connection) -> Result<Vec<MqttSessionRecord>, Problem> {
    let mut find = db.prepare_cached("SELECT client_id, expires_ms, body FROM mqtt_session ORDER BY client_id")?;
    let rows = find.query_map([], |row| {
        let expires_ms: i64 = row.get(1)?;
        Ok(MqttSessionRecord {
            client_id: row.get(0)?,
            expires_ms: u64::try_from(expires_ms).unwrap_or(0),
            body: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
