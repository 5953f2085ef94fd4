//! Writes of the registry: devices that are registered, changed and removed, and their names.

use super::memo::unanswered;
use super::{is_device_id, refusal, told};
use crate::bindings::dragoman::gateway::{devices, types};
use crate::check::{self, Bounds, Checked};
use crate::error::Fault;
use crate::reads::DeviceView;
use crate::state::State;
use crate::writes::{CreateDevice, PluginWrite, UpdateDevice};
use dragoman_core::{Attributes, DeviceId};
use std::sync::Arc;

/// What came of a write: buffered, refused, or the end of the call.
type Written = Result<Result<(), types::Error>, Fault>;

impl State {
    pub(super) async fn create_device(&mut self, id: &str, what: devices::Registration) -> Written {
        if let Err(fault) = fits(self.call.facts.bounds, &what) {
            return Ok(Err(refusal(fault)));
        }
        if !is_device_id(id) {
            return Ok(Err(types::Error::Invalid(format!("`{id:.200}` is not a device id: [A-Za-z0-9_.:-]{{1,128}}"))));
        }
        let id = DeviceId::new(id);
        match self.call.device(&id).await {
            Ok(None) if !self.creates(&id) => {}
            Ok(_) => return Ok(Err(types::Error::Conflict(format!("a device with the id `{id}` exists")))),
            Err(error) => return Ok(Err(told(error))),
        }
        if let Some(error) = self.taken(&id, &what.aliases).await {
            return Ok(Err(error));
        }
        if let Some(error) = self.no_parent(&id, what.parent.as_deref()).await {
            return Ok(Err(error));
        }
        let bytes = registration_bytes(&what);
        let new = CreateDevice {
            id,
            handler: what.handler,
            parent: what.parent.map(DeviceId::new),
            aliases: what.aliases,
            labels: what.labels,
            profile: what.profile,
        };
        self.call.write(bytes, PluginWrite::CreateDevice(new))?;
        Ok(Ok(()))
    }

    pub(super) async fn update_device(&mut self, id: &str, what: devices::Registration, revision: u64) -> Written {
        if let Err(fault) = fits(self.call.facts.bounds, &what) {
            return Ok(Err(refusal(fault)));
        }
        if what.id.as_ref().is_some_and(|named| named != id) {
            return Ok(Err(types::Error::Invalid("the id of a device cannot change".into())));
        }
        let known = match self.reached(id).await? {
            Ok(known) => known,
            Err(error) => return Ok(Err(error)),
        };
        if known.revision != revision {
            return Ok(Err(types::Error::Conflict(format!(
                "the profile of `{id}` has revision {}, not {revision}",
                known.revision
            ))));
        }
        let id = DeviceId::new(id);
        if let Some(error) = self.taken(&id, &what.aliases).await {
            return Ok(Err(error));
        }
        if let Some(error) = self.no_parent(&id, what.parent.as_deref()).await {
            return Ok(Err(error));
        }
        let bytes = registration_bytes(&what);
        // An update replaces everything, so what the call wrote about the device before is without effect.
        self.call.writes.retain(|write| match write {
            PluginWrite::PutProfile { device, .. } => *device != id,
            PluginWrite::UpdateDevice(update) => update.id != id,
            _ => true,
        });
        let update = UpdateDevice {
            id,
            handler: what.handler,
            parent: what.parent.map(DeviceId::new),
            aliases: what.aliases,
            labels: what.labels,
            profile: what.profile,
            revision,
        };
        self.call.write(bytes, PluginWrite::UpdateDevice(update))?;
        Ok(Ok(()))
    }

    pub(super) async fn remove_device(&mut self, id: &str) -> Written {
        if let Err(error) = self.reached(id).await? {
            return Ok(Err(error));
        }
        let remove = PluginWrite::RemoveDevice(DeviceId::new(id));
        if !self.call.writes.contains(&remove) {
            self.call.write(id.len(), remove)?;
        }
        Ok(Ok(()))
    }

