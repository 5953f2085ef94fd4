//! What a database must do for the journal.

use crate::access::{CredentialRecord, MqttSessionRecord};
use crate::dead_letter::DeadLetterRow;
use crate::document::DocumentRecord;
use crate::error::StoreError;
use crate::registry::{DeviceRecord, ProfileRecord};
use crate::request::RequestRow;
use crate::selection::{Page, Position, Selection, TransitionQuery};
use crate::write::{Durability, OutboxRow, Write};
use dragoman_core::{Attributes, DeviceId, Execution, ExecutionId, Transition};

/// A database, seen from one thread at a time. Every call blocks. Reads see what was committed.
///
/// A new implementation is held to this by `tests/conformance.rs`.
pub trait Backend: Send + Sync + 'static {
    /// Writes all or nothing. With [`Durability::Committed`], all that was committed before is on the disk afterwards
    /// too, also when `writes` is empty. Of several versions of one execution only the last need be written.
    ///
    /// # Errors
    /// [`StoreError::AliasTaken`] where a device claims what another has after all writes before it.
    fn commit(&self, writes: &[Write], durability: Durability) -> Result<(), StoreError>;

    /// A device by id.
    fn device(&self, id: &DeviceId) -> Result<Option<DeviceRecord>, StoreError>;
    /// A device by a platform's name for it.
    fn device_by_alias(&self, namespace: &str, name: &str) -> Result<Option<DeviceRecord>, StoreError>;
    /// Devices that carry all these labels, in id order behind `after`.
    fn devices(
        &self,
        labels: &Attributes,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceRecord>, StoreError>;
    /// How many devices carry all these labels, counted up to `up_to`.
    fn count_devices(&self, labels: &Attributes, up_to: u64) -> Result<u64, StoreError>;
    /// Devices that hang below this one, in id order behind `after`.
    fn children(
        &self,
        parent: &DeviceId,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceRecord>, StoreError>;
    /// What a dialect keeps about a device.
    fn profile(&self, device: &DeviceId, dialect: &str) -> Result<Option<ProfileRecord>, StoreError>;

    /// An execution by id, open or ended.
    fn execution(&self, id: &ExecutionId) -> Result<Option<Execution>, StoreError>;
    /// The history of an execution, in order.
    fn history(&self, id: &ExecutionId) -> Result<Vec<Transition>, StoreError>;
    /// Lines of all histories, by position. What it costs does not grow with the histories of other origins.
    fn transitions(&self, query: &TransitionQuery) -> Result<Vec<Position>, StoreError>;
    /// The greatest position that was ever written, of a line or of a cursor; also where that line was forgotten.
    fn last_position(&self) -> Result<u64, StoreError>;
    /// How far a dialect was told.
    fn cursor(&self, dialect: &str) -> Result<Option<u64>, StoreError>;
    /// One page of executions, in order of creation: by time, and of one time as they were written first.
    fn executions(&self, selection: &Selection) -> Result<Page, StoreError>;
    /// How many executions there are, counted up to `up_to`. `after` and `limit` of the selection count for nothing.
    fn count(&self, selection: &Selection, up_to: u64) -> Result<u64, StoreError>;
    /// The newest execution under the origin's own id.
    fn execution_by_alias(&self, origin: &str, device: &DeviceId, alias: &str)
    -> Result<Option<Execution>, StoreError>;
    /// The newest execution under the caller's idempotency key.
    fn execution_by_idempotency(&self, origin: &str, key: &str) -> Result<Option<Execution>, StoreError>;
    /// The execution and the attempt that was dispatched under this key; the newest execution where several were.
    fn by_correlation(&self, reporter: &DeviceId, key: &str) -> Result<Option<(ExecutionId, u32)>, StoreError>;
    /// Every open execution, as they were written first.
    fn load_open(&self, each: &mut dyn FnMut(Execution)) -> Result<(), StoreError>;
    /// Every message that has not left, by number.
    fn outbox(&self) -> Result<Vec<OutboxRow>, StoreError>;
    /// Every request that was not answered, given up ones included, by number.
    fn requests(&self) -> Result<Vec<RequestRow>, StoreError>;
    /// How many of these are for that target.
    fn request_count(&self, target: &str) -> Result<u64, StoreError>;
    /// Messages that no plugin could read, by number behind `after`: all of them, or those of one plugin.
    fn dead_letters(&self, plugin: Option<&str>, after: u64, limit: u32) -> Result<Vec<DeadLetterRow>, StoreError>;
    /// The greatest number that a dead letter ever had; also where that letter is gone.
    fn last_dead_letter(&self) -> Result<u64, StoreError>;

    /// A document by key.
    fn document(&self, dialect: &str, collection: &str, key: &str) -> Result<Option<DocumentRecord>, StoreError>;
    /// Documents whose fields have all these values, in key order behind `after`.
    ///
    /// # Errors
    /// [`StoreError::NotIndexed`] where a field is not indexed.
    fn documents(
        &self,
        dialect: &str,
        collection: &str,
        fields: &Attributes,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<DocumentRecord>, StoreError>;
    /// How many documents have all these values, counted up to `up_to`.
    ///
    /// # Errors
    /// As [`Backend::documents`].
    fn count_documents(
        &self,
        dialect: &str,
        collection: &str,
        fields: &Attributes,
        up_to: u64,
    ) -> Result<u64, StoreError>;
    /// Brings the indexes of a dialect's documents a step closer to those declared, each a collection and a field, and
    /// tells whether there is more to do. A step touches at most `limit` documents; writes may come between two. A field
    /// can be asked for from the step on that finished its index, until the one that finds it not declared.
    fn index_documents(&self, dialect: &str, declared: &[(String, String)], limit: u32) -> Result<bool, StoreError>;
    /// How far a dialect's counter got; 0 where it was never written.
    fn counter(&self, dialect: &str, counter: &str) -> Result<u64, StoreError>;

    /// A credential by account.
    fn credential(&self, dialect: &str, account: &str) -> Result<Option<CredentialRecord>, StoreError>;
    /// The token credential whose secret is this hash.
    fn credential_by_token(&self, dialect: &str, hash: &[u8]) -> Result<Option<CredentialRecord>, StoreError>;
    /// Every credential of a dialect, by account.
    fn credentials(&self, dialect: &str) -> Result<Vec<CredentialRecord>, StoreError>;
    /// Every persistent MQTT session, by client id.
    fn mqtt_sessions(&self) -> Result<Vec<MqttSessionRecord>, StoreError>;

    /// Forgets at most `limit` executions that ended before this time, the earliest first, with all that belongs to
    /// them. Tells how many.
    fn prune(&self, ended_before_ms: u64, limit: u32) -> Result<u64, StoreError>;
}
