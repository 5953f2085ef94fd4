//! The handle everybody writes and reads through, and its group commit.

mod cache;
mod devices;
mod documents;
mod overlay;
mod reads;
mod writer;

use crate::backend::Backend;
use crate::error::{JournalError, StoreError};
use crate::write::{Durability, Write};
use cache::Caches;
use overlay::Overlay;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::{Semaphore, watch};

/// So many writes do not wait for others.
const LINGERING_MAX: usize = 1_024;

/// Position of an append; later appends have greater ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

/// Bounds of a journal.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// Writes that may wait for the disk. An append that starts below it is taken whole.
    pub pending_max: usize,
    /// Devices, and as many aliases and profiles, that are kept in memory.
    pub cached_devices: usize,
    /// Documents that are kept in memory.
    pub cached_documents: usize,
    /// Reads that may be at the database at once; as many threads at most are busy with them. Above one, queries may
    /// take all places but one, which is left for point reads.
    pub concurrent_reads: usize,
    /// After how long relaxed writes are on the disk at the latest, in milliseconds.
    pub relaxed_sync_ms: u64,
    /// How long writes that nobody waits for may wait for others, so that they are committed together, in milliseconds.
    pub linger_ms: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            pending_max: 16_384,
            cached_devices: 4_096,
            cached_documents: 1_024,
            concurrent_reads: 2,
            relaxed_sync_ms: 100,
            linger_ms: 5,
        }
    }
}

/// Handle to the journal; cheap to clone. The writer ends when the last handle is dropped, after it committed the rest;
/// [`Journal::close`] waits for that.
#[derive(Clone)]
pub struct Journal {
    handle: Arc<Handle>,
}

/// What all clones of a [`Journal`] share. Dropping it ends the writer.
struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the handles and the writer thread share.
struct Shared {
    backend: Arc<dyn Backend>,
    options: JournalOptions,
    state: Mutex<State>,
    /// Rung when there is something for the writer.
    work: Condvar,
    progress: watch::Sender<Progress>,
    /// Everything that is at the database to read.
    reads: Arc<Semaphore>,
    /// Those of them that may take long. One fewer, so that a place is left for point reads.
    queries: Arc<Semaphore>,
    /// Held while aliases are checked and devices appended.
    device_writes: tokio::sync::Mutex<()>,
    /// Held while the indexes of documents are brought to what was declared.
    declarations: tokio::sync::Mutex<()>,
}

/// Everything that an append changes, behind one lock that is never held during I/O.
struct State {
    appended: u64,
    pending: Vec<Write>,
    pending_durability: Durability,
    /// Since when there is something pending.
    pending_since: Instant,
    /// The last append that somebody waits for, or waited.
    wanted: u64,
    /// What the writer waits for, until it is rung.
    sleep: Option<Sleep>,
    /// Writes taken by the writer and not committed yet.
    committing: usize,
    /// The last append that left the overlay for the database.
    settled: u64,
    overlay: Overlay,
    caches: Caches,
    closing: bool,
    failed: Option<Arc<StoreError>>,
}

/// What the writer sleeps over.
#[derive(Clone, Copy)]
enum Sleep {
    /// Nothing is pending.
    Idle,
    /// Nobody waits for what is pending; it is committed when its time comes.
    Lingering,
}

/// What waiters watch.
#[derive(Clone, Default)]
struct Progress {
    committed: u64,
    failed: Option<Arc<StoreError>>,
    closed: bool,
}

