//! The handle: plugins' requests go in, operators look and decide.

use super::batch::Batch;
use super::client::{Client, TargetError};
use super::form;
use super::lane::{Full, GivenUp, Lane, TargetState};
use super::sender::{self, Sender};
use crate::config::TargetConfig;
use dragoman_store::{Journal, JournalError, RequestRow, Seq, StoreError, Write};
use dragoman_wasm::OutRequest;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

/// The daemon's clock, in milliseconds since 1970.
pub(super) type Now = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Why sending cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// A target cannot be used.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// What the last run left cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a request of a plugin's is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnqueueError {
    /// The configuration does not list it.
    #[error("no target {target} is configured; the operator adds it as [targets.{target}]")]
    UnknownTarget {
        /// As the plugin named it.
        target: String,
    },
    /// The request cannot be sent to anybody.
    #[error("the request to {target} cannot be sent: {why}")]
    Invalid {
        /// The target.
        target: String,
        /// What is wrong.
        why: String,
    },
    /// Too many wait.
    #[error("{limit} requests wait for target {target}, the limit (waiting_max)")]
    TooMany {
        /// The target.
        target: String,
        /// The bound.
        limit: usize,
    },
    /// What waits is too large.
    #[error("requests of {limit} bytes wait for target {target}, the limit (waiting_max_bytes)")]
    TooLarge {
        /// The target.
        target: String,
        /// The bound.
        limit: usize,
    },
}

impl EnqueueError {
    /// The reason's name, as it is counted.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::UnknownTarget { .. } => "unknown-target",
            Self::Invalid { .. } => "invalid",
            Self::TooMany { .. } => "waiting-max",
            Self::TooLarge { .. } => "waiting-max-bytes",
        }
    }
}

/// Why an operator's wish is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorError {
    /// Neither configured nor waited for.
    #[error("there is no target {0}; see dragoman target list")]
    Unknown(String),
    /// Requests wait for it, but it has no address.
    #[error("target {0} is not in the configuration any more; add it and start dragoman again, or drop its requests")]
    NotConfigured(String),
    /// The store does not take it.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Requests of plugins on their way to the targets that the operator lists. Dropping it breaks off what is under way.
pub(crate) struct Outbound {
    cells: BTreeMap<String, Arc<Cell>>,
    journal: Journal,
    now_ms: Now,
    last_seq: AtomicU64,
    appended: mpsc::UnboundedSender<(Vec<(String, u64)>, Seq)>,
    stopping: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// The lane of one target, and who is told when it changes.
pub(super) struct Cell {
    pub(super) name: String,
    configured: bool,
    lane: Mutex<Lane>,
    /// Rung when something became ready.
    pub(super) changed: Notify,
}

impl Cell {
    /// No code panics while it holds the lock, so a poisoned one is still whole.
    pub(super) fn lock(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows in the metrics how the lane stands.
    pub(super) fn measure(&self, lane: &Lane) {
        let waiting = u32::try_from(lane.waiting()).unwrap_or(u32::MAX);
        metrics::gauge!("dragoman_outbound_waiting", "target" => self.name.clone()).set(waiting);
    }
}

impl Outbound {
    /// Takes over what the last run left and begins to send it. Connects to nothing before there is something to send.
    ///
    /// # Errors
    /// See [`StartError`].
    pub(crate) async fn start(
        targets: &BTreeMap<String, TargetConfig>,
        journal: Journal,
        now_ms: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let mut clients = BTreeMap::new();
        for (name, config) in targets {
            clients.insert(name.clone(), Arc::new(Client::new(name, config)?));
        }
        let mut lanes: BTreeMap<String, Lane> =
            targets.iter().map(|(name, config)| (name.clone(), Lane::new(config.clone()))).collect();
        let (now, at_ms) = (Instant::now(), now_ms());
        let mut last_seq = 0;
        for row in journal.requests().await? {
            last_seq = last_seq.max(row.seq);
            let lane = lanes.entry(row.target.clone()).or_insert_with(|| Lane::new(TargetConfig::at("")));
            lane.restore(row, now, at_ms);
        }
        let cell = |(name, lane): (String, Lane)| {
            let configured = clients.contains_key(&name);
            let cell = Cell { name: name.clone(), configured, lane: Mutex::new(lane), changed: Notify::new() };
            (name, Arc::new(cell))
        };
        let cells: BTreeMap<String, Arc<Cell>> = lanes.into_iter().map(cell).collect();
        let (appended, to_release) = mpsc::unbounded_channel();
        let outbound = Self {
            journal,
            now_ms: Arc::new(now_ms),
            last_seq: AtomicU64::new(last_seq),
            appended,
            stopping: watch::Sender::new(false),
            tasks: Mutex::default(),
            cells,
        };
        outbound.begin(clients, to_release);
        Ok(outbound)
    }

