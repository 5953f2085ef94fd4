//! What was appended and is not committed yet, as point reads want it.
//!
//! An entry leaves when the append that wrote it last is committed, and not before: a reader who misses it here finds
//! it in the database.

use crate::access::CredentialRecord;
use crate::document::DocumentRecord;
use crate::registry::{DeviceRecord, ProfileRecord};
use crate::write::Write;
use dragoman_core::{DeviceId, Execution, ExecutionId, Transition};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// A value and the append that wrote it. No value: it was removed.
struct Stamped<T> {
    seq: u64,
    value: T,
}

/// Origin, device and the origin's own id.
type AliasKey = (Arc<str>, DeviceId, String);

/// Dialect, collection and key of a document.
pub(super) type DocumentKey = (Arc<str>, String, String);

#[derive(Default)]
pub(super) struct Overlay {
    executions: HashMap<ExecutionId, Stamped<Arc<Execution>>>,
    execution_aliases: HashMap<AliasKey, Stamped<ExecutionId>>,
    idempotency: HashMap<(Arc<str>, String), Stamped<ExecutionId>>,
    correlations: HashMap<(DeviceId, String), Stamped<(ExecutionId, u32)>>,
    histories: HashMap<ExecutionId, Vec<Stamped<Transition>>>,
    devices: HashMap<DeviceId, Stamped<Option<Arc<DeviceRecord>>>>,
    /// Devices that were removed, whether or not there is a new one of that name: what the database has of them is void.
    removed: HashMap<DeviceId, Stamped<()>>,
    device_aliases: HashMap<(String, String), Stamped<DeviceId>>,
    profiles: HashMap<(DeviceId, Arc<str>), Stamped<ProfileRecord>>,
    documents: HashMap<DocumentKey, Stamped<Option<Arc<DocumentRecord>>>>,
    counters: HashMap<(Arc<str>, String), Stamped<u64>>,
    cursors: HashMap<Arc<str>, Stamped<u64>>,
    credentials: HashMap<(Arc<str>, String), Stamped<Option<CredentialRecord>>>,
}

impl Overlay {
    /// Takes in what append `seq` wrote.
    pub(super) fn put(&mut self, write: &Write, seq: u64) {
        match write {
            Write::Execution(execution) => self.put_execution(execution, seq),
            Write::Transitions { id, lines, .. } => {
                let stamped = lines.iter().map(|line| Stamped { seq, value: line.clone() });
                self.histories.entry(id.clone()).or_default().extend(stamped);
            }
            Write::Device(device) => {
                for alias in &device.aliases {
                    self.device_aliases.insert(alias.clone(), Stamped { seq, value: device.id.clone() });
                }
                self.devices.insert(device.id.clone(), Stamped { seq, value: Some(Arc::new(device.clone())) });
            }
            Write::DeviceRemove(id) => {
                self.devices.insert(id.clone(), Stamped { seq, value: None });
                self.removed.insert(id.clone(), Stamped { seq, value: () });
                self.profiles.retain(|(device, _), _| device != id);
            }
            Write::Profile(profile) => {
                let key = (profile.device.clone(), Arc::clone(&profile.dialect));
                self.profiles.insert(key, Stamped { seq, value: profile.clone() });
            }
            Write::Document(document) => {
                let value = Some(Arc::new(document.clone()));
                self.documents.insert(document_key(document), Stamped { seq, value });
            }
            Write::DocumentRemove { dialect, collection, key } => {
                let key = (Arc::clone(dialect), collection.clone(), key.clone());
                self.documents.insert(key, Stamped { seq, value: None });
            }
            Write::Counter { dialect, counter, value } => {
                self.counters.insert((Arc::clone(dialect), counter.clone()), Stamped { seq, value: *value });
            }
            Write::Cursor { dialect, position } => {
                self.cursors.insert(Arc::clone(dialect), Stamped { seq, value: *position });
            }
            Write::Credential(credential) => {
                let key = (Arc::clone(&credential.dialect), credential.account.clone());
                self.credentials.insert(key, Stamped { seq, value: Some(credential.clone()) });
            }
            Write::CredentialRemove { dialect, account } => {
                self.credentials.insert((Arc::clone(dialect), account.clone()), Stamped { seq, value: None });
            }
            // Read in whole only, after a wait for the commit.
            Write::OutboxPut(_) | Write::OutboxRemove(_) | Write::MqttSession(_) | Write::MqttSessionRemove(_) => {}
            Write::RequestPut(_) | Write::RequestRemove(_) => {}
            Write::DeadLetterPut(_) | Write::DeadLetterRemove(_) => {}
        }
    }

