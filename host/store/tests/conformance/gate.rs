//! A backend whose commits can be held up and made to fail, over a real one.

use dragoman_core::{Attributes, DeviceId, Execution, ExecutionId, Transition};
use dragoman_store::{
    Backend, CredentialRecord, DeadLetterRow, DeviceRecord, DocumentRecord, Durability, MqttSessionRecord, OutboxRow,
    Page, Position, ProfileRecord, RequestRow, Selection, StoreError, TransitionQuery, Write,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// What was asked of [`Gate::commit`]: how many writes, and how durable.
pub type Commit = (usize, Durability);

pub struct Gate {
    inner: Arc<dyn Backend>,
    state: Mutex<State>,
    changed: Condvar,
    point_reads: AtomicU64,
}

#[derive(Default)]
struct State {
    held: bool,
    failing: bool,
    waiting: usize,
    commits: Vec<Commit>,
}

impl Gate {
    pub fn new(inner: Arc<dyn Backend>) -> Arc<Self> {
        Arc::new(Self { inner, state: Mutex::default(), changed: Condvar::new(), point_reads: AtomicU64::new(0) })
    }

    /// Commits wait until [`Gate::release`].
    pub fn hold(&self) {
        self.state.lock().unwrap().held = true;
    }

    pub fn release(&self) {
        self.state.lock().unwrap().held = false;
        self.changed.notify_all();
    }

    /// Commits fail from now on.
    pub fn fail(&self) {
        self.state.lock().unwrap().failing = true;
    }

    /// Waits until a commit stands before the gate, with what it took.
    pub fn wait_for_commit(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.waiting == 0).unwrap());
    }

    /// The commits that went through, in order.
    pub fn commits(&self) -> Vec<Commit> {
        self.state.lock().unwrap().commits.clone()
    }

    /// How often a profile, a document or a token was read.
    pub fn point_reads(&self) -> u64 {
        self.point_reads.load(Ordering::SeqCst)
    }

    /// Waits until so many commits went through.
    pub fn wait_for_commits(&self, count: usize) -> Vec<Commit> {
        let state = self.state.lock().unwrap();
        self.changed.wait_while(state, |state| state.commits.len() < count).unwrap().commits.clone()
    }
}

