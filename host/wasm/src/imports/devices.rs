//! `devices`: the registry. What its writes check is in [`super::registry`].

use super::memo::unanswered;
use super::{is_device_id, refusal, told};
use crate::access::Import;
use crate::bindings::dragoman::gateway::{devices, types};
use crate::check;
use crate::convert;
use crate::state::State;
use crate::writes::PluginWrite;
use dragoman_core::DeviceId;

/// Devices in one list.
const LIST_MAX: u32 = 1000;
/// How far `count` counts.
const COUNT_MAX: u64 = 100_000;

impl devices::Host for State {
    async fn get(&mut self, id: String) -> wasmtime::Result<Option<types::Device>> {
        self.call.enter(Import::DevicesGet)?;
        if !is_device_id(&id) {
            return Ok(None);
        }
        let found = self.call.device(&DeviceId::new(id)).await.map_err(unanswered)?;
        Ok(found.as_deref().map(convert::device))
    }

    async fn resolve(&mut self, namespace: String, name: String) -> wasmtime::Result<Option<types::Device>> {
        self.call.enter(Import::DevicesResolve)?;
        if check::name("", &namespace).is_err() || check::name("", &name).is_err() {
            return Ok(None);
        }
        let found = self.call.resolve(namespace, name).await.map_err(unanswered)?;
        Ok(found.as_deref().map(convert::device))
    }

    async fn query(
        &mut self,
        labels: types::Attributes,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Vec<types::Device>> {
        self.call.enter(Import::DevicesQuery)?;
        check::attributes("labels of a query", &labels)?;
        let after = after.map(DeviceId::new);
        let found = self.call.devices(labels, after, limit.min(LIST_MAX)).await.map_err(unanswered)?;
        Ok(found.iter().map(|device| convert::device(device)).collect())
    }

    async fn create(&mut self, what: devices::Registration) -> wasmtime::Result<Result<String, types::Error>> {
        let context = self.call.enter(Import::DevicesCreate)?;
        let id = what.id.clone().unwrap_or_else(|| context.ids.next_id());
        Ok(match self.create_device(&id, what).await? {
            Ok(()) => Ok(id),
            Err(error) => Err(error),
        })
    }

    async fn put_profile(
        &mut self,
        id: String,
        profile: String,
        revision: u64,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::DevicesPutProfile)?;
        if let Err(fault) = self.call.facts.bounds.json("a device's profile", &profile) {
            return Ok(Err(refusal(fault)));
        }
        let unknown = || types::Error::NotFound(format!("no device has the id `{id:.200}`"));
        if !is_device_id(&id) {
            return Ok(Err(unknown()));
        }
        let device = DeviceId::new(id.as_str());
        let known = match self.call.device(&device).await {
            Ok(Some(known)) => known,
            Ok(None) => return Ok(Err(unknown())),
            Err(error) => return Ok(Err(told(error))),
        };
        if known.revision != revision {
            return Ok(Err(types::Error::Conflict(format!(
                "the profile of `{id}` has revision {}, not {revision}",
                known.revision
            ))));
        }
        self.call.charge(profile.len() + id.len())?;
        // A profile behind an update belongs to it.
        let update = self.call.writes.iter_mut().find_map(|write| match write {
            PluginWrite::UpdateDevice(update) if update.id == device => Some(update),
            _ => None,
        });
        if let Some(update) = update {
            update.profile = profile;
            return Ok(Ok(()));
        }
        // A second profile within the call replaces the first: both name the revision that the call read.
        self.call
            .writes
            .retain(|write| !matches!(write, PluginWrite::PutProfile { device: same, .. } if *same == device));
        self.call.writes.push(PluginWrite::PutProfile { device, profile, revision });
        Ok(Ok(()))
    }

    async fn update(
        &mut self,
        id: String,
        what: devices::Registration,
        revision: u64,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::DevicesUpdate)?;
        Ok(self.update_device(&id, what, revision).await?)
    }

    async fn remove(&mut self, id: String) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::DevicesRemove)?;
        Ok(self.remove_device(&id).await?)
    }

    async fn add_alias(
        &mut self,
        id: String,
        namespace: String,
        name: String,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::DevicesAddAlias)?;
        Ok(self.add_name(&id, namespace, name).await?)
    }

    async fn count(&mut self, labels: types::Attributes) -> wasmtime::Result<u64> {
        self.call.enter(Import::DevicesCount)?;
        check::attributes("labels of a query", &labels)?;
        Ok(self.call.count_devices(labels).await.map_err(unanswered)?.min(COUNT_MAX))
    }
}