    fn put_execution(&mut self, execution: &Arc<Execution>, seq: u64) {
        let id = &execution.id;
        if let Some(key) = alias_key(execution) {
            self.execution_aliases.insert(key, Stamped { seq, value: id.clone() });
        }
        if let Some(key) = idempotency_key(execution) {
            self.idempotency.insert(key, Stamped { seq, value: id.clone() });
        }
        for (attempt, correlation) in &execution.correlations {
            let key = (correlation.reporter.clone(), correlation.key.clone());
            self.correlations.insert(key, Stamped { seq, value: (id.clone(), *attempt) });
        }
        self.executions.insert(id.clone(), Stamped { seq, value: Arc::clone(execution) });
    }

    /// Forgets a write that was committed with append `upto`, unless a later append wrote the same.
    pub(super) fn settle(&mut self, write: &Write, upto: u64) {
        match write {
            Write::Execution(execution) => {
                if let Some(key) = alias_key(execution) {
                    settle(&mut self.execution_aliases, &key, upto);
                }
                if let Some(key) = idempotency_key(execution) {
                    settle(&mut self.idempotency, &key, upto);
                }
                for (_, correlation) in &execution.correlations {
                    let key = (correlation.reporter.clone(), correlation.key.clone());
                    settle(&mut self.correlations, &key, upto);
                }
                settle(&mut self.executions, &execution.id, upto);
            }
            Write::Transitions { id, .. } => {
                if let Some(lines) = self.histories.get_mut(id) {
                    lines.retain(|line| line.seq > upto);
                    if lines.is_empty() {
                        self.histories.remove(id);
                    }
                }
            }
            Write::Device(device) => {
                for alias in &device.aliases {
                    settle(&mut self.device_aliases, alias, upto);
                }
                settle(&mut self.devices, &device.id, upto);
            }
            Write::DeviceRemove(id) => {
                settle(&mut self.devices, id, upto);
                settle(&mut self.removed, id, upto);
            }
            Write::Profile(profile) => {
                settle(&mut self.profiles, &(profile.device.clone(), Arc::clone(&profile.dialect)), upto);
            }
            Write::Document(document) => settle(&mut self.documents, &document_key(document), upto),
            Write::DocumentRemove { dialect, collection, key } => {
                settle(&mut self.documents, &(Arc::clone(dialect), collection.clone(), key.clone()), upto);
            }
            Write::Counter { dialect, counter, .. } => {
                settle(&mut self.counters, &(Arc::clone(dialect), counter.clone()), upto);
            }
            Write::Cursor { dialect, .. } => settle(&mut self.cursors, dialect, upto),
            Write::Credential(credential) => {
                let key = (Arc::clone(&credential.dialect), credential.account.clone());
                settle(&mut self.credentials, &key, upto);
            }
            Write::CredentialRemove { dialect, account } => {
                settle(&mut self.credentials, &(Arc::clone(dialect), account.clone()), upto);
            }
            Write::OutboxPut(_) | Write::OutboxRemove(_) | Write::MqttSession(_) | Write::MqttSessionRemove(_) => {}
            Write::RequestPut(_) | Write::RequestRemove(_) => {}
            Write::DeadLetterPut(_) | Write::DeadLetterRemove(_) => {}
        }
    }

    pub(super) fn execution(&self, id: &ExecutionId) -> Option<Arc<Execution>> {
        self.executions.get(id).map(|stamped| Arc::clone(&stamped.value))
    }

    pub(super) fn execution_by_alias(&self, origin: &str, device: &DeviceId, alias: &str) -> Option<Arc<Execution>> {
        let id = self.execution_aliases.get(&(Arc::from(origin), device.clone(), alias.to_owned()))?;
        self.execution(&id.value)
    }