impl Backend for Gate {
    fn commit(&self, writes: &[Write], durability: Durability) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| state.held).unwrap();
        state.waiting -= 1;
        if state.failing {
            return Err(StoreError::Failed { doing: "committing", detail: "the disk is gone".to_owned() });
        }
        self.inner.commit(writes, durability)?;
        state.commits.push((writes.len(), durability));
        self.changed.notify_all();
        Ok(())
    }

    fn device(&self, id: &DeviceId) -> Result<Option<DeviceRecord>, StoreError> {
        self.inner.device(id)
    }
    fn device_by_alias(&self, namespace: &str, name: &str) -> Result<Option<DeviceRecord>, StoreError> {
        self.inner.device_by_alias(namespace, name)
    }
    fn devices(
        &self,
        labels: &Attributes,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        self.inner.devices(labels, after, limit)
    }
    fn count_devices(&self, labels: &Attributes, up_to: u64) -> Result<u64, StoreError> {
        self.inner.count_devices(labels, up_to)
    }
    fn children(
        &self,
        parent: &DeviceId,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        self.inner.children(parent, after, limit)
    }
    fn profile(&self, device: &DeviceId, dialect: &str) -> Result<Option<ProfileRecord>, StoreError> {
        self.point_reads.fetch_add(1, Ordering::SeqCst);
        self.inner.profile(device, dialect)
    }
    fn execution(&self, id: &ExecutionId) -> Result<Option<Execution>, StoreError> {
        self.inner.execution(id)
    }
    fn history(&self, id: &ExecutionId) -> Result<Vec<Transition>, StoreError> {
        self.inner.history(id)
    }
    fn transitions(&self, query: &TransitionQuery) -> Result<Vec<Position>, StoreError> {
        self.inner.transitions(query)
    }
    fn last_position(&self) -> Result<u64, StoreError> {
        self.inner.last_position()
    }
    fn cursor(&self, dialect: &str) -> Result<Option<u64>, StoreError> {
        self.inner.cursor(dialect)
    }
    fn document(&self, dialect: &str, collection: &str, key: &str) -> Result<Option<DocumentRecord>, StoreError> {
        self.point_reads.fetch_add(1, Ordering::SeqCst);
        self.inner.document(dialect, collection, key)
    }
    fn documents(
        &self,
        dialect: &str,
        collection: &str,
        fields: &Attributes,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<DocumentRecord>, StoreError> {
        self.inner.documents(dialect, collection, fields, after, limit)
    }
    fn count_documents(
        &self,
        dialect: &str,
        collection: &str,
        fields: &Attributes,
        up_to: u64,
    ) -> Result<u64, StoreError> {
        self.inner.count_documents(dialect, collection, fields, up_to)
    }
    fn index_documents(&self, dialect: &str, declared: &[(String, String)], limit: u32) -> Result<bool, StoreError> {
        self.inner.index_documents(dialect, declared, limit)
    }
    fn counter(&self, dialect: &str, counter: &str) -> Result<u64, StoreError> {
        self.inner.counter(dialect, counter)
    }
    fn executions(&self, selection: &Selection) -> Result<Page, StoreError> {
        self.inner.executions(selection)
    }
    fn count(&self, selection: &Selection, up_to: u64) -> Result<u64, StoreError> {
        self.inner.count(selection, up_to)
    }
    fn execution_by_alias(
        &self,
        origin: &str,
        device: &DeviceId,
        alias: &str,
    ) -> Result<Option<Execution>, StoreError> {
        self.inner.execution_by_alias(origin, device, alias)
    }
    fn execution_by_idempotency(&self, origin: &str, key: &str) -> Result<Option<Execution>, StoreError> {
        self.inner.execution_by_idempotency(origin, key)
    }
    fn by_correlation(&self, reporter: &DeviceId, key: &str) -> Result<Option<(ExecutionId, u32)>, StoreError> {
        self.inner.by_correlation(reporter, key)
    }
    fn load_open(&self, each: &mut dyn FnMut(Execution)) -> Result<(), StoreError> {
        self.inner.load_open(each)
    }
    fn outbox(&self) -> Result<Vec<OutboxRow>, StoreError> {
        self.inner.outbox()
    }
    fn requests(&self) -> Result<Vec<RequestRow>, StoreError> {
        self.inner.requests()
    }
    fn request_count(&self, target: &str) -> Result<u64, StoreError> {
        self.inner.request_count(target)
    }
    fn dead_letters(&self, plugin: Option<&str>, after: u64, limit: u32) -> Result<Vec<DeadLetterRow>, StoreError> {
        self.inner.dead_letters(plugin, after, limit)
    }
    fn last_dead_letter(&self) -> Result<u64, StoreError> {
        self.inner.last_dead_letter()
    }
    fn credential(&self, dialect: &str, account: &str) -> Result<Option<CredentialRecord>, StoreError> {
        self.inner.credential(dialect, account)
    }
    fn credential_by_token(&self, dialect: &str, hash: &[u8]) -> Result<Option<CredentialRecord>, StoreError> {
        self.point_reads.fetch_add(1, Ordering::SeqCst);
        self.inner.credential_by_token(dialect, hash)
    }
    fn credentials(&self, dialect: &str) -> Result<Vec<CredentialRecord>, StoreError> {
        self.inner.credentials(dialect)
    }
    fn mqtt_sessions(&self) -> Result<Vec<MqttSessionRecord>, StoreError> {
        self.inner.mqtt_sessions()
    }
    fn prune(&self, ended_before_ms: u64, limit: u32) -> Result<u64, StoreError> {
        self.inner.prune(ended_before_ms, limit)
    }
}