    fn begin(
        &self,
        mut clients: BTreeMap<String, Arc<Client>>,
        to_release: mpsc::UnboundedReceiver<(Vec<(String, u64)>, Seq)>,
    ) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.push(tokio::spawn(release(self.cells.clone(), self.journal.clone(), to_release)));
        for (name, cell) in &self.cells {
            let Some(client) = clients.remove(name) else {
                let waiting = cell.lock().waiting();
                tracing::warn!(
                    target_name = %name, waiting,
                    "requests wait for a target that is not in the configuration any more; add it, or drop them with dragoman target drop"
                );
                continue;
            };
            let sender = Sender {
                cell: Arc::clone(cell),
                client,
                journal: self.journal.clone(),
                now_ms: Arc::clone(&self.now_ms),
            };
            tasks.push(tokio::spawn(sender::run(sender, self.stopping.subscribe())));
        }
    }

    /// The requests of one plugin call, none yet.
    pub(crate) fn batch(self: &Arc<Self>) -> Batch {
        Batch::new(Arc::clone(self))
    }

    /// Whether a request would be taken in now.
    ///
    /// # Errors
    /// See [`EnqueueError`]; each is counted.
    pub(crate) fn check(&self, dialect: &str, request: OutRequest) -> Result<(), EnqueueError> {
        let row = self.row(dialect, request);
        let room = self.cell_for(&row).and_then(|cell| {
            let lane = cell.lock();
            lane.has_room_for(&row).map_err(|full| full_of(&row, full))
        });
        room.inspect_err(|error| self.count(&row.target, error))
    }

    /// Takes a request in and keeps a place for it, until [`Self::release_after`] or [`Self::forget`].
    pub(super) fn enqueue(&self, dialect: &str, request: OutRequest) -> Result<RequestRow, EnqueueError> {
        let row = self.row(dialect, request);
        let target = row.target.clone();
        self.take(row).inspect_err(|error| self.count(&target, error))
    }

    fn row(&self, dialect: &str, request: OutRequest) -> RequestRow {
        let OutRequest { target, method, path, headers, body } = request;
        RequestRow {
            seq: 0,
            dialect: Arc::from(dialect),
            target,
            method,
            path,
            headers,
            body,
            created_ms: (self.now_ms)(),
            tries: 0,
            next_ms: 0,
            last_answer: None,
            given_up_ms: None,
        }
    }

    fn take(&self, mut row: RequestRow) -> Result<RequestRow, EnqueueError> {
        let cell = self.cell_for(&row)?;
        let mut lane = cell.lock();
        // Under the lock, so that the numbers of one target rise in the order in which they are given.
        row.seq = self.last_seq.fetch_add(1, Ordering::Relaxed) + 1;
        let row = Arc::new(row);
        if let Err(full) = lane.reserve(&row) {
            let error = full_of(&row, full);
            if lane.newly_full() {
                tracing::warn!(reason = error.reason(), dialect = %row.dialect, "requests are refused: {error}");
            }
            return Err(error);
        }
        cell.measure(&lane);
        Ok(RequestRow::clone(&row))
    }

    /// The target of a request that can be sent.
    fn cell_for(&self, row: &RequestRow) -> Result<&Cell, EnqueueError> {
        let target = || row.target.clone();
        let cell = self.cells.get(&row.target).filter(|cell| cell.configured);
        let cell = cell.ok_or_else(|| EnqueueError::UnknownTarget { target: target() })?;
        form::check(row).map_err(|why| EnqueueError::Invalid { target: target(), why })?;
        Ok(cell)
    }

    fn count(&self, target: &str, error: &EnqueueError) {
        // A name that a plugin made up must not become a series of its own.
        let known = !matches!(error, EnqueueError::UnknownTarget { .. });
        let target = if known { target.to_owned() } else { String::new() };
        metrics::counter!("dragoman_outbound_refused_total", "target" => target, "reason" => error.reason())
            .increment(1);
    }

    /// These rows, by target and number, were appended there. They are sent once that is committed, also where the
    /// caller is gone by then.
    pub(super) fn release_after(&self, rows: Vec<(String, u64)>, at: Seq) {
        // Fails only while everything is being dropped; the store has the rows.
        let _ = self.appended.send((rows, at));
    }