    pub(super) fn execution_by_idempotency(&self, origin: &str, key: &str) -> Option<Arc<Execution>> {
        let id = self.idempotency.get(&(Arc::from(origin), key.to_owned()))?;
        self.execution(&id.value)
    }

    pub(super) fn by_correlation(&self, reporter: &DeviceId, key: &str) -> Option<(ExecutionId, u32)> {
        self.correlations.get(&(reporter.clone(), key.to_owned())).map(|stamped| stamped.value.clone())
    }

    /// The lines that are not committed yet, in order of writing.
    pub(super) fn history(&self, id: &ExecutionId) -> Vec<Transition> {
        self.histories.get(id).into_iter().flatten().map(|stamped| stamped.value.clone()).collect()
    }

    /// A device; within: none where it was removed.
    pub(super) fn device(&self, id: &DeviceId) -> Option<Option<Arc<DeviceRecord>>> {
        self.devices.get(id).map(|stamped| stamped.value.clone())
    }

    /// The device that was given this name last. It may have lost it since; its record tells.
    pub(super) fn alias(&self, alias: &(String, String)) -> Option<DeviceId> {
        self.device_aliases.get(alias).map(|stamped| stamped.value.clone())
    }

    /// Whether no write of a device waits.
    pub(super) fn has_no_devices(&self) -> bool {
        self.devices.is_empty()
    }

    /// Whether no write of a credential waits.
    pub(super) fn has_no_credentials(&self) -> bool {
        self.credentials.is_empty()
    }

    /// A profile; within: none where its device was removed.
    pub(super) fn profile(&self, device: &DeviceId, dialect: &str) -> Option<Option<ProfileRecord>> {
        match self.profiles.get(&(device.clone(), Arc::from(dialect))) {
            Some(stamped) => Some(Some(stamped.value.clone())),
            None => self.removed.contains_key(device).then_some(None),
        }
    }

    /// A document; within: none where it was removed.
    pub(super) fn document(&self, key: &DocumentKey) -> Option<Option<Arc<DocumentRecord>>> {
        self.documents.get(key).map(|stamped| stamped.value.clone())
    }

    pub(super) fn counter(&self, dialect: &str, counter: &str) -> Option<u64> {
        self.counters.get(&(Arc::from(dialect), counter.to_owned())).map(|stamped| stamped.value)
    }

    pub(super) fn cursor(&self, dialect: &str) -> Option<u64> {
        self.cursors.get(dialect).map(|stamped| stamped.value)
    }

    /// A credential; within: none where it was removed.
    pub(super) fn credential(&self, dialect: &str, account: &str) -> Option<Option<CredentialRecord>> {
        self.credentials.get(&(Arc::from(dialect), account.to_owned())).map(|stamped| stamped.value.clone())
    }

    /// What is known here about who has a token.
    pub(super) fn credential_by_token(&self, dialect: &str, hash: &[u8]) -> Option<CredentialRecord> {
        self.credentials
            .iter()
            .filter(|((of, _), _)| **of == *dialect)
            .filter_map(|(_, stamped)| stamped.value.as_ref())
            .find(|credential| credential.is_token(hash))
            .cloned()
    }
}

fn document_key(document: &DocumentRecord) -> DocumentKey {
    (Arc::clone(&document.dialect), document.collection.clone(), document.key.clone())
}

fn alias_key(execution: &Execution) -> Option<AliasKey> {
    let alias = execution.alias.clone()?;
    Some((Arc::clone(&execution.origin), execution.device.clone(), alias))
}

fn idempotency_key(execution: &Execution) -> Option<(Arc<str>, String)> {
    let idempotency = execution.idempotency.as_ref()?;
    Some((Arc::clone(&execution.origin), idempotency.key.clone()))
}

fn settle<K: Eq + Hash, T>(map: &mut HashMap<K, Stamped<T>>, key: &K, upto: u64) {
    if map.get(key).is_some_and(|stamped| stamped.seq <= upto) {
        map.remove(key);
    }
}
