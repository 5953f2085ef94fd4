//! What a vector gives to read, in the place of the gateway's data. Nothing in it changes during a call but its counters.

use super::given::{Given, WrittenCredential};
use super::records::{WrittenDevice, WrittenSession};
use crate::context::{Presented, Secret};
use crate::reads::{
    CheckError, CorrelationStatus, DeviceView, HostReads, Identity, Page, ReadError, RequestError, Selection,
};
use crate::words::Document;
use crate::writes::OutRequest;
use async_trait::async_trait;
use dragoman_core::{
    Attributes, Correlation, DeviceId, Execution, ExecutionId, Json, Session, SessionId, Subscription,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) struct VectorWorld {
    /// In id order.
    devices: Vec<Arc<DeviceView>>,
    /// In order of creation.
    executions: Vec<Arc<Execution>>,
    /// By collection and key.
    documents: BTreeMap<(String, String), Arc<Document>>,
    sessions: Vec<Known>,
    credentials: Vec<WrittenCredential>,
    counters: Mutex<BTreeMap<String, u64>>,
    targets: Vec<String>,
}

struct Known {
    session: Arc<Session>,
    subscriptions: Vec<Subscription>,
    notes: Option<Json>,
}

impl VectorWorld {
    /// Where an argument of the call and the given data name the same device or session, the argument counts.
    pub(super) fn new(
        given: &Given,
        plugin: &str,
        device: Option<&WrittenDevice>,
        session: Option<&WrittenSession>,
    ) -> Self {
        let devices: BTreeMap<_, _> =
            given.devices.iter().chain(device).map(|one| (one.id.as_str(), Arc::new(one.view(plugin)))).collect();
        let known = |one: &WrittenSession| Known {
            session: Arc::new(one.session(plugin)),
            subscriptions: one.subscriptions.iter().map(Into::into).collect(),
            notes: super::vocabulary::text(one.notes.as_ref()),
        };
        let sessions: BTreeMap<_, _> =
            given.sessions.iter().chain(session).map(|one| (one.id.as_str(), known(one))).collect();
        let document = |one: &super::given::WrittenDocument| {
            let value = one.value.to_string();
            let document = Document { key: one.key.clone(), value, revision: one.revision };
            ((one.collection.clone(), one.key.clone()), Arc::new(document))
        };
        let mut executions: Vec<_> = given.executions.iter().map(|one| Arc::new(one.record(plugin))).collect();
        executions.sort_by_key(|execution| execution.created_ms);
        Self {
            devices: devices.into_values().collect(),
            executions,
            documents: given.documents.iter().map(document).collect(),
            sessions: sessions.into_values().collect(),
            credentials: given.credentials.clone(),
            counters: Mutex::new(given.counters.clone()),
            targets: given.targets.clone(),
        }
    }

    fn known(&self, id: &SessionId) -> Option<&Known> {
        self.sessions.iter().find(|known| known.session.id == *id)
    }

    fn labelled(&self, labels: &Attributes) -> impl Iterator<Item = &Arc<DeviceView>> {
        self.devices.iter().filter(|device| labels.iter().all(|label| device.labels.contains(label)))
    }

    fn selected(&self, plugin: &str, what: &Selection) -> Vec<Arc<Execution>> {
        let fits = |execution: &&Arc<Execution>| {
            &*execution.origin == plugin
                && what.device.as_ref().is_none_or(|device| execution.device == *device)
                && (what.states.is_empty() || what.states.contains(&execution.state))
                && what.labels.iter().all(|label| execution.labels.contains(label))
                && what.since_ms.is_none_or(|since_ms| execution.created_ms >= since_ms)
                && what.before_ms.is_none_or(|before_ms| execution.created_ms < before_ms)
        };
        let mut found: Vec<_> = self.executions.iter().filter(fits).cloned().collect();
        if what.newest_first {
            found.reverse();
        }
        found
    }

    fn in_collection<'a>(
        &'a self,
        collection: &'a str,
        fields: &'a Attributes,
    ) -> impl Iterator<Item = &'a Arc<Document>> {
        let fits = move |document: &Document| {
            let value: Value = serde_json::from_str(&document.value).unwrap_or_default();
            fields.iter().all(|(name, wanted)| match value.get(name) {
                Some(Value::String(text)) => text == wanted,
                Some(Value::Bool(truth)) => wanted.parse() == Ok(*truth),
                Some(Value::Number(number)) => wanted.parse().is_ok_and(|wanted: serde_json::Number| wanted == *number),
                _ => false,
            })
        };
        let found = self.documents.iter().filter(move |((own, _), document)| own == collection && fits(document));
        found.map(|(_, document)| document)
    }

    fn identity(&self, fits: impl Fn(&WrittenCredential) -> bool) -> Result<Identity, CheckError> {
        let found = self.credentials.iter().find(|credential| fits(credential));
        let found = found.ok_or_else(|| CheckError::Denied("the credential does not fit".into()))?;
        Ok(Identity { account: found.account.clone(), rights: found.rights.to_string() })
    }
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

#[async_trait]
impl HostReads for VectorWorld {
    async fn device(&self, _: &str, id: &DeviceId) -> Result<Option<Arc<DeviceView>>, ReadError> {
        Ok(self.devices.iter().find(|device| device.id == *id).cloned())
    }

    async fn resolve(&self, _: &str, namespace: &str, name: &str) -> Result<Option<Arc<DeviceView>>, ReadError> {
        let named = |device: &&Arc<DeviceView>| device.aliases.iter().any(|(n, v)| n == namespace && v == name);
        Ok(self.devices.iter().find(named).cloned())
    }

