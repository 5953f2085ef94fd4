//! Reads. Point reads see everything appended; queries wait until it is committed.

use super::{Journal, Seq};
use crate::access::{CredentialRecord, MqttSessionRecord};
use crate::backend::Backend;
use crate::dead_letter::DeadLetterRow;
use crate::error::{JournalError, StoreError};
use crate::registry::DeviceRecord;
use crate::request::RequestRow;
use crate::selection::{Page, Position, Selection, TransitionQuery};
use crate::write::OutboxRow;
use dragoman_core::{Attributes, DeviceId, Execution, ExecutionId, Transition};
use std::sync::Arc;

/// How many executions [`Journal::load_open`] holds beside those its caller took.
const LOAD_BATCH: usize = 256;
/// How often a token is looked up again because a commit came between.
const TOKEN_TRIES: u32 = 4;

impl Journal {
    /// An execution by id, open or ended.
    ///
    /// # Errors
    /// Where the database fails. So do all reads.
    pub async fn execution(&self, id: &ExecutionId) -> Result<Option<Arc<Execution>>, StoreError> {
        if let Some(found) = self.shared().lock().overlay.execution(id) {
            return Ok(Some(found));
        }
        let id = id.clone();
        Ok(self.read(move |backend| backend.execution(&id)).await?.map(Arc::new))
    }

    /// The newest execution under the origin's own id for it.
    pub async fn by_alias(
        &self,
        origin: &str,
        device: &DeviceId,
        alias: &str,
    ) -> Result<Option<Arc<Execution>>, StoreError> {
        if let Some(found) = self.shared().lock().overlay.execution_by_alias(origin, device, alias) {
            return Ok(Some(found));
        }
        let (origin, device, alias) = (origin.to_owned(), device.clone(), alias.to_owned());
        let found = self.read(move |backend| backend.execution_by_alias(&origin, &device, &alias)).await?;
        Ok(found.map(|found| self.newest(found)))
    }

    /// The newest execution under the caller's idempotency key.
    pub async fn by_idempotency(&self, origin: &str, key: &str) -> Result<Option<Arc<Execution>>, StoreError> {
        if let Some(found) = self.shared().lock().overlay.execution_by_idempotency(origin, key) {
            return Ok(Some(found));
        }
        let (origin, key) = (origin.to_owned(), key.to_owned());
        let found = self.read(move |backend| backend.execution_by_idempotency(&origin, &key)).await?;
        Ok(found.map(|found| self.newest(found)))
    }

    /// The execution and the attempt that was dispatched under this key, open or ended.
    pub async fn by_correlation(
        &self,
        reporter: &DeviceId,
        key: &str,
    ) -> Result<Option<(ExecutionId, u32)>, StoreError> {
        if let Some(found) = self.shared().lock().overlay.by_correlation(reporter, key) {
            return Ok(Some(found));
        }
        let (reporter, key) = (reporter.clone(), key.to_owned());
        self.read(move |backend| backend.by_correlation(&reporter, &key)).await
    }

    /// The history of an execution, in order; empty where it is not known.
    pub async fn history(&self, id: &ExecutionId) -> Result<Vec<Transition>, StoreError> {
        // The overlay first: what it loses meanwhile is in the database by then.
        let newest = self.shared().lock().overlay.history(id);
        let id = id.clone();
        let mut lines = self.read(move |backend| backend.history(&id)).await?;
        lines.retain(|line| newest.iter().all(|newer| newer.seq != line.seq));
        lines.extend(newest);
        lines.sort_by_key(|line| line.seq);
        Ok(lines)
    }

    /// Lines of all histories of one origin, by position: everything appended so far that matches, and nothing twice or
    /// left out, because it waits until that is committed.
    pub async fn transitions(&self, query: TransitionQuery) -> Result<Vec<Position>, StoreError> {
        self.query(move |backend| backend.transitions(&query)).await
    }

    /// The greatest position that was ever written, at the start of the process; 0: none. Those given after it are
    /// greater.
    pub async fn last_position(&self) -> Result<u64, StoreError> {
        self.query(|backend| backend.last_position()).await
    }

    /// How far a dialect was told; none: it never was.
    pub async fn cursor(&self, dialect: &str) -> Result<Option<u64>, StoreError> {
        if let Some(found) = self.shared().lock().overlay.cursor(dialect) {
            return Ok(Some(found));
        }
        let dialect = dialect.to_owned();
        self.read(move |backend| backend.cursor(&dialect)).await
    }

    /// One page of executions, in order of creation.
    pub async fn executions(&self, selection: Selection) -> Result<Page, StoreError> {
        self.query(move |backend| backend.executions(&selection)).await
    }

