//! Room for what waits, bounded by number and by size at once.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places: each thing takes one, and one more for each KiB of it. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    all: u32,
}

impl Places {
    /// So many places, all free.
    pub fn new(all: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Waits, first come first served, until there is room for so many bytes. What is larger than all places together
    /// takes all of them, so it waits until nothing else is there.
    pub async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.free.clone().acquire_many_owned(places(bytes).min(self.all)).await.ok()
    }
}

/// What so many bytes take.
pub fn places(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn room_is_for_so_many_and_for_so_much() {
        let all = Places::new(4);
        let take = |bytes: usize| all.take(bytes).now_or_never().flatten();
        let small: Vec<_> = (0..4).map(|_| take(0)).collect();
        assert!(small.iter().all(Option::is_some));
        assert!(take(0).is_none(), "as many as there are places");
        drop(small);
        let large = take(3 * 1024);
        assert!(large.is_some());
        assert!(take(0).is_none(), "one and three KiB are all four");
        drop(large);
        let huge = take(usize::MAX);
        assert!(huge.is_some(), "what never fits gets in alone");
        assert!(take(0).is_none());
    }
}
