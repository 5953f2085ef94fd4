//! The store in one SQLite file.
//!
//! One connection writes, a few read. The file is in WAL mode: a commit is one append to the log and, where it must be
//! durable, one `fsync`; readers see the last commit and hold nobody up.

mod accounts;
mod commit;
mod dead_letters;
mod devices;
mod documents;
mod executions;
mod failure;
mod history;
mod indexes;
mod migrations;
mod numbers;
mod open;
mod options;
mod outbox;
mod readers;
mod requests;
mod rows;
mod selection;

pub use options::SqliteOptions;

use crate::access::{CredentialRecord, MqttSessionRecord};
use crate::backend::Backend;
use crate::dead_letter::DeadLetterRow;
use crate::document::DocumentRecord;
use crate::error::{OpenError, StoreError};
use crate::registry::{DeviceRecord, ProfileRecord};
use crate::request::RequestRow;
use crate::selection::{Page, Position, Selection, TransitionQuery};
use crate::write::{Durability, OutboxRow, Write};
use commit::Writer;
use dragoman_core::{Attributes, DeviceId, Execution, ExecutionId, Transition};
use failure::Problem;
use readers::Readers;
use rusqlite::Connection;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A store in one SQLite file. The file belongs to one process at a time.
pub struct SqliteBackend {
    path: PathBuf,
    /// None: reads go over the writer's connection. Dropped before the writer, because the last connection to close
    /// writes the log back into the file and removes it, and these may not write.
    readers: Option<Readers>,
    writer: Mutex<Writer>,
    /// Locked while this lives; dropped after the connections.
    _lock: Option<File>,
}

impl SqliteBackend {
    /// Opens the file, or makes it, and brings it to the newest schema. Takes no longer with more in it.
    ///
    /// # Errors
    /// See [`OpenError`]; each says what to do next.
    pub fn open(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Self, OpenError> {
        open::open(path.as_ref(), options)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic while it was held rolled the transaction back.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is committed.
    fn read<T>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, Problem>,
    ) -> Result<T, StoreError> {
        let result = match &self.readers {
            Some(readers) => read(&readers.take()),
            None => read(self.writer().connection()),
        };
        result.map_err(|problem| problem.explain(&self.path, doing))
    }
}

impl Backend for SqliteBackend {
    fn commit(&self, writes: &[Write], durability: Durability) -> Result<(), StoreError> {
        self.writer().commit(writes, durability).map_err(|problem| problem.explain(&self.path, "committing"))
    }

    fn device(&self, id: &DeviceId) -> Result<Option<DeviceRecord>, StoreError> {
        self.read("reading a device", |db| devices::get(db, id))
    }

    fn device_by_alias(&self, namespace: &str, name: &str) -> Result<Option<DeviceRecord>, StoreError> {
        self.read("looking up a device", |db| devices::by_alias(db, namespace, name))
    }

    fn devices(
        &self,
        labels: &Attributes,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        self.read("listing devices", |db| devices::list(db, labels, after, limit))
    }

    fn count_devices(&self, labels: &Attributes, up_to: u64) -> Result<u64, StoreError> {
        self.read("counting devices", |db| devices::count(db, labels, up_to))
    }

    fn children(
        &self,
        parent: &DeviceId,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        self.read("listing the devices below a gateway", |db| devices::children(db, parent, after, limit))
    }

    fn profile(&self, device: &DeviceId, dialect: &str) -> Result<Option<ProfileRecord>, StoreError> {
        self.read("reading a profile", |db| devices::profile(db, device, dialect))
    }

    fn execution(&self, id: &ExecutionId) -> Result<Option<Execution>, StoreError> {
        self.read("reading an execution", |db| executions::get(db, id))
    }

    fn history(&self, id: &ExecutionId) -> Result<Vec<Transition>, StoreError> {
        self.read("reading a history", |db| history::of(db, id))
    }

    fn transitions(&self, query: &TransitionQuery) -> Result<Vec<Position>, StoreError> {
        self.read("reading histories", |db| history::list(db, query))
    }

    fn last_position(&self) -> Result<u64, StoreError> {
        self.read("looking for the last position", history::last_position)
    }

    fn cursor(&self, dialect: &str) -> Result<Option<u64>, StoreError> {
        self.read("reading a cursor", |db| numbers::cursor(db, dialect))
    }