    /// How many executions there are, counted up to `up_to`.
    pub async fn count(&self, selection: Selection, up_to: u64) -> Result<u64, StoreError> {
        self.query(move |backend| backend.count(&selection, up_to)).await
    }

    /// Hands over every open execution in order of creation, at the start of the process.
    pub async fn load_open(&self, mut each: impl FnMut(Execution) + Send) -> Result<(), StoreError> {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(LOAD_BATCH);
        let load = self.query(move |backend| {
            // A caller that went away wants none of the rest.
            backend.load_open(&mut |execution| drop(sender.blocking_send(execution)))
        });
        let take = async {
            while let Some(execution) = receiver.recv().await {
                each(execution);
            }
        };
        let (loaded, ()) = tokio::join!(load, take);
        loaded
    }

    /// Every message that has not left, by number, at the start of the process.
    pub async fn outbox(&self) -> Result<Vec<OutboxRow>, StoreError> {
        self.query(|backend| backend.outbox()).await
    }

    /// Every request that was not answered, given up ones included, by number.
    pub async fn requests(&self) -> Result<Vec<RequestRow>, StoreError> {
        self.query(|backend| backend.requests()).await
    }

    /// How many of these are for that target.
    pub async fn request_count(&self, target: &str) -> Result<u64, StoreError> {
        let target = target.to_owned();
        self.query(move |backend| backend.request_count(&target)).await
    }