impl Journal {
    /// Starts the writer thread over a database.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(backend: Arc<dyn Backend>, options: JournalOptions) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            reads: Arc::new(Semaphore::new(options.concurrent_reads.max(1))),
            queries: Arc::new(Semaphore::new(options.concurrent_reads.saturating_sub(1).max(1))),
            state: Mutex::new(State {
                appended: 0,
                pending: Vec::new(),
                pending_durability: Durability::Relaxed,
                pending_since: Instant::now(),
                wanted: 0,
                sleep: None,
                committing: 0,
                settled: 0,
                overlay: Overlay::default(),
                caches: Caches::new(options.cached_devices, options.cached_documents),
                closing: false,
                failed: None,
            }),
            work: Condvar::new(),
            progress: watch::Sender::new(Progress::default()),
            device_writes: tokio::sync::Mutex::new(()),
            declarations: tokio::sync::Mutex::new(()),
            backend,
            options,
        });
        let for_writer = Arc::clone(&shared);
        let writer =
            std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || writer::run(&for_writer))?;
        Ok(Self { handle: Arc::new(Handle { shared, writer: Mutex::new(Some(writer)) }) })
    }

    /// Takes writes in, to be committed together with what else waits. Never blocks on the disk; readers see them at
    /// once. They are on the disk when [`Journal::committed`] returns.
    ///
    /// # Errors
    /// [`JournalError::Full`] past the bound (nothing is taken; wait with [`Journal::ready`]), after a failed commit,
    /// when closed, and for devices, which go through [`Journal::append_checked`].
    pub fn append(&self, writes: Vec<Write>) -> Result<Seq, JournalError> {
        refuse_devices(&writes)?;
        self.shared().append(writes, Durability::Committed)
    }

    /// Like [`Journal::append`], but [`Journal::committed`] returns as soon as a killed process would not forget it;
    /// the disk has it a second later.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_relaxed(&self, writes: Vec<Write>) -> Result<Seq, JournalError> {
        refuse_devices(&writes)?;
        self.shared().append(writes, Durability::Relaxed)
    }

    /// Like [`Journal::append`] or [`Journal::append_relaxed`], for a caller who has looked that no other device has the
    /// aliases of a device among the writes, and who lets nobody write devices between that look and this call. Where it
    /// is wrong, the commit fails, and with it the journal.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_vouched(&self, writes: Vec<Write>, durability: Durability) -> Result<Seq, JournalError> {
        self.shared().append(writes, durability)
    }

    /// Waits until there is room for an append.
    ///
    /// # Errors
    /// After a failed commit, and when closed.
    pub async fn ready(&self) -> Result<(), JournalError> {
        let shared = self.shared();
        let mut progress = shared.progress.subscribe();
        loop {
            {
                let state = shared.lock();
                state.check_open()?;
                if state.waiting() < shared.options.pending_max {
                    return Ok(());
                }
            }
            if progress.changed().await.is_err() {
                return Err(JournalError::Closed);
            }
        }
    }

    /// Waits until that append, and every one before it, is committed.
    ///
    /// # Errors
    /// Where a commit failed before it got there.
    pub async fn committed(&self, seq: Seq) -> Result<(), JournalError> {
        if self.shared().progress.borrow().committed >= seq.0 {
            return Ok(());
        }
        self.shared().want(seq);
        let mut progress = self.shared().progress.subscribe();
        let seen = progress
            .wait_for(|progress| progress.committed >= seq.0 || progress.failed.is_some() || progress.closed)
            .await
            .map_err(|_| JournalError::Closed)?;
        if seen.committed >= seq.0 {
            return Ok(());
        }
        match &seen.failed {
            Some(cause) => Err(JournalError::Failed(Arc::clone(cause))),
            None => Err(JournalError::Closed),
        }
    }

    /// Waits until everything appended so far is committed.
    ///
    /// # Errors
    /// As [`Journal::committed`].
    pub async fn flush(&self) -> Result<(), JournalError> {
        let seq = Seq(self.shared().lock().appended);
        self.committed(seq).await
    }

    /// Commits what is left and ends the writer. Later appends are refused; reads go on.
    ///
    /// # Errors
    /// Where the last commit failed.
    pub async fn close(&self) -> Result<(), JournalError> {
        let last = self.handle.stop();
        let writer = self.handle.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            tokio::task::spawn_blocking(move || writer.join())
                .await
                .map_err(|_| JournalError::BrokenOff)?
                .map_err(|_| JournalError::BrokenOff)?;
        }
        self.committed(last).await
    }

    /// How many writes wait for the disk.
    pub fn pending(&self) -> usize {
        self.shared().lock().waiting()
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

impl Handle {
    /// Tells the writer to end after what was appended so far.
    fn stop(&self) -> Seq {
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.work.notify_one();
        Seq(state.appended)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// The state. No code panics while it holds the lock, so a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, writes: Vec<Write>, durability: Durability) -> Result<Seq, JournalError> {
        let mut state = self.lock();
        state.check_open()?;
        if writes.is_empty() {
            return Ok(Seq(state.appended));
        }
        if state.waiting() >= self.options.pending_max {
            metrics::counter!("dragoman_store_refused_appends_total").increment(1);
            return Err(JournalError::Full { limit: self.options.pending_max });
        }
        state.appended += 1;
        let seq = state.appended;
        for write in &writes {
            state.overlay.put(write, seq);
            state.caches.forget(write);
        }
        if state.pending.is_empty() {
            state.pending = writes;
            state.pending_since = Instant::now();
        } else {
            state.pending.extend(writes);
        }
        state.pending_durability = state.pending_durability.max(durability);
        self.ring(state);
        Ok(Seq(seq))
    }

    /// Has an append committed without delay.
    fn want(&self, seq: Seq) {
        let mut state = self.lock();
        if seq.0 > state.wanted {
            state.wanted = seq.0;
            self.ring(state);
        }
    }

    /// Wakes the writer where it must not sleep on. Ringing for nothing costs a system call.
    fn ring(&self, mut state: MutexGuard<'_, State>) {
        let rings = match state.sleep {
            None => false,
            Some(Sleep::Idle) => true,
            Some(Sleep::Lingering) => state.is_due(),
        };
        if rings {
            state.sleep = None;
            drop(state);
            self.work.notify_one();
        }
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.pending.len() + self.committing
    }

    /// Whether what is pending is to be committed now: somebody waits for it, or it is much.
    fn is_due(&self) -> bool {
        !self.pending.is_empty() && (self.wanted > self.settled || self.pending.len() >= LINGERING_MAX || self.closing)
    }

    fn check_open(&self) -> Result<(), JournalError> {
        match &self.failed {
            Some(cause) => Err(JournalError::Failed(Arc::clone(cause))),
            None if self.closing => Err(JournalError::Closed),
            None => Ok(()),
        }
    }
}

fn refuse_devices(writes: &[Write]) -> Result<(), JournalError> {
    for write in writes {
        if let Write::Device(device) = write {
            return Err(JournalError::Unchecked(device.id.clone()));
        }
    }
    Ok(())
}
