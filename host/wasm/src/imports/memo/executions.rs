//! Executions that a call has read.

use crate::reads::{CorrelationStatus, Page, ReadError, Selection};
use crate::state::Call;
use dragoman_core::{Correlation, DeviceId, Execution, ExecutionId};
use std::sync::Arc;

impl Call {
    pub(in crate::imports) async fn execution(
        &mut self,
        id: &ExecutionId,
    ) -> Result<Option<Arc<Execution>>, ReadError> {
        if let Some(known) = self.memo.executions.get(id) {
            return Ok(known.clone());
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.execution(&plugin, id)).await?;
        self.memo.executions.insert(id.clone(), found.clone());
        Ok(found)
    }

    pub(in crate::imports) async fn executions(
        &mut self,
        what: Selection,
        after: Option<String>,
        limit: u32,
    ) -> Result<Page, ReadError> {
        let key = (what, after, limit);
        if !self.memo.pages.contains_key(&key) {
            let (host, plugin) = self.host()?;
            let found = self.hosted(host.executions(&plugin, &key.0, key.1.as_deref(), limit)).await?;
            let ids = found.items.iter().map(|execution| execution.id.clone()).collect();
            for execution in found.items {
                self.memo.executions.entry(execution.id.clone()).or_insert(Some(execution));
            }
            self.memo.pages.insert(key.clone(), (ids, found.next));
        }
        let Some((ids, next)) = self.memo.pages.get(&key) else { return Ok(Page::default()) };
        Ok(Page { items: ids.iter().filter_map(|id| self.memo.execution(id)).collect(), next: next.clone() })
    }

    pub(in crate::imports) async fn execution_by_alias(
        &mut self,
        device: DeviceId,
        alias: String,
    ) -> Result<Option<Arc<Execution>>, ReadError> {
        let key = (device, alias);
        if let Some(known) = self.memo.aliases.get(&key) {
            return Ok(known.as_ref().and_then(|id| self.memo.execution(id)));
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.execution_by_alias(&plugin, &key.0, &key.1)).await?;
        let id = found.as_ref().map(|execution| execution.id.clone());
        if let Some(execution) = found {
            self.memo.executions.entry(execution.id.clone()).or_insert(Some(execution));
        }
        let execution = id.as_ref().and_then(|id| self.memo.execution(id));
        self.memo.aliases.insert(key, id);
        Ok(execution)
    }

    pub(in crate::imports) async fn open_executions(
        &mut self,
        device: DeviceId,
    ) -> Result<Vec<Arc<Execution>>, ReadError> {
        if !self.memo.open.contains_key(&device) {
            let (host, plugin) = self.host()?;
            let found = self.hosted(host.open_executions(&plugin, &device)).await?;
            let ids = found.iter().map(|execution| execution.id.clone()).collect();
            for execution in found {
                self.memo.executions.entry(execution.id.clone()).or_insert(Some(execution));
            }
            self.memo.open.insert(device.clone(), ids);
        }
        let ids = self.memo.open.get(&device).map(Vec::as_slice).unwrap_or_default();
        Ok(ids.iter().filter_map(|id| self.memo.execution(id)).collect())
    }

    pub(in crate::imports) async fn count(&mut self, what: Selection) -> Result<u64, ReadError> {
        if let Some(known) = self.memo.counts.get(&what) {
            return Ok(*known);
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.count(&plugin, &what)).await?;
        self.memo.counts.insert(what, found);
        Ok(found)
    }

    pub(in crate::imports) async fn correlation(
        &mut self,
        about: &Correlation,
    ) -> Result<CorrelationStatus, ReadError> {
        if let Some(known) = self.memo.correlations.get(about) {
            return Ok(*known);
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.correlation(&plugin, about)).await?;
        self.memo.correlations.insert(about.clone(), found);
        Ok(found)
    }
}