    /// Messages that no plugin could read, by number behind `after`: all of them, or those of one plugin; at most
    /// [`crate::PAGE_MAX`].
    pub async fn dead_letters(
        &self,
        plugin: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<DeadLetterRow>, StoreError> {
        let plugin = plugin.map(str::to_owned);
        self.query(move |backend| backend.dead_letters(plugin.as_deref(), after, limit)).await
    }

    /// The greatest number that a dead letter ever had; also where that letter is gone.
    pub async fn last_dead_letter(&self) -> Result<u64, StoreError> {
        self.query(|backend| backend.last_dead_letter()).await
    }

    /// Devices that carry all these labels (none: every device), in id order behind `after`; at most
    /// [`crate::PAGE_MAX`].
    pub async fn devices(
        &self,
        labels: Attributes,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        self.query(move |backend| backend.devices(&labels, after.as_ref(), limit)).await
    }

    /// How many devices [`Journal::devices`] would give in all, counted up to `up_to`.
    pub async fn count_devices(&self, labels: Attributes, up_to: u64) -> Result<u64, StoreError> {
        self.query(move |backend| backend.count_devices(&labels, up_to)).await
    }

    /// Devices that hang below this one, in id order behind `after`; at most [`crate::PAGE_MAX`].
    pub async fn children(
        &self,
        parent: DeviceId,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        self.query(move |backend| backend.children(&parent, after.as_ref(), limit)).await
    }

    /// A credential by account.
    pub async fn credential(&self, dialect: &str, account: &str) -> Result<Option<CredentialRecord>, StoreError> {
        if let Some(found) = self.shared().lock().overlay.credential(dialect, account) {
            return Ok(found);
        }
        let (dialect, account) = (dialect.to_owned(), account.to_owned());
        self.read(move |backend| backend.credential(&dialect, &account)).await
    }

    /// The token credential whose secret is this SHA-256.
    pub async fn credential_by_token(
        &self,
        dialect: &str,
        hash: &[u8],
    ) -> Result<Option<CredentialRecord>, StoreError> {
        if let Some(found) = self.shared().lock().overlay.credential_by_token(dialect, hash) {
            return Ok(Some(found));
        }
        let cached: (Arc<str>, Vec<u8>) = (dialect.into(), hash.to_owned());
        for _ in 0..TOKEN_TRIES {
            let (nothing_waits, settled, epoch) = {
                let mut state = self.shared().lock();
                let nothing_waits = state.overlay.has_no_credentials();
                match state.caches.tokens.get(&cached) {
                    // Kept since the last write of any credential.
                    Ok(found) => return Ok(found),
                    Err(epoch) => (nothing_waits, state.settled, epoch),
                }
            };
            let (of, key) = (dialect.to_owned(), hash.to_owned());
            let found = self.read(move |backend| backend.credential_by_token(&of, &key)).await?;
            let Some(found) = found else { return Ok(None) };
            let mut state = self.shared().lock();
            if nothing_waits {
                state.caches.tokens.keep(epoch, cached, Some(found.clone()));
                return Ok(Some(found));
            }
            if state.settled == settled {
                // What waits for the disk may have revoked or replaced it.
                let newest = state.overlay.credential(dialect, &found.account).unwrap_or_else(|| Some(found.clone()));
                return Ok(newest.filter(|credential| credential.is_token(hash)));
            }
            // What waited left the overlay after the database was read.
        }
        let (of, key) = (dialect.to_owned(), hash.to_owned());
        self.query(move |backend| backend.credential_by_token(&of, &key)).await
    }

    /// Every credential of a dialect, by account.
    pub async fn credentials(&self, dialect: &str) -> Result<Vec<CredentialRecord>, StoreError> {
        let dialect = dialect.to_owned();
        self.query(move |backend| backend.credentials(&dialect)).await
    }

    /// Every persistent MQTT session, by client id.
    pub async fn mqtt_sessions(&self) -> Result<Vec<MqttSessionRecord>, StoreError> {
        self.query(|backend| backend.mqtt_sessions()).await
    }

    /// Forgets at most `limit` executions that ended before this time, the earliest first, with all that belongs to
    /// them. Tells how many. Commits wait meanwhile, so `limit` should be some hundreds.
    pub async fn prune(&self, ended_before_ms: u64, limit: u32) -> Result<u64, StoreError> {
        self.query(move |backend| backend.prune(ended_before_ms, limit)).await
    }

    /// The newest version of an execution that was found by something that never changes.
    fn newest(&self, found: Execution) -> Arc<Execution> {
        self.shared().lock().overlay.execution(&found.id).unwrap_or_else(|| Arc::new(found))
    }

    /// Waits for what was appended so far, then reads on a thread that may block.
    pub(super) async fn query<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Backend) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let seq = Seq(self.shared().lock().appended);
        self.committed(seq).await?;
        // First in the line of the queries, so that those that wait take no place from point reads.
        let Ok(place) = Arc::clone(&self.shared().queries).acquire_owned().await else {
            return Err(JournalError::Closed.into());
        };
        self.read(move |backend| {
            let _place = place;
            read(backend)
        })
        .await
    }

    /// Reads what is committed, on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Backend) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(self.shared());
        // Bounded here, so that slow reads do not pile up as threads.
        let Ok(place) = Arc::clone(&shared.reads).acquire_owned().await else {
            return Err(JournalError::Closed.into());
        };
        let run = move || {
            // Held by the thread and not by the caller: the read runs on when the caller is gone.
            let _place = place;
            read(&*shared.backend)
        };
        tokio::task::spawn_blocking(run).await.map_err(|_| StoreError::from(JournalError::BrokenOff))?
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::JournalOptions;
    use crate::sqlite::{SqliteBackend, SqliteOptions};
    use std::time::Duration;
    use tokio::sync::oneshot;

    const LONG: Duration = Duration::from_secs(30);

    fn journal(concurrent_reads: usize) -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let backend = SqliteBackend::open(folder.path().join("store.db"), &SqliteOptions::default()).unwrap();
        let options = JournalOptions { concurrent_reads, ..JournalOptions::default() };
        (folder, Journal::start(Arc::new(backend), options).unwrap())
    }

    type Read = Box<dyn FnOnce(&dyn Backend) -> Result<(), StoreError> + Send>;

    /// A read that says when it runs, and then waits to be let go on.
    fn gated() -> (Read, oneshot::Receiver<()>, std::sync::mpsc::Sender<()>) {
        let (started, has_started) = oneshot::channel();
        let (go_on, may_go_on) = std::sync::mpsc::channel();
        let read = move |_: &dyn Backend| {
            started.send(()).unwrap();
            // Also ends when the test does.
            let _ = may_go_on.recv();
            Ok(())
        };
        (Box::new(read), has_started, go_on)
    }

    #[tokio::test]
    async fn a_caller_that_is_gone_leaves_its_place_to_the_read_that_runs_on() {
        let (_folder, journal) = journal(1);
        let (read, has_started, go_on) = gated();
        let caller = tokio::spawn({
            let journal = journal.clone();
            async move { journal.query(read).await }
        });
        has_started.await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert_eq!(journal.shared().reads.available_permits(), 0);
        assert_eq!(journal.shared().queries.available_permits(), 0);

        go_on.send(()).unwrap();
        tokio::time::timeout(LONG, journal.outbox()).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn queries_leave_a_place_for_point_reads() {
        let (_folder, journal) = journal(2);
        let (slow, has_started, go_on) = gated();
        let first = tokio::spawn({
            let journal = journal.clone();
            async move { journal.query(slow).await }
        });
        has_started.await.unwrap();
        let (slow, _, go_on_too) = gated();
        let mut second = std::pin::pin!(journal.query(slow));
        let id = ExecutionId::new("none");
        let found = tokio::select! {
            biased;
            _ = &mut second => panic!("the second query had no place"),
            found = tokio::time::timeout(LONG, journal.execution(&id)) => found,
        };
        assert!(found.expect("a point read waits for the queries").unwrap().is_none());
        drop((go_on, go_on_too));
        first.await.unwrap().unwrap();
    }
}