    pub(super) async fn add_name(&mut self, id: &str, namespace: String, name: String) -> Written {
        let checked = check::name("an alias's namespace", &namespace).and_then(|()| check::name("an alias", &name));
        if let Err(fault) = checked {
            return Ok(Err(refusal(fault)));
        }
        let known = match self.known(id).await? {
            Ok(known) => known,
            Err(error) => return Ok(Err(error)),
        };
        if known.aliases.iter().any(|(space, alias)| *space == namespace && *alias == name) {
            return Ok(Ok(()));
        }
        let id = DeviceId::new(id);
        let alias = vec![(namespace, name)];
        if let Some(error) = self.taken(&id, &alias).await {
            return Ok(Err(error));
        }
        for (namespace, name) in alias {
            let bytes = namespace.len() + name.len() + check::NAME_MAX_BYTES;
            self.call.write(bytes, PluginWrite::AddAlias { device: id.clone(), namespace, name })?;
        }
        Ok(Ok(()))
    }

    /// A device that is registered.
    pub(super) async fn known(&mut self, id: &str) -> Result<Result<Arc<DeviceView>, types::Error>, Fault> {
        let found =
            if is_device_id(id) { self.call.device(&DeviceId::new(id)).await.map_err(unanswered)? } else { None };
        Ok(found.ok_or_else(|| types::Error::NotFound(format!("no device has the id `{id:.200}`"))))
    }

    /// A device that the plugin reaches.
    async fn reached(&mut self, id: &str) -> Result<Result<Arc<DeviceView>, types::Error>, Fault> {
        let plugin = Arc::clone(&self.call.facts.name);
        Ok(match self.known(id).await? {
            Ok(known) if *known.dialect != *plugin => {
                Err(types::Error::Denied(format!("the dialect `{}` reaches the device `{id}`", known.dialect)))
            }
            known => known,
        })
    }

    /// Whether the call registers a device of that id.
    pub(super) fn creates(&self, id: &DeviceId) -> bool {
        self.call.writes.iter().any(|write| matches!(write, PluginWrite::CreateDevice(new) if new.id == *id))
    }

    /// Why a device cannot have these names: one of them is another device's, in the registry or by an earlier write
    /// of the call.
    async fn taken(&mut self, id: &DeviceId, aliases: &Attributes) -> Option<types::Error> {
        for (at, (namespace, name)) in aliases.iter().enumerate() {
            let same = |alias: &(String, String)| alias.0 == *namespace && alias.1 == *name;
            let earlier = self.call.writes.iter().any(|write| match write {
                PluginWrite::CreateDevice(new) => new.aliases.iter().any(same),
                PluginWrite::UpdateDevice(update) => update.id != *id && update.aliases.iter().any(same),
                PluginWrite::AddAlias { device, namespace: space, name: alias } => {
                    device != id && space == namespace && alias == name
                }
                _ => false,
            });
            let doubled = earlier || aliases.iter().take(at).any(same);
            match self.call.resolve(namespace.clone(), name.clone()).await {
                Ok(None) if !doubled => {}
                Ok(Some(holder)) if !doubled && holder.id == *id => {}
                Ok(_) => {
                    return Some(types::Error::Conflict(format!("the name `{name}` in `{namespace}` is taken")));
                }
                Err(error) => return Some(told(error)),
            }
        }
        None
    }

    /// Why a device cannot hang below another: there is no such device, or it is the same.
    async fn no_parent(&mut self, id: &DeviceId, parent: Option<&str>) -> Option<types::Error> {
        let parent = DeviceId::new(parent?);
        if parent == *id {
            return Some(types::Error::Invalid(format!("the device `{id}` cannot hang below itself")));
        }
        if self.creates(&parent) {
            return None;
        }
        match self.call.device(&parent).await {
            Ok(Some(_)) => None,
            Ok(None) => Some(types::Error::NotFound(format!("no device has the id `{parent:.200}`"))),
            Err(error) => Some(told(error)),
        }
    }
}

fn fits(bounds: Bounds, what: &devices::Registration) -> Checked {
    check::name_option("a handler's name", what.handler.as_deref())?;
    check::attributes("aliases of a device", &what.aliases)?;
    what.aliases.iter().try_for_each(|(space, name)| {
        check::name("an alias's namespace", space)?;
        check::name("an alias", name)
    })?;
    check::attributes("labels of a device", &what.labels)?;
    bounds.json("a device's profile", &what.profile)
}

fn registration_bytes(what: &devices::Registration) -> usize {
    let names = check::attributes_bytes(&what.aliases) + check::attributes_bytes(&what.labels);
    names + what.profile.len() + check::NAME_MAX_BYTES
}
