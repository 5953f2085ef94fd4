//! Devices, their names, and what a dialect keeps about them.

use super::{Transaction, WriteError, keys};
use crate::runtime::engine::Step;
use dragoman_core::{DeviceId, Input, Json};
use dragoman_store::{DeviceRecord, ProfileRecord, Write};
use dragoman_wasm::{CreateDevice, UpdateDevice};

impl Transaction<'_> {
    pub(super) async fn create_device(&mut self, create: CreateDevice) -> Result<(), WriteError> {
        if self.device(&create.id).await?.is_some() {
            return Err(WriteError::Conflict(format!("a device {} is registered already", create.id)));
        }
        let now_ms = self.gateway.engine.now_ms();
        let record = DeviceRecord {
            id: create.id,
            dialect: self.plugin.name().clone(),
            handler: create.handler.map(Into::into),
            parent: create.parent,
            aliases: create.aliases,
            labels: create.labels,
            disabled: false,
            created_ms: now_ms,
            updated_ms: now_ms,
        };
        let id = record.id.clone();
        self.write_device(record).await?;
        self.write_profile(id, create.profile, 1);
        Ok(())
    }

    pub(super) async fn update_device(&mut self, update: UpdateDevice) -> Result<(), WriteError> {
        let before = self.own_device(&update.id).await?;
        self.expect_revision(&update.id, update.revision).await?;
        let record = DeviceRecord {
            handler: update.handler.map(Into::into),
            parent: update.parent,
            aliases: update.aliases,
            labels: update.labels,
            updated_ms: self.gateway.engine.now_ms(),
            ..before
        };
        self.write_device(record).await?;
        self.write_profile(update.id, update.profile, update.revision + 1);
        Ok(())
    }

    /// Its open executions end as canceled in the same turn, and its connection is closed afterwards.
    pub(super) async fn remove_device(&mut self, id: DeviceId) -> Result<(), WriteError> {
        self.own_device(&id).await?;
        self.steps.push(Step::Write(Write::DeviceRemove(id.clone())));
        self.steps.push(Step::Input(Input::Remove { device: id.clone() }));
        self.devices.insert(id.clone(), None);
        self.after.push(super::After::Forget(id));
        Ok(())
    }

    pub(super) async fn add_alias(
        &mut self,
        device: DeviceId,
        namespace: String,
        name: String,
    ) -> Result<(), WriteError> {
        let mut record = self.device(&device).await?.ok_or_else(|| removed(&device))?;
        let alias = (namespace, name);
        if record.aliases.contains(&alias) {
            return Ok(());
        }
        record.aliases.push(alias);
        record.updated_ms = self.gateway.engine.now_ms();
        self.write_device(record).await
    }

    pub(super) async fn put_profile(&mut self, id: DeviceId, profile: Json, revision: u64) -> Result<(), WriteError> {
        if self.device(&id).await?.is_none() {
            return Err(removed(&id));
        }
        self.expect_revision(&id, revision).await?;
        self.write_profile(id, profile, revision + 1);
        Ok(())
    }

    /// A device as the writes before this one leave it.
    async fn device(&self, id: &DeviceId) -> Result<Option<DeviceRecord>, WriteError> {
        match self.devices.get(id) {
            Some(known) => Ok(known.clone()),
            None => Ok(self.gateway.engine.journal().device(id).await?.map(std::sync::Arc::unwrap_or_clone)),
        }
    }

    /// One that this dialect reaches.
    async fn own_device(&self, id: &DeviceId) -> Result<DeviceRecord, WriteError> {
        let record = self.device(id).await?.ok_or_else(|| removed(id))?;
        if record.dialect == *self.plugin.name() {
            return Ok(record);
        }
        Err(WriteError::NotAllowed(format!(
            "device {id} is reached by {}, so plugin {} may not change its record",
            record.dialect,
            self.plugin.name()
        )))
    }

    async fn write_device(&mut self, record: DeviceRecord) -> Result<(), WriteError> {
        self.check_parent(&record).await?;
        for alias in &record.aliases {
            if let Some(holder) = self.holder(alias).await?
                && holder != record.id
            {
                let (namespace, name) = alias;
                return Err(WriteError::Conflict(format!("{namespace} {name} is the name of device {holder} already")));
            }
        }
        self.devices.insert(record.id.clone(), Some(record.clone()));
        self.steps.push(Step::Write(Write::Device(record)));
        Ok(())
    }

    /// Who has a name after the writes before this one.
    async fn holder(&self, alias: &(String, String)) -> Result<Option<DeviceId>, WriteError> {
        let claims = |record: &DeviceRecord| record.aliases.contains(alias);
        if let Some(record) = self.devices.values().flatten().find(|record| claims(record)) {
            return Ok(Some(record.id.clone()));
        }
        let stored = self.gateway.engine.journal().resolve(&alias.0, &alias.1).await?;
        // One that this call changed gave the name up.
        Ok(stored.map(|record| record.id.clone()).filter(|id| !self.devices.contains_key(id)))
    }

    /// A gateway device has a session of its own.
    async fn check_parent(&self, record: &DeviceRecord) -> Result<(), WriteError> {
        let Some(id) = &record.parent else { return Ok(()) };
        match self.device(id).await? {
            Some(_) if *id == record.id => {
                Err(WriteError::NotAllowed(format!("device {id} cannot hang below itself; name another gateway")))
            }
            Some(parent) if parent.parent.is_none() => Ok(()),
            Some(_) => {
                Err(WriteError::NotAllowed(format!("device {id} hangs below another one and cannot be a gateway")))
            }
            None => Err(WriteError::Conflict(format!("the gateway device {id} is not registered"))),
        }
    }

    async fn expect_revision(&self, id: &DeviceId, revision: u64) -> Result<(), WriteError> {
        let newest = match self.revisions.get(&keys::profile(self.plugin.name(), id.as_str())) {
            Some(newest) => *newest,
            None => {
                let stored = self.gateway.engine.journal().profile(id, self.plugin.name()).await?;
                stored.map_or(0, |stored| stored.revision)
            }
        };
        if newest == revision {
            return Ok(());
        }
        Err(WriteError::Conflict(format!("the profile of device {id} is at revision {newest}, not {revision}")))
    }

    fn write_profile(&mut self, device: DeviceId, json: Json, revision: u64) {
        let dialect = self.plugin.name().clone();
        self.revisions.insert(keys::profile(&dialect, device.as_str()), revision);
        self.steps.push(Step::Write(Write::Profile(ProfileRecord { device, dialect, json, revision })));
    }
}

fn removed(id: &DeviceId) -> WriteError {
    WriteError::Conflict(format!("device {id} was removed"))
}
