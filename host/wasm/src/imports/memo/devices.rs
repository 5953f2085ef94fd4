//! Devices that a call has read.

use crate::reads::{DeviceView, ReadError};
use crate::state::Call;
use dragoman_core::{Attributes, DeviceId};
use std::sync::Arc;

impl Call {
    pub(in crate::imports) async fn device(&mut self, id: &DeviceId) -> Result<Option<Arc<DeviceView>>, ReadError> {
        if let Some(known) = self.memo.devices.get(id) {
            return Ok(known.clone());
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.device(&plugin, id)).await?;
        self.memo.devices.insert(id.clone(), found.clone());
        Ok(found)
    }

    pub(in crate::imports) async fn resolve(
        &mut self,
        namespace: String,
        name: String,
    ) -> Result<Option<Arc<DeviceView>>, ReadError> {
        let key = (namespace, name);
        if let Some(known) = self.memo.names.get(&key) {
            return Ok(known.as_ref().and_then(|id| self.memo.device(id)));
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.resolve(&plugin, &key.0, &key.1)).await?;
        let id = found.as_ref().map(|device| device.id.clone());
        if let Some(device) = found {
            self.memo.devices.entry(device.id.clone()).or_insert(Some(device));
        }
        let device = id.as_ref().and_then(|id| self.memo.device(id));
        self.memo.names.insert(key, id);
        Ok(device)
    }

    pub(in crate::imports) async fn devices(
        &mut self,
        labels: Attributes,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<Arc<DeviceView>>, ReadError> {
        let key = (labels, after, limit);
        if !self.memo.device_lists.contains_key(&key) {
            let (host, plugin) = self.host()?;
            let found = self.hosted(host.devices(&plugin, &key.0, key.1.as_ref(), limit)).await?;
            let ids = found.iter().map(|device| device.id.clone()).collect();
            for device in found {
                self.memo.devices.entry(device.id.clone()).or_insert(Some(device));
            }
            self.memo.device_lists.insert(key.clone(), ids);
        }
        let ids = self.memo.device_lists.get(&key).map(Vec::as_slice).unwrap_or_default();
        Ok(ids.iter().filter_map(|id| self.memo.device(id)).collect())
    }

    pub(in crate::imports) async fn count_devices(&mut self, labels: Attributes) -> Result<u64, ReadError> {
        if let Some(known) = self.memo.device_counts.get(&labels) {
            return Ok(*known);
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.count_devices(&plugin, &labels)).await?;
        self.memo.device_counts.insert(labels, found);
        Ok(found)
    }

    /// Whether the plugin reaches a device.
    pub(in crate::imports) async fn reaches(&mut self, id: &DeviceId) -> Result<bool, ReadError> {
        let device = self.device(id).await?;
        Ok(device.is_some_and(|device| *device.dialect == *self.facts.name))
    }
}
