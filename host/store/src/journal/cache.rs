//! What was read lately: devices, profiles, documents, credentials.

use super::overlay::DocumentKey;
use crate::access::CredentialRecord;
use crate::document::DocumentRecord;
use crate::registry::{DeviceRecord, ProfileRecord};
use crate::write::Write;
use dragoman_core::DeviceId;
use hashlink::LruCache;
use std::hash::Hash;
use std::sync::Arc;

/// A profile or document whose JSON has more bytes is not kept, so that the memory is bounded by their number.
const JSON_MAX: usize = 16 * 1024;
/// Tokens of applications that are kept.
const TOKENS: usize = 1_024;

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

/// Values as committed, or that there is none, of what was asked for by key lately.
pub(super) struct Recent<K, V> {
    values: LruCache<K, Option<V>>,
    /// Counts writes. What was read from the database before a write is not kept after it.
    epoch: u64,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    fn new(entries: usize) -> Self {
        Self { values: LruCache::new(entries), epoch: 0 }
    }

    /// The value; within: none where there is none. Or else what to give to [`Recent::keep`] with what is read now.
    pub(super) fn get(&mut self, key: &K) -> Result<Option<V>, u64> {
        self.values.get(key).cloned().ok_or(self.epoch)
    }

    /// Keeps what was read from the database while `epoch` counted.
    pub(super) fn keep(&mut self, epoch: u64, key: K, value: Option<V>) {
        if epoch == self.epoch {
            self.values.insert(key, value);
        }
    }

    fn forget(&mut self, key: &K) {
        self.epoch += 1;
        self.values.remove(key);
    }

    fn clear(&mut self) {
        self.epoch += 1;
        self.values.clear();
    }
}

/// Everything that is kept of point reads.
pub(super) struct Caches {
    pub(super) devices: DeviceCache,
    pub(super) profiles: Recent<(DeviceId, Arc<str>), ProfileRecord>,
    pub(super) documents: Recent<DocumentKey, Arc<DocumentRecord>>,
    /// Credentials by dialect and hash of the token. What is no token is not kept, or strangers would fill it.
    pub(super) tokens: Recent<(Arc<str>, Vec<u8>), CredentialRecord>,
}

impl Caches {
    pub(super) fn new(devices: usize, documents: usize) -> Self {
        Self {
            devices: DeviceCache::new(devices),
            profiles: Recent::new(devices),
            documents: Recent::new(documents),
            tokens: Recent::new(TOKENS),
        }
    }

    /// Makes sure that nothing older than this write is found here.
    pub(super) fn forget(&mut self, write: &Write) {
        match write {
            Write::Device(_) => self.devices.forget(write),
            Write::DeviceRemove(_) => {
                self.devices.forget(write);
                // Profiles are not ordered by device, and removals are rare.
                self.profiles.clear();
            }
            Write::Profile(profile) => {
                self.profiles.forget(&(profile.device.clone(), Arc::clone(&profile.dialect)));
            }
            Write::Document(DocumentRecord { dialect, collection, key, .. })
            | Write::DocumentRemove { dialect, collection, key } => {
                self.documents.forget(&(Arc::clone(dialect), collection.clone(), key.clone()));
            }
            // They are not ordered by account, and such writes are rare.
            Write::Credential(_) | Write::CredentialRemove { .. } => self.tokens.clear(),
            _ => {}
        }
    }
}

/// Whether a record with this JSON may be kept.
pub(super) fn is_small(json: &str) -> bool {
    json.len() <= JSON_MAX
}
