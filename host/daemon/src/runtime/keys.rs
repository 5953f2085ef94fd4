//! Locks by key, for what must look before it writes.

use std::hash::{DefaultHasher, Hash, Hasher};
use tokio::sync::{Mutex, MutexGuard};

/// How many keys can be worked on at once; two keys that fall together only wait for each other.
const STRIPES: u64 = 256;

/// A fixed number of locks that keys are spread over, so that no key leaves anything behind.
pub struct KeyLocks {
    stripes: Vec<Mutex<()>>,
}

impl Default for KeyLocks {
    fn default() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Mutex::new(())).collect() }
    }
}

impl KeyLocks {
    /// Takes the locks of all these keys, in one order for everybody, so nobody waits in a circle.
    pub async fn lock<K: Hash>(&self, keys: impl IntoIterator<Item = K>) -> Vec<MutexGuard<'_, ()>> {
        let mut wanted: Vec<u64> = keys.into_iter().map(|key| stripe(&key)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut held = Vec::with_capacity(wanted.len());
        for (index, lock) in (0..).zip(&self.stripes) {
            if wanted.binary_search(&index).is_ok() {
                held.push(lock.lock().await);
            }
        }
        held
    }
}

fn stripe(key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish() % STRIPES
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn the_same_key_waits_and_another_does_not() {
        let locks = KeyLocks::default();
        let other = (0..).find(|other| stripe(other) != stripe(&0)).unwrap_or_default();
        let held = locks.lock([0]).await;
        assert!(tokio::time::timeout(Duration::from_millis(20), locks.lock([0])).await.is_err());
        assert_eq!(locks.lock([other]).await.len(), 1);
        drop(held);
        assert_eq!(locks.lock([0, 0]).await.len(), 1, "a key named twice is locked once");
    }
}