    async fn devices(
        &self,
        _: &str,
        labels: &Attributes,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<Arc<DeviceView>>, ReadError> {
        let behind = self.labelled(labels).filter(|device| after.is_none_or(|after| device.id > *after));
        Ok(behind.take(limit as usize).cloned().collect())
    }

    async fn count_devices(&self, _: &str, labels: &Attributes) -> Result<u64, ReadError> {
        Ok(count(self.labelled(labels).count()))
    }

    async fn execution(&self, _: &str, id: &ExecutionId) -> Result<Option<Arc<Execution>>, ReadError> {
        Ok(self.executions.iter().find(|execution| execution.id == *id).cloned())
    }

    async fn executions(
        &self,
        plugin: &str,
        what: &Selection,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page, ReadError> {
        // A page is named by the number of items before it.
        let skipped = after.unwrap_or("0").parse::<usize>();
        let skipped = skipped.map_err(|_| ReadError::Invalid("no page was given by that name".into()))?;
        let found = self.selected(plugin, what);
        let end = skipped.saturating_add(limit as usize);
        let next = (found.len() > end).then(|| end.to_string());
        Ok(Page { items: found.into_iter().skip(skipped).take(limit as usize).collect(), next })
    }

    async fn count(&self, plugin: &str, what: &Selection) -> Result<u64, ReadError> {
        Ok(count(self.selected(plugin, what).len()))
    }

    async fn execution_by_alias(
        &self,
        plugin: &str,
        device: &DeviceId,
        alias: &str,
    ) -> Result<Option<Arc<Execution>>, ReadError> {
        let meant = |one: &&Arc<Execution>| {
            &*one.origin == plugin && one.device == *device && one.alias.as_deref() == Some(alias)
        };
        Ok(self.executions.iter().find(meant).cloned())
    }

    async fn open_executions(&self, _: &str, device: &DeviceId) -> Result<Vec<Arc<Execution>>, ReadError> {
        let open = self.executions.iter().filter(|one| one.device == *device && !one.state.is_final());
        Ok(open.take(1000).cloned().collect())
    }

    async fn correlation(&self, _: &str, about: &Correlation) -> Result<CorrelationStatus, ReadError> {
        let keyed = self.executions.iter().find_map(|execution| {
            let (_, correlation) = execution.correlations.iter().find(|(_, known)| known.key == about.key)?;
            Some((execution, correlation))
        });
        Ok(match keyed {
            None => CorrelationStatus::Unknown,
            Some((_, correlation)) if correlation.reporter != about.reporter => CorrelationStatus::Stranger,
            Some((execution, _)) if execution.state.is_final() => CorrelationStatus::Ended,
            Some(_) => CorrelationStatus::Open,
        })
    }

    async fn check_presented(
        &self,
        _: &str,
        presented: &Presented,
        account: Option<&str>,
    ) -> Result<Identity, CheckError> {
        self.identity(|credential| {
            account.is_none_or(|account| credential.account == account)
                && credential.secret.as_bytes() == presented.secret.expose()
        })
    }

    async fn secret(&self, _: &str, account: &str) -> Result<Option<Secret>, ReadError> {
        let found = self.credentials.iter().find(|credential| credential.account == account);
        Ok(found.map(|credential| Secret::new(credential.secret.clone().into_bytes())))
    }

    async fn check_password(&self, _: &str, account: &str, password: &Secret) -> Result<Identity, CheckError> {
        self.identity(|credential| credential.account == account && credential.secret.as_bytes() == password.expose())
    }

    async fn document(&self, _: &str, collection: &str, key: &str) -> Result<Option<Arc<Document>>, ReadError> {
        Ok(self.documents.get(&(collection.to_owned(), key.to_owned())).cloned())
    }

    async fn documents(
        &self,
        _: &str,
        collection: &str,
        fields: &Attributes,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Arc<Document>>, ReadError> {
        let behind = self
            .in_collection(collection, fields)
            .filter(|document| after.is_none_or(|after| document.key.as_str() > after));
        Ok(behind.take(limit as usize).cloned().collect())
    }

    async fn count_documents(&self, _: &str, collection: &str, fields: &Attributes) -> Result<u64, ReadError> {
        Ok(count(self.in_collection(collection, fields).count()))
    }

    async fn next_number(&self, _: &str, counter: &str) -> Result<u64, ReadError> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let last = counters.entry(counter.to_owned()).or_default();
        *last = last.saturating_add(1);
        Ok(*last)
    }

    async fn session(&self, _: &str, id: &SessionId) -> Result<Option<Arc<Session>>, ReadError> {
        Ok(self.known(id).map(|known| Arc::clone(&known.session)))
    }

    async fn subscriptions(&self, _: &str, id: &SessionId) -> Result<Vec<Subscription>, ReadError> {
        Ok(self.known(id).map(|known| known.subscriptions.clone()).unwrap_or_default())
    }

    async fn device_subscriptions(
        &self,
        plugin: &str,
        device: &DeviceId,
    ) -> Result<Option<Vec<Subscription>>, ReadError> {
        let own = |known: &&Known| {
            known.session.device.as_ref() == Some(device) && known.session.dialect.as_deref() == Some(plugin)
        };
        Ok(self.sessions.iter().find(own).map(|known| known.subscriptions.clone()))
    }

    async fn notes(&self, _: &str, id: &SessionId) -> Result<Option<Json>, ReadError> {
        Ok(self.known(id).and_then(|known| known.notes.clone()))
    }

    fn check_request(&self, _: &str, request: &OutRequest) -> Result<(), RequestError> {
        if self.targets.contains(&request.target) {
            return Ok(());
        }
        Err(RequestError::NotFound(format!("no target `{}` is configured", request.target)))
    }
}
