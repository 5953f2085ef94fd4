//! What a call has read: reading it again gives the same.
//!
//! A device or an execution is remembered as it was first seen, whichever way that was, so that a list shows it as an
//! earlier read did.

use crate::context::Secret;
use crate::error::Fault;
use crate::reads::{CheckError, CorrelationStatus, DeviceView, Identity, Page, ReadError, Selection};
use crate::state::Call;
use dragoman_core::{Attributes, Correlation, DeviceId, Execution, ExecutionId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

/// How long the host may take to check a credential, beside the time of the call.
const CHECK_MAX: Duration = Duration::from_secs(10);

/// Everything that one call has read.
#[derive(Default)]
pub(crate) struct Memo {
    devices: HashMap<DeviceId, Option<Arc<DeviceView>>>,
    names: HashMap<(String, String), Option<DeviceId>>,
    device_lists: HashMap<(Attributes, Option<DeviceId>, u32), Vec<DeviceId>>,
    executions: HashMap<ExecutionId, Option<Arc<Execution>>>,
    pages: HashMap<(Selection, Option<String>, u32), KnownPage>,
    counts: HashMap<Selection, u64>,
    correlations: HashMap<Correlation, CorrelationStatus>,
    checks: HashMap<Option<String>, Result<Identity, CheckError>>,
    secrets: HashMap<String, Option<Secret>>,
}

/// The ids of a page, and where the next one begins.
type KnownPage = (Vec<ExecutionId>, Option<String>);

impl Memo {
    /// Takes in what the call was given, so that reading it agrees.
    pub(crate) fn know_device(&mut self, device: &DeviceView) {
        self.devices.insert(device.id.clone(), Some(Arc::new(device.clone())));
    }

    fn device(&self, id: &DeviceId) -> Option<Arc<DeviceView>> {
        self.devices.get(id).cloned().flatten()
    }

    fn execution(&self, id: &ExecutionId) -> Option<Arc<Execution>> {
        self.executions.get(id).cloned().flatten()
    }
}

/// A read that could not be answered where the contract has no error for it.
pub(super) fn unanswered(error: ReadError) -> Fault {
    let (ReadError::Invalid(text) | ReadError::Unavailable(text) | ReadError::Internal(text)) = error;
    Fault::Host(text)
}

impl Call {
    fn host(&self) -> Result<(Arc<dyn crate::reads::HostReads>, Arc<str>), ReadError> {
        let context = self.context.as_ref().ok_or_else(|| ReadError::Internal("there is no call".into()))?;
        Ok((Arc::clone(&context.host), Arc::clone(&self.facts.name)))
    }

    pub(super) async fn device(&mut self, id: &DeviceId) -> Result<Option<Arc<DeviceView>>, ReadError> {
        if let Some(known) = self.memo.devices.get(id) {
            return Ok(known.clone());
        }
        let (host, plugin) = self.host()?;
        let found = host.device(&plugin, id).await?;
        self.memo.devices.insert(id.clone(), found.clone());
        Ok(found)
    }

    pub(super) async fn resolve(
        &mut self,
        namespace: String,
        name: String,
    ) -> Result<Option<Arc<DeviceView>>, ReadError> {
        let key = (namespace, name);
        if let Some(known) = self.memo.names.get(&key) {
            return Ok(known.as_ref().and_then(|id| self.memo.device(id)));
        }
        let (host, plugin) = self.host()?;
        let found = host.resolve(&plugin, &key.0, &key.1).await?;
        let id = found.as_ref().map(|device| device.id.clone());
        if let Some(device) = found {
            self.memo.devices.entry(device.id.clone()).or_insert(Some(device));
        }
        let device = id.as_ref().and_then(|id| self.memo.device(id));
        self.memo.names.insert(key, id);
        Ok(device)
    }

    pub(super) async fn devices(
        &mut self,
        labels: Attributes,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<Arc<DeviceView>>, ReadError> {
        let key = (labels, after, limit);
        if !self.memo.device_lists.contains_key(&key) {
            let (host, plugin) = self.host()?;
            let found = host.devices(&plugin, &key.0, key.1.as_ref(), limit).await?;
            let ids = found.iter().map(|device| device.id.clone()).collect();
            for device in found {
                self.memo.devices.entry(device.id.clone()).or_insert(Some(device));
            }
            self.memo.device_lists.insert(key.clone(), ids);
        }
        let ids = self.memo.device_lists.get(&key).map(Vec::as_slice).unwrap_or_default();
        Ok(ids.iter().filter_map(|id| self.memo.device(id)).collect())
    }

    pub(super) async fn execution(&mut self, id: &ExecutionId) -> Result<Option<Arc<Execution>>, ReadError> {
        if let Some(known) = self.memo.executions.get(id) {
            return Ok(known.clone());
        }
        let (host, plugin) = self.host()?;
        let found = host.execution(&plugin, id).await?;
        self.memo.executions.insert(id.clone(), found.clone());
        Ok(found)
    }

    pub(super) async fn executions(
        &mut self,
        what: Selection,
        after: Option<String>,
        limit: u32,
    ) -> Result<Page, ReadError> {
        let key = (what, after, limit);
        if !self.memo.pages.contains_key(&key) {
            let (host, plugin) = self.host()?;
            let found = host.executions(&plugin, &key.0, key.1.as_deref(), limit).await?;
            let ids = found.items.iter().map(|execution| execution.id.clone()).collect();
            for execution in found.items {
                self.memo.executions.entry(execution.id.clone()).or_insert(Some(execution));
            }
            self.memo.pages.insert(key.clone(), (ids, found.next));
        }
        let Some((ids, next)) = self.memo.pages.get(&key) else { return Ok(Page::default()) };
        Ok(Page { items: ids.iter().filter_map(|id| self.memo.execution(id)).collect(), next: next.clone() })
    }

    pub(super) async fn count(&mut self, what: Selection) -> Result<u64, ReadError> {
        if let Some(known) = self.memo.counts.get(&what) {
            return Ok(*known);
        }
        let (host, plugin) = self.host()?;
        let found = host.count(&plugin, &what).await?;
        self.memo.counts.insert(what, found);
        Ok(found)
    }

    pub(super) async fn correlation(&mut self, about: &Correlation) -> Result<CorrelationStatus, ReadError> {
        if let Some(known) = self.memo.correlations.get(about) {
            return Ok(*known);
        }
        let (host, plugin) = self.host()?;
        let found = host.correlation(&plugin, about).await?;
        self.memo.correlations.insert(about.clone(), found);
        Ok(found)
    }

    /// The time of the host's own check is not the plugin's.
    pub(super) async fn check_presented(&mut self, account: Option<String>) -> Result<Identity, CheckError> {
        if let Some(known) = self.memo.checks.get(&account) {
            return known.clone();
        }
        let (host, plugin) = self.host().map_err(|error| CheckError::Internal(error.to_string()))?;
        let presented = self.context.as_ref().and_then(|context| context.presented.clone());
        let presented = presented.ok_or_else(|| CheckError::Denied("the client presented no credential".into()))?;
        self.deadline.pause();
        let check = host.check_presented(&plugin, &presented, account.as_deref());
        let checked = tokio::time::timeout(CHECK_MAX, check).await;
        self.deadline.resume();
        let checked = checked.unwrap_or_else(|_| Err(CheckError::Unavailable("the check took too long".into())));
        self.memo.checks.insert(account, checked.clone());
        checked
    }

    pub(super) async fn secret(&mut self, account: String) -> Result<Option<Secret>, ReadError> {
        let (host, plugin) = self.host()?;
        match self.memo.secrets.entry(account) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(unknown) => {
                let found = host.secret(&plugin, unknown.key()).await?;
                Ok(unknown.insert(found).clone())
            }
        }
    }
}