    /// The turn that would have written this row came to nothing.
    pub(super) fn forget(&self, target: &str, seq: u64) {
        if let Some(cell) = self.cells.get(target) {
            let mut lane = cell.lock();
            lane.forget(seq);
            cell.measure(&lane);
        }
    }

    /// Every target, by name.
    pub(crate) fn targets(&self) -> Vec<TargetState> {
        let now = Instant::now();
        self.cells.iter().map(|(name, cell)| cell.lock().state(name, now)).collect()
    }

    /// A target and the newest of the requests that were given up, the newest first.
    ///
    /// # Errors
    /// [`OperatorError::Unknown`].
    pub(crate) fn target(&self, name: &str, limit: usize) -> Result<(TargetState, Vec<GivenUp>), OperatorError> {
        let lane = self.cell(name)?.lock();
        Ok((lane.state(name, Instant::now()), lane.given_up(limit)))
    }

    /// Sends what was given up once more, as if it had never been tried, as far as it may wait, and ends all waits. Tells
    /// how many had been given up.
    ///
    /// # Errors
    /// See [`OperatorError`].
    pub(crate) async fn retry(&self, name: &str) -> Result<usize, OperatorError> {
        let cell = self.cell(name)?;
        if !cell.configured {
            return Err(OperatorError::NotConfigured(name.to_owned()));
        }
        let (count, seq) = {
            let mut lane = cell.lock();
            let rows = lane.revived();
            let count = rows.len();
            let writes = rows.iter().map(|row| Write::RequestPut(RequestRow::clone(row))).collect();
            let seq = self.journal.append(writes)?;
            lane.revive(rows);
            cell.measure(&lane);
            (count, seq)
        };
        cell.changed.notify_one();
        self.journal.committed(seq).await?;
        Ok(count)
    }

    /// Forgets what was given up; of a target that is not configured any more, everything. Tells how many that are.
    ///
    /// # Errors
    /// See [`OperatorError`].
    pub(crate) async fn drop_given_up(&self, name: &str) -> Result<usize, OperatorError> {
        let cell = self.cell(name)?;
        let (count, seq) = {
            let mut lane = cell.lock();
            let seqs = lane.droppable(!cell.configured);
            let seq = self.journal.append(seqs.iter().map(|seq| Write::RequestRemove(*seq)).collect())?;
            lane.drop_all(&seqs);
            cell.measure(&lane);
            (seqs.len(), seq)
        };
        tracing::info!(target_name = name, count, "an operator dropped requests");
        metrics::counter!("dragoman_outbound_requests_total", "target" => name.to_owned(), "result" => "dropped")
            .increment(count as u64);
        self.journal.committed(seq).await?;
        Ok(count)
    }

    /// Begins nothing more and waits so long for what is under way; the rest is sent again after the next start.
    pub(crate) async fn stop(&self, within: Duration) {
        self.stopping.send_replace(true);
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        // The first releases what was committed, and has no end of its own.
        if !tasks.is_empty() {
            tasks.remove(0).abort();
        }
        let deadline = tokio::time::Instant::now() + within;
        for mut task in tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
                // Once it has ended, nothing more of it reaches the store.
                let _ = task.await;
            }
        }
    }

    fn cell(&self, name: &str) -> Result<&Arc<Cell>, OperatorError> {
        self.cells.get(name).ok_or_else(|| OperatorError::Unknown(name.to_owned()))
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        for task in self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

/// Lets rows go as their turns are committed.
async fn release(
    cells: BTreeMap<String, Arc<Cell>>,
    journal: Journal,
    mut appended: mpsc::UnboundedReceiver<(Vec<(String, u64)>, Seq)>,
) {
    while let Some((rows, at)) = appended.recv().await {
        if let Err(error) = journal.committed(at).await {
            tracing::error!(%error, "requests are not sent, because the store cannot be written");
            return;
        }
        for (target, seq) in rows {
            if let Some(cell) = cells.get(&target)
                && cell.lock().release(seq)
            {
                cell.changed.notify_one();
            }
        }
    }
}

fn full_of(row: &RequestRow, full: Full) -> EnqueueError {
    let target = row.target.clone();
    match full {
        Full::Rows(limit) => EnqueueError::TooMany { target, limit },
        Full::Bytes(limit) => EnqueueError::TooLarge { target, limit },
    }
}
