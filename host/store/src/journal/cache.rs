//! Devices that were read lately.

use crate::registry::DeviceRecord;
use crate::write::Write;
use dragoman_core::DeviceId;
use hashlink::LruCache;
use std::sync::Arc;

/// Records of devices as committed, and which device a name led to. A name is only a hint: the record it leads to says
/// whether it still has that name.
pub(super) struct DeviceCache {
    devices: LruCache<DeviceId, Arc<DeviceRecord>>,
    aliases: LruCache<(String, String), DeviceId>,
    /// Counts writes of devices. What was read from the database before a write is not kept after it.
    epoch: u64,
}

impl DeviceCache {
    pub(super) fn new(entries: usize) -> Self {
        Self { devices: LruCache::new(entries), aliases: LruCache::new(entries), epoch: 0 }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn device(&mut self, id: &DeviceId) -> Option<Arc<DeviceRecord>> {
        self.devices.get(id).cloned()
    }

    pub(super) fn alias(&mut self, alias: &(String, String)) -> Option<DeviceId> {
        self.aliases.get(alias).cloned()
    }

    /// Keeps what was read from the database while `epoch` counted.
    pub(super) fn keep(&mut self, epoch: u64, record: &Arc<DeviceRecord>, alias: Option<(String, String)>) {
        if epoch != self.epoch {
            return;
        }
        if let Some(alias) = alias {
            self.aliases.insert(alias, record.id.clone());
        }
        self.devices.insert(record.id.clone(), Arc::clone(record));
    }

    /// Makes sure that nothing older than this write is found here.
    pub(super) fn forget(&mut self, write: &Write) {
        match write {
            Write::Device(device) => {
                self.epoch += 1;
                self.devices.remove(&device.id);
                for alias in &device.aliases {
                    self.aliases.remove(alias);
                }
            }
            Write::DeviceRemove(id) => {
                self.epoch += 1;
                self.devices.remove(id);
            }
            _ => {}
        }
    }

    /// Forgets everything, after devices were written past the journal.
    pub(super) fn clear(&mut self) {
        self.epoch += 1;
        self.devices.clear();
        self.aliases.clear();
    }
}
