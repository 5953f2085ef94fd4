//! One transaction for many writes.

use super::failure::{Problem, int};
use super::rows::Rows;
use super::{accounts, dead_letters, devices, documents, executions, history, indexes, numbers, outbox, requests};
use crate::write::{Durability, Write};
use dragoman_core::{Execution, ExecutionId};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::collections::HashMap;

/// The connection that writes.
pub(super) struct Writer {
    connection: Connection,
    /// How far the connection is set to wait for the disk.
    waits_for: Durability,
    /// Whether there are commits that the disk may not have.
    unsynced: bool,
    rows: Rows,
}

impl Writer {
    /// Takes over a connection that waits for the disk on commit.
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, waits_for: Durability::Committed, unsynced: false, rows: Rows::new() }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Writes all or nothing.
    pub(super) fn commit(&mut self, writes: &[Write], durability: Durability) -> Result<(), Problem> {
        if writes.is_empty() && !(self.unsynced && durability == Durability::Committed) {
            return Ok(());
        }
        self.wait_for(durability)?;
        match self.write(writes) {
            // What was committed before and not waited for is on the disk with this, or not, as it was.
            Ok(()) => self.unsynced = durability == Durability::Relaxed,
            Err(problem) => {
                self.rows.clear();
                return Err(problem);
            }
        }
        Ok(())
    }

    fn write(&mut self, writes: &[Write]) -> Result<(), Problem> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if writes.is_empty() {
            // SQLite syncs its log with a commit that writes, and the whole log at that.
            transaction.execute("UPDATE synced SET count = count + 1", [])?;
        }
        apply(&transaction, &mut self.rows, writes)?;
        Ok(transaction.commit()?)
    }

    /// Forgets ended executions. Not waited for: what comes back after a power loss is forgotten again.
    pub(super) fn prune(&mut self, ended_before_ms: u64, limit: u32) -> Result<u64, Problem> {
        self.rows.clear();
        let pruned = self
            .connection
            .prepare_cached(
                "DELETE FROM execution WHERE row IN (
                SELECT row FROM execution WHERE ended_ms IS NOT NULL AND ended_ms < ?1 ORDER BY ended_ms LIMIT ?2)",
            )?
            .execute(params![int(ended_before_ms), limit])?;
        Ok(pruned as u64)
    }

    /// Brings the indexes of documents a step closer to those declared. Not waited for: a step that a power loss undoes
    /// is done again.
    pub(super) fn index_documents(
        &mut self,
        dialect: &str,
        declared: &[(String, String)],
        limit: u32,
    ) -> Result<bool, Problem> {
        self.wait_for(Durability::Relaxed)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let more = indexes::step(&transaction, dialect, declared, limit.max(1))?;
        transaction.commit()?;
        Ok(more)
    }

    /// In WAL mode FULL means one sync of the log at each commit, and NORMAL none until the log is written back.
    fn wait_for(&mut self, durability: Durability) -> Result<(), Problem> {
        if self.waits_for != durability {
            let synchronous = match durability {
                Durability::Committed => "FULL",
                Durability::Relaxed => "NORMAL",
            };
            self.connection.pragma_update(None, "synchronous", synchronous)?;
            self.waits_for = durability;
        }
        Ok(())
    }
}

fn apply(transaction: &Transaction<'_>, rows: &mut Rows, writes: &[Write]) -> Result<(), Problem> {
    // Executions first: lines of a history hang below them, and of several versions the last is enough.
    for execution in newest_versions(writes) {
        executions::put(transaction, rows, execution)?;
    }
    for write in writes {
        match write {
            Write::Execution(_) => {}
            Write::Transitions { id, position, lines } => {
                history::put(transaction, rows, id, *position, lines)?;
            }
            Write::OutboxPut(row) => outbox::put(transaction, row)?,
            Write::OutboxRemove(seq) => outbox::remove(transaction, *seq)?,
            Write::RequestPut(row) => requests::put(transaction, row)?,
            Write::RequestRemove(seq) => requests::remove(transaction, *seq)?,
            Write::DeadLetterPut(row) => dead_letters::put(transaction, row)?,
            Write::DeadLetterRemove(seq) => dead_letters::remove(transaction, *seq)?,
            Write::Device(record) => devices::put(transaction, record)?,
            Write::DeviceRemove(id) => devices::remove(transaction, id)?,
            Write::Profile(record) => devices::put_profile(transaction, record)?,
            Write::Document(record) => documents::put(transaction, record)?,
            Write::DocumentRemove { dialect, collection, key } => {
                documents::remove(transaction, dialect, collection, key)?;
            }
            Write::Counter { dialect, counter, value } => {
                numbers::put_counter(transaction, dialect, counter, *value)?;
            }
            Write::Cursor { dialect, position } => numbers::put_cursor(transaction, dialect, *position)?,
            Write::Credential(record) => accounts::put_credential(transaction, record)?,
            Write::CredentialRemove { dialect, account } => {
                accounts::remove_credential(transaction, dialect, account)?;
            }
            Write::MqttSession(record) => accounts::put_mqtt_session(transaction, record)?,
            Write::MqttSessionRemove(client_id) => accounts::remove_mqtt_session(transaction, client_id)?,
        }
    }
    Ok(())
}

/// The last version of each execution, in the order in which each was first written.
fn newest_versions(writes: &[Write]) -> Vec<&Execution> {
    let mut places: HashMap<&ExecutionId, usize> = HashMap::new();
    let mut newest: Vec<&Execution> = Vec::new();
    for write in writes {
        let Write::Execution(execution) = write else { continue };
        let place = *places.entry(&execution.id).or_insert(newest.len());
        match newest.get_mut(place) {
            Some(older) => *older = execution,
            None => newest.push(execution),
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::backend::Backend;
    use crate::registry::DeviceRecord;
    use crate::sqlite::{SqliteBackend, SqliteOptions};
    use crate::write::{Durability, Write};
    use dragoman_core::DeviceId;

    fn device(id: &str) -> Write {
        Write::Device(DeviceRecord {
            id: DeviceId::new(id),
            dialect: "globex".into(),
            handler: None,
            parent: None,
            aliases: vec![("n".into(), "1".into())],
            labels: Vec::new(),
            disabled: false,
            created_ms: 1,
            updated_ms: 1,
        })
    }

    #[test]
    fn what_was_not_waited_for_is_brought_to_the_disk_though_another_commit_failed() {
        let folder = tempfile::tempdir().unwrap();
        let backend = SqliteBackend::open(folder.path().join("store.db"), &SqliteOptions::default()).unwrap();
        backend.commit(&[device("lamp")], Durability::Relaxed).unwrap();
        backend.commit(&[device("door")], Durability::Committed).unwrap_err();
        let syncs = || -> i64 {
            let writer = backend.writer();
            writer.connection().query_row("SELECT coalesce(sum(count), 0) FROM synced", [], |row| row.get(0)).unwrap()
        };
        let before = syncs();
        for _ in 0..2 {
            backend.commit(&[], Durability::Committed).unwrap();
        }
        assert_eq!(syncs() - before, 1, "once: then nothing is left that the disk may not have");
    }
}
