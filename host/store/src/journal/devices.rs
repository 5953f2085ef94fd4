//! Devices: checked writes, import, and reads through the cache; their profiles.

use super::{Journal, Seq, cache};
use crate::error::StoreError;
use crate::registry::{DeviceRecord, ProfileRecord};
use crate::write::{Durability, Write};
use dragoman_core::DeviceId;
use std::collections::HashMap;
use std::sync::Arc;

/// Devices that are imported in one transaction.
const IMPORT_BATCH: usize = 10_000;
/// How often a name is looked up again because its device changed meanwhile.
const RESOLVE_TRIES: u32 = 4;

impl Journal {
    /// A device by id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn device(&self, id: &DeviceId) -> Result<Option<Arc<DeviceRecord>>, StoreError> {
        let epoch = {
            let mut state = self.shared().lock();
            if let Some(found) = state.overlay.device(id) {
                return Ok(found);
            }
            if let Some(found) = state.caches.devices.device(id) {
                return Ok(Some(found));
            }
            state.caches.devices.epoch()
        };
        let wanted = id.clone();
        let found = self.read(move |backend| backend.device(&wanted)).await?.map(Arc::new);
        if let Some(record) = &found {
            self.shared().lock().caches.devices.keep(epoch, record, None);
        }
        Ok(found)
    }

    /// What a dialect keeps about a device.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn profile(&self, device: &DeviceId, dialect: &str) -> Result<Option<ProfileRecord>, StoreError> {
        let key = (device.clone(), Arc::from(dialect));
        let epoch = {
            let mut state = self.shared().lock();
            if let Some(found) = state.overlay.profile(device, dialect) {
                return Ok(found);
            }
            match state.caches.profiles.get(&key) {
                Ok(found) => return Ok(found),
                Err(epoch) => epoch,
            }
        };
        let (device, dialect) = (device.clone(), dialect.to_owned());
        let found = self.read(move |backend| backend.profile(&device, &dialect)).await?;
        if found.as_ref().is_none_or(|found| cache::is_small(&found.json)) {
            self.shared().lock().caches.profiles.keep(epoch, key, found.clone());
        }
        Ok(found)
    }

    /// A device by a platform's name for it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn resolve(&self, namespace: &str, name: &str) -> Result<Option<Arc<DeviceRecord>>, StoreError> {
        let alias = (namespace.to_owned(), name.to_owned());
        for _ in 0..RESOLVE_TRIES {
            let (hint, epoch, nothing_waits, settled) = {
                let mut state = self.shared().lock();
                let hint = state.overlay.alias(&alias).or_else(|| state.caches.devices.alias(&alias));
                (hint, state.caches.devices.epoch(), state.overlay.has_no_devices(), state.settled)
            };
            if let Some(id) = hint
                && let Some(record) = self.device(&id).await?
                && record.aliases.contains(&alias)
            {
                return Ok(Some(record));
            }
            let wanted = alias.clone();
            let committed = self.read(move |backend| backend.device_by_alias(&wanted.0, &wanted.1)).await?;
            let mut state = self.shared().lock();
            // Where something was written meanwhile, or left the overlay after the database was read, neither of the two
            // tells the whole.
            if state.caches.devices.epoch() != epoch || !(nothing_waits || state.settled == settled) {
                continue;
            }
            let Some(committed) = committed.map(Arc::new) else { return Ok(None) };
            return Ok(match state.overlay.device(&committed.id) {
                Some(newer) => newer.filter(|record| record.aliases.contains(&alias)),
                None => {
                    state.caches.devices.keep(epoch, &committed, Some(alias));
                    Some(committed)
                }
            });
        }
        // Devices are written without a pause: once they are committed, the database alone knows.
        self.query(move |backend| backend.device_by_alias(&alias.0, &alias.1)).await.map(|found| found.map(Arc::new))
    }

    /// Registers a device or replaces its record, after a check of its aliases.
    ///
    /// # Errors
    /// [`StoreError::AliasTaken`]; then nothing was written. Else as [`Journal::append`].
    pub async fn put_device(&self, record: DeviceRecord) -> Result<Seq, StoreError> {
        self.append_checked(vec![Write::Device(record)]).await
    }

    /// Like [`Journal::append`], and devices among the writes have their aliases checked, against each other too.
    /// One such call at a time checks and appends, so nothing comes between.
    ///
    /// # Errors
    /// [`StoreError::AliasTaken`]; then nothing was written. Else as [`Journal::append`].
    pub async fn append_checked(&self, writes: Vec<Write>) -> Result<Seq, StoreError> {
        let _guard = self.shared().device_writes.lock().await;
        // Who has a name after the writes so far: as they go, a device may give one up that a later one takes.
        let mut records: HashMap<DeviceId, Option<&DeviceRecord>> = HashMap::new();
        let mut claimed: HashMap<&(String, String), &DeviceId> = HashMap::new();
        for write in &writes {
            match write {
                Write::Device(device) => {
                    records.insert(device.id.clone(), Some(device));
                    for alias in &device.aliases {
                        if let Some(by) = self.holder(alias, &records, &claimed).await?
                            && by != device.id
                        {
                            return Err(StoreError::AliasTaken {
                                namespace: alias.0.clone(),
                                name: alias.1.clone(),
                                by,
                            });
                        }
                        claimed.insert(alias, &device.id);
                    }
                }
                Write::DeviceRemove(id) => {
                    records.insert(id.clone(), None);
                }
                _ => {}
            }
        }
        Ok(self.shared().append(writes, Durability::Committed)?)
    }

    /// The device that has a name, with these records in place of those in the store.
    async fn holder(
        &self,
        alias: &(String, String),
        records: &HashMap<DeviceId, Option<&DeviceRecord>>,
        claimed: &HashMap<&(String, String), &DeviceId>,
    ) -> Result<Option<DeviceId>, StoreError> {
        let still_has = |id: &DeviceId| match records.get(id) {
            Some(record) => record.is_some_and(|record| record.aliases.contains(alias)),
            None => true,
        };
        if let Some(id) = claimed.get(alias)
            && still_has(id)
        {
            return Ok(Some((*id).clone()));
        }
        let stored = self.resolve(&alias.0, &alias.1).await?;
        Ok(stored.map(|record| record.id.clone()).filter(still_has))
    }

    /// Registers many devices in id order, some thousand per transaction, past the journal. Tells how many.
    ///
    /// # Errors
    /// [`StoreError::AliasTaken`] and what the database says. Whole transactions before the one that failed stay, and
    /// the import can be repeated.
    pub async fn import_devices(&self, mut records: Vec<DeviceRecord>) -> Result<u64, StoreError> {
        let _guard = self.shared().device_writes.lock().await;
        let count = records.len() as u64;
        // Neighbours in an index are then written together.
        records.sort_by(|one, other| one.id.cmp(&other.id));
        let mut records = records.into_iter().map(Write::Device);
        loop {
            let batch: Vec<Write> = records.by_ref().take(IMPORT_BATCH).collect();
            if batch.is_empty() {
                return Ok(count);
            }
            let written = self.query(move |backend| backend.commit(&batch, Durability::Committed)).await;
            // Also after a failure: a commit whose answer was lost may be in the database.
            self.shared().lock().caches.devices.clear();
            written?;
        }
    }
}
