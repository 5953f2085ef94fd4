//! `devices`: the registry.

use super::memo::unanswered;
use super::{is_device_id, refusal, told};
use crate::bindings::dragoman::gateway::{devices, types};
use crate::check;
use crate::convert;
use crate::export::Access;
use crate::state::State;
use crate::writes::{CreateDevice, PluginWrite};
use dragoman_core::DeviceId;

/// Devices in one list.
const LIST_MAX: u32 = 1000;

impl devices::Host for State {
    async fn get(&mut self, id: String) -> wasmtime::Result<Option<types::Device>> {
        self.call.enter("devices.get", Access::Host)?;
        if !is_device_id(&id) {
            return Ok(None);
        }
        let found = self.call.device(&DeviceId::new(id)).await.map_err(unanswered)?;
        Ok(found.as_deref().map(convert::device))
    }

    async fn resolve(&mut self, namespace: String, name: String) -> wasmtime::Result<Option<types::Device>> {
        self.call.enter("devices.resolve", Access::Host)?;
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
        self.call.enter("devices.query", Access::Host)?;
        check::attributes("labels of a query", &labels)?;
        let after = after.map(DeviceId::new);
        let found = self.call.devices(labels, after, limit.min(LIST_MAX)).await.map_err(unanswered)?;
        Ok(found.iter().map(|device| convert::device(device)).collect())
    }

    async fn create(&mut self, what: devices::Registration) -> wasmtime::Result<Result<String, types::Error>> {
        let context = self.call.enter("devices.create", Access::Host)?;
        let id = what.id.clone().unwrap_or_else(|| context.ids.next_id());
        let bounds = self.call.facts.bounds;
        let checked = check::name_option("a handler's name", what.handler.as_deref())
            .and_then(|()| check::attributes("aliases of a device", &what.aliases))
            .and_then(|()| {
                what.aliases.iter().try_for_each(|(space, name)| {
                    check::name("an alias's namespace", space).and_then(|()| check::name("an alias", name))
                })
            })
            .and_then(|()| check::attributes("labels of a device", &what.labels))
            .and_then(|()| bounds.json("a device's profile", &what.profile));
        if let Err(fault) = checked {
            return Ok(Err(refusal(fault)));
        }
        if !is_device_id(&id) {
            return Ok(Err(types::Error::Invalid(format!("`{id:.200}` is not a device id: [A-Za-z0-9_.:-]{{1,128}}"))));
        }
        let new = CreateDevice {
            id: DeviceId::new(id.as_str()),
            handler: what.handler,
            parent: what.parent.map(DeviceId::new),
            aliases: what.aliases,
            labels: what.labels,
            profile: what.profile,
        };
        if let Some(error) = self.taken(&new).await {
            return Ok(Err(error));
        }
        let bytes = check::attributes_bytes(&new.aliases) + check::attributes_bytes(&new.labels) + new.profile.len();
        self.call.charge(bytes + check::NAME_MAX_BYTES)?;
        self.call.writes.push(PluginWrite::CreateDevice(new));
        Ok(Ok(id))
    }

    async fn put_profile(
        &mut self,
        id: String,
        profile: String,
        revision: u64,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter("devices.put-profile", Access::Host)?;
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
        // A second profile within the call replaces the first: both name the revision that the call read.
        self.call
            .writes
            .retain(|write| !matches!(write, PluginWrite::PutProfile { device: same, .. } if *same == device));
        self.call.writes.push(PluginWrite::PutProfile { device, profile, revision });
        Ok(Ok(()))
    }
}

impl State {
    /// Why a device cannot be registered: its id or an alias is taken, in the registry or by an earlier write of the
    /// call, or its parent is unknown.
    async fn taken(&mut self, new: &CreateDevice) -> Option<types::Error> {
        let created = |write: &PluginWrite| match write {
            PluginWrite::CreateDevice(earlier) => Some((earlier.id.clone(), earlier.aliases.clone())),
            _ => None,
        };
        let earlier: Vec<_> = self.call.writes.iter().filter_map(created).collect();
        match self.call.device(&new.id).await {
            Ok(None) if earlier.iter().all(|(id, _)| *id != new.id) => {}
            Ok(_) => return Some(types::Error::Conflict(format!("a device with the id `{}` exists", new.id))),
            Err(error) => return Some(told(error)),
        }
        for (at, (namespace, name)) in new.aliases.iter().enumerate() {
            let doubled = new.aliases.iter().take(at).chain(earlier.iter().flat_map(|(_, aliases)| aliases));
            let doubled = doubled.into_iter().any(|alias| alias.0 == *namespace && alias.1 == *name);
            match self.call.resolve(namespace.clone(), name.clone()).await {
                Ok(None) if !doubled => {}
                Ok(_) => {
                    return Some(types::Error::Conflict(format!("the name `{name}` in `{namespace}` is taken")));
                }
                Err(error) => return Some(told(error)),
            }
        }
        let parent = new.parent.as_ref()?;
        if earlier.iter().any(|(id, _)| id == parent) {
            return None;
        }
        match self.call.device(parent).await {
            Ok(Some(_)) => None,
            Ok(None) => Some(types::Error::NotFound(format!("no device has the id `{parent:.200}`"))),
            Err(error) => Some(told(error)),
        }
    }
}