    fn executions(&self, selection: &Selection) -> Result<Page, StoreError> {
        self.read("listing executions", |db| selection::page(db, selection))
    }

    fn count(&self, selection: &Selection, up_to: u64) -> Result<u64, StoreError> {
        self.read("counting executions", |db| selection::count(db, selection, up_to))
    }

    fn execution_by_alias(
        &self,
        origin: &str,
        device: &DeviceId,
        alias: &str,
    ) -> Result<Option<Execution>, StoreError> {
        self.read("looking up an execution", |db| executions::by_alias(db, origin, device, alias))
    }

    fn execution_by_idempotency(&self, origin: &str, key: &str) -> Result<Option<Execution>, StoreError> {
        self.read("looking up an execution", |db| executions::by_idempotency(db, origin, key))
    }

    fn by_correlation(&self, reporter: &DeviceId, key: &str) -> Result<Option<(ExecutionId, u32)>, StoreError> {
        self.read("looking up a correlation", |db| executions::by_correlation(db, reporter, key))
    }

    fn load_open(&self, each: &mut dyn FnMut(Execution)) -> Result<(), StoreError> {
        self.read("loading open executions", |db| executions::load_open(db, each))
    }

    fn outbox(&self) -> Result<Vec<OutboxRow>, StoreError> {
        self.read("loading the outbox", outbox::all)
    }

    fn document(&self, dialect: &str, collection: &str, key: &str) -> Result<Option<DocumentRecord>, StoreError> {
        self.read("reading a document", |db| documents::get(db, dialect, collection, key))
    }

    fn documents(
        &self,
        dialect: &str,
        collection: &str,
        fields: &Attributes,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<DocumentRecord>, StoreError> {
        self.read("listing documents", |db| documents::list(db, dialect, collection, fields, after, limit))
    }

    fn count_documents(
        &self,
        dialect: &str,
        collection: &str,
        fields: &Attributes,
        up_to: u64,
    ) -> Result<u64, StoreError> {
        self.read("counting documents", |db| documents::count(db, dialect, collection, fields, up_to))
    }

    fn index_documents(&self, dialect: &str, declared: &[(String, String)], limit: u32) -> Result<bool, StoreError> {
        self.writer()
            .index_documents(dialect, declared, limit)
            .map_err(|problem| problem.explain(&self.path, "indexing documents"))
    }

    fn counter(&self, dialect: &str, counter: &str) -> Result<u64, StoreError> {
        self.read("reading a counter", |db| numbers::counter(db, dialect, counter))
    }

    fn requests(&self) -> Result<Vec<RequestRow>, StoreError> {
        self.read("loading requests", requests::all)
    }

    fn request_count(&self, target: &str) -> Result<u64, StoreError> {
        self.read("counting requests", |db| requests::count(db, target))
    }

    fn dead_letters(&self, plugin: Option<&str>, after: u64, limit: u32) -> Result<Vec<DeadLetterRow>, StoreError> {
        self.read("listing dead letters", |db| dead_letters::list(db, plugin, after, limit))
    }

    fn last_dead_letter(&self) -> Result<u64, StoreError> {
        self.read("looking for the last dead letter", dead_letters::last)
    }

    fn credential(&self, dialect: &str, account: &str) -> Result<Option<CredentialRecord>, StoreError> {
        self.read("reading a credential", |db| accounts::credential(db, dialect, account))
    }

    fn credential_by_token(&self, dialect: &str, hash: &[u8]) -> Result<Option<CredentialRecord>, StoreError> {
        self.read("looking up a token", |db| accounts::by_token(db, dialect, hash))
    }

    fn credentials(&self, dialect: &str) -> Result<Vec<CredentialRecord>, StoreError> {
        self.read("listing credentials", |db| accounts::credentials(db, dialect))
    }

    fn mqtt_sessions(&self) -> Result<Vec<MqttSessionRecord>, StoreError> {
        self.read("loading sessions", accounts::mqtt_sessions)
    }

    fn prune(&self, ended_before_ms: u64, limit: u32) -> Result<u64, StoreError> {
        self.writer()
            .prune(ended_before_ms, limit)
            .map_err(|problem| problem.explain(&self.path, "forgetting old executions"))
    }
}
